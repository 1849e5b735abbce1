package mtp

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

const badDistributions = "mtp: distributions differ in size"

// TokenEntropy returns how uncertain a token is, in nats.
//
//	H(p) = −Σ_x p(x) log p(x)
//
// p is [V], probabilities; one of 0 contributes 0. It implements Multi-token Prediction (Gloeckle
// et al. 2024), section 5.2, its H.
func TokenEntropy(p []float64) float64 { return TokenCrossEntropy(p, p) }

// TokenCrossEntropy returns what a token of p costs a model that says q, in nats.
//
//	H(p, q) = −Σ_x p(x) log q(x)
//
// p and q are [V], probabilities. What p excludes contributes 0, what q alone excludes +∞. It is
// the loss in the mean over p. It implements Multi-token Prediction (Gloeckle et al. 2024),
// appendix L.2, its H(p, q).
func TokenCrossEntropy(p, q []float64) (sum float64) {
	if len(p) != len(q) {
		panic(badDistributions)
	}
	for x := range p {
		if p[x] > 0 {
			sum -= p[x] * math.Log(q[x])
		}
	}
	return sum
}

// Divergence returns what a token of p costs more than it need, where the model says q.
//
//	D(p ‖ q) = Σ_x p(x) log(p(x)/q(x))
//
// p and q are [V], probabilities; it is H(p, q) − H(p), not negative. Package policy has it of
// log-probabilities. It implements Multi-token Prediction (Gloeckle et al. 2024), appendix L.2, its
// D(p ‖ q).
func Divergence(p, q []float64) (sum float64) {
	if len(p) != len(q) {
		panic(badDistributions)
	}
	for x := range p {
		if p[x] > 0 {
			sum += p[x] * math.Log(p[x]/q[x])
		}
	}
	return sum
}

// Marginals returns the distributions of either of two tokens.
//
//	p_X(x) = Σ_y p(x, y),  p_Y(y) = Σ_x p(x, y)
//
// joint is [V_X × V_Y], of the next token X, its rows, and the one after it, Y. It implements
// Multi-token Prediction (Gloeckle et al. 2024), section 5.2, its X and Y.
func Marginals(joint mat.Matrix) (pX, pY []float64) {
	rows, cols := joint.Dims()
	pX, pY = make([]float64, rows), make([]float64, cols)
	for x := range rows {
		for y := range cols {
			pX[x] += joint.At(x, y)
			pY[y] += joint.At(x, y)
		}
	}
	return pX, pY
}

// ConditionalEntropy returns how uncertain X is once Y is known.
//
//	H(X | Y) = −Σ_xy p(x, y) log p(x | y)
//
// joint is p, [V_X × V_Y]; with its transpose it is H(Y | X), the loss that comes at the next
// position anyway. It implements Multi-token Prediction (Gloeckle et al. 2024), section 5.2, its
// H(X | Y).
func ConditionalEntropy(joint mat.Matrix) float64 { return ConditionalCrossEntropy(joint, joint) }

// ConditionalCrossEntropy returns what X costs a model, once Y is known to it.
//
//	H(p_{X|Y}, q_{X|Y}) = E_{y ∼ p_Y} H(p(· | y), q(· | y)) = −Σ_xy p(x, y) log q(x | y)
//
// p and q are joint distributions, [V_X × V_Y]. Differs in print: the proof of Lemma L.3 has
// H(p_{X|y}, q_{Y|y}) in its last line but one, where the second is q_{X|y}. It implements
// Multi-token Prediction (Gloeckle et al. 2024), definition L.1.
func ConditionalCrossEntropy(p, q mat.Matrix) (sum float64) {
	checkJoint(p, q)
	_, qY := Marginals(q)
	rows, _ := p.Dims()
	for x := range rows {
		for y := range qY {
			if p.At(x, y) > 0 {
				sum -= p.At(x, y) * math.Log(q.At(x, y)/qY[y])
			}
		}
	}
	return sum
}

// MutualInformation returns what either of two tokens tells of the other, in nats.
//
//	I(X; Y) = Σ_xy p(x, y) log(p(x, y)/(p_X(x) p_Y(y)))
//
// joint is p, [V_X × V_Y]. It is what H(X) + H(Y), the loss of two heads, has twice and H(X) once;
// and it is what heads lose by predicting X and Y apart. It implements Multi-token Prediction
// (Gloeckle et al. 2024), section 5.2, its I(X; Y).
func MutualInformation(joint mat.Matrix) float64 { return RelativeMutualInformation(joint, joint) }

// RelativeMutualInformation returns what a model that says q gains, on tokens of p, over one that
// takes them for independent.
//
//	I_{p‖q}(X; Y) = D(p ‖ q_X ⊗ q_Y) − D(p ‖ q)
//
// p and q are joint distributions, [V_X × V_Y]. With q = p it is the mutual information; otherwise
// it may be negative: a model that sees a bond where there is none would do better without. It
// implements Multi-token Prediction (Gloeckle et al. 2024), definition L.2.
func RelativeMutualInformation(p, q mat.Matrix) float64 {
	checkJoint(p, q)
	qX, qY := Marginals(q)
	var apart mat.Dense
	apart.Outer(1, mat.NewVecDense(len(qX), qX), mat.NewVecDense(len(qY), qY))
	cells := flat(p)
	return Divergence(cells, flat(&apart)) - Divergence(cells, flat(q))
}

func checkJoint(p, q mat.Matrix) {
	rows, cols := p.Dims()
	if r, c := q.Dims(); r != rows || c != cols {
		panic(badDistributions)
	}
}

// flat returns the cells of a joint distribution in one row.
func flat(joint mat.Matrix) []float64 { return mat.DenseCopyOf(joint).RawMatrix().Data }
