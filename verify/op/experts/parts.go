package experts

import (
	"fmt"

	"gonum.org/v1/gonum/floats"

	"plumbline/verify/verdict"
)

// parts are what the output is a sum of: a factor on one of them shows in no element, and in no row
// or column. Those that are nil are not looked at.
type parts struct {
	experts, slots [][]float64
	routed, shared []float64
}

// mostParts is how many numbers parts may have together: 128 MiB.
const mostParts = 1 << 24

// newParts makes room for the parts that fit: what is routed and what is shared, where there are
// both, slots, and experts.
func (m *mixture) newParts() (p parts) {
	n := m.tokens * m.width
	left := mostParts / n
	if m.c.Recording.Has("shared_gate") && left >= 2 {
		p.routed, p.shared, left = make([]float64, n), make([]float64, n), left-2
	}
	if k := m.c.Dim("K"); k > 1 && k <= left {
		p.slots, left = many(k, n), left-k
	}
	if e := m.c.Dim("E"); e > 1 && e <= left {
		p.experts = many(e, n)
	}
	return p
}

func many(k, n int) [][]float64 {
	all := make([][]float64, k)
	for i := range all {
		all[i] = make([]float64, n)
	}
	return all
}

// add adds an output of an expert to its parts, from element at on.
func (p *parts) add(at int, row sentRow, t *sentToken, y []float64) {
	into := [][]float64{p.shared}
	if row.slot != sharedSlot {
		into = [][]float64{p.routed}
		if p.slots != nil {
			into = append(into, p.slots[row.slot])
		}
		if p.experts != nil {
			into = append(into, p.experts[t.experts[row.slot]])
		}
	}
	for _, part := range into {
		if part != nil {
			floats.AddScaled(part[at:at+len(y)], row.weight, y)
		}
	}
}

// directions returns the parts that there are.
func (p *parts) directions() (all []verdict.Direction) {
	add := func(values []float64, name string) {
		if values != nil && floats.Norm(values, 2) > 0 {
			all = append(all, verdict.Direction{Name: name, Values: values})
		}
	}
	add(p.routed, "the routed part")
	add(p.shared, "the part of the shared experts")
	for k, values := range p.slots {
		add(values, fmt.Sprintf("the part of slot %d", k))
	}
	for e, values := range p.experts {
		add(values, fmt.Sprintf("the part of expert %d", e))
	}
	return all
}
