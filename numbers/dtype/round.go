package dtype

import "math"

// Round returns the value of t nearest to x, the one with the even code of two equally near.
//
// Beyond the largest value the result is the infinity of x's sign, or NaN for a type without
// infinities; the limit is where rounding with an unbounded exponent would pass the largest value,
// so F8_E4M3 rounds 464 to 448 and 464.1 to NaN. NaN stays NaN and zero keeps its sign.
//
// F8_E8M0 rounds a positive number to the nearest power of two in value: 1.5·2^k, half way, goes to
// the even code and everything below 2^-127 up to it. Zero and negative numbers give NaN.
//
// An integer type gives the nearest integer, NaN beyond its range, and never −0.
func (t Type) Round(x float64) float64 {
	if t == F32 {
		return float64(float32(x))
	}
	return t.round(x)
}

// round is Round for the types without an instruction. It is apart so that the compiler can put
// Round's F32 in line.
func (t Type) round(x float64) float64 {
	f := &formats[t]
	b := math.Float64bits(x)
	if b>>52&0x7FF-f.first < f.count {
		// The last bit kept breaks the tie: with it set, half carries into it. &63 spares a test of
		// the shift.
		return math.Float64frombits((b + f.half + b>>(f.drop&63)&1) & f.keep)
	}
	return f.roundEdge(x)
}

// Nearest is Round where nothing becomes subnormal or overflows, to be put in line in loops.
// Below Count from First on are the exponents of what is rounded so: its bits b become
// (b + Half + (b>>Drop & 1)) & Keep.
type Nearest struct{ First, Count, Drop, Half, Keep uint64 }

// Nearest returns that of a type.
func (t Type) Nearest() Nearest {
	f := &formats[t]
	return Nearest{First: f.first, Count: f.count, Drop: f.drop & 63, Half: f.half, Keep: f.keep}
}

// Round returns x rounded to nearest; ok is false where that is not known to be normal: Type.Round
// rounds it.
func (n *Nearest) Round(x float64) (y float64, ok bool) {
	b := math.Float64bits(x)
	return math.Float64frombits((b + n.Half + b>>(n.Drop&63)&1) & n.Keep), b>>52&0x7FF-n.First < n.Count
}

// RoundSaturating is Round with everything beyond the largest value, infinities too, brought to the
// largest value of the same sign. NaN stays NaN; so does what F8_E8M0 cannot hold, zero and
// negative numbers.
func (t Type) RoundSaturating(x float64) float64 {
	f := &formats[t]
	if f.kind == scaling {
		return t.Round(min(x, f.max))
	}
	return t.Round(max(f.min, min(x, f.max)))
}

// Truncate returns the value of t next to x on the side of zero; what overflows is rounded.
func (t Type) Truncate(x float64) float64 {
	y := t.Round(x)
	if math.Abs(y) > math.Abs(x) && !math.IsInf(y, 0) {
		y = t.Round(y - math.Copysign(t.Spacing(x), x))
	}
	return y
}

// RoundUpE8M0 returns the smallest power of two that is at least x and that F8_E8M0 holds: the
// scale that quantisers choose so that dividing by it cannot overflow, 2^⌈log₂ x⌉ without the error
// of a logarithm. Above 2^127, below or at zero and for NaN the result is NaN.
func RoundUpE8M0(x float64) float64 {
	f := &formats[F8E8M0]
	if !(x > 0 && x <= f.max) {
		return math.NaN()
	}
	fraction, exponent := math.Frexp(max(x, f.minNormal))
	if fraction == 0.5 {
		exponent--
	}
	return math.Ldexp(1, exponent)
}

// roundEdge rounds what the fast path leaves: F64, zeros, subnormals, the last binade and beyond,
// NaN, and the types that are no ordinary floats.
func (f *format) roundEdge(x float64) float64 {
	switch f.kind {
	case floating:
		return f.roundFloat(x)
	case scaling:
		if !(x > 0) {
			return math.NaN()
		}
		return f.roundFloat(max(x, f.minNormal))
	case integral:
		if r := math.RoundToEven(x); r >= f.min && r <= f.max {
			return r + 0 // −0 + 0 is +0
		}
		return math.NaN()
	}
	panic("dtype: invalid type")
}

// roundFloat rounds any float64, also outside the normal range of f.
func (f *format) roundFloat(x float64) float64 {
	magnitude := math.Abs(x)
	if f.drop == 0 || x != x {
		return x
	}
	if magnitude < f.minNormal {
		// A float64 near 2^52 steps has its own last place at one step, so the sum rounds there,
		// half to even.
		shift := f.step * (1 << 52)
		return math.Copysign(magnitude+shift-shift, x)
	}
	b := math.Float64bits(magnitude)
	r := math.Float64frombits((b + f.half + b>>f.drop&1) & f.keep)
	if r > f.max {
		r = f.overflow
	}
	return math.Copysign(r, x)
}
