package rl

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

// solved is the residual at which a step takes its equations for solved, relative to the gradient.
const solved = 1e-12

const badPolicies = "rl: two policies, or a policy and its advantages, differ in shape"

// LocalObjective returns the expected return of a policy as seen from another one: with the states
// that one visits.
//
//	L_π(π̃) = η(π) + Σ_s ρ_π(s) Σ_a π̃(a|s) A_π(s, a)
//
// eta is η(π), rho is ρ_π, [S], pi is π̃ and advantage is A_π, [S × A]. With ρ of π̃ itself it is
// η(π̃) exactly, (2). What is never visited, or never done, adds 0, whatever its advantage. It
// implements TRPO (3).
func LocalObjective(eta float64, rho []float64, pi, advantage mat.Matrix) float64 {
	rows, cols := pi.Dims()
	if r, c := advantage.Dims(); r != rows || c != cols || len(rho) != rows {
		panic(badPolicies)
	}
	for s := range rows {
		for a := range cols {
			if weight := rho[s] * pi.At(s, a); weight != 0 {
				eta += weight * advantage.At(s, a)
			}
		}
	}
	return eta
}

// Penalty returns how much of the largest KL divergence has to be paid for a bound that cannot
// fail.
//
//	η(π̃) ≥ L_π(π̃) − C max_s KL(π ‖ π̃),  C = 4 ε γ / (1 − γ)²,  ε = max_{s,a} |A_π(s, a)|
//
// The result is C; epsilon has the units of a return.
// It implements TRPO (9).
func Penalty(epsilon, gamma float64) float64 {
	return 4 * epsilon * gamma / ((1 - gamma) * (1 - gamma))
}

// SurrogateObjective returns the mean advantage of the actions that the old policy took, weighted
// for the new one.
//
//	L(θ) = 1/N Σ_n π_θ(a_n|s_n) / π_old(a_n|s_n) · A_n
//
// old and logits are [N × A], actions and advantages are [N]. A sample with an advantage of 0 adds
// 0, whatever its ratio. It implements TRPO (14) with the old policy as q, advantages for Q, and a
// mean for the expectation.
func SurrogateObjective(old, logits mat.Matrix, actions []int, advantages []float64) float64 {
	rows := checkPolicies(old, logits)
	checkBatch(logits, actions, advantages)
	var sum float64
	for n, a := range actions {
		loss, _ := policy.Unclipped(ratio(old, logits, n, a), advantages[n])
		sum -= loss
	}
	return sum / float64(rows)
}

// SurrogateObjectiveBackward returns the gradient of SurrogateObjective for the new logits.
//
//	dz_n = 1/N π_θ(a_n|s_n) / π_old(a_n|s_n) · A_n ∇ log π_θ(a_n|s_n)
//
// old and logits are [N × A], actions and advantages are [N]; the result is [N × A]. At the old
// policy it is the mean policy gradient. It implements TRPO (14) (derived).
func SurrogateObjectiveBackward(old, logits mat.Matrix, actions []int, advantages []float64) *mat.Dense {
	rows := checkPolicies(old, logits)
	checkBatch(logits, actions, advantages)
	psi := make([]float64, rows)
	for n, a := range actions {
		_, d := policy.Unclipped(ratio(old, logits, n, a), advantages[n])
		psi[n] = -d / float64(rows)
	}
	return PolicyGradient(logits, actions, psi)
}

// MeanKL returns how far the new policy is from the old one, averaged over the states.
//
//	D̄_KL = 1/N Σ_n Σ_a π_old(a|s_n) log(π_old(a|s_n) / π_θ(a|s_n))
//
// old and logits are [N × A]; the result is in nats.
// It implements TRPO (12), the constraint, with a mean for the expectation.
func MeanKL(old, logits mat.Matrix) float64 {
	rows := checkPolicies(old, logits)
	var sum float64
	for n := range rows {
		sum += policy.KL(policy.LogSoftmax(mat.Row(nil, n, old), 1), policy.LogSoftmax(mat.Row(nil, n, logits), 1))
	}
	return sum / float64(rows)
}

// MeanKLBackward returns the gradient of MeanKL for the new logits.
//
//	dz_na = 1/N (π_θ(a|s_n) − π_old(a|s_n))
//
// old and logits are [N × A]; so is the result. It is 0 at the old policy, where FisherVector takes
// over. It implements TRPO (12), the constraint (derived).
func MeanKLBackward(old, logits mat.Matrix) *mat.Dense {
	rows := checkPolicies(old, logits)
	_, cols := old.Dims()
	dz := mat.NewDense(rows, cols, nil)
	for n := range rows {
		_, row := policy.KLBackward(
			policy.LogSoftmax(mat.Row(nil, n, old), 1), policy.LogSoftmax(mat.Row(nil, n, logits), 1),
		)
		dz.SetRow(n, row)
	}
	dz.Scale(1/float64(rows), dz)
	return dz
}

// FisherVector returns the Hessian of the mean KL at the old policy times a vector, both for the
// logits.
//
//	(H v)_n = 1/N (diag(p_n) − p_n p_nᵀ) v_n = 1/N p_n ⊙ (v_n − p_n·v_n)
//
// logits and v are [N × A]; so is the result. For parameters with logits of Jacobian J it is the M
// of Jᵀ M J. Differs in code: differentiates the KL twice, ∇((∇KL)ᵀ v), which is the same, and
// slower. It implements TRPO appendix C.1, M of (57) for the softmax.
func FisherVector(logits, v mat.Matrix) *mat.Dense {
	rows := checkPolicies(logits, v)
	p := softmaxRows(logits)
	for n := range rows {
		row := p.RawRowView(n)
		mean := floats.Dot(row, mat.Row(nil, n, v))
		for a := range row {
			row[a] *= (v.At(n, a) - mean) / float64(rows)
		}
	}
	return p
}

// ConjugateGradient returns the solution of H x = b for a symmetric positive matrix that is known
// by its products.
//
//	x_0 = 0, r_0 = p_0 = b
//	α = (r_k·r_k) / (p_k·H p_k),  x_{k+1} = x_k + α p_k,  r_{k+1} = r_k − α H p_k
//	p_{k+1} = r_{k+1} + (r_{k+1}·r_{k+1}) / (r_k·r_k) p_k
//
// b is [n]; so is the result. It stops after steps, or when ‖r‖ is at most tolerance ‖b‖. In exact
// arithmetic it needs as many steps as H has different eigenvalues, n at most. H may be singular if
// b lies in its range; x then lies there too, but going on where r is rounding alone brings in what
// H does not see. Differs in code: OpenAI's baselines stop at r·r < 10⁻¹⁰, whatever b. It
// implements Hestenes and Stiefel 1952 (3:1), as TRPO appendix C uses it.
func ConjugateGradient(product func(v []float64) []float64, b []float64, steps int, tolerance float64) []float64 {
	x := make([]float64, len(b))
	r := append([]float64(nil), b...)
	p := append([]float64(nil), b...)
	rr := floats.Dot(r, r)
	enough := tolerance * tolerance * rr
	for k := 0; k < steps && rr > enough; k++ {
		hp := product(p)
		alpha := rr / floats.Dot(p, hp)
		floats.AddScaled(x, alpha, p)
		floats.AddScaled(r, -alpha, hp)
		next := floats.Dot(r, r)
		floats.AddScaledTo(p, r, next/rr, p)
		rr = next
	}
	return x
}

// StepLength returns how far to go along s until the quadratic form of the KL reaches delta.
//
//	β = √(2 δ / (sᵀ H s))
//
// s and hs = H s are [n]; delta is in nats. Along s = 0 it is +∞.
// It implements TRPO appendix C, its maximal step length.
func StepLength(s, hs []float64, delta float64) float64 {
	return math.Sqrt(2 * delta / floats.Dot(s, hs))
}

// LineSearch returns the first point on the way back from a full step that is better than the start
// and near enough.
//
//	θ = θ_old + 2^{−j} step,  the first j = 0, 1, … with L(θ) > L(θ_old),  D̄_KL(θ_old, θ) ≤ δ
//
// old and step are [n], and so is the result. It tries j < tries; if none will do it returns the
// start and −1. Differs in code: Spinning Up shrinks by 0.8, not by a half; OpenAI's baselines
// accept a KL of 1.5 δ. It implements TRPO appendix C, its line search.
func LineSearch(
	old, step []float64, delta float64, tries int, surrogate, kl func(theta []float64) float64,
) (theta []float64, j int) {
	start := surrogate(old)
	for j := range tries {
		theta := floats.AddScaledTo(make([]float64, len(old)), old, math.Ldexp(1, -j), step)
		if surrogate(theta) > start && kl(theta) <= delta {
			return theta, j
		}
	}
	return append([]float64(nil), old...), -1
}

// TrustRegion says how far a step of TRPO may go, and how hard it tries.
type TrustRegion struct {
	Delta      float64 // largest mean KL, in nats; 0.01 in the paper
	Damping    float64 // multiple of the identity that is added to H
	Iterations int     // of conjugate gradients; 10 in the paper
	Tries      int     // of the line search
}

// Step returns the new parameters of a linear softmax policy.
//
//	g = Xᵀ ∂L/∂z,  H v = Xᵀ M X v + damping v,  s = H⁻¹ g,  θ = θ_old + 2^{−j} √(2 δ / (sᵀ H s)) s
//
// theta is [d × A], the features x are [N × d] with logits z = X θ, actions and advantages are [N];
// the result is [d × A]. It is the old θ if the gradient is 0, or where the line search finds
// nothing. It implements TRPO section 6 and appendix C.
func (r TrustRegion) Step(theta *mat.Dense, x mat.Matrix, actions []int, advantages []float64) *mat.Dense {
	d, cols := theta.Dims()
	logits := func(theta []float64) *mat.Dense { return product(x, mat.NewDense(d, cols, theta)) }
	old := mat.DenseCopyOf(theta).RawMatrix().Data
	z := logits(old)
	fisher := func(v []float64) []float64 {
		hv := product(x.T(), FisherVector(z, logits(v))).RawMatrix().Data
		floats.AddScaled(hv, r.Damping, v)
		return hv
	}
	g := product(x.T(), SurrogateObjectiveBackward(z, z, actions, advantages)).RawMatrix().Data
	s := ConjugateGradient(fisher, g, r.Iterations, solved)
	floats.Scale(StepLength(s, fisher(s), r.Delta), s) // NaN for g = 0, which the line search does not take
	found, _ := LineSearch(old, s, r.Delta, r.Tries,
		func(theta []float64) float64 { return SurrogateObjective(z, logits(theta), actions, advantages) },
		func(theta []float64) float64 { return MeanKL(z, logits(theta)) })
	return mat.NewDense(d, cols, found)
}

// product returns a·b.
func product(a, b mat.Matrix) *mat.Dense {
	var ab mat.Dense
	ab.Mul(a, b)
	return &ab
}

// ratio returns π_θ(a|s_n) / π_old(a|s_n).
func ratio(old, logits mat.Matrix, n, a int) float64 {
	return policy.Ratio(policy.LogProb(mat.Row(nil, n, logits), a, 1), policy.LogProb(mat.Row(nil, n, old), a, 1), 0)
}

// softmaxRows returns the probabilities of each row of logits.
func softmaxRows(logits mat.Matrix) *mat.Dense {
	rows, cols := logits.Dims()
	p := mat.NewDense(rows, cols, nil)
	for n := range rows {
		for a, logp := range policy.LogSoftmax(mat.Row(nil, n, logits), 1) {
			p.Set(n, a, math.Exp(logp))
		}
	}
	return p
}

// checkPolicies panics unless two matrices have one shape; it returns how many rows.
func checkPolicies(a, b mat.Matrix) int {
	rows, cols := a.Dims()
	if r, c := b.Dims(); r != rows || c != cols {
		panic(badPolicies)
	}
	return rows
}
