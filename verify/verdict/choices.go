package verdict

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/tensor"
)

// Choice is what is expected of a discrete output: indices, codes, decisions. It is judged row by
// row, exactly up to what the error of the scores behind it explains.
type Choice interface {
	// Unit names what one row is, in the plural: "rows", "codes".
	Unit() string
	// Rows is how many rows there are; Width is how many recorded numbers each has.
	Rows() int
	Width() int
	// Judge judges row i, of which got are the Width numbers recorded.
	Judge(i int, got []float64) Answer
	// Mistaken returns an answer to row i that is as wrong as one can be. Where it would be right
	// too, the row cannot tell anything.
	Mistaken(i int) []float64
}

// Worded is a choice that can say of a whole output that is wrong more than row by row: which
// mistake or which other convention gives it.
type Worded interface {
	Words(got []float64) []string
}

// Graded is a choice that can grade a row without words.
type Graded interface {
	Grade(i int, got []float64) Grade
}

// GradeOf returns the grade that a choice gives row i.
func GradeOf(c Choice, i int, got []float64) Grade {
	if g, ok := c.(Graded); ok {
		return g.Grade(i, got)
	}
	return c.Judge(i, got).Grade
}

// Answer is what is said of one row of a choice.
type Answer struct {
	Grade Grade
	Fault WrongRow // of a wrong row: all but its index
}

// Grade says how a row of a choice was answered.
type Grade int

// The grades of a row. Tied and Within are right by an allowance.
const (
	Exact    Grade = iota // the answer of exact arithmetic, ties to the lower index
	Tied                  // another member of an exact tie
	Within                // an answer that the error of the scores explains
	Wrong                 // no error inside the bounds gives it
	Unjudged              // nothing is expected
)

// WrongRow is one row of a choice that is wrong, for the report of a failure.
type WrongRow struct {
	Row    int     `json:"row"`
	Why    string  `json:"why"`
	Got    float64 `json:"got"`    // the index chosen, the code's value, the decision
	Want   float64 `json:"want"`   // what exact arithmetic has in its place
	Score  float64 `json:"score"`  // of what was chosen; of a code, the true quotient
	Best   float64 `json:"best"`   // the k-th best score; of a code, the midpoint it is beyond
	Bounds float64 `json:"bounds"` // distance of the scores in units of the bounds of both
}

// ChoiceCount says how the rows of a choice were answered. It is zero for outputs that are numbers.
type ChoiceCount struct {
	Unit      string     `json:"unit,omitempty"`
	Rows      int        `json:"rows,omitempty"`       // that are judged
	Allowed   int        `json:"allowed,omitempty"`    // right by the allowance, ties among them
	Ties      int        `json:"ties,omitempty"`       // right as another member of an exact tie
	Wrong     int        `json:"wrong,omitempty"`      // beyond every bound
	WrongRows []WrongRow `json:"wrong_rows,omitempty"` // the worst, worst first
}

// InWords returns the count: "3 of 4096 rows needed the allowance (1 tie, 2 within bound)".
func (c ChoiceCount) InWords() string {
	text := fmt.Sprintf("%d of %d %s needed the allowance", c.Allowed, c.Rows, c.Unit)
	if c.Allowed > 0 {
		text += fmt.Sprintf(" (ties: %d, within bound: %d)", c.Ties, c.Allowed-c.Ties)
	}
	if c.Wrong > 0 {
		text = fmt.Sprintf("%d of %d %s are wrong, ", c.Wrong, c.Rows, c.Unit) + text
	}
	return text
}

// judgeChoice compares a recorded output with a choice.
func judgeChoice(want Expected, got *tensor.Tensor) Output {
	out := Output{Name: want.Name, Type: want.Type.String(), Shape: got.Shape, Elements: got.Len()}
	c := want.Choice
	if c.Rows()*c.Width() != got.Len() {
		out.Status = Unusable
		out.Reasons = []string{fmt.Sprintf("shape %v, want %d %s of %d", got.Shape, c.Rows(), c.Unit(), c.Width())}
		return out
	}
	out.ChoiceCount = countRows(c, func(i int) []float64 { return got.Data[i*c.Width() : (i+1)*c.Width()] })
	switch {
	case out.Wrong > 0:
		out.Status = Unexplained
		out.Reasons = []string{fmt.Sprintf("%s; worst %s", out.InWords(), out.WrongRows[0].words(c, got.Shape))}
		if words, can := c.(Worded); can {
			out.Reasons = append(words.Words(got.Data), out.Reasons...)
		}
	case out.Rows == 0 && c.Rows() > 0:
		out.Status, out.Reasons = Undetermined, []string{"no row is judged"}
	default:
		if out.Blind = blindChoice(c); len(out.Blind) > 0 {
			out.Status, out.Reasons = Undetermined, []string{WouldPass(out.Blind)}
		}
	}
	return out
}

// words says which row is wrong, or which element where each is a row, and why.
func (w WrongRow) words(c Choice, shape []int) string {
	if c.Width() == 1 {
		return fmt.Sprintf("at %v: %s", tensor.Unravel(w.Row, shape), w.Why)
	}
	return fmt.Sprintf("row %d: %s", w.Row, w.Why)
}

// countRows judges every row of an answer.
func countRows(c Choice, answer func(i int) []float64) ChoiceCount {
	count := ChoiceCount{Unit: c.Unit()}
	for i := range c.Rows() {
		a := c.Judge(i, answer(i))
		if a.Grade == Unjudged {
			continue
		}
		count.Rows++
		switch a.Grade {
		case Tied:
			count.Ties++
			count.Allowed++
		case Within:
			count.Allowed++
		case Wrong:
			count.Wrong++
			a.Fault.Row = i
			count.list(a.Fault)
		}
	}
	return count
}

// list puts a wrong row among the worst, which are the furthest beyond their bounds.
func (c *ChoiceCount) list(w WrongRow) {
	at := len(c.WrongRows)
	for at > 0 && w.Bounds > c.WrongRows[at-1].Bounds {
		at--
	}
	if at < worstListed {
		c.WrongRows = slices.Insert(c.WrongRows, at, w)
		c.WrongRows = c.WrongRows[:min(len(c.WrongRows), worstListed)]
	}
}

// blindChoice names the answers that no kernel means and that would be right in every row: then
// these inputs cannot tell. Zeros that are the exact answer are none of them.
func blindChoice(c Choice) (names []string) {
	if passes, _ := passesEverywhere(c, c.Mistaken); passes && c.Rows() > 0 {
		names = append(names, "any answer")
	}
	zeros := make([]float64, c.Width())
	if passes, allowed := passesEverywhere(c, func(int) []float64 { return zeros }); passes && allowed {
		names = append(names, "zeros")
	}
	return names
}

// passesEverywhere tells whether an answer is wrong in no row, and whether it is right by an
// allowance in one.
func passesEverywhere(c Choice, answer func(i int) []float64) (passes, allowed bool) {
	for i := range c.Rows() {
		switch GradeOf(c, i, answer(i)) {
		case Wrong:
			return false, false
		case Tied, Within:
			allowed = true
		}
	}
	return true, allowed
}

// Index returns a recorded number as one of the whole numbers below n, and whether it is one.
func Index(x float64, n int) (int, bool) {
	if !(x >= 0 && x < float64(n)) || x != math.Floor(x) {
		return 0, false
	}
	return int(x), true
}

// apart is the distance of a score below another in units of the bounds of both, +Inf where
// neither may err.
func apart(below, above, bounds float64) float64 {
	if d := (above - below) / bounds; !math.IsNaN(d) {
		return d
	}
	return math.Inf(1)
}
