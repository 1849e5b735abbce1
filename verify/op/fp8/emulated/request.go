package emulated

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

func requestCast(m *emulate.Maker) {
	rows, cols := emulate.Pick(m, 1, 2, 5, 16, 33, 130), emulate.Pick(m, 1, 7, 64, 128, 130, 256, 300, 384)
	side := emulate.Pick(
		m, [2]float64{1, 128}, [2]float64{1, 128}, [2]float64{128, 128}, [2]float64{1, 32}, [2]float64{1, 64},
		[2]float64{16, 16}, [2]float64{3, 50},
	)
	if side != [2]float64{1, 128} || m.Chance(0.3) {
		m.Attrs["block"] = []any{recording.Number(side[0]), recording.Number(side[1])}
	}
	m.Sometimes(0.4, "format", emulate.Pick(m, "F8_E4M3", "F8_E5M2", "F8_E5M2"))
	m.Sometimes(0.5, "scale", emulate.Pick(m, "UE8M0", "UE8M0", "UE8M0", "F32"))
	m.Sometimes(0.4, "recipe", emulate.Pick(m, "divide", "reciprocal", "amax"))
	if m.Chance(0.4) {
		m.Number("amax_floor", emulate.Pick(m, 0, 1e-4, 1e-12, 0.5))
	}
	m.Set("x", m.Input, matrix(m, rows, cols))
}

// matrix is what is to be quantised: columns of different sizes, rows of zeros and of next to
// nothing, numbers that lie halfway between two codes or whose scale lies at a power of two.
func matrix(m *emulate.Maker, rows, cols int) *tensor.Tensor {
	x, size := m.Normals(0, emulate.Pick(m, 0.02, 1, 1, 30), rows, cols), emulate.Pick(m, 0, 0, 0.5, 2.0)
	for k := range cols {
		scale := math.Exp(size * m.NormFloat64())
		for r := range rows {
			x.Row(r)[k] *= scale
		}
	}
	kind := m.IntN(6)
	if m.Input == dtype.F32 && m.Attrs["scale"] == "UE8M0" && m.Chance(0.7) {
		kind = 1
	}
	mark(m, x, kind)
	return x
}

// mark makes some of the numbers special.
func mark(m *emulate.Maker, x *tensor.Tensor, kind int) {
	row := x.Row(m.IntN(x.Shape[0]))
	switch kind {
	case 0:
		halfway(m, x)
	case 1:
		atPowers(m, x)
	case 2:
		emulate.Fill(row, 0)
	case 3:
		for i := range row {
			row[i] *= 1e-6
		}
	case 4:
		if m.Chance(0.3) {
			row[m.IntN(len(row))] = emulate.Pick(m, math.NaN(), math.Inf(1))
		}
	}
}

// halfway makes whole numbers, of whose blocks the largest is the largest code: scales are 1, and
// every second odd number above 16 lies between two codes of E4M3.
func halfway(m *emulate.Maker, x *tensor.Tensor) {
	largest := 448.0
	if m.Attrs["format"] == "F8_E5M2" {
		largest = 57344
	}
	for i := range x.Data {
		x.Data[i] = math.Round(math.Exp(m.Within(0, math.Log(128)))) * emulate.Pick(m, 1, -1.0)
	}
	for i := range x.Data {
		if i%x.Shape[1]%16 == 0 {
			x.Data[i] = largest
		}
	}
}

// atPowers makes the largest number of each block a power of two times the largest code, or one of
// the next numbers of its type.
func atPowers(m *emulate.Maker, x *tensor.Tensor) {
	size := 448 * math.Exp2(-float64(emulate.Pick(m, 0, 8, 8)+m.IntN(12)))
	for i := range x.Data {
		x.Data[i] = max(-size, min(x.Data[i], size))
		if i%x.Shape[1]%16 == 3 {
			x.Data[i] = size * (1 + 2*m.Input.UnitRoundoff()*emulate.Pick(m, -0.5, 0, 1, 2))
		}
	}
}

// mostProducts is how many products of codes a request has at most.
const mostProducts = 1 << 18

func requestGemm(m *emulate.Maker) {
	rows, cols := emulate.Pick(m, 1, 2, 7, 16), emulate.Pick(m, 1, 8, 100, 130, 200, 260)
	width := widthOf(m)
	if rows*cols*width > mostProducts {
		width = emulate.Pick(m, 31, 64)
	}
	if cols <= 8 {
		width = emulate.Pick(m, width, width, 2048, 4100)
	}
	if cols <= 8 && width <= 256 {
		rows = emulate.Pick(m, rows, 140) // two waves
	}
	codes(m, "a", rows, width)
	codes(m, "b", cols, width)
	scales(m, width, []int{rows}, []int{(cols + block - 1) / block})
}

func requestGrouped(m *emulate.Maker) {
	experts := emulate.Pick(m, 1, 2, 3, 5)
	counts, rows := make([]int, experts), 0
	for e := range counts {
		counts[e] = emulate.Pick(m, 0, 1, 2, 3, 5)
		rows += counts[e]
	}
	if rows == 0 {
		counts[m.IntN(experts)], rows = 2, 2
	}
	cols, width := emulate.Pick(m, 1, 8, 100, 130, 200), widthOf(m)
	if rows*cols*width > mostProducts {
		cols = 8
	}
	codes(m, "a", rows, width)
	codes(m, "b", experts, cols, width)
	m.Ints("counts", counts, experts)
	scales(m, width, []int{rows}, []int{experts, (cols + block - 1) / block})
}

// widthOf chooses K.
func widthOf(m *emulate.Maker) int {
	return emulate.Pick(m, 1, 31, 100, 128, 256, 300, 384, 512, 1000, 1100)
}

// codes stores a matrix of codes: normal, of one sign, few that count, and now and then NaN.
func codes(m *emulate.Maker, name string, shape ...int) {
	format := emulate.Pick(m, dtype.F8E4M3, dtype.F8E4M3, dtype.F8E4M3, dtype.F8E5M2)
	size, kind := emulate.Pick(m, 4, 100, 100.0), m.IntN(6)
	if format == dtype.F8E5M2 {
		size *= 64
	}
	x := m.Normals(0, size, shape...)
	for i := range x.Data {
		switch {
		case kind == 0:
			x.Data[i] = math.Abs(x.Data[i])
		case kind == 1 && m.Chance(0.9):
			x.Data[i] *= 0x1p-8
		}
		x.Data[i] = format.RoundSaturating(x.Data[i])
	}
	if m.Chance(0.05) {
		x.Data[m.IntN(len(x.Data))] = math.NaN()
	}
	m.Set(name, format, x)
}

// scales stores those of both operands, for so many rows of blocks.
func scales(m *emulate.Maker, width int, a, b []int) {
	blocks, kind := (width+block-1)/block, m.IntN(4)
	store := func(name string, down []int) {
		x := tensor.New(append(down, blocks)...)
		for i := range x.Data {
			s := 2e-3 * math.Exp(0.7*m.NormFloat64())
			switch kind {
			case 0:
				s = math.Exp2(math.Ceil(math.Log2(s)))
			case 1:
				s = 2e-3
			}
			x.Data[i] = s
		}
		m.Set(name, dtype.F32, x)
		if kind == 0 && m.Chance(0.5) {
			m.Set(name, dtype.F8E8M0, x)
		}
	}
	store("a_scale", a)
	store("b_scale", b)
}
