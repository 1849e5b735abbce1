package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// Right numbers with as much again of something else, in every row another.
func TestWhatStandsThereIsSaid(t *testing.T) {
	random := emulate.NewRand(1, "something else")
	right := given("attention.merge", func(r *recording.Recording) { // of which little is to be tried
		generate(r, "o", 1, 2, 32, 16)
		r.Set("lse", dtype.F32, filled(1, 2, 32))
	})
	rec := edited(right, "out.o", func(_ int, x float64) float64 { return x/50 + 3*random.NormFloat64() })
	d := told(t, rec)
	if !strings.Contains(d.Sentence, "o: what stands there has nothing of the right numbers, and is ") {
		t.Error(d.Sentence)
	}
	rec = edited(right, "out.o", func(i int, x float64) float64 { return x/2 + 0.1*math.Sin(float64(i*i)) })
	if d := told(t, rec); !strings.Contains(d.Sentence, "o: what stands there is 0.") {
		t.Error(d.Sentence)
	}
}
