package prediction_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// accepting is one draft of token 0 in a vocabulary, with these rows, uniforms and answers, and
// beside it a sequence in which all is certain. An answer below 0 is not recorded.
func accepting(q, p, bonus []float64, u, last float64, accepted, next int) *recording.Recording {
	rec, vocab := recording.New("mtp.accept"), len(q)
	rec.Name = "accept"
	certain := make([]float64, vocab)
	certain[0] = 1
	rec.Set("draft_tokens", dtype.I32, tensor.New(2, 1))
	rec.Set("draft_probs", dtype.F32, tensor.Of(slices.Concat(q, certain), 2, 1, vocab))
	rec.Set("target_probs", dtype.F32, tensor.Of(slices.Concat(p, bonus, certain, certain), 2, 2, vocab))
	rec.Set("uniforms", dtype.F32, tensor.Of([]float64{u, last, 0.5, 0.5}, 2, 2))
	if accepted >= 0 {
		rec.Set("out.accepted", dtype.I32, tensor.Of([]float64{float64(accepted), 1}, 2))
	}
	if next >= 0 {
		rec.Set("out.next_token", dtype.I32, tensor.Of([]float64{float64(next), 0}, 2))
	}
	return rec
}

func TestAcceptance(t *testing.T) {
	third := dtype.F32.Round(0.2 / 0.6)
	q, p, bonus := []float64{0.6, 0.4, 0}, []float64{0.2, 0.5, 0.3}, []float64{0.25, 0.5, 0.25}
	for _, c := range []struct {
		name           string
		q, p           []float64
		u              float64
		accepted, next int
		want           verdict.Status
	}{
		{"below the ratio the draft is kept, and the bonus row drawn from", q, p, 0.3, 1, 1, verdict.Explained},
		{"below the ratio it is not refused", q, p, 0.3, 0, 1, verdict.Unexplained},
		{"above it is refused, and the residual drawn from", q, p, 0.34, 0, 2, verdict.Explained},
		{"above it is not kept", q, p, 0.34, 1, 1, verdict.Unexplained},
		{"a refused draft has no residual", q, p, 0.34, 0, 0, verdict.Unexplained},
		{"at the ratio it may be kept", q, p, third, 1, 1, verdict.Explained},
		{"or refused", q, p, third, 0, 2, verdict.Explained},
		{"what the target excludes is never kept", q, []float64{0, 0.7, 0.3}, 0, 1, 1, verdict.Unexplained},
		{"what was drafted with probability 0 is not judged", []float64{0, 1, 0}, p, 0.5, 0, 0, verdict.Explained},
		{"the token goes with what was kept, right or wrong", q, p, 0.3, 0, 1, verdict.Unexplained},
		{"a token that is not there is wrong", q, p, 0.3, 1, 3, verdict.Unexplained},
		{"a number of drafts that is not there is wrong", q, p, 0.3, 2, 1, verdict.Unexplained},
		{"without the number, either row may have been drawn from at a tie", q, p, third, -1, 2, verdict.Explained},
		{"and no other token", q, p, third, -1, 0, verdict.Unexplained},
		{"without a token the number is judged", q, p, 0.3, 1, -1, verdict.Explained},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := op.Judge(accepting(c.q, c.p, bonus, c.u, 0.7, c.accepted, c.next))
			if v.Status != c.want {
				t.Errorf("%s: %s, want %s", v.Status, v.Reason, c.want)
			}
		})
	}
}

func TestProbabilitiesThatAreNone(t *testing.T) {
	for _, p := range []float64{math.NaN(), -0.25, math.Inf(1)} {
		v := op.Judge(accepting([]float64{0.5, 0.5}, []float64{0.5, 0.5}, []float64{1, p}, 0.5, 0.5, 1, 0))
		if want := `tensor "target_probs": element [0 1 1] is`; !strings.Contains(v.Reason, want) {
			t.Errorf("%s: %s, want %q", v.Status, v.Reason, want)
		}
	}
}

// In a large vocabulary of equal tokens a chain in float32 loses so much that it draws another
// token than exact arithmetic, always the same, which is right; sums in blocks err by some tokens,
// and nothing else is right.
func TestDrawsFromALargeVocabulary(t *testing.T) {
	const vocab = 50000
	row := slices.Repeat([]float64{dtype.F32.Round(1.0 / vocab)}, vocab)
	request := accepting(row, row, row, 0, dtype.F32.Round(0.9), -1, -1)
	blocks := drawn(t, request, emulate.Config{Splits: 2, Tile: 256, Order: emulate.Strided})
	chain := drawn(t, request, emulate.Config{NormalizeFirst: true, Order: emulate.Strided})
	if chain > blocks-20 {
		t.Fatalf("blocks draw %d, a chain %d", blocks, chain)
	}
	for _, c := range []struct {
		token int
		want  verdict.Status
	}{
		{blocks, verdict.Explained}, {chain, verdict.Explained}, {chain - 1, verdict.Unexplained},
		{chain + 1, verdict.Unexplained}, {blocks + 40, verdict.Unexplained},
	} {
		rec := request.Clone()
		rec.Set("out.accepted", dtype.I32, tensor.Of([]float64{1, 1}, 2))
		rec.Set("out.next_token", dtype.I32, tensor.Of([]float64{float64(c.token), 0}, 2))
		if v := op.Judge(rec); v.Status != c.want {
			t.Errorf("token %d: %s: %s, want %s", c.token, v.Status, v.Reason, c.want)
		}
	}
}

func drawn(t *testing.T, request *recording.Recording, c emulate.Config) int {
	t.Helper()
	rec, err := emulate.Run(request, c)
	optest.Must(err)
	x, err := rec.Tensor("out.next_token")
	optest.Must(err)
	return int(x.Data[0])
}
