package moe

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const badSequences = "moe: tokens are not sequences of one length"

// The gradients here are for the scores; ScoreRowsBackward takes them on to the logits. What is
// counted has none.

// ExpertLoss returns the loss that evens out the loads of experts.
//
//	L = α Σ_i f_i P_i
//
// scores is [T × N], indices [T][K], alpha is α. It is α where loads are even or mean scores are,
// if rows of scores sum to 1. It implements DeepSeekMoE (12), DeepSeek-V2 (23), Loss-Free Balancing
// (2), and the loss of Switch Transformers (2021), section 2.2, for K = 1.
func ExpertLoss(scores mat.Matrix, indices [][]int, alpha float64) float64 {
	checkTokens(scores, indices)
	_, n := scores.Dims()
	return alpha * floats.Dot(RelativeLoads(indices, n), MeanScores(scores))
}

// ExpertLossBackward returns the gradient of ExpertLoss for the scores, which do not change it.
//
//	∂L/∂s_ti = α f_i / T
//
// The result is [T × N]. It implements DeepSeekMoE (12), DeepSeek-V2 (23) and Loss-Free Balancing
// (2) (derived).
func ExpertLossBackward(indices [][]int, experts int, alpha float64) *mat.Dense {
	return everyRow(RelativeLoads(indices, experts), len(indices), alpha/float64(len(indices)))
}

// DeviceLoss returns the loss that evens out the work of devices.
//
//	L = α Σ_g f′_g P′_g
//
// device [N] has the device of each expert. With a device for each expert it is ExpertLoss, with
// one for all it is α. It implements DeepSeekMoE (15) and DeepSeek-V2 (26).
func DeviceLoss(scores mat.Matrix, indices [][]int, device []int, alpha float64) float64 {
	checkTokens(scores, indices)
	f := RelativeDeviceLoads(RelativeLoads(indices, len(device)), device)
	return alpha * floats.Dot(f, DeviceScores(MeanScores(scores), device))
}

// DeviceLossBackward returns the gradient of DeviceLoss for the scores.
//
//	∂L/∂s_ti = α f′_g / T,  i on device g
//
// The result is [T × N]. It implements DeepSeekMoE (15) and DeepSeek-V2 (26) (derived).
func DeviceLossBackward(indices [][]int, device []int, alpha float64) *mat.Dense {
	f := RelativeDeviceLoads(RelativeLoads(indices, len(device)), device)
	return everyRow(perExpert(f, device), len(indices), alpha/float64(len(indices)))
}

// CommunicationLoss returns the loss that evens out what devices receive.
//
//	L = α Σ_g f″_g P″_g
//
// P″ are DeviceScores; most is M, the devices of a token at most.
// It implements DeepSeek-V2 (29).
func CommunicationLoss(scores mat.Matrix, indices [][]int, device []int, most int, alpha float64) float64 {
	checkTokens(scores, indices)
	f := RelativeSentLoads(indices, device, most)
	return alpha * floats.Dot(f, DeviceScores(MeanScores(scores), device))
}

// CommunicationLossBackward returns the gradient of CommunicationLoss for the scores.
//
//	∂L/∂s_ti = α f″_g / T,  i on device g
//
// The result is [T × N]. It implements DeepSeek-V2 (29) (derived).
func CommunicationLossBackward(indices [][]int, device []int, most int, alpha float64) *mat.Dense {
	f := perExpert(RelativeSentLoads(indices, device, most), device)
	return everyRow(f, len(indices), alpha/float64(len(indices)))
}

// NormalizeScores returns the scores of each token as shares.
//
//	s′_ti = s_ti / Σ_j s_tj
//
// scores is [T × N]; the sum is over all routed experts. Scores of a softmax are shares already.
// It implements DeepSeek-V3 (19).
func NormalizeScores(scores mat.Matrix) *mat.Dense {
	return ScoreRows(scores, func(s []float64) []float64 { return NormalizeWeights(s, 0) })
}

// NormalizeScoresBackward returns the gradient of the scores from that of their shares.
//
//	ds_ti = (ds′_ti − Σ_j s′_tj ds′_tj) / Σ_j s_tj
//
// It implements DeepSeek-V3 (19) (derived).
func NormalizeScoresBackward(scores, dnormalized mat.Matrix) *mat.Dense {
	return ScoreRowsBackward(scores, dnormalized, func(s, ds []float64) []float64 {
		return NormalizeWeightsBackward(s, 0, ds)
	})
}

// SequenceLoss returns the loss that evens out the loads inside each sequence.
//
//	L = α mean over sequences of Σ_i f_i P_i,  P_i = (1/T) Σ_t s′_ti
//
// Rows are sequence after sequence, each of length T; s′ are the shares of NormalizeScores. indices
// are TopKRows of the scores as printed, those chosen in code.
// It implements DeepSeek-V3 (17)-(20).
func SequenceLoss(scores mat.Matrix, indices [][]int, length int, alpha float64) float64 {
	return LossPerSequence(NormalizeScores(scores), indices, length, alpha)
}

// SequenceLossBackward returns the gradient of SequenceLoss for the scores.
//
//	∂L/∂s′_ti = α f_i / (T S),  ds from it by NormalizeScoresBackward
//
// S is the number of sequences; the result is [S·T × N].
// It implements DeepSeek-V3 (17)-(20) (derived).
func SequenceLossBackward(scores mat.Matrix, indices [][]int, length int, alpha float64) *mat.Dense {
	checkTokens(scores, indices)
	_, n := scores.Dims()
	return NormalizeScoresBackward(scores, LossPerSequenceBackward(indices, n, length, alpha))
}

// LossPerSequence returns the mean of ExpertLoss over sequences, with the scores as they are.
//
//	L = mean over sequences of α Σ_i f_i P_i
//
// It is SequenceLoss where scores are shares. It implements DeepSeek-V2 (23) as its code has it
// (seq_aux): the mean over a batch.
func LossPerSequence(scores mat.Matrix, indices [][]int, length int, alpha float64) float64 {
	checkTokens(scores, indices)
	_, n := scores.Dims()
	s, count, loss := mat.DenseCopyOf(scores), sequences(indices, length), 0.0
	for i := range count {
		from, to := i*length, (i+1)*length
		loss += ExpertLoss(s.Slice(from, to, 0, n), indices[from:to], alpha)
	}
	return loss / float64(count)
}

// LossPerSequenceBackward returns the gradient of LossPerSequence for the scores.
//
//	∂L/∂s_ti = α f_i / (T S),  f of the sequence of t
//
// The result is [S·T × N]. It implements DeepSeek-V2 (23) as its code has it (seq_aux) (derived).
func LossPerSequenceBackward(indices [][]int, experts, length int, alpha float64) *mat.Dense {
	ds, count := mat.NewDense(len(indices), experts, nil), sequences(indices, length)
	for i := range count {
		from, to := i*length, (i+1)*length
		part := ExpertLossBackward(indices[from:to], experts, alpha/float64(count))
		ds.Slice(from, to, 0, experts).(*mat.Dense).Copy(part)
	}
	return ds
}

// sequences returns how many sequences the tokens are.
func sequences(indices [][]int, length int) int {
	if length < 1 || len(indices)%length != 0 {
		panic(badSequences)
	}
	return len(indices) / length
}

// everyRow returns a matrix whose rows are all x times a.
func everyRow(x []float64, rows int, a float64) *mat.Dense {
	m := mat.NewDense(rows, len(x), nil)
	for t := range rows {
		m.SetRow(t, ScaleWeights(x, a))
	}
	return m
}

// perExpert returns for each expert what its device has.
func perExpert(x []float64, device []int) []float64 {
	y := make([]float64, len(device))
	for i, g := range device {
		y[i] = x[g]
	}
	return y
}

// checkTokens panics unless there are indices for every row of scores.
func checkTokens(scores mat.Matrix, indices [][]int) {
	if rows, _ := scores.Dims(); rows != len(indices) {
		panic("moe: tokens of scores and indices differ in number")
	}
}
