package rope

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

const (
	oddWidth  = "rope: the rotary width is not a positive even number"
	badLength = "rope: x is not twice as long as cos and sin"
)

// Frequencies returns how fast each pair turns, in radians per token.
//
//	θ_i = b^(−2i/d),  i = 0 … d/2−1
//
// dim is d, even; the result has d/2 elements, from θ_0 = 1 down to almost 1/b.
// Differs in code: kernels form 1/b^(2i/d) in float32, which shifts an angle by about m·θ_i·2⁻²⁴.
// It implements RoFormer (15).
func Frequencies(dim int, base float64) []float64 {
	if dim <= 0 || dim%2 != 0 {
		panic(oddWidth)
	}
	theta := make([]float64, dim/2)
	for i := range theta {
		theta[i] = math.Pow(base, -2*float64(i)/float64(dim))
	}
	return theta
}

// Matrix returns the rotation of one position written out as a matrix, for small d and for tests.
//
//	        ⎡cos mθ_0  −sin mθ_0                        ⎤
//	        ⎢sin mθ_0   cos mθ_0                        ⎥
//	R_m  =  ⎢                      cos mθ_1  −sin mθ_1  ⎥
//	        ⎢                      sin mθ_1   cos mθ_1  ⎥
//	        ⎣                                          ⋱⎦
//
// theta is [d/2], m a position in tokens; the result is [d × d], pairs interleaved.
// It implements RoFormer (15).
func Matrix(theta []float64, m float64) *mat.Dense {
	r := mat.NewDense(2*len(theta), 2*len(theta), nil)
	for i, t := range theta {
		sin, cos := math.Sincos(m * t)
		r.Set(2*i, 2*i, cos)
		r.Set(2*i, 2*i+1, -sin)
		r.Set(2*i+1, 2*i, sin)
		r.Set(2*i+1, 2*i+1, cos)
	}
	return r
}

// Table returns the cosines and sines of every position and pair.
//
//	cos_{m,i} = cos(m θ_i)    sin_{m,i} = sin(m θ_i)
//
// positions is [N] in tokens, theta is [d/2] in radians per token; both results are [N × d/2].
// Differs in code: tables have d columns, each frequency twice, and are multiplied by YaRN's
// amplitude where there is one (YaRN.Amplitude). It implements RoFormer (34), its vectors of
// cosines and sines.
func Table(positions, theta []float64) (cos, sin *mat.Dense) {
	cos = mat.NewDense(len(positions), len(theta), nil)
	sin = mat.NewDense(len(positions), len(theta), nil)
	for n, m := range positions {
		for i, t := range theta {
			s, c := math.Sincos(m * t)
			cos.Set(n, i, c)
			sin.Set(n, i, s)
		}
	}
	return cos, sin
}

// Rotate returns one vector with every pair turned by its angle.
//
//	y_a = x_a cos_i − x_b sin_i
//	y_b = x_a sin_i + x_b cos_i    for pair i = (a, b)
//
// x is [d], cos and sin are one row of a table, [d/2]; layout says where a pair stands. Differs in
// code: DeepSeek's checkpoints are trained for Interleaved; code that turns halves must bring the
// pairs there first (InterleavedToHalf). It implements RoFormer (14) and (15).
func Rotate(x, cos, sin []float64, layout Layout) []float64 {
	if len(cos) != len(sin) || len(x) != 2*len(cos) {
		panic(badLength)
	}
	y := make([]float64, len(x))
	for i := range cos {
		a, b := layout.reads(i, len(cos))
		ya, yb := layout.writes(i, len(cos))
		y[ya] = float64(x[a]*cos[i]) - float64(x[b]*sin[i])
		y[yb] = float64(x[a]*sin[i]) + float64(x[b]*cos[i])
	}
	return y
}

// Inverse returns one vector with every pair turned back by its angle, which is R_mᵀ instead of
// R_m.
//
//	y_a =  x_a cos_i + x_b sin_i
//	y_b = −x_a sin_i + x_b cos_i    for pair i = (a, b)
//
// x is [d], cos and sin are one row of a table, [d/2]. It reads and writes where Rotate reads and
// writes: under InterleavedToHalf the angle is turned back, the order of the elements is not. A
// table with an amplitude keeps it. It implements RoFormer (16), whose R_mᵀ it applies.
func Inverse(x, cos, sin []float64, layout Layout) []float64 {
	back := make([]float64, len(sin))
	for i := range sin {
		back[i] = -sin[i]
	}
	return Rotate(x, cos, back, layout)
}

// RotateElementwise returns one vector rotated in interleaved pairs, by two elementwise products
// and a sum.
//
//	y = x ⊙ (cos_0, cos_0, cos_1, …) + (−x_1, x_0, −x_3, …) ⊙ (sin_0, sin_0, sin_1, …)
//
// x is [d], cos and sin are one row of a table, [d/2]. It is Rotate with Interleaved, to the bit.
// It implements RoFormer (34).
func RotateElementwise(x, cos, sin []float64) []float64 {
	if len(cos) != len(sin) || len(x) != 2*len(cos) {
		panic(badLength)
	}
	y := make([]float64, len(x))
	for k := range x {
		turned := x[k^1] // the other one of the pair
		if k%2 == 0 {
			turned = -turned
		}
		y[k] = float64(x[k]*cos[k/2]) + float64(turned*sin[k/2])
	}
	return y
}

// RotateElementwiseHalf returns one vector rotated in half pairs, by two elementwise products and a
// sum.
//
//	y = x ⊙ [cos; cos] + [−x_hi; x_lo] ⊙ [sin; sin]
//
// x is [d] = [x_lo; x_hi], cos and sin are one row of a table, [d/2]. It is Rotate with Half, to
// the bit. Differs in code: pairing the halves with a table laid out as in RotateElementwise is a
// known mistake; it does not even keep the length of a pair. It implements RoFormer (34) in the
// layout of Hugging Face's rotate_half.
func RotateElementwiseHalf(x, cos, sin []float64) []float64 {
	if len(cos) != len(sin) || len(x) != 2*len(cos) {
		panic(badLength)
	}
	pairs := len(cos)
	y := make([]float64, len(x))
	for i := range pairs {
		lo, hi := x[i], x[i+pairs]
		y[i] = float64(lo*cos[i]) + float64(-hi*sin[i])
		y[i+pairs] = float64(hi*cos[i]) + float64(lo*sin[i])
	}
	return y
}
