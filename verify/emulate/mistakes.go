package emulate

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// mistake is a way to be wrong. Source is its number in the bank of mistakes, or "" for one that is
// folklore.
type mistake struct {
	name, source, what string
	ops                []string
}

var (
	scoring  = []string{"attention.forward", "mla.decode"}
	forward  = []string{"attention.forward"}
	backward = []string{"attention.backward"}
	both     = []string{"attention.forward", "attention.backward"}
	decode   = []string{"mla.decode"}
	layer    = []string{"mla.layer"}
	merging  = []string{"attention.merge"}
	rotating = []string{"rope.apply", "rope.table", "mla.layer"}
	applying = []string{"rope.apply", "mla.layer"}
	rms1     = []string{"norm.rms"}
	norming  = []string{"norm.rms", "mla.layer"}
	all      = []string{"attention.forward", "mla.decode", "mla.layer", "norm.rms", "rope.apply"}

	losses      = []string{"ppo.loss", "grpo.loss"}
	aggregating = []string{"ppo.loss", "grpo.loss", "ppo.value_loss"}
	estimating  = []string{"policy.kl", "ppo.loss", "grpo.loss"}
	estimates   = []string{"policy.kl"}
	logprobs    = []string{"policy.logprob"}
	recursive   = []string{"ppo.gae"}
	fitting     = []string{"ppo.value_loss"}
	grouping    = []string{"grpo.advantage"}
	preferring  = []string{"dpo.loss"}
)

// bank lists the mistakes, family by family.
var bank = []mistake{
	{"drop-last-key", "", "the last key of the sequence is not seen", scoring},
	{"extra-key", "P03", "the length counts one key too many, so that every query sees one more", scoring},
	{"causal-top-left", "A01", "the causal mask is aligned to the first key", slices.Concat(scoring, backward)},
	{
		"causal-missing", "", "keys of the future are seen",
		[]string{"attention.forward", "attention.backward", "mla.decode", "mla.layer"},
	},
	{"cache-ignored", "A02", "several queries with a cache are taken for a fresh prefill", scoring},
	{"window-off-by-one", "A12", "the window is one key too wide", both},
	{"window-missing", "", "the window is not applied", both},
	{"empty-row-nan", "A03", "a row that sees no key gives NaN", scoring},
	{"fixed-maximum", "A05", "10 is subtracted in the exponent instead of the row maximum", scoring},
	{"heads-tiled", "A13", "query head h reads key head h mod G", both},
	{"heads-divided-by-groups", "A14", "query head h reads key head h ÷ G", both},
	{"scale-one-percent", "", "the softmax scale is 1 % too large", slices.Concat(scoring, backward, layer)},
	{"scale-of-width", "A07", "the softmax scale is 1/√(width of the keys) whatever the request says", both},
	{
		"scale-of-latent", "M01", "the softmax scale is 1/√(latent width + rope width)",
		[]string{"mla.decode", "mla.layer"},
	},
	{"temperature-missing", "R08", "the softmax scale lacks YaRN's temperature", []string{"mla.decode", "mla.layer"}},
	{"softcap-missing", "A18", "scores are not capped", both},
	{"softcap-before-scale", "A18", "scores are capped before they are scaled", forward},
	{"lse-base", "A08", "the log-sum-exp is returned in the other base", scoring},
	{"merge-base", "A08", "natural log-sum-exps are merged to base 2, or the reverse", slices.Concat(scoring, merging)},
	{"split-dropped", "", "the last split is not merged", scoring},
	{"sink-missing", "A10", "the sink is left out of the denominator", forward},
	{"sink-per-split", "A10", "the sink counts once for every split", forward},
	{"probabilities-truncated", "", "softmax weights are truncated, not rounded", scoring},
	{"accumulate-bf16", "N04", "sums of products are kept in BF16", slices.Concat(scoring, backward, merging, layer)},
	{"masked-tail", "P01", "values behind the last key are multiplied with weight 0", scoring},
	{"page-end", "A17", "keys up to the end of the page are seen", decode},
	{"extra-page", "P02", "one page too many is seen when the last one is full", decode},
	{"pages-consecutive", "P04", "the blocks of a sequence are taken for neighbours in memory", decode},
	{"value-columns", "", "the value is taken from the last columns of the cached row", decode},

	{"delta-missing", "", "dS lacks the term D", backward},
	{"dq-unscaled", "", "dq lacks the softmax scale", backward},
	{"dk-unscaled", "", "dk lacks the softmax scale", backward},
	{"group-not-summed", "", "dk and dv come from the last head of each group alone", backward},
	{"softcap-derivative-missing", "", "dS lacks the derivative of the soft cap", backward},
	{"lse-base", "A08", "the log-sum-exp is read in the other base", backward},
	{"sink-missing", "A10", "the sink is left out of the denominator", backward},

	{"weights-unnormalised", "", "the weights of the parts are not divided by their sum", merging},
	{"parts-averaged", "", "the parts are averaged without weights", merging},

	{"layout-swapped", "R01", "pairs are taken as (i, i+d/2) for (2i, 2i+1), or the reverse", applying},
	{
		"frequencies-repeated", "R03", "the table repeats each frequency for neighbours, the rotation takes halves",
		applying,
	},
	{"direction-reversed", "R04", "the rotation is by minus the angle", rotating},
	{"rotation-missing", "R05", "nothing is rotated", rotating},
	{"position-off-by-one", "R19", "positions are one too large", rotating},
	{"yarn-missing", "", "YaRN is not applied", rotating},
	{"yarn-betas-swapped", "R12", "beta_fast and beta_slow change places", rotating},
	{"yarn-range-extended", "R13", "the correction range comes from the extended length", rotating},
	{
		"yarn-range-unrounded", "R14",
		"the correction range is not rounded to whole indices, or is where it should not be", rotating,
	},
	{"amplitude-generic", "R10", "cos and sin are multiplied by YaRN's generic 1 + 0.1 ln s", rotating},
	{"sine-fast", "", "sines take off whole turns in one step, of a float32 2π", rotating},
	{
		"frequencies-recurrent", "", "each frequency is formed from the one before, undeclared",
		[]string{"rope.apply", "rope.table"},
	},
	{"angle-bf16", "R17", "position × frequency is formed in BF16", rotating},
	{"table-bf16", "R18", "cos and sin are stored in BF16", rotating},

	{"eps-missing", "", "no eps under the root", rms1},
	{"eps-outside-root", "", "eps is added to the root", rms1},
	{"eps-default", "M02", "eps is 1e-5 whatever the request says", norming},
	{"mean-subtracted", "", "a LayerNorm: the mean is subtracted", rms1},
	{"weight-plus-one", "", "the weight is taken as an offset from 1", rms1},
	{"sum-for-mean", "", "the sum of squares is not divided by their number", rms1},
	{"squares-bf16", "N04", "the sum of squares is kept in BF16", norming},

	{"norm-missing-q", "M04", "the query's latent is not normed", layer},
	{"norm-missing-kv", "M04", "the latent of keys and values is not normed", layer},
	{"norm-with-rope-key", "M04", "latent and rope key are normed together", layer},
	{"norm-extra", "M03", "a query without latent is normed", layer},
	{"kv-up-split", "M05", "w_ukv is split as all keys, then all values", layer},
	{"query-untransposed", "M07", "the query is absorbed with W_UK, not its transpose", layer},
	{"value-from-key", "M07", "the value's up-projection is taken from the key's rows", layer},
	{"rope-key-twice", "M10", "the rope key is rotated twice", layer},
	{"rope-first-channels", "R06", "the first channels of a query are rotated, not the last", layer},

	{"mask-missing", "L18", "tokens after the end are counted", aggregating},
	{"mask-shifted", "L17", "the mask is one token early", slices.Concat(aggregating, recursive)},
	{
		"aggregation-swapped", "L01",
		"the loss is aggregated in another mode: the mean of sequences for that of tokens, or the reverse", aggregating,
	},
	{"micro-batch-mean", "L02", "the mean of two halves' means is taken for the mean over the batch", aggregating},
	{"empty-sequences-counted", "L35", "sequences without tokens count in the mean", aggregating},
	{"clip-sides-swapped", "", "the lower and the upper width of the clip change places", losses},
	{"min-max-exchanged", "L27", "the minimum is taken for the maximum", losses},
	{"clip-passes-gradient", "", "clipped tokens have a gradient, as with GPPO", losses},
	{"clipped-gradient-cut", "", "clipped tokens have no gradient where GPPO passes one", losses},
	{"dual-clip-for-positive", "L25", "the dual clip bounds tokens of positive advantage too", losses},
	{"dual-clip-by-default", "L26", "there is a dual clip at 3 that nobody asked for", losses},
	{"dual-clip-missing", "", "the dual clip is ignored", losses},
	{"log-ratio-unlimited", "L13", "the logarithm of the ratio is not limited", losses},
	{"ratio-inverted", "", "the ratio is upside down", losses},
	{"sequence-ratio-product", "L29", "a sequence's ratio lacks the power of one over its length", losses},
	{"sequence-gradient-undivided", "L28", "a sequence's gradient counts once for every token of it", losses},
	{"k3-upside-down", "L08", "the ratio in k3 is upside down", estimating},
	{"kl-sign", "L11", "the divergence has the wrong sign", estimating},
	{"k2-unhalved", "", "k2 is not halved", estimating},
	{"estimator-falls-through", "L09", "what k2 asks for is given to k3", estimates},
	{"kl-unlimited", "L13", "the log-ratio in k3 is not limited", estimates},

	{"temperature-missing", "L15", "logits are not divided by the temperature", slices.Concat(logprobs, losses)},
	{"gradient-untempered", "L15", "the gradient for the logits is not divided by the temperature", losses},
	{"softmax-dropped", "", "the gradient for the logits is that of the token's own alone", losses},
	{"filtered", "L16", "log-probabilities are renormalised over the likelier half of the tokens", logprobs},
	{"token-shifted", "L17", "log-probabilities are of the next token's logits", slices.Concat(logprobs, losses)},
	{"entropy-of-token", "", "the entropy is estimated by −log π of the token", logprobs},

	{"gae-through-masked", "L22", "the recursion runs through tokens outside the mask", recursive},
	{"lambda-missing", "", "λ is left out", recursive},
	{"bootstrap-repeated", "L21", "the last value stands for the one after the end", recursive},
	{"next-value-undiscounted", "", "the next value is not discounted", recursive},
	{"whiten-over-padding", "L23", "advantages are whitened with the zeros outside the mask", recursive},
	{"whiten-per-sequence", "L23", "each sequence is whitened by itself", recursive},
	{"whiten-population", "L05", "advantages are whitened with the population's variance", recursive},
	{"returns-whitened", "", "returns are made of whitened advantages", recursive},

	{"value-clip-ignored", "L24", "the clip of the value is ignored", fitting},
	{"value-clip-relative", "", "the clip of the value is a share of the old one", fitting},
	{"value-min-for-max", "L27", "the smaller of the two squared errors is taken", fitting},
	{"value-unhalved", "", "the squared error is not halved", fitting},

	{"std-ddof", "L05", "the sample's standard deviation is taken for the population's, or the reverse", grouping},
	{"std-missing", "L06", "rewards are not divided by their deviation", grouping},
	{"std-always", "L06", "rewards are divided by their deviation although they should not be", grouping},
	{"eps-inside-root", "L06", "eps is added to the variance", grouping},
	{"eps-default", "L06", "eps is 1e-4 whatever the request says", grouping},
	{"group-over-batch", "L04", "mean and deviation are those of the whole batch", grouping},
	{"group-of-one-centred", "", "a group of one has advantage 0", grouping},
	{"mean-missing", "", "the mean is not subtracted", grouping},

	{
		"lengths-mistaken", "L31", "log-probabilities are averaged over tokens where sums are meant, or the reverse",
		preferring,
	},
	{"smoothing-missing", "L30", "label smoothing is dropped", preferring},
	{"smoothing-sign", "L34", "label smoothing has the sign of the robust form", preferring},
	{"reference-missing", "", "the reference is left out", preferring},
	{"preference-swapped", "", "the rejected response is preferred", preferring},
	{"rewards-swapped", "", "the rewards of chosen and rejected change places", preferring},
	{"beta-twice", "", "β multiplies the margin twice", preferring},
	{"ipo-target", "", "the margin that IPO aims at is 1/β", preferring},
	{"gradient-unaveraged", "", "the gradient is not divided by the number of pairs", preferring},

	{"rows-swapped", "", "two rows of the output change places", all},
	{"row-repeated", "", "the last row of the output is the one before it", all},
	{"output-truncated", "", "the output is truncated, not rounded", all},
	{"output-unwritten", "", "a block of the output is never written", all},
}

// needsSplits lists the mistakes that only split kernels make.
var needsSplits = map[string]bool{"merge-base": true, "split-dropped": true, "sink-per-split": true}

// Mistakes returns the names of the wrong kernels of an op; Describe says what they do.
func Mistakes(op string) []string {
	var names []string
	for _, m := range bank {
		if slices.Contains(m.ops, op) {
			names = append(names, m.name)
		}
	}
	return names
}

// Describe returns a mistake's number in the bank of mistakes, "" if it is not there, and what the
// kernel does wrong.
func Describe(name string) (source, what string) {
	for _, m := range bank {
		if m.name == name {
			return m.source, m.what
		}
	}
	return "", ""
}

// spoilOutput makes the mistakes of storing on an output of rows of the given width that will be
// rounded to t.
func spoilOutput[T number](j *job, t dtype.Type, data []T, width int) {
	rows := len(data) / max(width, 1)
	switch {
	case j.makes("output-truncated"):
		for i := range data {
			j.show(t.Round(float64(data[i])) != float64(data[i]))
			data[i] = T(truncated(t, float64(data[i])))
		}
	case j.makes("output-unwritten"):
		for i := rows - (rows+3)/4; i < rows; i++ {
			block := vector(data, i, width)[width/2:]
			j.show(!zero(block))
			clear(block)
		}
	case j.makes("rows-swapped") && rows > 1:
		a, b := vector(data, rows-2, width), vector(data, rows-1, width)
		j.show(differ(a, b))
		for i := range a {
			a[i], b[i] = b[i], a[i]
		}
	case j.makes("row-repeated") && rows > 1:
		a, b := vector(data, rows-2, width), vector(data, rows-1, width)
		j.show(differ(a, b))
		copy(b, a)
	}
}

func zero[T number](x []T) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}

// storeLSE stores log-sum-exps in the base that the request asks for; the wrong one is the other.
func storeLSE[T number](j *job, lse []T, shape ...int) {
	if j.DenominatorRounded {
		return
	}
	two := j.text("lse_base", "e") == "2"
	if j.makes("lse-base") {
		two = !two
	}
	for i, x := range lse {
		j.show(j.makes("lse-base") && x != 0 && dtype.Finite(x))
		if two {
			lse[i] = x * T(math.Log2E)
		}
	}
	store(j, "lse", dtype.F32, lse, shape...)
}
