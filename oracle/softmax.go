package oracle

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/arithmetic"
	"plumbline/attention"
	"plumbline/dtype"
)

// softmaxModel is the error model of softmax attention, shared by attention.forward, attention.backward and mla.decode.
//
// With scores x_j = scale·q·k_j, weights p_j and output o = Σ p_j v_j, the roundings inside a kernel are, to first order and as second moments:
//
//	ε_j   error of score j: the sum over D, the scale, the type of the scores, the exponential     o moves by p_j (v_j − o) ε_j
//	δ_j   rounding of p_j to the declared type before the value product                            o moves by p_j v_j δ_j
//	      the sum Σ p_j v_j over T terms                                                            by itself
//	λ     the sum Σ e^{x_j} that divides the row, and the rescaling of the running maximum          o moves by o λ, all columns alike
//	κ     the scale itself, where scores are narrow and it is rounded to their type                 o moves by κ Σ p_j x_j (v_j − o)
//
//	σ² = Σ p_j² (v_j − o)² ε_j² + Σ p_j² v_j² δ² + Sum(T; o, Σ p_j² v_j²) + o² λ² + κ² (Σ p_j x_j (v_j − o))²
//
// For bf16 inputs the second term is the largest: it is the worked example of the verdict's page, ρ² Σ p_j² v_j². It takes the roundings δ_j for
// independent. Where weights repeat or crowd (small logits), they are not: 1/1000 rounds the same way a thousand times. Their sum is then
// known, Σ (RN(p_j) − p_j) v_j for kernels that divide before the product and the same of e^{x_j − max} for those that divide after, and where one of the
// two is more than twice what independent roundings give, it takes their place.
type softmaxModel struct {
	accumulate    arithmetic.Accumulator
	probabilities dtype.Type
	scores        dtype.Type
	scale         float64
	softCap       float64
}

// Counts of the scalar roundings in working precision that kernels make, each with second moment ρ².
const (
	scoreRoundings    = 3               // the scale as a constant, its product, and the one with log₂e
	argumentRoundings = 2               // subtracting the maximum, and the tile's maximum changing
	expRoundings      = 16              // an exponential good to 2 ulp, as vendors state of their fast ones
	rowRoundings      = 6               // rescaling by running maxima, the reciprocal of the sum, the product with it
	tanhRoundings     = 8               // tanh good to 2 ulp, and the products with the cap and its inverse
	fastTanh          = 1.0 / (1 << 12) // standard deviation of the fast one of kernels with narrow weights: relative error up to 2⁻¹¹ (PTX ISA, tanh.approx.f32)
	logRoundings      = 6               // a logarithm good to 1–2 ulp and its scale
)

// blockTruth is the truth of some query rows of one head, with second moments of the errors.
type blockTruth struct {
	out, outVar *mat.Dense
	lse, lseVar []float64
	draws       []float64 // independent errors behind each row of out

	aligned  int        // rows of out whose roundings of p share a sign
	weights  *mat.Dense // p
	agree    []float64  // how far the errors of a query's scores agree, from 0 to 1
	worst    []float64  // second moment of the error of a query's worst score
	repeats  []float64  // Σ n² over groups of n equal scores
	grouped  []float64  // Σ (Σ p ε)² over groups of equal scores, whose errors are equal too; p without the sink
	logVar   *mat.Dense // second moment of the error of log e^{x}, 0 where p is 0
	rowVar   []float64  // λ²
	rounding *mat.Dense // second moment of rounding p
}

// keyValues holds one head's keys and values with their squares, shared by every block of queries.
type keyValues struct {
	k, v, k2, v2 *mat.Dense
	norms        []float64 // |v_j|²
	lean         float64   // how far all values point one way
	reach        []float64 // per column, the square of the widest span of values: no error of the weights moves an output further
}

// newKeyValues squares the keys and values. Values that are not finite count as 0 in the squares: where they are seen the truth is not finite
// either, and where they are not seen they must not matter.
func newKeyValues(k, v *mat.Dense) keyValues {
	kv := keyValues{k: k, v: finiteOrZero(v), k2: squares(finiteOrZero(k))}
	kv.v2 = squares(kv.v)
	rows, cols := kv.v2.Dims()
	for j := range rows {
		kv.norms = append(kv.norms, total(kv.v2.RawRowView(j)))
	}
	for c := range cols {
		column := mat.Col(nil, c, kv.v)
		span := max(slices.Max(column), 0) - min(slices.Min(column), 0)
		kv.reach = append(kv.reach, span*span)
	}
	kv.lean = leaning(kv.v)
	return kv
}

// leaning is |mean row|² over the mean of |row|²: 1 if all rows are the same, about 0 if they point everywhere.
func leaning(m *mat.Dense) float64 {
	rows, cols := m.Dims()
	var along, all float64
	for c := range cols {
		column := mat.Col(nil, c, m)
		mean := total(column) / float64(rows)
		along += mean * mean
		_, squares := countSquares(column)
		all += squares / float64(rows)
	}
	if all == 0 {
		return 0
	}
	return along / all
}

// block computes the truth and the error of the rows of q. The values v may be non-finite where no query sees them.
func (m softmaxModel) block(q, v *mat.Dense, kv keyValues, o attention.Options) blockTruth {
	o.Scale, o.SoftCap = m.scale, m.softCap
	x := attention.Scores(q, kv.k, o)
	b := blockTruth{}
	b.weights, b.lse = attention.Softmax(x, o.Sink)
	b.out = attention.Values(b.weights, v, o)
	m.logErrors(&b, q, kv, x)
	b.groupScores(x)
	m.outErrors(&b, kv, x, o.Sink != nil)
	m.lseErrors(&b, x)
	m.scaleErrors(&b, kv, x)
	return b
}

// logErrors fills in ε² (scores and exponential) and the second moment of rounding p.
func (m softmaxModel) logErrors(b *blockTruth, q *mat.Dense, kv keyValues, x *mat.Dense) {
	rows, keys := x.Dims()
	_, width := q.Dims()
	b.logVar, b.rounding = mat.NewDense(rows, keys, nil), mat.NewDense(rows, keys, nil)
	b.agree, b.worst = make([]float64, rows), make([]float64, rows)
	var dot2 mat.Dense
	dot2.Mul(squares(finiteOrZero(q)), kv.k2.T())
	raw := x
	if m.softCap != 0 {
		raw = attention.Scores(q, kv.k, attention.Options{Scale: m.scale})
	}
	for s := range rows {
		p, largest := b.weights.RawRowView(s), maximum(x.RawRowView(s))
		for j, pj := range p {
			if pj == 0 {
				continue
			}
			variance := m.scoreVariance(width, raw.At(s, j), dot2.At(s, j), x.At(s, j)) + m.expVariance(x.At(s, j)-largest)
			b.logVar.Set(s, j, exponentiated(variance))
			b.worst[s] = max(b.worst[s], variance)
			b.agree[s] += pj * m.agreement(width, raw.At(s, j)/m.scale, dot2.At(s, j))
			b.rounding.Set(s, j, arithmetic.Rounding(m.probabilities, pj))
		}
	}
}

// exponentiated is the second moment of e^ε − 1 for a normal ε of that variance: the variance itself while it is small, much more where scores of a narrow
// type are off by whole units.
func exponentiated(variance float64) float64 {
	if variance < 1e-3 {
		return variance
	}
	return math.Exp(2*variance) - 2*math.Exp(variance/2) + 1
}

// scoreVariance is the second moment of the error of one score: raw is the score before the soft cap, capped after it.
func (m softmaxModel) scoreVariance(width int, raw, dot2, capped float64) float64 {
	work := m.rho2()
	variance := m.scale*m.scale*m.accumulate.Sum(width, raw/m.scale, dot2) + scoreRoundings*work*raw*raw
	if m.storesScores() {
		variance += 2 * arithmetic.Rounding(m.scores, raw) // as the product leaves the matrix unit, and after the scale
	}
	if m.softCap != 0 {
		slope := attention.SoftCapBackward(capped, m.softCap)
		variance = variance*slope*slope + tanhRoundings*work*capped*capped
		if m.probabilities.UnitRoundoff() > m.accumulate.Working().UnitRoundoff() {
			variance += fastTanh * fastTanh * capped * capped
		}
	}
	return variance
}

// agreement says how far the errors of one query's sums q·k agree for different keys. They do where a term is smaller than the sum's last place,
// because then it is rounded away, or up, by every key alike: about in the ratio of the two. Truncating sums always agree: they pull toward zero.
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
func (m softmaxModel) expVariance(x float64) float64 {
	return m.rho2() * (expRoundings + argumentRoundings*x*x)
}

// storesScores tells whether scores are kept in a narrow type.
func (m softmaxModel) storesScores() bool {
	return m.scores.UnitRoundoff() > m.accumulate.Working().UnitRoundoff()
}

// scaleError is κ, the relative error of the scale rounded to the type of the scores, as PyTorch before 2.0 rounds a number that it multiplies a
// tensor with.
func (m softmaxModel) scaleError() float64 {
	if !m.storesScores() {
		return 0
	}
	return m.scores.Round(m.scale)/m.scale - 1
}

// rho2 is ρ² of the working precision.
func (m softmaxModel) rho2() float64 {
	rho := arithmetic.Rho(m.accumulate.Working())
	return rho * rho
}

// scalarSum is the accumulator of the sum of weights, which no kernel keeps in less than working precision.
func (m softmaxModel) scalarSum() arithmetic.Accumulator {
	if m.accumulate == arithmetic.F64 {
		return arithmetic.F64
	}
	return arithmetic.F32
}

// groupScores finds equal scores, which equal keys have.
func (b *blockTruth) groupScores(x *mat.Dense) {
	b.repeats, b.grouped = make([]float64, len(b.lse)), make([]float64, len(b.lse))
	for s, lse := range b.lse {
		row, order := x.RawRowView(s), make([]int, 0, len(b.weights.RawRowView(s)))
		for j, xj := range row {
			if xj > math.Inf(-1) {
				order = append(order, j)
			}
		}
		slices.SortFunc(order, func(i, j int) int { return cmp.Or(cmp.Compare(row[i], row[j]), i-j) })
		for len(order) > 0 {
			n, together := 0, 0.0
			for ; n < len(order) && row[order[n]] == row[order[0]]; n++ {
				together += math.Exp(row[order[n]]-lse) * math.Sqrt(b.logVar.At(s, order[n]))
			}
			if n > 1 && together > 0 {
				b.repeats[s] += float64(n * n)
			}
			b.grouped[s] += together * together
			order = order[n:]
		}
	}
}

// lseErrors fills in σ² of the log-sum-exp: Σ p² ε² for the scores, the relative error of the sum, and the logarithm's own roundings. Keys with the same
// score, being the same keys, have the same error; and as far as the errors of different keys agree, they add up too.
func (m softmaxModel) lseErrors(b *blockTruth, x *mat.Dense) {
	b.lseVar = make([]float64, len(b.lse))
	for s, lse := range b.lse {
		if math.IsInf(lse, -1) || math.IsNaN(lse) {
			continue
		}
		row, largest := x.RawRowView(s), maximum(x.RawRowView(s))
		var together, mass2 float64
		seen := 0
		for j, xj := range row {
			if p := math.Exp(xj - lse); p > 0 {
				together += p * math.Sqrt(b.logVar.At(s, j))
				mass2 += p * p
				seen++
			}
		}
		fromScores := b.grouped[s] + b.agree[s]*together*together
		if largestError := b.worst[s] * (1 + 2*math.Log(float64(seen))); !(fromScores < largestError) {
			fromScores = largestError // a log-sum-exp moves no further than the score that moves most
		}
		sum := m.scalarSum().Sum(seen, 1, mass2) + m.scalarSum().Repeated(1, b.repeats[s])
		logarithm := lse - largest
		b.lseVar[s] = fromScores + sum + m.rho2()*(2*largest*largest+2*lse*lse+logRoundings*logarithm*logarithm+1)
	}
}

func maximum(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func total(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum
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
