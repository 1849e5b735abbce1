package policy_test

import (
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

var modes = []policy.Aggregation{policy.TokenMean, policy.SequenceMean, policy.SequenceSum, policy.Constant}

// all returns the loss in every mode, with a constant of 8 tokens.
func all(loss, mask mat.Matrix) (losses []float64) {
	for _, how := range modes {
		losses = append(losses, policy.Aggregate(loss, policy.TokenWeights(mask, how, 8)))
	}
	return losses
}

func TestTokenWeights(t *testing.T) {
	// One token of loss 4, and four of loss 1, 2, 3, 6 with sum 12 and mean 3.
	loss := check.Matrix([]float64{4, nan, nan, nan}, []float64{1, 2, 3, 6})
	ragged := check.Matrix([]float64{1, 0, 0, 0}, []float64{1, 1, 1, 1})

	// 16/5; (4 + 3)/2; (4 + 12)/2; 16/(2·8). Divisors that are no power of two make one rounding of
	// the weight and one for each product and sum.
	t.Run("on one ragged batch the four modes give 3.2, 3.5, 8 and 1", func(t *testing.T) {
		check.NearAll(t, "loss", all(loss, ragged), []float64{3.2, 3.5, 8, 1}, 5*4*u*3.2)
	})
	t.Run("for equal lengths all means are the same, and the others that times L, and over the constant",
		func(t *testing.T) {
			loss := check.Matrix([]float64{4, 8, 1, 3}, []float64{1, 2, 3, 6})
			full := check.Matrix([]float64{1, 1, 1, 1}, []float64{1, 1, 1, 1})
			check.NearAll(t, "loss", all(loss, full), []float64{3.5, 3.5, 4 * 3.5, 4 * 3.5 / 8}, 0)
		})
	t.Run("weights of a mean sum to 1, of a sum to the mean length", rapid.MakeCheck(func(t *rapid.T) {
		n, l := rapid.IntRange(1, 5).Draw(t, "N"), rapid.IntRange(1, 6).Draw(t, "L")
		mask := mat.NewDense(n, l, nil)
		mask.Apply(func(_, _ int, _ float64) float64 { return float64(rapid.IntRange(0, 1).Draw(t, "m")) }, mask)
		var sequences float64
		for i := range n {
			if mat.Sum(mask.Slice(i, i+1, 0, l)) > 0 {
				sequences++
			}
		}
		want := []float64{0, 0, 0, 0}
		if sequences > 0 {
			length := mat.Sum(mask) / sequences
			want = []float64{1, 1, length, length / 8}
		}
		for i, how := range modes {
			check.Near(t, "Σw, "+how.String(), mat.Sum(policy.TokenWeights(mask, how, 8)), want[i], 64*u*6)
		}
	}))
	// Three rows of which one is empty: a mean over two sequences becomes one over three, and the
	// mean over tokens stays.
	t.Run("TokenWeightsOfAll counts a sequence with an empty mask, and no token of it", func(t *testing.T) {
		more := check.Matrix([]float64{4, nan, nan, nan}, []float64{nan, nan, nan, nan}, []float64{1, 2, 3, 6})
		mask := check.Matrix([]float64{1, 0, 0, 0}, []float64{0, 0, 0, 0}, []float64{1, 1, 1, 1})
		for i, want := range []float64{3.2, 3.5 * 2 / 3, 16. / 3, 2. / 3} {
			check.Near(t, modes[i].String(), policy.Aggregate(more, policy.TokenWeightsOfAll(mask, modes[i], 8)),
				want, 5*4*u*3.2)
		}
		full := check.Matrix([]float64{1, 1, 0, 1}, []float64{1, 1, 1, 1})
		for _, how := range modes {
			if !mat.Equal(policy.TokenWeightsOfAll(full, how, 8), policy.TokenWeights(full, how, 8)) {
				t.Errorf("%s: without empty sequences the two differ", how)
			}
		}
	})
	t.Run("a sequence with an empty mask does not count", func(t *testing.T) {
		more := check.Matrix([]float64{4, nan, nan, nan}, []float64{nan, nan, nan, nan}, []float64{1, 2, 3, 6})
		mask := check.Matrix([]float64{1, 0, 0, 0}, []float64{0, 0, 0, 0}, []float64{1, 1, 1, 1})
		check.NearAll(t, "loss", all(more, mask), all(loss, ragged), 0)
	})
	t.Run("a batch without tokens has weights and loss 0", func(t *testing.T) {
		none := check.Matrix([]float64{0, 0}, []float64{0, 0})
		check.NearAll(t, "loss", all(check.Matrix([]float64{nan, 1}, []float64{2, 3}), none), []float64{0, 0, 0, 0}, 0)
		for _, how := range modes {
			if w := policy.TokenWeights(none, how, 0); !mat.Equal(w, none) {
				t.Errorf("%v: weights %v, want zeros", how, w)
			}
			if r, c := policy.TokenWeights(&mat.Dense{}, how, 8).Dims(); r != 0 || c != 0 {
				t.Errorf("%v: [%d %d] weights of an empty batch", how, r, c)
			}
		}
	})
	// Batches of 1 and 4 tokens: (4/1 + 12/4)/2 for 16/5.
	t.Run("the mean of the micro-batches' token means is not the batch's token mean", func(t *testing.T) {
		var sum float64
		for i := range 2 {
			l, m := loss.Slice(i, i+1, 0, 4), ragged.Slice(i, i+1, 0, 4)
			sum += policy.Aggregate(l, policy.TokenWeights(m, policy.TokenMean, 0)) / 2
		}
		check.Near(t, "mean of means", sum, 3.5, 0)
		check.Near(t, "mean", all(loss, ragged)[0], 3.2, 5*4*u*3.2)
	})
	t.Run("packing sequences into one row changes all but the token mean", func(t *testing.T) {
		packed := check.Matrix([]float64{4, 1, 2, 3, 6})
		check.NearAll(t, "loss", all(packed, check.Matrix([]float64{1, 1, 1, 1, 1})),
			[]float64{3.2, 3.2, 16, 2}, 5*4*u*3.2)
	})
	t.Run("where in the row the tokens stand does not matter", func(t *testing.T) {
		check.NearAll(
			t, "loss",
			all(
				check.Matrix([]float64{nan, nan, 4, nan}, []float64{1, 2, 3, 6}),
				check.Matrix([]float64{0, 0, 1, 0}, []float64{1, 1, 1, 1}),
			),
			all(loss, ragged), 0,
		)
	})
}

func TestAggregate(t *testing.T) {
	t.Run("a token of weight 0 is left out, even a NaN", func(t *testing.T) {
		check.Near(t, "loss",
			policy.Aggregate(check.Matrix([]float64{3, nan, inf}), check.Matrix([]float64{0.5, 0, 0})), 1.5, 0)
		check.NaN(t, "loss", policy.Aggregate(check.Matrix([]float64{3, nan}), check.Matrix([]float64{0.5, 0.5})))
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		check.Panics(t, "policy: shapes of losses and weights differ", func() {
			policy.Aggregate(check.Matrix([]float64{1, 2}), check.Matrix([]float64{1}))
		})
		row, rows := check.Matrix([]float64{1, 2}), check.Matrix([]float64{1, 2}, []float64{3, 4})
		check.Panics(t, "policy: shapes of losses and weights differ", func() { policy.Aggregate(rows, row) })
		check.Panics(t, "policy: shapes of losses and weights differ", func() { policy.Aggregate(row, rows) })
		check.Panics(t, "policy: shapes of losses and weights differ", func() { policy.AggregateBackward(rows, row) })
	})
}

func TestAggregateBackward(t *testing.T) {
	t.Run("it is the derivative of Aggregate, through the loss of each token", func(t *testing.T) {
		mask := check.Matrix([]float64{1, 0, 1}, []float64{1, 0, 0})
		l := []float64{-1, nan, -2.5, -0.5, 1, 2}
		ref := -1.25
		for _, how := range modes {
			w := policy.TokenWeights(mask, how, 8)
			loss, dloss := mat.NewDense(2, 3, nil), mat.NewDense(2, 3, nil)
			total := func(l []float64) float64 {
				loss.Apply(func(i, t int, _ float64) float64 { return policy.K3(l[3*i+t], ref) }, loss)
				return policy.Aggregate(loss, w)
			}
			dloss.Apply(func(i, t int, _ float64) float64 { return policy.K3Backward(l[3*i+t], ref) }, dloss)
			check.NearAll(t, how.String(), policy.AggregateBackward(dloss, w).RawMatrix().Data,
				check.Gradient(total, l), stepBound)
		}
	})
}

func TestSum(t *testing.T) {
	weights := check.Matrix([]float64{0.5, 0, 0.25}, []float64{0, 0.125, 0})
	token := func(i, t int) (loss, dlogprob float64) { return float64(3*i + t), -float64(8 * (3*i + t)) }
	t.Run("it is Aggregate of the losses and AggregateBackward of the derivatives", func(t *testing.T) {
		loss, d := policy.Sum(weights, token)
		check.Near(t, "loss", loss, 0.25*2+0.125*4, 0)
		check.NearAll(t, "gradient", d.RawMatrix().Data, []float64{0, 0, -4, 0, -4, 0}, 0)
	})
	t.Run("tokens of weight 0 are not asked for", func(t *testing.T) {
		asked := 0
		policy.Sum(weights, func(i, t int) (float64, float64) { asked++; return token(i, t) })
		check.Near(t, "tokens", float64(asked), 3, 0)
	})
}

func TestAggregation(t *testing.T) {
	t.Run("its names are those of recordings", func(t *testing.T) {
		for how, want := range map[policy.Aggregation]string{policy.TokenMean: "token_mean",
			policy.SequenceMean: "sequence_mean",
			policy.SequenceSum:  "sequence_sum", policy.Constant: "constant", -1: "unknown"} {
			if how.String() != want {
				t.Errorf("%d is %q, want %q", int(how), how, want)
			}
		}
	})
}
