package dtype_test

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// layout is a type as its standard writes it down. The tests decode from it with Ldexp and round by
// searching the decoded values: slow, and in no way how the package works.
type layout struct {
	of                     dtype.Type
	bits, fraction, bias   int
	infinities, extraRange bool // extraRange: the highest exponent field holds numbers, all ones alone is NaN
}

var layouts = []layout{
	{of: dtype.F16, bits: 16, fraction: 10, bias: 15, infinities: true},
	{of: dtype.BF16, bits: 16, fraction: 7, bias: 127, infinities: true},
	{of: dtype.F8E4M3, bits: 8, fraction: 3, bias: 7, extraRange: true},
	{of: dtype.F8E5M2, bits: 8, fraction: 2, bias: 15, infinities: true},
}

// decode returns the value of a code, by the words of IEEE 754 and of the OCP 8-bit formats.
func (l layout) decode(code uint64) float64 {
	sign := 1 - 2*float64(code>>(l.bits-1)&1)
	magnitude := code & (1<<(l.bits-1) - 1)
	field, fraction := int(magnitude>>l.fraction), float64(magnitude&(1<<l.fraction-1))
	highest := 1<<(l.bits-1-l.fraction) - 1
	switch {
	case l.extraRange && magnitude == 1<<(l.bits-1)-1, l.infinities && field == highest && fraction != 0:
		return math.NaN()
	case l.infinities && field == highest:
		return math.Inf(int(sign))
	case field == 0:
		return math.Copysign(math.Ldexp(fraction, 1-l.bias-l.fraction), sign)
	}
	return sign * math.Ldexp(1+math.Ldexp(fraction, -l.fraction), field-l.bias)
}

// values returns the finite values from 0 up; the index is the code.
func (l layout) values() []float64 {
	var values []float64
	for code := uint64(0); ; code++ {
		x := l.decode(code)
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return values
		}
		values = append(values, x)
	}
}

// ladder returns the values with one more on top, which would come next if the exponent had no end.
func (l layout) ladder() []float64 {
	values := l.values()
	last := len(values) - 1
	return append(values, 2*values[last]-values[last-1])
}

// nearest rounds x by searching the ladder. The sum and the half are exact: neighbours differ by
// one step.
func (l layout) nearest(ladder []float64, x float64) float64 {
	last := len(ladder) - 2
	magnitude := math.Abs(x)
	upper, found := slices.BinarySearch(ladder, magnitude)
	switch {
	case math.IsNaN(x):
		return x
	case found && upper <= last:
		return x
	case upper > last+1:
		return l.beyond(x)
	case upper == 0:
		return x
	}
	code := upper
	middle := (ladder[upper-1] + ladder[upper]) / 2
	if magnitude < middle || magnitude == middle && (upper-1)%2 == 0 {
		code = upper - 1
	}
	if code > last {
		return l.beyond(x)
	}
	return math.Copysign(ladder[code], x)
}

func (l layout) beyond(x float64) float64 {
	if l.infinities {
		return math.Copysign(math.Inf(1), x)
	}
	return math.NaN()
}

// same reports whether two float64 are the same value, NaN equal to NaN, and 0 apart from −0.
func same(a, b float64) bool {
	if a != a || b != b {
		return a != a && b != b
	}
	return math.Float64bits(a) == math.Float64bits(b)
}
