package attention_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
)

func TestBackwardLSE(t *testing.T) {
	sink := 0.3
	for name, c := range map[string]struct {
		queries, keys int
		o             attention.Options
	}{
		"plain":    {3, 4, attention.Options{}},
		"scaled":   {3, 4, attention.Options{Scale: 1.7}},
		"causal":   {2, 5, attention.Options{Mask: attention.Mask{Causal: true}}},
		"soft cap": {3, 4, attention.Options{SoftCap: 0.7}},
		"sink":     {3, 4, attention.Options{Sink: &sink}},
		"all of them": {
			3, 6,
			attention.Options{Scale: 1.3, SoftCap: 0.9, Sink: &sink, Mask: attention.Mask{Causal: true, Window: 3}},
		},
	} {
		rng := source(92)
		q, k, v := random(rng, c.queries, 3), random(rng, c.keys, 3), random(rng, c.keys, 2)
		do, dlse := random(rng, c.queries, 2), random(rng, 1, c.queries).RawRowView(0)

		t.Run("it is the derivative of a loss of out and lse, "+name, func(t *testing.T) {
			want := numeric(func() float64 {
				out, lse := attention.Head(q, k, v, c.o)
				return dot(out, do) + floats.Dot(lse, dlse)
			}, q, k, v)
			dq, dk, dv := attention.BackwardLSE(q, k, v, do, dlse, c.o)
			same(t, "dq", dq, want[0], numericBound)
			same(t, "dk", dk, want[1], numericBound)
			same(t, "dv", dv, want[2], numericBound)
		})

		// Each part has out_p and lse_p of its own; the merge has the gradients e^{lse_p − lse} do
		// of the first and e^{lse_p − lse} do·(o_p − o) of the second.
		t.Run("parts of the keys, merged, have the gradient of the whole, "+name, func(t *testing.T) {
			if c.o.Sink != nil || c.o.Mask.Causal {
				t.Skip("a merge is without a sink, and a causal part has a mask of its own")
			}
			out, lse := attention.Head(q, k, v, c.o)
			dq, dk, dv := attention.Backward(q, k, v, do, c.o)
			sum := empty(c.queries, 3)
			for _, cut := range [][2]int{{0, 1}, {1, c.keys}} {
				kp, vp := k.Slice(cut[0], cut[1], 0, 3), v.Slice(cut[0], cut[1], 0, 2)
				outP, lseP := attention.Head(q, kp, vp, c.o)
				doP, dlseP := mat.DenseCopyOf(do), make([]float64, c.queries)
				for s := range dlseP {
					w := math.Exp(lseP[s] - lse[s])
					floats.Scale(w, doP.RawRowView(s))
					dlseP[s] = w * (floats.Dot(
						do.RawRowView(s), outP.RawRowView(s),
					) - floats.Dot(do.RawRowView(s), out.RawRowView(s)))
				}
				gq, gk, gv := attention.BackwardLSE(q, kp, vp, doP, dlseP, c.o)
				sum.Add(sum, gq)
				same(t, "dk", gk, dk.Slice(cut[0], cut[1], 0, 3), 4*bound(3, 6))
				same(t, "dv", gv, dv.Slice(cut[0], cut[1], 0, 2), 4*bound(3, 6))
			}
			same(t, "dq", sum, dq, 8*bound(3, 6))
		})
	}

	rng := source(93)
	q, k, v, do := random(rng, 5, 3), random(rng, 3, 3), random(rng, 3, 2), random(rng, 5, 2)
	t.Run("without a gradient of the lse it is Backward", func(t *testing.T) {
		wantQ, wantK, wantV := attention.Backward(q, k, v, do, attention.Options{Sink: &sink})
		dq, dk, dv := attention.BackwardLSE(q, k, v, do, make([]float64, 5), attention.Options{Sink: &sink})
		same(t, "dq", dq, wantQ, 0)
		same(t, "dk", dk, wantK, 0)
		same(t, "dv", dv, wantV, 0)
	})
	t.Run("a query that sees nothing has an lse without a gradient, whatever asks for one", func(t *testing.T) {
		o := attention.Options{Mask: attention.Mask{Causal: true}} // queries 0 and 1 stand before the first key
		wantQ, wantK, wantV := attention.BackwardLSE(q, k, v, do, []float64{0, 0, 1, 2, 3}, o)
		for _, bad := range []float64{1, inf, nan} {
			dq, dk, dv := attention.BackwardLSE(q, k, v, do, []float64{bad, bad, 1, 2, 3}, o)
			same(t, "dq", dq, wantQ, 0)
			same(t, "dk", dk, wantK, 0)
			same(t, "dv", dv, wantV, 0)
		}
	})
	t.Run("a gradient of the lse that is no number reaches the keys its query sees, and no others", func(t *testing.T) {
		o := attention.Options{Mask: attention.Mask{Causal: true}}
		_, want, _ := attention.BackwardLSE(q, k, v, do, []float64{0, 0, 0, 2, 3}, o)
		_, dk, _ := attention.BackwardLSE(q, k, v, do, []float64{0, 0, nan, 2, 3}, o)
		same(t, "dk", dk.Slice(1, 3, 0, 3), want.Slice(1, 3, 0, 3), 0)
		sameRow(t, "dk of key 0", dk.RawRowView(0), []float64{nan, nan, nan}, 0)
	})
}

func TestGQABackwardLSE(t *testing.T) {
	rng := source(95)
	q, k, v, do := several(rng, 4, 3, 2), several(rng, 2, 4, 2), several(rng, 2, 4, 2), several(rng, 4, 3, 2)
	o := attention.Options{Mask: attention.Mask{Causal: true}, Sinks: []float64{0, 1, -1, 0.5}}
	var dlse [][]float64
	for range q {
		dlse = append(dlse, random(rng, 1, 3).RawRowView(0))
	}
	t.Run("it is the derivative of a loss of every head's out and lse", func(t *testing.T) {
		loss := func() (sum float64) {
			out, lse := attention.GQA(q, k, v, o)
			for h := range out {
				sum += dot(out[h], do[h]) + floats.Dot(lse[h], dlse[h])
			}
			return sum
		}
		dq, dk, dv := attention.GQABackwardLSE(q, k, v, do, dlse, o)
		sameHeads(t, "dq", dq, numeric(loss, q...), numericBound)
		sameHeads(t, "dk", dk, numeric(loss, k...), numericBound)
		sameHeads(t, "dv", dv, numeric(loss, v...), numericBound)
	})
	t.Run("numbers of heads have to agree", func(t *testing.T) {
		for _, n := range []int{3, 5} {
			check.Panics(t, "attention: numbers of heads differ", func() {
				attention.GQABackwardLSE(q, k, v, do, make([][]float64, n), o)
			})
		}
	})
}

func TestSinkLSE(t *testing.T) {
	t.Run("it is the logarithm of the denominator with the sink", func(t *testing.T) {
		got := []float64{
			attention.SinkLSE(0, 0), attention.SinkLSE(-inf, 2), attention.SinkLSE(3, -inf),
			attention.SinkLSE(-inf, -inf),
		}
		sameRow(t, "lse′", got, []float64{math.Ln2, 2, 3, -inf}, 0)
	})
	t.Run("its gradient is what it is for either", func(t *testing.T) {
		settings := &fd.Settings{Formula: fd.Central, Step: 0x1p-17}
		for _, c := range [][2]float64{{0, 0}, {1, -2}, {-3, 0.5}} {
			dlse, dsink := attention.SinkLSEBackward(c[0], c[1], 1.5)
			want := []float64{
				1.5 * fd.Derivative(func(x float64) float64 { return attention.SinkLSE(x, c[1]) }, c[0], settings),
				1.5 * fd.Derivative(func(x float64) float64 { return attention.SinkLSE(c[0], x) }, c[1], settings),
			}
			sameRow(t, "gradients", []float64{dlse, dsink}, want, numericBound)
		}
	})
	t.Run("a row that sees nothing leaves all of it to the sink", func(t *testing.T) {
		dlse, dsink := attention.SinkLSEBackward(-inf, 2, 1.5)
		sameRow(t, "gradients", []float64{dlse, dsink}, []float64{0, 1.5}, 0)
	})
	t.Run("a loss of such an lse has its gradient by way of BackwardLSE and SinkBackward", func(t *testing.T) {
		rng := source(94)
		sink := mat.NewDense(1, 1, []float64{0.4})
		q, k, v, do := random(rng, 3, 2), random(rng, 4, 2), random(rng, 4, 2), random(rng, 3, 2)
		with := func() attention.Options { s := sink.At(0, 0); return attention.Options{Sink: &s} }
		want := numeric(func() float64 {
			out, lse := attention.Head(q, k, v, with())
			return dot(out, do) + 2*attention.SinkLSE(lse[1], sink.At(0, 0))
		}, q, k, sink)
		out, lse := attention.Head(q, k, v, with())
		dlse, extra := attention.SinkLSEBackward(lse[1], sink.At(0, 0), 2)
		dq, dk, _ := attention.BackwardLSE(q, k, v, do, []float64{0, dlse, 0}, with())
		same(t, "dq", dq, want[0], numericBound)
		same(t, "dk", dk, want[1], numericBound)
		dsink := attention.SinkBackward(out, do, lse, sink.At(0, 0)) + extra
		sameRow(t, "dsink", []float64{dsink}, []float64{want[2].At(0, 0)}, numericBound)
	})
}
