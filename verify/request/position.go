package request

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var ropeTable = []design{
	{
		"yarn",
		"DeepSeek-V3's YaRN with two mscales, positions up to its extended length",
		func(m *maker) { m.set("yarn", yarn()); table(m) },
	},
	{
		"factor",
		"YaRN with an amplitude of its own and a range that ends behind the last channels, another base",
		func(m *maker) { m.otherYaRN(); table(m) },
	},
}

var ropeApply = []design{
	{
		"halves",
		"channels in halves, DeepSeek-V3's YaRN with two mscales, positions up to its extended length",
		func(m *maker) { m.set("yarn", yarn()); rotate(m) },
	},
	{
		"float32",
		"F32, channels in halves, YaRN with an amplitude of its own and a range that ends behind the " +
			"last channels, another base",
		func(m *maker) { m.prefer(dtype.F32); m.otherYaRN(); rotate(m) },
	},
}

var normRMS = []design{
	{
		"sizes",
		"rows of very different sizes around a mean that is not 0, some of the size of eps",
		normalise,
	},
}

func table(m *maker) {
	m.set("dim", 64)
	m.positions(m.size(24, 4096))
}

func rotate(m *maker) {
	m.set("layout", "half")
	n := m.size(24, 512)
	m.input("x", m.bell(0, n, m.size(2, 128), 64))
	m.positions(n)
}

// positions are scattered up to 160000, and the first ones.
func (m *maker) positions(n int) {
	m.input("positions", planted(ids(1000, 160000, n), edit(0, 0), edit(1, 1), edit(65537, n-1)))
}

// normalise makes rows of sizes from 2⁻¹² on: eps counts beside their mean squares.
func normalise(m *maker) {
	n, d := m.size(8, 64), m.size(96, 7168)
	x := around(0.5, m.bell(0, n, d))
	m.set("eps", 1e-6)
	m.input("x", planted(x, small(n, d)...))
	m.input("weight", m.level(1, -1, d))
}

// small plants whole rows of next to nothing, of both signs.
func small(n, d int) (all []recording.Edit) {
	for i := 1; i < n; i += 3 {
		size := math.Ldexp(1, -7-i%5)
		all = append(all, edit(size, i))
		for c := 0; c < min(d, 32); c += 2 {
			all = append(all, edit(-size/2, i, c))
		}
	}
	return all
}
