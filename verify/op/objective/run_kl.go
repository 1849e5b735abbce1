package objective

import (
	"math"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// estimator is an estimate of the divergence as kernels form it.
type estimator struct {
	name               string
	limit, upper       float64
	delta, square, sum arithmetic.Grid
	exp                step.Power
	bend               arithmetic.Grid // of the derivative
	oneFirst           bool            // (e^δ − 1) − δ, not (e^δ − δ) − 1
	inside             *arithmetic.Branch
}

// newEstimator returns one for n tokens. k1 is a difference and no more.
func (e eager) newEstimator(name string, limit float64, n int, output string) estimator {
	s := estimator{
		name: name, limit: limit, upper: e.Constant(limit), delta: e.Place(), square: e.Place(), sum: e.Place(),
		exp: e.Power(), bend: e.Place(), oneFirst: e.Coin(), inside: e.Branch(n, 0, 1),
	}
	if name == "k1" && output != "" {
		s.delta = e.Last(output)
	}
	return s
}

// of returns the estimate of a token before it is rounded, and its derivative for log π.
func (s *estimator) of(at int, logprob, ref float64) (value, slope float64) {
	delta := s.delta.Round(ref - logprob)
	switch s.name {
	case "k1":
		return -delta, 1
	case "k2":
		return s.square.Round(delta*delta) / 2, -delta
	}
	through := 1.0
	if s.limit != 0 {
		through = s.inside.Taken(at, s.limit-math.Abs(delta))
		delta = min(max(delta, -s.upper), s.upper)
	}
	power := s.exp.Of(delta)
	slope = arithmetic.Times(through, s.bend.Round(1-power))
	switch {
	case math.IsInf(power, 1):
		return power, slope
	case s.oneFirst:
		return s.sum.Round(power-1) - delta, slope
	}
	return s.sum.Round(power-delta) - 1, slope
}

// klProgram estimates token by token.
func klProgram(c *op.Case) op.Program {
	logprob, ref, mask := Matrix(c, "logprob"), Matrix(c, "ref_logprob"), Matrix(c, "mask")
	n, l := mask.Dims()
	return func(r *arithmetic.Run) map[string][]float64 {
		e := newEager(c, r)
		s := e.newEstimator(c.Word("estimator"), c.Float("limit"), n*l, "kl")
		last, kl := e.Last("kl"), make([]float64, n*l)
		eachJudged(mask, func(i, t int) {
			value, _ := s.of(i*l+t, logprob.At(i, t), ref.At(i, t))
			kl[i*l+t] = last.Round(value)
		})
		return map[string][]float64{"kl": kl}
	}
}
