// Command gen writes the amd64 assembly of package dgemm.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	for _, p := range []processor{avx2, avx512} {
		for registers := 1; registers <= 3; registers++ {
			p.kernel(registers)
			p.copies(registers)
		}
		p.interleave(p.transpose)
		p.squares()
	}
	Generate()
}

// unroll is how many terms a turn of a micro-kernel's loop adds.
const unroll = 4

// processor is what a micro-kernel has to do with.
type processor struct {
	name      string
	lanes     int // float64 numbers of a register
	rows      int // of A that a micro-kernel takes
	clear     func(...Op)
	transpose func(row, ld, y, step reg.GPVirtual)
	all       []reg.VecPhysical
}

var (
	avx2 = processor{"AVX2", 4, 4, VXORPD, transpose4, []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}}
	avx512 = processor{"AVX512", 8, 8, VPXORQ, transpose8, []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}}
)

// kernel writes the micro-kernel for so many registers of columns.
func (p processor) kernel(registers int) {
	name := fmt.Sprintf("kernel%sx%d", p.name, registers*p.lanes)
	TEXT(name, NOSPLIT, "func(k int, a, b, c *float64, ldc int, add bool)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds a panel of A times a panel of B to %d×%d numbers of C,", name, p.rows, registers*p.lanes),
		"or stores it there.")
	k, a, b, c, ldc := argument("k"), argument("a"), argument("b"), argument("c"), argument("ldc")
	SHLQ(Imm(3), ldc)
	sums := p.all[:p.rows*registers]
	for _, s := range sums {
		p.clear(s, s, s)
	}
	p.prefetch(c, ldc)
	p.loop(registers, k, a, b)
	p.store(registers, c, ldc)
	VZEROUPPER()
	RET()
}

// prefetch fetches the rows of C.
func (p processor) prefetch(c, ldc reg.GPVirtual) {
	row := GP64()
	MOVQ(c, row)
	for range p.rows {
		PREFETCHT0(Mem{Base: row})
		PREFETCHT0(Mem{Base: row, Disp: 64})
		PREFETCHT0(Mem{Base: row, Disp: 128})
		ADDQ(ldc, row)
	}
}

// loop adds k terms up.
func (p processor) loop(registers int, k, a, b reg.GPVirtual) {
	turns := GP64()
	MOVQ(k, turns)
	SHRQ(Imm(2), turns) // k / unroll
	JZ(LabelRef("rest"))
	Label("turn")
	for t := range unroll {
		p.term(registers, t, a, b)
	}
	ADDQ(I32(unroll*p.rows*8), a)
	ADDQ(I32(unroll*registers*p.lanes*8), b)
	DECQ(turns)
	JNZ(LabelRef("turn"))
	Label("rest")
	ANDQ(Imm(unroll-1), k)
	JZ(LabelRef("store"))
	Label("one")
	p.term(registers, 0, a, b)
	ADDQ(I32(p.rows*8), a)
	ADDQ(I32(registers*p.lanes*8), b)
	DECQ(k)
	JNZ(LabelRef("one"))
}

// term adds the products of one column of the panel of A and one row of that of B.
func (p processor) term(registers, t int, a, b reg.GPVirtual) {
	sums := p.all[:p.rows*registers]
	columns, rows := p.all[len(sums):len(sums)+registers], p.all[len(sums)+registers:]
	rows = rows[:min(4, len(rows))]
	for v, r := range columns {
		VMOVUPD(Mem{Base: b, Disp: (t*registers + v) * p.lanes * 8}, r)
	}
	for i := range p.rows {
		x := rows[i%len(rows)]
		VBROADCASTSD(Mem{Base: a, Disp: (t*p.rows + i) * 8}, x)
		for v, y := range columns {
			VFMADD231PD(x, y, sums[i*registers+v])
		}
	}
}

// store brings the sums to C.
func (p processor) store(registers int, c, ldc reg.GPVirtual) {
	Label("store")
	add := Load(Param("add"), GP8())
	TESTB(add, add)
	JZ(LabelRef("only"))
	row := GP64()
	MOVQ(c, row)
	for i := range p.rows {
		for v := range registers {
			s := p.all[i*registers+v]
			VADDPD(Mem{Base: row, Disp: v * p.lanes * 8}, s, s)
		}
		ADDQ(ldc, row)
	}
	Label("only")
	for i := range p.rows {
		for v := range registers {
			VMOVUPD(p.all[i*registers+v], Mem{Base: c, Disp: v * p.lanes * 8})
		}
		ADDQ(ldc, c)
	}
}
