// Package dtype knows the element types of recordings down to their bits.
//
// Every floating type is the set of float64 values that its codes decode to, so a value of any type
// is held as a float64, and rounding to a type is a function from float64 to float64. Rounding goes
// from float64 to the narrow type in one step: by way of float32 it would round twice, and
// sometimes to the wrong neighbour.
//
//	type    precision  smallest normal  largest            beyond the largest
//	F64        53         2^-1022       (2 - 2^-52) 2^1023     infinity
//	F32        24         2^-126        (2 - 2^-23) 2^127      infinity
//	F16        11         2^-14         65504                  infinity
//	BF16        8         2^-126        (2 - 2^-7) 2^127       infinity
//	F8_E5M2     3         2^-14         57344                  infinity
//	F8_E4M3     4         2^-6          448                    NaN
//	F8_E8M0     1         2^-127        2^127                  NaN
//
// F8_E4M3 is the OCP type without infinities, called e4m3fn elsewhere; its only NaNs are 0x7F and
// 0xFF. F8_E8M0 holds powers of two only, has neither sign nor zero, and 0xFF is its NaN.
//
// The integer types I64, I32, U8 and BOOL hold integers; beyond their range there is no code, and
// Round gives NaN.
package dtype

import (
	"fmt"
	"math"
	"strings"

	"plumbline/internal/spelling"
)

// Type is an element type. The zero value is Invalid, whose values cannot be rounded, encoded or
// decoded.
type Type uint8

// The element types, under their names in safetensors.
const (
	Invalid Type = iota
	F64
	F32
	F16
	BF16
	F8E4M3
	F8E5M2
	F8E8M0
	I64
	I32
	U8
	Bool
)

// Parse returns the type that safetensors spells name, such as F8_E4M3, or an error that lists the
// known spellings.
func Parse(name string) (Type, error) {
	for t := F64; t <= Bool; t++ {
		if formats[t].name == name {
			return t, nil
		}
	}
	names := spellings()
	return Invalid, fmt.Errorf("element type %s: unknown, want one of %s%s",
		spelling.Quote(name), strings.Join(names, " "), spelling.Suggest(name, names))
}

func spellings() (names []string) {
	for t := F64; t <= Bool; t++ {
		names = append(names, formats[t].name)
	}
	return names
}

// String returns the spelling of safetensors.
func (t Type) String() string {
	if t > Bool {
		return fmt.Sprintf("dtype.Type(%d)", uint8(t))
	}
	return formats[t].name
}

// Size returns the number of bytes of one element, 0 for Invalid.
func (t Type) Size() int { return formats[t].size }

// Float reports whether t is a floating type, F8_E8M0 among them.
func (t Type) Float() bool { return formats[t].kind == floating || formats[t].kind == scaling }

// UnitRoundoff returns the largest relative error of one rounding to nearest, 2^-p with p the
// precision in bits, and 0 for an integer type.
func (t Type) UnitRoundoff() float64 { return formats[t].unit }

// Max returns the largest finite value. That of I64 is the largest that a float64 can hold, 2^63 −
// 1024.
func (t Type) Max() float64 { return formats[t].max }

// MinNormal returns the smallest positive value of full precision, and 1 for an integer type.
func (t Type) MinNormal() float64 { return formats[t].minNormal }

// Spacing returns the distance between neighbouring values of t in the binade of |x|. Below the
// smallest normal it is the subnormal step, beyond the largest value that of the last binade, for
// an integer type 1. Infinities and NaN give NaN.
func (t Type) Spacing(x float64) float64 {
	const exponentField = 0x7FF << 52
	f := &formats[t]
	binade := math.Float64frombits(math.Float64bits(x) & exponentField)
	if binade == math.Inf(1) { // the exponent field of infinities and NaN
		return math.NaN()
	}
	return max(f.minNormal, min(binade, f.lastBinade)) * f.epsilon
}

// Finite tells whether x is neither a NaN nor an infinity. It looks at the bits: x − x = 0 says the
// same on paper, but where x is a product some processors fuse the two into what rounding x lost.
func Finite[T float32 | float64](x T) bool { return math.Float64bits(float64(x))>>52&0x7FF != 0x7FF }
