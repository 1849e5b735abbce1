package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// wrong is a call of a wrong kernel: what is asked of it, by the name of an example or of a file of
// kernels/requests, and the mistake that it makes.
type wrong struct{ request, mistake string }

// invalid is the folder of what wrong kernels gave, in that of the recordings.
const invalid = "invalid"

func (w wrong) file() string { return filepath.Join(invalid, w.request+"."+w.mistake+".safetensors") }

// make runs the wrong kernel on the request, which stands in one of the folders of kernels/requests
// of the module at root.
func (w wrong) make(root string) (*recording.Recording, error) {
	request, err := w.open(root)
	if err != nil {
		return nil, err
	}
	rec, err := emulate.Run(request, emulate.Config{Mistake: w.mistake})
	if err != nil {
		return nil, err
	}
	for _, m := range op.Lookup(rec.Op).Mistakes() {
		if m.ID == w.mistake {
			rec.Provenance["mistake_id"] = strings.Join(m.Numbers, ", ")
			rec.Provenance["mistake_what"] = m.Sentence
			rec.Provenance["note"] = "a wrong kernel, on purpose: " + m.Sentence
		}
	}
	rec.Provenance["mistake"] = w.mistake
	sign(rec)
	return rec, nil
}

// open finds the request. It stays in memory, and needs no closing.
func (w wrong) open(root string) (*recording.Recording, error) {
	for _, e := range allExamples() {
		if e.name == w.request {
			r, err := e.asked()
			if err != nil {
				return nil, err
			}
			return r.Recording, nil
		}
	}
	for _, folder := range []string{".", "others"} {
		data, err := os.ReadFile(filepath.Join(root, "kernels", "requests", folder, w.request+".safetensors"))
		if !errors.Is(err, fs.ErrNotExist) {
			return recording.Read(bytes.NewReader(data), int64(len(data)), w.request)
		}
	}
	return nil, fmt.Errorf("%s: no such request", w.request)
}

// wrongs are all recordings of wrong kernels that gen writes: small ones, where the mistake moves
// the outputs by ten deviations or more. The usual criteria accept many: see docs/VECTORS.md.
var wrongs = []wrong{
	{"attention-backward-empty-rows-bf16", "accumulate-bf16"},
	{"attention-backward-scale-bf16", "dq-scale-bf16"},
	{"attention-backward-one-key-bf16", "heads-divided-by-groups"},
	{"attention-backward-empty-rows-f32", "scale-one-percent"},
	{"attention-backward-sink-bf16", "sink-missing"},
	{"attention-forward-narrow-bf16", "accumulate-bf16"},
	{"attention-forward-high-logits-bf16", "causal-missing"},
	{"attention-forward-empty-rows-bf16", "empty-row-nan"},
	{"attention-forward-stale-f32", "extra-key"},
	{"attention-forward-narrow-bf16", "lse-base"},
	{"attention-forward-sink-window-bf16", "merge-base"},
	{"attention-forward-narrow-f32", "output-per-mille"},
	{"attention-forward-sink-window-bf16", "sink-per-split"},
	{"attention-merge-empty-row-bf16", "accumulate-bf16"},
	{"attention-merge-empty-parts-bf16", "empty-part-read"},
	{"dpo-loss-ipo-bf16", "kind-ignored"},
	{"dpo-loss-margins-smoothed-bf16", "smoothing-missing"},
	{"fp8-cast-powers-e5m2-f32", "floor-of-scale"},
	{"fp8-cast-general-bf16", "largest-code-224"},
	{"fp8-cast-general-bf16", "scale-inverse"},
	{"fp8-cast-powers-e5m2-f32", "scale-rounded-up"},
	{"fp8-cast-floor-bf16", "zero-block-scale-one"},
	{"fp8-gemm-short-bf16", "codes-fnuz"},
	{"fp8-gemm-short-bf16", "output-truncated"},
	{"fp8-gemm-short-bf16", "scale-truncated"},
	{"fp8-gemm-short-bf16", "tail-unscaled"},
	{"fp8-grouped-gemm-ragged-bf16", "accumulate-bf16"},
	{"fp8-grouped-gemm-ragged-bf16", "k-tail-read-on"},
	{"fp8-grouped-gemm-empty-experts-bf16", "scales-of-first-expert"},
	{"grpo-advantage-ones-bf16", "deviation-of-batch"},
	{"grpo-advantage-pairs-f32", "eps-default"},
	{"grpo-loss-logits-deepseek-math-bf16", "kl-missing"},
	{"grpo-loss-halves-bf16", "padding-in-mean"},
	{"grpo-loss-cispo-sequence-f32", "ratio-assumed-one"},
	{"grpo-loss-cispo-sequence-bf16", "sequence-ratio-ignored"},
	{"grpo-loss-logits-gspo-bf16", "token-shifted"},
	{"mla-decode-two-queries-bf16", "cache-ignored"},
	{"mla-decode-high-logits-bf16", "causal-strict"},
	{"mla-decode-four-queries-bf16", "empty-row-mean"},
	{"mla-decode-shared-prefix-bf16", "exp-2e-3"},
	{"mla-decode-page-of-one-bf16", "extra-page"},
	{"mla-decode-no-keys-bf16", "padding-sees-first-block"},
	{"mla-decode-hidden-table-bf16", "probabilities-truncated"},
	{"mla-decode-shared-prefix-bf16", "scores-bf16"},
	{"mla-layer-one-token-bf16", "norm-with-rope-key"},
	{"mla-layer-plain-queries-bf16", "scale-of-latent"},
	{"mla-layer-plain-queries-bf16", "squares-bf16"},
	{"mla-layer-compressed-f32", "table-bf16"},
	{"mla-layer-yarn-bf16", "temperature-missing"},
	{"mla-layer-yarn-lite-bf16", "yarn-range-extended"},
	{"moe-balance-loss-communication-uneven-bf16", "experts-for-devices"},
	{"moe-balance-loss-expert-f32", "first-choices-only"},
	{"moe-bias-update-center-f32", "bias-frozen"},
	{"moe-dispatch-one-pair-i32", "counts-padded"},
	{"moe-dispatch-nobody-i32", "padding-counted"},
	{"moe-experts-one-token-f32", "combine-bf16"},
	{"moe-experts-one-token-f32", "expert-weights-bf16"},
	{"moe-experts-odd-f32", "last-row-missing"},
	{"moe-experts-one-token-bf16", "weight-twice"},
	{"moe-experts-one-token-bf16", "weights-missing"},
	{"moe-gate-one-bf16", "absent-scale-is-zero"},
	{"moe-gate-tokens-mixed-bf16", "gate-bf16"},
	{"moe-gate-eps-bf16", "scores-bf16"},
	{"moe-gate-high-f32", "ties-by-epsilon"},
	{"moe-gate-eps-bf16", "weights-bf16"},
	{"moe-layer-limit-f32", "gate-bf16"},
	{"moe-layer-limit-bf16", "gate-bias-in-weights"},
	{"moe-layer-softmax-bf16", "softmax-after-mask"},
	{"moe-layer-bias-bf16", "weights-unnormalized"},
	{"mtp-accept-one-f32", "draft-taken-for-sure"},
	{"mtp-accept-sure-f32", "first-row-always"},
	{"mtp-accept-equal-f32", "residual-without-token"},
	{"mtp-combine-one-row-bf16", "first-masked"},
	{"mtp-combine-one-row-bf16", "hidden-normed-twice"},
	{"mtp-loss-two-words-f32", "divisor-of-tokens"},
	{"mtp-loss-one-position-bf16", "mask-rolled-twice"},
	{"norm-rms-zero-row-bf16", "eps-outside-root"},
	{"norm-rms-seven-f32", "squares-bf16"},
	{"norm-rms-seven-bf16", "sum-for-mean"},
	{"norm-rms-one-column-bf16", "weight-plus-one"},
	{"policy-cross-entropy-two-words-f32", "head-gradient-bf16"},
	{"policy-cross-entropy-one-row-bf16", "last-chunk-dropped"},
	{"policy-cross-entropy-one-counts-bf16", "targets-shifted"},
	{"policy-kl-k2-far-bf16", "last-token-dropped"},
	{"policy-kl-one-token-bf16", "mask-inverted"},
	{"policy-logprob-one-row-bf16", "filtered"},
	{"policy-logprob-warm-bf16", "logprob-tempered"},
	{"policy-logprob-high-f32", "lse-subtracted"},
	{"policy-mismatch-heads-bf16", "sampling-temperature-missing"},
	{"policy-mismatch-heads-bf16", "stale-head"},
	{"ppo-gae-whitened-one-bf16", "bootstrap-repeated"},
	{"ppo-gae-one-step-bf16", "gamma-missing"},
	{"ppo-gae-tools-bf16", "terminal-reward-late"},
	{"ppo-loss-logits-temperature-bf16", "gradient-untempered"},
	{"ppo-loss-no-tokens-f32", "ratio-assumed-one"},
	{"ppo-loss-no-tokens-f32", "ratio-inverted"},
	{"ppo-loss-sequence-sum-bf16", "rows-joined"},
	{"ppo-value-loss-one-token-bf16", "value-clip-ignored"},
	{"rope-apply-yarn-rotations-bf16", "amplitude-generic"},
	{"rope-apply-inverse-half-bf16", "frequencies-repeated"},
	{"rope-apply-yarn-rotations-bf16", "sine-fast"},
	{"rope-apply-one-pair-bf16", "table-bf16"},
	{"rope-table-yarn", "amplitude-undivided"},
	{"rope-table-base", "frequencies-recurrent"},
	{"rope-table-one-pair", "table-bf16"},
}
