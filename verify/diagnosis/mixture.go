package diagnosis

import "slices"

// mixture is an output of which each part is what a member of a family of explanations gives there,
// or what is right.
type mixture struct {
	view   *view
	family []*trial
	beside [][]float64 // losses beside what each member gives, nil of one that gives nothing

	w    []float64
	of   []int     // which member each element has, or row of a choice, −1 for none
	loss []float64 // of each beside w
}

func (v *view) mixture(family []*trial) *mixture {
	m := &mixture{view: v, family: family}
	for _, t := range family {
		var loss []float64
		if gives := t.gives[v.want.Name]; gives != nil {
			loss = v.lossIn(t, gives)
		}
		m.beside = append(m.beside, loss)
	}
	return m
}

// mix gives each part that is clearly wrong the member that fits best.
func (m *mixture) mix(by int) {
	v := m.view
	m.of, m.loss = repeated(-1, len(v.loss)), slices.Clone(v.loss)
	if v.want.Choice != nil {
		m.mixRows()
		return
	}
	m.w = slices.Clone(v.truth)
	parts := v.wrongParts(by)
	for k, loss := range m.beside {
		for _, p := range parts {
			if loss == nil || sum(loss[p.first:p.end])+p.gain > sum(m.loss[p.first:p.end]) {
				continue
			}
			for i := p.first; i < p.end; i++ {
				m.give(i, k)
			}
		}
	}
	if by != byRow {
		m.fill()
	}
}

// give gives an element a member.
func (m *mixture) give(i, k int) {
	m.w[i], m.of[i], m.loss[i] = m.family[k].gives[m.view.want.Name][i], k, m.beside[k][i]
}

// fill gives each member all that lies between its elements along every axis, where that fits as
// well: what is wrong may be near what is right by chance.
func (m *mixture) fill() {
	w, of, loss := slices.Clone(m.w), slices.Clone(m.of), slices.Clone(m.loss)
	for k := range m.family {
		places := m.places(k)
		if len(places) == 0 {
			continue
		}
		holds := m.view.holds(places)
		for i := range m.w {
			if m.of[i] < 0 && holds(i) {
				m.give(i, k)
			}
		}
	}
	if sum(m.loss) > sum(loss)+leastGain {
		m.w, m.of, m.loss = w, of, loss
	}
}

// places lists the elements of one member.
func (m *mixture) places(member int) (places []int) {
	for i, k := range m.of {
		if k == member {
			places = append(places, i)
		}
	}
	return places
}

// holds returns whether an element lies where others do, along every axis.
func (v *view) holds(places []int) func(i int) bool {
	shape := v.shape()
	has := make([][]bool, len(shape))
	inner := 1
	for a := len(shape) - 1; a >= 0; a-- {
		has[a] = make([]bool, shape[a])
		for _, i := range places {
			has[a][i/inner%shape[a]] = true
		}
		inner *= shape[a]
	}
	return func(i int) bool {
		for a := len(shape) - 1; a >= 0; a-- {
			if !has[a][i%shape[a]] {
				return false
			}
			i /= shape[a]
		}
		return true
	}
}

// part is a run of elements, with the gain from which an explanation is said to hold there.
type part struct {
	first, end int
	gain       float64
}

// wrongParts lists the parts of an output that are clearly wrong.
func (v *view) wrongParts(by int) (all []part) {
	unit := v.want.Columns()
	if by == byElement {
		unit = 1
	}
	for first := 0; first < len(v.loss); first += unit {
		p := part{first, first + unit, leastGain}
		wrong := func(lost float64) bool { return lost > clear }
		from := slices.IndexFunc(v.loss[first:p.end], wrong)
		switch {
		case from < 0:
			continue
		case by == byElement:
			p.gain = 1
		case by == byRun:
			for p.first += from; v.loss[p.end-1] <= clear; p.end-- {
			}
		}
		all = append(all, p)
	}
	return all
}

// mixRows is mix for a choice, of which a row that is right stands as it was recorded.
func (m *mixture) mixRows() {
	v, width := m.view, m.view.want.Choice.Width()
	for k, t := range m.family {
		gives := t.gives[v.want.Name]
		if gives == nil {
			continue
		}
		if len(m.w) == 0 {
			m.w = slices.Clone(gives)
		}
		for i := range m.of {
			row := m.w[i*width : (i+1)*width]
			switch {
			case v.loss[i] == 0:
				copy(row, v.got[i*width:])
			case m.of[i] < 0 && !v.differs(i, gives):
				copy(row, gives[i*width:])
				m.of[i], m.loss[i] = k, 0
			}
		}
	}
}

func repeated(x, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = x
	}
	return all
}
