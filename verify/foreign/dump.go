package foreign

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
)

// What FlashInfer writes of a call at FLASHINFER_LOGLEVEL=10, with FLASHINFER_DUMP_SAFETENSORS=1: a
// line of metadata before the call and one after it, arguments and results.
const (
	metadataFile = "metadata.jsonl"
	inputsFile   = "inputs.safetensors"
	outputsFile  = "outputs.safetensors"
)

// dump is one call as it was dumped.
type dump struct {
	object
	folder     string
	name       string   // of the function, with its class
	parameters []string // that are positional
	scalars    map[string]any
	arrays     map[string]Array
	labels     map[string]string
}

// readDump imports a call from the folder that it was dumped to. A wrapper's run also needs its
// plan, which is another call of the same object, dumped beside it.
func readDump(paths []string, o Options) (*builder, error) {
	if len(paths) != 1 {
		return nil, fmt.Errorf("%s is %s, which is named alone", paths[0], dumpKind)
	}
	d, err := described(paths[0])
	if err != nil {
		return nil, err
	}
	f, ok := functions[d.name]
	if !ok {
		return nil, fmt.Errorf("%s: a call of %s, of which there is no op; %s are imported", d.folder,
			spelling.Quote(d.name), strings.Join(sorted(functions), ", "))
	}
	c := newCall(begin("FlashInfer dump", f.op, o), d.folder)
	c.causal = func() bool { return false } // the default of all that have it
	c.rec.Provenance["note"] = d.name
	if err := d.load(c, f); err != nil {
		return nil, err
	}
	if f.do(c); c.err != nil {
		return nil, c.err
	}
	c.rest()
	return c.builder, *d.err
}

// function is how a function of FlashInfer is mapped.
type function struct {
	op      string
	do      func(c *call)
	results []string
	planned bool // its run has arguments that another call was given
}

var attention, merged = []string{"output", "lse"}, []string{"v_merged", "s_merged"}

// functions are those that are imported, with their classes.
var functions = map[string]function{
	"rmsnorm":                      {"norm.rms", (*call).norm, []string{"output"}, false},
	"merge_state":                  {"attention.merge", (*call).merge, merged, false},
	"merge_states":                 {"attention.merge", (*call).mergeSeveral, merged, false},
	"single_decode_with_kv_cache":  {"attention.forward", (*call).single, attention, false},
	"single_prefill_with_kv_cache": {"attention.forward", (*call).single, attention, false},

	"BatchDecodeWithPagedKVCacheWrapper.run":   {"attention.forward", (*call).cached, attention, true},
	"BatchPrefillWithPagedKVCacheWrapper.run":  {"attention.forward", (*call).cached, attention, true},
	"BatchPrefillWithRaggedKVCacheWrapper.run": {"attention.forward", (*call).ragged, attention, true},
	"BatchMLAPagedAttentionWrapper.run":        {"mla.decode", (*call).latent, attention, true},
}

// described reads what a folder says of its call: the last line of the metadata, which has most.
func described(folder string) (*dump, error) {
	d, err := lastLine(folder)
	if err != nil {
		return nil, err
	}
	d.name = d.str("function_name")
	d.parameters = parameters(d.str("function_signature"))
	d.scalars, d.arrays, d.labels = map[string]any{}, map[string]Array{}, map[string]string{}
	metadata := d.in("input_metadata")
	for _, key := range metadata.keys() {
		d.scalars[d.argument(key)] = plain(metadata.fields[key])
	}
	return d, *d.err
}

// lastLine reads the metadata of a call.
func lastLine(folder string) (*dump, error) {
	path := filepath.Join(folder, metadataFile)
	d := &dump{folder: folder}
	err := eachLine(path, func(fields map[string]any) (bool, error) {
		d.object = objectOf(path, fields)
		return false, nil
	})
	if err == nil && d.fields == nil {
		err = fmt.Errorf("%s: no line of metadata", path)
	}
	return d, err
}

// tensors reads a file of the folder. A call without tensors has none.
func (d *dump) tensors(file string, name func(string) string) error {
	f, err := openIn(d.folder, file)
	if errors.Is(err, fs.ErrNotExist) {
		pickle := strings.TrimSuffix(file, ".safetensors") + ".pt"
		if _, err := os.Stat(filepath.Join(d.folder, pickle)); err == nil {
			return fmt.Errorf("%s: %s is pickled: dump with FLASHINFER_DUMP_SAFETENSORS=1", d.folder, pickle)
		}
		return nil
	}
	if err != nil {
		return within(d.folder, err)
	}
	defer f.Close()
	path := filepath.Join(d.folder, file)
	rec, err := openTensors(f, path)
	if err != nil {
		return err
	}
	for _, key := range rec.Inputs() {
		a, err := tensorOf(rec, key)
		if err != nil {
			return err
		}
		d.arrays[name(key)], d.labels[name(key)] = a, key
	}
	return nil
}

// plain returns a value of the metadata as JSON would have it: those of other types are objects
// that say so, and only the names of types and enumerations mean something.
func plain(value any) any {
	if fields, ok := value.(map[string]any); ok && fields["value"] != nil {
		return fields["value"]
	}
	return value
}

// argument returns the name of the parameter that a key stands for: arg_2 the third of the
// signature, kwarg_eps eps. What is in a tuple has its place behind it: arg_2__0.
func (d *dump) argument(key string) string {
	if name, ok := strings.CutPrefix(key, "kwarg_"); ok {
		return canonical(name)
	}
	number, inside, _ := strings.Cut(strings.TrimPrefix(key, "arg_"), "__")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(d.parameters) || !strings.HasPrefix(key, "arg_") {
		return key
	}
	if inside != "" {
		return d.parameters[i] + "__" + inside
	}
	return canonical(d.parameters[i])
}

// parameters lists the names of positional parameters in a signature such as "(self, q:
// torch.Tensor, eps: float = 1e-06, *args) -> torch.Tensor".
func parameters(signature string) (names []string) {
	for _, p := range items(signature) {
		name, _, _ := strings.Cut(p, ":")
		name, _, _ = strings.Cut(name, "=")
		if name = strings.TrimSpace(name); name == "" || name[0] == '*' {
			break
		}
		names = append(names, name)
	}
	return names
}

// items splits what stands in the first brackets of a text at its commas, but for those in brackets
// of their own or in quotes.
func items(text string) (list []string) {
	depth, start := 0, 0
	quote := rune(0)
	for i, r := range text {
		switch {
		case r == quote:
			quote = 0
		case quote != 0:
		case r == '\'' || r == '"':
			quote = r
		case strings.ContainsRune("([{", r):
			if depth++; depth == 1 {
				start = i + 1
			}
		case r == ',' && depth == 1:
			list, start = append(list, text[start:i]), i+1
		case strings.ContainsRune(")]}", r):
			if depth--; depth <= 0 {
				return append(list, text[start:i])
			}
		}
	}
	return list
}

// load gives the call its arguments and results.
func (d *dump) load(c *call, f function) error {
	if err := d.tensors(inputsFile, d.argument); err != nil {
		return err
	}
	if f.planned {
		if err := d.plan(); err != nil {
			return err
		}
	}
	results := map[string]string{"result": "out." + f.results[0]}
	for i, name := range f.results {
		results[fmt.Sprintf("result_%d", i)] = "out." + name
	}
	err := d.tensors(outputsFile, func(key string) string { return cmp.Or(results[key], "out."+key) })
	if err != nil {
		return err
	}
	c.scalars, c.arrays, c.labels = d.scalars, d.arrays, d.labels
	if status := d.str("execution_status"); status == "graph_capture_pending_flush" {
		return fmt.Errorf("%s: %s: dumped while a graph was captured, its tensors never written", d.folder, status)
	}
	return c.cache()
}

// cache splits a paged cache of keys and values, which is a pair of arrays or one with both in its
// second axis.
func (c *call) cache() error {
	const name = "paged_kv_cache"
	both, one := c.arrays[name]
	delete(c.arrays, name)
	delete(c.scalars, name)
	if one && (len(both.Shape) != 5 || both.Shape[1] != 2) {
		return fmt.Errorf("%s: %s of shape %v, want keys and values in the second of 5 axes", c.where, name, both.Shape)
	}
	for i, part := range []string{"k_cache", "v_cache"} {
		if one {
			c.arrays[part], c.labels[part] = both.part(i), c.labels[name]
			continue
		}
		key := fmt.Sprintf("%s__%d", name, i)
		if a, ok := c.arrays[key]; ok {
			c.arrays[part], c.labels[part] = a, c.labels[key]
			delete(c.arrays, key)
		}
	}
	return nil
}

// part returns entry i of the second axis.
func (a Array) part(i int) Array {
	n := len(a.Data) / max(1, a.Shape[0]*a.Shape[1])
	half := a
	half.Shape = append([]int{a.Shape[0]}, a.Shape[2:]...)
	half.Data = make([]byte, 0, len(a.Data)/max(1, a.Shape[1]))
	for row := range a.Shape[0] {
		at := (row*a.Shape[1] + i) * n
		half.Data = append(half.Data, a.Data[at:at+n]...)
	}
	return half
}

// planNames are the names that plans have for what is known here under another.
var planNames = map[string]string{
	"indptr": "kv_indptr", "indices": "kv_indices", "last_page_len": "kv_last_page_len",
	"paged_kv_indptr": "kv_indptr", "paged_kv_indices": "kv_indices", "paged_kv_last_page_len": "kv_last_page_len",
}

// plan adds the arguments of the last plan of the same object before this call. What run says
// itself goes before what was planned.
func (d *dump) plan() error {
	class, _, _ := strings.Cut(d.name, ".")
	if d.written("self_id") == "" {
		return fmt.Errorf("%s: self_id: missing, which tells objects of %s from one another", d.where, class)
	}
	folder, err := d.earlier(class + ".plan")
	if err != nil {
		return err
	}
	if folder == "" {
		return fmt.Errorf("%s: no call of %s.plan of the same object before it, in a folder beside it", d.folder, class)
	}
	planned, err := described(folder)
	if err == nil {
		err = planned.tensors(inputsFile, planned.argument)
	}
	if err != nil {
		return err
	}
	d.merge(planned)
	return d.made(class)
}

// merge adds the arguments of a plan that run was not given.
func (d *dump) merge(planned *dump) {
	for _, name := range sorted(planned.arrays) {
		to := cmp.Or(planNames[name], name)
		if _, own := d.arrays[to]; !own {
			d.arrays[to], d.labels[to] = planned.arrays[name], filepath.Base(planned.folder)+": "+planned.labels[name]
		}
	}
	for name, value := range planned.scalars {
		if d.scalars[name] == nil {
			d.scalars[name] = value
		}
	}
}

// made adds how the constructor was told to lay out keys, if that was dumped. Its tensors are
// buffers.
func (d *dump) made(class string) error {
	folder, err := d.earlier(class + ".__init__")
	if err != nil || folder == "" {
		return err
	}
	constructor, err := described(folder)
	if err == nil {
		d.scalars["kv_layout"] = constructor.scalars["kv_layout"]
	}
	return err
}

// written returns a member that is a number, as it is written.
func (d *dump) written(key string) json.Number {
	n, _ := d.fields[key].(json.Number)
	return n
}

// earlier returns the folder of the last call of a function, of the same object in the same
// process, that was dumped before this one; "" where there is none.
func (d *dump) earlier(function string) (string, error) {
	absolute, err := filepath.Abs(d.folder)
	if err != nil {
		return "", err
	}
	own, beside := filepath.Base(absolute), filepath.Dir(absolute)
	entries, err := os.ReadDir(beside)
	if err != nil {
		return "", within(beside, cause(err))
	}
	for _, e := range slices.Backward(entries) { // their names begin with the time
		if !e.IsDir() || e.Name() >= own || !strings.Contains(e.Name(), "_"+function+"_call") {
			continue
		}
		folder := filepath.Join(beside, e.Name())
		found, err := lastLine(folder)
		if err != nil {
			return "", err
		}
		if found.written("self_id") == d.written("self_id") && found.written("process_id") == d.written("process_id") {
			return folder, nil
		}
	}
	return "", nil
}
