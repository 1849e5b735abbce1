package compare_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumbline/golden"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/compare"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

func open(t *testing.T, name string) *recording.Recording {
	t.Helper()
	rec, err := golden.Open(name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// ofKernel opens a recording of one of the project's kernels.
func ofKernel(t *testing.T, name string) *recording.Recording {
	t.Helper()
	rec, err := recording.Open("../../golden/testdata/kernels/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rec.Close() })
	return rec
}

// changed returns a copy with another name, after a change.
func changed(rec *recording.Recording, change func(*recording.Recording)) *recording.Recording {
	other := rec.Clone()
	other.Name = "other"
	change(other)
	return other
}

// set changes one element of a tensor.
func set(rec *recording.Recording, name string, i int, value func(x float64) float64) {
	x, _ := rec.Tensor(name)
	x.Data[i] = value(x.Data[i])
	rec.Set(name, rec.Type(name), x)
}

func TestTwoRecordings(t *testing.T) {
	rope := open(t, "rope-plain-bf16")
	step := func(x float64) float64 { return x + dtype.BF16.Spacing(x) }
	t.Run("a recording is bitwise equal to itself, whatever it says of its origin", func(t *testing.T) {
		c := compare.Within(rope, changed(rope, func(r *recording.Recording) {
			r.Provenance = map[string]any{}
			r.Attrs["layout"] = "interleaved" // the default, said
		}), op.MaxWork)
		o := c.Outputs[0]
		if c.Status != verdict.Explained || o.Differ != 0 || o.Elements != 33*8*64 || c.Part.Count != 0 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("one step in one element is found, and both explain it", func(t *testing.T) {
		eager := open(t, "attention-forward-eager-bf16")
		other := changed(eager, func(r *recording.Recording) { set(r, "out.o", 65, step) })
		c := compare.Within(eager, other, op.MaxWork)
		o := c.Outputs[slices.IndexFunc(c.Outputs, func(o compare.Output) bool { return o.Name == "o" })]
		if c.Status != verdict.Explained || o.Differ != 1 || o.Steps != 1 ||
			!slices.Equal(o.First.Index, []int{0, 0, 2, 1}) ||
			!slices.Equal(o.Axes, []string{"batch", "query", "head", "column"}) || !(o.RMS > 0) {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a wrong one is unexplained, also where the two are equal", func(t *testing.T) {
		norm := open(t, "norm-rms-bf16")
		wrong := changed(norm, func(r *recording.Recording) {
			r.Set("out.y", dtype.BF16, tensor.New(r.Shape("out.y")...))
		})
		c := compare.Within(norm, wrong, op.MaxWork)
		if c.Status != verdict.Unexplained || !c.Outputs[0].Beyond ||
			!strings.Contains(c.Reason, "other is unexplained") {
			t.Errorf("%+v", c)
		}
		c = compare.Within(wrong, wrong, op.MaxWork)
		if c.Status != verdict.Unexplained || c.Outputs[0].Beyond || c.Outputs[0].Differ != 0 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("two kernels of one request differ by no more than both may err", func(t *testing.T) {
		ours := ofKernel(t, "grpo-loss-gspo-f32")
		theirs := open(t, "grpo-loss-gspo-f32-verl-gspo")
		c := compare.Within(ours, theirs, op.MaxWork)
		if o := c.Outputs[1]; c.Status != verdict.Explained || o.Differ < 100 || !(o.RMS > 0.1 && o.RMS < o.RMSLimit) {
			t.Errorf("%+v", c)
		}
		theirs.Delete("out.loss")
		c = compare.Within(ours, theirs, op.MaxWork)
		if !slices.Equal(c.Alone, []string{"loss"}) || len(c.Outputs) != 1 || c.Outputs[0].Name != "dlogprob" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("choices have no score, and each is judged by itself", func(t *testing.T) {
		gate := ofKernel(t, "moe-gate-ties-f32")
		c := compare.Within(gate, gate, op.MaxWork)
		if i := slices.IndexFunc(c.Outputs, func(o compare.Output) bool { return o.Choice }); i < 0 ||
			c.Outputs[i].RMSLimit != 0 || c.Status != verdict.Explained {
			t.Errorf("%+v", c)
		}
	})
}

// Both are one deviation off everywhere, which each explains, and always on opposite sides: no two
// kernels that err by themselves are.
func TestOppositeErrors(t *testing.T) {
	rec := open(t, "moe-layer-f32")
	expected, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	a, b := tensor.New(rec.Shape("out.y")...), tensor.New(rec.Shape("out.y")...)
	i := slices.IndexFunc(expected, func(e verdict.Expected) bool { return e.Name == "y" })
	for k, truth := range expected[i].Truth.Data {
		s := expected[i].Explained(k) * float64(2*rng.IntN(2)-1)
		a.Data[k], b.Data[k] = truth+s, truth-s
	}
	one := changed(rec, func(r *recording.Recording) { r.Set("out.y", dtype.F32, a) })
	c := compare.Within(one, changed(rec, func(r *recording.Recording) { r.Set("out.y", dtype.F32, b) }), op.MaxWork)
	for _, v := range c.Verdicts {
		if v.Status != verdict.Explained {
			t.Fatalf("%+v", v)
		}
	}
	o := c.Outputs[slices.IndexFunc(c.Outputs, func(o compare.Output) bool { return o.Name == "y" })]
	if c.Status != verdict.Unexplained || !o.Beyond || !(o.RMS > 1.40 && o.RMS < 1.42) ||
		c.Reason != "y: they differ by more than both may err" {
		t.Errorf("%s, %+v", c.Reason, o)
	}
}

func TestWhatIsNotOneCall(t *testing.T) {
	rope := open(t, "rope-plain-bf16")
	for want, change := range map[string]func(*recording.Recording){
		`op: rope.apply and norm.rms`: func(r *recording.Recording) { *r = *open(t, "norm-rms-bf16").Clone() },
		`attrs: "base": `:             func(r *recording.Recording) { r.Attrs["base"] = 500000.0 },
		`attrs: "inverse": false and true`: func(r *recording.Recording) {
			r.Attrs["inverse"] = true
		},
		`tensor "x": types BF16 and F32`: func(r *recording.Recording) {
			x, _ := r.Tensor("x")
			r.Set("x", dtype.F32, x)
		},
		`tensor "x": element [1 2 3] differs`: func(r *recording.Recording) {
			set(r, "x", (1*8+2)*64+3, func(x float64) float64 { return -x - 1 })
		},
		`no output that both have`: func(r *recording.Recording) {
			r.Delete("out.y")
		},
	} {
		c := compare.Within(rope, changed(rope, change), op.MaxWork)
		if c.Status != verdict.Unusable || !strings.Contains(c.Reason, want) {
			t.Errorf("%s: %q, want %q", c.Status, c.Reason, want)
		}
	}
	c := compare.Within(rope, rope, 1)
	if c.Status != verdict.Unusable || !strings.Contains(c.Reason, "more than the limit") {
		t.Errorf("%s: %q", c.Status, c.Reason)
	}
}

// TestGeneratedInputs: a recipe and the bits that it makes are one input, and another seed is not.
func TestGeneratedInputs(t *testing.T) {
	made := changed(open(t, "norm-rms-bf16"), func(r *recording.Recording) {
		err := r.Generate("x", recording.Recipe{Type: dtype.BF16, Shape: r.Shape("x"), Dist: "normal", Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
	})
	stored := changed(made, func(r *recording.Recording) {
		x, err := r.Tensor("x")
		if err != nil {
			t.Fatal(err)
		}
		r.Set("x", dtype.BF16, x)
	})
	otherwise := changed(made, func(r *recording.Recording) {
		err := r.Generate("x", recording.Recipe{Type: dtype.BF16, Shape: r.Shape("x"), Dist: "normal", Seed: 2})
		if err != nil {
			t.Fatal(err)
		}
	})
	for _, with := range []*recording.Recording{made, stored} {
		if c := compare.Within(made, with, op.MaxWork); len(c.Outputs) != 1 || c.Outputs[0].Differ != 0 {
			t.Errorf("%+v", c)
		}
	}
	c := compare.Within(made, otherwise, op.MaxWork)
	if !strings.Contains(c.Reason, `tensor "x": element [0 0] differs`) {
		t.Errorf("%+v", c)
	}
}
