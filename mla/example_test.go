package mla_test

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/mla"
)

// Three tokens go through a layer of two heads: at once with keys and values for each head, at once
// on the latents, and one by one from a cache of pages that lie in no order. All say the same.
func Example() {
	c := mla.Config{Heads: 2, NopeDim: 2, RopeDim: 2, ValueDim: 2, Eps: 1e-6, Base: 10000, Causal: true}
	w := mla.Weights{
		WQ:     pattern(8, 4),
		WDKV:   pattern(5, 4), // a latent of width 3, and a rotary key of width 2
		WUKV:   pattern(8, 3),
		WO:     pattern(4, 4),
		NormKV: []float64{1, 1, 1},
	}
	x := pattern(3, 4)

	naive, latent, ropeKey := mla.Layer(x, w, c)
	absorbed, _, _ := mla.LayerAbsorbed(x, w, c)

	cache := &mla.PagedCache{Table: [][]int{{1, 0}}, Lengths: []int{0}}
	for range 2 {
		cache.Pages = append(cache.Pages, mat.NewDense(2, 5, nil))
	}
	for t := range 3 {
		y := mla.LayerDecode(x.Slice(t, t+1, 0, 4), w, c, cache, 0)
		fmt.Printf("token %d: naive %.4f, absorbed %.4f, decoded %.4f\n",
			t, naive.At(t, 0), absorbed.At(t, 0), y.At(0, 0))
	}

	_, dc := latent.Dims()
	_, dR := ropeKey.Dims()
	fmt.Printf("cached per token: %d numbers instead of %d\n", dc+dR, c.Heads*(c.NopeDim+c.RopeDim+c.ValueDim))
	// Output:
	// token 0: naive 0.0156, absorbed 0.0156, decoded 0.0156
	// token 1: naive 0.3343, absorbed 0.3343, decoded 0.3343
	// token 2: naive 0.3277, absorbed 0.3277, decoded 0.3277
	// cached per token: 5 numbers instead of 12
}

// pattern returns some weights.
func pattern(r, c int) *mat.Dense {
	m := mat.NewDense(r, c, nil)
	for i := range r {
		for j := range c {
			m.Set(i, j, float64((5*i+3*j+i*j)%7-3)/4)
		}
	}
	return m
}
