package position_test

import (
	"encoding/json"
	"math"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// yarnRequests are a table, a rotation and a layer with that rotation, at positions where the
// scales and the range show.
func yarnRequests(t *testing.T, yarn string) []*recording.Recording {
	t.Helper()
	positions := tensor.Of([]float64{0, 1, 100, 1000, 4095, 8191, 20000, 100003}, 8)
	table := recording.New("rope.table")
	table.Set("positions", dtype.I64, positions)
	table.Attrs["dim"] = json.Number("64")
	apply := emulate.Request("rope.apply", 6).Clone()
	x := tensor.New(8, 2, 64)
	for i := range x.Data {
		x.Data[i] = math.Sin(float64(3*i*i + 1))
	}
	apply.Set("x", dtype.BF16, x)
	apply.Set("positions", dtype.I64, positions)
	layer := emulate.Request("mla.layer", 3).Clone()
	layer.Attrs["start"] = json.Number("20000")
	delete(layer.Attrs, "scale")
	all := []*recording.Recording{table, apply, layer}
	for _, r := range all {
		r.Attrs["base"] = json.Number("150000")
		r.Attrs["yarn"] = optest.Object(t, yarn)
	}
	return all
}

// TestYaRNKeys: right kernels that read the keys so are explained, those that round the range where
// it is not rounded, or leave the amplitude out, are not. Without -long a third of the right
// kernels have their turn, for one request others than for the next.
func TestYaRNKeys(t *testing.T) {
	for _, yarn := range []string{
		`{"factor":32,"truncate":false}`, `{"factor":32,"truncate":true}`,
		`{"factor":32,"mscale":1,"mscale_all_dim":0,"truncate":false}`,
		`{"factor":4,"attention_factor":1.7,"truncate":false}`, `{}`,
		`{"factor":8,"attention_factor":0.9,"ramp":"rotations"}`,
	} {
		for n, request := range yarnRequests(t, yarn) {
			for i, c := range emulate.Right(request.Op) {
				if request.Op == "mla.layer" && i%6 > 0 || (n+i)%check.Times(1, 3) != 0 {
					continue // TestRightKernels runs all
				}
				if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
					t.Errorf("%s %s, %s: %s: %s", request.Op, yarn, c, v.Status, v.Reason)
				}
			}
			for _, mistake := range []string{"yarn-range-unrounded", "amplitude-generic", "yarn-missing"} {
				rec, err := emulate.Run(request, emulate.Config{Mistake: mistake})
				if err != nil || request.Op == "mla.layer" && mistake == "yarn-range-unrounded" {
					continue // hidden, or few pairs: no index between the ends
				}
				if v := optest.Judge(t, rec); v.Status != verdict.Unexplained {
					t.Errorf("%s %s, %s: %s", request.Op, yarn, mistake, v.Status)
				}
			}
		}
	}
}

// TestUnroundedRanges: the ends of a range that is not rounded err as the logarithms do that they
// are made of, and where a pair is slowed by much that is more than a frequency errs by otherwise.
// Without -long a third of the right kernels have their turn, for one context others than for the
// next.
func TestUnroundedRanges(t *testing.T) {
	for _, factor := range []float64{2, 32, 1000} {
		for _, base := range []float64{10000, 150000, 5e6} {
			for n, context := range []float64{4096, 35702, 37757, 39949} {
				request := yarnRequests(t, `{"truncate":false}`)[0]
				request.Attrs["base"] = recording.Number(base)
				y := request.Attrs["yarn"].(map[string]any)
				y["factor"], y["original_context"] = recording.Number(factor), recording.Number(context)
				for i, c := range emulate.Right("rope.table") {
					if (n+i)%check.Times(1, 3) != 0 {
						continue
					}
					if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
						t.Errorf(
							"factor %v, base %v, context %v, %s: %s: %s", factor, base, context, c, v.Status, v.Reason,
						)
					}
				}
			}
		}
	}
}
