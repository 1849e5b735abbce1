package evidence

import (
	"slices"
	"testing"

	"plumbline/internal/check"
)

// quick are the cases that take less than a second.
var quick = []string{
	"PyTorch SDPA 2024", "flashinfer routing", "SGLang fused topk", "DeepEP calc_diff(+1)", "llm.c",
}

// Every hole is there: the criterion passes the wrong output, and the verdict does not; the right
// one passes both.
func TestFalsePassesAreReproduced(t *testing.T) {
	if len(falsePasses()) < 16 {
		t.Fatalf("%d cases", len(falsePasses()))
	}
	for _, f := range falsePasses() {
		if !*check.Long && !slices.Contains(quick, f.criterion) {
			continue
		}
		t.Run(f.criterion+", "+f.defect, func(t *testing.T) {
			t.Parallel()
			c, err := f.run()
			if err != nil {
				t.Fatal(err)
			}
			if !c.Passes || c.Right > c.Limit || c.Value <= c.Right {
				t.Errorf("the criterion measures %v, and %v of a right kernel, of %v", c.Value, c.Right, c.Limit)
			}
			if !c.Found() || c.OfRight != "explained" {
				t.Errorf("Plumbline says %s (%s), and of a right kernel %s", c.Verdict, c.Says, c.OfRight)
			}
		})
	}
}

// The gate of the cases is the one that the op has: its eight best experts are what exact
// arithmetic chooses, and the sixteenth is none of them.
func TestRankedExperts(t *testing.T) {
	g, err := newGating(23, 3)
	if err != nil {
		t.Fatal(err)
	}
	chosen := data(t, exact(t, g.Recording), "out.indices")
	for token := range 3 {
		ranked := g.ranked(token)
		for k, e := range ranked[:gateChosen] {
			if !slices.Contains(chosen[token*gateChosen:(token+1)*gateChosen], float64(e)) {
				t.Errorf("token %d: expert %d of rank %d is not chosen", token, e, k)
			}
		}
		if slices.Contains(ranked[:gateChosen], ranked[gateRank-1]) || len(ranked) != gateExperts*gateKept/gateGroups {
			t.Errorf("token %d: %d", token, ranked)
		}
	}
}
