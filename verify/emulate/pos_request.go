package emulate

func (m *maker) ropeTable() {
	m.whole("dim", pick(m, 2, 16, 64, 64, 128))
	m.base()
	extended := m.yarn(0.4)
	m.positions(1+m.IntN(40), extended)
}

func (m *maker) ropeApply() {
	N, H, D := 1+m.IntN(30), 1+m.IntN(4), pick(m, 2, 8, 16, 64, 64, 128)
	m.base()
	m.layout()
	m.sometimes(0.2, "inverse", true)
	extended := m.yarn(0.4)
	m.Set("x", m.input, m.normals(0, m.within(0.3, 3), N, H, D))
	m.positions(N, extended)
}

func (m *maker) normRMS() {
	N, d := 1+m.IntN(8), pick(m, 1, 7, 64, 100, 512, 1536)
	if m.chance(0.4) {
		m.number("eps", pick(m, 1e-6, 1e-5))
	}
	x := m.normals(pick(m, 0.0, 0, 0.7), 1, N, d)
	for n := range N {
		size := pick(m, 1, 1, 0.001, 0.003, 30)
		for c := range d {
			x.Set(x.At(n, c)*size, n, c)
		}
	}
	m.Set("x", m.input, x)
	m.Set("weight", m.input, m.normals(1, 0.3, d))
}

// positions stores n positions: in a row from somewhere, or scattered, up to the extended context
// if there is one.
func (m *maker) positions(n int, extended bool) {
	reach := pick(m, 64, 1000, 4096, 16000)
	if extended && m.chance(0.5) {
		reach = 160000
	}
	start := m.IntN(reach)
	scattered := m.chance(0.5)
	if m.chance(0.3) {
		start, scattered = 0, false
	}
	positions := make([]int, n)
	for i := range positions {
		positions[i] = start + i
		if scattered {
			positions[i] = m.IntN(reach)
		}
	}
	m.ints("positions", positions, n)
}
