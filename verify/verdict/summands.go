package verdict

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
)

// Summands are what the rows of an output are weighted means of where none of its axes goes along
// them, as the pages of a cache. A picture shows which of them have another weight than they
// should.
type Summands struct {
	Axes    []string // of the map: of its rows, and that of the summands
	Extents []int
	// Each calls f for all rows of the output, some at a time and one call after another. What it
	// fails with makes the map worthless.
	Each func(f func(SummandRows)) error
}

// SummandRows are rows of an output that are means of as many summands.
type SummandRows struct {
	Rows  []int // of the output
	Lines []int // where each stands along the first axis of the map
	N     int   // summands
	// Toward returns the derivative of the rows by the logarithm of the weight of summands from …
	// to−1 together; it is called for many side by side.
	Toward func(from, to int) *mat.Dense
}

// projection lays errors along summands: of each cell, with e the errors, g the derivative by the
// logarithm of its weight, and s² = σ² + ulp²/12,
//
//	share = Σ e g/s² ÷ Σ g²/s²,  strength = Σ e g/s² ÷ √Σ g²/s² ÷ max(1, χ)
//
// A share is about −1 where a summand is left out, or another is taken for it, and about 1 where it
// counts twice. The others go the other way by a little, since the weights of all sum to 1. χ is
// the root mean square of the strength over the runs of the declared arithmetic: roundings of
// weights go along summands, and a right kernel may have more than 1 of them.
type projection struct {
	*grid
	j    *judgement
	sums []cellSums
}

// cellSums are what is summed up in a cell, with d = g/s.
type cellSums struct {
	along, squares float64   // Σ d e/s, Σ d²
	ran, last      float64   // Σ d² of the elements that were run, Σ (d ulp/s)²/12
	runs           []float64 // Σ d e/s of each run before its last rounding
}

// leastToward is the least √Σ d² of a cell that says something: below it, a summand that is left
// out moves nothing that could be seen, and g may be what float64 leaves of numbers that cancel.
const leastToward = 1e-3

// summandMaps draws the errors along the summands, where there are several.
func (j *judgement) summandMaps() []Map {
	s := j.want.Summands
	if s == nil || s.Extents[1] < 2 {
		return nil
	}
	p := &projection{grid: newGrid(s.Axes, s.Extents, mapAxes(s.Extents)[0]), j: j}
	p.sums = make([]cellSums, len(p.counts))
	if err := s.Each(p.add); err != nil {
		return nil
	}
	m := p.drawn()
	if m.Counts == nil && m.Each == 0 {
		return nil
	}
	return []Map{m}
}

// add adds rows of the output to the cells of their summands.
func (p *projection) add(rows SummandRows) {
	last := len(p.Cells) - 1
	n, cells := p.Extents[last], p.Cells[last]
	parallel.Each(cells, func(k int) {
		from, to := (k*n+cells-1)/cells, min(((k+1)*n+cells-1)/cells, rows.N)
		if from >= to {
			return
		}
		toward := rows.Toward(from, to)
		for i, row := range rows.Rows {
			cell := p.cell(rows.Lines[i]*n + from)
			p.counts[cell] += p.j.addToward(&p.sums[cell], row*p.j.columns, toward.RawRowView(i))
		}
	})
}

// addToward adds the elements of a row, whose first it is told, and returns how many there are.
func (j *judgement) addToward(sums *cellSums, first int, toward []float64) (n int) {
	var ran []int // places in the sample
	var of []float64
	for c, g := range toward {
		i := first + c
		s := j.deviation(i)
		d := g / s
		if !j.errs(i) || !dtype.Finite(d) {
			continue
		}
		n++
		sums.along += d * j.scores[i].w
		sums.squares += d * d
		if at, in := j.want.Sample.place(i); in {
			ran, of = append(ran, at), append(of, d/s)
			sums.ran += d * d
			sums.last += square(d*j.ulp[i]/s) / 12
		}
	}
	sums.addRuns(j.want.Sample, ran, of)
	return n
}

// addRuns adds what runs deviate by at some places of a sample.
func (c *cellSums) addRuns(s *Sample, places []int, of []float64) {
	if len(places) == 0 {
		return
	}
	if c.runs == nil {
		c.runs = make([]float64, len(s.Deviations))
	}
	for r, run := range s.Deviations {
		for k, at := range places {
			if by := run[at]; !math.IsNaN(by) { // as of one that overflowed
				c.runs[r] += of[k] * by
			}
		}
	}
}

// drawn returns the map.
func (p *projection) drawn() Map {
	for i, c := range p.sums {
		if !(math.Sqrt(c.squares) >= leastToward) {
			p.counts[i], p.sums[i] = 0, cellSums{}
		}
	}
	m, others := p.grid.drawn(), p.meanVariance()
	m.Shares, m.Strengths = make([]float64, len(p.sums)), make([]float64, len(p.sums))
	for i, c := range p.sums {
		if p.counts[i] > 0 {
			m.Shares[i] = c.along / c.squares
			m.Strengths[i] = c.along / math.Sqrt(c.squares*max(1, c.variance(others)))
		}
	}
	return m
}

// variance is χ² of a cell, or that of the others where nothing of it was run.
func (c *cellSums) variance(others float64) float64 {
	if c.ran == 0 {
		return others
	}
	return (floats.Dot(c.runs, c.runs)/max(1, float64(len(c.runs))) + c.last) / c.ran
}

// meanVariance is the mean of χ² of the cells of which something was run.
func (p *projection) meanVariance() float64 {
	sum, n := 0.0, 0.0
	for _, c := range p.sums {
		if c.ran > 0 {
			sum, n = sum+c.variance(0), n+1
		}
	}
	return sum / max(1, n)
}
