package request

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var fp8Cast = []design{
	{
		"float32",
		"blocks of different sizes, their largest numbers of both signs and in either half, ragged " +
			"blocks, zeros, numbers below the floor and halfway between codes, scales of F32",
		func(m *maker) { cast(m, "F32") },
	},
	{
		"powers",
		"the same with scales that are powers of two, some just above one, and NaN",
		func(m *maker) { m.prefer(dtype.F32); cast(m, "UE8M0") },
	},
	{
		"squares",
		"codes of F8_E5M2, in blocks of 128 rows, one of them ragged",
		squares,
	},
}

var fp8Product = []design{
	{
		"ragged",
		"K and columns that fill no block, scales that differ by row and block, NaN in one code, codes " +
			"of the largest exponent",
		func(m *maker) { product(m, m.size(9, 64), m.size(200, 2048+72), m.size(200, 7168+72)) },
	},
	{
		"waves",
		"more than 128 rows, K of several blocks and half a block",
		func(m *maker) { product(m, m.size(140, 256+12), m.size(9, 73), m.size(330, 7168+74)) },
	},
	{
		"long",
		"sums of one sign over many blocks of K",
		func(m *maker) { oneSided(m, m.size(4, 16), m.size(130, 512+2), m.size(1100, 7168+76)) },
	},
	{
		"bytes",
		"scales of F8_E8M0, codes that are subnormal",
		func(m *maker) { m.exponents([]int{m.size(6, 16)}, nil, m.size(9, 73), m.size(200, 7168+72)) },
	},
}

var fp8Grouped = []design{
	{
		"ragged",
		"experts of 3, 0, 1 and 5 rows, K and columns that fill no block, scales that differ by row and " +
			"block, NaN in one code, codes of the largest exponent",
		func(m *maker) { grouped(m, m.size(200, 2048+72), m.size(200, 7168+72)) },
	},
	{
		"long",
		"experts of 3, 0, 1 and 5 rows, K of many blocks and half a block",
		func(m *maker) { grouped(m, m.size(9, 73), m.size(1100, 7168+76)) },
	},
	{
		"bytes",
		"experts of 3, 0, 1 and 5 rows, scales of F8_E8M0, codes that are subnormal",
		func(m *maker) {
			counts, rows := m.counts()
			m.exponents([]int{rows}, []int{len(counts)}, m.size(9, 73), m.size(200, 7168+72))
		},
	},
}

// cast makes rows of three blocks, the last of which is ragged.
func cast(m *maker, scale string) {
	m.set("scale", scale)
	m.set("amax_floor", 0.25)
	if scale == "F32" {
		m.set("recipe", "divide")
	}
	rows, columns := m.size(24, 256), m.size(300, 7168+44)
	x := m.bell(0, rows, columns)
	for r := range rows {
		x = planted(x, castRow(r, columns)...)
	}
	if scale != "F32" {
		x = planted(x, edit(poison, rows-1, 7))
	}
	m.input("x", x)
}

// castRow plants what makes the blocks of a row different.
func castRow(r, columns int) (all []recording.Edit) {
	size := math.Ldexp(1+float64(r%5)/4, r%7+2)
	switch r % 6 {
	case 0: // scales of 1 and 7, and quotients halfway between codes
		return append(at(r, 3, 448, 17, 19, -21, 25, 416), at(r, 131, 7*448, 7*23, 7*25, -7*27, 7*29, 7*31)...)
	case 1: // scales next to powers of two
		all = append(all, edit(0x1p-6, r), edit(math.Ldexp(448*(1+0x1p-22), -9-r/6%2), r, 3))
		return append(all, at(r, 200, math.Ldexp(448*(1-0x1p-8), r/6-3))...)
	case 2:
		all = append(all, edit(-size, r, 100), edit(size*3, r, 200))
	case 3:
		return append(all, edit(0, r))
	case 4: // below the floor
		all = append(all, edit(0x1p-6, r), edit(-0x1p-7, r, 1), edit(0x1.8p-8, r, 130))
	}
	return append(all, edit(size*2, r, 90), edit(-size*5, r, columns-2))
}

// at plants values side by side.
func at(r, column int, values ...float64) (all []recording.Edit) {
	for i, x := range values {
		all = append(all, edit(x, r, column+i))
	}
	return all
}

// squares makes rows of three blocks, the last of which is ragged, of which no first row has the
// largest number.
func squares(m *maker) {
	m.set("block", []any{recording.Number(128), recording.Number(128)})
	m.set("format", "F8_E5M2")
	rows, columns := m.size(140, 256+12), m.size(300, 2048+44)
	x := m.bell(0, rows, columns)
	for r := 5; r < rows; r += 128 {
		for c := 3; c < columns; c += 128 {
			x = planted(x, edit(math.Ldexp(-9, (r+c)/128%4), r, c))
		}
	}
	m.input("x", x)
}

// blocks of 128.
func blocks(n int) int { return (n + 127) / 128 }

// codes adds a matrix of F8_E4M3 codes below 256, but for those that are planted.
func (m *maker) codes(name string, edits []recording.Edit, shape ...int) {
	m.input(name, planted(as(dtype.F8E4M3, m.bell(6, shape...)), edits...))
}

// scales adds positive scales between 3 and 7 times 2^(exp2−1), so that no two blocks have the
// same.
func (m *maker) scales(name string, exp2 int, shape ...int) {
	m.input(name, unit(float32(math.Ldexp(2.5, exp2)), exp2, shape...))
}

// special are codes of a matrix with K columns that formats differ in: NaN, and one of the largest
// exponent.
func special(k int) []recording.Edit { return []recording.Edit{edit(poison, 1, k-1), edit(320, 2, 3)} }

func product(m *maker, rows, columns, k int) {
	m.codes("a", special(k), rows, k)
	m.scales("a_scale", -9, rows, blocks(k))
	m.codes("b", []recording.Edit{edit(-288, 4, 7)}, columns, k)
	m.scales("b_scale", -11, blocks(columns), blocks(k))
}

// exponents makes small codes, and scales that are powers of two, of so many rows of a and so many
// matrices b.
func (m *maker) exponents(rows, matrices []int, columns, k int) {
	of := func(lead []int, trail ...int) []int { return slices.Concat(lead, trail) }
	m.input("a", as(dtype.F8E4M3, m.bell(-7, of(rows, k)...)))
	m.input("b", as(dtype.F8E4M3, m.bell(-7, of(matrices, columns, k)...)))
	m.input("a_scale", as(dtype.F8E8M0, unit(0.75, -2, of(rows, blocks(k))...)))
	m.input("b_scale", as(dtype.F8E8M0, unit(0.75, -2, of(matrices, blocks(columns), blocks(k))...)))
}

// oneSided makes operands of positive codes, whose sums grow with K.
func oneSided(m *maker, rows, columns, k int) {
	m.input("a", as(dtype.F8E4M3, unit(96, 6, rows, k)))
	m.input("b", as(dtype.F8E4M3, unit(96, 6, columns, k)))
	m.scales("a_scale", -9, rows, blocks(k))
	m.scales("b_scale", -11, blocks(columns), blocks(k))
}

// counts adds how many rows each expert has, and returns the sum too.
func (m *maker) counts() (counts []int, rows int) {
	counts = []int{3, 0, 1, 5}
	if m.full {
		counts = []int{130, 0, 1, 61}
	}
	m.integers("counts", counts, len(counts))
	return counts, counts[0] + counts[2] + counts[3]
}

func grouped(m *maker, columns, k int) {
	counts, rows := m.counts()
	m.codes("a", special(k), rows, k)
	m.scales("a_scale", -9, rows, blocks(k))
	m.codes("b", []recording.Edit{edit(-288, 0, 4, 7)}, len(counts), columns, k)
	m.scales("b_scale", -11, len(counts), blocks(columns), blocks(k))
}
