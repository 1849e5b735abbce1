package diagnosis

import (
	"cmp"
	"slices"
	"strings"

	"plumbline/internal/parallel"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// A port of a model takes the recipe of another one: its scores, its bias in the weights, no scale.
// Each of these decisions alone explains little or nothing, and all together everything.

// decision is one thing that a kernel decides otherwise: an attribute, or a mistake.
type decision struct {
	candidate
	of string // which: two of one are never taken together
}

// together is the explanation that a kernel decides several things otherwise; false where it cannot
// be one kernel.
func (s *subject) together(all []decision) (c candidate, one bool) {
	var mistakes, names, said []string
	for _, d := range all {
		if names, said = append(names, d.ID), append(said, d.Sentence); d.changes == nil {
			mistakes = append(mistakes, d.ID)
		}
	}
	if len(mistakes) > 2 {
		return c, false
	}
	mistakes = append(mistakes, "", "")
	changed := func(r *recording.Recording) {
		for _, d := range all {
			if d.changes != nil {
				d.changes(r)
			}
		}
	}
	made := func(c emulate.Config) giver {
		c.Mistake, c.Also = mistakes[0], mistakes[1]
		return func() (outputs, error) { return s.run(s.changed(changed), c) }
	}
	c = propose("pair", strings.Join(names, " and "), strings.Join(said, ", and "), made(emulate.Exact("")))
	c.made, c.whole = made, true
	return c, true
}

// decisions are the attributes that are words, flags or numbers left out, where that moves
// anything, and mistakes that are decisions of a recipe.
func (s *subject) decisions() (all []decision) {
	for _, a := range s.bound.Op.Attrs {
		for _, value := range s.decided(a) {
			c := s.withAttribute(a, value)
			if slices.ContainsFunc(s.trials, func(t *trial) bool { return t.ID == c.ID && t.of == nil }) {
				all = append(all, decision{c, a.Name})
			}
		}
	}
	for _, m := range s.bound.Op.Mistakes() {
		if m.Decides != "" && !s.isDeclared(m) {
			all = append(all, decision{s.withMistake(m), m.Decides})
		}
	}
	return all
}

// decided are values of an attribute that another recipe may have: all of a few words, or the
// default of a number.
func (s *subject) decided(a op.Attr) []any {
	switch a.Kind {
	case op.Flag, op.Choice:
		return s.others(a)
	case op.Number:
		if d, ok := a.Default.(float64); ok && s.bound.Number(a) != d {
			return []any{recording.Number(d)}
		}
	}
	return nil
}

// mostDecisions is how many decisions may be others at once, beam how many sets of these are gone
// on from, and recipesShare the part of the budget that sets may take, over one.
const (
	mostDecisions = 4
	beam          = 4
	recipesShare  = 6
)

// tryRecipes tries several decisions at once: all pairs, and of sets that leave least of the error
// those of one more. Only where most rows are wrong, as they are by another recipe.
func (s *subject) tryRecipes() {
	all := s.decisions()
	if len(all) < 2 || !s.wrongInMost() {
		return
	}
	least := s.budget - s.budget/recipesShare
	sets := alone(all)
	for n := 2; n <= mostDecisions && len(sets) > 0; n++ {
		weighed := s.weighSets(s.extended(sets, all), least)
		if s.settle(); s.told() {
			return
		}
		sets = nil
		for _, w := range weighed[:min(len(weighed), beam)] {
			sets = append(sets, w.set)
		}
	}
}

// extended are sets of decisions with one more each, every set once.
func (s *subject) extended(sets [][]decision, all []decision) (more [][]decision) {
	known := map[string]bool{}
	for _, set := range sets {
		for _, d := range all {
			if slices.ContainsFunc(set, func(has decision) bool { return has.of == d.of }) {
				continue
			}
			one := append(slices.Clone(set), d)
			slices.SortFunc(one, func(a, b decision) int { return strings.Compare(a.ID, b.ID) })
			if id := idOf(one); !known[id] {
				known[id], more = true, append(more, one)
			}
		}
	}
	return more
}

func idOf(set []decision) (id string) {
	for _, d := range set {
		id += d.ID + " "
	}
	return id
}

// weighedSet is a set of decisions with what comes of it.
type weighedSet struct {
	set   []decision
	trial *trial
}

// weighSets weighs sets as far as the budget goes, keeps what explains everything, and returns all,
// those first that leave least.
func (s *subject) weighSets(sets [][]decision, least float64) (all []weighedSet) {
	sets = sets[:min(len(sets), int(max(s.budget-least, 0)/max(s.each, 1)))]
	s.budget -= s.each * float64(len(sets))
	s.tried += len(sets)
	trials := make([]*trial, len(sets))
	parallel.Each(len(sets), func(i int) {
		if c, one := s.together(sets[i]); one {
			if t := s.weigh(c); t != nil && !s.undefined(t) {
				if trials[i] = t; t.Explains > worthJudging {
					s.judge(t)
				}
			}
		}
	})
	for i, t := range trials {
		if t == nil {
			continue
		}
		if all = append(all, weighedSet{sets[i], t}); t.explains {
			s.trials = append(s.trials, t)
		} else {
			t.gives = nil
		}
	}
	slices.SortStableFunc(all, func(a, b weighedSet) int { return cmp.Compare(a.trial.loss, b.trial.loss) })
	return all
}

// wrongMost is which share of the rows of an output is wrong where a recipe is another.
const wrongMost = 0.8

// wrongInMost tells whether an output is wrong in most of its rows.
func (s *subject) wrongInMost() bool {
	return slices.ContainsFunc(s.views, func(v *view) bool {
		outer := emulate.Indices(max(len(v.shape())-1, 0))
		n := op.Elements(emulate.Picked(v.shape(), outer))
		_, count := v.wrongPlaces(int(n), outer)
		return v.failed && float64(count) >= wrongMost*n
	})
}

// alone are sets of one decision each.
func alone(all []decision) (sets [][]decision) {
	for _, d := range all {
		sets = append(sets, []decision{d})
	}
	return sets
}
