package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// What a formula names between inputs and outputs lies in registers, in shared memory or in a
// workspace, where it is read at a wrong place as an input is, or was not written when it is read.

// tryQuantities tries quantities that are taken for others: those first on which no other outputs
// hang than are wrong.
func (s *subject) tryQuantities() {
	var exact, others []candidate
	for _, h := range s.hung() {
		if all := s.misreadQuantity(h.Quantity, h.x); h.exactly {
			exact = append(exact, all...)
		} else {
			others = append(others, all...)
		}
	}
	s.try(slices.Concat(exact, others, s.functionsOfInputs()))
	s.settle()
}

// hung is a quantity as it was formed, on which outputs hang that are not explained; exactly: all
// of these, and no other.
type hung struct {
	emulate.Quantity
	x       *tensor.Tensor
	exactly bool
}

// quantitiesHung lists those.
func (s *subject) quantitiesHung() (all []hung) {
	formed, right := s.formed()
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		x := formed[q.Name]
		if x == nil {
			continue
		}
		if wrong, moved := s.hanging(q, x, right); wrong > 0 {
			all = append(all, hung{q, x, moved == wrong && wrong == len(s.failed())})
		}
	}
	return all
}

// mostQuantity is the number of elements up to which a quantity is changed to try something.
const mostQuantity = 1 << 22

// quantities returns what a right kernel forms, and gives.
func (s *subject) quantities() (formed map[string]*tensor.Tensor, right outputs) {
	formed = map[string]*tensor.Tensor{}
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		if shape := s.bound.Shape(q.Shape); op.Elements(shape) <= mostQuantity {
			formed[q.Name] = tensor.New(shape...)
		}
	}
	if len(formed) == 0 {
		return nil, nil
	}
	right, err := s.between(&emulate.Quantities{Formed: formed})
	if err != nil {
		return nil, nil
	}
	return formed, right
}

// between returns what an exact kernel gives of whose quantities some are other ones.
func (s *subject) between(q *emulate.Quantities) (outputs, error) {
	c := emulate.Exact("")
	c.Quantities = q
	return s.kernel("", c)()
}

// hanging counts the outputs that hang on a quantity, and those of them that are not explained.
func (s *subject) hanging(q emulate.Quantity, x *tensor.Tensor, right outputs) (wrong, all int) {
	other, whole := tensor.New(x.Shape...), (feature{of: x.Data}).whole()
	for i := range x.Data { // in another order too, on which choices hang
		v := x.Data[(i+1)%len(x.Data)]
		if other.Data[i] = 1.5 * v; whole {
			other.Data[i] = v + 1
		}
	}
	gives, err := s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{q.Name: other}})
	for _, v := range s.views {
		if err != nil || slices.Equal(gives[v.want.Name], right[v.want.Name]) {
			continue
		}
		all++
		if v.failed {
			wrong++
		}
	}
	return wrong, all
}

// misreadQuantity lists what a quantity gives that is read at other indices along an axis, or taken
// for zeros: altogether, from the last whole tile on, in a tile.
func (s *subject) misreadQuantity(q emulate.Quantity, x *tensor.Tensor) (all []candidate) {
	for _, f := range s.functionsOf(x) {
		said := fmt.Sprintf("takes %s %s", q.Name, f.said)
		all = append(all, s.taken(q, said, func() *tensor.Tensor { return eachOf(x, f.of) }).asFactor(f,
			func(by float64) candidate { return s.multiple(q, x, by) }))
	}
	all = slices.Concat(all, s.unseen(q, x), s.otherFrequencies(q, x), s.transposedQuantity(q, x), s.meansOfParts(q, x),
		s.atOnePlace(q, x))
	for a, n := range x.Shape {
		word := s.wordOf(q, a)
		along := func(said string, from func(i int) int) candidate {
			return s.taken(q, said, func() *tensor.Tensor { return entries(x, a, n, from) })
		}
		for _, m := range indexMaps(n, false) {
			c := along(fmt.Sprintf("reads %s along %s (of %d) %s", q.Name, word, n, m.said), m.from)
			if m.family != "" {
				c.family, c.short, c.entry = q.Name+" "+word, m.family, m.entry
				c.about = fmt.Sprintf("the kernel reads %s elsewhere along %s", q.Name, word)
			}
			all = append(all, c)
		}
		for _, end := range zeroEnds(n) {
			said := fmt.Sprintf("takes %s for zeros from %s %d on, of %d", q.Name, word, end, n)
			all = append(all, along(said, func(i int) int { return beforeEnd(i, end) }))
		}
		all = append(all, s.zeroTiles(q, word, n, along)...)
	}
	return all
}

// transposedQuantity is one that is written with two axes in one order, and read in the other.
func (s *subject) transposedQuantity(q emulate.Quantity, x *tensor.Tensor) (all []candidate) {
	for a := range len(x.Shape) - 1 {
		if min(x.Shape[a], x.Shape[a+1]) > 1 {
			said := fmt.Sprintf("reads %s with %s and %s in the other order in memory", q.Name, s.wordOf(q, a),
				s.wordOf(q, a+1))
			all = append(all, s.taken(q, said, func() *tensor.Tensor { return reread(x, a) }))
		}
	}
	return all
}

// unseen are scores of keys that are not seen: those before a tile, or all but the last.
func (s *subject) unseen(q emulate.Quantity, x *tensor.Tensor) (all []candidate) {
	if q.Name != emulate.Scores || !slices.Contains(q.Axes, "key") {
		return nil
	}
	n := x.Shape[len(x.Shape)-1]
	firsts := tilesBefore(n)
	for last := 1; last < n; last *= 2 {
		firsts = append(firsts, n-last)
	}
	if s.has("window") {
		firsts = append(firsts, max(n-s.bound.Int("window"), 1))
	}
	slices.Sort(firsts)
	for _, first := range slices.Compact(firsts) {
		said := fmt.Sprintf("does not see keys before %d, of %d: the last %d alone", first, n, n-first)
		c := s.taken(q, said, func() *tensor.Tensor { return seenFrom(x, first, math.Inf(-1)) })
		c.others = []giver{s.taken(q, said, func() *tensor.Tensor { return seenFrom(x, first, math.NaN()) }).give}
		all = append(all, c)
	}
	return all
}

// seenFrom returns scores of the keys from first on, and of rows that have none of these something
// else: −∞, or NaN where 0/0 is formed of it.
func seenFrom(x *tensor.Tensor, first int, empty float64) *tensor.Tensor {
	y, n := tensor.New(x.Shape...), x.Shape[len(x.Shape)-1]
	copy(y.Data, x.Data)
	for at := 0; at < len(y.Data); at += n {
		row, hidden := y.Data[at:at+n], math.Inf(-1)
		if !slices.ContainsFunc(row[first:], func(v float64) bool { return v != 0 }) {
			hidden = empty
		}
		for k := range first {
			row[k] = hidden
		}
	}
	return y
}

// function is what a number may be taken for by mistake.
type function struct {
	said string
	of   func(x float64) float64
}

// functionsOf lists those that have a value for each number of some tensors; none where nothing but
// NaN was recorded wrongly, which any may give that has none for what comes of it.
func (s *subject) functionsOf(all ...*tensor.Tensor) []function {
	if s.onlyNaN() {
		return nil
	}
	return slices.DeleteFunc(append(formulas(), narrower()...), func(f function) bool {
		return slices.ContainsFunc(all, func(x *tensor.Tensor) bool {
			return slices.ContainsFunc(x.Data, func(v float64) bool { return v == v && math.IsNaN(f.of(v)) })
		})
	})
}

// onlyNaN tells whether everything that is wrong is NaN.
func (s *subject) onlyNaN() bool {
	return !slices.ContainsFunc(s.views, func(v *view) bool {
		return slices.ContainsFunc(v.places(), func(i int) bool { return !math.IsNaN(v.got[i]) })
	})
}

// narrower are what leaves less of a number than it was.
func narrower() []function {
	return []function{
		{"rounded to BF16", dtype.BF16.Round},
		{"rounded to F16", dtype.F16.Round},
		{"rounded to F8E4M3", dtype.F8E4M3.Round},
		{"rounded to a whole number", math.RoundToEven},
		{"cut off to a whole number", math.Trunc},
		{"bounded to 0 and 1", func(x float64) float64 { return min(max(x, 0), 1) }},
		{"bounded to −1 and 1", func(x float64) float64 { return min(max(x, -1), 1) }},
	}
}

// itself is what a number is taken for where nothing is done with it.
var itself = function{"", func(x float64) float64 { return x }}

// varying is from which of formulas on they are no multiples of a number, and no constants.
const varying = 3

func formulas() []function {
	return []function{
		{"for 0", func(float64) float64 { return 0 }},
		{"for 1", func(float64) float64 { return 1 }},
		{"with the other sign", func(x float64) float64 { return -x }},
		{"without its sign", math.Abs},
		{"for 0 where it is negative", func(x float64) float64 { return max(x, 0) }},
		{"for 0 where it is positive", func(x float64) float64 { return min(x, 0) }},
		{"for its reciprocal", func(x float64) float64 { return 1 / x }},
		{"for its square", func(x float64) float64 { return x * x }},
		{"for its square root", math.Sqrt},
		{"for its exponential", math.Exp},
		{"for its logarithm", math.Log},
		{"to the power of ln 2, as 2^x is for e^x,", func(x float64) float64 { return math.Pow(x, math.Ln2) }},
		{"to the power of log₂ e, as e^x is for 2^x,", func(x float64) float64 { return math.Pow(x, math.Log2E) }},
		{"twice", func(x float64) float64 { return 2 * x }},
		{"by half", func(x float64) float64 { return x / 2 }},
		{"times ln 2", func(x float64) float64 { return math.Ln2 * x }},
		{"times log₂ e", func(x float64) float64 { return math.Log2E * x }},
		{"and ln 2 more", func(x float64) float64 { return x + math.Ln2 }},
		{"and ln 2 less", func(x float64) float64 { return x - math.Ln2 }},
		{"for one more", func(x float64) float64 { return x + 1 }},
		{"for one less", func(x float64) float64 { return x - 1 }},
	}
}

// zeroTiles are tiles that count as zeros, each of a family of which others may in other parts.
func (s *subject) zeroTiles(
	q emulate.Quantity, word string, n int, along func(said string, from func(i int) int) candidate,
) (all []candidate) {
	for _, tile := range tilesOf(n) {
		for first := 0; first < n; first += tile {
			end := min(first+tile, n)
			said := fmt.Sprintf("takes %s for zeros in %s %d to %d, of %d", q.Name, word, first, end-1, n)
			c := along(said, outside(first, end))
			c.family, c.short = fmt.Sprintf("%s %s %d", q.Name, word, tile), fmt.Sprintf("%d to %d", first, end-1)
			c.about = fmt.Sprintf("the kernel takes %s for zeros in some %s", q.Name, plural(word))
			c.twice = fmt.Sprintf("the kernel counts %s twice in %s %d to %d, of %d", q.Name, word, first, end-1, n)
			all = append(all, c)
		}
	}
	return all
}

// taken is the explanation that a quantity is taken otherwise.
func (s *subject) taken(q emulate.Quantity, said string, as func() *tensor.Tensor) candidate {
	return s.takenAll(said, func() map[string]*tensor.Tensor { return map[string]*tensor.Tensor{q.Name: as()} })
}

// takenAll is the explanation that some quantities are taken otherwise.
func (s *subject) takenAll(said string, as func() map[string]*tensor.Tensor) candidate {
	made := func(c emulate.Config) giver {
		return func() (outputs, error) {
			c.Quantities = &emulate.Quantities{Instead: as()}
			return s.kernel("", c)()
		}
	}
	c := propose("quantity", said, "the kernel "+said, made(emulate.Exact("")))
	c.made = made
	return c
}

// wordOf is the word for an axis of a quantity.
func (s *subject) wordOf(q emulate.Quantity, a int) string {
	if a < len(q.Axes) {
		return q.Axes[a]
	}
	return s.word(q.Shape[a])
}

func filled(x float64, shape ...int) *tensor.Tensor {
	t := tensor.New(shape...)
	for i := range t.Data {
		t.Data[i] = x
	}
	return t
}
