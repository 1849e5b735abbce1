package ppo_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
)

// A batch of an output of three tokens and one of one, with log-ratios inside and beyond the clip,
// and rubbish outside the mask.
var (
	logprob   = check.Matrix([]float64{-1, -2, -0.5}, []float64{-3, nan, -inf})
	old       = check.Matrix([]float64{-1.5, -1.9, -0.9}, []float64{-2, 5, nan})
	advantage = check.Matrix([]float64{2, -1, -0.5}, []float64{-1.5, nan, inf})
	mask      = check.Matrix([]float64{1, 1, 1}, []float64{1, 0, 0})
)

var options = []ppo.Options{
	{Low: 0.2, High: 0.2},
	{Low: 0.2, High: 0.28, Aggregation: policy.SequenceMean},
	{Low: 0.2, High: 0.2, DualClip: 1.25, Aggregation: policy.SequenceSum},
	{Low: 0.9, High: 5, LogRatioLimit: 0.45, Aggregation: policy.Constant, Length: 16},
}

func TestLoss(t *testing.T) {
	// 1/G Σ_i 1/|o_i| Σ_t min(r A, clip(r) A), with the sign changed. The ratios are e^½, clipped
	// to 1.2 for A = 2; e^{−0.1} for A = −1; e^{0.4} for A = −½; and e^{−1}, clipped to 0.8 for A =
	// −3/2.
	t.Run("the mean over outputs of token means is DeepSeekMath's objective, to be minimised", func(t *testing.T) {
		got, d := ppo.Loss(
			logprob, old, advantage, mask, ppo.Options{Low: 0.2, High: 0.2, Aggregation: policy.SequenceMean},
		)
		first := (1.2*2 - math.Exp(-0.1) - math.Exp(0.4)*0.5) / 3
		check.Near(t, "loss", got, -(first-0.8*1.5)/2, 64*u)
		check.NearAll(t, "gradient", d.RawMatrix().Data,
			[]float64{0, math.Exp(-0.1) / 6, math.Exp(0.4) * 0.5 / 6, 0, 0, 0}, 64*u)
	})
	t.Run("at the old policy it is minus the weighted advantage, and its gradient the policy gradient",
		func(t *testing.T) {
			for _, o := range options {
				got, d := ppo.Loss(logprob, logprob, advantage, mask, o)
				w := policy.TokenWeights(mask, o.Aggregation, o.Length)
				check.Near(t, "loss", got, -policy.Aggregate(advantage, w), 16*u)
				for i := range 2 {
					for k := range 3 {
						want := 0.0
						if mask.At(i, k) != 0 {
							_, want = ppo.PolicyGradientLoss(-1, advantage.At(i, k))
							want *= w.At(i, k)
						}
						check.Near(t, "gradient", d.At(i, k), want, 4*u)
					}
				}
			}
		})
	t.Run("its gradient is its derivative, under every convention", func(t *testing.T) {
		for _, o := range options {
			_, d := ppo.Loss(logprob, old, advantage, mask, o)
			x := mat.DenseCopyOf(logprob).RawMatrix().Data
			want := check.Gradient(func(x []float64) float64 {
				loss, _ := ppo.Loss(mat.NewDense(2, 3, x), old, advantage, mask, o)
				return loss
			}, x)
			check.NearAll(t, "gradient", d.RawMatrix().Data, want, stepBound)
		}
	})
	t.Run("a limit on the log-ratio holds the loss and takes the derivative away", func(t *testing.T) {
		one := check.Matrix([]float64{1})
		loss, d := ppo.Loss(
			check.Matrix([]float64{0}), check.Matrix([]float64{-100}), check.Matrix([]float64{-1}), one,
			ppo.Options{Low: 0.2, High: 0.2, LogRatioLimit: 20},
		)
		check.Near(t, "loss", loss, math.Exp(20), 0)
		check.Near(t, "derivative", d.At(0, 0), 0, 0)
		loss, d = ppo.Loss(
			check.Matrix([]float64{0}), check.Matrix([]float64{-inf}), check.Matrix([]float64{-1}), one,
			ppo.Options{Low: 0.2, High: 0.2, DualClip: 3},
		)
		check.Near(t, "loss of an excluded token under a dual clip", loss, 3, 0)
		check.Near(t, "derivative", d.At(0, 0), 0, 0)
	})
	t.Run("a batch without tokens has loss 0 and no gradient", func(t *testing.T) {
		for _, o := range options {
			loss, d := ppo.Loss(logprob, old, advantage, mat.NewDense(2, 3, nil), o)
			check.Near(t, "loss", loss, 0, 0)
			check.NearAll(t, "gradient", d.RawMatrix().Data, make([]float64, 6), 0)
			loss, _ = ppo.Loss(&mat.Dense{}, &mat.Dense{}, &mat.Dense{}, &mat.Dense{}, o)
			check.Near(t, "loss", loss, 0, 0)
		}
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		row, rows := check.Matrix([]float64{1, 2}), check.Matrix([]float64{1, 2}, []float64{3, 4})
		for _, m := range [][4]mat.Matrix{
			{rows, row, row, row}, {row, rows, row, row}, {row, row, rows, row}, {row, row, row, rows},
		} {
			check.Panics(t, "ppo: shapes of the batch's matrices differ", func() {
				ppo.Loss(m[0], m[1], m[2], m[3], options[0])
			})
		}
		check.Panics(t, "ppo: shapes of the batch's matrices differ", func() {
			ppo.Loss(logprob, old, advantage, check.Matrix([]float64{1}), options[0])
		})
		check.Panics(t, "ppo: shapes of the batch's matrices differ", func() {
			ppo.Loss(logprob, check.Matrix([]float64{1}), advantage, mask, options[0])
		})
		check.Panics(t, "ppo: shapes of the batch's matrices differ", func() {
			ppo.Loss(logprob, old, check.Matrix([]float64{1}), mask, options[0])
		})
	})
}
