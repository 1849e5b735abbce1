package attention

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/loops"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op/step"
)

// Rows are queries that see one head's keys and values, with what all runs share.
type Rows struct {
	Q *mat.Dense
	*Keys
	Range     func(row int) (from, to int) // the keys that a row sees
	Grows     bool                         // a later row sees more keys
	sink      *float64
	Dots      *mat.Dense // q·k; nil: Prepare forms it
	DotErrors Deviations // of these sums
	p         *mat.Dense // weights
	exact     *mat.Dense // outputs without any rounding
	exactLSE  []float64  // and their log-sum-exps
	Errors    Moments    // of the weighted sums of values
}

// Moments are the second moments of the errors of sums: their own, and what all err by
// together.
type Moments struct {
	Apart, Together *mat.Dense
	pieces          []piece // in which sums over keys grow, if some see more keys than others
}

// addTo adds them to other second moments.
func (e Moments) addTo(sum *mat.Dense) {
	sum.Add(sum, e.Apart)
	sum.Add(sum, e.Together)
}

// Deviations are the roots of second moments.
type Deviations struct{ Apart, Together *mat.Dense }

// deviations turns second moments into their roots.
func (e Moments) deviations() Deviations {
	for _, x := range []*mat.Dense{e.Apart, e.Together} {
		rows, _ := x.Dims()
		for i := range rows {
			row := x.RawRowView(i)
			for j, v := range row {
				row[j] = math.Sqrt(v)
			}
		}
	}
	return Deviations{e.Apart, e.Together}
}

// SumErrors returns those of sums of so many products, whose squares add up to squares.
func (m Model) SumErrors(x, y dtype.Type, n int, sums, squares *mat.Dense) Moments {
	e := Moments{Apart: mat.DenseCopyOf(sums), Together: mat.DenseCopyOf(sums)}
	rows, cols := sums.Dims()
	products := m.accumulate.Products(x, y, n)
	for i := range rows {
		apart, together, squares := e.Apart.RawRowView(i), e.Together.RawRowView(i), squares.RawRowView(i)
		for j, sum := range sums.RawRowView(i)[:cols] {
			apart[j], together[j] = products.Error(sum, squares[j])
		}
	}
	return e
}

// Prepare computes what all runs share.
func (h *Rows) Prepare(m Model) *Rows {
	if h.Dots == nil {
		h.Dots = attention.Products(h.Q, h.K)
	}
	dots2 := step.TimesSquares(step.Squares(step.FiniteOrZero(h.Q)), h.finiteK().T())
	_, width := h.Q.Dims()
	h.DotErrors = m.SumErrors(m.Q, m.K, width, h.Dots, dots2).deviations()
	exact := m.NewRun(arithmetic.NewExact())
	divisors, lse, p := exact.allWeights(h, exact.Exponentials(h))
	h.p, h.exactLSE = scaledRows(p, divisors), lse
	h.Errors.pieces = h.newPieces()
	sums := h.sums(p)
	h.exact = scaledRows(sums[len(sums)-1], divisors)
	_, keys := p.Dims()
	pieces := h.Errors.pieces
	h.Errors = m.SumErrors(m.probabilities, m.V, keys, h.exact, allSquares(pieces))
	h.Errors.pieces = pieces
	return h
}

// scaledRows returns rows over their divisors.
func scaledRows(x *mat.Dense, divisors []float64) *mat.Dense {
	scaled := mat.DenseCopyOf(x)
	for s, d := range divisors {
		floats.Scale(1/d, scaled.RawRowView(s))
	}
	return scaled
}

// alongScale returns what the outputs move by if the scale of the scores is twice as large, to
// first order: Σ p (m − Σ p m) v, a score moving by m.
func (h *Rows) alongScale(m Model) *mat.Dense {
	var moved, along mat.Dense
	moved.Apply(func(s, j int, p float64) float64 {
		if p == 0 {
			return 0
		}
		raw := m.Scale * h.Dots.At(s, j)
		return p * raw * attention.SoftCapSlope(raw, m.softCap)
	}, h.p)
	rows, _ := moved.Dims()
	for s := range rows {
		floats.AddScaled(moved.RawRowView(s), -floats.Sum(moved.RawRowView(s)), h.p.RawRowView(s))
	}
	along.Mul(&moved, h.finiteV())
	return &along
}

// Run has the places of attention as kernels compute it: scores and weights are rounded to
// their types; weights are divided by their sum before they meet the values, or after; the sums of
// products err as the accumulator's do.
type Run struct {
	*arithmetic.Run
	m                                   Model
	scale                               float64
	dot, sum                            arithmetic.Noise
	product, scaled, stored             arithmetic.Grid
	divided, bent, multiplied, capped   arithmetic.Grid
	tanh                                arithmetic.Function
	shifted                             arithmetic.Grid
	exp                                 arithmetic.Function
	total, chain                        arithmetic.Adder
	weight, inverse, output, lse, added arithmetic.Grid
	log                                 arithmetic.Function
	dividesFirst, sumsRounded           bool
	flushes, fused                      bool
	largest                             arithmetic.Grid
}

// NewRun returns the places.
func (m Model) NewRun(r *arithmetic.Run) *Run {
	work := m.accumulate.Working()
	a := &Run{
		Run: r, m: m, dot: r.Noise(m.accumulate.Truncates()), sum: r.Noise(m.accumulate.Truncates()),
		product: m.NarrowGrid(r, m.Scores), scaled: r.Grid(work), stored: m.NarrowGrid(r, m.Scores),
		divided: m.NarrowGrid(r, m.capChain), bent: m.NarrowGrid(r, m.capChain),
		multiplied: m.NarrowGrid(r, m.capChain), capped: m.NarrowGrid(r, m.Scores),
		tanh: r.Function(work, 2), shifted: r.Grid(work), exp: r.Function(work, 2),
		total:  r.Adder(m.accumulate.Scalar()),
		chain:  r.Adder(m.accumulate),
		weight: r.Grid(m.probabilities), inverse: r.Grid(work), output: r.Grid(work), lse: r.Grid(work),
		added: r.Grid(work), log: r.Function(work, 2), flushes: r.Coin(), fused: r.Coin(),
		largest: r.Grid(work),
	}
	a.divides(r)
	if m.fastTanh {
		a.tanh = r.Function(work, fastTanhUlp)
	}
	if m.fastExp {
		a.exp = r.Function(work, 4)
	}
	constant := r.Grid(work)
	if a.scale = constant.Round(m.Scale); m.storesScores() && r.Coin() {
		a.scale = m.Scores.Round(m.Scale) // a constant in the type of the scores
	}
	return a
}

// divides decides when weights are divided by their sum, and which. The factor that their roundings
// make of a row differs tenfold between these forms: it is nothing where the sum is that of rounded
// weights.
func (a *Run) divides(r *arithmetic.Run) {
	if !a.m.narrow(a.m.probabilities) {
		a.dividesFirst = r.Coin()
		return
	}
	if a.m.Mixed {
		a.dividesFirst, a.sumsRounded = r.Coin(), r.Coin()
		return
	}
	form := r.Form(3)
	a.dividesFirst, a.sumsRounded = form == 1, form == 2
}

// fastTanhUlp is what tanh.approx.f32 errs by: up to 2⁻¹¹, relative (PTX ISA).
const fastTanhUlp = 1 << 12

// NarrowGrid returns the grid of a place where values are stored, if that is narrower than they
// are.
func (m Model) NarrowGrid(r *arithmetic.Run, t dtype.Type) arithmetic.Grid {
	if g := r.Grid(t); m.narrow(t) {
		return g
	}
	return arithmetic.Grid{}
}

// scores fills in the scores of row s as they meet the exponentials, −∞ where a key is not seen.
func (a *Run) scores(h *Rows, s int, x []float64) {
	from, to := h.Range(s)
	seen := x[from:to]
	a.sumsOf(&a.dot, h.Q, h.K, s, from, h.Dots, h.DotErrors, seen)
	a.product.RoundAll(seen)
	floats.Scale(a.scale, seen)
	a.stored.RoundAll(a.scaled.RoundAll(seen))
	if a.m.softCap != 0 {
		a.capAll(seen)
	}
	for _, hidden := range [][]float64{x[:from], x[to:]} {
		for j := range hidden {
			hidden[j] = math.Inf(-1)
		}
	}
}

// sees tells whether row s sees a key.
func (h *Rows) sees(s, key int) bool {
	from, to := h.Range(s)
	return from <= key && key < to
}

// capAll bends scores by the soft cap.
func (a *Run) capAll(x []float64) {
	for j, v := range x {
		u := a.divided.Round(v / a.m.softCap)
		t := a.bent.Round(a.tanh.Of(math.Tanh(u), u))
		x[j] = a.capped.Round(a.multiplied.Round(t * a.m.softCap))
	}
}

// sumsOf fills in x_s·y_j for the keys from one on, with the errors of these sums. In 16 bits those
// are added up: few places make the roundings of all keys alike in ways that no moment tells.
func (a *Run) sumsOf(
	noise *arithmetic.Noise, x, y *mat.Dense, s, from int, dots *mat.Dense, e Deviations, to []float64,
) {
	sums := dots.RawRowView(s)[from:][:len(to)]
	if a.m.accumulate.Type().UnitRoundoff() <= dtype.F32.UnitRoundoff() || a.Exact() {
		noise.AddTo(to, sums, e.Apart.RawRowView(s)[from:], e.Together.RawRowView(s)[from:])
		return
	}
	row := x.RawRowView(s)
	terms := make([]float64, len(row))
	for j := range to {
		to[j] = a.chain.Sum(floats.MulTo(terms, row, y.RawRowView(from+j)))
	}
}

// Exponentials are e^(x − largest) of each row's scores, which the forms of a run share.
type Exponentials struct {
	x             *mat.Dense
	largest, sums []float64
}

// Exponentials returns those of a head.
func (a *Run) Exponentials(h *Rows) *Exponentials {
	rows, keys := h.Dots.Dims()
	return a.exponentials(h, mat.NewDense(rows, keys, nil))
}

// exponentials is Exponentials with room for them.
func (a *Run) exponentials(h *Rows, x *mat.Dense) *Exponentials {
	rows, _ := x.Dims()
	e := &Exponentials{x: x, largest: make([]float64, rows)}
	for s := range rows {
		row := e.x.RawRowView(s)
		a.scores(h, s, row)
		if e.largest[s] = loops.Largest(row); math.IsInf(e.largest[s], -1) {
			clear(row) // it sees no key
			continue
		}
		a.powersOf(row, e.largest[s])
	}
	e.sums = a.total.SumAll(nil, rowsOf(e.x)...)
	return e
}

// rowsOf returns the rows of a matrix.
func rowsOf(x *mat.Dense) [][]float64 {
	rows := make([][]float64, x.RawMatrix().Rows)
	for i := range rows {
		rows[i] = x.RawRowView(i)
	}
	return rows
}

// weights turns exponentials into weights as they meet the values, and returns what the sum is
// divided by after, and the log-sum-exp.
func (a *Run) weights(x []float64, largest, sum float64, sink *float64) (divisor, lse float64) {
	if math.IsInf(largest, -1) {
		return 1, largest
	}
	lse = a.added.Round(largest + a.log.Log(sum))
	weight := a.weight
	if a.fused { // the largest is e^0 but for the rounding of its argument
		weight = weight.After(math.Abs(largest * math.Log2E))
	}
	if !a.dividesFirst || a.sumsRounded {
		weight.RoundAll(x)
	}
	if a.sumsRounded {
		sum = a.total.Sum(x)
	}
	divisor = a.divisor(largest, sum, sink)
	if a.dividesFirst {
		step.Divide(x, divisor)
		weight.RoundAll(x)
		divisor = 1
	}
	return divisor, lse
}

// divisor returns what weights are divided by, with the sink.
func (a *Run) divisor(largest, sum float64, sink *float64) float64 {
	if sink != nil {
		sum = a.lse.Round(sum + a.exp.Exp(*sink-largest))
	}
	return sum
}

// powersOf turns scores into e^(x − largest): of the difference, or in base 2 of x log₂e less the
// largest one, as kernels with a fused multiplication and addition have it. What rounding that one
// makes all weights of a row err by cancels with their sum, but for what the type of the weights
// does not hold.
func (a *Run) powersOf(x []float64, largest float64) {
	if !a.fused {
		floats.AddConst(-largest, x)
		a.exp.ExpAll(a.shifted.RoundAll(x))
		return
	}
	top := a.largest.Round(largest * math.Log2E)
	for j, v := range x {
		x[j] = float64(v*math.Log2E) - top
	}
	a.shifted.RoundAll(x)
	floats.Scale(math.Ln2, x)
	a.exp.ExpAll(x)
}

// Outputs returns outputs and log-sum-exps before their last rounding.
func (a *Run) Outputs(h *Rows, e *Exponentials) (*mat.Dense, []float64) {
	divisors, lse, p := a.allWeights(h, e)
	return a.outputs(h, h.sums(p), divisors), lse
}

// outputs returns outputs before their last rounding, of what weighted values come to.
func (a *Run) outputs(h *Rows, sums []*mat.Dense, divisors []float64) *mat.Dense {
	o := mat.DenseCopyOf(sums[len(sums)-1])
	rows, _ := o.Dims()
	for s := range rows {
		row, inverse := o.RawRowView(s), a.inverse.Round(1/divisors[s])
		a.addErrors(row, sums, h.Errors, s, divisors[s]*divisors[s])
		for c, v := range row {
			row[c] = a.output.Round(v * inverse)
		}
	}
	return o
}

// allWeights returns the weights of all rows, what their sums are divided by, and log-sum-exps.
func (a *Run) allWeights(h *Rows, e *Exponentials) (divisors, lse []float64, p *mat.Dense) {
	p = mat.DenseCopyOf(e.x)
	divisors, lse = a.weigh(h, e, p)
	return divisors, lse, p
}

// weigh turns p, exponentials of all rows, into weights.
func (a *Run) weigh(h *Rows, e *Exponentials, p *mat.Dense) (divisors, lse []float64) {
	divisors, lse = make([]float64, len(e.sums)), make([]float64, len(e.sums))
	for s, sum := range e.sums {
		divisors[s], lse[s] = a.weights(p.RawRowView(s), e.largest[s], sum, h.sink)
	}
	return divisors, lse
}

// divide is weigh for weights that another form of the run has rounded, and that are divided after.
func (a *Run) divide(h *Rows, e *Exponentials, rounded *mat.Dense) (divisors []float64) {
	sums := e.sums
	if a.sumsRounded {
		sums = a.total.SumAll(nil, rowsOf(rounded)...)
	}
	divisors = make([]float64, len(sums))
	for s, sum := range sums {
		if divisors[s] = 1; !math.IsInf(e.largest[s], -1) {
			divisors[s] = a.divisor(e.largest[s], sum, h.sink)
		}
	}
	return divisors
}
