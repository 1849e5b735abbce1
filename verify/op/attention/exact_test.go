package attention_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestOneKey: what sees one key has its score for a log-sum-exp, to a few roundings of that score,
// and its value for an output; there is nothing that an exponential or a logarithm could add.
func TestOneKey(t *testing.T) {
	r := recording.New("attention.forward")
	r.Set("q", dtype.F32, tensor.Of([]float64{1e-3}, 1, 1, 1, 1))
	r.Set("k", dtype.F32, tensor.Of([]float64{1.5}, 1, 1, 1, 1))
	r.Set("v", dtype.F32, tensor.Of([]float64{3}, 1, 1, 1, 1))
	rec, err := emulate.Run(r, emulate.Config{Base2: true})
	if err != nil {
		t.Fatal(err)
	}
	if v := optest.Judge(t, rec); v.Status != verdict.Explained {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
	for output, off := range map[string]float64{"lse": 2e-9, "o": 1e-5} {
		got, err := rec.Tensor("out." + output)
		if err != nil {
			t.Fatal(err)
		}
		wrong := rec.Clone()
		wrong.Set("out."+output, dtype.F32, tensor.Of([]float64{got.Data[0] + off}, got.Shape...))
		if v := optest.Judge(t, wrong); v.Status != verdict.Unexplained {
			t.Errorf("%s off by %v: %s", output, off, v.Status)
		}
	}
}

// TestScoresBeyondTheirType: what a kernel makes of a score that its type cannot hold is NaN, an
// infinity or the largest number. One that keeps to the truth all the same is right, and nothing
// panics.
func TestScoresBeyondTheirType(t *testing.T) {
	for _, opName := range []string{"attention.forward", "attention.backward"} {
		for _, c := range []struct {
			key, typ string
			size     float64
			want     verdict.Status
		}{
			{"scores", "F8_E4M3", 3, verdict.Explained},
			{"scores", "F8_E4M3", 60, verdict.Undetermined},
			{"scores", "F16", 6000, verdict.Undetermined},
			{"accumulate", "F16", 6000, verdict.Undetermined},
			{"cap_chain", "F8_E4M3", 3, verdict.Explained},
		} {
			rec := positive(t, capped(opName, dtype.F32, 1, 9, 1000, c.size, 1))
			if c.key != "cap_chain" {
				delete(rec.Attrs, "softcap")
			}
			run, err := emulate.Run(rec, emulate.Config{Probabilities: dtype.F32})
			if err != nil {
				t.Fatal(err)
			}
			run.Arithmetic[c.key] = c.typ
			if c.key == "scores" {
				run.Arithmetic["cap_chain"] = c.typ
			}
			if v := op.Judge(run); v.Status == verdict.Unexplained {
				t.Errorf("%s, %s %s, size %v: %s: %s", opName, c.key, c.typ, c.size, v.Status, v.Reason)
			}
		}
	}
}

// positive makes all scores of a request positive.
func positive(t *testing.T, request *recording.Recording) *recording.Recording {
	t.Helper()
	for _, name := range []string{"q", "k"} {
		x := optest.Input(t, request, name)
		for i := range x.Data {
			x.Data[i] = math.Abs(x.Data[i])
		}
		request.Set(name, dtype.F32, x)
	}
	return request
}

// TestShortSumsDoNotWalk: sums of eight terms have no long tail, so that errors of 4.8σ throughout
// are found, beside a sequence without keys, too.
func TestShortSumsDoNotWalk(t *testing.T) {
	r := eightKeys()
	r.Set("out.o", dtype.F64, tensor.New(2, 4, 1, 8))
	for off, want := range map[float64]verdict.Status{
		0: verdict.Explained, 1: verdict.Explained, 4.8: verdict.Unexplained,
	} {
		expected, err := op.Expect(r)
		if err != nil {
			t.Fatal(err)
		}
		o := expected[0].Truth
		for i := range o.Data {
			o.Data[i] += off * expected[0].Sigma[i] * float64(1-2*(i/3%2))
		}
		wrong := r.Clone()
		wrong.Set("out.o", dtype.F64, o)
		if v := op.Judge(wrong); v.Status != want {
			t.Errorf("off by %vσ: %s: %s", off, v.Status, v.Reason)
		}
	}
}

// eightKeys returns a request of attention.forward with a sequence of eight keys, eight numbers
// wide, and one without keys.
func eightKeys() *recording.Recording {
	rng := rand.New(rand.NewPCG(1, 8))
	r := recording.New("attention.forward")
	for _, name := range []string{"q", "k", "v"} {
		x := tensor.New(2, map[string]int{"q": 4, "k": 8, "v": 8}[name], 1, 8)
		for i := range x.Data {
			x.Data[i] = rng.NormFloat64()
		}
		r.Set(name, dtype.F32, x)
	}
	r.Set("kv_lens", dtype.I32, tensor.Of([]float64{8, 0}, 2))
	return r
}

// TestFlushedInputs: a query below the normal float32 numbers is 0 to hardware that flushes its
// inputs, and an enormous key makes that a difference, which has to be declared.
func TestFlushedInputs(t *testing.T) {
	r := recording.New("attention.forward")
	r.Set("q", dtype.F32, tensor.Of([]float64{0x1p-128}, 1, 1, 1, 1))
	r.Set("k", dtype.F32, tensor.Of([]float64{0x1p126, -0x1p127}, 1, 2, 1, 1))
	r.Set("v", dtype.F32, tensor.Of([]float64{101, 103}, 1, 2, 1, 1))
	r.Set("out.o", dtype.F32, tensor.Of([]float64{102}, 1, 1, 1, 1)) // both weights are 1/2
	if v := op.Judge(r); v.Status != verdict.Unexplained {
		t.Errorf("not declared: %s", v.Status)
	}
	r.Arithmetic["subnormals"] = "flushed"
	if v := op.Judge(r); v.Status != verdict.Explained {
		t.Errorf("declared: %s: %s", v.Status, v.Reason)
	}
}
