package latent_test

import (
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestUnturnedKey: the key of the token at position 0 is rounded once, to the type that it is
// cached in.
func TestUnturnedKey(t *testing.T) {
	seen, found := 0, 0
	for seed := range uint64(40) {
		layer := emulate.Request("mla.layer", seed).Clone()
		if layer.Type("x") == dtype.F32 || layer.Attrs["yarn"] != nil {
			continue
		}
		rec := firstKeys(t, layer)
		if v := optest.Judge(t, rec); v.Status != verdict.Explained {
			t.Errorf("seed %d: %s: %s", seed, v.Status, v.Reason)
		}
		for i := range 4 {
			if v := optest.Judge(t, optest.Nudged(t, rec, "rope_key", i)); v.Status == verdict.Unexplained {
				found++
			}
			seen++
		}
	}
	if seen < 12 || 10*found < 9*seen { // a truth may lie halfway
		t.Errorf("%d of %d elements that are a unit off are unexplained", found, seen)
	}
}

// firstKeys records the keys, and them alone, that a layer makes from position 0 on.
func firstKeys(t *testing.T, layer *recording.Recording) *recording.Recording {
	t.Helper()
	delete(layer.Attrs, "start")
	rec, err := emulate.Run(layer, emulate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rec.Delete("out.y")
	rec.Delete("out.latent")
	return rec
}

// TestSubnormalLayers: a layer in F16 whose latents and values are among its subnormal numbers.
func TestSubnormalLayers(t *testing.T) {
	for seed := range uint64(check.Times(8, 4)) {
		request := emulate.Request("mla.layer", seed).Clone()
		size := map[string]float64{
			"x": 1, "w_dkv": []float64{1e-3, 1e-5}[seed%2], "w_ukv": []float64{1, 1e-5}[seed/2%2],
		}
		for _, name := range request.Inputs() {
			x, err := request.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			for i := range x.Data {
				if s, ok := size[name]; ok {
					x.Data[i] *= s
				}
			}
			request.Set(name, dtype.F16, x)
		}
		for _, c := range []emulate.Config{
			{}, {Form: "absorbed"}, {NormTwice: true, Output: dtype.F32},
			{Form: "absorbed", Flushed: true, Frequencies: emulate.Recurrent},
		} {
			if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
				t.Errorf("seed %d, %s: %s: %s", seed, c, v.Status, v.Reason)
			}
		}
	}
}
