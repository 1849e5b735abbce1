package fp8

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/internal/check"
	"plumbline/numbers/arithmetic"
)

// TestFourElements: elements formed four at a time are those formed one by one, to the last bit.
func TestFourElements(t *testing.T) {
	const cols, width = 9, 300
	operands := func(rows int, seed uint64) fp8.Blocked {
		codes := mat.NewDense(rows, width, check.Random(seed, rows*width, 8))
		codes.Apply(func(_, _ int, v float64) float64 { return math.Round(v) }, codes)
		return fp8.Blocked{
			Codes: codes, Scales: mat.NewDense(rows, 3, check.Random(seed+1, rows*3, 1)),
			Block: fp8.BlockSize{Rows: 1, Cols: fp8.Width},
		}
	}
	a, b := operands(1, 1), operands(cols, 3)
	for _, accumulate := range []arithmetic.Accumulator{arithmetic.F32, arithmetic.BF16, arithmetic.F64} {
		for k := range 40 {
			m := model{accumulate: accumulate, every: fp8.Width, forms: 2}
			r := m.newRun(arithmetic.NewRun(k/2).In(k%2), width)
			row, columns := r.operand(a, 0, &r.operandA), make([]operand, cols)
			for j := range columns {
				columns[j] = r.operand(b, j, &r.operandB)
			}
			for j, got := range r.elements(nil, row, columns) {
				if want := r.element(row, columns[j]); math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("%v, run %d, column %d: %v, want %v", accumulate, k, j, got, want)
				}
			}
		}
	}
}
