package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// MaxBytes is how many bytes an array may take, and all arrays of a call together: 4 GiB.
const MaxBytes = min(4<<30, math.MaxInt)

// maxAxes is how many axes an array may have, as those of NumPy since its second version.
const maxAxes = 64

// Array is an array of elements of a type of recordings, little-endian in row-major order.
type Array struct {
	Type  dtype.Type // Invalid: only the size of an element is known
	Size  int        // of an element, in bytes
	Shape []int
	Data  []byte
	Note  string // what its file has in another form

	of element // what NumPy says of the elements, where Type is not that
}

// newArray returns an array of a shape, zeros, or says that it is too large.
func newArray(t dtype.Type, size int, shape []int) (Array, error) {
	n, err := bytesOf(shape, size)
	if err != nil {
		return Array{}, err
	}
	return Array{Type: t, Size: size, Shape: slices.Clone(shape), Data: make([]byte, n)}, nil
}

// bytesOf returns how many bytes elements of a size take.
func bytesOf(shape []int, size int) (int, error) {
	if len(shape) > maxAxes {
		return 0, fmt.Errorf("%d axes, want at most %d", len(shape), maxAxes)
	}
	for _, d := range shape {
		if d < 0 || d > 1<<31-1 {
			return 0, fmt.Errorf("shape %v: an axis of length %d", shape, d)
		}
	}
	n, ok := tensor.Elements(shape)
	if !ok || n > MaxBytes/size {
		return 0, fmt.Errorf("shape %v of elements of %d bytes: more than %d bytes", shape, size, int64(MaxBytes))
	}
	return n * size, nil
}

// as returns the array with its elements taken for those of a type.
func (a Array) as(t dtype.Type) (Array, error) {
	if t.Size() != a.Size {
		return a, fmt.Errorf("elements of %d bytes, %v has %d", a.Size, t, t.Size())
	}
	a.Type = t
	return a, nil
}

// reshaped returns the array with other axes; the number of elements has to be the same.
func (a Array) reshaped(shape ...int) Array {
	if n, ok := tensor.Elements(shape); !ok || n*a.Size != len(a.Data) {
		panic("foreign: reshape to another number of elements")
	}
	a.Shape = shape
	return a
}

// permuted returns the array with axis i being what is axis axes[i].
func (a Array) permuted(axes ...int) (Array, error) {
	every := make([]int, len(a.Shape))
	for i := range every {
		every[i] = i
	}
	if !slices.Equal(slices.Sorted(slices.Values(axes)), every) {
		return a, fmt.Errorf("axes %v of an array of shape %v, want each of its %d once", axes, a.Shape, len(a.Shape))
	}
	strides := rowMajor(a.Shape)
	shape, steps := make([]int, len(axes)), make([]int, len(axes))
	for i, axis := range axes {
		shape[i], steps[i] = a.Shape[axis], strides[axis]
	}
	return a.strided(shape, steps), nil
}

// rowMajor returns the strides of an array, in elements.
func rowMajor(shape []int) []int {
	strides, step := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i], step = step, step*max(1, shape[i])
	}
	return strides
}

// columnMajor returns the strides of an array whose first axis is contiguous.
func columnMajor(shape []int) []int {
	strides, step := make([]int, len(shape)), 1
	for i, d := range shape {
		strides[i], step = step, step*max(1, d)
	}
	return strides
}

// strided returns the array whose element (i, j, …) is the one at i·steps[0] + j·steps[1] + … of a.
// All of these have to be there.
func (a Array) strided(shape, steps []int) Array {
	n, _ := tensor.Elements(shape)
	moved := a
	moved.Shape, moved.Data = shape, make([]byte, 0, n*a.Size)
	index := make([]int, len(shape))
	for at := 0; len(moved.Data) < n*a.Size; {
		moved.Data = append(moved.Data, a.Data[at*a.Size:(at+1)*a.Size]...)
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			at += steps[axis]
			if index[axis] < shape[axis] {
				break
			}
			at -= index[axis] * steps[axis]
			index[axis] = 0
		}
	}
	return moved
}

// row returns entry i of the first axis.
func (a Array) row(i int) []byte {
	n := len(a.Data) / max(1, a.Shape[0])
	return a.Data[i*n : (i+1)*n]
}

// rows returns entries from … to−1 of the first axis, which share the bytes.
func (a Array) rows(from, to int) Array {
	n := len(a.Data) / max(1, a.Shape[0])
	part := a
	part.Shape = append([]int{to - from}, a.Shape[1:]...)
	part.Data = a.Data[from*n : to*n]
	return part
}

// swap turns the bytes of every element round.
func swap(b []byte, size int) {
	for ; len(b) >= size && size > 1; b = b[size:] {
		slices.Reverse(b[:size])
	}
}

// ints returns the elements of an array of integers of one axis.
func (a Array) ints() ([]int, error) {
	if a.Type != dtype.I32 && a.Type != dtype.I64 || len(a.Shape) != 1 {
		return nil, fmt.Errorf("%v of shape %v, want integers along one axis", a.Type, a.Shape)
	}
	list := make([]int, a.Shape[0])
	for i := range list {
		if a.Type == dtype.I32 {
			list[i] = int(int32(binary.LittleEndian.Uint32(a.Data[4*i:])))
			continue
		}
		v := int64(binary.LittleEndian.Uint64(a.Data[8*i:]))
		if v < -1<<31 || v >= 1<<31 {
			return nil, fmt.Errorf("element %d is %d, want one of 32 bits", i, v)
		}
		list[i] = int(v)
	}
	return list, nil
}

// ofInts makes an array of integers of 32 bits, which hold them.
func ofInts(list []int, shape ...int) Array {
	a := Array{Type: dtype.I32, Size: 4, Shape: shape, Data: make([]byte, 0, 4*len(list))}
	for _, v := range list {
		a.Data = binary.LittleEndian.AppendUint32(a.Data, uint32(int32(v)))
	}
	return a
}

// number returns the element of an array of one.
func (a Array) number() (float64, error) {
	if a.Type == dtype.Invalid || len(a.Data) != a.Size {
		return 0, errors.New("want one number")
	}
	var x [1]float64
	a.Type.Decode(x[:], a.Data)
	return x[0], nil
}
