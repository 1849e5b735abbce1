package step

import (
	"math"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/rope"
	"plumbline/verify/op"
)

// Rotation has the places of a rotation: frequencies are formed in working precision and rounded
// to the type of angles, so are positions and their product; cosines and sines are multiplied by
// the amplitude. Where code keeps them in a narrow type, so it does with the products that they are
// in.
type Rotation struct {
	theta                   []float64
	Amplitude               float64
	position, angle         arithmetic.Grid
	cosine, sine            arithmetic.Function
	scaled, kept            arithmetic.Grid
	first, second, sum      arithmetic.Grid
	narrow, fused, sumsLast bool
	held                    bool // vectors have the type of products
}

// sineUlp is what most errors of sines and cosines are within that are good to 2 ulp (CUDA).
const sineUlp = 1

// NewRotation returns the places of a rotation of vectors of type in, whose table and products
// are rounded to kept, if that is narrower than they are, and whose results are rounded to out.
func NewRotation(c *op.Case, r *arithmetic.Run, dim int, in, kept, out dtype.Type) *Rotation {
	work, angle := c.Arithmetic.Accumulate.Working(), c.Arithmetic.Angle
	t := &Rotation{
		Amplitude: 1, position: r.Grid(angle), angle: r.Grid(angle), cosine: r.Function(work, sineUlp),
		sine: r.Function(work, sineUlp), scaled: r.Grid(work), fused: r.Coin(), sumsLast: out == work,
		narrow: kept.UnitRoundoff() > work.UnitRoundoff(), sum: r.Grid(work),
	}
	t.theta = newFrequencyRun(c, r, dim).all(dim / 2)
	if y := c.YaRN(); y != nil {
		t.theta = newBlendRun(c, r, dim, *y).all(t.theta)
		t.Amplitude = newAmplitudeRun(r, work).of(*y)
	}
	if held := r.Grid(angle); angle.UnitRoundoff() > work.UnitRoundoff() {
		held.RoundAll(t.theta)
	}
	if !t.narrow {
		kept = work
	}
	t.held = in.UnitRoundoff() >= kept.UnitRoundoff()
	t.kept, t.first, t.second = r.Grid(kept), r.Grid(kept), r.Grid(kept)
	return t
}

// Row returns cosines and sines of a position.
func (t *Rotation) Row(position float64) (cos, sin []float64) {
	for _, angle := range t.angles(position) {
		co, si := t.curves(angle)
		cos, sin = append(cos, co), append(sin, si)
	}
	return cos, sin
}

// angles returns the angle of each pair.
func (t *Rotation) angles(position float64) []float64 {
	p, angles := t.position.Round(position), make([]float64, len(t.theta))
	for i, theta := range t.theta {
		angles[i] = times(&t.angle, p, theta)
	}
	return angles
}

// curves returns cosine and sine of an angle; at 0 they are exact (PTX ISA: sin.approx and
// cos.approx too).
func (t *Rotation) curves(angle float64) (cos, sin float64) {
	if cos = 1; angle != 0 {
		sin, cos = math.Sincos(angle)
		cos, sin = t.cosine.Of(cos, angle), t.sine.Of(sin, angle)
	}
	cos, sin = times(&t.scaled, cos, t.Amplitude), times(&t.scaled, sin, t.Amplitude)
	if t.narrow {
		cos, sin = t.kept.Round(cos), t.kept.Round(sin)
	}
	return cos, sin
}

// Rotate returns a vector turned by a row of the table.
func (t *Rotation) Rotate(x, cos, sin []float64, turn Turn) []float64 {
	y := make([]float64, len(x))
	for i, co := range cos {
		si := sin[i]
		if turn.inverse {
			si = -si
		}
		read, write := turn.pair(i, len(x))
		a, b := x[read[0]], x[read[1]]
		y[write[0]] = t.crossed(a, co, -b, si)
		y[write[1]] = t.crossed(b, co, a, si)
	}
	return y
}

// crossed returns a·u + b·v. Where sums have the type of the result, rounding them is the last of
// which the verdict knows.
func (t *Rotation) crossed(a, u, b, v float64) float64 {
	first, second := a*u, t.product(&t.second, b, v)
	if !t.fused || t.narrow {
		first = t.product(&t.first, a, u)
	}
	if t.sumsLast {
		return first + second
	}
	return plus(&t.sum, first, second)
}

// product returns x·u of a vector's element.
func (t *Rotation) product(g *arithmetic.Grid, x, u float64) float64 {
	if !t.held {
		return g.Round(x * u)
	}
	return times(g, x, u)
}

// frequencyRun has the places of a power b^(−2i/d): 1/b^(2i/d), or e^(−(2i/d) ln b) in some base,
// or the frequency before it times b^(−2/d).
type frequencyRun struct {
	base                              float64
	dim                               int
	recurrent, exponential            bool
	natural                           bool    // the base is e, or else 2
	logarithm                         float64 // of b: a constant, which is rounded alike in all kernels
	exponent, product, inverse, chain arithmetic.Grid
	power                             []arithmetic.Function // of each pair: their errors have nothing in common
}

func newFrequencyRun(c *op.Case, r *arithmetic.Run, dim int) *frequencyRun {
	work := c.Arithmetic.Accumulate.Working()
	f := &frequencyRun{
		base: c.Float("base"), dim: dim, recurrent: c.Arithmetic.Frequencies == "recurrent", exponential: r.Coin(),
		natural: r.Coin(), exponent: r.Grid(work), product: r.Grid(work), inverse: r.Grid(work), chain: r.Grid(work),
	}
	if f.logarithm = math.Log2(f.base); f.natural {
		f.logarithm = math.Log(f.base)
	}
	if !r.Exact() {
		f.logarithm = work.Round(f.logarithm)
	}
	for range dim / 2 {
		f.power = append(f.power, r.Function(work, powerUlp))
	}
	return f
}

// powerUlp is what a power is good to that is formed with a GPU's fast exponential (PTX ISA,
// ex2.approx.f32: relative error up to 2⁻²²).
const powerUlp = 2

// all returns the frequencies of so many pairs. The first is 1 however it is formed.
func (f *frequencyRun) all(pairs int) []float64 {
	theta := make([]float64, pairs)
	for i := range theta {
		switch {
		case i == 0:
			theta[i] = 1
		case f.recurrent && i > 1:
			theta[i] = f.chain.Round(theta[i-1] * theta[1])
		default:
			theta[i] = f.of(i)
		}
	}
	return theta
}

// of returns one power.
func (f *frequencyRun) of(i int) float64 {
	exponent, power := f.exponent.Round(2*float64(i)/float64(f.dim)), &f.power[i]
	if !f.exponential {
		return f.inverse.Round(1 / power.Of(math.Pow(f.base, exponent), exponent))
	}
	x := f.product.Round(exponent * f.logarithm)
	if f.natural {
		return power.Of(math.Exp(-x), x)
	}
	return power.Of(math.Exp2(-x), x)
}

// blendRun has the places of YaRN's blend θ' = (1−γ) θ/s + γ θ and of γ.
type blendRun struct {
	yarn                                              rope.YaRN
	base                                              float64
	dim                                               int
	turns, above, share                               arithmetic.Grid
	quotient, rest, slowed, own, sum, least, greatest arithmetic.Grid
	log                                               arithmetic.Function
}

func newBlendRun(c *op.Case, r *arithmetic.Run, dim int, y rope.YaRN) *blendRun {
	work := c.Arithmetic.Accumulate.Working()
	return &blendRun{
		yarn: y, base: c.Float("base"), dim: dim, turns: r.Grid(work), above: r.Grid(work), share: r.Grid(work),
		quotient: r.Grid(work), rest: r.Grid(work), slowed: r.Grid(work), own: r.Grid(work), sum: r.Grid(work),
		least: r.Grid(work), greatest: r.Grid(work), log: r.Function(work, 2),
	}
}

// all returns the stretched frequencies.
func (b *blendRun) all(theta []float64) []float64 {
	low, high := rope.CorrectionRange(b.dim, b.base, b.yarn)
	if b.yarn.Unrounded {
		low, high = b.end(low, b.yarn.BetaFast), b.end(high, b.yarn.BetaSlow)
	}
	stretched := make([]float64, len(theta))
	for i, t := range theta {
		gamma := 1 - b.ramp(float64(i), low, high)
		if b.yarn.Ramp == rope.RotationsRamp {
			turns := b.turns.Round(rope.Rotations(t, b.yarn.OriginalContext))
			gamma = b.ramp(turns, b.yarn.BetaSlow, b.yarn.BetaFast)
		}
		gamma = b.rest.Round(gamma)
		slowed := times(&b.slowed, times(&b.quotient, t, 1/b.yarn.Factor), b.rest.Round(1-gamma))
		stretched[i] = plus(&b.sum, slowed, times(&b.own, t, gamma))
	}
	return stretched
}

// ramp returns where x is between two ends, from 0 to 1.
func (b *blendRun) ramp(x, low, high float64) float64 {
	return min(max(b.share.Round(b.above.Round(x-low)/b.above.Round(high-low)), 0), 1)
}

// end returns an end of a range that is not rounded to whole pairs, d ln(L/(2π rot))/(2 ln b), as
// it is formed, unless it was cut off at the first or the last element.
func (b *blendRun) end(exact, rotations float64) float64 {
	if exact == 0 || exact == float64(b.dim-1) {
		return exact
	}
	ratio := b.least.Round(float64(b.yarn.OriginalContext) / b.least.Round(rotations*2*math.Pi))
	whole := b.greatest.Round(float64(b.dim) * b.log.Log(ratio))
	return b.greatest.Round(whole / (2 * b.log.Log(b.base)))
}

// amplitudeRun has the places of YaRN's amplitude.
type amplitudeRun struct {
	constant, product, sum, quotient arithmetic.Grid
	log                              arithmetic.Function
}

func newAmplitudeRun(r *arithmetic.Run, work dtype.Type) *amplitudeRun {
	return &amplitudeRun{
		constant: r.Grid(work), product: r.Grid(work), sum: r.Grid(work), quotient: r.Grid(work),
		log: r.Function(work, 2),
	}
}

// of returns the amplitude.
func (a *amplitudeRun) of(y rope.YaRN) float64 {
	if y.AttentionFactor != 0 {
		return a.constant.Round(y.AttentionFactor)
	}
	return a.quotient.Round(a.scale(y.Factor, y.MScale) / a.scale(y.Factor, y.MScaleAllDim))
}

// scale returns 0.1 m ln s + 1, or 1.
func (a *amplitudeRun) scale(factor, m float64) float64 {
	if factor <= 1 {
		return 1
	}
	return a.sum.Round(a.product.Round(a.constant.Round(0.1*m)*a.log.Log(factor)) + 1)
}

// times returns a·b of factors that have the type of g, which is rounded unless one is a power of
// two and nothing is lost below the normal numbers.
func times(g *arithmetic.Grid, a, b float64) float64 {
	t := g.Type()
	if p := a * b; (powerOfTwo(a) || powerOfTwo(b)) && math.Abs(p) >= t.MinNormal() {
		return p
	}
	return g.Round(a * b)
}

// plus returns a + b, which is rounded unless one of them is nothing.
func plus(g *arithmetic.Grid, a, b float64) float64 {
	if a == 0 || b == 0 {
		return a + b
	}
	return g.Round(a + b)
}
