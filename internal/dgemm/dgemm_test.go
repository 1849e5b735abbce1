package dgemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

// call is one product with everything that it is given.
type call struct {
	tA, tB        blas.Transpose
	m, n, k       int
	alpha, beta   float64
	a, b, c       []float64
	lda, ldb, ldc int
}

// String names a call's shape.
func (c call) String() string {
	return fmt.Sprintf("%c%c %d×%d×%d α %v β %v ld %d %d %d", c.tA, c.tB, c.m, c.n, c.k, c.alpha, c.beta, c.lda,
		c.ldb, c.ldc)
}

// newCall draws a call of a shape: numbers from draw, rows further apart than they are long.
func newCall(tA, tB blas.Transpose, m, n, k int, alpha, beta float64, draw func() float64) call {
	c := call{tA: tA, tB: tB, m: m, n: n, k: k, alpha: alpha, beta: beta, ldc: n + 3}
	rows := func(lines, length int, across bool) (x []float64, ld int) {
		if across {
			lines, length = length, lines
		}
		ld = max(1, length+2)
		x = make([]float64, lines*ld)
		for i := range x {
			x[i] = draw()
		}
		return x, ld
	}
	c.a, c.lda = rows(m, k, tA == blas.Trans)
	c.b, c.ldb = rows(n, k, tB == blas.NoTrans)
	c.c, _ = rows(m, n+1, false)
	return c
}

// compute returns what a kernel makes of C on so many cores.
func (c call) compute(kn kernel, cores int) []float64 {
	p := product{
		kernel: &kn, m: c.m, n: c.n, k: c.k, alpha: c.alpha, beta: c.beta, c: slices.Clone(c.c), ldc: c.ldc,
		a: operand{data: c.a, ld: c.lda, across: c.tA != blas.NoTrans},
		b: operand{data: c.b, ld: c.ldb, across: c.tB == blas.NoTrans},
	}
	p.compute(cores)
	return p.c
}

// steps returns how far the next element, and the next term, of a factor lie.
func steps(ld int, across bool) (line, term int) {
	if across {
		return 1, ld
	}
	return ld, 1
}

// terms calls f for the factors of each term of the sum of an element, in order.
func (c call) terms(i, j int, f func(t int, a, b float64)) {
	lineA, termA := steps(c.lda, c.tA != blas.NoTrans)
	lineB, termB := steps(c.ldb, c.tB == blas.NoTrans)
	for t := range c.k {
		f(t, c.a[i*lineA+t*termA], c.b[j*lineB+t*termB])
	}
}

// inOrder returns C as the comment of the package says that it is formed, with fused terms or not.
func (c call) inOrder(fused bool) []float64 {
	out := slices.Clone(c.c)
	for i := range c.m {
		for j := range c.n {
			c.element(&out[i*c.ldc+j], i, j, fused)
		}
	}
	return out
}

// element forms one element of C.
func (c call) element(out *float64, i, j int, fused bool) {
	sum := 0.0
	if c.beta != 0 {
		*out *= c.beta
	}
	c.terms(i, j, func(t int, a, b float64) {
		if sum = term(sum, c.alpha*a, b, fused); (t+1)%depth != 0 && t+1 < c.k {
			return
		}
		if t < depth && c.beta == 0 {
			*out = sum
		} else {
			*out += sum
		}
		sum = 0
	})
}

// term returns sum + x·y.
func term(sum, x, y float64, fused bool) float64 {
	if fused {
		return math.FMA(x, y, sum)
	}
	return sum + float64(x*y)
}

// shapes are those at which something begins or ends: registers, panels, blocks of terms, tasks.
var shapes = [][3]int{
	{1, 1, 1}, {1, 7, 5}, {7, 1, 3}, {8, 24, 4}, {9, 25, 257}, {17, 47, 256}, {3, 23, 512}, {33, 49, 700},
	{4, 12, 255}, {65, 100, 64}, {1, 1100, 300}, {600, 1, 33}, {530, 26, 31}, {16, 8, 1}, {5, 16, 3}, {13, 2100, 2},
}

// each calls f for all transpositions of all shapes.
func eachCall(draw func() float64, f func(c call)) {
	factors := []float64{0, 1, -1, 0.7, 3}
	for i, s := range shapes {
		for j, t := range [][2]blas.Transpose{{'N', 'N'}, {'N', 'T'}, {'T', 'N'}, {'T', 'T'}} {
			f(newCall(t[0], t[1], s[0], s[1], s[2], factors[1+(i+j)%4], factors[(i+3*j)%5], draw))
		}
	}
}

// same tells whether numbers have the same bits, where a NaN is a NaN.
func same(x, y []float64) bool {
	return slices.EqualFunc(x, y, func(x, y float64) bool {
		return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
	})
}

// TestMulSquares: a product with squares that are never stored is that with squares that are.
func TestMulSquares(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	eachCall(r.NormFloat64, func(c call) {
		general := func(x []float64, ld, rows, cols int) blas64.General {
			return blas64.General{Rows: rows, Cols: cols, Stride: ld, Data: x}
		}
		rowsA, colsA, rowsB, colsB := c.m, c.k, c.k, c.n
		if c.tA == blas.Trans {
			rowsA, colsA = colsA, rowsA
		}
		if c.tB == blas.Trans {
			rowsB, colsB = colsB, rowsB
		}
		got := general(slices.Clone(c.c), c.ldc, c.m, c.n)
		MulSquares(c.tA, c.tB, general(c.a, c.lda, rowsA, colsA), general(c.b, c.ldb, rowsB, colsB), c.beta, got)
		for i, v := range c.b {
			c.b[i] = v * v
		}
		c.alpha = 1
		if want := c.compute(kernels[0], 2); !same(got.Data, want) {
			t.Errorf("%v: another product than with the squares", c)
		}
	})
}

func TestDgemm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, kn := range kernels {
		t.Run(kn.name, func(t *testing.T) {
			t.Run("sums take their terms in order, and nothing beside C changes", func(t *testing.T) {
				eachCall(r.NormFloat64, func(c call) {
					if !same(c.compute(kn, 2), c.inOrder(kn.fused)) {
						t.Errorf("%v: not the sums in order", c)
					}
				})
			})
			t.Run("the bits are the same on any number of cores", func(t *testing.T) {
				eachCall(r.NormFloat64, func(c call) {
					one := c.compute(kn, 1)
					for _, cores := range []int{2, 3, 7, 64} {
						if !same(c.compute(kn, cores), one) {
							t.Errorf("%v: other bits on %d cores", c, cores)
						}
					}
				})
			})
			t.Run("whole numbers are exact", func(t *testing.T) {
				small := func() float64 { return float64(r.IntN(17) - 8) }
				eachCall(small, func(c call) {
					c.alpha, c.beta = math.Round(c.alpha), math.Round(c.beta)
					if !slices.Equal(c.compute(kn, 2), c.gonum()) {
						t.Errorf("%v: not gonum's", c)
					}
				})
			})
			t.Run("numbers that are not finite go where they belong", func(t *testing.T) { hostile(t, kn) })
		})
	}
}

// gonum returns what gonum makes of C.
func (c call) gonum() []float64 {
	out := slices.Clone(c.c)
	gonum.Implementation{}.Dgemm(c.tA, c.tB, c.m, c.n, c.k, c.alpha, c.a, c.lda, c.b, c.ldb, c.beta, out, c.ldc)
	return out
}

// hostile draws infinities, NaN, zeros of both signs, subnormal and huge numbers. Kinds of number
// are those of any order here: the huge are too few to overflow in one and not in another.
func hostile(t *testing.T, kn kernel) {
	r := rand.New(rand.NewPCG(3, 4))
	special := []float64{math.Inf(1), math.Inf(-1), math.NaN(), 0, math.Copysign(0, -1), 5e-324, 1e-310, 1e150}
	draw := func() float64 {
		if r.IntN(40) == 0 {
			return special[r.IntN(len(special))]
		}
		return r.NormFloat64()
	}
	eachCall(draw, func(c call) {
		if !same(c.compute(kn, 2), c.inOrder(kn.fused)) {
			t.Errorf("%v: not the sums in order", c)
		}
	})
}

// bound returns 2γ, γ = (k+3)u/(1−(k+3)u), times the sum of the amounts of an element's terms: what
// two orders of rounding them may differ by.
func (c call) bound(i, j int) float64 {
	amount := math.Abs(c.beta * c.c[i*c.ldc+j])
	c.terms(i, j, func(_ int, a, b float64) { amount += math.Abs(c.alpha * a * b) })
	n := float64(c.k+3) * 0x1p-53
	return 2 * n / (1 - n) * amount
}

// near compares with gonum's product.
func (c call) near(t *testing.T, got []float64) {
	t.Helper()
	want := c.gonum()
	for i := range c.m {
		for j := range c.n {
			at := i*c.ldc + j
			if d := math.Abs(got[at] - want[at]); !(d <= c.bound(i, j)) {
				t.Fatalf("%v: element %d, %d: %v, want %v within %v", c, i, j, got[at], want[at], c.bound(i, j))
			}
			got[at] = c.c[at]
		}
	}
	if !same(got, c.c) {
		t.Fatalf("%v: numbers between the rows of C changed", c)
	}
}

func FuzzDgemm(f *testing.F) {
	f.Add(uint16(7), uint16(30), uint16(300), uint8(1), 1.0, 0.5, uint64(1))
	f.Add(uint16(130), uint16(1), uint16(2), uint8(2), -2.0, 0.0, uint64(2))
	f.Add(uint16(1), uint16(300), uint16(64), uint8(3), 0.0, 1.0, uint64(3))
	f.Fuzz(func(t *testing.T, m, n, k uint16, how uint8, alpha, beta float64, seed uint64) {
		if !(math.Abs(alpha) < 1e100 && math.Abs(beta) < 1e100) || alpha != 0 && math.Abs(alpha) < 1e-100 {
			t.Skip("products overflow or are subnormal, where γ says nothing")
		}
		trans := [2]blas.Transpose{blas.NoTrans, blas.Trans}
		r := rand.New(rand.NewPCG(seed, 0))
		c := newCall(trans[how&1], trans[how>>1&1], int(m%300), int(n%300), int(k%600), alpha, beta, r.NormFloat64)
		got := slices.Clone(c.c)
		Implementation{}.Dgemm(c.tA, c.tB, c.m, c.n, c.k, c.alpha, c.a, c.lda, c.b, c.ldb, c.beta, got, c.ldc)
		c.near(t, got)
	})
}

func TestDgemmRefusesWhatGonumRefuses(t *testing.T) {
	message := func(f func()) (text any) {
		defer func() { text = recover() }()
		f()
		return nil
	}
	good := newCall(blas.NoTrans, blas.Trans, 5, 6, 7, 1, 0, rand.New(rand.NewPCG(5, 6)).Float64)
	for name, change := range map[string]func(c *call){
		"transposition": func(c *call) { c.tA = 'X' }, "m": func(c *call) { c.m = -1 },
		"lda": func(c *call) { c.lda = 6 }, "ldb": func(c *call) { c.ldb = 1 }, "ldc": func(c *call) { c.ldc = 5 },
		"a": func(c *call) { c.a = c.a[:20] }, "b": func(c *call) { c.b = nil }, "c": func(c *call) { c.c = c.c[:40] },
	} {
		c := good
		change(&c)
		want := message(func() { c.gonum() })
		got := message(func() {
			Implementation{}.Dgemm(c.tA, c.tB, c.m, c.n, c.k, c.alpha, c.a, c.lda, c.b, c.ldb, c.beta, c.c, c.ldc)
		})
		if want == nil || got != want {
			t.Errorf("%s: panic %v, want %v", name, got, want)
		}
	}
}
