package diagnosis

import (
	"math"
	"sync"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// outputs are truths in float64, by the name of the output.
type outputs map[string][]float64

// subject is a recording that is diagnosed.
type subject struct {
	rec     *recording.Recording
	request *recording.Recording           // its inputs, attributes and declarations
	ready   func() (*emulate.Bound, error) // the request, for kernels
	bound   *op.Case
	views   []*view
	loss    float64 // beside the right truth
	excess  float64 // of that what is more than right kernels have
	noise   float64 // what those have
	budget  float64 // of work that is left
	each    float64 // work that one explanation takes

	// once for all: the quantities of a right kernel, with what it gives; those that matter; and
	// the mean squares of what right kernels err by, as emulated
	formed func() (map[string]*tensor.Tensor, outputs)
	hung   func() []hung
	erring func() outputs
	known  func() []named // constants

	// what right kernels give that round as each of roundings, once for all
	unspoilt []func() (outputs, error)
	paired   func() (outputs, error) // and in sums of pairs

	unnamed []candidate // that wait for what may say better what they do
	anyway  string      // the mistake that is made whatever else is, "" for none
	second  bool        // it is what an explanation leaves of another subject

	tried      int
	untried    string
	trials     []*trial
	explaining []*trial
}

// view is one output as it was recorded beside what is expected of it.
type view struct {
	want   verdict.Expected
	got    []float64
	truth  []float64
	scale  []float64 // deviation of each element, the last rounding included
	off    []float64 // how far what was recorded is from the truth, in deviations
	loss   []float64 // of each element, or row of a choice, beside the right truth
	failed bool      // it is not explained

	largest float64 // of the truth's finite numbers, by size
	zeros   []int   // elements whose truth is 0 and errs by less than the last bits of that

	beside func(truth []float64) []float64 // deviation of each element beside another truth
}

func newSubject(
	rec *recording.Recording, expected []verdict.Expected, v verdict.Verdict, budget float64,
) (*subject, error) {
	s := &subject{rec: rec, request: rec.Request(), budget: budget}
	var err error
	s.formed, s.hung = sync.OnceValues(s.quantities), sync.OnceValue(s.quantitiesHung)
	s.known = sync.OnceValue(s.constants)
	s.erring = sync.OnceValue(func() outputs { return s.errors(s.making(""), s.right()) })
	s.ready = sync.OnceValues(func() (*emulate.Bound, error) { return emulate.Bind(s.request) })
	if s.bound, err = op.Bind(s.request); err != nil {
		return nil, err
	}
	s.paired = sync.OnceValues(s.kernel("", s.inPairs()))
	for _, c := range s.roundings() {
		s.unspoilt = append(s.unspoilt, sync.OnceValues(s.kernel("", c)))
	}
	if s.each, err = op.WorkOnce(rec); err != nil {
		return nil, err
	}
	s.each = max(s.each, perNumber*numbers(rec))
	for i, want := range expected {
		x, err := rec.Tensor("out." + want.Name)
		if err != nil {
			return nil, err
		}
		s.add(newView(want, x), v.Outputs[i].Status == verdict.Unexplained)
	}
	return s, nil
}

// perNumber is the work that reading, checking and writing a number takes, in products.
const perNumber = 128

// numbers counts those of all tensors.
func numbers(rec *recording.Recording) (n float64) {
	for _, name := range rec.Inputs() {
		n += op.Elements(rec.Shape(name))
	}
	for _, name := range rec.Outputs() {
		n += op.Elements(rec.Shape("out." + name))
	}
	return n
}

// add adds an output.
func (s *subject) add(v *view, failed bool) {
	v.failed = failed
	s.views = append(s.views, v)
	s.loss, s.excess = s.loss+sum(v.loss), s.excess+excess(v.loss)
	if v.want.Choice == nil {
		s.noise += rightLoss * float64(len(v.loss))
	}
}

// wrongNumbers is how many numbers the outputs have that are not explained.
func (s *subject) wrongNumbers() (n int) {
	for _, v := range s.views {
		if v.failed {
			n += len(v.got)
		}
	}
	return n
}

func newView(want verdict.Expected, got *tensor.Tensor) *view {
	v := &view{want: want, got: got.Data}
	if want.Choice != nil {
		v.loss = make([]float64, want.Choice.Rows())
		for i := range v.loss {
			if v.wrongRow(i, v.got) {
				v.loss[i] = rowLoss
			}
		}
		return v
	}
	v.beside = want.Besides()
	settled := want.Settled(got)
	v.truth, v.scale = settled.Truth.Data, make([]float64, got.Len())
	for i := range v.scale {
		v.scale[i] = settled.Explained(i)
	}
	v.loss = v.lossOf(v.truth, v.scale)
	v.off = make([]float64, got.Len())
	for i, x := range v.got {
		v.off[i] = v.deviation(x, i)
	}
	v.findZeros()
	return v
}

func (v *view) findZeros() {
	for _, t := range v.truth {
		if dtype.Finite(t) {
			v.largest = max(v.largest, math.Abs(t))
		}
	}
	for i, t := range v.truth {
		if t == 0 && v.scale[i] < 1e-16*v.largest {
			v.zeros = append(v.zeros, i)
		}
	}
}

// rightLoss is the mean loss of an element that is right but for its last rounding: of log(1 + z²)
// for z between −√3 and √3.
const rightLoss = 0.6

// rightExcess is what of that is in excess of the mean, and something more.
const rightExcess = 0.3

// excess is what losses are more than those of right elements.
func excess(loss []float64) (more float64) {
	for _, lost := range loss {
		more += max(0, lost-rightLoss)
	}
	return more
}

// rowLoss is the loss of a row of a choice that is wrong: as of an element a thousand deviations
// off.
var rowLoss = math.Log1p(1e6)

// wrongRow tells whether a row of a choice is beyond every bound.
func (v *view) wrongRow(i int, answer []float64) bool {
	n := v.want.Choice.Width()
	return verdict.GradeOf(v.want.Choice, i, answer[i*n:(i+1)*n]) == verdict.Wrong
}

// lossOf returns for each element log(1 + ((r−w)/s)²): of small errors the square, as chances have
// it, and of large ones little more than that they are large.
func (v *view) lossOf(w, scale []float64) []float64 {
	loss := make([]float64, len(w))
	for i, x := range w {
		if v.want.Judged(i) {
			loss[i] = elementLoss(v.got[i], x, scale[i])
		}
		if scale[i] == 0 && x != v.truth[i] && loss[i] > 0 {
			loss[i] = min(loss[i], v.exactLoss(i, x))
		}
	}
	return loss
}

// exactLoss is the loss of an element that nothing is rounded for but in the end, beside what an
// explanation has for it: it may round by the way.
func (v *view) exactLoss(i int, x float64) float64 {
	if t := v.want.Type; t == dtype.F32 && math.Abs(t.Round(x)-v.got[i]) <= t.Spacing(x) {
		return asRecorded / 2
	}
	return most
}

// most is the loss of an element of another kind than expected.
var most = math.Log1p(1e12)

func elementLoss(got, want, scale float64) float64 {
	switch {
	case got == want, math.IsNaN(got) && math.IsNaN(want):
		return 0
	case !dtype.Finite(got - want), scale == 0:
		return most
	}
	z := (got - want) / scale
	return min(most, math.Log(1+float64(z*z)))
}

// changed returns the request with a change.
func (s *subject) changed(change func(r *recording.Recording)) *recording.Recording {
	other := s.request.Clone()
	change(other)
	return other
}
