package policy

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

const (
	badHead   = "policy: hidden, weight and targets do not fit"
	badChunk  = "policy: a chunk has no tokens"
	badTarget = "policy: a target is no token of the vocabulary"
)

// CrossEntropy returns the loss of one position: how unlikely its target is, in nats.
//
//	ℓ = −log softmax(z/T)_y
//
// logits z is [V], target y is an index into it, temperature is T > 0. With equal logits it is log
// V, 11.77 for DeepSeek-V3's 129280 tokens.
// It implements DeepSeek-V3 (24), a term of its CrossEntropy.
func CrossEntropy(logits []float64, target int, temperature float64) float64 {
	return -LogProb(logits, target, temperature)
}

// CrossEntropyBackward returns the gradient of CrossEntropy for the logits.
//
//	∂ℓ/∂z_i = (p_i − δ_iy)/T
//
// logits is [V] and so is the result, which sums to 0. It implements DeepSeek-V3 (24), a term of
// its CrossEntropy, differentiated.
func CrossEntropyBackward(logits []float64, target int, temperature float64) []float64 {
	dz := LogProbBackward(logits, target, temperature)
	for i := range dz {
		dz[i] = -dz[i]
	}
	return dz
}

// LinearCrossEntropySum returns the loss of a batch from its hidden states: the head of the model
// and the cross-entropy in one.
//
//	loss = Σ_n [y_n ≠ ignore] ℓ(W h_n, y_n)
//
// hidden is [N × d], weight is [V × d], targets is [N]; a row whose target is ignore counts
// nowhere, whatever it holds. It implements DeepSeek-V3 (23) and (24), their head and their sum.
func LinearCrossEntropySum(hidden, weight mat.Matrix, targets []int, ignore int, temperature float64) float64 {
	checkHead(hidden, weight, targets, ignore)
	var sum float64
	for n, y := range targets {
		if y != ignore {
			sum += CrossEntropy(headLogits(hidden, weight, n), y, temperature)
		}
	}
	return sum
}

// LinearCrossEntropyMean returns the mean of the losses of the rows that count.
//
//	loss = Σ_n [y_n ≠ ignore] ℓ(W h_n, y_n) / Σ_n [y_n ≠ ignore]
//
// hidden is [N × d], weight is [V × d], targets is [N]. Where no row counts it is 0/0, NaN, as
// PyTorch has it. Differs in code: trainers that accumulate gradients over micro-batches take the
// mean of their means, which weighs the rows of a batch of few as more; some divide by N.
// It implements DeepSeek-V3 (23) and (24), over the rows that count.
func LinearCrossEntropyMean(hidden, weight mat.Matrix, targets []int, ignore int, temperature float64) float64 {
	return LinearCrossEntropySum(hidden, weight, targets, ignore, temperature) / counted(targets, ignore)
}

// LinearCrossEntropySumBackward returns the gradients of LinearCrossEntropySum for the hidden
// states and for the head.
//
//	dh_n = Wᵀ dz_n,  dW = Σ_n dz_n h_nᵀ,  dz_n = [y_n ≠ ignore] (p_n − δ_{y_n})/T
//
// hidden and dh are [N × d], weight and dW are [V × d], targets is [N]; dh of a row that does not
// count is 0. It implements DeepSeek-V3 (23) and (24), differentiated.
func LinearCrossEntropySumBackward(
	hidden, weight mat.Matrix, targets []int, ignore int, temperature float64,
) (dhidden, dweight *mat.Dense) {
	checkHead(hidden, weight, targets, ignore)
	dhidden, dweight = zeros(hidden.Dims()), zeros(weight.Dims())
	for n, y := range targets {
		if y != ignore {
			dz := CrossEntropyBackward(headLogits(hidden, weight, n), y, temperature)
			headBackward(dhidden, dweight, hidden, weight, n, 0, dz)
		}
	}
	return dhidden, dweight
}

// LinearCrossEntropyMeanBackward returns the gradients of LinearCrossEntropyMean for the hidden
// states and for the head: those of the sum over the number of rows that count.
//
//	dh_n = Wᵀ dz_n,  dW = Σ_n dz_n h_nᵀ
//	dz_n = [y_n ≠ ignore] (p_n − δ_{y_n})/(T Σ_m [y_m ≠ ignore])
//
// hidden and dh are [N × d], weight and dW are [V × d], targets is [N]. Where no row counts both
// are 0, as PyTorch has them, though the loss is NaN. Differs in code: kernels that form the
// gradients in the forward pass, before the gradient of the loss is known, divide by the count
// there and multiply later. It implements DeepSeek-V3 (23) and (24), over the rows that count,
// differentiated.
func LinearCrossEntropyMeanBackward(
	hidden, weight mat.Matrix, targets []int, ignore int, temperature float64,
) (dhidden, dweight *mat.Dense) {
	dhidden, dweight = LinearCrossEntropySumBackward(hidden, weight, targets, ignore, temperature)
	if count := counted(targets, ignore); count > 0 {
		dhidden.Scale(1/count, dhidden)
		dweight.Scale(1/count, dweight)
	}
	return dhidden, dweight
}

// LogSumExpChunked returns the largest of the logits over the temperature and the sum of
// exponentials below it as a fused kernel has them, which sees a part of the vocabulary at a time.
//
//	m' = max(m, max_j x_j),  s' = s e^{m−m'} + Σ_j e^{x_j−m'},  x = z/T;  lse = m + log s
//
// logits returns z of tokens from … to−1 of the vocabulary of V; chunk is how many it is asked for.
// Where all logits are −∞ m is −∞ and s is 0. It implements Milakov and Gimelshein, Online
// normalizer calculation for softmax (2018), algorithm 3, lines 1 to 6, in chunks.
func LogSumExpChunked(
	logits func(from, to int) []float64, vocabulary, chunk int, temperature float64,
) (largest, sum float64) {
	if chunk < 1 {
		panic(badChunk)
	}
	m, s := math.Inf(-1), 0.0
	for from := 0; from < vocabulary; from += chunk {
		part := logits(from, min(from+chunk, vocabulary))
		before := m
		for _, z := range part {
			m = max(m, z/temperature)
		}
		if math.IsInf(m, -1) {
			continue // (−∞) − (−∞) would be NaN
		}
		s *= math.Exp(before - m)
		for _, z := range part {
			s += math.Exp(z/temperature - m)
		}
	}
	return m, s
}

// LinearCrossEntropySumChunked returns LinearCrossEntropySum without ever having a whole row of
// logits: V·N of them are the most memory that training takes.
//
//	loss = Σ_n [y_n ≠ ignore] (lse_n − z_n/T),  z_n = W_{y_n} h_n
//
// hidden is [N × d], weight is [V × d], targets is [N], chunk is in tokens of the vocabulary. Above
// logits of 10⁴ it loses digits that CrossEntropy keeps: lse − z/T cancels.
// It implements DeepSeek-V3 (23) and (24), their head and their sum, in chunks.
func LinearCrossEntropySumChunked(
	hidden, weight mat.Matrix, targets []int, ignore int, temperature float64, chunk int,
) float64 {
	checkHead(hidden, weight, targets, ignore)
	vocabulary, _ := weight.Dims()
	var sum float64
	for n, y := range targets {
		if y == ignore {
			continue
		}
		m, s := LogSumExpChunked(partLogits(hidden, weight, n), vocabulary, chunk, temperature)
		sum += m + math.Log(s) - partLogits(hidden, weight, n)(y, y+1)[0]/temperature
	}
	return sum
}

// LinearCrossEntropySumBackwardChunked returns the gradients of LinearCrossEntropySum in a second
// pass over the vocabulary, which forms the logits of a chunk once more from what the first left of
// each row.
//
//	dz_j = [y_n ≠ ignore] (e^{z_j/T − m}/s − δ_{j y_n})/T
//
// hidden and dh are [N × d], weight and dW are [V × d], targets is [N], chunk is in tokens of the
// vocabulary. It implements DeepSeek-V3 (23) and (24), differentiated, in chunks.
func LinearCrossEntropySumBackwardChunked(
	hidden, weight mat.Matrix, targets []int, ignore int, temperature float64, chunk int,
) (dhidden, dweight *mat.Dense) {
	checkHead(hidden, weight, targets, ignore)
	dhidden, dweight = zeros(hidden.Dims()), zeros(weight.Dims())
	vocabulary, _ := weight.Dims()
	for n, y := range targets {
		if y == ignore {
			continue
		}
		logits := partLogits(hidden, weight, n)
		m, s := LogSumExpChunked(logits, vocabulary, chunk, temperature)
		for from := 0; from < vocabulary; from += chunk {
			dz := logits(from, min(from+chunk, vocabulary))
			for j, z := range dz {
				dz[j] = math.Exp(z/temperature-m) / s / temperature
				if from+j == y {
					dz[j] -= 1 / temperature
				}
			}
			headBackward(dhidden, dweight, hidden, weight, n, from, dz)
		}
	}
	return dhidden, dweight
}

// checkHead panics where shapes or targets do not fit.
func checkHead(hidden, weight mat.Matrix, targets []int, ignore int) {
	rows, d := hidden.Dims()
	vocabulary, width := weight.Dims()
	if rows != len(targets) || d != width {
		panic(badHead)
	}
	for _, y := range targets {
		if y != ignore && (y < 0 || y >= vocabulary) {
			panic(badTarget)
		}
	}
}

// counted returns how many targets count.
func counted(targets []int, ignore int) (n float64) {
	for _, y := range targets {
		if y != ignore {
			n++
		}
	}
	return n
}

// headLogits returns W h_n.
func headLogits(hidden, weight mat.Matrix, n int) []float64 {
	vocabulary, _ := weight.Dims()
	return partLogits(hidden, weight, n)(0, vocabulary)
}

// partLogits returns the function that gives logits from … to−1 of W h_n.
func partLogits(hidden, weight mat.Matrix, n int) func(from, to int) []float64 {
	h := mat.Row(nil, n, hidden)
	return func(from, to int) []float64 {
		z := make([]float64, to-from)
		for j := range z {
			for c, x := range h {
				z[j] += weight.At(from+j, c) * x
			}
		}
		return z
	}
}

// headBackward adds what the gradient of the logits of row n, from token first on, is for the row
// and for the head.
func headBackward(dhidden, dweight *mat.Dense, hidden, weight mat.Matrix, n, first int, dz []float64) {
	_, d := hidden.Dims()
	for j, g := range dz {
		for c := range d {
			dhidden.Set(n, c, dhidden.At(n, c)+g*weight.At(first+j, c))
			dweight.Set(first+j, c, dweight.At(first+j, c)+g*hidden.At(n, c))
		}
	}
}
