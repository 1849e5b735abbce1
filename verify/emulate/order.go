package emulate

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// Order is the order in which a kernel adds the terms of a sum.
type Order uint8

// The orders found in kernels. Strided is a warp: 32 lanes with a partial sum each, then a tree
// over the lanes. Shuffled stands for whatever else, in an order drawn from the configuration's
// seed.
const (
	Sequential Order = iota
	Reversed
	Pairwise
	Strided
	Shuffled
)

var orderNames = [...]string{"sequential", "reversed", "pairwise", "strided", "shuffled"}

// String returns the order in a word.
func (o Order) String() string { return orderNames[o] }

// warp is the number of lanes of a strided sum.
const warp = 32

// Number is the working type of a kernel: float32 on hardware, float64 where a kernel is to be free
// of rounding.
type Number interface{ float32 | float64 }

// madd says how a product and a sum round.
type madd uint8

const (
	// the product, then the sum; the same as fused for products of 16-bit operands, which are exact
	// in float32
	apart      madd = iota
	fused           // once, as a GPU's fma does
	narrow          // the sum is kept in a narrow type
	tensorCore      // sixteen products at a time, as Hopper's tensor cores do
)

// Summer forms sums of products in one order and one arithmetic.
type Summer[T Number] struct {
	Order        Order
	seed         uint64
	mode         madd
	keep         dtype.Type            // narrow: the type of the partial sums
	core         arithmetic.TensorCore // tensorCore: the tensor core
	tf32         bool                  // tensorCore: float32 operands, which are narrowed before the product
	nearest      bool                  // to nearest, not cut
	permutations map[int][]int
	scratch      [][]T
	ones         []T
}

// NewSummer returns the sums of an accumulator. Tensor cores and narrow accumulators take operands
// of 8 and 16 bits; others are summed in F32, and c is changed to say so.
func NewSummer[T Number](c *Config, operands dtype.Type) *Summer[T] {
	s := &Summer[T]{Order: c.Order, seed: c.Seed, permutations: map[int][]int{}}
	if c.Accumulate == arithmetic.TF32 && operands == dtype.F32 {
		s.mode, s.core, s.tf32, s.nearest = tensorCore, core(arithmetic.F32Ampere, operands), true, c.OperandsRounded
		return s
	}
	short := operands.Size() == 1 || operands.Size() == 2
	if !short && c.Accumulate != arithmetic.F64 || c.Accumulate.Truncates() &&
		!summed(c.Accumulate, operands) {
		c.Accumulate = arithmetic.F32
	}
	switch {
	case c.Accumulate.Truncates():
		s.mode, s.core = tensorCore, core(c.Accumulate, operands)
	case c.Accumulate == arithmetic.F16 || c.Accumulate == arithmetic.BF16:
		s.mode, s.keep = narrow, c.Accumulate.Type()
	case c.Fused:
		s.mode = fused
	}
	return s
}

// Plain returns the summer of scalar work: the same order, without a narrow or fused accumulator.
func (s *Summer[T]) Plain() *Summer[T] {
	return &Summer[T]{Order: s.Order, seed: s.seed, permutations: s.permutations}
}

// Narrow keeps partial sums in a type.
func (s *Summer[T]) Narrow(t dtype.Type) { s.mode, s.keep = narrow, t }

// FMA returns a·b + c rounded once. It goes through float64, where a·b is exact for float32
// operands; that the sum is rounded there before it is rounded to float32 shows only in ties, of
// 2⁻²⁹ likelihood.
func FMA[T Number](a, b, c T) T { return T(float64(a)*float64(b) + float64(c)) }

// add returns acc + a·b as the accumulator rounds it.
func (s *Summer[T]) add(acc, a, b T) T {
	switch s.mode {
	case fused:
		return FMA(a, b, acc)
	case narrow:
		return T(s.keep.Round(float64(acc) + float64(a)*float64(b)))
	}
	return acc + T(a*b)
}

// Dot returns Σ a_i b_i.
func (s *Summer[T]) Dot(a, b []T) T {
	b = b[:len(a)]
	switch {
	case s.mode == tensorCore:
		return tensorDot(&s.core, s.Operands(a), s.Operands(b))
	case s.Order == Pairwise:
		return s.pairwiseDot(a, b)
	case s.Order == Strided:
		return s.stridedDot(a, b)
	case s.Order == Sequential && s.mode == apart && Working[T]() == dtype.F64:
		return quickDot(a, b)
	case s.Order == Sequential:
		return s.sequentialDot(a, b)
	}
	var acc T
	for i := range a {
		j := s.place(i, len(a))
		acc = s.add(acc, a[j], b[j])
	}
	return acc
}

// quickDot is a sum in float64, where no order is seen.
func quickDot[T Number](a, b []T) T {
	return T(floats.Dot(any(a).([]float64), any(b).([]float64)))
}

func (s *Summer[T]) sequentialDot(a, b []T) T {
	var acc T
	b = b[:len(a)]
	switch s.mode {
	case apart:
		for i, x := range a {
			acc += T(x * b[i])
		}
	case fused:
		for i, x := range a {
			acc = FMA(x, b[i], acc)
		}
	default:
		for i, x := range a {
			acc = s.add(acc, x, b[i])
		}
	}
	return acc
}

// Operands returns numbers as a tensor core takes them.
func (s *Summer[T]) Operands(x []T) []T {
	if !s.tf32 {
		return x
	}
	y := make([]T, len(x))
	for i, v := range x {
		if s.nearest && dtype.Finite(v) {
			v = T(math.Float32frombits(math.Float32bits(float32(v)) + 1<<12))
		}
		y[i] = T(arithmetic.CutTF32(float64(v)))
	}
	return y
}

// Sum returns Σ a_i.
func (s *Summer[T]) Sum(a []T) T {
	for len(s.ones) < len(a) {
		s.ones = append(s.ones, 1)
	}
	return s.Dot(a, s.ones[:len(a)])
}

// place returns the index of the term that is added as number i of n.
func (s *Summer[T]) place(i, n int) int {
	switch s.Order {
	case Reversed:
		return n - 1 - i
	case Shuffled:
		return s.permutation(n)[i]
	}
	return i
}

// permutation returns the shuffled order of n terms, always the same for one seed.
func (s *Summer[T]) permutation(n int) []int {
	p, ok := s.permutations[n]
	if !ok {
		p = rand.New(rand.NewPCG(s.seed, uint64(n))).Perm(n)
		s.permutations[n] = p
	}
	return p
}

// leaf is the number of terms that a pairwise sum adds one after the other.
const leaf = 4

func (s *Summer[T]) pairwiseDot(a, b []T) T {
	if len(a) <= leaf {
		return s.sequentialDot(a, b)
	}
	half := len(a) / 2
	return s.add(s.pairwiseDot(a[:half], b[:half]), s.pairwiseDot(a[half:], b[half:]), 1)
}

func (s *Summer[T]) stridedDot(a, b []T) T {
	var lane [warp]T
	if s.mode == apart {
		for i, x := range a {
			lane[i%warp] += T(x * b[i])
		}
	} else {
		for i, x := range a {
			lane[i%warp] = s.add(lane[i%warp], x, b[i])
		}
	}
	for width := warp / 2; width > 0; width /= 2 {
		for i := range width {
			lane[i] = s.add(lane[i], lane[i+width], 1)
		}
	}
	return lane[0]
}

// Combine adds Σ_i w_i·row_i to out: the product of softmax weights and values, one column per
// element.
func (s *Summer[T]) Combine(out, w []T, rows [][]T) {
	switch {
	case s.mode == tensorCore:
		if s.tf32 {
			rows = slices.Clone(rows)
			for i, row := range rows {
				rows[i] = s.Operands(row)
			}
		}
		tensorCombine(&s.core, out, s.Operands(w), rows)
	case s.Order == Pairwise:
		s.accumulate(out, s.pairwiseCombine(0, len(out), w, rows))
	case s.Order == Strided:
		s.accumulate(out, s.stridedCombine(len(out), w, rows))
	case s.Order == Sequential && s.mode == apart:
		s.combineQuickly(out, w, rows)
	default:
		for i := range w {
			j := s.place(i, len(w))
			s.axpy(out, w[j], rows[j])
		}
	}
}

// combineQuickly adds four rows at a time, one after the other to each element.
func (s *Summer[T]) combineQuickly(out, w []T, rows [][]T) {
	n := len(out)
	for ; len(w) >= 4; w, rows = w[4:], rows[4:] {
		x, y, z, t := rows[0][:n], rows[1][:n], rows[2][:n], rows[3][:n]
		for c := range out {
			out[c] = out[c] + T(w[0]*x[c]) + T(w[1]*y[c]) + T(w[2]*z[c]) + T(w[3]*t[c])
		}
	}
	for i := range w {
		s.axpy(out, w[i], rows[i])
	}
}

// axpy adds w·row to out.
func (s *Summer[T]) axpy(out []T, w T, row []T) {
	row = row[:len(out)]
	switch s.mode {
	case apart:
		for c, x := range row {
			out[c] += T(w * x)
		}
	case fused:
		for c, x := range row {
			out[c] = FMA(w, x, out[c])
		}
	default:
		for c, x := range row {
			out[c] = s.add(out[c], w, x)
		}
	}
}

// accumulate adds x to out.
func (s *Summer[T]) accumulate(out, x []T) {
	x = x[:len(out)]
	if s.mode == apart {
		for c, v := range x {
			out[c] += v
		}
		return
	}
	for c := range out {
		out[c] = s.add(out[c], x[c], 1)
	}
}

// zeros returns the scratch row of the given number, emptied.
func (s *Summer[T]) zeros(row, width int) []T {
	for len(s.scratch) <= row {
		s.scratch = append(s.scratch, nil)
	}
	if len(s.scratch[row]) < width {
		s.scratch[row] = make([]T, width)
	}
	z := s.scratch[row][:width]
	clear(z)
	return z
}

func (s *Summer[T]) pairwiseCombine(depth, width int, w []T, rows [][]T) []T {
	out := s.zeros(depth, width)
	if len(w) <= leaf {
		for i := range w {
			s.axpy(out, w[i], rows[i])
		}
		return out
	}
	half := len(w) / 2
	copy(out, s.pairwiseCombine(depth+1, width, w[:half], rows[:half]))
	s.accumulate(out, s.pairwiseCombine(depth+1, width, w[half:], rows[half:]))
	return out
}

func (s *Summer[T]) stridedCombine(width int, w []T, rows [][]T) []T {
	lanes := min(warp, len(w))
	var lane [warp][]T
	for i := range max(1, lanes) {
		lane[i] = s.zeros(i, width)
	}
	for i := range w {
		s.axpy(lane[i%warp], w[i], rows[i])
	}
	for n := lanes; n > 1; n = (n + 1) / 2 {
		half := (n + 1) / 2
		for i := half; i < n; i++ {
			s.accumulate(lane[i-half], lane[i])
		}
	}
	return lane[0]
}
