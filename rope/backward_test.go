package rope

import (
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
)

// slope is what central differences of a sum of six products up to 4 are off by.
var slope = check.DifferenceBound(4, 64)

// amplified returns a row of a table with an amplitude, and x and dy of width 6.
func amplified() (x, dy, cos, sin []float64) {
	cos, sin = row(4.25, Frequencies(6, 100))
	floats.Scale(1.25, cos)
	floats.Scale(1.25, sin)
	return vector(6, 31), vector(6, 32), cos, sin
}

func TestRotateBackward(t *testing.T) {
	x, dy, cos, sin := amplified()

	t.Run("it is the derivative of Rotate in every layout, with an amplitude", func(t *testing.T) {
		for _, layout := range layouts {
			want := check.Gradient(func(x []float64) float64 { return floats.Dot(dy, Rotate(x, cos, sin, layout)) }, x)
			nearAll(t, layout.String(), RotateBackward(dy, cos, sin, layout), want, slope)
		}
	})
	// The transpose is what may change sides of a dot product.
	t.Run("it is the transpose: dy·R x = Rᵀ dy·x", func(t *testing.T) {
		for _, layout := range layouts {
			got := floats.Dot(RotateBackward(dy, cos, sin, layout), x)
			near(t, layout.String(), got, floats.Dot(dy, Rotate(x, cos, sin, layout)), 64*u)
		}
	})
	t.Run("where pairs are written as they are read it is the rotation turned back, to the bit", func(t *testing.T) {
		for _, layout := range []Layout{Interleaved, Half} {
			same(t, layout.String(), RotateBackward(dy, cos, sin, layout), Inverse(dy, cos, sin, layout))
		}
	})
	t.Run("interleaved to half turns the order back as well, which Inverse does not", func(t *testing.T) {
		got := RotateBackward(dy, cos, sin, InterleavedToHalf)
		same(t, "by way of interleaved", got, RotateBackward(PermuteBackward(dy), cos, sin, Interleaved))
		if floats.EqualApprox(got, Inverse(dy, cos, sin, InterleavedToHalf), 1e-3) {
			t.Error("Inverse must tell")
		}
	})
	t.Run("without an amplitude it undoes the rotation, in every layout", func(t *testing.T) {
		cos, sin := row(4321, Frequencies(64, 10000))
		x := vector(64, 4)
		for _, layout := range layouts {
			nearAll(t, layout.String(), RotateBackward(Rotate(x, cos, sin, layout), cos, sin, layout), x, 16*u)
		}
	})
	t.Run("a quarter turn shows which element gets the minus sign", func(t *testing.T) {
		one, zero := []float64{1, 1}, []float64{0, 0}
		same(t, "interleaved", RotateBackward([]float64{1, 2, 3, 4}, zero, one, Interleaved), []float64{2, -1, 4, -3})
		same(t, "half", RotateBackward([]float64{1, 2, 3, 4}, zero, one, Half), []float64{3, 4, -1, -2})
		same(t, "interleaved to half", RotateBackward([]float64{1, 2, 3, 4}, zero, one, InterleavedToHalf),
			[]float64{3, -1, 4, -2})
	})
	t.Run("lengths that do not fit are a mistake of the caller", func(t *testing.T) {
		panics(t, badLength, func() { RotateBackward(dy, cos, sin[1:], Half) })
		panics(t, badLength, func() { RotateBackward(dy, cos[1:], sin, Half) })
		panics(t, badLength, func() { RotateBackward(dy[1:], cos, sin, Half) })
		panics(t, badLength, func() { RotateElementwise(x, cos, sin[1:]) })
		panics(t, badLength, func() { RotateElementwise(x[1:], cos, sin) })
		panics(t, badLength, func() { RotateElementwise(x[2:], cos, sin) })
		panics(t, badLength, func() { RotateElementwiseHalf(x[1:], cos, sin) })
		panics(t, badLength, func() { RotateElementwiseHalf(x[2:], cos, sin) })
		panics(t, badLength, func() { RotateElementwiseHalf(append([]float64{1}, x...), cos, sin) })
	})
}

func TestTableBackward(t *testing.T) {
	x, dy, cos, sin := amplified()

	t.Run("it is the derivative of Rotate for cosines and sines, in every layout", func(t *testing.T) {
		for _, layout := range layouts {
			wantCos := check.Gradient(func(cos []float64) float64 {
				return floats.Dot(dy, Rotate(x, cos, sin, layout))
			}, cos)
			wantSin := check.Gradient(func(sin []float64) float64 {
				return floats.Dot(dy, Rotate(x, cos, sin, layout))
			}, sin)
			dcos, dsin := TableBackward(dy, x, layout)
			nearAll(t, layout.String()+" cosines", dcos, wantCos, slope)
			nearAll(t, layout.String()+" sines", dsin, wantSin, slope)
		}
	})
	t.Run("with the angle it is the derivative for the position: Σ θ_i (cos dsin − sin dcos)", func(t *testing.T) {
		theta := Frequencies(6, 100)
		for _, layout := range layouts {
			want := check.Derivative(func(m float64) float64 { return floats.Dot(dy, at(x, m, theta, layout)) }, 4.25)
			cos, sin := row(4.25, theta)
			dcos, dsin := TableBackward(dy, x, layout)
			var got float64
			for i := range theta {
				got += theta[i] * (cos[i]*dsin[i] - sin[i]*dcos[i])
			}
			near(t, layout.String(), got, want, slope)
		}
	})
	t.Run("lengths that do not fit are a mistake of the caller", func(t *testing.T) {
		panics(t, oddWidth, func() { TableBackward(dy[1:], x, Half) })
		panics(t, oddWidth, func() { TableBackward(dy[2:], x, Half) })
		panics(t, oddWidth, func() { TableBackward(dy[1:], x[1:], Half) })
	})
}

func TestPermuteBackward(t *testing.T) {
	t.Run("it takes back the permutation, and is its transpose", func(t *testing.T) {
		x, dy := vector(8, 33), vector(8, 34)
		same(t, "back", PermuteBackward(Permute(x)), x)
		near(t, "dy·Px", floats.Dot(dy, Permute(x)), floats.Dot(PermuteBackward(dy), x), 32*u)
		same(t, "d = 4", PermuteBackward([]float64{1, 2, 3, 4}), []float64{1, 3, 2, 4})
	})
	t.Run("an odd width is a mistake of the caller", func(t *testing.T) {
		panics(t, oddWidth, func() { PermuteBackward(vector(3, 1)) })
	})
}
