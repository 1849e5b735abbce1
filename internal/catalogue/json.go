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
	Sentence string   `json:"sentence"`
	Hidden   string   `json:"hidden"`
	Thread   string   `json:"thread,omitempty"`
}

// JSON returns the description of ops, sorted by name and each once, indented. Tensors, attributes
// and keys stand in the order of their declaration.
func JSON(ops []*op.Op) ([]byte, error) {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b *op.Op) int { return strings.Compare(a.Name, b.Name) })
	all := jsonCatalogue{Plumbline: 1, Ops: each(slices.Compact(ops), describe)}
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
		Sides: o.Sides,
		Mistakes: each(o.Mistakes(), func(m op.Mistake) jsonMistake {
			return jsonMistake{m.ID, m.Numbers, m.Sentence, m.Hidden, m.Thread}
		}),
	}
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
