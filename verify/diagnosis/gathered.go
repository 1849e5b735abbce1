package diagnosis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/internal/parallel"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// Where kernels sort, pack or page, each place of an axis reads an entry of its own: the weights of
// the token that stands there after sorting, the keys of head h ÷ G. Which entry each place reads
// is found by reading everything so many entries further, for each number of them, and taking for
// each place what leaves least.

// gather is something that places along an axis of outputs read entries of.
type gather struct {
	about   string // what is read elsewhere, along what
	letter  string // of the axis of outputs
	places  int
	entries int // that are read, each by as many places
	reading func(said string, from func(i int) int) candidate
}

// mostGathered is how many entries are looked for, and gatherShare the part of what is left of the
// budget that one gather may take, over one.
const (
	mostGathered = 256
	gatherShare  = 8
)

// tryGathered tries entries of inputs that are read by other places. Those of which nothing says
// which they are wait for what may say it better.
func (s *subject) tryGathered() { s.gather(s.gathersOfInputs()) }

// tryGatheredQuantities tries entries of quantities that are.
func (s *subject) tryGatheredQuantities() { s.gather(s.gathersOfQuantities()) }

// tryUnnamed tries those that have waited.
func (s *subject) tryUnnamed() {
	s.try(s.unnamed)
	s.settle()
}

func (s *subject) gather(gathers []gather) {
	var all []candidate
	for _, g := range gathers {
		if g.entries < 3 || g.entries > mostGathered || s.each*float64(g.entries) > s.budget/gatherShare {
			continue
		}
		s.budget -= s.each * float64(g.entries)
		from := s.readBy(g)
		if from == nil {
			continue
		}
		if c, named := s.gathered(g, from); named {
			all = append(all, c)
		} else if !s.choosesWrongly() {
			s.unnamed = append(s.unnamed, c)
		}
	}
	s.try(all)
	s.settle()
}

// choosesWrongly tells whether an output is wrong that is chosen of few: which others would choose
// so is no news.
func (s *subject) choosesWrongly() bool {
	return slices.ContainsFunc(s.views, func(v *view) bool { return v.failed && v.want.Choice != nil })
}

// gathersOfInputs lists inputs that are read along the axes of outputs that are not explained.
func (s *subject) gathersOfInputs() (all []gather) {
	for _, letter := range s.axisLetters() {
		if !s.ofFailedOutput(letter) {
			continue
		}
		for _, set := range s.setsOf(letter) {
			all = append(all, s.gatherOf(set, letter, letter))
		}
	}
	if set := floats(s.holders("G")); len(set) > 1 && s.ofFailedOutput("H") {
		all = append(all, s.gatherOf(set, "G", "H"))
	}
	return all
}

// gathersOfQuantities lists quantities that are.
func (s *subject) gathersOfQuantities() (all []gather) {
	for _, h := range s.hung() {
		for a, n := range h.x.Shape {
			if l := h.Shape[a]; s.ofFailedOutput(l) {
				all = append(all, gather{
					fmt.Sprintf("the kernel reads %s elsewhere along %s", h.Name, s.wordOf(h.Quantity, a)), l, n, n,
					func(said string, from func(i int) int) candidate {
						return s.taken(h.Quantity, said, func() *tensor.Tensor { return entries(h.x, a, n, from) })
					},
				})
			}
		}
	}
	return all
}

// gatherOf is some inputs that have an axis, of which places along another each read an entry.
func (s *subject) gatherOf(set []op.Tensor, letter, of string) gather {
	places := s.bound.Dim(of)
	about := fmt.Sprintf("%s %s elsewhere along %s", namesOf(set), isRead(len(set)), s.word(of))
	return gather{about, of, places, s.length(letter, set[0]), func(said string, from func(i int) int) candidate {
		return s.otherwise("misread", said, said, func(r *recording.Recording) {
			s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor { return entries(x, a, places, from) })
		})
	}}
}

// right is the entry that a place should read.
func (g gather) right(i int) int { return i * g.entries / g.places }

// readBy returns which entry each place reads, from 1 on and 0 where nothing tells; nil where too
// few read another than they should.
func (s *subject) readBy(g gather) []int {
	beside := make([][]float64, g.entries)
	parallel.Each(g.entries, func(k int) {
		if k == 0 {
			beside[0] = s.placeLosses(g, func(v *view) []float64 { return v.loss })
			return
		}
		gives, err := g.reading("", func(i int) int { return (g.right(i) + k) % g.entries }).give()
		if err == nil {
			beside[k] = s.placeLosses(g, func(v *view) []float64 { return v.lossBeside(gives[v.want.Name]) })
		}
	})
	from, found := make([]int, g.places), 0
	for i := range from {
		best := 0
		for k, loss := range beside {
			if loss != nil && loss[i] < beside[best][i] {
				best = k
			}
		}
		switch {
		case beside[best][i] < mostLeft*beside[0][i]:
			from[i] = (g.right(i)+best)%g.entries + 1
			found++
		case best == 0 && g.tells(beside, i):
			from[i] = g.right(i) + 1
		}
	}
	if found < fewGathered {
		return nil
	}
	return from
}

// tells tells whether a place that is right would not be so with any other entry.
func (g gather) tells(beside [][]float64, i int) bool {
	for k, loss := range beside {
		if k > 0 && loss != nil && loss[i] < 2*beside[0][i]+leastGain {
			return false
		}
	}
	return true
}

// fewGathered is how many places have to read another entry.
const fewGathered = 2

// placeLosses sums losses of outputs that are not explained by places along an axis.
func (s *subject) placeLosses(g gather, of func(v *view) []float64) []float64 {
	total := make([]float64, g.places)
	for _, v := range s.views {
		letters := s.bound.Op.Output(v.want.Name).Shape
		a, shape := slices.Index(letters, g.letter), s.bound.Shape(letters)
		if a < 0 || !v.failed || op.Elements(shape) != float64(len(v.got)) { // it has other axes
			continue
		}
		loss := of(v)
		width := int(op.Elements(shape)) / max(1, len(loss)) // of a row of a choice
		for i, lost := range loss {
			total[placeOf(i*width, shape, []int{a})] += lost
		}
	}
	return total
}

// gathered is the explanation that places read these entries; named tells whether it says which
// these are.
func (s *subject) gathered(g gather, from []int) (c candidate, named bool) {
	which := s.asFeature(g.letter, from)
	said := g.about + ": " + s.listed(g, from)
	if which != "" {
		said = g.about + ": at " + which
	}
	c = g.reading(strings.TrimPrefix(said, "the kernel "), func(i int) int {
		if from[i] == 0 {
			return g.right(i)
		}
		return from[i] - 1
	})
	if found := g.elsewhere(from); which == "" && s.wrongNumbers() < perFactor*found {
		c.fitted = found
	}
	return c, which != ""
}

// elsewhere counts the places that read another entry than they should.
func (g gather) elsewhere(from []int) (n int) {
	for i, e := range from {
		if e > 0 && e-1 != g.right(i) {
			n++
		}
	}
	return n
}

// listed says which entries some of the places read.
func (s *subject) listed(g gather, from []int) string {
	var said []string
	for i, e := range from {
		if e > 0 && e-1 != g.right(i) {
			said = append(said, fmt.Sprintf("%d reads %d, not %d", i, e-1, g.right(i)))
		}
	}
	if n := len(said); n > mostParts {
		said = append(said[:mostParts], fmt.Sprintf("and %d more", n-mostParts))
	}
	return s.word(g.letter) + " " + strings.Join(said, "; ")
}

// asFeature says which number of places along an axis the entries are that they read, "" where it
// is none that is known.
func (s *subject) asFeature(letter string, entry []int) string {
	features := s.featuresAlong(letter, len(entry))
	for _, f := range features {
		if said := f.gives(entry); said != "" {
			return said
		}
	}
	for _, f := range features {
		if said := f.divided(entry, s.moduli()); said != "" {
			return said
		}
	}
	for _, f := range features[1:] {
		said := f.sorts(entry)
		if said != "" && (f.whole() || inOrderByChance(entry)*float64(ordersOfEach*len(features)) < surprising) {
			return said
		}
	}
	return ""
}

// ordersOfEach is how many orders of a feature are looked at: upwards and downwards, and what each
// inverts.
const ordersOfEach = 4

// inOrderByChance is how likely a feature that says nothing has those places that read some entry
// in the order of these: two rows that are exchanged are in that of many.
func inOrderByChance(entry []int) float64 {
	known := len(holding(entry))
	all, _ := math.Lgamma(float64(len(entry) + 1))
	rest, _ := math.Lgamma(float64(len(entry) - known + 1))
	return math.Exp(rest - all)
}

// divided says that entries are a feature divided by a size of the call, or what is left of it.
func (f feature) divided(entry, sizes []int) string {
	if !f.whole() {
		return ""
	}
	for _, m := range sizes {
		if f.agrees(entry, func(i int) int { return int(f.of[i]) % m }) {
			return fmt.Sprintf("%s modulo %d", f.name, m)
		}
		if f.agrees(entry, func(i int) int { return int(f.of[i]) / m }) {
			return fmt.Sprintf("%s over %d", f.name, m)
		}
	}
	return ""
}

// sorts says that entries are the order of a feature, or its inverse.
func (f feature) sorts(entry []int) string {
	order := emulate.Indices(len(f.of))
	for _, down := range []bool{false, true} {
		slices.SortStableFunc(order, func(a, b int) int {
			if down {
				a, b = b, a
			}
			return cmp.Compare(f.of[a], f.of[b])
		})
		said := "in the order of " + f.name
		if down {
			said += ", the largest first"
		}
		if f.agrees(entry, func(i int) int { return order[i] }) {
			return "what stands there " + said
		}
		if f.agrees(entry, func(i int) int { return slices.Index(order, i) }) {
			return "its own rank " + said
		}
	}
	return ""
}

// agrees tells whether entries are a function of places, of different values, the last of them
// where that is beyond it.
func (f feature) agrees(entry []int, of func(i int) int) bool {
	last, distinct := slices.Max(entry)-1, map[int]bool{}
	for i, e := range entry {
		if e == 0 {
			continue
		}
		if math.IsNaN(f.of[i]) || e-1 != min(of(i), last) {
			return false
		}
		distinct[e] = true
	}
	return len(distinct) > 1
}
