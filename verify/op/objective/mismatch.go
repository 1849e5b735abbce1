package objective

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/tensor"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func init() { op.Register(mismatchOp) }

// mismatchOp is policy.mismatch.
var mismatchOp = &op.Op{
	Name: "policy.mismatch",
	Doc: "How far two engines are apart that should be one policy, the trainer a and the sampler b: whether the " +
		"arithmetic of both explains it, token by token, and statistics of it.",
	Equations: []string{"policy.MismatchOf", "policy.LogProb"},
	Inputs: []op.Tensor{
		{Name: "logprob_a", Shape: []string{"N", "L"}, Optional: true, Doc: "log-probabilities of the trainer"},
		{Name: "logprob_b", Shape: []string{"N", "L"}, Optional: true, Doc: "log-probabilities of the sampler"},
		{
			Name: "logits_a", Shape: []string{"N", "vocab"}, Optional: true,
			Doc: "in their place, with tokens: logits of the trainer",
		},
		{Name: "logits_b", Shape: []string{"N", "vocab"}, Optional: true, Doc: "and of the sampler"},
		{
			Name: "hidden_a", Shape: []string{"N", "d"}, Optional: true,
			Doc: "in their place, with weight_a and tokens: what enters the trainer's head",
		},
		{Name: "hidden_b", Shape: []string{"N", "d"}, Optional: true, Doc: "and the sampler's; without it the same"},
		{Name: "weight_a", Shape: []string{"vocab", "d"}, Optional: true, Parts: true, Doc: "the trainer's head"},
		{
			Name: "weight_b", Shape: []string{"vocab", "d"}, Optional: true, Parts: true,
			Doc: "the sampler's head; without it the same",
		},
		{Name: "tokens", Shape: []string{"N"}, Optional: true, Integer: true, Doc: "sampled tokens"},
		{
			Name: "mask", Shape: []string{"N", "L"}, Other: []string{"N"}, Optional: true, Any: true,
			Doc: "1 for tokens that count, 0 for those that do not and are not judged",
		},
	},
	Outputs: append([]op.Tensor{{
		Name: "delta", Shape: []string{"N", "L"}, Other: []string{"N"}, Axes: []string{"sequence", "token"},
		Doc: "log π_a − log π_b as the engines have them",
	}}, statisticOutputs()...),
	Attrs: []op.Attr{
		temperatureAttr,
		{Name: "limit", Kind: op.Number, Default: 2.0, Doc: "ratios are within 1/limit and limit, or count in share"},
		{
			Name: "largest_logit", Kind: op.Number, Default: 0.0,
			Doc: "with log-probabilities: how large logits over the temperature were, on which their rounding hangs; " +
				"0 is not known",
		},
	},
	Sides: []string{"a", "b"},
	Arithmetic: []op.Key{
		op.AccumulateKey, {
			Name: "intermediate", Default: "the type of hidden; that of accumulate without",
			Doc: "logits formed from hidden states, and what eager frameworks round beside logits",
		}, formKey,
	},
	Check: all(checkEngines, checkTemperature, checkRatioLimit),
	Truth: mismatch,
	Work:  mismatchWork,
}

// statisticNames are those of the statistics, in the order of policy.Mismatch.
var statisticNames = []string{"mean", "largest", "k1", "k2", "k3", "share"}

func statisticOutputs() (all []op.Tensor) {
	for i, doc := range []string{
		"mean of |Δ|", "largest |Δ|", "mean of −Δ: KL(π_b‖π_a), of tokens that b sampled", "mean of Δ²/2",
		"mean of e^Δ − 1 − Δ: KL(π_b‖π_a), and never negative", "share of the tokens whose ratio is beyond limit",
	} {
		all = append(all, op.Tensor{Name: statisticNames[i], Shape: noShape, Doc: doc})
	}
	return all
}

// groupOf tells by what the engines are given: logprob, logits or hidden; "" for none or several.
func groupOf(c *op.Case) string {
	var found []string
	for _, group := range []string{"logprob", "logits", "hidden"} {
		if c.Recording.Has(group+"_a") || c.Recording.Has(group+"_b") {
			found = append(found, group)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// checkEngines checks that inputs are one of the three groups.
func checkEngines(c *op.Case) error {
	group := groupOf(c)
	needed := map[string][]string{
		"logprob": {"logprob_a", "logprob_b"}, "logits": {"logits_a", "logits_b", "tokens"},
		"hidden": {"hidden_a", "weight_a", "tokens"},
	}[group]
	if group == "" {
		return fmt.Errorf("tensor %q: want one of three: logprob_a and logprob_b; logits_a, logits_b and tokens; or "+
			"hidden_a, weight_a and tokens", "logprob_a")
	}
	for _, name := range needed {
		if !c.Recording.Has(name) {
			return fmt.Errorf("tensor %q: missing, want %s together", name, strings.Join(needed, ", "))
		}
	}
	for _, name := range c.Recording.Inputs() {
		if name != "mask" && !slices.Contains(needed, name) && (group != "hidden" || name == "logprob_a") {
			return fmt.Errorf("tensor %q: want none with %s", name, needed[0])
		}
	}
	if group == "logprob" {
		return checkLogProbs(c)
	}
	return checkSampled(c)
}

// checkLogProbs checks what goes with log-probabilities.
func checkLogProbs(c *op.Case) error {
	if c.Float("temperature") != 1 {
		return fmt.Errorf("attrs: %q: found %v, want it with logits alone: log-probabilities were formed with it",
			"temperature", c.Float("temperature"))
	}
	if x := c.Float("largest_logit"); x < 0 || x > largestTried {
		return fmt.Errorf("attrs: %q: found %v, want 0 to %d", "largest_logit", x, largestTried)
	}
	if err := checkEngineMask(c, c.Recording.Shape("logprob_a")); err != nil {
		return err
	}
	return errors.Join(checkNumbers(c, "logprob_a"), checkNumbers(c, "logprob_b"))
}

// checkNumbers checks that what counts is a number.
func checkNumbers(c *op.Case, name string) error {
	in := engineMask(c)
	for i, x := range c.Input(name).Data {
		if at := i * len(in) / len(c.Input(name).Data); in[at] && math.IsNaN(x) {
			return fmt.Errorf("tensor %q: index %v is NaN, for a token that counts", name,
				tensor.Unravel(i, c.Recording.Shape(name)))
		}
	}
	return nil
}

// checkSampled checks what goes with logits: the tokens in the mask.
func checkSampled(c *op.Case) error {
	if c.Float("largest_logit") != 0 {
		return fmt.Errorf("attrs: %q: want it with log-probabilities alone", "largest_logit")
	}
	if err := checkEngineMask(c, c.Recording.Shape("tokens")); err != nil {
		return err
	}
	for n, in := range engineMask(c) {
		if in {
			if err := checkToken(c, n); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"logits_a", "logits_b", "hidden_a", "hidden_b"} {
		if c.Recording.Has(name) {
			if err := checkNumbers(c, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkEngineMask checks that a mask has the shape of the tokens, and zeros and ones.
func checkEngineMask(c *op.Case, shape []int) error {
	for _, name := range []string{"mask", "out.delta"} {
		if c.Recording.Has(name) && !slices.Equal(c.Recording.Shape(name), shape) {
			return fmt.Errorf("tensor %q: shape %v, want %v, one for each token", name, c.Recording.Shape(name), shape)
		}
	}
	if !c.Recording.Has("mask") {
		return nil
	}
	return checkMask(c)
}

func checkRatioLimit(c *op.Case) error {
	if c.Float("limit") < 1 {
		return fmt.Errorf("attrs: %q: found %v, want 1 or more", "limit", c.Float("limit"))
	}
	return nil
}

// tokenShape returns the shape of what there is one of for each token.
func tokenShape(c *op.Case) []int {
	if c.Recording.Has("logprob_a") {
		return c.Recording.Shape("logprob_a")
	}
	return c.Recording.Shape("tokens")
}

// engineMask tells which tokens count.
func engineMask(c *op.Case) []bool {
	in := slices.Repeat([]bool{true}, int(op.Elements(tokenShape(c))))
	if c.Recording.Has("mask") {
		for i, m := range c.Input("mask").Data {
			in[i] = m != 0
		}
	}
	return in
}

// mismatchWork counts the products of logits, and the steps of two softmaxes.
func mismatchWork(c *op.Case) float64 {
	logits := c.Extent("N") * c.Extent("vocab")
	switch groupOf(c) {
	case "hidden":
		return 2 * logits * (c.Extent("d") + op.TokenWork)
	case "logits":
		return 2 * logits * op.TokenWork
	}
	return op.TokenWork * c.Extent("N") * c.Extent("L")
}

// mismatch is policy.mismatch.
func mismatch(c *op.Case) ([]verdict.Expected, error) {
	e, err := newEngines(c)
	if err != nil {
		return nil, err
	}
	work := roundingsOfLogit * float64(len(e.in)) * float64(2*max(1, c.Dim("vocab")))
	expected := c.RunBatch(e.run, e.forms(), work, e.expectations()...)
	margins := expected[len(expected)-1].Bounds()
	expected = expected[:len(expected)-1]
	untold := e.untold()
	for i := range expected {
		if expected[i].Name == "share" {
			e.addShares(&expected[i], margins)
		}
		expected[i].Gap = expected[i].Name == "delta"
	}
	if len(expected) > 0 {
		expected[0].Untold = untold // once for all
	}
	return expected, nil
}

// expectations returns the outputs, whose truths the runs fill in, and last the differences whose
// sizes are compared with the limit.
func (e *engines) expectations() []op.Expectation {
	skipped := make([]bool, len(e.in))
	for i, in := range e.in {
		skipped[i] = !in
	}
	all := []op.Expectation{{Name: "delta", Truth: e.delta, Shape: tokenShape(e.c), Unjudged: skipped}}
	for i, name := range statisticNames {
		one := op.Expectation{Name: name, Truth: e.statistics[i : i+1], Shape: []int{}}
		one.Unjudged = []bool{e.tokens() == 0} // 0, or 0/0
		all = append(all, one)
	}
	return append(all, op.Expectation{
		Name: "margin", Truth: e.margins, Shape: []int{len(e.margins)}, Unjudged: skipped,
	})
}

// addShares adds the shares that are right as well, where ratios are too near to the limit to tell.
func (e *engines) addShares(want *verdict.Expected, bounds []float64) {
	certain, doubtful, limit := 0, 0, math.Log(e.c.Float("limit"))
	for i, in := range e.in {
		switch gap := math.Abs(e.margins[i]) - limit; {
		case !in:
		case math.Abs(gap) <= bounds[i]:
			doubtful++
		case gap > 0:
			certain++
		}
	}
	for n := certain; doubtful > 0 && n <= certain+doubtful; n++ {
		want.AddOther(0, float64(n)/float64(max(1, e.tokens())))
	}
}

// tokens is how many count.
func (e *engines) tokens() (n int) {
	for _, in := range e.in {
		if in {
			n++
		}
	}
	return n
}

// isNoise tells whether token i is judged as what two roundings of one number differ by: a recorded
// difference of two recorded log-probabilities, where it is said how large logits were. Any other
// is judged as a difference.
func (e *engines) isNoise(i int) bool {
	if e.c.Float("largest_logit") == 0 || e.recorded == nil {
		return false
	}
	difference := e.a[i] - e.b[i]
	return e.recorded[i] == difference || // both infinite, too
		math.Abs(e.recorded[i]-difference) <= e.c.Recording.Type("out.delta").Spacing(difference)
}

// setTruth fills in what the equations say, once the log-probabilities are known. Recorded ones are
// rounded already: those of one policy would differ by nothing, and what both sides round explains
// the rest.
func (e *engines) setTruth() {
	for i, in := range e.in {
		if !in {
			continue
		}
		e.margins[i] = e.a[i] - e.b[i]
		if !e.isNoise(i) {
			e.delta[i] = e.margins[i]
		}
		if e.recorded != nil {
			e.margins[i] = e.recorded[i]
		}
	}
	mask, none := make([]float64, len(e.in)), make([]float64, len(e.in))
	for i, in := range e.in {
		if in {
			mask[i] = 1
		}
	}
	m := policy.MismatchOf(e.margins, none, mask, e.c.Float("limit"))
	copy(e.statistics, []float64{m.Mean, m.Largest, m.K1, m.K2, m.K3, m.Share})
}

// untold says why a verdict of explained would tell nothing of the gap.
func (e *engines) untold() string {
	switch {
	case groupOf(e.c) == "logprob" && e.c.Float("largest_logit") == 0:
		return e.explaining()
	case e.recorded == nil && (groupOf(e.c) == "logprob" || e.statistics[1] == 0):
		return "whether the gap is explained is told by delta alone, which is not recorded"
	}
	return ""
}

// largestTried is the size of logits beyond which no model has any.
const largestTried = 1 << 12

// explaining says how large logits have to be that the declared roundings explain the largest
// difference.
func (e *engines) explaining() string {
	worst := -1
	for i, in := range e.in {
		if in && (worst < 0 || math.Abs(e.a[i]-e.b[i]) > math.Abs(e.a[worst]-e.b[worst])) {
			worst = i
		}
	}
	if worst < 0 {
		return "no token counts"
	}
	gap, logit := math.Abs(e.a[worst]-e.b[worst]), 1.0
	for logit < largestTried && !(gap <= e.boundAt(worst, logit)) {
		logit *= 2
	}
	said := fmt.Sprintf("around %v would explain", logit)
	if logit == largestTried {
		said = fmt.Sprintf("below %v, all that models have, would not explain", logit)
	}
	return fmt.Sprintf("how large logits were is not said (largest_logit): such %s the largest difference, %.3g at %v",
		said, gap, tensor.Unravel(worst, tokenShape(e.c)))
}

// boundAt returns what both sides explain of the difference of a token where logits are that large.
func (e *engines) boundAt(i int, logit float64) float64 {
	noise := func(r *arithmetic.Run) map[string][]float64 {
		a, b := e.sides[0].in(r), e.sides[1].in(r)
		return map[string][]float64{"noise": {a.noise(i, e.a[i], logit) - b.noise(i, e.b[i], logit)}}
	}
	return e.c.RunAll(noise, 1, op.Expectation{Name: "noise", Truth: []float64{0}, Shape: []int{1}})[0].Bounds()[0]
}
