package objective

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/tensor"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

var temperatureAttr = op.Attr{Name: "temperature", Kind: op.Number, Default: 1.0, Doc: "what logits are divided by"}

func init() { op.Register(klOp) }

// klOp is policy.kl.
var klOp = &op.Op{
	Name:      "policy.kl",
	Doc:       "Estimates, token by token, how far the policy is from the reference.",
	Equations: []string{"policy.K1", "policy.K2", "policy.K3", "policy.K3Limited"},
	Inputs: []op.Tensor{
		{Name: "logprob", Shape: sequenceShape, Doc: "log-probabilities of the policy"},
		{Name: "ref_logprob", Shape: sequenceShape, Doc: "log-probabilities of the reference"},
		maskInput,
	},
	Outputs: []op.Tensor{{Name: "kl", Shape: sequenceShape, Axes: sequenceAxes, Doc: "estimates"}},
	Attrs: []op.Attr{
		{
			Name: "estimator", Kind: op.Choice, Default: "k1", Choices: []string{"k1", "k2", "k3"},
			Doc: "with δ = log π_ref − log π: −δ, δ²/2, or e^δ − 1 − δ",
		},
		{Name: "limit", Kind: op.Number, Default: 0.0, Doc: "k3 clamps δ to ±limit; 0 is no limit"},
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      all(checkKL, checkMask),
	Truth:      policyKL,
}

func checkKL(c *op.Case) error {
	if c.Word("estimator") != "k3" && c.Float("limit") != 0 {
		return fmt.Errorf(
			"attrs: %q: found %v for %s, only k3 has a limit", "limit", c.Float("limit"), c.Word("estimator"),
		)
	}
	return checkAtLeast0(c, "limit")
}

// policyKL estimates token by token.
func policyKL(c *op.Case) ([]verdict.Expected, error) {
	logprob, ref, mask := Matrix(c, "logprob"), Matrix(c, "ref_logprob"), Matrix(c, "mask")
	kl := mat.NewDense(c.Dim("N"), c.Dim("L"), nil)
	eachJudged(mask, func(i, t int) {
		value, _ := divergence(c.Word("estimator"), logprob.At(i, t), ref.At(i, t), c.Float("limit"))
		kl.Set(i, t, value)
	})
	return c.Run(klProgram(c), 8*float64(len(mask.RawMatrix().Data)), batchOf("kl", kl, mask)), nil
}

// divergence is an estimate of one token with its derivative for log π.
func divergence(estimator string, logprob, ref, limit float64) (value, slope float64) {
	switch estimator {
	case "k1":
		return policy.K1(logprob, ref), policy.K1Backward(logprob, ref)
	case "k2":
		return policy.K2(logprob, ref), policy.K2Backward(logprob, ref)
	}
	return policy.K3Limited(logprob, ref, limit), policy.K3LimitedBackward(logprob, ref, limit)
}

func checkTemperature(c *op.Case) error {
	if c.Float("temperature") <= 0 {
		return fmt.Errorf("attrs: %q: found %v, want more than 0", "temperature", c.Float("temperature"))
	}
	return nil
}

// checkToken checks that a token, by its place in memory, is one of the vocabulary.
func checkToken(c *op.Case, i int) error {
	tokens := c.Input("tokens")
	if token := tokens.Data[i]; token < 0 || token >= float64(c.Dim("vocab")) {
		return fmt.Errorf(
			"tensor %q: index %v: token %v, want 0 to %d", "tokens", tensor.Unravel(i, tokens.Shape), token,
			c.Dim("vocab")-1,
		)
	}
	return nil
}
