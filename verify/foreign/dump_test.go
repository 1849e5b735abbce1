package foreign

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/verify/verdict"
)

// dumped is a call that a test dumps.
type dumped struct {
	function, signature string
	id                  any // of the object
	inputs, outputs     map[string]Array
	metadata            map[string]any
}

// calls counts the folders, whose names begin with the time.
func (d dumped) write(parent string, calls int) string {
	folder := filepath.Join(parent, fmt.Sprintf("20260108_143216_%03d_pid7_%s_call0001", calls, d.function))
	optest.Must(os.MkdirAll(folder, 0o700))
	line := map[string]any{
		"function_name": d.function, "function_signature": d.signature, "input_metadata": d.metadata, "process_id": 7,
		"execution_status": "completed", "self_id": d.id,
	}
	writeJSON(filepath.Join(folder, metadataFile), line)
	save(filepath.Join(folder, inputsFile), d.inputs)
	save(filepath.Join(folder, outputsFile), d.outputs)
	return folder
}

const normSignature = "(input: torch.Tensor, weight: torch.Tensor, eps: float = 1e-06, out: Optional[torch.Tensor] = " +
	"None, enable_pdl: Optional[bool] = None) -> torch.Tensor"

// normDump is a call of rmsnorm.
func normDump(t *testing.T) dumped {
	s, _ := normSet(t)
	return dumped{
		function: "rmsnorm", signature: normSignature,
		inputs:  map[string]Array{"arg_0": s.inputs["input"], "kwarg_weight": s.inputs["weight"]},
		outputs: map[string]Array{"result": s.outputs["output"]}, metadata: map[string]any{
			"arg_2": 0.25, "kwarg_out": nil,
		},
	}
}

func TestDumpsOfNorms(t *testing.T) {
	d := normDump(t)
	folder := d.write(t.TempDir(), 1)
	got := imported(t, []string{folder}, Options{})
	_, rec := normSet(t)
	sameTensors(t, got, rec)
	if fmt.Sprint(got.Attrs) != "map[eps:0.25]" || got.Provenance["note"] != "rmsnorm" {
		t.Errorf("%v, %v", got.Attrs, got.Provenance)
	}
	for _, c := range []struct {
		change func(d *dumped)
		want   string
	}{
		{func(d *dumped) { d.function = "mm_fp4" }, `a call of "mm_fp4", of which there is no op; BatchDecode`},
		{func(d *dumped) { d.metadata["kwarg_what"] = true }, "not imported"},
		{func(d *dumped) { d.metadata["arg_9"] = 1 }, "not imported"},
		{func(d *dumped) { d.metadata["arg_2"] = "x" }, `eps: found "x", want a finite number`},
		{func(d *dumped) { delete(d.inputs, "arg_0") }, "hidden_states: no file that is named has it"},
		{func(d *dumped) { d.signature = "no brackets" }, "hidden_states: no file that is named has it"},
	} {
		d := normDump(t)
		c.change(&d)
		_, err := Read([]string{d.write(t.TempDir(), 1)}, Options{})
		refused(t, err, c.want)
	}
	one, err := Read([]string{folder}, Options{Sequence: 1})
	if err == nil || one.Left[0] != (Left{"-sequence", "1, and the call is of no batch of sequences", true}) {
		t.Errorf("%+v, %v", one, err)
	}
	_, err = Read([]string{folder, folder}, Options{})
	refused(t, err, "is a dump of FlashInfer, which is named alone")
}

func TestDumpsThatLackTensors(t *testing.T) {
	folder := normDump(t).write(t.TempDir(), 1)
	optest.Must(os.Remove(filepath.Join(folder, outputsFile)))
	got, err := Read([]string{folder}, Options{})
	if err != nil || !got.Recording.IsRequest() {
		t.Errorf("a call that did not end is a request: %v", err)
	}
	optest.Must(os.Rename(filepath.Join(folder, inputsFile), filepath.Join(folder, "inputs.pt")))
	_, err = Read([]string{folder}, Options{})
	refused(t, err, "inputs.pt is pickled: dump with FLASHINFER_DUMP_SAFETENSORS=1")
	optest.Must(os.WriteFile(filepath.Join(folder, metadataFile), []byte("\n\n"), 0o600))
	_, err = Read([]string{folder}, Options{})
	refused(t, err, "metadata.jsonl: no line of metadata")
}

func TestParameters(t *testing.T) {
	for signature, want := range map[string]string{
		normSignature: "input weight eps out enable_pdl",
		"(self, q: torch.Tensor, kv: Union[Tensor, Tuple[Tensor, Tensor]], *args, out=None)": "self q kv",
		`(a: str = 'N,H)D', b="(", *, c)`: "a b", "()": "", "": "", "(": "", "(a, b": "a", ")(a)": "", "(a))(b)": "a",
	} {
		if got := strings.Join(parameters(signature), " "); got != want {
			t.Errorf("%s: %q, want %q", signature, got, want)
		}
	}
}

// singleDump is a call on the first sequence of a recording.
func singleDump(t *testing.T) (dumped, Options) {
	rec := shipped("attention-forward-ragged-bf16-sdpa-flash")
	lens, err := arrayOf(rec, "kv_lens").ints()
	optest.Must(err)
	one := func(name string, rows int) Array {
		a := arrayOf(rec, name)
		return a.rows(0, 1).reshaped(a.Shape[1:]...).rows(0, rows)
	}
	return dumped{
		function: "single_prefill_with_kv_cache", signature: "(q, k, v, scale_q, causal=False, kv_layout='NHD')",
		inputs:  map[string]Array{"arg_0": one("q", 7), "arg_1": one("k", lens[0]), "arg_2": one("v", lens[0])},
		outputs: map[string]Array{"result": one("out.o", 7)}, metadata: map[string]any{
			"kwarg_causal": true, "kwarg_window_left": -1, "kwarg_pos_encoding_mode": "NONE", "arg_3": nil,
			"kwarg_logits_soft_cap": 0.0, "kwarg_k_scale": 1.0, "kwarg_o_dtype": map[string]any{"type": "torch.dtype",
				"value": "torch.bfloat16"},
		},
	}, Options{Arithmetic: rec.Arithmetic}
}

func TestDumpsOfSingleSequences(t *testing.T) {
	d, o := singleDump(t)
	judged(t, imported(t, []string{d.write(t.TempDir(), 1)}, o), verdict.Explained)
	d.metadata["kwarg_kv_layout"] = "HND"
	d.inputs["arg_1"], _ = d.inputs["arg_1"].permuted(1, 0, 2)
	d.inputs["arg_2"], _ = d.inputs["arg_2"].permuted(1, 0, 2)
	judged(t, imported(t, []string{d.write(t.TempDir(), 1)}, o), verdict.Explained)
	delete(d.metadata, "kwarg_causal")
	judged(t, imported(t, []string{d.write(t.TempDir(), 1)}, o), verdict.Unexplained)
	for key, value := range map[string]any{
		"kwarg_pos_encoding_mode": "ALIBI", "kwarg_k_scale": 0.5, "kwarg_use_fp16_qk_reduction": true, "arg_3": 2,
	} {
		before := d.metadata[key]
		d.metadata[key] = value
		_, err := Read([]string{d.write(t.TempDir(), 1)}, o)
		refused(t, err, "not imported")
		d.metadata[key] = before
	}
	d.metadata["kwarg_kv_layout"] = []any{"NHD"}
	_, err := Read([]string{d.write(t.TempDir(), 1)}, o)
	refused(t, err, `kv_layout: found ["NHD"], want NHD or HND`)
}

// wrapper is a call of a wrapper that was planned: a set of traces as it would be dumped.
func wrapper(s *traceSet, class string, causal bool) (plan, run dumped) {
	plan = dumped{
		function: class + ".plan", id: 4711, signature: "(self, qo_indptr, paged_kv_indptr, paged_kv_indices, " +
			"paged_kv_last_page_len, num_qo_heads: int)",
		metadata: map[string]any{
			"arg_0": map[string]any{"type": class, "repr": "x"}, "arg_5": 4, "kwarg_causal": causal,
		},
		inputs: map[string]Array{
			"arg_1": s.inputs["qo_indptr"], "arg_2": s.inputs["kv_indptr"], "arg_3": s.inputs["kv_indices"],
			"arg_4": s.inputs["kv_last_page_len"],
		},
	}
	run = dumped{
		function: class + ".run", signature: "(self, q: torch.Tensor, paged_kv_cache, *args, out=None)", id: 4711,
		metadata: map[string]any{
			"arg_0": map[string]any{"type": class, "repr": "x"}, "arg_2": map[string]any{"type": "tuple", "length": 2},
			"kwarg_return_lse": false,
		},
		inputs: map[string]Array{
			"arg_1": s.inputs["q"], "arg_2__0": s.inputs["k_cache"], "arg_2__1": s.inputs["v_cache"],
		},
		outputs: map[string]Array{"result": s.outputs["output"]},
	}
	return plan, run
}

func TestDumpsOfWrappers(t *testing.T) {
	rec := shipped("attention-forward-ragged-bf16-sdpa-flash")
	s := raggedSet(t, rec, 4)
	o := Options{Arithmetic: rec.Arithmetic}
	const class = "BatchPrefillWithPagedKVCacheWrapper"
	plan, run := wrapper(s, class, true)
	parent := t.TempDir()
	folder := run.write(parent, 5)
	_, err := Read([]string{folder}, o)
	refused(t, err, "no call of BatchPrefillWithPagedKVCacheWrapper.plan of the same object before it")
	plan.write(parent, 9) // after it
	_, err = Read([]string{folder}, o)
	refused(t, err, "no call of")
	plan.id = 4712 // another object
	plan.write(parent, 4)
	_, err = Read([]string{folder}, o)
	refused(t, err, "no call of")
	plan.id = 4711
	unmasked, _ := wrapper(s, class, false)
	unmasked.write(parent, 1)              // planned anew by the next
	plan.metadata["kwarg_window_left"] = 1 // of which run says otherwise
	plan.write(parent, 2)
	run.metadata["kwarg_window_left"] = -1
	judged(t, imported(t, []string{run.write(parent, 5)}, o), verdict.Explained)

	t.Run("both in one array, heads before rows, as the constructor was told", func(t *testing.T) {
		k, v := s.inputs["k_cache"], s.inputs["v_cache"]
		both, err := stacked(k, v)
		optest.Must(err)
		both, err = both.permuted(1, 0, 3, 2, 4)
		optest.Must(err)
		run.inputs = map[string]Array{"arg_1": s.inputs["q"], "arg_2": both}
		delete(run.metadata, "arg_2")
		made := dumped{
			function: class + ".__init__", signature: "(self, float_workspace_buffer, kv_layout='NHD')", id: 4711,
			metadata: map[string]any{"arg_2": "HND"}, inputs: map[string]Array{"arg_1": offsets(1, 1)},
		}
		made.write(parent, 0)
		judged(t, imported(t, []string{run.write(parent, 5)}, o), verdict.Explained)
	})
	t.Run("an object without a number", func(t *testing.T) {
		run.id = nil
		_, err := Read([]string{run.write(parent, 5)}, o)
		refused(t, err, "self_id: missing")
	})
}

// TestDumpsOfLatentAttention has sums to base e, where it is asked for.
func TestDumpsOfLatentAttention(t *testing.T) {
	rec := shipped("mla-decode-base2-f32")
	s := latentSet(t, rec)
	const class = "BatchMLAPagedAttentionWrapper"
	plan := dumped{
		function: class + ".plan", signature: "(self)", id: 1, inputs: map[string]Array{},
		metadata: map[string]any{"kwarg_causal": true, "kwarg_sm_scale": s.scalars["sm_scale"]},
	}
	run := dumped{
		function: class + ".run", signature: "(self)", id: 1, inputs: map[string]Array{}, metadata: map[string]any{},
		outputs: map[string]Array{"result_0": s.outputs["output"], "result_1": s.outputs["lse"]},
	}
	for _, name := range slices.Sorted(maps.Keys(s.inputs)) {
		to := run.inputs
		if strings.Contains(name, "indptr") || name == "kv_indices" || name == "kv_len_arr" {
			to = plan.inputs
		}
		to["kwarg_"+name] = s.inputs[name]
	}
	parent := t.TempDir()
	plan.write(parent, 1)
	got := imported(t, []string{run.write(parent, 2)}, Options{Arithmetic: rec.Arithmetic})
	judged(t, got, verdict.Explained)
	run.metadata["kwarg_return_lse_base_on_e"] = true
	got = imported(t, []string{run.write(parent, 2)}, Options{Arithmetic: rec.Arithmetic})
	judged(t, got, verdict.Unexplained)
	if got.Attrs["lse_base"] != "e" {
		t.Errorf("%v", got.Attrs)
	}
}
