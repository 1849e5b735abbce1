package emulate_test

import (
	"math"
	"slices"
	"testing"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

func TestWhatEasesTheVerdictIsDeclared(t *testing.T) {
	request := recording.New("attention.backward")
	for _, name := range []string{"q", "k", "v", "do"} {
		request.Set(name, dtype.F32, tensor.Of([]float64{0.5, 1, -1, 2}, 1, 2, 1, 2))
	}
	for _, c := range []struct {
		config emulate.Config
		want   map[string]string
	}{
		{
			emulate.Config{},
			map[string]string{
				"accumulate": "F32", "cap_chain": "F32", "exp": "exact", "tanh": "exact", "group_sum": "F32",
			},
		},
		{emulate.Config{Scores: dtype.BF16}, map[string]string{"scores": "BF16", "cap_chain": "BF16"}},
		{
			emulate.Config{CapChain: dtype.F16, FastTanh: true},
			map[string]string{"scores": "F32", "cap_chain": "F16", "tanh": "approx"},
		},
		{emulate.Config{FastExp: true, GroupSum: dtype.BF16}, map[string]string{"exp": "approx", "group_sum": "BF16"}},
		{emulate.Config{Accumulate: arithmetic.TF32}, map[string]string{"accumulate": "TF32"}},
		{exact, map[string]string{"accumulate": "F64", "cap_chain": "F64", "group_sum": "F64"}},
	} {
		got := mustRun(t, request, c.config)
		for key, value := range c.want {
			if got.Arithmetic[key] != value {
				t.Errorf("%s: %s is %v, want %s", c.config, key, got.Arithmetic[key], value)
			}
		}
	}
}

func TestOperandsAreNarrowedToTF32(t *testing.T) {
	x := []float32{1, 1 + 0x1p-10, 1 + 0x1p-11, 1 + 0x1.8p-11, -(1 + 0x1.8p-11), 3 + 0x1.fp-10, float32(math.Inf(-1))}
	cut := []float32{1, 1 + 0x1p-10, 1, 1, -1, 3, float32(math.Inf(-1))}
	rounded := []float32{1, 1 + 0x1p-10, 1 + 0x1p-10, 1 + 0x1p-10, -(1 + 0x1p-10), 3 + 0x1p-9, float32(math.Inf(-1))}
	s := emulate.NewSummer[float32](&emulate.Config{Accumulate: arithmetic.TF32}, dtype.F32)
	if got := s.Operands(x); !slices.Equal(got, cut) {
		t.Errorf("cut: %v, want %v", got, cut)
	}
	s = emulate.NewSummer[float32](&emulate.Config{Accumulate: arithmetic.TF32, OperandsRounded: true}, dtype.F32)
	if got := s.Operands(x); !slices.Equal(got, rounded) {
		t.Errorf("rounded: %v, want %v", got, rounded)
	}
	if got, want := s.Dot([]float32{1 + 0x1p-11, 2}, []float32{1, 4}), float32(9+0x1p-10); got != want {
		t.Errorf("dot is %v, want %v", got, want)
	}
	c := emulate.Config{Accumulate: arithmetic.TF32}
	if emulate.NewSummer[float32](&c, dtype.BF16); c.Accumulate != arithmetic.F32 {
		t.Errorf("16-bit operands: accumulate %s, want F32", c.Accumulate)
	}
}

// A group's gradients in a narrow type are those of its heads, each rounded, added one by one.
func TestGroupsAddTheirHeadsOneByOne(t *testing.T) {
	request := emulate.Request("attention.backward", 0)
	for seed := uint64(1); request.Shape("q")[2] != 2*request.Shape("k")[2] || request.Has("kv_lens"); seed++ {
		request = emulate.Request("attention.backward", seed)
	}
	sum := mustRun(t, request, emulate.Config{GroupSum: dtype.BF16, Output: dtype.F32})
	for _, x := range output(t, sum, "dk") {
		if dtype.BF16.Round(x) != x {
			t.Fatalf("dk has %v, which is no BF16 number", x)
		}
	}
	plain := mustRun(t, request, emulate.Config{Output: dtype.F32})
	if d := apart64(t, output(t, sum, "dk"), output(t, plain, "dk")); d == 0 || d > 0x1p-6 {
		t.Errorf("dk is %.2g apart from one sum, want some roundings to BF16", d)
	}
}
