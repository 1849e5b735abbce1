package objective

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// valueRun is the loss of a value as kernels compute it.
type valueRun struct {
	clip                 float64
	error, edge, beyond  arithmetic.Grid
	square, squareOfEdge arithmetic.Grid
	width                float64
	anew                 bool // V_old + clip(V − V_old), not clip(V, V_old ± ε)
	outside, holds       *arithmetic.Branch
	moved                arithmetic.Grid
	gradient             arithmetic.Grid
}

func (e eager) newValue(n int) valueRun {
	return valueRun{
		clip: e.Case.Float("clip"), width: e.Constant(e.Case.Float("clip")), error: e.Place(), edge: e.Place(),
		beyond: e.Place(), square: e.Place(), squareOfEdge: e.Place(), anew: e.Coin(), outside: e.Branch(n, 0, 1),
		holds: e.Branch(n, 0, 1, 0.5, 0.75), moved: e.Place(), gradient: e.Last("dvalues"),
	}
}

// of returns loss and derivative of a token.
func (v *valueRun) of(at int, value, old, ret float64) (loss, slope float64) {
	plain := v.error.Round(value - ret)
	loss, slope = v.square.Round(plain*plain)/2, plain
	if v.clip == 0 {
		return loss, slope
	}
	low, high := v.edge.Round(old-v.width), v.edge.Round(old+v.width)
	edge, margin := min(max(value, low), high), max(value-high, low-value)
	if v.anew {
		moved := v.moved.Round(value - old)
		edge, margin = v.edge.Round(old+min(max(moved, -v.width), v.width)), math.Abs(moved)-v.width
	}
	beyond, outside := v.beyond.Round(edge-ret), v.outside.Taken(at, margin)
	if outside > 0 {
		slope *= 1 - outside*(1-v.holds.Taken(at, math.Abs(plain)-math.Abs(beyond)))
	}
	return max(loss, v.squareOfEdge.Round(beyond*beyond)/2), slope
}

// valueProgram computes loss, gradient and parts of a batch of value losses.
func valueProgram(c *op.Case, o *objective) op.Program {
	values, old, returns := Matrix(c, "values"), Matrix(c, "old_values"), Matrix(c, "returns")
	n, l := o.Mask.Dims()
	return func(r *arithmetic.Run) map[string][]float64 {
		k := newLossRun(c, r, o)
		v, losses, gradient := k.newValue(n*l), make([]float64, n*l), make([]float64, n*l)
		eachJudged(o.Mask, func(i, t int) {
			at := i*l + t
			loss, slope := v.of(at, values.At(i, t), old.At(i, t), returns.At(i, t))
			losses[at], gradient[at] = loss, v.gradient.Round(slope*k.weights.At(i, t))
		})
		last := k.Last("loss")
		out := map[string][]float64{"dvalues": gradient, "loss": {last.Round(k.aggregate(losses))}}
		out["token_loss"], out["sequence_loss"] = k.parts(losses)
		return out
	}
}

// batchOf returns what is expected of an output [N × L] of which a mask leaves a part.
func batchOf(name string, truth *mat.Dense, mask mat.Matrix) op.Expectation {
	n, l := truth.Dims()
	e := op.Expectation{Name: name, Truth: truth.RawMatrix().Data, Shape: []int{n, l}, Unjudged: make([]bool, n*l)}
	for i := range e.Unjudged {
		e.Unjudged[i] = mask.At(i/l, i%l) == 0
	}
	return e
}
