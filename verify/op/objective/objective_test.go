package objective_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// batch is a recording [N,L] in float32, whose tensors are written row by row.
type batch struct {
	*recording.Recording
	shape []int
}

func newBatch(op string, shape ...int) *batch {
	b := &batch{recording.New(op), shape}
	b.Name = "r.safetensors"
	return b
}

func (b *batch) with(name string, data ...float64) *batch {
	shape := b.shape
	if len(data) == b.shape[0] {
		shape = b.shape[:1]
	}
	if len(data) == 1 {
		shape = nil
	}
	b.Set(name, dtype.F32, tensor.Of(data, shape...))
	return b
}

func (b *batch) attr(name string, value any) *batch {
	b.Attrs[name] = value
	return b
}

// says judges and compares the status, and the reason if there is one to be found. says judges the
// batch. Where every token is at a threshold a gradient of 0 is right too, and a gradient that is
// explained vouches for nothing.
func (b *batch) says(t *testing.T, want verdict.Status, reason string) {
	t.Helper()
	v := op.Judge(b.Recording)
	if want == verdict.Explained && v.Status == verdict.Undetermined &&
		strings.HasSuffix(v.Reason, "would pass as well") {
		return
	}
	if v.Status != want || !strings.Contains(v.Reason, reason) {
		t.Errorf("%s: %q, want %s with %q", v.Status, v.Reason, want, reason)
	}
}

// one is a loss of one token with that log-ratio and advantage, and the gradient recorded.
func one(logratio, advantage, gradient float64) *batch {
	lp := dtype.F32.Round(logratio)
	return newBatch("ppo.loss", 1, 2).with("logprob", lp, 0).with("old_logprob", 0, 0).with(
		"advantage", advantage, 0,
	).with("mask", 1, 0).with(
		"out.dlogprob", gradient, 77,
	)
}

func TestEitherSideOfAThreshold(t *testing.T) {
	ln := math.Log
	t.Run("at the bound of the clip the gradient may be there, or not, or half", func(t *testing.T) {
		for _, g := range []float64{-1.2, 0, -0.6} {
			one(ln(1.2), 1, g).says(t, verdict.Explained, "")
		}
		for _, g := range []float64{-1.1, -0.3, 1.2, math.NaN()} {
			one(ln(1.2), 1, g).says(t, verdict.Unexplained, "dlogprob")
		}
	})
	t.Run("at the other bound, which holds the other sign, it may be shared out but not gone", func(t *testing.T) {
		one(ln(1.2), -1, 0.6).says(t, verdict.Explained, "")
		one(ln(1.2), -1, 1.2).says(t, verdict.Explained, "")
		one(ln(1.2), -1, 0).says(t, verdict.Unexplained, "dlogprob")
		one(ln(0.8), 1, -0.8).says(t, verdict.Explained, "")
		one(ln(0.8), 1, 0).says(t, verdict.Unexplained, "dlogprob")
	})
	t.Run("a little away from it only one side is right", func(t *testing.T) {
		one(ln(1.2)+1e-5, 1, 0).says(t, verdict.Explained, "")
		one(ln(1.2)+1e-5, 1, -1.2*(1+1e-5)).says(t, verdict.Unexplained, "dlogprob")
		one(ln(1.2)-1e-5, 1, -1.2*(1-1e-5)).says(t, verdict.Explained, "")
		one(ln(1.2)-1e-5, 1, 0).says(t, verdict.Unexplained, "dlogprob")
	})
	t.Run("the same at the lower bound, the dual clip and the limit", func(t *testing.T) {
		for _, g := range []float64{0.8, 0.4, 0} {
			one(ln(0.8), -1, g).says(t, verdict.Explained, "")
		}
		for _, g := range []float64{3, 1.5, 0} {
			one(ln(3), -1, g).attr("dual_clip", json.Number("3")).says(t, verdict.Explained, "")
		}
		for _, g := range []float64{1.6487212707, 0} {
			one(0.5, -1, g).attr("log_ratio_limit", json.Number("0.5")).says(t, verdict.Explained, "")
		}
		one(ln(3)+1e-5, -1, 3).attr("dual_clip", json.Number("3")).says(t, verdict.Unexplained, "dlogprob")
		one(0.50001, -1, 1.6487377579).attr(
			"log_ratio_limit", json.Number("0.5"),
		).says(t, verdict.Unexplained, "dlogprob")
	})
	t.Run("a sequence's ratio is on one side, with all its tokens", func(t *testing.T) {
		lp := dtype.F32.Round(ln(1.2))
		row := func(gradient ...float64) *batch {
			return newBatch("grpo.loss", 1, 4).with(
				"logprob", lp, lp, lp, lp,
			).with("old_logprob", 0, 0, 0, 0).with("advantage", 1, 1, 1, 1).with("mask", 1, 1, 1, 1).
				attr("ratio", "sequence").with("out.dlogprob", gradient...)
		}
		for _, g := range []float64{-0.3, 0, -0.15} {
			row(g, g, g, g).says(t, verdict.Explained, "")
		}
		row(-0.3, 0, -0.3, 0).says(t, verdict.Unexplained, "dlogprob")
		row(-0.15, -0.15, -0.15, -0.3).says(t, verdict.Unexplained, "dlogprob")
	})
	t.Run("tokens of both signs have thresholds of their own", func(t *testing.T) {
		at := func(g float64) *batch { // r = 1, and bounds of 1 on both sides
			return newBatch("grpo.loss", 1, 3).with("logprob", -1, -1, -1).with(
				"old_logprob", -1, -1, -1,
			).with("advantage", 1, 1, -4).with("mask", 1, 1, 1).
				attr("ratio", "sequence").attr("clip_low", json.Number("0")).attr(
				"clip_high", json.Number("0"),
			).with("out.dlogprob", g, g, g)
		}
		for _, total := range []float64{2, 0, -2, 4, 1, 3} { // both, none, the positive, the negative, halves
			at(dtype.F32.Round(total/9)).says(t, verdict.Explained, "")
		}
		at(5./9).says(t, verdict.Unexplained, "dlogprob")
	})
	t.Run("GPPO's gradient has no jump, and no choice", func(t *testing.T) {
		one(ln(1.2), 1, -1.2).attr("clip", "gppo").says(t, verdict.Explained, "")
		one(ln(1.2), 1, 0).attr("clip", "gppo").says(t, verdict.Unexplained, "dlogprob")
	})
	t.Run("a value midway between its clip and its return", func(t *testing.T) {
		value := func(g float64) *batch { // V = 1, clipped to 0.25; both are 0.375 from R = 0.625
			return newBatch(
				"ppo.value_loss", 1, 2,
			).with("values", 1, 0).with("old_values", 0, 0).with("returns", 0.625, 0).with("mask", 1, 0).
				attr("clip", json.Number("0.25")).with("out.dvalues", g, 0)
		}
		for _, g := range []float64{0.375, 0.1875, 0} {
			value(g).says(t, verdict.Explained, "")
		}
		value(0.3).says(t, verdict.Unexplained, "dvalues")
	})
}

func TestNumbersWithoutAFormula(t *testing.T) {
	inf := math.Inf(1)
	kl := func(logprob, ref, got float64) *batch {
		return newBatch("policy.kl", 1, 2).with("logprob", logprob, 0).with(
			"ref_logprob", ref, 0,
		).with("mask", 1, 0).attr("estimator", "k3").with("out.kl", got, -5)
	}
	t.Run("k3 of an excluded token is infinite, and of one that the limit holds finite", func(t *testing.T) {
		kl(-inf, -1, inf).says(t, verdict.Explained, "")
		kl(-inf, -1, math.NaN()).says(t, verdict.Unexplained, "kind")
		kl(-1, -inf, inf).says(t, verdict.Explained, "")
		kl(-inf, -1, float64(float32(math.Exp(20)-21))).attr("limit", json.Number("20")).says(t, verdict.Explained, "")
	})
	t.Run("log-ratios of ±100 overflow float32, and the infinity is right", func(t *testing.T) {
		kl(-101, -1, inf).says(t, verdict.Explained, "")
		kl(-1, -101, 99).says(t, verdict.Explained, "")
		one(100, -1, inf).says(t, verdict.Explained, "")
		one(100, 1, 0).says(t, verdict.Explained, "")
		one(100, 1, math.NaN()).says(t, verdict.Unexplained, "kind")
		one(100, 0, 0).says(t, verdict.Explained, "")
		one(-100, -1, 0).says(t, verdict.Explained, "")
	})
	t.Run("a sequence without tokens does not count, and a batch without any has loss 0", func(t *testing.T) {
		two := func(loss float64, mask ...float64) *batch {
			return newBatch("grpo.loss", 2, 2).with(
				"logprob", -1, -1, math.NaN(), math.NaN(),
			).with("old_logprob", -1, -1, 0, 0).with("advantage", 3, -7).
				with("mask", mask...).attr("aggregate", "sequence_mean").with("out.loss", loss)
		}
		two(-3, 1, 1, 0, 0).says(t, verdict.Explained, "")
		two(-1.5, 1, 1, 0, 0).says(t, verdict.Unexplained, "loss")
		two(0, 0, 0, 0, 0).says(t, verdict.Explained, "")
		two(math.NaN(), 0, 0, 0, 0).says(t, verdict.Unexplained, "kind")
		two(0, 0, 0, 0, 0).with("out.dlogprob", 1, 2, 3, 4).says(
			t, verdict.Undetermined, "the mask leaves no element to judge",
		)
	})
	t.Run("groups of one, and of equal rewards", func(t *testing.T) {
		group := func(rewards, got []float64) *batch {
			b := newBatch("grpo.advantage", 3).with("rewards", rewards...).attr("std", "sample").with(
				"out.advantage", got...,
			)
			b.Set("group", dtype.I64, tensor.Of([]float64{4, 9, 9}, 3))
			return b
		}
		group([]float64{5, 1, 1}, []float64{5, 0, 0}).says(t, verdict.Explained, "")
		group([]float64{5, 1, 1}, []float64{0, 0, 0}).says(t, verdict.Unexplained, "advantage")
		group([]float64{5, 1, 1}, []float64{5, math.NaN(), 0}).says(t, verdict.Unexplained, "kind")
		group([]float64{5, 0, 1}, []float64{5, -math.Sqrt2 / 2, math.Sqrt2 / 2}).says(t, verdict.Explained, "")
		group([]float64{5, math.NaN(), 1}, []float64{5, math.NaN(), math.NaN()}).says(t, verdict.Explained, "")
		group(
			[]float64{math.Inf(1), 0, 1}, []float64{math.Inf(1), -math.Sqrt2 / 2, math.Sqrt2 / 2},
		).says(t, verdict.Explained, "")
	})
	t.Run("a pair whose chosen response is excluded", func(t *testing.T) {
		b := newBatch("dpo.loss", 2).with("chosen", -inf, -3).with("rejected", -2, -3).with("ref_chosen", -2, -3).with(
			"ref_rejected", -2, -3,
		).with(
			"out.dchosen", -0.05, -0.025,
		)
		b.says(t, verdict.Explained, "")
		b.Set("out.loss", dtype.F32, tensor.Of([]float64{inf}))
		b.says(t, verdict.Explained, "")
	})
	t.Run("at the start of training DPO's loss is ln 2", func(t *testing.T) {
		b := newBatch("dpo.loss", 2).with("chosen", -5, -3).with("rejected", -2, -7).with("ref_chosen", -5, -3).with(
			"ref_rejected", -2, -7,
		)
		b.with("out.loss", math.Ln2).says(t, verdict.Explained, "")
		b.with("out.loss", math.Ln2+1e-6).says(t, verdict.Unexplained, "loss")
	})
}

// TestUnusableObjectives spoils what only objectives have.
func TestUnusableObjectives(t *testing.T) {
	set := func(name string, typ dtype.Type, value float64) func(*recording.Recording) {
		return func(r *recording.Recording) {
			x := tensor.New(r.Shape(name)...)
			for i := range x.Data {
				x.Data[i] = value
			}
			r.Set(name, typ, x)
		}
	}
	attrs := func(values map[string]any) func(*recording.Recording) {
		return func(r *recording.Recording) {
			for k, v := range values {
				r.Attrs[k] = v
			}
		}
	}
	attr := func(name, value string) func(*recording.Recording) {
		return attrs(map[string]any{name: json.Number(value)})
	}
	for _, c := range []struct {
		op, name string
		spoil    func(*recording.Recording)
		want     string
	}{
		{"policy.kl", "a mask of twos", set("mask", dtype.I32, 2), `tensor "mask": index [0 0]: found 2, want 0 or 1`},
		{"policy.kl", "a mask without numbers", set("mask", dtype.F32, math.NaN()), "found NaN, want 0 or 1"},
		{
			"policy.kl", "a limit for k1", attrs(map[string]any{"estimator": "k1", "limit": json.Number("1")}),
			"only k3 has a limit",
		},
		{"policy.kl", "an unknown estimator", attrs(map[string]any{"estimator": "k4"}), "want k1 or k2 or k3"},
		{"policy.logprob", "a temperature of 0", attr("temperature", "0"), "want more than 0"},
		{
			"policy.logprob", "a token that is not there", set("tokens", dtype.I32, 1e6),
			`tensor "tokens": index [0]: token 1e+06, want 0 to`,
		},
		{"ppo.gae", "a mask of halves", set("mask", dtype.F32, 0.5), "found 0.5, want 0 or 1"},
		{"ppo.loss", "a negative width", attr("clip_low", "-0.1"), `attrs: "clip_low": found -0.1, want 0 or more`},
		{
			"ppo.loss", "a dual clip below 1", attrs(map[string]any{"dual_clip": json.Number("0.5"), "clip": "ppo"}),
			"want a bound above 1",
		},
		{
			"ppo.loss", "a dual clip with cispo", attrs(map[string]any{"dual_clip": json.Number("3"), "clip": "cispo"}),
			"none with cispo",
		},
		{"ppo.loss", "a divergence from nowhere", func(r *recording.Recording) {
			r.Delete("ref_logprob")
			r.Attrs["kl"] = "k3"
		}, `attrs: "kl": k3 needs the tensor "ref_logprob"`},
		{
			"ppo.loss", "a coefficient of nothing", attrs(map[string]any{"kl": "none", "kl_coef": json.Number("0.1")}),
			`found 0.1, but "kl" is none`,
		},
		{"ppo.loss", "a constant that is not given", func(r *recording.Recording) {
			r.Attrs["aggregate"] = "constant"
			delete(r.Attrs, "aggregate_length")
		}, `constant divides by "aggregate_length"`},
		{"ppo.loss", "no policy", func(r *recording.Recording) {
			r.Delete("logits")
			r.Delete("tokens")
		}, `tensor "logprob": missing, want [N, L], or logits [N, L, vocab] and tokens [N, L]`},
		{"ppo.loss", "logits without tokens", func(r *recording.Recording) {
			r.Delete("tokens")
		}, `tensor "tokens": missing`},
		{"ppo.loss", "tokens without logits", func(r *recording.Recording) {
			r.Delete("logits")
		}, `tensor "logits": missing`},
		{"ppo.loss", "log-probabilities and logits", func(r *recording.Recording) {
			r.Set("logprob", dtype.F32, tensor.New(r.Shape("mask")...))
		}, `tensor "logits": want either logprob, or logits`},
		{
			"ppo.loss", "a token that is not there", set("tokens", dtype.I32, 17),
			`tensor "tokens": index [0 0]: token 17, want 0 to 16`,
		},
		{"ppo.loss", "a temperature below 0", attr("temperature", "-1"), "want more than 0"},
		{
			"grpo.loss", "a temperature without logits", attr("temperature", "0.5"),
			`attrs: "temperature": found 0.5, want it with logits alone`,
		},
		{"grpo.loss", "a gradient for logits that are not there", func(r *recording.Recording) {
			r.Set("out.dlogits", dtype.F32, tensor.New(append(r.Shape("mask"), 3)...))
		}, `tensor "out.dlogits": want it with logits alone`},
		{"grpo.loss", "an advantage of three axes", func(r *recording.Recording) {
			r.Set("advantage", dtype.F32, tensor.New(r.Shape("mask")[0], 1, 1))
		}, "want 2 axes [N] or [N, L]"},
		{"grpo.loss", "too many advantages", func(r *recording.Recording) {
			r.Set("advantage", dtype.F32, tensor.New(r.Shape("mask")[0]+1))
		}, "want [N] or [N, L] with N = "},
		{"ppo.value_loss", "a negative clip", attr("clip", "-1"), "want 0 or more"},
		{"grpo.advantage", "a negative eps", attr("eps", "-1"), "want 0 or more"},
		{"dpo.loss", "a beta of 0", attr("beta", "0"), "want more than 0"},
		{
			"dpo.loss", "smoothing for IPO",
			attrs(map[string]any{"kind": "ipo", "label_smoothing": json.Number("0.1")}), "and 0 for ipo",
		},
		{"dpo.loss", "lengths that are not given", func(r *recording.Recording) {
			r.Delete("lengths_chosen")
			r.Attrs["length_normalize"] = true
		}, `needs the tensor "lengths_chosen"`},
		{"dpo.loss", "responses without tokens", func(r *recording.Recording) {
			for _, name := range []string{"lengths_chosen", "lengths_rejected"} {
				r.Set(name, dtype.F32, tensor.New(r.Shape("chosen")...))
			}
			r.Attrs["length_normalize"] = true
		}, "0 tokens, want a whole number from 1"},
	} {
		t.Run(c.op+" "+c.name, func(t *testing.T) {
			r := optest.Recorded(t, c.op, 2)
			c.spoil(r)
			if v := op.Judge(r); v.Status != verdict.Unusable || !strings.Contains(v.Reason, c.want) {
				t.Errorf("%s: %s, want unusable with %q", v.Status, v.Reason, c.want)
			}
		})
	}
}

// TestMasksOfAnyType: the same mask in another type is the same mask.
func TestMasksOfAnyType(t *testing.T) {
	for seed := range uint64(check.Times(20, 2)) {
		r := optest.Recorded(t, "ppo.loss", seed)
		mask, err := r.Tensor("mask")
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.BF16, dtype.I32, dtype.I64, dtype.U8, dtype.Bool} {
			r.Set("mask", typ, mask)
			if v := op.Judge(r); v.Status != verdict.Explained && v.Status != verdict.Undetermined {
				t.Errorf("%s: %s %s", typ, v.Status, v.Reason)
			}
		}
	}
}

// TestSameLossUnderBothNames: ppo.loss and grpo.loss are one function.
func TestSameLossUnderBothNames(t *testing.T) {
	for seed := range uint64(20) {
		r, err := emulate.Run(emulate.Request("ppo.loss", seed), emulate.Config{})
		if err != nil {
			t.Fatal(err)
		}
		before := op.Judge(r)
		r.Op = "grpo.loss"
		if after := op.Judge(r); after.Status != before.Status || len(after.Outputs) != len(before.Outputs) ||
			after.Outputs[1].RMS != before.Outputs[1].RMS && after.Outputs[1].Elements > 0 {
			t.Errorf("seed %d: %v and %v", seed, before, after)
		}
	}
}
