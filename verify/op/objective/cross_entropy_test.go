package objective_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/policy"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestCrossEntropyIsThatOfTheEquations compares the truth, which goes over rows and the vocabulary
// in parts, with the equations of a whole batch.
func TestCrossEntropyIsThatOfTheEquations(t *testing.T) {
	for seed := range uint64(20) {
		rec, err := emulate.Run(emulate.Request("policy.cross_entropy", seed), emulate.Config{})
		if err != nil {
			t.Fatal(err)
		}
		expected, err := op.Expect(rec)
		if err != nil {
			t.Fatal(err)
		}
		want := byEquations(t, rec)
		for _, e := range expected {
			for i, x := range want[e.Name] {
				if got := e.Truth.Data[i]; e.Judged(i) && math.Abs(got-x) > 1e-12 {
					t.Errorf("seed %d: %s %d: got %v, want %v", seed, e.Name, i, got, x)
				}
			}
		}
	}
}

func byEquations(t *testing.T, rec *recording.Recording) map[string][]float64 {
	hidden, weight := optest.Input(t, rec, "hidden"), optest.Input(t, rec, "weight")
	h := mat.NewDense(hidden.Shape[0], hidden.Shape[1], hidden.Data)
	w := mat.NewDense(weight.Shape[0], weight.Shape[1], weight.Data)
	ignore, temperature := -100, 1.0
	if n, ok := rec.Attrs["ignore_index"].(json.Number); ok {
		x, _ := n.Int64()
		ignore = int(x)
	}
	if n, ok := rec.Attrs["temperature"].(json.Number); ok {
		temperature, _ = n.Float64()
	}
	var targets []int
	for _, y := range optest.Input(t, rec, "targets").Data {
		targets = append(targets, int(y))
	}
	loss := policy.LinearCrossEntropyMean(h, w, targets, ignore, temperature)
	dh, dw := policy.LinearCrossEntropyMeanBackward(h, w, targets, ignore, temperature)
	if rec.Attrs["reduction"] == "sum" {
		loss = policy.LinearCrossEntropySum(h, w, targets, ignore, temperature)
		dh, dw = policy.LinearCrossEntropySumBackward(h, w, targets, ignore, temperature)
	}
	return map[string][]float64{
		"loss": {loss}, "dhidden": dh.RawMatrix().Data, "dweight": dw.RawMatrix().Data,
	}
}

// unitHead is a recording whose head changes nothing: logits are the hidden states.
func unitHead(logits, targets []float64) *recording.Recording {
	r := recording.New("policy.cross_entropy")
	r.Name = "r.safetensors"
	r.Set("hidden", dtype.F32, tensor.Of(logits, len(targets), 2))
	r.Set("weight", dtype.F32, tensor.Of([]float64{1, 0, 0, 1}, 2, 2))
	r.Set("targets", dtype.I64, tensor.Of(targets, len(targets)))
	return r
}

func TestCrossEntropyByHand(t *testing.T) {
	set := func(r *recording.Recording, name string, data []float64, shape ...int) *recording.Recording {
		r.Set("out."+name, dtype.F32, tensor.Of(data, shape...))
		return r
	}
	loss := func(x float64, targets ...float64) *recording.Recording {
		logits := slices.Repeat([]float64{0, math.Log(3)}, len(targets))
		return set(unitHead(logits, targets), "loss", []float64{x})
	}
	t.Run("a quarter and three quarters", func(t *testing.T) {
		judged(t, loss((math.Log(4)+math.Log(4./3))/2, 0, 1), verdict.Explained, "")
		judged(t, loss(math.Log(4)+math.Log(4./3), 0, 1), verdict.Unexplained, "loss")
	})
	t.Run("the mean is over the rows that count", func(t *testing.T) {
		judged(t, loss(math.Log(4), 0, -100), verdict.Explained, "")
		judged(t, loss(math.Log(4)/2, 0, -100), verdict.Unexplained, "loss")
	})
	// p − onehot = (¼ − 1, ¾); of the row that does not count 0.
	t.Run("gradients, by hand", func(t *testing.T) {
		r := set(unitHead([]float64{0, math.Log(3), 5, 5}, []float64{0, -100}), "dhidden",
			[]float64{-0.75, 0.75, 0, 0}, 2, 2)
		set(r, "dweight", []float64{0, -0.75 * math.Log(3), 0, 0.75 * math.Log(3)}, 2, 2)
		judged(t, r, verdict.Explained, "")
		judged(t, set(r, "dhidden", []float64{-0.75, 0.75, 0, 1e-3}, 2, 2), verdict.Unexplained, "dhidden")
	})
	t.Run("where no row counts nothing is said of the mean, the sum is 0, and so are gradients", func(t *testing.T) {
		judged(t, loss(math.NaN(), -100, -100), verdict.Undetermined, "no element")
		judged(t, loss(0, -100, -100), verdict.Undetermined, "no element")
		sum := loss(0, -100, -100)
		sum.Attrs["reduction"] = "sum"
		judged(t, sum, verdict.Explained, "")
		judged(t, set(sum, "loss", []float64{1}), verdict.Unexplained, "loss")
	})
	t.Run("a target that is no token", func(t *testing.T) {
		judged(t, loss(0, 2), verdict.Unusable, `tensor "targets": index [0]: token 2, want 0 to 1, or -100 for a row`)
	})
}
