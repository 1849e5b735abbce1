package objective

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// recursionRun is generalised advantage estimation as kernels compute it: backwards one token after
// the other, or as a scan in steps of doubling width.
type recursionRun struct {
	eager
	rewards, values, mask              *mat.Dense
	gamma, decay                       float64
	ahead, first, delta, product, next arithmetic.Grid
	decays                             arithmetic.Grid
	advantage, returns                 arithmetic.Grid // of the results
	order                              int             // which two of r, γV′ and V are added first
	scan                               bool
}

func (e eager) newRecursion(rewards, values, mask *mat.Dense) *recursionRun {
	g := &recursionRun{
		eager: e, rewards: rewards, values: values, mask: mask, ahead: e.Place(), first: e.Place(), delta: e.Place(),
		product: e.Place(), next: e.Place(), decays: e.Place(), advantage: e.Last("advantage"),
		returns: e.Last("return"), scan: e.Coin(),
	}
	if e.Coin() {
		g.order = 1
	} else if e.Coin() {
		g.order = 2
	}
	g.gamma = e.Constant(e.Case.Float("gamma"))
	g.decay = e.Constant(e.Constant(e.Case.Float("gamma")) * e.Constant(e.Case.Float("lambda")))
	return g
}

// row fills in sequence i.
func (g *recursionRun) row(i int, advantage, returns []float64) {
	var at []int
	var x []float64
	mask := g.mask.RawRowView(i)
	for t := len(mask) - 1; t >= 0; t-- {
		if mask[t] != 0 {
			next := 0.0
			if len(at) > 0 {
				next = g.values.At(i, at[len(at)-1])
			}
			at, x = append(at, t), append(x, g.error(g.rewards.At(i, t), g.values.At(i, t), next))
		}
	}
	kept := make([]float64, len(x))
	g.accumulate(x, kept)
	for k, t := range at {
		advantage[t] = g.advantage.Round(x[k])
		returns[t] = g.returns.Round(kept[k] + g.values.At(i, t))
	}
}

// error is δ = r + γV′ − V.
func (g *recursionRun) error(r, v, next float64) float64 {
	ahead := g.ahead.Round(g.gamma * next)
	switch g.order {
	case 1:
		return g.delta.Round(g.first.Round(ahead-v) + r)
	case 2:
		return g.delta.Round(g.first.Round(r-v) + ahead)
	}
	return g.delta.Round(g.first.Round(r+ahead) - v)
}

// accumulate turns errors, the last token's first, into advantages, and into these as they are
// kept.
func (g *recursionRun) accumulate(x, kept []float64) {
	if !g.scan {
		for k := range x {
			if k > 0 {
				x[k] += g.product.Round(g.decay * kept[k-1])
			}
			kept[k] = g.next.Round(x[k])
		}
		return
	}
	copy(kept, x)
	decay := g.decay
	for width := 1; width < len(x); width *= 2 {
		for k := len(x) - 1; k >= width; k-- {
			x[k] = kept[k] + g.product.Round(decay*kept[k-width])
			kept[k] = g.next.Round(x[k])
		}
		decay = g.decays.Round(decay * decay)
	}
}

// whiteningRun whitens as kernels do.
type whiteningRun struct {
	sum, squares                    step.Summation
	mean, centred, square, variance arithmetic.Grid
	root                            arithmetic.Function
	kept, inverse, last             arithmetic.Grid
	divides                         bool
}

func (e eager) newWhitening(output string) whiteningRun {
	return whiteningRun{
		e.Summation(), e.Summation(), e.Place(), e.Place(), e.Inside(), e.Place(), e.Function(e.Work, 2), e.Narrow(),
		e.Place(), e.Last(output), e.Coin(),
	}
}

// of whitens numbers.
func (w *whiteningRun) of(x []float64) []float64 {
	n := float64(len(x))
	mean := w.mean.Round(w.sum.Of(x) / max(n, 1))
	y, squares := make([]float64, len(x)), make([]float64, len(x))
	for k, v := range x {
		y[k] = w.centred.Round(v - mean)
		squares[k] = w.square.Round(y[k] * y[k])
	}
	variance := w.variance.Round(w.squares.Of(squares)/max(n-1, 1)) + 1e-8
	inverse := w.kept.Round(w.root.Of(1/math.Sqrt(variance), variance))
	for k := range y {
		if w.divides {
			y[k] = w.last.Round(y[k] / w.inverse.Round(1/inverse))
		} else {
			y[k] = w.last.Round(y[k] * inverse)
		}
	}
	return y
}

// gaeProgram computes advantages and returns.
func gaeProgram(c *op.Case) op.Program {
	rewards, values, mask := Matrix(c, "rewards"), Matrix(c, "values"), Matrix(c, "mask")
	n, l := mask.Dims()
	return func(r *arithmetic.Run) map[string][]float64 {
		e := newEager(c, r)
		g, white := e.newRecursion(rewards, values, mask), e.newWhitening("advantage")
		if c.Flag("whiten") {
			g.advantage = e.Place() // whitening takes what is kept
		}
		advantage, returns := make([]float64, n*l), make([]float64, n*l)
		for i := range n {
			g.row(i, advantage[i*l:(i+1)*l], returns[i*l:(i+1)*l])
		}
		if c.Flag("whiten") {
			var x []float64
			eachJudged(mask, func(i, t int) { x = append(x, advantage[i*l+t]) })
			x = white.of(x)
			eachJudged(mask, func(i, t int) { advantage[i*l+t], x = x[0], x[1:] })
		}
		return map[string][]float64{"advantage": advantage, "return": returns}
	}
}
