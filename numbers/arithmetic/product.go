package arithmetic

import (
	"math"

	"plumbline/numbers/dtype"
)

// cutTogether is the part of a tensor core's error that all its sums have together, toward zero:
// all of it but what single products lose.
const cutTogether = 0.8

// Products are sums of n products of operands of two types in an accumulator, with what their
// errors hang on beside the numbers.
type Products struct {
	a     Accumulator
	x, y  dtype.Type
	n     int
	core  TensorCore
	steps bool // of the core, else additions
	additions
}

// Products returns such sums.
func (a Accumulator) Products(x, y dtype.Type, n int) Products {
	p := Products{a: a, x: x, y: y, n: n}
	if n == 0 {
		return p
	}
	if x.UnitRoundoff() > y.UnitRoundoff() {
		x = y // the finer one has the bits
	}
	p.core, p.steps = a.step(x, dtype.F32)
	if a.Truncates() && !p.steps {
		p.core, p.steps = a.core(), true
	}
	if !p.steps {
		p.additions = a.additions(n)
	}
	return p
}

// Error returns the second moments of the error of one that adds up to sum, and the squares of its
// terms to squares: its own, and what all sums err by together.
func (p *Products) Error(sum, squares float64) (apart, together float64) {
	if p.n == 0 {
		return 0, 0
	}
	variance, share := 0.0, cutTogether
	switch {
	case p.steps:
		apart, together = p.a.OperandError(p.x, p.y, sum, squares)
		variance = p.core.Sum(p.n, sum, squares)
	case squares != 0:
		variance, share = p.of(sum, squares), p.agreement(sum, squares)
	}
	return apart + variance*(1-share), together + variance*share
}

// Total returns the second moment of the error of one, both together.
func (p *Products) Total(sum, squares float64) float64 {
	switch {
	case p.steps || p.n == 0:
		apart, together := p.Error(sum, squares)
		return apart + together
	case squares == 0:
		return 0
	}
	return p.of(sum, squares)
}

// agreement says how far the errors of sums of the same operand with different others agree. They
// do where a term is smaller than the sum's last place, because then it is rounded away, or up, in
// all of them alike: about in the ratio of the two.
func (s *additions) agreement(sum, squares float64) float64 {
	return min(1, s.u*math.Abs(sum)/(4*math.Sqrt(squares/s.n)))
}
