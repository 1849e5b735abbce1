package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// What a product that promotes each block of K forms of it for each element.
const (
	partialSums  = "the sum of codes of each block"
	scalesOfSums = "the product of scales of each block"
)

func init() {
	shape, axes := []string{"M", "N", "ceil(K/128)"}, []string{"row", "column", "block of K"}
	formed := []emulate.Quantity{
		{Name: partialSums, Shape: shape, Axes: axes}, {Name: scalesOfSums, Shape: shape, Axes: axes},
	}
	emulate.Register("fp8.gemm", emulate.Kernel{
		Float32: fp8Gemm[float32], Float64: fp8Gemm[float64], Request: requestGemm, Right: products(),
		Quantities: formed,
	})
	emulate.Register("fp8.grouped_gemm", emulate.Kernel{
		Float32: fp8Grouped[float32], Float64: fp8Grouped[float64], Request: requestGrouped, Right: products(),
		Quantities: formed,
	})
}

// block is the width of a block of scales, and the side of one of b.
const block = 128

// fp8Gemm is one product.
func fp8Gemm[T emulate.Number](j *emulate.Job) {
	p := newProduct[T](j)
	b := p.operand(emulate.Load[T](j, "b"), emulate.Load[T](j, "b_scale"), block)
	for m := range j.Dim("M") {
		p.row(m, b)
	}
	p.store()
}

// fp8Grouped is a product for each expert that has rows.
func fp8Grouped[T emulate.Number](j *emulate.Job) {
	p := newProduct[T](j)
	var before, tile *operand[T]
	m, busy := 0, 0
	for e, count := range j.LoadInts("counts") {
		if count == 0 {
			continue
		}
		if p.Makes("experts-counted-busy") {
			p.Show(e != busy)
			e = busy
		}
		b := p.ofExpert(e)
		p.next, busy = p.behindExpert(e), busy+1
		for i := range count {
			if m%block == 0 {
				tile = b
			}
			p.before = m - i
			p.reach(b, m, count)
			p.row(m, p.shifted(b, before, tile, i))
			m++
		}
		before = b
	}
	p.store()
}

// shifted returns the matrix for row i of an expert: its own. It makes the mistakes of taking that
// of the expert before, or of the first of a tile.
func (p *product[T]) shifted(own, before, tile *operand[T], i int) *operand[T] {
	of := own
	switch {
	case p.Makes("counts-shifted") && i == 0 && before != nil:
		of = before
	case p.Makes("tile-of-one-expert"):
		of = tile
	case p.Makes("rows-overhang"):
		of = p.over
	}
	p.Show(of != own)
	return of
}

// reach notes whose tile row m is in: the last one of so many rows is stored whole, and the first
// that has a row is stored last.
func (p *product[T]) reach(b *operand[T], m, rows int) {
	if m >= p.reached {
		p.over, p.reached = b, p.before+(rows+p.Tile-1)/p.Tile*p.Tile
	}
}

// ofExpert returns the matrix of an expert. It makes the mistake of scales of another one.
func (p *product[T]) ofExpert(e int) *operand[T] {
	scales := emulate.LoadRows[T](p.Job, "b_scale", e, e+1)
	if p.Makes("scales-of-first-expert") {
		first := emulate.LoadRows[T](p.Job, "b_scale", 0, 1)
		p.Show(!slices.Equal(first, scales))
		scales = first
	}
	return p.operand(emulate.LoadRows[T](p.Job, "b", e, e+1), scales, block)
}

// behindExpert returns the matrix that lies behind that of an expert, where a mistake reads it.
func (p *product[T]) behindExpert(e int) *operand[T] {
	if !p.Makes("columns-overhang") || e+1 == p.Dim("E") {
		return nil
	}
	return p.ofExpert(e + 1)
}

// product computes rows of a·bᵀ.
type product[T emulate.Number] struct {
	*emulate.Job
	a      *operand[T]
	sums   *emulate.Summer[T]     // of products of codes, or of what they stand for
	core   *arithmetic.TensorCore // that sums them; nil: sums does
	width  int                    // K
	every  int                    // elements of K between promotions
	ends   []int                  // of the parts of K that are promoted
	before int                    // rows of the experts before the one at work
	out    []T
	next   *operand[T] // what lies in memory behind the matrix at work, nil for zeros
	behind [][]T       // of each row what columns behind the last would be

	over    *operand[T] // the matrix of the tile of rows that was stored last
	reached int         // where that tile ends
}

func newProduct[T emulate.Number](j *emulate.Job) *product[T] {
	j.Dequantised = j.Dequantised || j.Makes("operands-bf16")
	p := &product[T]{Job: j, width: widthRead(j), every: j.PromoteEvery}
	p.a = p.operand(emulate.Load[T](j, "a"), emulate.Load[T](j, "a_scale"), 1)
	if j.Makes("promotion-missing") {
		j.Accumulate, p.every = arithmetic.F32Hopper, p.width
		j.Show(p.width > block)
	}
	codes := dtype.F32
	if !j.Dequantised {
		codes = p.summedAs()
	}
	p.sums = emulate.NewSummer[T](&j.Config, codes)
	if !j.Dequantised && j.Accumulate.Truncates() && j.Accumulate != arithmetic.TF32 {
		core, err := j.Accumulate.TensorCore(codes, dtype.F32)
		if err != nil {
			panic("fp8: " + err.Error())
		}
		p.core = &core
	}
	p.ends = p.parts()
	return p
}

// summedAs returns the type of the codes, as what a tensor core takes them: as F16, which has every
// code, on a device that has no products of FP8; TF32 takes F32.
func (p *product[T]) summedAs() dtype.Type {
	codes := p.Recording.Type("a")
	if p.Recording.Type("b") == dtype.F8E5M2 {
		codes = dtype.F8E5M2
	}
	if p.Accumulate == arithmetic.TF32 {
		return dtype.F32
	}
	if _, err := p.Accumulate.TensorCore(codes, dtype.F32); err != nil && p.Accumulate.Truncates() {
		return dtype.F16
	}
	return codes
}

// parts returns where sums of codes end that are promoted: after so many elements, and with them at
// the end of a block, unless several blocks are one sum.
func (p *product[T]) parts() (ends []int) {
	every := p.every
	if p.Makes("scale-per-step-of-64") {
		every = 64
	}
	if every > block {
		every = (every + block - 1) / block * block
	}
	for at := 0; at < p.width; {
		next := at + every
		if every < block {
			next = min(next, at/block*block+block)
		}
		at = min(next, p.width)
		ends = append(ends, at)
	}
	return ends
}

// operand is a matrix of codes.
type operand[T emulate.Number] struct {
	codes, scales []T
	tall, wide    int // rows and columns that a scale is read for
	across        int // blocks side by side
}

// operand makes the mistakes with codes.
func (p *product[T]) operand(codes, scales []T, tall int) *operand[T] {
	name := "b"
	if tall == 1 {
		name = "a"
	}
	for i, x := range codes {
		codes[i] = p.decoded(x, p.Recording.Type(name))
	}
	if of, made := emulate.In(p.Job, tails); made {
		for i := range codes {
			if i%p.width >= p.width/of*of {
				p.Show(codes[i] != 0)
				codes[i] = 0
			}
		}
	}
	codes = p.readOn(codes)
	o := &operand[T]{codes, scales, tall, block, (p.width + block - 1) / block}
	if p.Blocks.Of == name {
		o.tall, o.wide = p.Blocks.Down, p.Blocks.Across
	}
	return o
}

// decoded returns what a code is taken for.
func (p *product[T]) decoded(x T, t dtype.Type) T {
	code, format := x, formatOf(t.String())
	switch {
	case p.Makes("nan-is-a-number") && x != x:
		code = 480
	case p.Makes("codes-fnuz"):
		code = fromFNUZ(x)
	case p.Makes("subnormal-codes-flushed"):
		code = T(format.flushed(float32(x)))
	case p.Makes("subnormal-codes-normal"):
		code = T(format.asNormal(float32(x)))
	case p.Makes("codes-ieee"):
		code = T(format.ieee(float32(x)))
	case p.Makes("codes-of-other-format"):
		code = T(format.other(float32(x)))
	}
	p.Show(code != x && (x == x || code == code))
	return code
}

// tails are the mistakes of leaving out elements of K behind the last whole so many.
var tails = map[string]int{"k-tail-dropped": 32, "k-tail-of-128-dropped": 128, "k-tail-of-256-dropped": 256}

// fromFNUZ returns what the byte of a code means in the FNUZ format: half, and NaN for −0.
func fromFNUZ[T emulate.Number](x T) T {
	switch {
	case x == 0 && math.Signbit(float64(x)):
		return T(math.NaN())
	case x != x:
		return 240
	}
	return x / 2
}

// widthRead is how many elements of K are read.
func widthRead(j *emulate.Job) int {
	if j.Makes("k-tail-read-on") {
		return (j.Dim("K") + 31) / 32 * 32
	}
	return j.Dim("K")
}

// readOn makes the mistake of rows that are read on, into the next one, up to whole steps of K.
// Behind the last one are zeros.
func (p *product[T]) readOn(codes []T) []T {
	if width := p.Dim("K"); p.width > width {
		p.Show(p.Dim("M") > 1 && p.Dim("N") > 1)
		var wide []T
		for at := 0; at < len(codes); at += width {
			row := make([]T, p.width)
			copy(row, codes[at:])
			wide = append(wide, row...)
		}
		return wide
	}
	return codes
}

// row appends a row of the output.
func (p *product[T]) row(m int, b *operand[T]) {
	var x []T
	if p.Dequantised {
		x = p.dequantised(p.a, m, func(i int) T { return p.scaleA(m, i) })
	}
	for n := range p.Dim("N") {
		if p.Dequantised {
			p.out = append(p.out, p.ofValues(x, n, b))
		} else {
			p.out = append(p.out, p.ofCodes(m, n, b))
		}
	}
	if p.Makes("columns-overhang") {
		p.behind = append(p.behind, p.overhang(m, b))
	}
}

// overhang returns what row m has in the columns behind the last, up to the end of their tile:
// products with the rows that lie behind the matrix, with its last scales.
func (p *product[T]) overhang(m int, b *operand[T]) []T {
	columns := p.Dim("N")
	over := make([]T, min((columns+p.Tile-1)/p.Tile*p.Tile-columns, columns))
	last := emulate.Row(b.scales, len(b.scales)/b.across-1, b.across)
	for n := range over {
		if p.next == nil || p.Dequantised {
			break
		}
		of := &operand[T]{p.next.codes, slices.Repeat(last, len(p.next.scales)/b.across), b.tall, b.wide, b.across}
		over[n] = p.ofCodes(m, n, of)
	}
	return over
}

// dequantised returns what codes of a row stand for.
func (p *product[T]) dequantised(o *operand[T], row int, scale func(block int) T) []T {
	values := make([]T, p.width)
	for k, code := range emulate.Row(o.codes, row, p.width) {
		values[k] = code * scale(min(k/o.wide, o.across-1))
		if p.Makes("operands-bf16") {
			exact := values[k]
			values[k] = emulate.Round(dtype.BF16, exact)
			p.Show(values[k] != exact && exact == exact)
		}
	}
	return values
}

// ofCodes returns an element: sums of codes, promoted to F32, times scales, added up.
func (p *product[T]) ofCodes(m, n int, b *operand[T]) T {
	x, y := emulate.Row(p.a.codes, m, p.width), emulate.Row(b.codes, n, p.width)
	sums, scales := make([]T, len(p.ends)), make([]T, len(p.ends))
	from := 0
	for i, to := range p.ends {
		last := (to - 1) / block
		sums[i] = p.chain(m, n, b, x[from:to], y[from:to], from)
		if p.Makes("accumulator-kept") && i > 0 {
			p.Show(sums[i-1] != 0)
			sums[i] += sums[i-1]
		}
		sums[i] = p.partial(sums[i])
		scales[i] = p.scaleA(m, last) * p.scaleB(b, n, last)
		if p.Makes("scale-per-step-of-64") {
			scales[i] = p.byStep(p.a.scales, m*p.a.across, to) * p.byStep(b.scales, n/block*b.across, to)
		}
		from = to
	}
	if len(sums) == p.a.across {
		at := (m*p.Dim("N") + n) * len(sums)
		emulate.Pass(p.Job, partialSums, at, sums)
		emulate.Pass(p.Job, scalesOfSums, at, scales)
	}
	return p.added(sums, scales)
}

// partial returns the sum of a part of K as it is scaled. It makes the mistake of one in BF16.
func (p *product[T]) partial(sum T) T {
	if !p.Makes("partial-sums-bf16") {
		return sum
	}
	short := emulate.Round(dtype.BF16, sum)
	p.Show(short != sum && sum == sum)
	return short
}

// byStep makes the mistake of a scale that is read for each step of 64 of K, as if blocks were so
// wide: from the row that begins there on, into what lies behind it.
func (p *product[T]) byStep(scales []T, row, to int) T {
	right, wrong := scales[row+(to-1)/block], scales[min(row+(to-1)/64, len(scales)-1)]
	p.Show(wrong != right)
	return wrong
}

// added returns Σ scale·sum, in as many parts as there are splits.
func (p *product[T]) added(sums, scales []T) T {
	splits := min(max(p.Splits, 1), len(sums))
	var parts []T
	for s := range splits {
		from, to := s*len(sums)/splits, (s+1)*len(sums)/splits
		parts = append(parts, p.addedInOrder(sums[from:to], scales[from:to]))
	}
	return p.sums.Plain().Sum(parts)
}

func (p *product[T]) addedInOrder(sums, scales []T) (acc T) {
	p.Show((p.Makes("accumulate-bf16") || p.Makes("accumulator-scaled")) && len(sums) > 1)
	for i, s := range sums {
		switch {
		case p.Makes("accumulate-bf16"):
			acc = emulate.Round(dtype.BF16, acc+s*scales[i])
		case p.Makes("accumulator-scaled"):
			acc = (acc + s) * scales[i]
		case p.Fused:
			acc = emulate.FMA(s, scales[i], acc)
		}
	}
	if p.Makes("accumulate-bf16") || p.Makes("accumulator-scaled") || p.Fused {
		return acc
	}
	terms := make([]T, len(sums))
	for i, s := range sums {
		terms[i] = T(s * scales[i])
	}
	return p.sums.Plain().Sum(terms)
}

// chain returns the sum of codes from `from` on, in units of its last block's scales. Between
// blocks whose scales differ the sum so far is multiplied by their ratio.
func (p *product[T]) chain(m, n int, b *operand[T], x, y []T, from int) (acc T) {
	for at := 0; at < len(x); at += block {
		end, i := min(at+block, len(x)), (from+at)/block
		if at > 0 {
			acc *= p.ratio(m, n, b, i-1, i)
		}
		if p.core != nil {
			acc = T(p.core.Dot(float64(acc), p.arranged(x[at:end]), p.arranged(y[at:end])))
		} else if part := p.sums.Dot(x[at:end], y[at:end]); at > 0 {
			acc += part
		} else {
			acc = part
		}
	}
	return acc
}

// ratio is what a sum in units of block i is multiplied by to be one of block j.
func (p *product[T]) ratio(m, n int, b *operand[T], i, j int) T {
	return T(p.scaleA(m, i)*p.scaleB(b, n, i)) / T(p.scaleA(m, j)*p.scaleB(b, n, j))
}

// arranged returns codes in the order in which a tensor core takes them.
func (p *product[T]) arranged(x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	switch p.Order {
	case emulate.Reversed:
		slices.Reverse(y)
	case emulate.Strided:
		stride := 37
		if len(x)%stride == 0 { // it would come back to where it has been
			stride = 41
		}
		for i := range y {
			y[i] = float64(x[i*stride%len(x)])
		}
	}
	return y
}

// ofValues returns an element of column n: the sum of products of what codes stand for, x those of
// its row.
func (p *product[T]) ofValues(x []T, n int, b *operand[T]) T {
	y := p.dequantised(b, n, func(i int) T { return p.scaleB(b, n, i) })
	splits := min(max(p.Splits, 1), p.width)
	var parts []T
	for s := range splits {
		from, to := s*p.width/splits, (s+1)*p.width/splits
		parts = append(parts, p.sums.Dot(x[from:to], y[from:to]))
	}
	return p.sums.Plain().Sum(parts)
}

// store writes the output. It makes the mistakes of a tile that is not written, and of columns
// behind the last that land in the next row.
func (p *product[T]) store() {
	for m, over := range p.behind[:max(len(p.behind)-1, 0)] {
		p.Show(len(over) > 0)
		copy(emulate.Row(p.out, m+1, p.Dim("N")), over)
	}
	if columns := p.Dim("N"); p.Makes("tile-unwritten") {
		for i := range p.out {
			if i%columns >= (columns-1)/block*block {
				p.Show(p.out[i] != 0)
				p.out[i] = 0
			}
		}
	}
	emulate.StoreMain(p.Job, "c", dtype.BF16, p.out)
}

// scaleA returns the scale of a block of row m of a.
func (p *product[T]) scaleA(m, i int) T {
	right := p.a.scales[m*p.a.across+i]
	wrong := right
	switch at := p.otherBlock(i); {
	case p.Makes("scales-transposed"):
		wrong = p.a.scales[i*p.Dim("M")+m]
	case p.Makes("a-scale-missing"):
		wrong = 1
	case p.Makes("a-scale-of-expert-row"):
		wrong = p.a.scales[(m-p.before)*p.a.across+i]
	case p.Makes("scale-of-first-row"):
		wrong = p.a.scales[m/block*block*p.a.across+i]
	case p.Makes("scale-wave-kept") && m%(2*block) >= block: // b's has that of the wave before
		wrong = right * p.a.scales[(m-block)*p.a.across+i]
	case p.Makes("scales-packed"):
		wrong = packed(emulate.Row(p.a.scales, m, p.a.across), i)
	default:
		wrong = p.spoilt(p.a.scales[m*p.a.across+at], i)
	}
	p.Show(wrong != right)
	return wrong
}

// scaleB returns the scale of a block of row n of b.
func (p *product[T]) scaleB(b *operand[T], n, i int) T {
	down := len(b.scales) / b.across
	row := min(n/b.tall, down-1)
	right := b.scales[row*b.across+i]
	switch {
	case p.Makes("scale-of-first-columns"):
		row = 0
	case p.Makes("scale-columns-even"):
		row = n / ((p.Dim("N") + down - 1) / down)
	}
	other := i
	if !p.Makes("scale-of-first-block") { // a kernel that makes it reads those of a so
		other = p.otherBlock(i)
	}
	wrong := p.spoilt(b.scales[row*b.across+other], i)
	switch {
	case p.Makes("b-scale-missing"):
		wrong = 1
	case p.Makes("weight-scales-transposed"):
		wrong = b.scales[i*down+row]
	case p.Makes("scales-packed"):
		wrong = packed(emulate.Row(b.scales, row, b.across), i)
	}
	p.Show(wrong != right)
	return wrong
}

// asNumber returns a scale whose byte is taken for a whole number, where scales are bytes.
func (p *product[T]) asNumber(s T) T {
	if p.Recording.Type("a_scale") != dtype.F8E8M0 || p.Recording.Type("b_scale") != dtype.F8E8M0 {
		return s
	}
	return T(math.Log2(float64(s)) + 127)
}

// packed returns the scale of block i where the exponents of four are packed by shifts, and nothing
// masks their fractions: those run into the exponent below.
func packed[T emulate.Number](scales []T, i int) T {
	var word uint32
	for at, s := range scales[i/4*4 : min(i/4*4+4, len(scales))] {
		bits := math.Float32bits(float32(s))
		word |= uint32(uint64(bits) << (8 * at) >> 23)
	}
	exponent := word >> (i % 4 * 8) & 0xff
	if exponent == 0xff {
		return T(math.NaN())
	}
	return T(math.Ldexp(1, int(exponent)-127))
}

// otherBlock makes the mistakes of taking the scale of another block.
func (p *product[T]) otherBlock(i int) int {
	switch {
	case p.Makes("scale-of-first-block"):
		return 0
	case p.Makes("scale-of-next-block"):
		return min(i+1, p.a.across-1)
	}
	return i
}

// spoilt makes the mistakes with the scale itself, of block i.
func (p *product[T]) spoilt(s T, i int) T {
	switch {
	case p.Makes("scale-inverse"):
		return 1 / s
	case p.Makes("scale-rounded-up"):
		return T(math.Exp2(math.Ceil(math.Log2(float64(s)))))
	case p.Makes("scale-truncated"):
		return T(math.Exp2(math.Floor(math.Log2(float64(s)))))
	case p.Makes("scale-nearest-power"):
		return T(nearestPower(float32(s)))
	case p.Makes("scale-mantissa-rounded"):
		return T(mantissaRounded(float32(s)))
	case p.Makes("scales-bf16"):
		return emulate.Round(dtype.BF16, s)
	case p.Makes("exponents-as-numbers"):
		return p.asNumber(s)
	case p.Makes("tail-unscaled") && (i+1)*block > p.width:
		return 1
	}
	return s
}
