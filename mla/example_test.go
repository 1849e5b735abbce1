package mla_test

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
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

// Two tokens of width 4 become latents of width 2, and these are cached instead of keys and values.
func ExampleCompressKV() {
	h := mat.NewDense(2, 4, []float64{
		1, 2, 3, 4,
		5, 6, 7, 8,
	})
	wDKV := mat.NewDense(2, 4, []float64{
		1, 1, 0, 0,
		0, 0, 1, -1,
	})
	cKV := mla.CompressKV(h, wDKV)
	fmt.Println(cKV.RawRowView(0), cKV.RawRowView(1))
	// Output:
	// [3 -1] [11 -1]
}

// One latent makes the keys of all heads: two of width 2 here.
func ExampleUpKey() {
	cKV := mat.NewDense(1, 2, []float64{3, -1})
	wUK := mat.NewDense(4, 2, []float64{
		1, 0,
		0, 1,
		1, 1,
		1, -1,
	})
	fmt.Println("all heads", mla.UpKey(cKV, wUK).RawRowView(0))
	fmt.Println("head 1   ", mla.UpKey(cKV, wUK.Slice(2, 4, 0, 2)).RawRowView(0))
	// Output:
	// all heads [3 -1 2 4]
	// head 1    [2 4]
}

// Queries are compressed too, which caches nothing and saves weights: for the 128 heads of
// DeepSeek-V3, of width 128 + 64 each, two narrow matrices stand for one wide one.
func ExampleCompressQuery() {
	h := mat.NewDense(1, 4, []float64{1, 2, 3, 4})
	wDQ := mat.NewDense(2, 4, []float64{1, 0, 0, 1, 0, 1, 1, 0})
	fmt.Println("cQ", mla.CompressQuery(h, wDQ).RawRowView(0))

	const d, latent, heads = 7168, 1536, 128 * (128 + 64)
	fmt.Println("W^DQ and W^UQ with W^QR:", latent*d+heads*latent)
	fmt.Println("one matrix instead:     ", heads*d)
	// Output:
	// cQ [5 5]
	// W^DQ and W^UQ with W^QR: 48758784
	// one matrix instead:      176160768
}

// The same token at positions 0, 1 and 2, with a pair that makes a quarter of a turn a token.
func ExampleRopeKey() {
	h := mat.NewDense(3, 2, []float64{5, 1, 5, 1, 5, 1})
	wKR := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	quarter := mla.Rotation{
		Cos: mat.NewDense(3, 1, []float64{1, 0, -1}),
		Sin: mat.NewDense(3, 1, []float64{0, 1, 0}),
	}
	kR := mla.RopeKey(h, wKR, quarter)
	for t := range 3 {
		fmt.Println("position", t, kR.RawRowView(t))
	}
	// Output:
	// position 0 [5 1]
	// position 1 [-1 5]
	// position 2 [-5 -1]
}

// Each head has a key part of its own, and the one that carries the position is the same for all.
func ExampleConcatKey() {
	kR := mat.NewDense(1, 2, []float64{8, 9})
	for i, kC := range []*mat.Dense{mat.NewDense(1, 2, []float64{1, 2}), mat.NewDense(1, 2, []float64{3, 4})} {
		fmt.Println("head", i, mla.ConcatKey(kC, kR).RawRowView(0))
	}
	latent := mat.NewDense(1, 3, []float64{5, 6, 7})
	fmt.Println("cached", mla.ConcatKey(latent, kR).RawRowView(0))
	// Output:
	// head 0 [1 2 8 9]
	// head 1 [3 4 8 9]
	// cached [5 6 7 8 9]
}

// The scale belongs to the widths of the naive form, 128 + 64 in DeepSeek-V3; the width of a cached
// row, 512 + 64, is a known mistake of absorbed kernels.
func ExampleSoftmaxScale() {
	fmt.Printf("1/√192 = %.4f\n", mla.SoftmaxScale(128, 64))
	fmt.Printf("1/√576 = %.4f is wrong\n", mla.SoftmaxScale(512, 64))
	// Output:
	// 1/√192 = 0.0722
	// 1/√576 = 0.0417 is wrong
}

// The score of a key that is made, and the same from the latent, with the key's matrix on the
// query: (1, 2)·(4, 5) and (1, 2, 3)·(1, 2, 3).
func ExampleAbsorbQuery() {
	qC := mat.NewDense(1, 2, []float64{1, 2})
	cKV := mat.NewDense(1, 3, []float64{1, 2, 3})
	wUK := mat.NewDense(2, 3, []float64{
		1, 0, 1,
		0, 1, 1,
	})
	kC := mla.UpKey(cKV, wUK).RawRowView(0)
	absorbed := mla.AbsorbQuery(qC, wUK).RawRowView(0)
	fmt.Println("key", kC, "score", floats.Dot(qC.RawRowView(0), kC))
	fmt.Println("absorbed query", absorbed, "score", floats.Dot(absorbed, cKV.RawRowView(0)))
	// Output:
	// key [4 5] score 14
	// absorbed query [1 2 3] score 14
}

// Values that are made and then weighed, and latents that are weighed first.
func ExampleAbsorbOutput() {
	a := mat.NewDense(1, 2, []float64{0.25, 0.75}) // weights of two tokens
	cKV := mat.NewDense(2, 2, []float64{4, 0, 0, 4})
	wUV := mat.NewDense(2, 2, []float64{1, 1, 1, -1})
	var values, latents mat.Dense
	values.Mul(a, mla.UpValue(cKV, wUV))
	latents.Mul(a, cKV)
	fmt.Println("sum of values ", values.RawRowView(0))
	fmt.Println("sum of latents", latents.RawRowView(0), "then W^UV", mla.AbsorbOutput(&latents, wUV).RawRowView(0))
	// Output:
	// sum of values  [4 -2]
	// sum of latents [1 3] then W^UV [4 -2]
}

// plain returns a layer of one head whose latent is the first element of a token, and whose value
// is ten times the latent. Its queries are zero: every token gets the mean of those it sees.
func plain() (mla.Weights, mla.Config) {
	w := mla.Weights{
		WQ:   mat.NewDense(3, 2, nil),
		WDKV: mat.NewDense(3, 2, []float64{1, 0, 0, 0, 0, 0}), // a latent of width 1, a rotary key of width 2
		WUKV: mat.NewDense(2, 1, []float64{1, 10}),
		WO:   mat.NewDense(2, 1, []float64{1, -1}),
	}
	return w, mla.Config{Heads: 1, NopeDim: 1, RopeDim: 2, ValueDim: 1, Base: 10000, Causal: true}
}

// Two tokens through a layer in both forms: one makes the values 20 and 40 and takes their mean,
// the other takes the mean of the latents 2 and 4 and makes it a value. Cached are the latents.
func ExampleLayerAbsorbed() {
	w, c := plain()
	x := mat.NewDense(2, 2, []float64{2, 7, 4, 7})
	naive, latent, _ := mla.Layer(x, w, c)
	absorbed, _, _ := mla.LayerAbsorbed(x, w, c)
	for t := range 2 {
		fmt.Println("latent", latent.At(t, 0), "naive", naive.RawRowView(t), "absorbed", absorbed.RawRowView(t))
	}
	// Output:
	// latent 2 naive [20 -20] absorbed [20 -20]
	// latent 4 naive [30 -30] absorbed [30 -30]
}

// A layer that gives every token the mean of those it sees, a token at a time: what it needs of the
// past is in the cache.
func ExampleLayerDecode() {
	w, c := plain()
	cache := &mla.PagedCache{
		Pages: []*mat.Dense{mat.NewDense(2, 3, nil), mat.NewDense(2, 3, nil)}, // [latent; rope key]
		Table: [][]int{{1, 0}}, Lengths: []int{0},
	}
	for _, first := range []float64{2, 4, 9} {
		y := mla.LayerDecode(mat.NewDense(1, 2, []float64{first, 7}), w, c, cache, 0)
		fmt.Printf("%d cached: %.1f\n", cache.Lengths[0], y.RawRowView(0))
	}
	// Output:
	// 1 cached: [20.0 -20.0]
	// 2 cached: [30.0 -30.0]
	// 3 cached: [50.0 -50.0]
}

// Three rows of a sequence lie on two pages, the first of them on page 1. The fourth slot was never
// written and is never read.
func ExamplePagedCache_Decode() {
	unused := math.NaN()
	cache := &mla.PagedCache{
		Pages: []*mat.Dense{
			mat.NewDense(2, 2, []float64{9, 0, unused, unused}), // [latent; rope key], of width 1 each
			mat.NewDense(2, 2, []float64{2, 0, 4, 0}),
		},
		Table: [][]int{{1, 0}}, Lengths: []int{3},
	}
	q := []*mat.Dense{mat.NewDense(1, 2, nil)} // asks nothing: the mean of the latents
	out, lse := cache.Decode(0, q, 1, 1, true)
	fmt.Println("latents", mat.Col(nil, 0, cache.Gather(0)))
	fmt.Printf("output %.1f, sum of exponentials %.1f\n", out[0].At(0, 0), math.Exp(lse[0][0]))
	// Output:
	// latents [2 4 9]
	// output 5.0, sum of exponentials 3.0
}

// The same latent that makes the keys makes the values.
func ExampleUpValue() {
	cKV := mat.NewDense(1, 2, []float64{3, -1})
	wUK, wUV := mat.NewDense(1, 2, []float64{1, 1}), mat.NewDense(1, 2, []float64{1, -1})
	fmt.Println("key", mla.UpKey(cKV, wUK).At(0, 0), "value", mla.UpValue(cKV, wUV).At(0, 0))
	// Output:
	// key 2 value 4
}

// The latent of queries makes the queries of all heads, two of width 2 here.
func ExampleUpQuery() {
	cQ := mat.NewDense(1, 2, []float64{5, 1})
	wUQ := mat.NewDense(4, 2, []float64{
		1, 0,
		0, 1,
		1, 1,
		1, -1,
	})
	fmt.Println(mla.UpQuery(cQ, wUQ).RawRowView(0))
	// Output:
	// [5 1 6 4]
}

// The rotary parts of two heads at positions 0 and 1, each turned by itself: a quarter of a turn a
// token.
func ExampleRopeQuery() {
	cQ := mat.NewDense(2, 2, []float64{1, 2, 1, 2})
	wQR := mat.NewDense(4, 2, []float64{
		1, 0,
		0, 1,
		10, 0,
		0, 10,
	})
	quarter := mla.Rotation{Cos: mat.NewDense(2, 1, []float64{1, 0}), Sin: mat.NewDense(2, 1, []float64{0, 1})}
	qR := mla.RopeQuery(cQ, wQR, quarter)
	fmt.Println(qR.RawRowView(0), qR.RawRowView(1))
	// Output:
	// [1 2 10 20] [-2 1 -20 10]
}

// A query has a part that faces the key and one that faces the position. The score is the sum of
// both: 1 · 3 + 2 · 4 and 5 · 6.
func ExampleConcatQuery() {
	q := mla.ConcatQuery(mat.NewDense(1, 2, []float64{1, 2}), mat.NewDense(1, 1, []float64{5})).RawRowView(0)
	k := mla.ConcatKey(mat.NewDense(1, 2, []float64{3, 4}), mat.NewDense(1, 1, []float64{6})).RawRowView(0)
	fmt.Println(q, k, "score", floats.Dot(q, k))
	// Output:
	// [1 2 5] [3 4 6] score 41
}

// The layer is causal: another third token changes nothing before it.
func ExampleLayer() {
	w, c := plain()
	for _, third := range []float64{9, 0} {
		y, latent, _ := mla.Layer(mat.NewDense(3, 2, []float64{2, 7, 4, 7, third, 7}), w, c)
		fmt.Printf("latents %v, output %.1f\n", mat.Col(nil, 0, latent), mat.Col(nil, 0, y))
	}
	// Output:
	// latents [2 4 9], output [20.0 30.0 50.0]
	// latents [2 4 0], output [20.0 30.0 20.0]
}

// One query, two keys with scores log 1 and log 3: a quarter of one value and three quarters of the
// other.
func ExampleAttend() {
	q, k := mat.NewDense(1, 1, []float64{1}), mat.NewDense(2, 1, []float64{0, math.Log(3)})
	v := mat.NewDense(2, 2, []float64{4, 0, 0, 4})
	o, _ := mla.Attend(q, k, v, 1, attention.Mask{})
	fmt.Printf("%.1f\n", o.RawRowView(0))
	// Output:
	// [1.0 3.0]
}

// The outputs of two heads, side by side, are projected to the width of the model.
func ExampleOutput() {
	o := []*mat.Dense{mat.NewDense(1, 1, []float64{3}), mat.NewDense(1, 1, []float64{4})}
	wO := mat.NewDense(2, 2, []float64{1, 1, 1, -1})
	fmt.Println(mla.Output(o, wO).RawRowView(0))
	// Output:
	// [7 -1]
}

// What one head of a layer works on in either form: 6 numbers for each token it looks back at, of
// its own, or the 5 that are cached for all heads.
func ExampleHeadWeights_Naive() {
	c := mla.Config{Heads: 2, NopeDim: 2, RopeDim: 2, ValueDim: 2, Eps: 1e-6, Base: 10000, Causal: true}
	w := mla.Weights{WQ: pattern(8, 4), WDKV: pattern(5, 4), WUKV: pattern(8, 3), WO: pattern(4, 4)}
	x := pattern(3, 4)
	cQ, latent, ropeKey := mla.Compress(x, w, c)
	head, r := w.Head(0, c), c.Rotation(3)
	q, k, v := head.Naive(cQ, latent, ropeKey, r)
	absorbed, cached := head.Absorbed(cQ, r), mla.ConcatKey(latent, ropeKey)
	fmt.Println("naive:   ", widths(q, k, v))
	fmt.Println("absorbed:", widths(absorbed, cached, latent))
	// Output:
	// naive:    query 4, key 4, value 2
	// absorbed: query 5, key 5, value 3
}

// widths returns the widths of queries, keys and values.
func widths(q, k, v *mat.Dense) string {
	return fmt.Sprintf("query %d, key %d, value %d", q.RawMatrix().Cols, k.RawMatrix().Cols, v.RawMatrix().Cols)
}

// Queries that took in the matrix of the keys find the same scores on the latents.
func ExampleHeadWeights_Absorbed() {
	c := mla.Config{Heads: 2, NopeDim: 2, RopeDim: 2, ValueDim: 2, Eps: 1e-6, Base: 10000, Causal: true}
	w := mla.Weights{WQ: pattern(8, 4), WDKV: pattern(5, 4), WUKV: pattern(8, 3), WO: pattern(4, 4)}
	cQ, latent, ropeKey := mla.Compress(pattern(3, 4), w, c)
	head, r := w.Head(1, c), c.Rotation(3)
	q, k, _ := head.Naive(cQ, latent, ropeKey, r)
	absorbed, cached := head.Absorbed(cQ, r), mla.ConcatKey(latent, ropeKey)
	for j := range 3 {
		fmt.Printf("token 2 on token %d: %.4f and %.4f\n", j,
			floats.Dot(q.RawRowView(2), k.RawRowView(j)), floats.Dot(absorbed.RawRowView(2), cached.RawRowView(j)))
	}
	// Output:
	// token 2 on token 0: 0.1337 and 0.1337
	// token 2 on token 1: 0.8911 and 0.8911
	// token 2 on token 2: 1.2402 and 1.2402
}

// Rows go to the pages that the table says: the first two to page 1, the third to page 0.
func ExamplePagedCache_Append() {
	cache := &mla.PagedCache{
		Pages: []*mat.Dense{mat.NewDense(2, 2, nil), mat.NewDense(2, 2, nil)},
		Table: [][]int{{1, 0}}, Lengths: []int{0},
	}
	for t := range 3 {
		cache.Append(0, mat.NewDense(1, 1, []float64{float64(t + 1)}), mat.NewDense(1, 1, []float64{9}))
	}
	for i, page := range cache.Pages {
		fmt.Println("page", i, page.RawRowView(0), page.RawRowView(1))
	}
	// Output:
	// page 0 [3 9] [0 0]
	// page 1 [1 9] [2 9]
}

// Pages that are elsewhere are asked for in turn; of the last only as many rows as are in use.
func ExampleGatherPages() {
	rows := mla.GatherPages(5, 2, 1, func(run int, rows []float64) {
		fmt.Println("page", run, "of the table:", len(rows), "rows")
		for j := range rows {
			rows[j] = float64(10*run + j)
		}
	})
	fmt.Println(mat.Col(nil, 0, rows))
	// Output:
	// page 0 of the table: 2 rows
	// page 1 of the table: 2 rows
	// page 2 of the table: 1 rows
	// [0 1 10 11 20]
}
