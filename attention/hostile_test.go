package attention_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
)

// A NaN or an infinity that a row may not see leaves it as it was: in each of the four inputs, of
// all small shapes and masks, on gonum's product, which skips zeros, and a literal one.
func TestPoisonOfEveryWidth(t *testing.T) {
	t.Run("gonum's product", testPoisonOfEveryWidth)
	blas64.Use(literalBLAS{})
	defer blas64.Use(gonum.Implementation{})
	t.Run("literal product", testPoisonOfEveryWidth)
}

func testPoisonOfEveryWidth(t *testing.T) {
	rng := source(90)
	for range 3000 {
		queries, keys := 1+rng.IntN(5), 1+rng.IntN(6)
		mask := attention.Mask{
			Causal: rng.IntN(2) == 0, Window: rng.IntN(4), Queries: queries, Keys: rng.IntN(keys + 1),
		}
		p := poisoned{rng: rng, o: attention.Options{Mask: mask, SoftCap: float64(rng.IntN(2) * 2)}}
		d, width := 1+rng.IntN(3), 1+rng.IntN(3)
		p.q, p.k = random(rng, queries, d), random(rng, keys, d)
		p.v, p.do = random(rng, keys, width), random(rng, queries, width)
		p.key(t)
		p.query(t)
	}
}

type poisoned struct {
	rng         *rand.Rand
	o           attention.Options
	q, k, v, do *mat.Dense
}

// spoilt returns x with a NaN or an infinity in one of its rows.
func (p poisoned) spoilt(x *mat.Dense, row int) *mat.Dense {
	x = mat.DenseCopyOf(x)
	_, cols := x.Dims()
	x.Set(row, p.rng.IntN(cols), []float64{nan, inf, -inf}[p.rng.IntN(3)])
	return x
}

// key spoils a row of keys and of values: queries that do not see it have outputs and gradients as
// before.
func (p poisoned) key(t *testing.T) {
	rows, _ := p.k.Dims()
	j := p.rng.IntN(rows)
	k, v := p.spoilt(p.k, j), p.spoilt(p.v, j)
	out, lse := attention.Head(p.q, p.k, p.v, p.o)
	got, gotLSE := attention.Head(p.q, k, v, p.o)
	online, onlineLSE := attention.Online(p.q, k, v, 2, p.o)
	dq, _, _ := attention.Backward(p.q, p.k, p.v, p.do, p.o)
	gotDq, _, _ := attention.Backward(p.q, k, v, p.do, p.o)
	for s := range lse {
		if !p.o.Mask.Sees(s, j) {
			sameRow(t, "out", got.RawRowView(s), out.RawRowView(s), bound(3, 6))
			sameRow(t, "online", online.RawRowView(s), out.RawRowView(s), 2*bound(3, 6))
			sameRow(t, "lse", []float64{gotLSE[s], onlineLSE[s]}, []float64{lse[s], lse[s]}, 2*bound(3, 6))
			sameRow(t, "dq", gotDq.RawRowView(s), dq.RawRowView(s), bound(3, 6))
		}
	}
}

// query spoils a row of queries and of the output's gradient: keys that it does not see have
// gradients as before.
func (p poisoned) query(t *testing.T) {
	rows, _ := p.q.Dims()
	s := p.rng.IntN(rows)
	_, dk, dv := attention.Backward(p.q, p.k, p.v, p.do, p.o)
	_, gotDk, gotDv := attention.Backward(p.spoilt(p.q, s), p.k, p.v, p.spoilt(p.do, s), p.o)
	keys, _ := p.k.Dims()
	for j := range keys {
		if !p.o.Mask.Sees(s, j) {
			sameRow(t, "dk", gotDk.RawRowView(j), dk.RawRowView(j), bound(3, 6))
			sameRow(t, "dv", gotDv.RawRowView(j), dv.RawRowView(j), bound(3, 6))
		}
	}
}

// What overflowed must show. e^∞ of ∞ has no weights, and a NaN says so; hidden, it would be the
// attention to the other keys.
func TestInfiniteScores(t *testing.T) {
	one := mat.NewDense(1, 1, []float64{1})
	k, v := mat.NewDense(3, 1, []float64{0, inf, 1}), mat.NewDense(3, 1, []float64{1, 2, 3})
	t.Run("a score of +∞ makes the weights of its row NaN, and the log-sum-exp", func(t *testing.T) {
		sameRow(t, "lse", []float64{attention.LogSumExp([]float64{0, inf, 1}), attention.LogSumExp([]float64{inf})},
			[]float64{nan, nan}, 0)
		p, lse := attention.Softmax(mat.NewDense(1, 3, []float64{0, inf, 1}), nil)
		sameRow(t, "p", p.RawRowView(0), []float64{nan, nan, nan}, 0)
		sameRow(t, "lse", lse, []float64{nan}, 0)
		out, lse := attention.Head(one, k, v, attention.Options{})
		sameRow(t, "head", []float64{out.At(0, 0), lse[0]}, []float64{nan, nan}, 0)
		for tile := 1; tile <= 3; tile++ {
			out, lse := attention.Online(one, k, v, tile, attention.Options{})
			sameRow(t, "online", []float64{out.At(0, 0), lse[0]}, []float64{nan, nan}, 0)
		}
	})
	t.Run("a part with lse +∞ is not left out of a merge", func(t *testing.T) {
		parts := []*mat.Dense{mat.NewDense(1, 1, []float64{1}), mat.NewDense(1, 1, []float64{2})}
		out, lse := attention.Merge(parts, [][]float64{{0}, {inf}})
		sameRow(t, "merged", []float64{out.At(0, 0), lse[0]}, []float64{nan, nan}, 0)
		out, lse = attention.Merge(parts[:1], [][]float64{{inf}})
		sameRow(t, "alone", []float64{out.At(0, 0), lse[0]}, []float64{nan, nan}, 0)
	})
	t.Run("beside an lse of +∞ a sink is nothing, and takes no gradient", func(t *testing.T) {
		sameRow(t, "factor", []float64{attention.SinkFactor(inf, 3), attention.SinkFactor(3, inf)}, []float64{1, 0}, 0)
		sameRow(t, "factor of two infinities", []float64{attention.SinkFactor(inf, inf)}, []float64{nan}, 0)
		sameRow(t, "dsink", []float64{attention.SinkBackward(one, one, []float64{inf}, 3)}, []float64{0}, 0)
		bad := mat.NewDense(1, 1, []float64{nan})
		sameRow(t, "dsink of no output", []float64{attention.SinkBackward(bad, one, []float64{inf}, 3)},
			[]float64{nan}, 0)
	})
}

func TestSinkOfOneHead(t *testing.T) {
	rng := source(91)
	q, k, v, do := random(rng, 4, 3), random(rng, 5, 3), random(rng, 5, 2), random(rng, 4, 2)
	sink := 1.25
	with, list := attention.Options{Sink: &sink}, attention.Options{Sinks: []float64{sink}}
	other := 9.
	before := attention.Options{Sink: &other, Sinks: []float64{sink}}
	t.Run("a list of one sink is that sink, in every form, and goes before a single one", func(t *testing.T) {
		out, lse := attention.Head(q, k, v, with)
		dq, dk, dv := attention.Backward(q, k, v, do, with)
		none, _ := attention.Head(q, k, v, attention.Options{})
		if near(out.At(0, 0), none.At(0, 0), 1e-3) {
			t.Fatal("the sink does not show")
		}
		for _, o := range []attention.Options{list, before} {
			got, gotLSE := attention.Head(q, k, v, o)
			same(t, "head", got, out, 0)
			sameRow(t, "lse", gotLSE, lse, 0)
			got, _ = attention.Online(q, k, v, 2, o)
			same(t, "online", got, out, 2*bound(3, 5))
			gq, gk, gv := attention.Backward(q, k, v, do, o)
			same(t, "dq", gq, dq, 0)
			same(t, "dk", gk, dk, 0)
			same(t, "dv", gv, dv, 0)
		}
	})
	t.Run("a gradient that is no number in a row that sees nothing leaves the sink's alone", func(t *testing.T) {
		o := attention.Options{Sink: &sink, Mask: attention.Mask{Causal: true}}
		q, do := random(rng, 7, 3), random(rng, 7, 2) // queries 0 and 1 stand before the first key
		out, lse := attention.Head(q, k, v, o)
		want := attention.SinkBackward(out.Slice(2, 7, 0, 2), do.Slice(2, 7, 0, 2), lse[2:], sink)
		for _, bad := range []float64{nan, inf, -inf} {
			do.Set(1, 1, bad)
			sameRow(t, "dsink", []float64{attention.SinkBackward(out, do, lse, sink)}, []float64{want}, 0)
		}
		do.Set(3, 0, nan)
		sameRow(t, "dsink", []float64{attention.SinkBackward(out, do, lse, sink)}, []float64{nan}, 0)
	})
}

func TestSoftCapSlope(t *testing.T) {
	// 4e⁻²ᵃ/(1 + e⁻²ᵃ)² = 4e⁻²ᵃ (1 − 2e⁻²ᵃ + …): beyond a = 20 the bracket is 1. An exponent of 2a
	// is off by 2a u.
	t.Run("it is 4e⁻²ˣ far beyond the cap, to the last number there is", func(t *testing.T) {
		for _, a := range []float64{20, 40, 100, 354, 372} {
			want := 4 * math.Exp(-2*a)
			for _, x := range []float64{a, -a} {
				sameRow(t, "slope", []float64{attention.SoftCapSlope(30*x, 30)}, []float64{want}, 8*a*u*want)
			}
		}
		sameRow(t, "slope", []float64{attention.SoftCapSlope(inf, 30), attention.SoftCapSlope(1e300, 1e-10)},
			[]float64{0, 0}, 0)
	})
	t.Run("it is 1 at 0 and without a cap, and SoftCapBackward of the result near the cap", func(t *testing.T) {
		got := []float64{attention.SoftCapSlope(0, 7), attention.SoftCapSlope(-9, 0), attention.SoftCapSlope(9, inf)}
		sameRow(t, "slope", got, []float64{1, 1, 1}, 0)
		for x := -20.; x <= 20; x += 0.37 {
			want := attention.SoftCapBackward(attention.SoftCap(x, 10), 10)
			sameRow(t, "slope", []float64{attention.SoftCapSlope(x, 10)}, []float64{want}, 16*u)
		}
	})
	t.Run("it is the derivative of SoftCap", func(t *testing.T) {
		settings := &fd.Settings{Formula: fd.Central, Step: 0x1p-17}
		for _, x := range []float64{-40, -3, 0, 0.5, 12} {
			want := fd.Derivative(func(x float64) float64 { return attention.SoftCap(x, 10) }, x, settings)
			sameRow(t, "slope", []float64{attention.SoftCapSlope(x, 10)}, []float64{want}, numericBound)
		}
	})
	// Scores 40 and 41 under a cap of 2: weights ½, dx = ¼ (dp − dp′) 4e⁻²ˣ/²; 1 − tanh² is 0.
	t.Run("a gradient passes where every score is far beyond the cap", func(t *testing.T) {
		q, k := mat.NewDense(1, 1, []float64{1}), mat.NewDense(2, 1, []float64{40, 41})
		v := mat.NewDense(2, 1, []float64{1, 0})
		_, dk, _ := attention.Backward(q, k, v, q, attention.Options{SoftCap: 2})
		for j, x := range []float64{40, 41} {
			want := math.Exp(-x) * float64(1-2*j)
			sameRow(t, "dk", dk.RawRowView(j), []float64{want}, 256*u*math.Abs(want))
		}
	})
}

// What a later step would refuse too is refused where it is first seen, and by its name.
func TestMessages(t *testing.T) {
	m, none := empty, attention.Options{}
	for want, calls := range map[string][]func(){
		"attention: numbers of keys and values differ": {
			func() { attention.Head(m(2, 3), m(4, 3), m(3, 2), none) },
			func() { attention.Online(m(2, 3), m(4, 3), m(3, 2), 1, none) },
			func() { attention.Backward(m(2, 3), m(4, 3), m(3, 2), m(2, 2), none) },
			func() { attention.Cache{}.Append(m(2, 3), m(1, 3)) },
		},
		"attention: shapes of the output and its gradient differ": {
			func() { attention.Backward(m(2, 3), m(4, 3), m(4, 2), m(3, 2), none) },
			func() { attention.Backward(m(2, 3), m(4, 3), m(4, 2), m(1, 2), none) },
			func() { attention.Backward(m(2, 3), m(4, 3), m(4, 2), m(2, 1), none) },
			func() { attention.BackwardLSE(m(2, 3), m(4, 3), m(4, 2), m(2, 2), make([]float64, 1), none) },
		},
	} {
		for _, call := range calls {
			check.Panics(t, want, call)
		}
	}
}
