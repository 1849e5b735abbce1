package tensor_test

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/numbers/tensor"
)

// counted returns a tensor whose elements are their own places in Data.
func counted(shape ...int) *tensor.Tensor {
	t := tensor.New(shape...)
	for i := range t.Data {
		t.Data[i] = float64(i)
	}
	return t
}

func TestIndex(t *testing.T) {
	t.Run("the last axis is contiguous and the first the slowest", func(t *testing.T) {
		x := counted(2, 3, 4)
		for i := range 2 {
			for j := range 3 {
				for k := range 4 {
					if got, want := x.At(i, j, k), float64(12*i+4*j+k); got != want {
						t.Errorf("At(%d, %d, %d) = %v, want %v", i, j, k, got, want)
					}
					if back := tensor.Unravel(12*i+4*j+k, x.Shape); !slices.Equal(back, []int{i, j, k}) {
						t.Errorf("Unravel(%d) = %v, want [%d %d %d]", 12*i+4*j+k, back, i, j, k)
					}
				}
			}
		}
	})
	t.Run("a scalar has one element and no index", func(t *testing.T) {
		x := tensor.New()
		x.Set(7)
		if x.Len() != 1 || x.At() != 7 {
			t.Errorf("Len() = %d, At() = %v", x.Len(), x.At())
		}
	})
}

func TestRow(t *testing.T) {
	x := counted(2, 3, 4)
	row := x.Row(1, 2)
	if want := []float64{20, 21, 22, 23}; !slices.Equal(row, want) {
		t.Errorf("Row(1, 2) = %v, want %v", row, want)
	}
	t.Run("a row is the tensor's own data, and appending to it leaves the next row alone", func(t *testing.T) {
		first := x.Row(0, 0)
		first[1] = -1
		_ = append(first, 99)
		if x.At(0, 0, 1) != -1 || x.At(0, 1, 0) != 4 {
			t.Errorf("after the writes: %v", x.Data[:5])
		}
	})
	t.Run("the row of a vector is the vector", func(t *testing.T) {
		if got := counted(3).Row(); !slices.Equal(got, []float64{0, 1, 2}) {
			t.Errorf("Row() = %v", got)
		}
	})
	t.Run("a row may be empty", func(t *testing.T) {
		if got := tensor.New(2, 0).Row(1); len(got) != 0 {
			t.Errorf("Row(1) = %v", got)
		}
	})
}

func TestView(t *testing.T) {
	t.Run("every view has the elements that its indices say", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			shape := rapid.SliceOfN(rapid.IntRange(1, 4), 2, 5).Draw(t, "shape")
			x := counted(shape...)
			last := len(shape) - 1
			rowAxis := rapid.IntRange(0, last-1).Draw(t, "rowAxis")
			idx := make([]int, len(shape))
			var at []int
			for axis := range last {
				if axis != rowAxis {
					idx[axis] = rapid.IntRange(0, shape[axis]-1).Draw(t, "index")
					at = append(at, idx[axis])
				}
			}
			view := x.View(rowAxis, at...)
			if r, c := view.Dims(); r != shape[rowAxis] || c != shape[last] {
				t.Fatalf("view is %d×%d", r, c)
			}
			for idx[rowAxis] = range shape[rowAxis] {
				for idx[last] = range shape[last] {
					if got, want := view.At(idx[rowAxis], idx[last]), x.At(idx...); got != want {
						t.Fatalf("element %v is %v, want %v", idx, got, want)
					}
				}
			}
		})
	})
	t.Run("a view is the tensor's own data", func(t *testing.T) {
		x := counted(2, 3, 4)
		x.View(0, 2).Set(1, 3, -5)
		if got := x.At(1, 2, 3); got != -5 {
			t.Errorf("At(1, 2, 3) = %v, want -5", got)
		}
	})
	t.Run("products take views as they are", func(t *testing.T) {
		x := counted(3, 2, 2)
		var product mat.Dense
		product.Mul(x.View(0, 0), x.View(0, 1).T())
		for i := range 3 {
			for j := range 3 {
				want := x.At(i, 0, 0)*x.At(j, 1, 0) + x.At(i, 0, 1)*x.At(j, 1, 1)
				if got := product.At(i, j); got != want {
					t.Errorf("product at %d, %d = %v, want %v", i, j, got, want)
				}
			}
		}
	})
	t.Run("a view without elements is the empty matrix", func(t *testing.T) {
		for _, view := range []*mat.Dense{
			tensor.New(0, 3).View(0), tensor.New(3, 0).View(0), tensor.New(2, 0, 3).View(1, 1),
		} {
			if !view.IsEmpty() {
				t.Errorf("view is %v", view)
			}
		}
	})
}

// wraps is an axis whose square is 0 in the arithmetic of int.
const wraps = math.MaxInt>>(bits.UintSize/2-1) + 1

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int
		n     int
		ok    bool
	}{
		{nil, 1, true},
		{[]int{2, 3, 4}, 24, true},
		{[]int{math.MaxInt, 1}, math.MaxInt, true},
		{[]int{math.MaxInt, 2}, 0, false},
		{[]int{wraps, wraps}, 0, false},
		{[]int{math.MaxInt, math.MaxInt, 0}, 0, true},
		{[]int{0, -1}, 0, false},
	} {
		if n, ok := tensor.Elements(c.shape); n != c.n || ok != c.ok {
			t.Errorf("Elements(%v) = %d, %v, want %d, %v", c.shape, n, ok, c.n, c.ok)
		}
	}
}

func TestConstructors(t *testing.T) {
	t.Run("the shape is copied and the data is not", func(t *testing.T) {
		shape, data := []int{2, 1}, []float64{1, 2}
		x := tensor.Of(data, shape...)
		shape[0], data[1] = 9, 5
		if x.Shape[0] != 2 || x.At(1, 0) != 5 {
			t.Errorf("got %v", *x)
		}
	})
	t.Run("no elements are as good as any", func(t *testing.T) {
		if n := tensor.New(3, 0).Len() + tensor.Of(nil, 0, 3).Len(); n != 0 {
			t.Errorf("%d elements", n)
		}
	})
}

func TestPanics(t *testing.T) {
	x := counted(2, 3, 4)
	const (
		shape  = "tensor: shape negative or too large"
		length = "tensor: shape does not match data length"
		count  = "tensor: wrong number of indices"
		index  = "tensor: index out of range"
		rows   = "tensor: row axis out of range"
	)
	for name, c := range map[string]struct {
		want string
		call func()
	}{
		"negative axis":            {shape, func() { tensor.New(2, -1) }},
		"overflowing product":      {shape, func() { tensor.Of(nil, wraps, wraps) }},
		"data too short":           {length, func() { tensor.Of(make([]float64, 5), 2, 3) }},
		"too few indices":          {count, func() { x.At(0, 0) }},
		"too many indices":         {count, func() { x.Set(0, 0, 0, 0, 0) }},
		"index at the end":         {index, func() { x.At(0, 3, 0) }},
		"negative index":           {index, func() { x.At(0, 0, -1) }},
		"row of a scalar":          {count, func() { tensor.New().Row() }},
		"row with all indices":     {count, func() { x.Row(0, 0, 0) }},
		"row out of range":         {index, func() { x.Row(2, 0) }},
		"view along the last axis": {rows, func() { x.View(2, 0) }},
		"view of a vector":         {rows, func() { counted(3).View(0) }},
		"view along no axis":       {rows, func() { x.View(-1, 0) }},
		"view with too few":        {count, func() { x.View(0) }},
		"view out of range":        {index, func() { x.View(0, 3) }},
		"view before the range":    {index, func() { x.View(0, -1) }},
		"view before another row":  {index, func() { x.View(1, -1) }},
		"view into an empty axis":  {index, func() { tensor.New(2, 0, 3).View(0, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("panic %v, want %q", got, c.want)
				}
			}()
			c.call()
		})
	}
}

func ExampleTensor_View() {
	q := tensor.Of([]float64{ // one batch, two queries, three heads of width two
		1, 2, 10, 20, 100, 200,
		3, 4, 30, 40, 300, 400,
	}, 1, 2, 3, 2)
	fmt.Println(mat.Formatted(q.View(1, 0, 2))) // the queries of the last head
	// Output:
	// ⎡100  200⎤
	// ⎣300  400⎦
}
