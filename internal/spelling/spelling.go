// Package spelling finds the word that was meant by one that is not known: an op, a key, an element
// type.
package spelling

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Quote returns a word of a file in quotes for a message, cut where it is too long for a line.
func Quote(word string) string {
	const most = 60
	if runes := []rune(word); len(runes) > most {
		word = string(runes[:most]) + "…"
	}
	return strconv.Quote(word)
}

// Suggest returns what a message ends with: `; did you mean "scale"?`, or nothing where no known
// word is near.
func Suggest(word string, known []string) string {
	near, ok := Nearest(word, known)
	if !ok {
		return ""
	}
	return `; did you mean "` + near + `"?`
}

// Nearest returns the known word that a word stands for: the same but for case and punctuation, the
// same under a name that other libraries give it, or the nearest by single letters added, dropped,
// changed or swapped, as far as a slip goes.
func Nearest(word string, known []string) (string, bool) {
	const longest = 64 // a word of a file may be as long as the file
	plain := normal(word)
	if plain == "" || len(word) > longest {
		return "", false
	}
	for _, meant := range meanings(plain) {
		if i := slices.IndexFunc(known, func(k string) bool { return normal(k) == meant }); i >= 0 {
			return known[i], true
		}
	}
	best, least := "", 1+slips(plain)
	for _, k := range known {
		candidate := normal(k)
		if d := distance(plain, candidate); d < least && 2*d < len(candidate) {
			best, least = k, d
		}
	}
	if best == "" {
		return begun(plain, known)
	}
	return best, true
}

// begun returns the one known word that a word begins, or that begins it: accum,
// probabilities_dtype.
func begun(plain string, known []string) (best string, ok bool) {
	const enough = 4 // letters
	for _, k := range known {
		candidate := normal(k)
		if min(len(plain), len(candidate)) < enough || !strings.HasPrefix(plain, candidate) &&
			!strings.HasPrefix(candidate, plain) {
			continue
		}
		if best != "" {
			return "", false
		}
		best = k
	}
	return best, best != ""
}

// slips returns how many letters may be wrong in a word.
func slips(word string) int {
	switch n := len(word); {
	case n < 3:
		return 0
	case n < 6:
		return 1
	case n < 12:
		return 2
	}
	return 3
}

// normal returns the letters and digits of a word in lower case.
func normal(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, word)
}

// meanings lists what a normal word may stand for, itself first: without the name of a library
// before it, written out, and under the name that Plumbline gives it.
func meanings(word string) []string {
	list := []string{word}
	for _, library := range []string{"torch", "jaxnumpy", "jnp", "jax", "numpy", "np", "triton", "tl"} {
		if rest, ok := strings.CutPrefix(word, library); ok && rest != "" {
			list = append(list, rest)
		}
	}
	for _, w := range slices.Clone(list) {
		if full := abbreviations.Replace(w); full != w {
			list = append(list, full)
		}
	}
	for _, w := range slices.Clone(list) {
		list = append(list, names[w]...)
	}
	return list
}

var abbreviations = strings.NewReplacer("attn", "attention", "fwd", "forward", "bwd", "backward", "logprobs", "logprob")

// names are names that other libraries and papers have for what Plumbline knows under another; both
// normal.
var names = map[string][]string{
	// element types
	"bfloat16": {"bf16"}, "bfloat": {"bf16"},
	"float16": {"f16"}, "fp16": {"f16"}, "half": {"f16"},
	"float32": {"f32"}, "fp32": {"f32"}, "float": {"f32"}, "single": {"f32"},
	"float64": {"f64"}, "fp64": {"f64"}, "double": {"f64"},
	"float8e4m3fn": {"f8e4m3"}, "float8e4m3": {"f8e4m3"}, "fp8e4m3": {"f8e4m3"}, "fp8e4m3fn": {"f8e4m3"},
	"e4m3":   {"f8e4m3"},
	"e4m3fn": {"f8e4m3"}, "f8e4m3fn": {"f8e4m3"}, "float8e4nv": {"f8e4m3"}, "fp8e4nv": {"f8e4m3"},
	"float8e5m2": {"f8e5m2"}, "fp8e5m2": {"f8e5m2"}, "e5m2": {"f8e5m2"}, "float8e5": {"f8e5m2"}, "fp8e5": {"f8e5m2"},
	"float8e8m0fnu": {"f8e8m0"}, "float8e8m0": {"f8e8m0"}, "e8m0": {"f8e8m0"}, "ue8m0": {"f8e8m0"},
	"fp8e8m0": {"f8e8m0"},
	"int64":   {"i64"}, "long": {"i64"}, "int32": {"i32"}, "int": {"i32"}, "uint8": {"u8"}, "byte": {"u8"},
	"boolean":  {"bool"},
	"tfloat32": {"tf32"}, "tensorfloat32": {"tf32"},
	// ops
	"rmsnorm": {"normrms"}, "layernormrms": {"normrms"}, "attention": {"attentionforward"},
	"flashattention": {"attentionforward"},
	"sdpa":           {"attentionforward"}, "scaleddotproductattention": {"attentionforward"},
	"flashmla": {"mladecode"},
	"mla":      {"mladecode"},
	"rope":     {"ropeapply"}, "rotary": {"ropeapply"}, "gae": {"ppogae"}, "logprob": {"policylogprob"},
	"kl":  {"policykl"},
	"dpo": {"dpoloss"},
	"ppo": {"ppoloss"}, "grpo": {"grpoloss"}, "valueloss": {"ppovalueloss"},
	// attributes
	"softmaxscale": {"scale"}, "smscale": {"scale"}, "scaling": {"scale"}, "iscausal": {"causal"},
	"windowsize": {"window"}, "slidingwindow": {"window"}, "windowleft": {"window"},
	"logitssoftcap": {"softcap"}, "logitsoftcap": {"softcap"}, "logitcap": {"softcap"}, "logitscap": {"softcap"},
	"attentionlogitsoftcapping": {"softcap"},
	"epsilon":                   {"eps"}, "rmsnormeps": {"eps"}, "theta": {"base"}, "ropetheta": {"base"},
	"thetabase": {"base"},
	"numheads":  {"heads"}, "nheads": {"heads"}, "numattentionheads": {"heads"}, "headdim": {"dim"},
	"rotarydim":     {"dim"},
	"qknopeheaddim": {"nopedim"}, "qkropeheaddim": {"ropedim"}, "vheaddim": {"valuedim"}, "headdimv": {"valuedim"},
	"dv":          {"valuedim"},
	"ropescaling": {"yarn"}, "discount": {"gamma"}, "lam": {"lambda"}, "gaelambda": {"lambda"}, "temp": {"temperature"},
	"epsilonlow": {"cliplow"}, "clipratiolow": {"cliplow"}, "cliprangelow": {"cliplow"},
	"epsilonhigh": {"cliphigh"}, "clipratiohigh": {"cliphigh"}, "cliprangehigh": {"cliphigh"},
	"cliprangevalue": {"clip"}, "valueclip": {"clip"}, "cliprange": {"cliplow", "clip"},
	"clipratio":     {"cliplow", "clip"},
	"dualclipratio": {"dualclip"}, "clipratioc": {"dualclip"},
	"klestimator": {"estimator", "kl"}, "klpenalty": {"kl", "estimator"}, "kllosstype": {"kl"},
	"kllosscoef": {"klcoef"}, "klbeta": {"klcoef"},
	"lossaggmode": {"aggregate"}, "losstype": {"aggregate", "kind"}, "reduction": {"aggregate"},
	"importancesamplinglevel": {"ratio"},
	"normalizelength":         {"lengthnormalize"},
	// YaRN, as configurations of Hugging Face and DeepSeek spell it
	"originalmaxpositionembeddings": {"originalcontext"}, "originalseqlen": {"originalcontext"},
	"ropefactor":    {"factor"},
	"scalingfactor": {"factor"},
	// tensors
	"query": {"q"}, "key": {"k"}, "value": {"v"}, "out": {"o", "y"}, "output": {"o", "y"}, "softmaxlse": {"lse"},
	"logsumexp": {"lse"},
	"dout":      {"do"}, "cacheseqlens": {"kvlens"}, "seqlens": {"kvlens"}, "sinks": {"sink"},
	"gradlogprob": {"dlogprob"},
	// arithmetic
	"acc": {"accumulate"}, "accumulator": {"accumulate"}, "accumulation": {"accumulate"}, "probs": {"probabilities"},
	"p":         {"probabilities"},
	"denormals": {"subnormals"}, "ftz": {"subnormals"}, "logits": {"scores"},
	"hopper": {"f32hopper"}, "ampere": {"f32ampere"}, "volta": {"f32volta"}, "ada": {"f32ada"},
	"blackwell": {"f32blackwell"},
	// choices
	"neox": {"half"}, "gptneox": {"half"}, "rotatehalf": {"half"}, "gptj": {"interleaved"},
	"seqmeantokenmean": {"sequencemean"}, "seqmeantokensum": {"sequencesum"}, "seqmean": {"sequencemean"},
	"seqsum": {"sequencesum"},
	"seq":    {"sequence"}, "gspo": {"sequence"}, "lowvarkl": {"k3"}, "ln": {"e"}, "natural": {"e"}, "fast": {"approx"},
	"approximate": {"approx"}, "accurate": {"exact"}, "biased": {"population"}, "unbiased": {"sample"},
	"linear": {"index"},
}

// distance counts the letters that have to be added, dropped or changed, or swapped with their
// neighbour, to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			changed := last[j-1]
			if x[i-1] != y[j-1] {
				changed++
			}
			row[j] = min(changed, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
