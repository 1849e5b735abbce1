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
		"wide",
		"F32, 128 channels in halves, DeepSeek-V3's YaRN with two mscales, positions up to its extended length",
		func(m *maker) { m.prefer(dtype.F32); m.set("yarn", yarn()); rotate(m, 128) },
	},
	{
		"factor",
		"64 channels in halves, YaRN with an amplitude of its own and a range that ends behind the last " +
			"channels, another base",
		func(m *maker) { m.otherYaRN(); rotate(m, 64) },
	},
	{
		"padded",
		"48 channels in halves, which are no power of two",
		func(m *maker) { rotate(m, 48) },
	},
}

var normRMS = []design{
	{
		"sizes",
		"rows of very different sizes around a mean that is not 0, some of the size of eps, one of squares that F16 " +
			"has not",
		normalise,
	},
}

func table(m *maker) {
	m.set("dim", m.size(128, 64))
	m.positions(m.size(24, 4096))
}

func rotate(m *maker, channels int) {
	m.set("layout", "half")
	n := m.size(24, 128)
	m.input("x", m.bell(0, n, m.size(2, 128), m.size(channels, 64)))
	m.positions(n)
}

// positions are scattered up to 160000, and the first ones.
func (m *maker) positions(n int) {
	m.input("positions", planted(ids(1000, 160000, n), edit(0, 0), edit(1, 1), edit(65537, n-1)))
}

// normalise makes rows of sizes from 2⁻¹² on: eps counts beside their mean squares.
func normalise(m *maker) {
	n, d := m.size(32, 64), m.size(360, 7168)
	x := around(0.5, m.bell(0, n, d))
	m.set("eps", 1e-6)
	m.input("x", planted(x, small(n, d)...))
	m.input("weight", m.level(1, -1, d))
}

// small plants two rows of next to nothing, of both signs, and a large one.
func small(n, d int) (all []recording.Edit) {
	for i := 1; i < min(n, 3); i++ {
		size := math.Ldexp(1, -5-2*i)
		all = append(all, edit(size, i), edit(math.Ldexp(size, 12+2*i), 3))
		for c := range min(d, 64) {
			all = append(all, edit(math.Ldexp(float64((c*29)%64-31), -5)*size, i, c))
		}
	}
	return all
}
