// Package op knows what an op is: its description, a recording bound to it, and what is expected of
// its outputs. The ops stand in families, the folders below; package all has every one.
//
// A new op is a file in its family, and one more for its kernel:
//
//  1. Register takes the description: inputs, outputs, attributes with defaults, arithmetic.
//  2. Truth calls the equations, in float64 on the recorded bits, and Case.Run with a Program: the
//     op as kernels compute it, every rounding at its place. What runs of it deviate by is σ.
//  3. Check refuses what shapes cannot; Work counts what is more than a few steps an element.
//  4. emulate.Register takes a kernel, right in every order and wrong in every way known from the
//     wild, with what makes requests; Plant says in words what it is wrong in, and when that hides.
//  5. go generate ./... writes the pages. Tests of all ops have it from here on.
package op

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Op is one entry of the catalogue.
type Op struct {
	Name       string
	Doc        string   // one sentence
	Equations  []string // functions of the equation packages that are its truth
	Inputs     []Tensor
	Outputs    []Tensor
	Attrs      []Attr
	Arithmetic []Key
	// Sides are the engines of an op that has several: each may declare arithmetic of its own, in
	// an object of that name, and what stands beside it is said of all.
	Sides []string

	// Exact says that every output is judged to the last bit: nothing is flushed.
	Exact bool

	// Check looks at what shapes and types cannot say: lengths within the cache, positions that are
	// possible, inputs that go together.
	Check func(c *Case) error
	// Truth returns what is expected of each output the recording has.
	Truth func(c *Case) ([]verdict.Expected, error)
	Work  func(c *Case) float64 // products beside what every element takes; nil: a few steps for each
	Once  func(c *Case) float64 // products of one emulated kernel; nil: a quarter of what judging takes

	// Summands returns what rows of an output are means of where none of its axes goes along these,
	// for pictures; nil: nothing.
	Summands func(c *Case, output string) *verdict.Summands

	// TooLarge tells by shapes whether the one output is too large to be recomputed as a whole, and
	// Large is how it is judged then. Nil: everything is recomputed.
	TooLarge func(c *Case) bool
	Large    func(c *Case) Large
}

// Tensor declares an input or output. Shape has one expression for each axis, of letters and
// attributes: "B", "H*(Dn+Dr)". The first axis that names a letter binds it.
type Tensor struct {
	Name     string
	Shape    []string
	Axes     []string // outputs: a word for each axis
	Integer  bool
	Optional bool
	Doc      string

	Other  []string // another shape that it may have, with another number of axes
	Parts  bool     // read in parts where it is large, by Rows or HeadRows and never by Input
	Scales bool     // of codes, and of type F8_E8M0 too
	Empty  bool     // it may have no elements
	Any    bool     // of any type: masks and lengths come as integers, as truth values and as floating-point numbers
	Pairs  string   // of an output: the one whose elements its own stand beside, in any order of a row
}

// ShapeText returns the declared shape in words.
func (t Tensor) ShapeText() string {
	text := "[" + strings.Join(t.Shape, ", ") + "]"
	if t.Other != nil {
		text = "[" + strings.Join(t.Other, ", ") + "] or " + text
	}
	return text
}

// TypeText says in words which element types the tensor may have.
func (t Tensor) TypeText() string {
	switch {
	case t.Any:
		return "any type"
	case t.Integer:
		return "integer"
	}
	return "float"
}

// axes returns the declared shape that has this many axes, and the first one where none has.
func (t Tensor) axes(n int) []string {
	if len(t.Other) == n {
		return t.Other
	}
	return t.Shape
}

// Key is one key of the declared arithmetic that an op uses.
type Key struct {
	Name    string
	Default string // in words where it depends on the inputs
	Doc     string
	Words   []string // the values of a key that has more in other ops; nil: all
}

// Values lists what may be declared of the key. One without a default names the device.
func (k Key) Values() []string {
	switch {
	case k.Default == Required:
		return arithmetic.Devices()
	case k.Words != nil:
		return slices.Clone(k.Words)
	}
	return arithmetic.Values(k.Name)
}

var registry []*Op

// Register adds ops to the catalogue.
func Register(ops ...*Op) { registry = append(registry, ops...) }

// Ops returns the catalogue, sorted by name.
func Ops() []*Op {
	ops := slices.Clone(registry)
	slices.SortFunc(ops, func(a, b *Op) int { return strings.Compare(a.Name, b.Name) })
	return ops
}

// Lookup returns the op of that name, or nil.
func Lookup(name string) *Op {
	for _, op := range registry {
		if op.Name == name {
			return op
		}
	}
	return nil
}

// Judge computes the truth of a recording and judges every output it has. A recording that cannot
// be judged is unusable, with the reason; so is one that meets a fault of ours.
func Judge(rec *recording.Recording) verdict.Verdict {
	v, _ := judge(rec, false)
	return v
}

// JudgeWithin is Judge for recordings that ask for no more work than most; any other is unusable,
// and the reason says what it asks for. So is one with more outputs than MostOutputs.
func JudgeWithin(rec *recording.Recording, most float64) verdict.Verdict {
	v, _ := judgeWithin(rec, most, false)
	return v
}

// JudgeKnown is JudgeWithin, and returns what is expected of the outputs too, nil where that is not
// known.
func JudgeKnown(rec *recording.Recording, most float64) (verdict.Verdict, []verdict.Expected) {
	return judgeWithin(rec, most, true)
}

// judgeWithin is JudgeKnown, with all forms of a kernel or with those that the verdict needs.
func judgeWithin(rec *recording.Recording, most float64, all bool) (verdict.Verdict, []verdict.Expected) {
	if err := affordable(rec, most); err != nil {
		return unusable(rec, err), nil
	}
	return judge(rec, all)
}

// judge judges a recording, with what is expected of all forms of a kernel, or of the first alone
// where that explains it.
func judge(rec *recording.Recording, all bool) (verdict.Verdict, []verdict.Expected) {
	expected, err := expectGuarded(rec, asked{firstForm: !all})
	if err != nil {
		return unusable(rec, err), nil
	}
	v := JudgeAgainst(rec, expected)
	for i, out := range v.Outputs {
		if out.Status != verdict.Explained && expected[i].FirstFormOnly {
			return judge(rec, true)
		}
	}
	return v, expected
}

// JudgeAgainst judges every output of a recording whose truth is known already, from Expect on a
// recording with the same inputs.
func JudgeAgainst(rec *recording.Recording, expected []verdict.Expected) verdict.Verdict {
	v := verdict.Verdict{File: rec.Name, Op: rec.Op}
	for _, want := range expected {
		out, err := guarded(func() (verdict.Output, error) { return judgeOutput(rec, want) })
		if err != nil {
			return unusable(rec, err)
		}
		v.Status = verdict.Worst(v.Status, out.Status)
		v.Outputs = append(v.Outputs, out)
	}
	v.Reason = reason(v)
	if v.Status == verdict.Explained {
		if names := verdict.BlindAlike(v.Outputs); len(names) > 0 {
			v.Status, v.Reason = verdict.Undetermined, verdict.WouldPass(names)
		}
	}
	return v
}

func judgeOutput(rec *recording.Recording, want verdict.Expected) (verdict.Output, error) {
	got, err := rec.Tensor("out." + want.Name)
	if err != nil {
		return verdict.Output{}, err
	}
	return verdict.Judge(want, got), nil
}

func unusable(rec *recording.Recording, err error) verdict.Verdict {
	v := verdict.Verdict{File: rec.Name, Op: rec.Op, Status: verdict.Unusable, Reason: err.Error()}
	if f, ok := errors.AsType[*Fault](err); ok {
		v.Fault = fmt.Sprintf("%v\n%s", f.Value, f.Stack)
	}
	return v
}

// reason says in one line which outputs are not explained.
func reason(v verdict.Verdict) string {
	var parts []string
	for _, out := range v.Outputs {
		if len(out.Reasons) > 0 {
			parts = append(parts, out.Name+": "+out.Reasons[0])
		}
	}
	return strings.Join(parts, "; ")
}

// Expect returns the truth and σ of every output that a recording has, in the catalogue's order.
func Expect(rec *recording.Recording) ([]verdict.Expected, error) {
	return expectGuarded(rec, asked{})
}

// asked is what is asked of an op beside its outputs, as Case has it.
type asked struct{ excerpt, firstForm bool }

func expectGuarded(rec *recording.Recording, a asked) ([]verdict.Expected, error) {
	expected, err := guarded(func() ([]verdict.Expected, error) { return expect(rec, a) })
	if f, ok := errors.AsType[*Fault](err); ok {
		return nil, fmt.Errorf("%s: %w", rec.Name, f)
	}
	return expected, err
}

// expect is Expect as it is asked for.
func expect(rec *recording.Recording, a asked) ([]verdict.Expected, error) {
	c, err := bind(rec)
	if err != nil {
		return nil, err
	}
	c.Excerpt, c.FirstForm = a.excerpt, a.firstForm
	if len(rec.Outputs()) == 0 {
		return nil, fmt.Errorf("%s: a request: it has no out.* tensor to judge", rec.Name)
	}
	op := c.Op
	expected, err := op.Truth(c)
	err = c.trouble.or(err)
	if err != nil {
		return nil, c.errorf("%w", err)
	}
	for i := range expected {
		expected[i].Type = rec.Type("out." + expected[i].Name)
		expected[i].Outputs = len(expected)
		axes := op.Output(expected[i].Name).Axes
		expected[i].Axes = axes[len(axes)-len(expected[i].Truth.Shape):] // of one with fewer, the last
		unbound(&expected[i])
		if !op.Exact {
			addUnderflow(&expected[i])
		}
	}
	return expected, nil
}

// SummandsOf returns along what, beside its axes, a picture of an output shows its errors; nil
// where its op names nothing.
func SummandsOf(rec *recording.Recording, output string) *verdict.Summands {
	op := Lookup(rec.Op)
	if op == nil || op.Summands == nil {
		return nil
	}
	c, err := bind(rec)
	if err != nil { // it was judged before
		return nil
	}
	s := op.Summands(c, output)
	if s == nil {
		return nil
	}
	each := s.Each
	s.Each = func(f func(verdict.SummandRows)) error { return c.trouble.or(each(f)) }
	return s
}

// opOf returns the op of a recording.
func opOf(rec *recording.Recording) (*Op, error) {
	if op := Lookup(rec.Op); op != nil {
		return op, nil
	}
	return nil, fmt.Errorf("%s: op not known yet: %s%s", rec.Name, spelling.Quote(rec.Op), Near(rec.Op))
}

// unbound makes an error that is no number one without bound: where σ overflowed nothing is known,
// which is not the same as an error that nobody makes.
func unbound(e *verdict.Expected) {
	for _, sigma := range e.Sigmas() {
		for i, s := range sigma {
			if math.IsNaN(s) {
				sigma[i] = math.Inf(1)
			}
		}
	}
}

// addUnderflow adds what a processor may flush to zero: results below the smallest normal float32.
func addUnderflow(e *verdict.Expected) {
	tiny := dtype.F32.MinNormal()
	for _, sigma := range e.Sigmas() {
		for i, s := range sigma {
			if t := math.Abs(e.Truth.Data[i]); s > 0 || 0 < t && t < tiny {
				sigma[i] = s + tiny
			}
		}
	}
}

// Output returns the declaration of an output.
func (op *Op) Output(name string) Tensor {
	i := slices.IndexFunc(op.Outputs, func(t Tensor) bool { return t.Name == name })
	return op.Outputs[i]
}

func (op *Op) hasOutput(name string) bool {
	return slices.ContainsFunc(op.Outputs, func(t Tensor) bool { return t.Name == name })
}

// keys lists the names of the arithmetic keys that the op uses.
func (op *Op) keys() []string {
	names := make([]string, len(op.Arithmetic))
	for i, k := range op.Arithmetic {
		names[i] = k.Name
	}
	return names
}

// defaults returns the arithmetic an op has when nothing is declared; types that depend on the
// inputs stay Invalid.
func (op *Op) defaults() arithmetic.Declared {
	d := arithmetic.Declared{}
	for _, k := range op.Arithmetic {
		switch k.Name {
		case "scores":
			d.Scores = dtype.F32
		case "angle":
			d.Angle = dtype.F32
		case "form":
			d.Form = k.Default
		case "group_sum":
			d.GroupSum = dtype.F32
		case "gate":
			d.Gate = dtype.F32
		case "combine":
			d.Combine = dtype.F32
		case "promote_every":
			d.PromoteEvery = 128
		}
	}
	return d
}

// AccumulateKey is for ops that sum no products of matrices.
var AccumulateKey = Key{Name: "accumulate", Default: "F32", Doc: "sums and scalar work"}
