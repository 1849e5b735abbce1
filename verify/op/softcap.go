package op

import (
	"math"

	"plumbline/attention"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// fastTanh is the standard deviation of tanh.approx.f32, relative, once for what is the same error
// everywhere and once for what is not: up to 2⁻¹¹ is stated (PTX ISA).
const fastTanh = 1.0 / (1 << 12)

// fastTanhNear is what a tanh made of one fast exponential, (1 − e^(−2u))/(1 + e^(−2u)), errs by
// where u is near 0: half of 2⁻²², of which its numerator keeps all.
const fastTanhNear = 1.0 / (1 << 23)

// cappedVariance is the second moment of the error of y = c·tanh(x/c), from that of x. Eager code
// rounds each step of the chain to a type, which moves y by
//
//	c tanh′ δ(x/c)  +  c δ(tanh)  +  δ(y)
func (m softmaxModel) cappedVariance(variance, raw, capped float64) float64 {
	if math.IsInf(variance, 1) || m.softCap > m.accumulate.Working().Max() {
		return math.Inf(1)
	}
	u, t := raw/m.softCap, capped/m.softCap
	moved := m.throughCap(variance, raw, capped) + tanhRoundings*m.rho2()*capped*capped
	if m.fastTanh {
		moved += fastTanh*fastTanh*capped*capped + fastTanhNear*fastTanhNear*m.softCap*m.softCap
	}
	if math.Abs(u) < dtype.F32.MinNormal() {
		moved += capped * capped // flushed to zero
	}
	if m.narrow(m.capChain) {
		if slope := m.softCap * attention.SoftCapSlope(raw, m.softCap); slope != 0 {
			moved += slope * slope * stepError(m.capChain, u)
		}
		moved += m.softCap*m.softCap*stepError(m.capChain, t) + stepError(m.capChain, capped)
	}
	if m.storesScores() && m.scores.UnitRoundoff() > m.capChain.UnitRoundoff() {
		moved += arithmetic.Rounding(m.scores, capped)
	}
	return moved
}

// stepError is the second moment of rounding a number near x to t, in its own binade: what a soft
// cap returns crowds below the cap, so that an average over binades is off by half.
func stepError(t dtype.Type, x float64) float64 {
	if x == 0 || !dtype.Finite(x) {
		return 0
	}
	step := t.Spacing(x)
	return min(step*step/12, x*x)
}

// throughCap is what an error of x leaves of itself behind the cap: its slope's share, and of an
// error as wide as the cap bends, what it makes on the side where that is more.
func (m softmaxModel) throughCap(variance, raw, capped float64) float64 {
	e := math.Sqrt(variance)
	if e < 1e-3*m.softCap {
		e *= attention.SoftCapSlope(raw, m.softCap)
		return e * e
	}
	up, down := attention.SoftCap(raw+e, m.softCap)-capped, attention.SoftCap(raw-e, m.softCap)-capped
	return max(up*up, down*down)
}

// keepScore returns a score as a kernel leaves it that makes no other error than to store it: the
// product, the scaled product and each step of the cap in their types.
func (m softmaxModel) keepScore(raw float64) float64 {
	keep := func(t dtype.Type, x float64) float64 {
		if m.narrow(t) {
			return t.Round(x)
		}
		return x
	}
	x := keep(m.scores, keep(m.scores, raw/m.scale)*m.scale)
	if m.softCap == 0 {
		return x
	}
	y := keep(m.capChain, math.Tanh(keep(m.capChain, x/m.softCap)))
	return keep(m.scores, keep(m.capChain, y*m.softCap))
}

// slopeError is the second moment of the error of the cap's derivative 1 − t², t = y/c, which a
// kernel forms from the capped score that it has: 2t δt. Where t is near 1 that is most of the
// derivative.
func (m softmaxModel) slopeError(variance, capped float64) float64 {
	t, e := capped/m.softCap, math.Sqrt(variance)/m.softCap
	bent := 2*math.Abs(t)*e + e*e
	return min(bent*bent, 1)
}

// capSteps is the second moment of rounding each step back through a soft cap: the product with the
// cap, with the derivative, and with the cap's inverse.
func (m softmaxModel) capSteps(ds float64) float64 {
	if !m.narrow(m.capChain) {
		return 0
	}
	return 3 * arithmetic.Rounding(m.capChain, ds)
}
