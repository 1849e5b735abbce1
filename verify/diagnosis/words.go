package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"plumbline/verify/verdict"
)

// words says what was found.
func (s *subject) words() *verdict.Diagnosis {
	d := &verdict.Diagnosis{Tried: s.tried, Untried: s.untried, Where: s.where()}
	if len(s.explaining) > 0 {
		s.sayExplained(d)
		return d
	}
	s.sayLeading(d)
	return d
}

// alike is by how much, in logarithms of chances, explanations may fit worse than the best and the
// inputs still not tell them apart.
const alike = 6

// rank is how specific a kind of explanation is, most first: of what fits alike a mistake that is
// known says more than a factor that was fitted.
func rank(kind string) int {
	return slices.Index([]string{
		"layout", "mistake", "rounding", "attribute", "input", "unwritten", "rows", "factor", "share", "fit", "pair",
		"arithmetic",
	}, kind)
}

// sayExplained says what explains everything: those first that fit as well as the best, by how
// specific they are.
func (s *subject) sayExplained(d *verdict.Diagnosis) {
	best := s.explaining[0].loss
	slices.SortStableFunc(s.explaining, func(a, b *trial) int {
		return cmp.Or(cmp.Compare(class(a, best), class(b, best)), cmp.Compare(a.loss, b.loss))
	})
	first := s.explaining[0]
	var others []string
	for i, t := range s.explaining {
		d.Explains = append(d.Explains, t.Finding)
		if i > 0 && t.loss < best+alike {
			others = append(others, t.Name())
		}
	}
	d.Sentence = sentence(first.Finding) + explainsAll(first)
	if len(others) > 0 {
		d.Alike = true
		d.Sentence += "; so " + does(len(others)) + " on these inputs " + strings.Join(others, ", ")
		d.Apart = apart(d.Explains[:1+len(others)])
	}
}

func does(n int) string {
	if n == 1 {
		return "does"
	}
	return "do"
}

// class is 0 to 9 for what fits as well as the best, by kind, and 10 for the others.
func class(t *trial, best float64) int {
	if t.loss >= best+alike {
		return 10
	}
	return rank(t.Kind)
}

// sentence opens a report.
func sentence(f verdict.Finding) string {
	switch f.Kind {
	case "mistake", "pair", "share":
		return f.Name() + ": " + f.Sentence
	}
	return f.Sentence
}

func explainsAll(t *trial) string {
	if t.RMS > 0 {
		return fmt.Sprintf(": explains everything, rms %.2f", t.RMS)
	}
	return ": explains everything"
}

// apart says what would tell some explanations apart: inputs on which one of them is hidden.
func apart(all []verdict.Finding) string {
	var parts []string
	for _, f := range all {
		if f.Hidden != "" && f.Hidden != "never" {
			parts = append(parts, f.ID+" does not show "+f.Hidden)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "to tell them apart: " + strings.Join(parts[:min(len(parts), 3)], "; ")
}

// leads is the share of the error that an explanation has to take away to be named although it
// explains not all.
const leads = 0.2

// sayLeading says what explains most where nothing explains everything.
func (s *subject) sayLeading(d *verdict.Diagnosis) {
	slices.SortStableFunc(s.trials, func(a, b *trial) int { return cmp.Compare(a.loss, b.loss) })
	for _, t := range s.trials {
		if t.Explains > leads && len(d.Leading) < 3 && t.loss < s.loss-leastGain {
			d.Leading = append(d.Leading, t.Finding)
		}
	}
	d.Sentence = fmt.Sprintf("nothing that is known explains it (%d explanations tried)", s.tried)
	if near := s.nearest(); near != nil {
		d.Sentence = fmt.Sprintf("%s: takes %.3g %% of the error away", sentence(near.Finding), 100*near.Explains)
	} else if len(d.Leading) > 0 {
		f := d.Leading[0]
		d.Sentence = fmt.Sprintf("nothing that is known explains all of it; nearest is %s, which takes %.0f %% of "+
			"the error away", sentence(f), 100*f.Explains)
	}
	if d.Where != "" {
		d.Sentence += "; " + d.Where
	}
}
