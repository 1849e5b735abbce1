package op

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
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
	h := c.newHeadOutputs(c.attentionModel("v", c.Dim("D")), c.Dim("T"), c.Dim("V"))
	parallel.Each(c.Dim("B")*c.Dim("G"), func(i int) { c.forwardGroup(h, i/c.Dim("G"), i%c.Dim("G")) })
	return h.expected(), nil
}

// forwardGroup computes the query heads that use key and value head g of sequence b.
func (c *Case) forwardGroup(out *headOutputs, b, g int) {
	queries, heads, used := c.Dim("S"), c.Dim("H"), c.keysInUse(b)
	if used == 0 {
		c.eachOfGroup(g, func(h int) { out.nothing(b, h) })
		return
	}
	k, v := c.HeadRows("k", b, g, 0, used), c.HeadRows("v", b, g, 0, used)
	blocks := pages(queries, blockRows(used))
	parallel.Each(heads*blocks, func(i int) {
		h, s0 := i/blocks, i%blocks*blockRows(used)
		if attention.Group(h, heads, c.Dim("G")) != g {
			return
		}
		s1 := min(queries, s0+blockRows(used))
		mask := attention.Mask{Causal: c.Flag("causal"), Window: c.Int("window"), Queries: queries - s0, Keys: used}
		var at []rowPlace
		for s := s0; s < s1; s++ {
			at = append(at, rowPlace{b, s, h})
		}
		out.block(c.HeadRows("q", b, h, s0, s1), k, v, attention.Options{Mask: mask, Sink: c.sink(h)}, at)
	})
}

// eachOfGroup calls f for the query heads that use key and value head g.
func (c *Case) eachOfGroup(g int, f func(h int)) {
	for h := range c.Dim("H") {
		if attention.Group(h, c.Dim("H"), c.Dim("G")) == g {
			f(h)
		}
	}
}

// nothing leaves outputs 0 and sets log-sum-exps −∞ where a head of a sequence has no keys.
func (h *headOutputs) nothing(b, head int) {
	for s := range h.c.Dim("S") {
		h.lse.set(h.lseOf(rowPlace{b, s, head}), []float64{math.Inf(-1)})
	}
}

// lseUnit is what a natural logarithm is divided by to get the recorded one.
func (c *Case) lseUnit() float64 {
	if c.Word("lse_base") == "2" {
		return math.Ln2
	}
	return 1
}

// rowsOf returns the first n rows.
func rowsOf(m *mat.Dense, n int) *mat.Dense {
	_, cols := m.Dims()
	return m.Slice(0, n, 0, cols).(*mat.Dense)
}

// attentionMerge joins the parts row by row.
func attentionMerge(c *Case) ([]verdict.Expected, error) {
	parts, rows, width, unit := c.Dim("P"), c.Dim("N"), c.Dim("V"), c.lseUnit()
	outputs, logs := make([]*mat.Dense, parts), make([][]float64, parts)
	for p := range parts {
		outputs[p] = c.Input("o").View(1, p)
		logs[p] = scaled(c.Input("lse").Row(p), unit)
	}
	out, lse := attention.Merge(outputs, logs)
	return c.run(c.eitherWay((*Case).mergeProgram), float64(4*parts*rows*width),
		expectation{name: "o", truth: out.RawMatrix().Data, shape: []int{rows, width}},
		expectation{name: "lse", truth: scaled(lse, 1/unit), shape: []int{rows}}), nil
}

// mergeProgram is the merge as kernels compute it: a weight for each part from its log-sum-exp, their
// sum, and the weighted sum, divided before or after.
func (c *Case) mergeProgram() program {
	n, width := c.Dim("N"), c.Dim("V")
	return func(r *arithmetic.Run) map[string][]float64 {
		m := c.newMergeRun(r)
		o, lse := make([]float64, n*width), make([]float64, n)
		for row := range n {
			lse[row] = m.row(c, row, o[row*width:(row+1)*width])
		}
		return map[string][]float64{"o": o, "lse": lse}
	}
}

// mergeRun has the places of a merge.
type mergeRun struct {
	natural, shifted, product, divided arithmetic.Grid
	lse, added                         arithmetic.Grid
	exp, log                           arithmetic.Function
	sum, total                         arithmetic.Adder
	dividesFirst                       bool
	unit                               float64
}

func (c *Case) newMergeRun(r *arithmetic.Run) *mergeRun {
	acc := c.Arithmetic.Accumulate
	work := acc.Working()
	m := &mergeRun{
		natural: r.Grid(work), shifted: r.Grid(work), product: r.Grid(work), divided: r.Grid(work), lse: r.Grid(work),
		added: r.Grid(work), exp: r.Function(work, 2), log: r.Function(work, 2), sum: r.Adder(acc),
		total: r.Adder(acc), dividesFirst: r.Coin(), unit: c.lseUnit(),
	}
	if c.Arithmetic.Exp == "approx" {
		m.exp = r.Function(work, 4)
	}
	return m
}

// row merges row n into o and returns its log-sum-exp. A part that saw no key does not count.
func (m *mergeRun) row(c *Case, n int, o []float64) float64 {
	var parts []int
	var x []float64
	for p := range c.Dim("P") {
		if v := c.Input("lse").At(p, n); !math.IsInf(v, -1) {
			parts, x = append(parts, p), append(x, m.natural.Round(v*m.unit))
		}
	}
	if len(parts) == 0 {
		return math.Inf(-1)
	}
	largest := maximum(x)
	for i, v := range x {
		x[i] = m.exp.Exp(m.shifted.Round(v - largest))
	}
	total := m.total.Sum(x)
	if m.dividesFirst {
		for i, w := range x {
			x[i] = m.divided.Round(w / total)
		}
	}
	terms := make([]float64, len(x))
	for col := range o {
		for i, p := range parts {
			terms[i] = m.product.Round(x[i] * c.Input("o").At(p, n, col))
		}
		if o[col] = m.sum.Sum(terms); !m.dividesFirst {
			o[col] = m.divided.Round(o[col] / total)
		}
	}
	return m.lse.Round(m.added.Round(largest+m.log.Log(total)) / m.unit)
}

func scaled(x []float64, by float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = x[i] * by
	}
	return y
}
