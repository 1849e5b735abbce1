package grpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/num/dual"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

// gppoLiteral returns −min(δA, clip(δ, ((1−ε_l)/sg(δ))δ, ((1+ε_h)/sg(δ))δ)A) as a dual number with
// its derivative for log δ.
func gppoLiteral(r, advantage float64) dual.Number {
	delta := dual.Exp(variable(math.Log(r)))
	below := dual.Mul(over(dual.Number{Real: 1 - low}, sg(delta)), delta)
	above := dual.Mul(over(dual.Number{Real: 1 + high}, sg(delta)), delta)
	clipped := least(most(delta, below), above)
	return dual.Scale(-1, least(dual.Scale(advantage, delta), dual.Scale(advantage, clipped)))
}

// gppoScaledLiteral is the general form, branch by branch, as a dual number with its derivative for
// log δ.
func gppoScaledLiteral(r, advantage, beta1, beta2 float64) dual.Number {
	delta := dual.Exp(variable(math.Log(r)))
	factor := dual.Number{Real: 1}
	switch {
	case r < 1-low && advantage < 0:
		factor = over(dual.Number{Real: beta1 * (1 - low)}, sg(delta))
	case r > 1+high && advantage > 0:
		factor = over(dual.Number{Real: beta2 * (1 + high)}, sg(delta))
	}
	return dual.Scale(-advantage, dual.Mul(factor, delta))
}

// gppo is GPPO with the paper's bounds.
func gppo(r, advantage float64) (loss, dlogratio float64) { return GPPO(r, advantage, low, high) }

func TestGPPO(t *testing.T) {
	t.Run("it is equation 11 with its stop-gradients, by dual numbers, on both sides of both bounds",
		func(t *testing.T) {
			for _, c := range corners() {
				loss, d := gppo(c.r, c.advantage)
				want := gppoLiteral(c.r, c.advantage)
				check.Near(t, "loss", loss, want.Real, 16*u*math.Abs(loss))
				check.Near(t, "derivative", d, want.Emag, 16*u*math.Abs(d))
			}
		})
	t.Run("its gradient is the table of equation 12: 1−ε_l, 1+ε_h, or the ratio", func(t *testing.T) {
		for _, c := range []struct{ r, a, f float64 }{
			{0.5, 1, 0.5}, {0.5, -1, 0.8}, {1.5, 1, 1.28}, {1.5, -1, 1.5},
			{0.7999, 1, 0.7999}, {0.7999, -1, 0.8}, {0.8001, -1, 0.8001}, {0.8001, 1, 0.8001},
			{1.2799, 1, 1.2799}, {1.2801, 1, 1.28}, {1.2801, -1, 1.2801}, {0.8, -1, 0.8}, {1.28, 1, 1.28}, {1, 1, 1},
			{1, -1, 1},
		} {
			check.Near(t, "F", -slope(gppo(c.r, c.a))/c.a, c.f, 0)
		}
	})
	t.Run("its loss is that of clip-higher, whatever ratio and advantage", rapid.MakeCheck(func(t *rapid.T) {
		r, a := rapid.Float64Range(0, 10).Draw(t, "r"), rapid.Float64Range(-3, 3).Draw(t, "A")
		loss, _ := gppo(r, a)
		want, _ := clipHigher(r, a)
		check.Near(t, "loss", loss, want, 0)
	}))
	t.Run("finite differences of the loss show the clipped gradient, not this one", func(t *testing.T) {
		loss := func(x []float64) float64 { l, _ := gppo(math.Exp(x[0]), 1); return l }
		check.Near(t, "difference", check.Gradient(loss, []float64{math.Log(1.5)})[0], 0, 0)
		check.Near(t, "gradient", slope(gppo(1.5, 1)), -1.28, 0)
	})
	t.Run("no token is without gradient", rapid.MakeCheck(func(t *rapid.T) {
		r, a := rapid.Float64Range(0.001, 10).Draw(t, "r"), rapid.Float64Range(0.001, 3).Draw(t, "|A|")
		for _, a := range []float64{a, -a} {
			if d := slope(gppo(r, a)); d*a >= 0 {
				t.Errorf("r = %v, A = %v: %v", r, a, d)
			}
		}
	}))
	t.Run("its code has a dual clip that the paper has not: no gradient for A < 0 beyond 3", func(t *testing.T) {
		for _, c := range []struct{ r, paper, code float64 }{{2.9, 2.9, 2.9}, {3.1, 3.1, 0}, {20, 20, 0}} {
			loss, d := gppo(c.r, -1)
			check.Near(t, "paper", d, c.paper, 0)
			check.Near(t, "code", slope(policy.Bounded(loss, d, -1, 3)), c.code, 0)
		}
	})
}

func TestGPPOScaled(t *testing.T) {
	t.Run("it is equation 17 with its stop-gradients, by dual numbers, on both sides of both bounds",
		func(t *testing.T) {
			for _, beta := range [][2]float64{{1, 1}, {0.25, 1}, {0.5, 2}, {0, 0}} {
				for _, c := range corners() {
					loss, d := GPPOScaled(c.r, c.advantage, low, high, beta[0], beta[1])
					want := gppoScaledLiteral(c.r, c.advantage, beta[0], beta[1])
					check.Near(t, "loss", loss, want.Real, 8*u*math.Abs(loss))
					check.Near(t, "derivative", d, want.Emag, 8*u*math.Abs(d))
				}
			}
		})
	t.Run("its gradient is the table of equation 18", func(t *testing.T) {
		for _, c := range []struct{ r, a, f float64 }{
			{0.5, 1, 0.5}, {0.5, -1, 0.25 * 0.8}, {1.5, 1, 0.5 * 1.28}, {1.5, -1, 1.5}, {1, 1, 1}, {0.8, -1, 0.8},
			{1.28, 1, 1.28},
		} {
			check.Near(t, "F", -slope(GPPOScaled(c.r, c.a, low, high, 0.25, 0.5))/c.a, c.f, 0)
		}
	})
	t.Run("with both weights 1 it is GPPO", func(t *testing.T) {
		for _, c := range corners() {
			loss, d := GPPOScaled(c.r, c.advantage, low, high, 1, 1)
			want, dwant := gppo(c.r, c.advantage)
			check.Near(t, "loss", loss, want, 0)
			check.Near(t, "derivative", d, dwant, 0)
		}
	})
	t.Run("with both 0 its gradient is clip-higher's, and its loss is not", func(t *testing.T) {
		for _, c := range corners() {
			loss, d := GPPOScaled(c.r, c.advantage, low, high, 0, 0)
			want, dwant := clipHigher(c.r, c.advantage)
			check.Near(t, "derivative", d, dwant, 0)
			if dwant == 0 {
				check.Near(t, "loss", loss, 0, 0)
				check.Apart(t, "clip-higher's", want, 0, 0.3)
			}
		}
	})
}

func TestKlearLoss(t *testing.T) {
	w := newWorld(ragged, 1)
	b, right := w.batch(policy.TokenMean), []bool{true, false, false, true} // 2 and 5 of 16 tokens

	t.Run("a token is pushed by −FA/16, and one of a right output by −α/7 more", func(t *testing.T) {
		_, got := b.KlearLoss(right, low, high, 0.1)
		for i, length := range ragged {
			for t0 := range length {
				r := policy.Ratio(w.logprob.At(i, t0), w.old.At(i, t0), 0)
				want := slope(gppo(r, b.Advantage.At(i, t0))) / 16
				if right[i] {
					want -= 0.1 / 7
				}
				check.Near(t, "dlogprob", got.At(i, t0), want, 16*u)
			}
		}
	})
	t.Run("its loss is GPPO's and a tenth of the mean of −log π over right outputs", func(t *testing.T) {
		loss, _ := b.KlearLoss(right, low, high, 0.1)
		want, _ := b.TokenLoss(gppo)
		for i, length := range ragged {
			for t0 := range length {
				if right[i] {
					want -= 0.1 * w.logprob.At(i, t0) / 7
				}
			}
		}
		check.Near(t, "loss", loss, want, 64*u)
	})
	t.Run("the gradient of the second term is the gradient, and reaches no token of a wrong output",
		func(t *testing.T) {
			_, got := b.LMLoss(right)
			want := check.Gradient(func(x []float64) float64 {
				b := b
				b.LogProb = mat.NewDense(4, 6, x)
				loss, _ := b.LMLoss(right)
				return loss
			}, append([]float64{}, w.logprob.RawMatrix().Data...))
			check.NearAll(t, "dlogprob", got.RawMatrix().Data, want, check.DifferenceBound(4, 16))
			check.Near(t, "wrong output", got.At(1, 0), 0, 0)
		})
	t.Run("without a right output, or with α = 0, it is GPPO's", func(t *testing.T) {
		want, dwant := b.TokenLoss(gppo)
		loss, d := b.KlearLoss(make([]bool, 4), low, high, 0.1)
		check.Near(t, "none right", loss, want, 0)
		check.NearMatrix(t, "none right", d, dwant, 0)
		loss, d = b.KlearLoss(right, low, high, 0)
		check.Near(t, "α = 0", loss, want, 0)
		check.NearMatrix(t, "α = 0", d, dwant, 0)
	})
	t.Run("the mask is left as it is, and there has to be a word for each output", func(t *testing.T) {
		var none mat.Dense
		loss, d := Batch{
			LogProb: &none, Old: &none, Advantage: &none, Mask: &none, Weights: &none,
		}.KlearLoss(nil, low, high, 0.1)
		if r, c := d.Dims(); loss != 0 || r != 0 || c != 0 {
			t.Errorf("without outputs: got %v and [%d × %d]", loss, r, c)
		}
		b.LMLoss(right)
		check.NearMatrix(t, "mask", b.Mask, newWorld(ragged, 1).mask, 0)
		check.Panics(t, badBatch, func() { b.LMLoss(right[:3]) })
	})
}

func TestLM(t *testing.T) {
	t.Run("its derivative is −1 for every token, the printed one's −π", func(t *testing.T) {
		for _, logprob := range []float64{-10, -1, -0.01} {
			loss, d := LM(logprob)
			check.Near(t, "loss", loss, -logprob, 0)
			check.Near(t, "derivative", d, -1, 0)
			loss, d = LMPrinted(logprob)
			check.Near(t, "printed loss", loss, -math.Exp(logprob), 0)
			check.Near(t, "printed derivative", d, check.Gradient(func(x []float64) float64 {
				l, _ := LMPrinted(x[0])
				return l
			}, []float64{logprob})[0], check.DifferenceBound(1, 4))
		}
	})
	t.Run("without the logarithm a token of probability 1/1000 is hardly learnt", func(t *testing.T) {
		_, with := LM(math.Log(0.001))
		_, without := LMPrinted(math.Log(0.001))
		check.Near(t, "ratio", without/with, 0.001, 1e-17)
	})
	t.Run("a token of probability one costs nothing, and −1 as printed", func(t *testing.T) {
		loss, _ := LM(0)
		check.Near(t, "loss", loss, 0, 0)
		loss, _ = LMPrinted(0)
		check.Near(t, "printed", loss, -1, 0)
	})
}
