package objective

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op/step"
)

// headRun is a head and its loss as kernels compute them: logits and their gradients of a stored
// type. What is between them keeps working precision in fused kernels, and is rounded to the stored
// type in eager frameworks.
type headRun struct {
	h                   *head
	soft                *step.Softmax
	products, down, out arithmetic.Noise // of logits, of dhidden and of dweight
	logit, slope        arithmetic.Grid  // what is stored
	each, total         arithmetic.Grid  // of the loss
	sum                 arithmetic.Adder
	lossLast, tokenLast arithmetic.Grid
	unit                float64 // the divisor's inverse
	divideFirst         bool
	parts               headParts

	losses, tokens, dhidden []float64  // losses as they are kept, and as they are recorded
	dz                      *mat.Dense // gradients of the logits of some rows
}

// forms returns how many forms of a kernel the declaration leaves open.
func (h *head) forms() int {
	n := 1
	if h.narrowStored() {
		n *= 2
	}
	if h.narrowParts() {
		n *= len(partCounts)
	}
	return n
}

// narrowStored tells whether what is stored has less than working precision.
func (h *head) narrowStored() bool { return h.c.Arithmetic.Accumulate.Narrow(h.stored) }

// in returns the places of a run.
func (h *head) in(r *arithmetic.Run) *headRun {
	c, count, cuts := *h.c, 1, h.c.Arithmetic.Accumulate.Truncates()
	c.Arithmetic.Intermediate = h.stored
	if h.narrowStored() && r.Form(2) == 0 {
		c.Arithmetic.Intermediate = dtype.Invalid // a fused kernel
	}
	if h.narrowParts() {
		count = partCounts[r.Form(len(partCounts))]
	}
	e := newEager(&c, r)
	k := &headRun{
		h: h, soft: h.softmax(e), products: r.Noise(cuts), down: r.Noise(cuts), out: r.Noise(cuts),
		logit: r.Grid(h.stored), slope: r.Grid(h.stored), each: e.Place(), total: e.Place(),
		sum: r.Adder(c.Arithmetic.Accumulate.Scalar()), lossLast: e.Last("loss"), tokenLast: e.Last("token_loss"),
		unit: e.Constant(1 / h.divisor), divideFirst: e.Coin(), parts: h.newParts(r, count),
		losses: make([]float64, len(h.rows)), tokens: make([]float64, h.c.Dim("N")),
	}
	if !h.narrowStored() {
		k.logit = arithmetic.Grid{} // the last rounding of a sum
	}
	if h.c.Wants("dhidden") {
		k.dhidden = make([]float64, h.c.Dim("N")*h.c.Dim("d"))
	}
	return k
}

// softmax returns the places of a softmax. That of an eager framework is one operation, of which
// nothing but the result is rounded.
func (h *head) softmax(e eager) *step.Softmax {
	soft := e.NewSoftmax(h.temperature)
	if e.Case.Arithmetic.Intermediate != dtype.Invalid && h.narrowStored() {
		soft.Stable()
	}
	return soft
}

// mostStored is how many logits and gradients of all runs may be in memory: 2 GiB.
const mostStored = 1 << 28

// run computes all runs together, and the truth: logits of some rows at a time, so that neither
// they nor the head stand in memory whole.
func (h *head) run(runs []*arithmetic.Run) []map[string][]float64 {
	all := make([]*headRun, len(runs))
	for i, r := range runs {
		all[i] = h.in(r)
	}
	atOnce := max(1, mostStored/(h.weight.Rows*(len(runs)+8)))
	for from := 0; from < len(h.rows); from += atOnce {
		h.some(all, from, min(from+atOnce, len(h.rows)))
	}
	outputs := make([]map[string][]float64, len(all))
	known := h.dweightKnown()
	parallel.Each(len(all), func(i int) {
		outputs[i] = map[string][]float64{
			"loss": {all[i].loss()}, "token_loss": all[i].tokens, "dhidden": all[i].dhidden,
			"dweight": all[i].dweight(known),
		}
	})
	return outputs
}

// some computes rows from … to−1 of those that count.
func (h *head) some(all []*headRun, from, to int) {
	logits, _ := h.operands.Multiply(step.RowsBetween(h.hidden, from, to), h.weight)
	truth := mat.NewDense(to-from, h.weight.Rows, nil)
	for i := from; i < to; i++ {
		truth.SetRow(i-from, h.addTruth(i, logits.Y.RawRowView(i-from)))
	}
	parallel.Each(len(all), func(n int) {
		k := all[n]
		k.dz = mat.NewDense(to-from, h.weight.Rows, nil)
		for i := from; i < to; i++ {
			k.row(i, logits.Row(&k.products, i-from), k.dz.RawRowView(i-from))
		}
		if h.c.Wants("dweight") {
			k.parts.add(k.dz, from)
		}
	})
	if h.c.Wants("dweight") {
		h.addDweight(truth, from)
	}
	if h.c.Wants("dhidden") {
		h.addDhidden(all, truth, from)
	}
}

// row computes row i of those that count from its logits, and stores their gradient.
func (k *headRun) row(i int, z, dz []float64) {
	d, target := k.soft.Of(k.logit.RoundAll(z)), k.h.targets[i]
	logp := k.soft.LogProb(d, target)
	k.losses[i] = -k.soft.Kept(logp)
	k.tokens[k.h.rows[i]] = k.tokenLast.Round(-logp)
	if !k.h.gradients() || d.Excludes(target) {
		return
	}
	for j := range dz {
		dz[j] = k.slope.Round(k.soft.Slope(d, j, target, -k.unit))
	}
}

// loss puts the losses of rows together.
func (k *headRun) loss() float64 {
	if !k.divideFirst {
		return k.lossLast.Round(k.total.Round(k.sum.Sum(k.losses)) / k.h.divisor)
	}
	terms := make([]float64, len(k.losses))
	for i, l := range k.losses {
		terms[i] = k.each.Round(l * k.unit)
	}
	return k.lossLast.Round(k.sum.Sum(terms))
}

// addDhidden multiplies gradients of logits with the head, those of all runs together.
func (h *head) addDhidden(all []*headRun, truth *mat.Dense, from int) {
	n, vocab := truth.Dims()
	rows := mat.NewDense(n*len(all), vocab, nil)
	for r, k := range all {
		rows.Slice(r*n, (r+1)*n, 0, vocab).(*mat.Dense).Copy(k.dz)
		k.dz = nil
	}
	operands := step.Operands{Accumulate: h.operands.Accumulate, X: h.stored, W: h.operands.W}
	p, others := operands.Contract(truth, h.weight, rows)
	for i := range n {
		at := h.rows[from+i] * h.weight.Columns
		copy(h.dhidden[at:], p.Y.RawRowView(i))
		for r, k := range all {
			copy(k.dhidden[at:], p.Err(&k.down, i, others.RawRowView(r*n+i), 1))
		}
	}
}

// addDweight adds what rows from first on are for the gradient of the head, and the squares of its
// terms.
func (h *head) addDweight(dz *mat.Dense, first int) {
	n, _ := dz.Dims()
	rows := step.RowsBetween(h.hidden, first, first+n)
	step.AddProducts(mat.NewDense(h.weight.Rows, h.weight.Columns, h.dweight), h.squares, dz, rows)
}

// dweightKnown returns what is known of the gradient of the head as a product; nil where it is not
// wanted.
func (h *head) dweightKnown() *step.Product {
	if !h.c.Wants("dweight") {
		return nil
	}
	operands := step.Operands{Accumulate: h.operands.Accumulate, X: h.stored, W: h.operands.X}
	return operands.Of(mat.NewDense(h.weight.Rows, h.weight.Columns, h.dweight), h.squares, max(1, len(h.rows)))
}

// dweight returns the gradient of the head in a run.
func (k *headRun) dweight(known *step.Product) []float64 {
	if known == nil {
		return nil
	}
	y := k.parts.sum
	for j := range k.h.weight.Rows {
		known.Err(&k.out, j, y.RawRowView(j), 1)
	}
	return y.RawMatrix().Data
}

// partCounts are the numbers of chunks of rows of which dweight may be added up, where that shows.
var partCounts = []int{1, 4, 16, math.MaxInt}

// narrowParts tells whether parts of dweight are added in less than working precision.
func (h *head) narrowParts() bool {
	return h.c.Wants("dweight") && h.c.Arithmetic.Accumulate.Narrow(h.c.Arithmetic.Combine)
}

// headParts is the gradient of the head as kernels add it up that take the rows in chunks.
type headParts struct {
	h           *head
	count       int
	done        int        // parts added
	part, sum   *mat.Dense // of the rows since, and of the parts
	kept, added arithmetic.Grid
	narrow      bool
}

func (h *head) newParts(r *arithmetic.Run, count int) headParts {
	p := headParts{
		h: h, count: max(1, min(count, len(h.rows))), kept: r.Grid(h.c.Arithmetic.Combine),
		added: r.Grid(h.c.Arithmetic.Combine), narrow: h.narrowParts(),
	}
	if h.c.Wants("dweight") {
		p.part = mat.NewDense(h.weight.Rows, h.weight.Columns, nil)
		p.sum = mat.NewDense(h.weight.Rows, h.weight.Columns, nil)
	}
	return p
}

// end returns the row of those that count at which the part of a row ends.
func (p *headParts) end() int { return (p.done + 1) * len(p.h.rows) / p.count }

// add adds the gradients of rows from first on.
func (p *headParts) add(dz *mat.Dense, first int) {
	n, _ := dz.Dims()
	for from := first; from < first+n; {
		to := min(p.end(), first+n)
		var y mat.Dense
		y.Mul(step.RowsBetween(dz, from-first, to-first).T(), step.RowsBetween(p.h.hidden, from, to))
		p.part.Add(p.part, &y)
		if from = to; to == p.end() {
			p.close()
		}
	}
}

// close adds a part that is done to the sum of those before. A rounding to the type of the output
// is the last, of which the verdict knows.
func (p *headParts) close() {
	last := p.done == p.count-1 && p.h.c.Recording.Type("out.dweight") == p.h.c.Arithmetic.Combine
	part, sum := p.part.RawMatrix().Data, p.sum.RawMatrix().Data
	for i, x := range part {
		switch {
		case !p.narrow:
			sum[i] += x
		case p.done == 0 && last:
			sum[i] = x
		case p.done == 0:
			sum[i] = p.kept.Round(x)
		case last:
			sum[i] += p.kept.Round(x)
		default:
			sum[i] = p.added.Round(sum[i] + p.kept.Round(x))
		}
	}
	p.done++
	p.part.Zero()
}
