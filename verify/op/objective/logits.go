package objective

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/policy"
	"plumbline/verify/op"
)

// checkPolicy checks that log-probabilities are given, or logits and tokens in their place.
func checkPolicy(c *op.Case) error {
	logprob, logits, tokens := c.Input("logprob") != nil, c.Input("logits") != nil, c.Input("tokens") != nil
	switch {
	case logprob && logits:
		return fmt.Errorf("tensor %q: want either logprob, or logits and tokens in its place", "logits")
	case logprob && tokens:
		return fmt.Errorf("tensor %q: want it with logits alone", "tokens")
	case logprob && c.Wants("dlogits"):
		return fmt.Errorf("tensor %q: want it with logits alone", "out.dlogits")
	case logprob && c.Float("temperature") != 1:
		return fmt.Errorf("attrs: %q: found %v, want it with logits alone", "temperature", c.Float("temperature"))
	case logprob:
		return nil
	case !logits && !tokens:
		return fmt.Errorf(
			"tensor %q: missing, want [N, L], or logits [N, L, vocab] and tokens [N, L] in its place", "logprob",
		)
	case !logits:
		return fmt.Errorf("tensor %q: missing, want [N, L, vocab] with tokens", "logits")
	case !tokens:
		return fmt.Errorf("tensor %q: missing, want [N, L] with logits", "tokens")
	}
	return checkLogits(c)
}

// checkLogits checks what goes with logits: the tokens in the mask, and the temperature.
func checkLogits(c *op.Case) error {
	for i, m := range c.Input("mask").Data {
		if m != 0 {
			if err := checkToken(c, i); err != nil {
				return err
			}
		}
	}
	return checkTemperature(c)
}

// logProbs returns the log-probabilities of the tokens in the mask: inputs, or formed from logits.
func logProbs(c *op.Case, mask *mat.Dense) *mat.Dense {
	if c.Input("logprob") != nil {
		return Matrix(c, "logprob")
	}
	n, l := mask.Dims()
	logprob := mat.NewDense(n, l, nil)
	parallel.Each(n*l, func(at int) {
		if i, t := at/l, at%l; mask.At(i, t) != 0 {
			row, token := c.Input("logits").Row(i, t), int(c.Input("tokens").Data[at])
			logprob.Set(i, t, policy.LogSoftmax(row, c.Float("temperature"))[token])
		}
	})
	return logprob
}

// logitsGradient goes on from dlogprob to the logits.
func logitsGradient(c *op.Case, o *objective, dlogprob *mat.Dense) op.Expectation {
	n, l, vocab := c.Dim("N"), c.Dim("L"), c.Dim("vocab")
	e := op.Expectation{
		Name: "dlogits", Truth: make([]float64, n*l*vocab), Shape: []int{n, l, vocab},
		Unjudged: slices.Repeat([]bool{true}, n*l*vocab),
	}
	parallel.Each(n*l, func(at int) {
		if o.Mask.At(at/l, at%l) == 0 {
			return
		}
		row, token := c.Input("logits").Row(at/l, at%l), int(c.Input("tokens").Data[at])
		for j, d := range policy.LogProbBackward(row, token, c.Float("temperature")) {
			e.Truth[at*vocab+j], e.Unjudged[at*vocab+j] = dlogprob.At(at/l, at%l)*d, false
		}
	})
	return e
}
