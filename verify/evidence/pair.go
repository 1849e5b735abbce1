package evidence

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

// Pair is one output as an acceptance test sees it: what a kernel gave beside what it should have
// given, of the elements that are judged at all.
type Pair struct {
	Op, Output string
	Type       dtype.Type // in which it is recorded
	Choice     bool       // indices, codes or decisions
	Got, Truth []float64  // the truth is in float64; of a choice, what exact arithmetic chooses
	Eager      []float64  // of a kernel that computes the op eagerly in the types of its inputs; nil: none
	Call       *recording.Recording
}

// in returns the truth as a reference in type t has it.
func (p *Pair) in(t dtype.Type) []float64 {
	want := make([]float64, len(p.Truth))
	for i, x := range p.Truth {
		want[i] = t.Round(x)
	}
	return want
}

// reference is the truth in float32, as most projects compute theirs.
func (p *Pair) reference() []float64 { return p.in(dtype.F32) }

// stored is the truth in the type of the output, as projects have it that cast before they compare.
func (p *Pair) stored() []float64 { return p.in(p.Type) }

// distance is |x − y|: 0 where both are the same infinity or NaN, +Inf where one alone is not
// finite. Every project compares, or sets aside, what is not finite before anything else.
func distance(x, y float64) float64 {
	switch {
	case x == y || math.IsNaN(x) && math.IsNaN(y):
		return 0
	case !dtype.Finite(x) || !dtype.Finite(y):
		return math.Inf(1)
	}
	return math.Abs(x - y)
}

// allowed returns a distance in units of what is allowed; where nothing is, any is beyond it.
func allowed(distance, by float64) float64 {
	if distance == 0 {
		return 0
	}
	if math.IsInf(distance, 1) {
		return distance
	}
	return distance / by
}

// furthest is the largest |x − y|.
func furthest(x, y []float64) (most float64) {
	for i := range x {
		most = max(most, distance(x[i], y[i]))
	}
	return most
}

// both is the largest |got − want| / (atol + rtol·|want|), as allclose adds its tolerances up.
func both(got, want []float64, atol, rtol float64) (most float64) {
	for i, w := range want {
		most = max(most, allowed(distance(got[i], w), atol+rtol*math.Abs(w)))
	}
	return most
}

// either is the largest of the smaller of |got − want| / atol and |got − want| / (rtol·|want|).
func either(got, want []float64, atol, rtol float64) (most float64) {
	for i, w := range want {
		most = max(most, allowed(distance(got[i], w), max(atol, rtol*math.Abs(w))))
	}
	return most
}

// calcDiff is 1 − 2⟨x, y⟩/(‖x‖² + ‖y‖²), which is ‖x − y‖²/(‖x‖² + ‖y‖²).
func calcDiff(x, y []float64) float64 {
	var apart, sum float64
	for i := range x {
		if distance(x[i], y[i]) == 0 && !dtype.Finite(x[i]) {
			continue
		}
		apart += (x[i] - y[i]) * (x[i] - y[i])
		sum += x[i]*x[i] + y[i]*y[i]
	}
	if sum == 0 {
		return 0
	}
	return apart / sum
}

// shareWithin is the share of elements that a rule takes for right.
func shareWithin(got, want []float64, right func(distance, want float64) bool) float64 {
	n := 0
	for i, w := range want {
		if right(distance(got[i], w), math.Abs(w)) {
			n++
		}
	}
	return float64(n) / float64(max(len(want), 1))
}

// meanSquare is the mean of the squares of what is finite.
func meanSquare(x []float64) float64 {
	var sum float64
	for _, v := range x {
		if dtype.Finite(v) {
			sum += v * v
		}
	}
	return sum / float64(max(len(x), 1))
}

// deviation is the standard deviation of what is finite.
func deviation(x []float64) float64 {
	var sum, n float64
	for _, v := range x {
		if dtype.Finite(v) {
			sum, n = sum+v, n+1
		}
	}
	mean := sum / max(n, 1)
	var squares float64
	for _, v := range x {
		if dtype.Finite(v) {
			squares += (v - mean) * (v - mean)
		}
	}
	return math.Sqrt(squares / max(n, 1))
}
