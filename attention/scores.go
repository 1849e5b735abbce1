package attention

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Options are the conventions of one call; the zero value is the paper's formula.
type Options struct {
	Scale   float64   // what q·k is multiplied by; 0: 1/√D
	Mask    Mask      // which keys a query sees
	SoftCap float64   // cap of SoftCap; 0: none
	Sink    *float64  // logit of a sink in the units of the scaled scores; nil: none
	Sinks   []float64 // one sink per query head, where a call has several heads; before Sink
}

// head returns the options of query head h of n.
func (o Options) head(h, n int) Options {
	if o.Sinks != nil {
		if len(o.Sinks) != n {
			panic("attention: number of sinks is not the number of query heads")
		}
		o.Sink, o.Sinks = &o.Sinks[h], nil
	}
	return o
}

// scale returns what q·k is multiplied by for keys of width d.
func (o Options) scale(d int) float64 {
	if o.Scale == 0 && d > 0 {
		return 1 / math.Sqrt(float64(d))
	}
	return o.Scale
}

// Scores returns how well each query matches each key, before the softmax.
//
//	x_sj = cap(scale · q_s·k_j) if s sees j, else −∞;  scale = 1/√D
//
// q is [S × D], k is [T × D]; the result is [S × T].
// Differs in code: a finite stand-in for −∞ (−1e4, −5e4) that true scores can pass;
// a soft cap applied before the scale, or after the mask.
// It implements Attention Is All You Need (1).
func Scores(q, k mat.Matrix, o Options) *mat.Dense {
	x := uncapped(q, k, o)
	capAndHide(x, o)
	return x
}

// Products returns q_s·k_j of all pairs, of which ToScores makes scores.
//
//	d_sj = q_s·k_j
//
// q is [S × D], k is [T × D]; the result is [S × T]. It implements Attention Is All You Need (1).
func Products(q, k mat.Matrix) *mat.Dense {
	queries, d := q.Dims()
	keys, dk := k.Dims()
	if queries > 0 && keys > 0 && d != dk {
		panic("attention: widths of queries and keys differ")
	}
	return product(q, k.T())
}

// ToScores replaces products q_s·k_j by the scores that Scores returns. The scale must be given.
//
//	x_sj = cap(scale · d_sj) if s sees j, else −∞
//
// d is [S × T]. It implements Attention Is All You Need (1).
func ToScores(d *mat.Dense, o Options) {
	if o.Scale == 0 {
		panic("attention: products do not tell their scale")
	}
	scaleBy(d, o.Scale)
	capAndHide(d, o)
}

// scaleBy multiplies all elements by a number.
func scaleBy(x *mat.Dense, scale float64) {
	rows, _ := x.Dims()
	for s := range rows {
		floats.Scale(scale, x.RawRowView(s))
	}
}

// capAndHide makes scores of what uncapped returns.
func capAndHide(x *mat.Dense, o Options) {
	if o.SoftCap != 0 {
		apply(x, func(_, _ int, x float64) float64 { return SoftCap(x, o.SoftCap) })
	}
	queries, keys := x.Dims()
	hide(x, o.Mask.of(queries, keys), math.Inf(-1))
}

// uncapped returns scale · q_s·k_j of all pairs, [S × T], also where s does not see j.
func uncapped(q, k mat.Matrix, o Options) *mat.Dense {
	_, d := q.Dims()
	x := Products(q, k)
	scaleBy(x, o.scale(d))
	return x
}

// SoftCap bounds a score smoothly to (−cap, cap); a cap of 0 or +∞ is none.
//
//	cap(x) = c · tanh(x/c) = x − x³/(3c²) + …
//
// Differs in code: a cap on the unscaled products, which is cap/scale here.
// It implements Gemma 2 (2024), section 2.
func SoftCap(x, c float64) float64 {
	if c == 0 || math.IsInf(c, 1) {
		return x
	}
	return c * math.Tanh(x/c)
}

// SoftCapSlope returns the derivative of SoftCap from the score x that is capped.
//
//	dcap/dx = sech²(x/c) = 4 e^{−2|x/c|} / (1 + e^{−2|x/c|})²
//
// It keeps its digits however far x is beyond the cap, down to where e^{−2|x/c|} ends. A cap of 0
// or +∞ is none, and the derivative 1. Differs in code: 1 − tanh², which is 0 from x/c = 19.1 on in
// float64 and from 9.1 on in float32. It implements Gemma 2 (2024), section 2 (derived).
func SoftCapSlope(x, c float64) float64 {
	if c == 0 || math.IsInf(c, 1) {
		return 1
	}
	e := math.Exp(-2 * math.Abs(x/c))
	return 4 * e / ((1 + e) * (1 + e))
}

// SoftCapBackward returns the derivative of SoftCap in terms of its result y, which is all that a
// kernel keeps. The result has forgotten how far beyond the cap the score was: half the digits are
// lost at x/c = 9, and all from 19.1 on, where y rounds to c. SoftCapSlope loses none.
//
//	dcap/dx = 1 − tanh²(x/c) = 1 − (y/c)²
//
// It implements Gemma 2 (2024), section 2 (derived).
func SoftCapBackward(y, c float64) float64 {
	if c == 0 || math.IsInf(c, 1) {
		return 1
	}
	t := y / c
	return (1 - t) * (1 + t)
}
