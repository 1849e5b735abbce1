package moe

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// newExperts returns n experts of inner width f.
func newExperts(n, d, f int, seed uint64) []Expert {
	experts := make([]Expert, n)
	for i := range experts {
		_, w1, w3, w2 := network(d, f, seed+uint64(i)*100)
		experts[i] = Expert{W1: w1, W3: w3, W2: w2}
	}
	return experts
}

// parameters returns all weights of an expert, one after the other.
func (e Expert) parameters() []float64 {
	return slices.Concat(e.W1.RawMatrix().Data, e.W3.RawMatrix().Data, e.W2.RawMatrix().Data)
}

// with returns an expert of the same shape with other weights.
func (e Expert) with(p []float64) Expert {
	f, d := e.W1.Dims()
	return Expert{
		W1: mat.NewDense(f, d, p[:f*d]), W3: mat.NewDense(f, d, p[f*d:2*f*d]), W2: mat.NewDense(d, f, p[2*f*d:]),
		Limit: e.Limit,
	}
}

func TestExpert(t *testing.T) {
	const d, f = 4, 6
	u0, dy := check.Random(1, d, 1), check.Random(2, d, 1)
	e := newExperts(1, d, f, 3)[0]
	limited := e
	limited.Limit = 0.25

	t.Run("it is SwiGLU, and with a limit SwiGLUClamped, to the bit", func(t *testing.T) {
		check.NearAll(t, "y", e.Output(u0), SwiGLU(u0, e.W1, e.W3, e.W2), 0)
		check.NearAll(t, "y", limited.Output(u0), SwiGLUClamped(u0, e.W1, e.W3, e.W2, 0.25), 0)
	})
	t.Run("a weight on the inner units is one on the output, to the bit for powers of two", func(t *testing.T) {
		check.NearAll(t, "y", e.OutputHidden(u0, 0.25), ScaleWeights(e.Output(u0), 0.25), 0)
		check.NearAll(t, "y", e.OutputHidden(u0, 0.3), ScaleWeights(e.Output(u0), 0.3), sumBound(d, f))
	})
	t.Run("a weight on the token is another function", func(t *testing.T) {
		check.Apart(t, "y", e.Output(ScaleWeights(u0, 4))[0], 4*e.Output(u0)[0], 0.01)
	})
	for name, e := range map[string]Expert{"plain": e, "with a limit": limited} {
		t.Run("its gradient is the slope, "+name, func(t *testing.T) {
			du, de := e.Backward(u0, dy)
			loss := func(u []float64, e Expert) float64 { return floats.Dot(dy, e.Output(u)) }
			bound := check.DifferenceBound(20, 100)
			check.NearAll(t, "du", du, check.Gradient(func(u []float64) float64 { return loss(u, e) }, u0), bound)
			check.NearAll(t, "dW", de.parameters(),
				check.Gradient(func(p []float64) float64 { return loss(u0, e.with(p)) }, e.parameters()), bound)
		})
	}
}

func TestRoutedOutput(t *testing.T) {
	const d, f = 4, 6
	u0, dy := check.Random(1, d, 1), check.Random(2, d, 1)
	experts := newExperts(5, d, f, 4)
	chosen, weights := []int{3, 0, 1}, []float64{.5, .3, .8}

	t.Run("experts that are all alike give the sum of the weights, whichever are chosen", func(t *testing.T) {
		alike := []Expert{experts[0], experts[0], experts[0]}
		want := ScaleWeights(experts[0].Output(u0), 1.75)
		check.NearAll(t, "y", RoutedOutput(u0, alike, []int{0, 1, 2}, []float64{.5, .25, 1}), want, 3*sumBound(d, f))
		check.NearAll(t, "y", RoutedOutput(u0, alike, []int{2, 2, 1}, []float64{.5, .25, 1}), want, 3*sumBound(d, f))
	})
	t.Run("weights on the inner units give the same sum", func(t *testing.T) {
		check.NearAll(t, "y", RoutedOutputHidden(u0, experts, chosen, weights),
			RoutedOutput(u0, experts, chosen, weights), 3*sumBound(d, f))
	})
	t.Run("a dropped expert adds nothing", func(t *testing.T) {
		check.NearAll(t, "y", RoutedOutput(u0, experts, []int{3, -1, 1}, weights),
			RoutedOutput(u0, experts, []int{3, 1}, []float64{.5, .8}), 0)
	})
	t.Run("by way of dispatch, block by block of one expert, it is the same", func(t *testing.T) {
		u, w := random(5, 3, d), [][]float64{{.5, .25}, {.75, 1}, {.125, 2}}
		indices := [][]int{{4, 0}, {0, 2}, {4, -1}}
		order, counts := Dispatch(indices, 5)
		rows, j := DispatchRows(u, order, 2), 0
		for i, count := range counts {
			for range count {
				rows.SetRow(j, experts[i].Output(rows.RawRowView(j)))
				j++
			}
		}
		y := Combine(rows, order, w)
		for n := range 3 {
			check.NearAll(
				t, "y", y.RawRowView(n), RoutedOutput(u.RawRowView(n), experts, indices[n], w[n]), sumBound(d, f),
			)
		}
	})
	t.Run("its gradient is the slope for token, weights and chosen experts", func(t *testing.T) {
		du, de, dg := RoutedOutputBackward(u0, experts, chosen, weights, dy)
		loss := func(u []float64, experts []Expert, w []float64) float64 {
			return floats.Dot(dy, RoutedOutput(u, experts, chosen, w))
		}
		bound := check.DifferenceBound(20, 100)
		check.NearAll(t, "du", du, check.Gradient(func(u []float64) float64 {
			return loss(u, experts, weights)
		}, u0), bound)
		check.NearAll(t, "dg", dg, check.Gradient(func(w []float64) float64 {
			return loss(u0, experts, w)
		}, weights), bound)
		for k, i := range chosen {
			check.NearAll(t, "dW", de[k].parameters(), check.Gradient(func(p []float64) float64 {
				others := slices.Clone(experts)
				others[i] = experts[i].with(p)
				return loss(u0, others, weights)
			}, experts[i].parameters()), bound)
		}
	})
	t.Run("experts and weights that differ in number are refused", func(t *testing.T) {
		check.Panics(t, "moe: experts and weights of a token differ in number", func() {
			RoutedOutput(u0, experts, chosen, weights[:2])
		})
	})
}

func TestFuse(t *testing.T) {
	const d, f = 4, 6
	u0 := check.Random(1, d, 1)
	t.Run("shared experts side by side are one of their inner widths together", func(t *testing.T) {
		shared := newExperts(3, d, f, 5)
		check.NearAll(t, "y", Fuse(shared).Output(u0), SharedOutput(u0, shared), sumBound(d, 3*f))
		if r, _ := Fuse(shared).W1.Dims(); r != 3*f {
			t.Errorf("inner width %d", r)
		}
	})
	t.Run("an expert cut into m of 1/m of its width, all with its weight, gives the same", func(t *testing.T) {
		// DeepSeekMoE's segmentation changes what can be combined, not what a sum is.
		whole := newExperts(1, d, f, 6)[0]
		parts := make([]Expert, 3)
		for m := range parts {
			parts[m] = Expert{
				W1: whole.W1.Slice(2*m, 2*m+2, 0, d).(*mat.Dense), W3: whole.W3.Slice(2*m, 2*m+2, 0, d).(*mat.Dense),
				W2: whole.W2.Slice(0, d, 2*m, 2*m+2).(*mat.Dense),
			}
		}
		g := []float64{.5, .5, .5}
		check.NearAll(
			t, "y", RoutedOutput(u0, parts, []int{2, 0, 1}, g), ScaleWeights(whole.Output(u0), .5), sumBound(d, f),
		)
		check.NearMatrix(t, "W1", Fuse(parts).W1, whole.W1, 0)
		check.NearMatrix(t, "W2", Fuse(parts).W2, whole.W2, 0)
	})
}
