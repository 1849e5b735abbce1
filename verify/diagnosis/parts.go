package diagnosis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/internal/parallel"
)

// A kernel may do in one part of its outputs what it does not do elsewhere: in the last tile of
// queries, in one head, in the rows behind a boundary. And what stands there may be the right
// result of another part of the inputs: of another sequence, expert or block of scales. So every
// explanation, and every family of them of which one may hold here and another there, is tried
// again in the parts that are wrong alone.

// tryParts tries each explanation where the recorded outputs are wrong and it fits better.
func (s *subject) tryParts() {
	families := s.families()
	found := make([]*trial, len(families))
	parallel.Each(len(found), func(i int) { found[i] = s.inCoarsestParts(families[i]) })
	for _, t := range found {
		if t != nil {
			s.trials = append(s.trials, t)
		}
	}
	s.settle()
}

// families lists what has not been tried in parts: each explanation by itself, and those together
// that belong to a family.
func (s *subject) families() (all [][]*trial) {
	at := map[string]int{}
	for _, t := range s.trials {
		if t.parted || t.of != nil || t.whole || t.forgotten {
			continue
		}
		t.parted = true
		all = append(all, []*trial{t})
		if t.family == "" {
			continue
		}
		if i, known := at[t.family]; known {
			all[i] = append(all[i], t)
			continue
		}
		at[t.family] = len(all)
		all = append(all, []*trial{t})
	}
	return all
}

// tryMisread tries inputs that are read elsewhere than the formula says.
func (s *subject) tryMisread() {
	s.try(misreadCandidates(s))
	s.try(cutCandidates(s))
	s.try(tileCandidates(s))
	s.settle()
}

// The parts: rows, of each row what lies between the first and the last element that is wrong, and
// elements.
const (
	byRow = iota
	byRun
	byElement
	granularities
)

// inCoarsestParts is what a family gives in the largest parts that explain nearly all, else in
// those that leave least; nil where parts explain no more.
func (s *subject) inCoarsestParts(family []*trial) (best *trial) {
	if s.leavesMost(family) {
		return nil
	}
	var all []*mixture
	for _, v := range s.views {
		if v.failed {
			all = append(all, v.mixture(family))
		}
	}
	for by := range granularities {
		t := s.inParts(family, all, by)
		if t != nil && (best == nil || t.loss < best.loss) {
			best = t
		}
		if best != nil && best.left < rightExcess*s.noise/rightLoss && len(best.gives) == len(all) {
			break
		}
	}
	return best
}

// leavesMost tells whether a family leaves most of every output that is wrong, in whatever parts
// its members hold.
func (s *subject) leavesMost(family []*trial) bool {
	for k, v := range s.views {
		left := sum(v.loss)
		most := mostLeft * left * (1 + lastBits*float64(len(v.loss)))
		for _, t := range family {
			if v.failed && t.gains != nil {
				left -= t.gains[k]
			}
		}
		if v.failed && left < most {
			return false
		}
	}
	return true
}

// inParts is what a family of explanations gives in the parts of the outputs that are wrong, each
// as the member has it that fits best.
func (s *subject) inParts(family []*trial, all []*mixture, by int) *trial {
	first := family[0]
	mixed, said := outputs{}, parts{family: family}
	for _, m := range all {
		if m.mix(by); sum(m.loss) < mostLeft*sum(m.view.loss) {
			mixed[m.view.want.Name] = m.w
			said.add(m.view, m.of)
		}
	}
	if said.count < fewParts || said.one() && said.scattered() {
		return nil
	}
	which := ""
	if said.one() {
		first = family[said.member[0]]
	} else if which = said.relation(s); which == "" && said.byChance() {
		return nil
	}
	c := candidate{Finding: first.Finding, moves: said.moves()}
	c.Sentence = said.sentence(which)
	t := s.compared(c, func() (outputs, error) { return mixed, nil })
	if t == nil || t.Share < leastShare || t.Explains < first.Explains+moreInParts*(1-first.Explains) {
		return nil
	}
	t.of, t.Where = first, said.where()
	return t
}

// fewParts is how many wrong elements an explanation of parts has to give: fewer may be met by
// chance, of so many that are tried.
const fewParts = 4

// mostLeft is how much of an output's error an explanation of parts may leave.
const mostLeft = 0.5

// moreInParts is how much of the error that an explanation leaves everywhere it has to take away in
// parts.
const moreInParts = 0.2

// parts says in which parts which members of a family hold.
type parts struct {
	family []*trial
	count  int // of wrong elements that are met
	texts  []string
	member []int // of each text
	views  []*view
	of     [][]int // which member each element of a view has, or row of a choice
}

// add adds an output with the member that each element has.
func (p *parts) add(v *view, of []int) {
	p.views, p.of = append(p.views, v), append(p.of, of)
	width := 1
	if v.want.Choice != nil {
		width = v.want.Choice.Width()
	}
	places := map[int][]int{}
	for i, k := range of {
		if k >= 0 && v.loss[i] > clear {
			places[k] = append(places[k], i*width)
			p.count++
		}
	}
	members := slices.SortedFunc(maps.Keys(places), func(a, b int) int { return places[a][0] - places[b][0] })
	for _, k := range members {
		p.texts = append(p.texts, v.want.Name+v.within(places[k]))
		p.member = append(p.member, k)
	}
}

// moves returns how members move what belongs to elements, nil where they do not.
func (p *parts) moves() func(v *view, x []float64) []float64 {
	if p.family[0].moves == nil {
		return nil
	}
	return func(v *view, x []float64) []float64 {
		y := slices.Clone(x)
		for k, t := range p.family {
			moved := t.moves(v, x)
			for i, of := range p.of[slices.Index(p.views, v)] {
				if of == k {
					y[i] = moved[i]
				}
			}
		}
		return y
	}
}

// byChance tells whether the parts are rows of one whole number, of which some member gives each: a
// count of drafts is one of few.
func (p *parts) byChance() bool {
	return slices.ContainsFunc(p.views, func(v *view) bool {
		return v.want.Choice != nil && v.want.Choice.Width() == 1
	})
}

// one tells whether one member holds in all parts.
func (p *parts) one() bool { return slices.Max(p.member) == slices.Min(p.member) }

// where lists the parts of one member.
func (p *parts) where() string {
	if !p.one() {
		return "" // it is in the sentence
	}
	return strings.Join(p.texts, "; ")
}

// mostParts is how many parts are said with a member each.
const mostParts = 5

// sentence is that of the member, or those of several: by which number they are, if one is known,
// else each with its part.
func (p *parts) sentence(which string) string {
	if p.one() {
		return p.family[p.member[0]].Sentence
	}
	if which != "" {
		return p.family[0].about + ": at " + which
	}
	var said []string
	for i, k := range p.member[:min(len(p.member), mostParts)] {
		said = append(said, fmt.Sprintf("%s: %s", p.texts[i], p.family[k].short))
	}
	if len(p.member) > mostParts {
		said = append(said, fmt.Sprintf("and %d parts more", len(p.member)-mostParts))
	}
	return p.family[0].about + ": " + strings.Join(said, "; ")
}

// bestForEach are the trials that leave least of each failed output.
func (s *subject) bestForEach() (all []*trial) {
	for i, v := range s.views {
		var best *trial
		for _, t := range s.trials {
			kept := t.losses != nil && !t.whole && !t.forgotten
			if v.failed && kept && (best == nil || t.inOutput(i) < best.inOutput(i)) {
				best = t
			}
		}
		if best != nil && best.losses[i] < sum(v.loss)-leastGain {
			all = append(all, best)
		}
	}
	return all
}

// inOutput is what a trial leaves of an output, and what its fitted numbers count for.
func (t *trial) inOutput(i int) float64 { return t.losses[i] + leastGain*float64(t.fitted) }
