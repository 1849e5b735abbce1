package foreign

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// graph is a golden bundle of hipDNN: a graph in JSON, and the bytes of each of its tensors in a
// file beside it.
type graph struct {
	*builder
	path    string
	tensors map[int]object // by uid
	node    object
	done    map[string]bool // of the node's inputs and outputs: what has been looked at
}

// readGraph imports a graph of one node.
func readGraph(paths []string, o Options) (*builder, error) {
	if len(paths) != 1 {
		return nil, fmt.Errorf("%s is %s, which is named alone: its tensors stand beside it", paths[0], graphKind)
	}
	fields, err := readJSON(paths[0])
	if err != nil {
		return nil, err
	}
	g := &graph{path: paths[0], tensors: map[int]object{}, done: map[string]bool{}}
	whole := objectOf(g.path, fields)
	g.list(whole)
	nodes := whole.list("nodes")
	if *whole.err == nil && len(nodes) != 1 {
		return nil, fmt.Errorf("%s: %s, %s: a recording is one call of one kernel, want a graph of one node",
			g.path, plural(len(nodes), "node"), strings.Join(kinds(nodes), ", "))
	}
	if *whole.err != nil {
		return nil, *whole.err
	}
	g.node = nodes[0]
	err = g.call(o)
	return g.builder, err
}

// list reads the tensors.
func (g *graph) list(whole object) {
	for _, t := range whole.list("tensors") {
		uid, ok := t.integer("uid")
		if _, twice := g.tensors[uid]; !ok || twice {
			t.fail("uid", t.fields["uid"], "a number of its own")
		}
		g.tensors[uid] = t
	}
}

// kinds lists what nodes compute.
func kinds(nodes []object) (names []string) {
	for _, n := range nodes {
		names = append(names, spelling.Quote(n.str("type")))
	}
	return names
}

// call maps the node, by what it computes.
func (g *graph) call(o Options) error {
	kind := g.node.str("type")
	known := map[string]struct {
		op string
		do func()
	}{
		"SdpaAttributes":         {"attention.forward", g.forward},
		"SdpaBackwardAttributes": {"attention.backward", g.backward},
		"RMSNormAttributes":      {"norm.rms", g.norm},
	}
	found, ok := known[kind]
	if !ok {
		return fmt.Errorf("%s: a node of type %s, of which there is no op; SdpaAttributes, SdpaBackwardAttributes and "+
			"RMSNormAttributes are imported", g.path, spelling.Quote(kind))
	}
	g.builder = begin("hipDNN golden bundle", found.op, o)
	found.do()
	g.unread("inputs", true)
	g.unread("outputs", false)
	return *g.node.err
}

// fail keeps the first thing that is wrong.
func (g *graph) fail(format string, args ...any) {
	if *g.node.err == nil {
		*g.node.err = within(g.node.where, fmt.Errorf(format, args...))
	}
}

// unread names what the node has beside all that was mapped. An input changes what is computed.
func (g *graph) unread(key string, needed bool) {
	for _, name := range g.node.in(key).keys() {
		switch {
		case !strings.HasSuffix(name, uidSuffix) || !g.node.in(key).has(name) || g.done[name]:
		case needed:
			g.refuse(strings.TrimSuffix(name, uidSuffix), "an input, for which %s has none", g.op.Name)
		default:
			g.leave(strings.TrimSuffix(name, uidSuffix), "an output, for which "+g.op.Name+" has none")
		}
	}
}

// uidSuffix ends the names of inputs and outputs.
const uidSuffix = "_tensor_uid"

// tensor reads an input or output of the node; ok is false where it has none of this name, or
// something was wrong.
func (g *graph) tensor(key, name string) (a Array, label string, ok bool) {
	g.done[name+uidSuffix] = true
	uid, ok := g.node.in(key).integer(name + uidSuffix)
	if !ok || *g.node.err != nil {
		return a, "", false
	}
	t, known := g.tensors[uid]
	if !known {
		g.fail("%s: no tensor has the uid %d", name+uidSuffix, uid)
		return a, "", false
	}
	label = fmt.Sprintf("tensor %d", uid)
	if word := t.str("name"); word != "" {
		label = fmt.Sprintf("%s (tensor %d)", word, uid)
	}
	a, err := g.data(uid, t)
	if err != nil {
		g.fail("%s: %w", label, err)
	}
	return a, label, *g.node.err == nil
}

// required is tensor of one that the node has to have, with so many axes; 0 is any.
func (g *graph) required(key, name string, axes int) (Array, string) {
	a, label, ok := g.tensor(key, name)
	switch {
	case !ok:
		g.fail("%s: no %s", key, name+uidSuffix)
	case axes != 0 && len(a.Shape) != axes:
		g.fail("%s of shape %v, want %s", label, a.Shape, plural(axes, "axis"))
	}
	return a, label
}

// data reads the elements of a tensor from its file, or, where there is none, the value that the
// graph has for it.
func (g *graph) data(uid int, t object) (Array, error) {
	typ, known := hipdnnTypes[t.str("data_type")]
	shape, strides := t.integers("dims"), t.integers("strides")
	switch {
	case *t.err != nil:
		return Array{}, *t.err
	case !known:
		return Array{}, fmt.Errorf("data_type %s, which recordings do not have", spelling.Quote(t.str("data_type")))
	case t.has("ragged_offset_tensor_uid"):
		return Array{}, errors.New("ragged_offset_tensor_uid: sequences that are packed are not read")
	case t.flag("virtual"):
		return Array{}, errors.New("virtual: it has no bytes")
	}
	raw, err := g.bytes(uid, shape, strides, typ.Size())
	if errors.Is(err, fs.ErrNotExist) {
		return valueOf(t, typ, shape, err)
	}
	a := Array{Type: typ, Size: typ.Size(), Shape: shape, Data: raw}
	if err == nil && !slices.Equal(strides, rowMajor(shape)) {
		a = a.strided(shape, strides)
	}
	return a, err
}

// bytes reads the file of a tensor.
func (g *graph) bytes(uid int, shape, strides []int, size int) ([]byte, error) {
	space, err := spaceOf(shape, strides, size)
	if err != nil {
		return nil, err
	}
	stem := strings.TrimSuffix(filepath.Base(g.path), filepath.Ext(g.path))
	return readBytes(filepath.Dir(g.path), fmt.Sprintf("%s.tensor%d.bin", stem, uid), space)
}

// spaceOf returns how many bytes a tensor with strides lies in. A stride of 0, or any by which two
// elements have one place, would make much of little.
func spaceOf(shape, strides []int, size int) (int, error) {
	if len(shape) != len(strides) {
		return 0, fmt.Errorf("dims %v and strides %v, want as many of both", shape, strides)
	}
	n, err := bytesOf(shape, size)
	if err != nil || n == 0 {
		return n, err
	}
	last := int64(0)
	for i, d := range shape {
		if strides[i] < 0 || strides[i] > MaxBytes/d {
			return 0, fmt.Errorf("strides %v, want them positive and within %d bytes", strides, int64(MaxBytes))
		}
		last += int64(d-1) * int64(strides[i])
	}
	if last >= int64(MaxBytes/size) || (last+1)*int64(size) < int64(n) {
		return 0, fmt.Errorf("dims %v with strides %v lie in %d elements, want room for each", shape, strides, last+1)
	}
	return int(last+1) * size, nil
}

// readBytes reads a file of a folder, which has to have this size.
func readBytes(folder, name string, size int) ([]byte, error) {
	f, err := openIn(folder, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.size != int64(size) {
		return nil, fmt.Errorf("%s: %d bytes, want the %d of its dims, strides and data_type", name, f.size, size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, within(name, cause(err))
	}
	return b, nil
}

// valueOf returns the value that the graph has for a tensor of one element without a file.
func valueOf(t object, typ dtype.Type, shape []int, missing error) (Array, error) {
	n, _ := tensor.Elements(shape)
	x, ok := t.number("value")
	if !ok || n != 1 || typ.Size() > 8 || !typ.Float() {
		return Array{}, missing
	}
	a, err := newArray(typ, typ.Size(), shape)
	if err == nil {
		typ.Encode(a.Data, []float64{x})
	}
	return a, err
}

// hipdnnTypes are the names of element types in a graph. Bundles of 2026 have float16 for half,
// too.
var hipdnnTypes = map[string]dtype.Type{
	"float": dtype.F32, "half": dtype.F16, "float16": dtype.F16, "bfloat16": dtype.BF16, "double": dtype.F64,
	"uint8": dtype.U8, "int32": dtype.I32, "int64": dtype.I64, "boolean": dtype.Bool,
	"fp8_e4m3": dtype.F8E4M3, "fp8_e5m2": dtype.F8E5M2, "fp8_e8m0": dtype.F8E8M0,
}

// forward maps softmax attention.
func (g *graph) forward() {
	g.attended("q", "k", "v")
	g.headsFirst("outputs", "o", "out.o")
	stats, label, ok := g.tensor("outputs", "stats")
	if !ok {
		return
	}
	shape := g.rec.Shape("q") // B, S, H, D
	want := []int{shape[0], shape[2], shape[1], 1}
	if !slices.Equal(stats.Shape, want) && !slices.Equal(stats.Shape, want[:3]) {
		g.fail("%s of shape %v, want %v, with or without the last axis", label, stats.Shape, want)
		return
	}
	g.set("out.lse", label, stats.reshaped(want[:3]...), "")
}

// backward maps the gradients of attention.
func (g *graph) backward() {
	g.attended("q", "k", "v", "do")
	for _, name := range []string{"dq", "dk", "dv"} {
		g.headsFirst("outputs", name, "out."+name)
	}
	for _, name := range []string{"o", "stats"} {
		g.done[name+uidSuffix] = true
		g.leave(name, "what the forward pass gave: the verifier computes it anew")
	}
}

// attended maps the inputs of attention, its scale and its mask.
func (g *graph) attended(names ...string) {
	for _, name := range names {
		g.headsFirst("inputs", name, name)
	}
	a := g.node.in("attributes")
	for _, name := range []string{"alibi_mask", "padding_mask"} {
		if a.flag(name) {
			g.refuse(name, "%s has no such mask", g.op.Name)
		}
	}
	if p, _ := a.number("dropout_probability"); p != 0 {
		g.refuse("dropout_probability", "%s drops no weights", g.op.Name)
	}
	for _, name := range a.keys() {
		if a.has(name) && !slices.Contains(sdpaAttributes, name) {
			g.refuse(name, "an attribute that is not known here")
		}
	}
	if x, ok := g.one("scale"); ok {
		g.attr("scale", x)
	} else if x, ok := a.number("attn_scale_value"); ok {
		g.attr("scale", x)
	}
	if *g.node.err == nil {
		g.mask(a)
	}
}

// sdpaAttributes are the attributes of attention that are read, and after those how it is computed.
var sdpaAttributes = []string{
	"alibi_mask", "padding_mask", "dropout_probability", "attn_scale_value",
	"causal_mask", "causal_mask_bottom_right", "left_bound", "right_bound", "diagonal_alignment",
	"generate_stats", "max_seq_len_kv", "mma_core_mode", "implementation", "umd_flops", "umd_bytes",
}

// headsFirst maps a tensor [B, H, S, D] to [B, S, H, D].
func (g *graph) headsFirst(key, name, to string) {
	a, label := g.required(key, name, 4)
	if *g.node.err != nil {
		return
	}
	a, err := a.permuted(0, 2, 1, 3)
	if err != nil {
		g.fail("%s: %w", label, err)
		return
	}
	g.set(to, label, a, "[B, H, S, D] as [B, S, H, D]")
}

// one returns an input that is one finite number, and whether there is one.
func (g *graph) one(name string) (float64, bool) {
	a, label, ok := g.tensor("inputs", name)
	if !ok {
		return 0, false
	}
	x, err := a.number()
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		g.fail("%s of shape %v, want one finite number", label, a.Shape)
	}
	return x, true
}

// mask maps the band of keys that a query sees: from left_bound before the diagonal to right_bound
// behind it. The diagonal begins top left, at query 0 and key 0, or ends bottom right.
func (g *graph) mask(a object) {
	left, hasLeft := a.integer("left_bound")
	right, hasRight := a.integer("right_bound")
	bottom := a.str("diagonal_alignment") == "BOTTOM_RIGHT"
	if a.flag("causal_mask") || a.flag("causal_mask_bottom_right") {
		right, hasRight, bottom = 0, true, a.flag("causal_mask_bottom_right")
	}
	hasLeft, hasRight = hasLeft && left >= 0, hasRight && right >= 0
	if !hasLeft && !hasRight {
		return
	}
	if hasRight && right > 0 {
		g.refuse("right_bound", "queries see %d keys behind their own, and a causal mask of %s none", right, g.op.Name)
	}
	if !bottom {
		g.topLeft(hasRight)
	}
	if hasRight {
		g.attr("causal", true)
	}
	if hasLeft {
		g.attr("window", left+1)
	}
}

// topLeft maps a diagonal that begins at the first key, where ops here have it end at the last:
// with more keys than queries those behind the last query are not seen, and not counted.
func (g *graph) topLeft(causal bool) {
	queries, keys := g.rec.Shape("q")[1], g.rec.Shape("k")[1]
	switch {
	case queries == keys:
	case queries > keys || !causal:
		g.refuse("diagonal_alignment", "%d queries and %d keys aligned at the first: %s aligns them at the last",
			queries, keys, g.op.Name)
	default:
		lens := make([]int, g.rec.Shape("q")[0])
		for i := range lens {
			lens[i] = queries
		}
		g.set("kv_lens", "diagonal_alignment", ofInts(lens, len(lens)), "no query sees keys behind the last query")
	}
}

// norm maps the division by the root mean square. What is normalised are the last axes in which the
// scale has the lengths of x; the first axis never is.
func (g *graph) norm() {
	x, label := g.required("inputs", "x", 0)
	weight, of := g.required("inputs", "scale", 0)
	y, out := g.required("outputs", "y", 0)
	eps, ok := g.one("epsilon")
	if !ok {
		g.fail("inputs: no epsilon%s", uidSuffix)
		return
	}
	rows, width, ok := normalised(x.Shape, weight.Shape)
	if !ok || !slices.Equal(y.Shape, x.Shape) {
		g.fail("x of shape %v, scale of %v and y of %v, want y as x, and scale of 1 but for the last axes of x",
			x.Shape, weight.Shape, y.Shape)
		return
	}
	g.attr("eps", eps)
	g.set("x", label, x.reshaped(rows, width), "")
	g.set("weight", of, weight.reshaped(width), "")
	g.set("out.y", out, y.reshaped(rows, width), "")
}

// normalised returns how many rows are normalised, and how wide they are.
func normalised(x, scale []int) (rows, width int, ok bool) {
	rows = 1
	for i, d := range x {
		if at := len(scale) - len(x) + i; i > 0 && at >= 0 && slices.Equal(scale[at:], x[i:]) {
			width, _ = tensor.Elements(x[i:])
			n, _ := tensor.Elements(scale)
			return rows, width, n == width
		}
		rows *= d
	}
	return 0, 0, false
}
