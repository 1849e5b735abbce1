package experts_test

import (
	"math"
	"slices"
	"testing"

	"plumbline/internal/optest"
	"plumbline/verify/op/experts"
)

// TestTokensThatAreNotRun: where memory is short some tokens are run for all, and the others' σ is
// what it would have been, to what the sizes of tokens and the pool leave open.
func TestTokensThatAreNotRun(t *testing.T) {
	rec := networks(5, "moe.experts", 32, 4, 48, 24)
	ids := make([]float64, 64)
	for i := range ids {
		ids[i] = float64((i/2 + i%2*3) % 4)
	}
	sent(rec, 0.5, ids...)
	rec.Arithmetic = map[string]any{"combine": "BF16"}
	whole := truth(t, rec)
	restore := experts.LowerRunElements(48 * 3 * 32 * 4)
	defer restore()
	few := truth(t, rec)
	if n := len(few.Sample.Deviations[0]); n == 0 || n > len(whole.Sigma)/4 {
		t.Fatalf("%d of %d elements are run", n, len(whole.Sigma))
	}
	if !slices.Equal(few.Truth.Data, whole.Truth.Data) {
		t.Error("the truth is another")
	}
	ratios, n := optest.Ratios(few.Sigma, whole.Sigma), len(whole.Sigma)
	if median, low, high := ratios[n/2], ratios[n/50], ratios[n-n/50]; math.Abs(median) > 0.25 || low < -1 || high > 1 {
		t.Errorf("log₂ of the ratios of σ: %.2g in the middle, from %.2g to %.2g", median, low, high)
	}
}
