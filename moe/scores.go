package moe

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/logistic"
)

// Logits returns how well each expert suits each token.
//
//	z_ti = u_tᵀ e_i
//
// u is [T × d], e is [N × d], the centroids of the routed experts, which are the rows of the gate's
// matrix in code; the result is [T × N]. Differs in code: a product that is stored in BF16 moves
// experts whose scores lie close. It implements DeepSeekMoE (5), DeepSeek-V2 (22) and DeepSeek-V3
// (15), what their scores are taken of.
func Logits(u, e mat.Matrix) *mat.Dense {
	checkWidths(u, e)
	var z mat.Dense
	z.Mul(u, e.T())
	return &z
}

// LogitsBackward returns the gradients of a loss with respect to the tokens and the centroids,
// given the one with respect to the logits.
//
//	du_t = Σ_i dz_ti e_i,  de_i = Σ_t dz_ti u_t
//
// dlogits is [T × N]; du is [T × d], de is [N × d].
// It implements DeepSeekMoE (5) and DeepSeek-V3 (15) (derived).
func LogitsBackward(u, e, dlogits mat.Matrix) (du, de *mat.Dense) {
	checkWidths(u, e)
	du, de = &mat.Dense{}, &mat.Dense{}
	du.Mul(dlogits, e)
	de.Mul(dlogits.T(), u)
	return du, de
}

// SoftmaxScores returns the scores of one token as shares of all routed experts.
//
//	s_i = e^{z_i − m} / Σ_j e^{z_j − m},  m = max_j z_j
//
// A logit of −∞ has score 0, and where there is no other all are 0. Differs in code: a softmax over
// the chosen experts alone is another gate, see TopKSoftmax. It implements DeepSeekMoE (5), (8) and
// (11), and DeepSeek-V2 (22).
func SoftmaxScores(logits []float64) []float64 {
	s, _ := softmax(logits)
	return s
}

// SoftmaxScoresBackward returns the gradient of the logits of one token from that of its scores.
//
//	dz_i = s_i (ds_i − Σ_j s_j ds_j)
//
// It implements DeepSeekMoE (5) and DeepSeek-V2 (22) (derived).
func SoftmaxScoresBackward(logits, dscores []float64) []float64 {
	s, _ := softmax(logits)
	var mean float64
	for j := range s {
		mean += s[j] * dscores[j]
	}
	for i := range s {
		s[i] *= dscores[i] - mean
	}
	return s
}

// SigmoidScores returns the scores of one token, each expert's by itself.
//
//	s_i = σ(z_i)
//
// It implements DeepSeek-V3 (15) and Loss-Free Balancing (1).
func SigmoidScores(logits []float64) []float64 { return each(logits, logistic.Sigmoid) }

// SigmoidScoresBackward returns the gradient of the logits of one token from that of its scores.
//
//	dz_i = s_i (1 − s_i) ds_i
//
// 1 − s_i is taken as σ(−z_i), which keeps its digits for large z_i.
// It implements DeepSeek-V3 (15) and Loss-Free Balancing (1) (derived).
func SigmoidScoresBackward(logits, dscores []float64) []float64 {
	dz := make([]float64, len(logits))
	for i, z := range logits {
		dz[i] = logistic.Sigmoid(z) * logistic.Sigmoid(-z) * dscores[i]
	}
	return dz
}

// Softplus returns a smooth maximum of z and 0, in a form that neither overflows nor loses digits.
//
//	softplus(z) = log(1 + e^z) = max(z, 0) + log(1 + e^(−|z|))
//
// Differs in code: TileKernels and PyTorch take z itself above 20, which is e⁻²⁰ = 2·10⁻⁹ less. It
// implements DeepSeek-V4's inference code, of its gate, and Outrageously Large Neural Networks
// (Shazeer et al. 2017) (4).
func Softplus(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

// few is where e^z is the whole of log(1+e^z): the next term of the series, e^z/2, is below half an
// ulp of it.
const few = -38

// SqrtSoftplusScores returns the scores of one token, which grow like a root and have no upper end.
//
//	s_i = √(softplus(z_i))
//
// Below −38 it is e^(z/2), the same to the last bit or two, which goes on where e^z is 0 already.
// s(0) = √(log 2) = 0.8326. It implements DeepSeek-V4's inference code, its gate.
func SqrtSoftplusScores(logits []float64) []float64 {
	return each(logits, func(z float64) float64 {
		if z < few {
			return math.Exp(z / 2)
		}
		return math.Sqrt(Softplus(z))
	})
}

// SqrtSoftplusScoresBackward returns the gradient of the logits of one token from that of its
// scores.
//
//	dz_i = σ(z_i) ds_i / (2 s_i)
//
// Below −38 the slope is e^(z/2)/2, as the score is e^(z/2).
// It implements DeepSeek-V4's inference code, its gate (derived).
func SqrtSoftplusScoresBackward(logits, dscores []float64) []float64 {
	dz := SqrtSoftplusScores(logits)
	for i, z := range logits {
		slope := dz[i] / 2
		if z >= few {
			slope = logistic.Sigmoid(z) / (2 * dz[i])
		}
		dz[i] = slope * dscores[i]
	}
	return dz
}

// ScoreRows returns the scores of many tokens.
//
//	s_t = score(z_t)
//
// logits is [T × N]; so is the result. score is SoftmaxScores, SigmoidScores or SqrtSoftplusScores.
// It implements DeepSeekMoE (5), DeepSeek-V2 (22) and DeepSeek-V3 (15) for T tokens.
func ScoreRows(logits mat.Matrix, score func(logits []float64) []float64) *mat.Dense {
	s := mat.DenseCopyOf(logits)
	rows, _ := s.Dims()
	for t := range rows {
		s.SetRow(t, score(s.RawRowView(t)))
	}
	return s
}

// ScoreRowsBackward returns the gradient of the logits of many tokens from that of their scores.
//
//	dz_t = backward(z_t, ds_t)
//
// logits and dscores are [T × N]; so is the result. backward is that of the scores.
// It implements DeepSeekMoE (5), DeepSeek-V2 (22) and DeepSeek-V3 (15) for T tokens (derived).
func ScoreRowsBackward(
	logits, dscores mat.Matrix, backward func(logits, dscores []float64) []float64,
) *mat.Dense {
	checkSame(logits, dscores)
	dz := mat.DenseCopyOf(logits)
	rows, _ := dz.Dims()
	for t := range rows {
		dz.SetRow(t, backward(dz.RawRowView(t), mat.Row(nil, t, dscores)))
	}
	return dz
}

// softmax returns the shares of the exponentials and the logarithm of their sum.
func softmax(z []float64) (p []float64, lse float64) {
	m := math.Inf(-1)
	for _, v := range z {
		m = max(m, v)
	}
	p = make([]float64, len(z))
	if math.IsInf(m, -1) {
		return p, m // (−∞) − (−∞) would be NaN
	}
	var sum float64
	for i, v := range z {
		p[i] = math.Exp(v - m)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p, m + math.Log(sum)
}

// each returns f of every element.
func each(x []float64, f func(float64) float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

// checkWidths panics unless rows of a and b are of one length.
func checkWidths(a, b mat.Matrix) {
	_, ca := a.Dims()
	if _, cb := b.Dims(); ca != cb {
		panic("moe: widths of tokens and centroids differ")
	}
}

// checkSame panics unless a and b have one shape.
func checkSame(a, b mat.Matrix) {
	ra, ca := a.Dims()
	if rb, cb := b.Dims(); ra != rb || ca != cb {
		panic("moe: shapes of two matrices differ")
	}
}
