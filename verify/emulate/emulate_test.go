package emulate_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	experts "plumbline/verify/op/experts/emulated"
	"plumbline/verify/op/objective/emulated"
	"plumbline/verify/recording"
)

// exact is a kernel without roundings: float64 throughout.
var exact = emulate.Config{
	Accumulate: arithmetic.F64, Probabilities: dtype.F64, Scores: dtype.F64, Intermediate: dtype.F64, Angle: dtype.F64,
	Output: dtype.F64,
}

// structures are the ways to arrange a kernel that change nothing but roundings.
func structures(op string) []emulate.Config {
	all := []emulate.Config{
		{Tile: 128}, {Tile: 16, Splits: 4}, {
			Tile: 1, Splits: 7, Order: emulate.Reversed,
		}, {Tile: 37, Order: emulate.Pairwise}, {
			Tile: 16, Splits: 3, Order: emulate.Strided, Base2: true,
		},
		{Order: emulate.Shuffled, Seed: 9}, {
			NormalizeFirst: true, Order: emulate.Strided,
		}, {Base2: true}, {DenominatorRounded: true},
	}
	if op == "mla.layer" {
		for _, c := range slices.Clone(all) {
			c.Form = "absorbed"
			all = append(all, c)
		}
	}
	return all
}

// withoutRounding returns the structure of c in the arithmetic of exact.
func withoutRounding(c emulate.Config) emulate.Config {
	e := exact
	e.Form, e.Tile, e.Splits, e.Order, e.Seed = c.Form, c.Tile, c.Splits, c.Order, c.Seed
	e.NormalizeFirst, e.DenominatorRounded, e.Base2 = c.NormalizeFirst, c.DenominatorRounded, c.Base2
	return e
}

func mustRun(t *testing.T, r *recording.Recording, c emulate.Config) *recording.Recording {
	t.Helper()
	out, err := emulate.Run(r, c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func output(t *testing.T, r *recording.Recording, name string) []float64 {
	t.Helper()
	x, err := r.Tensor("out." + name)
	if err != nil {
		t.Fatal(err)
	}
	return x.Data
}

// apart returns the largest distance of two outputs over 1 plus the largest number; infinities and
// NaN have to be in the same places.
func apart64(t *testing.T, got, want []float64) float64 {
	t.Helper()
	var worst, largest float64
	for i, w := range want {
		g := got[i]
		if !dtype.Finite(w) || !dtype.Finite(g) {
			if g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
				t.Fatalf("element %d: %v, want %v", i, g, w)
			}
			continue
		}
		worst, largest = max(worst, math.Abs(g-w)), max(largest, math.Abs(w))
	}
	return worst / (1 + largest)
}

func TestWithoutRoundingsEveryStructureIsTheSameKernel(t *testing.T) {
	for _, op := range emulate.Ops() {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(check.Times(10, 2)) {
				request := emulate.Request(op, seed)
				want := mustRun(t, request, exact)
				for _, c := range structures(op) {
					got := mustRun(t, request, withoutRounding(c))
					for _, name := range got.Outputs() {
						if d := apart64(t, output(t, got, name), output(t, want, name)); d > 1e-12 {
							t.Errorf("seed %d, %v: %s is %.2g apart", seed, c, name, d)
						}
					}
				}
			}
		})
	}
}

// TestRightKernelsAreNearTheExactOne runs every configuration on eight requests, or without -long
// on one.
func TestRightKernelsAreNearTheExactOne(t *testing.T) {
	for _, op := range emulate.Ops() {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(check.Times(8, 1)) {
				request := emulate.Request(op, seed)
				if note := request.Provenance["note"]; note == emulated.Undecided || note == experts.Undecided {
					continue
				}
				want := mustRun(t, request, exact)
				for _, c := range emulate.Right(op) {
					if (strings.HasPrefix(op, "policy.") || op == "grpo.advantage") && c.Intermediate != dtype.Invalid {
						continue // differences of large numbers, of which a narrow type leaves little
					}
					if choosesFreely(op, c) {
						continue
					}
					got := mustRun(t, request, c)
					for _, name := range got.Outputs() {
						checkNear(
							t, fmt.Sprintf("seed %d, %v: %s", seed, c, name), output(t, got, name),
							output(t, want, name),
						)
					}
				}
			}
		})
	}
}

// choosesFreely tells whether a gate may choose other experts than the exact one, or give them in
// another order.
func choosesFreely(op string, c emulate.Config) bool {
	if op != "moe.gate" && op != "moe.layer" {
		return false
	}
	plain := c.Accumulate == arithmetic.F32 || c.Accumulate == arithmetic.F64
	return !plain || c.TiesLast || c.Gate != dtype.Invalid || op == "moe.gate" && c.Slots != emulate.AsChosen
}

// checkNear is no verdict: it finds right kernels that are grossly wrong.
func checkNear(t *testing.T, what string, got, want []float64) {
	t.Helper()
	apart64(t, got, want)
	var errors, squares float64
	for i, w := range want {
		if dtype.Finite(w) {
			errors += (got[i] - w) * (got[i] - w)
			squares += w*w + 1e-4
		}
	}
	if errors > 0.1*0.1*squares {
		t.Errorf("%s: relative error %.2g", what, math.Sqrt(errors/squares))
	}
}

func TestRunsAreDeterministic(t *testing.T) {
	for _, op := range emulate.Ops() {
		c := emulate.Right(op)[4]
		if !bytes.Equal(
			encoded(t, mustRun(t, emulate.Request(op, 3), c)), encoded(t, mustRun(t, emulate.Request(op, 3), c)),
		) {
			t.Errorf("%s: two runs differ", op)
		}
		if bytes.Equal(encoded(t, emulate.Request(op, 3)), encoded(t, emulate.Request(op, 4))) {
			t.Errorf("%s: two seeds give one request", op)
		}
	}
}

func encoded(t *testing.T, r *recording.Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestARunDeclaresWhatItDoes(t *testing.T) {
	request := emulate.Request("attention.forward", 0) // BF16
	got := mustRun(
		t, request, emulate.Config{Accumulate: arithmetic.F32Hopper, Scores: dtype.F16, Mistake: "scale-one-percent"},
	)
	want := map[string]any{"accumulate": "F32_HOPPER", "probabilities": request.Type("v").String(), "scores": "F16"}
	for key, value := range want {
		if got.Arithmetic[key] != value {
			t.Errorf("%s is %v, want %v", key, got.Arithmetic[key], value)
		}
	}
	if got.Provenance["producer"] != "plumbline emulate" ||
		!strings.Contains(got.Provenance["note"].(string), "scale-one-percent") {
		t.Errorf("provenance %v", got.Provenance)
	}
	if len(request.Outputs()) != 0 || len(request.Arithmetic) != 0 {
		t.Error("the request was changed")
	}
}

func TestNarrowAccumulatorsTakeNarrowInputs(t *testing.T) {
	for seed := range uint64(40) {
		request := emulate.Request("mla.decode", seed)
		got := mustRun(t, request, emulate.Config{Accumulate: arithmetic.BF16}).Arithmetic["accumulate"]
		if want := map[bool]string{true: "BF16", false: "F32"}[request.Type("q").Size() == 2]; got != want {
			t.Errorf("%v inputs: accumulate %v, want %v", request.Type("q"), got, want)
		}
	}
}

// PyTorch 1.13 ran DeepSeek's inference code on a CPU for this recording. The layer is met bit for
// bit, with its one surprise: a number times a BF16 tensor is rounded to BF16 first, the softmax
// scale too.
func TestDeepSeeksLayerIsMetBitForBit(t *testing.T) {
	const path = "../../golden/testdata/mla-layer-absorbed-bf16.safetensors"
	want, err := recording.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	got := mustRun(
		t, want, emulate.Config{Form: "absorbed", NormalizeFirst: true, Scores: dtype.BF16, ScaleRounded: true},
	)
	for _, name := range want.Outputs() {
		if !slices.Equal(output(t, got, name), output(t, want, name)) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestErrorsNameTheRequest(t *testing.T) {
	_, err := emulate.Run(emulate.Request("norm.rms", 1), emulate.Config{Mistake: "causal-top-left"})
	if err == nil || errors.Is(err, emulate.ErrHidden) || !strings.Contains(err.Error(), "norm.rms, seed 1") {
		t.Errorf("a mistake of another op: %v", err)
	}
	if _, err := emulate.Run(recording.New("mma.step"), emulate.Config{}); err == nil {
		t.Error("an op that cannot be emulated ran")
	}
	if _, err := emulate.Run(recording.New("norm.rms"), emulate.Config{}); err == nil {
		t.Error("a request without inputs ran")
	}
}
