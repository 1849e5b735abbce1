// Package arithmetic models what hardware rounds: the arithmetic a kernel declares, the second
// moment of each rounding, and that of a sum's rounding error when the order of the additions is
// not known.
//
// Everything here is first order: a rounding is a small, zero-mean, independent error, and errors
// add by their second moments (variances). The exception are tensor cores, which truncate, so that
// their errors share one sign.
package arithmetic

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
)

// Accumulator names the arithmetic in which sums of products are formed.
type Accumulator uint8

// The accumulators of the recording contract. Those that name a device are the fused, truncating
// sums of its tensor cores; TF32 is any of them for float32 operands, which are narrowed to TF32
// before the product.
const (
	F32 Accumulator = iota
	F64
	F16
	BF16
	F32Hopper
	F32Ampere
	F32Ada
	F32Volta
	F32Blackwell
	TF32
)

// accumulatorNames has the contract's names, in the order of the constants.
var accumulatorNames = [...]string{
	"F32", "F64", "F16", "BF16", "F32_HOPPER", "F32_AMPERE", "F32_ADA", "F32_VOLTA", "F32_BLACKWELL", "TF32",
}

// ParseAccumulator returns the accumulator of that name.
func ParseAccumulator(name string) (Accumulator, error) {
	if i := slices.Index(accumulatorNames[:], name); i >= 0 {
		return Accumulator(i), nil
	}
	names := accumulatorNames[:]
	return F32, fmt.Errorf("found %s, want one of %s%s",
		spelling.Quote(name), strings.Join(names, ", "), spelling.Suggest(name, names))
}

// String returns the contract's name of the accumulator.
func (a Accumulator) String() string {
	if int(a) < len(accumulatorNames) {
		return accumulatorNames[a]
	}
	return "?"
}

// Truncates tells whether sums are cut off toward zero, as tensor cores do, so that the errors of
// all sums share a direction.
func (a Accumulator) Truncates() bool { return a >= F32Hopper }

// Type returns the element type in which partial sums are kept.
func (a Accumulator) Type() dtype.Type {
	switch a {
	case F64:
		return dtype.F64
	case F16:
		return dtype.F16
	case BF16:
		return dtype.BF16
	}
	return dtype.F32
}

// Working returns the type of the scalar work around the sums (scales, exponentials, divisions):
// F64 where sums are kept in F64, F32 otherwise, because no kernel of the field computes an
// exponential in less.
func (a Accumulator) Working() dtype.Type {
	if a == F64 {
		return dtype.F64
	}
	return dtype.F32
}

// Scalar returns the accumulator of scalar sums, of weights or scores, which no kernel keeps in
// less than working precision.
func (a Accumulator) Scalar() Accumulator {
	if a == F64 {
		return F64
	}
	return F32
}

// Narrow tells whether a type is narrower than the working precision.
func (a Accumulator) Narrow(t dtype.Type) bool { return t.UnitRoundoff() > a.Working().UnitRoundoff() }

// meanInverseSquare is E[1/m²] for a mantissa m in [1, 2) whose logarithm is uniform: 3/(8 ln 2).
// Its root is 0.736.
const meanInverseSquare = 3 / (8 * math.Ln2)

// Rho returns ρ, the relative standard deviation of one rounding to nearest into t, averaged over a
// binade:
//
//	ρ = u/√3 · √E[1/m²] = 0.736 u/√3
//
// u is the unit roundoff of t: the error of a rounding is uniform within ±u in units of the binade,
// and m is where in its binade the value lies.
func Rho(t dtype.Type) float64 {
	return t.UnitRoundoff() * math.Sqrt(meanInverseSquare/3)
}

// Rounding returns the second moment of the error of rounding a value near x into t: (ρx)², or
// step²/12 where t has only subnormals left.
func Rounding(t dtype.Type, x float64) float64 {
	if math.Abs(x) < t.MinNormal() {
		if x == 0 {
			return 0
		}
		step := t.Spacing(x)
		return step * step / 12
	}
	e := Rho(t) * x
	return e * e
}

// Sum returns the second moment of the rounding error of a sum of n products that add up to sum and
// whose squares add up to squares, for additions in an unknown order, one after the other:
//
//	E[e²] = ρ² Σ_k E[S_k²] + c²/(1 + v/(uS)²)
//	Σ_k E[S_k²] = m² n(n+1)(2n+1)/6 + v n(n+1)/6,  m = sum/n, v = squares/n − m²,  c = 0.15 n u S
//
// where S_k is the partial sum of k terms drawn without replacement.
//
// A plain sequential loop makes this error on shuffled terms; blocked, pairwise and split orders
// make less. The second term is for terms that are equal, or differ by less than the last place of
// the sum, uS: then all additions within one binade round alike, by one uniform draw of ±ulp/2
// each, which over the last two binades makes c. Both are capped by the worst case γ_n Σ|a|, Σ|a| ≤
// √(n·squares); subnormal steps come on top. The truncating sums of tensor cores are treated by
// TensorCore.Sum.
func (a Accumulator) Sum(n int, sum, squares float64) float64 {
	if n == 0 || squares == 0 {
		return 0
	}
	if a.Truncates() {
		core := a.core()
		return core.Sum(n, sum, squares)
	}
	s := a.additions(n)
	return s.of(sum, squares)
}

// additions are those of n terms, with what Sum needs of them before it knows the terms.
type additions struct {
	n, rho2, u, gamma2, subnormal float64
	mean2, variance               float64 // what Σ E[S_k²] has of m² and v
}

func (a Accumulator) additions(n int) additions {
	rho, step := Rho(a.Type()), a.Type().Spacing(0)
	s := additions{
		n: float64(n), rho2: rho * rho, u: a.Type().UnitRoundoff(), gamma2: a.Gamma(n) * a.Gamma(n),
		subnormal: float64(n) * step * step / 12,
	}
	s.mean2, s.variance = s.n*(s.n+1)*(2*s.n+1)/6, s.n*(s.n+1)/6
	return s
}

// of returns the second moment of their error.
func (s *additions) of(sum, squares float64) float64 {
	m, v := sum/s.n, termVariance(s.n, sum, squares)
	variance := s.rho2*(m*m*s.mean2+v*s.variance) + s.alike(sum, v)
	if s.u > dtype.F32.UnitRoundoff() { // terms of 16-bit types fall on few places of such a sum, many of them halfway
		variance *= 9.0 / 8
	}
	return min(variance, s.gamma2*s.n*squares) + s.subnormal
}

// equalTerms is the variance, beside the square of the mean, that float64 leaves of equal terms.
const equalTerms = 0x1p-49

// termVariance returns the variance of n terms that add up to sum, and their squares to squares.
func termVariance(n, sum, squares float64) float64 {
	m := sum / n
	if v := squares/n - float64(m*m); v >= equalTerms*m*m {
		return v
	}
	return 0
}

// alike is the second moment of the error that additions make together where the terms, which have
// this variance, differ by less than the sum's last place.
func (s *additions) alike(sum, variance float64) float64 {
	place := s.u * sum
	if place == 0 {
		return 0
	}
	place2, together := place*place, 0.15*s.n*place
	agreement := place2 / (place2 + variance)
	if place2 == 0 { // underflow
		agreement = 0
	}
	if s.u > dtype.F32.UnitRoundoff() { // few places: terms whose spread is skewed keep a tenth
		agreement = max(agreement, 0.1)
	}
	return together * together * agreement
}

// Gamma returns γ_n = nu/(1−nu), the worst-case relative error of a sum of n terms (Higham 2002,
// section 3.1), +Inf where n·u ≥ 1. For tensor cores nu is what their steps can lose; for TF32 that
// of the accumulation alone.
func (a Accumulator) Gamma(n int) float64 {
	nu := float64(n) * a.Type().UnitRoundoff()
	if a.Truncates() {
		core := a.core()
		nu = core.worst(n)
	}
	if nu >= 1 {
		return math.Inf(1)
	}
	return nu / (1 - nu)
}
