package report

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"plumbline/verify/compare"
	"plumbline/verify/verdict"
)

// Comparison is what is written of two recordings of one call: their entries, if they were judged,
// and in what they differ.
type Comparison struct {
	compare.Comparison
	Entries []Entry
}

// WriteComparison writes a comparison in words: a line for each recording, one for each output, and
// a last line that says what follows.
func WriteComparison(w io.Writer, c Comparison, options TextOptions) error {
	options.Files = []string{c.File, c.Against}
	t := NewText(w, options)
	for _, e := range c.Entries {
		if err := t.Add(e); err != nil {
			return err
		}
	}
	var b strings.Builder
	writePart(&b, c)
	for _, o := range c.Outputs {
		writeDifference(&b, o)
	}
	for _, name := range c.Alone {
		fmt.Fprintf(&b, "%s: one of the two has none\n", Brief(name))
	}
	fmt.Fprintf(&b, "%s: %s\n", t.word(c.Status), Line(follows(c)))
	_, err := io.WriteString(w, b.String())
	return err
}

// word returns the word of a verdict, coloured where that is wanted.
func (t *Text) word(s verdict.Status) string {
	if t.options.Color {
		return colour(s) + s.String() + "\x1b[0m"
	}
	return s.String()
}

// writePart says which part of one recording the other is.
func writePart(b *strings.Builder, c Comparison) {
	part, small := c.Part, c.File
	switch {
	case part.Count == 0:
		return
	case part.Of == c.File:
		small = c.Against
	}
	where := fmt.Sprintf("%s %d", part.Axis, part.First)
	if part.Count > 1 {
		where += fmt.Sprintf(" to %d", part.First+part.Count-1)
	}
	of := Printable(part.Of)
	fmt.Fprintf(b, "%s has the inputs of %s of %s, which alone is compared\n", Printable(small), where, of)
}

// writeDifference says in what an output differs.
func writeDifference(b *strings.Builder, o compare.Output) {
	name := Printable(o.Name)
	if o.Differ == 0 {
		fmt.Fprintf(b, "%s: bitwise equal, %s\n", name, counted(o.Elements))
		return
	}
	fmt.Fprintf(b, "%s: differ in %d of %s, largest %s of %s\n",
		name, o.Differ, counted(o.Elements), steps(o.Steps), o.Type)
	fmt.Fprintf(b, "      first   at %s: %.9g and %.9g\n", placeOf(o), o.First.Got, o.First.Against)
	if o.Decided > 0 {
		fmt.Fprintf(b, "      doubt   %s decided otherwise where either is right\n", counted(o.Decided))
	}
	if o.RMSLimit > 0 {
		fmt.Fprintf(b, "      scores  rms of the difference %s of %s\n", score(o.RMS), score(o.RMSLimit))
	}
}

func counted(n int) string {
	if n == 1 {
		return "1 element"
	}
	return fmt.Sprintf("%d elements", n)
}

func steps(n float64) string {
	if n == 1 {
		return "1 step"
	}
	return score(n) + " steps"
}

// placeOf names an element by its axes.
func placeOf(o compare.Output) string {
	var parts []string
	for axis, i := range o.First.Index {
		name := "axis " + fmt.Sprint(axis)
		if axis < len(o.Axes) {
			name = o.Axes[axis]
		}
		parts = append(parts, fmt.Sprintf("%s %d", name, i))
	}
	if len(parts) == 0 {
		return "the one element"
	}
	return strings.Join(parts, ", ")
}

// follows says in words what the comparison comes to.
func follows(c Comparison) string {
	equal := len(c.Outputs) > 0
	for _, o := range c.Outputs {
		equal = equal && o.Differ == 0
	}
	switch {
	case c.Status == verdict.Unusable:
		return fmt.Sprintf("%s against %s: %s", c.File, c.Against, c.Reason)
	case c.Status != verdict.Explained && equal:
		return c.Reason + ", though they are bitwise equal"
	case c.Status != verdict.Explained:
		return c.Reason
	case equal:
		return "bitwise equal, and both are right"
	}
	return "they differ by no more than what both explain"
}

// ComparisonJSON writes a comparison as one object:
//
//	{"plumbline":1,"version":"v0.1.0","comparison":{…},"recordings":[{…},{…}]}
//
// The keys of the comparison are those of compare.Comparison, those of the recordings and all
// numbers are as JSON has them. There are no recordings where they could not be judged.
func ComparisonJSON(w io.Writer, c Comparison, version string) error {
	line, err := appendOther([]byte("{\"plumbline\":1,\"version\":"), reflect.ValueOf(version))
	if err == nil {
		line, err = appendJSON(append(line, ",\"comparison\":"...), reflect.ValueOf(c.Comparison), "")
	}
	line = append(line, ",\"recordings\":["...)
	for i, e := range c.Entries {
		if i > 0 {
			line = append(line, ',')
		}
		if e.Outputs = printed(e.Outputs); err == nil {
			line, err = appendJSON(append(line, '\n'), reflect.ValueOf(e), "")
		}
	}
	if err == nil {
		_, err = w.Write(Escaped(append(line, "]}\n"...)))
	}
	return err
}
