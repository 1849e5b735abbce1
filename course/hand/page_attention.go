package hand

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/rope"
)

// columnsOf returns the columns of a matrix, each as a head of width 1.
func columnsOf(m *mat.Dense) []*mat.Dense { return attention.SplitHeads(m, m.RawMatrix().Cols) }

func gqaPage() []*Sheet {
	s := newSheet("gqa", "Four query heads, and fewer heads of keys",
		"Two tokens, heads of width 1, scores times ln 2. The second token's queries are what is worked.")
	q := dense([]float64{0, 0, 1, 1})
	wK, wV := dense([]float64{0}, []float64{2}, []float64{1}, []float64{1}),
		dense([]float64{6}, []float64{12}, []float64{0}, []float64{12})
	h := dense([]float64{0}, []float64{1})
	s.given("A query for each of four heads; hidden states of two tokens; weights of keys and values, a row for each "+
		"head.", matrix("q", q), matrix("h", h), matrix("W^K", wK), matrix("W^V", wV))
	for _, groups := range []int{4, 2, 1} {
		s.group(q, h, wK, wV, groups)
	}
	return []*Sheet{s}
}

// group adds the attention of four heads with so many heads of keys and values.
func (s *Sheet) group(q, h, wK, wV *mat.Dense, groups int) {
	heads := q.RawMatrix().Cols
	name := map[int]string{4: "MHA: a head of keys and values for each query head", 2: "GQA: one for two query heads",
		1: "MQA: one for all"}[groups]
	which := make([]int, heads)
	for i := range which {
		which[i] = attention.Group(i, heads, groups)
	}
	pooledK, pooledV := attention.PoolHeads(wK, heads, groups), attention.PoolHeads(wV, heads, groups)
	s.step(name+". Weights of heads that become one are averaged, and each query head reads the group it is in.",
		"attention.PoolHeads", "w = mean of w_h over the group's heads", whole("group", which), matrix("W^K", pooledK),
		matrix("W^V", pooledV))
	k, v := attention.Project(h, pooledK), attention.Project(h, pooledV)
	out, _ := attention.GQA(columnsOf(q), columnsOf(k), columnsOf(v), attention.Options{Scale: math.Ln2})
	s.step("Keys and values, a column for each head, and what the query heads make of them; cached of each token "+
		fmt.Sprintf("are %d numbers.", 2*groups), "attention.GQA", "o_h = Head(q_h, k_g, v_g)", matrix("k", k),
		matrix("v", v), matrix("o", attention.ConcatHeads(out)))
}

func cachePage() []*Sheet {
	s := newSheet("cache", "Three tokens, one by one",
		"Width 2, scores times ln 2. Each token brings a query, a key and a value; keys and values stay.")
	q := dense([]float64{1, 0}, []float64{0, 1}, []float64{1, 0})
	k := dense([]float64{1, 0}, []float64{0, 2}, []float64{1, 1})
	v := dense([]float64{5, 0}, []float64{0, 5}, []float64{5, 5})
	o := attention.Options{Scale: math.Ln2}
	s.given("Queries, keys and values, a row for each token.", matrix("q", q), matrix("k", k), matrix("v", v))
	var cache attention.Cache
	for t := range 3 {
		cache = cache.Append(k.Slice(t, t+1, 0, 2), v.Slice(t, t+1, 0, 2))
		query := q.Slice(t, t+1, 0, 2)
		x := attention.Scores(query, cache.K, o)
		p, _ := attention.Softmax(x, nil)
		out, _ := attention.Decode(query, cache, o)
		s.step(fmt.Sprintf("Token %d joins the cache; its query meets all that is in it.", t), "attention.Decode",
			"o_t = Σ_{j ≤ t} p_tj v_j", matrix("K", cache.K), matrix("V", cache.V), matrix("x", x),
			matrix("p", p), matrix("o", out))
	}
	o.Mask.Causal = true
	all, _ := attention.Head(q, k, v, o)
	s.step("All at once with a causal mask, as in training or prefill: the same rows. Row t holds the query of "+
		"token t alone, and no later row does: a query is used once and forgotten, keys and values are used again "+
		"by every token that follows. So a cache holds K and V, and no Q.", "attention.Head",
		"o_t = Σ_{j ≤ t} p_tj v_j", matrix("o", all))
	return []*Sheet{s}
}

func distanceSheet() *Sheet {
	s := newSheet("rope", "Scores know distances alone",
		"The same query and the same key at four positions, still with θ = π/2.")
	positions := []float64{0, 1, 2, 3}
	cos, sin := rope.Table(positions, []float64{math.Pi / 2})
	q, k := mat.NewDense(4, 2, nil), mat.NewDense(4, 2, nil)
	for i := range positions {
		q.SetRow(i, rope.Rotate([]float64{1, 0}, cos.RawRowView(i), sin.RawRowView(i), rope.Interleaved))
		k.SetRow(i, rope.Rotate([]float64{2, 1}, cos.RawRowView(i), sin.RawRowView(i), rope.Interleaved))
	}
	s.step("q = (1, 0) and k = (2, 1), turned to each position.", "rope.Rotate", "R_m q\nR_n k", matrix("R q", q),
		matrix("R k", k))
	s.step("Their products are the same along every diagonal: they depend on n − m, and on nothing else.",
		"attention.Products", "(R_m q)·(R_n k) = q·(R_{n−m} k)", matrix("scores", attention.Products(q, k)))
	s.step("As a matrix the turn is orthogonal: its transpose turns back.", "rope.Matrix", "R_mᵀ R_n = R_{n−m}",
		matrix("R₁", rope.Matrix([]float64{math.Pi / 2}, 1)), matrix("R₂", rope.Matrix([]float64{math.Pi / 2}, 2)))
	return s
}

// released is the stretched rotation of DeepSeek-V3.
var released = rope.YaRN{
	Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 1,
}

func yarnPage() []*Sheet {
	const dim, base = 64, 10000.0
	s := newSheet("yarn", "DeepSeek-V3's stretch of 40", "Trained on 4096 tokens, stretched to 163840: s = 40, a "+
		"rotary width of 64, base 10000, β = 32 and α = 1 turns.")
	theta := rope.Frequencies(dim, base)
	pairs := []int{0, 8, 10, 16, 20, 23, 24, 31}
	s.step("Some of the 32 pairs: frequencies, wavelengths in tokens, and how often each turns within 4096 tokens.",
		"rope.Rotations", "λ_i = 2π / θ_i\nr_i = L / λ_i", table(pairs, words("θ λ r"),
			func(i int) []float64 {
				turns := rope.Rotations(theta[i], released.OriginalContext)
				return []float64{theta[i], rope.Wavelength(theta[i]), turns}
			}))
	low, high := rope.CorrectionRange(dim, base, released)
	s.step("The pairs that turn 32 times and once stand at these indices; rounded outward they bound the ramp.",
		"rope.CorrectionRange", "c(r) = d ln(L / (2π r)) / (2 ln b)",
		number("c(32)", rope.CorrectionIndex(32, dim, base, released.OriginalContext)),
		number("c(1)", rope.CorrectionIndex(1, dim, base, released.OriginalContext)), number("low", low),
		number("high", high))
	stretched := rope.YaRNFrequencies(dim, base, released)
	s.step("Below low a pair keeps its frequency, above high it is divided by s, and between it is mixed.",
		"rope.YaRNFrequencies", "γ_i = 1 − clamp((i − low) / (high − low), 0, 1)\nθ'_i = (1 − γ_i) θ_i/s + γ_i θ_i",
		table(pairs, words("γ θ' θ'/θ"), func(i int) []float64 {
			return []float64{rope.GammaByIndex(i, low, high), stretched[i], stretched[i] / theta[i]}
		}))
	s.step("The temperature: both of DeepSeek-V3's scales m are 1, so that cosines and sines keep their size; "+
		"scores are multiplied by the square.",
		"rope.MScale", "mscale(s, m) = 0.1 m ln s + 1", number("mscale(40, 1)", rope.MScale(released.Factor, 1)),
		number("amplitude", released.Amplitude()), number("factor of the scores", released.ScoreFactor()),
		number("1/√192 times it", released.ScoreFactor()/math.Sqrt(192)))
	return []*Sheet{s}
}

// table has a row for each of some indices.
func table(indices []int, cols []string, row func(i int) []float64) Value {
	rows, labels := make([][]float64, len(indices)), make([]string, len(indices))
	for n, i := range indices {
		rows[n], labels[n] = row(i), fmt.Sprintf("pair %d", i)
	}
	v := stack("some pairs", rows...).along(labels...).under(cols...)
	v.Shape = ""
	return v
}
