package prediction_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/op/prediction"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// combining returns a request of n rows of width d.
func combining(seed uint64, n, d int) *recording.Recording {
	rec, rng := recording.New("mtp.combine"), emulate.NewRand(seed, "mtp.combine")
	rec.Name = "combine"
	normal := func(name string, mean, deviation float64, shape ...int) {
		x := tensor.New(shape...)
		for i := range x.Data {
			x.Data[i] = mean + deviation*rng.NormFloat64()
		}
		rec.Set(name, dtype.BF16, x)
	}
	normal("hidden", 0, 1, n, d)
	normal("embedding", 0, 0.02, n, d)
	normal("norm_hidden", 1, 0.2, d)
	normal("norm_embedding", 0.5, 0.2, d)
	normal("projection", 0, 1/math.Sqrt(float64(2*d)), d, 2*d)
	return rec
}

// Where products take too long some rows are run for all. The others' σ is what it would have been,
// to what the pool leaves open, and right kernels stay right.
func TestRowsThatAreNotRun(t *testing.T) {
	const n, d = 48, 64
	request := combining(1, n, d)
	rec, err := emulate.Run(request, emulate.Config{NormTwice: true})
	optest.Must(err)
	whole := expected(t, rec)[0]
	restore := prediction.LowerRunProducts(33 * 2 * d * d * 5)
	defer restore()
	few := expected(t, rec)[0]
	if ran := len(few.Sample.Deviations[0]); ran == 0 || ran > n*d/4 {
		t.Fatalf("%d of %d elements are run", ran, n*d)
	}
	if !slices.Equal(few.Truth.Data, whole.Truth.Data) {
		t.Error("the truth is another")
	}
	ratios := optest.Ratios(few.Sigma, whole.Sigma)
	median, low, high := ratios[n*d/2], ratios[n*d/50], ratios[n*d-n*d/50]
	if math.Abs(median) > 0.25 || low < -1 || high > 1 {
		t.Errorf("log₂ of the ratios of σ: %.2g in the middle, from %.2g to %.2g", median, low, high)
	}
	for _, c := range emulate.Right("mtp.combine") {
		if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
			t.Errorf("%s: %s: %s", c, v.Status, v.Reason)
		}
	}
}

// A factor on one half alone shows in no row and in no element.
func TestAHalfThatIsTooLarge(t *testing.T) {
	rec, err := emulate.Run(combining(2, 64, 96), emulate.Config{Output: dtype.F32})
	optest.Must(err)
	larger := rec.Clone()
	weight := optest.Input(t, rec, "norm_embedding")
	for i := range weight.Data {
		weight.Data[i] *= 1 + 0x1p-9
	}
	larger.Set("norm_embedding", dtype.F32, weight)
	larger.Arithmetic["intermediate"] = "F32"
	rec.Set("out.y", dtype.F32, expected(t, larger)[0].Truth)
	v := op.Judge(rec)
	if want := "the part of the embedding is"; v.Status != verdict.Unexplained || !says(v, want) {
		t.Errorf("%s: %q, want unexplained by %q", v.Status, v.Outputs[0].Reasons, want)
	}
}

// says tells whether a reason of a verdict has these words.
func says(v verdict.Verdict, words string) bool {
	return slices.ContainsFunc(v.Outputs, func(o verdict.Output) bool {
		return slices.ContainsFunc(o.Reasons, func(r string) bool { return strings.Contains(r, words) })
	})
}

func expected(t *testing.T, rec *recording.Recording) []verdict.Expected {
	t.Helper()
	e, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
