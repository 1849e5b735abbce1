package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// SignSums are what signed sums tell of the errors of a matrix whose truth is too large to be
// computed (Freivalds 1979, "Fast probabilistic algorithms"). The columns stand in groups; with
// e = r − t the errors of a row in a group, and x signs that are drawn for it,
//
//	s = Σ x e,  E s² = Σ Σ E[x x′] e e′ = Σ e²
//
// whatever the errors are and however they hang together, since signs are independent and x² = 1.
// A right kernel has E Σ e² = v, v = Σ (σ² + ulp²/12), errors in common and toward zero included,
// as σ² is a second moment around the truth. So s²/v is on the mean what the mean square of scaled
// errors is; and a wrong group may hide by chance alone, not by what it is.
//
// Signs are drawn anew for each group, and are the same in all rows.
type SignSums struct {
	Squares []float64 // s²/v by row and group; +Inf: a kind that is wrong; NaN: nothing is to be summed
	Groups  []int     // where the groups of each tile of columns begin, and where the last ends
	Rows    []int     // where each tile of rows begins, and where the last ends
	Bands   []int     // where the rows of each product begin, and where the last ends
	Width   int       // of a group, in columns
}

// Suspect is a part of a matrix that looks wrong by signed sums: some rows of some tiles of
// columns.
type Suspect struct {
	Rows   []int
	Tiles  []int
	Beyond float64 // how many times its limit the mean square is
}

// Signs is what is said of an output that is too large to be recomputed as a whole.
type Signs struct {
	Elements   int     `json:"elements"`        // of the whole output
	Recomputed int     `json:"recomputed"`      // of these, judged one by one
	Tiles      int     `json:"tiles"`           // whose errors were summed with random signs
	Suspect    int     `json:"suspect"`         // tiles, rows or columns of tiles that looked wrong
	Wrong      int     `json:"wrong,omitempty"` // of those that were recomputed, which were
	RMS        float64 `json:"rms"`             // of all, by signs
	RMSLimit   float64 `json:"rms_limit"`

	// With at most this chance a tile is missed whose root mean square is Seen, where its rows err
	// independently, or SeenAlike where they all err alike, or in which one element is off by
	// SeenAlone deviations.
	Missed    float64 `json:"missed"`
	Seen      float64 `json:"seen"`
	SeenAlike float64 `json:"seen_alike"`
	SeenAlone float64 `json:"seen_alone"`
}

// InWords says how the output was checked.
func (s *Signs) InWords() string {
	text := fmt.Sprintf("too large to recompute: errors of %d tiles summed with random signs, rms %.3g of %.3g; "+
		"%d of %d elements recomputed", s.Tiles, s.RMS, s.RMSLimit, s.Recomputed, s.Elements)
	if s.Suspect > 0 {
		text += fmt.Sprintf("; parts that look wrong: %d, of which recomputed ones are: %d", s.Suspect, s.Wrong)
	}
	return text
}

// Misses says what errors are missed with which chance.
func (s *Signs) Misses() string {
	return fmt.Sprintf("missed with a chance of at most %.0e: a tile whose errors are %.3g times as large as "+
		"explained (%.3g times where all its rows err alike), one element that is off by %.3g deviations",
		s.Missed, s.Seen, s.SeenAlike, s.SeenAlone)
}

// needless is the chance that of a right kernel anything is recomputed that looks wrong: it costs
// time, and fails nobody.
const needless = 0.01

// The families of parts that signed sums are tested in: groups of a row, tiles, rows, columns of
// tiles, and all.
const signFamilies = 5

// screening compares signed sums with their limits.
type screening struct {
	SignSums
	groups int
	base   float64 // the mean square that right kernels may have, without what signs scatter it by
}

// Screen says what looks wrong by signed sums, worst first, where e is what is expected of a sample
// of the same output.
func (e Expected) Screen(sums SignSums) (*Signs, []Suspect) {
	s := e.screening(sums, sums.Groups[len(sums.Groups)-1])
	found := s.tiles()
	found = append(found, s.bands(found)...)
	found = append(found, s.rows(found)...)
	slices.SortStableFunc(found, func(a, b Suspect) int { return cmp.Compare(b.Beyond, a.Beyond) })
	signs := s.power()
	signs.Suspect = len(found)
	s.whole(signs)
	return signs, found
}

// screening returns the limits of a sample's output for such sums.
func (e Expected) screening(sums SignSums, groups int) *screening {
	s := &screening{SignSums: sums, groups: groups}
	for _, form := range e.each() {
		s.base = max(s.base, newJudgement(form, form.Truth).meanSquareOfRight())
	}
	return s
}

// LooksRight tells of the squares of scaled errors of a part that was recomputed, row by row,
// whether their mean is within its limit, that of each row, and each by itself, where e is what is
// expected of a sample of the same output.
func (e Expected) LooksRight(squares []float64, columns int) bool {
	rows := len(squares) / columns
	s := e.screening(SignSums{Squares: squares}, columns)
	if all := between(0, rows); !(s.beyond(all, 0, columns, 1) <= 1 && s.largest(all, 0, columns) <= 1) {
		return false
	}
	for r := range rows {
		if !(s.beyond([]int{r}, 0, columns, rows) <= 1) {
			return false
		}
	}
	return true
}

// meanSquareOfRight is up to what the mean square of a right kernel's scaled errors may be, as
// meanSquareLimit has it, of so many that it does not scatter.
func (j *judgement) meanSquareOfRight() float64 {
	k := j.kin()
	m := k.meanSquares[0]
	mean := max(m.means[0], k.native.families[0].squares[0], leastMean)
	return calibration * calibration * mean * (1 + 2*math.Sqrt(m.variances[0]/(m.freedom(0)+1)))
}

// limit is what the mean of so many squares of signed sums exceeds with the chance of one of so
// many members of a family: of sums of many errors, which are normal.
func (s *screening) limit(squares, members int) float64 {
	chance := needless / signFamilies / float64(max(members, 1))
	return s.base * chiSquaredQuantile(float64(max(squares, 1)), chance)
}

// mean is the mean square of some rows in some groups, and of how many that is. Equal rows count
// once: their signed sums are one number.
func (s *screening) mean(rows []int, first, last int) (mean float64, n int) {
	seen := make(map[float64]bool, len(rows))
	for _, r := range rows {
		row := s.Squares[r*s.groups+first : r*s.groups+last]
		if len(rows) > 1 && seen[row[0]] {
			continue
		}
		seen[row[0]] = true
		for _, q := range row {
			if !math.IsNaN(q) {
				mean, n = mean+q, n+1
			}
		}
	}
	return mean / float64(max(n, 1)), n
}

// beyond is how many times its limit the mean square of a part is, at least 0.
func (s *screening) beyond(rows []int, first, last, members int) float64 {
	mean, n := s.mean(rows, first, last)
	return mean / s.limit(n, members)
}

// largest is how many times its limit the largest square in a part is.
func (s *screening) largest(rows []int, first, last int) (most float64) {
	for _, r := range rows {
		for _, q := range s.Squares[r*s.groups+first : r*s.groups+last] {
			if q > most {
				most = q
			}
		}
	}
	return most / s.limit(1, len(s.Squares))
}

// tiles finds the tiles that look wrong, by their mean square or by one group of a row.
func (s *screening) tiles() (found []Suspect) {
	across, down := len(s.Groups)-1, len(s.Rows)-1
	for t := range down {
		rows := between(s.Rows[t], s.Rows[t+1])
		for c := range across {
			first, last := s.Groups[c], s.Groups[c+1]
			if b := max(s.beyond(rows, first, last, across*down), s.largest(rows, first, last)); b > 1 {
				found = append(found, Suspect{rows, []int{c}, b})
			}
		}
	}
	return found
}

// mostAcross is of how many tiles a row is recomputed that looks wrong as a whole, and mostDown of
// how many a column of tiles is: of those in which it looks worst.
const (
	mostAcross = 8
	mostDown   = 4
)

// rows finds the rows that look wrong in no tile, but in all together.
func (s *screening) rows(found []Suspect) (more []Suspect) {
	all := len(s.Squares) / s.groups
	wrong := map[int]bool{}
	for _, f := range found {
		for _, r := range f.Rows {
			wrong[r] = true
		}
	}
	for r := range all {
		row := []int{r}
		if b := s.beyond(row, 0, s.groups, all); b > 1 && !wrong[r] {
			worst := worstOf(len(s.Groups)-1, mostAcross, func(c int) float64 {
				mean, _ := s.mean(row, s.Groups[c], s.Groups[c+1])
				return mean
			})
			more = append(more, Suspect{row, worst, b})
		}
	}
	return more
}

// bands finds the columns of tiles of one product that look wrong in no tile, but in all together.
func (s *screening) bands(found []Suspect) (more []Suspect) {
	across := len(s.Groups) - 1
	for band := range len(s.Bands) - 1 {
		from, to := s.Bands[band], s.Bands[band+1]
		for c := range across {
			b := s.beyond(between(from, to), s.Groups[c], s.Groups[c+1], across*(len(s.Bands)-1))
			if b > 1 && !slices.ContainsFunc(found, func(f Suspect) bool {
				return f.Tiles[0] == c && from <= f.Rows[0] && f.Rows[0] < to
			}) {
				more = append(more, Suspect{s.worstDown(from, to, c), []int{c}, b})
			}
		}
	}
	return more
}

// worstDown returns the rows of the tiles in which a column of tiles looks worst.
func (s *screening) worstDown(from, to, c int) (rows []int) {
	first, _ := slices.BinarySearch(s.Rows, from)
	last, _ := slices.BinarySearch(s.Rows, to)
	for _, t := range worstOf(last-first, mostDown, func(t int) float64 {
		mean, _ := s.mean(between(s.Rows[first+t], s.Rows[first+t+1]), s.Groups[c], s.Groups[c+1])
		return mean
	}) {
		rows = append(rows, between(s.Rows[first+t], s.Rows[first+t+1])...)
	}
	return rows
}

// worstOf returns those of n numbers that are largest by a measure, in order.
func worstOf(n, most int, of func(i int) float64) []int {
	measure := make([]float64, n)
	for i := range measure {
		measure[i] = of(i)
	}
	all := between(0, n)
	slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(measure[b], measure[a]) })
	all = all[:min(n, most)]
	slices.Sort(all)
	return all
}

func between(from, to int) []int {
	all := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// whole fills in the root mean square of all, and its limit. Rows that err alike make squares of
// one group alike in all rows; but the signs of groups are independent whatever rows do, so that
// the scatter of the groups' means says how far that of all is known.
func (s *screening) whole(signs *Signs) {
	all := between(0, len(s.Squares)/s.groups)
	var means []float64
	for g := range s.groups {
		if mean, n := s.mean(all, g, g+1); n > 0 && !math.IsInf(mean, 0) {
			means = append(means, mean)
		}
	}
	if len(means) < 2 {
		return
	}
	mean, variance := stat.MeanVariance(means, nil)
	n := float64(len(means))
	reach := studentQuantile(n-1, 2*needless/signFamilies) * math.Sqrt(variance/n)
	signs.RMS, signs.RMSLimit = math.Sqrt(mean), math.Sqrt(s.base+reach)
}

// power fills in which errors of the largest tile are missed with the chance of a false alarm. With
// ν independent signed sums in a tile, L its limit, and errors whose mean square is ρ²,
//
//	P(missed) = P(ρ² χ²_ν/ν < L)
//
// ν is that of all rows where these err independently, and that of one row where they err alike.
// One element e among others that are as explained makes its group's sum at least e − z √v, z
// exceeded with that chance.
func (s *screening) power() *Signs {
	across, down := len(s.Groups)-1, len(s.Rows)-1
	signs := &Signs{Elements: 0, Tiles: across * down, Missed: falseAlarm}
	high, wide := 0, 0
	for t := range down {
		high = max(high, s.Rows[t+1]-s.Rows[t])
	}
	for c := range across {
		wide = max(wide, s.Groups[c+1]-s.Groups[c])
	}
	limit := s.limit(high*wide, across*down)
	seen := func(squares int) float64 {
		k := float64(squares)
		return math.Sqrt(limit * k / (2 * mathext.GammaIncRegInv(k/2, falseAlarm)))
	}
	signs.Seen, signs.SeenAlike = seen(high*wide), seen(wide)
	alone := math.Sqrt(s.limit(1, len(s.Squares))) - distuv.UnitNormal.Quantile(falseAlarm)
	signs.SeenAlone = alone * math.Sqrt(float64(s.Width))
	return signs
}
