package policy_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
)

const ignored = -100

// head is a small model's last layer: 5 rows of width 3, of which one counts nowhere, and 7 tokens.
func head() (hidden, weight *mat.Dense, targets []int) {
	return mat.NewDense(5, 3, check.Random(40, 15, 1)), mat.NewDense(7, 3, check.Random(41, 21, 1)),
		[]int{6, 0, ignored, 3, 3}
}

func TestCrossEntropy(t *testing.T) {
	// −log softmax(0)_y = log V.
	t.Run("with equal logits it is the logarithm of the vocabulary", func(t *testing.T) {
		check.Near(t, "ℓ of DeepSeek-V3", policy.CrossEntropy(make([]float64, 129280), 7, 1), 11.7697359, 5e-8)
		check.Near(t, "ℓ of DeepSeek-V2", policy.CrossEntropy(make([]float64, 102400), 7, 1), 11.5366420, 5e-8)
		check.Near(t, "ℓ of one token", policy.CrossEntropy([]float64{-3}, 0, 1), 0, 0)
	})
	// log(1 + e^{−40}) = e^{−40} − …
	t.Run("of a target that is all but sure it keeps its digits", func(t *testing.T) {
		check.Near(t, "ℓ", policy.CrossEntropy([]float64{0, -40}, 0, 1), math.Exp(-40), 8*u*math.Exp(-40))
	})
	t.Run("of a target that is excluded it is infinite", func(t *testing.T) {
		check.Near(t, "ℓ", policy.CrossEntropy([]float64{0, -inf}, 1, 1), inf, 0)
	})
}

func TestCrossEntropyBackward(t *testing.T) {
	t.Run("it is the derivative of CrossEntropy", func(t *testing.T) {
		z := logits(42, 6)
		for _, temperature := range []float64{1, 0.6} {
			want := check.Gradient(func(z []float64) float64 { return policy.CrossEntropy(z, 2, temperature) }, z)
			check.NearAll(t, "∇ℓ", policy.CrossEntropyBackward(z, 2, temperature), want, stepBound)
		}
	})
	// p = (½, ½): p − onehot.
	t.Run("for two equal logits it is minus a half for the target and a half for the other", func(t *testing.T) {
		check.NearAll(t, "∇ℓ", policy.CrossEntropyBackward([]float64{1, 1}, 0, 1), []float64{-0.5, 0.5}, 2*u)
	})
}

func TestLinearCrossEntropy(t *testing.T) {
	hidden, weight, targets := head()
	t.Run("of hidden states of 0 the mean is log V, whatever the head", func(t *testing.T) {
		got := policy.LinearCrossEntropyMean(mat.NewDense(5, 3, nil), weight, targets, ignored, 1)
		check.Near(t, "loss", got, math.Log(7), 8*u)
	})
	// With the unit matrix for a head the hidden states are the logits.
	t.Run("with a head that changes nothing it is the cross-entropy of its rows", func(t *testing.T) {
		unit, z := mat.NewDiagDense(3, []float64{1, 1, 1}), hidden.RawRowView(1)
		got := policy.LinearCrossEntropySum(hidden.Slice(1, 2, 0, 3), unit, []int{2}, ignored, 0.6)
		check.Near(t, "loss", got, policy.CrossEntropy(z, 2, 0.6), 0)
	})
	// Four of five rows count: dividing by N instead makes it 4/5 of what it is.
	t.Run("the mean divides by the rows that count, not by all", func(t *testing.T) {
		sum := policy.LinearCrossEntropySum(hidden, weight, targets, ignored, 1)
		mean := policy.LinearCrossEntropyMean(hidden, weight, targets, ignored, 1)
		check.Near(t, "loss", mean, sum/4, 0)
		check.Apart(t, "loss", mean, sum/5, 0.1)
	})
	t.Run("a row that is ignored may hold anything", func(t *testing.T) {
		poisoned := mat.DenseCopyOf(hidden)
		poisoned.SetRow(2, []float64{nan, inf, nan})
		check.Near(t, "loss", policy.LinearCrossEntropySum(poisoned, weight, targets, ignored, 1),
			policy.LinearCrossEntropySum(hidden, weight, targets, ignored, 1), 0)
		dhidden, dweight := policy.LinearCrossEntropySumBackward(poisoned, weight, targets, ignored, 1)
		want, dwant := policy.LinearCrossEntropySumBackward(hidden, weight, targets, ignored, 1)
		check.NearMatrix(t, "dh", dhidden, want, 0)
		check.NearMatrix(t, "dW", dweight, dwant, 0)
	})
	t.Run("where nothing counts the sum is 0, the mean 0/0, and no gradient is left", func(t *testing.T) {
		none := []int{ignored, ignored, ignored, ignored, ignored}
		check.Near(t, "sum", policy.LinearCrossEntropySum(hidden, weight, none, ignored, 1), 0, 0)
		check.NaN(t, "mean", policy.LinearCrossEntropyMean(hidden, weight, none, ignored, 1))
		dhidden, dweight := policy.LinearCrossEntropyMeanBackward(hidden, weight, none, ignored, 1)
		check.NearMatrix(t, "dh", dhidden, mat.NewDense(5, 3, nil), 0)
		check.NearMatrix(t, "dW", dweight, mat.NewDense(7, 3, nil), 0)
	})
	t.Run("shapes and targets that do not fit are refused", func(t *testing.T) {
		check.Panics(t, "policy: hidden, weight and targets do not fit", func() {
			policy.LinearCrossEntropySum(hidden, weight, targets[1:], ignored, 1)
		})
		check.Panics(t, "policy: a target is no token of the vocabulary", func() {
			policy.LinearCrossEntropySum(hidden, weight, []int{0, 1, 2, 3, 7}, ignored, 1)
		})
		check.Panics(t, "policy: a target is no token of the vocabulary", func() {
			policy.LinearCrossEntropySum(hidden, weight, targets, -1, 1)
		})
	})
}

func TestLinearCrossEntropyBackward(t *testing.T) {
	hidden, weight, targets := head()
	t.Run("they are the derivatives of the mean, and of the sum", func(t *testing.T) {
		for _, temperature := range []float64{1, 0.6} {
			dhidden, dweight := policy.LinearCrossEntropyMeanBackward(hidden, weight, targets, ignored, temperature)
			checkSlopes(t, "mean", hidden, dhidden, 32, func(h mat.Matrix) float64 {
				return policy.LinearCrossEntropyMean(h, weight, targets, ignored, temperature)
			})
			checkSlopes(t, "mean", weight, dweight, 32, func(w mat.Matrix) float64 {
				return policy.LinearCrossEntropyMean(hidden, w, targets, ignored, temperature)
			})
		}
		dhidden, dweight := policy.LinearCrossEntropySumBackward(hidden, weight, targets, ignored, 1)
		checkSlopes(t, "sum", hidden, dhidden, 64, func(h mat.Matrix) float64 {
			return policy.LinearCrossEntropySum(h, weight, targets, ignored, 1)
		})
		checkSlopes(t, "sum", weight, dweight, 64, func(w mat.Matrix) float64 {
			return policy.LinearCrossEntropySum(hidden, w, targets, ignored, 1)
		})
	})
	// Σ_j dz_j = 0 in every row, so that Σ_j dW_j = Σ_n (Σ_j dz_nj) h_n = 0.
	t.Run("the gradients of the head sum to 0 over the vocabulary", func(t *testing.T) {
		_, dweight := policy.LinearCrossEntropySumBackward(hidden, weight, targets, ignored, 1)
		for c := range 3 {
			check.Near(t, "Σ dW", mat.Sum(dweight.ColView(c)), 0, 64*u)
		}
	})
	// A kernel that takes the rows in chunks adds up the gradients of the head.
	t.Run("chunks of rows add up: the gradient of the head is no mean", func(t *testing.T) {
		_, whole := policy.LinearCrossEntropySumBackward(hidden, weight, targets, ignored, 1)
		sum := mat.NewDense(7, 3, nil)
		for from := 0; from < 5; from += 2 {
			to := min(from+2, 5)
			_, part := policy.LinearCrossEntropySumBackward(
				hidden.Slice(from, to, 0, 3), weight, targets[from:to], ignored, 1,
			)
			sum.Add(sum, part)
		}
		check.NearMatrix(t, "dW", sum, whole, 16*u)
	})
}

// checkSlopes compares a gradient with differences of the loss as a function of a matrix. size is
// of values and third derivatives.
func checkSlopes(t *testing.T, what string, at, got *mat.Dense, size float64, loss func(mat.Matrix) float64) {
	t.Helper()
	rows, columns := at.Dims()
	want := check.Gradient(func(x []float64) float64 { return loss(mat.NewDense(rows, columns, x)) },
		slices.Clone(at.RawMatrix().Data))
	check.NearAll(t, "∇ "+what, got.RawMatrix().Data, want, check.DifferenceBound(size, 8))
}

func TestLogSumExpChunked(t *testing.T) {
	of := func(z []float64) func(from, to int) []float64 {
		return func(from, to int) []float64 { return slices.Clone(z[from:to]) }
	}
	// e⁰ four times; the largest is the same in every chunk.
	t.Run("of equal logits the sum is their number", func(t *testing.T) {
		m, s := policy.LogSumExpChunked(of([]float64{3, 3, 3, 3, 3}), 5, 2, 1)
		check.NearAll(t, "m, s", []float64{m, s}, []float64{3, 5}, 0)
	})
	t.Run("the largest may come in any chunk", func(t *testing.T) {
		z := logits(43, 9)
		for at := range z {
			row := slices.Clone(z)
			row[at] = 50
			for chunk := 1; chunk <= 10; chunk++ {
				m, s := policy.LogSumExpChunked(of(row), 9, chunk, 0.7)
				check.Near(t, "m", m, 50/0.7, 0)
				check.Near(t, "lse", m+math.Log(s), row[at]/0.7-policy.LogSoftmax(row, 0.7)[at], 64*u*72)
			}
		}
	})
	t.Run("chunks whose tokens are all excluded change nothing", func(t *testing.T) {
		m, s := policy.LogSumExpChunked(of([]float64{-inf, -inf, 1, -inf, -inf, 1}), 6, 2, 1)
		check.NearAll(t, "m, s", []float64{m, s}, []float64{1, 2}, 0)
		m, s = policy.LogSumExpChunked(of([]float64{-inf, -inf}), 2, 1, 1)
		check.NearAll(t, "m, s of none", []float64{m, s}, []float64{-inf, 0}, 0)
	})
	t.Run("a chunk of nothing is refused", func(t *testing.T) {
		check.Panics(t, "policy: a chunk has no tokens", func() { policy.LogSumExpChunked(of(nil), 1, 0, 1) })
	})
}

func TestLinearCrossEntropyChunked(t *testing.T) {
	hidden, weight, targets := head()
	hidden.SetRow(2, []float64{nan, nan, nan})
	t.Run("in chunks of the vocabulary it is the same", func(t *testing.T) {
		for _, temperature := range []float64{1, 0.6} {
			want := policy.LinearCrossEntropySum(hidden, weight, targets, ignored, temperature)
			dhidden, dweight := policy.LinearCrossEntropySumBackward(hidden, weight, targets, ignored, temperature)
			for chunk := 1; chunk <= 8; chunk++ {
				got := policy.LinearCrossEntropySumChunked(hidden, weight, targets, ignored, temperature, chunk)
				check.Near(t, "loss", got, want, 128*u)
				h, w := policy.LinearCrossEntropySumBackwardChunked(
					hidden, weight, targets, ignored, temperature, chunk,
				)
				check.NearMatrix(t, "dh", h, dhidden, 64*u)
				check.NearMatrix(t, "dW", w, dweight, 64*u)
			}
		}
	})
}
