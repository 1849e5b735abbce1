package emulate

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// needsSplits lists the mistakes that only split kernels make.
var needsSplits = map[string]bool{
	"merge-base": true, "split-dropped": true, "sink-per-split": true, "last-chunk-dropped": true,
	"last-chunk-alone": true, "split-overlap": true, "parts-averaged": true, "parts-unnormalised": true,
	"merged-by-maxima": true, "ring-of-own-keys": true, "sum-not-rescaled": true, "merge-maximum-missing": true,
	"stale-chunk-merged": true, "split-outputs-of-first": true, "split-sums-of-first": true,
	"split-sums-unstrided": true, "split-sums-transposed": true,
	"split-reduction-misindexed": true, "sink-of-first-split": true, "backward-tiles-skipped": true,
}

// NeedsSplits tells whether only split kernels make a mistake.
func NeedsSplits(mistake string) bool { return needsSplits[mistake] }

// Mistakes returns the names of the wrong kernels of an op.
func Mistakes(name string) []string {
	var names []string
	for _, m := range op.Lookup(name).Mistakes() {
		names = append(names, m.ID)
	}
	return names
}

// spoilOutput makes the mistakes of storing on an output of rows of the given width that will be
// rounded to t.
func spoilOutput[T Number](j *Job, t dtype.Type, data []T, width int) {
	rows := len(data) / max(width, 1)
	switch {
	case j.Makes("output-per-mille"):
		enlarge(j, data)
	case j.Makes("output-truncated"):
		truncate(j, t, data)
	case j.Makes("output-unwritten"):
		for i := rows - (rows+3)/4; i < rows; i++ {
			block := Row(data, i, width)[width/2:]
			j.Show(slices.ContainsFunc(block, func(x T) bool { return x != 0 }))
			clear(block)
		}
	case j.Makes("rows-swapped") && rows > 1:
		a, b := Row(data, rows-2, width), Row(data, rows-1, width)
		j.Show(!slices.Equal(a, b))
		for i := range a {
			a[i], b[i] = b[i], a[i]
		}
	case j.Makes("row-repeated") && rows > 1:
		a, b := Row(data, rows-2, width), Row(data, rows-1, width)
		j.Show(!slices.Equal(a, b))
		copy(b, a)
	}
}

// enlarge makes an output a thousandth too large.
func enlarge[T Number](j *Job, data []T) {
	for i := range data {
		j.Show(data[i] != 0)
		data[i] *= 1.001
	}
}

// truncate cuts an output off toward zero.
func truncate[T Number](j *Job, t dtype.Type, data []T) {
	for i := range data {
		j.Show(t.Round(float64(data[i])) != float64(data[i]))
		data[i] = T(t.Truncate(float64(data[i])))
	}
}

// swapAxes writes data of a shape [A, B, C, …] in the order of [A, C, B, …], and tells whether that
// changes anything.
func swapAxes[T Number](data []T, shape []int) bool {
	right, rows, columns := slices.Clone(data), shape[1], shape[2]
	width := len(data) / max(1, shape[0]*rows*columns)
	for i := range shape[0] * rows * columns {
		a, b, c := i/(rows*columns), i/columns%rows, i%columns
		copy(Row(data, (a*columns+c)*rows+b, width), Row(right, i, width))
	}
	return !slices.Equal(data, right)
}

// StoreLSE stores log-sum-exps in the base that the request asks for; the wrong one is the other.
func StoreLSE[T Number](j *Job, lse []T) {
	if j.DenominatorRounded {
		return
	}
	two := j.Word("lse_base") == "2"
	if j.Makes("lse-base") {
		two = !two
	}
	if j.Makes("lse-transposed") {
		j.Show(swapAxes(lse, j.OutputShape("lse")))
	}
	for i, x := range lse {
		j.Show(j.Makes("lse-base") && x != 0 && dtype.Finite(x))
		if two {
			lse[i] = x * T(math.Log2E)
		}
	}
	Store(j, "lse", dtype.F32, lse)
}
