package catalogue

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// File is the catalogue as JSON, from the root of the module: what code in other languages reads
// instead of repeating it.
const File = "docs/ops.json"

// jsonCatalogue is what JSON writes. The number is that of the format, as in reports.
type jsonCatalogue struct {
	Plumbline int      `json:"plumbline"`
	Ops       []jsonOp `json:"ops"`
}

type jsonOp struct {
	Name       string        `json:"name"`
	Doc        string        `json:"doc"`
	Equations  []string      `json:"equations"`
	Inputs     []jsonTensor  `json:"inputs"`
	Outputs    []jsonTensor  `json:"outputs"`
	Attrs      []jsonAttr    `json:"attrs"`
	Arithmetic []jsonKey     `json:"arithmetic"`
	Sides      []string      `json:"sides,omitempty"`
	Mistakes   []jsonMistake `json:"mistakes"`
}

type jsonTensor struct {
	Name     string   `json:"name"`
	Shape    []string `json:"shape"`
	Other    []string `json:"other_shape,omitempty"`
	Axes     []string `json:"axes,omitempty"`
	Integer  bool     `json:"integer,omitempty"`
	Any      bool     `json:"any,omitempty"`
	Optional bool     `json:"optional,omitempty"`
	Doc      string   `json:"doc"`
}

// jsonAttr has a default, or says in words what a missing attribute means.
type jsonAttr struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Default any      `json:"default,omitempty"`
	Missing string   `json:"missing,omitempty"`
	Choices []string `json:"choices,omitempty"`
	Letter  string   `json:"letter,omitempty"`
	Doc     string   `json:"doc"`
}

type jsonKey struct {
	Name    string          `json:"name"`
	Kind    arithmetic.Kind `json:"kind"`
	Default string          `json:"default"`
	Values  []string        `json:"values,omitempty"`
	Doc     string          `json:"doc"`
}

// jsonMistake has no thread where the mistake is folklore, and numbers where the bank has it.
type jsonMistake struct {
	ID       string   `json:"id"`
	Numbers  []string `json:"numbers,omitempty"`
	Ops      []string `json:"ops,omitempty"` // where it does not stand below an op
	Sentence string   `json:"sentence"`
	Hidden   string   `json:"hidden"`
	Thread   string   `json:"thread,omitempty"`
}

// jsonBank is what MistakesJSON writes.
type jsonBank struct {
	Plumbline int           `json:"plumbline"`
	Mistakes  []jsonMistake `json:"mistakes"`
	LeftOut   []jsonBeyond  `json:"left_out"`
}

type jsonBeyond struct {
	Number   string `json:"number"`
	Sentence string `json:"sentence"`
	Why      string `json:"why"`
	Thread   string `json:"thread,omitempty"`
}

// MistakesJSON returns mistakes, each with the ops whose kernels make it, and what is left out of
// them, indented, in their order.
func MistakesJSON(mistakes []op.Mistake, left []op.Beyond) ([]byte, error) {
	return indented(jsonBank{
		Plumbline: 1,
		Mistakes: each(mistakes, func(m op.Mistake) jsonMistake {
			out := describeMistake(m)
			out.Ops = m.Ops
			return out
		}),
		LeftOut: each(left, func(l op.Beyond) jsonBeyond { return jsonBeyond{l.Number, l.Sentence, l.Why, l.Thread} }),
	})
}

// JSON returns the description of ops, sorted by name and each once, indented. Tensors, attributes
// and keys stand in the order of their declaration.
func JSON(ops []*op.Op) ([]byte, error) {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b *op.Op) int { return strings.Compare(a.Name, b.Name) })
	return indented(jsonCatalogue{Plumbline: 1, Ops: each(slices.Compact(ops), describe)})
}

func indented(all any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(all)
	return wordLists.ReplaceAllFunc(b.Bytes(), oneLine), err
}

// wordLists matches a list of words that is spread over lines; breaks matches each end of a line in
// it. No string holds one.
var (
	wordLists = regexp.MustCompile(`\[\n\s+"(?:[^"\\]|\\.)*"(?:,\n\s+"(?:[^"\\]|\\.)*")*\n\s+\]`)
	breaks    = regexp.MustCompile(`\n\s+`)
)

// oneLine puts a list of words on one line, as shapes are read.
func oneLine(list []byte) []byte {
	list = breaks.ReplaceAll(list, []byte(" "))
	list = bytes.TrimSuffix(bytes.TrimPrefix(list, []byte("[ ")), []byte(" ]"))
	return slices.Concat([]byte("["), list, []byte("]"))
}

func describe(o *op.Op) jsonOp {
	return jsonOp{
		Name:      o.Name,
		Doc:       o.Doc,
		Equations: each(o.Equations, func(name string) string { return name }),
		Inputs:    each(o.Inputs, describeTensor),
		Outputs:   each(o.Outputs, describeTensor),
		Attrs:     each(o.Attrs, describeAttr),
		Arithmetic: each(o.Arithmetic, func(k op.Key) jsonKey {
			return jsonKey{k.Name, arithmetic.KindOf(k.Name), k.Default, k.Values(), k.Doc}
		}),
		Sides:    o.Sides,
		Mistakes: each(o.Mistakes(), describeMistake),
	}
}

func describeMistake(m op.Mistake) jsonMistake {
	return jsonMistake{ID: m.ID, Numbers: m.Numbers, Sentence: m.Sentence, Hidden: m.Hidden, Thread: m.Thread}
}

func describeTensor(t op.Tensor) jsonTensor {
	return jsonTensor{
		Name: t.Name, Shape: each(t.Shape, func(axis string) string { return axis }), Other: t.Other, Axes: t.Axes,
		Integer: t.Integer, Any: t.Any, Optional: t.Optional, Doc: t.Doc,
	}
}

func describeAttr(a op.Attr) jsonAttr {
	out := jsonAttr{
		Name: a.Name, Kind: a.Kind.String(), Default: a.Default, Choices: a.Choices, Letter: a.Letter, Doc: a.Doc,
	}
	if a.Default == nil {
		out.Missing = a.Missing
	}
	return out
}

// each returns f of every element; of none an empty list, which JSON writes as [] and not as null.
func each[A, B any](list []A, f func(A) B) []B {
	out := make([]B, 0, len(list))
	for _, x := range list {
		out = append(out, f(x))
	}
	return out
}
