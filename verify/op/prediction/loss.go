package prediction

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/mtp"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(lossOp) }

// lossOp is mtp.loss.
var lossOp = &op.Op{
	Name:      "mtp.loss",
	Doc:       "The loss of multi-token prediction: the cross-entropy of every depth, and their weighted mean.",
	Equations: []string{"mtp.DepthLoss", "mtp.DepthLossValid", "mtp.Targets", "mtp.Loss"},
	Inputs: []op.Tensor{
		{
			Name: "logits", Shape: []string{"D", "T", "vocab"}, Parts: true,
			Doc: "row k−1 is depth k, whose position i, from 0, predicts tokens[i+k+1]; −∞ excludes a token",
		},
		{
			Name: "tokens", Shape: []string{"L"}, Integer: true,
			Doc: "of the sequence, as many as there are: a position counts if the token that it predicts is there",
		},
	},
	Outputs: []op.Tensor{
		{Name: "loss", Shape: []string{}, Axes: []string{}, Doc: "weight/D · Σ of the depths"},
		{Name: "per_depth", Shape: []string{"D"}, Axes: []string{"depth"}, Doc: "cross-entropies, without the weight"},
	},
	Attrs: []op.Attr{
		{Name: "weight", Kind: op.Number, Default: 0.3, Doc: "λ"},
		{
			Name: "divisor", Kind: op.Choice, Default: "T", Choices: []string{"T", "valid"},
			Doc: "what the sum of a depth is divided by: the positions, as the paper prints it, or those that count",
		},
	},
	Arithmetic: []op.Key{op.AccumulateKey, elementwiseKey},
	Check:      checkLoss,
	Truth:      loss,
	Work: func(c *op.Case) float64 {
		return op.TokenWork * c.Extent("D") * c.Extent("T") * c.Extent("vocab")
	},
}

// mostDepths bounds what a number in a file makes room for.
const mostDepths = 1 << 12

// checkLoss checks the tokens that are predicted.
func checkLoss(c *op.Case) error {
	if d := c.Dim("D"); d > mostDepths {
		return fmt.Errorf("tensor %q: %d depths, want at most %d", "logits", d, mostDepths)
	}
	tokens, vocab := c.Input("tokens").Data, c.Dim("vocab")
	counted := min(len(tokens), c.Dim("D")+c.Dim("T")+1)
	for i := 2; i < counted; i++ { // depth 1 predicts none of the first two
		if t := tokens[i]; t < 0 || t >= float64(vocab) {
			return fmt.Errorf("tensor %q: element %d is %v, want 0 to %d", "tokens", i, t, vocab-1)
		}
	}
	return nil
}

// Tokens returns the tokens of the sequence.
func Tokens(c *op.Case) []int {
	tokens := make([]int, c.Dim("L"))
	for i, t := range c.Input("tokens").Data {
		tokens[i] = int(t)
	}
	return tokens
}

// Targets returns how many positions of depth k count.
func Targets(c *op.Case, k int) int { return max(0, min(c.Dim("T"), c.Dim("L")-k-1)) }

// Divisor returns what the sum of depth k is divided by.
func Divisor(c *op.Case, k int) int {
	if c.Word("divisor") == "valid" {
		return Targets(c, k)
	}
	return c.Dim("T")
}

// loss is mtp.loss. Where no position counts a mean over them is 0/0, and nothing is expected.
func loss(c *op.Case) ([]verdict.Expected, error) {
	depths := c.Dim("D")
	perDepth, empty, none := make([]float64, depths), make([]bool, depths), false
	var chains [][]float64
	for k := 1; k <= depths; k++ {
		d := depthOf(c, k)
		perDepth[k-1], empty[k-1] = d.loss, Divisor(c, k) == 0
		none = none || empty[k-1]
		chains = append(chains, d.chains[:])
	}
	expected := c.Run(lossProgram(c), 16*float64(depths*c.Dim("T")*c.Dim("vocab")),
		op.Expectation{
			Name: "loss", Truth: []float64{mtp.Loss(perDepth, c.Float("weight"))}, Shape: []int{},
			Unjudged: []bool{none},
		},
		op.Expectation{Name: "per_depth", Truth: perDepth, Shape: []int{depths}, Unjudged: empty},
	)
	if c.Dim("vocab") > step.ScalarLoop {
		addChains(c, expected, perDepth, chains)
	}
	return expected, nil
}

// depth is the truth of one depth, and by how much it is larger where every sum over the vocabulary
// is one chain, from its first token or from its last.
type depth struct {
	loss   float64
	chains [2]float64
}

// rowsAtOnce is how many rows of logits are in memory together on each core.
const rowsAtOnce = 16

// depthOf computes depth k, some rows at a time: a loss of some rows times their number is their
// sum.
func depthOf(c *op.Case, k int) (d depth) {
	tokens, n := Tokens(c), Targets(c, k)
	parts := make([]depth, (n+rowsAtOnce-1)/rowsAtOnce)
	parallel.Each(len(parts), func(at int) {
		from, to := at*rowsAtOnce, min((at+1)*rowsAtOnce, n)
		rows := c.Block("logits", k-1, from, to)
		parts[at].loss = float64(to-from) * mtp.DepthLoss(rows, tokens[from:], k)
		parts[at].chains = chainsOf(c, rows, tokens[from+k+1:])
	})
	over := float64(max(Divisor(c, k), 1))
	for _, p := range parts {
		d.loss += p.loss / over
		d.chains[0], d.chains[1] = d.chains[0]+p.chains[0]/over, d.chains[1]+p.chains[1]/over
	}
	return d
}

// chainsOf returns by how much the losses of some rows are larger together where sums over a large
// vocabulary are one chain.
func chainsOf(c *op.Case, rows *mat.Dense, targets []int) (chains [2]float64) {
	if c.Dim("vocab") <= step.ScalarLoop {
		return chains
	}
	n, _ := rows.Dims()
	for i := range n {
		forward, backward := step.OneByOne(policy.LogSoftmax(rows.RawRowView(i), 1), c.Arithmetic.Accumulate.Type())
		chains[0], chains[1] = chains[0]-forward, chains[1]-backward
	}
	return chains
}

// addChains adds the losses of kernels that add up a large vocabulary in one chain.
func addChains(c *op.Case, expected []verdict.Expected, perDepth []float64, chains [][]float64) {
	for way := range 2 {
		other := make([]float64, len(perDepth))
		for k, truth := range perDepth {
			other[k] = truth + chains[k][way]
		}
		for i := range expected {
			if expected[i].Name == "loss" {
				expected[i].AddOther(0, mtp.Loss(other, c.Float("weight")))
			} else {
				all := positions(len(perDepth))
				expected[i].Branches = append(expected[i].Branches, verdict.Branch{
					Elements: all, Truths: [][]float64{other},
				})
			}
		}
	}
}
