package op

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// softmaxModel is the arithmetic of softmax attention, shared by attention.forward, mla.decode,
// attention.backward and mla.layer. Runs (attentionRun) say what it explains.
type softmaxModel struct {
	accumulate    arithmetic.Accumulator
	probabilities dtype.Type
	scores        dtype.Type
	scale         float64
	softCap       float64
	capChain      dtype.Type // of each step of the soft cap
	fastExp       bool       // the exponential is the vendor's fast instruction
	fastTanh      bool       // and so is the tanh
	q, k, v       dtype.Type // of the inputs
	mixed         bool       // forms are drawn: what they make of a row does not show
}

// Counts of the scalar roundings in working precision that kernels make, each with second moment
// ρ².
const (
	scoreRoundings    = 3 // the scale as a constant, its product, and the one with log₂e
	rowRoundings      = 6 // rescaling by running maxima, the reciprocal of the sum, the product with it
	argumentRoundings = 2 // subtracting the maximum, and the tile's maximum changing
	// an exponential good to 2 ulp, 2⁻²² relative: what is stated of exp2f by ex2.approx too (PTX
	// ISA)
	expRoundings = 16

	// of a fast exponential (`exp: approx`), up to (2 + 1.17|x|) ulp (CUDA, __expf): x·log₂e is
	// rounded to float32, and so is log₂e
	fastExpRoundings      = 32
	fastArgumentRoundings = 6
)

// sumParts returns the second moments of the error of a sum of products of operands of two types: of
// the additions, and of operands that are cut, which err apart and together.
func (m softmaxModel) sumParts(
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
func (m softmaxModel) agreement(width int, sum, squares float64) float64 {
	if squares == 0 {
		return 0
	}
	if m.accumulate.Truncates() {
		return 1
	}
	term := math.Sqrt(squares / float64(width))
	return min(1, m.accumulate.Type().UnitRoundoff()*math.Abs(sum)/(4*term))
}

// expVariance is the second moment of the relative error of an exponential whose argument is x ≤ 0.
// Far below there is nothing left of it.
func (m softmaxModel) expVariance(x float64) float64 {
	x = max(x, -1e4)
	if m.fastExp {
		rho := arithmetic.Rho(dtype.F32)
		return rho * rho * (fastExpRoundings + fastArgumentRoundings*x*x)
	}
	return m.rho2() * (expRoundings + argumentRoundings*x*x)
}

// storesScores tells whether scores are kept in a narrow type.
func (m softmaxModel) storesScores() bool { return m.narrow(m.scores) }

// narrow tells whether a type is narrower than the working precision.
func (m softmaxModel) narrow(t dtype.Type) bool {
	return t.UnitRoundoff() > m.accumulate.Working().UnitRoundoff()
}

// scaleError is κ, the relative error of the scale rounded to the type of the scores, as PyTorch
// before 2.0 rounds a number that it multiplies a tensor with.
func (m softmaxModel) scaleError() float64 {
	if !m.storesScores() {
		return 0
	}
	if kappa := m.scores.Round(m.scale)/m.scale - 1; dtype.Finite(kappa) {
		return kappa
	}
	return 0 // a scale beyond the type, which no kernel rounds to it
}

// rho2 is ρ² of the working precision.
func (m softmaxModel) rho2() float64 {
	rho := arithmetic.Rho(m.accumulate.Working())
	return rho * rho
}

// scalarSum is the accumulator of the sum of weights, which no kernel keeps in less than working
// precision.
func (m softmaxModel) scalarSum() arithmetic.Accumulator {
	if m.accumulate == arithmetic.F64 {
		return arithmetic.F64
	}
	return arithmetic.F32
}

func maximum(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// countSquares returns how many weights are not zero, and Σ p².
func countSquares(p []float64) (n int, squares float64) {
	for _, v := range p {
		if v != 0 {
			n++
			squares += v * v
		}
	}
	return n, squares
}

func squares(m *mat.Dense) *mat.Dense {
	var s mat.Dense
	s.MulElem(m, m)
	return &s
}

// finiteOrZero returns m, or a copy with zeros in place of what is not finite.
func finiteOrZero(m *mat.Dense) *mat.Dense {
	rows, _ := m.Dims()
	clean := true
	for i := range rows {
		for _, v := range m.RawRowView(i) {
			clean = clean && !math.IsNaN(v) && !math.IsInf(v, 0)
		}
	}
	if clean {
		return m
	}
	c := mat.DenseCopyOf(m)
	c.Apply(func(_, _ int, v float64) float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0
		}
		return v
	}, c)
	return c
}
