package diagnosis_test

import (
	"math"
	"slices"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/diagnosis"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// rotation is a request for x rotated in halves, at positions from 0 on.
func rotation(n, width int) *recording.Recording {
	r := recording.New("rope.apply")
	x, positions := tensor.New(n, 1, width), tensor.New(n)
	random := emulate.NewRand(1, "rotation")
	for i := range x.Data {
		x.Data[i] = random.NormFloat64()
	}
	for i := range positions.Data {
		positions.Data[i] = float64(i)
	}
	r.Set("x", dtype.BF16, x)
	r.Set("positions", dtype.I32, positions)
	r.Attrs["layout"] = "half"
	return r
}

func effect(t *testing.T, all []diagnosis.Effect, id string) diagnosis.Effect {
	t.Helper()
	i := slices.IndexFunc(all, func(e diagnosis.Effect) bool { return e.ID == id })
	if i < 0 {
		t.Fatalf("no effect of %s", id)
	}
	return all[i]
}

func TestEffects(t *testing.T) {
	request := rotation(16, 64)
	asked, err := diagnosis.EffectsOnRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a cut by half a spacing is √3 deviations of every element where nothing else errs", func(t *testing.T) {
		// (ulp/2)²/(σ² + ulp²/12) → 3 for σ ≪ ulp, as it is for BF16 outputs of float32 work. Of
		// those that are turned one in two is cut off by a whole spacing, with a deviation of
		// 1/√n of their number; those at position 0 are exact.
		const elements, turned = 16 * 64, 15 * 64
		got, want := effect(t, asked, "output-truncated").Strength, 3*turned/math.Sqrt(3*elements)
		check.Near(t, "strength", got, want, 3/math.Sqrt(turned)*want)
	})
	t.Run("what cannot make a difference has strength 0, and is not shown", func(t *testing.T) {
		if e := effect(t, asked, "yarn-missing"); e.Shows || e.Strength != 0 {
			t.Errorf("without YaRN: %+v", e)
		}
	})
	t.Run("a recording has the whole of the mistake that was made in it, and of no other", func(t *testing.T) {
		wrong, err := emulate.Run(request, emulate.Config{Mistake: "rotation-missing"})
		if err != nil {
			t.Fatal(err)
		}
		expected, err := op.Expect(wrong)
		if err != nil {
			t.Fatal(err)
		}
		all, err := diagnosis.Effects(wrong, expected)
		if err != nil {
			t.Fatal(err)
		}
		check.Near(t, "share of the mistake", effect(t, all, "rotation-missing").Share, 1, 1e-2)
		if share := effect(t, all, "rows-swapped").Share; share > 0.9 {
			t.Errorf("share of another: %v", share)
		}
		one, err := diagnosis.EffectOf(wrong, expected, "rotation-missing")
		if e := effect(t, all, "rotation-missing"); err != nil || one.Strength != e.Strength || one.Share != e.Share {
			t.Errorf("the effect of one, %+v, is not what it is among all, %+v; %v", one, e, err)
		}
		if _, err := diagnosis.EffectOf(wrong, expected, "scales-transposed"); err == nil {
			t.Error("a mistake of another op: no error")
		}
	})
}

// A fixed maximum overflows float32, not float64: there it is a right kernel whose sums are rounded
// in another way, by 10⁻¹¹ deviations, and that difference is not the mistake.
func TestEffectOfOverflow(t *testing.T) {
	const file = "../../golden/testdata/invalid/attention-forward-high-logits-bf16.fixed-maximum.safetensors"
	rec, err := recording.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	expected, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	e, err := diagnosis.EffectOf(rec, expected, "fixed-maximum")
	if err != nil || e.Strength < diagnosis.Visible {
		t.Errorf("strength %v, %v; want at least %v", e.Strength, err, diagnosis.Visible)
	}
}

// effectOnRight is what a mistake does to a right recording.
func effectOnRight(t *testing.T, opName string, seed uint64, id string) diagnosis.Effect {
	t.Helper()
	rec, err := emulate.Run(emulate.Request(opName, seed), emulate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	expected, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	e, err := diagnosis.EffectOf(rec, expected, id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatAStrengthIsOf(t *testing.T) {
	t.Run("what other roundings make of it is no part of it", func(t *testing.T) {
		// Outputs of experts are rounded to BF16 before they are summed: how a sum is rounded hangs
		// on that, and another kernel moves other numbers.
		e := effectOnRight(t, "moe.experts", 1, "combine-bf16")
		if !e.Shows || e.Strength >= diagnosis.Visible {
			t.Errorf("%+v", e)
		}
	})
	t.Run("what hangs on the recorded difference is not moved by another one", func(t *testing.T) {
		// The gap is small, and k3 of it nearly the same either way up. Statistics are of the gap
		// as it was recorded; a kernel that rounds nothing has another, and other statistics.
		if e := effectOnRight(t, "policy.mismatch", 5, "k3-upside-down"); e.Strength > 1 {
			t.Errorf("%+v", e)
		}
	})
}

func TestPowerOf(t *testing.T) {
	request := rotation(5, 8)
	p, err := diagnosis.PowerOf(request, op.MaxWork)
	if err != nil || !p.Request {
		t.Fatalf("a request: %+v, %v", p.Request, err)
	}
	if !slices.IsSortedFunc(p.Effects, func(a, b diagnosis.Effect) int {
		return int(math.Copysign(1, b.Strength-a.Strength))
	}) {
		t.Error("effects are not in order, strongest first")
	}
	if _, err := diagnosis.PowerOf(request, 1); err == nil {
		t.Error("more work than allowed: no error")
	}
	delete(request.Attrs, "layout")
	request.Attrs["lay"] = "half"
	if _, err := diagnosis.PowerOf(request, op.MaxWork); err == nil {
		t.Error("an unknown attribute: no error")
	}
}

func TestJudgeAndVouch(t *testing.T) {
	right, err := emulate.Run(rotation(5, 8), emulate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	v := diagnosis.JudgeAndVouch(right, op.MaxWork, 0, op.MaxWork)
	all, err := diagnosis.PowerOf(right, op.MaxWork)
	if err != nil || v.Status != verdict.Explained || v.Vouching == nil {
		t.Fatalf("a right recording: %s, vouching %v, %v", v.Status, v.Vouching, err)
	}
	if n := len(v.Vouching.Blind) + v.Vouching.Against; n != v.Vouching.Known || n != len(all.Effects) {
		t.Errorf("against %d and blind to %d make %d, want %d, all of %d",
			v.Vouching.Against, len(v.Vouching.Blind), n, v.Vouching.Known, len(all.Effects))
	}
	if v := diagnosis.JudgeAndVouch(right, op.MaxWork, 0, 1); v.Vouching != nil {
		t.Error("beyond its budget it vouches all the same")
	}
	if v := diagnosis.Judge(right, op.MaxWork, diagnosis.Budget); v.Vouching != nil {
		t.Error("Judge vouches")
	}
	wrong, err := emulate.Run(rotation(5, 8), emulate.Config{Mistake: "rotation-missing"})
	if v := diagnosis.JudgeAndVouch(wrong, op.MaxWork, 0, op.MaxWork); err != nil || v.Vouching != nil {
		t.Errorf("an unexplained recording vouches, %v", err)
	}
}
