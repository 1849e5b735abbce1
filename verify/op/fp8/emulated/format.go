package emulated

import (
	"math"

	"plumbline/numbers/dtype"
)

// format is a type of codes.
type format struct {
	of      dtype.Type
	bits    int // of a fraction
	lowest  int // exponent of a normal code
	largest float32
}

func formatOf(name string) format {
	if name == "F8_E5M2" {
		return format{dtype.F8E5M2, 2, -14, 57344}
	}
	return format{dtype.F8E4M3, 3, -6, 448}
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

func sign(size, x float32) float32 { return float32(math.Copysign(float64(size), float64(x))) }

// nearest returns the code next to x, of two the even one; the largest for what is larger.
func (f format) nearest(x float32) float32 { return f.saturated(x, f.size(x, math.RoundToEven)) }

// halfUp returns the code next to x, of two the larger one.
func (f format) halfUp(x float32) float32 { return f.saturated(x, f.size(x, math.Round)) }

// truncated returns the code next to x towards zero.
func (f format) truncated(x float32) float32 { return f.saturated(x, f.size(x, math.Trunc)) }

// flushed returns a code, or 0 for a subnormal one.
func (f format) flushed(code float32) float32 {
	if float64(abs(code)) < math.Ldexp(1, f.lowest) {
		return 0
	}
	return code
}

// small returns the code next to x, half as large where that is subnormal: the exponent 0 is taken
// for one below the lowest of a normal code.
func (f format) small(x float32) float32 {
	if float64(abs(x)) < math.Ldexp(1, f.lowest) {
		return f.nearest(x / 2)
	}
	return f.nearest(x)
}

// twice returns the code next to what x is rounded to, with the fraction of a normal code.
func (f format) twice(x float32) float32 {
	if size := float64(abs(x)); size > 0 && size < math.Ldexp(1, f.lowest) {
		unit := math.Ldexp(1, math.Ilogb(size)-f.bits)
		return f.nearest(sign(float32(math.RoundToEven(size/unit)*unit), x))
	}
	return f.nearest(x)
}

// other returns what the byte of a code means in the other format.
func (f format) other(code float32) float32 {
	as := dtype.F8E5M2
	if f.of == as {
		as = dtype.F8E4M3
	}
	return float32(as.FromBits(f.of.Bits(float64(code))))
}

// asNormal returns a code, whose leading 1 is counted where there is none: in a subnormal one.
func (f format) asNormal(code float32) float32 {
	if size := float64(abs(code)); size > 0 && size < math.Ldexp(1, f.lowest) {
		return sign(float32(math.Ldexp(1, f.lowest-1)+size/2), code)
	}
	return code
}

// ieee returns what a code of E4M3 means where the largest exponent is that of infinities and NaN.
func (f format) ieee(code float32) float32 {
	switch {
	case f.of != dtype.F8E4M3 || abs(code) < 256:
		return code
	case abs(code) == 256:
		return sign(float32(math.Inf(1)), code)
	}
	return float32(math.NaN())
}

// fnuz returns what the byte of x in the FNUZ format means in E4M3: twice as much, and NaN for
// 240, the largest one.
func (f format) fnuz(x float32) float32 {
	size := f.size(2*x, math.RoundToEven)
	if size > f.largest {
		return float32(math.NaN())
	}
	return f.saturated(x, size)
}

// saturated gives a size the sign of x; it is NaN for NaN.
func (f format) saturated(x, size float32) float32 { return sign(min(size, f.largest), x) }

// size returns that of x in units of a code's last place, made whole, as a number again.
func (f format) size(x float32, whole func(float64) float64) float32 {
	size := min(math.Abs(float64(x)), 2*float64(f.largest))
	unit := math.Ldexp(1, max(math.Ilogb(size), f.lowest)-f.bits)
	return float32(whole(size/unit) * unit)
}
