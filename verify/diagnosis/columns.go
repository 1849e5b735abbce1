package diagnosis

import (
	"fmt"
	"math"
	"slices"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// Where rows are multiplied by a matrix that is the same for all, each column of what is multiplied
// counts in many numbers of the output: a factor of each, as of a weight that is another or should
// not be there, is found by least squares. Each row may have a factor too, as where what has such
// weights is normalised again.

// columns is an output that is linear in a quantity, row by row in the same way.
type columns struct {
	*subject
	hung
	v      *view
	width  int         // of a row of the quantity
	rest   []float64   // what the output is without it
	matrix [][]float64 // of each column what 1 there adds to a row
	factor []float64   // of each column
	by     []float64   // of each row
}

// perColumn is how many numbers the output has to have for each factor, mostFormed in how many runs
// the matrix has to be found, steadyRounds how often factors of columns and of rows are fitted in
// turn, and mostSteps how many steps each fit has.
const (
	perColumn    = 8
	mostFormed   = 64
	steadyRounds = 5
	mostSteps    = 60
)

// tryColumns tries quantities that are multiplied by another number in each column.
func (s *subject) tryColumns() {
	var all []candidate
	for _, h := range s.hung() {
		for _, v := range s.views {
			m := &columns{subject: s, hung: h, v: v}
			if m.fits() && m.form() && m.fit() {
				all = append(all, m.candidates()...)
			}
		}
	}
	s.try(all)
	s.settle()
}

// fits tells whether rows of the output are those of the quantity, and wide enough.
func (m *columns) fits() bool {
	last := len(m.x.Shape) - 1
	letters := m.bound.Op.Output(m.v.want.Name).Shape
	if m.v.want.Choice != nil || !m.v.failed || last < 1 || len(letters) != last+1 ||
		!slices.Equal(letters[:last], m.Shape[:last]) || !slices.Equal(m.v.want.Truth.Shape[:last], m.x.Shape[:last]) {
		return false
	}
	m.width = m.x.Shape[last]
	runs := (m.width+m.rows()-1)/m.rows() + 1
	return m.width > 1 && len(m.v.got) >= perColumn*m.width && runs <= mostFormed &&
		m.width*(len(m.v.got)/m.rows()) <= mostKept/4 && m.each*float64(runs) < m.budget/gatherShare
}

func (m *columns) rows() int { return m.x.Len() / m.width }

// gives returns the output of another quantity, nil if there is none.
func (m *columns) gives(x *tensor.Tensor) []float64 {
	m.budget -= m.each
	y, err := m.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{m.Name: x}})
	if w := y[m.v.want.Name]; err == nil && len(w) == len(m.v.got) {
		return w
	}
	return nil
}

// form finds the matrix, and tells whether the output is what it gives, each column in several
// numbers.
func (m *columns) form() bool {
	m.rest = m.gives(tensor.New(m.x.Shape...))
	twice := m.gives(eachOf(m.x, func(x float64) float64 { return 2 * x }))
	if m.rest == nil || twice == nil {
		return false
	}
	gonum.AddScaled(twice, -1, m.v.truth)
	gonum.Add(twice, m.rest)
	if !m.right(twice) || !m.ones() {
		return false
	}
	m.factor, m.by = filled(1, m.width).Data, filled(1, m.rows()).Data
	y := m.of(m.factor)
	gonum.Add(y, m.rest)
	return m.right(y) &&
		slices.ContainsFunc(m.matrix, func(x []float64) bool { return gonum.Count(nonzero, x) > 1 })
}

// right tells whether numbers are those of the right output.
func (m *columns) right(y []float64) bool {
	for i, t := range m.v.truth {
		if !(math.Abs(y[i]-t) <= 1e-9*m.v.largest) {
			return false
		}
	}
	return true
}

// ones finds the matrix of quantities with a 1 in each row, as many columns at once as there are
// rows.
func (m *columns) ones() bool {
	wide := len(m.v.got) / m.rows()
	for first := 0; first < m.width; first += m.rows() {
		one := tensor.New(m.x.Shape...)
		for r := range min(m.rows(), m.width-first) {
			one.Data[r*m.width+first+r] = 1
		}
		y := m.gives(one)
		if y == nil {
			return false
		}
		gonum.Sub(y, m.rest)
		for r := range min(m.rows(), m.width-first) {
			m.matrix = append(m.matrix, y[r*wide:(r+1)*wide])
		}
	}
	return true
}

func nonzero(x float64) bool { return x != 0 }

// of returns what the columns times factors, and rows times theirs, add to the output.
func (m *columns) of(factor []float64) []float64 {
	y, wide := make([]float64, len(m.v.got)), len(m.v.got)/m.rows()
	parallel.Each(m.rows(), func(r int) {
		for c, f := range factor {
			gonum.AddScaled(y[r*wide:(r+1)*wide], m.by[r]*f*m.x.Data[r*m.width+c], m.matrix[c])
		}
	})
	return y
}

// back returns what numbers of the output say of each column: the transpose of of.
func (m *columns) back(y []float64) []float64 {
	all, wide := make([]float64, m.width), len(m.v.got)/m.rows()
	parallel.Each(m.width, func(c int) {
		for r, by := range m.by {
			all[c] += by * m.x.Data[r*m.width+c] * gonum.Dot(m.matrix[c], y[r*wide:(r+1)*wide])
		}
	})
	return all
}

// fit finds the factors of columns and rows, and tells whether they leave next to nothing.
func (m *columns) fit() bool {
	got := slices.Clone(m.v.got)
	gonum.Sub(got, m.rest)
	if slices.ContainsFunc(got, func(x float64) bool { return !dtype.Finite(x) }) {
		return false
	}
	wrong, wide := gonum.Distance(m.v.got, m.v.truth, 2), len(got)/m.rows()
	for round := range steadyRounds {
		m.descend(got)
		y := m.of(m.factor)
		if left := gonum.Distance(y, got, 2); round == 0 && left > mostLeft*wrong {
			return false
		}
		for r := range m.by {
			own := y[r*wide : (r+1)*wide]
			if square := gonum.Dot(own, own); square > 0 {
				m.by[r] *= gonum.Dot(own, got[r*wide:(r+1)*wide]) / square
			}
		}
	}
	gonum.Scale(median(slices.Clone(m.by)), m.factor)
	return true
}

// descend moves the factors of columns to those that leave least, by conjugate gradients.
func (m *columns) descend(got []float64) {
	m.budget -= 2 * mostSteps * float64(m.width*len(got))
	left := slices.Clone(got)
	gonum.Sub(left, m.of(m.factor))
	slope := m.back(left)
	along := slices.Clone(slope)
	square := gonum.Dot(slope, slope)
	for enough, step := 1e-20*square, 0; step < mostSteps && square > enough; step++ {
		y := m.of(along)
		far := square / gonum.Dot(y, y)
		if !dtype.Finite(far) {
			return
		}
		gonum.AddScaled(m.factor, far, along)
		gonum.AddScaled(left, -far, y)
		slope = m.back(left)
		before := square
		square = gonum.Dot(slope, slope)
		gonum.AddScaledTo(along, slope, square/before, along)
	}
}

// candidates are explanations that the quantity, or an input of its shape, has such factors.
func (m *columns) candidates() (all []candidate) {
	targets := []operand{m.quantityOperand(m.Quantity, m.x)}
	for _, o := range m.inputOperands(floating) {
		if slices.Equal(o.letters, m.Shape) && slices.Equal(o.x.Shape, m.x.Shape) {
			targets = append(targets, o)
		}
	}
	for _, t := range targets {
		said := fmt.Sprintf("another number in each %s, %s, as of a weight that is not in the recording",
			t.words[len(t.words)-1], between(m.factor))
		c := m.times(t, said, m.factor)
		c.fitted = m.width
		all = append(all, c)
		for _, w := range m.weights() {
			all = append(all, m.times(t, w.name, w.x.Data))
		}
	}
	return all
}

// times is the explanation that a tensor is multiplied by a factor in each column. An input that is
// so is stored again before it is read.
func (m *columns) times(t operand, said string, factor []float64) candidate {
	multiplied := func() *tensor.Tensor {
		y := tensor.New(m.x.Shape...)
		for i, x := range t.x.Data {
			y.Data[i] = x * factor[i%m.width]
		}
		return y
	}
	c := t.as(fmt.Sprintf("takes %s times %s", within(t.name), said), multiplied)
	if made := c.made; m.rec.Has(t.name) {
		stored := func(r *recording.Recording) { r.Set(t.name, m.rec.Type(t.name), multiplied()) }
		c.made = func(k emulate.Config) giver {
			if k.Accumulate == arithmetic.F64 {
				return made(k)
			}
			return func() (outputs, error) { return m.run(m.changed(stored), k) }
		}
	}
	c.whole = true
	return c
}

// weights lists inputs, quotients of two and reciprocals that are what was fitted, but for a factor
// of all.
func (m *columns) weights() (all []operand) {
	letter := m.Shape[len(m.Shape)-1]
	known := slices.DeleteFunc(m.inputOperands(floating), func(o operand) bool {
		return !slices.Equal(o.letters, []string{letter}) || o.x.Len() != m.width
	})
	known = append([]operand{{name: "1", x: filled(1, m.width)}}, known...)
	for _, a := range known {
		for _, b := range known {
			name, x := a.name, slices.Clone(a.x.Data)
			if gonum.Div(x, b.x.Data); b.name != "1" {
				name += " over " + b.name
			}
			if a.name != b.name && m.goesAs(x) {
				all = append(all, operand{name: name, x: tensor.Of(x, m.width)})
			}
		}
	}
	return all
}

// goesAs tells whether the factors are a multiple of some numbers.
func (m *columns) goesAs(x []float64) bool {
	ratios := make([]float64, len(x))
	gonum.DivTo(ratios, m.factor, x)
	middle, near := median(ratios), 0
	for _, r := range ratios {
		if math.Abs(r/middle-1) < nearWhole {
			near++
		}
	}
	return 10*near > 9*len(x)
}
