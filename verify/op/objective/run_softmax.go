package objective

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// formed returns the log-probabilities of the tokens in the mask, those that are given or those
// that are formed from logits, as they are kept.
func (k *lossRun) formed(c *op.Case, o *objective) (*mat.Dense, *step.Softmax) {
	soft := k.NewSoftmax(max(c.Float("temperature"), math.SmallestNonzeroFloat64))
	if c.Input("logits") == nil {
		return mat.DenseCopyOf(o.LogProb), soft
	}
	n, l := o.Mask.Dims()
	logprob := mat.NewDense(n, l, nil)
	eachJudged(o.Mask, func(i, t int) {
		d, token := soft.Of(c.Input("logits").Row(i, t)), int(c.Input("tokens").Data[i*l+t])
		logprob.Set(i, t, soft.Kept(soft.LogProb(d, token)))
	})
	return logprob, soft
}

// backward returns the gradient for the logits, g (onehot − p)/T.
func backward(
	s *step.Softmax, c *op.Case, o *objective, gradient []float64, kept arithmetic.Grid,
) []float64 {
	vocab, last := c.Dim("vocab"), s.Last("dlogits")
	_, l := o.Mask.Dims()
	dlogits := make([]float64, len(gradient)*vocab)
	eachJudged(o.Mask, func(i, t int) {
		at := i*l + t
		d, token, g := s.Of(c.Input("logits").Row(i, t)), int(c.Input("tokens").Data[at]), kept.Round(gradient[at])
		if g == 0 || d.Excludes(token) {
			return
		}
		for j := range vocab {
			dlogits[at*vocab+j] = last.Round(s.Slope(d, j, token, g))
		}
	})
	return dlogits
}
