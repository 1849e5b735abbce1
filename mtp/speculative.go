package mtp

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// AcceptProbability returns the probability with which a drafted token is kept.
//
//	min(1, p(x)/q(x))
//
// p and q are the probabilities of the token in the model and in the draft. A token that q excludes
// is never drafted; if it comes all the same it is kept where p > 0, as the limit has it, and
// refused where p = 0. Differs in code: accepting where one sample of p is the token, with
// probability p, which emits something else than p. It implements Speculative Decoding (Leviathan
// et al. 2022), section 2.3.
func AcceptProbability(p, q float64) float64 {
	switch {
	case p > q:
		return 1
	case q == 0:
		return 0
	}
	return p / q
}

// Residual returns what of the model's distribution the draft leaves over: what a refused token is
// replaced from.
//
//	max(0, p(x) − q(x))
//
// p and q are [V] and so is the result, which is not normalised: it sums to 1 − α, what Draw
// divides by. Differs in code: p itself, which emits too much of what the draft likes already. It
// implements Speculative Decoding (Leviathan et al. 2022), section 2.3.
func Residual(p, q []float64) []float64 {
	if len(p) != len(q) {
		panic(badShapes)
	}
	left := make([]float64, len(p))
	for x := range left {
		left[x] = max(0, p[x]-q[x])
	}
	return left
}

// Draw returns the token that a uniform number stands for.
//
//	smallest x with Σ_{v ≤ x} w_v > u Σ_v w_v
//
// weights is [V], not negative, of any sum; u lies in [0, 1). Sums go from token 0 on; where
// rounding leaves none above, it is the last with a weight, and −1 where there is no weight at all.
// It implements Speculative Decoding (Leviathan et al. 2022), section 2.2, its sampling, by
// inversion.
func Draw(weights []float64, u float64) int {
	limit := u * floats.Sum(weights)
	sum, last := 0.0, -1
	for x, w := range weights {
		sum += w
		if sum > limit {
			return x
		}
		if w > 0 {
			last = x
		}
	}
	return last
}

// Accept verifies a draft and returns how many of its tokens are kept, and the token after them.
//
//	x_i is kept if all before it are and u_i < min(1, p_i(x_i)/q_i(x_i))
//	next ∼ norm(max(0, p_i − q_i)) at the first i that is not, else next ∼ p_{k+1}
//
// draft has k tokens, q is [k × V], what they were drawn from, p is [(k+1) × V], what the model
// says at each and after them; u has k+1 uniform numbers of [0, 1), the last for next. Rows are
// probabilities, at the temperature that is wanted, in both. Where rounding leaves no residual,
// next is drawn from p_i. With k = 0 q is not looked at, and this is plain sampling. It implements
// Speculative Decoding (Leviathan et al. 2022), algorithm 1.
func Accept(draft []int, q, p mat.Matrix, u []float64) (accepted, next int) {
	checkDraft(draft, q, p, u)
	last := u[len(draft)]
	for i, x := range draft {
		if u[i] < AcceptProbability(p.At(i, x), q.At(i, x)) {
			continue
		}
		pi := mat.Row(nil, i, p)
		left := Residual(pi, mat.Row(nil, i, q))
		if floats.Sum(left) == 0 {
			left = pi
		}
		return i, Draw(left, last)
	}
	return len(draft), Draw(mat.Row(nil, len(draft), p), last)
}

func checkDraft(draft []int, q, p mat.Matrix, u []float64) {
	rows, vocabulary := p.Dims()
	if rows != len(draft)+1 || len(u) != len(draft)+1 {
		panic(badShapes)
	}
	if len(draft) == 0 {
		return
	}
	if r, c := q.Dims(); r != len(draft) || c != vocabulary {
		panic(badShapes)
	}
}
