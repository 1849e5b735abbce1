package attention

import (
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

// storesScores tells whether scores are kept in a narrow type.
func (m Model) storesScores() bool { return m.narrow(m.Scores) }

// narrow tells whether a type is narrower than the working precision.
func (m Model) narrow(t dtype.Type) bool {
	return m.accumulate.Narrow(t)
}

// rho2 is ρ² of the working precision.
func (m Model) rho2() float64 {
	rho := arithmetic.Rho(m.accumulate.Working())
	return rho * rho
}
