package objective_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/policy"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// truths returns the truth of each output of a request in float64, whatever a kernel would have
// recorded.
func truths(t *testing.T, request *recording.Recording, outputs map[string][]int) map[string][]float64 {
	t.Helper()
	r := request.Clone()
	for name, shape := range outputs {
		r.Set("out."+name, dtype.F64, tensor.New(shape...))
	}
	expected, err := op.Expect(r)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]float64{}
	for _, e := range expected {
		found[e.Name] = e.Truth.Data
	}
	return found
}

// fused returns requests of losses from logits, with their tensors in float64.
func fused(t *testing.T, n int) []*recording.Recording {
	t.Helper()
	var found []*recording.Recording
	for seed := uint64(0); len(found) < n; seed++ {
		if r := emulate.Request("grpo.loss", seed); r.Has("logits") && r.Shape("mask")[1] <= 8 &&
			r.Provenance["note"] == nil {
			found = append(found, r.Clone())
		}
	}
	return found
}

// lossSlope is what a finite difference says of the loss as a function of one logit.
func lossSlope(t *testing.T, r *recording.Recording, logit int) float64 {
	t.Helper()
	logits := optest.Input(t, r, "logits")
	return fd.Derivative(func(z float64) float64 {
		moved := r.Clone()
		x := tensor.Of(slices.Clone(logits.Data), logits.Shape...)
		x.Data[logit] = z
		moved.Set("logits", dtype.F64, x)
		return truths(t, moved, map[string][]int{"loss": {}})["loss"][0]
	}, logits.Data[logit], &fd.Settings{Formula: fd.Central, Step: 1e-5})
}

func TestLossFromLogits(t *testing.T) {
	requests := fused(t, 12)
	t.Run("is the loss from the log-probabilities that the logits have", func(t *testing.T) {
		for _, r := range requests {
			mask, shape := optest.Input(t, r, "mask"), r.Shape("mask")
			two := r.Clone()
			two.Delete("logits")
			two.Delete("tokens")
			delete(two.Attrs, "temperature")
			logits, tokens := optest.Input(t, r, "logits"), optest.Input(t, r, "tokens")
			x := tensor.New(shape...)
			for at := range x.Data {
				if mask.Data[at] != 0 {
					x.Data[at] = policy.LogProb(
						logits.Row(at/shape[1], at%shape[1]), int(tokens.Data[at]), temperatureOf(t, r),
					)
				}
			}
			two.Set("logprob", dtype.F64, x)
			outputs := map[string][]int{"loss": {}, "dlogprob": shape}
			once, twice := truths(t, r, outputs), truths(t, two, outputs)
			for name := range outputs {
				if !slices.Equal(once[name], twice[name]) {
					t.Errorf("%s: %s %v, want %v", r.Name, name, once[name], twice[name])
				}
			}
		}
	})
	t.Run("its gradient adds up to 0 over the vocabulary, and to what finite differences say", func(t *testing.T) {
		for _, r := range requests {
			if r.Attrs["clip"] == "gppo" || r.Attrs["clip"] == "cispo" || r.Attrs["log_ratio_limit"] != nil {
				continue // gradients of something else than the loss
			}
			shape := r.Shape("logits")
			gradients := truths(t, r, map[string][]int{"dlogprob": shape[:2], "dlogits": shape})
			for at := range optest.Input(t, r, "mask").Data {
				if optest.Input(t, r, "mask").Data[at] == 0 {
					continue
				}
				row := gradients["dlogits"][at*shape[2] : (at+1)*shape[2]]
				var sum float64
				for _, d := range row {
					sum += d
				}
				if math.Abs(sum) > 1e-13*math.Abs(gradients["dlogprob"][at]) {
					t.Errorf("%s: row %d adds up to %v", r.Name, at, sum)
				}
				j := at % shape[2]
				slope := lossSlope(t, r, at*shape[2]+j)
				if math.Abs(slope-row[j]) > 1e-8*(1+math.Abs(row[j])) {
					t.Errorf("%s: row %d, logit %d: %v, finite differences say %v", r.Name, at, j, row[j], slope)
				}
			}
		}
	})
	t.Run("an excluded token has a ratio of 0, and no way back", func(t *testing.T) {
		b := newBatch("ppo.loss", 1, 2).with("old_logprob", -1, -1).with("advantage", 1, 1).with("mask", 1, 1)
		b.Set("logits", dtype.F32, tensor.Of([]float64{math.Inf(-1), 0, 0, 0, 0, 0}, 1, 2, 3))
		b.Set("tokens", dtype.I64, tensor.Of([]float64{0, 1}, 1, 2))
		r := dtype.F32.Round(math.E / 3)
		b.with("out.dlogprob", 0, -r/2).says(t, verdict.Explained, "")
		third := dtype.F32.Round(r / 6)
		b.Set("out.dlogits", dtype.F32, tensor.Of([]float64{0, 0, 0, third, -2 * third, third}, 1, 2, 3))
		b.says(t, verdict.Explained, "")
	})
	t.Run("at the bound of the clip a row of logits is on one side", func(t *testing.T) {
		b := newBatch("ppo.loss", 1, 1).with("old_logprob", dtype.F32.Round(-math.Ln2-math.Log(1.2))).with("mask", 1)
		b.Set("advantage", dtype.F32, tensor.Of([]float64{1}, 1))
		b.Set("logits", dtype.F32, tensor.New(1, 1, 2))
		b.Set("tokens", dtype.I64, tensor.New(1, 1))
		for _, c := range []struct {
			first, second float64
			want          verdict.Status
		}{
			{-0.6, 0.6, verdict.Explained}, {0, 0, verdict.Explained}, {-0.3, 0.3, verdict.Explained},
			{-0.6, 0, verdict.Unexplained}, {-0.3, 0.6, verdict.Unexplained},
		} {
			b.Set("out.dlogits", dtype.F32, tensor.Of([]float64{c.first, c.second}, 1, 1, 2))
			b.says(t, c.want, "")
		}
	})
}

func temperatureOf(t *testing.T, r *recording.Recording) float64 {
	t.Helper()
	if r.Attrs["temperature"] == nil {
		return 1
	}
	x, err := r.Attrs["temperature"].(interface{ Float64() (float64, error) }).Float64()
	if err != nil {
		t.Fatal(err)
	}
	return x
}
