package fp8

import (
	"plumbline/fp8"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// model is a product as kernels of the declared arithmetic compute it.
type model struct {
	accumulate arithmetic.Accumulator
	core       *arithmetic.TensorCore // that sums the codes; nil: there is none, sums round term by term
	every      int                    // elements of K between promotions
	forms      int
}

// The forms of a product. Tensor cores of FP8 have the first alone.
const (
	promoted    = iota // codes are summed, sums multiplied by scales and added up in F32
	dequantised        // codes are multiplied by scales first, and the products rounded
)

func newModel(c *op.Case) model {
	m := model{accumulate: c.Arithmetic.Accumulate, every: c.Arithmetic.PromoteEvery, forms: 2}
	switch {
	case m.accumulate == arithmetic.F64:
		m.forms = 1
	case m.accumulate == arithmetic.TF32:
		m.core = coreOf(arithmetic.F32Ampere, dtype.F32)
	case m.accumulate.Truncates():
		m.forms, m.core = 1, coreOf(m.accumulate, codeType(c))
	}
	return m
}

// codeType is the wider one of the types of both operands, E5M2 where they differ.
func codeType(c *op.Case) dtype.Type {
	if c.Recording.Type("a") == dtype.F8E5M2 {
		return dtype.F8E5M2
	}
	return c.Recording.Type("b")
}

// coreOf returns the tensor core for operands of that type; of F16, which has every code, for a
// device whose tensor cores take no FP8.
func coreOf(a arithmetic.Accumulator, operands dtype.Type) *arithmetic.TensorCore {
	t, err := a.TensorCore(operands, dtype.F32)
	if err != nil {
		t, err = a.TensorCore(dtype.F16, dtype.F32)
	}
	if err != nil {
		panic("fp8: a device without a step of F16")
	}
	return &t
}

// blocks returns how many blocks K has.
func (m model) blocks(width int) int { return (width + fp8.Width - 1) / fp8.Width }

// runCost is what one run of all elements takes, in terms.
func runCost(c *op.Case) float64 {
	blocks := c.Extent("K")/fp8.Width + 1
	return c.Extent("M") * c.Extent("N") * (c.Extent("K") + blockWork*blocks) * float64(newModel(c).forms)
}

// productRun has the places of a product.
type productRun struct {
	model
	form               int
	order              []int            // in which a tensor core takes the elements of a block
	inner, outer       arithmetic.Adder // sums of terms, and of what is promoted
	scale, scaled      arithmetic.Grid  // the product of both scales; a sum multiplied by a scale, or by both
	last               arithmetic.Grid
	together, fused    bool // scales are multiplied first; products are not rounded before they are added
	operandA, operandB arithmetic.Grid
	term               arithmetic.Grid
	cut                bool // operands of TF32 are cut, else rounded

	sums, terms []float64 // scratch
	lists       [most][]float64
	blockSums   [most][]float64
}

// most is how many elements are formed side by side.
const most = 8

// newRun returns the places in the units of a run.
func (m model) newRun(r *arithmetic.Run, width int) *productRun {
	work, promotion := m.accumulate.Working(), arithmetic.F32
	if m.accumulate == arithmetic.F64 {
		promotion = arithmetic.F64
	}
	return &productRun{
		model: m, form: r.Form(m.forms), order: r.Order(fp8.Width), inner: r.Adder(m.accumulate),
		outer: r.Adder(promotion),
		scale: r.Grid(work), scaled: r.Grid(work), last: r.Grid(work), together: r.Coin(), fused: r.Coin(),
		operandA: r.Grid(work), operandB: r.Grid(work), term: r.Grid(work), cut: !r.Coin(),
		terms: make([]float64, width),
	}
}

// operand is a row of a matrix as a run takes it.
type operand struct {
	blocks []arithmetic.Row // codes, block by block, in the order of the run
	codes  [][]float64      // the same
	scales []float64
	values []float64 // what codes stand for, where they are multiplied first
}

// operand returns row i of a matrix.
func (r *productRun) operand(m fp8.Blocked, i int, rounded *arithmetic.Grid) operand {
	codes, scales := m.Codes.RawRowView(i), m.Scales.RawRowView(i/m.Block.Rows)
	o := operand{scales: scales}
	if r.form == dequantised {
		o.values = r.dequantise(m, i, rounded)
		return o
	}
	for start := 0; start < len(codes); start += fp8.Width {
		block := codes[start:min(start+fp8.Width, len(codes))]
		if r.core != nil {
			block = r.ordered(block)
			o.blocks = append(o.blocks, r.core.Row(block))
		}
		o.codes = append(o.codes, block)
	}
	return o
}

// ordered returns the elements of a block in the order of the run.
func (r *productRun) ordered(block []float64) []float64 {
	y := make([]float64, 0, len(block))
	for _, k := range r.order {
		if k < len(block) {
			y = append(y, block[k])
		}
	}
	return y
}

// dequantise returns what the codes of row i stand for, rounded; for a tensor core in the order of
// the run.
func (r *productRun) dequantise(m fp8.Blocked, i int, rounded *arithmetic.Grid) []float64 {
	row := rowsOf(fp8.Blocked{Codes: m.Codes, Scales: m.Scales, Block: m.Block}, i, i+1)
	row.Block.Rows = 1
	values := rounded.RoundAll(row.Dequantise().RawRowView(0))
	if r.accumulate != arithmetic.TF32 {
		return values
	}
	var narrowed []float64
	for start := 0; start < len(values); start += fp8.Width {
		narrowed = append(narrowed, r.ordered(values[start:min(start+fp8.Width, len(values))])...)
	}
	for k, v := range narrowed {
		if narrowed[k] = arithmetic.CutTF32(v); !r.cut {
			narrowed[k] = tf32(v)
		}
	}
	return narrowed
}

// tf32 rounds to the nearest number of TF32.
func tf32(v float64) float64 {
	return arithmetic.CutTF32(v + (v - arithmetic.CutTF32(v)))
}

// element returns an element of the output before its last rounding.
func (r *productRun) element(a, b operand) float64 {
	if r.form == dequantised {
		return r.ofValues(a.values, b.values)
	}
	r.sums = r.sums[:0]
	together := max(1, (r.every+fp8.Width-1)/fp8.Width) // blocks of one chain
	for first := 0; first < len(a.codes); first += together {
		last, from := min(first+together, len(a.codes))-1, len(r.sums)
		r.chains(a, b, first, last)
		for i := from; i < len(r.sums); i++ {
			r.sums[i] = r.times(r.sums[i], a.scales[last], b.scales[last])
		}
	}
	if len(r.sums) == 1 {
		return r.sums[0]
	}
	return r.outer.Sum(r.sums)
}

// elements appends those of one row in some columns.
func (r *productRun) elements(to []float64, a operand, columns []operand) []float64 {
	for r.sideBySide() && len(columns) >= most/2 {
		n := len(columns) / (most / 2) * (most / 2)
		some := columns[:min(n, most)]
		to, columns = r.some(to, a, some), columns[len(some):]
	}
	for _, b := range columns {
		to = append(to, r.element(a, b))
	}
	return to
}

// sideBySide tells whether several elements may be formed at a time: sums of F32 are, whose
// additions wait for one another.
func (r *productRun) sideBySide() bool {
	if r.form == dequantised {
		return r.accumulate == arithmetic.F32
	}
	return r.core == nil && r.every == fp8.Width
}

// some appends the elements of one row in some columns, each as element has it.
func (r *productRun) some(to []float64, a operand, b []operand) []float64 {
	if r.form == dequantised {
		return r.someOfValues(to, a, b)
	}
	lists, sums := r.lists[:len(b)], r.blockSums[:len(b)]
	for i := range sums {
		sums[i] = sums[i][:0]
	}
	var room [most]float64
	for k, codes := range a.codes {
		for i := range lists {
			lists[i] = append(lists[i][:0], r.products(codes, b[i].codes[k])...)
		}
		for i, sum := range r.inner.SumAll(room[:0], lists...) {
			r.sums = append(sums[i], sum)
			r.sums[k] = r.times(sum, a.scales[k], b[i].scales[k])
			sums[i] = r.sums
		}
	}
	if len(sums[0]) > 1 {
		return r.outer.SumAll(to, sums...)
	}
	for _, only := range sums {
		to = append(to, only[0])
	}
	return to
}

// someOfValues appends elements as ofValues has them.
func (r *productRun) someOfValues(to []float64, a operand, b []operand) []float64 {
	lists := r.lists[:len(b)]
	for i := range lists {
		terms := r.products(a.values, b[i].values)
		if !r.fused {
			r.term.RoundAll(terms)
		}
		lists[i] = append(lists[i][:0], terms...)
	}
	return r.inner.SumAll(to, lists...)
}

// times returns a sum multiplied by both scales.
func (r *productRun) times(sum, a, b float64) float64 {
	if r.together {
		sum = float64(sum * r.scale.Round(a*b))
	} else {
		sum = float64(r.scaled.Round(sum*a) * b)
	}
	if r.fused && len(r.sums) > 1 {
		return sum
	}
	return r.last.Round(sum)
}

// chains appends the sums of blocks first … last that are promoted, in units of the last one's
// scales.
func (r *productRun) chains(a, b operand, first, last int) {
	switch {
	case first < last && r.core != nil:
		r.sums = append(r.sums, r.longChain(a, b, first, last))
	case r.core != nil:
		r.sums = r.core.Chain(r.sums, a.blocks[first], b.blocks[first], r.every)
	case first < last:
		r.sums = append(r.sums, r.inner.Sum(r.longTerms(a, b, first, last)))
	default:
		terms := r.products(a.codes[first], b.codes[first])
		for start := 0; start < len(terms); start += r.every {
			r.sums = append(r.sums, r.inner.Sum(terms[start:min(start+r.every, len(terms))]))
		}
	}
}

// longChain sums blocks in a tensor core without promotion: between blocks whose scales differ the
// accumulator is multiplied by their ratio.
func (r *productRun) longChain(a, b operand, first, last int) (acc float64) {
	for i := first; i <= last; i++ {
		if i > first {
			acc = dtype.F32.Round(acc * ratio(a, b, i-1, i))
		}
		acc = r.core.Dot(acc, a.codes[i], b.codes[i])
	}
	return acc
}

// longTerms returns the terms of blocks in units of the last one's scales.
func (r *productRun) longTerms(a, b operand, first, last int) []float64 {
	terms := r.terms[:0]
	for i := first; i <= last; i++ {
		unit := ratio(a, b, i, last)
		for k, x := range a.codes[i] {
			terms = append(terms, x*b.codes[i][k]*unit)
		}
	}
	return terms
}

// ratio is what a sum of block i is multiplied by to be one of block j.
func ratio(a, b operand, i, j int) float64 {
	if a.scales[i] == a.scales[j] && b.scales[i] == b.scales[j] {
		return 1
	}
	return a.scales[i] * b.scales[i] / (a.scales[j] * b.scales[j])
}

// products returns the products of the elements of two blocks.
func (r *productRun) products(x, y []float64) []float64 {
	terms := r.terms[:len(x)]
	y = y[:len(x)]
	for k, v := range x {
		terms[k] = v * y[k]
	}
	return terms
}

// ofValues returns the sum of products of what codes stand for.
func (r *productRun) ofValues(x, y []float64) float64 {
	if r.core != nil {
		return r.core.Dot(0, x, y)
	}
	terms := r.products(x, y)
	if !r.fused {
		r.term.RoundAll(terms)
	}
	if r.accumulate.Type().UnitRoundoff() <= dtype.F32.UnitRoundoff() {
		return r.inner.Sum(terms)
	}
	r.sums = r.sums[:0]
	for start := 0; start < len(terms); start += r.every {
		r.sums = append(r.sums, r.inner.Sum(terms[start:min(start+r.every, len(terms))]))
	}
	return r.outer.Sum(r.sums)
}
