package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// batchShape is the geometry of a batch of sequences: [N,L] and which tokens count.
type batchShape struct {
	N, L int
	mask *tensor.Tensor
	junk float64 // what stands where no token counts
}

// makeBatch makes ragged sequences, some without tokens, now and then with tokens of tools in
// between that do not count.
func makeBatch(m *emulate.Maker) *batchShape {
	b := &batchShape{
		N: emulate.Pick(m, 1, 2, 4, 6, 8, 12), L: emulate.Pick(m, 1, 5, 8, 20, 33, 64),
		junk: emulate.Pick(m, 0, 0, math.NaN(), 1e3, -7),
	}
	b.mask = tensor.New(b.N, b.L)
	ragged, holes := m.Chance(0.8), m.Chance(0.3)
	for i := range b.N {
		length := b.L
		if ragged {
			length = emulate.Pick(m, m.IntN(b.L+1), m.IntN(b.L+1), b.L, max(1, b.L-1), 0)
		}
		for t := range length {
			if !holes || !m.Chance(0.25) {
				b.mask.Data[i*b.L+t] = 1
			}
		}
	}
	b.mask.Data[0] = 1
	m.Set("mask", emulate.Pick(m, dtype.F32, dtype.F32, dtype.I64, dtype.U8, dtype.Bool), b.mask)
	m.Input = emulate.Pick(m, dtype.F32, dtype.F32, dtype.F32, dtype.BF16, dtype.F16)
	return b
}

// makeTokens stores an input [N,L] with junk where no token counts.
func makeTokens(m *emulate.Maker, b *batchShape, name string, draw func(at int) float64) *tensor.Tensor {
	x := tensor.New(b.N, b.L)
	for at := range x.Data {
		x.Data[at] = b.junk
		if b.mask.Data[at] != 0 {
			x.Data[at] = m.Input.Round(draw(at))
		}
	}
	m.Set(name, m.Input, x)
	return x
}

// logprobs stores log-probabilities of the policy, and under other names those of policies nearby:
// by how much differs from batch to batch.
func logprobs(m *emulate.Maker, b *batchShape, others ...string) *tensor.Tensor {
	x := makeTokens(m, b, "logprob", func(int) float64 { return -m.ExpFloat64() * 1.5 })
	for _, name := range others {
		drift := emulate.Pick(m, 0.3, 0.3, 1.5, 0.05, 0)
		makeTokens(m, b, name, func(at int) float64 { return x.Data[at] + drift*m.NormFloat64() })
	}
	return x
}

// logits stores logits over a small vocabulary, tokens, and log-probabilities of a policy nearby,
// and returns those of this one.
func logits(m *emulate.Maker, b *batchShape) *tensor.Tensor {
	vocab, temperature := emulate.Pick(m, 2, 17, 50), emulate.Pick(m, 1, 1, 0.6, 2)
	z, tokens := m.Normals(emulate.Pick(m, 0.0, 0, 20), m.Within(1, 3), b.N, b.L, vocab), make([]int, b.N*b.L)
	typ := emulate.Pick(m, dtype.F32, dtype.BF16)
	x := tensor.New(b.N, b.L)
	for at := range tokens {
		row := emulate.Row(z.Data, at, vocab)
		tokens[at] = m.IntN(vocab)
		if b.mask.Data[at] == 0 {
			tokens[at] = -100
			emulate.Fill(row, b.junk)
			continue
		}
		x.Data[at] = logProbOf(typ, row, tokens[at], temperature)
	}
	if temperature != 1 {
		m.Number("temperature", temperature)
	}
	m.Set("logits", typ, z)
	m.Ints("tokens", tokens, b.N, b.L)
	drift := emulate.Pick(m, 0.3, 0.3, 1.5, 0.05)
	makeTokens(m, b, "old_logprob", func(at int) float64 { return x.Data[at] + drift*m.NormFloat64() })
	return x
}

// logProbOf rounds logits to their type and returns the log-probability of one.
func logProbOf(t dtype.Type, row []float64, token int, temperature float64) float64 {
	var sum float64
	for j := range row {
		row[j] = t.Round(row[j])
		sum += math.Exp(row[j] / temperature)
	}
	return row[token]/temperature - math.Log(sum)
}

// extreme moves log-ratios of a few tokens to ±100 and to infinity.
func extreme(m *emulate.Maker, name string) {
	x, err := m.Tensor(name)
	if err != nil {
		panic("emulate: no such input")
	}
	y := tensor.Of(append([]float64(nil), x.Data...), x.Shape...)
	for at, v := range y.Data {
		if dtype.Finite(v) && m.Chance(0.05) {
			y.Data[at] = emulate.Pick(m, v+100, v-100, v+25, v-25, math.Inf(-1))
		}
	}
	m.Set(name, m.Input, y)
}

func requestKL(m *emulate.Maker) {
	b := makeBatch(m)
	logprobs(m, b, "ref_logprob")
	m.Attrs["estimator"] = emulate.Pick(m, "k1", "k2", "k3", "k3", "k3")
	if m.Attrs["estimator"] == "k3" && m.Chance(0.5) {
		m.Number("limit", emulate.Pick(m, 20.0, 10, 0.5))
	}
	if m.Chance(0.3) {
		extreme(m, "ref_logprob")
	}
}

func requestLoss(m *emulate.Maker) {
	b := makeBatch(m)
	var x *tensor.Tensor
	if m.Chance(0.3) {
		x = logits(m, b)
	} else {
		x = logprobs(m, b, "old_logprob")
	}
	lossConventions(m)
	switch {
	case m.Chance(0.25):
		extreme(m, "old_logprob")
	case m.Chance(0.3):
		atTheBounds(m, b, x)
	}
	if m.Attrs["kl"] != nil {
		makeTokens(m, b, "ref_logprob", func(at int) float64 { return x.Data[at] + 0.5*m.NormFloat64() })
	}
	advantages(m, b)
}

// advantages stores those of sequences, one of them 0 now and then, or of tokens.
func advantages(m *emulate.Maker, b *batchShape) {
	if !m.Chance(0.5) {
		makeTokens(m, b, "advantage", func(int) float64 { return m.NormFloat64() })
		return
	}
	a := m.Normals(0, 1, b.N)
	if m.Chance(0.3) {
		a.Data[m.IntN(b.N)] = 0
	}
	m.Set("advantage", dtype.F32, a)
}

// Undecided is the note of a request on which right kernels may take different branches.
const Undecided = "ratios at the bounds of the clip"

// atTheBounds moves ratios of a few tokens to where a branch begins, to the last place.
func atTheBounds(m *emulate.Maker, b *batchShape, logprob *tensor.Tensor) {
	m.Provenance["note"] = Undecided
	makeTokens(m, b, "old_logprob", func(at int) float64 {
		if m.Chance(0.05) {
			return logprob.Data[at] - math.Log(emulate.Pick(m, 1.2, 0.8, 1.28, 3))
		}
		return logprob.Data[at] + 0.3*m.NormFloat64()
	})
}

func lossConventions(m *emulate.Maker) {
	m.Sometimes(0.3, "ratio", "sequence")
	m.Attrs["clip"] = emulate.Pick(m, "ppo", "ppo", "ppo", "gppo", "cispo", "none")
	if m.Chance(0.6) {
		m.Number("clip_high", emulate.Pick(m, 0.28, 0.28, 0.5))
	}
	if m.Chance(0.5) && m.Attrs["clip"] != "cispo" {
		m.Number("dual_clip", emulate.Pick(m, 3.0, 3, 1.5))
	}
	if m.Chance(0.5) {
		m.Number("log_ratio_limit", emulate.Pick(m, 20.0, 10, 0.5))
	}
	if m.Chance(0.4) {
		m.Attrs["kl"] = emulate.Pick(m, "k1", "k2", "k3", "k3")
		m.Number("kl_coef", emulate.Pick(m, 0.001, 0.04, 0.5))
	}
	if m.Attrs["kl"] == "k3" && m.Attrs["log_ratio_limit"] != nil { // one that references are beyond
		m.Number("log_ratio_limit", 0.5)
	}
	aggregate(m)
}

func aggregate(m *emulate.Maker) {
	m.Attrs["aggregate"] = emulate.Pick(m, "token_mean", "sequence_mean", "sequence_sum", "constant")
	if m.Attrs["aggregate"] == "constant" {
		m.Whole("aggregate_length", emulate.Pick(m, 32, 100, 1000))
	}
	if rows := m.Shape("mask"); len(rows) > 0 && rows[0]%3 == 1 {
		m.Attrs["empty_rows"] = "count"
	}
}

func requestGAE(m *emulate.Maker) {
	b := makeBatch(m)
	sparse := m.Chance(0.5)
	makeTokens(m, b, "rewards", func(int) float64 {
		if sparse && !m.Chance(0.1) {
			return 0
		}
		return m.NormFloat64()
	})
	level := emulate.Pick(m, 0.0, 0, 3)
	makeTokens(m, b, "values", func(int) float64 { return level + 0.5*m.NormFloat64() })
	m.Number("gamma", emulate.Pick(m, 1, 0.99, 0.999))
	m.Number("lambda", emulate.Pick(m, 1, 0.95, 0.95, 0))
	m.Sometimes(0.6, "whiten", true)
}

func requestValueLoss(m *emulate.Maker) {
	b := makeBatch(m)
	old := makeTokens(m, b, "old_values", func(int) float64 { return m.NormFloat64() })
	makeTokens(m, b, "values", func(at int) float64 { return old.Data[at] + 0.3*m.NormFloat64() })
	makeTokens(m, b, "returns", func(at int) float64 { return old.Data[at] + 0.7*m.NormFloat64() })
	if m.Chance(0.7) {
		m.Number("clip", emulate.Pick(m, 0.2, 0.2, 0.5))
	}
	aggregate(m)
}

func requestAdvantage(m *emulate.Maker) {
	ids := groups(m)
	kind, offset := m.IntN(4), emulate.Pick(m, 0.0, 0, 5)
	x := tensor.New(len(ids))
	for i := range x.Data {
		switch kind {
		case 0: // right or wrong
			x.Data[i] = float64(m.IntN(2))
		case 1: // nearly equal
			x.Data[i] = 0.1 + 1e-6*m.NormFloat64()
		default:
			x.Data[i] = offset + m.NormFloat64()
		}
	}
	m.Set("rewards", emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16), x)
	m.Ints("group", ids, len(ids))
	m.Attrs["std"] = emulate.Pick(m, "population", "sample", "sample", "none")
	if m.Chance(0.8) {
		m.Number("eps", emulate.Pick(m, 1e-6, 1e-6, 1e-4, 1e-8))
	}
}

// groups returns the group of every output, shuffled; some have one output alone.
func groups(m *emulate.Maker) []int {
	groups, size := emulate.Pick(m, 1, 3, 6, 12), emulate.Pick(m, 1, 2, 4, 8, 16)
	var ids []int
	for g := range groups {
		n := size
		if m.Chance(0.2) {
			n = 1
		}
		ids = append(ids, slices.Repeat([]int{7*g - 3}, n)...)
	}
	m.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
	return ids
}

func requestPreference(m *emulate.Maker) {
	n := emulate.Pick(m, 1, 2, 7, 12, 64)
	m.Input = emulate.Pick(m, dtype.F32, dtype.F32, dtype.F32, dtype.BF16)
	drift := emulate.Pick(m, 1.0, 5, 20, 0)
	chosen, rejected := responses(m, "chosen", n, drift), responses(m, "rejected", n, drift)
	m.Number("beta", emulate.Pick(m, 0.1, 0.1, 0.5, 0.05))
	switch {
	case m.Chance(0.3):
		m.Attrs["kind"] = "ipo"
	case m.Chance(0.5):
		m.Number("label_smoothing", emulate.Pick(m, 0.1, 0.3))
	}
	if m.Chance(0.5) {
		m.Ints("lengths_chosen", chosen, n)
		m.Ints("lengths_rejected", rejected, n)
		m.Attrs["length_normalize"] = m.Chance(0.6)
	}
}

// responses stores log-probabilities of n responses under a reference and a policy nearby, and
// returns their lengths.
func responses(m *emulate.Maker, side string, n int, drift float64) []int {
	lengths, ref, x := make([]int, n), tensor.New(n), tensor.New(n)
	for i := range n {
		lengths[i] = 1 + m.IntN(300)
		ref.Data[i] = m.Input.Round(-float64(lengths[i]) * m.Within(0.3, 1.5))
		x.Data[i] = ref.Data[i] + drift*m.NormFloat64()
		if m.Chance(0.02) {
			x.Data[i] = emulate.Pick(m, math.Inf(-1), ref.Data[i]-1000)
		}
	}
	m.Set("ref_"+side, m.Input, ref)
	m.Set(side, m.Input, x)
	return lengths
}

func requestLogProb(m *emulate.Maker) {
	n, vocab := emulate.Pick(m, 1, 5, 20), emulate.Pick(m, 5, 33, 200, 1000)
	x := m.Normals(emulate.Pick(m, 0.0, 0, 20, 0, 0, 20, 0, 0, -300, 300), m.Within(1, 4), n, vocab)
	tokens := make([]int, n)
	for i := range tokens {
		tokens[i] = m.IntN(vocab)
	}
	if m.Chance(0.3) { // excluded tokens
		for i := range x.Data {
			if m.Chance(0.2) {
				x.Data[i] = math.Inf(-1)
			}
		}
	}
	m.Set("logits", emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16), x)
	if m.Chance(0.6) {
		m.Number("temperature", emulate.Pick(m, 0.6, 0.7, 2))
	}
	if m.Chance(0.3) {
		keptTokens(m, x, tokens)
	}
	if ignore := emulate.Pick(m, -100, -1, tokens[n-1]); m.Chance(0.3) && tokens[0] != ignore {
		ignoreSome(m, ignore, tokens)
	}
	m.Ints("tokens", tokens, n)
}

// ignoreSome leaves some rows but the first without a token.
func ignoreSome(m *emulate.Maker, ignore int, tokens []int) {
	m.Whole("ignore_index", ignore)
	for i := 1; i < len(tokens); i++ {
		if m.Chance(0.2) {
			tokens[i] = ignore
		}
	}
}

// keptTokens stores the set of tokens that a sampler kept: the likelier ones, and the token itself.
func keptTokens(m *emulate.Maker, logits *tensor.Tensor, tokens []int) {
	kept := tensor.New(logits.Shape...)
	for i, token := range tokens {
		cut := logits.Row(i)[token] - m.Within(0, 2)
		for j, z := range logits.Row(i) {
			if z >= cut || j == token {
				kept.Row(i)[j] = 1
			}
		}
	}
	m.Set("kept", emulate.Pick(m, dtype.Bool, dtype.U8, dtype.F32), kept)
}
