package emulated

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// Undecided is the note of a request on which right gates may choose different experts.
const Undecided = "experts or groups that tie, or nearly"

// routing is what a gate is like: experts in groups, and how many of which are chosen.
type routing struct{ E, groups, kept, K int }

// routings are those of models, and small ones.
var routings = []routing{
	{8, 1, 1, 2}, {16, 1, 1, 4}, {64, 1, 1, 6}, {7, 1, 1, 3}, {12, 1, 1, 8}, {5, 1, 1, 1}, {16, 4, 2, 4}, {16, 4, 2, 2},
	{32, 8, 4, 8}, {32, 8, 4, 5}, {24, 8, 3, 6}, {12, 4, 2, 5}, {9, 3, 1, 2}, {64, 8, 4, 8}, {160, 8, 3, 6},
	{256, 8, 4, 8}, {256, 8, 4, 8},
}

// conventions stores the attributes of a gate.
func (r routing) conventions(m *emulate.Maker) {
	m.Whole("top_k", r.K)
	if r.groups > 1 {
		m.Whole("groups", r.groups)
		m.Whole("top_groups", r.kept)
		m.Sometimes(0.6, "group_score", emulate.Pick(m, "max", "share", "share", "top2"))
	}
	m.Sometimes(0.6, "score", emulate.Pick(m, "softmax", "sigmoid", "sqrt_softplus"))
	m.Sometimes(0.4, "normalize", emulate.Pick(m, false, false, true))
	if m.Chance(0.4) {
		m.Number("norm_eps", emulate.Pick(m, 1e-20, 1e-20, 1e-6, 0.01))
	}
	if m.Chance(0.6) {
		m.Number("scale", emulate.Pick(m, 2.5, 2.5, 16, 1.5))
	}
}

// storeBias stores the bias that experts are chosen with, or none.
func (r routing) storeBias(m *emulate.Maker) {
	if m.Chance(0.25) {
		return
	}
	mean := emulate.Pick(m, 0, 0, -1.2, -1.2, 2.5)
	b := m.Normals(mean, emulate.Pick(m, 0.05, 0.3), r.E)
	m.Set("bias", emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16), b)
}

func requestGate(m *emulate.Maker) {
	r := emulate.Pick(m, routings...)
	N := emulate.Pick(m, 2, 5, 12, 33)
	if r.E > 100 {
		N = min(N, 12)
	}
	r.conventions(m)
	r.storeBias(m)
	level, spread := levelOf(m), emulate.Pick(m, 0.1, 1, 1.5, 2, 4)
	if spread < 0.2 {
		m.Provenance["note"] = Undecided
	}
	if m.Chance(0.4) {
		r.products(m, N, spread)
		return
	}
	z := m.Normals(level, spread, N, r.E)
	if m.Chance(0.4) {
		m.Provenance["note"] = Undecided
		r.tie(m, z)
	}
	m.Set("logits", m.Input, z)
}

// levelOf chooses what logits lie around.
func levelOf(m *emulate.Maker) float64 {
	level := emulate.Pick(m, 0.0, 0, -3, 3, -30)
	switch score := m.Attrs["score"]; {
	case score == nil, score == "sigmoid":
		return max(level, -12) // far below, ½ + ½ tanh(z/2) is 0
	case score == "sqrt_softplus" && level < 0:
		return level - 12 // where 1 + e^z is next to 1
	}
	return level
}

// products stores tokens and centroids, now and then two of them equal.
func (r routing) products(m *emulate.Maker, n int, spread float64) {
	d := emulate.Pick(m, 16, 40, 96)
	w := m.Normals(0, spread/math.Sqrt(float64(d)), r.E, d)
	if m.Chance(0.3) {
		m.Provenance["note"] = Undecided
		for range 1 + m.IntN(r.E) {
			copy(w.Row(m.IntN(r.E)), w.Row(m.IntN(r.E)))
		}
	}
	m.Set("x", m.Input, m.Normals(0, 1, n, d))
	m.Set("weight", emulate.Pick(m, m.Input, m.Input, dtype.F32), w)
}

// tie makes logits equal or all but equal, single ones and whole groups. With a bias of one value
// scores tie with it too.
func (r routing) tie(m *emulate.Maker, z *tensor.Tensor) {
	kind, size := m.IntN(4), r.E/r.groups
	if m.Chance(0.5) && m.Has("bias") {
		b := m.Normals(emulate.Pick(m, -1.2, 2.5, 0.1), 0, r.E)
		m.Set("bias", dtype.F32, b)
	}
	for n := range z.Shape[0] {
		row := z.Row(n)
		if kind == 3 && n%4 == 0 { // all of them
			emulate.Fill(row, row[0])
		}
		for range 1 + m.IntN(r.E) {
			from, to := m.IntN(r.E), m.IntN(r.E)
			row[to] = row[from]
			if kind == 1 {
				row[to] *= 1 + 0x1p-23*float64(m.IntN(5)-2)
			}
		}
		if kind == 2 {
			from, to := m.IntN(r.groups), m.IntN(r.groups)
			copy(emulate.Row(row, to, size), emulate.Row(row, from, size))
		}
	}
}

func requestExperts(m *emulate.Maker) {
	N, E := emulate.Pick(m, 1, 3, 8, 8, 20, 20, 72), emulate.Pick(m, 1, 2, 5, 8, 16)
	K := min(1+m.IntN(4), E)
	d := networkOf(m, E)
	m.Set("x", m.Input, m.Normals(0, 1, N, d))
	m.Ints("indices", chosen(m, N, E, K), N, K)
	weights := tensor.New(N, K)
	scale, signed := emulate.Pick(m, 1, 1, 2.5), m.Chance(0.1)
	for i := range weights.Data {
		weights.Data[i] = scale * m.Within(0.05, 1) / math.Sqrt(float64(K))
		if signed && m.Chance(0.5) {
			weights.Data[i] *= -1
		}
	}
	m.Set("weights", emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16), weights)
}

// networkOf stores the weights of E experts, now and then of shared ones too, and their
// conventions, and returns the width of the model. Inner units are around 1.
func networkOf(m *emulate.Maker, E int) (d int) {
	d = emulate.Pick(m, 24, 40, 64, 96)
	F := emulate.Pick(m, 1, 16, 24, 40, 64)
	gain := emulate.Pick(m, 1, 1, 3.0)
	matrix := func(name string, size float64, shape ...int) {
		m.Set(name, m.Input, m.Normals(0, size/math.Sqrt(float64(shape[len(shape)-1])), shape...))
	}
	matrix("w_gate", gain, E, F, d)
	matrix("w_up", gain, E, F, d)
	matrix("w_down", 1, E, d, F)
	if m.Chance(0.5) {
		shared := F * emulate.Pick(m, 1, 2)
		matrix("shared_gate", gain, shared, d)
		matrix("shared_up", gain, shared, d)
		matrix("shared_down", 1, d, shared)
	}
	if m.Chance(0.4) {
		m.Number("swiglu_limit", emulate.Pick(m, 10, 1.5, 1.5, 0.75))
	}
	m.Sometimes(0.3, "weight_at", "hidden")
	return d
}

// chosen returns K experts for each of N tokens, now and then with duplicates, with slots that have
// none, or all of one expert.
func chosen(m *emulate.Maker, n, experts, k int) []int {
	var ids []int
	kind, few := m.IntN(8), max(k, experts/2)
	for t := range n {
		row := m.Perm(experts)[:k]
		switch {
		case kind == 0: // the others are empty
			row = m.Perm(few)[:k]
		case kind == 1: // one has every token
			row[m.IntN(k)] = experts / 2
		case kind == 2 && k > 1 && m.Chance(0.5):
			row[1+m.IntN(k-1)] = row[0]
		case kind == 3, kind == 4:
			for s := range row {
				if m.Chance(0.25) || t == 0 {
					row[s] = -1 - m.IntN(2)
				}
			}
		}
		ids = append(ids, row...)
	}
	ids[len(ids)-1] = max(ids[len(ids)-1], 0) // one pair at least
	return ids
}

func requestLayer(m *emulate.Maker) {
	N := emulate.Pick(m, 1, 4, 4, 8, 8, 8, 14, 14, 14, 48)
	r := emulate.Pick(
		m, routing{8, 1, 1, 2}, routing{16, 1, 1, 4}, routing{7, 1, 1, 3}, routing{16, 4, 2, 4}, routing{16, 4, 2, 2},
		routing{12, 4, 2, 5}, routing{24, 8, 4, 8}, routing{4, 1, 1, 1},
	)
	r.conventions(m)
	r.storeBias(m)
	d := networkOf(m, r.E)
	m.Set("x", m.Input, m.Normals(0, 1, N, d))
	w := m.Normals(0, m.Within(0.5, 3)/math.Sqrt(float64(d)), r.E, d)
	if m.Chance(0.1) {
		m.Provenance["note"] = Undecided
		copy(w.Row(0), w.Row(1))
	}
	m.Set("weight", emulate.Pick(m, m.Input, m.Input, dtype.F32), w)
}
