package objective

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/grpo"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

var (
	lossInputs = []op.Tensor{
		{
			Name: "logprob", Shape: sequenceShape, Optional: true,
			Doc: "log-probabilities of the policy in training; or logits and tokens in their place",
		},
		{
			Name: "logits", Shape: vocabularyShape, Optional: true,
			Doc: "logits of the policy in training; −∞ excludes a token",
		},
		{
			Name: "tokens", Shape: sequenceShape, Integer: true, Optional: true,
			Doc: "tokens that were sampled; of those that do not count, any numbers",
		},
		{Name: "old_logprob", Shape: sequenceShape, Doc: "log-probabilities of the policy that sampled"},
		{
			Name: "ref_logprob", Shape: sequenceShape, Optional: true,
			Doc: "log-probabilities of the reference; needed if there is a kl",
		},
		{
			Name: "advantage", Shape: sequenceShape, Other: []string{"N"},
			Doc: "advantages, of tokens or of whole sequences",
		},
		maskInput,
	}
	lossOutputs = []op.Tensor{
		{Name: "loss", Shape: noShape, Axes: noShape, Doc: "loss, which is minimised"},
		{
			Name: "dlogprob", Shape: sequenceShape, Axes: sequenceAxes,
			Doc: "gradient of the loss for logprob, given or formed from logits",
		},
		tokenLossOutput, sequenceLossOutput,
		{
			Name: "dlogits", Shape: vocabularyShape, Axes: append(sequenceAxes[:2:2], "vocabulary"),
			Doc: "gradient of the loss for logits",
		},
	}
	lossAttrs = []op.Attr{
		temperatureAttr,
		{
			Name: "ratio", Kind: op.Choice, Default: "token", Choices: []string{"token", "sequence"},
			Doc: "ratios of tokens, or their geometric mean over a sequence",
		},
		{
			Name: "clip", Kind: op.Choice, Default: "ppo", Choices: []string{"ppo", "gppo", "cispo", "none"},
			Doc: "what is done with ratios beyond the bounds",
		},
		{Name: "clip_low", Kind: op.Number, Default: 0.2, Doc: "the lower bound is 1 − clip_low"},
		{Name: "clip_high", Kind: op.Number, Default: 0.2, Doc: "the upper bound is 1 + clip_high"},
		{
			Name: "dual_clip", Kind: op.Number, Default: 0.0,
			Doc: "c: the loss of a negative advantage is at most −c·A; 0 is no bound",
		},
		{
			Name: "log_ratio_limit", Kind: op.Number, Default: 0.0,
			Doc: "log π/π_old is clamped to ±limit before the exponential; 0 is no limit",
		},
		{
			Name: "kl", Kind: op.Choice, Default: "none", Choices: []string{"none", "k1", "k2", "k3"},
			Doc: "divergence from the reference that is added to the loss",
		},
		{Name: "kl_coef", Kind: op.Number, Default: 0.0, Doc: "what the divergence is multiplied by"},
		aggregateAttr, aggregateLength, emptyRowsAttr,
	}
)

func init() { op.Register(ppoLossOp, grpoLossOp) }

// ppoLossOp is ppo.loss.
var ppoLossOp = &op.Op{
	Name: "ppo.loss",
	Doc:  "Policy loss of a batch from log-probabilities and advantages, with its gradient.",
	Equations: []string{
		"ppo.Loss", "ppo.Clip", "ppo.DualClip", "policy.Ratio", "policy.TokenWeights", "policy.TokenWeightsOfAll",
		"policy.Aggregate", "policy.LogProb", "policy.LogProbBackward",
	},
	Inputs: lossInputs, Outputs: lossOutputs, Attrs: lossAttrs,
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      all(checkAggregate, checkPolicy, checkLoss),
	Truth:      policyLoss,
	Work:       lossWork,
}

// grpoLossOp is grpo.loss.
var grpoLossOp = &op.Op{
	Name: "grpo.loss",
	Doc:  "Policy loss of a batch with advantages of groups, and its gradient: the same function as ppo.loss.",
	Equations: []string{
		"grpo.Batch.TokenLoss", "grpo.Batch.SequenceLoss", "grpo.Batch.WeightedLoss", "grpo.Batch.Divergence",
		"grpo.ClipHigher", "grpo.GPPO", "grpo.CISPO", "policy.Unclipped",
		"policy.Bounded", "policy.SequenceRatio", "policy.TokenWeights", "policy.LogProb", "policy.LogProbBackward",
	},
	Inputs: lossInputs, Outputs: lossOutputs, Attrs: lossAttrs,
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      all(checkAggregate, checkPolicy, checkLoss),
	Truth:      policyLoss,
	Work:       lossWork,
}

func checkLoss(c *op.Case) error {
	if err := checkAtLeast0(c, "clip_low", "clip_high", "dual_clip", "log_ratio_limit"); err != nil {
		return err
	}
	if bound := c.Float("dual_clip"); bound != 0 && (bound <= 1 || c.Word("clip") == "cispo") {
		return fmt.Errorf(
			"attrs: %q: found %v with clip %s, want a bound above 1 (0: none), and none with cispo", "dual_clip", bound,
			c.Word("clip"),
		)
	}
	if c.Word("kl") != "none" && c.Input("ref_logprob") == nil {
		return fmt.Errorf("attrs: %q: %s needs the tensor %q", "kl", c.Word("kl"), "ref_logprob")
	}
	if c.Word("kl") == "none" && c.Float("kl_coef") != 0 {
		return fmt.Errorf("attrs: %q: found %v, but %q is none", "kl_coef", c.Float("kl_coef"), "kl")
	}
	return nil
}

// objective is a batch of policy losses with the conventions of a recording.
type objective struct {
	grpo.Batch
	ref         *mat.Dense // nil without a divergence
	ratios      *mat.Dense
	sequence    bool // ratios of sequences
	clip        string
	low, high   float64
	dual        float64
	kl          string
	coefficient float64 // of the divergence
}

func newObjective(c *op.Case) *objective {
	o := &objective{
		sequence: c.Word("ratio") == "sequence", clip: c.Word("clip"), low: c.Float("clip_low"),
		high: c.Float("clip_high"), dual: c.Float("dual_clip"),
	}
	mask := Matrix(c, "mask")
	o.Batch = grpo.Batch{
		LogProb: logProbs(c, mask), Old: Matrix(c, "old_logprob"), Advantage: Matrix(c, "advantage"), Mask: mask,
		Weights: weights(c, mask), Limit: c.Float("log_ratio_limit"),
	}
	if c.Word("kl") != "none" && c.Float("kl_coef") != 0 {
		o.kl, o.coefficient, o.ref = c.Word("kl"), c.Float("kl_coef"), Matrix(c, "ref_logprob")
	}
	o.ratios = o.TokenRatios()
	if o.sequence {
		o.ratios = o.SequenceRatios()
	}
	return o
}

// weights returns the weight of every token in a loss.
func weights(c *op.Case, mask mat.Matrix) *mat.Dense {
	how, length := aggregations[c.Word("aggregate")], c.Int("aggregate_length")
	if c.Word("empty_rows") == "count" {
		return policy.TokenWeightsOfAll(mask, how, length)
	}
	return policy.TokenWeights(mask, how, length)
}

var aggregations = map[string]policy.Aggregation{
	"token_mean": policy.TokenMean, "sequence_mean": policy.SequenceMean, "sequence_sum": policy.SequenceSum,
	"constant": policy.Constant,
}

// surrogate is the loss of one token that acts through its ratio.
func (o *objective) surrogate(r, advantage float64) (loss, dlogratio float64) {
	switch o.clip {
	case "ppo":
		loss, dlogratio = grpo.ClipHigher(r, advantage, o.low, o.high)
	case "gppo":
		loss, dlogratio = grpo.GPPO(r, advantage, o.low, o.high)
	default:
		loss, dlogratio = policy.Unclipped(r, advantage)
	}
	return policy.Bounded(loss, dlogratio, advantage, o.dual)
}

// truth returns the loss and its gradient.
func (o *objective) truth() (loss float64, gradient *mat.Dense) {
	switch {
	case o.clip == "cispo":
		loss, gradient = o.WeightedLoss(o.ratios, func(r, logprob, advantage float64) (float64, float64) {
			return grpo.CISPO(r, logprob, advantage, o.low, o.high)
		})
	case o.sequence:
		loss, gradient = o.SequenceLoss(o.surrogate)
	default:
		loss, gradient = o.TokenLoss(o.surrogate)
	}
	if o.ref != nil {
		d, dd := o.Divergence(o.ref, func(logprob, ref float64) (float64, float64) {
			return divergence(o.kl, logprob, ref, 0)
		})
		loss += o.coefficient * d
		dd.Scale(o.coefficient, dd)
		gradient.Add(gradient, dd)
	}
	return loss, gradient
}

// policyLoss computes loss, gradients and parts of a batch.
func policyLoss(c *op.Case) ([]verdict.Expected, error) {
	o := newObjective(c)
	loss, gradient := o.truth()
	all := append(lossParts(o.tokenLosses(), o.Mask), single("loss", loss), batchOf("dlogprob", gradient, o.Mask))
	work := 40 * float64(len(o.Mask.(*mat.Dense).RawMatrix().Data))
	if c.Input("logits") != nil {
		work += 16 * float64(c.Input("logits").Len())
	}
	if c.Wants("dlogits") {
		all = append(all, logitsGradient(c, o, gradient))
	}
	return c.Run(lossProgram(c, o), work, all...), nil
}

// tokenLosses returns the loss of each token with its divergence, before any weight.
func (o *objective) tokenLosses() *mat.Dense {
	n, l := o.Mask.Dims()
	losses := mat.NewDense(n, l, nil)
	eachJudged(o.Mask, func(i, t int) {
		r, advantage, loss := o.ratios.At(i, t), o.Advantage.At(i, t), 0.0
		switch {
		case advantage == 0:
		case o.clip == "cispo":
			loss, _ = grpo.CISPO(r, o.LogProb.At(i, t), advantage, o.low, o.high)
		default:
			loss, _ = o.surrogate(r, advantage)
		}
		if o.ref != nil {
			d, _ := divergence(o.kl, o.LogProb.At(i, t), o.ref.At(i, t), 0)
			loss += o.coefficient * d
		}
		losses.Set(i, t, loss)
	})
	return losses
}

// lossWork counts tokens, and the vocabulary of each where a loss is given logits.
func lossWork(c *op.Case) float64 {
	return op.TokenWork * c.Extent("N") * c.Extent("L") * max(1, c.Extent("vocab"))
}
