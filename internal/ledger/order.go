package ledger

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// lessons are the files of each room in the order in which they are taught; what is not here comes
// after them, by name.
var lessons = map[string][]string{
	"attention": {
		"scores", "mask", "softmax", "head", "heads", "multihead", "cache", "online", "merge", "matrix",
	},
	"rope": {"roformer", "layout", "yarn", "backward"},
	"mla":  {"compress", "position", "attend", "layer", "absorb", "paged", "backward"},
	"moe": {
		"swiglu", "expert", "scores", "topk", "weights", "gate", "layer", "load", "loss", "bias", "drop",
		"dispatch", "shazeer", "capacity", "choice", "zloss", "clamped",
	},
	"fp8":    {"scale", "code", "blocked", "checkpoint", "promote", "product", "linear"},
	"mtp":    {"parallel", "choice", "information", "module", "depths", "loss", "greedy", "speculative", "rates"},
	"model":  {"config", "weights", "block", "forward", "loss"},
	"rl":     {"mc", "td", "q", "dqn", "pg", "ac", "process", "trpo"},
	"policy": {"logits", "ratio", "surrogate", "divergence", "baseline", "aggregate", "coefficient"},
	"ppo":    {"gae", "surrogate", "value", "loss", "reward", "whiten"},
	"dpo":    {"reward", "pairs", "loss", "ranking"},
	"grpo":   {"advantage", "deepseekmath", "batch", "iterate", "rule", "dapo", "gspo", "cispo", "gppo"},
}

// taught returns the sources of a room in the order of its lessons.
func taught(sources []source, room string) []source {
	place := func(s source) int {
		i := slices.Index(lessons[room], strings.TrimSuffix(path.Base(s.name), ".go"))
		if i < 0 {
			return len(lessons[room])
		}
		return i
	}
	return slices.SortedStableFunc(slices.Values(sources), func(a, b source) int {
		return cmp.Compare(place(a), place(b))
	})
}
