package diagnosis

import (
	"cmp"
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
	besides     = 2
	besideShare = 4
)

// tryBesideSome goes on from what explains all of an output, and not of the others.
func (s *subject) tryBesideSome() {
	s.tryOn(func(t *trial) bool { return t.judged && s.hasAll(t) })
}

// hasAll tells whether a trial explains all of an output, and is in it as much as it should be.
func (s *subject) hasAll(t *trial) bool {
	for i, v := range s.views {
		if slices.Contains(s.explainedBy(t), v.want.Name) && math.Abs(t.shares[i]-1) < asMuch {
			return true
		}
	}
	return false
}

// tryBeside goes on from what is in the outputs as it should be, and leaves much.
// Few numbers are met by some two of so many by chance.
func (s *subject) tryBeside() {
	if s.wrongNumbers() < fewForTwo {
		return
	}
	s.tryOn(func(t *trial) bool { return math.Abs(t.Share-1) < asMuch && t.Explains > besideLeast })
}

// fewForTwo is how many numbers have to be wrong for two things at once to be looked for.
const fewForTwo = 64

// besideLeast is the share of the error that an explanation has to take away for others to be tried
// beside it.
const besideLeast = 0.1

// tryOn tries others beside the best that have something.
func (s *subject) tryOn(has func(t *trial) bool) {
	if s.second {
		return
	}
	var bases []*trial
	for _, t := range s.trials {
		known := t.Kind == "mistake" || t.changes != nil
		if known && t.of == nil && !t.whole && !t.structured && !t.forgotten && !t.built && has(t) {
			bases = append(bases, t)
		}
	}
	slices.SortStableFunc(bases, func(a, b *trial) int {
		return cmp.Or(cmp.Compare(len(s.explainedBy(b)), len(s.explainedBy(a))), cmp.Compare(a.loss, b.loss))
	})
	for _, t := range bases[:min(len(bases), besides)] {
		t.built = true
		if c, found := s.alsoMade(t); found {
			s.try([]candidate{c})
		}
	}
	s.settle()
}

// alsoMade is what explains the rest beside an explanation.
func (s *subject) alsoMade(t *trial) (c candidate, found bool) {
	b := s.beside(t, s.budget/besideShare)
	if b == nil {
		return c, false
	}
	most := b.budget
	b.second = true
	b.search()
	s.budget -= most - max(b.budget, 0)
	s.tried += b.tried
	if !b.told() {
		return c, false
	}
	b.rankExplaining()
	more := b.explaining[slices.IndexFunc(b.explaining, (*trial).says)]
	c = candidate{Finding: t.Finding, give: func() (outputs, error) { return joined(t.gives, more.gives), nil }}
	c.Kind, c.ID, c.Numbers = "pair", pairID(t, more), slices.Concat(t.Numbers, more.Numbers)
	c.Sentence, c.Hidden, c.Thread = t.Sentence+", and "+more.Sentence, "", ""
	if more.Where != "" {
		c.Sentence += " (only " + more.Where + ")"
	}
	c.fitted = more.fitted
	return c, true
}

// pairID names the explanations that have a name.
func pairID(t, more *trial) string {
	if rank(more.Kind) > rank("input") {
		return t.ID
	}
	return t.ID + " and " + more.ID
}

// joined returns outputs with others in their place.
func joined(all, others outputs) outputs {
	both := outputs{}
	for name, x := range all {
		both[name] = x
	}
	for name, x := range others {
		both[name] = x
	}
	return both
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
