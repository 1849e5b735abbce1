package foreign

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/tensor"
)

// call is one call of a function of FlashInfer: its arguments and results under the names that they
// have in its definitions. The first thing that is wrong is kept in err, and what is asked for
// after it is empty.
type call struct {
	*builder
	where   string
	arrays  map[string]Array  // results as out.NAME
	labels  map[string]string // what the files call them; "": the same
	scalars map[string]any    // as JSON has them; null as nothing
	used    map[string]bool
	causal  func() bool // of a call whose arguments do not say
	batched bool        // of several sequences, of which one may be taken
	err     error
}

func newCall(b *builder, where string) *call {
	return &call{
		builder: b, where: where, arrays: map[string]Array{}, labels: map[string]string{}, scalars: map[string]any{},
		used: map[string]bool{},
	}
}

func (c *call) fail(format string, args ...any) {
	if c.err == nil {
		c.err = within(c.where, fmt.Errorf(format, args...))
	}
}

// ok tells whether nothing was wrong so far, err neither.
func (c *call) ok(name string, err error) bool {
	if err != nil {
		c.fail("%s: %w", name, err)
	}
	return c.err == nil
}

// array returns an argument or result, if there is one.
func (c *call) array(name string) (Array, bool) {
	c.used[name] = true
	a, ok := c.arrays[name]
	return a, ok
}

// need is array of one that there has to be, with so many axes.
func (c *call) need(name string, axes ...int) Array {
	a, ok := c.array(name)
	switch {
	case !ok:
		c.fail("%s: no file that is named has it", name)
	case !slices.Contains(axes, len(a.Shape)):
		c.fail("%s of shape %v, want %s", name, a.Shape, plural(axes[0], "axis"))
	}
	return a
}

// ints is need of a list of whole numbers.
func (c *call) ints(name string) []int {
	a := c.need(name, 1)
	if c.err != nil {
		return nil
	}
	list, err := a.ints()
	c.ok(name, err)
	return list
}

// put is set of an array that stands under a name of the call.
func (c *call) put(to, name string, a Array, how string) {
	label := c.labels[name]
	if label == "" {
		label = name
	}
	c.set(to, label, a, how)
}

// number returns a scalar argument, and whether it is given.
func (c *call) number(name string) (float64, bool) {
	c.used[name] = true
	if a, ok := c.arrays[name]; ok { // of one element
		x, err := a.number()
		return x, c.ok(name, err)
	}
	value := c.scalars[name]
	if value == nil {
		return 0, false
	}
	n, _ := value.(json.Number)
	x, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.IsInf(x, 0) {
		c.fail("%s: found %s, want a finite number", name, spelling.Show(value))
		return 0, false
	}
	return x, true
}

// flag returns an argument that is true or false, and whether it is given. Some files have 0 and 1.
func (c *call) flag(name string) (value, given bool) {
	c.used[name] = true
	switch v := c.scalars[name].(type) {
	case nil:
		return false, false
	case bool:
		return v, true
	case json.Number:
		if v == "0" || v == "1" {
			return v == "1", true
		}
	}
	c.fail("%s: found %s, want true or false", name, spelling.Show(c.scalars[name]))
	return false, false
}

// inert are arguments that say how a result is computed, and not which. What buffers they are is
// beside the point: the results of a call are recorded as such.
var inert = []string{
	"self", "out", "lse", "return_lse", "enable_pdl", "backend", "use_tensor_cores", "rope_scale", "rope_theta",
	"profiler_buffer", "use_profiler", "non_blocking", "fixed_split_size", "disable_split_kv", "workspace_size",
	"num_qo_heads", "num_kv_heads", "num_heads", "head_dim", "head_dim_qk", "head_dim_vo", "head_dim_ckv",
	"head_dim_kpe", "page_size", "q_data_type", "kv_data_type", "o_data_type", "data_type", "o_dtype", "seq_lens",
	"seq_lens_q", "block_tables", "max_token_per_sequence", "max_sequence_kv",
}

// neutral are arguments that change the result unless they have this value.
var neutral = map[string]string{
	"pos_encoding_mode": `"NONE"`, "use_fp16_qk_reduction": "false", "use_fp16_softmax": "false",
	"token_pos_in_items_len": "0", "q_len_per_req": "1", "q_scale": "1", "k_scale": "1", "v_scale": "1", "o_scale": "1",
}

// rest names what nothing was made of: an argument that changes the result keeps the call out.
func (c *call) rest() {
	names := sorted(c.scalars)
	for _, name := range sorted(c.arrays) {
		if _, twice := c.scalars[name]; !twice {
			names = append(names, name)
		}
	}
	if c.o.Sequence != 0 && !c.batched {
		c.refuse("-sequence", "%d, and the call is of no batch of sequences", c.o.Sequence)
	}
	for _, name := range names {
		value, isScalar := c.scalars[name]
		_, isArray := c.arrays[name]
		switch {
		case c.used[name] || slices.Contains(inert, name) || isScalar && !isArray && value == nil:
		case isScalar && !isArray && same(value, neutral[name]):
		case strings.HasPrefix(name, "out."):
			c.leave(strings.TrimPrefix(name, "out."), "a result, for which "+c.op.Name+" has no output")
		default:
			c.refuse(name, "an argument, for which %s has nothing", c.op.Name)
		}
	}
}

// same tells whether a value is the one that JSON writes so; 1.0 is 1.
func same(value any, text string) bool {
	if n, ok := value.(json.Number); ok {
		x, err := strconv.ParseFloat(string(n), 64)
		y, err2 := strconv.ParseFloat(text, 64)
		return err == nil && err2 == nil && x == y
	}
	return text != "" && spelling.Show(value) == text
}

// norm maps rmsnorm: rows of two or three axes, normalised along the last.
func (c *call) norm() {
	x, weight := c.need("hidden_states", 2, 3), c.need("weight", 1)
	if c.err != nil {
		return
	}
	c.put("x", "hidden_states", flat(x), "")
	c.put("weight", "weight", weight, "")
	if y, ok := c.array("out.output"); ok {
		c.put("out.y", "out.output", flat(y), "")
	}
	if eps, given := c.number("eps"); given {
		c.attr("eps", eps)
	}
}

// flat joins all axes but the last.
func flat(a Array) Array {
	if len(a.Shape) < 2 {
		return a
	}
	last := len(a.Shape) - 1
	n, _ := tensor.Elements(a.Shape[:last])
	return a.reshaped(n, a.Shape[last])
}

// merge maps merge_state, of two parts.
func (c *call) merge() {
	va, vb, sa, sb := c.need("v_a", 3), c.need("v_b", 3), c.need("s_a", 2), c.need("s_b", 2)
	if c.err != nil {
		return
	}
	values, err := stacked(va, vb)
	sums, err2 := stacked(sa, sb)
	if c.ok("v_a and v_b", err) && c.ok("s_a and s_b", err2) {
		c.merged("v_a", "s_a", values, sums)
	}
}

// mergeSeveral maps merge_states: the parts of a token stand together there, here those of a part
// do.
func (c *call) mergeSeveral() {
	v, s := c.need("v", 4), c.need("s", 3)
	if c.err != nil {
		return
	}
	v, _ = v.permuted(1, 0, 2, 3)
	s, _ = s.permuted(1, 0, 2)
	c.merged("v", "s", v, s)
}

// asRows says what became of the axes of a merge.
const asRows = "tokens and heads as one axis"

// merged puts parts [P, tokens, heads, V] and their sums; tokens and heads become one axis.
func (c *call) merged(v, s string, values, sums Array) {
	rows := func(a Array, from int, rest ...int) Array {
		n, _ := tensor.Elements(a.Shape[from : from+2])
		return a.reshaped(append(append(slices.Clone(a.Shape[:from]), n), rest...)...)
	}
	c.attr("lse_base", "2")
	c.put("o", v, rows(values, 1, values.Shape[3]), asRows)
	c.put("lse", s, rows(sums, 1), asRows)
	if o, ok := c.array("out.v_merged"); ok && len(o.Shape) == 3 {
		c.put("out.o", "out.v_merged", rows(o, 0, o.Shape[2]), asRows)
	}
	if lse, ok := c.array("out.s_merged"); ok && len(lse.Shape) == 2 {
		c.put("out.lse", "out.s_merged", rows(lse, 0), asRows)
	}
}

// stacked puts two arrays of one shape and type one behind the other, along a new first axis.
func stacked(x, y Array) (Array, error) {
	if x.Type != y.Type || !slices.Equal(x.Shape, y.Shape) {
		return x, fmt.Errorf("%v %v and %v %v, want one type and shape", x.Type, x.Shape, y.Type, y.Shape)
	}
	both, err := newArray(x.Type, x.Size, append([]int{2}, x.Shape...))
	if err == nil {
		copy(both.Data[copy(both.Data, x.Data):], y.Data)
	}
	return both, err
}
