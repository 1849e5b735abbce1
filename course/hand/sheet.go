package hand

import (
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// Sheet is a calculation worked by hand, step by step.
type Sheet struct {
	Name  string // of the op, or of the page
	Title string
	Words string // what is worked, and what its numbers were chosen for
	Steps []Step

	exact   bool // numbers are spelled as fractions, roots and logarithms where they are such
	outputs []output
}

// Step is one line of a calculation: what is computed, by which function, and what that gives.
type Step struct {
	Words    string
	Function string // of an equation package, such as "attention.Scores"; empty: none
	Formula  string // as in comments; lines are formulas of their own
	Values   []Value
}

// Value is a number, a row of numbers or a matrix that has a name.
type Value struct {
	Name       string
	Shape      string // "2 × 3"; empty for a number
	Numbers    *mat.Dense
	Rows, Cols []string // what stands before rows and above columns; nil: nothing
	Words      bool     // of one line: a row, or a number
}

// newSheet returns a sheet of numbers that are chosen.
func newSheet(name, title, words string) *Sheet {
	return &Sheet{Name: name, Title: title, Words: words, exact: true}
}

// step adds a step.
func (s *Sheet) step(words, function, formula string, values ...Value) {
	s.Steps = append(s.Steps, Step{Words: words, Function: function, Formula: formula, Values: values})
}

// given adds what a calculation starts from.
func (s *Sheet) given(words string, values ...Value) { s.step(words, "", "", values...) }

// number is a value of one number.
func number(name string, x float64) Value {
	return Value{Name: name, Numbers: mat.NewDense(1, 1, []float64{x}), Words: true}
}

// row is a value of one row of numbers; it may be empty.
func row(name string, x []float64) Value {
	v := Value{Name: name, Shape: strconv.Itoa(len(x)), Words: true, Numbers: new(mat.Dense)}
	if len(x) > 0 {
		v.Numbers = mat.NewDense(1, len(x), append([]float64(nil), x...))
	}
	return v
}

// whole is a row of whole numbers.
func whole(name string, x []int) Value { return row(name, floatsOf(x)) }

// floatsOf returns whole numbers as floating-point numbers.
func floatsOf(x []int) []float64 {
	y := make([]float64, len(x))
	for i, n := range x {
		y[i] = float64(n)
	}
	return y
}

// matrix is a value of rows and columns.
func matrix(name string, m mat.Matrix) Value {
	rows, cols := m.Dims()
	return Value{Name: name, Shape: strconv.Itoa(rows) + " × " + strconv.Itoa(cols), Numbers: mat.DenseCopyOf(m)}
}

// stack is a matrix of rows.
func stack(name string, rows ...[]float64) Value { return matrix(name, dense(rows...)) }

// dense returns a matrix of rows.
func dense(rows ...[]float64) *mat.Dense {
	var all []float64
	for _, r := range rows {
		all = append(all, r...)
	}
	return mat.NewDense(len(rows), len(rows[0]), all)
}

// along returns the value with words before its rows.
func (v Value) along(rows ...string) Value {
	v.Rows = rows
	return v
}

// under returns the value with words above its columns.
func (v Value) under(cols ...string) Value {
	v.Cols = cols
	return v
}

// words splits a line into words, for rows and columns.
func words(line string) []string { return strings.Fields(line) }

// numbered returns a word with numbers from 0 on, n times.
func numbered(word string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = word + " " + strconv.Itoa(i)
	}
	return all
}
