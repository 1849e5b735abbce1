package op

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// softmaxModel is the arithmetic of softmax attention, shared by attention.forward, mla.decode,
// attention.backward and mla.layer. Runs (attentionRun) say what it explains of outputs. For what the
// backward pass makes of scores x_j = scale·q·k_j and weights p_j, second moments are derived here, to
// first order:
//
//	ε_j   error of score j: the sum over D, the scale, the type of the scores, the exponential
//	δ_j   rounding of p_j to the declared type before the value product
//	λ     the sum Σ e^{x_j} that divides the row, and the rescaling of the running maximum
//	κ     the scale itself, where scores are narrow and it is rounded to their type
//
// The roundings δ_j are taken for independent. Where weights repeat or crowd (small logits), they are
// not: then what kernels that divide before the product make of them, RN(p_j) − p_j, is known, see
// weightRoundings.
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
	argumentRoundings = 2 // subtracting the maximum, and the tile's maximum changing
	// an exponential good to 2 ulp, 2⁻²² relative: what is stated of exp2f by ex2.approx too (PTX
	// ISA)
	expRoundings  = 16
	rowRoundings  = 6 // rescaling by running maxima, the reciprocal of the sum, the product with it
	tanhRoundings = 8 // tanh good to 2 ulp, and the products with the cap and its inverse
	logRoundings  = 6 // a logarithm good to 1–2 ulp and its scale

	// of a fast exponential (`exp: approx`), up to (2 + 1.17|x|) ulp (CUDA, __expf): x·log₂e is
	// rounded to float32, and so is log₂e
	fastExpRoundings      = 32
	fastArgumentRoundings = 6
)

// blockTruth is the truth of some query rows of one head, with second moments of the errors.
type blockTruth struct {
	out         *mat.Dense
	lse, lseVar []float64

	weights  *mat.Dense // p
	agree    []float64  // how far the errors of a query's scores agree, from 0 to 1
	worst    []float64  // second moment of the error of a query's worst score
	repeats  []float64  // Σ n² over groups of n equal scores
	grouped  []float64  // Σ (Σ p ε)² over groups of equal scores, whose errors are equal too; p without the sink
	logVar   *mat.Dense // second moment of the error of log e^{x}, 0 where a key is not seen
	moved    *mat.Dense // second moment of the error of p, from that of log e^{x}
	total    []float64  // the logarithm of what divides a row, sink included
	rowVar   []float64  // λ²
	rounding *mat.Dense // second moment of rounding p
	raw      *mat.Dense // scores before the cap
	capVar   *mat.Dense // second moment of the error of a capped score; nil without a cap
	stored   *mat.Dense // how far the score moves that a kernel stores in a narrow type; nil where none is
}

// keyValues holds one head's keys and values with their squares, shared by every block of queries.
type keyValues struct {
	k, v, k2, v2 *mat.Dense
}

// newKeyValues squares the keys and values. Values that are not finite count as 0 in the squares:
// where they are seen the truth is not finite either, and where they are not seen they must not
// matter.
func newKeyValues(k, v *mat.Dense) keyValues {
	kv := keyValues{k: k, v: finiteOrZero(v), k2: squares(finiteOrZero(k))}
	kv.v2 = squares(kv.v)
	return kv
}

// leaning is |mean row|² over the mean of |row|²: 1 if all rows are the same, about 0 if they point
// everywhere.
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
	if lean := along / all; dtype.Finite(lean) {
		return lean
	}
	return 1 // squares beyond float64
}

// block computes the truth and the error of the rows of q. The values v may be non-finite where no
// query sees them.
func (m softmaxModel) block(q, v *mat.Dense, kv keyValues, o attention.Options) blockTruth {
	o.Scale, o.SoftCap = m.scale, m.softCap
	x := attention.Scores(q, kv.k, o)
	b := blockTruth{}
	b.weights, b.lse = attention.Softmax(x, o.Sink)
	b.out = attention.Values(b.weights, v, o)
	m.logErrors(&b, q, kv, x, o.Sink)
	b.groupScores(x)
	m.rowErrors(&b, o.Sink != nil)
	m.lseErrors(&b, x)
	m.scaleErrors(&b, x)
	return b
}

// logErrors fills in ε² (scores and exponential), what it moves weights by, and the second moment
// of rounding p.
func (m softmaxModel) logErrors(b *blockTruth, q *mat.Dense, kv keyValues, x *mat.Dense, sink *float64) {
	rows, keys := x.Dims()
	b.logVar, b.moved = mat.NewDense(rows, keys, nil), mat.NewDense(rows, keys, nil)
	b.rounding = mat.NewDense(rows, keys, nil)
	b.agree, b.worst, b.total = make([]float64, rows), make([]float64, rows), make([]float64, rows)
	products := m.products(q, kv, x)
	b.raw = products.raw
	if m.narrow(m.scores) || m.softCap != 0 && m.narrow(m.capChain) {
		b.stored = mat.NewDense(rows, keys, nil)
	}
	if m.softCap != 0 {
		b.capVar = mat.NewDense(rows, keys, nil)
	}
	for s := range rows {
		b.total[s] = withSink(b.lse[s], sink)
		exact := sink == nil && seenKeys(x.RawRowView(s)) == 1 // e⁰
		for j, xj := range x.RawRowView(s) {
			if math.IsInf(xj, -1) {
				continue
			}
			variance := m.storedScore(b, products, s, j, xj)
			if m.softCap != 0 {
				b.capVar.Set(s, j, variance)
			}
			if !exact {
				variance += m.expVariance(xj - products.largest[s])
			}
			b.logVar.Set(s, j, variance)
			b.weighKey(m, products, s, j, xj)
		}
	}
}

// weighKey fills in what the error of a key's score moves, and what goes with its weight.
func (b *blockTruth) weighKey(m softmaxModel, products scoreProducts, s, j int, x float64) {
	p, variance := b.weights.At(s, j), b.logVar.At(s, j)
	moved := weightMoved(b.total[s]-x, variance)
	b.moved.Set(s, j, moved)
	if math.IsInf(variance, 1) || moved > 0 || p > 0 {
		b.worst[s] = max(b.worst[s], variance)
	}
	if p > 0 {
		b.agree[s] += p * m.agreement(products.width, products.raw.At(s, j)/m.scale, products.squares.At(s, j))
		b.rounding.Set(s, j, m.weightRounding(p))
	}
}

// weightRounding is the second moment of rounding p, of a type's smallest numbers no more than all
// of p.
func (m softmaxModel) weightRounding(p float64) float64 {
	return min(arithmetic.Rounding(m.probabilities, p), p*p)
}

// scoreProducts are the products behind the scores of a block, [rows × keys].
type scoreProducts struct {
	raw, squares *mat.Dense // scale·q·k, and Σ q² k²
	largest      []float64  // score of each row
	width        int        // of q and k
}

func (m softmaxModel) products(q *mat.Dense, kv keyValues, x *mat.Dense) scoreProducts {
	rows, width := q.Dims()
	p := scoreProducts{raw: x, squares: new(mat.Dense), largest: make([]float64, rows), width: width}
	p.squares.Mul(squares(finiteOrZero(q)), kv.k2.T())
	if m.softCap != 0 {
		p.raw = attention.Scores(q, kv.k, attention.Options{Scale: m.scale})
	}
	for s := range rows {
		p.largest[s] = maximum(x.RawRowView(s))
	}
	return p
}

// storedScore returns the second moment of the error of a score, +Inf where it is beyond what the
// kernel's types hold: then there is no saying what a kernel makes of it. Where scores are stored
// in a narrow type it notes how far this one moves.
func (m softmaxModel) storedScore(b *blockTruth, products scoreProducts, s, j int, x float64) float64 {
	raw := products.raw.At(s, j)
	beyond := max(math.Abs(raw), math.Abs(raw/m.scale)) > m.largestScore()
	if b.stored != nil {
		d := m.keepScore(raw) - x
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		if beyond = beyond || math.IsInf(d, 0); !beyond {
			b.stored.Set(s, j, d)
		}
	}
	if beyond && raw < 0 && b.weights.At(s, j) == 0 && m.softCap == 0 {
		return 0 // −∞, which has no weight either
	}
	variance := m.scoreVariance(products.width, raw, products.squares.At(s, j), x)
	if beyond || math.IsNaN(variance) {
		return math.Inf(1)
	}
	return variance
}

// largestScore is the largest number of the types that a score is formed in.
func (m softmaxModel) largestScore() float64 {
	largest := min(m.accumulate.Type().Max(), m.accumulate.Working().Max())
	if m.storesScores() {
		largest = min(largest, m.scores.Max())
	}
	return largest
}

// weightMoved is the second moment of what a normal error of that variance in a score moves a
// weight e^(−gap), which is no more than 1: with ε the error
//
//	E[(e^(ε − gap) − e^(−gap))²],  and no more than e^(−gap²/2V), the chance that ε closes the gap
func weightMoved(gap, variance float64) float64 { return movedByScore(gap, variance, 1) }

// sumMoved is the same for the logarithm of a sum of weights, which an error that closes the gap
// moves by what is left of it.
func sumMoved(gap, variance float64) float64 { return movedByScore(gap, variance, max(1, variance)) }

func movedByScore(gap, variance, most float64) float64 {
	if variance == 0 {
		return 0
	}
	if math.IsInf(variance, 1) {
		return most
	}
	if variance < 1e-3 {
		return min(1, math.Exp(-2*gap)*variance)
	}
	moved := math.Exp(2*variance - 2*gap)
	if variance < 50 {
		moved += math.Exp(-2*gap) - 2*math.Exp(variance/2-2*gap)
	}
	if gap < 2*variance {
		moved = min(moved, most*math.Exp(-gap*(gap/(2*variance))))
	}
	return min(most, moved)
}

// withSink is the logarithm of what divides a row.
func withSink(lse float64, sink *float64) float64 {
	if sink == nil || math.IsInf(*sink, -1) {
		return lse
	}
	high, low := max(lse, *sink), min(lse, *sink)
	return high + math.Log1p(math.Exp(low-high))
}

// seenKeys counts the scores of keys that a query sees.
func seenKeys(x []float64) (n int) {
	for _, v := range x {
		if !math.IsInf(v, -1) {
			n++
		}
	}
	return n
}

// scoreVariance is the second moment of the error of one score: raw is the score before the soft
// cap, capped after it.
func (m softmaxModel) scoreVariance(width int, raw, dot2, capped float64) float64 {
	variance := m.scale*m.scale*m.sum(m.q, m.k, width, raw/m.scale, dot2) + scoreRoundings*m.rho2()*raw*raw
	if m.storesScores() {
		variance += 2 * arithmetic.Rounding(m.scores, raw) // as the product leaves the matrix unit, and after the scale
	}
	if m.softCap != 0 {
		variance = m.cappedVariance(variance, raw, capped)
	}
	return variance
}

// sum is the second moment of the error of a sum of products of operands of two types.
func (m softmaxModel) sum(x, y dtype.Type, n int, sum, squares float64) float64 {
	added, apart, together := m.sumParts(x, y, n, sum, squares)
	return added + apart + together
}

// sumParts returns its parts: of the additions, and of operands that are cut, which err apart and
// together.
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

// movedAlone is the standard deviation of what a score's error moves the logarithm of the sum of
// exponentials, sink apart.
func (b *blockTruth) movedAlone(s, j int, x float64) float64 {
	variance := b.logVar.At(s, j)
	if b.total[s] == b.lse[s] && variance < 1e-3 {
		return math.Sqrt(b.moved.At(s, j))
	}
	return math.Sqrt(sumMoved(b.lse[s]-x, variance))
}

// groupScores finds equal scores, which equal keys have.
func (b *blockTruth) groupScores(x *mat.Dense) {
	b.repeats, b.grouped = make([]float64, len(b.lse)), make([]float64, len(b.lse))
	for s := range b.lse {
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
				together += b.movedAlone(s, order[n], row[order[n]])
			}
			if n > 1 && together > 0 {
				b.repeats[s] += float64(n * n)
			}
			b.grouped[s] += together * together
			order = order[n:]
		}
	}
}

// lseErrors fills in σ² of the log-sum-exp: Σ p² ε² for the scores, the relative error of the sum,
// and the logarithm's own roundings. Keys with the same score, being the same keys, have the same
// error; and as far as the errors of different keys agree, they add up too, as they do where narrow
// scores crowd. The log-sum-exp of one key is its score.
func (m softmaxModel) lseErrors(b *blockTruth, x *mat.Dense) {
	b.lseVar = make([]float64, len(b.lse))
	for s, lse := range b.lse {
		if math.IsInf(lse, -1) || math.IsNaN(lse) {
			continue
		}
		row, largest := x.RawRowView(s), maximum(x.RawRowView(s))
		var together, mass2, stored float64
		seen := 0
		for j, xj := range row {
			moved := b.movedAlone(s, j, xj)
			together += moved
			if p := math.Exp(xj - lse); p > 0 || moved > 0 {
				mass2 += p * p
				seen++
				stored += p * b.storedAt(s, j)
			}
		}
		fromScores := max(b.grouped[s]+b.agree[s]*together*together, stored*stored)
		if largestError := b.worst[s] * (1 + 2*math.Log(float64(seen))); !(fromScores < largestError) {
			fromScores = largestError // a log-sum-exp moves no further than the score that moves most
		}
		b.lseVar[s] = fromScores + m.logarithmError(b, s, seen, mass2, largest)
	}
}

// logarithmError is the second moment of the error of largest + log Σ e^{x − largest} with exact
// scores. The sum of one key is 1.
func (m softmaxModel) logarithmError(b *blockTruth, s, seen int, mass2, largest float64) float64 {
	lse := b.lse[s]
	scale := 2*largest*largest + 2*lse*lse
	if seen == 1 {
		return m.rho2() * scale
	}
	sum := m.scalarSum().Sum(seen, 1, mass2) + m.scalarSum().Repeated(1, b.repeats[s])
	logarithm := lse - largest
	return sum + m.rho2()*(scale+logRoundings*logarithm*logarithm+1)
}

// storedAt is how far the stored score of a key is off.
func (b *blockTruth) storedAt(s, j int) float64 {
	if b.stored == nil {
		return 0
	}
	return b.stored.At(s, j)
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
