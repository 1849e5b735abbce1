package policy

import (
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

const badWeights = "policy: shapes of losses and weights differ"

// Aggregation says how the losses of the tokens of a batch become one.
type Aggregation int

const (
	TokenMean    Aggregation = iota // mean over all tokens of the batch, as in DAPO
	SequenceMean                    // mean over sequences of each one's mean over its tokens, as in DeepSeekMath
	SequenceSum                     // mean over sequences of each one's sum over its tokens
	Constant                        // sum over all tokens over a constant times the number of sequences, as in Dr. GRPO
)

// String returns the name that recordings use.
func (a Aggregation) String() string {
	switch a {
	case TokenMean:
		return "token_mean"
	case SequenceMean:
		return "sequence_mean"
	case SequenceSum:
		return "sequence_sum"
	case Constant:
		return "constant"
	}
	return "unknown"
}

// TokenWeights returns the weight of every token in the loss: loss = Σ_it w_it l_it.
//
//	token_mean:     w_it = m_it / Σ_js m_js
//	sequence_mean:  w_it = m_it / (N |o_i|),  Σ_t m_it = |o_i|
//	sequence_sum:   w_it = m_it / N
//	constant:       w_it = m_it / (N length)
//
// mask is [N × L] and so is the result. Sequences with an empty mask do not count: N is the number
// of the others. Where no token counts all weights are 0. length is the constant's, in tokens, and
// otherwise ignored. The four coincide, up to one factor, when all sequences are equally long.
// Differs in code: trainers that take the mean per micro-batch first, or take a packed row for one
// sequence, weigh otherwise; TokenWeightsOfAll counts empty sequences. It implements DeepSeekMath
// (3), DAPO (12) and the code of understand-r1-zero, their sums over tokens and outputs.
func TokenWeights(mask mat.Matrix, how Aggregation, length int) *mat.Dense {
	rows, _ := mask.Dims()
	var sequences float64
	for i := range rows {
		if count(mask, i) > 0 {
			sequences++
		}
	}
	return weights(mask, how, sequences, length)
}

// TokenWeightsOfAll returns the weight of every token in the loss where sequences with an empty
// mask count: N is the number of rows.
//
//	w_it = m_it / (N |o_i|),  m_it / N,  m_it / (N length)
//
// Everything else is as in TokenWeights; the mean over tokens is the same.
// It implements the code of TRL's GRPO trainer, its losses grpo and dr_grpo.
func TokenWeightsOfAll(mask mat.Matrix, how Aggregation, length int) *mat.Dense {
	rows, _ := mask.Dims()
	return weights(mask, how, float64(rows), length)
}

func weights(mask mat.Matrix, how Aggregation, sequences float64, length int) *mat.Dense {
	rows, cols := mask.Dims()
	w := zeros(rows, cols)
	var tokens float64
	for i := range rows {
		tokens += count(mask, i)
	}
	for i := range rows {
		d := how.divisor(sequences, tokens, count(mask, i), float64(length))
		for t := range cols {
			if mask.At(i, t) != 0 {
				w.Set(i, t, 1/d)
			}
		}
	}
	return w
}

// divisor returns one over the weight of a token of an output of n tokens.
func (a Aggregation) divisor(sequences, tokens, n, length float64) float64 {
	switch a {
	case SequenceMean:
		return sequences * n
	case SequenceSum:
		return sequences
	case Constant:
		return sequences * length
	}
	return tokens
}

// Aggregate returns the loss of a batch.
//
//	loss = Σ_it w_it l_it
//
// loss and weights are [N × L]. Where a weight is 0 the loss of the token is left out, even a NaN;
// with no token left it is 0. It implements DeepSeekMath (3), its sums over outputs and tokens.
func Aggregate(loss, weights mat.Matrix) float64 {
	var sum float64
	eachWeight(loss, weights, func(_, _ int, l, w float64) { sum += w * l })
	return sum
}

// AggregateBackward returns the gradient of the loss of a batch from the derivatives of the losses
// of its tokens.
//
//	∂loss/∂ log π_it = w_it ∂l_it/∂ log π_it
//
// dloss and weights are [N × L] and so is the result; it is 0 where a weight is 0.
// It implements DeepSeekMath (5), its sum over tokens.
func AggregateBackward(dloss, weights mat.Matrix) *mat.Dense {
	d := zeros(weights.Dims())
	eachWeight(dloss, weights, func(i, t int, l, w float64) { d.Set(i, t, w*l) })
	return d
}

// Sum returns the loss of a batch and its gradient at once, from a function that gives the loss of
// each token and its derivative.
//
//	loss = Σ_it w_it l_it,  ∂loss/∂ log π_it = w_it ∂l_it/∂ log π_it
//
// weights is [N × L] and so is the gradient. token is asked for the tokens whose weight is not 0,
// and no others. It implements DeepSeekMath (3) and (5), their sums over outputs and tokens.
func Sum(weights mat.Matrix, token func(i, t int) (loss, dlogprob float64)) (loss float64, dlogprob *mat.Dense) {
	losses, slopes := zeros(weights.Dims()), zeros(weights.Dims())
	eachWeight(weights, weights, func(i, t int, _, _ float64) {
		l, d := token(i, t)
		losses.Set(i, t, l)
		slopes.Set(i, t, d)
	})
	return Aggregate(losses, weights), AggregateBackward(slopes, weights)
}

// eachWeight calls f for every token whose weight is not 0.
func eachWeight(x, weights mat.Matrix, f func(i, t int, x, w float64)) {
	rows, cols := weights.Dims()
	if r, c := x.Dims(); r != rows || c != cols {
		panic(badWeights)
	}
	for i := range rows {
		for t := range cols {
			if w := weights.At(i, t); w != 0 {
				f(i, t, x.At(i, t), w)
			}
		}
	}
}

// count returns how many tokens of sequence i the mask keeps.
func count(mask mat.Matrix, i int) (n float64) {
	_, cols := mask.Dims()
	for t := range cols {
		if mask.At(i, t) != 0 {
			n++
		}
	}
	return n
}

// zeros returns an [r × c] matrix of zeros; unlike mat.NewDense it takes r or c of 0.
func zeros(r, c int) *mat.Dense {
	var m mat.Dense
	m.SetRawMatrix(blas64.General{Rows: r, Cols: c, Stride: max(c, 1), Data: make([]float64, r*c)})
	return &m
}
