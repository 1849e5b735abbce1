package diagnosis

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// candidate is an explanation that has not been tried.
type candidate struct {
	verdict.Finding
	give giver // what a kernel that does it gives; an output that is left out is as it should be
	// ways in which it may be done too: the one that fits best counts
	others []giver
	// what rounds as declared, for what shows nowhere else, because it is rounding or overflow
	narrow []giver
	// a kernel of a configuration that does it
	made func(c emulate.Config) giver
	// of one that moves elements about: as it moves what belongs to each, its deviation
	moves func(v *view, x []float64) []float64
	// the recording as one of a kernel that does it, where that is a recording
	again   func() *recording.Recording
	changes func(r *recording.Recording) // what is another in that
	// one of a family of which another may hold in each part of the outputs: what they say
	// together, and this one in short
	family, about, short string
	entry                int // of one that reads one entry of an axis everywhere: which, from 1 on
	factor               *factored
	twice                string // of one that leaves something out of sums: that it counts twice
	fitted               int    // how many numbers were fitted to what was recorded
	whole                bool   // it says something only where it explains everything
	unsettled            bool   // what it says leaves open why
	structured           bool   // it is of kernels of other tiles or splits than those that are emulated for σ
}

// giver computes outputs in float64.
type giver func() (outputs, error)

// trial is an explanation with what it gives.
type trial struct {
	candidate
	gives     outputs
	promise   float64 // which share of the loss it takes away in the rows that it fits better
	forgotten bool    // what it gives was let go
	loss      float64
	losses    []float64 // of each output
	gains     []float64 // what it takes away of each at most, in the parts in which that is most
	shares    []float64 // as Share, of each output by itself
	left      float64   // of the excess that there is beside the right truth
	vacuous   bool      // as many numbers were fitted as there are wrong ones
	judged    bool
	explains  bool
	leaves    []string    // outputs that it does not explain, once it is judged
	parted    bool        // it was tried in parts
	of        *trial      // of one that holds in parts: the explanation that holds there
	declared  declaration // of one of arithmetic
}

// weigh computes what a candidate gives, and how far it is from what was recorded; nil where it
// cannot be, or where it moves nothing.
func (s *subject) weigh(c candidate) *trial {
	best := s.compared(c, c.give)
	for _, give := range c.others {
		if t := s.compared(c, give); t != nil && (best == nil || t.loss < best.loss) {
			best = t
		}
	}
	if best != nil && (best.Explains < leads || math.Abs(best.Share-1) < asMuch && !s.overflows(best)) {
		return best // it is not, or it is so: how it rounds is no question
	}
	for _, give := range c.narrow {
		if t := s.compared(c, give); t != nil && (best == nil || t.loss < best.loss) {
			best = t
		}
		if best != nil && best.Explains > nearlyAll {
			break
		}
	}
	return best
}

// asMuch is how far from 1 the share of a mistake may be that a kernel makes.
const asMuch = 0.05

// nearlyAll is the share of the error that has to be taken away for it to be no question how.
const nearlyAll = 0.99

// overflows tells whether an element was recorded as another kind of number than a trial gives.
func (s *subject) overflows(t *trial) bool {
	for _, v := range s.views {
		for i, w := range t.gives[v.want.Name] {
			if v.want.Choice == nil && v.want.Judged(i) && dtype.Finite(w) != dtype.Finite(v.got[i]) {
				return true
			}
		}
	}
	return false
}

// compared returns one way to do it beside what was recorded, nil as weigh has it.
func (s *subject) compared(c candidate, give giver) *trial {
	gives, err := give()
	if err != nil {
		return nil
	}
	t, cross, square := &trial{candidate: c, gives: gives}, 0.0, 0.0
	for _, v := range s.views {
		x, y := s.compareOutput(t, v)
		cross, square = cross+x, square+y
	}
	if square < least {
		return nil
	}
	if t.loss = sum(t.losses); c.fitted > 0 { // no better than right kernels are
		t.loss = max(t.loss, s.noise) + leastGain*float64(c.fitted)
		t.vacuous = c.fitted >= s.wrongNumbers()
	}
	t.Share, t.Strength = cross/square, math.Sqrt(square)
	t.Explains = 1 - t.left/s.excess
	return t
}

// compareOutput adds to a trial what it leaves of one output, and returns Σ (r−t)(w−t)/s² and
// Σ (w−t)²/s² of that.
func (s *subject) compareOutput(t *trial, v *view) (cross, square float64) {
	name, loss := v.want.Name, v.loss
	if w := v.aligned(s, t.gives[name], t.gives); w != nil {
		w = v.settled(w)
		t.gives[name], loss = w, v.lossIn(t, w)
		cross, square = v.along(w)
	} else {
		delete(t.gives, name)
	}
	t.shares = append(t.shares, cross/max(square, least))
	t.losses, t.left = append(t.losses, sum(loss)), t.left+excess(loss)
	t.promise += v.gain(loss, v.unit()) / s.loss
	t.gains = append(t.gains, v.gain(loss, 1))
	return cross, square
}

// unit is how many losses a row has.
func (v *view) unit() int {
	if v.want.Choice != nil {
		return 1
	}
	return v.want.Columns()
}

// gain is what losses are less than beside the right truth, in the runs of so many in which they
// are.
func (v *view) gain(loss []float64, unit int) (less float64) {
	for first := 0; first < len(loss); first += unit {
		less += max(0, sum(v.loss[first:first+unit])-sum(loss[first:first+unit]))
	}
	return less
}

// settled returns what an explanation gives, with 0 where the truth is 0 and it is so too but for
// the last bits of float64 among numbers of that size.
func (v *view) settled(w []float64) []float64 {
	if len(v.zeros) == 0 {
		return w
	}
	kept := slices.Clone(w)
	for _, i := range v.zeros {
		if math.Abs(w[i]) <= lastBits*v.largest {
			kept[i] = 0
		}
	}
	return kept
}

// lastBits is up to which share of an output's largest number a sum in float64 is for 0.
const lastBits = 1e-14

// least is the square of the strength from which an explanation moves anything.
const least = 1e-3

// lossIn is the loss of each element beside what a trial gives, which may have moved elements here
// that err by more.
func (v *view) lossIn(t *trial, w []float64) []float64 {
	if t.moves == nil || v.want.Choice != nil {
		return v.lossBeside(w)
	}
	scale := v.beside(w)
	for i, s := range t.moves(v, v.scale) {
		scale[i] = max(scale[i], s)
	}
	return v.lossOf(w, scale)
}

// lossBeside is the loss of each element, or row of a choice, beside another truth.
func (v *view) lossBeside(w []float64) []float64 {
	if v.want.Choice == nil {
		return v.lossOf(w, v.beside(w))
	}
	loss := make([]float64, v.want.Choice.Rows())
	for i := range loss {
		if v.differs(i, w) {
			loss[i] = rowLoss
		}
	}
	return loss
}

// differs tells whether a recorded row of a choice is another than an explanation gives, where one
// of them is wrong.
func (v *view) differs(i int, w []float64) bool {
	n := v.want.Choice.Width()
	if sameSet(v.got[i*n:(i+1)*n], w[i*n:(i+1)*n]) || n == 1 && v.nearlyAt(i, w[i]) {
		return false
	}
	return v.loss[i] > 0 || v.wrongRow(i, w)
}

// nearlyAt tells whether an explanation gives a recorded number of F32 but for its last bit: it may
// round by the way. The last bit of a code is another code.
func (v *view) nearlyAt(i int, x float64) bool {
	return v.want.Type == dtype.F32 && x != math.Trunc(x) && math.Abs(v.got[i]-x) <= v.want.Type.Spacing(x)
}

// sameSet tells whether two rows are the same in some order.
func sameSet(a, b []float64) bool {
	if slices.Equal(a, b) || len(a) == 1 {
		return slices.Equal(a, b)
	}
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// along returns Σ (r−t)(w−t)/s² and Σ (w−t)²/s² of an output.
func (v *view) along(w []float64) (cross, square float64) {
	if v.want.Choice != nil {
		for i := range v.loss {
			if v.wrongRow(i, w) {
				square += rowSquare
				if !v.differs(i, w) {
					cross += rowSquare
				}
			}
		}
		return cross, square
	}
	for i, x := range w {
		if !v.want.Judged(i) {
			continue
		}
		d := v.deviation(x, i)
		cross, square = cross+v.off[i]*d, square+d*d
	}
	return cross, square
}

// rowSquare is the square of the strength that a wrong row of a choice has: it is beyond every
// bound, so that one is seen.
const rowSquare = 400

// deviation is how far a number is from the truth of element i, in deviations; another kind of
// number is a million off.
func (v *view) deviation(x float64, i int) float64 {
	t := v.truth[i]
	switch {
	case x == t, math.IsNaN(x) && math.IsNaN(t):
		return 0
	case !dtype.Finite(x - t), v.scale[i] == 0:
		return 1e6
	}
	return max(-1e6, min(1e6, (x-t)/v.scale[i]))
}

// judge judges what was recorded beside what the trial gives; where that is the right call of
// another recording, and errors are larger than beside the right truth, as that recording.
func (s *subject) judge(t *trial) {
	s.judgeWith(t, s.moved(t))
	made := t // everywhere, of one that holds in parts
	if t.of != nil {
		made = t.of
	}
	if !t.explains && t.Explains >= nearly && t.again != nil {
		s.judgeAgain(t)
	}
	if !t.explains && t.Explains >= nearly && made.made != nil && !made.structured {
		s.judgeWith(t, s.measured(made))
	}
}

// moved returns the deviations of elements that a trial moves, where they are moved to.
func (s *subject) moved(t *trial) outputs {
	if t.moves == nil {
		return nil
	}
	least := outputs{}
	for _, v := range s.views {
		if v.want.Choice == nil && t.gives[v.want.Name] != nil {
			sigma := make([]float64, len(v.truth))
			for i := range sigma {
				sigma[i] = v.want.Widest(i)
			}
			least[v.want.Name] = t.moves(v, sigma)
		}
	}
	return least
}

// judgeWith judges with errors that are at least so large.
func (s *subject) judgeWith(t *trial, least outputs) {
	t.judged, t.leaves, t.RMS = true, nil, 0
	var all []string
	for _, v := range s.views {
		if all = append(all, v.want.Name); !s.explainsOutput(t, v, least) {
			t.leaves = append(t.leaves, v.want.Name)
		}
	}
	if t.explains = len(t.leaves) == 0; t.whole && !t.explains {
		t.leaves = all
	}
}

// explainsOutput judges one output beside what the trial gives.
func (s *subject) explainsOutput(t *trial, v *view, least outputs) bool {
	w := t.gives[v.want.Name]
	switch {
	case w == nil:
		return !v.failed
	case v.want.Choice != nil && v.failed:
		return sum(v.lossBeside(w)) <= fewRows*sum(v.loss)
	case v.want.Choice != nil:
		return sum(v.lossBeside(w)) <= sum(v.loss)
	}
	out := verdict.Judge(v.want.Instead(w, least[v.want.Name]), tensor.Of(v.got, v.want.Truth.Shape...))
	t.RMS = max(t.RMS, out.RMS)
	aside := len(out.Reasons) == out.Aside && out.AsideBeyond < asideOf
	return out.Status == verdict.Explained || aside || v.reproduced(w)
}

// asideOf is by how much factors and directions may be beyond their limits, where nothing else is:
// the runs that these are of are those of the right formula.
const asideOf = 2

// reproduced tells whether another truth is what was recorded, but for much less than kernels err
// by: the recorded rounding itself is in it.
func (v *view) reproduced(w []float64) bool {
	return sum(v.lossBeside(w)) <= asRecorded*float64(len(w))
}

// asRecorded is the mean loss from which that is said: a fifth of a deviation.
const asRecorded = 0.04

// judgeAgain judges the recording that it is if the trial is right.
func (s *subject) judgeAgain(t *trial) {
	rec := t.again()
	if rec == nil {
		return
	}
	v := op.Judge(rec)
	if t.explains = v.Status == verdict.Explained; !t.explains {
		return
	}
	t.RMS, t.leaves = 0, nil
	for _, o := range v.Outputs {
		t.RMS = max(t.RMS, o.RMS)
	}
}

// nearly is the share of the error that an explanation takes away that is worth another look.
const nearly = 0.3

// fewRows is the share of wrong rows of a choice that may be answered in another way than the
// explanation does: near its own ties.
const fewRows = 0.05
