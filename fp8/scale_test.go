package fp8

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
)

// floor is that of DeepSeek's code; formats are those of codes.
const floor = 1e-4

var formats = []dtype.Type{dtype.F8E4M3, dtype.F8E5M2}

// ulp is the distance between float32 numbers beside x.
func ulp(x float64) float64 { return dtype.F32.Spacing(x) }

func TestScale(t *testing.T) {
	t.Run("a maximum that is the format's largest needs no scale", func(t *testing.T) {
		check.Near(t, "E4M3", Scale(448, floor, dtype.F8E4M3), 1, 0)
		check.Near(t, "E5M2", Scale(57344, floor, dtype.F8E5M2), 1, 0)
	})
	t.Run("a block of zeros has the scale of the floor, and codes 0", func(t *testing.T) {
		s := Scale(0, floor, dtype.F8E4M3)
		check.Near(t, "s", s, float64(float32(1e-4)/448), 0)
		check.Near(t, "code", CodeOfQuotient(0, s, dtype.F8E4M3), 0, 0)
	})
	t.Run("without a floor it has the scale 0, and codes 0/0: a known mistake", func(t *testing.T) {
		s := Scale(0, 0, dtype.F8E4M3)
		check.Near(t, "s", s, 0, 0)
		check.NaN(t, "codes", CodeOfQuotient(0, s, dtype.F8E4M3), CodeByInverse(0, s, dtype.F8E4M3))
	})
	t.Run("below the floor all maxima have one scale, above it each its own", func(t *testing.T) {
		at := Scale(floor, floor, dtype.F8E4M3)
		check.Near(t, "below", Scale(floor/1000, floor, dtype.F8E4M3), at, 0)
		check.Near(t, "above", Scale(2*floor, floor, dtype.F8E4M3), 2*at, 0)
	})
	// 1/448 = 2⁻⁹·8/7 is rounded, and so is its product with 3, where 3/448 is rounded once.
	t.Run("times 1/448 is not over 448: they part by an ulp", func(t *testing.T) {
		byInverse := float64(float32(3) * (1 / float32(448)))
		check.Near(t, "difference", math.Abs(Scale(3, floor, dtype.F8E4M3)-byInverse), ulp(byInverse), 0)
	})
}

func TestScaleUE8M0(t *testing.T) {
	t.Run("of a power of two it is that power", func(t *testing.T) {
		for e := -12; e <= 100; e++ {
			check.Near(t, "s", ScaleUE8M0(math.Ldexp(448, e), floor, dtype.F8E4M3), math.Ldexp(1, e), 0)
		}
	})
	// amax = 448·2⁻¹⁵ and two ulp, s = 2⁻¹⁵(1+2⁻²³). Its logarithm is 1.7·10⁻⁷ above −15, where
	// float32 numbers are 9.5·10⁻⁷ apart: the ceiling of what is rounded is −15.
	t.Run("an ulp above it the next: exponents are counted by bits, not by a logarithm", func(t *testing.T) {
		amax := 448*0x1p-15 + 2*ulp(448*0x1p-15)
		s := Scale(amax, floor, dtype.F8E4M3)
		check.Near(t, "exact", s, 0x1p-15+ulp(0x1p-15), 0)
		check.Near(t, "UE8M0", ScaleUE8M0(amax, floor, dtype.F8E4M3), 0x1p-14, 0)
		byLogarithm := math.Exp2(math.Ceil(float64(float32(math.Log2(s)))))
		check.Near(t, "by logarithm", byLogarithm, 0x1p-15, 0)
	})
	t.Run("it is no less than the exact scale and less than twice it", rapid.MakeCheck(func(t *rapid.T) {
		amax := rapid.Float64Range(0, 1e30).Draw(t, "amax")
		for _, format := range formats {
			exact, s := Scale(amax, floor, format), ScaleUE8M0(amax, floor, format)
			if fraction, _ := math.Frexp(s); fraction != 0.5 || s < exact || s >= 2*exact {
				t.Errorf("%v: %v for %v", format, s, exact)
			}
		}
	}))
	t.Run("there is no power of two for 0", func(t *testing.T) {
		check.NaN(t, "s", ScaleUE8M0(0, 0, dtype.F8E4M3))
	})
}
