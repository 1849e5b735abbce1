package diagnosis

import (
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// A count may be added to the one of its neighbour, as where bins are formed by a rounded quotient.
func TestCountsOfOthers(t *testing.T) {
	right := given("moe.dispatch", func(r *recording.Recording) {
		ids := tensor.New(40, 2)
		for i := range ids.Data {
			ids.Data[i] = float64(i * i % 23 % 12)
		}
		r.Set("indices", dtype.I32, ids)
		r.Attrs["experts"] = recording.Number(12)
	})
	x, _ := right.Tensor("out.counts")
	lost := map[int]int{3: 2, 8: 7} // whose count went where
	wrongs{{
		"two bins lower", "what belongs to one expert of counts is added to another, and 0 stands in its place: " +
			"that of 3 to 2, that of 8 to 7: explains everything",
		edited(right, "out.counts", func(i int, n float64) float64 {
			for from, to := range lost {
				switch i {
				case from:
					return 0
				case to:
					n += x.Data[from]
				}
			}
			return n
		}),
	}}.check(t)
}
