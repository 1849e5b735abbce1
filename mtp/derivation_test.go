package mtp_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// # Speculative sampling is exact
//
// A cheap draft proposes the next token, and the model judges it. What is emitted should be as if
// the model had written alone: with p what the model says of the next token and q what the draft
// was drawn from,
//
//	P(emitted = x) = p(x) for every q
//
// Where the algorithm itself is run, probabilities are quarters, and chance is every number u of a
// grid that is fine enough: counts are then probabilities, to the last one. Leviathan et al. 2022,
// appendix A.1.
func TestDerivationSpeculative(t *testing.T) {
	p, q := distribution(71, 7), distribution(72, 7)
	alpha := mtp.AcceptanceRate(p, q)

	// Where the draft says a token too rarely it is always kept; where it says it too often, as
	// often as makes up for that.
	//
	//	q(x) min(1, p(x)/q(x)) = min(p(x), q(x))
	t.Run("a token is drafted and kept with the smaller of both probabilities", func(t *testing.T) {
		for x := range p {
			check.Near(t, "kept", q[x]*mtp.AcceptProbability(p[x], q[x]), min(p[x], q[x]), 2*u)
		}
	})

	// Both sum to 1. What q has too much of on some tokens it has too little of on others.
	//
	//	Σ_x max(0, p(x) − q(x)) = 1 − Σ_x min(p(x), q(x)) = 1 − α = TV(p, q)
	t.Run("what p still lacks is as much as is refused", func(t *testing.T) {
		var lacks float64
		for x := range p {
			lacks += max(0, p[x]-q[x])
		}
		check.Near(t, "lacks", lacks, 1-alpha, 64*u)
		check.Near(t, "refused", mtp.TotalVariation(p, q), 1-alpha, 64*u)
	})

	// Draw a refused token anew from what is lacking, made a distribution: 1 − α cancels.
	//
	//	min(p, q) + (1 − α) · max(0, p − q)/(1 − α) = p
	t.Run("so a refused token is drawn again from what p lacks, and fills it exactly", func(t *testing.T) {
		check.NearAll(t, "emitted", mtp.Emitted(p, q), p, 64*u)
		for x := range p {
			if left := mtp.Residual(p, q); left[x] > 0 && p[x] <= q[x] {
				t.Errorf("token %d is drafted often enough, and drawn again", x)
			}
		}
	})

	// The function that does it, on all 225 pairs of distributions of quarters over three tokens:
	// counts are whole numbers, and are p to the last one.
	//
	//	cases in which y is emitted = p(y) · all cases of x and u
	t.Run("the algorithm does that for every draft and every number that chance brings", func(t *testing.T) {
		for _, pParts := range shares(3, parts) {
			for _, qParts := range shares(3, parts) {
				count, _ := emitted(pParts, qParts)
				for x, c := range count {
					check.Near(t, fmt.Sprint(pParts, qParts), float64(c), float64(pParts[x]*grid*grid), 0)
				}
			}
		}
	})

	// After a kept token the next one of the draft stands where a first one stood, before the
	// model's p for that place; after a refused one nothing of the draft is looked at, and the
	// model goes on alone. So it holds of each token given those before, and of the text.
	//
	//	P(x_1, x_2, …) = p(x_1) p(x_2 | x_1) …
	t.Run("token by token it is exact for a draft of any length", func(t *testing.T) {
		law := [3][3]float64{} // of two emitted tokens, in cases
		sequences(2, func(draft []int) {
			rows := table(modelChain, draft)
			weight := float64(draftChain[start][draft[0]] * draftChain[draft[0]][draft[1]])
			uniforms(2, func(u []float64) {
				kept, next := mtp.Accept(draft, first(table(draftChain, draft), 2), rows, u)
				out := append(slices.Clone(draft[:kept]), next)
				for second, share := range modelChain[out[0]] {
					if len(out) == 1 { // the model goes on alone
						law[out[0]][second] += weight * float64(share)
					} else if second == out[1] {
						law[out[0]][second] += weight * parts
					}
				}
			})
		})
		for x1, row := range law {
			for x2, cases := range row {
				want := float64(modelChain[start][x1] * modelChain[x1][x2] * parts * grid * grid * grid)
				check.Near(t, fmt.Sprint(x1, x2), cases, want, 0)
			}
		}
	})

	// The q of the rule has to be the one that was drawn from. Draw greedily, or at another
	// temperature, and say q all the same, and the ratio corrects for what did not happen.
	//
	//	q′(x) min(1, p/q) + (1 − Σ_v q′(v) min(1, p/q)) · max(0, p − q)/(1 − α) ≠ p for q′ ≠ q
	t.Run("but only if the draft says what it was drawn from", func(t *testing.T) {
		sharper := mtp.Distribution(check.Random(72, 7, 2), 0.5) // q at half its temperature
		refused, law := 1.0, make([]float64, len(p))
		for x := range p {
			law[x] = sharper[x] * mtp.AcceptProbability(p[x], q[x])
			refused -= law[x]
		}
		for x, left := range mtp.Residual(p, q) {
			law[x] += refused * left / (1 - alpha)
		}
		check.Near(t, "Σ", floats.Sum(law), 1, 64*u)
		check.Apart(t, "TV(emitted, p)", mtp.TotalVariation(law, p), 0, 0.05)
	})
}

// # MTP is chained
//
// X is the next token of a text, Y the one after it. A model that predicts both has a reason to
// look ahead; the question is what the second prediction is made from. Meta's parallel heads make
// both from the same state; a module of DeepSeek-V3 makes the second from that state and X.
//
//	parallel: p(x), p(y);  chained: p(x), p(y | x)
//
// The entropies are of joint distributions over four and three tokens. Gloeckle et al. 2024,
// section 5.2; DeepSeek-V3, section 2.2.
func TestDerivationChain(t *testing.T) {
	p := jointly(73)
	pX, pY := mtp.Marginals(p)
	hX, hY, i := mtp.TokenEntropy(pX), mtp.TokenEntropy(pY), mtp.MutualInformation(p)

	// The chain rule of logarithms, in the mean. A model that is right pays H(X), and at the next
	// position, where X is known, H(Y|X).
	//
	//	H(X, Y) = H(X) + H(Y|X)
	t.Run("two tokens cost what they cost one after the other", func(t *testing.T) {
		check.Near(t, "H(X, Y)", mtp.TokenEntropy(data(p)), hX+mtp.ConditionalEntropy(p.T()), rounded)
	})

	// What X tells of Y it tells Y of X: the mutual information I.
	//
	//	H(X) = H(X|Y) + I(X; Y),  H(Y) = H(Y|X) + I(X; Y)
	t.Run("a token is what the next one does not tell, and what both share", func(t *testing.T) {
		check.Near(t, "H(X)", hX, mtp.ConditionalEntropy(p)+i, rounded)
		check.Near(t, "H(Y)", hY, mtp.ConditionalEntropy(p.T())+i, rounded)
	})

	// Next-token training has H(X) in its loss at this position. A second head adds H(Y), and with
	// it I once more: what X decides about its future counts double, and what is of X alone, once.
	// That is why several tokens help. H(Y|X) is in the next position's loss anyway.
	//
	//	H(X) + H(Y) = H(X|Y) + 2 I(X; Y) + H(Y|X)
	t.Run("with a second head the part that matters for what follows counts twice", func(t *testing.T) {
		check.Near(t, "H(X) + H(Y)", hX+hY,
			mtp.ConditionalEntropy(p)+2*i+mtp.ConditionalEntropy(p.T()), rounded)
	})

	// Heads that do not see each other can say of the pair at best p(x) p(y), and two tokens drawn
	// so need not belong together. What that costs is the same I.
	//
	//	D(p ‖ p_X p_Y) = H(X) + H(Y) − H(X, Y) = I(X; Y)
	t.Run("heads in parallel pay the mutual information, whatever they learn", func(t *testing.T) {
		apart := mat.NewDense(4, 3, nil)
		for x := range pX {
			for y := range pY {
				apart.Set(x, y, pX[x]*pY[y])
			}
		}
		check.Near(t, "D", mtp.Divergence(data(p), data(apart)), i, rounded)
		check.Near(t, "I", hX+hY-mtp.TokenEntropy(data(p)), i, rounded)
	})

	// A module is given the state and the embedding of the token between: the pair costs H(X, Y)
	// again, and nothing more. In the toy it changes with that token, and with no later one.
	//
	//	h′_i = M [RMSNorm(h_i); RMSNorm(Emb(t_{i+k}))],  H(X) + H(Y|X) = H(X, Y)
	t.Run("a module of DeepSeek-V3 sees the token between, so that it can say p(y | x)", func(t *testing.T) {
		m := newToy(mtp.HiddenFirst)
		logits, _ := m.Depths.Forward(m.h0, m.tokens)
		for at, seen := range map[int]bool{1: true, 2: false} { // row 0 of depth 1 has token 1, and predicts token 2
			other := slices.Clone(m.tokens)
			other[at] = 6
			changed, _ := m.Depths.Forward(m.h0, other)
			if moved := difference(logits[0].RowView(0), changed[0].RowView(0)); moved > 0 != seen {
				t.Errorf("token %d moves row 0 of depth 1 by %v", at, moved)
			}
		}
	})

	// Depth k is made from depth k−1 at the same position, which has all tokens up to i+k−1 in it:
	// the chain is causal at every depth.
	//
	//	h^k_i from h^{k−1}_{1 … i} and t_{k+1} … t_{i+k}, and nothing after
	t.Run("each depth hands the whole chain on to the next", func(t *testing.T) {
		m := newToy(mtp.HiddenFirst)
		logits, _ := m.Depths.Forward(m.h0, m.tokens)
		for at, seen := range map[int]bool{1: true, 2: true, 3: false} { // row 0 of depth 2 predicts token 3
			other := slices.Clone(m.tokens)
			other[at] = 6
			changed, _ := m.Depths.Forward(m.h0, other)
			if moved := difference(logits[1].RowView(0), changed[1].RowView(0)); moved > 0 != seen {
				t.Errorf("token %d moves row 0 of depth 2 by %v", at, moved)
			}
		}
	})

	// I counts double where the model is right. Of a model q that sees a bond between X and Y where
	// there is none, the relative mutual information is negative. Here q_X q_Y is p.
	//
	//	I_{p‖q} = D(p ‖ q_X q_Y) − D(p ‖ q) = −D(p ‖ q)
	t.Run("but of a model that is wrong about the pair, the part that both share can be negative", func(t *testing.T) {
		even := mat.NewDense(2, 2, []float64{0.25, 0.25, 0.25, 0.25})
		bound := mat.NewDense(2, 2, []float64{0.375, 0.125, 0.125, 0.375})
		relative := mtp.RelativeMutualInformation(even, bound)
		check.Near(t, "I", relative, -mtp.Divergence(data(even), data(bound)), rounded)
		check.Apart(t, "I", relative, 0, 0.1)
	})
}

// difference returns the largest difference of two vectors.
func difference(a, b mat.Vector) float64 {
	var d mat.VecDense
	d.SubVec(a, b)
	return mat.Norm(&d, math.Inf(1))
}
