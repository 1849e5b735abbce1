package fp8

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// layer is a linear layer with its gradient, of small integers, which UE8M0 holds exactly in any
// tiles: T tokens, from d to d'.
type layer struct{ x, w, dy *mat.Dense }

func newLayer(tokens, d, out int) layer {
	whole := func(rows, cols int, seed uint64) *mat.Dense {
		m := normal(rows, cols, seed)
		m.Apply(func(_, _ int, v float64) float64 { return math.Round(2 * v) }, m)
		return m
	}
	return layer{whole(tokens, d, 1), whole(out, d, 2), whole(tokens, out, 3)}
}

// forward returns Σ dY ∘ (X Wᵀ), the loss of which dY is the gradient for Y.
func (l layer) forward() float64 {
	var y mat.Dense
	y.Mul(l.x, l.w.T())
	return floats.Dot(y.RawMatrix().Data, l.dy.RawMatrix().Data)
}

func TestLinearLayer(t *testing.T) {
	l := newLayer(5, 7, 6)
	x, w, dy := Quantise(l.x, powers(tile)), Quantise(l.w, powers(square)), Quantise(l.dy, powers(tile))
	columns := Quantise(l.dy, powers(column))
	// The loss is linear in each: differences round 5·7·6 terms below 100.
	slope := check.DifferenceBound(5000, 210)
	moved := func(m *mat.Dense) []float64 {
		data, start := m.RawMatrix().Data, append([]float64(nil), m.RawMatrix().Data...)
		defer copy(data, start)
		return check.Gradient(func(at []float64) float64 { copy(data, at); return l.forward() }, start)
	}
	t.Run("Fprop is Y = X Wᵀ", func(t *testing.T) {
		var y mat.Dense
		y.Mul(l.x, l.w.T())
		check.NearMatrix(t, "Y", Fprop(x, w), &y, 0)
	})
	t.Run("Dgrad is the derivative for X", func(t *testing.T) {
		check.NearAll(t, "dX", Dgrad(dy, w).RawMatrix().Data, moved(l.x), slope)
	})
	t.Run("Wgrad is the derivative for W, X from its tiles of the forward pass", func(t *testing.T) {
		dw := Wgrad(columns, Retile(x, powers(column)))
		check.NearAll(t, "dW", dw.RawMatrix().Data, moved(l.w), slope)
	})
	// Y is linear in X and in W: Σ X∘dX = Σ W∘dW = Σ Y∘dY, all sums of whole numbers.
	t.Run("all three carry the whole loss, exactly", func(t *testing.T) {
		dot := func(a, b *mat.Dense) float64 { return floats.Dot(a.RawMatrix().Data, b.RawMatrix().Data) }
		check.Near(t, "Y", dot(Fprop(x, w), l.dy), l.forward(), 0)
		check.Near(t, "X", dot(Dgrad(dy, w), l.x), l.forward(), 0)
		check.Near(t, "W", dot(Wgrad(columns, Retile(x, powers(column))), l.w), l.forward(), 0)
	})
}

func TestLinearLayerInRealNumbers(t *testing.T) {
	x, w, dy := normal(150, 200, 4), normal(300, 200, 5), normal(150, 300, 6)
	q, qw := Quantise(x, config(tile)), Quantise(w, config(square))
	t.Run("each product is that of what its operands stand for", func(t *testing.T) {
		tiles, columns := Quantise(dy, config(tile)), Quantise(dy, config(column))
		nearProduct(t, Fprop(q, qw), q, qw)
		nearProduct(t, Dgrad(tiles, qw), tiles, qw.T())
		xc := Retile(q, config(column))
		nearProduct(t, Wgrad(columns, xc), columns.T(), xc.T())
	})
	// Errors of 1/17 at most, alike in sign as often as not: a few percent, as of each operand.
	t.Run("and within some percent of that of the numbers before", func(t *testing.T) {
		var want, e mat.Dense
		want.Mul(x, w.T())
		e.Sub(Fprop(q, qw), &want)
		ratio := mat.Norm(&e, 2) / mat.Norm(&want, 2)
		t.Logf("off by %.4f", ratio)
		if ratio < 0.01 || ratio > 0.06 {
			t.Errorf("off by %.4f, want 0.01 to 0.06", ratio)
		}
	})
	t.Run("tiles of the forward pass do not fit the sum over tokens", func(t *testing.T) {
		check.Panics(t, "fp8: widths of the operands or of their blocks differ", func() {
			Wgrad(Quantise(dy, config(column)), q)
		})
	})
}
