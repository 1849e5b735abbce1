package dtype

import "math"

// Bits returns the code of Round(x) in its low bits. NaN has one code in every type narrower than
// float32, quiet and of positive sign; F64 and F32 keep the payload. An integer type has no code
// for NaN or beyond its range, and Bits panics.
func (t Type) Bits(x float64) uint64 {
	switch t {
	case F64:
		return math.Float64bits(x)
	case F32:
		return uint64(math.Float32bits(float32(x)))
	case I64, I32, U8, Bool:
		return formats[t].integerBits(t.Round(x))
	}
	return formats[t].floatBits(t.Round(x))
}

// FromBits returns the value of the code in the low bits of b; higher bits do not count. It is
// exact but for I64 beyond 2^53, which is rounded to the nearest float64. Any BOOL code but 0 is 1.
func (t Type) FromBits(b uint64) float64 {
	switch t {
	case F64:
		return math.Float64frombits(b)
	case F32:
		return float64(math.Float32frombits(uint32(b)))
	case BF16:
		return float64(math.Float32frombits(uint32(b) << 16))
	case F16:
		return formats[F16].float(uint64(uint16(b)))
	case F8E4M3, F8E5M2, F8E8M0:
		return decoded[t-F8E4M3][uint8(b)]
	case I64:
		return float64(int64(b))
	case I32:
		return float64(int32(b))
	case U8:
		return float64(uint8(b))
	case Bool:
		return float64(min(uint8(b), 1))
	}
	panic("dtype: invalid type")
}

// floatBits returns the code of r, which is a value of f.
func (f *format) floatBits(r float64) uint64 {
	const sign = 1 << 63
	if r != r {
		return f.nan
	}
	b := math.Float64bits(r)
	code := b & sign >> (64 - 8*f.size)
	switch magnitude := math.Abs(r); {
	case magnitude > f.max:
		code |= uint64(2*f.bias+1) << f.fraction
	case magnitude < f.minNormal:
		code |= uint64(magnitude / f.step)
	default:
		code |= b&^sign>>f.drop - uint64(1023-f.bias)<<f.fraction
	}
	return code
}

// float returns the value of a code of f that has no bits above it.
func (f *format) float(code uint64) float64 {
	signBit := uint64(1) << (8*f.size - 1)
	magnitude := code &^ signBit
	// The code moved to float64's place is the value divided by a power of two, with subnormals
	// meaning subnormals.
	r := math.Float64frombits(magnitude<<f.drop) * math.Float64frombits(uint64(2046-f.bias)<<52)
	if r > f.max {
		r = f.beyond(magnitude)
	}
	if code != magnitude {
		r = -r
	}
	return r
}

// beyond returns what a code above that of the largest value means.
func (f *format) beyond(magnitude uint64) float64 {
	if magnitude == uint64(2*f.bias+1)<<f.fraction {
		return f.overflow
	}
	return math.NaN()
}

// integerBits returns the code of an integer in range.
func (f *format) integerBits(r float64) uint64 {
	if r != r {
		panic("dtype: no code in an integer type")
	}
	return uint64(int64(r)) & (math.MaxUint64 >> (64 - 8*f.size))
}

// decoded holds the values of all codes of F8_E4M3, F8_E5M2 and F8_E8M0, in this order.
var decoded = [3][256]float64{decodeAll(&formats[F8E4M3]), decodeAll(&formats[F8E5M2]), decodeScales()}

func decodeAll(f *format) (values [256]float64) {
	for code := range values {
		values[code] = f.float(uint64(code))
	}
	return values
}

func decodeScales() (values [256]float64) {
	for code := range values {
		values[code] = math.Ldexp(1, code-127)
	}
	values[0xFF] = math.NaN()
	return values
}
