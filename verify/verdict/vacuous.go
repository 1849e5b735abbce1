package verdict

import (
	"math"
	"slices"
	"strings"

	"plumbline/numbers/tensor"
)

// alternative is an output that no kernel means. Where it would be explained too, a verdict on what
// was recorded vouches for nothing.
type alternative struct {
	name string
	of   func(x []float64) // in place, of the elements that are judged
}

const reversed = "the same numbers in reverse order"

var alternatives = []alternative{
	{"zeros", func(x []float64) { clear(x) }},
	{"the negative", func(x []float64) {
		for i := range x {
			x[i] = -x[i]
		}
	}},
	{reversed, slices.Reverse[[]float64]},
}

// blindTo fills in which alternatives would be explained as well, and which leave the truth as it
// is and so are no mistake here. One number has no order: it vouches for itself whatever that of
// other outputs.
func (out *Output) blindTo(want Expected, got []float64) {
	for _, a := range alternatives {
		if a.name == reversed && len(want.judged(want.Truth.Data)) == 1 {
			continue
		}
		if want.same(want.replaced(want.Truth.Data, a.of), want.Truth.Data) {
			out.Unmoved = append(out.Unmoved, a.name)
			continue
		}
		other := want.replaced(got, a.of)
		if want.within(other, out.MaxZLimit) && want.passes(tensor.Of(other, want.Truth.Shape...)) {
			out.Blind = append(out.Blind, a.name)
		}
	}
}

// WouldPass says of alternatives that they would be explained too.
func WouldPass(names []string) string { return strings.Join(names, " and ") + " would pass as well" }

// BlindAlike returns the alternatives that would be explained in all outputs at once: a verdict on
// outputs that are all blind to one vouches for nothing.
func BlindAlike(outputs []Output) (names []string) {
	for _, a := range alternatives {
		moved, all := false, true
		for _, o := range outputs {
			blind := slices.Contains(o.Blind, a.name)
			moved = moved || blind
			all = all && (blind || slices.Contains(o.Unmoved, a.name))
		}
		if moved && all {
			names = append(names, a.name)
		}
	}
	return names
}

// replaced returns x with its judged elements changed.
func (e Expected) replaced(x []float64, change func([]float64)) []float64 {
	judged := slices.Clone(e.judged(x))
	change(judged)
	if e.Unjudged == nil {
		return judged
	}
	y := slices.Clone(x)
	for i := range y {
		if !e.Unjudged[i] {
			y[i], judged = judged[0], judged[1:]
		}
	}
	return y
}

// same tells whether the judged elements of two outputs are recorded as the same numbers.
func (e Expected) same(x, y []float64) bool {
	for i := range x {
		if a, b := e.Type.Round(x[i]), e.Type.Round(y[i]); e.Judged(i) && a != b && !(math.IsNaN(a) && math.IsNaN(b)) {
			return false
		}
	}
	return true
}

// within tells whether no element is beyond the limit by itself: quick to deny, which is nearly
// always the answer.
func (e Expected) within(x []float64, limit float64) bool {
	if e.Branches != nil {
		return true // whose elements are decided together
	}
	for i, v := range x {
		if e.Judged(i) && e.compare(i, v, e.Nearest(i, v)).z > limit {
			return false
		}
	}
	return true
}

// passes tells whether an output passes every test.
func (e Expected) passes(got *tensor.Tensor) bool {
	var out Output
	out.Elements = len(e.judged(e.Truth.Data))
	newJudgement(e, got).test(&out)
	return len(out.Reasons) == 0
}
