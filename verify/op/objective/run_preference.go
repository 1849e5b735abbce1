package objective

import (
	"math"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// preferenceRun is the loss of pairs as kernels compute it.
type preferenceRun struct {
	*preference
	difference, perToken, margin [2]arithmetic.Grid
	h, x                         arithmetic.Grid
	byModel                      bool // margins as differences between models, not between policy and reference
	exp                          arithmetic.Function
	log                          arithmetic.Function
	soft, sigmoid                arithmetic.Grid
	part, slope, whole, half     arithmetic.Grid
	square                       arithmetic.Grid
	beta                         float64
	smooth, back                 float64
}

func (e eager) newPreferenceRun(p *preference) *preferenceRun {
	r := &preferenceRun{
		preference: p, h: e.Place(), x: e.Place(), byModel: e.Coin(), exp: e.Function(e.Work, 2),
		log:  e.Function(e.Work, 2),
		soft: e.Place(), sigmoid: e.Place(), part: e.Place(), slope: e.Place(), whole: e.Place(), half: e.Place(),
		square: e.Place(), beta: e.Constant(p.beta), smooth: e.Constant(1 - p.smoothing), back: e.Constant(p.smoothing),
	}
	for side := range 2 {
		r.difference[side], r.perToken[side], r.margin[side] = e.Place(), e.Place(), e.Place()
	}
	return r
}

// sides returns log π − log π_ref of both responses of pair i, and the margin.
func (r *preferenceRun) sides(i int) (chosen, rejected, h float64) {
	chosen = r.difference[0].Round(r.Chosen[i] - r.RefChosen[i])
	rejected = r.difference[1].Round(r.Rejected[i] - r.RefRejected[i])
	n, k := r.lengths[0][i], r.lengths[1][i]
	if r.byModel && n == 1 && k == 1 {
		h = r.h.Round(
			r.margin[0].Round(r.Chosen[i]-r.Rejected[i]) - r.margin[1].Round(r.RefChosen[i]-r.RefRejected[i]),
		)
		if !math.IsNaN(h) {
			return chosen, rejected, h
		}
	}
	return chosen, rejected, r.h.Round(r.perToken[0].Round(chosen/n) - r.perToken[1].Round(rejected/k))
}

// pair returns the loss of a margin and its derivative.
func (r *preferenceRun) pair(h float64) (loss, slope float64) {
	if r.ipo {
		e := r.x.Round(h - r.half.Round(1/(2*r.beta)))
		return r.square.Round(e * e), 2 * e
	}
	x := r.x.Round(r.beta * h)
	loss, slope = r.part.Round(r.smooth*-r.logSigmoid(x)), r.slope.Round(r.smooth*r.logistic(-x))
	if r.smoothing != 0 {
		loss = r.whole.Round(loss + r.part.Round(r.back*-r.logSigmoid(-x)))
		slope = r.whole.Round(slope - r.slope.Round(r.back*r.logistic(x)))
	}
	return loss, r.x.Round(-r.beta * slope)
}

func (r *preferenceRun) logSigmoid(x float64) float64 {
	tail := r.exp.Exp(-math.Abs(x))
	return r.soft.Round(min(x, 0) - r.log.Of(math.Log1p(tail), tail))
}

func (r *preferenceRun) logistic(x float64) float64 {
	e := r.exp.Exp(-math.Abs(x))
	if x < 0 {
		return r.sigmoid.Round(e / (1 + e))
	}
	return r.sigmoid.Round(1 / (1 + e))
}

// preferenceProgram computes loss, rewards and gradients.
func preferenceProgram(c *op.Case, p *preference) op.Program {
	n := len(p.Chosen)
	return func(run *arithmetic.Run) map[string][]float64 {
		e := newEager(c, run)
		r, sum, mean, last := e.newPreferenceRun(p), e.Summation(), e.Place(), e.Last("loss")
		out := map[string][]float64{}
		names := []string{"chosen_reward", "rejected_reward", "dchosen", "drejected"}
		grids := make([]arithmetic.Grid, len(names))
		for k, name := range names {
			out[name], grids[k] = make([]float64, n), e.Last(name)
		}
		losses := make([]float64, n)
		for i := range n {
			chosen, rejected, h := r.sides(i)
			loss, slope := r.pair(h)
			losses[i] = loss
			x := [4]float64{r.beta * chosen, r.beta * rejected, slope / float64(n), -slope / float64(n)}
			for side, length := range []float64{p.lengths[0][i], p.lengths[1][i]} {
				if length != 1 {
					x[2+side] = mean.Round(x[2+side]) / length
				}
			}
			for k, name := range names {
				out[name][i] = grids[k].Round(x[k])
			}
		}
		out["loss"] = []float64{last.Round(sum.Of(losses) / float64(n))}
		return out
	}
}
