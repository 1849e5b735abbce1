package ledger

import (
	"cmp"
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed notation.md
var notation string

// most is how many tests or recordings a cell lists before it only counts them.
const most = 4

// Markdown returns the page, docs/EQUATIONS.md.
func (l *Ledger) Markdown() string {
	var b strings.Builder
	b.WriteString("<!-- Written by go generate ./... from the comments of the code and from " +
		"internal/ledger/notation.md. -->\n\n")
	b.WriteString(notation)
	for _, room := range Rooms {
		l.writeRoom(&b, room)
	}
	return b.String()
}

// writeRoom writes the equations of one package, those of a file one after the other.
func (l *Ledger) writeRoom(b *strings.Builder, room string) {
	title := "\n## " + room + "\n\n" +
		"| equation | function | paper | tests | ops | recordings |\n" +
		"|---|---|---|---|---|---|\n"
	for _, f := range l.Functions {
		if f.Package == room && !f.Exempt && len(f.Formula) > 0 {
			b.WriteString(title)
			b.WriteString(l.row(f))
			title = ""
		}
	}
}

func (l *Ledger) row(f *Function) string {
	var ops, files []string
	for _, op := range l.Ops {
		if slices.Contains(op.Equations, f.Path()) {
			ops = append(ops, "`"+op.Name+"`")
			files = append(files, op.Recordings...)
		}
	}
	var tests, links []string
	for _, test := range f.lessons() {
		tests = append(tests, linkTo(test.Name, test.File, test.Line))
	}
	for _, file := range files {
		links = append(links, link(strings.TrimSuffix(path.Base(file), path.Ext(file)), file))
	}
	named := `<a id="` + Anchor(f.Path()) + `"></a>`
	cells := []string{
		Formula(f.Formula), named + f.Link("../"), Cell(f.Cites()),
		list(tests), strings.Join(ops, "<br>"), list(links),
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// Anchor is where a function stands on the page, mla-compresskv of mla.CompressKV.
func Anchor(function string) string { return strings.ToLower(strings.ReplaceAll(function, ".", "-")) }

// lessons returns the tests that name f: those called after it first, then those of its own
// direction, then those that name the fewest others.
func (f *Function) lessons() []Test {
	short := strings.TrimPrefix(testedName(f.Name), ".")
	return slices.SortedStableFunc(slices.Values(f.Tests), func(a, b Test) int {
		return cmp.Or(calledAfter(a, short)-calledAfter(b, short), f.Strays(a)-f.Strays(b), a.Breadth-b.Breadth)
	})
}

// Strays is 1 for a test of gradients where f is not one, 0 otherwise.
func (f *Function) Strays(test Test) int {
	const back = "Backward"
	if strings.Contains(test.Name, back) && !strings.Contains(f.Name, back) {
		return 1
	}
	return 0
}

// calledAfter is 0 for a test with the name's own name, 1 for one that has it in its name, 2 for
// any other.
func calledAfter(test Test, name string) int {
	switch {
	case test.Name == "Test"+name:
		return 0
	case strings.Contains(test.Name, name):
		return 1
	}
	return 2
}

// link returns a link from the page to a file of the module.
func link(text, file string) string { return "[" + text + "](../" + file + ")" }

// linkTo returns a link to a line of a file.
func linkTo(text, file string, line int) string { return link(text, fmt.Sprintf("%s#L%d", file, line)) }

// list returns the first few items, and how many there are beyond.
func list(items []string) string {
	if rest := len(items) - most; rest > 0 {
		items = append(slices.Clone(items[:most]), fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(items, "<br>")
}

// Cites returns what the function implements, without "It implements" and the full stop.
func (f *Function) Cites() string {
	return strings.TrimSuffix(strings.TrimPrefix(f.Ending, citing), ".")
}

// Lesson returns the test that is called after f, or else the one that names it and fewest other
// functions; among these, one whose sub-tests are sentences.
func (f *Function) Lesson() (lesson Test, ok bool) {
	for _, test := range f.lessons() {
		if !strings.HasPrefix(test.Name, "Test") {
			continue
		}
		if len(test.Sentences) > 0 || test.Name == "Test"+strings.TrimPrefix(testedName(f.Name), ".") {
			return test, true
		}
		if !ok {
			lesson, ok = test, true
		}
	}
	return lesson, ok
}

// Example returns the Example of f; that of a method is called ExampleType_Method.
func (f *Function) Example() (Test, bool) {
	return f.example("Example" + strings.ReplaceAll(f.Name, ".", "_"))
}

// Shown returns an Example of the package as a whole that names f.
func (f *Function) Shown() (Test, bool) { return f.example("Example") }

// example returns the test of f with that name, with a suffix or without.
func (f *Function) example(name string) (Test, bool) {
	for _, test := range f.Tests {
		if rest, ok := strings.CutPrefix(test.Name, name); ok && (rest == "" || rest[0] == '_') {
			return test, true
		}
	}
	return Test{}, false
}

// Formula returns the lines of a formula in GitHub's maths, one below the other, or all of them as
// they are if the conversion does not know one; both fit a cell of a table.
func Formula(lines []string) string {
	var out []string
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		converted, ok := TeX(line)
		if !ok {
			return verbatim(lines)
		}
		out = append(out, "$`"+converted+"`$") // with backquotes Markdown leaves _ and \ alone
	}
	return strings.Join(out, "<br>")
}

func verbatim(lines []string) string {
	return "<pre>" + Cell(strings.Join(lines, "\n")) + "</pre>"
}

var escapes = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "_", "&#95;", "*", "&#42;", "`", "&#96;", "$", "&#36;",
	"[", "&#91;", "\n", "<br>",
)

// Cell returns text so that Markdown shows it as it is, in a cell of a table too.
func Cell(text string) string { return escapes.Replace(text) }

// Inline returns text in which every formula between « and » is GitHub's maths; what stands outside
// is Markdown. ok is false if one of the formulas is not known to the conversion.
func Inline(text string) (out string, ok bool) {
	ok = true
	out = marked.ReplaceAllStringFunc(text, func(s string) string {
		converted, known := TeX(strings.TrimSuffix(strings.TrimPrefix(s, "«"), "»"))
		ok = ok && known
		return "$`" + converted + "`$"
	})
	return out, ok
}

var marked = regexp.MustCompile("«[^»]*»")
