package foreign

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/internal/optest"
)

// mostFuzzed is what importing a fuzzed manifest may allocate: its files are small.
const mostFuzzed = 64 << 20

// fuzzed imports a manifest that a fuzzer wrote: it may be refused, with the name of a file, and
// takes no more memory than its files can hold.
func fuzzed(t *testing.T, paths []string) {
	t.Helper()
	before := allocated()
	got, err := Read(paths, Options{})
	if took := allocated() - before; took > mostFuzzed {
		t.Fatalf("%d bytes", took)
	}
	switch {
	case err == nil && got.Recording == nil:
		t.Fatal("neither a recording nor an error")
	case err != nil && !strings.Contains(err.Error(), filepath.Dir(paths[0])):
		t.Fatalf("error %q does not say where", err)
	}
}

func FuzzGraph(f *testing.F) {
	folder, err := os.MkdirTemp("", "graph")
	optest.Must(err)
	f.Cleanup(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "Small.json")
	for uid, size := range []int{192, 32, 4, 192, 1} {
		optest.Must(os.WriteFile((&bundle{folder: folder}).file(uid), make([]byte, size), 0o600))
	}
	for _, kind := range []string{"RMSNormAttributes", "SdpaAttributes", "SdpaBackwardAttributes"} {
		f.Add(`{"tensors":[{"uid":0,"name":"x","dims":[2,3,8],"strides":[24,8,1],"data_type":"float"},` +
			`{"uid":1,"dims":[8],"strides":[1],"data_type":"float"},` +
			`{"uid":2,"dims":[1],"strides":[1],"data_type":"float","value":0.5},` +
			`{"uid":3,"dims":[1,2,3,8],"strides":[48,24,8,1],"data_type":"float"}],"nodes":[{"type":"` + kind + `",` +
			`"inputs":{"x_tensor_uid":0,"scale_tensor_uid":1,"epsilon_tensor_uid":2,"q_tensor_uid":3,` +
			`"k_tensor_uid":3,"v_tensor_uid":3,"do_tensor_uid":3},` +
			`"outputs":{"y_tensor_uid":0,"o_tensor_uid":3,"stats_tensor_uid":3,` +
			`"dq_tensor_uid":3,"dk_tensor_uid":3,"dv_tensor_uid":3},"attributes":{"right_bound":0,"left_bound":2}}]}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		optest.Must(os.WriteFile(path, []byte(text), 0o600))
		fuzzed(t, []string{path})
	})
}

// fuzzedTensors has what the mappings ask for, small.
func fuzzedTensors(path string) {
	half := func(shape ...int) Array {
		a, err := newArray(types("x")["x"], 2, shape)
		optest.Must(err)
		return a
	}
	save(path, map[string]Array{
		"x": half(4, 8), "w": half(8), "q": half(4, 2, 8), "c": half(3, 2, 2, 8), "l": half(3, 2, 8),
		"i": ofInts([]int{0, 1, 3}, 3), "n": ofInts([]int{2, 0, 1}, 3), "two": ofInts([]int{1, 2}, 2),
	})
}

func FuzzTrace(f *testing.F) {
	folder, err := os.MkdirTemp("", "trace")
	optest.Must(err)
	f.Cleanup(func() { os.RemoveAll(folder) })
	fuzzedTensors(filepath.Join(folder, "t.safetensors"))
	definition, workloads := filepath.Join(folder, "d.json"), filepath.Join(folder, "w.jsonl")
	tensor := func(name string) string {
		return `{"type":"safetensors","path":"t.safetensors","tensor_key":"` + name + `"}`
	}
	for name, inputs := range map[string]string{
		`"rmsnorm_h8","op_type":"rmsnorm"`: `"input":` + tensor("x") + `,"weight":` + tensor("w") +
			`,"eps":{"type":"scalar","value":1}`,
		`"gqa_paged_prefill_causal_h2","op_type":"gqa_paged"`: `"q":` + tensor("q") + `,"k_cache":` + tensor("c") +
			`,"v_cache":` + tensor("c") + `,"qo_indptr":` + tensor("i") + `,"kv_indptr":` + tensor("i") +
			`,"kv_indices":` + tensor("n") + `,"kv_last_page_len":` + tensor("two"),
		`"mla_paged_decode_h2","op_type":"mla_paged"`: `"q_nope":` + tensor("q") + `,"q_pe":` + tensor("q") +
			`,"ckv_cache":` + tensor("l") + `,"kpe_cache":` + tensor("l") + `,"kv_indptr":` + tensor("i") +
			`,"kv_indices":` + tensor("n") + `,"sm_scale":{"type":"scalar","value":0.5}`,
	} {
		tensors := `{"type":"safetensors","path":"t.safetensors","tensor_key":`
		named := strings.NewReplacer(tensors, `{"shape":null,"dtype":`)
		f.Add(`{"axes":{},"name":`+name+`,"inputs":{`+named.Replace(inputs)+`},"outputs":{}}`,
			`{"definition":`+strings.Split(name, ",")[0]+`,"workload":{"uuid":"1","inputs":{`+inputs+`}}}`)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		optest.Must(os.WriteFile(definition, []byte(first), 0o600))
		optest.Must(os.WriteFile(workloads, []byte(second), 0o600))
		fuzzed(t, []string{definition, workloads})
	})
}

func FuzzDump(f *testing.F) {
	folder, err := os.MkdirTemp("", "dump")
	optest.Must(err)
	f.Cleanup(func() { os.RemoveAll(folder) })
	half, err := newArray(types("x")["x"], 2, []int{4, 2, 8})
	optest.Must(err)
	save(filepath.Join(folder, inputsFile), map[string]Array{
		"arg_0": half, "arg_1": half, "arg_2": half, "kwarg_x": half.reshaped(64), "arg_1__0": half,
	})
	save(filepath.Join(folder, outputsFile), map[string]Array{"result": half, "result_1": half.reshaped(8, 8)})
	for _, name := range sorted(functions) {
		f.Add(`{"function_name":"` + name + `","function_signature":"(q, k, v, eps: float = 1.0, *args)",` +
			`"self_id":1,"input_metadata":{"arg_3":0.5,"kwarg_causal":true,"kwarg_kv_layout":"HND"},` +
			`"execution_status":"completed"}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		optest.Must(os.WriteFile(filepath.Join(folder, metadataFile), []byte(text), 0o600))
		fuzzed(t, []string{folder})
	})
}
