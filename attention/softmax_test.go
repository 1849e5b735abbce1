package attention_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/attention"
)

func TestSoftmax(t *testing.T) {
	rng := source(10)
	x := random(rng, 4, 6)
	x.Scale(5, x)
	p, lse := attention.Softmax(x, nil)

	// A weight is the exponential of a rounded difference below 10, over a sum of T terms.
	t.Run("the shifted form is the literal form", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(1, 9).Draw(t, "keys")
			row := mat.NewDense(1, n, rapid.SliceOfN(rapid.Float64Range(-300, 300), n, n).Draw(t, "scores"))
			p, _ := attention.Softmax(row, nil)
			same(t, "weights", p, attention.SoftmaxLiteral(row), 2*u*float64(600+n+8))
		})
	})

	t.Run("the literal form overflows where the shifted does not", func(t *testing.T) {
		large := mat.NewDense(1, 2, []float64{2000 + math.Log(3), 2000})
		p, lse := attention.Softmax(large, nil)
		same(t, "weights", p, mat.NewDense(1, 2, []float64{0.75, 0.25}), 2048*u) // ln 3 survives to 2000·u
		sameRow(t, "lse", lse, []float64{2000 + math.Log(4)}, 4096*u)
		if l := attention.SoftmaxLiteral(large); !math.IsNaN(l.At(0, 0)) {
			t.Errorf("literal weight of e^2000 is %v, want ∞/∞", l.At(0, 0))
		}
	})

	// A finite stand-in for −∞, or as the start of a running maximum, loses true scores below it.
	t.Run("scores far below any finite stand-in for −∞ still count", func(t *testing.T) {
		low := mat.NewDense(1, 3, []float64{-1e6, -1e6, -inf})
		p, lse := attention.Softmax(low, nil)
		same(t, "weights", p, mat.NewDense(1, 3, []float64{0.5, 0.5, 0}), 0)
		sameRow(t, "lse", lse, []float64{-1e6 + math.Ln2}, 1e6*u)
	})

	t.Run("weights sum to 1 and are positive", func(t *testing.T) {
		for s := range 4 {
			row := p.RawRowView(s)
			if sum := mat.Sum(p.Slice(s, s+1, 0, 6)); !near(sum, 1, 16*u) || mat.Min(p) <= 0 {
				t.Errorf("weights %v sum to %v", row, sum)
			}
		}
	})

	// e^{x+c} / Σ e^{x+c} = e^c e^x / (e^c Σ e^x). Integers, so that x+c is exact.
	t.Run("adding a constant to a row changes no weight, and adds to the lse", func(t *testing.T) {
		x := integers(rng, 3, 5)
		moved := mat.DenseCopyOf(x)
		moved.Apply(func(_, _ int, v float64) float64 { return v + 1024 }, x)
		p, lse := attention.Softmax(x, nil)
		p2, lse2 := attention.Softmax(moved, nil)
		same(t, "weights", p2, p, 0)
		for s := range lse {
			if !near(lse2[s]-1024, lse[s], 2*1024*u) {
				t.Errorf("lse %v, want 1024 more than %v", lse2[s], lse[s])
			}
		}
	})

	t.Run("the weight is the exponential of the score less the lse", func(t *testing.T) {
		for s := range 4 {
			for j := range 6 {
				if want := math.Exp(x.At(s, j) - lse[s]); !near(p.At(s, j), want, 32*u) {
					t.Errorf("weight %v, want %v", p.At(s, j), want)
				}
			}
		}
	})

	t.Run("the weighted values are the head's output", func(t *testing.T) {
		q, k, v := random(rng, 3, 4), random(rng, 5, 4), random(rng, 5, 2)
		o := attention.Options{Mask: attention.Mask{Causal: true}}
		p, _ := attention.Softmax(attention.Scores(q, k, o), nil)
		want, _ := attention.Head(q, k, v, o)
		same(t, "out", attention.Values(p, v, o), want, 0)
	})

	t.Run("a row of −∞ has weights 0 and lse −∞, where the formula has 0/0", func(t *testing.T) {
		none := mat.NewDense(1, 2, []float64{-inf, -inf})
		p, lse := attention.Softmax(none, nil)
		same(t, "weights", p, empty(1, 2), 0)
		sameRow(t, "lse", lse, []float64{-inf}, 0)
		if l := attention.SoftmaxLiteral(none); !math.IsNaN(l.At(0, 0)) {
			t.Errorf("literal weight %v, want NaN", l.At(0, 0))
		}
	})
}

func TestLogSumExp(t *testing.T) {
	t.Run("of n equal scores it is the score plus log n", func(t *testing.T) {
		sameRow(t, "lse", []float64{attention.LogSumExp([]float64{7, 7, 7, 7, 7})}, []float64{7 + math.Log(5)}, 0)
	})
	t.Run("of one score it is the score", func(t *testing.T) {
		sameRow(t, "lse", []float64{attention.LogSumExp([]float64{-3.25})}, []float64{-3.25}, 0)
	})
	t.Run("of none, or of −∞ alone, it is −∞", func(t *testing.T) {
		sameRow(t, "lse", []float64{attention.LogSumExp(nil), attention.LogSumExp([]float64{-inf})},
			[]float64{-inf, -inf}, 0)
	})
	// max ≤ lse ≤ max + log n, equal on the left as one score outgrows the rest.
	t.Run("it lies between the largest score and that plus log n", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			x := rapid.SliceOfN(rapid.Float64Range(-1e4, 1e4), 1, 9).Draw(t, "scores")
			m := x[0]
			for _, v := range x {
				m = max(m, v)
			}
			l := attention.LogSumExp(x)
			if l < m || l > m+math.Log(float64(len(x)))+1e4*2*u {
				t.Errorf("lse %v for a largest of %v", l, m)
			}
		})
	})
}

func TestSoftCap(t *testing.T) {
	// tanh y = y − y³/3 + …, alternating: |cap(x) − x| ≤ |x|³/(3c²).
	t.Run("a cap towards infinity is no cap", func(t *testing.T) {
		for _, x := range []float64{-20, -1, 0.5, 3, 20} {
			for _, c := range []float64{1e3, 1e5, 1e7} {
				if y := attention.SoftCap(x, c); math.Abs(y-x) > math.Abs(x*x*x)/(3*c*c)+4*u*math.Abs(x) {
					t.Errorf("cap %v of %v is %v", c, x, y)
				}
			}
		}
	})
	t.Run("a cap of 0 or +∞ is none, exactly", func(t *testing.T) {
		for _, c := range []float64{0, inf} {
			sameRow(t, "score", []float64{attention.SoftCap(7, c), attention.SoftCapBackward(7, c)}, []float64{7, 1}, 0)
		}
	})
	t.Run("scores stay within the cap, infinite ones too", func(t *testing.T) {
		sameRow(t, "score", []float64{attention.SoftCap(inf, 30), attention.SoftCap(-1e9, 30)}, []float64{30, -30}, 0)
	})
	t.Run("the slope is 1 at 0, and 0 at the cap", func(t *testing.T) {
		sameRow(t, "slope", []float64{attention.SoftCapBackward(0, 30), attention.SoftCapBackward(30, 30)},
			[]float64{1, 0}, 0)
	})

	rng := source(11)
	q, k := random(rng, 3, 4), random(rng, 3, 4)
	q.Scale(8, q)
	t.Run("it is applied to the scaled score, not before the scale", func(t *testing.T) {
		got := attention.Scores(q, k, attention.Options{SoftCap: 2})
		plain := attention.Scores(q, k, attention.Options{})
		parted := false
		for s := range 3 {
			for j := range 3 {
				want := attention.SoftCap(plain.At(s, j), 2)
				before := attention.SoftCap(2*plain.At(s, j), 2) / 2 // the scale is ½
				parted = parted || math.Abs(want-before) > 0.1
				if got.At(s, j) != want {
					t.Errorf("score %v, want %v", got.At(s, j), want)
				}
			}
		}
		if !parted {
			t.Error("the inputs cannot tell the two orders apart")
		}
	})
	t.Run("masked scores are −∞, not −cap", func(t *testing.T) {
		got := attention.Scores(q, k, attention.Options{SoftCap: 2, Mask: attention.Mask{Causal: true}})
		sameRow(t, "score", []float64{got.At(0, 1)}, []float64{-inf}, 0)
	})
}

func TestSink(t *testing.T) {
	rng := source(12)
	q, k, v := random(rng, 3, 4), random(rng, 5, 4), random(rng, 5, 2)
	plain, lse := attention.Head(q, k, v, attention.Options{})
	with := func(sink float64) (*mat.Dense, []float64) {
		return attention.Head(q, k, v, attention.Options{Sink: &sink})
	}

	t.Run("a sink of −∞ is none, one of +∞ leaves nothing", func(t *testing.T) {
		out, _ := with(-inf)
		same(t, "−∞", out, plain, 0)
		out, _ = with(inf)
		same(t, "+∞", out, empty(3, 2), 0)
	})

	// e^x / (e^x + e^sink) = 1/(1 + e^{sink−x})
	t.Run("with one key the weight is σ(score − sink)", func(t *testing.T) {
		sink := 0.75
		p, _ := attention.Softmax(mat.NewDense(1, 1, []float64{0.25}), &sink)
		same(t, "weight", p, mat.NewDense(1, 1, []float64{1 / (1 + math.Exp(0.5))}), 2*u)
		sink = 0.25
		p, _ = attention.Softmax(mat.NewDense(1, 1, []float64{0.25}), &sink)
		same(t, "equal to the score", p, mat.NewDense(1, 1, []float64{0.5}), 0)
	})

	// The literal form, with the sink as a term of the denominator.
	t.Run("it is one more term of the denominator", func(t *testing.T) {
		sink := -0.5
		x := random(rng, 2, 4)
		p, _ := attention.Softmax(x, &sink)
		want := empty(2, 4)
		for s := range 2 {
			sum := math.Exp(sink)
			for j := range 4 {
				sum += math.Exp(x.At(s, j))
			}
			for j := range 4 {
				want.Set(s, j, math.Exp(x.At(s, j))/sum)
			}
		}
		same(t, "weights", p, want, 32*u)
	})

	// A further column of q·k that only the added key has makes its score the sink.
	t.Run("it is a key whose score is the sink and whose value is zero", func(t *testing.T) {
		sink := 1.25
		q2, k2, v2 := empty(3, 5), empty(6, 5), empty(6, 2)
		q2.Slice(0, 3, 0, 4).(*mat.Dense).Copy(q)
		k2.Slice(0, 5, 0, 4).(*mat.Dense).Copy(k)
		v2.Slice(0, 5, 0, 2).(*mat.Dense).Copy(v)
		q2.SetCol(4, []float64{1, 1, 1})
		k2.Set(5, 4, 2*sink) // the scale is ½
		want, wantLSE := attention.Head(q2, k2, v2, attention.Options{Scale: 0.5})
		got, gotLSE := with(sink)
		same(t, "out", got, want, bound(5, 6))
		for s := range 3 {
			if both := attention.LogSumExp([]float64{gotLSE[s], sink}); !near(both, wantLSE[s], bound(5, 6)) {
				t.Errorf("lse with the sink %v, want %v", both, wantLSE[s])
			}
		}
	})

	t.Run("the lse does not count it", func(t *testing.T) {
		_, got := with(3)
		sameRow(t, "lse", got, lse, 0)
	})

	t.Run("its factor is σ(lse − sink), and does not overflow", func(t *testing.T) {
		got := []float64{
			attention.SinkFactor(2, 2), attention.SinkFactor(2000, 0), attention.SinkFactor(0, 2000),
			attention.SinkFactor(-inf, 0), attention.SinkFactor(-inf, -inf),
		}
		sameRow(t, "factor", got, []float64{0.5, 1, 0, 0, 0}, 0)
	})

	t.Run("each head has its own", func(t *testing.T) {
		heads := []*mat.Dense{q, q}
		out, _ := attention.MQA(heads, k, v, attention.Options{Sinks: []float64{-inf, 0.5}})
		same(t, "first", out[0], plain, 0)
		want, _ := with(0.5)
		same(t, "second", out[1], want, 0)
	})
}
