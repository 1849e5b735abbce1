package diagnosis

import (
	"cmp"
	"fmt"
	"math"
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
		"layout", "mistake", "rounding", "attribute", "input", "misread", "quantity", "combined", "unwritten", "copy",
		"rows", "factor", "factors", "mixed", "share", "fit", "pair", "arithmetic",
	}, kind)
}

// sayExplained says what explains everything: those first that fit as well as the best, by how
// specific they are.
func (s *subject) sayExplained(d *verdict.Diagnosis) {
	best := s.rankExplaining()
	first := s.explaining[0]
	var names []string
	others := 0
	for _, t := range s.explaining {
		if slices.Contains(names, t.Name()) { // in other parts, or from another structure of kernels
			continue
		}
		names, d.Explains = append(names, t.Name()), append(d.Explains, t.Finding)
		if len(names) > 1 && t.loss < best+alike {
			others++
		}
	}
	d.Sentence = sentence(s.ranged(first, s.failed())) + explainsAll(first)
	d.Sentence += s.aside(first, d.Where)
	if others > 0 {
		d.Alike = true
		d.Sentence += "; so " + doToo(d.Explains[1:1+others])
		d.Apart = apart(d.Explains[:1+others])
		unwritten := func(f verdict.Finding) bool { return f.Kind == "unwritten" }
		if text := s.neverWritten(); text != "" && slices.ContainsFunc(d.Explains[1:1+others], unwritten) {
			d.Sentence += "; whatever it is, " + text // what a reader sees of all of them
		}
	}
}

// rankExplaining sorts what explains, as it is said, and returns what the best leaves. Where errors
// of right kernels hang together, row by row say, as many numbers can be fitted to them: that these
// leave less than what explains without any is no evidence for them.
func (s *subject) rankExplaining() (best float64) {
	among := slices.DeleteFunc(slices.Clone(s.explaining), func(t *trial) bool {
		return t.fitted > 0 || t.vacuous || t.Kind == "arithmetic"
	})
	if len(among) == 0 {
		among = s.explaining
	}
	best = slices.MinFunc(among, func(a, b *trial) int { return cmp.Compare(a.loss, b.loss) }).loss
	slices.SortStableFunc(s.explaining, func(a, b *trial) int {
		return cmp.Or(cmp.Compare(class(a, best), class(b, best)), cmp.Compare(a.loss, b.loss))
	})
	return best
}

// aside says of what explains what else tells of it: of a declaration where errors are, which says
// against it, and of numbers that were never written where they stand.
func (s *subject) aside(first *trial, where string) string {
	apart := s.distinguished()
	switch {
	case first.Kind == "arithmetic" && where != "":
		return "; but " + where
	case first.Kind == "unwritten" && apart != "":
		return "; " + apart
	}
	return ""
}

// doToo says what else explains: what it is where that is one explanation, the names of more.
func doToo(others []verdict.Finding) string {
	if len(others) == 1 {
		return "does on these inputs " + sentence(others[0])
	}
	var names []string
	for _, f := range others {
		names = append(names, f.Name())
	}
	return "do on these inputs " + strings.Join(names, ", ")
}

// class is the rank of what fits as well as the best, and unlike of the others.
func class(t *trial, best float64) int {
	if t.loss >= best+alike || t.vacuous {
		return unlike
	}
	return rank(t.Kind)
}

// unlike is the class of what fits worse than the best: behind all kinds.
const unlike = math.MaxInt

// sentence opens a report.
func sentence(f verdict.Finding) string {
	said := f.Sentence
	switch f.Kind {
	case "mistake", "pair", "share":
		said = f.Name() + ": " + said
	}
	if f.Where != "" {
		said += " (only " + f.Where + ")"
	}
	return said
}

func explainsAll(t *trial) string {
	if t.vacuous {
		return ", as one number can always be; nothing that is known explains it"
	}
	said := ": explains everything"
	if t.RMS > 0 {
		said += fmt.Sprintf(", rms %.2f", t.RMS)
	}
	if t.fitted > fewFitted {
		said += fmt.Sprintf(", with %d numbers that were fitted to it", t.fitted)
	}
	return said
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

// mostOf is the share of the error that the explanation which is nearest has to take away to be
// named first.
const mostOf = 0.5

// sayLeading says what explains most where nothing explains everything: all of some outputs, nearly
// all, or more than half.
func (s *subject) sayLeading(d *verdict.Diagnosis) {
	d.Leading = s.leading()
	some, all := s.inOutputs()
	near := s.nearest()
	switch {
	case near != nil && !all:
		d.Sentence = fmt.Sprintf("%s: takes %.3g %% of the error away", sentence(near.Finding), 100*near.Explains)
	case some != "":
		d.Sentence = some
	case len(d.Leading) > 0 && leadsMost(d.Leading[0]):
		f := d.Leading[0]
		d.Sentence = fmt.Sprintf("nothing that is known explains all of it; nearest is %s, which takes %.0f %% of "+
			"the error away", sentence(f), 100*f.Explains)
	default:
		d.Sentence = fmt.Sprintf("nothing that is known explains it (%d explanations tried)", s.tried) + s.composed()
	}
	said := []string{s.neverWritten(), d.Where, s.explained()}
	if near == nil {
		said = append(said, s.distinguished())
	}
	for _, text := range said {
		if text != "" {
			d.Sentence += "; " + text
		}
	}
}

// leadsMost tells whether a finding is named as the nearest.
func leadsMost(f verdict.Finding) bool {
	return f.Explains > mostOf && f.Kind != "fit" || f.Explains > worthJudging
}

// composed says what stands in the outputs that are wrong.
func (s *subject) composed() (said string) {
	for _, v := range s.views {
		if v.failed && v.want.Choice == nil {
			if text := v.composition(); text != "" {
				said += fmt.Sprintf("; %s: %s", v.want.Name, text)
			}
		}
	}
	return said
}

// leading lists what takes most of the error away, each once: most first, and of what takes as much
// the most specific.
func (s *subject) leading() (all []verdict.Finding) {
	gaining := slices.DeleteFunc(slices.Clone(s.trials), func(t *trial) bool {
		return t.Explains <= leads || t.Share <= leastShare || t.loss >= s.loss-leastGain
	})
	slices.SortStableFunc(gaining, func(a, b *trial) int { return cmp.Compare(a.loss, b.loss) })
	for len(gaining) > 0 && len(all) < 3 {
		n := slices.IndexFunc(gaining, func(t *trial) bool { return t.Explains < gaining[0].Explains-hardlyLess })
		if n < 0 {
			n = len(gaining)
		}
		slices.SortStableFunc(gaining[:n], func(a, b *trial) int { return cmp.Compare(rank(a.Kind), rank(b.Kind)) })
		if t := gaining[0]; !said(all, t) {
			all = append(all, t.Finding)
		}
		gaining = gaining[1:]
	}
	return all
}

// hardlyLess is by how much less of the error an explanation may take away and be as near.
const hardlyLess = 0.01

// leastShare is the share of an explanation that the matched filter has to find for it to be named:
// one that moves outputs by a thousand times what was recorded leaves little of the error too.
const leastShare = 0.3

// said tells whether a finding says the same as a trial, of another part.
func said(all []verdict.Finding, t *trial) bool {
	return slices.ContainsFunc(all, func(f verdict.Finding) bool { return f.ID == t.ID && f.Sentence == t.Sentence })
}

// inOutputs says which explanations explain all of some outputs, and which outputs nothing does, ""
// where nothing explains all of one; and whether each output is explained by one.
func (s *subject) inOutputs() (said string, each bool) {
	var parts, explained []string
	all := slices.Clone(s.trials)
	slices.SortStableFunc(all, func(a, b *trial) int {
		return cmp.Or(
			cmp.Compare(s.empty(a), s.empty(b)), cmp.Compare(fittedMany(a), fittedMany(b)),
			cmp.Compare(s.spoils(a), s.spoils(b)),
			cmp.Compare(len(a.Where), len(b.Where)),
			cmp.Compare(rank(a.Kind), rank(b.Kind)), cmp.Compare(a.loss, b.loss),
		)
	})
	for _, t := range all {
		if !t.judged || t.losses == nil {
			continue
		}
		fresh := slices.DeleteFunc(s.explainedBy(t), func(name string) bool { return slices.Contains(explained, name) })
		if len(fresh) > 0 {
			parts = append(parts, sentence(s.ranged(t, fresh))+": explains "+inWords(fresh)+s.ofAll(t, fresh))
			explained = append(explained, fresh...)
		}
	}
	if len(parts) == 0 {
		return "", false
	}
	open := slices.DeleteFunc(s.failed(), func(name string) bool { return slices.Contains(explained, name) })
	if len(open) > 0 {
		parts = append(parts, "nothing that is known explains all of "+inWords(open))
	}
	return strings.Join(parts, "; "), len(open) == 0
}

// empty is 1 for a trial of which as many numbers were fitted as the outputs have that it explains,
// as one number always can be.
func (s *subject) empty(t *trial) int {
	n := 0
	for _, v := range s.views {
		if !slices.Contains(t.leaves, v.want.Name) && v.failed {
			n += len(v.got)
		}
	}
	if t.fitted > 0 && t.fitted >= n {
		return 1
	}
	return 0
}

// fittedMany is 1 for a trial of which more than a few numbers were fitted.
func fittedMany(t *trial) int {
	if t.fitted > fewFitted {
		return 1
	}
	return 0
}

// spoils counts the outputs that are right and would not be.
func (s *subject) spoils(t *trial) (n int) {
	for _, v := range s.views {
		if !v.failed && slices.Contains(t.leaves, v.want.Name) {
			n++
		}
	}
	return n
}

// ofAll says how much of the whole error an explanation of some outputs takes away, if it is most.
func (s *subject) ofAll(t *trial, outputs []string) string {
	if t.Explains > mostOf && len(outputs) < len(s.failed()) {
		return fmt.Sprintf(", and takes %.0f %% of all the error away", 100*t.Explains)
	}
	return ""
}

// failed lists the outputs that are not explained.
func (s *subject) failed() (names []string) {
	for _, v := range s.views {
		if v.failed {
			names = append(names, v.want.Name)
		}
	}
	return names
}

// explained says which outputs are right, "" if none is.
func (s *subject) explained() string {
	var names []string
	for _, v := range s.views {
		if !v.failed {
			names = append(names, v.want.Name)
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0] + " is right"
	}
	return inWords(names) + " are right"
}

// inWords is a list as a sentence has it.
func inWords(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// explainedBy lists the failed outputs that a judged trial explains, and has in it as they are.
func (s *subject) explainedBy(t *trial) (names []string) {
	for i, v := range s.views {
		if v.failed && t.shares[i] > leastShare && !slices.Contains(t.leaves, v.want.Name) {
			names = append(names, v.want.Name)
		}
	}
	return names
}
