package attention

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Merge joins the attention of the same queries to disjoint parts of the keys.
//
//	lse = log Σ_p e^{lse_p},  o = Σ_p e^{lse_p − lse} o_p
//
// o has P matrices [N × V], lse P slices of N; the results are [N × V] and N. Parts
// that a query saw nothing of (lse_p = −∞) are left out, whatever their o_p; a query
// left with none has output 0 and lse −∞. The parts must come without a sink, which
// is applied once to the whole: o · SinkFactor(lse, sink).
// Differs in code: lse in base 2, read as natural by the merge; +∞ for a part
// without keys.
// It implements FlashAttention (Dao et al. 2022), section 3.1.
func Merge(o []*mat.Dense, lse [][]float64) (*mat.Dense, []float64) {
	rows, cols := checkParts(o, lse)
	out, total := zeros(rows, cols), make([]float64, rows)
	for n := range rows {
		parts := make([]float64, len(o))
		for p := range o {
			parts[p] = lse[p][n]
		}
		total[n] = LogSumExp(parts)
		for p := range o {
			if math.IsInf(parts[p], -1) {
				continue
			}
			weight := math.Exp(parts[p] - total[n])
			for c := range cols {
				out.Set(n, c, out.At(n, c)+weight*o[p].At(n, c))
			}
		}
	}
	return out, total
}

// checkParts panics unless the parts are alike; it returns N and V.
func checkParts(o []*mat.Dense, lse [][]float64) (rows, cols int) {
	if len(o) == 0 || len(o) != len(lse) {
		panic("attention: numbers of outputs and log-sum-exps to merge differ, or are 0")
	}
	rows, cols = o[0].Dims()
	for p := range o {
		if r, c := o[p].Dims(); r != rows || c != cols || len(lse[p]) != rows {
			panic("attention: shapes of the parts to merge differ")
		}
	}
	return rows, cols
}
