package fp8

import (
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// What runs of a product may cost, in terms of sums: all elements are run as long as that takes no
// more; then those of some rows and columns.
const (
	runWork     = 1 << 31
	easyWork    = 1 << 27 // up to which there are as many runs as there may be
	keptRuns    = 1 << 24 // deviations in memory
	fewestRuns  = 16
	fewestRun   = 32      // rows, and columns, that are run at least
	blockWork   = 16      // what a block costs beside its terms
	termWork    = 8       // a term of a run, in products
	excerptWork = 1 << 28 // as runWork, of an excerpt of a product that is too large
)

// workOfRuns is runWork, but where a test lowers it.
var workOfRuns = float64(runWork)

// sample is what runs of some elements of an output deviate by: those where rows and columns that
// are drawn meet.
type sample struct {
	rows, cols []int // in order; all of them where all elements are run
	whole      bool
	runs       [][]*productRun // of each form, the native one first
	deviations [][][]float64   // of each form and run
	native     [][]float64
	others     map[int][]float64
	locked     sync.Mutex
}

// budgetOf returns what the runs of a product may cost, or those of an excerpt of one.
func budgetOf(c *op.Case) float64 {
	if c.Excerpt {
		return min(workOfRuns, excerptWork)
	}
	return workOfRuns
}

// newSample draws which elements of M × N are run, and makes the runs.
func newSample(m model, budget float64, rows, cols, width int) *sample {
	s := &sample{others: map[int][]float64{}}
	cost := float64(width + blockWork*m.blocks(width))
	all := float64(rows) * float64(cols)
	most := min(budget/cost, keptRuns) / float64(m.forms*fewestRuns)
	runs := int(max(fewestRuns, min(op.MostRuns, easyWork/(cost*all*float64(m.forms)))))
	s.whole = all <= most
	s.rows, s.cols = drawn(rows, rows), drawn(cols, cols)
	if !s.whole {
		side := max(fewestRun, int(math.Sqrt(most)))
		s.rows = drawn(rows, max(side, int(most)/cols))
		s.cols = drawn(cols, max(side, int(most)/rows))
	}
	n := len(s.rows) * len(s.cols)
	for form := range m.forms {
		all := []*productRun{m.newRun(arithmetic.NewNative().In(form), width)}
		deviations := make([][]float64, runs)
		for k := range deviations {
			all = append(all, m.newRun(arithmetic.NewRun(k+1).In(form), width))
			deviations[k] = make([]float64, n)
		}
		s.runs, s.deviations = append(s.runs, all), append(s.deviations, deviations)
		s.native = append(s.native, make([]float64, n))
	}
	return s
}

// drawn returns m of the numbers below n in order, all where there are no more: multiples of the
// golden ratio, which lie evenly, and at no step that a tile's side divides.
func drawn(n, m int) []int {
	numbers := make([]int, 0, min(n, m))
	if m >= n {
		for i := range n {
			numbers = append(numbers, i)
		}
		return numbers
	}
	for i := 1; len(numbers) < m; i++ {
		_, share := math.Modf(float64(i) * (math.Sqrt(5) - 1) / 2)
		if at := int(share * float64(n)); !slices.Contains(numbers, at) {
			numbers = append(numbers, at)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// elements lists what is run; nil: all.
func (s *sample) elements(columns int) []int {
	if s.whole {
		return nil
	}
	var all []int
	for _, r := range s.rows {
		for _, c := range s.cols {
			all = append(all, r*columns+c)
		}
	}
	return all
}

// run runs what is drawn of rows from … to−1 of the output of p, those of one B.
func (s *sample) run(p *products, from, to int, b fp8.Blocked) {
	first, _ := slices.BinarySearch(s.rows, from)
	last, _ := slices.BinarySearch(s.rows, to)
	if first == last {
		return
	}
	each := len(s.runs[0])
	parallel.Each(len(s.runs)*each, func(i int) {
		form, k := i/each, i%each
		to := s.native[form]
		if k > 0 {
			to = s.deviations[form][k-1]
		}
		s.runOne(p, s.runs[form][k], first, last, b, to)
	})
}

// runOne stores what one run deviates by in rows first … last−1 of those that are drawn.
func (s *sample) runOne(p *products, r *productRun, first, last int, b fp8.Blocked, to []float64) {
	columns := make([]operand, len(s.cols))
	for j, n := range s.cols {
		columns[j] = r.operand(b, n, &r.operandB)
	}
	var elements []float64
	for i := first; i < last; i++ {
		row := r.operand(p.a, s.rows[i], &r.operandA)
		elements = r.elements(elements[:0], row, columns)
		for j, n := range s.cols {
			truth, got := p.truth.At(s.rows[i], n), elements[j]
			d, fits := op.DeviationOf(got, truth, truth)
			if to[i*len(s.cols)+j] = d; !fits {
				s.note(p.truth, s.rows[i], n, got)
			}
		}
	}
}

// note keeps a further truth of an element: another kind of number than the truth.
func (s *sample) note(truth *mat.Dense, row, col int, value float64) {
	_, cols := truth.Dims()
	s.locked.Lock()
	defer s.locked.Unlock()
	s.others[row*cols+col] = append(s.others[row*cols+col], value)
}
