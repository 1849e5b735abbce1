package dpo

const (
	badPairs   = "dpo: numbers of chosen and rejected responses differ"
	badLengths = "dpo: numbers of lengths and pairs differ"
)

// Pairs is a batch of N pairs, logarithms of probabilities of whole responses (sums over tokens)
// under the policy and the reference.
type Pairs struct {
	Chosen, Rejected       []float64 // log π of y_w and y_l
	RefChosen, RefRejected []float64 // log π_ref of y_w and y_l
}

// Margins returns by how much more the policy raised the chosen response than the rejected one.
//
//	h = log(π/π_ref)(y_w) − log(π/π_ref)(y_l)
//
// The result is [N], nats.
// It implements DPO (7), the argument of its σ without β.
func (p Pairs) Margins() []float64 {
	p.check()
	h := make([]float64, len(p.Chosen))
	for n := range h {
		h[n] = p.Chosen[n] - p.RefChosen[n] - (p.Rejected[n] - p.RefRejected[n])
	}
	return h
}

// MarginsPerToken returns the margins with each log-ratio divided by the number of tokens of its
// response.
//
//	Δ = (1/|o⁺|) log(π/π_ref)(o⁺) − (1/|o⁻|) log(π/π_ref)(o⁻)
//
// lengths are [N], tokens, at least 1; the result is [N], nats per token. Where all lengths are 1
// it is Margins. It implements DeepSeekMath (12), the argument of its σ without β.
func (p Pairs) MarginsPerToken(lengthsChosen, lengthsRejected []float64) []float64 {
	p.check()
	if len(lengthsChosen) != len(p.Chosen) || len(lengthsRejected) != len(p.Chosen) {
		panic(badLengths)
	}
	h := make([]float64, len(p.Chosen))
	for n := range h {
		h[n] = (p.Chosen[n]-p.RefChosen[n])/lengthsChosen[n] - (p.Rejected[n]-p.RefRejected[n])/lengthsRejected[n]
	}
	return h
}

// Rewards returns the implicit rewards of both responses of each pair.
//
//	r̂ = β (log π − log π_ref)
//
// The results are [N]. They are of sums over tokens, whatever the loss divides by.
// It implements DPO (5) without its last term.
func (p Pairs) Rewards(beta float64) (chosen, rejected []float64) {
	p.check()
	chosen, rejected = make([]float64, len(p.Chosen)), make([]float64, len(p.Chosen))
	for n := range chosen {
		chosen[n] = ImplicitReward(p.Chosen[n], p.RefChosen[n], beta)
		rejected[n] = ImplicitReward(p.Rejected[n], p.RefRejected[n], beta)
	}
	return chosen, rejected
}

// Loss returns the mean loss of the batch and its gradient for log π of the responses.
//
//	L = 1/N Σ_n l(h_n),  ∂L/∂ log π(y_w) = l'(h_n)/N,  ∂L/∂ log π(y_l) = −l'(h_n)/N
//
// pair is the loss of one pair with its derivative, such as SigmoidLoss with β and ε given; the
// gradients are [N]. It implements DPO (7), its expectation.
func (p Pairs) Loss(pair func(h float64) (loss, dh float64)) (loss float64, dchosen, drejected []float64) {
	loss, dchosen = mean(p.Margins(), pair)
	drejected = make([]float64, len(dchosen))
	for n, d := range dchosen {
		drejected[n] = -d
	}
	return loss, dchosen, drejected
}

// LossPerToken returns the mean loss of the batch with margins per token, and its gradient for log
// π of the whole responses.
//
//	L = 1/N Σ_n l(Δ_n),  ∂L/∂ log π(o⁺) = l'(Δ_n)/(N |o⁺|),  ∂L/∂ log π(o⁻) = −l'(Δ_n)/(N |o⁻|)
//
// lengths are [N], tokens, at least 1. With SigmoidLoss it is DeepSeekMath's DPO, with IPO that of
// Hugging Face. It implements DeepSeekMath (12), its expectation.
func (p Pairs) LossPerToken(
	lengthsChosen, lengthsRejected []float64, pair func(h float64) (loss, dh float64),
) (loss float64, dchosen, drejected []float64) {
	loss, dchosen = mean(p.MarginsPerToken(lengthsChosen, lengthsRejected), pair)
	drejected = make([]float64, len(dchosen))
	for n, d := range dchosen {
		dchosen[n], drejected[n] = d/lengthsChosen[n], -d/lengthsRejected[n]
	}
	return loss, dchosen, drejected
}

// mean returns the mean loss of the margins and its derivative for each; a batch without pairs has
// loss 0.
func mean(h []float64, pair func(h float64) (loss, dh float64)) (loss float64, dh []float64) {
	dh = make([]float64, len(h))
	for n := range h {
		l, d := pair(h[n])
		loss += l
		dh[n] = d / float64(len(h))
	}
	return loss / max(float64(len(h)), 1), dh
}

// check panics unless there is one of each for every pair.
func (p Pairs) check() {
	n := len(p.Chosen)
	if len(p.Rejected) != n || len(p.RefChosen) != n || len(p.RefRejected) != n {
		panic(badPairs)
	}
}
