package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// TestFittedNumbersComeLast: a root mean square in float32 is off alike in a whole row, so that a
// factor of each row leaves less than the right formula does. It is the formula that is named.
func TestFittedNumbersComeLast(t *testing.T) {
	request := recording.New("norm.rms")
	request.Attrs["eps"] = recording.Number(1e-3)
	for name, shape := range map[string][]int{"x": {16, 1536}, "weight": {1536}} {
		x := tensor.New(shape...)
		for i := range x.Data {
			x.Data[i] = float64(float32(math.Sin(float64(i+1)) / 8))
		}
		request.Set(name, dtype.F32, x)
	}
	rec, err := emulate.Run(request, emulate.Config{Mistake: "eps-missing"})
	optest.Must(err)
	if d := told(t, rec); !strings.HasPrefix(d.Sentence, "eps-missing: ") {
		t.Errorf("the first is %s", d.Sentence)
	}
}
