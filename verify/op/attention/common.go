package attention

import (
	"fmt"
	"math"

	"plumbline/attention"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// SoftmaxKeys are what every kernel with a softmax has, attentionKeys what one with a soft cap has,
// too.
var (
	SoftmaxKeys = []op.Key{
		{Name: "accumulate", Default: "F32", Doc: "sums of products"},
		{Name: "probabilities", Default: "the value type", Doc: "softmax weights before the value product"},
		{
			Name: "scores", Default: "F32",
			Doc: "attention scores (in the backward pass also the gradient of the weights, which has their shape)",
		},
		step.ExpKey, op.SubnormalsKey,
	}
	attentionKeys = append(SoftmaxKeys[:len(SoftmaxKeys):len(SoftmaxKeys)],
		op.Key{
			Name: "cap_chain", Default: "that of scores",
			Doc: "each step of a soft cap: the division, tanh, the product with the cap",
		},
		op.Key{
			Name: "tanh", Default: "exact",
			Doc: "tanh of a soft cap: exact, good to 2 ulp, or approx, the fast instruction, good to 2⁻¹¹",
		})
)

var attentionInputs = []op.Tensor{
	{Name: "q", Shape: []string{"B", "S", "H", "D"}, Parts: true, Doc: "queries"},
	{Name: "k", Shape: []string{"B", "T", "G", "D"}, Parts: true, Doc: "keys"},
	{Name: "v", Shape: []string{"B", "T", "G", "V"}, Parts: true, Doc: "values"},
	{Name: "kv_lens", Shape: []string{"B"}, Integer: true, Optional: true, Doc: "keys in use in each sequence (T)"},
	{Name: "sink", Shape: []string{"H"}, Optional: true, Doc: "logit of each head's sink, in units of scaled scores"},
}

var attentionAttrs = []op.Attr{
	{
		Name: "scale", Kind: op.Number, Missing: "1/√D", Doc: "what q·k is multiplied by",
		Derived: func(c *op.Case) float64 { return 1 / math.Sqrt(float64(c.Dim("D"))) },
	},
	{Name: "causal", Kind: op.Flag, Default: false, Doc: "query s of S sees keys j ≤ kv_len − S + s"},
	{
		Name: "window", Kind: op.Count, Default: 0,
		Doc: "the query at position i sees keys j > i − window; 0 is no window",
	},
	{Name: "softcap", Kind: op.Number, Default: 0.0, Doc: "scores become cap·tanh(score/cap); 0 is no cap"},
	LSEBase,
}

// LSEBase is the base of log-sum-exps.
var LSEBase = op.Attr{
	Name: "lse_base", Kind: op.Choice, Default: "e", Choices: []string{"e", "2"}, Doc: "base of the log-sum-exp",
}

func checkAttention(c *op.Case) error {
	if h, g := c.Dim("H"), c.Dim("G"); h%g != 0 {
		return fmt.Errorf("tensor %q: %d heads, want a multiple of the %d key and value heads", "q", h, g)
	}
	if c.Has("scale") && c.Float("scale") == 0 {
		return fmt.Errorf("attrs: %q: found 0, want a scale that is not 0", "scale")
	}
	if c.Float("softcap") < 0 {
		return fmt.Errorf("attrs: %q: found %v, want 0 or more", "softcap", c.Float("softcap"))
	}
	return CheckLengths(c, c.Dim("T"))
}

// CheckLengths checks kv_lens against the room for keys.
func CheckLengths(c *op.Case, room int) error {
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

// ModelOf returns the error model that an attention op's attributes and arithmetic describe.
func ModelOf(c *op.Case, values string, width int) Model {
	m := Model{
		accumulate:    c.Arithmetic.Accumulate,
		probabilities: c.TypeOr(c.Arithmetic.Probabilities, values),
		Scores:        c.Arithmetic.Scores,
		Scale:         1 / math.Sqrt(float64(width)),
		softCap:       c.Float("softcap"),
		capChain:      c.Arithmetic.CapChain,
		fastExp:       c.Arithmetic.Exp == "approx",
		fastTanh:      c.Arithmetic.Tanh == "approx",
		Q:             c.Recording.Type(values), K: c.Recording.Type(values), V: c.Recording.Type(values),
	}
	if m.capChain == dtype.Invalid {
		m.capChain = m.Scores
	}
	if c.Recording.Has("q") {
		m.Q = c.Recording.Type("q")
	}
	if c.Recording.Has("k") {
		m.K = c.Recording.Type("k")
	}
	if c.Has("scale") {
		m.Scale = c.Float("scale")
	}
	return m
}

// KeysInUse returns kv_len of sequence b.
func KeysInUse(c *op.Case, b int) int {
	if lens := c.Input("kv_lens"); lens != nil {
		return int(lens.Data[b])
	}
	return c.Dim("T")
}

// Sink returns the sink of head h, or nil.
func Sink(c *op.Case, h int) *float64 {
	if s := c.Input("sink"); s != nil {
		return &s.Data[h]
	}
	return nil
}

// BlockRows is how many query rows are computed at a time, so that a block's weights stay within 8
// MiB.
func BlockRows(keys int) int { return min(max(1<<20/max(keys, 1), 1), 128) }

// LSEUnit is what a natural logarithm is divided by to get the recorded one.
func LSEUnit(c *op.Case) float64 {
	if c.Word("lse_base") == "2" {
		return math.Ln2
	}
	return 1
}

// eachOfGroup calls f for the query heads that use key and value head g.
func eachOfGroup(c *op.Case, g int, f func(h int)) {
	for h := range c.Dim("H") {
		if attention.Group(h, c.Dim("H"), c.Dim("G")) == g {
			f(h)
		}
	}
}

// Pairs counts the scores of queries and keys, masked ones too; room is how many keys a sequence
// may have.
func Pairs(c *op.Case, room float64) float64 {
	keys := c.Extent("B") * room
	if c.Recording.Has("kv_lens") && c.Extent("B") <= mostLengths {
		if lens, err := c.Recording.Tensor("kv_lens"); err == nil {
			keys = 0
			for _, n := range lens.Data {
				keys += max(0, min(n, room))
			}
		}
	}
	return keys * c.Extent("S") * c.Extent("H")
}

// mostLengths is up to how many sequences the lengths are read for an estimate.
const mostLengths = 1 << 20
