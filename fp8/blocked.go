package fp8

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/dtype"
)

const badScales = "fp8: scales do not fit the codes and the block"

// Width is the side of DeepSeek-V3's blocks and tiles, and N_C: elements.
const Width = 128

// BlockSize is how many rows and columns share a scale: {1, Width} for activations, {Width, Width}
// for weights.
type BlockSize struct{ Rows, Cols int }

// Scales returns how many rows and columns of scales a matrix has: those of its blocks, ragged ones
// included. It implements no equation: it counts blocks.
func (b BlockSize) Scales(rows, cols int) (scaleRows, scaleCols int) {
	if b.Rows < 1 || b.Cols < 1 {
		panic("fp8: a block without elements")
	}
	return (rows + b.Rows - 1) / b.Rows, (cols + b.Cols - 1) / b.Cols
}

// Blocked is a matrix in FP8: the values of its codes [M × K], and of the scales of its blocks
// [⌈M/b₀⌉ × ⌈K/b₁⌉].
type Blocked struct {
	Codes, Scales *mat.Dense
	Block         BlockSize
}

// T returns the matrix with rows and columns exchanged, the scales and the sides of a block among
// them.
//
//	q′ = qᵀ,  s′ = sᵀ,  b′₀ × b′₁ = b₁ × b₀
//
// Differs in code: scales left as they were are a known mistake, which square grids of blocks hide.
// It implements DeepSeek-V3 section 3.3.1, the transposes of its figure 6.
func (b Blocked) T() Blocked {
	b.check()
	return Blocked{
		Codes: mat.DenseCopyOf(b.Codes.T()), Scales: mat.DenseCopyOf(b.Scales.T()),
		Block: BlockSize{Rows: b.Block.Cols, Cols: b.Block.Rows},
	}
}

// check panics unless there are as many scales as blocks.
func (b Blocked) check() {
	rows, cols := b.Block.Scales(b.Codes.Dims())
	if r, c := b.Scales.Dims(); r != rows || c != cols {
		panic(badScales)
	}
}

// Recipe is how a code is made.
type Recipe uint8

// The recipes of code.
const (
	ByQuotient Recipe = iota // x/s, CodeOfQuotient
	ByInverse                // x·(1/s), CodeByInverse
	ByLargest                // x·(largest/amax), CodeByLargest; with scales of UE8M0 that is ByInverse
)

// String returns what is computed.
func (r Recipe) String() string {
	switch r {
	case ByQuotient:
		return "x/s"
	case ByInverse:
		return "x·(1/s)"
	case ByLargest:
		return "x·(largest/amax)"
	}
	return fmt.Sprintf("fp8.Recipe(%d)", uint8(r))
}

// Config is how a matrix is quantised.
type Config struct {
	Block  BlockSize
	Format dtype.Type // F8E4M3, as all of DeepSeek-V3, or F8E5M2
	UE8M0  bool       // scales are powers of two, else any float32
	Recipe Recipe
	Floor  float64 // of amax, 1e-4 in DeepSeek's code
}

// Quantise returns a matrix in FP8, each block with a scale of its own, that is made while its
// numbers are at hand.
//
//	s_B = max(max_{i,j ∈ B} |x_ij|, floor) / largest,  q_ij = cast(x_ij / s_B)
//
// x is [M × K]. What is missing of the blocks at the edges counts as 0. A NaN makes its whole block
// NaN; kernels whose maximum passes over it keep the others. It implements DeepSeek-V3 section
// 3.3.2, fine-grained and online quantisation.
func Quantise(x mat.Matrix, c Config) Blocked {
	if c.Format != dtype.F8E4M3 && c.Format != dtype.F8E5M2 {
		panic("fp8: a format of codes is F8E4M3 or F8E5M2")
	}
	rows, cols := x.Dims()
	scaleRows, scaleCols := c.Block.Scales(rows, cols)
	q := Blocked{mat.NewDense(rows, cols, nil), mat.NewDense(scaleRows, scaleCols, nil), c.Block}
	for i := range scaleRows {
		for j := range scaleCols {
			top, left := i*c.Block.Rows, j*c.Block.Cols
			bottom, right := min(top+c.Block.Rows, rows), min(left+c.Block.Cols, cols)
			amax := largest(x, top, bottom, left, right)
			s := c.scale(amax)
			q.Scales.Set(i, j, s)
			for m := top; m < bottom; m++ {
				for k := left; k < right; k++ {
					q.Codes.Set(m, k, c.code(x.At(m, k), s, amax))
				}
			}
		}
	}
	return q
}

// largest returns max |x| over some rows and columns.
func largest(x mat.Matrix, top, bottom, left, right int) (amax float64) {
	for m := top; m < bottom; m++ {
		for k := left; k < right; k++ {
			amax = max(amax, math.Abs(x.At(m, k)))
		}
	}
	return amax
}

func (c Config) scale(amax float64) float64 {
	if c.UE8M0 {
		return ScaleUE8M0(amax, c.Floor, c.Format)
	}
	return Scale(amax, c.Floor, c.Format)
}

func (c Config) code(x, s, amax float64) float64 {
	switch {
	case c.Recipe == ByQuotient:
		return CodeOfQuotient(x, s, c.Format)
	case c.Recipe == ByLargest && !c.UE8M0:
		return CodeByLargest(x, max(amax, c.Floor), c.Format)
	}
	return CodeByInverse(x, s, c.Format)
}

// Dequantise returns the matrix that codes and scales stand for.
//
//	x̂_ij = q_ij · s_B
//
// with B the block of i and j. A code has 4 bits and a scale 24: the product is exact. Differs in
// code: results are rounded to BF16. It implements DeepSeek-V3 section 3.3.2.
func (b Blocked) Dequantise() *mat.Dense {
	b.check()
	var x mat.Dense
	x.Apply(func(i, j int, q float64) float64 { return q * b.Scales.At(i/b.Block.Rows, j/b.Block.Cols) }, b.Codes)
	return &x
}

// Retile returns a matrix in FP8 in other blocks, as its backward pass needs activations: 1 × 128
// to 128 × 1.
//
//	x̂ = q s,  (q′, s′) = Quantise(x̂)
//
// With scales of UE8M0 a number is x̂ again, exactly, if it is at least 2⁻⁶ s′, half a step of 2⁻⁹
// s′ off at most if not; with scales of float32 nearly every number is rounded a second time. It
// implements DeepSeek-V3 section 3.3.3, low-precision activation (1).
func Retile(b Blocked, c Config) Blocked {
	return Quantise(b.Dequantise(), c)
}
