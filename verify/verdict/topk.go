package verdict

import (
	"fmt"
	"math"
	"slices"
)

// TopK expects the indices of the k best scores of each row, in any order. A set is right if some
// scores inside their bounds have it as their best: each chosen score plus its bound is at least
// each score left out less its own. That implies the rule for the k-th best score, and also finds
// the best one missing beside a tie for the last place.
//
// Where Groups is above 1, the experts stand in as many groups of equal size, and only those in
// the TopGroups best groups may be chosen; groups may change places within their bounds too.
type TopK struct {
	N, E, K   int
	Scores    []float64 // true scores [N×E]
	Bounds    []float64 // largest error of each score [N×E]
	Groups    int       // 0 or 1: none
	TopGroups int
	// true scores of groups and their largest errors [N×Groups]
	GroupScores []float64
	GroupBounds []float64
	Skip        []bool // rows of which nothing is expected [N]; nil: none
}

// Unit returns "rows".
func (t *TopK) Unit() string { return "rows" }

// Rows returns N.
func (t *TopK) Rows() int { return t.N }

// Width returns K.
func (t *TopK) Width() int { return t.K }

// row is one row of scores while it is judged.
type row struct {
	*TopK
	scores, bounds, groups, groupBounds []float64
	chosen                              []bool
}

func (t *TopK) row(i int) row {
	r := row{TopK: t, scores: t.Scores[i*t.E : (i+1)*t.E], bounds: t.Bounds[i*t.E : (i+1)*t.E]}
	if t.Groups > 1 {
		r.groups = t.GroupScores[i*t.Groups : (i+1)*t.Groups]
		r.groupBounds = t.GroupBounds[i*t.Groups : (i+1)*t.Groups]
	}
	return r
}

// Judge judges the set of indices chosen in row i. A row with a score or bound that is NaN has
// no order and is not judged.
func (t *TopK) Judge(i int, got []float64) Answer {
	r := t.row(i)
	if fault, bad := r.choose(got); bad {
		return Answer{Wrong, fault}
	}
	if t.Skip != nil && t.Skip[i] || hasNaN(r.scores, r.bounds, r.groups, r.groupBounds) {
		return Answer{Grade: Unjudged}
	}
	exact := r.best()
	switch {
	case r.holds(exact):
		return Answer{Grade: Exact}
	case r.admits(0):
		return Answer{Grade: Tied}
	case r.admits(1):
		return Answer{Grade: Within}
	}
	return Answer{Wrong, r.fault(exact)}
}

// choose marks the chosen indices, unless one is none or comes twice.
func (r *row) choose(got []float64) (WrongRow, bool) {
	r.chosen = make([]bool, r.E)
	nan := math.NaN()
	for _, x := range got {
		fault := WrongRow{Got: x, Want: nan, Score: nan, Best: nan, Bounds: math.Inf(1)}
		e, in := Index(x, r.E)
		if !in {
			fault.Why = fmt.Sprintf("index %v is out of range, of %d", x, r.E)
			return fault, true
		}
		if r.chosen[e] {
			fault.Why, fault.Score = fmt.Sprintf("index %v is there twice", x), r.scores[e]
			return fault, true
		}
		r.chosen[e] = true
	}
	return WrongRow{}, false
}

// Best returns the choice of exact arithmetic in row i, best first.
func (t *TopK) Best(i int) []int { return t.row(i).best() }

// Others returns sets other than the best that some scores inside their bounds have as their best
// in row i, and whether these are all: no more than most are looked for.
func (t *TopK) Others(i, most int) (sets [][]int, all bool) {
	r := t.row(i)
	if hasNaN(r.scores, r.bounds, r.groups, r.groupBounds) {
		return nil, true
	}
	seen := map[string]bool{}
	for _, groups := range r.groupSets(most) {
		open := [][]int{largest(r.scores, r.K, func(e int) bool { return r.groups == nil || groups[r.group(e)] })}
		for len(open) > 0 && len(seen) <= most {
			set := open[0]
			open = open[1:]
			slices.Sort(set)
			name := fmt.Sprint(set)
			if seen[name] || !r.admitsSet(set) {
				continue
			}
			seen[name] = true
			sets = append(sets, set)
			open = append(open, r.neighbours(set, groups)...)
		}
	}
	best := r.best()
	slices.Sort(best)
	sets = slices.DeleteFunc(sets, func(set []int) bool { return slices.Equal(set, best) })
	return sets, len(seen) <= most
}

// admitsSet tells whether some scores inside their bounds have the set as their best.
func (r row) admitsSet(set []int) bool {
	r.chosen = make([]bool, r.E)
	for _, e := range set {
		r.chosen[e] = true
	}
	return len(set) == r.K && r.admits(1)
}

// neighbours returns sets with one expert changed for another that may be better.
func (r row) neighbours(set []int, groups []bool) (sets [][]int) {
	for k, out := range set {
		for e := range r.E {
			near := r.scores[e]+r.bounds[e] >= r.scores[out]-r.bounds[out]
			if near && !slices.Contains(set, e) && (r.groups == nil || groups[r.group(e)]) {
				other := slices.Clone(set)
				other[k] = e
				sets = append(sets, other)
			}
		}
	}
	return sets
}

// groupSets returns sets of groups that may be the best ones, the best first: with single groups
// changed for others whose scores may be as good.
func (r row) groupSets(most int) (sets [][]bool) {
	best := make([]bool, max(r.Groups, 1))
	for _, g := range largest(r.groups, r.TopGroups, func(int) bool { return true }) {
		best[g] = true
	}
	sets = [][]bool{best}
	for i := 0; i < len(sets) && len(sets) <= most; i++ {
		for out := range r.groups {
			for in := range r.groups {
				near := r.groups[in]+r.groupBounds[in] >= r.groups[out]-r.groupBounds[out]
				if !sets[i][out] || sets[i][in] || !near {
					continue
				}
				other := slices.Clone(sets[i])
				other[out], other[in] = false, true
				if !slices.ContainsFunc(sets, func(s []bool) bool { return slices.Equal(s, other) }) {
					sets = append(sets, other)
				}
			}
		}
	}
	return sets
}

// best returns the choice of exact arithmetic, best first.
func (r row) best() []int {
	if r.groups == nil {
		return largest(r.scores, r.K, func(int) bool { return true })
	}
	in := make([]bool, r.Groups)
	for _, g := range largest(r.groups, r.TopGroups, func(int) bool { return true }) {
		in[g] = true
	}
	return largest(r.scores, r.K, func(e int) bool { return in[r.group(e)] })
}

func (r row) group(e int) int { return e / (r.E / r.Groups) }

// largest returns the indices of the k largest of x among those that may be chosen, ties to the
// lower index.
func largest(x []float64, k int, may func(int) bool) []int {
	taken, picked := make([]bool, len(x)), []int{}
	for range k {
		best := -1
		for i, v := range x {
			if !taken[i] && may(i) && (best < 0 || v > x[best]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		taken[best] = true
		picked = append(picked, best)
	}
	return picked
}

func (r row) holds(set []int) bool {
	for _, e := range set {
		if !r.chosen[e] {
			return false
		}
	}
	return len(set) == r.K
}

// admits tells whether the chosen set is the best of some scores within a share of their bounds.
func (r row) admits(share float64) bool {
	least := math.Inf(1)
	for e, c := range r.chosen {
		if c {
			least = min(least, r.scores[e]+share*r.bounds[e])
		}
	}
	// a group with a better expert left out must not be among the chosen ones
	harmless := make([]bool, max(r.Groups, 1))
	used := make([]bool, len(harmless))
	for g := range harmless {
		harmless[g] = true
	}
	for e, c := range r.chosen {
		g := 0
		if r.groups != nil {
			g = r.group(e)
		}
		used[g] = used[g] || c
		harmless[g] = harmless[g] && (c || r.scores[e]-share*r.bounds[e] <= least)
	}
	if r.groups == nil {
		return harmless[0]
	}
	return r.admitsGroups(used, harmless, share)
}

// admitsGroups tells whether some admissible set of groups has all that are used and none that does
// harm. A set is admissible if its members reach a threshold that the others need not exceed.
func (r row) admitsGroups(used, harmless []bool, share float64) bool {
	for t, u := range r.groups {
		threshold := u + share*r.groupBounds[t]
		forced, free, possible := 0, 0, true
		for g, s := range r.groups {
			reaches := s+share*r.groupBounds[g] >= threshold
			exceeds := s-share*r.groupBounds[g] > threshold
			switch {
			case used[g] || exceeds:
				forced++
				possible = possible && reaches && harmless[g]
			case reaches && harmless[g]:
				free++
			}
		}
		if possible && forced <= r.TopGroups && r.TopGroups <= forced+free {
			return true
		}
	}
	return false
}

// swapped returns the worst expert that was chosen beyond those of exact arithmetic, and the best
// of these that was left out; −1 for none.
func (r row) swapped(exact []int) (chosen, left int) {
	chosen, left = -1, -1
	for _, e := range exact {
		if left < 0 && !r.chosen[e] {
			left = e
		}
	}
	for e, c := range r.chosen {
		if c && !slices.Contains(exact, e) && (chosen < 0 || r.scores[e] < r.scores[chosen]) {
			chosen = e
		}
	}
	return chosen, left
}

// fault describes the worst of the chosen beside the best that was left out.
func (r row) fault(exact []int) WrongRow {
	c, left := r.swapped(exact)
	if c < 0 || left < 0 {
		return WrongRow{Why: "fewer experts may be chosen than are", Bounds: math.Inf(1)}
	}
	w := WrongRow{Got: float64(c), Want: float64(left), Score: r.scores[c], Best: r.scores[exact[len(exact)-1]]}
	w.Bounds = apart(w.Score, r.scores[left], r.bounds[c]+r.bounds[left])
	w.Why = fmt.Sprintf("chose %d (score %.6g), left out %d (score %.6g); the %d-th best is %.6g, %.3g bounds apart",
		c, w.Score, left, r.scores[left], r.K, w.Best, w.Bounds)
	if r.groups != nil && r.group(c) != r.group(left) && !(w.Bounds > 1) {
		a, b := r.group(c), r.group(left)
		w.Bounds = apart(r.groups[a], r.groups[b], r.groupBounds[a]+r.groupBounds[b])
		w.Why += fmt.Sprintf("; group %d (score %.6g) for %d (score %.6g)", a, r.groups[a], b, r.groups[b])
	}
	return w
}

// Mistaken returns the k worst experts, of any group; of as many as there are, one of them k times.
func (t *TopK) Mistaken(i int) []float64 {
	if t.K == t.E {
		return make([]float64, t.K)
	}
	negative := make([]float64, t.E)
	for e, s := range t.row(i).scores {
		negative[e] = -s
	}
	var answer []float64
	for _, e := range largest(negative, t.K, func(int) bool { return true }) {
		answer = append(answer, float64(e))
	}
	return answer
}

func hasNaN(lists ...[]float64) bool {
	for _, x := range lists {
		if slices.ContainsFunc(x, math.IsNaN) {
			return true
		}
	}
	return false
}
