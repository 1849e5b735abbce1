package op

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/rope"
)

// tableRoundings is what a sine or cosine good to 1–2 ulp of 1 errs by, in roundings.
const tableRoundings = 4

// powerRoundings is what a power errs by that is formed with a GPU's fast exponential: relative
// error up to 2⁻²² (PTX ISA, ex2.approx.f32), taken as uniform.
const powerRoundings = 30

// angleErrors is what the angles p·θ_i of a rotation err by. The angle is formed in the declared
// type A: the frequency is formed in working precision and rounded to A, p is rounded to A, and so
// is their product:
//
//	σ_φ² = φ² n_θ ρ² + p² round(θ)² + θ² round(p)² + round(φ)²
//
// with round(x)² the second moment of one rounding to A, 0 where there is nothing to round: θ_0 = 1
// in any way of forming it, a position that A holds, a product of the two that A holds, a position
// 2^k.
type angleErrors struct {
	typ       dtype.Type
	theta     []float64
	formed    []float64 // n_θ ρ², second moment of the relative error of a frequency; 0 where it is exact
	step      float64   // second moment of the relative error of the factor of a recurrence; 0 without one
	amplitude float64   // YaRN's, part of cosines and sines
	scaled    float64   // second moment of the relative error of the amplitude, and of the product with it
	table     float64   // second moment of a sine's or cosine's own error
}

// newAngleErrors returns the frequencies of a rotation, stretched where the recording says so, and
// what its angles err by.
func (c *Case) newAngleErrors(dim int) angleErrors {
	a := angleErrors{typ: c.Arithmetic.Angle, amplitude: 1, table: tableRoundings * c.rho2()}
	a.theta = rope.Frequencies(dim, c.Float("base"))
	a.formed = make([]float64, len(a.theta))
	for i := range a.formed {
		a.formed[i] = c.formedRoundings(i, dim)
	}
	if c.recurrent() {
		a.step = c.powerErrors(1, dim) * c.rho2()
	}
	if y := c.YaRN(); y != nil {
		blends := c.blendRoundings(*y, a.theta, a.formed)
		a.theta, a.amplitude = rope.YaRNFrequencies(dim, c.Float("base"), *y), y.Amplitude()
		a.scaled = c.amplitudeRoundings(*y) * c.rho2()
		for i, n := range blends {
			a.formed[i] += n
		}
	}
	for i := range a.formed {
		a.formed[i] *= c.rho2()
		narrow := a.typ.UnitRoundoff() > c.Arithmetic.Accumulate.Working().UnitRoundoff()
		if narrow && a.typ.Round(a.theta[i]) == a.theta[i] {
			a.formed[i] = 0 // rounding to A takes the last bits off again
		}
	}
	return a
}

// recurrent tells whether each frequency is formed from the one before.
func (c *Case) recurrent() bool { return c.Arithmetic.Frequencies == "recurrent" }

// rho2 is ρ² of the working precision.
func (c *Case) rho2() float64 {
	rho := arithmetic.Rho(c.Arithmetic.Accumulate.Working())
	return rho * rho
}

// formedRoundings is n_θ of pair i, in roundings: nothing for θ_0, which is b⁰, e⁰ and 1/1; else
// that of a power. A recurrence has the error of its factor i times over, and a rounding for each
// product.
func (c *Case) formedRoundings(i, dim int) float64 {
	n := float64(i)
	switch {
	case i == 0:
		return 0
	case c.recurrent():
		return n*n*c.powerErrors(1, dim) + n
	}
	return c.powerErrors(n, dim)
}

// powerErrors is what b^(−2i/d) errs by, in roundings: a power good to 2⁻²², its reciprocal, and,
// where it is taken as e^(−(2i/d) ln b), the rounding of that exponent, an absolute error of (2i/d)
// ln b roundings.
func (c *Case) powerErrors(i float64, dim int) float64 {
	exponent := 2 * i / float64(dim) * math.Log(c.Float("base"))
	return powerRoundings + exponent*exponent
}

// blendRoundings is what YaRN's blend θ' = (1−γ) θ/s + γ θ adds to the error of each frequency, in
// roundings: a quotient and a product on the one side, a product on the other, their sum, and what
// γ itself errs by. A pair that keeps its own frequency is not rounded again, and a slowed one
// once, by the division by s.
func (c *Case) blendRoundings(y rope.YaRN, theta, formed []float64) []float64 {
	blends := make([]float64, len(theta))
	for i, t := range theta {
		gamma, off := c.rampErrors(y, i, 2*len(theta), t, formed[i])
		slowed, kept := (1-gamma)*t/y.Factor, gamma*t
		whole := slowed + kept
		switch slow, own := slowed/whole, kept/whole; {
		case off == 0 && gamma == 1:
		case off == 0 && gamma == 0:
			if !powerOfTwo(y.Factor) {
				blends[i] = 1
			}
		default:
			moved := t * (1 - 1/y.Factor) / whole
			blends[i] = 2*slow*slow + own*own + 1 + off*moved*moved
		}
	}
	return blends
}

// surely is how many standard deviations beyond an end a number is on that side of it in every
// kernel.
const surely = 8

// rampErrors returns γ of a pair and the second moment of its error, in squared roundings: 0 where
// it is 0 or 1 in every kernel.
func (c *Case) rampErrors(y rope.YaRN, i, dim int, theta, formed float64) (gamma, off float64) {
	var at, spread float64 // where the pair is on the ramp from 0 to 1, and the second moment of its error
	if y.Ramp == rope.RotationsRamp {
		turns, length := rope.Rotations(theta, y.OriginalContext), y.BetaFast-y.BetaSlow
		at = (turns - y.BetaSlow) / length
		spread = turns*turns/(length*length)*(formed+3) + 3*at*at
		gamma = rope.GammaByRotations(turns, y.BetaSlow, y.BetaFast)
	} else {
		low, high := rope.CorrectionRange(dim, c.Float("base"), y)
		at = (float64(i) - low) / (high - low)
		inside := min(max(at, 0), 1)
		spread = inside * inside
		if y.Unrounded {
			outside, length := 1-inside, high-low
			ends := outside*outside*c.endErrors(y.BetaFast, low, dim, y) +
				inside*inside*c.endErrors(y.BetaSlow, high, dim, y)
			spread = 3*inside*inside + ends/(length*length)
		}
		gamma = rope.GammaByIndex(i, low, high)
	}
	margin := surely * math.Sqrt(spread*c.rho2())
	if y.Ramp == rope.IndexRamp && !y.Unrounded {
		margin = 0 // whole numbers, compared exactly
	}
	if at <= -margin || at >= 1+margin {
		return gamma, 0
	}
	return gamma, spread + gamma*gamma
}

// endErrors is the second moment, in squared roundings, of an end of a range that is not rounded to
// whole pairs: of c = d ln(L/(2π rot))/(2 ln b), where it is not cut off at the first or the last
// element.
func (c *Case) endErrors(rotations, end float64, dim int, y rope.YaRN) float64 {
	if end == 0 || end == float64(dim-1) {
		return 0
	}
	unit := float64(dim) / (2 * math.Log(c.Float("base")))
	ln := math.Log(float64(y.OriginalContext) / (2 * math.Pi * rotations))
	return unit * unit * (3 + 10*ln*ln) // the argument, then two logarithms of 1–2 ulp, a product and a quotient
}

// amplitudeRoundings is what the amplitude errs by, in roundings, with the product that it is in:
// nothing where it is 1.
func (c *Case) amplitudeRoundings(y rope.YaRN) float64 {
	switch amplitude := y.Amplitude(); {
	case amplitude == 1:
		return 0
	case y.AttentionFactor != 0:
		if c.Arithmetic.Accumulate.Working().Round(amplitude) == amplitude {
			return 1
		}
		return 2
	}
	roundings := 1.0
	for _, m := range []float64{y.MScale, y.MScaleAllDim} {
		if scale := rope.MScale(y.Factor, m); scale != 1 {
			logarithm := (scale - 1) / scale
			roundings += 2 + 6*logarithm*logarithm // of the sum and the quotient; of the logarithm and two products
		}
	}
	return roundings
}

// exact tells whether the frequency of a pair is a number of type A in every kernel.
func (a angleErrors) exact(i int) bool {
	return a.formed[i] == 0 && a.typ.Round(a.theta[i]) == a.theta[i]
}

// rounded is the second moment of what rounding to A moves the angle of a position and a pair by,
// radians².
func (a angleErrors) rounded(p float64, i int) float64 {
	theta := a.theta[i]
	phase := p * theta
	var variance float64
	if !a.exact(i) {
		variance = p * p * arithmetic.Rounding(a.typ, theta)
	}
	held := a.typ.Round(p) == p
	if !held {
		variance += theta * theta * arithmetic.Rounding(a.typ, p)
	}
	if held && (a.exact(i) && a.typ.Round(phase) == phase || powerOfTwo(p) && math.Abs(phase) >= a.typ.MinNormal()) {
		return variance // the product is exact
	}
	return variance + arithmetic.Rounding(a.typ, phase)
}

// variance is the second moment of the error of an angle, radians².
func (a angleErrors) variance(p float64, i int) float64 {
	phase := p * a.theta[i]
	return phase*phase*a.formed[i] + a.rounded(p, i)
}

// value is the second moment of the error of a cosine or sine of that value, apart from that of its
// angle. At angle 0 they are 1 and 0 in every kernel (PTX ISA: sin.approx and cos.approx too), and
// a product with the amplitude is exact.
func (a angleErrors) value(p, v float64) float64 {
	if p == 0 {
		return v * v * max(0, a.scaled-a.table/tableRoundings)
	}
	return a.amplitude*a.amplitude*a.table + v*v*a.scaled
}

// powerOfTwo tells whether the size of x is a power of two: products with it are not rounded.
func powerOfTwo(x float64) bool {
	m, _ := math.Frexp(math.Abs(x))
	return m == 0.5
}

// productError is the second moment of rounding a·b to t, of factors that t holds but for their
// last places: 0 where one is a power of two and the product is no smaller than t has full
// precision for.
func productError(t dtype.Type, a, b float64) float64 {
	if p := a * b; (powerOfTwo(a) || powerOfTwo(b)) && math.Abs(p) >= t.MinNormal() {
		return 0
	}
	return arithmetic.Rounding(t, a*b)
}

// rotation is the table of a rotation with the errors of its angles.
type rotation struct {
	cos, sin *mat.Dense // [N × d/2], the amplitude included
	angle    *mat.Dense // second moment of the error of each angle, radians²
	errors   angleErrors
	// draws is per position how many pairs have an angle of their own; where angles are near 0 a
	// table errs alike for all.
	draws []float64
	kept  dtype.Type // of table and products, where code keeps them in a narrow type; else the working type
	work  dtype.Type
	at    []float64 // positions
}

// newRotation returns the table of some positions; angleErrors says what it errs by.
func (c *Case) newRotation(positions []float64, dim int) rotation {
	work := c.Arithmetic.Accumulate.Working()
	r := rotation{errors: c.newAngleErrors(dim), at: positions, work: work, kept: work}
	theta := r.errors.theta
	r.cos, r.sin = rope.Table(positions, theta)
	r.cos.Scale(r.errors.amplitude, r.cos)
	r.sin.Scale(r.errors.amplitude, r.sin)
	r.angle = mat.NewDense(len(positions), len(theta), nil)
	r.draws = make([]float64, len(positions))
	for n, p := range positions {
		r.draws[n] = 1
		for i, t := range theta {
			r.angle.Set(n, i, r.errors.variance(p, i))
			if math.Abs(p*t) > 0.01 && r.errors.step == 0 { // the factor of a recurrence is one error for all pairs
				r.draws[n]++
			}
		}
	}
	return r
}

// curved is the second moment of what an angle's error δ moves a sine or cosine to second order,
// ½δ², as a part of its value: at the top of the wave there is nothing else, and at position 100
// 000 it is far above a rounding. 2.25σ⁴, three times the ¾σ⁴ of a normal δ, because δ² has the
// longer tail.
func curved(angle float64) float64 { return 2.25 * angle * angle }

// errors returns σ² of a rotated row; before is that of x itself, nil where x is an input.
func (t turned) errors(x, before []float64, r rotation, n int) []float64 {
	variance := make([]float64, len(x))
	for i := range len(x) / 2 {
		read, write := t.pair(i, len(x))
		a, b := x[read[0]], x[read[1]]
		cos, sin, angle := r.cos.At(n, i), r.sin.At(n, i), r.angle.At(n, i)
		if t.inverse {
			sin = -sin
		}
		first, second := a*cos-b*sin, a*sin+b*cos
		table := [2]float64{r.errors.value(r.at[n], cos), r.errors.value(r.at[n], sin)}
		variance[write[0]] = oldTimes(angle, second) + oldTimes(curved(angle), first) +
			oldTimes(table[0], a) + oldTimes(table[1], b) + r.crossed(a, cos, b, sin, first)
		variance[write[1]] = oldTimes(angle, first) + oldTimes(curved(angle), second) +
			oldTimes(table[1], a) + oldTimes(table[0], b) + r.crossed(a, sin, b, cos, second)
		if before != nil {
			va, vb := before[read[0]], before[read[1]]
			variance[write[0]] += va*cos*cos + vb*sin*sin
			variance[write[1]] += va*sin*sin + vb*cos*cos
		}
	}
	return variance
}

// times returns x²·variance, 0 where there is no error even if x² overflows.
func oldTimes(variance, x float64) float64 {
	if variance == 0 {
		return 0
	}
	return variance * x * x
}

// crossed is the second moment of what sum = a·u ± b·v errs by for its roundings, before the last.
func (r rotation) crossed(a, u, b, v, sum float64) float64 {
	variance := r.product(a, u) + r.product(b, v)
	if a*u != 0 && b*v != 0 {
		variance += arithmetic.Rounding(r.work, sum)
	}
	return variance
}

// product is the second moment of what x·u errs by where u is a cosine or sine: the rounding of u,
// if it is kept in a narrow type, and of the product.
func (r rotation) product(x, u float64) float64 {
	if r.kept == r.work {
		return productError(r.work, x, u)
	}
	variance, narrow := x*x*arithmetic.Rounding(r.kept, u), r.kept.Round(u)
	if narrow == u {
		variance = 0
	}
	if r.kept.Round(x) == x {
		return variance + productError(r.kept, x, narrow)
	}
	return variance + arithmetic.Rounding(r.kept, x*narrow)
}
