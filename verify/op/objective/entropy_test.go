package objective_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// narrowEntropies computes entropies of rows of logits as eager code on tensors of a narrow type
// does, whose sums alone are wider: TRL from log-probabilities, PyTorch's Categorical from logits
// that are normalised first.
func narrowEntropies(logits *tensor.Tensor, typ dtype.Type, categorical bool) *tensor.Tensor {
	out := tensor.New(logits.Shape[0])
	for i := range out.Data {
		row, mass := logits.Row(i), 0.0
		for _, z := range row {
			mass += math.Exp(z)
		}
		lse, total := math.Log(mass), 0.0
		if categorical {
			lse = typ.Round(lse)
		}
		for _, z := range row {
			total += math.Exp(typ.Round(z - lse))
		}
		for _, z := range row {
			l := typ.Round(z - lse)
			p := typ.Round(math.Exp(l))
			if categorical {
				p = typ.Round(math.Exp(l) / total)
			}
			out.Data[i] -= typ.Round(p * l)
		}
		out.Data[i] = typ.Round(out.Data[i])
	}
	return out
}

// The log-probabilities of equal logits, and of logits that differ by less than the last place of
// their logarithms, are rounded alike: 129,280 equal logits have an entropy of 11.77, and TRL's
// code gives 11.94 in BF16.
func TestEntropyOfLogitsThatRoundAlike(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, c := range []struct {
		name string
		draw func() float64
	}{
		{"equal", func() float64 { return 0 }},
		{"five values", func() float64 { return float64(rng.IntN(5) - 2) }},
		{"nearly equal", func() float64 { return 0.01 * rng.NormFloat64() }},
		{"large and nearly equal", func() float64 { return 20 + 0.5*rng.NormFloat64() }},
		{"ordinary", func() float64 { return 2 * rng.NormFloat64() }},
	} {
		for _, typ := range []dtype.Type{dtype.BF16, dtype.F16} {
			if typ == dtype.F16 && !*check.Long {
				continue
			}
			// Five values have a log-sum-exp near 10.35, far from a number of BF16.
			logits := tensor.New(check.Times(16, 5), 13460)
			for i := range logits.Data {
				logits.Data[i] = typ.Round(c.draw())
			}
			for _, categorical := range []bool{false, true} {
				entropiesAreJudged(
					t, fmt.Sprintf("%s, %v, categorical %v", c.name, typ, categorical), logits, typ, categorical,
				)
			}
		}
	}
}

// entropiesAreJudged: right entropies of these logits pass, and those times 1.5 do not.
func entropiesAreJudged(t *testing.T, name string, logits *tensor.Tensor, typ dtype.Type, categorical bool) {
	t.Helper()
	rec := recording.New("policy.logprob")
	rec.Arithmetic["intermediate"] = typ.String()
	rec.Set("logits", typ, logits)
	rec.Set("tokens", dtype.I64, tensor.New(logits.Shape[0]))
	right := narrowEntropies(logits, typ, categorical)
	rec.Set("out.entropy", typ, right)
	if v := optest.Judge(t, rec); v.Status == verdict.Unexplained {
		t.Errorf("%s: %s", name, v.Reason)
	}
	wrong := tensor.New(logits.Shape[0])
	for i, s := range right.Data {
		wrong.Data[i] = typ.Round(1.5 * s)
	}
	rec.Set("out.entropy", typ, wrong)
	if v := optest.Judge(t, rec); v.Status != verdict.Unexplained {
		t.Errorf("%s, times 1.5: %s", name, v.Status)
	}
}
