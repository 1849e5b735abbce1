package verdict

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/tensor"
)

// Map shows where the errors of an output lie: along two of its axes, or along the only one that
// has more than one entry; or along summands of which its rows are means, as projection has it.
// Neighbours share a cell where there are many.
type Map struct {
	Axes    []string  `json:"axes"`               // of rows, then of columns; a strip has the latter alone
	Extents []int     `json:"extents"`            // entries of each
	Cells   []int     `json:"cells"`              // and how many cells these are in
	Each    int       `json:"each,omitempty"`     // what is counted in every cell, where that is one number
	Counts  []int     `json:"counts,omitempty"`   // else in each, row by row
	RMS     []float64 `json:"cell_rms,omitempty"` // root mean square of the scaled errors of each cell
	Wrong   []int     `json:"wrong,omitempty"`    // in each: elements of the wrong kind, or rows of a choice
	Allowed []int     `json:"allowed,omitempty"`  // in each: rows of a choice that needed the allowance
	// Of summands: the share of its own weight that each cell has too much, about −1 where it is
	// left out, and that in units of what right kernels have.
	Shares    []float64 `json:"cell_shares,omitempty"`
	Strengths []float64 `json:"cell_strengths,omitempty"`
}

// mostMaps is how many maps an output has, mapSide how many cells one has along an axis, and
// stripSide along its only one.
const (
	mostMaps  = 3
	mapSide   = 64
	stripSide = 256
)

// maps draws the errors of an output of numbers.
func (j *judgement) maps() (all []Map) {
	for _, axes := range mapAxes(j.want.Truth.Shape) {
		g := newGrid(j.want.Axes, j.want.Truth.Shape, axes)
		g.squares = make([]float64, len(g.counts))
		for i, s := range j.scores {
			switch {
			case s.wrongKind:
				g.counts[g.cell(i)]++
				g.wrong[g.cell(i)]++
			case j.errs(i):
				g.counts[g.cell(i)]++
				g.squares[g.cell(i)] += s.w * s.w
			}
		}
		if slices.Max(g.counts) > 0 { // else nothing may err
			all = append(all, g.drawn())
		}
	}
	return all
}

// choiceMaps draws how the rows of a choice were answered, where any was in another way than
// exactly.
func choiceMaps(want Expected, got *tensor.Tensor) (all []Map) {
	c := want.Choice
	names, shape := rowAxes(want, got.Shape)
	for _, axes := range mapAxes(shape) {
		g := newGrid(names, shape, axes)
		for i := range c.Rows() {
			grade := GradeOf(c, i, got.Data[i*c.Width():(i+1)*c.Width()])
			if grade != Unjudged {
				g.counts[g.cell(i)]++
			}
			switch grade {
			case Tied, Within:
				g.allowed[g.cell(i)]++
			case Wrong:
				g.wrong[g.cell(i)]++
			}
		}
		if slices.Max(g.wrong) > 0 || slices.Max(g.allowed) > 0 {
			all = append(all, g.drawn())
		}
	}
	return all
}

// rowAxes returns the axes of an output that number the rows of a choice, or rows as such where no
// axes do.
func rowAxes(want Expected, shape []int) (names []string, rows []int) {
	n := 1
	for a := 0; a <= len(shape) && len(want.Axes) == len(shape); a++ {
		if n == want.Choice.Rows() {
			return want.Axes[:a], shape[:a]
		}
		if a < len(shape) {
			n *= shape[a]
		}
	}
	return []string{want.Choice.Unit()}, []int{want.Choice.Rows()}
}

// mapAxes chooses the pairs of axes to be drawn, of those with more than one entry: of rows the
// largest, the largest with columns, then the largest of the others.
func mapAxes(shape []int) (chosen [][]int) {
	var long []int
	for a, n := range shape {
		if n > 1 {
			long = append(long, a)
		}
	}
	if len(long) == 1 {
		return [][]int{long}
	}
	var pairs [][]int
	for k, a := range long {
		for _, b := range long[k+1:] {
			pairs = append(pairs, []int{a, b})
		}
	}
	last := len(shape) - 1
	slices.SortStableFunc(pairs, func(p, q []int) int {
		return cmp.Compare(shape[q[0]]*shape[q[1]], shape[p[0]]*shape[p[1]])
	})
	for _, first := range []func(p []int) bool{
		func(p []int) bool { return p[1] != last }, func(p []int) bool { return p[1] == last },
	} {
		if i := slices.IndexFunc(pairs, first); i >= 0 {
			chosen, pairs = append(chosen, pairs[i]), slices.Delete(pairs, i, i+1)
		}
	}
	return append(chosen, pairs[:min(len(pairs), mostMaps-len(chosen))]...)
}

// grid sums up elements in cells.
type grid struct {
	Map
	steps                  []int // from an entry of an axis to the next, in elements
	counts, wrong, allowed []int
	squares                []float64
}

// newGrid returns a grid along some axes of a shape.
func newGrid(names []string, shape, axes []int) *grid {
	g := &grid{}
	most, n := mapSide, 1
	if len(axes) == 1 {
		most = stripSide
	}
	for _, a := range axes {
		step := 1
		for _, extent := range shape[a+1:] {
			step *= extent
		}
		cells := min(shape[a], most)
		n *= cells
		g.Axes, g.Extents = append(g.Axes, names[a]), append(g.Extents, shape[a])
		g.Cells, g.steps = append(g.Cells, cells), append(g.steps, step)
	}
	g.counts, g.wrong, g.allowed = make([]int, n), make([]int, n), make([]int, n)
	return g
}

// cell returns that of an element.
func (g *grid) cell(i int) (at int) {
	for k, step := range g.steps {
		at = at*g.Cells[k] + i/step%g.Extents[k]*g.Cells[k]/g.Extents[k]
	}
	return at
}

// drawn returns the map, without counts that say nothing.
func (g *grid) drawn() Map {
	m := g.Map
	if m.Counts = g.counts; slices.Min(g.counts) == slices.Max(g.counts) {
		m.Each, m.Counts = g.counts[0], nil
	}
	if slices.Max(g.wrong) > 0 {
		m.Wrong = g.wrong
	}
	if slices.Max(g.allowed) > 0 {
		m.Allowed = g.allowed
	}
	for c, sum := range g.squares {
		m.RMS = append(m.RMS, math.Sqrt(sum/float64(max(1, g.counts[c]-g.wrong[c]))))
	}
	return m
}

// Counted returns how many elements, or rows, a cell counts.
func (m Map) Counted(cell int) int {
	if m.Counts == nil {
		return m.Each
	}
	return m.Counts[cell]
}
