package fp8

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
)

const e4m3 = dtype.F8E4M3

// recipes returns the code of x in a block with that maximum, by each recipe.
func recipes(x, amax float64, format dtype.Type) [3]float64 {
	s := Scale(amax, floor, format)
	return [3]float64{
		CodeOfQuotient(x, s, format), CodeByInverse(x, s, format), CodeByLargest(x, amax, format),
	}
}

func TestRecipesPart(t *testing.T) {
	// 39/52 = 57/76 = 93/124 = ¾ of 448 is 336, half way from 320 to 352, whose even code is 320.
	// Each recipe rounds a scale or a factor, then a quotient or a product, and comes out at 336 or
	// at an ulp above it.
	for _, c := range []struct {
		name    string
		x, amax float64
		want    [3]float64
	}{
		{"the quotient from the products", 39, 52, [3]float64{320, 352, 352}},
		{"and the other way round", 93, 124, [3]float64{352, 320, 320}},
		{"the inverse from both", 57, 76, [3]float64{320, 352, 320}},
	} {
		t.Run("a number beside a tie tells "+c.name, func(t *testing.T) {
			if got := recipes(c.x, c.amax, e4m3); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	t.Run("elsewhere they agree: codes are neighbours, and the quotients are within 2 ulp of a tie",
		rapid.MakeCheck(func(t *rapid.T) {
			amax := dtype.F32.Round(rapid.Float64Range(0.01, 1000).Draw(t, "amax"))
			x := dtype.F32.Round(amax * rapid.Float64Range(-1, 1).Draw(t, "x/amax"))
			q := recipes(x, amax, e4m3)
			if q[0] == q[1] && q[1] == q[2] {
				return
			}
			least, most := min(q[0], q[1], q[2]), max(q[0], q[1], q[2])
			exact := x / amax * 448
			if middle := (least + most) / 2; math.Abs(exact-middle) > 2*ulp(exact) ||
				most-least > 2*e4m3.Spacing(least) {
				t.Errorf("%v of %v: codes %v", x, amax, q)
			}
		}))
	t.Run("with a power of two for a scale there is nothing to round, and one code",
		rapid.MakeCheck(func(t *rapid.T) {
			x := dtype.F32.Round(rapid.Float64Range(-500, 500).Draw(t, "x"))
			s := math.Ldexp(1, rapid.IntRange(-20, 20).Draw(t, "e"))
			if a, b := CodeOfQuotient(x, s, e4m3), CodeByInverse(x, s, e4m3); a != b {
				t.Errorf("%v and %v", a, b)
			}
		}))
}

// Each recipe is a code of its own, and for what follows they are one.
func TestCodes(t *testing.T) {
	t.Run("the maximum of a block maps to the largest code, and its negative to the negative",
		rapid.MakeCheck(func(t *rapid.T) {
			// The recipes come out at 448 to an ulp or two, far from the next code.
			amax := dtype.F32.Round(rapid.Float64Range(floor, 1e30).Draw(t, "amax"))
			for _, format := range formats {
				for _, q := range recipes(amax, amax, format) {
					check.Near(t, "amax", q, format.Max(), 0)
				}
				for _, q := range recipes(-amax, amax, format) {
					check.Near(t, "-amax", q, -format.Max(), 0)
				}
			}
		}))
	t.Run("codes saturate: no number makes a NaN", func(t *testing.T) {
		for _, q := range recipes(1e30, 448, e4m3) {
			check.Near(t, "1e30", q, 448, 0)
		}
		check.NaN(t, "rounded without", e4m3.Round(1e30))
	})
	// The worst is a tie above a power of two: 272, half way from 256 to 288, is off by 16.
	t.Run("a code is within 1/17 of a number that is 2⁻⁶ at least, and within 2⁻¹⁰ of one that is not",
		rapid.MakeCheck(func(t *rapid.T) {
			x := dtype.F32.Round(rapid.Float64Range(-448, 448).Draw(t, "x"))
			if rapid.Bool().Draw(t, "small") {
				x = dtype.F32.Round(x / 448 / 16)
			}
			bound := math.Abs(x) / 17
			if math.Abs(x) < 0x1p-6 {
				bound = 0x1p-10
			}
			check.Near(t, "q", CodeOfQuotient(x, 1, e4m3), x, bound*(1+2*check.U))
		}))
	t.Run("the bound of 1/17 is met, below 2⁻⁴", func(t *testing.T) {
		check.Near(t, "q", CodeOfQuotient(272, 1, e4m3), 272-272.0/17, 0)
	})
	t.Run("numbers above 256 have codes of their own: an encoder that saturates there is off by 3/4",
		func(t *testing.T) {
			for _, x := range []float64{256, 288, 320, 352, 384, 416, 448} {
				check.Near(t, "q", CodeOfQuotient(x, 1, e4m3), x, 0)
			}
			check.Near(t, "mistake", saturatesEarly(256), 256*(1+0.75), 0)
		})
	t.Run("ties go to even: an encoder that rounds half up differs at every other one, and nowhere else",
		func(t *testing.T) {
			for x := 256.0; x < 448; x += 8 {
				even, up := CodeOfQuotient(x, 1, e4m3), 32*math.Floor(x/32+0.5)
				if differ := even != up; differ != (math.Mod(x-272, 64) == 0) {
					t.Errorf("%v: even %v, up %v", x, even, up)
				}
			}
		})
}

// saturatesEarly is an encoder that takes the highest exponent for infinity, as IEEE's formats have
// it.
func saturatesEarly(x float64) float64 {
	if math.Abs(x) >= 256 {
		return math.Copysign(448, x)
	}
	return CodeOfQuotient(x, 1, e4m3)
}
