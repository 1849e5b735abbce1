package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("fp8.gemm", emulate.Kernel{
		Float32: fp8Gemm[float32], Float64: fp8Gemm[float64], Request: requestGemm, Right: products(),
	})
	emulate.Register("fp8.grouped_gemm", emulate.Kernel{
		Float32: fp8Grouped[float32], Float64: fp8Grouped[float64], Request: requestGrouped, Right: products(),
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
	var before *operand[T]
	m := 0
	for e, count := range j.LoadInts("counts") {
		if count == 0 {
			continue
		}
		b := p.operand(emulate.LoadRows[T](j, "b", e, e+1), emulate.LoadRows[T](j, "b_scale", e, e+1), block)
		for i := range count {
			of := b
			if j.Makes("counts-shifted") && i == 0 && before != nil {
				of = before
				j.Show(true)
			}
			p.row(m, of)
			m++
		}
		before = b
	}
	p.store()
}

// product computes rows of a·bᵀ.
type product[T emulate.Number] struct {
	*emulate.Job
	a     *operand[T]
	sums  *emulate.Summer[T]     // of products of codes, or of what they stand for
	core  *arithmetic.TensorCore // that sums them; nil: sums does
	width int                    // K
	every int                    // elements of K between promotions
	ends  []int                  // of the parts of K that are promoted
	out   []T
}

func newProduct[T emulate.Number](j *emulate.Job) *product[T] {
	p := &product[T]{Job: j, width: j.Dim("K"), every: j.PromoteEvery}
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
	tall          int // rows of a block
	across        int // blocks side by side
}

// operand makes the mistakes with codes.
func (p *product[T]) operand(codes, scales []T, tall int) *operand[T] {
	if p.Makes("nan-is-a-number") {
		for i, x := range codes {
			if x != x {
				codes[i] = 480
				p.Show(true)
			}
		}
	}
	if tail := p.width % 32; p.Makes("k-tail-dropped") && tail > 0 {
		for i := range codes {
			if i%p.width >= p.width-tail {
				p.Show(codes[i] != 0)
				codes[i] = 0
			}
		}
	}
	return &operand[T]{codes, scales, tall, (p.width + block - 1) / block}
}

// row appends a row of the output.
func (p *product[T]) row(m int, b *operand[T]) {
	var x []T
	if p.Dequantised {
		x = p.dequantised(emulate.Row(p.a.codes, m, p.width), func(i int) T { return p.scaleA(m, i) })
	}
	for n := range p.Dim("N") {
		if p.Dequantised {
			p.out = append(p.out, p.ofValues(x, n, b))
		} else {
			p.out = append(p.out, p.ofCodes(m, n, b))
		}
	}
}

// dequantised returns what a row of codes stands for.
func (p *product[T]) dequantised(codes []T, scale func(block int) T) []T {
	values := make([]T, len(codes))
	for k, code := range codes {
		values[k] = code * scale(k/block)
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
		scales[i] = p.scaleA(m, last) * p.scaleB(b, n, last)
		from = to
	}
	return p.added(sums, scales)
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
	if p.Makes("accumulate-bf16") {
		p.Show(len(sums) > 1)
		for i, s := range sums {
			acc = emulate.Round(dtype.BF16, acc+s*scales[i])
		}
		return acc
	}
	if p.Fused {
		for i, s := range sums {
			acc = emulate.FMA(s, scales[i], acc)
		}
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
		for i := range y {
			y[i] = float64(x[i*37%len(x)])
		}
	}
	return y
}

// ofValues returns an element of column n: the sum of products of what codes stand for, x those of
// its row.
func (p *product[T]) ofValues(x []T, n int, b *operand[T]) T {
	y := p.dequantised(emulate.Row(b.codes, n, p.width), func(i int) T { return p.scaleB(b, n, i) })
	splits := min(max(p.Splits, 1), p.width)
	var parts []T
	for s := range splits {
		from, to := s*p.width/splits, (s+1)*p.width/splits
		parts = append(parts, p.sums.Dot(x[from:to], y[from:to]))
	}
	return p.sums.Plain().Sum(parts)
}

// store writes the output. It makes the mistake of a tile that is not written.
func (p *product[T]) store() {
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
	default:
		wrong = p.spoilt(p.a.scales[m*p.a.across+at], i)
	}
	p.Show(wrong != right)
	return wrong
}

// scaleB returns the scale of a block of row n of b.
func (p *product[T]) scaleB(b *operand[T], n, i int) T {
	right, row := b.scales[n/block*b.across+i], n/block
	if p.Makes("scale-of-first-columns") {
		row = 0
	}
	wrong := p.spoilt(b.scales[row*b.across+p.otherBlock(i)], i)
	p.Show(wrong != right)
	return wrong
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
	case p.Makes("tail-unscaled") && (i+1)*block > p.width:
		return 1
	}
	return s
}
