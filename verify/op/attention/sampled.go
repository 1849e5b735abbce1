package attention

import (
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// sampled is an output of which some rows are run, while blocks of it are computed.
type sampled struct {
	name     string
	truth    *tensor.Tensor
	columns  int   // of a row
	first    []int // of each row, where its deviations stand; −1: it is not run
	elements []int // those that are run; nil: all
	forms    []formRuns
	others   map[int][]float64
}

// formRuns is what the runs of one form deviate by, and the native one.
type formRuns struct {
	shape  []float64 // what second moments of errors go with
	runs   [][]float64
	native []float64
}

// newSampled makes room for rows of so many columns, if the recording has the output: then its size
// is known to be that of a tensor in the file. chosen tells which rows are run, nil: all.
func newSampled(c *op.Case, name string, forms, runs, columns int, chosen func(row int) bool, shape ...int) *sampled {
	if !c.Wants(name) {
		return nil
	}
	s := &sampled{name: name, truth: tensor.New(shape...), columns: columns, others: map[int][]float64{}}
	n := s.choose(chosen)
	for range forms {
		f := formRuns{shape: make([]float64, s.truth.Len()), native: make([]float64, n)}
		for range runs {
			f.runs = append(f.runs, make([]float64, n))
		}
		s.forms = append(s.forms, f)
	}
	return s
}

// choose notes which rows are run, and returns how many elements they have.
func (s *sampled) choose(chosen func(row int) bool) (n int) {
	for row := range s.truth.Len() / s.columns {
		if chosen != nil && !chosen(row) {
			s.first = append(s.first, -1)
			continue
		}
		s.first = append(s.first, n)
		n += s.columns
		if chosen != nil {
			for i := range s.columns {
				s.elements = append(s.elements, row*s.columns+i)
			}
		}
	}
	return n
}

// set stores the truth of a row.
func (s *sampled) set(row int, truth []float64) {
	if s != nil {
		copy(s.truth.Data[row*s.columns:], truth)
	}
}

// setShape stores what second moments of errors of a row go with, in the one form that there is.
func (s *sampled) setShape(row int, shape []float64) {
	if s != nil {
		copy(s.forms[0].shape[row*s.columns:], shape)
	}
}

// run stores what a run of a form gives for a row, −1 the native one, beside what it gives exactly.
// Where it has another kind of number (an infinity, NaN) than the truth, that is right too: it is
// returned for addOther, because rows are computed side by side.
func (s *sampled) run(form, k, row int, got, exact []float64) (others []otherTruth) {
	if s == nil || s.first[row] < 0 {
		return nil
	}
	to := s.forms[form].native
	if k >= 0 {
		to = s.forms[form].runs[k]
	}
	for i, v := range got {
		at := row*s.columns + i
		truth := s.truth.Data[at]
		d, fits := op.DeviationOf(v, op.Carried(exact[i], truth), truth)
		to[s.first[row]+i] = d
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

// expected hands over the output.
func (s *sampled) expected() verdict.Expected {
	e := verdict.Expected{Name: s.name, Truth: s.truth}
	for _, f := range s.forms {
		e.AddForm(verdict.NewSample(f.runs, f.native, s.elements, s.truth.Data, f.shape, e.Columns()))
	}
	for at, values := range s.others {
		for _, v := range values {
			e.AddOther(at, v)
		}
	}
	return e
}

// add notes further truths.
func (s *sampled) add(others []otherTruth) {
	for _, o := range others {
		s.others[o.at] = append(s.others[o.at], o.value)
	}
}
