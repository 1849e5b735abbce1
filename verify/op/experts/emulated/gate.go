// Package emulated has kernels of a mixture of experts, right and wrong, as hardware would run
// them.
package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// What a gate forms for each token: for each expert, for each group, for those that are chosen, and
// in all.
const (
	allLogits    = "the logits"
	exponentials = "the sum of exponentials"
	allScores    = "the scores"
	ranking      = "the scores that experts are chosen by"
	weighing     = "the scores that weights are made of"
	biased       = "the scores with their bias"
	grouping     = "the scores that groups are scored by"
	groupScores  = "the scores of groups"
	chosenScores = "the scores of the chosen experts"
	chosenSum    = "the sum of the chosen scores"
)

func init() {
	emulate.Register("moe.gate", emulate.Kernel{
		Float32: moeGate[float32], Float64: moeGate[float64], Request: requestGate, Right: gates(),
		Quantities: routed,
	})
}

// routed are the quantities of a gate.
var routed = []emulate.Quantity{
	{Name: allLogits, Shape: []string{"N", "E"}, Axes: []string{"token", "expert"}},
	{Name: exponentials, Shape: []string{"N"}},
	{Name: allScores, Shape: []string{"N", "E"}, Axes: []string{"token", "expert"}},
	{Name: biased, Shape: []string{"N", "E"}, Axes: []string{"token", "expert"}},
	{Name: ranking, Shape: []string{"N", "E"}, Axes: []string{"token", "expert"}},
	{Name: grouping, Shape: []string{"N", "E"}, Axes: []string{"token", "expert"}},
	{Name: groupScores, Shape: []string{"N", "groups"}, Axes: []string{"token", "group"}},
	{Name: weighing, Shape: []string{"N", "E"}, Axes: []string{"token", "expert"}},
	{Name: chosenScores, Shape: []string{"N", "K"}, Axes: []string{"token", "slot"}},
	{Name: chosenSum, Shape: []string{"N"}},
}

// gate routes tokens to experts. It rounds logits to the type of the gate; all else is in the
// working type: scores, which the bias is added to and groups are scored by, and weights. A nil
// products says that logits are given.
type gate[T emulate.Number] struct {
	*emulate.Job
	products, scalars *emulate.Summer[T]
	x, weight, given  []T
	bias              []T // nil: none
	E, K              int
	groups, kept      int
	scoring           string
	narrow            dtype.Type
	eps, scale        T
	right             bool // the twin of a wrong one
	undivided         bool // its weights are not divided by their sum
	n                 int  // the token that is routed
	columns           *[]T // sums over all tokens, where a mistake has formed them
}

// route is where a token goes: experts, in the order that the gate gives them, and their weights.
type route[T emulate.Number] struct {
	experts []int
	weights []T
}

// newGate returns the gate of a kernel, with the accumulator of c where logits are products.
func newGate[T emulate.Number](j *emulate.Job, c *emulate.Config) *gate[T] {
	j.Gate = cmp.Or(j.Gate, emulate.Working[T]())
	g := &gate[T]{
		Job: j, bias: emulate.Load[T](j, "bias"), E: j.Dim("E"), K: j.Int("top_k"), groups: j.Int("groups"),
		kept: j.Int("top_groups"), scoring: j.Word("score"), narrow: j.Gate, eps: T(j.Float("norm_eps")),
		scale: T(j.Float("scale")), columns: new([]T),
	}
	if j.Recording.Has("logits") {
		g.given = emulate.Load[T](j, "logits")
		g.scalars = emulate.NewSummer[T](c, j.Recording.Type("logits")).Plain()
		return g
	}
	g.x, g.weight = emulate.Load[T](j, "x"), emulate.Load[T](j, "weight")
	g.products = emulate.NewSummer[T](c, operands(j, "x", "weight"))
	g.scalars = g.products.Plain()
	return g
}

// operands is the type that two inputs are multiplied in: theirs, or F32 where they differ.
func operands(j *emulate.Job, a, b string) dtype.Type {
	if j.Recording.Type(a) != j.Recording.Type(b) {
		return dtype.F32
	}
	return j.Recording.Type(a)
}

// moeGate writes the experts of every token and their weights, which are F32.
func moeGate[T emulate.Number](j *emulate.Job) {
	g := newGate[T](j, &j.Config)
	var experts []int
	var weights []T
	for n := range j.Dim("N") {
		r := g.token(n)
		experts, weights = append(experts, r.experts...), append(weights, r.weights...)
	}
	j.StoreInts("indices", experts)
	emulate.Store(j, "weights", dtype.F32, weights)
}

// token routes token n, and notes whether a mistake shows in it.
func (g *gate[T]) token(n int) route[T] {
	r := g.route(n)
	if g.Config.Mistake != "" && !g.right {
		right := *g
		right.right = true
		g.Show(differ(r, right.route(n)))
	}
	return r
}

// differ tells whether two routes do not send a token to the same experts with the same weights, up
// to some roundings.
func differ[T emulate.Number](a, b route[T]) bool {
	for k, e := range a.experts {
		at := slices.Index(b.experts, e)
		if at < 0 || math.Abs(float64(a.weights[k]-b.weights[at])) > 0x1p-20*math.Abs(float64(b.weights[at])) {
			return true
		}
	}
	return slices.ContainsFunc(b.experts, func(e int) bool { return !slices.Contains(a.experts, e) })
}

// makes is Makes for a gate that may be the right twin of a wrong one.
func (g *gate[T]) makes(mistake string) bool { return !g.right && g.Makes(mistake) }

func (g *gate[T]) route(n int) route[T] {
	g.n = n
	logits := g.pass(allLogits, n, g.logits(n))
	scores := g.pass(allScores, n, each(g.scores(logits), g.rounded))
	if g.makes("scores-bf16") {
		emulate.RoundEach(dtype.BF16, scores)
	}
	ranked := g.pass(biased, n, g.ranked(g.chosenBy(logits, scores)))
	chosen := g.choose(ranked, scores)
	scores = g.pass(weighing, n, slices.Clone(scores))
	var values []T
	for _, e := range chosen {
		values = append(values, g.value(e, logits, scores, ranked))
	}
	r := route[T]{experts: chosen, weights: values}
	r.experts, r.weights = g.arrange(n, r)
	emulate.Pass(g.Job, chosenScores, n*g.K, r.weights)
	r.weights = g.weigh(r, scores, ranked)
	if g.makes("weights-bf16") {
		emulate.RoundEach(dtype.BF16, r.weights)
	}
	if g.makes("weights-misplaced") {
		slices.Sort(r.experts)
	}
	r.experts = g.numbered(r.experts, ranked, scores)
	return r
}

// chosenBy returns what experts are chosen by before the bias: scores.
func (g *gate[T]) chosenBy(logits, scores []T) []T {
	if g.makes("logits-ranked") {
		return logits
	}
	return scores
}

// pass passes a quantity of token n on.
func (g *gate[T]) pass(name string, n int, x []T) []T {
	emulate.Pass(g.Job, name, n*g.E, x)
	return x
}

// rounded rounds to the type of scores, where all that is made of them is rounded.
func (g *gate[T]) rounded(x T) T {
	if g.Scores == dtype.Invalid {
		return x
	}
	return emulate.Round(g.Scores, x)
}

// arrange puts experts and what they score into the order in which the gate gives them.
func (g *gate[T]) arrange(n int, r route[T]) (experts []int, values []T) {
	for _, k := range arranged(g.Job, n, r) {
		experts, values = append(experts, r.experts[k]), append(values, r.weights[k])
	}
	return experts, values
}

// logits returns those of token n.
func (g *gate[T]) logits(n int) []T {
	var row []T
	if g.products == nil {
		row = slices.Clone(emulate.Row(g.given, n, g.E))
	} else {
		d := len(g.weight) / g.E
		for e := range g.E {
			row = append(row, g.products.Dot(emulate.Row(g.x, n, d), emulate.Row(g.weight, e, d)))
		}
	}
	if g.makes("gate-bf16") {
		emulate.RoundEach(dtype.BF16, row)
	}
	if g.makes("bias-on-logits") {
		for e, b := range g.bias {
			row[e] += b
		}
	}
	return emulate.RoundEach(g.narrow, row)
}

// scores returns those of all experts.
func (g *gate[T]) scores(logits []T) []T {
	switch {
	case g.makes("sigmoid-always"):
	case g.scoring == "softmax" && g.makes("softmax-over-tokens"):
		return g.acrossTokens(logits)
	case g.scoring == "softmax", g.scoring == "sigmoid" && g.makes("softmax-for-sigmoid"):
		return g.softmax(logits)
	case g.scoring == "sqrt_softplus":
		return each(logits, g.rootSoftplus)
	}
	return each(logits, func(z T) T { return 1 / (1 + emulate.Exponential(g.Job, -z)) })
}

// otherScores are a softmax where sigmoids are asked for, and else sigmoids.
func (g *gate[T]) otherScores(logits []T) []T {
	other := *g
	other.scoring, other.right = "softmax", true
	if g.scoring != "sigmoid" {
		other.scoring = "sigmoid"
	}
	return other.scores(logits)
}

func (g *gate[T]) softmax(logits []T) []T {
	most := slices.Max(logits)
	scores := each(logits, func(z T) T {
		if math.IsInf(float64(z), -1) {
			return 0
		}
		return emulate.Exponential(g.Job, z-most)
	})
	sum := emulate.PassOne(g.Job, exponentials, g.n, g.scalars.Sum(scores)+g.ofPadding(most))
	return each(scores, func(s T) T { return s / sum })
}

// ofPadding makes the mistake of exponentials of the logits 0 of experts that there are not, up to
// the next power of two.
func (g *gate[T]) ofPadding(most T) T {
	if !g.makes("softmax-over-padding") {
		return 0
	}
	return T(emulate.ToPowerOfTwo(g.E)) * emulate.Exponential(g.Job, -most)
}

// rootSoftplus returns √log(1+e^z), where z itself stands for the logarithm from 20 on.
func (g *gate[T]) rootSoftplus(z T) T {
	soft := z
	if z <= 20 {
		power := emulate.Exponential(g.Job, z)
		soft = T(math.Log1p(float64(power)))
		if g.makes("softplus-literal") {
			soft = T(math.Log(float64(emulate.Round(dtype.F32, 1+power))))
		}
	}
	if g.makes("root-missing") {
		return soft
	}
	return T(math.Sqrt(float64(soft)))
}

func each[T any](x []T, f func(T) T) []T {
	y := make([]T, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

// value returns what the weight of an expert is made of: its score.
func (g *gate[T]) value(e int, logits, scores, ranked []T) T {
	switch {
	case g.makes("gate-bias-in-weights"):
		return ranked[e]
	case g.makes("score-by-subtraction") && g.bias != nil:
		return emulate.Round(dtype.F32, emulate.Round(dtype.F32, ranked[e])-g.bias[e])
	case g.makes("softmax-of-chosen") && g.scoring != "softmax" && g.Flag("normalize"):
		return emulate.Exponential(g.Job, logits[e]-slices.Max(logits))
	case g.makes("softmax-of-chosen-scores"):
		return emulate.Exponential(g.Job, scores[e])
	case g.makes("weights-of-other-score"):
		return g.otherScores(logits)[e]
	case g.makes("weights-logits") && !g.Flag("normalize"):
		return logits[e]
	case g.makes("softmax-after-mask") && g.scoring == "softmax" && g.groups > 1 && !g.Flag("normalize"):
		in := g.members(ranked)
		return g.softmax(emulate.Picked(logits, in))[slices.Index(in, e)]
	}
	return scores[e]
}
