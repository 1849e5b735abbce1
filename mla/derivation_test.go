package mla

import (
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/rope"
)

// # Absorption, and why RoPE forbids it
//
// MLA makes the keys and values of every head from one latent vector per token, and caches that:
//
//	cKV_j = W^DKV h_j,  kC_{j,i} = W^UK_i cKV_j,  vC_{j,i} = W^UV_i cKV_j
//
// Taken at its word, it would make all keys and values again for every token that is written. It
// need not, as long as no position stands in the way. Weights and tokens are small whole numbers,
// so that sums are exact in every order and equal means to the bit, but where something turns.
// DeepSeek-V2, section 2.1 and appendix C.
func TestDerivationAbsorption(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 71))
	const tokens, dh, dv, dc, dq = 5, 8, 6, 12, 10
	cQ, cKV := integers(rng, tokens, dq, 3), integers(rng, tokens, dc, 3)
	wUQ, wUK, wUV := integers(rng, dh, dq, 3), integers(rng, dh, dc, 3), integers(rng, dv, dc, 3)
	qC, kC := UpQuery(cQ, wUQ), UpKey(cKV, wUK)

	// Query and key are both linear in their latents, so the score is bilinear: one fixed matrix
	// stands between the two, of d_c × d_c′ numbers, and it is known before any token comes.
	//
	//	qC_t·kC_j = (W^UQ cQ_t)·(W^UK cKV_j) = cKV_jᵀ (W^UKᵀ W^UQ) cQ_t
	t.Run("a score without position is one fixed matrix between two latents", func(t *testing.T) {
		between := AbsorbQueryWeight(wUQ, wUK)
		identical(t, "scores", product(project(cQ, between), cKV.T()), product(qC, kC.T()))
	})

	// Whatever stands between the two may go to either side. On the query's it is multiplied once
	// for each new token, and not once for each token of the past.
	//
	//	q̃_t = W^UKᵀ qC_t,  qC_t·kC_j = q̃_t·cKV_j
	t.Run("so W^UK goes to the query, and no key is made", func(t *testing.T) {
		identical(t, "scores", product(AbsorbQuery(qC, wUK), cKV.T()), product(qC, kC.T()))
	})

	// The weights of the keys are numbers by then. A sum of images is the image of the sum.
	//
	//	o_t = Σ_j a_tj W^UV cKV_j = W^UV Σ_j a_tj cKV_j
	t.Run("and W^UV goes behind the sum over keys, so that no value is made", func(t *testing.T) {
		a := integers(rng, tokens, tokens, 3)
		identical(t, "o", AbsorbOutput(product(a, cKV), wUV), product(a, UpValue(cKV, wUV)))
	})

	// All heads then read the same rows, as key and as value: attention with many queries and one
	// head of keys. DeepSeek-V3 reads 512 numbers for each token of the past, and not 128 heads of
	// 128 + 128.
	//
	//	o_{t,i} = W^UV_i Σ_j softmax_j(q̃_{t,i}·cKV_j / √d) cKV_j
	t.Run("what is left is multi-query attention over the latents", func(t *testing.T) {
		o := attention.Options{Scale: 1. / 64, Mask: causalMask}
		var heads []HeadWeights
		var absorbed []*mat.Dense
		for range 2 {
			h := HeadWeights{UQ: integers(rng, dh, dq, 3), UK: integers(rng, dh, dc, 3), UV: integers(rng, dv, dc, 3)}
			heads, absorbed = append(heads, h), append(absorbed, AbsorbQuery(UpQuery(cQ, h.UQ), h.UK))
		}
		sums, _ := attention.MQA(absorbed, cKV, cKV, o)
		// Scores are the same to the bit, and so are weights: what differs is the order of sums of
		// weights that sum to 1 times 12 products up to 9.
		bound := mat.NewDense(tokens, dv, nil)
		bound.Apply(func(int, int, float64) float64 { return 2 * gamma(tokens+dc+2) * dc * 9 }, bound)
		for i, h := range heads {
			want, _ := attention.Head(UpQuery(cQ, h.UQ), UpKey(cKV, h.UK), UpValue(cKV, h.UV), o)
			within(t, "o", AbsorbOutput(sums[i], h.UV), want, bound)
		}
	})

	// RoPE turns the query by its position t and the key by its own, j. The two turns meet between
	// the latents, and what is left of them is the turn by the distance.
	//
	//	(R_t qC_t)·(R_j kC_j) = cKV_jᵀ (W^UKᵀ R_{t−j} W^UQ) cQ_t
	t.Run("RoPE on these keys would put a rotation by the distance between the latents", func(t *testing.T) {
		r := eightWide.Rotation(tokens)
		scores := product(r.rows(qC), r.rows(kC).T())
		for q := range tokens {
			for k := range tokens {
				at := mat.Dot(cKV.RowView(k), product(turned(wUQ, wUK, q-k), cQ.RowView(q).(*mat.VecDense)).ColView(0))
				// Sums of up to 8·10·8·12 products up to 81: roundings of 32 steps.
				want := mat.NewDense(1, 1, []float64{at})
				bound := mat.NewDense(1, 1, []float64{gamma(64) * 8 * 10 * 8 * 12 * 81})
				within(t, "score", scores.Slice(q, q+1, k, k+1), want, bound)
			}
		}
	})

	// It is another matrix for every distance: here the one that is right for a token itself is off
	// by a quarter of its size, or more, for each of the nineteen before. Nothing fixed can be
	// absorbed; all keys of the past would be made again, and turned, for every new token.
	//
	//	W^UKᵀ R_{t−j} W^UQ ≠ W^UKᵀ R_{t′−j} W^UQ for t ≠ t′
	t.Run("but no one matrix serves two distances, so that W^UK can not be absorbed", func(t *testing.T) {
		here := AbsorbQueryWeight(wUQ, wUK)
		within(t, "distance 0", turned(wUQ, wUK, 0), here, mat.NewDense(dc, dq, nil))
		for distance := 1; distance < 20; distance++ {
			var off mat.Dense
			off.Sub(turned(wUQ, wUK, distance), here)
			if mat.Norm(&off, 2) < mat.Norm(here, 2)/4 {
				t.Errorf("distance %d: off by %v of %v", distance, mat.Norm(&off, 2), mat.Norm(here, 2))
			}
		}
	})

	// So position gets a key of its own, 64 numbers beside the latent, made from the token and
	// shared by all heads. It is turned once and cached; a score is a sum of two, one of which is
	// absorbed and the other turned.
	//
	//	q_t·k_j = q̃_t·cKV_j + qR_t·kR_j,  qR_t = R_t W^QR cQ_t,  kR_j = R_j W^KR h_j
	t.Run("a rotary key beside the latent keeps position away from what is absorbed", func(t *testing.T) {
		h, wQR, wKR := integers(rng, tokens, 7, 3), integers(rng, 8, dq, 3), integers(rng, 8, 7, 3)
		r := eightWide.Rotation(tokens)
		qR, kR := RopeQuery(cQ, wQR, r), RopeKey(h, wKR, r)
		cached := ConcatKey(cKV, kR)
		absorbed := product(ConcatQuery(AbsorbQuery(qC, wUK), qR), cached.T())
		naive := product(ConcatQuery(qC, qR), ConcatKey(kC, kR).T())
		bound := mat.NewDense(tokens, tokens, nil)
		bound.Apply(func(int, int, float64) float64 { return 2 * gamma(dc+8) * 100 * 8 * 10 * 12 }, bound)
		within(t, "scores", absorbed, naive, bound)
	})
}

// eightWide turns parts of eight elements, without anything else.
var eightWide = Config{RopeDim: 8, Base: 10000}

// turned returns W^UKᵀ R_m W^UQ.
func turned(wUQ, wUK mat.Matrix, m int) *mat.Dense {
	return product(wUK.T(), product(rope.Matrix(rope.Frequencies(8, 10000), float64(m)), wUQ))
}
