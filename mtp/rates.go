package mtp

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// TotalVariation returns how far two distributions are apart.
//
//	TV(p, q) = ½ Σ_x |p(x) − q(x)|
//
// p and q are [V], probabilities; it lies in 0 … 1. It implements Speculative Decoding (Leviathan
// et al. 2022), definition 3.2.
func TotalVariation(p, q []float64) float64 {
	if len(p) != len(q) {
		panic(badShapes)
	}
	return floats.Distance(p, q, 1) / 2
}

// AcceptanceRate returns the probability that a token drafted from q is kept.
//
//	α = E_{x ∼ q} min(1, p(x)/q(x)) = Σ_x min(p(x), q(x)) = 1 − TV(p, q)
//
// p and q are [V], probabilities, of the model and of the draft. Two samples compared, one of each,
// would agree Σ_x p(x) q(x) of the time, which is less. It implements Speculative Decoding
// (Leviathan et al. 2022), theorem 3.5 and corollary 3.6, and DSpark (8).
func AcceptanceRate(p, q []float64) (alpha float64) {
	if len(p) != len(q) {
		panic(badShapes)
	}
	for x := range p {
		alpha += min(p[x], q[x])
	}
	return alpha
}

// Emitted returns the distribution of the token that comes out, kept or replaced.
//
//	e(x) = q(x) min(1, p(x)/q(x)) + (1 − α) max(0, p(x) − q(x))/Σ_v max(0, p(v) − q(v))
//
// p and q are [V], probabilities, and so is the result, which is p: the first term is min(p, q),
// and the second is what p has more, 1 − α being the sum that it is divided by. It implements
// Speculative Decoding (Leviathan et al. 2022), appendix A.1.
func Emitted(p, q []float64) []float64 {
	refused := 1.0
	e, left := make([]float64, len(p)), Residual(p, q)
	for x := range e {
		e[x] = q[x] * AcceptProbability(p[x], q[x])
		refused -= e[x]
	}
	if sum := floats.Sum(left); sum > 0 {
		floats.AddScaled(e, refused/sum, left)
	}
	return e
}

// ExpectedTokens returns how many tokens a step yields in the mean, γ being drafted and each kept
// with probability α, independent of the others.
//
//	E = 1 + α + … + α^γ = (1 − α^{γ+1})/(1 − α)
//
// alpha lies in 0 … 1; with α = 1 it is γ+1. The first 1 is the token that replaces or follows.
// With γ = 1, DeepSeek-V3's, it is 1 + α: 1.85 … 1.90 for the 85 to 90 % it reports. It implements
// Speculative Decoding (Leviathan et al. 2022) (1).
func ExpectedTokens(alpha float64, gamma int) float64 {
	tokens := 1.0
	for range gamma {
		tokens = 1 + float64(alpha*tokens)
	}
	return tokens
}

// ExpectedOfChain returns how many tokens a step yields in the mean, where the k-th drafted token
// is kept with probability α_k once all before it are.
//
//	τ = 1 + Σ_k a_k,  a_k = Π_{j ≤ k} α_j
//
// alpha is [γ]. With all α_k equal it is ExpectedTokens. It implements DSpark, algorithm 1, its τ.
func ExpectedOfChain(alpha []float64) float64 {
	tokens := 1.0
	for k := len(alpha) - 1; k >= 0; k-- {
		tokens = 1 + float64(alpha[k]*tokens)
	}
	return tokens
}

// Speedup returns how much sooner a text is done than with one token a step.
//
//	(1 − α^{γ+1})/((1 − α)(γ c + 1))
//
// cost is c, the time of one drafted token in units of a step of the model; a step that verifies
// γ+1 tokens is taken to cost what one of one token costs. It implements Speculative Decoding
// (Leviathan et al. 2022), theorem 3.8.
func Speedup(alpha float64, gamma int, cost float64) float64 {
	return ExpectedTokens(alpha, gamma) / (float64(gamma)*cost + 1)
}

// CostRatio returns what a drafted token costs, given how many tokens a step yields and how much
// sooner a text is done.
//
//	c = (E/S − 1)/γ
//
// tokens is E, speedup is S; the result is in units of a step of the model, and has in it whatever
// verifying takes longer. DeepSeek-V3's 1.85 … 1.90 tokens and 1.8 times the tokens per second make
// it 2.8 … 5.6 %. It implements Speculative Decoding (Leviathan et al. 2022), theorem 3.8, solved
// for c.
func CostRatio(tokens, speedup float64, gamma int) float64 {
	return (tokens/speedup - 1) / float64(gamma)
}

// Latency returns the time that a token takes in the mean.
//
//	L = (T_draft + T_verify)/τ
//
// Times are of one step, tokens is τ, what it yields. It implements DSpark (1).
func Latency(draft, verify, tokens float64) float64 { return (draft + verify) / tokens }

// DraftLength returns how many tokens of a draft to have verified.
//
//	first k with τ_{k+1} SPS(k+2) < τ_k SPS(k+1),  τ_k = 1 + Σ_{j ≤ k} a_j,  a_j = Π_{i ≤ j} c_i
//
// confidence is c, [γ]: how likely each is to be kept once those before it are. steps is SPS, how
// many steps a second there are with so many tokens to verify, those of one sequence here: the k
// drafted and the one before them. It stops at the first decline, whatever comes after: to look
// ahead would make the length depend on tokens that are then not verified. It implements DSpark,
// algorithm 1, for one sequence.
func DraftLength(confidence []float64, steps func(tokens int) float64) int {
	a, tokens := 1.0, 1.0
	for k, c := range confidence {
		a *= c
		if (tokens+a)*steps(k+2) < tokens*steps(k+1) {
			return k
		}
		tokens += a
	}
	return len(confidence)
}

// PositionWeights returns how much the tokens of a draft count in the loss that trains it.
//
//	w_k = e^{−(k−1)/γ}
//
// The result is [n], k from 1; gamma is γ, in tokens. It implements DSpark (9).
func PositionWeights(n int, gamma float64) []float64 {
	w := make([]float64, n)
	for k := range w {
		w[k] = math.Exp(-float64(k) / gamma)
	}
	return w
}
