// Package plumbline_test holds the promise of the project: every right recording that ships is
// explained, and no mistake planted in one is.
package plumbline_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/golden"
	"plumbline/internal/check"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

// TestRecordings has two kinds of sub-tests for every embedded recording: that it is explained, and
// that each mistake planted in it is not. Mistakes in an output
// leave the truth as it is, which is computed once for all of them.
func TestRecordings(t *testing.T) {
	number, count := numbered(t)
	for _, name := range golden.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, err := golden.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if takesLong(name) {
				t.Skip("takes longer than most others together: judged with -long, and by .ci/run")
			}
			truth, err := op.Expect(rec)
			if err != nil {
				t.Fatal(err)
			}
			t.Run("is explained", func(t *testing.T) {
				v := op.JudgeAgainst(rec, truth)
				if v.Status != verdict.Explained {
					t.Error(words(v, rec.Provenance))
				}
				sameVerdictAgain(t, rec, v)
			})
			mutations := golden.Mutations(rec, truth)
			if isFullSize(rec) {
				mutations = onceAKind(mutations)
			}
			mutations = inTurn(rec.Op, mutations, number[name], count)
			for _, m := range mutations {
				t.Run(m.Name, func(t *testing.T) { slipsNotThrough(t, m) })
			}
		})
	}
}

// part is an output of an op, or with "" the op itself.
type part struct{ op, output string }

// numbered counts the recordings of each op and output that are judged, and says which of them a
// recording is.
func numbered(t *testing.T) (number map[string]map[string]int, count map[part]int) {
	t.Helper()
	number, count = map[string]map[string]int{}, map[part]int{}
	for _, name := range golden.Names() {
		if takesLong(name) {
			continue
		}
		rec, err := golden.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		number[name] = map[string]int{}
		for _, output := range append(rec.Outputs(), "") {
			number[name][output] = count[part{rec.Op, output}]
			count[part{rec.Op, output}]++
		}
	}
	return number, count
}

// inTurn keeps an eighth of the mistakes for one recording of an op, or of an output of it, and
// another eighth for the next, or where there are many recordings so small a part that each
// mistake in an output is planted in two of them, and one in what is declared, for which the
// truth is computed anew, in one; with -long, where there are few recordings, and of truncations,
// which show on few, all.
func inTurn(op string, all []golden.Mutation, number map[string]int, count map[part]int) (kept []golden.Mutation) {
	first := map[string]int{"": 0}
	for i, m := range all {
		if _, met := first[m.Output]; !met {
			first[m.Output] = i
		}
		n, turn := count[part{op, m.Output}], number[m.Output]+i-first[m.Output]
		few := n < 2 || strings.HasSuffix(m.Name, ": output-truncated")
		every := max(8, n/2)
		if m.Output == "" {
			every = max(8, n)
		}
		if *check.Long || few || turn%every == 0 {
			kept = append(kept, m)
		}
	}
	return kept
}

// takesLong tells of recordings that are judged with -long alone, for each of which a smaller one
// of the same op and kind of kernel stays: a decoding step at full size, products of FP8, a gate of
// 256 experts, layers in float32.
func takesLong(name string) bool {
	return !*check.Long && slices.Contains([]string{
		"mla-decode-v3-bf16.safetensors", "fp8-gemm-dsv3-bf16.safetensors",
		"fp8-gemm-one-block-e4m3-scaled-mm.safetensors", "fp8-gemm-sglang-ragged-f32.safetensors",
		"fp8-grouped-gemm-dsv3.safetensors", "gate-v3-f32.safetensors",
		"mla-layer-absorbed-f32.safetensors", "mla-layer-naive-f32.safetensors",
	}, name)
}

// isFullSize tells whether planting every mistake takes longer than in all other recordings
// together.
func isFullSize(rec *recording.Recording) bool {
	return op.Elements(rec.Shape("out."+rec.Outputs()[0])) >= 1<<18
}

// onceAKind keeps the first mutation of each kind: a mistake in an output, whichever it is in, and
// a mistake in what is declared, for which the truth is computed anew. Smaller recordings of the
// same ops have all of those.
func onceAKind(all []golden.Mutation) (kept []golden.Mutation) {
	seen := map[string]bool{}
	for _, m := range all {
		kind := "declared"
		if m.Output != "" {
			kind = strings.TrimPrefix(m.Name, m.Output+": ")
		}
		if !seen[kind] {
			kept = append(kept, m)
		}
		seen[kind] = true
	}
	return kept
}

// sameVerdictAgain: with -long a recording that is judged again, five times, gives the same numbers
// to the last bit. Without it that is left to the ops' own test, which judges right kernels of each
// op three times.
func sameVerdictAgain(t *testing.T, rec *recording.Recording, first verdict.Verdict) {
	for range check.Times(5, 0) {
		if diff := cmp.Diff(first, op.Judge(rec)); diff != "" {
			t.Errorf("judged again: %s", diff)
		}
	}
}

// slipsNotThrough plants a mistake, where it can show, and fails if the result is anything but
// unexplained. A mistake in what is declared has another truth.
func slipsNotThrough(t *testing.T, m golden.Mutation) {
	wrong, hidden := m.Apply()
	if wrong.Recording == nil {
		t.Skip("cannot show: " + hidden)
	}
	if wrong.Truth == nil {
		var err error
		if wrong.Truth, err = op.Expect(wrong.Recording); err != nil {
			t.Fatal(err)
		}
	}
	v := op.JudgeAgainst(wrong.Recording, wrong.Truth)
	if v.Status != verdict.Unexplained {
		t.Errorf("slipped through: %s\n%s", m.Doc, words(v, nil))
	}
}

func words(v verdict.Verdict, provenance map[string]any) string {
	return strings.TrimSpace(report.Words(report.NewEntry(v, provenance)))
}
