package rope

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func TestFrequencies(t *testing.T) {
	theta := Frequencies(64, 10000)

	t.Run("there is one frequency for two elements", func(t *testing.T) {
		if len(theta) != 32 {
			t.Errorf("got %d frequencies for 64 elements", len(theta))
		}
	})
	t.Run("the fastest pair turns by one radian a token", func(t *testing.T) {
		if theta[0] != 1 {
			t.Errorf("θ_0 = %v, want exactly 1", theta[0])
		}
	})
	t.Run("RoFormer counts pairs from one, we from zero", func(t *testing.T) {
		for i := 1; i <= 32; i++ {
			want := math.Pow(10000, -2*(float64(i)-1)/64)
			near(t, "θ", theta[i-1], want, 4*u*want)
		}
	})
	t.Run("every next pair is slower by the same factor, and the one after the last would reach 1/b",
		func(t *testing.T) {
			step := math.Pow(10000, -2.0/64)
			for i, slow := range append(theta[1:len(theta):len(theta)], 1.0/10000) {
				near(t, "θ_{i+1}/θ_i", slow/theta[i], step, 8*u)
			}
		})
	t.Run("the base of a single pair does not matter", func(t *testing.T) {
		same(t, "θ", Frequencies(2, 500), Frequencies(2, 10000))
	})
	t.Run("an odd width is a mistake of the caller", func(t *testing.T) {
		panics(t, oddWidth, func() { Frequencies(63, 10000) })
		panics(t, oddWidth, func() { Frequencies(0, 10000) })
	})
}

func TestMatrix(t *testing.T) {
	theta := Frequencies(6, 100)

	t.Run("the first block turns by m radians", func(t *testing.T) {
		// θ_0 = 1.
		r := Matrix(theta, 2)
		same(t, "row 0", r.RawRowView(0), []float64{math.Cos(2), -math.Sin(2), 0, 0, 0, 0})
		same(t, "row 1", r.RawRowView(1), []float64{math.Sin(2), math.Cos(2), 0, 0, 0, 0})
	})
	t.Run("position zero is the identity", func(t *testing.T) {
		if !mat.Equal(Matrix(theta, 0), eye(6)) {
			t.Error("R_0 is not the identity")
		}
	})
	t.Run("turning twice is turning by the sum", rapid.MakeCheck(func(t *rapid.T) {
		m, n := float64(rapid.IntRange(-4096, 4096).Draw(t, "m")), float64(rapid.IntRange(-4096, 4096).Draw(t, "n"))
		// R_m R_n = R_{m+n}: three angles rounded by u of themselves (θ ≤ 1), six cosines or sines,
		// two products and a sum.
		bound := (math.Abs(m) + math.Abs(n) + math.Abs(m+n) + 16) * u
		var product mat.Dense
		product.Mul(Matrix(theta, m), Matrix(theta, n))
		if !mat.EqualApprox(&product, Matrix(theta, m+n), bound) {
			t.Errorf("R_%v R_%v ≠ R_%v", m, n, m+n)
		}
	}))
	t.Run("turning a key forward and a query back leaves the distance", func(t *testing.T) {
		// RoFormer (16): R_mᵀ R_n = R_{n−m}.
		var product mat.Dense
		product.Mul(Matrix(theta, 700).T(), Matrix(theta, 300))
		if !mat.EqualApprox(&product, Matrix(theta, -400), (700+300+400+16)*u) {
			t.Error("R_mᵀ R_n ≠ R_{n−m}")
		}
	})
	t.Run("its transpose is its inverse", func(t *testing.T) {
		var product mat.Dense
		product.Mul(Matrix(theta, 1234).T(), Matrix(theta, 1234))
		if !mat.EqualApprox(&product, eye(6), 8*u) {
			t.Error("R_mᵀ R_m is not the identity")
		}
	})
}

func TestTable(t *testing.T) {
	theta := Frequencies(64, 10000)

	t.Run("a row is a position, a column is a pair", func(t *testing.T) {
		cos, sin := Table([]float64{5, 0, 1000}, theta)
		if r, c := cos.Dims(); r != 3 || c != 32 {
			t.Fatalf("cos is %d × %d, want 3 × 32", r, c)
		}
		near(t, "cos", cos.At(2, 7), math.Cos(1000*theta[7]), 2*u)
		near(t, "sin", sin.At(2, 7), math.Sin(1000*theta[7]), 2*u)
	})
	t.Run("position zero is cosine one and sine zero", func(t *testing.T) {
		cos, sin := row(0, theta)
		for i := range theta {
			if cos[i] != 1 || sin[i] != 0 {
				t.Errorf("pair %d: cos %v, sin %v", i, cos[i], sin[i])
			}
		}
	})
	t.Run("every entry lies on the unit circle", func(t *testing.T) {
		cos, sin := row(123456, theta)
		for i := range theta {
			near(t, "cos²+sin²", cos[i]*cos[i]+sin[i]*sin[i], 1, 8*u)
		}
	})
	t.Run("an angle formed in float32 is another angle", func(t *testing.T) {
		// At position 163839 the product of a float32 θ ≈ 0.75 and m is good to about
		// 163839·0.75·2⁻²⁴ ≈ 0.007 radians.
		m := 163839.0
		in32 := float64(float32(m) * float32(theta[1]))
		if off := math.Abs(in32 - m*theta[1]); off < 1e-4 || off > 0.015 {
			t.Errorf("the angles differ by %.3g radians, expected between 0.0001 and 0.015", off)
		}
	})
}

func TestRotate(t *testing.T) {
	const d = 64
	theta := Frequencies(d, 10000)
	x := vector(d, 1)

	t.Run("position zero changes nothing", func(t *testing.T) {
		same(t, "interleaved", at(x, 0, theta, Interleaved), x)
		same(t, "half", at(x, 0, theta, Half), x)
		same(t, "interleaved to half", at(x, 0, theta, InterleavedToHalf), Permute(x))
	})
	t.Run("it is the block-diagonal matrix times the vector", func(t *testing.T) {
		var want mat.VecDense
		want.MulVec(Matrix(theta, 77), mat.NewVecDense(d, x))
		nearAll(t, "R x", at(x, 77, theta, Interleaved), want.RawVector().Data, 4*u)
	})
	t.Run("length is kept", rapid.MakeCheck(func(t *rapid.T) {
		m := rapid.IntRange(-200000, 200000).Draw(t, "m")
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		// cos² + sin² is 1 but for 4u, two products and a sum add 2u, the norm d/2 more at worst.
		want := floats.Norm(x, 2)
		if got := floats.Norm(at(x, float64(m), theta, layout), 2); math.Abs(got-want) > (d/2+8)*u*want {
			t.Errorf("|R x| = %v, |x| = %v", got, want)
		}
	}))
	t.Run("a score depends on the distance alone", rapid.MakeCheck(func(t *rapid.T) {
		const longest = 1 << 17
		position := rapid.IntRange(0, longest/2)
		m, n, shift := position.Draw(t, "m"), position.Draw(t, "n"), position.Draw(t, "shift")
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		q, k := vector(d, 2), vector(d, 3)
		here := score(q, k, m, n, theta, layout)
		there := score(q, k, m+shift, n+shift, theta, layout)
		// Each of four angles is rounded by u of itself, θ ≤ 1; rotation and dot product round d+8
		// times more.
		bound := (4*longest + d + 8) * u * floats.Norm(q, 2) * floats.Norm(k, 2)
		if math.Abs(here-there) > bound {
			t.Errorf("score at (%d, %d) is %v, shifted by %d it is %v, allowed %.3g", m, n, here, shift, there, bound)
		}
	}))
	t.Run("in two dimensions the score of equal unit vectors is the cosine of the distance", func(t *testing.T) {
		// θ_0 = 1 and q = k = (1, 0): (cos m, sin m)·(cos n, sin n) = cos(m−n).
		one := []float64{1, 0}
		for m := range 20 {
			for n := range 20 {
				near(t, "score", score(one, one, m, n, Frequencies(2, 10000), Interleaved), math.Cos(float64(m-n)), 8*u)
			}
		}
	})
	t.Run("rotating halves of the permuted vector is permuting the rotated one", func(t *testing.T) {
		for _, m := range []float64{1, 17, 4095, 163839} {
			same(t, "half", at(Permute(x), m, theta, Half), Permute(at(x, m, theta, Interleaved)))
		}
	})
	t.Run("reading pairs and writing halves is permuting, before or after", func(t *testing.T) {
		got := at(x, 17, theta, InterleavedToHalf)
		same(t, "before", got, at(Permute(x), 17, theta, Half))
		same(t, "after", got, Permute(at(x, 17, theta, Interleaved)))
	})
	t.Run("a score does not see in which order query and key were written", func(t *testing.T) {
		q, k := vector(d, 2), vector(d, 3)
		bound := d * u * floats.Norm(q, 2) * floats.Norm(k, 2) // the terms are the same, only added in another order
		near(t, "score", score(q, k, 9, 4, theta, InterleavedToHalf), score(q, k, 9, 4, theta, Interleaved), bound)
	})
	t.Run("pairing halves on weights trained for interleaved pairs is another rotation, unseen at position zero",
		func(t *testing.T) {
			q, k := vector(d, 2), vector(d, 3)
			if score(q, k, 0, 0, theta, Half) != score(q, k, 0, 0, theta, Interleaved) {
				t.Error("at position 0 the layouts differ")
			}
			half, pairs := score(q, k, 500, 100, theta, Half), score(q, k, 500, 100, theta, Interleaved)
			if off := math.Abs(half - pairs); off < 0.1 {
				t.Errorf("at distance 400 the layouts differ by %v only", off)
			}
		})
	t.Run("turning the other way is seen by a score", func(t *testing.T) {
		// q = (1, 0), k = (0, 1): the score is sin(m−n), whose sign the direction decides.
		q, k, one := []float64{1, 0}, []float64{0, 1}, []float64{1}
		near(t, "forward", score(q, k, 3, 2, one, Interleaved), math.Sin(1), 8*u)
		near(t, "backward", score(q, k, -3, -2, one, Interleaved), -math.Sin(1), 8*u)
	})
	t.Run("lengths that do not fit are a mistake of the caller", func(t *testing.T) {
		panics(t, badLength, func() { Rotate(x, theta, theta[1:], Half) })
		panics(t, badLength, func() { Rotate(x[1:], theta, theta, Half) })
	})
}

func TestInverse(t *testing.T) {
	const d = 64
	theta := Frequencies(d, 10000)
	x := vector(d, 4)
	cos, sin := row(4321, theta)

	t.Run("it takes back the rotation", func(t *testing.T) {
		for _, layout := range []Layout{Interleaved, Half} {
			nearAll(t, layout.String(), Inverse(Rotate(x, cos, sin, layout), cos, sin, layout), x, 16*u)
		}
	})
	t.Run("it is the rotation to the opposite position", func(t *testing.T) {
		for _, layout := range layouts {
			same(t, layout.String(), Inverse(x, cos, sin, layout), at(x, -4321, theta, layout))
		}
	})
	t.Run("it is the transposed matrix", func(t *testing.T) {
		var want mat.VecDense
		want.MulVec(Matrix(theta, 4321).T(), mat.NewVecDense(d, x))
		nearAll(t, "Rᵀx", Inverse(x, cos, sin, Interleaved), want.RawVector().Data, 4*u)
	})
	t.Run("it turns back the angle, not the order of the elements", func(t *testing.T) {
		same(t, "interleaved to half", Inverse(x, cos, sin, InterleavedToHalf),
			Permute(Inverse(x, cos, sin, Interleaved)))
	})
}

func TestRotateElementwise(t *testing.T) {
	const d = 64
	theta := Frequencies(d, 10000)
	x := vector(d, 5)
	cos, sin := row(4321, theta)

	t.Run("two elementwise products are the rotation of interleaved pairs, to the bit", func(t *testing.T) {
		same(t, "interleaved", RotateElementwise(x, cos, sin), Rotate(x, cos, sin, Interleaved))
	})
	t.Run("a quarter turn shows which element gets the minus sign", func(t *testing.T) {
		same(t, "pair", RotateElementwise([]float64{1, 2, 3, 4}, []float64{0, 0}, []float64{1, 1}),
			[]float64{-2, 1, -4, 3})
	})
	t.Run("lengths that do not fit are a mistake of the caller", func(t *testing.T) {
		panics(t, badLength, func() { RotateElementwise(x, cos[1:], sin) })
	})
}

func TestRotateElementwiseHalf(t *testing.T) {
	const d = 64
	theta := Frequencies(d, 10000)
	x := vector(d, 6)
	cos, sin := row(4321, theta)

	t.Run("two elementwise products are the rotation of half pairs, to the bit", func(t *testing.T) {
		same(t, "half", RotateElementwiseHalf(x, cos, sin), Rotate(x, cos, sin, Half))
	})
	t.Run("after the permutation it is what Hugging Face runs on DeepSeek's checkpoints", func(t *testing.T) {
		same(t, "interleaved to half", RotateElementwiseHalf(Permute(x), cos, sin),
			Rotate(x, cos, sin, InterleavedToHalf))
	})
	t.Run("a quarter turn shows which element gets the minus sign", func(t *testing.T) {
		same(t, "pair", RotateElementwiseHalf([]float64{1, 2, 3, 4}, []float64{0, 0}, []float64{1, 1}),
			[]float64{-3, -4, 1, 2})
	})
	t.Run("a table with each frequency twice does not fit halves: lengths change", func(t *testing.T) {
		// d = 4, halves (x_0, x_2) and (x_1, x_3). The table of interleaved pairs gives x_0 the
		// angle of pair 0, but x_2 that of pair 1.
		x, a, b := []float64{1, 0, 1, 0}, 0.5, 2.0
		cos, sin := []float64{math.Cos(a), math.Cos(b)}, []float64{math.Sin(a), math.Sin(b)}
		right := RotateElementwiseHalf(x, cos, sin)
		near(t, "right length", math.Hypot(right[0], right[2]), math.Sqrt2, 8*u)
		wrong0, wrong2 := x[0]*cos[0]-x[2]*sin[0], x[2]*cos[1]+x[0]*sin[1]
		if length := math.Hypot(wrong0, wrong2); math.Abs(length-math.Sqrt2) < 0.1 {
			t.Errorf("the wrong length is %v, as if nothing were wrong", length)
		}
	})
	t.Run("lengths that do not fit are a mistake of the caller", func(t *testing.T) {
		panics(t, badLength, func() { RotateElementwiseHalf(x, cos, sin[1:]) })
	})
}

func TestPermute(t *testing.T) {
	t.Run("even indices come first, then odd ones", func(t *testing.T) {
		same(t, "order", Permute([]float64{0, 1, 2, 3, 4, 5, 6, 7}), []float64{0, 2, 4, 6, 1, 3, 5, 7})
	})
	t.Run("doing it twice is a mistake, it is not its own inverse", func(t *testing.T) {
		if x := vector(64, 7); floats.Equal(Permute(Permute(x)), x) {
			t.Error("two permutations cancel")
		}
	})
	t.Run("an odd width is a mistake of the caller", func(t *testing.T) {
		panics(t, oddWidth, func() { Permute(vector(3, 1)) })
	})
}

func TestNames(t *testing.T) {
	t.Run("layouts and ramps are called as in recordings", func(t *testing.T) {
		got := fmt.Sprint(Interleaved, Half, InterleavedToHalf, Layout(9), IndexRamp, RotationsRamp, Ramp(9))
		if want := "interleaved half interleaved_to_half unknown index rotations unknown"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// score returns the dot product of q at position m and k at position n.
func score(q, k []float64, m, n int, theta []float64, layout Layout) float64 {
	return floats.Dot(at(q, float64(m), theta, layout), at(k, float64(n), theta, layout))
}

// eye returns the identity.
func eye(d int) *mat.Dense {
	one := mat.NewDense(d, d, nil)
	for i := range d {
		one.Set(i, i, 1)
	}
	return one
}
