package emulated

import "plumbline/verify/emulate"

func requestTable(m *emulate.Maker) {
	m.Whole("dim", emulate.Pick(m, 2, 16, 64, 64, 128))
	m.Base()
	extended := m.YaRN(0.4)
	positions(m, 1+m.IntN(40), extended)
	m.VaryYaRN()
}

func requestApply(m *emulate.Maker) {
	N, H, D := 1+m.IntN(30), 1+m.IntN(4), emulate.Pick(m, 2, 8, 16, 64, 64, 128)
	m.Base()
	m.Layout()
	m.Sometimes(0.2, "inverse", true)
	extended := m.YaRN(0.4)
	m.Set("x", m.Input, m.Normals(0, m.Within(0.3, 3), N, H, D))
	positions(m, N, extended)
	m.VaryYaRN()
	if m.Chance(0.1) {
		m.Set("x", m.Input, m.Normals(0, 1, N, H, emulate.Pick(m, 24, 48, 96)))
	}
}

func requestNorm(m *emulate.Maker) {
	N, d := 1+m.IntN(8), emulate.Pick(m, 1, 7, 64, 100, 512, 1536)
	if m.Chance(0.4) {
		m.Number("eps", emulate.Pick(m, 1e-6, 1e-5))
	}
	x := m.Normals(emulate.Pick(m, 0.0, 0, 0.7), 1, N, d)
	for n := range N {
		size := emulate.Pick(m, 1, 1, 0.001, 0.003, 30)
		for c := range d {
			x.Set(x.At(n, c)*size, n, c)
		}
	}
	m.Set("x", m.Input, x)
	m.Set("weight", m.Input, m.Normals(1, 0.3, d))
	if m.Chance(0.1) { // no multiple of what a warp reads at once
		m.Set("x", m.Input, m.Normals(0, 1, N, 360))
		m.Set("weight", m.Input, m.Normals(1, 0.3, 360))
	}
}

// positions stores n positions: in a row from somewhere, or scattered, up to the extended context
// if there is one.
func positions(m *emulate.Maker, n int, extended bool) {
	reach := emulate.Pick(m, 64, 1000, 4096, 16000)
	if extended && m.Chance(0.5) {
		reach = 160000
	}
	start := m.IntN(reach)
	scattered := m.Chance(0.5)
	if m.Chance(0.3) {
		start, scattered = 0, false
	}
	positions := make([]int, n)
	for i := range positions {
		positions[i] = start + i
		if scattered {
			positions[i] = m.IntN(reach)
		}
	}
	m.Ints("positions", positions, n)
}
