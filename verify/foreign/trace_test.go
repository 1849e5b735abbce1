package foreign

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// arrayOf returns a tensor of a recording.
func arrayOf(rec *recording.Recording, name string) Array {
	t := rec.Type(name)
	return Array{Type: t, Size: t.Size(), Shape: rec.Shape(name), Data: bytesOfTensor(rec, name)}
}

// columns returns columns from … to−1 of an array.
func columns(a Array, from, to int) Array {
	last := len(a.Shape) - 1
	width := a.Shape[last] * a.Size
	part := Array{Type: a.Type, Size: a.Size, Shape: append(slices.Clone(a.Shape[:last]), to-from)}
	for row := 0; row < len(a.Data); row += width {
		part.Data = append(part.Data, a.Data[row+from*a.Size:row+to*a.Size]...)
	}
	return part
}

// offsets returns offsets of equal steps.
func offsets(count, step int) Array {
	list := make([]int, count+1)
	for i := range list {
		list[i] = i * step
	}
	return ofInts(list, len(list))
}

// save writes arrays as a safetensors file.
func save(path string, tensors map[string]Array) {
	rec := recording.New("none")
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		a := tensors[name]
		rec.SetBytes(name, a.Type, a.Shape, a.Data)
	}
	optest.Must(rec.Save(path))
}

// torchName returns the name that definitions have for an element type.
func torchName(t dtype.Type) string {
	for name, typ := range torchTypes {
		if typ == t {
			return name
		}
	}
	return "unknown"
}

// traceSet is a data set of traces that a test writes: one definition, and one workload of it.
type traceSet struct {
	root, name, kind string
	inputs, outputs  map[string]Array
	scalars          map[string]any
	random           []string
	reference        string
	axes             map[string]int // that are not as long as the tensors
	typ              string         // of the weight, if it is not its own
}

// blob is where a set keeps the tensors of its workload.
const blob = "./blob/workloads/w.safetensors"

// file returns the path of a file of the set, whose folder is there.
func (s *traceSet) file(parts ...string) string {
	path := filepath.Join(append([]string{s.root}, parts...)...)
	optest.Must(os.MkdirAll(filepath.Dir(path), 0o700))
	return path
}

// specs describes tensors, each axis by its length.
func specs(tensors map[string]Array, axes map[string]any) map[string]any {
	list := map[string]any{}
	for name, a := range tensors {
		names := make([]string, len(a.Shape))
		for i, d := range a.Shape {
			names[i] = fmt.Sprint("n", d)
			axes[names[i]] = map[string]any{"type": "const", "value": d}
		}
		list[name] = map[string]any{"shape": names, "dtype": torchName(a.Type)}
	}
	return list
}

// paths writes the set and returns the files of an import.
func (s *traceSet) paths() []string {
	axes, given := map[string]any{}, map[string]any{}
	inputs, outputs := specs(s.inputs, axes), specs(s.outputs, axes)
	for name := range s.inputs {
		given[name] = map[string]any{"type": "safetensors", "path": blob, "tensor_key": name}
	}
	for name, value := range s.scalars {
		inputs[name] = map[string]any{"shape": nil, "dtype": "float32"}
		given[name] = map[string]any{"type": "scalar", "value": value}
	}
	for _, name := range s.random {
		given[name] = map[string]any{"type": "random"}
	}
	s.lie(axes, inputs)
	definition, workloads := s.file("definitions", s.kind, s.name+".json"), s.file("workloads", s.name+".jsonl")
	writeJSON(definition, map[string]any{
		"name": s.name, "op_type": s.kind, "axes": axes, "inputs": inputs, "outputs": outputs,
		"reference": s.reference,
	})
	writeJSON(workloads, map[string]any{
		"definition": s.name, "solution": nil, "evaluation": nil,
		"workload": map[string]any{"uuid": "0123-4567", "axes": map[string]any{}, "inputs": given},
	})
	save(s.file(blob), s.inputs)
	save(s.file("results.safetensors"), s.outputs)
	return []string{definition, workloads, s.file("results.safetensors")}
}

// lie makes the definition say what the tensors are not.
func (s *traceSet) lie(axes, inputs map[string]any) {
	for name, d := range s.axes {
		axes[name] = map[string]any{"type": "const", "value": d}
	}
	if s.typ != "" {
		inputs["weight"].(map[string]any)["dtype"] = s.typ
	}
}

func writeJSON(path string, value any) {
	text, err := json.Marshal(value)
	optest.Must(err)
	optest.Must(os.WriteFile(path, text, 0o600))
}

// latentSet is a shipped recording of MLA as a trace.
func latentSet(t *testing.T, rec *recording.Recording) *traceSet {
	q, cache, o, lse := arrayOf(rec, "q"), arrayOf(rec, "kv_cache"), arrayOf(rec, "out.o"), arrayOf(rec, "out.lse")
	width, page := o.Shape[3], cache.Shape[1]
	cache = cache.reshaped(cache.Shape[0], page, cache.Shape[3])
	lse, err := lse.permuted(0, 2, 1)
	optest.Must(err)
	lens, err := arrayOf(rec, "kv_lens").ints()
	optest.Must(err)
	table := arrayOf(rec, "block_table")
	indptr, indices := []int{0}, []int{}
	for i, n := range lens {
		row, err := table.rows(i, i+1).reshaped(table.Shape[1]).ints()
		optest.Must(err)
		indices = append(indices, row[:(n+page-1)/page]...)
		indptr = append(indptr, len(indices))
	}
	scale, err := rec.Attrs["scale"].(json.Number).Float64()
	optest.Must(err)
	return &traceSet{
		root: t.TempDir(), name: "mla_paged_prefill_causal_h3", kind: "mla_paged",
		scalars: map[string]any{"sm_scale": scale},
		inputs: map[string]Array{
			"q_nope": rowsOf(columns(q, 0, width)), "q_pe": rowsOf(columns(q, width, q.Shape[3])),
			"ckv_cache": columns(cache, 0, width), "kpe_cache": columns(cache, width, cache.Shape[2]),
			"qo_indptr": offsets(q.Shape[0], q.Shape[1]), "kv_indptr": ofInts(indptr, len(indptr)),
			"kv_indices": ofInts(indices, len(indices)), "kv_len_arr": ofInts(lens, len(lens)),
		},
		outputs: map[string]Array{"output": rowsOf(o), "lse": rowsOf(lse)},
	}
}

// imported reads a set, and fails if it is not imported.
func imported(t *testing.T, paths []string, o Options) *recording.Recording {
	t.Helper()
	got, err := Read(paths, o)
	if err != nil {
		t.Fatalf("%v, %+v", err, got)
	}
	if len(got.Left) != 0 {
		t.Errorf("left: %+v", got.Left)
	}
	return got.Recording
}

// judged checks the verdict of a recording.
func judged(t *testing.T, rec *recording.Recording, want verdict.Status) {
	t.Helper()
	if v := op.Judge(rec); v.Status != want {
		t.Errorf("%v, want %v: %s", v.Status, want, v.Reason)
	}
}

func TestTracesOfLatentAttention(t *testing.T) {
	rec := shipped("mla-decode-base2-f32")
	s := latentSet(t, rec)
	paths := s.paths()
	got := imported(t, paths, Options{Arithmetic: rec.Arithmetic})
	rec.Delete("block_table") // behind the last page of a sequence it may have anything
	sameTensors(t, got, rec)
	judged(t, got, verdict.Explained)
	note := "definition mla_paged_prefill_causal_h3, workload 0123-4567"
	if got.Attrs["lse_base"] != "2" || got.Attrs["causal"] != true || got.Provenance["note"] != note {
		t.Errorf("%v, %v", got.Attrs, got.Provenance)
	}
	s.scalars["sm_scale"] = 0.21
	judged(t, imported(t, s.paths(), Options{Arithmetic: rec.Arithmetic}), verdict.Unexplained)
	t.Run("one sequence of the batch", func(t *testing.T) {
		s := latentSet(t, shipped("mla-decode-base2-f32"))
		one := imported(t, s.paths(), Options{Arithmetic: rec.Arithmetic, Sequence: 2})
		judged(t, one, verdict.Explained)
		if one.Shape("q")[0] != 1 {
			t.Errorf("%v", one.Shape("q"))
		}
	})
}

// raggedSet is a shipped recording of attention as a trace: pages of so many rows in a shuffled
// cache, or with 0 all keys one behind the other.
func raggedSet(t *testing.T, rec *recording.Recording, page int) *traceSet {
	q, o := arrayOf(rec, "q"), arrayOf(rec, "out.o")
	lens, err := arrayOf(rec, "kv_lens").ints()
	optest.Must(err)
	s := &traceSet{
		root: t.TempDir(), name: "gqa_ragged_prefill_causal_h4", kind: "gqa_ragged", scalars: map[string]any{},
		inputs: map[string]Array{
			"q": rowsOf(q), "qo_indptr": offsets(q.Shape[0], q.Shape[1]),
		},
		outputs: map[string]Array{"output": rowsOf(o)},
	}
	if page > 0 {
		s.name, s.kind = "gqa_paged_prefill_causal_h4", "gqa_paged"
		s.pages(rec, lens, page)
		return s
	}
	indptr := []int{0}
	for _, n := range lens {
		indptr = append(indptr, indptr[len(indptr)-1]+n)
	}
	s.inputs["kv_indptr"] = ofInts(indptr, len(indptr))
	for _, name := range []string{"k", "v"} {
		a := arrayOf(rec, name)
		rows := Array{Type: a.Type, Size: a.Size, Shape: []int{indptr[len(lens)], a.Shape[2], a.Shape[3]}}
		for i, n := range lens {
			row := a.rows(i, i+1).reshaped(a.Shape[1:]...)
			rows.Data = append(rows.Data, row.rows(0, n).Data...)
		}
		s.inputs[name] = rows
	}
	return s
}

// pages adds the keys in pages, the last one first.
func (s *traceSet) pages(rec *recording.Recording, lens []int, page int) {
	indptr, last := []int{0}, []int{}
	for _, n := range lens {
		indptr = append(indptr, indptr[len(indptr)-1]+(n+page-1)/page)
		last = append(last, (n-1)%page+1)
	}
	count := indptr[len(lens)]
	indices := make([]int, count)
	for i := range indices {
		indices[i] = count - 1 - i
	}
	s.inputs["kv_indptr"], s.inputs["kv_indices"] = ofInts(indptr, len(indptr)), ofInts(indices, count)
	s.inputs["kv_last_page_len"] = ofInts(last, len(last))
	for _, name := range []string{"k", "v"} {
		a := arrayOf(rec, name)
		cache, err := newArray(a.Type, a.Size, []int{count, page, a.Shape[2], a.Shape[3]})
		optest.Must(err)
		for i := range lens {
			row := a.row(i)
			for j := indptr[i]; j < indptr[i+1]; j++ {
				n := copy(cache.row(indices[j]), row)
				row = row[n:]
			}
		}
		s.inputs[name+"_cache"] = cache
	}
}

func TestTracesOfAttention(t *testing.T) {
	rec := shipped("attention-forward-ragged-bf16-sdpa-flash")
	for _, page := range []int{0, 1, 4, 16} {
		s := raggedSet(t, rec, page)
		got := imported(t, s.paths(), Options{Arithmetic: rec.Arithmetic})
		judged(t, got, verdict.Explained)
		for _, name := range []string{"q", "out.o", "kv_lens"} {
			if string(bytesOfTensor(got, name)) != string(bytesOfTensor(rec, name)) {
				t.Errorf("pages of %d: %s differs", page, name)
			}
		}
		s.name = strings.Replace(s.name, "_causal", "", 1)
		if _, err := Read(s.paths(), Options{}); err == nil {
			t.Error("nothing says whether it is masked, and it is imported")
		}
		judged(t, imported(t, s.paths(), Options{
			Arithmetic: rec.Arithmetic, Attrs: map[string]any{"causal": false},
		}), verdict.Unexplained)
	}
}

func TestRaggedQueriesNeedAChoice(t *testing.T) {
	rec := shipped("attention-forward-ragged-bf16-sdpa-flash")
	s := raggedSet(t, rec, 4)
	s.inputs["qo_indptr"] = ofInts([]int{0, 7, 10, 21}, 4)
	got, err := Read(s.paths(), Options{})
	why := "sequence 1 has 7 queries and sequence 2 3; a recording has as many of each: take one with -sequence N"
	if got == nil || got.Left[0] != (Left{"qo_indptr", why, true}) {
		t.Errorf("%+v, %v", got, err)
	}
	one := imported(t, s.paths(), Options{Arithmetic: rec.Arithmetic, Sequence: 1})
	judged(t, one, verdict.Explained)
	_, err = Read(s.paths(), Options{Sequence: 4})
	if err == nil {
		t.Error("there is no fourth sequence")
	}
}

func TestTracesOfMerges(t *testing.T) {
	rec := shipped("attention-merge-base2-f32")
	o, lse := arrayOf(rec, "o"), arrayOf(rec, "lse") // [P, tokens·heads, V], [P, tokens·heads]
	const tokens, heads = 4, 4
	v, err := o.reshaped(3, tokens, heads, o.Shape[2]).permuted(1, 0, 2, 3)
	optest.Must(err)
	sums, err := lse.reshaped(3, tokens, heads).permuted(1, 0, 2)
	optest.Must(err)
	s := &traceSet{
		root: t.TempDir(), name: "merge_states_h4_d96", kind: "cascade_merge",
		inputs: map[string]Array{"v": v, "s": sums},
		outputs: map[string]Array{
			"v_merged": arrayOf(rec, "out.o").reshaped(tokens, heads, o.Shape[2]),
			"s_merged": arrayOf(rec, "out.lse").reshaped(tokens, heads),
		},
	}
	got := imported(t, s.paths(), Options{Arithmetic: rec.Arithmetic})
	sameTensors(t, got, rec)
	judged(t, got, verdict.Explained)
	s.name = "merge_state_h4_d96"
	part := func(a Array, i int, shape ...int) Array { return a.rows(i, i+1).reshaped(shape...) }
	s.inputs = map[string]Array{
		"v_a": part(o, 0, tokens, heads, 96), "s_a": part(lse, 0, tokens, heads),
		"v_b": part(o, 1, tokens, heads, 96), "s_b": part(lse, 1, tokens, heads),
	}
	two := imported(t, s.paths(), Options{Arithmetic: rec.Arithmetic})
	judged(t, two, verdict.Unexplained) // the output is of three parts
	if !slices.Equal(two.Shape("o"), []int{2, 16, 96}) {
		t.Errorf("%v", two.Shape("o"))
	}
}

// normSet is a shipped recording of a norm as a trace.
func normSet(t *testing.T) (*traceSet, *recording.Recording) {
	rec, err := Read([]string{"testdata/norm-right.npz"}, Options{
		Op: "norm.rms", Types: types("x", "weight", "out.y"),
	})
	optest.Must(err)
	r := rec.Recording
	return &traceSet{
		root: t.TempDir(), name: "rmsnorm_h48", kind: "rmsnorm", scalars: map[string]any{},
		inputs:    map[string]Array{"input": arrayOf(r, "x"), "weight": arrayOf(r, "weight")},
		outputs:   map[string]Array{"output": arrayOf(r, "out.y")},
		reference: "import torch\ndef run(x):\n    EPS = 1e-6\n",
	}, r
}

func TestTracesOfNorms(t *testing.T) {
	s, rec := normSet(t)
	got := imported(t, s.paths(), Options{})
	sameTensors(t, got, rec)
	if got.Attrs["eps"] != json.Number("1e-06") {
		t.Errorf("%v", got.Attrs)
	}
	s.reference = "def run(x):\n    return x"
	if got, err := Read(s.paths(), Options{}); err == nil || got.Left[0].Name != "eps" {
		t.Errorf("nothing says what ε is: %+v, %v", got, err)
	}
	if got := imported(t, s.paths(), Options{Attrs: map[string]any{"eps": json.Number("0.5")}}); got.Attrs["eps"] !=
		json.Number("0.5") {
		t.Errorf("%v", got.Attrs)
	}
	s.scalars["eps"] = 0.25
	if got := imported(t, s.paths(), Options{}); got.Attrs["eps"] != json.Number("0.25") {
		t.Errorf("%v", got.Attrs)
	}
	t.Run("without results it is a request", func(t *testing.T) {
		got, err := Read(s.paths()[:2], Options{})
		if err != nil || !got.Recording.IsRequest() {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestTracesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		change func(s *traceSet)
		want   string
	}{
		{func(s *traceSet) { s.kind = "moe" }, `definition "rmsnorm_h48" of op_type "moe": routing`},
		{func(s *traceSet) { s.kind = "gdn" }, `of op_type "gdn": no op computes it`},
		{func(s *traceSet) { s.name = "fused_add_rmsnorm_h48" }, "of these rmsnorm_h… are imported"},
		{func(s *traceSet) { s.name = "gemma_rmsnorm_h48" }, "of these rmsnorm_h… are imported"},
		{func(s *traceSet) { s.random = []string{"input"} }, "input: random: the workload does not hold its numbers"},
		{func(s *traceSet) { s.scalars["scale"] = 2 }, "not imported"},
		{func(s *traceSet) { delete(s.inputs, "weight") }, "weight: no file that is named has it"},
		{func(s *traceSet) { s.scalars["eps"] = "x" }, `eps: found "x", want a finite number`},
	} {
		s, _ := normSet(t)
		c.change(s)
		_, err := Read(s.paths(), Options{})
		refused(t, err, c.want)
	}
}

// TestWorkloads chooses among several.
func TestWorkloads(t *testing.T) {
	s, _ := normSet(t)
	paths := s.paths()
	text, err := os.ReadFile(paths[1])
	optest.Must(err)
	other := strings.Replace(string(text), "0123-4567", "0129", 1)
	foreign := strings.Replace(string(text), `"definition":"rmsnorm_h48"`, `"definition":"other"`, 1)
	foreign = strings.Replace(foreign, "0123-4567", "0128", 1)
	optest.Must(os.WriteFile(paths[1], []byte(string(text)+"\n"+foreign+"\n\n"+string(text)+"\n"+other), 0o600))
	for begins, want := range map[string]string{
		"": "2 workloads of definition \"rmsnorm_h48\", want one by -workload: 0123-4567, 0129", "012": "2 workloads",
		"5": `no workload of definition "rmsnorm_h48" whose uuid begins with "5"`, "0123": "", "0129": "",
	} {
		got, err := Read(paths, Options{Workload: begins})
		if want != "" {
			refused(t, err, want)
		} else if err != nil || !strings.Contains(got.Recording.Provenance["note"].(string), "workload "+begins) {
			t.Errorf("%s: %v", begins, err)
		}
	}
	_, err = Read(append(paths, paths[1]), Options{Workload: "0129"})
	refused(t, err, "a second file of workloads")
	optest.Must(os.WriteFile(paths[1], []byte(`{"workload":`+strings.Repeat("[", 40)), 0o600))
	_, err = Read(paths, Options{})
	refused(t, err, ".jsonl: line 1: ")
}

// TestPathsStayBelowTheRoot has workloads whose paths lead elsewhere.
func TestPathsStayBelowTheRoot(t *testing.T) {
	s, _ := normSet(t)
	paths := s.paths()
	text, err := os.ReadFile(paths[1])
	optest.Must(err)
	inside := filepath.Join(s.root, "blob", "workloads", "w.safetensors")
	link := filepath.Join(s.root, "blob", "link.safetensors")
	outside := filepath.Join(t.TempDir(), "w.safetensors")
	save(outside, s.inputs)
	optest.Must(os.Symlink(outside, link))
	for _, c := range []struct{ path, root, want string }{
		{"../w.safetensors", "", "outside of the folder"}, {outside, "", "outside of the folder"},
		{inside, "", "outside of the folder"}, {inside, s.root, ""}, {outside, s.root, "outside of the folder"},
		{"blob/link.safetensors", "", "path escapes from parent"}, {"blob/none", "", "no such file"},
		{"blob", "", "blob: not a regular file"}, {"definitions/rmsnorm/rmsnorm_h48.json", "", "header"},
	} {
		changed := strings.ReplaceAll(string(text), "./blob/workloads/w.safetensors", c.path)
		optest.Must(os.WriteFile(paths[1], []byte(changed), 0o600))
		_, err := Read(paths, Options{Root: c.root})
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", c.path, err)
		} else if c.want != "" {
			refused(t, err, c.want)
		}
	}
}

// TestHostileOffsets changes numbers of a trace that say where its rows are.
func TestHostileOffsets(t *testing.T) {
	rec := shipped("attention-forward-ragged-bf16-sdpa-flash")
	for _, c := range []struct {
		name string
		list []int
		want string
	}{
		{"kv_indptr", []int{0, 3, 2, 4}, "kv_indptr has 2 after 3, want offsets that do not fall"},
		{"kv_indptr", []int{-1, 3, 3, 4}, "kv_indptr has 3 after -1"},
		{"kv_indptr", []int{0, 3, 3, 1 << 30}, "kv_indptr has 1073741824 after 3"},
		{"kv_indptr", []int{0, 3}, "kv_indptr has 1 sequence, and there are queries of 3"},
		{"kv_indptr", []int{0}, "kv_indptr has 1 offset, want one more"},
		{"qo_indptr", []int{0, 7, 14, 22}, "qo_indptr has 22 after 14"},
		{"kv_indices", []int{1 << 30}, "want offsets that do not fall, within 1"},
		{"kv_last_page_len", []int{1, 1}, "kv_last_page_len has 2 entries for 3 sequences"},
		{"kv_last_page_len", []int{0, 1, 1}, "kv_last_page_len has 0 for a sequence of"},
		{"kv_last_page_len", []int{5, 1, 1}, "kv_last_page_len has 5 for a sequence of"},
	} {
		s := raggedSet(t, rec, 4)
		s.inputs[c.name] = ofInts(c.list, len(c.list))
		_, err := Read(s.paths(), Options{})
		refused(t, err, c.want)
	}
	s := raggedSet(t, rec, 4)
	s.inputs["kv_indices"].Data[3] = 0x7f
	_, err := Read(s.paths(), Options{})
	refused(t, err, "kv_indices has pages")
}

// TestTensorsOfAnotherShape has tensors that are not what the definition says.
func TestTensorsOfAnotherShape(t *testing.T) {
	for want, change := range map[string]func(s *traceSet){
		"weight: BF16, the definition has float32": func(s *traceSet) { s.typ = "float32" },
		"input: shape [6 48], the definition has 7 for axis \"n6\"": func(s *traceSet) {
			s.axes = map[string]int{"n6": 7}
		},
	} {
		s, _ := normSet(t)
		change(s)
		_, err := Read(s.paths(), Options{})
		refused(t, err, want)
	}
	s, _ := normSet(t)
	paths := s.paths()
	s.inputs["weight"] = s.inputs["weight"].reshaped(1, 48)
	save(s.file(blob), s.inputs)
	_, err := Read(paths, Options{})
	refused(t, err, "weight: shape [1 48], the definition has 1 axis")
	s.inputs["waight"] = s.inputs["weight"]
	delete(s.inputs, "weight")
	save(s.file(blob), s.inputs)
	_, err = Read(paths, Options{})
	refused(t, err, `weight: ./blob/workloads/w.safetensors: no tensor "weight"; did you mean "waight"?`)
}

// TestArraysBesideAWorkload stand in for what it leaves to chance, and others are named.
func TestArraysBesideAWorkload(t *testing.T) {
	s, rec := normSet(t)
	s.random = []string{"input"}
	paths := s.paths()
	save(s.file("results.safetensors"), map[string]Array{
		"out.output": s.outputs["output"], "input": s.inputs["input"], "other": s.inputs["weight"],
	})
	got, err := Read(paths, Options{})
	if err != nil || len(got.Left) != 1 || got.Left[0].Name != "other" {
		t.Fatalf("%+v, %v", got, err)
	}
	sameTensors(t, got.Recording, rec)
}
