package diagnosis

import (
	"fmt"

	"plumbline/verify/op"
)

// Where each part of the outputs has another entry of an axis in it, that may be a number which the
// part has: its own index times something, how many drafts were accepted, a length.

// relation says which number the entry is that each part reads, "" where it is none that is known.
func (p *parts) relation(s *subject) string {
	for k, v := range p.views {
		axes := s.bound.Op.Output(v.want.Name).Shape
		shape := s.bound.Shape(axes)
		for a := range axes {
			entry := p.entries(v, p.of[k], shape, a)
			if entry == nil {
				continue
			}
			for _, f := range s.featuresAlong(axes[a], shape[a]) {
				if said := f.gives(entry); said != "" {
					return said
				}
			}
		}
	}
	return ""
}

// featuresAlong lists what places along an axis have, first their own number.
func (s *subject) featuresAlong(letter string, n int) []feature {
	index := feature{name: s.word(letter)}
	for i := range n {
		index.of = append(index.of, float64(i))
	}
	return append([]feature{index}, s.features([]string{letter}, []int{n})...)
}

// entries returns for each place along an axis which entry is read there, from 1 on, 0 where none
// is; nil where places have several, or too few have any.
func (p *parts) entries(v *view, of, shape []int, a int) []int {
	width := int(op.Elements(shape)) / max(1, len(of)) // of a row of a choice
	entry, known := make([]int, shape[a]), 0
	for i, member := range of {
		if member < 0 || v.loss[i] <= clear {
			continue
		}
		at, e := placeOf(i*width, shape, []int{a}), p.family[member].entry
		switch {
		case e == 0 || entry[at] != 0 && entry[at] != e:
			return nil
		case entry[at] == 0:
			entry[at] = e
			known++
		}
	}
	if known < leastFactors {
		return nil
	}
	return entry
}

// gives says that entries are a feature and something, times or over a whole number.
func (f feature) gives(entry []int) string {
	if !f.whole() {
		return ""
	}
	for _, times := range []int{1, 2, 4, 8} {
		for _, over := range []int{1, 2, 4, 8} {
			if by, met := f.further(entry, times, over); met && (times == 1 || over == 1) {
				return f.name + scaledBy(times, over) + added(by)
			}
		}
	}
	return ""
}

// further returns what entries are more than a feature times one number and over another.
func (f feature) further(entry []int, times, over int) (by int, met bool) {
	first, distinct := true, map[int]bool{}
	for i, e := range entry {
		if e == 0 {
			continue
		}
		d := e - 1 - int(f.of[i])*times/over
		if !first && d != by {
			return 0, false
		}
		by, first, distinct[e] = d, false, true
	}
	return by, len(distinct) > 1
}

func scaledBy(times, over int) string {
	switch {
	case times > 1:
		return fmt.Sprintf(" times %d", times)
	case over > 1:
		return fmt.Sprintf(" over %d", over)
	}
	return ""
}

func added(by int) string {
	switch {
	case by > 0:
		return fmt.Sprintf(" + %d", by)
	case by < 0:
		return fmt.Sprintf(" − %d", -by)
	}
	return ""
}
