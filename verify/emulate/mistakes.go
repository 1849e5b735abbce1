package emulate

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/mistakes"
)

// needsSplits lists the mistakes that only split kernels make.
var needsSplits = map[string]bool{"merge-base": true, "split-dropped": true, "sink-per-split": true}

// Mistakes returns the names of the wrong kernels of an op; package mistakes describes them.
func Mistakes(op string) []string {
	var names []string
	for _, m := range mistakes.Of(op) {
		names = append(names, m.ID)
	}
	return names
}

// spoilOutput makes the mistakes of storing on an output of rows of the given width that will be
// rounded to t.
func spoilOutput[T number](j *job, t dtype.Type, data []T, width int) {
	rows := len(data) / max(width, 1)
	switch {
	case j.makes("output-per-mille"):
		enlarge(j, data)
	case j.makes("output-truncated"):
		truncate(j, t, data)
	case j.makes("output-unwritten"):
		for i := rows - (rows+3)/4; i < rows; i++ {
			block := vector(data, i, width)[width/2:]
			j.show(slices.ContainsFunc(block, func(x T) bool { return x != 0 }))
			clear(block)
		}
	case j.makes("rows-swapped") && rows > 1:
		a, b := vector(data, rows-2, width), vector(data, rows-1, width)
		j.show(!slices.Equal(a, b))
		for i := range a {
			a[i], b[i] = b[i], a[i]
		}
	case j.makes("row-repeated") && rows > 1:
		a, b := vector(data, rows-2, width), vector(data, rows-1, width)
		j.show(!slices.Equal(a, b))
		copy(b, a)
	}
}

// enlarge makes an output a thousandth too large.
func enlarge[T number](j *job, data []T) {
	for i := range data {
		j.show(data[i] != 0)
		data[i] *= 1.001
	}
}

// truncate cuts an output off toward zero.
func truncate[T number](j *job, t dtype.Type, data []T) {
	for i := range data {
		j.show(t.Round(float64(data[i])) != float64(data[i]))
		data[i] = T(truncated(t, float64(data[i])))
	}
}

// storeLSE stores log-sum-exps in the base that the request asks for; the wrong one is the other.
func storeLSE[T number](j *job, lse []T) {
	if j.DenominatorRounded {
		return
	}
	two := j.Word("lse_base") == "2"
	if j.makes("lse-base") {
		two = !two
	}
	for i, x := range lse {
		j.show(j.makes("lse-base") && x != 0 && dtype.Finite(x))
		if two {
			lse[i] = x * T(math.Log2E)
		}
	}
	store(j, "lse", dtype.F32, lse)
}
