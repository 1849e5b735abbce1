package attention

import (
	"math"

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
	queries, d := q.Dims()
	keys, dk := k.Dims()
	if queries > 0 && keys > 0 && d != dk {
		panic("attention: widths of queries and keys differ")
	}
	scale, m := o.scale(d), o.Mask.of(queries, keys)
	x := product(q, k.T())
	for s := range queries {
		for j := range keys {
			x.Set(s, j, SoftCap(scale*x.At(s, j), o.SoftCap))
		}
	}
	hide(x, m.Sees, math.Inf(-1))
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

// SoftCapBackward returns the derivative of SoftCap in terms of its result y.
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
