package catalogue

import (
	"fmt"
	"strings"

	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// OpsPage is the page that describes every op in full, from the root of the module.
const OpsPage = "docs/OPS.md"

const opsHead = `# Ops

<!-- Written by go generate ./... from the ops themselves. -->

What a recording of each op has to hold, and what is assumed where it says nothing. The same is in
[ops.json](ops.json) for programs, and printed by ` + "`plumbline ops`" + `; the form of a recording, and what its
attributes and arithmetic mean in general, is in [RECORDINGS.md](RECORDINGS.md).

Letters in shapes stand for any length, the same one throughout a recording. An input with a
question mark may be left out; so may any output, but one is needed.

Mistakes are ways in which kernels of the op are known to be wrong: what such a kernel does, when its
outputs do not tell it from a right one, and a public thread in which it was met, if there is one.
`

// Markdown returns the page of all ops.
func Markdown(ops []*op.Op) string {
	var b strings.Builder
	b.WriteString(opsHead)
	var rows [][]string
	for _, entry := range ops {
		link := fmt.Sprintf("[`%s`](#%s)", entry.Name, strings.ReplaceAll(entry.Name, ".", ""))
		rows = append(rows, []string{link, entry.Doc})
	}
	table(&b, []string{"op", "what it is"}, rows)
	for _, entry := range ops {
		section(&b, entry)
	}
	return b.String()
}

func section(b *strings.Builder, entry *op.Op) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", entry.Name, entry.Doc)
	if len(entry.Equations) > 0 { // a step of hardware has none
		fmt.Fprintf(b, "\nEquations: `%s`.\n", strings.Join(entry.Equations, "`, `"))
	}
	table(b, []string{"input", "shape", "type", "what it is"}, each(entry.Inputs, func(t op.Tensor) []string {
		name := "`" + t.Name + "`"
		if t.Optional {
			name += "?"
		}
		return []string{name, t.ShapeText(), t.TypeText(), t.Doc}
	}))
	table(b, []string{"output", "shape", "axes", "what it is"}, each(entry.Outputs, func(t op.Tensor) []string {
		return []string{"`out." + t.Name + "`", t.ShapeText(), strings.Join(t.Axes, ", "), t.Doc}
	}))
	table(b, []string{"attribute", "values", "default", "what it is"}, each(entry.Attrs, func(a op.Attr) []string {
		return []string{"`" + a.Name + "`", a.Values(), a.String(), a.Doc}
	}))
	table(b, []string{"arithmetic", "values", "default", "what it is"}, each(entry.Arithmetic, keyRow))
	if len(entry.Sides) > 0 {
		sides := strings.Join(entry.Sides, "`, `")
		fmt.Fprintf(b, "Keys are of all sides, or stand in an object for each: `%s`.\n\n", sides)
	}
	head := []string{"mistake", "number", "what such a kernel does", "hidden", "met in"}
	table(b, head, each(entry.Mistakes(), mistakeRow))
}

func mistakeRow(m op.Mistake) []string {
	return []string{"`" + m.ID + "`", strings.Join(m.Numbers, ", "), m.Sentence, m.Hidden, link(m.Thread)}
}

// keyRow has the values of a key only where they are few words: types and accumulators are the same
// for all keys.
func keyRow(k op.Key) []string {
	kind := arithmetic.KindOf(k.Name)
	values := map[arithmetic.Kind]string{
		arithmetic.OneWord: strings.Join(k.Values(), " or "), arithmetic.WholeNumber: "whole number",
		arithmetic.FloatType: "type", arithmetic.AnAccumulator: "accumulator",
	}[kind]
	return []string{"`" + k.Name + "`", values, k.Default, k.Doc}
}

// table writes rows below a head, after an empty line; nothing where there are none.
func table(b *strings.Builder, head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	b.WriteString("\n| " + strings.Join(head, " | ") + " |\n" + strings.Repeat("|---", len(head)) + "|\n")
	for _, row := range rows {
		for _, cell := range row {
			b.WriteString("| " + strings.ReplaceAll(cell, "|", "\\|") + " ")
		}
		b.WriteString("|\n")
	}
}
