package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// Many outputs are sums of parts: of what each tile of keys adds, each expert, each block of K. A
// kernel that loops wrongly leaves parts out or adds them several times, each row others. How often
// each counts is found by least squares, row by row.

// tryAmounts tries outputs that are sums of right parts in other amounts than once: along each axis
// those of the quantity that is formed last.
func (s *subject) tryAmounts() {
	var all []candidate
	var found []string
	for _, h := range slices.Backward(s.hung()) {
		for a, l := range h.Shape {
			if h.x.Shape[a] > 1 && !s.ofFailedOutput(l) {
				all = append(all, s.amounts(h, a, &found)...)
			}
		}
	}
	s.try(all)
	s.settle()
}

// ofFailedOutput tells whether every output that is not explained has an axis.
func (s *subject) ofFailedOutput(letter string) bool {
	for _, name := range s.failed() {
		if !slices.Contains(s.bound.Op.Output(name).Shape, letter) {
			return false
		}
	}
	return true
}

// amounts are explanations of outputs as sums over tiles of an axis of a quantity, but of those
// that were found to be such sums.
func (s *subject) amounts(h hung, a int, found *[]string) (all []candidate) {
	for _, tile := range s.partsOf(h.x.Shape[a]) {
		all = append(all, s.amountsOf(h, a, tile, found)...)
	}
	return all
}

// amountsOf are those of tiles of one size.
func (s *subject) amountsOf(h hung, a, tile int, found *[]string) (all []candidate) {
	n := h.x.Shape[a]
	key := func(output string) string { return fmt.Sprint(output, h.Shape[a], tile) }
	if !slices.ContainsFunc(s.failed(), func(name string) bool { return !slices.Contains(*found, key(name)) }) {
		return nil
	}
	added := make([]outputs, (n+tile-1)/tile)
	if float64(len(added)) > s.budget/s.each {
		return nil
	}
	s.budget -= s.each * float64(len(added))
	parallel.Each(len(added), func(k int) {
		added[k], _ = s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{
			h.Name: entries(h.x, a, n, func(i int) int {
				if i/tile != k {
					return -1
				}
				return i
			}),
		}})
	})
	for _, v := range s.views {
		m := &amounts{view: v, axis: s.wordOf(h.Quantity, a), tile: tile, of: n}
		known := slices.Contains(*found, key(v.want.Name))
		if v.failed && v.want.Choice == nil && !known && m.addUp(added) {
			*found, all = append(*found, key(v.want.Name)), append(all, m.candidate(h.Name))
		}
	}
	return all
}

// partsPerColumn is how many columns a row has to have for each part that is told apart in it, and
// mostOfParts how many there may be.
const (
	partsPerColumn = 4
	mostOfParts    = 64
)

// mostSplits is in how many parts of one size an axis is cut besides, as splits of keys are.
const mostSplits = 8

// partsOf returns how many entries of an axis of n make a part: as few as the narrowest output that
// is wrong can tell apart, and what splits have.
func (s *subject) partsOf(n int) []int {
	most := min(mostOfParts, mostKept/4/max(s.elements(), 1))
	for _, v := range s.views {
		if v.failed && v.want.Choice == nil && v.want.Columns() > 1 {
			most = min(most, v.want.Columns()/partsPerColumn)
		}
	}
	tile := 1
	for (n+tile-1)/tile > max(most, 2) {
		tile *= 2
	}
	all := []int{tile}
	for splits := 2; splits <= min(mostSplits, most); splits++ {
		for _, whole := range []int{1, 16, 64} {
			each := ((n+splits-1)/splits + whole - 1) / whole * whole
			if each%tile != 0 && each < n && !slices.Contains(all, each) {
				all = append(all, each)
			}
		}
	}
	return all
}

// amounts is an output as a sum of parts.
type amounts struct {
	view     *view
	axis     string
	tile, of int         // elements of a part, and of the axis
	parts    [][]float64 // what each adds to the output
	factors  int         // rows that are a multiple of such a sum, and amounts that are no whole numbers
	real     [][]float64 // of each part, amounts that are no whole numbers
}

// addUp tells whether what was found for each part adds up to the output.
func (m *amounts) addUp(added []outputs) bool {
	total := make([]float64, len(m.view.truth))
	for _, part := range added {
		x := part[m.view.want.Name]
		if len(x) != len(total) {
			return false
		}
		for i, p := range x {
			total[i] += p
		}
		m.parts = append(m.parts, x)
	}
	for i, t := range m.view.truth {
		if !(math.Abs(total[i]-t) <= 1e-9*m.view.largest) {
			return false
		}
	}
	return true
}

// candidate is the explanation that the parts count in the amounts that fit best.
func (m *amounts) candidate(quantity string) candidate {
	v := m.view
	w, n := slices.Clone(v.truth), v.want.Columns()
	m.real = make([][]float64, len(m.parts))
	var said []string
	places := map[string][]int{}
	for first := 0; first < len(w); first += n {
		text := m.row(w, first)
		if text == "" {
			continue
		}
		if places[text] == nil {
			said = append(said, text)
		}
		for i := first; i < first+n; i++ {
			places[text] = append(places[text], i)
		}
	}
	text := v.inPlaces(said, places)
	if len(said) == 0 || 2*len(slices.Concat(m.real...)) > len(w)/n {
		text = m.inReal()
	}
	c := v.instead("quantity", quantity+" in amounts", fmt.Sprintf("%s counts %s in other amounts than once: %s",
		v.want.Name, quantity, text), func() []float64 { return w })
	c.fitted, c.whole = m.factors, text == ""
	return c
}

// inReal says how often each part counts where that is no whole number.
func (m *amounts) inReal() string {
	var said []string
	for k := 0; k < len(m.real); {
		end := k + 1
		for end < len(m.real) && timesInWords(m.real[end]) == timesInWords(m.real[k]) {
			end++
		}
		if len(m.real[k]) > 0 {
			said = append(said, m.entries(k, end)+" "+timesInWords(m.real[k]))
		}
		k = end
	}
	if n := len(said); n > mostParts {
		said = append(said[:mostParts], fmt.Sprintf("and %d parts more", n-mostParts))
	}
	text := strings.Join(said, ", ")
	if m.tile > 1 && len(m.parts) <= mostSplits && len(said) > 1 {
		text += "; within each part they are right, as where parts are joined with other weights than theirs"
	}
	return text
}

// inPlaces says what holds in which places of an output.
func (v *view) inPlaces(said []string, places map[string][]int) string {
	var parts []string
	for _, text := range said[:min(len(said), mostParts)] {
		parts = append(parts, strings.TrimPrefix(strings.TrimSpace(v.within(places[text])+": "+text), ": "))
	}
	if len(said) > mostParts {
		parts = append(parts, fmt.Sprintf("and %d parts more", len(said)-mostParts))
	}
	return strings.Join(parts, "; ")
}

// row puts a row together of parts in the amounts that fit best, if these are few times each, and
// says which are not once; "" where the row stays as it is.
func (m *amounts) row(w []float64, first int) string {
	v, n := m.view, m.view.want.Columns()
	if n < 2*len(m.parts) || sum(v.loss[first:first+n]) < 2*float64(n) {
		return ""
	}
	amount, strength := m.fit(first, n)
	factor := common(amount)
	if amount == nil {
		return ""
	}
	times := slices.Clone(amount)
	if !whole(times, strength, factor) {
		m.inAmounts(w, first, amount, strength)
		return ""
	}
	if factor != 1 {
		m.factors++
	}
	m.put(w, first, times, factor)
	return m.inWords(times, factor)
}

// put puts a row together.
func (m *amounts) put(w []float64, first int, amount []float64, factor float64) {
	for i := first; i < first+m.view.want.Columns(); i++ {
		w[i] = 0
		for k, part := range m.parts {
			w[i] += factor * amount[k] * part[i]
		}
	}
}

// lossOfRow is the loss of a row beside what was put together.
func (m *amounts) lossOfRow(w []float64, first int) (loss float64) {
	v := m.view
	for i := first; i < first+v.want.Columns(); i++ {
		loss += elementLoss(v.got[i], w[i], max(v.scale[i], v.want.Type.Spacing(w[i])))
	}
	return loss
}

// inAmounts puts a row together of amounts that are no whole numbers, if that is what it is: each
// element as near as those of right kernels are, of more elements than parts.
func (m *amounts) inAmounts(w []float64, first int, amount, strength []float64) {
	n := m.view.want.Columns()
	if n < partsPerColumn*len(m.parts) {
		return
	}
	kept := slices.Clone(w[first : first+n])
	m.put(w, first, amount, 1)
	if m.lossOfRow(w, first) > rightLoss*float64(n) {
		copy(w[first:first+n], kept)
		return
	}
	for k, x := range amount {
		if strength[k] > faintPart && math.Abs(x-1) > max(nearWhole, 4/strength[k]) {
			m.real[k] = append(m.real[k], x)
			m.factors++
		}
	}
}

// whole makes whole numbers of amounts in units of a factor, and tells whether they are such: a
// part that is too faint to tell counts once.
func whole(amount, strength []float64, factor float64) bool {
	for k, x := range amount {
		times := math.Round(x / factor)
		switch {
		case strength[k] < faintPart:
			times = 1
		case math.Abs(x/factor-times) > max(nearWhole, 4/strength[k]):
			return false
		}
		amount[k] = times
	}
	return true
}

// nearWhole is how far from a whole number an amount may be that is one.
const nearWhole = 0.02

// faintPart is the strength up to which a part is too small for its amount to be told.
const faintPart = 8

// fit returns the amounts of parts in a row by least squares, each 1 where nothing tells it, and
// the strengths of parts.
func (m *amounts) fit(first, n int) (amount, strength []float64) {
	v, count := m.view, len(m.parts)
	normal, right := mat.NewSymDense(count, nil), mat.NewVecDense(count, nil)
	for k := range count {
		for l := k; l < count; l++ {
			normal.SetSym(k, l, m.product(first, n, m.parts[k], m.parts[l]))
		}
		strength = append(strength, math.Sqrt(normal.At(k, k)))
		right.SetVec(k, m.product(first, n, m.parts[k], v.got)+1)
		normal.SetSym(k, k, normal.At(k, k)+1)
	}
	var factored mat.Cholesky
	solved := mat.NewVecDense(count, nil)
	if !factored.Factorize(normal) || factored.SolveVecTo(solved, right) != nil {
		return nil, nil
	}
	return solved.RawVector().Data, strength
}

// product is that of two rows in deviations.
func (m *amounts) product(first, n int, x, y []float64) (p float64) {
	for i := first; i < first+n; i++ {
		if s := m.view.scale[i]; s > 0 && dtype.Finite(x[i]*y[i]) {
			p += x[i] / s * y[i] / s
		}
	}
	return p
}

// common returns what amounts are multiples of: 1, or where most are no whole numbers the one in
// the middle of these.
func common(amount []float64) float64 {
	var some []float64
	for _, x := range amount {
		if math.Abs(x-math.Round(x)) > nearWhole && math.Abs(x) > nearWhole {
			some = append(some, x)
		}
	}
	if len(some) == 0 || 2*len(some) < len(amount) {
		return 1
	}
	return median(some)
}

// inWords says which parts count other than once.
func (m *amounts) inWords(amount []float64, factor float64) string {
	var said []string
	for k := 0; k < len(amount); {
		end := k + 1
		for end < len(amount) && amount[end] == amount[k] {
			end++
		}
		if times := amount[k]; times != 1 {
			said = append(said, m.entries(k, end)+" "+often(times))
		}
		k = end
	}
	if factor != 1 && len(said) > 0 {
		said = append(said, "with another divisor")
	}
	return strings.Join(said, ", ")
}

func timesInWords(amounts []float64) string {
	if len(amounts) == 0 {
		return ""
	}
	return between(amounts) + " times"
}

// entries names the entries of the axis that some parts are of.
func (m *amounts) entries(from, to int) string {
	first, last := from*m.tile, min(to*m.tile, m.of)-1
	if first == last {
		return fmt.Sprintf("%s %d", m.axis, first)
	}
	return fmt.Sprintf("%s %d to %d", m.axis, first, last)
}

func often(times float64) string {
	switch times {
	case 0:
		return "not at all"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%v times", times)
}
