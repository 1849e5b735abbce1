package check

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// complaints counts what a check reports.
type complaints struct{ errors, fatal int }

func (c *complaints) Helper()               {}
func (c *complaints) Errorf(string, ...any) { c.errors++ }
func (c *complaints) Fatalf(string, ...any) { c.fatal++; panic("fatal") }

// of returns how often f complains.
func of(f func(t T)) (c complaints) {
	defer func() { _ = recover() }()
	f(&c)
	return c
}

func TestChecks(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for name, c := range map[string]struct {
		check func(t T)
		want  complaints
	}{
		"inside the bound, and on it": {func(t T) {
			Near(t, "", 1, 1.5, 0.5)
			Near(t, "", 1, 1.25, 0.5)
		}, complaints{}},
		"beyond the bound":           {func(t T) { Near(t, "", 1, 1.5, 0.25) }, complaints{1, 0}},
		"an infinity is near itself": {func(t T) { Near(t, "", inf, inf, 0) }, complaints{}},
		"and not near the other one": {func(t T) { Near(t, "", inf, -inf, 1) }, complaints{1, 0}},
		"and no number near it":      {func(t T) { Near(t, "", 1, inf, 1) }, complaints{1, 0}},
		"a NaN is near nothing, a NaN neither": {func(t T) {
			Near(t, "", nan, nan, inf)
			Near(t, "", nan, 1, inf)
		}, complaints{2, 0}},
		"each element counts": {func(t T) {
			NearAll(t, "", []float64{1, 2, 3}, []float64{1, 3, nan}, 0)
		}, complaints{2, 0}},
		"each element of a matrix": {func(t T) {
			NearMatrix(t, "", Matrix([]float64{1}), Matrix([]float64{2}), 0)
		}, complaints{1, 0}},
		"a loss and its derivative": {func(t T) {
			Both(t, "", func() (float64, float64) { return 1, 2 }, 1, 3, 0)
		}, complaints{1, 0}},
		"a NaN, and what is none": {func(t T) { NaN(t, "", nan, 1, inf) }, complaints{2, 0}},
		"apart by more":           {func(t T) { Apart(t, "", 1, 2, 0.5) }, complaints{}},
		"apart by no more": {func(t T) {
			Apart(t, "", 1, 2, 1)
			Apart(t, "", nan, 2, 1)
		}, complaints{2, 0}},
		"the panic": {func(t T) { Panics(t, "x", func() { panic("x") }) }, complaints{}},
		"another panic, and none": {func(t T) {
			Panics(t, "x", func() { panic("y") })
			Panics(t, "x", func() {})
		}, complaints{2, 0}},
		"a matrix of its own shape is the same": {func(t T) {
			NearMatrix(t, "", &mat.Dense{}, &mat.Dense{}, 0)
		}, complaints{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := of(c.check); got != c.want {
				t.Errorf("got %+v complaints, want %+v", got, c.want)
			}
		})
	}
	t.Run("other lengths and shapes end the test", func(t *testing.T) {
		for _, f := range []func(t T){
			func(t T) { NearAll(t, "", []float64{1}, nil, 0) },
			func(t T) { NearMatrix(t, "", Matrix([]float64{1, 2}), Matrix([]float64{1}, []float64{2}), 0) },
		} {
			if c := of(f); c != (complaints{0, 1}) {
				t.Errorf("got %+v complaints", c)
			}
		}
	})
}

func TestDifferences(t *testing.T) {
	// Of x³/6 at 1 the third derivative is 1, and the difference is off by h²/6 and the roundings.
	t.Run("they are within their bound, and hardly better", func(t *testing.T) {
		cube := func(x float64) float64 { return x * x * x / 6 }
		off := math.Abs(Derivative(cube, 1) - 0.5)
		if off > DifferenceBound(1, 3) || off < 0x1p-34/12 {
			t.Errorf("off by %v, bound %v", off, DifferenceBound(1, 3))
		}
		NearAll(t, "gradient", Gradient(func(x []float64) float64 {
			return x[0] * x[1]
		}, []float64{2, 3}), []float64{3, 2}, DifferenceBound(6, 1))
	})
}

func ExampleMean() {
	fmt.Println(Mean([]float64{math.Log(0.25), math.Log(0.75)}, func(k int) []float64 {
		return []float64{4, float64(4 * k)}
	}))
	// Output: [4 3]
}
