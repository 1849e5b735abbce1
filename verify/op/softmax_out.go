package op

import (
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// weightErrors are second moments of what moves the weights of a block, [rows × keys].
type weightErrors struct {
	squares *mat.Dense // p²
	moved   *mat.Dense // by scores: p² ε²
	keyed   *mat.Dense // and by rounding: p² ε² + δ²
}

func (b *blockTruth) weightErrors(sink bool) weightErrors {
	rows, keys := b.weights.Dims()
	e := weightErrors{mat.NewDense(rows, keys, nil), mat.NewDense(rows, keys, nil), mat.NewDense(rows, keys, nil)}
	for s := range rows {
		alone := b.alone(s, sink)
		for j, p := range b.weights.RawRowView(s) {
			e.squares.Set(s, j, p*p)
			if !alone {
				e.moved.Set(s, j, b.moved.At(s, j))
				e.keyed.Set(s, j, e.moved.At(s, j)+b.rounding.At(s, j))
			}
		}
	}
	return e
}

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

// outErrors fills in σ² of the output and the draws behind each row.
func (m softmaxModel) outErrors(b *blockTruth, kv keyValues, x *mat.Dense, sink bool) {
	rows, _ := b.weights.Dims()
	_, width := kv.v.Dims()
	b.outVar, b.rowVar, b.draws = mat.NewDense(rows, width, nil), make([]float64, rows), make([]float64, rows)
	e := b.weightErrors(sink)
	var summed, movedV, keyedV2 mat.Dense
	summed.Mul(e.squares, kv.v2)
	movedV.Mul(e.moved, kv.v)
	keyedV2.Mul(e.keyed, kv.v2)
	known := m.knownRoundings(b, kv, x)
	for s := range rows {
		seen, mass2 := countSquares(b.weights.RawRowView(s))
		b.rowVar[s] = m.rowError(b, s, seen, mass2, sink)
		movedTotal := total(e.moved.RawRowView(s))
		var own, byKey, common float64
		for c, o := range b.out.RawRowView(s) {
			key := max(0, keyedV2.At(s, c)-2*o*movedV.At(s, c)+o*o*movedTotal)
			if k := known.At(s, c); k > 4*key {
				key = k
			}
			if !(key < kv.reach[c]) {
				key = kv.reach[c]
			}
			sum, row := m.sum(m.probabilities, m.v, seen, o, summed.At(s, c)), o*o*b.rowVar[s]
			b.outVar.Set(s, c, m.judgeable(b.worst[s], kv.reach[c], key+sum+row))
			own, byKey, common = own+sum, byKey+key, common+row
		}
		effective := 1 / (1/participation(e.keyed.RawRowView(s), kv.norms) + kv.lean*kv.lean)
		b.draws[s] = drawsOf(common, byKey, effective, own, float64(width))
	}
}

// judgeable returns the variance of an output, +Inf where a score or a value is beyond what a
// kernel's types hold.
func (m softmaxModel) judgeable(worst, reach, variance float64) float64 {
	largest := 2 * m.accumulate.Type().Max()
	if math.IsInf(worst, 1) || math.IsNaN(variance) || reach > largest*largest {
		return math.Inf(1)
	}
	if variance == 0 && reach > 0 {
		return math.SmallestNonzeroFloat64 // a square that underflows is not nothing
	}
	return variance
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

// knownRoundings returns the square of the error that rounding the weights makes in each element of
// the output if nothing disturbs them, for weights divided before the product or after it,
// whichever is larger. It counts the rows in which these roundings share a sign.
func (m softmaxModel) knownRoundings(b *blockTruth, kv keyValues, x *mat.Dense) *mat.Dense {
	rows, _ := b.weights.Dims()
	_, width := kv.v.Dims()
	known := mat.NewDense(rows, width, nil)
	divided, plain := m.weightRoundings(b)
	for _, d := range []*mat.Dense{divided, plain} {
		var e mat.Dense
		e.Mul(d, kv.v)
		known.Apply(func(i, j int, v float64) float64 { return max(v, e.At(i, j)*e.At(i, j)) }, known)
	}
	if b.stored != nil {
		m.stepRoundings(b, kv, x, known)
		b.storedMoves(kv, known)
	}
	b.countAligned(divided, plain)
	return known
}

// storedMoves takes the square of what scores stored in a narrow type move if nothing disturbs
// them, where it is larger. Scores that crowd, as they do under a soft cap, are off together:
//
//	Σ p_j d_j (v_j − o),  d_j = stored score − score
func (b *blockTruth) storedMoves(kv keyValues, known *mat.Dense) {
	var weighted, moved mat.Dense
	weighted.MulElem(b.weights, b.stored)
	moved.Mul(&weighted, kv.v)
	known.Apply(func(s, c int, v float64) float64 {
		e := moved.At(s, c) - total(weighted.RawRowView(s))*b.out.At(s, c)
		return max(v, e*e)
	}, known)
}

// weightRoundings returns RN(p) − p for weights that are divided before they are rounded, and the
// same for those that are divided after.
func (m softmaxModel) weightRoundings(b *blockTruth) (divided, plain *mat.Dense) {
	rows, keys := b.weights.Dims()
	divided, plain = mat.NewDense(rows, keys, nil), mat.NewDense(rows, keys, nil)
	for s := range rows {
		largest := maximum(b.weights.RawRowView(s))
		for j, p := range b.weights.RawRowView(s) {
			if p > 0 && b.rounding.At(s, j) > 0 {
				divided.Set(s, j, m.probabilities.Round(p)-p)
				plain.Set(s, j, m.probabilities.Round(p/largest)*largest-p)
			}
		}
	}
	return divided, plain
}

// countAligned counts the rows whose roundings share a sign: their sum is more than thrice what
// independent ones give, or most weights repeat, or all rows round alike.
func (b *blockTruth) countAligned(divided, plain *mat.Dense) {
	rows, _ := b.weights.Dims()
	for s := range rows {
		seen, _ := countSquares(b.weights.RawRowView(s))
		largest := max(math.Abs(total(divided.RawRowView(s))), math.Abs(total(plain.RawRowView(s))))
		if largest*largest > 9*total(b.rounding.RawRowView(s)) || b.repeats[s] > 4*float64(seen) {
			b.aligned++
		}
	}
	if sameInAllRows(divided) || sameInAllRows(plain) {
		b.aligned = rows
	}
}

// sameInAllRows tells whether rows of roundings agree more than independent ones would: then Σ_j
// (Σ_s d_sj)² is more than thrice Σ d².
func sameInAllRows(d *mat.Dense) bool {
	rows, keys := d.Dims()
	together, apart := 0.0, mat.Norm(d, 2)
	for j := range keys {
		sum := mat.Sum(d.ColView(j))
		together += sum * sum
	}
	return rows > 3 && together > 3*apart*apart
}

// stepRoundings is for scores kept in a narrow type, which leaves few different weights: all keys
// with the same rounded score have the same weight and the same rounding of it, which is not known
// because it hangs on the errors before it.
//
//	Σ_steps ρ² (Σ_{j of the step} p_j v_j)²
func (m softmaxModel) stepRoundings(b *blockTruth, kv keyValues, x, known *mat.Dense) {
	rho := arithmetic.Rho(m.probabilities)
	rows, width := known.Dims()
	for s := range rows {
		sums := map[uint64][]float64{} // by the bits of a step, because a NaN is no key
		for j, p := range b.weights.RawRowView(s) {
			step := math.Float64bits(x.At(s, j) + b.stored.At(s, j))
			if p > 0 && sums[step] == nil {
				sums[step] = make([]float64, width)
			}
			if p > 0 {
				floats.AddScaled(sums[step], rho*p, kv.v.RawRowView(j))
			}
		}
		variance := make([]float64, width)
		for _, step := range slices.Sorted(maps.Keys(sums)) {
			floats.Add(variance, floats.MulTo(sums[step], sums[step], sums[step]))
		}
		for c, v := range variance {
			known.Set(s, c, max(v, known.At(s, c)))
		}
	}
}

// scaleErrors adds what a rounded scale moves, and a fast tanh as far as it errs alike everywhere.
func (m softmaxModel) scaleErrors(b *blockTruth, kv keyValues, x *mat.Dense) {
	m.commonErrors(b, kv, m.scaleError(), func(s, j int) float64 {
		return b.raw.At(s, j) * attention.SoftCapSlope(b.raw.At(s, j), m.softCap)
	})
	if m.softCap != 0 && m.fastTanh {
		m.commonErrors(b, kv, fastTanh, x.At)
	}
}

// commonErrors adds what one constant moves that is off by κ: a score by κ times its lever.
func (m softmaxModel) commonErrors(b *blockTruth, kv keyValues, kappa float64, lever func(s, j int) float64) {
	if kappa == 0 {
		return
	}
	rows, keys := b.weights.Dims()
	weighted := mat.NewDense(rows, keys, nil)
	for s := range rows {
		for j, p := range b.weights.RawRowView(s) {
			if p > 0 {
				weighted.Set(s, j, p*lever(s, j))
			}
		}
	}
	var moved mat.Dense
	moved.Mul(weighted, kv.v)
	for s := range rows {
		mean, mass := total(weighted.RawRowView(s)), total(b.weights.RawRowView(s))
		if mass == 0 {
			continue
		}
		for c, v := range b.outVar.RawRowView(s) {
			e := kappa * (moved.At(s, c) - mean*b.out.At(s, c))
			b.outVar.Set(s, c, v+e*e)
		}
		e := kappa * mean / mass
		b.lseVar[s] += e * e
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
