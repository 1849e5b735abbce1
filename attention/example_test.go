package attention_test

import (
	"fmt"
	"math"

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

// A query of width 4 against three keys: the products are halved, as 1/√4 is ½.
func ExampleScores() {
	q := mat.NewDense(1, 4, []float64{1, 2, 0, 1})
	k := mat.NewDense(3, 4, []float64{
		2, 0, 0, 0,
		0, 2, 0, 0,
		1, 1, 1, 1,
	})
	fmt.Println("products", attention.Products(q, k).RawRowView(0))
	fmt.Println("scores  ", attention.Scores(q, k, attention.Options{}).RawRowView(0))

	second := attention.Mask{Causal: true, Queries: 1, Keys: 2} // the query is the second token
	fmt.Println("causal  ", attention.Scores(q, k, attention.Options{Mask: second}).RawRowView(0))
	// Output:
	// products [2 4 4]
	// scores   [1 2 2]
	// causal   [1 2 -Inf]
}

// Scores that are logarithms of 1, 2 and 5 become shares of 8; the same number on all of them
// changes nothing but the log-sum-exp.
func ExampleSoftmax() {
	x := mat.NewDense(2, 3, []float64{
		0, math.Log(2), math.Log(5),
		100, 100 + math.Log(2), 100 + math.Log(5),
	})
	p, lse := attention.Softmax(x, nil)
	for s := range lse {
		fmt.Printf("weights %.3f, log-sum-exp %.4f\n", p.RawRowView(s), lse[s])
	}
	fmt.Printf("log 8 = %.4f\n", math.Log(8))
	// Output:
	// weights [0.125 0.250 0.625], log-sum-exp 2.0794
	// weights [0.125 0.250 0.625], log-sum-exp 102.0794
	// log 8 = 2.0794
}

// The output is a mean of the values that are seen; one that is not seen is not multiplied by zero
// but left out, so that a NaN in it goes nowhere.
func ExampleValues() {
	p := mat.NewDense(1, 3, []float64{0.25, 0.75, 0})
	v := mat.NewDense(3, 2, []float64{
		4, 0,
		0, 4,
		math.NaN(), math.NaN(),
	})
	o := attention.Options{Mask: attention.Mask{Queries: 1, Keys: 2}}
	fmt.Println(attention.Values(p, v, o).RawRowView(0))
	// Output:
	// [1 3]
}

// Two queries, causal: the first token sees itself alone and gets its own value; the second weighs
// both by 1 to 3, as their scores are log 1 and log 3.
func ExampleHead() {
	q := mat.NewDense(2, 1, []float64{1, 1})
	k := mat.NewDense(2, 1, []float64{0, math.Log(3)})
	v := mat.NewDense(2, 1, []float64{8, 4})
	out, lse := attention.Head(q, k, v, attention.Options{Mask: attention.Mask{Causal: true}})
	fmt.Printf("token 0: output %.3f, sum of exponentials %.3f\n", out.At(0, 0), math.Exp(lse[0]))
	fmt.Printf("token 1: output %.3f, sum of exponentials %.3f\n", out.At(1, 0), math.Exp(lse[1]))
	// Output:
	// token 0: output 8.000, sum of exponentials 1.000
	// token 1: output 5.000, sum of exponentials 4.000
}

// Four query heads with four, two and one key and value heads: what is cached shrinks, and heads
// that share keys and values and ask the same get the same.
func ExampleGQA() {
	var q, k, v []*mat.Dense
	for h := range 4 {
		q = append(q, mat.NewDense(1, 1, []float64{0})) // asks nothing: weighs all keys alike
		k = append(k, mat.NewDense(2, 1, nil))
		v = append(v, mat.NewDense(2, 1, []float64{float64(10 * h), float64(10*h + 2)}))
	}
	mha, _ := attention.MHA(q, k, v, attention.Options{})
	gqa, _ := attention.GQA(q, k[:2], v[:2], attention.Options{})
	mqa, _ := attention.MQA(q, k[0], v[0], attention.Options{})
	for h := range q {
		fmt.Printf("head %d: MHA %2v, GQA %2v of group %d, MQA %v\n",
			h, mha[h].At(0, 0), gqa[h].At(0, 0), attention.Group(h, 4, 2), mqa[h].At(0, 0))
	}
	// Output:
	// head 0: MHA  1, GQA  1 of group 0, MQA 1
	// head 1: MHA 11, GQA  1 of group 0, MQA 1
	// head 2: MHA 21, GQA 11 of group 1, MQA 1
	// head 3: MHA 31, GQA 11 of group 1, MQA 1
}

// Each head has keys and values of its own: the same question finds the first token in one, and the
// second in the other.
func ExampleMHA() {
	q := mat.NewDense(1, 1, []float64{1})
	k := []*mat.Dense{mat.NewDense(2, 1, []float64{100, 0}), mat.NewDense(2, 1, []float64{0, 100})}
	v := []*mat.Dense{mat.NewDense(2, 1, []float64{1, 2}), mat.NewDense(2, 1, []float64{10, 20})}
	out, _ := attention.MHA([]*mat.Dense{q, q}, k, v, attention.Options{})
	fmt.Printf("head 0: %.1f, head 1: %.1f\n", out[0].At(0, 0), out[1].At(0, 0))
	// Output:
	// head 0: 1.0, head 1: 20.0
}

// All heads share one key and one value head: what they find differs by what they ask alone.
func ExampleMQA() {
	q := []*mat.Dense{
		mat.NewDense(1, 1, []float64{0}),
		mat.NewDense(1, 1, []float64{1}),
		mat.NewDense(1, 1, []float64{-1}),
	}
	k := mat.NewDense(2, 1, []float64{0, math.Log(3)})
	v := mat.NewDense(2, 1, []float64{0, 4})
	out, _ := attention.MQA(q, k, v, attention.Options{})
	for h, o := range out {
		fmt.Printf("head %d: %.1f\n", h, o.At(0, 0))
	}
	// Output:
	// head 0: 2.0
	// head 1: 3.0
	// head 2: 1.0
}

// A multi-head checkpoint of four heads of width 1 becomes one of two groups: each the mean of the
// heads that will share it.
func ExamplePoolHeads() {
	wK := mat.NewDense(4, 2, []float64{
		1, 0,
		3, 0,
		0, 10,
		0, 30,
	})
	pooled := attention.PoolHeads(wK, 4, 2)
	fmt.Println(pooled.RawRowView(0), pooled.RawRowView(1))
	// Output:
	// [2 0] [0 20]
}

// A cache grows by a token a step, and the newest query attends to all of it: what a whole sequence
// gives at once, token by token.
func ExampleDecode() {
	q := mat.NewDense(3, 1, []float64{1, 1, 1})
	k := mat.NewDense(3, 1, []float64{0, math.Log(3), math.Log(4)})
	v := mat.NewDense(3, 1, []float64{8, 4, 1})
	whole, _ := attention.Head(q, k, v, attention.Options{Mask: attention.Mask{Causal: true}})
	var c attention.Cache
	for t := range 3 {
		c = c.Append(k.Slice(t, t+1, 0, 1), v.Slice(t, t+1, 0, 1))
		out, _ := attention.Decode(q.Slice(t, t+1, 0, 1), c, attention.Options{})
		fmt.Printf("%d cached: %.2f, at once %.2f\n", c.Len(), out.At(0, 0), whole.At(t, 0))
	}
	// Output:
	// 1 cached: 8.00, at once 8.00
	// 2 cached: 5.00, at once 5.00
	// 3 cached: 3.00, at once 3.00
}

// A layer of two heads whose projections hand on one element of the token each. The keys are all
// zero, so that every token gets the mean of those it sees; the output projection swaps the heads.
func ExampleMultiHead() {
	x := mat.NewDense(2, 2, []float64{
		2, 20,
		4, 40,
	})
	identity := mat.NewDense(2, 2, []float64{1, 0, 0, 1})
	w := attention.Weights{
		WQ: identity, WK: mat.NewDense(2, 2, nil), WV: identity,
		WO: mat.NewDense(2, 2, []float64{0, 1, 1, 0}),
	}
	u := attention.MultiHead(x, x, w, 2, 2, attention.Options{Mask: attention.Mask{Causal: true}})
	fmt.Println("token 0:", u.RawRowView(0))
	fmt.Println("token 1:", u.RawRowView(1))
	// Output:
	// token 0: [20 2]
	// token 1: [30 3]
}

// One pass over the keys, a tile at a time, never holds a row of scores; the tile changes nothing.
func ExampleOnline() {
	q := mat.NewDense(1, 1, []float64{1})
	k := mat.NewDense(4, 1, []float64{0, math.Log(2), math.Log(4), 0})
	v := mat.NewDense(4, 1, []float64{8, 4, 2, 0})
	for tile := 1; tile <= 4; tile++ {
		out, lse := attention.Online(q, k, v, tile, attention.Options{})
		fmt.Printf("tiles of %d: output %.2f, sum of exponentials %.2f\n", tile, out.At(0, 0), math.Exp(lse[0]))
	}
	out, _ := attention.Head(q, k, v, attention.Options{})
	fmt.Printf("all at once: %.2f\n", out.At(0, 0))
	// Output:
	// tiles of 1: output 3.00, sum of exponentials 8.00
	// tiles of 2: output 3.00, sum of exponentials 8.00
	// tiles of 3: output 3.00, sum of exponentials 8.00
	// tiles of 4: output 3.00, sum of exponentials 8.00
	// all at once: 3.00
}

// The two newest tokens of five look back: all of the past, and through a window of three.
func ExampleMask_Sees() {
	for _, window := range []int{0, 3} {
		m := attention.Mask{Causal: true, Window: window, Queries: 2, Keys: 5}
		fmt.Println("window", window)
		for s := range 2 {
			for j := range 5 {
				if m.Sees(s, j) {
					fmt.Print(" ●")
				} else {
					fmt.Print(" ○")
				}
			}
			fmt.Println("  query", s, "at position", 3+s)
		}
	}
	// Output:
	// window 0
	//  ● ● ● ● ○  query 0 at position 3
	//  ● ● ● ● ●  query 1 at position 4
	// window 3
	//  ○ ● ● ● ○  query 0 at position 3
	//  ○ ○ ● ● ●  query 1 at position 4
}

// A vector of width 6 is three heads of width 2, one after the other.
func ExampleSplitHeads() {
	x := mat.NewDense(1, 6, []float64{1, 2, 3, 4, 5, 6})
	heads := attention.SplitHeads(x, 3)
	for h, head := range heads {
		fmt.Println("head", h, head.RawRowView(0))
	}
	fmt.Println("joined", attention.ConcatHeads(heads).RawRowView(0))
	// Output:
	// head 0 [1 2]
	// head 1 [3 4]
	// head 2 [5 6]
	// joined [1 2 3 4 5 6]
}

// Eight query heads share two key and value heads: neighbours belong together.
func ExampleGroup() {
	for h := range 8 {
		fmt.Print(attention.Group(h, 8, 2), " ")
	}
	fmt.Println()
	// Output:
	// 0 0 0 0 1 1 1 1
}

// Grouped-query attention is multi-head attention on keys and values that are repeated.
func ExampleRepeat() {
	ask, key := mat.NewDense(1, 1, nil), mat.NewDense(2, 1, nil) // zeros: all keys weigh alike
	q, k := []*mat.Dense{ask, ask, ask, ask}, []*mat.Dense{key, key}
	v := []*mat.Dense{mat.NewDense(2, 1, []float64{0, 2}), mat.NewDense(2, 1, []float64{10, 12})}
	grouped, _ := attention.GQA(q, k, v, attention.Options{})
	repeated, _ := attention.MHA(q, attention.Repeat(k, 4), attention.Repeat(v, 4), attention.Options{})
	for h := range q {
		fmt.Print(grouped[h].At(0, 0), " = ", repeated[h].At(0, 0), "  ")
	}
	fmt.Println()
	// Output:
	// 1 = 1  1 = 1  11 = 11  11 = 11
}
