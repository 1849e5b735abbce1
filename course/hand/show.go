package hand

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// walk is an op that can be worked by hand: on inputs that are chosen, and on the first row of a
// recording.
type walk struct {
	op     string
	chosen func() *Sheet
	steps  func(s *Sheet, c *op.Case)
	reads  func(c *op.Case) float64 // elements read at once of inputs that are read in parts; nil: few
}

// walks returns all that there are, by the name of the op.
func walks() []walk {
	all := slices.Concat(
		attentionWalks(), latentWalks(), positionWalks(), expertWalks(), balanceWalks(), fp8Walks(), predictionWalks(),
		policyWalks(), lossWalks(), productWalks(),
	)
	slices.SortFunc(all, func(a, b walk) int { return strings.Compare(a.op, b.op) })
	return all
}

func walkOf(name string) (walk, bool) {
	all := walks()
	i := slices.IndexFunc(all, func(w walk) bool { return w.op == name })
	if i < 0 {
		return walk{}, false
	}
	return all[i], true
}

// Ops lists the ops that can be shown.
func Ops() (names []string) {
	for _, w := range walks() {
		names = append(names, w.op)
	}
	return names
}

// Names lists what can be shown without a recording: ops, and the pages that are of none.
func Names() []string {
	names := Ops()
	for _, p := range pages() {
		names = append(names, p.name)
	}
	return names
}

// List returns the names of the pages, each with what is worked on it.
func List() (rows [][]string) {
	for _, p := range pages() {
		rows = append(rows, []string{p.name, p.about})
	}
	return rows
}

// Named returns the sheets of an op, or those of a page, in numbers that were chosen.
func Named(name string) ([]*Sheet, error) {
	if w, ok := walkOf(name); ok {
		return []*Sheet{w.chosen()}, nil
	}
	for _, p := range pages() {
		if p.name == name {
			return p.sheets(), nil
		}
	}
	if op.Lookup(name) != nil {
		return nil, cannot(name)
	}
	return nil, fmt.Errorf("no op and no page %s%s", spelling.Quote(name), spelling.Suggest(name, Names()))
}

// cannot says that an op is not worked by hand, and which are.
func cannot(name string) error {
	return fmt.Errorf("op %s is not worked by hand, these are: %s", name, strings.Join(Ops(), ", "))
}

// Recorded returns the calculation of the first row of a recording, the recorded outputs beside the
// true ones at its end.
func Recorded(rec *recording.Recording) (*Sheet, error) {
	w, worked := walkOf(rec.Op)
	if !worked && op.Lookup(rec.Op) != nil {
		return nil, fmt.Errorf("%s: %w", rec.Name, cannot(rec.Op))
	}
	c, err := op.Bind(rec)
	if err != nil {
		return nil, err
	}
	if err := w.affordable(c); err != nil {
		return nil, fmt.Errorf("%s: %w", rec.Name, err)
	}
	s := &Sheet{Name: rec.Op, Title: rec.Op}
	w.steps(s, c)
	s.compare(c)
	return s, c.Trouble()
}

// mostRead is how many numbers may be in memory at once: 512 MiB. A test lowers it.
var mostRead = float64(1 << 26)

// affordable refuses what would have to be read whole and is too large for it.
func (w walk) affordable(c *op.Case) error {
	total := 0.0
	for _, t := range c.Op.Inputs {
		if c.Recording.Has(t.Name) && !t.Parts {
			total += op.Elements(c.Recording.Shape(t.Name))
		}
	}
	if w.reads != nil {
		total += w.reads(c)
	}
	if total > mostRead {
		return fmt.Errorf("the first row of %s takes %.3g numbers in memory, want at most %.3g", w.op, total,
			mostRead)
	}
	return nil
}

// work returns the sheet of chosen inputs.
func work(title, words string, rec *recording.Recording, steps func(s *Sheet, c *op.Case)) *Sheet {
	c, err := op.Bind(rec)
	if err != nil {
		panic(err) // a test works all
	}
	s := newSheet(rec.Op, title, words)
	steps(s, c)
	return s
}

// request is a recording in memory, to be filled.
type request struct{ *recording.Recording }

// chosen returns a recording to be filled with chosen inputs; attributes are numbers, words and
// truth values.
func chosen(name string, attrs map[string]any) request {
	r := request{recording.New(name)}
	for key, value := range attrs {
		r.Attrs[key] = recording.Value(value)
	}
	return r
}

// put adds an input; one without a shape is a row.
func (r request) put(name string, shape []int, x ...float64) request {
	if shape == nil {
		shape = []int{len(x)}
	}
	typ := dtype.F64
	for _, t := range op.Lookup(r.Op).Inputs {
		if t.Name == name && t.Integer {
			typ = dtype.I64
		}
	}
	return r.putAs(name, typ, shape, x...)
}

// putAs adds an input of a type.
func (r request) putAs(name string, typ dtype.Type, shape []int, x ...float64) request {
	r.Set(name, typ, tensor.Of(x, shape...))
	return r
}

// rows is how many rows are shown of n: all of chosen inputs, the first of a recording.
func (s *Sheet) rows(n int) int {
	if s.exact {
		return n
	}
	return min(n, 1)
}

// output is a part of an output that was computed.
type output struct {
	name   string
	at     []int // which elements, in row-major order, rising
	values []float64
}

// out notes what was computed of an output, from an element on.
func (s *Sheet) out(name string, from int, values ...float64) {
	o := output{name: name, values: values}
	for i := range values {
		o.at = append(o.at, from+i)
	}
	s.outputs = append(s.outputs, o)
}

// outCounted notes the elements of the first row that count.
func (s *Sheet) outCounted(name string, values, mask []float64) {
	o := output{name: name}
	for t, m := range mask {
		if m != 0 {
			o.at, o.values = append(o.at, t), append(o.values, values[t])
		}
	}
	s.outputs = append(s.outputs, o)
}

// compare adds the recorded outputs beside the true ones.
func (s *Sheet) compare(c *op.Case) {
	var values []Value
	for _, o := range s.outputs {
		if c.Wants(o.name) && len(o.at) > 0 {
			values = append(values, o.beside(c))
		}
	}
	if len(values) > 0 {
		s.given("What was recorded, beside it.", values...)
	}
}

// beside returns what is true and what was recorded, and what that is off by.
func (o output) beside(c *op.Case) Value {
	first, last := o.at[0], o.at[len(o.at)-1]
	read := c.Read("out."+o.name, first, last-first+1)
	recorded, off := make([]float64, len(o.at)), make([]float64, len(o.at))
	for i, at := range o.at {
		recorded[i] = read[at-first]
		if recorded[i] != o.values[i] { // −∞ is off from −∞ by nothing
			off[i] = recorded[i] - o.values[i]
		}
	}
	rows, labels := [][]float64{o.values, recorded, off}, words("true recorded off-by")
	if c.Op.Output(o.name).Integer {
		rows, labels = rows[:2], labels[:2]
	}
	v := stack(o.name, rows...).along(labels...)
	v.Shape = ""
	return v
}
