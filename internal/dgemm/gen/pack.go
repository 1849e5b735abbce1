package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// interleave writes the head of a function that stores as many rows of x as a register has numbers
// as columns of y, and calls block for each block of as many columns: row is at its first number.
func (p processor) interleave(block func(row, ld, y, step reg.GPVirtual)) {
	name := "interleave" + p.name
	TEXT(name, NOSPLIT, "func(turns int, x *float64, ld int, y *float64, step int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s stores %d rows of x, of %d·turns numbers each,", name, p.lanes, p.lanes),
		"as columns of y, whose rows are step apart.")
	turns, x, ld := argument("turns"), argument("x"), argument("ld")
	y, step := argument("y"), argument("step")
	SHLQ(Imm(3), ld)
	SHLQ(Imm(3), step)
	Label("turn")
	row := GP64()
	MOVQ(x, row)
	block(row, ld, y, step)
	ADDQ(I32(p.lanes*8), x)
	DECQ(turns)
	JNZ(LabelRef("turn"))
	VZEROUPPER()
	RET()
}

// argument loads an argument.
func argument(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// loadRows loads a number of rows.
func loadRows(n int, register func() reg.VecVirtual, row, ld reg.GPVirtual) []reg.VecVirtual {
	r := make([]reg.VecVirtual, n)
	for i := range r {
		r[i] = register()
		VMOVUPD(Mem{Base: row}, r[i])
		ADDQ(ld, row)
	}
	return r
}

// unpacked returns of each two rows the numbers at even places, side by side, and those at odd
// ones.
func unpacked(r []reg.VecVirtual, register func() reg.VecVirtual) []reg.VecVirtual {
	u := make([]reg.VecVirtual, len(r))
	for i := 0; i < len(r); i += 2 {
		u[i], u[i+1] = register(), register()
		VUNPCKLPD(r[i+1], r[i], u[i])
		VUNPCKHPD(r[i+1], r[i], u[i+1])
	}
	return u
}

// storeRows stores registers step apart.
func storeRows(r []reg.VecVirtual, y, step reg.GPVirtual) {
	for _, v := range r {
		VMOVUPD(v, Mem{Base: y})
		ADDQ(step, y)
	}
}

// transpose4 transposes a block of 4 × 4.
func transpose4(row, ld, y, step reg.GPVirtual) {
	r := loadRows(4, YMM, row, ld)
	u := unpacked(r, YMM)
	for i, halves := range []uint64{0x20, 0x20, 0x31, 0x31} { // both lower ones, both upper ones
		VPERM2F128(Imm(halves), u[2+i%2], u[i%2], r[i])
	}
	storeRows(r, y, step)
}

// Which quarters of two registers VSHUFF64X2 takes.
const even, odd = 0x88, 0xDD

// transpose8 transposes a block of 8 × 8. Column c of u[i], u[2+i] … has its numbers in quarter c/2
// of those whose i is c%2.
func transpose8(row, ld, y, step reg.GPVirtual) {
	u := unpacked(loadRows(8, ZMM, row, ld), ZMM)
	columns := make([]reg.VecVirtual, 8)
	for i := range 2 {
		for first, quarters := range []uint64{even, odd} { // 0 and 2, or 1 and 3
			low, high := ZMM(), ZMM()
			VSHUFF64X2(Imm(quarters), u[2+i], u[i], low)
			VSHUFF64X2(Imm(quarters), u[6+i], u[4+i], high)
			near, far := ZMM(), ZMM()
			VSHUFF64X2(Imm(even), high, low, near)
			VSHUFF64X2(Imm(odd), high, low, far)
			columns[i+2*first], columns[i+2*first+4] = near, far
		}
	}
	storeRows(columns, y, step)
}

// copies writes what copies rows of so many registers of columns.
func (p processor) copies(vectors int) {
	name := fmt.Sprintf("copy%sx%d", p.name, vectors*p.lanes)
	TEXT(name, NOSPLIT, "func(k int, x *float64, ld int, y *float64)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s stores %d numbers of each of k rows of x,", name, vectors*p.lanes),
		"which are ld apart, one after another in y.")
	k, x, ld, y := argument("k"), argument("x"), argument("ld"), argument("y")
	SHLQ(Imm(3), ld)
	Label("row")
	for v := range vectors {
		VMOVUPD(Mem{Base: x, Disp: v * p.lanes * 8}, p.all[v])
	}
	for v := range vectors {
		VMOVUPD(p.all[v], Mem{Base: y, Disp: v * p.lanes * 8})
	}
	ADDQ(ld, x)
	ADDQ(I32(vectors*p.lanes*8), y)
	DECQ(k)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// squares writes what squares numbers in place.
func (p processor) squares() {
	name := "squares" + p.name
	TEXT(name, NOSPLIT, "func(n int, x *float64)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s squares n numbers, a multiple of %d, in place.", name, p.lanes))
	n, x := argument("n"), argument("x")
	r := p.all[0]
	Label("group")
	VMOVUPD(Mem{Base: x}, r)
	VMULPD(r, r, r)
	VMOVUPD(r, Mem{Base: x})
	ADDQ(I32(p.lanes*8), x)
	SUBQ(I32(p.lanes), n)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}
