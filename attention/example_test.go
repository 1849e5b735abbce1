package attention_test

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
)

// Two query heads share the keys and values of four tokens. The newest token attends to
// all of them; the same comes out of two halves of the cache, merged.
func Example() {
	q := []*mat.Dense{
		mat.NewDense(1, 2, []float64{2, 0}),
		mat.NewDense(1, 2, []float64{0, 2}),
	}
	k := mat.NewDense(4, 2, []float64{1, 0, 0, 1, 1, 1, 0, 0})
	v := mat.NewDense(4, 1, []float64{1, 2, 3, 4})
	o := attention.Options{Mask: attention.Mask{Causal: true, Queries: 1, Keys: 4}}

	out, lse := attention.MQA(q, k, v, o)
	for h := range out {
		fmt.Printf("head %d: output %.4f, log-sum-exp %.4f\n", h, out[h].At(0, 0), lse[h][0])
	}

	left, leftLSE := attention.Head(q[0], k.Slice(0, 2, 0, 2), v.Slice(0, 2, 0, 1), o)
	o.Mask = o.Mask.From(2)
	right, rightLSE := attention.Head(q[0], k.Slice(2, 4, 0, 2), v.Slice(2, 4, 0, 1), o)
	whole, wholeLSE := attention.Merge([]*mat.Dense{left, right}, [][]float64{leftLSE, rightLSE})
	fmt.Printf("halves: %.4f and %.4f, merged %.4f, log-sum-exp %.4f\n",
		left.At(0, 0), right.At(0, 0), whole.At(0, 0), wholeLSE[0])

	o.Mask = attention.Mask{Causal: true, Window: 1}
	newest, _ := attention.Head(q[0], k, v, o)
	fmt.Printf("through a window of 1: %v\n", newest.At(0, 0))
	// Output:
	// head 0: output 2.1956, log-sum-exp 2.3250
	// head 1: output 2.5000, log-sum-exp 2.3250
	// halves: 1.1956 and 3.1956, merged 2.1956, log-sum-exp 2.3250
	// through a window of 1: 4
}
