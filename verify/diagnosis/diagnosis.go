// Package diagnosis says of a recording that is not explained what would explain it: another
// declaration or attribute, axes or rows out of place, one factor, a mistake that kernels are known
// to make. It says of one that is explained which mistakes it vouches against.
//
// An explanation is a truth of its own: what a kernel that does so would give, in float64. The
// recorded outputs are compared with it as with the right truth,
//
//	c = Σ (r−t)(w−t)/s² ÷ Σ (w−t)²/s²,  strength = √Σ (w−t)²/s²,  s² = σ² + ulp²/12
//
// with r recorded, t right, w of the explanation: c is about 1 for a kernel that does it and about
// 0 for one that does not, however far below the error of an element that is. It explains if r is
// explained beside w as the verdict judges it.
package diagnosis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	_ "plumbline/verify/emulate/all"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Budget is how much work a diagnosis may take unless the caller says more, in products as op.Work
// counts them: some two minutes on two cores.
const Budget = 6e11

// Judge judges a recording that asks for no more work than most, and says of one that is not
// explained what would explain it, within a budget of work; a budget of 0 asks for no diagnosis.
func Judge(rec *recording.Recording, most, budget float64) verdict.Verdict {
	return JudgeAndVouch(rec, most, budget, 0)
}

// JudgeAndVouch is Judge, and says of an explained recording which mistakes it vouches against,
// unless that takes more work than vouching, by VouchingWork.
func JudgeAndVouch(rec *recording.Recording, most, budget, vouching float64) verdict.Verdict {
	return JudgeWith(rec, Options{Exact: true, Most: most, Budget: budget, Vouching: vouching})
}

// JudgeSparing is JudgeAndVouch, but that an output that is too large to be recomputed as a whole
// is checked by signed sums: then a diagnosis is of one part that is wrong, and nothing is vouched
// for.
func JudgeSparing(rec *recording.Recording, most, budget, vouching float64) verdict.Verdict {
	return JudgeWith(rec, Options{Most: most, Budget: budget, Vouching: vouching})
}

// Options say how a recording is judged, and what is said of it beside its verdict.
type Options struct {
	Most     float64 // work of a recording that is judged at all, in products
	Budget   float64 // work of a diagnosis; 0: there is none
	Vouching float64 // work up to which it is said what an explained recording vouches against
	Exact    bool    // recompute everything, however large it is
	Draw     bool    // add pictures, and the worst elements of explained outputs too
}

// JudgeWith judges a recording as JudgeAndVouch does where everything is to be recomputed, and else
// as JudgeSparing does.
func JudgeWith(rec *recording.Recording, o Options) verdict.Verdict {
	v, at := judged(rec, o)
	if at.Where == "" {
		addTo(&v, at, o.Budget, o.Vouching)
	} else if addTo(&v, at, o.Budget, -1); v.Diagnosis != nil {
		v.Diagnosis.Part = at.Where
	}
	if o.Draw {
		keeping(&v, func() { draw(&v, at) })
	}
	return v
}

func judged(rec *recording.Recording, o Options) (verdict.Verdict, op.Judged) {
	if !o.Exact {
		return op.JudgeSparing(rec, o.Most, VouchingWork(rec) <= o.Vouching)
	}
	v, expected := op.JudgeKnown(rec, o.Most)
	return v, op.Judged{Recording: rec, Expected: expected, Verdict: v}
}

// draw adds pictures of the outputs, of a large one that of the part that was judged.
func draw(v *verdict.Verdict, at op.Judged) {
	for i := range v.Outputs {
		out := at.Verdict.Outputs[i]
		got, err := at.Recording.Tensor("out." + out.Name)
		if err != nil { // it was read before
			continue
		}
		want := at.Expected[i]
		if at.Where == "" {
			want.Summands = op.SummandsOf(at.Recording, out.Name)
		}
		if out.Draw(want, got); out.Picture != nil {
			out.Picture.Part = at.Where
		}
		v.Outputs[i].Picture = out.Picture
		if v.Outputs[i].Worst == nil {
			v.Outputs[i].Worst = out.Worst
		}
	}
}

// addTo adds a diagnosis to a verdict, or what is vouched for.
func addTo(v *verdict.Verdict, at op.Judged, budget, vouching float64) {
	keeping(v, func() {
		switch {
		case v.Status == verdict.Unexplained && budget > 0:
			v.Diagnosis = Of(at.Recording, at.Expected, at.Verdict, budget)
		case v.Status == verdict.Explained && VouchingWork(at.Recording) <= vouching:
			v.Vouching = vouches(at.Recording, at.Expected, at.Verdict)
		}
	})
}

// keeping adds to a verdict, which stands whatever happens: a fault of ours in what is added is
// noted in it.
func keeping(v *verdict.Verdict, add func()) {
	defer func() {
		if p := recover(); p != nil {
			f := parallel.Caught(p)
			v.Fault = fmt.Sprintf("%v\n%s", f.Value, f.Stack)
		}
	}()
	add()
}

// Of returns what would explain a recording with these expectations and this verdict, and nil if
// nothing can be said.
func Of(
	rec *recording.Recording, expected []verdict.Expected, v verdict.Verdict, budget float64,
) *verdict.Diagnosis {
	s, err := newSubject(rec, expected, v, budget)
	if err != nil {
		return nil
	}
	s.search()
	return s.words()
}

// search tries all that may explain, one after the other until something does.
func (s *subject) search() {
	s.tryFirst()
	for _, more := range stages() {
		if !s.told() && s.open() {
			more(s)
		}
	}
}

// tryFirst tries what is cheap or known.
func (s *subject) tryFirst() {
	for _, stage := range []func(*subject) []candidate{
		outputCandidates, mistakeCandidates, attributeCandidates, inputCandidates, statisticCandidates,
	} {
		s.try(stage(s))
	}
	s.settle()
	if s.leavesOpen() {
		s.tryVariants()
	}
}

// stages are what is tried after the first.
func stages() []func(*subject) {
	return []func(*subject){
		(*subject).tryRecipes, (*subject).tryParts, (*subject).tryBeside, (*subject).tryFormulas, (*subject).tryColumns,
		(*subject).tryMisread, (*subject).tryAlong, (*subject).tryGathered, (*subject).tryParts,
		(*subject).trySlopes, (*subject).tryQuantities, (*subject).tryEnds, (*subject).tryGiven,
		(*subject).tryGatheredQuantities, (*subject).tryParts, (*subject).tryTwice, (*subject).tryAmounts,
		(*subject).tryUnmixed, (*subject).tryPermuted, (*subject).tryStrides, (*subject).tryEmpty, (*subject).tryParts,
		(*subject).tryUnnamed, (*subject).tryCombined, (*subject).tryAlternatives, (*subject).tryDescribed,
		(*subject).tryRunning, (*subject).tryScaled,
		(*subject).tryParts, (*subject).tryVariants, (*subject).tryFits, (*subject).tryPairs,
		(*subject).tryDeclarations, (*subject).tryConstants, (*subject).tryRowwise, (*subject).tryChanges,
	}
}

// told tells whether something explains that was not fitted number by number.
func (s *subject) told() bool {
	return slices.ContainsFunc(s.explaining, (*trial).says)
}

// says tells whether a trial was not fitted number by number.
func (t *trial) says() bool { return t.fitted <= fewFitted && !t.vacuous }

// leavesOpen tells whether all that explains leaves the question open why, as of NaN.
func (s *subject) leavesOpen() bool {
	return s.told() && !slices.ContainsFunc(s.explaining, func(t *trial) bool { return t.says() && !t.unsettled })
}

// fewFitted is up to how many numbers may be fitted for an explanation to end the search.
const fewFitted = 4

// try weighs what candidates give, in parallel, and keeps those that move the outputs. What the
// budget is too small for is left out.
func (s *subject) try(all []candidate) {
	if most := int(max(s.budget, 0) / max(s.each, 1)); len(all) > most {
		s.untried = fmt.Sprintf("not tried: %d explanations of %d, for which the budget of work is too small "+
			"(-diagnosis raises it)", len(all)-most, len(all))
		all = all[:most]
	}
	s.budget -= s.each * float64(len(all))
	for some := range slices.Chunk(all, max(fewAtOnce, mostKept/4/max(s.elements(), 1))) {
		trials := make([]*trial, len(some))
		parallel.Each(len(some), func(i int) { trials[i] = s.weigh(some[i]) })
		for _, t := range trials {
			if t != nil {
				s.tried++
				s.trials = append(s.trials, t)
			}
		}
		s.forget()
	}
}

// mostKept is how many numbers may be kept of what explanations give, 2 GiB, and fewAtOnce how many
// explanations are tried at least before some of them are forgotten.
const (
	mostKept  = 1 << 28
	fewAtOnce = 8
)

// forget lets go of what trials give that promise least, where all together give too much to keep.
func (s *subject) forget() {
	kept := slices.DeleteFunc(slices.Clone(s.trials), func(t *trial) bool { return t.forgotten })
	most := max(fewAtOnce, mostKept/max(s.elements(), 1))
	if len(kept) <= most {
		return
	}
	slices.SortStableFunc(kept, func(a, b *trial) int { return cmp.Compare(b.promise, a.promise) })
	for _, t := range kept[most*3/4:] {
		t.gives, t.forgotten = nil, true
	}
}

// elements counts those of all outputs.
func (s *subject) elements() (n int) {
	for _, v := range s.views {
		n += len(v.got)
	}
	return n
}

// finalists is how many explanations are judged in full.
const finalists = 8

// settle judges those that leave least of the error, and keeps what explains.
func (s *subject) settle() {
	slices.SortStableFunc(s.trials, func(a, b *trial) int { return cmp.Compare(a.loss, b.loss) })
	best := slices.DeleteFunc(slices.Clone(s.trials[:min(len(s.trials), finalists)]), func(t *trial) bool {
		return t.loss > s.loss-leastGain || t.forgotten
	})
	for _, t := range s.bestForEach() {
		if !slices.Contains(best, t) {
			best = append(best, t)
		}
	}
	best, s.explaining = slices.DeleteFunc(best, func(t *trial) bool { return t.judged }), nil
	parallel.Each(len(best), func(i int) { s.judge(best[i]) })
	for _, t := range s.trials {
		if t.explains = t.explains || s.asGood(t, best); t.explains {
			s.explaining = append(s.explaining, t)
		}
	}
	slices.SortStableFunc(s.explaining, func(a, b *trial) int { return cmp.Compare(a.loss, b.loss) })
}

// asGood tells whether a trial gives what one of the best gives that explains, as an attribute and
// a mistake may; then it explains too.
func (s *subject) asGood(t *trial, best []*trial) bool {
	for _, b := range best {
		if b.explains && math.Abs(t.loss-b.loss) < alike && s.apart(t, b) < alike {
			t.RMS = b.RMS
			return true
		}
	}
	return false
}

// apart is the square of the distance of what two trials give, in deviations.
func (s *subject) apart(a, b *trial) (square float64) {
	for _, v := range s.views {
		x, y := v.given(a), v.given(b)
		if len(x) != len(y) { // one says nothing of a choice: that it is right
			if v.failed {
				return math.Inf(1)
			}
			continue
		}
		for i := range x {
			switch d := x[i] - y[i]; {
			case x[i] == y[i], math.IsNaN(x[i]) && math.IsNaN(y[i]):
			case v.want.Choice != nil, !dtype.Finite(d), v.scale[i] == 0:
				return math.Inf(1)
			default:
				square += d * d / (v.scale[i] * v.scale[i])
			}
		}
	}
	return square
}

// given is what a trial gives for an output.
func (v *view) given(t *trial) []float64 {
	if w := t.gives[v.want.Name]; w != nil {
		return w
	}
	return v.truth
}

// leastGain is how much nearer, in logarithms of chances, an explanation has to be to be looked at.
const leastGain = 5
