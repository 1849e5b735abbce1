package compare

import (
	"fmt"
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// values is an output of one side, or the part of it that is compared.
type values struct {
	typ             dtype.Type
	got             *tensor.Tensor // nil where it is not recorded
	expect, settled verdict.Expected
	first           int // element of what is expected
}

// values reads an output of a side, and settles what is expected of it.
func (s side) values(name string) (values, error) {
	x := values{typ: s.rec.Type("out." + name)}
	if !s.rec.Has("out." + name) {
		return x, nil
	}
	whole, err := s.rec.Tensor("out." + name)
	if err != nil {
		return x, err
	}
	for _, e := range s.expected {
		if e.Name == name {
			x.expect, x.settled = e, e
			if e.Choice == nil {
				x.settled = e.Settled(whole)
			}
		}
	}
	x.got = whole
	if s.count > 0 {
		entry := whole.Len() / whole.Shape[0]
		x.first = s.first * entry
		shape := append([]int{s.count}, whole.Shape[1:]...)
		x.got = tensor.Of(whole.Data[x.first:x.first+s.count*entry], shape...)
	}
	return x, nil
}

// apart is how far two truths of one element may be from each other, relative, and be one: they are
// computed twice, and not always in one order.
const apart = 1e-9

// sameTruth tells whether two truths are one.
func sameTruth(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= apart*max(math.Abs(a), math.Abs(b))
}

// comparable refuses what has not one shape, and a part of a batch whose truth hangs on the rest of
// the batch.
func comparable(x [2]values, part Part) error {
	name, a, b := x[0].expect.Name, x[0].got.Shape, x[1].got.Shape
	if fmt.Sprint(a) != fmt.Sprint(b) {
		return fmt.Errorf("output %q: shapes %v and %v", name, a, b)
	}
	if part.Count == 0 || x[0].expect.Choice != nil {
		return nil
	}
	for i := range x[0].got.Data {
		t, u := x[0].expect.Truth.Data[x[0].first+i], x[1].expect.Truth.Data[x[1].first+i]
		_, s := x[0].of(i)
		if !sameTruth(t, u) && !(math.Abs(t-u) <= apart*s) {
			const why = "what is right in one %s hangs on the others beside it: the two are not one call"
			return fmt.Errorf("output %q: "+why, name, part.Axis)
		}
	}
	return nil
}

// of returns the truth of an element, and the deviation that is explained: 0 where nothing is left
// to round.
func (x values) of(i int) (truth, explained float64) {
	i += x.first
	truth = x.settled.Truth.Data[i]
	if x.settled.Widest(i) == 0 && x.typ.Round(truth) == truth {
		return truth, 0
	}
	return truth, x.settled.Explained(i)
}

// elements compares two outputs element by element.
func elements(a, b values) Output {
	o := Output{
		Name: a.expect.Name, Type: a.typ.String(), Shape: a.got.Shape, Elements: a.got.Len(),
		Choice: a.expect.Choice != nil,
	}
	if len(a.expect.Axes) == len(o.Shape) {
		o.Axes = a.expect.Axes
	}
	var sum mean
	for i, x := range a.got.Data {
		y := b.got.Data[i]
		if math.Float64bits(x) != math.Float64bits(y) && !(math.IsNaN(x) && math.IsNaN(y)) {
			o.differs(i, x, y, a.typ, b.typ)
		}
		if !o.Choice && a.expect.Judged(a.first+i) && dtype.Finite(x-y) {
			o.Decided += sum.add(x-y, a, b, i)
		}
	}
	o.RMS = sum.root()
	return o
}

// differs notes an element whose numbers differ.
func (o *Output) differs(i int, x, y float64, a, b dtype.Type) {
	if o.Differ++; o.Differ == 1 {
		o.First = Place{tensor.Unravel(i, o.Shape), x, y}
	}
	larger := max(math.Abs(x), math.Abs(y))
	steps := math.Abs(x-y) / max(a.Spacing(larger), b.Spacing(larger))
	if math.IsNaN(steps) { // of an infinity or a NaN
		steps = math.Inf(1)
	}
	o.Steps = max(o.Steps, 1, steps)
}

// mean is one of squares.
type mean struct{ squares, n float64 }

// add adds what element i differs by, in units of what both may err by; where the two have decided
// otherwise what was in doubt, or nothing may err, it adds nothing and counts the former.
func (m *mean) add(d float64, a, b values, i int) (decided int) {
	t, s := a.of(i)
	u, r := b.of(i)
	both := math.Hypot(s, r)
	switch {
	case !sameTruth(t, u) && !(math.Abs(t-u) <= apart*both):
		return 1
	case !dtype.Finite(both) || both == 0:
		return 0
	}
	m.squares += d / both * (d / both)
	m.n++
	return 0
}

func (m *mean) root() float64 {
	if m.n == 0 {
		return 0
	}
	return math.Sqrt(m.squares / m.n)
}
