// Package loops has the loops in which executions of arithmetic programs spend their time:
// roundings to a stretched grid, exponentials, and what functions and sums err by. Where a
// processor has AVX-512 they take eight numbers at a time; elsewhere, and for numbers that are not
// ordinary (infinite, not normal), callers have loops of their own. Both do the same operations in
// the same order, none of them fused: the bits are the same everywhere.
package loops

import "math"

// Each goes through numbers 0 … n−1: groups is called with the first that is not done, and returns
// how many it has done from there; then others is called for the next few, or for all where the
// processor takes one at a time.
func Each(n int, groups func(from int) int, others func(from, to int)) {
	for i := 0; i < n; {
		if i += groups(i); i < n {
			end := i + min(group, n-i)
			others(i, end)
			i = end
		}
	}
}

// Largest returns the largest of some numbers, −∞ of none, NaN where one is. It compares four at a
// time, which do not wait for each other.
func Largest(x []float64) float64 {
	m := [4]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1), math.Inf(-1)}
	for ; len(x) >= 4; x = x[4:] {
		m[0], m[1], m[2], m[3] = max(m[0], x[0]), max(m[1], x[1]), max(m[2], x[2]), max(m[3], x[3])
	}
	for _, v := range x {
		m[0] = max(m[0], v)
	}
	return max(m[0], m[1], m[2], m[3])
}

// Rounding rounds to the numbers of a type times a factor, but what is near to a number of the type
// itself to that one:
//
//	RN(x) if |RN(x) − x| ≤ Noise·|x|, else RN(x·Stretch)·Inverse
//
// RN(x) has the bits of float64 (b + Half + (b>>Drop & 1)) & Keep. Numbers are ordinary if the
// exponents of x and x·Stretch are among Count from First on, and the result is not below Tiny.
type Rounding struct {
	Stretch, Inverse, Noise, Tiny  float64
	First, Count, Drop, Half, Keep uint64
}

// Wave is what a function errs by: y becomes
//
//	y · (1 + min(1, Steep·|x|) · Amplitude · (4·|turn − ⌊turn⌋ − ½| − 1))
//	turn = x·Frequency + Phase
//
// Numbers are ordinary if x is finite.
type Wave struct{ Frequency, Phase, Amplitude, Steep float64 }

// Noise adds to a sum what it errs by: of Common what all err by together, away from zero, and of
// its own a number that its bits as float32 choose.
//
//	h = Mix(bits(float32(sum)) ⊕ Seed)
//	sum + (±together·Common + Bell(h)·apart·Sizes[(h>>7 ⊕ h) mod 8])
//
// Numbers are ordinary if the sum is finite and not 0.
type Noise struct {
	Sizes  [8]float64
	Seed   uint64
	Common float64
}

// noise are the constants of Bell and Mix, as the loop in assembly reads them.
var noise = struct {
	centre, root, step float64
	add, first, second uint64
}{131070, math.Sqrt(3), 1. / 65536, 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb}

// Mix is the finaliser of splitmix64.
func Mix(z uint64) uint64 {
	z += noise.add
	z = (z ^ z>>30) * noise.first
	z = (z ^ z>>27) * noise.second
	return z ^ z>>31
}

// Bell makes a number of variance 1 from the sum of four uniform ones, the parts of h of 16 bits.
func Bell(h uint64) float64 {
	sum := h&0xffff + h>>16&0xffff + h>>32&0xffff + h>>48
	return (float64(sum) - noise.centre) * noise.root * noise.step
}

// powersOfTwo are the constants of PowersOfTwo, as the loop in assembly reads them.
var powersOfTwo = struct {
	roots                          [8]float64 // 2^(i/8)
	most, steps, wholes, step, ln2 float64
	series                         [6]float64 // 1/k!, k = 7 … 2
}{
	most: 1000, steps: 8, wholes: 3 << 51, step: 1. / 8, ln2: math.Ln2,
	series: [6]float64{1. / 5040, 1. / 720, 1. / 120, 1. / 24, 1. / 6, 1. / 2},
}

func init() {
	for i := range powersOfTwo.roots {
		powersOfTwo.roots[i] = math.Exp2(float64(i) / 8)
	}
}

// PowersOfTwo replaces numbers x by 2^x, good to 4 ulp: 2^(n/8) · e^r with n the whole number
// nearest to 8x and |r| ≤ ln 2/16, where eight terms of e^r are enough.
func PowersOfTwo(x []float64) {
	Each(len(x), func(from int) int { return powers(x[from:]) }, func(from, to int) {
		for i, v := range x[from:to] {
			x[from+i] = PowerOfTwo(v)
		}
	})
}

// PowerOfTwo returns 2^x as PowersOfTwo does. Beside wholes float64 has whole numbers only, and
// their last bits.
func PowerOfTwo(x float64) float64 {
	c := &powersOfTwo
	if !(math.Abs(x) < c.most) {
		return math.Exp2(x)
	}
	n := float64(x*c.steps) + c.wholes
	r := (x - (n-c.wholes)*c.step) * c.ln2
	e := c.series[0]
	for _, term := range c.series[1:] {
		e = term + float64(r*e)
	}
	e = 1 + float64(r*(1+float64(r*e)))
	bits := math.Float64bits(n)
	return math.Float64frombits(math.Float64bits(c.roots[bits%8])+bits/8<<52) * e
}
