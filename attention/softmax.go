package attention

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/loops"
)

// LogSumExp returns the logarithm of a sum of exponentials, shifted by the largest
// so that nothing overflows; −∞ for no x, or where every x is −∞. An x of +∞ makes it NaN,
// as it makes the weights: a sum that overflowed is not to be told from one that did not.
//
//	lse(x) = log Σ_j e^{x_j} = m + log Σ_j e^{x_j − m},  m = max_j x_j
//
// Differs in code: base 2 (log₂ Σ = lse / ln 2) in kernels that compute with exp2.
// It implements FlashAttention-2 (Dao 2023), section 3.1.1.
func LogSumExp(x []float64) float64 {
	m := loops.Largest(x)
	if math.IsInf(m, -1) {
		return m // (−∞) − (−∞) would be NaN
	}
	var sum float64
	for _, xj := range x {
		sum += math.Exp(xj - m)
	}
	return m + math.Log(sum)
}

// SoftmaxLiteral returns the weights as the formula has them; it overflows for
// scores above 709, and a row that sees nothing is 0/0.
//
//	p_sj = e^{x_sj} / Σ_i e^{x_si}
//
// x is [S × T]; so is the result.
// It implements Attention Is All You Need (1).
func SoftmaxLiteral(x mat.Matrix) *mat.Dense {
	rows, cols := x.Dims()
	p := zeros(rows, cols)
	for s := range rows {
		var sum float64
		for j := range cols {
			p.Set(s, j, math.Exp(x.At(s, j)))
			sum += p.At(s, j)
		}
		for j := range cols {
			p.Set(s, j, p.At(s, j)/sum)
		}
	}
	return p
}

// Softmax returns the weights of the keys and the log-sum-exp of the scores, with
// each row shifted by its largest score, and with a sink if there is one.
//
//	p_sj = e^{x_sj − m_s} / Σ_i e^{x_si − m_s} · SinkFactor(lse_s, sink),  m_s = max_j x_sj
//
// x is [S × T]; so is p, and lse has S elements. A score of −∞ has weight 0; a row
// with nothing else has weights 0 and lse −∞.
// Differs in code: the lse stored by a kernel with sinks has the sink in it
// (FlashAttention-4) or not (FlashMLA, here); only without it can parts be merged.
// It implements Attention Is All You Need (1).
func Softmax(x mat.Matrix, sink *float64) (p *mat.Dense, lse []float64) {
	rows, cols := x.Dims()
	p, lse = zeros(rows, cols), make([]float64, rows)
	for s := range rows {
		row := p.RawRowView(s)
		m, sum := exponentials(mat.Row(row, s, x))
		lse[s] = m // (−∞) where nothing is seen
		if !math.IsInf(m, -1) {
			lse[s] = m + math.Log(sum)
		}
		factor := 1.0
		if sink != nil {
			factor = SinkFactor(lse[s], *sink)
		}
		for j, e := range row {
			if row[j] = 0; !math.IsInf(e, -1) { // not seen: 0, even where the sum is 0 or NaN
				row[j] = e / sum * factor
			}
		}
	}
	return p, lse
}

// exponentials replaces scores by e^{x_j − m}, m = max_j x_j, and returns m and their sum; −∞, of
// what is not seen, stays.
func exponentials(x []float64) (m, sum float64) {
	m = loops.Largest(x)
	for j, xj := range x {
		if !math.IsInf(xj, -1) {
			x[j] = math.Exp(xj - m)
			sum += x[j]
		}
	}
	return m, sum
}

// SinkFactor returns what a sink leaves of the weights of a row: a sink is one more
// logit in the denominator of the softmax, with a value of zero.
//
//	e^{lse} / (e^{lse} + e^{sink}) = σ(lse − sink)
//
// A sink of −∞ leaves all, one of +∞ leaves nothing; so does a row that sees nothing.
// Differs in code: a sink has the units of the scaled scores; kernels that scale inside
// the exponential multiply it by the scale too, or forget to undo that.
// It implements FlashMLA's attn_sink (flash_mla_interface.py) and the gpt-oss model
// card (2025), architecture.
func SinkFactor(lse, sink float64) float64 {
	if math.IsInf(lse, -1) {
		return 0
	}
	return 1 / (1 + math.Exp(sink-lse))
}

// SinkLSE returns the log-sum-exp with a sink in it, as some kernels store it.
//
//	lse′ = log(e^{lse} + e^{sink})
//
// A row that sees nothing has the sink alone, and −∞ where there is none. It implements
// FlashAttention-4's stored lse (code) and the gpt-oss model card (2025), architecture.
func SinkLSE(lse, sink float64) float64 { return LogSumExp([]float64{lse, sink}) }

// SinkLSEBackward returns what the gradient dlse′ of a log-sum-exp with a sink in it is for the one
// without, and for the sink.
//
//	dlse = σ(lse − sink) dlse′,  dsink = σ(sink − lse) dlse′
//
// dlse is for BackwardLSE; dsink is to be added to that of SinkBackward. It implements
// FlashAttention-4's stored lse (code) and the gpt-oss model card (2025), architecture (derived).
func SinkLSEBackward(lse, sink, dlseWithSink float64) (dlse, dsink float64) {
	return SinkFactor(lse, sink) * dlseWithSink, SinkFactor(sink, lse) * dlseWithSink
}

// SoftmaxBackward returns the gradient of the scores from that of the weights.
//
//	dx_sj = p_sj (dp_sj − Σ_i p_si dp_si)
//
// p and dp are [S × T]; so is the result. The same with a sink: ∂p_j/∂x_i =
// p_j (δ_ij − p_i) holds for any further terms of the denominator.
// It implements FlashAttention (Dao et al. 2022), appendix B.2.
func SoftmaxBackward(p, dp mat.Matrix) *mat.Dense {
	rows, cols := p.Dims()
	if r, c := dp.Dims(); r != rows || c != cols {
		panic("attention: shapes of the weights and their gradient differ")
	}
	dx := zeros(rows, cols)
	for s := range rows {
		var mean float64
		for j := range cols {
			mean += p.At(s, j) * dp.At(s, j)
		}
		for j := range cols {
			dx.Set(s, j, p.At(s, j)*(dp.At(s, j)-mean))
		}
	}
	return dx
}
