package diagnosis

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Two things may be wrong at once, as where the gate of another model was taken over. What one of
// them explains, or takes away as it should, is taken for made, and all that is known is tried on
// what it leaves.

// besides is beside how many explanations others are tried, and besideShare the part of what is
// left of the budget that each may take, over one.
const (
	besides     = 3
	besideShare = 5
)

// besideLeast is the share of the error that an explanation has to take away for others to be tried
// beside it where it explains no output.
const besideLeast = 0.1

// fewForTwo is how many numbers have to be wrong for that: few are met by some two of so many by
// chance.
const fewForTwo = 64

// tryBeside goes on from what explains all of an output, and not of the others, to all there is;
// and from what takes most away to what is known.
func (s *subject) tryBeside() {
	if s.second {
		return
	}
	s.tryOn(s.hasAll, (*subject).search)
	if !s.told() && s.wrongNumbers() >= fewForTwo {
		s.tryOn(func(t *trial) bool { return t.Explains > besideLeast && t.Share > leastShare }, (*subject).tryFirst)
	}
}

// hasAll tells whether a trial explains all of an output, and is in it as much as it should be.
func (s *subject) hasAll(t *trial) bool {
	for i, v := range s.views {
		if t.judged && slices.Contains(s.explainedBy(t), v.want.Name) && math.Abs(t.shares[i]-1) < asMuch {
			return true
		}
	}
	return false
}

// tryOn tries others beside the best that have something.
func (s *subject) tryOn(has func(t *trial) bool, others func(*subject)) {
	var bases []*trial
	for _, t := range s.trials {
		known := t.Kind == "mistake" || t.changes != nil
		if known && t.of == nil && !t.whole && !t.structured && !t.forgotten && has(t) && !s.saidBy(bases, t) {
			bases = append(bases, t)
		}
	}
	slices.SortStableFunc(bases, func(a, b *trial) int {
		return cmp.Or(cmp.Compare(len(s.explainedBy(b)), len(s.explainedBy(a))), cmp.Compare(a.loss, b.loss))
	})
	var all []candidate
	for _, t := range bases[:min(len(bases), besides)] {
		if c, found := s.alsoMade(t, others); found {
			all = append(all, c)
		}
	}
	s.try(all)
	s.settle()
}

// saidBy tells whether one of some trials gives the same as another.
func (s *subject) saidBy(some []*trial, t *trial) bool {
	return slices.ContainsFunc(some, func(b *trial) bool { return b.loss == t.loss && s.apart(b, t) < alike })
}

// alsoMade is what explains the rest beside an explanation, unless it is that once more.
func (s *subject) alsoMade(t *trial, others func(*subject)) (c candidate, found bool) {
	b := s.beside(t, s.budget/besideShare)
	if b == nil {
		return c, false
	}
	most := b.budget
	b.second = true
	others(b)
	s.budget -= most - max(b.budget, 0)
	s.tried += b.tried
	if !b.told() {
		return c, false
	}
	b.rankExplaining()
	more := b.explaining[slices.IndexFunc(b.explaining, (*trial).says)]
	if more.ID == t.ID {
		return c, false
	}
	gives := maps.Clone(t.gives)
	maps.Copy(gives, more.gives)
	return bothOf(t.Finding, more.Finding, more.fitted, func() (outputs, error) { return gives, nil }), true
}

// bothOf is the explanation that two things are wrong, the one first that says more.
func bothOf(a, b verdict.Finding, fitted int, give giver) candidate {
	if cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.ID, b.ID)) > 0 {
		a, b = b, a
	}
	c := candidate{Finding: pairOf(a, b), give: give, fitted: fitted}
	if rank(b.Kind) > rank("input") { // it has no name
		c.ID = a.ID
	}
	if b.Where != "" {
		c.Sentence += " (only " + b.Where + ")"
	}
	return c
}

// beside is the recording as one of a kernel that does what an explanation says anyway; nil where
// that cannot be.
func (s *subject) beside(t *trial, budget float64) *subject {
	if t.changes != nil {
		return s.ofChanged(t.again(), budget)
	}
	b, err := newSubject(s.rec, nil, verdict.Verdict{}, budget)
	if err != nil {
		return nil
	}
	b.anyway = t.ID
	for _, v := range s.views {
		open := slices.Contains(t.leaves, v.want.Name)
		if v.want.Choice != nil && open {
			return nil
		}
		b.add(v.besideOf(t), open)
	}
	return b
}

// besideOf is an output of which what an explanation gives is the truth.
func (v *view) besideOf(t *trial) *view {
	w := v.given(t)
	if v.want.Choice != nil {
		other := *v
		other.loss = v.lossBeside(w)
		return &other
	}
	return newView(v.want.Instead(w, nil), tensor.Of(v.got, v.want.Truth.Shape...))
}

// ofChanged is another recording that is not explained.
func (s *subject) ofChanged(rec *recording.Recording, budget float64) *subject {
	if rec == nil {
		return nil
	}
	v, expected := op.JudgeKnown(rec, math.Inf(1))
	if v.Status != verdict.Unexplained {
		return nil
	}
	b, err := newSubject(rec, expected, v, budget)
	if err != nil {
		return nil
	}
	return b
}
