package vectors

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/evidence"
)

type pair = evidence.Pair

// Limits of the criteria that are asked of every vector: of torch.allclose, of DeepGEMM's
// calc_diff and of the cosine of two vectors.
const (
	tolerance   = 1e-2
	mostDiff    = 1e-3
	leastCosine = 0.99
)

// Usual are the criteria that are asked of the numbers of every vector, whatever its op.
var Usual = []string{"allclose 1e-2", "calc_diff 1e-3", "cosine 0.99"}

// usual are those, by the names above: whether one output passes.
var usual = []func(p pair) bool{isClose, isSimilar, isParallel}

// passes names the criteria that accept all outputs: the usual ones, and those of projects where
// they have one for the op.
func passes(pairs []pair) (names []string) {
	names = []string{}
	if len(pairs) == 0 {
		return names
	}
	for i, name := range Usual {
		if !slices.ContainsFunc(pairs, func(p pair) bool { return !usual[i](p) }) {
			names = append(names, name)
		}
	}
	all := make([]*pair, len(pairs))
	for i := range pairs {
		all[i] = &pairs[i]
	}
	for _, c := range evidence.Criteria() {
		if pass, used := c.Pass(all); used && pass && !slices.Contains(Usual, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// sameKind tells whether both are finite, or one infinity, or NaN.
func sameKind(x, y float64) bool {
	return dtype.Finite(x) && dtype.Finite(y) || x == y || math.IsNaN(x) && math.IsNaN(y)
}

// isClose is |got − want| ≤ 0.01 + 0.01·|want| everywhere, the truth in float32.
func isClose(p pair) bool {
	for i, t := range p.Truth {
		want := dtype.F32.Round(t)
		if !sameKind(p.Got[i], want) || math.Abs(p.Got[i]-want) > tolerance+tolerance*math.Abs(want) {
			return false
		}
	}
	return true
}

// isSimilar is ‖got − want‖² < 0.001·(‖got‖² + ‖want‖²).
func isSimilar(p pair) bool {
	apart, got, want, comparable := squares(p)
	return comparable && (apart == 0 || apart < mostDiff*(got+want))
}

// isParallel is got·want ≥ 0.99·‖got‖·‖want‖, with got·want = (‖got‖² + ‖want‖² − ‖got − want‖²)/2.
func isParallel(p pair) bool {
	apart, got, want, comparable := squares(p)
	return comparable && (got+want-apart)/2 >= leastCosine*math.Sqrt(got*want)
}

// squares are ‖got − want‖², ‖got‖² and ‖want‖² of what is finite, if the rest is of one kind.
func squares(p pair) (apart, got, want float64, comparable bool) {
	for i, t := range p.Truth {
		g := p.Got[i]
		if !sameKind(g, t) {
			return 0, 0, 0, false
		}
		if dtype.Finite(t) {
			apart, got, want = apart+(g-t)*(g-t), got+g*g, want+t*t
		}
	}
	return apart, got, want, true
}
