package foreign

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
)

// definition is what a kernel is to compute, as FlashInfer's traces have it.
type definition struct {
	object
	name, kind string
	workload   object
	uuid       string
	root       string // paths of the workload start here
	above      bool   // the options name it
}

// readTrace imports a workload of a definition: the definition first, then the file of workloads or
// traces, and files of arrays, which hold results, and inputs that the workload leaves to chance.
func readTrace(paths []string, o Options) (*builder, error) {
	fields, err := readJSON(paths[0])
	if err != nil {
		return nil, err
	}
	d := &definition{object: objectOf(paths[0], fields), root: o.Root, above: o.Root != ""}
	d.workload.err = d.err
	d.name, d.kind = d.str("name"), d.str("op_type")
	if *d.err != nil {
		return nil, *d.err
	}
	f, err := d.family()
	if err != nil {
		return nil, err
	}
	all, err := d.files(paths[1:], o)
	if err != nil {
		return nil, err
	}
	return d.call(f, all, o)
}

// files reads what stands behind the definition: a file of workloads, and arrays.
func (d *definition) files(paths []string, o Options) (*arrays, error) {
	var others []string
	for _, path := range paths {
		if filepath.Ext(path) != ".jsonl" {
			others = append(others, path)
		} else if err := d.choose(path, o); err != nil {
			return nil, err
		}
	}
	return readArrays(others)
}

// family is a kind of definitions that an op is meant by.
type family struct {
	op string
	do func(c *call)
}

// families are the definitions that are imported, by how their names begin. Others of the same
// op_type take other arguments.
var families = []struct {
	kind, begins string
	family
}{
	{"rmsnorm", "rmsnorm_h", family{"norm.rms", (*call).norm}},
	{"gqa_paged", "gqa_paged_decode_", family{"attention.forward", (*call).cached}},
	{"gqa_paged", "gqa_paged_prefill_", family{"attention.forward", (*call).cached}},
	{"gqa_ragged", "gqa_ragged_", family{"attention.forward", (*call).ragged}},
	{"mla_paged", "mla_paged_decode_", family{"mla.decode", (*call).latent}},
	{"mla_paged", "mla_paged_prefill_", family{"mla.decode", (*call).latent}},
	{"single_decode", "single_decode_", family{"attention.forward", (*call).single}},
	{"single_prefill", "single_prefill_", family{"attention.forward", (*call).single}},
	{"cascade_merge", "merge_state_h", family{"attention.merge", (*call).merge}},
	{"cascade_merge", "merge_states_", family{"attention.merge", (*call).mergeSeveral}},
}

// family returns what the definition is to be mapped as, or says why there is nothing.
func (d *definition) family() (family, error) {
	var names []string
	for _, f := range families {
		if f.kind == d.kind && strings.HasPrefix(d.name, f.begins) {
			return f.family, nil
		}
		if f.kind == d.kind {
			names = append(names, f.begins+"…")
		}
	}
	why := whyNot[d.kind]
	if why == "" {
		why = "no op computes it"
	}
	if names != nil {
		why = "of these " + strings.Join(names, " and ") + " are imported"
	}
	return family{}, fmt.Errorf("%s: definition %s of op_type %s: %s", d.where, spelling.Quote(d.name),
		spelling.Quote(d.kind), why)
}

// whyNot says of kinds of definitions why no recording is made of them.
var whyNot = map[string]string{
	"gemm":       "no op is a plain product of matrices",
	"gemm_fp8":   "its scales have the layout of some backend; fp8.gemm is imported from arrays, by -op",
	"moe":        "routing, products of FP8 codes by blocks and their sum are one call there, and three ops here",
	"rope":       "its angles come from a table of cosines; rope.apply forms them of a base and positions",
	"mla_ragged": "no public definition says what its tensors are; attention.forward is imported from arrays, by -op",
}

// choose finds the workload in a file that has one in each line.
func (d *definition) choose(path string, o Options) error {
	if d.uuid != "" {
		return fmt.Errorf("%s: a second file of workloads, want one", path)
	}
	uuids, err := d.workloads(path, o.Workload)
	switch {
	case err != nil:
		return err
	case len(uuids) == 0:
		return fmt.Errorf("%s: no workload of definition %s whose uuid begins with %q", path, spelling.Quote(d.name),
			o.Workload)
	case len(uuids) > 1:
		return fmt.Errorf("%s: %d workloads of definition %s, want one by -workload: %s", path, len(uuids),
			spelling.Quote(d.name), few(uuids))
	}
	if d.root == "" {
		d.root = rootOf(path)
	}
	return nil
}

// workloads lists those of the definition whose uuid begins so, the first of which is kept, or the
// one that has all of it. Traces have a workload once for each solution that was tried on it.
func (d *definition) workloads(path, begins string) (uuids []string, err error) {
	err = eachLine(path, func(fields map[string]any) (bool, error) {
		line := objectOf("workload", fields)
		w := line.in("workload")
		uuid := w.str("uuid")
		if line.str("definition") != d.name || *line.err != nil || !strings.HasPrefix(uuid, begins) {
			return false, *line.err
		}
		if len(uuids) == 0 || uuid == begins {
			w.err = d.err
			d.workload, d.uuid = w, uuid
		}
		if uuid == begins {
			uuids = []string{uuid}
			return true, nil
		}
		if !slices.Contains(uuids, uuid) {
			uuids = append(uuids, uuid)
		}
		return false, nil
	})
	return uuids, err
}

// few lists the first of many words.
func few(words []string) string {
	const most = 5
	if len(words) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(words[:most], ", "), len(words)-most)
	}
	return strings.Join(words, ", ")
}

// rootOf returns the folder that paths of a workload start from: the next above it that has
// definitions or blob, as a data set of traces does, or else its own.
func rootOf(path string) string {
	folder := filepath.Dir(path)
	absolute, err := filepath.Abs(folder)
	for up := absolute; err == nil; up = filepath.Dir(up) {
		for _, name := range []string{"definitions", "blob"} {
			if info, err := os.Stat(filepath.Join(up, name)); err == nil && info.IsDir() {
				return up
			}
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	return folder
}

// call maps the workload, its inputs and the results that were given.
func (d *definition) call(f family, all *arrays, o Options) (*builder, error) {
	c := newCall(begin("FlashInfer trace", f.op, o), d.where)
	if err := d.collect(c, all); err != nil {
		return nil, err
	}
	c.causal = d.causal()
	if c.rec.Provenance["note"] = "definition " + d.name; d.uuid != "" {
		c.rec.Provenance["note"] = "definition " + d.name + ", workload " + d.uuid
	}
	if f.do(c); f.op == "norm.rms" {
		d.epsilon(c)
	}
	c.rest()
	return c.builder, cmp.Or(c.err, *d.err)
}

// causal returns what says of a prefill whether it is masked: its name or description. The
// reference of single_prefill is not, unless it is called so.
func (d *definition) causal() func() bool {
	said := strings.Contains(d.name, "causal") || strings.Contains(d.str("description"), "causal")
	switch {
	case d.kind == "single_prefill":
		return func() bool { return false }
	case said:
		return func() bool { return true }
	}
	return nil
}

// constant finds the ε that references have as a constant.
var constant = regexp.MustCompile(`(?m)^\s*EPS\s*=\s*([0-9.eE+-]+)\s*$`)

// epsilon sets the ε of a definition that has none among its inputs.
func (d *definition) epsilon(c *call) {
	_, given := c.rec.Attrs["eps"]
	_, said := c.o.Attrs["eps"]
	if given || said {
		return
	}
	found := constant.FindAllStringSubmatch(d.str("reference"), -1)
	if len(found) == 1 {
		if x, err := strconv.ParseFloat(found[0][1], 64); err == nil {
			c.attr("eps", x)
			return
		}
	}
	c.refuse("eps", "neither an input nor a constant EPS of the reference: -attrs '{\"eps\":1e-6}' says it")
}

// collect reads every input and result of the definition that there is.
func (d *definition) collect(c *call, all *arrays) error {
	for _, side := range []string{"inputs", "outputs"} {
		for _, name := range d.in(side).keys() {
			if err := d.read(c, all, side, name); err != nil {
				return err
			}
		}
	}
	for _, name := range sorted(all.named) {
		if short := strings.TrimPrefix(name, "out."); !d.in("inputs").has(name) && !d.in("outputs").has(short) {
			c.leave(name, "an array that the definition has no tensor for")
		}
	}
	return *d.err
}

// read reads one of them, and checks that it is what the definition says.
func (d *definition) read(c *call, all *arrays, side, name string) error {
	to := canonical(name)
	if side == "outputs" {
		to = "out." + name
	}
	err := d.value(c, all, side, name, to)
	if a, ok := c.arrays[to]; ok && err == nil {
		err = fits(a, d.in(side).in(name), d.lengths(), side == "inputs")
	}
	return within(d.where+": "+clip(name), err)
}

// canonical returns the name under which the mapping knows an input.
func canonical(name string) string {
	if name == "input" {
		return "hidden_states"
	}
	return name
}

// value reads an input or result: from the arrays that were given, or as the workload says.
func (d *definition) value(c *call, all *arrays, side, name, to string) error {
	c.labels[to] = name
	for _, key := range []string{name, to} {
		if a, ok := all.named[key]; ok {
			a, err := a.settled()
			c.arrays[to], c.labels[to] = a, key
			return within(all.from[key], err)
		}
	}
	if side == "outputs" {
		return nil
	}
	return d.input(c, d.workload.in("inputs").in(name), to)
}

// input reads an input as the workload says.
func (d *definition) input(c *call, source object, to string) error {
	switch kind := source.str("type"); kind {
	case "":
	case "scalar":
		c.scalars[to] = source.fields["value"]
	case "safetensors":
		a, err := d.stored(source.str("path"), source.str("tensor_key"))
		c.arrays[to] = a
		return err
	case "random":
		return errors.New("random: the workload does not hold its numbers; name a file of arrays that has it")
	default:
		source.fail("type", kind, "random, scalar or safetensors")
	}
	return *d.err
}

// stored reads a tensor of a file below the root.
func (d *definition) stored(path, key string) (Array, error) {
	if relative, err := filepath.Rel(d.root, path); err == nil && d.above && filepath.IsAbs(path) {
		path = relative
	}
	f, err := openIn(d.root, path)
	if err != nil {
		return Array{}, err
	}
	defer f.Close()
	rec, err := openTensors(f, path)
	if err != nil {
		return Array{}, err
	}
	if !rec.Has(key) {
		return Array{}, fmt.Errorf("%s: no tensor %s%s", path, spelling.Quote(key),
			spelling.Suggest(key, append(rec.Inputs(), outputNames(rec)...)))
	}
	return tensorOf(rec, key)
}

// lengths returns the lengths of the axes that have one.
func (d *definition) lengths() map[string]int {
	lengths := map[string]int{}
	axes := d.in("axes")
	for _, name := range axes.keys() {
		if n, ok := axes.in(name).integer("value"); ok {
			lengths[name] = n
		} else if n, ok := d.workload.in("axes").integer(name); ok {
			lengths[name] = n
		}
	}
	return lengths
}

// fits checks that an array is what a definition has for a tensor. A scalar has no shape. What type
// a kernel's results have is its own affair.
func fits(a Array, spec object, lengths map[string]int, typed bool) error {
	if want, known := torchTypes[spec.str("dtype")]; known && typed && want != a.Type {
		return fmt.Errorf("%v, the definition has %s", a.Type, spec.str("dtype"))
	}
	names, _ := spec.fields["shape"].([]any)
	if names == nil {
		return nil
	}
	if len(names) != len(a.Shape) {
		return fmt.Errorf("shape %v, the definition has %s", a.Shape, plural(len(names), "axis"))
	}
	for i, name := range names {
		word, _ := name.(string)
		if n, ok := lengths[word]; ok && n != a.Shape[i] {
			return fmt.Errorf("shape %v, the definition has %d for axis %s", a.Shape, n, spelling.Quote(word))
		}
	}
	return nil
}

// torchTypes are the names of element types in definitions.
var torchTypes = map[string]dtype.Type{
	"float64": dtype.F64, "float32": dtype.F32, "float16": dtype.F16, "bfloat16": dtype.BF16,
	"float8_e4m3fn": dtype.F8E4M3, "float8_e5m2": dtype.F8E5M2,
	"int64": dtype.I64, "int32": dtype.I32, "bool": dtype.Bool,
}
