// Package tensor holds row-major n-dimensional arrays of float64 and hands out their rows and their
// 2-D views as gonum matrices. It computes nothing.
//
// An axis may have length zero; a tensor without axes is a scalar of one element.
package tensor

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Tensor is an array in row-major order: the last axis is contiguous in Data.
// len(Data) is the product of Shape, which the constructors see to.
type Tensor struct {
	Shape []int
	Data  []float64
}

// New returns a tensor of zeros. It panics if an axis is negative or the product of the shape
// overflows.
func New(shape ...int) *Tensor {
	n, ok := Elements(shape)
	if !ok {
		panic("tensor: shape negative or too large")
	}
	return &Tensor{Shape: slices.Clone(shape), Data: make([]float64, n)}
}

// Of returns a tensor over data, which it does not copy. It panics as New does, and if the product
// of the shape is not len(data).
func Of(data []float64, shape ...int) *Tensor {
	n, ok := Elements(shape)
	if !ok {
		panic("tensor: shape negative or too large")
	}
	if n != len(data) {
		panic("tensor: shape does not match data length")
	}
	return &Tensor{Shape: slices.Clone(shape), Data: data}
}

// Elements returns the product of shape, 1 if it is empty; ok is false if an axis is negative or
// the product does not fit an int. With an axis of length zero the product is zero whatever the
// others are.
func Elements(shape []int) (n int, ok bool) {
	if len(shape) > 0 && slices.Min(shape) < 0 {
		return 0, false
	}
	if slices.Contains(shape, 0) {
		return 0, true
	}
	n = 1
	for _, axis := range shape {
		if n > math.MaxInt/axis {
			return 0, false
		}
		n *= axis
	}
	return n, true
}

// Len returns the number of elements.
func (t *Tensor) Len() int { return len(t.Data) }

// Index returns the place in Data of the element at idx. It panics unless idx has one index in
// range for every axis.
func (t *Tensor) Index(idx ...int) int {
	if len(idx) != len(t.Shape) {
		panic("tensor: wrong number of indices")
	}
	return t.offset(idx)
}

// Unravel returns the index of element i of a row-major array.
func Unravel(i int, shape []int) []int {
	index := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = i % shape[axis]
		i /= shape[axis]
	}
	return index
}

// At returns the element at idx. It panics as Index does.
func (t *Tensor) At(idx ...int) float64 { return t.Data[t.Index(idx...)] }

// Set stores v at idx. It panics as Index does.
func (t *Tensor) Set(v float64, idx ...int) { t.Data[t.Index(idx...)] = v }

// Row returns the last axis at the leading indices i, not copied. It panics unless i has one index
// in range for every axis but the last.
func (t *Tensor) Row(i ...int) []float64 {
	if len(t.Shape) == 0 || len(i) != len(t.Shape)-1 {
		panic("tensor: wrong number of indices")
	}
	n := t.Shape[len(i)]
	start := t.offset(i) * n
	return t.Data[start : start+n : start+n]
}

// offset returns the place of the leading indices idx among all blocks of that rank.
func (t *Tensor) offset(idx []int) int {
	place := 0
	for axis, i := range idx {
		if i < 0 || i >= t.Shape[axis] {
			panic("tensor: index out of range")
		}
		place = place*t.Shape[axis] + i
	}
	return place
}

// View returns a matrix over t's own data: its rows run along rowAxis, its columns along the last
// axis, and at fixes every other axis, in order. Of q [B,S,H,D], q.View(1, b, h) is S×D.
//
// A view without elements is the empty mat.Dense, which is 0×0 whichever axis has length zero:
// gonum has no other. View panics if rowAxis is not an axis before the last, or at is not one index
// in range for every other axis.
func (t *Tensor) View(rowAxis int, at ...int) *mat.Dense {
	last := len(t.Shape) - 1
	if rowAxis < 0 || rowAxis >= last {
		panic("tensor: row axis out of range")
	}
	if len(at) != last-1 {
		panic("tensor: wrong number of indices")
	}
	rows, cols := t.Shape[rowAxis], t.Shape[last]
	start, stride := t.span(rowAxis, at)
	if rows == 0 || cols == 0 {
		return &mat.Dense{}
	}
	end := start + (rows-1)*stride + cols
	var view mat.Dense
	view.SetRawMatrix(blas64.General{Rows: rows, Cols: cols, Stride: stride, Data: t.Data[start:end:end]})
	return &view
}

// span returns where in Data the view's first row starts and how far apart its rows are.
func (t *Tensor) span(rowAxis int, at []int) (start, stride int) {
	last := len(t.Shape) - 1
	step := t.Shape[last]
	for axis := last - 1; axis >= 0; axis-- {
		if axis == rowAxis {
			stride = step
		} else {
			i := at[len(at)-1]
			at = at[:len(at)-1]
			if i < 0 || i >= t.Shape[axis] {
				panic("tensor: index out of range")
			}
			start += i * step
		}
		step *= t.Shape[axis]
	}
	return start, stride
}
