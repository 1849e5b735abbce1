package policy

import "math"

const (
	badEngines = "policy: log-probabilities and mask differ in length"
	badBound   = "policy: a limit of ratios is less than 1"
)

// Mismatch says how far apart two engines are that should be one policy: the one that trains, a,
// and the one that sampled the tokens, b.
type Mismatch struct {
	Mean, Largest float64 // of |Δ|
	K1, K2, K3    float64 // estimates of KL(π_b‖π_a), from tokens of b
	Share         float64 // of the tokens whose ratio is beyond the limit
}

// MismatchOf returns the statistics of a batch, over the tokens that the mask keeps.
//
//	Δ = log π_a − log π_b,  mean |Δ|,  max |Δ|,  share of e^Δ ∉ [1/limit, limit]
//	k1 = mean(−Δ),  k2 = mean(Δ²/2),  k3 = mean(e^Δ − 1 − Δ)
//
// a, b and mask are all of one length; limit is 1 or more. Without tokens all are 0, as in verl.
// The means of k1 and k3 estimate KL(π_b‖π_a) without bias where b sampled the tokens: without a
// filter, or a and b renormalised over what it left. One log-probability of −∞ makes all but the
// share infinite. Differs in code: trainers that take k3 of the ratio upside down have an
// estimate of nothing, which agrees to second order. It implements Schulman, Approximating KL
// Divergence (2020), k1, k2 and k3, their means.
func MismatchOf(a, b, mask []float64, limit float64) Mismatch {
	if len(a) != len(b) || len(a) != len(mask) {
		panic(badEngines)
	}
	if !(limit >= 1) {
		panic(badBound)
	}
	var m Mismatch
	var n float64
	for t := range a {
		if mask[t] != 0 {
			m.add(a[t], b[t], math.Log(limit))
			n++
		}
	}
	return m.over(max(n, 1))
}

// add adds one token.
func (m *Mismatch) add(a, b, bound float64) {
	delta := a - b
	m.Mean += math.Abs(delta)
	m.Largest = max(m.Largest, math.Abs(delta))
	m.K1 += K1(b, a)
	m.K2 += K2(b, a)
	m.K3 += K3(b, a)
	if math.Abs(delta) > bound {
		m.Share++
	}
}

// over makes means of sums over n tokens.
func (m Mismatch) over(n float64) Mismatch {
	return Mismatch{m.Mean / n, m.Largest, m.K1 / n, m.K2 / n, m.K3 / n, m.Share / n}
}
