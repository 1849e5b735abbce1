package mla

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/attention"
	"plumbline/rope"
)

// An approx is a computed matrix and, element by element, how far it can be from the exact one:
// roundings are counted where they are made and carried along by the rules of first-order analysis
// with their second-order terms. It evaluates the layer a second time, in the simplest order, and
// what it says bounds every other order of the same sums, since γ_n does not depend on it.
type approx struct{ v, e *mat.Dense }

const u = 0x1p-53 // unit roundoff of float64

// gamma returns γ_n = n u / (1 − n u), which bounds the relative error of n roundings in a row.
func gamma(n int) float64 { return float64(n) * u / (1 - float64(n)*u) }

func exact(m mat.Matrix) approx {
	r, c := m.Dims()
	return approx{mat.DenseCopyOf(m), mat.NewDense(r, c, nil)}
}

func abs(m mat.Matrix) *mat.Dense {
	var a mat.Dense
	a.Apply(func(_, _ int, v float64) float64 { return math.Abs(v) }, m)
	return &a
}

func (a approx) t() approx { return approx{mat.DenseCopyOf(a.v.T()), mat.DenseCopyOf(a.e.T())} }

// mul is a·b: |Δ| ≤ |a| Δb + Δa |b| + Δa Δb + γ_n |a||b|.
func (a approx) mul(b approx) approx {
	_, n := a.v.Dims()
	var v, size, x, y mat.Dense
	v.Mul(a.v, b.v)
	absA, absB := abs(a.v), abs(b.v)
	size.Mul(absA, absB)
	x.Mul(absA, b.e)
	y.Add(absB, b.e)
	var z mat.Dense
	z.Mul(a.e, &y)
	size.Scale(gamma(n), &size)
	x.Add(&x, &z)
	x.Add(&x, &size)
	x.Scale(1.0001, &x) // the bound is rounded too
	return approx{&v, &x}
}

// norm is RMSNorm by rows. The mean square M has error δM ≤ 2/d Σ|x|Δx + 1/d ΣΔx² + γ_{d+2} M,
// which moves 1/√(M+ε) by a relative δM/(M+ε) at most (half of it, to first order), and four more
// roundings follow.
func (a approx) norm(weight []float64, eps float64) approx {
	if weight == nil {
		return a
	}
	rows, d := a.v.Dims()
	y := exact(a.v)
	for t := range rows {
		var square, moved float64
		for i := range d {
			x, e := math.Abs(a.v.At(t, i)), a.e.At(t, i)
			square += x * x / float64(d)
			moved += (2*x + e) * e / float64(d)
		}
		r := 1 / math.Sqrt(square+eps)
		rel := (moved+gamma(d+2)*square)*r*r + 5*u
		for i := range d {
			x, e, w := a.v.At(t, i), a.e.At(t, i), weight[i]
			y.v.Set(t, i, w*x*r)
			y.e.Set(t, i, math.Abs(w)*r*(e+(math.Abs(x)+e)*rel)*1.0001)
		}
	}
	return y
}

// rotate turns one rotary part by row. Its own angle m θ'_i is rounded, which is an error of m θ'_i
// u in radians, and with it the table.
func (a approx) rotate(c Config) approx {
	rows, d := a.v.Dims()
	y := exact(a.v)
	r := c.Rotation(rows)
	y.v = r.rows(a.v)
	for t := range rows {
		angle := (float64(c.Start+t) + 4) * u
		for i := range d / 2 {
			p, q := 2*i, 2*i+1
			if c.Layout == rope.Half {
				p, q = i, i+d/2
			}
			e := (a.e.At(t, p)+a.e.At(t, q))*(1+4*u) + (math.Abs(a.v.At(t, p))+math.Abs(a.v.At(t, q)))*angle
			if c.Layout != rope.Interleaved {
				p, q = i, i+d/2
			}
			y.e.Set(t, p, 1.0001*e)
			y.e.Set(t, q, 1.0001*e)
		}
	}
	return y
}

func (a approx) concat(b approx) approx { return approx{concat(a.v, b.v), concat(a.e, b.e)} }

// attend is one head. A weight e^{x_j−m}/Σ moves by a relative e^{2 max Δx}−1, Δx holding the
// roundings of scale and of x_j−m too, and has T+8 further roundings: the exponential's (its own
// error below one unit), the sum's and the quotient's.
func attend(q, k, v approx, scale float64, causal bool) approx {
	x := q.mul(k.t())
	rows, cols := x.v.Dims()
	p := exact(x.v)
	for s := range rows {
		seen := cols
		if causal {
			seen = cols - rows + s + 1
		}
		top := scale * slices.Max(x.v.RawRowView(s)[:seen])
		var sum, moved float64
		for j := range seen {
			score := scale * x.v.At(s, j)
			p.v.Set(s, j, math.Exp(score-top))
			sum += p.v.At(s, j)
			moved = max(moved, scale*x.e.At(s, j)+(4*math.Abs(score)+2*math.Abs(top))*u)
		}
		for j := range cols {
			if j >= seen {
				p.v.Set(s, j, 0)
			}
			p.v.Set(s, j, p.v.At(s, j)/sum)
			p.e.Set(s, j, p.v.At(s, j)*(math.Expm1(2*moved)+gamma(cols+8)))
		}
	}
	return p.mul(v)
}

// queryLatent is what queries are made of: without compression the token itself.
func (h approx) queryLatent(w Weights, c Config) approx {
	if w.WQ != nil {
		return h
	}
	return h.mul(exact(w.WDQ.T())).norm(w.NormQ, c.Eps)
}

// evaluate is the layer with bounds, naive or absorbed.
func evaluate(x mat.Matrix, w Weights, c Config, absorbed bool) approx {
	h := exact(x)
	wDKV, wKR := w.Down(c)
	latent := h.mul(exact(wDKV.T())).norm(w.NormKV, c.Eps)
	kR := h.mul(exact(wKR.T())).rotate(c)
	cQ := h.queryLatent(w, c)
	var all approx
	for i := range c.Heads {
		hw := w.Head(i, c)
		q, k, v := cQ.mul(exact(hw.UQ.T())), latent, latent
		if absorbed {
			q = q.mul(exact(hw.UK))
		} else {
			k, v = latent.mul(exact(hw.UK.T())), latent.mul(exact(hw.UV.T()))
		}
		o := attend(q.concat(cQ.mul(exact(hw.QR.T())).rotate(c)), k.concat(kR), v, c.ScoreScale(), c.Causal)
		if absorbed {
			o = o.mul(exact(hw.UV.T()))
		}
		if i > 0 {
			o = all.concat(o)
		}
		all = o
	}
	return all.mul(exact(w.WO.T()))
}

// within fails unless |a − b| ≤ bound everywhere, and unless the bound itself is small enough to
// mean something.
func within(t rapid.TB, what string, a, b mat.Matrix, bounds ...*mat.Dense) {
	t.Helper()
	rows, cols := a.Dims()
	if r, c := b.Dims(); r != rows || c != cols {
		t.Fatalf("%s: shapes [%d %d] and [%d %d]", what, rows, cols, r, c)
	}
	size := mat.Max(abs(b))
	for i := range rows {
		for j := range cols {
			var bound float64
			for _, m := range bounds {
				bound += m.At(i, j)
			}
			if !(bound <= 1e-6*size) {
				t.Fatalf("%s: bound %g at (%d, %d) says nothing of values up to %g", what, bound, i, j, size)
			}
			if d := math.Abs(a.At(i, j) - b.At(i, j)); !(d <= bound) {
				t.Fatalf("%s: (%d, %d) is %v and %v, apart by %g where roundings explain %g",
					what, i, j, a.At(i, j), b.At(i, j), d, bound)
			}
		}
	}
}

// apart returns the largest difference of a and b relative to the largest element of b.
func apart(a, b mat.Matrix) float64 {
	var d mat.Dense
	d.Sub(a, b)
	return mat.Max(abs(&d)) / mat.Max(abs(b))
}

// identical fails unless a and b are the same numbers.
func identical(t rapid.TB, what string, a, b mat.Matrix) {
	t.Helper()
	if !mat.Equal(a, b) {
		t.Fatalf("%s: not the same numbers", what)
	}
}

var causalMask = attention.Mask{Causal: true}
