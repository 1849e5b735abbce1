// Package catalogue writes the description of the ops for readers outside of Go, from the ops
// themselves: a table in docs/RECORDINGS.md, the pages docs/OPS.md and docs/MISTAKES.md, and for
// programs docs/ops.json and a header of the recorder of kernels, whose page has numbers from here.
//
// "go generate ./..." writes them anew; a test compares. The table stands between two marks, and
// all else on its page is written by hand.
package catalogue

//go:generate go run ./write ../..

import (
	"errors"
	"fmt"
	"strings"

	_ "plumbline/verify/op/all"

	"plumbline/verify/op"
)

// Page is the page that has the table, from the root of the module.
const Page = "docs/RECORDINGS.md"

// Files lists what is written, from the root of the module.
var Files = []string{Page, File, OpsPage, BankPage, Header, KernelsPage}

// Write returns what a file of that name is to hold, given what it holds.
func Write(name string, old []byte) ([]byte, error) {
	switch name {
	case File:
		return JSON(op.Ops())
	case Header:
		return []byte(CPP(op.Ops())), nil
	case OpsPage:
		return []byte(Markdown(op.Ops())), nil
	case BankPage:
		return []byte(Bank(op.Bank(), op.LeftOut())), nil
	case KernelsPage:
		return []byte(Number(string(old), op.Bank())), nil
	case Page:
		text, err := Insert(string(old))
		return []byte(text), err
	}
	return nil, errors.New(name + ": not written from the catalogue")
}

const (
	begin = "<!-- The catalogue is written by go generate ./... -->\n"
	end   = "<!-- End of the catalogue -->\n"
)

// Insert returns the page with the table between its marks.
func Insert(page string) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", errors.New(Page + ": the marks of the catalogue are missing")
	}
	return before + begin + Table() + end + after, nil
}

// Table returns the catalogue as a table in Markdown, one row for each op.
func Table() string {
	var b strings.Builder
	b.WriteString("| op | inputs | attrs (default) | outputs | arithmetic (default) |\n|---|---|---|---|---|\n")
	for _, op := range op.Ops() {
		var inputs, attrs, outputs, keys []string
		for _, t := range op.Inputs {
			inputs = append(inputs, tensor(t))
		}
		for _, a := range op.Attrs {
			attrs = append(attrs, attr(a))
		}
		for _, t := range op.Outputs {
			outputs = append(outputs, tensor(t))
		}
		for _, k := range op.Arithmetic {
			keys = append(keys, fmt.Sprintf("`%s` (%s)", k.Name, k.Default))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", op.Name, join(inputs), join(attrs), join(outputs), join(keys))
	}
	return b.String()
}

func join(parts []string) string { return strings.ReplaceAll(strings.Join(parts, ", "), "|", "\\|") }

func tensor(t op.Tensor) string {
	name := t.Name
	if t.Optional {
		name += "?"
	}
	text := fmt.Sprintf("`%s` %s", name, strings.ReplaceAll(t.ShapeText(), ", ", ","))
	switch {
	case t.Any:
		text += " any type"
	case t.Integer:
		text += " int"
	}
	return text
}

func attr(a op.Attr) string {
	text := "`" + a.Name + "`"
	if a.Kind == op.Choice {
		text += " " + a.Values()
	}
	return text + " (" + a.String() + ")"
}
