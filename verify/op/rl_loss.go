package op

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/grpo"
	"plumbline/numbers/dtype"
	"plumbline/policy"
	"plumbline/verify/verdict"
)

var (
	lossInputs = []Tensor{
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
	lossOutputs = []Tensor{
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
	lossAttrs = []Attr{
		temperatureAttr,
		{
			Name: "ratio", Kind: Choice, Default: "token", Choices: []string{"token", "sequence"},
			Doc: "ratios of tokens, or their geometric mean over a sequence",
		},
		{
			Name: "clip", Kind: Choice, Default: "ppo", Choices: []string{"ppo", "gppo", "cispo", "none"},
			Doc: "what is done with ratios beyond the bounds",
		},
		{Name: "clip_low", Kind: Number, Default: 0.2, Doc: "the lower bound is 1 − clip_low"},
		{Name: "clip_high", Kind: Number, Default: 0.2, Doc: "the upper bound is 1 + clip_high"},
		{
			Name: "dual_clip", Kind: Number, Default: 0.0,
			Doc: "c: the loss of a negative advantage is at most −c·A; 0 is no bound",
		},
		{
			Name: "log_ratio_limit", Kind: Number, Default: 0.0,
			Doc: "log π/π_old is clamped to ±limit before the exponential; 0 is no limit",
		},
		{
			Name: "kl", Kind: Choice, Default: "none", Choices: []string{"none", "k1", "k2", "k3"},
			Doc: "divergence from the reference that is added to the loss",
		},
		{Name: "kl_coef", Kind: Number, Default: 0.0, Doc: "what the divergence is multiplied by"},
		aggregateAttr, aggregateLength, emptyRowsAttr,
	}
)

func init() {
	register(&Op{
		Name: "ppo.loss",
		Doc:  "Policy loss of a batch from log-probabilities and advantages, with its gradient.",
		Equations: []string{
			"ppo.Loss", "ppo.Clip", "ppo.DualClip", "policy.Ratio", "policy.Weights", "policy.WeightsOfAll",
			"policy.Aggregate", "policy.LogProb", "policy.LogProbBackward",
		},
		Inputs: lossInputs, Outputs: lossOutputs, Attrs: lossAttrs,
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      all(checkAggregate, checkPolicy, checkLoss),
		truth:      policyLoss,
	})
	register(&Op{
		Name: "grpo.loss",
		Doc:  "Policy loss of a batch with advantages of groups, and its gradient: the same function as ppo.loss.",
		Equations: []string{
			"grpo.Batch.TokenLoss", "grpo.Batch.SequenceLoss", "grpo.Batch.WeightedLoss", "grpo.Batch.Divergence",
			"grpo.ClipHigher", "grpo.GPPO", "grpo.CISPO", "grpo.Unclipped",
			"grpo.DualClip", "policy.SequenceRatio", "policy.Weights", "policy.LogProb", "policy.LogProbBackward",
		},
		Inputs: lossInputs, Outputs: lossOutputs, Attrs: lossAttrs,
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      all(checkAggregate, checkPolicy, checkLoss),
		truth:      policyLoss,
	})
}

func checkLoss(c *Case) error {
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
	scalars
	grpo.Batch
	policy      formed     // where the log-probabilities come from
	ref         *mat.Dense // nil without a divergence
	ratios      *mat.Dense
	sequence    bool // ratios of sequences
	clip        string
	low, high   float64
	dual        float64
	kl          string
	coefficient float64 // of the divergence
}

func (c *Case) newObjective() *objective {
	o := &objective{
		scalars: c.scalars(), sequence: c.Word("ratio") == "sequence", clip: c.Word("clip"), low: c.Float("clip_low"),
		high: c.Float("clip_high"), dual: c.Float("dual_clip"),
	}
	mask := c.matrix("mask")
	o.policy = c.newFormed(o.scalars, mask)
	o.Batch = grpo.Batch{
		LogProb: o.policy.logprob, Old: c.matrix("old_logprob"), Advantage: c.matrix("advantage"), Mask: mask,
		Weights: c.weights(mask), Limit: c.Float("log_ratio_limit"),
	}
	if c.Word("kl") != "none" && c.Float("kl_coef") != 0 {
		o.kl, o.coefficient, o.ref = c.Word("kl"), c.Float("kl_coef"), c.matrix("ref_logprob")
	}
	o.ratios = o.TokenRatios()
	if o.sequence {
		o.ratios = o.SequenceRatios()
	}
	return o
}

// weights returns the weight of every token in a loss.
func (c *Case) weights(mask mat.Matrix) *mat.Dense {
	how, length := aggregations[c.Word("aggregate")], c.Int("aggregate_length")
	if c.Word("empty_rows") == "count" {
		return policy.WeightsOfAll(mask, how, length)
	}
	return policy.Weights(mask, how, length)
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
		loss, dlogratio = grpo.Unclipped(r, advantage)
	}
	return grpo.DualClip(loss, dlogratio, advantage, o.dual)
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
			k := o.divergence(o.kl, logprob, ref, 0)
			return k.value, k.slope
		})
		loss += o.coefficient * d
		dd.Scale(o.coefficient, dd)
		gradient.Add(gradient, dd)
	}
	return loss, gradient
}

// policyLoss: a token's surrogate is l = −F A, F the ratio r or the bound that takes its place, and
// its derivative for log r is −G A, G one of r, a bound and 0. The log-ratio x is rounded once (as
// a mean over a sequence it has the error of that sum, and all tokens of the sequence share it),
// the exponential errs, products follow, and the divergence as policy.kl has it:
//
//	ν²   = R(x) + E(x)                                                                     of r, relative
//	σ_l² = A² r² ν² where F = r, + 2ρ² l²
//	σ_g² = A² r² ν² where G = r, + 3ρ² (A G)² + β² σ_κ² + 2ρ² (|A G| + β (1 + e^δ))²       of one token's derivative
//
// The loss sums them up with their weights; a bound is one constant for all tokens that it holds,
// and 1/Σm one factor for all:
//
//	loss      σ² = Σ w² (σ_l² + β² σ_k²) + Σ_bounds (Σ_held w A)² R(bound) + rowSum(w l) + β² rowSum(w k) + 2ρ² Σ (w l)² + 3ρ² (L² + β² D²)
//	dlogprob  σ² = w² σ_g² + ρ² g² + g² σ_w²
//
// The losses have no jump. Their derivatives have: at the bounds of the clip, at that of the dual
// clip and at the limit of the log-ratio. Where r is within 8 standard deviations of one, either
// side is right, and so is what frameworks give where both branches are equal (see sides). An
// infinity is right where a ratio is beyond working precision.
func policyLoss(c *Case) ([]verdict.Expected, error) {
	o, dlogprob := c.newObjective(), c.newBatchOutput()
	loss, gradient := o.truth()
	sums, parts := newLossSums(o.boundError), c.newLossParts()
	for i := range c.Dim("N") {
		o.row(i, gradient, sums, parts, dlogprob)
	}
	gradients := dlogprob.expected("dlogprob", o.Mask)
	var logRatios []float64
	eachJudged(o.Mask, func(i, t int) { logRatios = append(logRatios, o.typ.Round(o.LogProb.At(i, t)-o.Old.At(i, t))) })
	fewOperands(&gradients, logRatios, isZero)
	expected := c.wanted(append([]verdict.Expected{sums.expected(o, loss), gradients}, parts.expected(o.Mask)...)...)
	if c.Wants("dlogits") {
		expected = append(expected, c.logitsGradient(o, dlogprob))
	}
	return expected, nil
}

// term is one token's part of a loss, with the second moments of its errors.
type term struct {
	weight        float64
	loss, slope   float64   // of the surrogate
	own, slopeOwn float64   // errors of its own
	byRatio       float64   // derivative of the loss for log r, what it errs by with r
	slopeByRatio  float64   // the same of the slope
	bound, held   float64   // the bound that takes the ratio's place, and what it is multiplied by
	slopeByBound  float64   // what the slope errs by with the bound as a constant, a deviation
	slopes        []float64 // further slopes that are right, because a branch is in doubt
	byLogProb     float64   // derivative of the whole loss for log π, but for what goes through a sequence's ratio
	slopeByLog    float64   // the same of the slope
	formed        float64   // second moment of the error of log π, where it is formed from logits
	byTemperature float64   // ∂ log π/∂ log T
	kl            divergence
	overflow      bool // working precision may have an infinity here
	cispo         bool
	counting      bool // the mask has it
}

// row adds the tokens of sequence i.
func (o *objective) row(i int, gradient *mat.Dense, sums *lossSums, parts *lossParts, out *batchOutput) {
	_, cols := o.Mask.Dims()
	terms := make([]term, cols)
	shared := o.sequenceError(i)
	for t := range terms {
		if o.Mask.At(i, t) != 0 {
			terms[t] = o.term(i, t, shared)
			o.followLogProb(&terms[t], i, t)
		}
	}
	sums.add(o, terms, shared)
	parts.add(o, i, terms, shared)
	if o.sequence && o.clip != "cispo" {
		o.sequenceSlopes(terms, shared)
		out.branch(i, terms, o.coefficient)
	}
	for t, m := range terms {
		if m.counting {
			if o.sequence {
				together := m.slopeByRatio * m.slopeByRatio * shared.relative
				if o.clip != "cispo" {
					together += m.slopeOwn
				}
				out.row(i, finite(m.weight*m.weight*together))
			}
			o.setSlope(m, gradient.At(i, t), shared, func(truth, own, common float64, others ...float64) {
				out.set(i, t, truth, own, common, others...)
			})
		}
	}
}

// boundError is the second moment of the relative error of a bound, which a kernel forms of 1 and
// the width, or holds as a constant.
func (w scalars) boundError(bound float64) float64 {
	if bound == 0 {
		return 0
	}
	width := math.Abs(bound-1) / bound
	return w.constant(bound) + width*width*w.constant(math.Abs(bound-1))
}

// weightError is the second moment of the relative error of a token's weight, which takes a
// division or two; 0 where it is exact.
func (w scalars) weightError(weight float64) float64 {
	if once := w.constant(weight); once > 0 {
		return once + w.rho2
	}
	return 0
}

// limits tells whether a log-ratio is limited.
func (o *objective) limits(x float64) bool { return o.Limit != 0 && math.Abs(x) > o.Limit }

// limitError is the second moment of the relative error of a ratio whose logarithm is the limit.
func (o *objective) limitError() float64 {
	return o.constant(o.Limit)*o.Limit*o.Limit + o.exponential(o.Limit)
}

// term derives one token.
func (o *objective) term(i, t int, shared sequenceRatio) term {
	advantage, logprob := o.Advantage.At(i, t), o.LogProb.At(i, t)
	m := term{counting: true, weight: o.Weights.At(i, t), cispo: o.clip == "cispo"}
	x, moved, relative := o.logRatio(i, t, shared)
	r := o.ratios.At(i, t)
	if o.ref != nil {
		m.kl = o.divergence(o.kl, logprob, o.ref.At(i, t), 0)
	}
	if advantage == 0 {
		return m
	}
	if m.cispo {
		m.loss, m.slope = grpo.CISPO(r, logprob, advantage, o.low, o.high)
	} else {
		m.loss, m.slope = o.surrogate(r, advantage)
	}
	formed := 0.0 // by what the logits' softmax errs; a sequence's ratio has it already
	if !o.sequence {
		formed = o.policy.errors.At(i, t)
	}
	o.decide(&m, r, advantage, logprob, r*r*(relative+formed))
	if !o.sequence {
		m.own, m.slopeOwn = moment(m.byRatio*m.byRatio*relative), moment(m.slopeByRatio*m.slopeByRatio*relative)
	}
	m.own += 2 * moment(o.rho2*m.loss*m.loss)
	m.slopeOwn += 3 * moment(o.rho2*m.slope*m.slope)
	m.slopeByBound = finite(m.slope * math.Sqrt(o.boundError(m.bound)))
	m.slopes = o.otherSlopes(m, r, x, relative+formed, moved+formed, advantage)
	if o.limits(x) && !m.cispo {
		m.slope, m.slopeOwn, m.slopeByRatio, m.slopeByBound = 0, 0, 0, 0
	}
	o.errOnAnySide(&m, relative+formed)
	return m
}

// errOnAnySide makes a slope err as that on the side of its thresholds does which errs most;
// relative is the second moment of the ratio's error. The tokens of a sequence have one ratio, and
// one error of it.
func (o *objective) errOnAnySide(m *term, relative float64) {
	for _, s := range m.slopes {
		if o.sequence {
			if math.Abs(s) > math.Abs(m.slopeByRatio) {
				m.slopeByRatio = finite(s)
			}
			relative = 0
		}
		m.slopeOwn = max(m.slopeOwn, moment(s*s*(relative+3*o.rho2)))
	}
}

// followLogProb says how a token's loss and its slope hang on log π, which errs where it is formed
// from logits.
func (o *objective) followLogProb(m *term, i, t int) {
	m.formed, m.byTemperature = o.policy.errors.At(i, t), o.policy.byTemperature.At(i, t)
	m.byLogProb, m.slopeByLog = o.coefficient*m.kl.slope, o.coefficient*m.kl.bend
	if !o.sequence {
		m.byLogProb, m.slopeByLog = m.byLogProb+m.byRatio, m.slopeByLog+m.slopeByRatio
	}
	if m.cispo {
		m.byLogProb += m.slope
	}
	m.byLogProb, m.slopeByLog = finite(m.byLogProb), finite(m.slopeByLog)
}

// logRatio returns the log-ratio that a token's loss hangs on, before it is limited, with the
// second moments of its error and of the ratio's, relative.
func (o *objective) logRatio(i, t int, shared sequenceRatio) (x, moved, relative float64) {
	if o.sequence {
		return shared.log, shared.logError, shared.relative
	}
	x = o.LogProb.At(i, t) - o.Old.At(i, t)
	moved = o.round(x)
	if o.limits(x) {
		return x, moved, o.limitError()
	}
	return x, moved, moved + o.exponential(x)
}

// decide says what a token's loss hangs on: the ratio, or the bound that has taken its place, or
// both where the ratio's error is such that either may hold.
func (o *objective) decide(m *term, r, advantage, logprob, variance float64) {
	bounds := []float64{1 - o.low, 1 + o.high, o.dual}
	if m.cispo {
		bounds = []float64{min(max(r, bounds[0]), bounds[1])}
	}
	m.held = -advantage
	if m.cispo {
		m.held = -advantage * logprob
	}
	if plain, _ := grpo.Unclipped(r, advantage); m.cispo && bounds[0] == r || !m.cispo && m.loss == plain {
		m.byRatio, m.slopeByRatio, m.held = finite(m.loss), finite(m.slope), 0
		m.overflow = o.overflows(r) || o.overflows(m.loss)
		return
	}
	for _, b := range bounds {
		if held, _ := grpo.Unclipped(b, advantage); m.cispo || m.loss == held {
			m.bound = b
		}
	}
	if o.unsureBound(r, m.bound, variance) {
		m.byRatio, m.slopeByRatio = finite(m.loss), finite(m.slope)
	}
}

// otherSlopes returns the further derivatives that a token's surrogate may have: what it is on the
// other side of a threshold, and half of it.
func (o *objective) otherSlopes(m term, r, x, relative, moved, advantage float64) []float64 {
	if m.cispo || !dtype.Finite(r) {
		return nil
	}
	variance, full := r*r*relative, -r*advantage
	switch o.clip {
	case "ppo":
		holds, passes := 1+o.high, 1-o.low
		if advantage < 0 {
			holds, passes = passes, holds
		}
		if o.unsureBound(r, holds, variance) || o.unsureDual(r, advantage, variance) {
			return sides(full)
		}
		if o.unsureBound(r, passes, variance) {
			return tied(full)
		}
	case "gppo":
		_, full = grpo.GPPO(r, advantage, o.low, o.high)
		fallthrough
	default:
		if o.unsureDual(r, advantage, variance) {
			return sides(full)
		}
	}
	if o.Limit != 0 && o.unsure(math.Abs(x), o.Limit, moved) {
		return []float64{m.slope, 0}
	}
	return nil
}

// sides returns what a derivative may be at a threshold beyond which it is 0: there, gone, or tied.
func sides(full float64) []float64 { return append(tied(full), 0) }

// tied returns what a derivative may be where two branches are equal: there, half where a maximum
// shares it out and one branch is constant, and three quarters where the clamp before it shares out
// its half. So it may be at the bound that holds the other sign of the advantage too.
func tied(full float64) []float64 { return []float64{full, full / 2, full * 3 / 4} }

func (w scalars) unsureBound(r, bound, variance float64) bool {
	return w.unsure(r, bound, variance+bound*bound*w.boundError(bound))
}

func (o *objective) unsureDual(r, advantage, variance float64) bool {
	return o.dual != 0 && advantage < 0 && o.unsureBound(r, o.dual, variance)
}

// setSlope hands over one element of the gradient.
func (o *objective) setSlope(
	m term, truth float64, shared sequenceRatio, set func(truth, own, common float64, others ...float64),
) {
	beta, w2 := o.coefficient, m.weight*m.weight
	parts := math.Abs(m.slope) + beta*m.kl.parts
	own := m.slopeOwn + m.slopeByRatio*m.slopeByRatio*shared.relative + beta*beta*m.kl.slopeVariance +
		m.slopeByLog*m.slopeByLog*m.formed
	if beta != 0 {
		own += 2*o.rho2*parts*parts + o.faint(beta*m.kl.slope)
	}
	var others []float64
	for _, s := range m.slopes {
		others = append(others, m.weight*(s+beta*m.kl.slope))
	}
	if m.overflow && m.slope != 0 {
		others = append(others, math.Copysign(math.Inf(1), m.slope))
		if o.sequence { // tokens of both signs may have met
			others = append(others, math.Copysign(math.Inf(1), -m.slope), math.NaN())
		}
	}
	if beta != 0 {
		others = append(others, m.kl.overflowSlopes...)
	}
	byTemperature := m.slopeByLog * m.byTemperature
	byCoefficient := beta * m.kl.slope
	constants := m.slopeByBound*m.slopeByBound + byTemperature*byTemperature*o.policy.constant +
		byCoefficient*byCoefficient*o.constant(beta)
	set(
		truth, moment(w2*own+o.faint(truth)+o.rho2*truth*truth),
		moment(truth*truth*o.weightError(m.weight)+w2*constants), others...,
	)
}

// lossSums collects what the loss of a batch is summed of.
type lossSums struct {
	own            float64             // Σ second moments of the tokens' own errors
	sequences      float64             // and of those that sequences share
	bounds         map[float64]float64 // what the tokens that each holds add up to
	boundError     func(bound float64) float64
	loss, kl, both []float64 // w l, β w k and their sums, token by token
	unweighted     float64   // Σ (l + β k), which kernels form that divide at the end
	byTemperature  float64   // derivative of the loss for log T
	others         []float64
}

// newLossSums takes what bounds err by: the second moment of the relative error.
func newLossSums(boundError func(bound float64) float64) *lossSums {
	return &lossSums{bounds: map[float64]float64{}, boundError: boundError}
}

// add takes the tokens of one sequence.
func (s *lossSums) add(o *objective, terms []term, shared sequenceRatio) {
	var byRatio float64
	for _, m := range terms {
		if !m.counting {
			continue
		}
		w := m.weight
		l, k := finite(w*m.loss), finite(o.coefficient*w*m.kl.value)
		s.own += w*w*(m.own+o.coefficient*o.coefficient*m.kl.variance+m.byLogProb*m.byLogProb*m.formed) +
			2*o.rho2*(l*l+k*k)
		s.byTemperature += w * m.byLogProb * m.byTemperature
		s.loss, s.kl, s.both = append(s.loss, l), append(s.kl, k), append(s.both, l+k)
		s.unweighted += finite(m.loss + o.coefficient*m.kl.value)
		s.bounds[m.bound] += w * m.held
		byRatio += w * m.byRatio
		if m.overflow {
			s.others = append(s.others, math.Copysign(math.Inf(1), m.loss))
		}
		if o.coefficient != 0 {
			s.others = append(s.others, m.kl.overflow...)
		}
	}
	s.sequences += moment(byRatio * byRatio * shared.relative)
	s.byTemperature += finite(byRatio * shared.byTemperature)
}

// expected hands over the loss. Infinities of both signs may have met.
func (s *lossSums) expected(o *objective, loss float64) verdict.Expected {
	walk, l, kl := max(o.rowSum(s.loss)+o.rowSum(s.kl), o.rowSum(s.both)), total(s.loss), total(s.kl)
	variance := s.own + s.sequences + walk + 3*o.rho2*(l*l+kl*kl) + o.round(loss) +
		s.byTemperature*s.byTemperature*o.policy.constant
	for _, bound := range slices.Sorted(maps.Keys(s.bounds)) {
		held := s.bounds[bound]
		variance += moment(held * held * bound * bound * s.boundError(bound))
	}
	if o.overflows(s.unweighted) {
		s.others = append(s.others, math.Copysign(math.Inf(1), s.unweighted))
	}
	slices.Sort(s.others)
	others := slices.Compact(s.others)
	if len(others) > 1 {
		others = append(others, math.NaN())
	}
	return scalar("loss", loss, variance, walk, others...)
}
