package objective

import (
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/verify/op"
)

var (
	tokenLossOutput = op.Tensor{
		Name: "token_loss", Shape: sequenceShape, Axes: sequenceAxes,
		Doc: "loss of each token with its divergence, before any weight",
	}
	sequenceLossOutput = op.Tensor{
		Name: "sequence_loss", Shape: []string{"N"}, Axes: []string{"sequence"},
		Doc: "sum of the tokens' losses over each sequence, before any divisor; of one without tokens nothing is " +
			"judged",
	}
)

// lossParts returns the losses of tokens and their sums over sequences.
func lossParts(losses *mat.Dense, mask mat.Matrix) []op.Expectation {
	n, _ := losses.Dims()
	sums := op.Expectation{
		Name: sequenceLossOutput.Name, Truth: make([]float64, n), Shape: []int{n},
		Unjudged: slices.Repeat([]bool{true}, n),
	}
	eachJudged(mask, func(i, t int) {
		sums.Unjudged[i] = false
		sums.Truth[i] += losses.At(i, t)
	})
	return []op.Expectation{batchOf(tokenLossOutput.Name, losses, mask), sums}
}

// single is an output without axes.
func single(name string, x float64) op.Expectation {
	return op.Expectation{Name: name, Truth: []float64{x}, Shape: []int{}}
}
