package objective

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/grpo"
	"plumbline/ppo"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func init() { op.Register(gaeOp, valueLossOp) }

// gaeOp is ppo.gae.
var gaeOp = &op.Op{
	Name: "ppo.gae",
	Doc: "Advantages of tokens by generalised advantage estimation, and the returns that values are fitted " +
		"to.",
	Equations: []string{"ppo.GAE", "ppo.TDError", "ppo.Whiten"},
	Inputs: []op.Tensor{
		{Name: "rewards", Shape: sequenceShape, Doc: "rewards of tokens"},
		{Name: "values", Shape: sequenceShape, Doc: "values of the states before the tokens; 0 after the last"},
		{
			Name: "mask", Shape: sequenceShape, Any: true,
			Doc: "1 for tokens that count; the recursion passes over the others, which are not judged",
		},
	},
	Outputs: []op.Tensor{
		{
			Name: "advantage", Shape: sequenceShape, Axes: sequenceAxes,
			Doc: "advantages, whitened if that is asked for",
		},
		{
			Name: "return", Shape: sequenceShape, Axes: sequenceAxes,
			Doc: "advantages before any whitening, plus values",
		},
	},
	Attrs: []op.Attr{
		{Name: "gamma", Kind: op.Number, Default: 1.0, Doc: "discount"},
		{Name: "lambda", Kind: op.Number, Default: 1.0, Doc: "weight of longer estimates"},
		{
			Name: "whiten", Kind: op.Flag, Default: false,
			Doc: "subtract the masked mean and divide by √(masked sample variance + 1e-8)",
		},
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      checkMask,
	Truth:      generalizedAdvantage,
}

// valueLossOp is ppo.value_loss.
var valueLossOp = &op.Op{
	Name: "ppo.value_loss",
	Doc:  "Half the squared error of values, kept near the old ones by a clip, with its gradient.",
	Equations: []string{
		"ppo.ValueLoss", "ppo.ValueLossClipped", "policy.TokenWeights", "policy.TokenWeightsOfAll", "policy.Aggregate",
	},
	Inputs: []op.Tensor{
		{Name: "values", Shape: sequenceShape, Doc: "values in training"},
		{Name: "old_values", Shape: sequenceShape, Doc: "values that the sampler had"},
		{Name: "returns", Shape: sequenceShape, Doc: "returns that the values are fitted to"},
		maskInput,
	},
	Outputs: []op.Tensor{
		{Name: "loss", Shape: noShape, Axes: noShape, Doc: "loss, which is minimised"},
		{Name: "dvalues", Shape: sequenceShape, Axes: sequenceAxes, Doc: "gradient of the loss for values"},
		tokenLossOutput, sequenceLossOutput,
	},
	Attrs: []op.Attr{
		{Name: "clip", Kind: op.Number, Default: 0.0, Doc: "half width of the clip around old values; 0 is none"},
		aggregateAttr, aggregateLength, emptyRowsAttr,
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      all(func(c *op.Case) error { return checkAtLeast0(c, "clip") }, checkAggregate),
	Truth:      valueLoss,
}

// generalizedAdvantage follows the recursion through every sequence.
func generalizedAdvantage(c *op.Case) ([]verdict.Expected, error) {
	rewards, values, mask := Matrix(c, "rewards"), Matrix(c, "values"), Matrix(c, "mask")
	n, l := mask.Dims()
	advantage, returns := mat.NewDense(n, l, nil), mat.NewDense(n, l, nil)
	for i := range n {
		a, r := ppo.GAE(
			rewards.RawRowView(i), values.RawRowView(i), mask.RawRowView(i), 0, c.Float("gamma"), c.Float("lambda"),
		)
		advantage.SetRow(i, a)
		returns.SetRow(i, r)
	}
	if c.Flag("whiten") {
		advantage = ppo.Whiten(advantage, mask)
	}
	return c.Run(
		gaeProgram(c), float64(12*n*l), batchOf("advantage", advantage, mask), batchOf("return", returns, mask),
	), nil
}

// valueLoss computes the loss of every token, and with their weights that of the batch.
func valueLoss(c *op.Case) ([]verdict.Expected, error) {
	values, old, returns, mask := Matrix(c, "values"), Matrix(c, "old_values"), Matrix(c, "returns"), Matrix(c, "mask")
	o := &objective{Batch: grpo.Batch{Mask: mask, Weights: weights(c, mask)}}
	n, l := mask.Dims()
	losses, gradient, loss := mat.NewDense(n, l, nil), mat.NewDense(n, l, nil), 0.0
	eachJudged(mask, func(i, t int) {
		value, slope := ppo.ValueLoss(values.At(i, t), returns.At(i, t))
		if clip := c.Float("clip"); clip != 0 {
			value, slope = ppo.ValueLossClipped(values.At(i, t), old.At(i, t), returns.At(i, t), clip)
		}
		losses.Set(i, t, value)
		gradient.Set(i, t, o.Weights.At(i, t)*slope)
		loss += o.Weights.At(i, t) * value
	})
	all := append(lossParts(losses, mask), single("loss", loss), batchOf("dvalues", gradient, mask))
	return c.Run(valueProgram(c, o), float64(20*n*l), all...), nil
}
