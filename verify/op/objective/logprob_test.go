package objective_test

import (
	"encoding/json"
	"math"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

var nan = math.NaN()

// sampledTokens is a recording of policy.logprob in float32: logits row by row, tokens, and
// log-probabilities.
func sampledTokens(vocab int, logits, tokens, logprob []float64) *recording.Recording {
	r := recording.New("policy.logprob")
	r.Name = "r.safetensors"
	r.Set("logits", dtype.F32, tensor.Of(logits, len(tokens), vocab))
	r.Set("tokens", dtype.I64, tensor.Of(tokens, len(tokens)))
	r.Set("out.logprob", dtype.F32, tensor.Of(logprob, len(tokens)))
	return r
}

// judged demands a verdict, and a reason if there is one.
func judged(t *testing.T, r *recording.Recording, want verdict.Status, reason string) {
	t.Helper()
	(&batch{Recording: r}).says(t, want, reason)
}

func TestIgnoredTokens(t *testing.T) {
	of := func(token, logprob float64, ignore string) *recording.Recording {
		r := sampledTokens(2, []float64{0, math.Log(3), 1, 1, nan, nan}, []float64{1, 0, token},
			[]float64{math.Log(0.75), -math.Ln2, logprob})
		if ignore != "" {
			r.Attrs["ignore_index"] = json.Number(ignore)
		}
		return r
	}
	t.Run("are not judged, whatever they are and hold", func(t *testing.T) {
		judged(t, of(-100, nan, "-100"), verdict.Explained, "")
		judged(t, of(-100, 7, "-100"), verdict.Explained, "")
		judged(t, of(99, 7, "99"), verdict.Explained, "")
	})
	t.Run("others are, and have to be tokens", func(t *testing.T) {
		r := of(-100, 0, "-100")
		r.Set("out.logprob", dtype.F32, tensor.Of([]float64{math.Log(0.75), -0.7, 0}, 3))
		judged(t, r, verdict.Unexplained, "logprob")
		judged(t, of(-100, 0, ""), verdict.Unusable, "token -100, want 0 to 1")
		judged(t, of(-100, 0, "-1"), verdict.Unusable, "token -100, want 0 to 1")
	})
	t.Run("the index is a whole number of either sign", func(t *testing.T) {
		judged(t, of(-100, 0, "-100.5"), verdict.Unusable, "want a whole number")
	})
	t.Run("where all are nothing is said", func(t *testing.T) {
		r := sampledTokens(2, make([]float64, 4), []float64{-1, -1}, []float64{0, 0})
		r.Attrs["ignore_index"] = json.Number("-1")
		judged(t, r, verdict.Undetermined, "no element")
	})
}

func TestKeptTokens(t *testing.T) {
	// p = (½, ¼, ¼); of the first two the second has a third.
	of := func(logprob float64, kept ...float64) *recording.Recording {
		r := sampledTokens(3, []float64{math.Ln2, 0, 0, math.Ln2, 0, 0}, []float64{1, 0},
			[]float64{logprob, math.Log(2. / 3)})
		if kept != nil {
			r.Set("kept", dtype.U8, tensor.Of(append(kept, 1, 1, 0), 2, 3))
		}
		return r
	}
	t.Run("the policy is renormalised over them", func(t *testing.T) {
		judged(t, of(math.Log(1./3), 1, 1, 0), verdict.Explained, "")
		judged(t, of(math.Log(0.25), 1, 1, 0), verdict.Unexplained, "logprob")
		judged(t, of(math.Log(0.25), 1, 1, 1), verdict.Explained, "")
	})
	t.Run("and so is its entropy", func(t *testing.T) {
		r := of(math.Log(1./3), 1, 1, 0)
		s := math.Log(3) - 2./3*math.Ln2
		r.Set("out.entropy", dtype.F32, tensor.Of([]float64{s, s}, 2))
		judged(t, r, verdict.Explained, "")
	})
	t.Run("the token is one of them", func(t *testing.T) {
		judged(t, of(0, 1, 0, 1), verdict.Unusable, `index [0 1]: found 0 for the token that was sampled`)
		judged(t, of(0, 1, 2, 1), verdict.Unusable, `tensor "kept": index [0 1]: found 2, want 0 or 1`)
	})
}

// TestForms records z − lse of logits around 3000, where float32 has steps of 2⁻¹².
func TestForms(t *testing.T) {
	z := []float64{3000, 3001.25, 2999.5}
	lse := float64(float32(3001.25 + math.Log(1+math.Exp(-1.25)+math.Exp(-1.75))))
	of := func(form string) *recording.Recording {
		var logprob []float64
		for _, x := range z {
			logprob = append(logprob, x-lse)
		}
		r := sampledTokens(3, append(append(append([]float64{}, z...), z...), z...), []float64{0, 1, 2}, logprob)
		if form != "" {
			r.Arithmetic["form"] = form
		}
		return r
	}
	attr := func(r *recording.Recording, form string) *recording.Recording {
		r.Attrs["form"] = form
		return r
	}
	t.Run("z − lse is right unless the stable form is declared", func(t *testing.T) {
		judged(t, of(""), verdict.Explained, "")
		judged(t, of("any"), verdict.Explained, "")
		judged(t, of("stable"), verdict.Unexplained, "logprob")
	})
	t.Run("which may stand among the attributes, but not say two things", func(t *testing.T) {
		judged(t, attr(of(""), "stable"), verdict.Unexplained, "logprob")
		judged(t, attr(of("stable"), "stable"), verdict.Unexplained, "logprob")
		judged(t, attr(of("stable"), "any"), verdict.Unusable, "found any, but the arithmetic says stable")
	})
	t.Run("and is none of another op", func(t *testing.T) {
		judged(t, of("naive"), verdict.Unusable, `found "naive", want any or stable`)
	})
	t.Run("what is left of z − lse is the rounding of one number", func(t *testing.T) {
		r := of("stable")
		expected, err := op.Expect(r)
		if err != nil {
			t.Fatal(err)
		}
		if s := expected[0].Sigma[0]; s > 0x1p-20 {
			t.Errorf("σ of the stable form is %v, near what z − lse loses", s)
		}
	})
}
