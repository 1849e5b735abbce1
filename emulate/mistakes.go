package emulate

import (
	"math"
	"slices"

	"plumbline/dtype"
)

// mistake is a way to be wrong. Source is its number in the bank of mistakes, or "" for one that is folklore.
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
)

// bank lists the mistakes, family by family.
var bank = []mistake{
	{"drop-last-key", "", "the last key of the sequence is not seen", scoring},
	{"extra-key", "P03", "the length counts one key too many, so that every query sees one more", scoring},
	{"causal-top-left", "A01", "the causal mask is aligned to the first key", slices.Concat(scoring, backward)},
	{"causal-missing", "", "keys of the future are seen", []string{"attention.forward", "attention.backward", "mla.decode", "mla.layer"}},
	{"cache-ignored", "A02", "several queries with a cache are taken for a fresh prefill", scoring},
	{"window-off-by-one", "A12", "the window is one key too wide", both},
	{"window-missing", "", "the window is not applied", both},
	{"empty-row-nan", "A03", "a row that sees no key gives NaN", scoring},
	{"fixed-maximum", "A05", "10 is subtracted in the exponent instead of the row maximum", scoring},
	{"heads-tiled", "A13", "query head h reads key head h mod G", both},
	{"heads-divided-by-groups", "A14", "query head h reads key head h ÷ G", both},
	{"scale-one-percent", "", "the softmax scale is 1 % too large", slices.Concat(scoring, backward, layer)},
	{"scale-of-width", "A07", "the softmax scale is 1/√(width of the keys) whatever the request says", both},
	{"scale-of-latent", "M01", "the softmax scale is 1/√(latent width + rope width)", []string{"mla.decode", "mla.layer"}},
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
	{"frequencies-repeated", "R03", "the table repeats each frequency for neighbours, the rotation takes halves", applying},
	{"direction-reversed", "R04", "the rotation is by minus the angle", rotating},
	{"rotation-missing", "R05", "nothing is rotated", rotating},
	{"position-off-by-one", "R19", "positions are one too large", rotating},
	{"yarn-missing", "", "YaRN is not applied", rotating},
	{"yarn-betas-swapped", "R12", "beta_fast and beta_slow change places", rotating},
	{"yarn-range-extended", "R13", "the correction range comes from the extended length", rotating},
	{"yarn-range-unrounded", "R14", "the correction range is not rounded to whole indices", rotating},
	{"amplitude-generic", "R10", "cos and sin are multiplied by YaRN's generic 1 + 0.1 ln s", rotating},
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

// Describe returns a mistake's number in the bank of mistakes, "" if it is not there, and what the kernel does wrong.
func Describe(name string) (source, what string) {
	for _, m := range bank {
		if m.name == name {
			return m.source, m.what
		}
	}
	return "", ""
}

// spoilOutput makes the mistakes of storing on an output of rows of the given width that will be rounded to t.
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
		j.show(j.makes("lse-base") && x != 0 && x-x == 0)
		if two {
			lse[i] = x * T(math.Log2E)
		}
	}
	store(j, "lse", dtype.F32, lse, shape...)
}
