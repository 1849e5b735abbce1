package diagnosis

import (
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Of decisions a factor is known as a range: the recorded ones do not tell ln 2 from 0.7.
func TestFactorsOfDecisionsAreRanges(t *testing.T) {
	right := given("mtp.accept", func(r *recording.Recording) {
		drafts, p, q, u := tensor.New(48, 1), tensor.New(48, 2, 4), tensor.New(48, 1, 4), tensor.New(48, 2)
		for b := range 48 {
			of, from := 0.125+float64(b%7)/32, 0.5+float64(b%5)/32
			copy(p.Data[b*8:], []float64{of, 0.75 - of, 0.125, 0.125, 0.25, 0.25, 0.25, 0.25})
			copy(q.Data[b*4:], []float64{from, 0.125, 0.875 - from, 0})
			u.Data[b*2], u.Data[b*2+1] = (float64(b*5%48)+0.5)/48, 0.5
		}
		r.Set("draft_tokens", dtype.I32, drafts)
		r.Set("target_probs", dtype.F32, p)
		r.Set("draft_probs", dtype.F32, q)
		r.Set("uniforms", dtype.F32, u)
	})
	right.Delete("out.next_token")
	wrong := confused(right, func(r *recording.Recording) {
		x, err := right.Tensor("uniforms")
		optest.Must(err)
		r.Set("uniforms", dtype.F64, eachOf(x, func(u float64) float64 { return 0.7 * u }))
	})
	if d := told(t, wrong); !strings.Contains(d.Sentence, ", which decisions do not tell apart") {
		t.Error(d.Sentence)
	}
}
