package op

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// decodeKeys are what every kernel with a softmax has, attentionKeys what one with a soft cap has,
// too.
var (
	decodeKeys = []Key{
		{"accumulate", "F32", "sums of products"},
		{"probabilities", "the value type", "softmax weights before the value product"},
		{
			"scores", "F32",
			"attention scores (in the backward pass also the gradient of the weights, which has their shape)",
		},
		expKey, subnormalsKey,
	}
	attentionKeys = append(decodeKeys[:len(decodeKeys):len(decodeKeys)],
		Key{"cap_chain", "that of scores", "each step of a soft cap: the division, tanh, the product with the cap"},
		Key{"tanh", "exact", "tanh of a soft cap: exact, good to 2 ulp, or approx, the fast instruction, good to 2⁻¹¹"})
	expKey = Key{
		"exp", "exact",
		"exponentials: exact, good to 2 ulp as ex2.approx is, or approx, __expf, good to (2 + 1.17|x|) ulp",
	}
)

var attentionInputs = []Tensor{
	{Name: "q", Shape: []string{"B", "S", "H", "D"}, Parts: true, Doc: "queries"},
	{Name: "k", Shape: []string{"B", "T", "G", "D"}, Parts: true, Doc: "keys"},
	{Name: "v", Shape: []string{"B", "T", "G", "V"}, Parts: true, Doc: "values"},
	{Name: "kv_lens", Shape: []string{"B"}, Integer: true, Optional: true, Doc: "keys in use in each sequence (T)"},
	{Name: "sink", Shape: []string{"H"}, Optional: true, Doc: "logit of each head's sink, in units of scaled scores"},
}

var attentionAttrs = []Attr{
	{Name: "scale", Kind: Number, Missing: "1/√D", Doc: "what q·k is multiplied by"},
	{Name: "causal", Kind: Flag, Default: false, Doc: "query s of S sees keys j ≤ kv_len − S + s"},
	{Name: "window", Kind: Count, Default: 0, Doc: "the query at position i sees keys j > i − window; 0 is no window"},
	{Name: "softcap", Kind: Number, Default: 0.0, Doc: "scores become cap·tanh(score/cap); 0 is no cap"},
	lseBase,
}

var lseBase = Attr{
	Name: "lse_base", Kind: Choice, Default: "e", Choices: []string{"e", "2"}, Doc: "base of the log-sum-exp",
}

func init() {
	register(&Op{
		Name:      "attention.forward",
		Doc:       "Softmax attention of H query heads over G key and value heads (MHA, GQA, MQA).",
		Equations: []string{"attention.Scores", "attention.Softmax", "attention.Values", "attention.Group"},
		Inputs:    attentionInputs,
		Outputs: []Tensor{
			{
				Name: "o", Shape: []string{"B", "S", "H", "V"}, Axes: []string{"batch", "query", "head", "column"},
				Doc: "output; a row that sees no key is 0",
			},
			{
				Name: "lse", Shape: []string{"B", "H", "S"}, Axes: []string{"batch", "head", "query"},
				Doc: "log-sum-exp of the scaled scores, without the sink; −∞ for a row that sees no key",
			},
		},
		Attrs:      attentionAttrs,
		Arithmetic: attentionKeys,
		check:      checkAttention,
		truth:      attentionForward,
	})
	register(&Op{
		Name:      "attention.merge",
		Doc:       "Joins the attention of the same queries to P disjoint parts of the keys.",
		Equations: []string{"attention.Merge"},
		Inputs: []Tensor{
			{Name: "o", Shape: []string{"P", "N", "V"}, Doc: "outputs of the parts"},
			{
				Name: "lse", Shape: []string{"P", "N"},
				Doc: "log-sum-exps of the parts; −∞ for a part without keys, whose output is not read",
			},
		},
		Outputs: []Tensor{
			{Name: "o", Shape: []string{"N", "V"}, Axes: []string{"query", "column"}, Doc: "output"},
			{Name: "lse", Shape: []string{"N"}, Axes: []string{"query"}, Doc: "log-sum-exp"},
		},
		Attrs:      []Attr{lseBase},
		Arithmetic: []Key{decodeKeys[0], expKey, subnormalsKey},
		truth:      attentionMerge,
	})
}

func checkAttention(c *Case) error {
	if h, g := c.Dim("H"), c.Dim("G"); h%g != 0 {
		return fmt.Errorf("tensor %q: %d heads, want a multiple of the %d key and value heads", "q", h, g)
	}
	if c.Has("scale") && c.Float("scale") == 0 {
		return fmt.Errorf("attrs: %q: found 0, want a scale that is not 0", "scale")
	}
	if c.Float("softcap") < 0 {
		return fmt.Errorf("attrs: %q: found %v, want 0 or more", "softcap", c.Float("softcap"))
	}
	return c.checkLengths(c.Dim("T"))
}

// checkLengths checks kv_lens against the room for keys.
func (c *Case) checkLengths(room int) error {
	lens := c.Input("kv_lens")
	if lens == nil {
		return nil
	}
	for b, n := range lens.Data {
		if n < 0 || n > float64(room) {
			return fmt.Errorf("tensor %q: index [%d]: %v keys, want 0 to %d", "kv_lens", b, n, room)
		}
	}
	return nil
}

// attentionModel returns the error model that an attention op's attributes and arithmetic describe.
func (c *Case) attentionModel(values string, width int) softmaxModel {
	m := softmaxModel{
		accumulate:    c.Arithmetic.Accumulate,
		probabilities: c.typeOr(c.Arithmetic.Probabilities, values),
		scores:        c.Arithmetic.Scores,
		scale:         1 / math.Sqrt(float64(width)),
		softCap:       c.Float("softcap"),
		capChain:      c.Arithmetic.CapChain,
		fastExp:       c.Arithmetic.Exp == "approx",
		fastTanh:      c.Arithmetic.Tanh == "approx",
		q:             c.rec.Type(values), k: c.rec.Type(values), v: c.rec.Type(values),
	}
	if m.capChain == dtype.Invalid {
		m.capChain = m.scores
	}
	if c.rec.Has("q") {
		m.q = c.rec.Type("q")
	}
	if c.rec.Has("k") {
		m.k = c.rec.Type("k")
	}
	if c.Has("scale") {
		m.scale = c.Float("scale")
	}
	return m
}

// keysInUse returns kv_len of sequence b.
func (c *Case) keysInUse(b int) int {
	if lens := c.Input("kv_lens"); lens != nil {
		return int(lens.Data[b])
	}
	return c.Dim("T")
}

// sink returns the sink of head h, or nil.
func (c *Case) sink(h int) *float64 {
	if s := c.Input("sink"); s != nil {
		return &s.Data[h]
	}
	return nil
}

// estimate collects the truth and σ of one output while blocks of it are computed.
type estimate struct {
	truth *tensor.Tensor
	sigma []float64
	draws []float64

	terms   int          // of the longest sum, 0 where it is not known
	aligned atomic.Int64 // rows whose roundings share a sign
}

// newEstimate makes room for an output, if the recording has it: then its size is known to be that
// of a tensor in the file.
func (c *Case) newEstimate(name string, shape ...int) *estimate {
	if !c.Wants(name) {
		return &estimate{}
	}
	t := tensor.New(shape...)
	width := shape[len(shape)-1]
	draws := slices.Repeat([]float64{float64(width)}, t.Len()/width) // of rows without errors each element has its own
	return &estimate{truth: t, sigma: make([]float64, t.Len()), draws: draws}
}

// attentionEstimate makes room for an output of an attention op, whose sums are known.
func (c *Case) attentionEstimate(name string, shape ...int) *estimate {
	e := c.newEstimate(name, shape...)
	e.terms = c.longestSum()
	return e
}

// longestSum is how many terms the longest sum of an attention op has at most: over the width, over
// keys, over the queries of a group, over parts.
func (c *Case) longestSum() int {
	longest := max(c.Dim("D"), c.Dim("V"), c.Dim("T"), c.Dim("P"), c.Dim("cols")*c.Dim("page"))
	if groups := c.Dim("G"); groups > 0 {
		longest = max(longest, c.Dim("S")*c.Dim("H")/groups)
	}
	return longest
}

// setRow stores a row of truth and second moments at the given leading index.
func (e *estimate) setRow(truth, variance []float64, draws float64, at ...int) {
	if e.truth == nil {
		return
	}
	start := 0
	for a, i := range at {
		start = start*e.truth.Shape[a] + i
	}
	e.draws[start] = draws
	width := len(truth)
	for i := range truth {
		e.truth.Data[start*width+i] = truth[i]
		e.sigma[start*width+i] = deviation(truth[i], variance[i])
	}
}

// setOne stores one element.
func (e *estimate) setOne(truth, variance float64, at ...int) {
	if e.truth == nil {
		return
	}
	i := e.truth.Index(at...)
	e.truth.Data[i], e.sigma[i] = truth, deviation(truth, variance)
}

// deviation is σ: of a truth that is not finite nothing but its kind is judged, a variance that is
// no number bounds nothing, and one that underflows is not nothing.
func deviation(truth, variance float64) float64 {
	switch {
	case !dtype.Finite(truth):
		return 0
	case math.IsNaN(variance):
		return math.Inf(1)
	case variance == 0 && truth != 0:
		variance = math.SmallestNonzeroFloat64
	}
	return math.Sqrt(variance)
}

// expected hands over an estimate. narrow lists the types of roundings that are part of σ; where
// none of them is narrower than the accumulator, the sums dominate.
func (e *estimate) expected(name string, acc arithmetic.Accumulator, narrow ...dtype.Type) verdict.Expected {
	x := verdict.Expected{
		Name: name, Truth: e.truth, Sigma: e.sigma, Draws: e.draws, Walk: 1, Systematic: 1, Terms: float64(e.terms),
	}
	if acc == arithmetic.TF32 {
		x.Walk = 0 // operands that are cut outweigh the sums
	}
	for _, t := range narrow {
		if t.UnitRoundoff() > acc.Type().UnitRoundoff() {
			x.Walk, x.Systematic = 0, min(1, 10*float64(e.aligned.Load())/float64(max(len(e.draws), 1)))
		}
	}
	return x
}

// ownErrors is for outputs whose elements each have an error of their own.
func ownErrors(e verdict.Expected) verdict.Expected {
	e.Draws = nil
	return e
}

// wanted keeps the outputs that the recording has.
func (c *Case) wanted(all ...verdict.Expected) []verdict.Expected {
	var kept []verdict.Expected
	for _, e := range all {
		if c.Wants(e.Name) {
			kept = append(kept, e)
		}
	}
	return kept
}

// blockRows is how many query rows are computed at a time, so that a block's weights stay within 8
// MiB.
func blockRows(keys int) int { return min(max(1<<20/max(keys, 1), 1), 128) }

// attentionForward splits the work by sequence, head and block of queries.
func attentionForward(c *Case) ([]verdict.Expected, error) {
	batch, queries, heads, values := c.Dim("B"), c.Dim("S"), c.Dim("H"), c.Dim("V")
	o, lse := c.attentionEstimate("o", batch, queries, heads, values), c.attentionEstimate("lse", batch, heads, queries)
	model := c.attentionModel("v", c.Dim("D"))
	parallel.Each(batch*c.Dim("G"), func(i int) {
		b, g := i/c.Dim("G"), i%c.Dim("G")
		c.forwardGroup(model, b, g, o, lse)
	})
	return c.softmaxOutputs(model, o, lse), nil
}

// softmaxOutputs hands over o and lse.
func (c *Case) softmaxOutputs(m softmaxModel, o, lse *estimate) []verdict.Expected {
	all := []verdict.Expected{
		o.expected("o", m.accumulate, m.probabilities, m.scores), ownErrors(lse.expected("lse", m.accumulate, m.scores)),
	}
	// weights that crowd, or sums that truncate: every row alike
	if all[0].Systematic == 1 && (all[0].Walk == 0 || m.accumulate.Truncates()) {
		all[0].ColumnDraws, all[0].MostDraws = 1, float64(c.Dim("B")*c.Dim("H"))
	}
	if m.scaleError() != 0 || m.softCap != 0 && m.fastTanh { // one constant for every score
		all[0].Systematic, all[1].Systematic, all[1].MostDraws = 1, 1, 1
	}
	return c.wanted(all...)
}

// forwardGroup computes the query heads that use key and value head g of sequence b.
func (c *Case) forwardGroup(model softmaxModel, b, g int, o, lse *estimate) {
	queries, heads, used := c.Dim("S"), c.Dim("H"), c.keysInUse(b)
	if used == 0 {
		c.nothingSeen(b, g, o, lse)
		return
	}
	k, v := c.HeadRows("k", b, g, 0, used), c.HeadRows("v", b, g, 0, used)
	kv := newKeyValues(k, v)
	blocks := pages(queries, blockRows(used))
	parallel.Each(heads*blocks, func(i int) {
		h, s0 := i/blocks, i%blocks*blockRows(used)
		if attention.Group(h, heads, c.Dim("G")) != g {
			return
		}
		s1 := min(queries, s0+blockRows(used))
		mask := attention.Mask{Causal: c.Flag("causal"), Window: c.Int("window"), Queries: queries - s0, Keys: used}
		q := c.HeadRows("q", b, h, s0, s1)
		block := model.block(q, v, kv, attention.Options{Mask: mask, Sink: c.sink(h)})
		o.aligned.Add(int64(block.aligned))
		for s := s0; s < s1; s++ {
			o.setRow(block.out.RawRowView(s-s0), block.outVar.RawRowView(s-s0), block.draws[s-s0], b, s, h)
			c.setLSE(lse, block, s-s0, b, h, s)
		}
	})
}

// setLSE stores a log-sum-exp in the base that the recording has.
func (c *Case) setLSE(lse *estimate, block blockTruth, row int, at ...int) {
	unit := c.lseUnit()
	lse.setOne(block.lse[row]/unit, block.lseVar[row]/(unit*unit), at...)
}

// lseUnit is what a natural logarithm is divided by to get the recorded one.
func (c *Case) lseUnit() float64 {
	if c.Word("lse_base") == "2" {
		return math.Ln2
	}
	return 1
}

// nothingSeen leaves outputs 0 and sets log-sum-exps −∞ where a sequence has no keys.
func (c *Case) nothingSeen(b, g int, o, lse *estimate) {
	heads := c.Dim("H")
	for h := range heads {
		if attention.Group(h, heads, c.Dim("G")) != g {
			continue
		}
		for s := range c.Dim("S") {
			lse.setOne(math.Inf(-1), 0, b, h, s)
		}
	}
}

// rowsOf returns the first n rows.
func rowsOf(m *mat.Dense, n int) *mat.Dense {
	_, cols := m.Dims()
	return m.Slice(0, n, 0, cols).(*mat.Dense)
}

// attentionMerge derives σ of the merged output from the weights w_p = e^{lse_p − lse}: each is an
// exponential of working precision, the sum over P parts divides the row, and the sum over P values
// is rounded.
//
//	σ² = Σ w_p² (o_p − o)² ε_p² + Sum(P; o, Σ w_p² o_p²) + o² λ²
func attentionMerge(c *Case) ([]verdict.Expected, error) {
	parts, rows, width, unit := c.Dim("P"), c.Dim("N"), c.Dim("V"), c.lseUnit()
	outputs, logs := make([]*mat.Dense, parts), make([][]float64, parts)
	for p := range parts {
		outputs[p] = c.Input("o").View(1, p)
		logs[p] = scaled(c.Input("lse").Row(p), unit)
	}
	out, lse := attention.Merge(outputs, logs)
	model := softmaxModel{accumulate: c.Arithmetic.Accumulate, probabilities: dtype.F64, scores: dtype.F32, scale: 1,
		v: c.rec.Type("o"), fastExp: c.Arithmetic.Exp == "approx"}
	o, total := c.attentionEstimate("o", rows, width), c.attentionEstimate("lse", rows)
	parallel.Each(rows, func(n int) {
		variance, draws := model.mergeErrors(outputs, logs, n, out.RawRowView(n), lse[n])
		o.setRow(out.RawRowView(n), variance, draws, n)
		total.setOne(lse[n]/unit, model.mergeLogError(logs, n, lse[n])/(unit*unit), n)
	})
	return c.wanted(o.expected("o", model.accumulate), ownErrors(total.expected("lse", model.accumulate))), nil
}

func scaled(x []float64, by float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = x[i] * by
	}
	return y
}

// mergeErrors returns σ² of a merged row and the draws behind it.
func (m softmaxModel) mergeErrors(
	o []*mat.Dense, lse [][]float64, n int, merged []float64, all float64,
) (variance []float64, draws float64) {
	variance = make([]float64, len(merged))
	if math.IsInf(all, -1) {
		return variance, float64(len(merged))
	}
	weights, errors := m.mergeWeights(lse, n, all)
	live, mass2 := countSquares(weights)
	row := m.scalarSum().Sum(live, 1, mass2) + rowRoundings*m.rho2()
	var own, common float64
	for c, t := range merged {
		var keyed, squares float64
		for p, w := range weights {
			if w != 0 {
				v := o[p].At(n, c)
				keyed += w * w * (v - t) * (v - t) * errors[p]
				squares += w * w * v * v
			}
		}
		sum := m.sum(dtype.F32, m.v, live, t, squares)
		variance[c] = keyed + sum + t*t*row
		own, common = own+sum, common+keyed+t*t*row
	}
	return variance, drawsOf(common, 0, 1, own, float64(len(merged)))
}

// mergeWeights returns the weight of each part and the second moment of its relative error.
func (m softmaxModel) mergeWeights(lse [][]float64, n int, all float64) (weights, errors []float64) {
	weights, errors = make([]float64, len(lse)), make([]float64, len(lse))
	largest := math.Inf(-1)
	for p := range lse {
		largest = max(largest, lse[p][n])
	}
	for p := range lse {
		x := lse[p][n]
		weights[p] = math.Exp(x - all)
		if weights[p] > 0 {
			errors[p] = m.expVariance(x-largest) + scoreRoundings*m.rho2()*x*x
		}
	}
	return weights, errors
}

// mergeLogError returns σ² of a merged log-sum-exp.
func (m softmaxModel) mergeLogError(lse [][]float64, n int, all float64) float64 {
	if math.IsInf(all, -1) || math.IsNaN(all) {
		return 0
	}
	largest, mass2, variance := math.Inf(-1), 0.0, 0.0
	for p := range lse {
		largest = max(largest, lse[p][n])
	}
	for p := range lse {
		if w := math.Exp(lse[p][n] - all); w > 0 {
			mass2 += w * w
			variance += w * w * m.expVariance(lse[p][n]-largest)
		}
	}
	logarithm := all - largest
	return variance + m.scalarSum().Sum(len(lse), 1, mass2) +
		m.rho2()*(2*largest*largest+2*all*all+logRoundings*logarithm*logarithm+1)
}
