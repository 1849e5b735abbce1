package op_test

import (
	"encoding/json"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestLongPositions: at position 160,000 an angle formed in float32 is off by a hundredth, and at
// the top of a wave only the square of that shows. The whole extended context of DeepSeek-V3 must
// be explained.
func TestLongPositions(t *testing.T) {
	step, count := check.Times(1, 1283), 163840
	positions := tensor.New((count + step - 1) / step)
	for i := range positions.Data {
		positions.Data[i] = float64(i * step)
	}
	for _, yarn := range []any{nil, map[string]any{}} {
		request := recording.New("rope.table")
		request.Set("positions", dtype.I64, positions)
		request.Attrs["dim"] = json.Number("64")
		request.Attrs["yarn"] = yarn
		for _, c := range emulate.Right("rope.table") {
			if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
				t.Errorf("yarn %v, %s: %s: %s", yarn, c, v.Status, v.Reason)
			}
		}
	}
}
