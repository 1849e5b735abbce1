package op_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// smallForward is a recording of attention.forward with fixed shapes.
func smallForward(t *testing.T) *recording.Recording {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func(shape ...int) *tensor.Tensor {
		x := tensor.New(shape...)
		for i := range x.Data {
			x.Data[i] = rng.NormFloat64()
		}
		return x
	}
	r := recording.New("attention.forward")
	r.Set("q", dtype.BF16, normal(2, 3, 4, 16))
	r.Set("k", dtype.BF16, normal(2, 5, 2, 16))
	r.Set("v", dtype.BF16, normal(2, 5, 2, 8))
	r.Set("kv_lens", dtype.I32, tensor.Of([]float64{5, 4}, 2))
	rec, err := emulate.Run(r, emulate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rec.Name = "r.safetensors"
	return rec
}

// TestUnusable breaks the contract one way at a time: each is an error that names the file, the
// place and what was expected.
func TestUnusable(t *testing.T) {
	set := func(name string, typ dtype.Type, shape ...int) func(*recording.Recording) {
		return func(r *recording.Recording) { r.Set(name, typ, tensor.New(shape...)) }
	}
	attr := func(name string, value any) func(*recording.Recording) {
		return func(r *recording.Recording) { r.Attrs[name] = value }
	}
	arith := func(name string, value any) func(*recording.Recording) {
		return func(r *recording.Recording) { r.Arithmetic[name] = value }
	}
	for _, c := range []struct {
		name  string
		spoil func(*recording.Recording)
		want  string
	}{
		{"unknown op", func(r *recording.Recording) {
			r.Op = "attention.sideways"
		}, `op not known yet: "attention.sideways"`},
		{
			"width of k", set("k", dtype.BF16, 2, 5, 2, 15),
			`tensor "k": shape [2 5 2 15], want [B, T, G, D] with D = 16`,
		},
		{"axes of v", set("v", dtype.BF16, 2, 5, 2), `tensor "v": shape [2 5 2], want 4 axes [B, T, G, V]`},
		{"an axis of length 0", set("q", dtype.BF16, 2, 0, 4, 16), "length 0"},
		{"heads that do not divide", func(r *recording.Recording) {
			set("q", dtype.BF16, 2, 3, 3, 16)(r)
			set("out.o", dtype.BF16, 2, 3, 3, 8)(r)
			set("out.lse", dtype.F32, 2, 3, 3)(r)
		}, "3 heads, want a multiple of the 2"},
		{"shape of an output", set("out.o", dtype.BF16, 2, 3, 4, 9), `tensor "out.o": shape [2 3 4 9], want`},
		{
			"an integer input that is not", set("kv_lens", dtype.F32, 2),
			`tensor "kv_lens": type F32, want an integer type`,
		},
		{
			"a floating-point input that is not", set("q", dtype.I32, 2, 3, 4, 16),
			`tensor "q": type I32, want a floating-point type`,
		},
		{"an output of scales", set("out.o", dtype.F8E8M0, 2, 3, 4, 8), `type F8_E8M0`},
		{
			"an input of another op", set("kv_cache", dtype.BF16, 1),
			`tensor "kv_cache": attention.forward has no such input`,
		},
		{
			"an output of another op", set("out.dq", dtype.BF16, 1),
			`tensor "out.dq": attention.forward has no such output`,
		},
		{"more keys than there are", func(r *recording.Recording) {
			r.Set("kv_lens", dtype.I32, tensor.Of([]float64{5, 6}, 2))
		}, `tensor "kv_lens": index [1]: 6 keys, want 0 to 5`},
		{"fewer keys than none", func(r *recording.Recording) {
			r.Set("kv_lens", dtype.I32, tensor.Of([]float64{-1, 4}, 2))
		}, "index [0]: -1 keys"},
		{
			"unknown attribute", attr("scales", json.Number("1")),
			`attrs: unknown key "scales": attention.forward has scale, causal`,
		},
		{"a scale that is a word", attr("scale", "1"), `attrs: "scale": found "1", want a number`},
		{"a scale of 0", attr("scale", json.Number("0")), "want a scale that is not 0"},
		{"a scale beyond float64", attr("scale", json.Number("1e999")), "want a finite number"},
		{"a scale that is no number", attr("scale", json.Number("NaN")), "want a finite number"},
		{"causal as a number", attr("causal", json.Number("1")), "want true or false"},
		{"half a window", attr("window", json.Number("1.5")), "want a whole number"},
		{"a negative window", attr("window", json.Number("-1")), "want a whole number"},
		{"a negative soft cap", attr("softcap", json.Number("-1")), "want 0 or more"},
		{"an unknown base", attr("lse_base", "10"), "want e or 2"},
		{
			"a window that is off elsewhere", attr("window", json.Number("-1")),
			`found -1, want a whole number from 0 to 2147483647; 0 is off`,
		},
		{"an attribute of another library", attr("is_causal", true), `unknown key "is_causal"`},
		{"an attribute of another library, answered", attr("is_causal", true), `; did you mean "causal"?`},
		{"an attribute misspelt that is there already", func(r *recording.Recording) {
			attr("causal", true)(r)
			attr("causl", true)(r)
		}, `unknown key "causl": attention.forward has scale, causal`},
		{"a choice in other case", attr("lse_base", "E"), `found "E", want e or 2; did you mean "e"?`},
		{
			"a number of 20,000 digits", attr("scale", json.Number(strings.Repeat("9", 20000))),
			"9..., want a finite number",
		},
		{
			"a window of 20,000 digits", attr("window", json.Number("1"+strings.Repeat("0", 20000))),
			"0..., want a finite number",
		},
		{"a type of another library", arith("scores", "torch.bfloat16"), `; did you mean "BF16"?`},
		{"a key misspelt", func(r *recording.Recording) {
			delete(r.Arithmetic, "scores")
			arith("score", "BF16")(r)
		}, `; did you mean "scores"?`},
		{"an op misspelt", func(r *recording.Recording) {
			r.Op = "attention_forward"
		}, `; did you mean "attention.forward"?`},
		{
			"an output under another name", set("out.output", dtype.BF16, 2, 3, 4, 8),
			`tensor "out.output": attention.forward has no such output`,
		},
		{
			"keys in the order of heads", set("k", dtype.BF16, 2, 2, 5, 16),
			`tensor "v": shape [2 5 2 8], want [B, T, G, V] with T = 2, as tensor "k" of shape [2 2 5 16] has it: ` +
				`the two disagree`,
		},
		{
			"arithmetic of another op", arith("form", "naive"),
			`arithmetic: key "form": this op knows accumulate, probabilities, scores`,
		},
		{"an unknown type", arith("scores", "FP32"), `arithmetic: "scores": found "FP32"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := smallForward(t)
			c.spoil(r)
			v := op.Judge(r)
			ok := v.Status == verdict.Unusable && strings.HasPrefix(v.Reason, "r.safetensors: ") &&
				strings.Contains(v.Reason, c.want)
			if !ok || len(v.Reason) > 500 {
				t.Errorf("%s: %.500s, want unusable with %q", v.Status, v.Reason, c.want)
			}
		})
	}
	t.Run("nothing to judge", func(t *testing.T) {
		r := emulate.Request("norm.rms", 1)
		if v := op.Judge(r); v.Status != verdict.Unusable ||
			!strings.Contains(v.Reason, "a request: it has no out.* tensor") {
			t.Errorf("%s: %s", v.Status, v.Reason)
		}
	})
	t.Run("a missing input", func(t *testing.T) {
		full, r := optest.Recorded(t, "norm.rms", 1), recording.New("norm.rms")
		x, err := full.Tensor("x")
		if err != nil {
			t.Fatal(err)
		}
		r.Set("x", dtype.F32, x)
		r.Set("out.y", dtype.F32, x)
		if v := op.Judge(r); !strings.Contains(v.Reason, `tensor "weight": missing, want [d]`) {
			t.Error(v.Reason)
		}
	})
}

// TestUnusableByOp spoils what only one op has.
func TestUnusableByOp(t *testing.T) {
	attr := func(name string, value any) func(*recording.Recording) {
		return func(r *recording.Recording) { r.Attrs[name] = value }
	}
	fill := func(name string, v float64) func(*recording.Recording) {
		return func(r *recording.Recording) {
			x := tensor.New(r.Shape(name)...)
			for i := range x.Data {
				x.Data[i] = v
			}
			r.Set(name, r.Type(name), x)
		}
	}
	yarn := func(key string, value any) func(*recording.Recording) {
		return attr("yarn", map[string]any{key: value})
	}
	for _, c := range []struct {
		op, name string
		spoil    func(*recording.Recording)
		want     string
	}{
		{"mla.decode", "no scale", func(r *recording.Recording) {
			delete(r.Attrs, "scale")
		}, `attrs: "scale": missing, and this op has no default`},
		{"mla.decode", "values wider than the cache", func(r *recording.Recording) {
			attr("value_dim", json.Number("1000"))(r)
			q := r.Shape("q")
			r.Set("out.o", dtype.F32, tensor.New(q[0], q[1], q[2], 1000))
		}, `attrs: "value_dim": found 1000, want 1 to`},
		{
			"mla.decode", "a block that is not there", fill("block_table", 1e6),
			`tensor "block_table": index [0 0]: block 1e+06, want 0 to`,
		},
		{"mla.decode", "a negative block", fill("block_table", -1), "block -1"},
		{
			"mla.decode", "more keys than the cache has", fill("kv_lens", 1e9),
			`tensor "kv_lens": index [0]: 1e+09 keys, want 0 to`,
		},
		{"rope.apply", "an odd width", func(r *recording.Recording) {
			r.Set("x", dtype.F32, tensor.New(r.Shape("x")[0], 2, 7))
			r.Set("out.y", dtype.F32, tensor.New(r.Shape("x")[0], 2, 7))
		}, "rotary width 7, want an even one"},
		{"rope.apply", "a base of 1", attr("base", json.Number("1")), "want more than 1 and"},
		{"rope.apply", "an unknown layout", attr("layout", "neox"), "want interleaved or half or interleaved_to_half"},
		{"rope.apply", "YaRN as a number", attr("yarn", json.Number("40")), "want an object such as"},
		{
			"rope.apply", "an unknown key of YaRN", yarn("alpha", json.Number("1")),
			`attrs: "yarn": key "alpha": unknown key`,
		},
		{
			"rope.apply", "a key of YaRN as configurations have it",
			yarn("original_max_position_embeddings", json.Number("4096")), `; did you mean "original_context"?`,
		},
		{"rope.apply", "a key of YaRN misspelt", yarn("beta_fst", json.Number("32")), `; did you mean "beta_fast"?`},
		{"rope.apply", "a layout of another library", attr("layout", "neox"), `; did you mean "half"?`},
		{"rope.apply", "a factor below 1", yarn("factor", json.Number("0.5")), "want factor ≥ 1"},
		{"rope.apply", "an unknown ramp", yarn("ramp", "linear"), "want index or rotations"},
		{"rope.apply", "half a context", yarn("original_context", json.Number("4096.5")), "want a whole number"},
		{"rope.table", "no width", func(r *recording.Recording) { delete(r.Attrs, "dim") }, `attrs: "dim": missing`},
		{"rope.table", "a width that the table has not", attr("dim", json.Number("4096")), "with dim/2 = 2048"},
		{"norm.rms", "a negative eps", attr("eps", json.Number("-1")), "want 0 or more"},
		{"mla.layer", "no heads", attr("heads", json.Number("0")), "with H*(Dn+Dr) = 0"},
		{"mla.layer", "more heads than weights", attr("heads", json.Number("1000000000")), "with H*(Dn+Dr) = "},
		{"mla.layer", "both kinds of queries", func(r *recording.Recording) {
			h, dn, dr := count(r, "heads"), count(r, "nope_dim"), count(r, "rope_dim")
			r.Set("w_q", r.Type("x"), tensor.New(h*(dn+dr), r.Shape("x")[2]))
			r.Set("w_uq", r.Type("x"), tensor.New(h*(dn+dr), 8))
			r.Set("w_dq", r.Type("x"), tensor.New(8, r.Shape("x")[2]))
			r.Set("norm_q", r.Type("x"), tensor.New(8))
		}, "want either w_dq, norm_q and w_uq, or w_q alone"},
		{"mla.layer", "a negative scale", attr("scale", json.Number("-1")), "want a positive scale"},
		{"mtp.combine", "half a projection", func(r *recording.Recording) {
			r.Set("projection", dtype.F32, tensor.New(r.Shape("hidden")[1], r.Shape("hidden")[1]))
		}, `tensor "projection": shape`},
		{"mtp.combine", "an unknown order", attr("order", "reversed"), "want hidden_first or embedding_first"},
		{
			"mtp.loss", "a token that is not there", fill("tokens", 1e6),
			`tensor "tokens": element 2 is 1e+06, want 0 to`,
		},
		{
			"mtp.accept", "a negative token", fill("draft_tokens", -1),
			`tensor "draft_tokens": element [0 0] is -1, want 0 to`,
		},
		{
			"mtp.accept", "a percentage", fill("uniforms", 42),
			`tensor "uniforms": element [0 0] is 42, want 0 to 1`,
		},
		{
			"mtp.accept", "a negative probability", fill("draft_probs", -0.5),
			`tensor "draft_probs": element [0 0 0] is -0.5, want a probability`,
		},
	} {
		t.Run(c.op+" "+c.name, func(t *testing.T) {
			r := optest.Recorded(t, c.op, 2)
			c.spoil(r)
			v := op.Judge(r)
			if v.Status != verdict.Unusable || !strings.Contains(v.Reason, c.want) {
				t.Errorf("%s: %s, want unusable with %q", v.Status, v.Reason, c.want)
			}
		})
	}
}

func count(r *recording.Recording, attr string) int {
	n, err := r.Attrs[attr].(json.Number).Int64()
	if err != nil {
		panic(err)
	}
	return int(n)
}

func TestEveryOpIsDescribed(t *testing.T) {
	for _, o := range op.Ops() {
		hardware := o.Name == "mma.step" // no paper's equation, but what devices do
		if o.Doc == "" || (len(o.Equations) == 0) != hardware || len(o.Inputs) == 0 || len(o.Outputs) == 0 {
			t.Errorf("%s: incomplete", o.Name)
		}
		tensorsAreDescribed(t, o)
		for _, a := range o.Attrs {
			if a.Doc == "" || a.String() == "" {
				t.Errorf("%s: attribute %s has no description or default", o.Name, a.Name)
			}
		}
		if op.Lookup(o.Name) != o {
			t.Errorf("%s is not found", o.Name)
		}
	}
	if op.Lookup("nothing") != nil {
		t.Error("found an op that is not there")
	}
}

func tensorsAreDescribed(t *testing.T, o *op.Op) {
	t.Helper()
	for _, x := range append(append([]op.Tensor{}, o.Inputs...), o.Outputs...) {
		if x.Doc == "" || x.Shape == nil {
			t.Errorf("%s: tensor %s has no description or shape", o.Name, x.Name)
		}
	}
	for _, out := range o.Outputs {
		if len(out.Axes) != len(out.Shape) {
			t.Errorf("%s: output %s has %d names for %d axes", o.Name, out.Name, len(out.Axes), len(out.Shape))
		}
	}
}

// TestSameVerdictOnAnyNumberOfCores: the same recording gives the same numbers however the work is
// split. Without -long it is one core against as many as there are, and one seed: golden's
// recordings are judged time and again too.
func TestSameVerdictOnAnyNumberOfCores(t *testing.T) {
	for _, opName := range emulate.Ops() {
		for seed := range uint64(check.Times(6, 1)) {
			rec := optest.Recorded(t, opName, seed)
			first := op.Judge(rec)
			for _, cores := range []int{1, 5}[:check.Times(2, 1)] {
				withCores(cores, func() {
					if diff := cmp.Diff(first, op.Judge(rec)); diff != "" {
						t.Errorf("%s, seed %d on %d cores: %s", opName, seed, cores, diff)
					}
				})
			}
		}
	}
}

// TestLseBase: a log-sum-exp in base 2 is the natural one over ln 2, and σ with it.
func TestLseBase(t *testing.T) {
	r := smallForward(t)
	natural, err := op.Expect(r)
	if err != nil {
		t.Fatal(err)
	}
	r.Attrs["lse_base"] = "2"
	binary, err := op.Expect(r)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range natural[1].Truth.Data {
		if math.Abs(binary[1].Truth.Data[i]*math.Ln2-x) > 1e-12 ||
			math.Abs(binary[1].Sigma[i]*math.Ln2-natural[1].Sigma[i]) > 1e-12 {
			t.Errorf("element %d: %v and %v", i, binary[1].Truth.Data[i], x)
		}
	}
}

// TestOutputsMayBeLeftOut: what a kernel does not produce is not judged, and does not change the
// rest. Ops with one output have nothing to leave out.
func TestOutputsMayBeLeftOut(t *testing.T) {
	for _, opName := range opsOfSeveralOutputs() {
		full := optest.Recorded(t, opName, 4)
		all := op.Judge(full)
		for i, name := range full.Outputs() {
			if opName == "policy.mismatch" && name != "delta" {
				continue // of statistics alone more is said: that they do not tell of the gap
			}
			only := emulate.Request(opName, 4)
			for key, value := range full.Arithmetic {
				only.Arithmetic[key] = value
			}
			x, err := full.Tensor("out." + name)
			if err != nil {
				t.Fatal(err)
			}
			only.Set("out."+name, full.Type("out."+name), x)
			v := op.Judge(only)
			if len(v.Outputs) != 1 {
				t.Fatalf("%s %s: %s %s", opName, name, v.Status, v.Reason)
			}
			// limits share one chance of a false alarm among the outputs that are there
			if diff := cmp.Diff(scoresOf(outputNamed(all, name)), scoresOf(v.Outputs[0])); diff != "" {
				t.Errorf("%s output %d, %s alone: %s", opName, i, name, diff)
			}
		}
	}
}

func opsOfSeveralOutputs() (names []string) {
	for _, name := range emulate.Ops() {
		if len(op.Lookup(name).Outputs) > 1 {
			names = append(names, name)
		}
	}
	return names
}

// scoresOf returns what is said of an output but for the limits.
func scoresOf(o verdict.Output) verdict.Output {
	o.MaxZLimit, o.RMSLimit, o.BiasLimit, o.Vouches = 0, 0, 0, 0
	return o
}

func outputNamed(v verdict.Verdict, name string) verdict.Output {
	for _, o := range v.Outputs {
		if o.Name == name {
			return o
		}
	}
	return verdict.Output{}
}

// TestPoison: what lies behind the lengths, NaN included, reaches no truth.
func TestPoison(t *testing.T) {
	r := smallForward(t)
	clean, err := op.Expect(r)
	if err != nil {
		t.Fatal(err)
	}
	poison(t, r, "k")
	poison(t, r, "v")
	dirty, err := op.Expect(r)
	if err != nil {
		t.Fatal(err)
	}
	for i := range clean {
		if diff := cmp.Diff(clean[i].Truth.Data, dirty[i].Truth.Data); diff != "" {
			t.Errorf("%s: truth %s", clean[i].Name, diff)
		}
		if diff := cmp.Diff(clean[i].Sigma, dirty[i].Sigma); diff != "" {
			t.Errorf("%s: σ %s", clean[i].Name, diff)
		}
	}
}

// poison overwrites the one key of smallForward that is not in use: sequence 1 has 4 of its 5 keys.
func poison(t *testing.T, r *recording.Recording, name string) {
	t.Helper()
	x := optest.Input(t, r, name)
	poisoned := tensor.Of(append([]float64(nil), x.Data...), x.Shape...)
	for g := range 2 {
		row := poisoned.Row(1, 4, g)
		for i := range row {
			row[i] = math.NaN()
		}
	}
	r.Set(name, dtype.BF16, poisoned)
}

// withCores runs f with that many processors.
func withCores(n int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	f()
}
