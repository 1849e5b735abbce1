// Command gen writes the amd64 assembly of package loops.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64")
	round()
	powersOfTwo()
	waves()
	noise()
	sums()
	widen("widenBF16AVX512", "widenBF16AVX512 is WidenBF16 for groups of 8.", 2, func(src Mem) reg.VecVirtual {
		y := YMM()
		VPMOVZXWD(src, y)
		VPSLLD(Imm(16), y, y)
		return y
	})
	widen("widenF32AVX512", "widenF32AVX512 is WidenF32 for groups of 8.", 4, func(src Mem) reg.VecVirtual {
		y := YMM()
		VMOVUPS(src, y)
		return y
	})
	Generate()
}

// Predicates of comparisons.
const (
	less    = 0x11
	atMost  = 0x12
	unequal = 0x0C
	atLeast = 0x1D
	notLess = 0x15 // NaN is not
	below   = 1    // of unsigned whole numbers
)

// signBit is the sign of a float64.
const signBit = 1 << 63

// argument loads an argument.
func argument(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// number returns a register full of one float64.
func number(x float64) reg.VecVirtual { return bits(math.Float64bits(x)) }

// bits returns a register full of one uint64.
func bits(x uint64) reg.VecVirtual {
	r, z := GP64(), ZMM()
	MOVQ(U64(x), r)
	VPBROADCASTQ(r, z)
	return z
}

// field returns a register full of the i-th field of what p points to.
func field(p reg.GPVirtual, i int) reg.VecVirtual {
	z := ZMM()
	VPBROADCASTQ(Mem{Base: p, Disp: 8 * i}, z)
	return z
}

// groups calls body for each 8 of n numbers, with the offset of the first in bytes. The body leaves
// in a mask which of them are ordinary, and stores only if the function returned tells it to: it
// goes on where all are, and ends the loop before a group in which one is not.
func groups(n reg.GPVirtual, body func(at reg.GPVirtual, all func(reg.OpmaskVirtual))) {
	at := GP64()
	XORQ(at, at)
	SHLQ(Imm(3), n)
	Label("group")
	CMPQ(at, n)
	JGE(LabelRef("done"))
	body(at, func(mask reg.OpmaskVirtual) {
		KORTESTB(mask, mask)
		JCC(LabelRef("done")) // the carry flag says that all bits are set
	})
	ADDQ(Imm(64), at)
	JMP(LabelRef("group"))
	Label("done")
	SHRQ(Imm(3), at)
	Store(at, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// load returns the group at an offset.
func load(x, at reg.GPVirtual) reg.VecVirtual {
	z := ZMM()
	VMOVUPD(Mem{Base: x, Index: at, Scale: 1}, z)
	return z
}

// store stores a group.
func store(z reg.VecVirtual, x, at reg.GPVirtual) { VMOVUPD(z, Mem{Base: x, Index: at, Scale: 1}) }

// binary is an instruction with two operands and a result, as Intel lists them: the second first.
type binary = func(...Op)

// of returns what an instruction makes of x and y: of differences x − y.
func of(instruction binary, x, y reg.VecVirtual) reg.VecVirtual {
	z := ZMM()
	instruction(y, x, z)
	return z
}

// shifted returns x with its bits moved.
func shifted(instruction binary, x reg.VecVirtual, by uint64) reg.VecVirtual {
	z := ZMM()
	instruction(Imm(by), x, z)
	return z
}

// compared returns which numbers compare so.
func compared(predicate uint64, x, y reg.VecVirtual) reg.OpmaskVirtual {
	k := K()
	VCMPPD(Imm(predicate), y, x, k)
	return k
}

// both returns what two masks have in common.
func both(a, b reg.OpmaskVirtual) reg.OpmaskVirtual {
	k := K()
	KANDB(a, b, k)
	return k
}

// size returns |x|, given the bits of all but the sign.
func size(x, notSign reg.VecVirtual) reg.VecVirtual { return of(VPANDQ, x, notSign) }
