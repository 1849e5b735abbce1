package arithmetic

import (
	"math"

	"plumbline/numbers/dtype"
)

// cutTogether is the part of a tensor core's error that all its sums have together, toward zero:
// all of it but what single products lose.
const cutTogether = 0.8

// ProductError returns the second moments of the error of a sum of n products of operands of two
// types, which add up to sum and their squares to squares: its own, and what all sums err by
// together.
func (a Accumulator) ProductError(x, y dtype.Type, n int, sum, squares float64) (apart, together float64) {
	apart, together = a.OperandError(x, y, sum, squares)
	if x.UnitRoundoff() > y.UnitRoundoff() {
		x = y // the finer one has the bits
	}
	variance, share := a.SumOf(x, n, sum, squares), cutTogether
	if !a.Truncates() {
		share = a.agreement(n, sum, squares)
	}
	return apart + variance*(1-share), together + variance*share
}

// agreement says how far the errors of sums of the same operand with different others agree. They
// do where a term is smaller than the sum's last place, because then it is rounded away, or up, in
// all of them alike: about in the ratio of the two.
func (a Accumulator) agreement(n int, sum, squares float64) float64 {
	if squares == 0 {
		return 0
	}
	term := math.Sqrt(squares / float64(n))
	return min(1, a.Type().UnitRoundoff()*math.Abs(sum)/(4*term))
}
