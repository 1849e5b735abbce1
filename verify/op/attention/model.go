package attention

import (
	"math"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// Model is the arithmetic of softmax attention, shared by attention.forward, mla.decode,
// attention.backward and mla.layer. What it explains is what its runs give (Run).
type Model struct {
	accumulate    arithmetic.Accumulator
	probabilities dtype.Type
	Scores        dtype.Type
	Scale         float64
	softCap       float64
	capChain      dtype.Type // of each step of the soft cap
	fastExp       bool       // the exponential is the vendor's fast instruction
	fastTanh      bool       // and so is the tanh
	Q, K, V       dtype.Type // of the inputs
	Mixed         bool       // forms are drawn: what they make of a row does not show
}

// sumParts returns the second moments of the error of a sum of products of operands of two types:
// of the additions, and of operands that are cut, which err apart and together.
func (m Model) sumParts(
	x, y dtype.Type, n int, sum, squares float64,
) (added, apart, together float64) {
	apart, together = m.accumulate.OperandError(x, y, sum, squares)
	if x.UnitRoundoff() > y.UnitRoundoff() {
		x = y // the finer one has the bits
	}
	return m.accumulate.SumOf(x, n, sum, squares), apart, together
}

// agreement says how far the errors of one query's sums q·k agree for different keys. They do where
// a term is smaller than the sum's last place, because then it is rounded away, or up, by every key
// alike: about in the ratio of the two. Truncating sums always agree: they pull toward zero.
func (m Model) agreement(width int, sum, squares float64) float64 {
	if squares == 0 {
		return 0
	}
	if m.accumulate.Truncates() {
		return 1
	}
	term := math.Sqrt(squares / float64(width))
	return min(1, m.accumulate.Type().UnitRoundoff()*math.Abs(sum)/(4*term))
}

// storesScores tells whether scores are kept in a narrow type.
func (m Model) storesScores() bool { return m.narrow(m.Scores) }

// narrow tells whether a type is narrower than the working precision.
func (m Model) narrow(t dtype.Type) bool {
	return t.UnitRoundoff() > m.accumulate.Working().UnitRoundoff()
}

// rho2 is ρ² of the working precision.
func (m Model) rho2() float64 {
	rho := arithmetic.Rho(m.accumulate.Working())
	return rho * rho
}

// scalarSum is the accumulator of the sum of weights, which no kernel keeps in less than working
// precision.
func (m Model) scalarSum() arithmetic.Accumulator {
	if m.accumulate == arithmetic.F64 {
		return arithmetic.F64
	}
	return arithmetic.F32
}
