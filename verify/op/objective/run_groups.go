package objective

import (
	"math"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// groupRun normalises the rewards of a group as kernels do.
type groupRun struct {
	std                                             string
	eps                                             float64
	sum, squares                                    step.Summation
	mean, centred, square, variance, added, inverse arithmetic.Grid
	root                                            arithmetic.Function
	kept, last                                      arithmetic.Grid
	reciprocal                                      bool // multiplied by 1/G and 1/s instead of divided
}

func (e eager) newGroup() groupRun {
	g := groupRun{
		std: e.Case.Word("std"), eps: e.Case.Float("eps"), sum: e.Summation(), squares: e.Summation(), mean: e.Place(),
		centred: e.Place(), square: e.Inside(), variance: e.Place(), added: e.Place(), inverse: e.Place(),
		root: e.Function(e.Work, 1), kept: e.Narrow(), last: e.Last("advantage"), reciprocal: e.Coin(),
	}
	if g.std == "none" {
		g.centred = e.Last("advantage")
	}
	return g
}

// over divides by n, or multiplies by its inverse.
func (g *groupRun) over(x, n float64) float64 {
	if g.reciprocal {
		return x * g.inverse.Round(1/n)
	}
	return x / n
}

// of returns the advantages of a group.
func (g *groupRun) of(rewards []float64) []float64 {
	n, mean := float64(len(rewards)), 0.0
	if n > 1 {
		mean = g.mean.Round(g.over(g.sum.Of(rewards), n))
	}
	x, squares := make([]float64, len(rewards)), make([]float64, len(rewards))
	for k, r := range rewards {
		x[k] = g.centred.Round(r - mean)
		squares[k] = g.square.Round(x[k] * x[k])
	}
	if g.std == "none" {
		return x
	}
	divisor := g.divisor(squares)
	for k := range x {
		if x[k] != 0 {
			x[k] = g.last.Round(g.over(x[k], divisor))
		}
	}
	return x
}

// divisor is the deviation plus ε, that of a group of one 1.
func (g *groupRun) divisor(squares []float64) float64 {
	n, deviation := float64(len(squares)), 1.0
	if len(squares) > 1 {
		if g.std == "sample" {
			n--
		}
		variance := g.variance.Round(g.over(g.squares.Of(squares), n))
		deviation = g.kept.Round(g.root.Of(math.Sqrt(variance), variance))
	}
	return g.added.Round(deviation + g.eps)
}

// advantageProgram normalises group by group.
func advantageProgram(c *op.Case, order []int, members map[int][]int) op.Program {
	rewards := c.Input("rewards").Data
	return func(r *arithmetic.Run) map[string][]float64 {
		g, advantage := newEager(c, r).newGroup(), make([]float64, len(rewards))
		for _, id := range order {
			for k, a := range g.of(pickEach(rewards, members[id])) {
				advantage[members[id][k]] = a
			}
		}
		return map[string][]float64{"advantage": advantage}
	}
}
