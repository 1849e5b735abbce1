package emulate

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// batchShape is the geometry of a batch of sequences: [N,L] and which tokens count.
type batchShape struct {
	N, L int
	mask *tensor.Tensor
	junk float64 // what stands where no token counts
}

// batch makes ragged sequences, some without tokens, now and then with tokens of tools in between
// that do not count.
func (m *maker) batch() *batchShape {
	b := &batchShape{
		N: pick(m, 1, 2, 4, 6, 8, 12), L: pick(m, 1, 5, 8, 20, 33, 64), junk: pick(m, 0, 0, math.NaN(), 1e3, -7),
	}
	b.mask = tensor.New(b.N, b.L)
	ragged, holes := m.chance(0.8), m.chance(0.3)
	for i := range b.N {
		length := b.L
		if ragged {
			length = pick(m, m.IntN(b.L+1), m.IntN(b.L+1), b.L, max(1, b.L-1), 0)
		}
		for t := range length {
			if !holes || !m.chance(0.25) {
				b.mask.Data[i*b.L+t] = 1
			}
		}
	}
	b.mask.Data[0] = 1
	m.Set("mask", pick(m, dtype.F32, dtype.F32, dtype.I64, dtype.U8, dtype.Bool), b.mask)
	m.input = pick(m, dtype.F32, dtype.F32, dtype.F32, dtype.BF16, dtype.F16)
	return b
}

// tokens stores an input [N,L] with junk where no token counts.
func (m *maker) tokens(b *batchShape, name string, draw func(at int) float64) *tensor.Tensor {
	x := tensor.New(b.N, b.L)
	for at := range x.Data {
		x.Data[at] = b.junk
		if b.mask.Data[at] != 0 {
			x.Data[at] = m.input.Round(draw(at))
		}
	}
	m.Set(name, m.input, x)
	return x
}

// logprobs stores log-probabilities of the policy, and under other names those of policies nearby:
// by how much differs from batch to batch.
func (m *maker) logprobs(b *batchShape, others ...string) *tensor.Tensor {
	x := m.tokens(b, "logprob", func(int) float64 { return -m.ExpFloat64() * 1.5 })
	for _, name := range others {
		drift := pick(m, 0.3, 0.3, 1.5, 0.05, 0)
		m.tokens(b, name, func(at int) float64 { return x.Data[at] + drift*m.NormFloat64() })
	}
	return x
}

// logits stores logits over a small vocabulary, tokens, and log-probabilities of a policy nearby,
// and returns those of this one.
func (m *maker) logits(b *batchShape) *tensor.Tensor {
	vocab, temperature := pick(m, 2, 17, 50), pick(m, 1, 1, 0.6, 2)
	z, tokens := m.normals(pick(m, 0.0, 0, 20), m.within(1, 3), b.N, b.L, vocab), make([]int, b.N*b.L)
	typ := pick(m, dtype.F32, dtype.BF16)
	x := tensor.New(b.N, b.L)
	for at := range tokens {
		row := vector(z.Data, at, vocab)
		tokens[at] = m.IntN(vocab)
		if b.mask.Data[at] == 0 {
			tokens[at] = -100
			fill(row, b.junk)
			continue
		}
		x.Data[at] = logProbOf(typ, row, tokens[at], temperature)
	}
	if temperature != 1 {
		m.number("temperature", temperature)
	}
	m.Set("logits", typ, z)
	m.ints("tokens", tokens, b.N, b.L)
	drift := pick(m, 0.3, 0.3, 1.5, 0.05)
	m.tokens(b, "old_logprob", func(at int) float64 { return x.Data[at] + drift*m.NormFloat64() })
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
func (m *maker) extreme(name string) {
	x, err := m.Tensor(name)
	if err != nil {
		panic("emulate: no such input")
	}
	y := tensor.Of(append([]float64(nil), x.Data...), x.Shape...)
	for at, v := range y.Data {
		if dtype.Finite(v) && m.chance(0.05) {
			y.Data[at] = pick(m, v+100, v-100, v+25, v-25, math.Inf(-1))
		}
	}
	m.Set(name, m.input, y)
}

func (m *maker) policyKL() {
	b := m.batch()
	m.logprobs(b, "ref_logprob")
	m.Attrs["estimator"] = pick(m, "k1", "k2", "k3", "k3", "k3")
	if m.Attrs["estimator"] == "k3" && m.chance(0.5) {
		m.number("limit", pick(m, 20.0, 10, 0.5))
	}
	if m.chance(0.3) {
		m.extreme("ref_logprob")
	}
}

func (m *maker) policyLoss() {
	b := m.batch()
	var x *tensor.Tensor
	if m.chance(0.3) {
		x = m.logits(b)
	} else {
		x = m.logprobs(b, "old_logprob")
	}
	m.lossConventions()
	switch {
	case m.chance(0.25):
		m.extreme("old_logprob")
	case m.chance(0.3):
		m.atTheBounds(b, x)
	}
	if m.Attrs["kl"] != nil {
		m.tokens(b, "ref_logprob", func(at int) float64 { return x.Data[at] + 0.5*m.NormFloat64() })
	}
	m.advantages(b)
}

// advantages stores those of sequences, one of them 0 now and then, or of tokens.
func (m *maker) advantages(b *batchShape) {
	if !m.chance(0.5) {
		m.tokens(b, "advantage", func(int) float64 { return m.NormFloat64() })
		return
	}
	a := m.normals(0, 1, b.N)
	if m.chance(0.3) {
		a.Data[m.IntN(b.N)] = 0
	}
	m.Set("advantage", dtype.F32, a)
}

// undecided is the note of a request on which right kernels may take different branches.
const undecided = "ratios at the bounds of the clip"

// atTheBounds moves ratios of a few tokens to where a branch begins, to the last place.
func (m *maker) atTheBounds(b *batchShape, logprob *tensor.Tensor) {
	m.Provenance["note"] = undecided
	m.tokens(b, "old_logprob", func(at int) float64 {
		if m.chance(0.05) {
			return logprob.Data[at] - math.Log(pick(m, 1.2, 0.8, 1.28, 3))
		}
		return logprob.Data[at] + 0.3*m.NormFloat64()
	})
}

func (m *maker) lossConventions() {
	m.sometimes(0.3, "ratio", "sequence")
	m.Attrs["clip"] = pick(m, "ppo", "ppo", "ppo", "gppo", "cispo", "none")
	if m.chance(0.6) {
		m.number("clip_high", pick(m, 0.28, 0.28, 0.5))
	}
	if m.chance(0.5) && m.Attrs["clip"] != "cispo" {
		m.number("dual_clip", pick(m, 3.0, 3, 1.5))
	}
	if m.chance(0.5) {
		m.number("log_ratio_limit", pick(m, 20.0, 10, 0.5))
	}
	if m.chance(0.4) {
		m.Attrs["kl"] = pick(m, "k1", "k2", "k3", "k3")
		m.number("kl_coef", pick(m, 0.001, 0.04, 0.5))
	}
	m.aggregate()
}

func (m *maker) aggregate() {
	m.Attrs["aggregate"] = pick(m, "token_mean", "sequence_mean", "sequence_sum", "constant")
	if m.Attrs["aggregate"] == "constant" {
		m.whole("aggregate_length", pick(m, 32, 100, 1000))
	}
	if rows := m.Shape("mask"); len(rows) > 0 && rows[0]%3 == 1 {
		m.Attrs["empty_rows"] = "count"
	}
}

func (m *maker) gae() {
	b := m.batch()
	sparse := m.chance(0.5)
	m.tokens(b, "rewards", func(int) float64 {
		if sparse && !m.chance(0.1) {
			return 0
		}
		return m.NormFloat64()
	})
	level := pick(m, 0.0, 0, 3)
	m.tokens(b, "values", func(int) float64 { return level + 0.5*m.NormFloat64() })
	m.number("gamma", pick(m, 1, 0.99, 0.999))
	m.number("lambda", pick(m, 1, 0.95, 0.95, 0))
	m.sometimes(0.6, "whiten", true)
}

func (m *maker) valueLoss() {
	b := m.batch()
	old := m.tokens(b, "old_values", func(int) float64 { return m.NormFloat64() })
	m.tokens(b, "values", func(at int) float64 { return old.Data[at] + 0.3*m.NormFloat64() })
	m.tokens(b, "returns", func(at int) float64 { return old.Data[at] + 0.7*m.NormFloat64() })
	if m.chance(0.7) {
		m.number("clip", pick(m, 0.2, 0.2, 0.5))
	}
	m.aggregate()
}

func (m *maker) groupAdvantage() {
	ids := m.groups()
	kind, offset := m.IntN(4), pick(m, 0.0, 0, 5)
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
	m.Set("rewards", pick(m, dtype.F32, dtype.F32, dtype.BF16), x)
	m.ints("group", ids, len(ids))
	m.Attrs["std"] = pick(m, "population", "sample", "sample", "none")
	if m.chance(0.8) {
		m.number("eps", pick(m, 1e-6, 1e-6, 1e-4, 1e-8))
	}
}

// groups returns the group of every output, shuffled; some have one output alone.
func (m *maker) groups() []int {
	groups, size := pick(m, 1, 3, 6, 12), pick(m, 1, 2, 4, 8, 16)
	var ids []int
	for g := range groups {
		n := size
		if m.chance(0.2) {
			n = 1
		}
		ids = append(ids, slices.Repeat([]int{7*g - 3}, n)...)
	}
	m.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
	return ids
}

func (m *maker) preference() {
	n := pick(m, 1, 2, 7, 12, 64)
	m.input = pick(m, dtype.F32, dtype.F32, dtype.F32, dtype.BF16)
	drift := pick(m, 1.0, 5, 20, 0)
	chosen, rejected := m.responses("chosen", n, drift), m.responses("rejected", n, drift)
	m.number("beta", pick(m, 0.1, 0.1, 0.5, 0.05))
	switch {
	case m.chance(0.3):
		m.Attrs["kind"] = "ipo"
	case m.chance(0.5):
		m.number("label_smoothing", pick(m, 0.1, 0.3))
	}
	if m.chance(0.5) {
		m.ints("lengths_chosen", chosen, n)
		m.ints("lengths_rejected", rejected, n)
		m.Attrs["length_normalize"] = m.chance(0.6)
	}
}

// responses stores log-probabilities of n responses under a reference and a policy nearby, and
// returns their lengths.
func (m *maker) responses(side string, n int, drift float64) []int {
	lengths, ref, x := make([]int, n), tensor.New(n), tensor.New(n)
	for i := range n {
		lengths[i] = 1 + m.IntN(300)
		ref.Data[i] = m.input.Round(-float64(lengths[i]) * m.within(0.3, 1.5))
		x.Data[i] = ref.Data[i] + drift*m.NormFloat64()
		if m.chance(0.02) {
			x.Data[i] = pick(m, math.Inf(-1), ref.Data[i]-1000)
		}
	}
	m.Set("ref_"+side, m.input, ref)
	m.Set(side, m.input, x)
	return lengths
}

func (m *maker) logProb() {
	n, vocab := pick(m, 1, 5, 20), pick(m, 5, 33, 200, 1000)
	x := m.normals(pick(m, 0.0, 0, 20), m.within(1, 4), n, vocab)
	tokens := make([]int, n)
	for i := range tokens {
		tokens[i] = m.IntN(vocab)
	}
	if m.chance(0.3) { // excluded tokens
		for i := range x.Data {
			if m.chance(0.2) {
				x.Data[i] = math.Inf(-1)
			}
		}
	}
	m.Set("logits", pick(m, dtype.F32, dtype.F32, dtype.BF16), x)
	m.ints("tokens", tokens, n)
	if m.chance(0.6) {
		m.number("temperature", pick(m, 0.6, 0.7, 2))
	}
}
