package attention

import (
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// sampled is an output of which some rows are run, while blocks of it are computed.
type sampled struct {
	name     string
	Truth    *tensor.Tensor
	Columns  int   // of a row
	First    []int // of each row, where its deviations stand; −1: it is not run
	elements []int // those that are run; nil: all
	Forms    []formRuns
	others   map[int][]float64
}

// formRuns is what the runs of one form deviate by, and the native one.
type formRuns struct {
	Shape  []float64 // what second moments of errors go with
	runs   [][]float64
	native []float64
}

// newSampled makes room for rows of so many columns, if the recording has the output: then its size
// is known to be that of a tensor in the file. chosen tells which rows are run, nil: all.
func newSampled(c *op.Case, name string, forms, runs, columns int, chosen func(row int) bool, shape ...int) *sampled {
	if !c.Wants(name) {
		return nil
	}
	s := &sampled{name: name, Truth: tensor.New(shape...), Columns: columns, others: map[int][]float64{}}
	n := s.choose(chosen)
	for range forms {
		f := formRuns{Shape: make([]float64, s.Truth.Len()), native: make([]float64, n)}
		for range runs {
			f.runs = append(f.runs, make([]float64, n))
		}
		s.Forms = append(s.Forms, f)
	}
	return s
}

// choose notes which rows are run, and returns how many elements they have.
func (s *sampled) choose(chosen func(row int) bool) (n int) {
	for row := range s.Truth.Len() / s.Columns {
		if chosen != nil && !chosen(row) {
			s.First = append(s.First, -1)
			continue
		}
		s.First = append(s.First, n)
		n += s.Columns
		if chosen != nil {
			for i := range s.Columns {
				s.elements = append(s.elements, row*s.Columns+i)
			}
		}
	}
	return n
}

// Set stores the truth of a row.
func (s *sampled) Set(row int, truth []float64) {
	if s != nil {
		copy(s.Truth.Data[row*s.Columns:], truth)
	}
}

// Run stores what a run of a form gives for a row, −1 the native one, beside what it gives exactly.
// Where it has another kind of number (an infinity, NaN) than the truth, that is right too: it is
// returned for addOther, because rows are computed side by side.
func (s *sampled) Run(form, k, row int, got, exact []float64) (others []otherTruth) {
	if s == nil || s.First[row] < 0 {
		return nil
	}
	to := s.Forms[form].native
	if k >= 0 {
		to = s.Forms[form].runs[k]
	}
	for i, v := range got {
		at := row*s.Columns + i
		truth := s.Truth.Data[at]
		d, fits := op.DeviationOf(v, op.Carried(exact[i], truth), truth)
		to[s.First[row]+i] = d
		if !fits {
			others = append(others, otherTruth{at, v})
		}
	}
	return others
}

// otherTruth is a further truth of an element.
type otherTruth struct {
	at    int
	value float64
}

// Expected hands over the output.
func (s *sampled) Expected() verdict.Expected {
	e := verdict.Expected{Name: s.name, Truth: s.Truth}
	for _, f := range s.Forms {
		e.AddForm(verdict.NewSample(f.runs, f.native, s.elements, s.Truth.Data, f.Shape, e.Columns()))
	}
	for at, values := range s.others {
		for _, v := range values {
			e.AddOther(at, v)
		}
	}
	return e
}

// Add notes further truths.
func (s *sampled) Add(others []otherTruth) {
	for _, o := range others {
		s.others[o.at] = append(s.others[o.at], o.value)
	}
}
