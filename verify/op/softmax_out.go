package op

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/numbers/dtype"
)

// alone tells whether a query sees one key and nothing else: its weight is then exactly 1.
func (b *blockTruth) alone(s int, sink bool) bool {
	seen := 0
	for j, p := range b.weights.RawRowView(s) {
		if p != 0 || b.moved.At(s, j) != 0 {
			seen++
		}
	}
	return seen == 1 && !sink
}

// rowErrors fills in λ² of each row.
func (m softmaxModel) rowErrors(b *blockTruth, sink bool) {
	rows, _ := b.weights.Dims()
	b.rowVar = make([]float64, rows)
	for s := range rows {
		seen, mass2 := countSquares(b.weights.RawRowView(s))
		b.rowVar[s] = m.rowError(b, s, seen, mass2, sink)
	}
}

// rowError is λ², the second moment of the relative error that all columns of a row share.
func (m softmaxModel) rowError(b *blockTruth, s, seen int, mass2 float64, sink bool) float64 {
	if seen == 0 {
		return 0
	}
	variance := m.scalarSum().Sum(seen, 1, mass2) + m.scalarSum().Repeated(1, b.repeats[s]) + rowRoundings*m.rho2()
	// the product may use a weight rounded to 1, the sum one that is off by the exponential of a
	// rounded score, if not by more
	if b.alone(s, sink) {
		u := max(m.probabilities.UnitRoundoff(), m.accumulate.Working().UnitRoundoff())
		off := math.Sqrt(m.rho2()*expRoundings) + math.Sqrt(m.rho2()*argumentRoundings)*math.Abs(b.lse[s])
		variance += min(off*off, max(u*u, expRoundings*m.rho2()))
	}
	return variance
}

// weightRoundings returns RN(p) − p for weights that are divided before they are rounded.
func (m softmaxModel) weightRoundings(b *blockTruth) *mat.Dense {
	rows, keys := b.weights.Dims()
	d := mat.NewDense(rows, keys, nil)
	for s := range rows {
		for j, p := range b.weights.RawRowView(s) {
			if p > 0 && b.rounding.At(s, j) > 0 {
				d.Set(s, j, m.probabilities.Round(p)-p)
			}
		}
	}
	return d
}

// scaleErrors adds what a rounded scale moves a log-sum-exp by, and a fast tanh as far as it errs
// alike everywhere.
func (m softmaxModel) scaleErrors(b *blockTruth, x *mat.Dense) {
	b.commonErrors(m.scaleError(), func(s, j int) float64 {
		return b.raw.At(s, j) * attention.SoftCapSlope(b.raw.At(s, j), m.softCap)
	})
	if m.softCap != 0 && m.fastTanh {
		b.commonErrors(fastTanh, x.At)
	}
}

// commonErrors adds what one constant moves that is off by κ: a score by κ times its lever.
func (b *blockTruth) commonErrors(kappa float64, lever func(s, j int) float64) {
	if kappa == 0 {
		return
	}
	for s := range b.lseVar {
		var mean float64
		row := b.weights.RawRowView(s)
		for j, p := range row {
			if p > 0 {
				mean += p * lever(s, j)
			}
		}
		if mass := total(row); mass != 0 {
			e := kappa * mean / mass
			b.lseVar[s] += e * e
		}
	}
}

// drawsOf is the number of independent errors behind a row whose variance is common to all columns,
// shared by as many errors as `effective` says, and the columns' own.
func drawsOf(common, shared, effective, own, columns float64) float64 {
	all := common + shared + own
	if all == 0 || math.IsNaN(all) || math.IsInf(all, 0) {
		return columns
	}
	c, s, o := common/all, shared/all, own/all
	return 1 / (c*c + s*s*(1/effective+1/columns) + o*o/columns)
}

// participation is the effective number of terms of a sum: (Σ a)² / Σ a².
func participation(weights, norms []float64) float64 {
	var sum, squares float64
	for j, w := range weights {
		a := w * norms[j]
		sum += a
		squares += a * a
	}
	return participationOf(sum, squares)
}

// participationOf is the effective number of terms from Σ a and Σ a²; 1 where they are beyond
// float64.
func participationOf(sum, squares float64) float64 {
	if n := sum * sum / squares; dtype.Finite(n) && n >= 1 {
		return n
	}
	return 1
}
