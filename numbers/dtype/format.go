package dtype

import "math"

// kind separates the types by what their codes mean.
type kind uint8

const (
	invalid  kind = iota
	floating      // sign, exponent, fraction; subnormals and signed zeros
	scaling       // an exponent only: F8_E8M0
	integral      // two's complement or unsigned
)

// format is all that rounding, encoding and decoding have to know of a type.
type format struct {
	// First what Round's fast path reads.
	first, count uint64 // float64 exponent fields first … first+count−1 cannot leave the normal range by rounding
	drop         uint64 // fraction bits that float64 has beyond the type
	half         uint64 // just under half of the last place kept, in float64 bits
	keep         uint64 // the float64 bits that survive rounding

	kind       kind
	name       string
	size       int     // bytes
	fraction   int     // fraction bits of the code
	bias       int     // of the exponent field
	unit       float64 // unit roundoff
	epsilon    float64 // spacing at 1
	minNormal  float64
	step       float64 // between subnormals, which is also the smallest positive value
	lastBinade float64 // the largest power of two
	min, max   float64 // range of the finite values
	overflow   float64 // what lies beyond max: +Inf or NaN
	nan        uint64  // the code written for NaN
}

var formats = [...]format{
	Invalid: {name: "INVALID"},
	F64:     ieee("F64", 8, 52, 1023),
	F32:     ieee("F32", 4, 23, 127),
	F16:     ieee("F16", 2, 10, 15),
	BF16:    ieee("BF16", 2, 7, 127),
	F8E4M3:  e4m3(),
	F8E5M2:  ieee("F8_E5M2", 1, 2, 15),
	F8E8M0:  e8m0(),
	I64:     integer("I64", 8, -1<<63, 1<<63-1024),
	I32:     integer("I32", 4, -1<<31, 1<<31-1),
	U8:      integer("U8", 1, 0, 1<<8-1),
	Bool:    integer("BOOL", 1, 0, 1),
}

// ieee returns the type with the given fraction bits and exponent bias that follows IEEE 754: the
// highest exponent field means infinity and NaN, the lowest zero and subnormals.
func ieee(name string, size, fraction, bias int) format {
	f := float(name, size, fraction, bias, bias, 2-math.Ldexp(1, -fraction))
	f.overflow = math.Inf(1)
	f.nan = uint64(bias*2+1)<<fraction | 1<<(fraction-1)
	return f
}

// e4m3 returns the OCP type, which spends its highest exponent field on numbers too: only the
// all-ones code is NaN.
func e4m3() format {
	f := float("F8_E4M3", 1, 3, 7, 8, 1.75)
	f.overflow = math.NaN()
	f.nan = 0x7F
	return f
}

// e8m0 returns the type of block scales, 2^(code−127): the code is the exponent field, and field 0
// is a number.
func e8m0() format {
	f := float("F8_E8M0", 1, 0, 127, 127, 1)
	f.kind = scaling
	f.minNormal = math.Ldexp(1, -127)
	f.step = f.minNormal
	f.min = f.minNormal
	f.count = 0
	f.overflow = math.NaN()
	f.nan = 0xFF
	return f
}

// float fills in what follows from the layout of the code; the largest value is lead·2^last.
func float(name string, size, fraction, bias, last int, lead float64) format {
	f := format{
		kind: floating, name: name, size: size, fraction: fraction, bias: bias,
		unit:       math.Ldexp(1, -fraction-1),
		epsilon:    math.Ldexp(1, -fraction),
		minNormal:  math.Ldexp(1, 1-bias),
		step:       math.Ldexp(1, 1-bias-fraction),
		lastBinade: math.Ldexp(1, last),
		max:        math.Ldexp(lead, last),
	}
	f.min = -f.max
	if f.drop = uint64(52 - fraction); f.drop > 0 {
		f.first, f.count = uint64(1023+1-bias), uint64(last+bias-1)
		f.half = 1<<(f.drop-1) - 1
		f.keep = math.MaxUint64 << f.drop
	}
	return f
}

func integer(name string, size int, least, most float64) format {
	return format{
		kind: integral, name: name, size: size, epsilon: 1, minNormal: 1, lastBinade: 1, step: 1,
		min: least, max: most, overflow: math.NaN(),
	}
}
