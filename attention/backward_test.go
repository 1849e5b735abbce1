package attention_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/check"
)

// numeric returns the central differences of loss for every element of every x, which
// it moves and puts back: (L(x+h) − L(x−h))/2h, off by h²·L‴/6 + u·L/h.
func numeric(loss func() float64, xs ...*mat.Dense) []*mat.Dense {
	var grads []*mat.Dense
	for _, x := range xs {
		data := x.RawMatrix().Data
		r, c := x.Dims()
		grads = append(grads, mat.NewDense(r, c, check.Moved(loss, data)))
	}
	return grads
}

// numericBound is h²·L‴/6 + u·L/h with h = 2⁻¹⁷ for third derivatives and losses up to 50.
const numericBound = 50*0x1p-34/6 + 50*u*0x1p17

// dot returns Σ a∘b.
func dot(a, b *mat.Dense) float64 {
	var product mat.Dense
	product.MulElem(a, b)
	return mat.Sum(&product)
}

func TestBackward(t *testing.T) {
	sink := 0.3
	for name, c := range map[string]struct {
		queries, keys int
		o             attention.Options
	}{
		"plain":                           {3, 4, attention.Options{}},
		"scaled":                          {3, 4, attention.Options{Scale: 1.7}},
		"causal":                          {4, 4, attention.Options{Mask: attention.Mask{Causal: true}}},
		"causal, fewer queries than keys": {2, 5, attention.Options{Mask: attention.Mask{Causal: true}}},
		"causal, rows that see nothing":   {5, 3, attention.Options{Mask: attention.Mask{Causal: true}, Sink: &sink}},
		"window":                          {4, 6, attention.Options{Mask: attention.Mask{Causal: true, Window: 2}}},
		"window without causality":        {4, 4, attention.Options{Mask: attention.Mask{Window: 2}}},
		"keys not in use": {
			3, 5, attention.Options{Mask: attention.Mask{Causal: true, Queries: 3, Keys: 4}},
		},
		"soft cap": {3, 4, attention.Options{SoftCap: 0.7}},
		"sink":     {3, 4, attention.Options{Sink: &sink}},
		"all of them": {
			3, 6,
			attention.Options{
				Scale: 1.3, SoftCap: 0.9, Sink: &sink,
				Mask: attention.Mask{Causal: true, Window: 3, Queries: 3, Keys: 5},
			},
		},
	} {
		rng := source(50)
		q, k, v := random(rng, c.queries, 3), random(rng, c.keys, 3), random(rng, c.keys, 2)
		do := random(rng, c.queries, 2)
		loss := func() float64 {
			out, _ := attention.Head(q, k, v, c.o)
			return dot(out, do)
		}
		dq, dk, dv := attention.Backward(q, k, v, do, c.o)

		t.Run("it is the derivative of Head, "+name, func(t *testing.T) {
			want := numeric(loss, q, k, v)
			same(t, "dq", dq, want[0], numericBound)
			same(t, "dk", dk, want[1], numericBound)
			same(t, "dv", dv, want[2], numericBound)
		})

		// The loss is linear in v: Σ v∘dv = L. It depends on q and k through q·k alone, so
		// scaling q up and k down alike changes nothing: Σ q∘dq = Σ k∘dk.
		t.Run("values carry the loss, and queries and keys share their gradient, "+name, func(t *testing.T) {
			sameRow(t, "Σ v∘dv", []float64{dot(v, dv)}, []float64{loss()}, 10*bound(3, 6))
			sameRow(t, "Σ q∘dq", []float64{dot(q, dq)}, []float64{dot(k, dk)}, 10*bound(3, 6))
		})

		if c.o.Sink != nil {
			t.Run("the gradient of the sink is the derivative too, "+name, func(t *testing.T) {
				out, lse := attention.Head(q, k, v, c.o)
				got := attention.SinkBackward(out, do, lse, sink)
				want := fd.Derivative(func(x float64) float64 {
					o := c.o
					o.Sink = &x
					out, _ := attention.Head(q, k, v, o)
					return dot(out, do)
				}, sink, &fd.Settings{Formula: fd.Central, Step: 0x1p-17})
				sameRow(t, "dsink", []float64{got}, []float64{want}, numericBound)
			})
		}
	}

	t.Run("closed forms", testBackwardClosedForms)
}

func testBackwardClosedForms(t *testing.T) {
	rng := source(51)
	q, k, v, do := random(rng, 4, 3), random(rng, 4, 3), random(rng, 4, 2), random(rng, 4, 2)

	// p = 1/T for all: dv_j = Σ_s p_sj do_s is the same for every key. T = 4 keeps 1/T exact.
	t.Run("with uniform weights every value gets the mean of do over the keys", func(t *testing.T) {
		_, _, dv := attention.Backward(empty(4, 3), k, v, do, attention.Options{})
		want := empty(4, 2)
		for j := range 4 {
			for c := range 2 {
				want.Set(j, c, mat.Sum(do.Slice(0, 4, c, c+1))/4)
			}
		}
		same(t, "dv", dv, want, 4*u)
	})

	// The weight of the only key is 1, and 1·(dp − 1·dp) = 0.
	t.Run("with one visible key its value gets do, and nothing reaches queries or keys", func(t *testing.T) {
		dq, dk, dv := attention.Backward(q, k, v, do, attention.Options{Mask: attention.Mask{Causal: true, Window: 1}})
		same(t, "dq", dq, empty(4, 3), 0)
		same(t, "dk", dk, empty(4, 3), 0)
		same(t, "dv", dv, do, 0)
	})

	// Adding one vector to every key changes no output, so the gradient along it is 0.
	t.Run("the gradients of the keys sum to zero without a sink and a cap", func(t *testing.T) {
		_, dk, _ := attention.Backward(q, k, v, do, attention.Options{})
		for c := range 3 {
			sameRow(t, "Σ dk", []float64{mat.Sum(dk.Slice(0, 4, c, c+1))}, []float64{0}, 4*bound(3, 4))
		}
	})

	t.Run("a query that sees nothing gets no gradient, even with NaN in it and in do", func(t *testing.T) {
		q, do := random(rng, 5, 3), random(rng, 5, 2)
		q.Set(0, 1, nan)
		do.Set(0, 1, nan)
		dq, dk, dv := attention.Backward(q, k, v, do, attention.Options{Mask: attention.Mask{Causal: true}})
		same(t, "dq", dq.Slice(0, 1, 0, 3), empty(1, 3), 0)
		_, wantK, wantV := attention.Backward(
			q.Slice(1, 5, 0, 3), k, v, do.Slice(1, 5, 0, 2), attention.Options{Mask: attention.Mask{Causal: true}},
		)
		same(t, "dk", dk, wantK, bound(3, 5))
		same(t, "dv", dv, wantV, bound(3, 5))
	})

	t.Run("without keys or queries the gradients are zeros, or have no rows", func(t *testing.T) {
		dq, dk, dv := attention.Backward(q, empty(0, 3), empty(0, 2), do, attention.Options{})
		same(t, "dq", dq, empty(4, 3), 0)
		same(t, "dk", dk, empty(0, 3), 0)
		same(t, "dv", dv, empty(0, 2), 0)
		dq, dk, dv = attention.Backward(empty(0, 3), k, v, empty(0, 2), attention.Options{})
		same(t, "dq", dq, empty(0, 3), 0)
		same(t, "dk", dk, empty(4, 3), 0)
		same(t, "dv", dv, empty(4, 2), 0)
		none := []*mat.Dense{empty(0, 3)}
		_, dks, _ := attention.GQABackward(
			[]*mat.Dense{q}, none, []*mat.Dense{empty(0, 2)}, []*mat.Dense{do}, attention.Options{},
		)
		sameHeads(t, "dk of a group", dks, none, 0)
	})
}

func TestSoftmaxBackward(t *testing.T) {
	rng := source(52)
	x, dp := random(rng, 3, 5), random(rng, 3, 5)

	// The softmax is blind to a constant, so the gradient along (1, …, 1) is 0:
	// Σ_j p_j (dp_j − D) = D − D·Σ_j p_j = 0.
	t.Run("rows of the scores' gradient sum to zero", func(t *testing.T) {
		p, _ := attention.Softmax(x, nil)
		dx := attention.SoftmaxBackward(p, dp)
		for s := range 3 {
			sameRow(t, "sum", []float64{mat.Sum(dx.Slice(s, s+1, 0, 5))}, []float64{0}, 32*u)
		}
	})

	// With a sink Σ_j p_j = 1 − p_sink, and the rest of the gradient is the sink's.
	t.Run("with a sink they sum to what the sink's own gradient lacks", func(t *testing.T) {
		sink := 0.4
		p, lse := attention.Softmax(x, &sink)
		dx := attention.SoftmaxBackward(p, dp)
		for s := range 3 {
			var d float64
			for j := range 5 {
				d += p.At(s, j) * dp.At(s, j)
			}
			want := attention.SinkFactor(sink, lse[s]) * d // p_sink = σ(sink − lse)
			sameRow(t, "sum", []float64{mat.Sum(dx.Slice(s, s+1, 0, 5))}, []float64{want}, 32*u)
		}
	})

	// ∂p_j/∂x_i = p_j (δ_ij − p_i), written out for two keys of weight ¾ and ¼.
	t.Run("for weights 3/4 and 1/4 the Jacobian is ±3/16", func(t *testing.T) {
		p := mat.NewDense(1, 2, []float64{0.75, 0.25})
		dx := attention.SoftmaxBackward(p, mat.NewDense(1, 2, []float64{1, 0}))
		same(t, "column of the first weight", dx, mat.NewDense(1, 2, []float64{3. / 16, -3. / 16}), 0)
	})

	t.Run("it is the derivative of Softmax", func(t *testing.T) {
		p, _ := attention.Softmax(x, nil)
		want := numeric(func() float64 {
			p, _ := attention.Softmax(x, nil)
			return dot(p, dp)
		}, x)
		same(t, "dx", attention.SoftmaxBackward(p, dp), want[0], numericBound)
	})
}

func TestSoftCapBackward(t *testing.T) {
	t.Run("it is the derivative of SoftCap, given by its result", func(t *testing.T) {
		for _, x := range []float64{-40, -3, 0, 0.5, 12} {
			got := attention.SoftCapBackward(attention.SoftCap(x, 10), 10)
			want := fd.Derivative(func(x float64) float64 {
				return attention.SoftCap(x, 10)
			}, x, &fd.Settings{Formula: fd.Central, Step: 0x1p-17})
			if math.Abs(got-want) > numericBound {
				t.Errorf("at %v: %v, want %v", x, got, want)
			}
		}
	})
}

func TestGQABackward(t *testing.T) {
	rng := source(53)
	q, k, v, do := several(rng, 4, 3, 2), several(rng, 2, 4, 2), several(rng, 2, 4, 2), several(rng, 4, 3, 2)
	o := attention.Options{Mask: attention.Mask{Causal: true}, Sinks: []float64{0, 1, -1, 0.5}}
	dq, dk, dv := attention.GQABackward(q, k, v, do, o)

	t.Run("it is the derivative of GQA", func(t *testing.T) {
		loss := func() (sum float64) {
			out, _ := attention.GQA(q, k, v, o)
			for h := range out {
				sum += dot(out[h], do[h])
			}
			return sum
		}
		sameHeads(t, "dq", dq, numeric(loss, q...), numericBound)
		sameHeads(t, "dk", dk, numeric(loss, k...), numericBound)
		sameHeads(t, "dv", dv, numeric(loss, v...), numericBound)
	})

	// A shared input gets the sum of the gradients of its copies. Two heads: one addition
	// to zero, one rounding, and the same one here.
	t.Run("a group's gradient is the sum of its heads' on repeated keys", func(t *testing.T) {
		_, dk4, dv4 := attention.GQABackward(q, attention.Repeat(k, 4), attention.Repeat(v, 4), do, o)
		for g := range 2 {
			var sumK, sumV mat.Dense
			sumK.Add(dk4[2*g], dk4[2*g+1])
			sumV.Add(dv4[2*g], dv4[2*g+1])
			same(t, "dk", dk[g], &sumK, 0)
			same(t, "dv", dv[g], &sumV, 0)
		}
	})
}

func TestProjectBackward(t *testing.T) {
	rng := source(54)
	x, w, dy := random(rng, 3, 4), random(rng, 2, 4), random(rng, 3, 2)
	t.Run("it is the derivative of Project", func(t *testing.T) {
		want := numeric(func() float64 { return dot(attention.Project(x, w), dy) }, x, w)
		dx, dw := attention.ProjectBackward(x, w, dy)
		same(t, "dx", dx, want[0], numericBound)
		same(t, "dw", dw, want[1], numericBound)
	})
	t.Run("without tokens the weights have a gradient of zero", func(t *testing.T) {
		dx, dw := attention.ProjectBackward(empty(0, 4), w, empty(0, 2))
		same(t, "dx", dx, empty(0, 4), 0)
		same(t, "dw", dw, empty(2, 4), 0)
	})
	t.Run("shapes that do not fit are refused", func(t *testing.T) {
		for _, m := range [][3]*mat.Dense{
			{empty(3, 5), w, dy}, {x, empty(2, 3), dy}, {x, w, empty(2, 2)}, {x, w, empty(3, 1)}, {x, w, empty(3, 3)},
		} {
			check.Panics(t, "attention: widths of tokens and weights differ", func() {
				attention.ProjectBackward(m[0], m[1], m[2])
			})
		}
	})
}
