package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// What a token has of experts is a sum over few of all of them. Which experts are in it, and how
// much each weighs, is found by least squares among all: one that belongs to another token, or
// stands beside the right one, is named.

// leastWeight is the share of a token's largest weight from which an expert is said to be in it.
const leastWeight = 1e-3

// tryUnmixed tries outputs of tokens that are sums over other experts than theirs.
func (s *subject) tryUnmixed() {
	ids, weights := s.routing()
	if ids == nil || weights == nil || len(s.failed()) != 1 {
		return
	}
	v := s.views[slices.IndexFunc(s.views, func(v *view) bool { return v.failed })]
	m := &unmixing{amounts{view: v, axis: "expert", tile: 1, of: s.bound.Dim("E")}, ids, weights}
	if v.want.Choice != nil || v.want.Columns() < 2*(m.of+1) || s.each*float64(m.of+1) > s.budget/gatherShare {
		return
	}
	s.budget -= s.each * float64(m.of+1)
	if c, found := m.candidate(s); found {
		s.try([]candidate{c})
		s.settle()
	}
}

// routing returns the expert of each token in each slot, and its weight: inputs, or what a gate
// gives; nil for an op that has none.
func (s *subject) routing() (ids, weights *tensor.Tensor) {
	if len(s.rec.Shape("indices")) == 2 && s.rec.Has("weights") {
		ids, first := s.rec.Tensor("indices")
		weights, second := s.rec.Tensor("weights")
		if first == nil && second == nil {
			return ids, weights
		}
	}
	formed, _ := s.formed()
	return formed[emulate.Experts], formed[emulate.ExpertWeights]
}

// unmixing is an output as a sum of what each token has of each expert, the first of no expert.
type unmixing struct {
	amounts
	ids, weights *tensor.Tensor // as they should be
}

// alone returns what each token has of one expert with a weight of 1, or of none, if it is −1.
func (m *unmixing) alone(s *subject, expert int) []float64 {
	ids, weights := filled(-1, m.ids.Shape...), tensor.New(m.ids.Shape...)
	for i := 0; i < ids.Len(); i += ids.Shape[1] {
		ids.Data[i], weights.Data[i] = float64(expert), 1
	}
	var gives outputs
	var err error
	if s.rec.Has("indices") {
		gives, err = s.exact(s.changed(func(r *recording.Recording) {
			r.Set("indices", s.rec.Type("indices"), ids)
			r.Set("weights", dtype.F64, weights)
		}))
	} else {
		gives, err = s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{
			emulate.Experts: ids, emulate.ExpertWeights: weights,
		}})
	}
	if err != nil {
		return nil
	}
	return gives[m.view.want.Name]
}

// candidate is the explanation that tokens have other experts, or other weights of theirs.
func (m *unmixing) candidate(s *subject) (c candidate, found bool) {
	v := m.view
	m.parts = make([][]float64, m.of+1)
	parallel.Each(len(m.parts), func(e int) { m.parts[e] = m.alone(s, e-1) })
	if slices.ContainsFunc(m.parts, func(x []float64) bool { return len(x) != len(v.got) }) {
		return c, false
	}
	for _, x := range m.parts[1:] {
		for i, none := range m.parts[0] {
			x[i] -= none
		}
	}
	w, said := m.tokens()
	if len(said) < fewGathered {
		return c, false
	}
	if more := len(said) - mostParts; more > 0 {
		said = append(said[:mostParts], fmt.Sprintf("and %s more", counted(more, "token")))
	}
	text := fmt.Sprintf("%s is a sum over other experts, or with other weights, than it should be: %s", v.want.Name,
		strings.Join(said, "; "))
	return v.instead("misread", "unmixed", text, func() []float64 { return w }), true
}

// tokens returns the output as it is put together, and says of which tokens in which way.
func (m *unmixing) tokens() (w []float64, said []string) {
	w = slices.Clone(m.view.truth)
	n := m.view.want.Columns()
	for first := 0; first < len(w); first += n {
		if text := m.row(w, first); text != "" {
			said = append(said, fmt.Sprintf("token %d has %s", first/n, text))
		}
	}
	return w, said
}

// row puts a row together of the experts that are in it, and says which these are; "" where it
// stays as it is.
func (m *unmixing) row(w []float64, first int) string {
	v, n := m.view, m.view.want.Columns()
	if sum(v.loss[first:first+n]) < 2*float64(n) {
		return ""
	}
	amount := m.few(first)
	if amount == nil {
		return ""
	}
	kept := slices.Clone(w[first : first+n])
	m.put(w, first, amount, 1)
	text := m.inWords(amount, first/n)
	if text == "" || m.lossOfRow(w, first) > mostLeft*sum(v.loss[first:first+n]) {
		copy(w[first:first+n], kept)
		return ""
	}
	return text
}

// few returns the amounts of least squares in a row, first of all parts and then of those that are
// in it, 0 of the others.
func (m *unmixing) few(first int) []float64 {
	all := m.parts
	defer func() { m.parts = all }()
	amount, strength := m.fit(first, m.view.want.Columns())
	if amount == nil {
		return nil
	}
	var some []int
	least := leastWeight * gonum.Norm(amount[1:], math.Inf(1))
	for e, a := range amount {
		if e == 0 || math.Abs(a)*strength[e] > faintPart && math.Abs(a) > least {
			some = append(some, e)
		}
	}
	m.parts = emulate.Picked(all, some)
	again, _ := m.fit(first, m.view.want.Columns())
	if again == nil {
		return nil
	}
	sparse := make([]float64, len(all))
	for i, e := range some {
		sparse[e] = again[i]
	}
	return sparse
}

// inWords says which experts are in a row and should not be, and which of its own are in it with
// other weights.
func (m *unmixing) inWords(amount []float64, token int) string {
	right := make([]float64, len(amount))
	for k := range m.ids.Shape[1] {
		if e := int(m.ids.At(token, k)); e >= 0 && e < m.of {
			right[e+1] += m.weights.At(token, k)
		}
	}
	said, replaced := m.foreign(amount, right)
	if math.Abs(amount[0]-1) > nearWhole {
		said = append(said, fmt.Sprintf("the shared experts times %.3g", amount[0]))
	}
	for e := range m.of {
		switch a, r := amount[e+1], right[e+1]; {
		case r == 0, replaced[e], math.Abs(a-r) <= nearWhole*math.Abs(r):
		case a == 0:
			said = append(said, fmt.Sprintf("no expert %d", e))
		default:
			said = append(said, fmt.Sprintf("expert %d times %.3g for %.3g", e, a, r))
		}
	}
	return strings.Join(said, ", ")
}

// foreign says which experts are in a row that are none of its own, and lists those in the place of
// which they stand.
func (m *unmixing) foreign(amount, right []float64) (said []string, replaced map[int]bool) {
	replaced = map[int]bool{}
	for e := range m.of {
		a := amount[e+1]
		if a == 0 || right[e+1] != 0 {
			continue
		}
		if other := m.inPlaceOf(amount, right, a); other >= 0 {
			said, replaced[other] = append(said, fmt.Sprintf("expert %d for %d", e, other)), true
			continue
		}
		said = append(said, fmt.Sprintf("expert %d, which is none of its own, times %.3g", e, a))
	}
	return said, replaced
}

// inPlaceOf returns the expert in the place of which a foreign one stands: one that is not there,
// and has its weight; −1 if none has.
func (m *unmixing) inPlaceOf(amount, right []float64, a float64) int {
	for e, r := range right[1:] {
		if amount[e+1] == 0 && r != 0 && math.Abs(a-r) < nearWhole*math.Abs(r) {
			return e
		}
	}
	return -1
}
