package grpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
)

// perToken returns advantages that differ from token to token.
func perToken() *mat.Dense { return mat.NewDense(4, 6, check.Random(31, 24, 2)) }

// batchLoss is a method of Batch.
type batchLoss func(policy.RatioLoss) (float64, *mat.Dense)

func TestSequenceLoss(t *testing.T) {
	t.Run("it is the mean over outputs of GSPO, value and gradient", func(t *testing.T) {
		w := newWorld(ragged, 0.6)
		loss, d := w.batch(policy.SequenceMean).SequenceLoss(clipEven)
		var total float64
		for i, a := range Normalize(w.rewards, Population, 0) {
			l, want := GSPO(w.logprob.RawRowView(i), w.old.RawRowView(i), w.mask.RawRowView(i), a, 0.2, 0.2)
			total += l / 4
			for t0 := range want {
				check.Near(t, "dlogprob", d.At(i, t0), want[t0]/4, 8*u)
			}
		}
		check.Near(t, "loss", loss, total, 16*u)
	})
	t.Run("with advantages of tokens its gradient is still that of its loss, GSPO-token's is not", func(t *testing.T) {
		for _, how := range []policy.Aggregation{
			policy.TokenMean, policy.SequenceMean, policy.SequenceSum, policy.Constant,
		} {
			w := newWorld(ragged, 0.6)
			b := w.batch(how)
			b.Advantage = perToken()
			_, got := b.SequenceLoss(clipEven)
			want := check.Gradient(func(x []float64) float64 {
				b.LogProb = mat.NewDense(4, 6, x)
				l, _ := b.SequenceLoss(clipEven)
				return l
			}, append([]float64{}, w.logprob.RawMatrix().Data...))
			check.NearAll(t, how.String(), got.RawMatrix().Data, want, check.DifferenceBound(12, 4))
			b.LogProb = w.logprob
			_, token := b.SequenceTokenLoss(clipEven)
			check.Apart(t, how.String(), token.At(1, 0), got.At(1, 0), 1e-3)
			check.Near(t, "sum over an output", mat.Sum(token.RowView(1)), mat.Sum(got.RowView(1)), 64*u)
		}
	})
	t.Run("an output whose loss is repeated for its tokens and summed counts |o| times", func(t *testing.T) {
		w := newWorld(ragged, 0)
		_, mean := w.batch(policy.SequenceMean).SequenceLoss(clipEven)
		_, repeated := w.batch(policy.SequenceSum).SequenceLoss(clipEven)
		for i, length := range ragged {
			check.Near(t, "gradient", repeated.At(i, 0), float64(length)*mean.At(i, 0), 8*u)
		}
	})
}

func TestSequenceTokenLoss(t *testing.T) {
	t.Run("it is the mean over outputs of GSPO-token, value and gradient", func(t *testing.T) {
		w := newWorld(ragged, 0.6)
		b := w.batch(policy.SequenceMean)
		b.Advantage = perToken()
		loss, d := b.SequenceTokenLoss(clipEven)
		var total float64
		for i := range ragged {
			a := mat.Row(nil, i, b.Advantage)
			l, want := GSPOToken(w.logprob.RawRowView(i), w.old.RawRowView(i), a, w.mask.RawRowView(i), 0.2, 0.2)
			total += l / 4
			for t0 := range want {
				check.Near(t, "dlogprob", d.At(i, t0), want[t0]/4, 8*u)
			}
		}
		check.Near(t, "loss", loss, total, 16*u)
	})
}

// limited returns one output of two tokens with log-ratios of 0.5 and −3, limited to 1, whose mean
// is −1.25.
func limited() Batch {
	return Batch{
		LogProb: mat.NewDense(1, 2, []float64{-1, -4}), Old: mat.NewDense(
			1, 2, []float64{-1.5, -1},
		), Advantage: mat.NewDense(1, 2, []float64{1, 1}),
		Mask: mat.NewDense(1, 2, []float64{1, 1}), Weights: mat.NewDense(1, 2, []float64{0.5, 0.5}), Limit: 1,
	}
}

func TestLimit(t *testing.T) {
	t.Run("a token beyond the limit has the limit's ratio and no gradient", func(t *testing.T) {
		loss, d := limited().TokenLoss(policy.Unclipped)
		check.Near(t, "loss", loss, -(math.Exp(0.5)+math.Exp(-1))/2, 4*u)
		check.NearAll(t, "dlogprob", d.RawMatrix().Data, []float64{-math.Exp(0.5) / 2, 0}, 4*u)
	})
	t.Run("an output beyond the limit has the limit's ratio and no gradient", func(t *testing.T) {
		for _, f := range []batchLoss{limited().SequenceLoss, limited().SequenceTokenLoss} {
			loss, d := f(policy.Unclipped)
			check.Near(t, "loss", loss, -math.Exp(-1), 4*u)
			check.NearAll(t, "dlogprob", d.RawMatrix().Data, []float64{0, 0}, 0)
		}
	})
	t.Run("CISPO's weight is limited, its gradient goes on", func(t *testing.T) {
		b := limited()
		_, d := b.WeightedLoss(b.TokenRatios(), func(r, logprob, a float64) (float64, float64) {
			return CISPOUpper(r, logprob, a, 4)
		})
		check.NearAll(t, "dlogprob", d.RawMatrix().Data, []float64{-math.Exp(0.5) / 2, -math.Exp(-1) / 2}, 4*u)
	})
	t.Run("log-ratios of a thousand are finite within a limit of 20", func(t *testing.T) {
		b := limited()
		b.LogProb, b.Limit = mat.NewDense(1, 2, []float64{1000, -1000}), 20
		loss, _ := b.TokenLoss(policy.Unclipped)
		check.Near(t, "loss", loss, -(math.Exp(20)+math.Exp(-20))/2, 4*u*math.Exp(20))
	})
}

func TestWeightedLoss(t *testing.T) {
	t.Run("with ratios of outputs CISPO weighs all tokens of an output alike", func(t *testing.T) {
		w := newWorld(ragged, 0.6)
		b := w.batch(policy.SequenceMean)
		ratios := b.SequenceRatios()
		_, d := b.WeightedLoss(ratios, func(r, logprob, a float64) (float64, float64) {
			return CISPO(r, logprob, a, low, high)
		})
		for i, length := range ragged {
			s := policy.SequenceRatio(w.logprob.RawRowView(i), w.old.RawRowView(i), w.mask.RawRowView(i), 0)
			want := -min(max(s, 1-low), 1+high) * b.Advantage.At(i, 0) / float64(4*length)
			for t0 := range length {
				check.Near(t, "dlogprob", d.At(i, t0), want, 8*u)
			}
		}
	})
}

func TestRatios(t *testing.T) {
	w := newWorld(ragged, 0.6)
	b := w.batch(policy.TokenMean)
	token, sequence := b.TokenRatios(), b.SequenceRatios()
	t.Run("an output's is the geometric mean of its tokens'", func(t *testing.T) {
		for i, length := range ragged {
			product := 1.0
			for t0 := range length {
				product *= token.At(i, t0)
			}
			check.Near(t, "s", sequence.At(i, length-1), math.Pow(product, 1/float64(length)), 32*u)
		}
	})
	t.Run("outside the mask they are one", func(t *testing.T) {
		check.Near(t, "r", token.At(0, 5), 1, 0)
		check.Near(t, "s", sequence.At(0, 5), 1, 0)
	})
}

// k3 is policy.K3 with its derivative.
func k3(logprob, ref float64) (kl, dlogprob float64) {
	return policy.K3(logprob, ref), policy.K3Backward(logprob, ref)
}

func TestDivergence(t *testing.T) {
	w := newWorld(ragged, 0.6)
	b := w.batch(policy.SequenceMean)
	t.Run("its gradient is the gradient, and with TokenLoss it is GRPO token by token", func(t *testing.T) {
		surrogate, dsurrogate := b.TokenLoss(clipEven)
		kl, dkl := b.Divergence(w.ref, k3)
		loss, d := b.sum(func(i, t int) (float64, float64) {
			p := w.logprob.At(i, t)
			return GRPO(policy.Ratio(p, w.old.At(i, t), 0), b.Advantage.At(i, t), p, w.ref.At(i, t), 0.2, 0.04)
		})
		check.Near(t, "loss", surrogate+0.04*kl, loss, 32*u)
		var total mat.Dense
		total.Scale(0.04, dkl)
		total.Add(&total, dsurrogate)
		check.NearMatrix(t, "gradient", &total, d, 8*u)
		want := check.Gradient(func(x []float64) float64 {
			b := b
			b.LogProb = mat.NewDense(4, 6, x)
			l, _ := b.Divergence(w.ref, k3)
			return l
		}, append([]float64{}, w.logprob.RawMatrix().Data...))
		check.NearAll(t, "dkl", dkl.RawMatrix().Data, want, check.DifferenceBound(20, 4))
	})
	t.Run("inside the mean over tokens and outside it are one for outputs equally long, not for ragged ones",
		func(t *testing.T) {
			for _, lengths := range [][]int{even, ragged} {
				w := newWorld(lengths, 0)
				inside, _ := w.batch(policy.SequenceMean).Divergence(w.ref, k3)
				outside, _ := w.batch(policy.TokenMean).Divergence(w.ref, k3)
				if lengths[0] == even[0] {
					check.Near(t, "even", inside, outside, 32*u)
				} else {
					check.Apart(t, "ragged", inside, outside, 0.05)
				}
			}
		})
}

func TestMask(t *testing.T) {
	poisoned := newWorld([]int{2, 0, 3, 5}, 0.6)
	clean := newWorld([]int{2, 0, 3, 5}, 0.6)
	for i := range 4 {
		for t0 := range 6 {
			if poisoned.mask.At(i, t0) == 0 {
				poisoned.logprob.Set(i, t0, math.NaN())
				poisoned.old.Set(i, t0, math.NaN())
				poisoned.ref.Set(i, t0, math.NaN())
			}
		}
	}
	t.Run("what it leaves out reaches no loss and no gradient, a NaN neither", func(t *testing.T) {
		for _, o := range objectives {
			loss, d := o.loss(poisoned)
			want, dwant := o.loss(clean)
			check.Near(t, o.name, loss, want, 0)
			check.NearMatrix(t, o.name, d, dwant, 0)
		}
	})
	t.Run("an output without tokens counts in no mean", func(t *testing.T) {
		w := newWorld([]int{2, 0, 3, 5}, 0.6)
		b := w.batch(policy.SequenceMean)
		loss, _ := b.TokenLoss(clipEven)
		var want float64
		for _, i := range []int{0, 2, 3} {
			row := Batch{
				LogProb: w.logprob.Slice(i, i+1, 0, 6), Old: w.old.Slice(i, i+1, 0, 6),
				Mask:      w.mask.Slice(i, i+1, 0, 6),
				Advantage: b.Advantage.(*mat.Dense).Slice(i, i+1, 0, 6), Weights: policy.TokenWeights(
					w.mask.Slice(i, i+1, 0, 6), policy.SequenceMean, 0,
				),
			}
			l, _ := row.TokenLoss(clipEven)
			want += l / 3
		}
		check.Near(t, "loss", loss, want, 16*u)
	})
	t.Run("a batch without outputs has loss 0", func(t *testing.T) {
		var none mat.Dense
		b := Batch{LogProb: &none, Old: &none, Advantage: &none, Mask: &none, Weights: &none}
		for _, f := range []batchLoss{b.TokenLoss, b.SequenceLoss, b.SequenceTokenLoss} {
			loss, d := f(policy.Unclipped)
			if r, c := d.Dims(); loss != 0 || r != 0 || c != 0 {
				t.Errorf("got %v and [%d × %d]", loss, r, c)
			}
		}
	})
	t.Run("shapes that differ in rows alone are refused", func(t *testing.T) {
		b := limited()
		rows, cols := b.Mask.Dims()
		b.Old = mat.NewDense(rows+1, cols, nil)
		check.Panics(t, badBatch, func() { b.TokenLoss(policy.Unclipped) })
	})
	t.Run("shapes that differ are refused", func(t *testing.T) {
		other := mat.NewDense(1, 3, nil)
		for name, spoil := range map[string]func(b *Batch){
			"logprob": func(b *Batch) { b.LogProb = other }, "old": func(b *Batch) { b.Old = other },
			"advantage": func(b *Batch) { b.Advantage = other }, "weights": func(b *Batch) { b.Weights = other },
			"mask": func(b *Batch) { b.Mask = other },
		} {
			t.Run(name, func(t *testing.T) {
				b := limited()
				spoil(&b)
				check.Panics(t, badBatch, func() { b.TokenLoss(policy.Unclipped) })
				check.Panics(t, badBatch, func() { b.SequenceLoss(policy.Unclipped) })
				check.Panics(t, badBatch, func() { b.SequenceTokenLoss(policy.Unclipped) })
				check.Panics(t, badBatch, func() { b.SequenceRatios() })
			})
		}
		check.Panics(t, badBatch, func() { limited().Divergence(other, k3) })
		check.Panics(t, badBatch, func() { limited().WeightedLoss(other, nil) })
	})
}
