// Package objective has the ops of reinforcement learning: log-probabilities, divergences,
// advantages and losses with their gradients (policy.*, ppo.*, grpo.*, dpo.*).
package objective

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
)

var (
	noShape       = []string{} // of a number
	sequenceShape = []string{"N", "L"}
	sequenceAxes  = []string{"sequence", "token"}

	vocabularyShape = []string{"N", "L", "vocab"}

	maskInput = op.Tensor{
		Name: "mask", Shape: sequenceShape, Any: true,
		Doc: "1 for tokens that count, 0 for those that do not and are not judged",
	}

	aggregateAttr = op.Attr{
		Name: "aggregate", Kind: op.Choice, Default: "token_mean", Choices: []string{
			"token_mean", "sequence_mean", "sequence_sum", "constant",
		},
		Doc: "how the tokens' losses become one",
	}
	emptyRowsAttr = op.Attr{
		Name: "empty_rows", Kind: op.Choice, Default: "skip", Choices: []string{"skip", "count"},
		Doc: "whether sequences without tokens count in the divisor",
	}
	aggregateLength = op.Attr{
		Name: "aggregate_length", Kind: op.Count, Missing: "none",
		Doc: "tokens by which constant divides, for each sequence",
	}
)

// checkMask checks that a mask has zeros and ones.
func checkMask(c *op.Case) error {
	mask := c.Input("mask")
	for i, m := range mask.Data {
		if m != 0 && m != 1 {
			return fmt.Errorf("tensor %q: index %v: found %v, want 0 or 1", "mask", tensor.Unravel(i, mask.Shape), m)
		}
	}
	return nil
}

// checkAggregate checks how tokens are put together.
func checkAggregate(c *op.Case) error {
	if c.Word("aggregate") == "constant" && c.Int("aggregate_length") < 1 {
		return fmt.Errorf(
			"attrs: %q: constant divides by %q, want a whole number from 1", "aggregate", "aggregate_length",
		)
	}
	return checkMask(c)
}

// checkAtLeast0 checks numbers that may not be negative.
func checkAtLeast0(c *op.Case, attrs ...string) error {
	for _, name := range attrs {
		if c.Float(name) < 0 {
			return fmt.Errorf("attrs: %q: found %v, want 0 or more", name, c.Float(name))
		}
	}
	return nil
}

// all runs one check after the other.
func all(checks ...func(*op.Case) error) func(*op.Case) error {
	return func(c *op.Case) error {
		for _, check := range checks {
			if err := check(c); err != nil {
				return err
			}
		}
		return nil
	}
}

// Matrix returns an input [N × L]; one of [N] is repeated along the rows.
func Matrix(c *op.Case, name string) *mat.Dense {
	x := c.Input(name)
	if len(x.Shape) == 2 {
		return mat.NewDense(x.Shape[0], x.Shape[1], x.Data)
	}
	m := mat.NewDense(c.Dim("N"), c.Dim("L"), nil)
	m.Apply(func(i, _ int, _ float64) float64 { return x.Data[i] }, m)
	return m
}

// elementwiseKey is for eager frameworks, which round the result of every operation to the type of
// its operands.
var elementwiseKey = op.Key{
	Name: "intermediate", Default: "that of accumulate",
	Doc: "element-wise results: differences, ratios, products, log-probabilities, and what sums are rounded to",
}

// eachJudged calls f for every token in the mask.
func eachJudged(mask mat.Matrix, f func(i, t int)) {
	rows, cols := mask.Dims()
	for i := range rows {
		for t := range cols {
			if mask.At(i, t) != 0 {
				f(i, t)
			}
		}
	}
}
