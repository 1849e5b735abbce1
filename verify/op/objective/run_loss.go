package objective

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// surrogateRun is the loss of a token through its ratio, as kernels compute it.
type surrogateRun struct {
	clip                    string
	ratio                   step.Power
	low, high, dual, limit  float64
	dualOff, limitOff       bool
	loss, bounded, weighted arithmetic.Grid
	// holds is where the clip holds the gradient back, passes where it would for the other sign.
	holds                  [2]*arithmetic.Branch // by the sign of the advantage
	passes, bounds, limits *arithmetic.Branch
}

// newSurrogate returns the places, with n decisions each.
func (e eager) newSurrogate(o *objective, n int) surrogateRun {
	return surrogateRun{
		clip: o.clip, ratio: e.Power(), low: e.Constant(1 - e.Constant(o.low)),
		high: e.Constant(1 + e.Constant(o.high)), dual: e.Constant(o.dual), limit: e.Constant(o.Limit),
		dualOff: o.dual == 0, limitOff: o.Limit == 0, loss: e.Place(), bounded: e.Place(), weighted: e.Place(),
		holds: [2]*arithmetic.Branch{
			e.Branch(n, 0, 1, 0.5, 0.75), e.Branch(n, 0, 1, 0.5, 0.75),
		}, passes: e.Branch(n, 1, 0.5, 0.75), bounds: e.Branch(n, 0, 1, 0.5, 0.75),
		limits: e.Branch(n, 0, 1),
	}
}

// of returns the loss of a token and its derivative for the logarithm of the ratio, with cispo for
// log π; at is its decisions' place.
func (s *surrogateRun) of(at int, x, logprob, advantage float64) (loss, slope float64) {
	if advantage == 0 {
		return 0, 0
	}
	through := 1.0
	if !s.limitOff {
		through = s.limits.Taken(at, s.limit-math.Abs(x))
		x = min(max(x, -s.limit), s.limit)
	}
	r := s.ratio.Of(x)
	bounded := min(max(r, s.low), s.high)
	if s.clip == "cispo" {
		return s.cispo(bounded, logprob, advantage)
	}
	loss, slope = s.clipped(at, r, bounded, advantage)
	if bound := s.bounded.Round(-s.dual * advantage); !s.dualOff && advantage < 0 {
		slope = arithmetic.Times(s.bounds.Taken(at, s.dual+loss/advantage), slope)
		loss = min(loss, bound)
	}
	return loss, arithmetic.Times(through, slope)
}

func (s *surrogateRun) cispo(bounded, logprob, advantage float64) (loss, slope float64) {
	if bounded == 0 && math.IsInf(logprob, 0) {
		return 0, 0
	}
	slope = -s.bounded.Round(bounded * advantage)
	return s.loss.Round(slope * logprob), slope
}

// clipped returns the larger of the losses with the ratio and with the bounded one.
func (s *surrogateRun) clipped(at int, r, bounded, advantage float64) (loss, slope float64) {
	plain, held := -s.loss.Round(r*advantage), -s.bounded.Round(bounded*advantage)
	beyond, inside := s.high-r, r-s.low // above 0 where the clip leaves the ratio as it is
	holds := s.holds[0]
	if advantage < 0 {
		beyond, inside, holds = inside, beyond, s.holds[1]
	}
	switch s.clip {
	case "ppo":
		share := holds.Taken(at, beyond) * s.passes.Taken(at, math.Abs(inside))
		return max(plain, held), arithmetic.Times(share, plain)
	case "gppo":
		return max(plain, held), max(plain, held)
	}
	return plain, plain
}

// lossRun is the loss of a batch as kernels compute it.
type lossRun struct {
	eager
	o                                           *objective
	surrogate                                   surrogateRun
	kl                                          estimator
	coefficient                                 float64
	logratio, mean, whole, divergence           arithmetic.Grid
	weighted, slopes, slopeWeighted, slopeParts arithmetic.Grid
	sequence, shared                            step.Summation
	weights                                     *mat.Dense
	weightsFirst                                bool
	gradient, token                             arithmetic.Grid
}

func newLossRun(c *op.Case, r *arithmetic.Run, o *objective) *lossRun {
	e := newEager(c, r)
	n, l := o.Mask.Dims()
	decisions := n * l
	if o.sequence {
		decisions = n
	}
	k := &lossRun{
		eager: e, o: o, surrogate: e.newSurrogate(o, decisions), kl: e.newEstimator(o.kl, 0, n*l, ""),
		coefficient: e.Constant(o.coefficient), logratio: e.Place(), mean: e.Place(), whole: e.Place(),
		divergence: e.Place(), weighted: e.Place(), slopes: e.Place(), slopeWeighted: e.Place(), slopeParts: e.Place(),
		sequence: e.Summation(), shared: e.Summation(), weightsFirst: e.Coin(), gradient: e.Last("dlogprob"),
		token: e.Last("token_loss"),
	}
	weight := e.Place()
	k.weights = mat.NewDense(n, l, nil)
	k.weights.Apply(func(_, _ int, w float64) float64 { return weight.Round(w) }, o.Weights)
	return k
}

// rows computes the losses and gradients of all tokens, and their log-probabilities' gradients as
// they are kept for the way back to the logits.
func (k *lossRun) rows(logprob *mat.Dense) (policy, kl, gradient []float64) {
	n, l := k.o.Mask.Dims()
	policy, kl, gradient = make([]float64, n*l), make([]float64, n*l), make([]float64, n*l)
	for i := range n {
		k.row(i, logprob.RawRowView(i), policy[i*l:(i+1)*l], kl[i*l:(i+1)*l], gradient[i*l:(i+1)*l])
	}
	return policy, kl, gradient
}

// row computes sequence i.
func (k *lossRun) row(i int, logprob, policy, kl, gradient []float64) {
	at, x := k.logRatios(i, logprob)
	var slopes []float64
	for s, t := range at {
		loss, slope := k.surrogate.of(k.decision(i, t), x[s], logprob[t], k.o.Advantage.At(i, t))
		policy[t], gradient[t] = loss, slope*k.weights.At(i, t)
		slopes = append(slopes, k.slopes.Round(gradient[t]))
	}
	if k.o.sequence && k.o.clip != "cispo" && len(at) > 0 {
		each := k.shared.Of(slopes) / float64(len(at))
		for _, t := range at {
			gradient[t] = each
		}
	}
	if k.o.ref != nil {
		k.addDivergence(i, at, logprob, kl, gradient)
	}
}

// logRatios returns which tokens of sequence i are in the mask, and the logarithms of their ratios:
// their mean for each, where the ratio is that of the sequence.
func (k *lossRun) logRatios(i int, logprob []float64) (at []int, x []float64) {
	for t := range logprob {
		if k.o.Mask.At(i, t) != 0 {
			at, x = append(at, t), append(x, k.logratio.Round(logprob[t]-k.o.Old.At(i, t)))
		}
	}
	if k.o.sequence && len(at) > 0 {
		mean := k.mean.Round(k.sequence.Of(x) / float64(len(at)))
		for s := range x {
			x[s] = mean
		}
	}
	return at, x
}

// decision is where the decisions of a token stand.
func (k *lossRun) decision(i, t int) int {
	if !k.o.sequence {
		_, l := k.o.Mask.Dims()
		return i*l + t
	}
	return i
}

// addDivergence adds the divergence of a sequence's tokens to their gradients.
func (k *lossRun) addDivergence(i int, at []int, logprob, kl, gradient []float64) {
	_, l := k.o.Mask.Dims()
	for _, t := range at {
		value, slope := k.kl.of(i*l+t, logprob[t], k.o.ref.At(i, t))
		kl[t] = k.divergence.Round(k.coefficient * k.divergence.Round(value))
		d := k.slopeParts.Round(k.coefficient * slope)
		gradient[t] = k.slopes.Round(gradient[t]) + k.slopeWeighted.Round(d*k.weights.At(i, t))
	}
}

// aggregate adds up the losses of tokens: weighted first, or weighted sequence by sequence.
func (k *lossRun) aggregate(losses []float64) float64 {
	n, l := k.o.Mask.Dims()
	var terms []float64
	for i := range n {
		var row []float64
		weight := 0.0
		for t := range l {
			if k.o.Mask.At(i, t) != 0 {
				weight = k.weights.At(i, t)
				row = append(row, losses[i*l+t])
				if k.weightsFirst {
					row[len(row)-1] = k.weighted.Round(weight * row[len(row)-1])
				}
			}
		}
		switch {
		case k.weightsFirst:
			terms = append(terms, row...)
		case len(row) > 0:
			terms = append(terms, k.weighted.Round(weight*k.sequence.Of(row)))
		}
	}
	return k.shared.Of(terms)
}

// parts returns the losses of tokens and their sums over sequences.
func (k *lossRun) parts(losses []float64) (tokens, sequences []float64) {
	n, l := k.o.Mask.Dims()
	tokens, sequences = make([]float64, n*l), make([]float64, n)
	last := k.Last("sequence_loss")
	for i := range n {
		var row []float64
		for t := range l {
			if k.o.Mask.At(i, t) != 0 {
				tokens[i*l+t] = k.token.Round(losses[i*l+t])
				row = append(row, k.whole.Round(losses[i*l+t]))
			}
		}
		sequences[i] = last.Round(k.sequence.Sum(row))
	}
	return tokens, sequences
}

// lossProgram computes loss, gradients and parts of a batch of policy losses.
func lossProgram(c *op.Case, o *objective) op.Program {
	return func(r *arithmetic.Run) map[string][]float64 {
		k := newLossRun(c, r, o)
		logprob, soft := k.formed(c, o)
		policy, kl, gradient := k.rows(logprob)
		return k.outputs(c, policy, kl, gradient, soft)
	}
}

// outputs puts the outputs together.
func (k *lossRun) outputs(c *op.Case, policy, kl, gradient []float64, soft *step.Softmax) map[string][]float64 {
	losses := make([]float64, len(policy))
	for i := range losses {
		losses[i] = policy[i] + kl[i]
	}
	out, apart, last := map[string][]float64{}, k.Coin() && k.o.ref != nil, k.Last("loss")
	if apart {
		out["loss"] = []float64{last.Round(k.aggregate(policy) + k.aggregate(kl))}
	} else {
		kept := make([]float64, len(losses))
		for i, v := range losses {
			kept[i] = k.whole.Round(v)
		}
		out["loss"] = []float64{last.Round(k.aggregate(kept))}
	}
	out["token_loss"], out["sequence_loss"] = k.parts(losses)
	if c.Wants("dlogits") {
		out["dlogits"] = backward(soft, c, k.o, gradient, k.slopes)
	}
	for i, g := range gradient {
		gradient[i] = k.gradient.Round(g)
	}
	out["dlogprob"] = gradient
	return out
}
