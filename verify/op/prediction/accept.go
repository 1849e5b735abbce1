package prediction

import (
	"fmt"
	"math"
	"slices"

	"plumbline/mtp"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func init() { op.Register(acceptOp) }

// acceptOp is mtp.accept.
var acceptOp = &op.Op{
	Name: "mtp.accept",
	Doc: "Speculative sampling: how many drafted tokens are kept, and the token after them, drawn from what the " +
		"draft leaves over of the target, or from the bonus row.",
	Equations: []string{"mtp.AcceptProbability", "mtp.Residual", "mtp.Draw"},
	Inputs: []op.Tensor{
		{Name: "draft_tokens", Shape: []string{"B", "k"}, Integer: true, Doc: "tokens drafted"},
		{
			Name: "draft_probs", Shape: []string{"B", "k", "vocab"}, Parts: true,
			Doc: "distributions that they were drawn from; rows are taken as given, whatever they sum to",
		},
		{
			Name: "target_probs", Shape: []string{"B", "k+1", "vocab"}, Parts: true,
			Doc: "distributions of the model in their place, and after them",
		},
		{
			Name: "uniforms", Shape: []string{"B", "k+1"},
			Doc: "from 0 to 1: draft i is kept if number i is below p/q; the last one draws the next token, always",
		},
	},
	Outputs: []op.Tensor{
		{Name: "accepted", Shape: []string{"B"}, Axes: []string{"sequence"}, Integer: true, Doc: "how many are kept"},
		{
			Name: "next_token", Shape: []string{"B"}, Axes: []string{"sequence"}, Integer: true,
			Doc: "the smallest token whose cumulative sum exceeds the last uniform times the sum of all",
		},
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      checkAccept,
	Truth:      accept,
	Work: func(c *op.Case) float64 {
		return op.TokenWork * c.Extent("B") * (c.Extent("k") + 1) * c.Extent("vocab")
	},
}

// checkAccept checks tokens and uniform numbers. Probabilities are looked at where they are used.
func checkAccept(c *op.Case) error {
	for i, token := range c.Input("draft_tokens").Data {
		if token < 0 || token >= c.Extent("vocab") {
			return fmt.Errorf("tensor %q: element %v is %v, want 0 to %d", "draft_tokens",
				tensor.Unravel(i, c.Recording.Shape("draft_tokens")), token, c.Dim("vocab")-1)
		}
	}
	for i, u := range c.Input("uniforms").Data {
		if !(u >= 0 && u <= 1) {
			return fmt.Errorf("tensor %q: element %v is %v, want 0 to 1", "uniforms",
				tensor.Unravel(i, c.Recording.Shape("uniforms")), u)
		}
	}
	return nil
}

// verification is what is known of every row: which numbers of drafts may be kept.
type verification struct {
	c      *op.Case
	drafts int
	p, q   []float64 // of the drafted tokens [B × k]
	kept   [][]int   // by row, that of exact arithmetic first
	skip   []bool    // rows of which nothing is expected: q excludes a token that was drafted
}

// accept is mtp.accept.
func accept(c *op.Case) ([]verdict.Expected, error) {
	v := &verification{c: c, drafts: c.Dim("k"), skip: make([]bool, c.Dim("B"))}
	if err := v.look(); err != nil {
		return nil, err
	}
	v.decide()
	var expected []verdict.Expected
	if c.Wants("accepted") {
		expected = append(expected, decisions("accepted", v.kept, v.skip, v.drafts+1))
	}
	if c.Wants("next_token") {
		tokens, skip, err := v.nextTokens()
		if err != nil {
			return nil, err
		}
		expected = append(expected, decisions("next_token", tokens, skip, c.Dim("vocab")))
	}
	return expected, nil
}

// decisions returns what is expected of an output of whole numbers below values: by row what may
// be, that of exact arithmetic first.
func decisions(name string, open [][]int, skip []bool, values int) verdict.Expected {
	n := len(open)
	d := &verdict.Decisions{Exact: make([]float64, n), Others: map[int][]float64{}, Values: values, Skip: skip}
	for i, may := range open {
		for at, x := range may {
			if at == 0 {
				d.Exact[i] = float64(x)
			} else {
				d.Others[i] = append(d.Others[i], float64(x))
			}
		}
	}
	return verdict.Expected{Name: name, Choice: d, Truth: tensor.Of(d.Exact, n), Sigma: make([]float64, n)}
}

// look reads all rows, and keeps the probabilities of the drafted tokens.
func (v *verification) look() error {
	for b := range v.c.Dim("B") {
		for i := range v.drafts {
			token := int(v.c.Input("draft_tokens").Data[b*v.drafts+i])
			q, err := v.row("draft_probs", b, i)
			if err != nil {
				return err
			}
			p, err := v.row("target_probs", b, i)
			if err != nil {
				return err
			}
			v.p, v.q = append(v.p, p[token]), append(v.q, q[token])
		}
		if _, err := v.row("target_probs", b, v.drafts); err != nil {
			return err
		}
	}
	return nil
}

// row returns a row of probabilities.
func (v *verification) row(name string, b, i int) ([]float64, error) {
	row := v.c.Block(name, b, i, i+1).RawRowView(0)
	for x, p := range row {
		if !(p >= 0) || math.IsInf(p, 1) {
			return nil, fmt.Errorf("tensor %q: element [%d %d %d] is %v, want a probability", name, b, i, x, p)
		}
	}
	return row, nil
}

// decide finds how many drafts may be kept in each row.
func (v *verification) decide() {
	margins, bounds := v.margins()
	for b := range v.skip {
		v.kept = append(v.kept, v.exactFirst(b, v.open(b, margins, bounds), margins))
	}
}

// open returns how many drafts of a row may be kept. Where the margin of a draft is within its
// bound, either may be; so where it is 0, as many kernels compare with ≤, unless p is 0.
func (v *verification) open(b int, margins, bounds []float64) (open []int) {
	for i := range v.drafts {
		at := b*v.drafts + i
		v.skip[b] = v.skip[b] || v.q[at] == 0
		near, refused := math.Abs(margins[at]) <= bounds[at] && v.p[at] > 0, margins[at] <= 0
		if near || refused {
			open = append(open, i)
		}
		if refused && !near {
			return open
		}
	}
	return append(open, v.drafts)
}

// exactFirst puts the number that exact arithmetic keeps before the others.
func (v *verification) exactFirst(b int, open []int, margins []float64) []int {
	exact := 0
	for exact < v.drafts && margins[b*v.drafts+exact] > 0 {
		exact++
	}
	at := slices.Index(open, exact)
	return slices.Insert(slices.Delete(open, at, at+1), 0, exact)
}

// margins returns p/q − u of every draft, and what they may err by.
func (v *verification) margins() (margins, bounds []float64) {
	n := len(v.p)
	margins, unjudged := make([]float64, n), make([]bool, n)
	for at := range n {
		margins[at] = mtp.AcceptProbability(v.p[at], v.q[at]) - v.uniform(at)
		unjudged[at] = v.q[at] == 0
	}
	e := v.c.RunAll(v.marginProgram(), float64(n), op.Expectation{
		Name: "margins", Truth: margins, Shape: []int{n}, Unjudged: unjudged,
	})
	return margins, e[0].Bounds()
}

// uniform returns the number that draft at is compared with.
func (v *verification) uniform(at int) float64 {
	return v.c.Input("uniforms").Row(at / v.drafts)[at%v.drafts]
}

// nextTokens returns by row the tokens that may be drawn. Where there is no residual to draw from
// nothing is expected.
func (v *verification) nextTokens() (tokens [][]int, skip []bool, err error) {
	kept, skip, err := v.keptAsRecorded()
	for b := range kept {
		may := []int(nil)
		if !skip[b] {
			may = v.drawn(b, kept[b])
		}
		if len(may) == 0 {
			may, skip[b] = []int{0}, true
		}
		tokens = append(tokens, may)
	}
	return tokens, skip, err
}

// keptAsRecorded returns how many drafts are kept in each row: as many as were recorded, right or
// wrong, or any number that may be where that is not recorded.
func (v *verification) keptAsRecorded() (kept [][]int, skip []bool, err error) {
	kept, skip = slices.Clone(v.kept), slices.Clone(v.skip)
	if !v.c.Wants("accepted") {
		return kept, skip, nil
	}
	recorded, err := v.c.Recording.Tensor("out.accepted")
	if err != nil {
		return nil, nil, err
	}
	for b, x := range recorded.Data {
		if a, in := verdict.Index(x, v.drafts+1); in {
			kept[b] = []int{a}
		} else {
			skip[b] = true
		}
	}
	return kept, skip, nil
}

// drawn returns the tokens that may be drawn in a row where so many drafts are kept.
func (v *verification) drawn(b int, kept []int) (tokens []int) {
	u := v.c.Input("uniforms").Row(b)[v.drafts]
	for _, accepted := range kept {
		for _, token := range newDraw(v.c, v.weights(b, accepted), accepted < v.drafts, u).tokens() {
			if !slices.Contains(tokens, token) {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens
}

// weights returns what the next token is drawn from: the residual of the draft that is refused, or
// the bonus row. All rows have been looked at.
func (v *verification) weights(b, accepted int) []float64 {
	p := v.c.Block("target_probs", b, accepted, accepted+1).RawRowView(0)
	if accepted == v.drafts {
		return p
	}
	return mtp.Residual(p, v.c.Block("draft_probs", b, accepted, accepted+1).RawRowView(0))
}
