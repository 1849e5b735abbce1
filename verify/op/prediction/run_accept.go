package prediction

import (
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/floats"

	"plumbline/mtp"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// marginProgram computes p/q − u as kernels compare: the ratio with u, p with u·q, or logarithms of
// all three.
func (v *verification) marginProgram() op.Program {
	return func(r *arithmetic.Run) map[string][]float64 {
		e := step.NewEager(v.c, r)
		ratio, product, log, byProduct, byLogs := e.Place(), e.Place(), e.Function(e.Work, 2), e.Coin(), e.Coin()
		margins := make([]float64, len(v.p))
		for at := range margins {
			p, q, u := v.p[at], v.q[at], v.uniform(at)
			switch {
			case q == 0 || p == 0:
				margins[at] = mtp.AcceptProbability(p, q) - u
			case byProduct:
				margins[at] = min((p-product.Round(u*q))/q, 1-u)
			case byLogs && u > 0:
				difference := product.Round(ratio.Round(log.Log(p)-log.Log(q)) - log.Log(u))
				margins[at] = min(u*math.Expm1(difference), 1-u)
			default:
				margins[at] = min(ratio.Round(p/q), 1) - u
			}
		}
		return map[string][]float64{"margins": margins}
	}
}

// draw is one draw of a token by the inverse of a cumulative sum.
type draw struct {
	c        *op.Case
	weights  []float64
	residual bool // weights are differences, which are rounded
	u, total float64
	above    []float64 // cumulative sums less the threshold

	first, last int // tokens first … last−1 are near the threshold
}

func newDraw(c *op.Case, weights []float64, residual bool, u float64) *draw {
	d := &draw{
		c: c, weights: weights, residual: residual, u: u, total: floats.Sum(weights),
		above: make([]float64, len(weights)),
	}
	floats.CumSum(d.above, weights)
	floats.AddConst(-u*d.total, d.above)
	return d
}

// tokens returns what may be drawn, that of exact arithmetic first: a token whose own step may be
// the first to lead above the threshold. A kernel that adds up all in one chain errs more than any
// other, and always alike: what it draws is right too.
func (d *draw) tokens() []int {
	exact := mtp.Draw(d.weights, d.u)
	if exact < 0 {
		return nil
	}
	may := []int{exact}
	add := func(token int) {
		if !slices.Contains(may, token) {
			may = append(may, token)
		}
	}
	d.look()
	bounds := d.bounds()
	for x := d.first; x < d.last; x++ {
		below := x == d.first || d.above[x-1] <= bounds[x-1-d.first]
		if d.weights[x] > 0 && below && d.above[x] > -bounds[x-d.first] {
			add(x)
		}
	}
	for _, x := range d.chains() {
		add(x)
	}
	return may
}

// look finds the tokens near the threshold: from the first whose cumulative sum may be above it,
// whatever the order, to the first whose sum cannot be below.
func (d *draw) look() {
	n, acc, typ := len(d.weights), d.c.Arithmetic.Accumulate, step.ResultType(d.c)
	steps := float64(min(n, longest) + n/shortest)
	reach := 2 * (steps*acc.Type().UnitRoundoff() + scalarSteps*typ.UnitRoundoff()) * d.total
	d.first = sort.Search(n, func(x int) bool { return d.above[x] >= -reach })
	d.last = min(n, 1+sort.Search(n, func(x int) bool { return d.above[x] > reach }))
}

// scalarSteps is how many results are rounded between a weight and the comparison, and more.
const scalarSteps = 8

// A cumulative sum is formed in blocks: as short as a warp's, as long as those of scans on GPUs.
const (
	shortest = 32
	longest  = 4096
)

// bounds returns what right kernels err by at most in the cumulative sums less the threshold, from
// token first on.
func (d *draw) bounds() []float64 {
	n := d.last - d.first
	e := d.c.RunAll(d.program(), 3*float64(len(d.weights)), op.Expectation{
		Name: "above", Truth: slices.Clone(d.above[d.first:d.last]), Shape: []int{n},
	})
	return e[0].Bounds()
}

// program forms the cumulative sums as kernels do: in blocks, each after the sum of those before
// it, of weights as they are or divided by their sum.
func (d *draw) program() op.Program {
	return func(r *arithmetic.Run) map[string][]float64 {
		s := d.scanIn(r)
		weights := d.weights
		if d.residual {
			weights = s.difference.RoundAll(slices.Clone(weights))
		}
		total := s.total.SumInLanes(weights, 8)
		if s.dividesFirst && total > 0 {
			weights = slices.Clone(weights)
			for x, w := range weights {
				weights[x] = s.share.Round(w / total)
			}
		}
		sums := s.cumulative(weights)
		return map[string][]float64{"above": s.above(sums[d.first:d.last], sums[len(sums)-1], total, d.u)}
	}
}

// scan has the places of a cumulative sum.
type scan struct {
	step.Eager
	difference, share, threshold arithmetic.Grid
	inner, outer, sum, quotient  arithmetic.Grid
	total                        arithmetic.Adder
	block                        int
	dividesFirst, dividesLast    bool
	byLast                       bool // the sum of all is the last of the cumulative ones
}

func (d *draw) scanIn(r *arithmetic.Run) *scan {
	e := step.NewEager(d.c, r)
	acc := d.c.Arithmetic.Accumulate
	s := &scan{
		Eager: e, difference: e.Place(), share: e.Place(), threshold: e.Place(), inner: r.Grid(acc.Type()),
		outer: r.Grid(acc.Type()), sum: e.Narrow(), quotient: e.Place(), total: r.Adder(acc.Scalar()),
		block: shortest, dividesFirst: r.Coin(), dividesLast: r.Coin(), byLast: r.Coin(),
	}
	for _, doublings := range []int{1, 2, 4} { // each size from shortest to longest as often
		if r.Coin() {
			s.block <<= doublings
		}
	}
	return s
}

// cumulative returns the cumulative sums of weights.
func (s *scan) cumulative(weights []float64) []float64 {
	sums := make([]float64, len(weights))
	before := 0.0
	for from := 0; from < len(weights); from += s.block {
		inside := 0.0
		for x := from; x < min(from+s.block, len(weights)); x++ {
			inside = s.inner.Round(inside + weights[x])
			sums[x] = s.sum.Round(s.outer.Round(before + inside))
		}
		before = s.outer.Round(before + inside)
	}
	return sums
}

// above returns cumulative sums less the threshold, in units of the weights.
func (s *scan) above(sums []float64, last, total, u float64) []float64 {
	whole, unit := total, 1.0
	if s.dividesFirst { // sums are of shares
		whole, unit = 1, total
	}
	if s.byLast {
		whole = last
	}
	above := make([]float64, len(sums))
	for x, sum := range sums {
		if s.dividesLast && whole > 0 {
			above[x] = (s.quotient.Round(sum/whole) - u) * whole * unit
		} else {
			above[x] = (sum - s.threshold.Round(u*whole)) * unit
		}
	}
	return above
}

// chains returns what kernels draw that add up all weights in one chain, from the first token: of
// weights, against u times their last sum or their sum by itself, or of shares.
func (d *draw) chains() (tokens []int) {
	typ := d.c.Arithmetic.Accumulate.Type()
	total := typ.Round(d.total)
	weights, shares := make([]float64, len(d.weights)), make([]float64, len(d.weights))
	for x, w := range d.weights {
		weights[x] = typ.Round(w)
		shares[x] = typ.Round(weights[x] / total)
	}
	ofWeights, ofShares := chain(weights, typ), chain(shares, typ)
	last := ofWeights[len(ofWeights)-1]
	for _, way := range []struct {
		sums      []float64
		threshold float64
	}{{ofWeights, typ.Round(d.u * last)}, {ofWeights, typ.Round(d.u * total)}, {ofShares, d.u}} {
		if x := slices.IndexFunc(way.sums, func(s float64) bool { return s > way.threshold }); x >= 0 {
			tokens = append(tokens, x)
		}
	}
	return tokens
}

// chain returns cumulative sums, each addition rounded.
func chain(weights []float64, typ dtype.Type) []float64 {
	sums, sum := make([]float64, len(weights)), 0.0
	for x, w := range weights {
		sum = typ.Round(sum + w)
		sums[x] = sum
	}
	return sums
}
