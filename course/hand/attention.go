package hand

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/verify/op"
	attend "plumbline/verify/op/attention"
	"plumbline/verify/op/latent"
)

func attentionWalks() []walk {
	keysAndValues := func(c *op.Case) float64 { // and what is shown of them
		return 2 * c.Extent("T") * (c.Extent("D") + c.Extent("V"))
	}
	return []walk{
		{"attention.forward", attentionSheet, walkAttention, keysAndValues},
		{"attention.backward", backwardSheet, walkBackward, keysAndValues},
		{"attention.merge", mergeSheet, walkMerge, nil},
		{"mla.decode", decodeSheet, walkDecode, func(c *op.Case) float64 {
			return 3 * float64(attend.KeysInUse(c, 0)) * c.Extent("D")
		}},
	}
}

// tinyAttention is two queries and two keys in whole numbers.
func tinyAttention(attrs map[string]any) request {
	if attrs["scale"] == nil {
		attrs["scale"] = math.Ln2
	}
	return chosen("attention.forward", attrs).
		put("q", []int{1, 2, 1, 2}, 1, 0, 0, 2).
		put("k", []int{1, 2, 1, 2}, 1, 0, 1, 1).
		put("v", []int{1, 2, 1, 2}, 10, 0, 0, 10)
}

func attentionSheet() *Sheet {
	return work("Attention of two queries and two keys", "Whole numbers in, whole numbers out: scores are "+
		"multiplied by ln 2 in the place of 1/√D, so that every exponential is a power of two.",
		tinyAttention(map[string]any{}).Recording, walkAttention)
}

// walkAttention works the first query of the first head of the first sequence.
func walkAttention(s *Sheet, c *op.Case) {
	used, n := attend.KeysInUse(c, 0), s.rows(c.Dim("S"))
	if used == 0 {
		s.given("The first sequence has no key in use: its output is 0, and the log-sum-exp −∞.")
		s.out("o", 0, make([]float64, c.Dim("V"))...)
		s.out("lse", 0, math.Inf(-1))
		return
	}
	q, k, v := c.HeadRows("q", 0, 0, 0, n), c.HeadRows("k", 0, 0, 0, used), c.HeadRows("v", 0, 0, 0, used)
	s.given("Queries, keys and values of the first head.", matrix("q", q), matrix("k", k), matrix("v", v))
	out, _, lse := s.attend(q, k, v, optionsOf(c, used))
	s.attended(c, out, lse)
}

// optionsOf returns the conventions of the first head of the first sequence.
func optionsOf(c *op.Case, used int) attention.Options {
	return attention.Options{
		Scale: attend.ModelOf(c, "v", c.Dim("D")).Scale, SoftCap: c.Float("softcap"), Sink: attend.Sink(c, 0),
		Mask: attention.Mask{
			Causal: c.Flag("causal"), Window: c.Int("window"), Queries: c.Dim("S"), Keys: used,
		},
	}
}

// attended notes the output of the first head, whose log-sum-exp is in units of the recording.
func (s *Sheet) attended(c *op.Case, out *mat.Dense, lse []float64) {
	unit := attend.LSEUnit(c)
	for i := range lse {
		s.out("o", i*c.Dim("H")*len(out.RawRowView(i)), out.RawRowView(i)...)
		if lse[i] /= unit; unit != 1 {
			s.step("The log-sum-exp is recorded in base 2.", "", "lse₂ = lse / ln 2", number("lse₂", lse[i]))
		}
		s.out("lse", i, lse[i])
	}
}

// attend works softmax attention of one head.
func (s *Sheet) attend(q, k, v mat.Matrix, o attention.Options) (out, p *mat.Dense, lse []float64) {
	s.step("Every query meets every key.", "attention.Products", "d_sj = q_s·k_j",
		matrix("d", attention.Products(q, k)))
	x := attention.Scores(q, k, o)
	values := []Value{number("scale", o.Scale)}
	says, formula := "The products are scaled", "x_sj = scale · d_sj"
	if o.SoftCap != 0 {
		values = append(values, number("cap", o.SoftCap))
		says, formula = says+" and capped", "x_sj = cap · tanh(scale · d_sj / cap)"
	}
	if o.Mask.Causal || o.Mask.Window > 0 {
		says, formula = says+", and what a query does not see is −∞", formula+" if s sees j, else −∞"
	}
	s.step(says+".", "attention.Scores", formula, append(values, matrix("x", x))...)
	p, lse = attention.Softmax(x, o.Sink)
	s.softmax(p, lse, o.Sink)
	out = attention.Values(p, v, o)
	s.step("The output is the mean of the values with these weights; `attention.Head` does all of it.",
		"attention.Values", "o_s = Σ_j p_sj v_j", matrix("o", out))
	return out, p, lse
}

// softmax adds the step from scores to weights.
func (s *Sheet) softmax(p *mat.Dense, lse []float64, sink *float64) {
	if sink == nil {
		s.step("The softmax makes weights of each row, which sum to 1.", "attention.Softmax",
			"lse_s = ln Σ_j e^{x_sj}\np_sj = e^{x_sj − lse_s}", row("lse", lse), matrix("p", p))
		return
	}
	s.step("The softmax makes weights of each row. A sink takes a share of them and adds nothing to the output.",
		"attention.Softmax", "lse_s = ln Σ_j e^{x_sj}\np_sj = e^{x_sj} / (e^{lse_s} + e^sink)",
		number("sink", *sink), row("lse", lse), matrix("p", p))
}

func backwardSheet() *Sheet {
	rec := chosen("attention.backward", map[string]any{"scale": math.Ln2}).
		put("q", []int{1, 2, 1, 2}, 1, 0, 0, 2).put("k", []int{1, 2, 1, 2}, 1, 0, 1, 1).
		put("v", []int{1, 2, 1, 2}, 10, 0, 0, 10).put("do", []int{1, 2, 1, 2}, 1, 0, 0, 1)
	return work("And back", "The gradient of the output is (1, 0) for the first query and (0, 1) for the second.",
		rec.Recording, walkBackward)
}

// walkBackward works the first query of the first head, and what it adds to the gradients of keys
// and values; of chosen inputs all.
func walkBackward(s *Sheet, c *op.Case) {
	used, n := attend.KeysInUse(c, 0), s.rows(c.Dim("S"))
	if used == 0 {
		s.given("The first sequence has no key in use: the gradient of its queries is 0.")
		s.out("dq", 0, make([]float64, c.Dim("D"))...)
		return
	}
	q, k, v := c.HeadRows("q", 0, 0, 0, n), c.HeadRows("k", 0, 0, 0, used), c.HeadRows("v", 0, 0, 0, used)
	do, o := c.HeadRows("do", 0, 0, 0, n), optionsOf(c, used)
	s.given("Queries, keys and values of the first head, and the gradient of its output.", matrix("q", q),
		matrix("k", k), matrix("v", v), matrix("do", do))
	_, p, _ := s.attend(q, k, v, o)
	dp := attention.Products(do, v)
	dx := attention.SoftmaxBackward(p, dp)
	s.step("The gradient of each weight is what its value has of the gradient of the output.", "attention.Products",
		"dp_sj = do_s·v_j", matrix("dp", dp))
	s.step("Through the softmax: more weight for one key is less for the others.", "attention.SoftmaxBackward",
		"dx_sj = p_sj (dp_sj − Σ_i p_si dp_si)", matrix("dx", dx))
	s.gradients(q, k, do, p, s.uncapped(q, k, dx, o), o)
}

// uncapped brings the gradient of scores through a soft cap, if there is one.
func (s *Sheet) uncapped(q, k mat.Matrix, dx *mat.Dense, o attention.Options) *mat.Dense {
	if o.SoftCap == 0 {
		return dx
	}
	products := attention.Products(q, k)
	dx.Apply(func(i, j int, d float64) float64 {
		return d * attention.SoftCapSlope(o.Scale*products.At(i, j), o.SoftCap)
	}, dx)
	s.step("Through the cap.", "attention.SoftCapSlope", "dx_sj ← dx_sj (1 − tanh²(scale · d_sj / cap))",
		matrix("dx", dx))
	return dx
}

// gradients adds the last step back.
func (s *Sheet) gradients(q, k, do, p mat.Matrix, dx *mat.Dense, o attention.Options) {
	var dq, dk, dv mat.Dense
	dq.Mul(dx, k)
	dq.Scale(o.Scale, &dq)
	dk.Mul(dx.T(), q)
	dk.Scale(o.Scale, &dk)
	dv.Mul(p.T(), do)
	s.step("A query learns from the keys, a key from the queries, both by dx; a value gets what each output hands "+
		"down by its weight. `attention.Backward` does all of it.",
		"attention.Backward", "dq_s = scale · Σ_j dx_sj k_j\ndk_j = scale · Σ_s dx_sj q_s\ndv_j = Σ_s p_sj do_s",
		matrix("dq", &dq), matrix("dk", &dk), matrix("dv", &dv))
	s.out("dq", 0, dq.RawRowView(0)...)
}

func mergeSheet() *Sheet {
	rec := chosen("attention.merge", nil).
		put("o", []int{2, 1, 2}, 4, 0, 0, 8).put("lse", []int{2, 1}, 0, math.Log(3))
	return work("Two parts of the keys joined", "A kernel that splits the keys keeps an output and a log-sum-exp of "+
		"each part. The second part's sum of exponentials is three times the first's.", rec.Recording, walkMerge)
}

// walkMerge works the first query.
func walkMerge(s *Sheet, c *op.Case) {
	parts, unit := c.Dim("P"), attend.LSEUnit(c)
	outputs, logs := make([]*mat.Dense, parts), make([][]float64, parts)
	shown, lse := mat.NewDense(parts, c.Dim("V"), nil), make([]float64, parts)
	for p := range parts {
		shown.SetRow(p, c.Input("o").Row(p, 0))
		lse[p] = c.Input("lse").At(p, 0) * unit
		outputs[p], logs[p] = mat.NewDense(1, c.Dim("V"), c.Input("o").Row(p, 0)), lse[p:p+1]
	}
	s.given("Outputs of the parts, and their log-sum-exps.", matrix("o", shown), row("lse", lse))
	out, all := attention.Merge(outputs, logs)
	weights := make([]float64, parts)
	for p := range weights {
		weights[p] = math.Exp(lse[p] - all[0])
	}
	s.step("A part weighs what its sum of exponentials is of the whole.", "attention.LogSumExp",
		"lse = ln Σ_p e^{lse_p}\nw_p = e^{lse_p − lse}", number("lse", all[0]), row("w", weights))
	s.step("The outputs are averaged with these weights.", "attention.Merge", "o = Σ_p w_p o_p",
		matrix("o", out))
	s.out("o", 0, out.RawRowView(0)...)
	s.out("lse", 0, all[0]/unit)
}

func decodeSheet() *Sheet {
	rec := chosen("mla.decode", map[string]any{"value_dim": 2, "scale": math.Ln2}).
		put("q", []int{1, 1, 1, 3}, 1, 0, 1).
		put("kv_cache", []int{3, 2, 1, 3}, 0, 8, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 1, 0, 0, 0, 4, 0).
		put("block_table", []int{1, 2}, 2, 0).put("kv_lens", nil, 3)
	return work("One token decoded with MLA", "The cache holds rows [latent; rope key] in pages of two rows; "+
		"the sequence has three tokens, in block 2 and then block 0. The query is absorbed already, and the scale "+
		"is ln 2, so that weights are fractions.", rec.Recording, walkDecode)
}

// walkDecode works the first head of the first query.
func walkDecode(s *Sheet, c *op.Case) {
	seen, width := latent.Seen(c, 0, 0), c.Int("value_dim")
	if seen == 0 {
		s.given("The first query sees no key: its output is 0, and the log-sum-exp −∞.")
		s.out("o", 0, make([]float64, width)...)
		s.out("lse", 0, math.Inf(-1))
		return
	}
	q := mat.NewDense(1, c.Dim("D"), c.Input("q").Row(0, 0, 0))
	keys := latent.Gathered(c, 0)
	s.step("The pages of the first sequence, put in its order.", "mla.GatherPages", "",
		row("blocks", c.Input("block_table").Row(0)), number("rows in use", float64(attend.KeysInUse(c, 0))),
		matrix("rows", keys))
	k := keys.Slice(0, seen, 0, c.Dim("D"))
	v := keys.Slice(0, seen, 0, width)
	s.given("The absorbed query meets whole rows; the first columns of the same rows are the values, and nothing "+
		"else was kept.", matrix("q", q), matrix("v", v))
	out, _, lse := s.attend(q, k, v, attention.Options{Scale: c.Float("scale")})
	s.attended(c, out, lse)
}
