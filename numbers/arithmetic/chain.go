package arithmetic

import "plumbline/numbers/dtype"

// Row is operands of one type as a tensor core reads them, made once for many sums of products: a
// row of a matrix meets every row of another.
type Row struct {
	values []float64
	// exponents has those of eight values in each word, a byte each, for FP8 operands that are all
	// finite; else it is nil, and sums look at the values again.
	exponents []uint64
}

const (
	lanes = 8 // bytes of a word
	// leastLane is the byte of a type's smallest exponent; the byte of a zero is 0. Exponents of
	// FP8 lie within 30 of each other, so that no sum of two bytes reaches 128, and none with a
	// zero that of the smallest product.
	leastLane = 32
	topBits   = 0x8080808080808080
)

// Row returns operands of the tensor core's type. It keeps x and does not copy it.
func (t *TensorCore) Row(x []float64) Row {
	r := Row{values: x}
	if t.bits > 2*precision(dtype.F8E4M3) {
		return r
	}
	exponents := make([]uint64, (len(x)+lanes-1)/lanes)
	for i, v := range x {
		if !dtype.Finite(v) {
			return r
		}
		if v != 0 {
			exponents[i/lanes] |= uint64(t.exponent(v)-t.lowest+leastLane) << (8 * (i % lanes))
		}
	}
	r.exponents = exponents
	return r
}

// Chain appends to sums those of the products a_k·b_k, one for every so many of them, each chained
// from 0 over the steps of the device:
//
//	Σ_{k = j·every … (j+1)·every−1} a_k b_k,  j = 0, 1, …
//
// They are what a kernel promotes: what it multiplies by scales and adds up in float32. With every
// 0 there is one, over all of K. Each is the bits of Dot from 0.
func (t *TensorCore) Chain(sums []float64, a, b Row, every int) []float64 {
	if len(a.values) != len(b.values) {
		panic("arithmetic: rows differ in length")
	}
	if every == 0 {
		every = len(a.values)
	}
	whole := every%lanes == 0 || every >= len(a.values) // chains begin where words do
	quick := whole && a.exponents != nil && b.exponents != nil && t.Late == 0 && t.Result == dtype.F32
	for start := 0; start < len(a.values); start += every {
		end := min(start+every, len(a.values))
		if quick {
			sums = append(sums, t.chainRows(a, b, start, end))
		} else {
			sums = append(sums, t.Dot(0, a.values[start:end], b.values[start:end]))
		}
	}
	return sums
}

// chainRows is chain from 0, with the exponents at hand. Zeros on their own may set a larger emax
// than Step has, and one at which no bit of an FP8 number is lost.
func (t *TensorCore) chainRows(a, b Row, start, end int) (acc float64) {
	for ; start < end; start += t.Products {
		next := min(start+t.Products, end)
		first, beyond := start/lanes, (next+lanes-1)/lanes
		largest := largestPair(a.exponents[first:beyond], b.exponents[first:beyond])
		emax := max(exponentOf(acc), largest+2*(t.lowest-leastLane))
		acc = t.aligned(acc, a.values[start:next], b.values[start:next], emax)
	}
	return acc
}

// largestPair returns the largest sum of a byte of a and the same byte of b, all below 128.
func largestPair(a, b []uint64) int {
	var largest uint64
	b = b[:len(a)]
	for i, x := range a {
		largest = largerBytes(largest, x+b[i])
	}
	largest = largerBytes(largest, largest>>32)
	largest = largerBytes(largest, largest>>16)
	return int(max(largest&0xFF, largest>>8&0xFF))
}

// largerBytes returns the larger byte of x and y at each place, all below 128: what is left of a
// top bit set in x after y is taken away tells which.
func largerBytes(x, y uint64) uint64 {
	xLarger := ((x | topBits) - y) & topBits
	xLarger -= xLarger >> 7
	return x&xLarger | y&^xLarger
}
