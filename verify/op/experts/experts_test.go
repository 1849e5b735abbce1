package experts_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/optest"
	"plumbline/moe"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// normals sets an input to normal numbers of a type.
func normals(rng *rand.Rand, rec *recording.Recording, name string, deviation float64, shape ...int) {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = deviation * rng.NormFloat64()
	}
	rec.Set(name, dtype.BF16, x)
}

// networks returns a recording with tokens, experts and shared ones, and no output yet.
func networks(seed uint64, opName string, tokens, experts, d, f int) *recording.Recording {
	rng := rand.New(rand.NewPCG(seed, 7))
	rec := recording.New(opName)
	rec.Name = "moe"
	normals(rng, rec, "x", 1, tokens, d)
	for name, shape := range map[string][]int{
		"w_gate": {experts, f, d}, "w_up": {experts, f, d}, "w_down": {experts, d, f},
		"shared_gate": {f, d}, "shared_up": {f, d}, "shared_down": {d, f},
	} {
		normals(rand.New(rand.NewPCG(seed, uint64(len(name))+uint64(name[0]))), rec, name, 0.2, shape...)
	}
	return rec
}

// sent adds the experts of tokens, all with the same weight.
func sent(rec *recording.Recording, weight float64, ids ...float64) *recording.Recording {
	n := rec.Shape("x")[0]
	weights := tensor.New(n, len(ids)/n)
	for i := range weights.Data {
		weights.Data[i] = weight
	}
	rec.Set("indices", dtype.I32, tensor.Of(ids, n, len(ids)/n))
	rec.Set("weights", dtype.F32, weights)
	return rec
}

// truth returns what is expected of the output.
func truth(t *testing.T, rec *recording.Recording) verdict.Expected {
	t.Helper()
	r := rec.Clone()
	r.Set("out.y", dtype.F32, tensor.New(rec.Shape("x")...))
	expected, err := op.Expect(r)
	if err != nil {
		t.Fatal(err)
	}
	return expected[0]
}

// with adds an output.
func with(rec *recording.Recording, typ dtype.Type, y *tensor.Tensor) *recording.Recording {
	r := rec.Clone()
	r.Set("out.y", typ, y)
	return r
}

// input returns an input that is a matrix.
func input(t *testing.T, rec *recording.Recording, name string) *mat.Dense {
	t.Helper()
	return optest.Input(t, rec, name).View(0)
}

// TestSumIsThatOfTheEquations: what is computed expert by expert and block by block is the sum of
// SwiGLU networks, token by token, with and without shared experts, weights inside and clamps.
func TestSumIsThatOfTheEquations(t *testing.T) {
	const d, f = 24, 16
	for name, attrs := range map[string]map[string]any{
		"plain": {}, "clamped": {"swiglu_limit": json.Number("0.5")}, "weights inside": {"weight_at": "hidden"},
	} {
		rec := sent(networks(1, "moe.experts", 3, 4, d, f), 0.375, 0, 2, 3, -1, 2, 2)
		rec.Attrs = attrs
		limit := math.Inf(1)
		if name == "clamped" {
			limit = 0.5
		}
		got := truth(t, rec).Truth
		for n, ids := range [][]int{{0, 2}, {3}, {2, 2}} {
			for j, want := range sumOf(t, rec, n, ids, limit) {
				if g := got.Data[n*d+j]; math.Abs(g-want) > 1e-12*(1+math.Abs(want)) {
					t.Errorf("%s: token %d, column %d: %v, want %v", name, n, j, g, want)
				}
			}
		}
	}
}

// sumOf returns the shared experts and the given ones with a weight of 0.375 each, for one token.
func sumOf(t *testing.T, rec *recording.Recording, n int, ids []int, limit float64) []float64 {
	t.Helper()
	x := input(t, rec, "x").RawRowView(n)
	y := moe.SwiGLUClamped(
		x, input(t, rec, "shared_gate"), input(t, rec, "shared_up"), input(t, rec, "shared_down"), limit,
	)
	for _, e := range ids {
		floats.AddScaled(y, 0.375, moe.SwiGLUClamped(
			x, expertOf(t, rec, "w_gate", e), expertOf(t, rec, "w_up", e), expertOf(t, rec, "w_down", e), limit,
		))
	}
	return y
}

func expertOf(t *testing.T, rec *recording.Recording, name string, e int) *mat.Dense {
	t.Helper()
	x, err := rec.Rows(name, e, e+1)
	if err != nil {
		t.Fatal(err)
	}
	return mat.NewDense(x.Shape[1], x.Shape[2], x.Data)
}

// TestEitherExpertOfATie: where two experts score alike a layer may send a token to either, and
// nothing else is right.
func TestEitherExpertOfATie(t *testing.T) {
	rec := networks(2, "moe.layer", 4, 3, 32, 16)
	centroids := tensor.New(3, 32)
	for i := range centroids.Data {
		centroids.Data[i] = []float64{0.125, 0.125, -0.5}[i/32]
	}
	rec.Set("weight", dtype.BF16, centroids)
	rec.Set("bias", dtype.F32, tensor.Of([]float64{0, 0, -3}, 3))
	rec.Attrs = map[string]any{"top_k": json.Number("1")}
	rec.Arithmetic = map[string]any{"intermediate": "F32"}
	single := rec.Clone()
	single.Op, single.Attrs = "moe.experts", map[string]any{}
	single.Delete("weight")
	single.Delete("bias")
	for e, want := range []verdict.Status{verdict.Explained, verdict.Explained, verdict.Unexplained} {
		id := float64(e)
		y := truth(t, sent(single, 1, id, id, id, id)).Truth
		says(t, fmt.Sprintf("expert %d", e), with(rec, dtype.BF16, y), want, "")
	}
}

// TestTooManyTies: a token whose experts all score alike may be sent anywhere, and is not judged.
func TestTooManyTies(t *testing.T) {
	rec := networks(3, "moe.layer", 2, 64, 16, 8)
	rec.Set("weight", dtype.BF16, tensor.New(64, 16))
	rec.Attrs = map[string]any{"top_k": json.Number("8")}
	says(
		t, "equal scores", with(rec, dtype.F32, tensor.New(2, 16)), verdict.Undetermined,
		"more than 16 sets of experts may be chosen",
	)
}

func TestErrorsOfExperts(t *testing.T) {
	right := func() *recording.Recording {
		rec := sent(networks(4, "moe.experts", 2, 3, 16, 8), 1, 0, 2)
		return with(rec, dtype.F32, truth(t, rec).Truth)
	}
	says(t, "right", right(), verdict.Explained, "")
	for _, c := range []struct {
		change func(r *recording.Recording)
		words  string
	}{
		{func(r *recording.Recording) { sent(r, 1, 0, 3) }, `tensor "indices": element [1 0] is 3, want less than 3`},
		{func(r *recording.Recording) {
			r.Delete("shared_up")
		}, `tensor "shared_up": missing, want shared_gate, shared_up and`},
		{func(r *recording.Recording) {
			r.Delete("shared_gate")
		}, `tensor "shared_gate": missing, want shared_gate, shared_up and`},
		{func(r *recording.Recording) { r.Attrs["swiglu_limit"] = json.Number("-1") }, `"swiglu_limit": found -1`},
		{func(r *recording.Recording) { r.Attrs["weight_at"] = "input" }, `found "input", want output or hidden`},
		{func(r *recording.Recording) {
			r.Set("w_up", dtype.BF16, tensor.New(3, 8, 15))
		}, `tensor "w_up": shape [3 8 15]`},
		{func(r *recording.Recording) { r.Arithmetic["combine"] = "F31" }, `"combine": found "F31"`},
	} {
		rec := right()
		c.change(rec)
		says(t, c.words, rec, verdict.Unusable, c.words)
	}
}
