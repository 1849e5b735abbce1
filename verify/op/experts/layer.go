package experts

import (
	"fmt"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func checkLayer(c *op.Case) error {
	if err := checkRouting(c); err != nil {
		return err
	}
	return checkNetworks(c)
}

func layerWork(c *op.Case) float64 { return gateWork(c) + expertsWork(c) }

// mostSets is how many sets of experts of one token are looked at. Where there are more nothing is
// expected of its output.
const mostSets = 16

// layer is moe.layer: the gate, the experts that it chooses, and for tokens whose experts the
// errors of the scores leave open, each set that they leave.
func layer(c *op.Case) ([]verdict.Expected, error) {
	m, g := mixtureOf(c), inputsOf(c)
	t := g.rank()
	sets, unjudged := make([][][]int, m.tokens), []bool(nil)
	for n := range m.tokens {
		others, all := t.Others(n, mostSets)
		if !all && unjudged == nil {
			unjudged = make([]bool, m.tokens*m.width)
		}
		for j := 0; !all && j < m.width; j++ {
			unjudged[n*m.width+j] = true
		}
		sets[n] = append([][]int{t.Best(n)}, others...)
		sent := sentToken{}
		for _, set := range sets[n] {
			sent.choices = append(sent.choices, choice{sent.slotsOf(set), g.weights(n, set)})
		}
		m.sent = append(m.sent, sent)
	}
	m.inRun = func(r *arithmetic.Run) [][][]float64 { return g.in(r).eachWeighs(sets) }
	want := m.expected()
	want.Unjudged, want.Why = unjudged, fmt.Sprintf("more than %d sets of experts may be chosen", mostSets)
	return []verdict.Expected{want}, nil
}

// slotsOf returns the slots in which experts stand, and adds those that have none.
func (t *sentToken) slotsOf(experts []int) (slots []int) {
	for _, e := range experts {
		at := slices.Index(t.experts, e)
		if at < 0 {
			at = len(t.experts)
			t.experts = append(t.experts, e)
		}
		slots = append(slots, at)
	}
	return slots
}
