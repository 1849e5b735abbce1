package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// start writes the head of a function.
func start(name, signature, doc string) {
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc)
}

// round writes the loop of Rounding.
func round() {
	start("roundAVX512", "func(x *float64, n int, r *uint64) int", "roundAVX512 is Rounding.Round for groups of 8.")
	x, n, p := argument("x"), argument("n"), argument("r")
	stretch, inverse, noise, tiny := field(p, 0), field(p, 1), field(p, 2), field(p, 3)
	f := format{field(p, 4), field(p, 5), field(p, 6), field(p, 7), field(p, 8), bits(1), bits(0x7FF)}
	notSign := bits(^uint64(signBit))
	groups(n, func(at reg.GPVirtual, all func(reg.OpmaskVirtual)) {
		v := load(x, at)
		s := of(VMULPD, v, stretch)
		y, nearest := of(VMULPD, f.round(s), inverse), f.round(v)
		chooseNear(y, nearest, v, noise, notSign)
		all(both(both(f.normal(v), f.normal(s)), compared(atLeast, size(y, notSign), tiny)))
		store(y, x, at)
	})
}

// chooseNear puts the nearest number of the type into y where x is as near to it as noise.
func chooseNear(y, nearest, x, noise, notSign reg.VecVirtual) {
	near := compared(atMost, size(of(VSUBPD, nearest, x), notSign), of(VMULPD, size(x, notSign), noise))
	VMOVAPD(nearest, near, y)
}

// format is the format that is rounded to, with two constants.
type format struct{ first, count, drop, half, keep, one, exponents reg.VecVirtual }

// round returns x rounded to nearest.
func (f format) round(x reg.VecVirtual) reg.VecVirtual {
	odd := of(VPANDQ, of(VPSRLVQ, x, f.drop), f.one)
	return of(VPANDQ, of(VPADDQ, of(VPADDQ, x, f.half), odd), f.keep)
}

// normal tells whose exponents are among those of normal numbers.
func (f format) normal(x reg.VecVirtual) reg.OpmaskVirtual {
	k := K()
	VPCMPUQ(Imm(below), f.count, of(VPSUBQ, of(VPANDQ, shifted(VPSRLQ, x, 52), f.exponents), f.first), k)
	return k
}

// powersOfTwo writes the loop of PowersOfTwo.
func powersOfTwo() {
	start("powersAVX512", "func(x *float64, n int, c *uint64) int", "powersAVX512 is PowersOfTwo for groups of 8.")
	x, n, p := argument("x"), argument("n"), argument("c")
	roots := ZMM()
	VMOVUPD(Mem{Base: p}, roots)
	var c []reg.VecVirtual
	for i := 8; i < 19; i++ {
		c = append(c, field(p, i))
	}
	most, steps, wholes, step, ln2, series := c[0], c[1], c[2], c[3], c[4], c[5:]
	one, notSign := number(1), bits(^uint64(signBit))
	groups(n, func(at reg.GPVirtual, all func(reg.OpmaskVirtual)) {
		v := load(x, at)
		all(compared(less, size(v, notSign), most))
		s := of(VADDPD, of(VMULPD, v, steps), wholes)
		r := of(VMULPD, of(VSUBPD, v, of(VMULPD, of(VSUBPD, s, wholes), step)), ln2)
		e := series[0]
		for _, term := range append(series[1:len(series):len(series)], one, one) {
			e = of(VADDPD, of(VMULPD, r, e), term)
		}
		root := ZMM()
		VPERMPD(roots, s, root)
		power := of(VPADDQ, root, shifted(VPSLLQ, shifted(VPSRLQ, s, 3), 52))
		store(of(VMULPD, power, e), x, at)
	})
}

// waves writes the loop of Wave.
func waves() {
	start("wavesAVX512", "func(y, x *float64, n int, w *uint64) int", "wavesAVX512 is Wave.Err for groups of 8.")
	y, x, n, p := argument("y"), argument("x"), argument("n"), argument("w")
	frequency, phase, amplitude, steep := field(p, 0), field(p, 1), field(p, 2), field(p, 3)
	one, half, four, largest := number(1), number(0.5), number(4), number(math.MaxFloat64)
	notSign := bits(^uint64(signBit))
	groups(n, func(at reg.GPVirtual, all func(reg.OpmaskVirtual)) {
		v := load(x, at)
		all(compared(atMost, size(v, notSign), largest))
		turn, down := of(VADDPD, of(VMULPD, v, frequency), phase), ZMM()
		VRNDSCALEPD(Imm(9), turn, down) // toward −∞, exactly
		wave := of(VSUBPD, of(VMULPD, size(of(VSUBPD, of(VSUBPD, turn, down), half), notSign), four), one)
		near := of(VMINPD, of(VMULPD, size(v, notSign), steep), one)
		factor := of(VADDPD, of(VMULPD, of(VMULPD, near, amplitude), wave), one)
		store(of(VMULPD, load(y, at), factor), y, at)
	})
}

// noise writes the loop of Noise.
func noise() {
	start("noiseAVX512", "func(to, sums, apart, together *float64, n int, e, c *uint64) int",
		"noiseAVX512 is Noise.AddTo for groups of 8.")
	to, sums, apart, together := argument("to"), argument("sums"), argument("apart"), argument("together")
	n, p, c := argument("n"), argument("e"), argument("c")
	sizes := ZMM()
	VMOVUPD(Mem{Base: p}, sizes)
	seed, common := field(p, 8), field(p, 9)
	centre, root, step := field(c, 0), field(c, 1), field(c, 2)
	largest, sign := number(math.MaxFloat64), bits(signBit)
	nothing, notSign, low := bits(0), bits(^uint64(signBit)), bits(0xFFFF)
	m := mixer{field(c, 3), field(c, 4), field(c, 5)}
	groups(n, func(at reg.GPVirtual, all func(reg.OpmaskVirtual)) {
		sum := load(sums, at)
		all(both(compared(atMost, size(sum, notSign), largest), compared(unequal, sum, nothing)))
		h := m.mix(of(VPXORQ, singles(sum), seed))
		bell := of(VSUBPD, fields(h, low), centre)
		bell = of(VMULPD, of(VMULPD, bell, root), step)
		which := ZMM()
		VPERMPD(sizes, of(VPXORQ, shifted(VPSRLQ, h, 7), h), which)
		signed := of(VPORQ, size(load(together, at), notSign), of(VPANDQ, sum, sign))
		err := of(VADDPD, of(VMULPD, signed, common), of(VMULPD, of(VMULPD, bell, load(apart, at)), which))
		store(of(VADDPD, sum, err), to, at)
	})
}

// singles returns the bits of numbers as float32.
func singles(x reg.VecVirtual) reg.VecVirtual {
	y, z := YMM(), ZMM()
	VCVTPD2PS(x, y)
	VPMOVZXDQ(y, z)
	return z
}

// fields adds up the four parts of 16 bits.
func fields(h, low reg.VecVirtual) reg.VecVirtual {
	sum := of(VPADDQ, of(VPANDQ, h, low), of(VPANDQ, shifted(VPSRLQ, h, 16), low))
	sum = of(VPADDQ, of(VPADDQ, sum, of(VPANDQ, shifted(VPSRLQ, h, 32), low)), shifted(VPSRLQ, h, 48))
	x := ZMM()
	VCVTUQQ2PD(sum, x)
	return x
}

// mixer has the constants of splitmix64.
type mixer struct{ add, first, second reg.VecVirtual }

// mix is its finaliser.
func (m mixer) mix(z reg.VecVirtual) reg.VecVirtual {
	z = of(VPADDQ, z, m.add)
	z = of(VPMULLQ, of(VPXORQ, z, shifted(VPSRLQ, z, 30)), m.first)
	z = of(VPMULLQ, of(VPXORQ, z, shifted(VPSRLQ, z, 27)), m.second)
	return of(VPXORQ, z, shifted(VPSRLQ, z, 31))
}

// sums writes the loop of Rounding.Sums.
func sums() {
	start("sumsAVX512", "func(sums *float64, lists *uint64, n, first, stride int, r *uint64)",
		"sumsAVX512 is Rounding.Sums without the look at what it gives.")
	to, lists, n, p := argument("sums"), argument("lists"), argument("n"), argument("r")
	at, stride := argument("first"), argument("stride")
	stretch, inverse, noise, tiny := field(p, 0), field(p, 1), field(p, 2), field(p, 3)
	notSign, addresses, sum, left := bits(^uint64(signBit)), ZMM(), ZMM(), GP64()
	VMOVUPD(Mem{Base: lists}, addresses)
	VPXORQ(sum, sum, sum)
	MOVQ(n, left)
	Label("term")
	VADDPD(gathered(addresses, at), sum, sum)
	y, nearest := of(VMULPD, single(of(VMULPD, sum, stretch)), inverse), single(sum)
	chooseNear(y, nearest, sum, noise, notSign)
	VMOVAPD_Z(y, compared(notLess, size(y, notSign), tiny), sum)
	ADDQ(stride, at)
	CMPQ(at, n)
	JLT(LabelRef("next"))
	SUBQ(n, at)
	Label("next")
	DECQ(left)
	JNZ(LabelRef("term"))
	VMOVUPD(sum, Mem{Base: to})
	VZEROUPPER()
	RET()
}

// gathered returns number at of each of eight lists.
func gathered(addresses reg.VecVirtual, at reg.GPVirtual) reg.VecVirtual {
	terms, every, offset := ZMM(), K(), GP64()
	KXNORB(every, every, every)
	VPXORQ(terms, terms, terms)
	MOVQ(at, offset)
	SHLQ(Imm(3), offset)
	VGATHERQPD(Mem{Base: offset, Index: addresses, Scale: 1}, every, terms)
	return terms
}

// single returns numbers rounded to float32.
func single(x reg.VecVirtual) reg.VecVirtual {
	y, z := YMM(), ZMM()
	VCVTPD2PS(x, y)
	VCVTPS2PD(y, z)
	return z
}

// widen writes the loop of a decoder of codes of so many bytes, of which load makes float32
// numbers.
func widen(name, doc string, size int, load func(src Mem) reg.VecVirtual) {
	start(name, "func(dst *float64, src *byte, n int)", doc)
	dst, src, n := argument("dst"), argument("src"), argument("n")
	Label("group")
	z := ZMM()
	VCVTPS2PD(load(Mem{Base: src}), z)
	VMOVUPD(z, Mem{Base: dst})
	ADDQ(Imm(uint64(8*size)), src)
	ADDQ(Imm(64), dst)
	SUBQ(Imm(8), n)
	JNZ(LabelRef("group"))
	VZEROUPPER()
	RET()
}
