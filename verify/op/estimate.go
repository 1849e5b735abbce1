package op

import (
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// estimate collects the truth and σ of one output while blocks of it are computed.
type estimate struct {
	truth *tensor.Tensor
	sigma []float64
	draws []float64

	terms int // of the longest sum, 0 where it is not known
}

// newEstimate makes room for an output, if the recording has it: then its size is known to be that
// of a tensor in the file.
func (c *Case) newEstimate(name string, shape ...int) *estimate {
	if !c.Wants(name) {
		return &estimate{}
	}
	t := tensor.New(shape...)
	width := shape[len(shape)-1]
	draws := slices.Repeat([]float64{float64(width)}, t.Len()/width) // of rows without errors each element has its own
	return &estimate{truth: t, sigma: make([]float64, t.Len()), draws: draws}
}

// setRow stores a row of truth and second moments at the given leading index.
func (e *estimate) setRow(truth, variance []float64, draws float64, at ...int) {
	if e.truth == nil {
		return
	}
	start := 0
	for a, i := range at {
		start = start*e.truth.Shape[a] + i
	}
	e.draws[start] = draws
	width := len(truth)
	for i := range truth {
		e.truth.Data[start*width+i] = truth[i]
		e.sigma[start*width+i] = deviation(truth[i], variance[i])
	}
}

// expected hands over an estimate. narrow lists the types of roundings that are part of σ; where
// none of them is narrower than the accumulator, the sums dominate.
func (e *estimate) expected(name string, acc arithmetic.Accumulator, narrow ...dtype.Type) verdict.Expected {
	x := verdict.Expected{
		Name: name, Truth: e.truth, Sigma: e.sigma, Draws: e.draws, Walk: 1, Systematic: 1, Terms: float64(e.terms),
	}
	if acc == arithmetic.TF32 {
		x.Walk = 0 // operands that are cut outweigh the sums
	}
	for _, t := range narrow {
		if t.UnitRoundoff() > acc.Type().UnitRoundoff() {
			x.Walk, x.Systematic = 0, 0
		}
	}
	return x
}
