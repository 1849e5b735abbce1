package attention_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/attention"
)

// u is the unit roundoff of float64: an operation returns its exact result times 1+δ, |δ| ≤ u.
const u = 0x1p-53

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// random returns an [r × c] matrix of values in [−1, 1).
func random(rng *rand.Rand, r, c int) *mat.Dense {
	m := empty(r, c)
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = 2*rng.Float64() - 1
	}
	return m
}

// integers returns an [r × c] matrix of integers from −4 to 4; products and sums of them are exact.
func integers(rng *rand.Rand, r, c int) *mat.Dense {
	m := empty(r, c)
	for i := range m.RawMatrix().Data {
		m.RawMatrix().Data[i] = float64(rng.IntN(9) - 4)
	}
	return m
}

// empty returns zeros, and matrices without rows too.
func empty(r, c int) *mat.Dense {
	var m mat.Dense
	m.SetRawMatrix(blas64.General{Rows: r, Cols: c, Stride: c, Data: make([]float64, r*c)})
	return &m
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// several returns n random matrices of one shape.
func several(rng *rand.Rand, n, r, c int) []*mat.Dense {
	ms := make([]*mat.Dense, n)
	for i := range ms {
		ms[i] = random(rng, r, c)
	}
	return ms
}

// same demands equal shapes, and elements no further apart than bound; NaN equals
// NaN, and infinities equal themselves.
func same(t rapid.TB, what string, got, want mat.Matrix, bound float64) {
	t.Helper()
	r, c := want.Dims()
	if gr, gc := got.Dims(); gr != r || gc != c {
		t.Fatalf("%s: shape [%d %d], want [%d %d]", what, gr, gc, r, c)
	}
	for i := range r {
		for j := range c {
			if !near(got.At(i, j), want.At(i, j), bound) {
				t.Errorf("%s: [%d %d] is %v, want %v within %.2g", what, i, j, got.At(i, j), want.At(i, j), bound)
			}
		}
	}
}

// sameRow is same for slices.
func sameRow(t rapid.TB, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !near(got[i], want[i], bound) {
			t.Errorf("%s: [%d] is %v, want %v within %.2g", what, i, got[i], want[i], bound)
		}
	}
}

func near(got, want, bound float64) bool {
	return got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= bound
}

// rounding bounds the distance of two computations of the same attention, of t keys of
// width d, scores that sum products of at most x in absolute value, values up to 1.
//
// A score makes d+4 roundings relative to x (products, sums, scale, and a few ulp of
// tanh); as the exponent of a weight and of its denominator that is twice a relative
// error of (d+4)·u·x. Exponentials, the sum, the quotient, a rescaling for every key and
// the weighted sum make 4·t+16 more; and there are two computations.
func rounding(d, t int, x float64) float64 {
	return 2 * u * (2*float64(d+4)*(1+x) + 4*float64(t) + 16)
}

// bound is rounding for random q and k at the scale 1/√d, where x ≤ √d.
func bound(d, t int) float64 { return rounding(d, t, math.Sqrt(float64(d))) }

func TestHead(t *testing.T) {
	rng := source(1)
	q, k, v := random(rng, 8, 4), random(rng, 8, 4), integers(rng, 8, 3)
	causal := attention.Options{Mask: attention.Mask{Causal: true}}

	// q = 0 makes every score 0, every exponential 1, every weight 1/n for n visible
	// keys: Σ_j v_j / n. Where n is a power of two, 1/n and all sums of integers are exact.
	t.Run("equal scores give the mean of the visible values", func(t *testing.T) {
		out, lse := attention.Head(empty(8, 4), k, v, causal)
		for s := range 8 {
			n, bound := float64(s+1), 0.0
			if s+1 != 1 && s+1 != 2 && s+1 != 4 && s+1 != 8 {
				bound = (n + 2) * u * 4
			}
			for c := range 3 {
				mean := mat.Sum(v.Slice(0, s+1, c, c+1)) / n
				if !near(out.At(s, c), mean, bound) {
					t.Errorf("query %d: %v, want the mean %v", s, out.At(s, c), mean)
				}
			}
			if lse[s] != math.Log(n) {
				t.Errorf("query %d: lse %v, want log %v", s, lse[s], n)
			}
		}
	})

	// e^{x−x} = 1, 1/1 = 1, 1·v = v, and log 1 = 0: no rounding anywhere.
	t.Run("one visible key gives its value exactly, and its score as lse", func(t *testing.T) {
		o := attention.Options{Mask: attention.Mask{Causal: true, Window: 1}}
		out, lse := attention.Head(q, k, v, o)
		same(t, "out", out, v, 0)
		x := attention.Scores(q, k, attention.Options{})
		for s := range 8 {
			if lse[s] != x.At(s, s) {
				t.Errorf("lse %v, want the score %v", lse[s], x.At(s, s))
			}
		}
	})

	// q·(k_j + w) = q·k_j + q·w: the same for every key, and a softmax does not see what
	// is the same for all. Integers and the scale ½ keep both scores exact.
	t.Run("adding one vector to every key changes nothing", func(t *testing.T) {
		q, k := integers(rng, 5, 4), integers(rng, 7, 4)
		moved := mat.DenseCopyOf(k)
		for j := range 7 {
			for c, w := range []float64{3, -1, 2, 5} {
				moved.Set(j, c, k.At(j, c)+w)
			}
		}
		v := random(rng, 7, 3)
		want, _ := attention.Head(q, k, v, attention.Options{})
		got, _ := attention.Head(q, moved, v, attention.Options{})
		same(t, "out", got, want, 0)
	})

	// A sum does not depend on its order, but for rounding.
	t.Run("permuting keys and values together changes nothing without a mask", func(t *testing.T) {
		order := rng.Perm(8)
		k2, v2 := empty(8, 4), empty(8, 3)
		for j, from := range order {
			k2.SetRow(j, k.RawRowView(from))
			v2.SetRow(j, v.RawRowView(from))
		}
		want, lse := attention.Head(q, k, v, attention.Options{})
		got, lse2 := attention.Head(q, k2, v2, attention.Options{})
		same(t, "out", got, want, 4*bound(4, 8)) // |v| ≤ 4
		sameRow(t, "lse", lse2, lse, 4*bound(4, 8))
		masked, _ := attention.Head(q, k2, v2, causal)
		want, _ = attention.Head(q, k, v, causal)
		if mat.EqualApprox(masked, want, 1e-3) {
			t.Error("with a causal mask it must change the output")
		}
	})

	// Weights of the formula, written out for two keys: x = (ln 3, 0) gives (¾, ¼).
	t.Run("scores ln 3 and 0 give weights 3/4 and 1/4", func(t *testing.T) {
		one := mat.NewDense(1, 1, []float64{1})
		keys := mat.NewDense(2, 1, []float64{math.Log(3), 0})
		out, lse := attention.Head(one, keys, mat.NewDense(2, 1, []float64{1, 0}), attention.Options{})
		same(t, "weight of the first", out, mat.NewDense(1, 1, []float64{0.75}), 8*u)
		sameRow(t, "lse", lse, []float64{math.Log(4)}, 8*u)
	})

	// Values weigh linearly, so V = 2W gives twice the output; doubling is exact.
	t.Run("the output is linear in the values", func(t *testing.T) {
		var twice mat.Dense
		twice.Scale(2, v)
		want, _ := attention.Head(q, k, v, causal)
		want.Scale(2, want)
		got, _ := attention.Head(q, k, &twice, causal)
		same(t, "out", got, want, 0)
	})
}

func TestScale(t *testing.T) {
	rng := source(2)
	q, k := random(rng, 3, 4), random(rng, 5, 4)

	t.Run("the default is one over the root of the key width", func(t *testing.T) {
		got := attention.Scores(q, k, attention.Options{})
		same(t, "scores", got, attention.Scores(q, k, attention.Options{Scale: 0.5}), 0)
	})

	// The scale belongs to the width that q and k were trained at, not to the width at
	// hand: padding both with zeros keeps q·k, and must keep the weights.
	t.Run("zeros appended to queries and keys change nothing at a given scale", func(t *testing.T) {
		q2, k2 := empty(3, 9), empty(5, 9)
		q2.Slice(0, 3, 0, 4).(*mat.Dense).Copy(q)
		k2.Slice(0, 5, 0, 4).(*mat.Dense).Copy(k)
		want := attention.Scores(q, k, attention.Options{Scale: 0.5})
		same(t, "scores", attention.Scores(q2, k2, attention.Options{Scale: 0.5}), want, 8*u)
		if mat.EqualApprox(attention.Scores(q2, k2, attention.Options{}), want, 1e-3) {
			t.Error("the default scale of the padded width must differ")
		}
	})
}

// Scores are made of the products in the same way, whoever formed those: bits are the same.
func TestToScores(t *testing.T) {
	rng := source(9)
	q, k := random(rng, 6, 4), random(rng, 7, 4)
	for _, o := range []attention.Options{
		{}, {Scale: 0.3}, {Scale: 2, SoftCap: 1.5, Mask: attention.Mask{Causal: true, Window: 3}},
	} {
		want := attention.Scores(q, k, o)
		got := attention.Products(q, k)
		if o.Scale == 0 {
			o.Scale = 0.5 // 1/√4
		}
		attention.ToScores(got, o)
		same(t, "scores", got, want, 0)
	}
}

func TestToScoresWithoutScale(t *testing.T) {
	defer func() {
		if recover() != "attention: products do not tell their scale" {
			t.Error("a scale of 0 is taken")
		}
	}()
	attention.ToScores(empty(1, 1), attention.Options{})
}

func TestNothingVisible(t *testing.T) {
	rng := source(3)
	q, k, v := random(rng, 5, 4), random(rng, 3, 4), random(rng, 3, 2)
	sink := 0.5

	// Five queries on three keys, aligned to the last: queries 0 and 1 stand at −2, −1.
	t.Run("a query before the first key has output 0 and lse −∞", func(t *testing.T) {
		for name, s := range map[string]*float64{"without a sink": nil, "with a sink": &sink} {
			out, lse := attention.Head(q, k, v, attention.Options{Mask: attention.Mask{Causal: true}, Sink: s})
			same(t, name, out.Slice(0, 2, 0, 2), empty(2, 2), 0)
			sameRow(t, name, lse[:2], []float64{-inf, -inf}, 0)
			if mat.Norm(out.Slice(2, 5, 0, 2), 1) == 0 || math.IsInf(lse[2], 0) {
				t.Error("queries 2 to 4 see keys")
			}
		}
	})

	t.Run("with no key in use every query is such", func(t *testing.T) {
		o := attention.Options{Mask: attention.Mask{Queries: 5, Keys: 0}}
		out, lse := attention.Head(q, k, v, o)
		same(t, "out", out, empty(5, 2), 0)
		sameRow(t, "lse", lse, []float64{-inf, -inf, -inf, -inf, -inf}, 0)
	})

	// A key of −∞ has score −∞ (for a positive query) and weight 0, also where it comes first.
	t.Run("a visible score of −∞ counts as not seen", func(t *testing.T) {
		one, values := mat.NewDense(1, 1, []float64{1}), mat.NewDense(3, 1, []float64{7, 1, 3})
		out, lse := attention.Head(one, mat.NewDense(3, 1, []float64{-inf, 2, 2}), values, attention.Options{})
		same(t, "head", out, mat.NewDense(1, 1, []float64{2}), 0)
		sameRow(t, "head", lse, []float64{2 + math.Ln2}, 0)
		out, lse = attention.Online(one, mat.NewDense(3, 1, []float64{-inf, 2, 2}), values, 1, attention.Options{})
		same(t, "online", out, mat.NewDense(1, 1, []float64{2}), 0)
		sameRow(t, "online", lse, []float64{2 + math.Ln2}, 0)
	})

	t.Run("matrices without rows work, and give matrices without rows or zeros", func(t *testing.T) {
		for _, causal := range []bool{false, true} {
			o := attention.Options{Mask: attention.Mask{Causal: causal}, SoftCap: 5, Sink: &sink}
			for _, head := range []func(q, k, v mat.Matrix) (*mat.Dense, []float64){
				func(q, k, v mat.Matrix) (*mat.Dense, []float64) { return attention.Head(q, k, v, o) },
				func(q, k, v mat.Matrix) (*mat.Dense, []float64) { return attention.Online(q, k, v, 2, o) },
			} {
				out, lse := head(q, empty(0, 4), empty(0, 2))
				same(t, "no keys", out, empty(5, 2), 0)
				sameRow(t, "no keys", lse, []float64{-inf, -inf, -inf, -inf, -inf}, 0)
				out, lse = head(empty(0, 4), k, v)
				same(t, "no queries", out, empty(0, 2), 0)
				sameRow(t, "no queries", lse, nil, 0)
				out, _ = head(q, &mat.Dense{}, &mat.Dense{})
				same(t, "keys and values of gonum's empty matrix", out, empty(5, 0), 0)
			}
		}
	})
}

// Whatever lies in a row of k or v that nobody may see, a kernel must not multiply it by
// a weight of zero: 0·NaN is NaN. In a triangle the same row is seen by some and not by
// others.
//
// gonum's matrix product skips factors of zero, which would hide such a mistake; so the
// test runs on one that does not, too.
func TestPoison(t *testing.T) {
	t.Run("gonum's product", testPoison)
	blas64.Use(literalBLAS{})
	defer blas64.Use(gonum.Implementation{})
	t.Run("literal product", testPoison)
}

// literalBLAS multiplies matrices as the formula says, zeros too.
type literalBLAS struct{ gonum.Implementation }

func (literalBLAS) Dgemm(
	tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64,
	c []float64, ldc int,
) {
	at := func(x []float64, t blas.Transpose, ld, row, col int) float64 {
		if t == blas.NoTrans {
			return x[row*ld+col]
		}
		return x[col*ld+row]
	}
	for i := range m {
		for j := range n {
			var sum float64
			for l := range k {
				sum += at(a, tA, lda, i, l) * at(b, tB, ldb, l, j)
			}
			if c[i*ldc+j] *= beta; beta == 0 {
				c[i*ldc+j] = 0
			}
			c[i*ldc+j] += alpha * sum
		}
	}
}

func testPoison(t *testing.T) {
	rng := source(4)
	q, k, v := random(rng, 6, 4), random(rng, 6, 4), random(rng, 6, 3)
	o := attention.Options{Mask: attention.Mask{Causal: true}, SoftCap: 3}
	poison := func(x *mat.Dense, row int, with float64) *mat.Dense {
		x = mat.DenseCopyOf(x)
		x.Set(row, 1, with)
		return x
	}
	heads := map[string]func(q, k, v mat.Matrix) (*mat.Dense, []float64){
		"matrix": func(q, k, v mat.Matrix) (*mat.Dense, []float64) { return attention.Head(q, k, v, o) },
		"online": func(q, k, v mat.Matrix) (*mat.Dense, []float64) { return attention.Online(q, k, v, 4, o) },
	}
	for form, head := range heads {
		want, wantLSE := head(q, k, v)
		for _, bad := range []float64{nan, inf, -inf} {
			t.Run("a value not yet visible reaches no output, "+form, func(t *testing.T) {
				out, lse := head(q, k, poison(v, 4, bad))
				same(t, "queries before it", out.Slice(0, 4, 0, 3), want.Slice(0, 4, 0, 3), 0)
				sameRow(t, "lse", lse, wantLSE, 0)
				if !math.IsNaN(out.At(4, 1)) && !math.IsInf(out.At(4, 1), 0) {
					t.Errorf("query 4 sees it, and has %v", out.At(4, 1))
				}
			})
			t.Run("a key not yet visible reaches no output, "+form, func(t *testing.T) {
				out, lse := head(q, poison(k, 4, bad), v)
				same(t, "queries before it", out.Slice(0, 4, 0, 3), want.Slice(0, 4, 0, 3), 0)
				sameRow(t, "lse of queries before it", lse[:4], wantLSE[:4], 0)
			})
		}
		t.Run("a visible NaN is not hidden, "+form, func(t *testing.T) {
			out, lse := head(q, poison(k, 4, nan), v)
			if !math.IsNaN(out.At(5, 0)) || !math.IsNaN(lse[5]) {
				t.Errorf("query 5 sees a NaN key, and has %v, lse %v", out.At(5, 0), lse[5])
			}
		})
	}

	t.Run("rows past the keys in use reach neither output nor gradient", func(t *testing.T) {
		used := attention.Options{Mask: attention.Mask{Causal: true, Queries: 3, Keys: 4}}
		q, do := random(rng, 3, 4), random(rng, 3, 3)
		k4, v4 := k.Slice(0, 4, 0, 4), v.Slice(0, 4, 0, 3)
		badK, badV := poison(poison(k, 4, nan), 5, inf), poison(poison(v, 4, nan), 5, inf)
		want, _ := attention.Head(q, k4, v4, used)
		got, _ := attention.Head(q, badK, badV, used)
		same(t, "out", got, want, bound(4, 6))
		dq, dk, dv := attention.Backward(q, k4, v4, do, used)
		gq, gk, gv := attention.Backward(q, badK, badV, do, used)
		same(t, "dq", gq, dq, bound(4, 6))
		same(t, "dk", gk.Slice(0, 4, 0, 4), dk, bound(4, 6))
		same(t, "dv", gv.Slice(0, 4, 0, 3), dv, bound(4, 6))
		same(t, "dk of the rest", gk.Slice(4, 6, 0, 4), empty(2, 4), 0)
		same(t, "dv of the rest", gv.Slice(4, 6, 0, 3), empty(2, 3), 0)
	})

	// Backwards it is the queries that come before a key which must not reach it.
	t.Run("a query reaches no gradient of a key it does not see", func(t *testing.T) {
		do := random(rng, 6, 3)
		_, dk, dv := attention.Backward(q, k, v, do, o)
		for name, bad := range map[string][2]*mat.Dense{
			"query":           {poison(q, 1, nan), do},
			"output gradient": {q, poison(do, 1, nan)},
		} {
			_, gk, gv := attention.Backward(bad[0], k, v, bad[1], o)
			same(t, "dk, "+name, gk.Slice(2, 6, 0, 4), dk.Slice(2, 6, 0, 4), 0)
			same(t, "dv, "+name, gv.Slice(2, 6, 0, 3), dv.Slice(2, 6, 0, 3), 0)
		}
	})
}

func TestPanics(t *testing.T) {
	m := func(r, c int) *mat.Dense { return empty(r, c) }
	ms := func(n int) []*mat.Dense { return several(source(5), n, 2, 2) }
	var none attention.Options
	two := attention.Options{Sinks: []float64{1, 2}}
	for name, call := range map[string]func(){
		"widths":  func() { attention.Head(m(2, 3), m(2, 4), m(2, 2), none) },
		"values":  func() { attention.Head(m(2, 3), m(4, 3), m(3, 2), none) },
		"weights": func() { attention.Values(m(2, 3), m(4, 2), none) },
		"mask": func() {
			attention.Head(m(2, 3), m(4, 3), m(4, 2), attention.Options{Mask: attention.Mask{Queries: 1}})
		},
		"gradient":         func() { attention.Backward(m(2, 3), m(4, 3), m(4, 2), m(2, 3), none) },
		"softmax gradient": func() { attention.SoftmaxBackward(m(2, 3), m(3, 2)) },
		"sink gradient":    func() { attention.SinkBackward(m(2, 3), m(2, 3), nil, 0) },
		"tile":             func() { attention.Online(m(2, 3), m(4, 3), m(4, 2), 0, none) },
		"heads":            func() { attention.MHA(ms(2), ms(2), ms(1), none) },
		"groups":           func() { attention.GQA(ms(2), ms(2), ms(1), none) },
		"group number":     func() { attention.GQA(ms(2), ms(3), ms(3), none) },
		"backward heads":   func() { attention.GQABackward(ms(2), ms(1), ms(1), ms(1), none) },
		"sinks":            func() { attention.MQA(ms(3), m(2, 2), m(2, 2), two) },
		"sinks of a head":  func() { attention.Head(m(2, 2), m(2, 2), m(2, 2), two) },
		"pool":             func() { attention.PoolHeads(m(6, 2), 3, 2) },
		"split":            func() { attention.SplitHeads(m(2, 5), 2) },
		"concat":           func() { attention.ConcatHeads([]*mat.Dense{m(2, 2), m(3, 2)}) },
		"concat nothing":   func() { attention.ConcatHeads(nil) },
		"project":          func() { attention.Project(m(2, 3), m(2, 2)) },
		"merge nothing":    func() { attention.Merge(nil, nil) },
		"merge":            func() { attention.Merge(ms(1), [][]float64{{1}}) },
		"cache":            func() { attention.Decode(m(1, 2), attention.Cache{}, none) },
		"cache width":      func() { attention.Cache{}.Append(m(1, 2), m(1, 2)).Append(m(1, 3), m(1, 2)) },
		"shifted mask":     func() { attention.Mask{}.From(1) },

		"softmax gradient, columns": func() { attention.SoftmaxBackward(m(2, 3), m(2, 2)) },
		"softmax gradient, rows":    func() { attention.SoftmaxBackward(m(2, 3), m(1, 3)) },
		"sink gradient, rows":       func() { attention.SinkBackward(m(2, 3), m(1, 3), make([]float64, 2), 0) },
		"sink gradient, more rows":  func() { attention.SinkBackward(m(2, 3), m(3, 3), make([]float64, 2), 0) },
		"sink gradient, columns":    func() { attention.SinkBackward(m(2, 3), m(2, 4), make([]float64, 2), 0) },
		"sink gradient, more lses":  func() { attention.SinkBackward(m(2, 3), m(2, 3), make([]float64, 3), 0) },
		"gradient, rows":            func() { attention.Backward(m(2, 3), m(4, 3), m(4, 2), m(3, 2), none) },
		"gradient, fewer rows":      func() { attention.Backward(m(2, 3), m(4, 3), m(4, 2), m(1, 2), none) },
		"gradient of the lse": func() {
			attention.BackwardLSE(m(2, 3), m(4, 3), m(4, 2), m(2, 2), make([]float64, 3), none)
		},
		"gradient of the lse, none":   func() { attention.BackwardLSE(m(2, 3), m(4, 3), m(4, 2), m(2, 2), nil, none) },
		"heads of keys":               func() { attention.MHA(ms(2), ms(3), ms(2), none) },
		"heads of values":             func() { attention.MHA(ms(2), ms(2), ms(3), none) },
		"backward heads of values":    func() { attention.GQABackward(ms(2), ms(1), ms(2), ms(2), none) },
		"backward heads of gradients": func() { attention.GQABackward(ms(2), ms(1), ms(1), ms(3), none) },
		"no group":                    func() { attention.Group(0, 2, 0) },
		"a negative group":            func() { attention.Group(0, 2, -1) },
		"a negative head":             func() { attention.Group(-1, 2, 1) },
		"a head too many":             func() { attention.Group(2, 2, 1) },
		"pool into none":              func() { attention.PoolHeads(m(6, 2), 3, 0) },
		"pool of uneven rows":         func() { attention.PoolHeads(m(7, 2), 4, 2) },
		"split into none":             func() { attention.SplitHeads(m(2, 4), 0) },
		"concat, columns":             func() { attention.ConcatHeads([]*mat.Dense{m(2, 2), m(2, 3)}) },
		"merge, numbers":              func() { attention.Merge(ms(2), [][]float64{{1, 1}}) },
		"merge, rows": func() {
			attention.Merge([]*mat.Dense{m(2, 2), m(3, 2)}, [][]float64{{1, 1}, {1, 1}})
		},
		"merge, columns": func() {
			attention.Merge([]*mat.Dense{m(2, 2), m(2, 3)}, [][]float64{{1, 1}, {1, 1}})
		},
		"merge, lses": func() {
			attention.Merge([]*mat.Dense{m(2, 2), m(2, 2)}, [][]float64{{1, 1}, {1, 1, 1}})
		},
	} {
		t.Run("a mismatch panics with a constant message: "+name, func(t *testing.T) {
			defer func() {
				if s, ok := recover().(string); !ok || len(s) < 12 || s[:11] != "attention: " {
					t.Errorf("panic %q, want one that starts with the package", s)
				}
			}()
			call()
		})
	}
}
