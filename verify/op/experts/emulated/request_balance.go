package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

func requestBalance(m *emulate.Maker) {
	E, sequences, length := emulate.Pick(m, 4, 8, 16, 64), emulate.Pick(m, 1, 2, 5), emulate.Pick(m, 1, 7, 16, 40)
	N, K := sequences*length, emulate.Pick(m, 1, 2, 3, 4)
	scores := shares(m, N, E)
	m.Set("scores", emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16), scores)
	m.Ints("indices", loaded(m, scores, K), N, K)
	m.Attrs["kind"] = emulate.Pick(
		m, "expert", "device", "device", "communication", "communication", "sequence", "sequence",
	)
	switch m.Attrs["kind"] {
	case "sequence":
		m.Whole("sequence_length", length)
	case "device", "communication":
		storeDevices(m, E)
	}
	if m.Chance(0.6) {
		m.Number("alpha", emulate.Pick(m, 0.01, 0.001, 1e-4))
	}
	m.Sometimes(0.4, "normalize_scores", true)
}

// shares returns scores, as softmax or as sigmoid gives them; some experts are liked by all.
func shares(m *emulate.Maker, n, experts int) *tensor.Tensor {
	z, liked := m.Normals(0, 1.5, n, experts), m.Normals(0, emulate.Pick(m, 0.0, 1), experts)
	softmax := m.Chance(0.5)
	for t := range n {
		row, total := z.Row(t), 0.0
		for e := range row {
			row[e] = math.Exp(row[e] + liked.Data[e])
			total += row[e]
		}
		for e, x := range row {
			if row[e] = x / (1 + x); softmax {
				row[e] = x / total
			}
		}
	}
	return z
}

// loaded returns the experts of each token: mostly those of the highest scores, some others, and
// now and then none, as of padding.
func loaded(m *emulate.Maker, scores *tensor.Tensor, k int) (ids []int) {
	padded := m.Chance(0.3)
	for t := range scores.Shape[0] {
		row := slices.Clone(scores.Row(t))
		for e := range row {
			row[e] *= m.Within(0.5, 1)
		}
		order := emulate.Indices(len(row))
		slices.SortFunc(order, func(a, b int) int { return descending(row[a], row[b]) })
		for _, e := range order[:k] {
			if padded && m.Chance(0.2) && t > 0 {
				e = -1
			}
			ids = append(ids, e)
		}
	}
	return ids
}

// storeDevices stores which device an expert is on, the same number on each or not.
func storeDevices(m *emulate.Maker, experts int) {
	n := emulate.Pick(m, 1, 2, 4, 4)
	devices := make([]int, experts)
	for e := range devices {
		devices[e] = e * n / experts
		if e >= n && m.Chance(0.2) {
			devices[e] = m.IntN(n)
		}
	}
	if m.Chance(0.5) {
		m.Shuffle(experts, func(a, b int) { devices[a], devices[b] = devices[b], devices[a] })
	}
	m.Ints("groups", devices, experts)
	if m.Attrs["kind"] == "communication" && m.Chance(0.6) {
		m.Whole("top_groups", 1+m.IntN(n))
	}
}

func requestBias(m *emulate.Maker) {
	E, mean := emulate.Pick(m, 4, 8, 33, 64, 256), emulate.Pick(m, 6, 100, 4000, 200000)
	load := make([]int, E)
	for e := range load {
		load[e] = mean
		if !m.Chance(0.15) {
			load[e] = max(0, int(float64(mean)*(1+0.5*m.NormFloat64())))
		}
	}
	if m.Chance(0.3) {
		load[m.IntN(E)] = 0
	}
	if m.Chance(0.5) {
		even(load)
	}
	m.Set("bias", emulate.Pick(m, dtype.F32, dtype.F32, dtype.BF16), m.Normals(emulate.Pick(m, 0, 0.5, -1.2), 0.1, E))
	m.Ints("load", load, E)
	if m.Chance(0.5) {
		m.Number("rate", emulate.Pick(m, 0.01, 1e-4, 0.003))
	}
	m.Sometimes(0.4, "rule", "proportional")
	m.Sometimes(0.4, "center", true)
}

// even moves the first load so that the mean is a whole number, and gives some experts that load.
func even(load []int) {
	rest := sum(load) % len(load)
	load[0] += (len(load) - rest) % len(load)
	mean := sum(load) / len(load)
	for e := 1; e+1 < len(load); e += 5 { // two move together, so that the mean stays
		load[e+1] += load[e] - mean
		load[e] = mean
		if load[e+1] < 0 {
			load[0], load[e+1] = load[0]+load[e+1], 0
		}
	}
	load[0] = max(load[0], 0)
}

func requestDispatch(m *emulate.Maker) {
	N, E := emulate.Pick(m, 2, 5, 9, 40, 150), emulate.Pick(m, 1, 3, 8, 64, 256)
	K := min(emulate.Pick(m, 1, 2, 4, 8), E)
	if K == 8 {
		N = emulate.Pick(m, N, 1)
	}
	m.Ints("indices", chosen(m, N, E, K), N, K)
	m.Whole("experts", E)
}
