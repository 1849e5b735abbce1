package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
)

// inspect prints what recordings hold, without judging them.
func inspect(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("inspect", flag.ContinueOnError)
	args, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	for i, s := range sources(args) {
		rec, err := s.open()
		if err != nil {
			complain(stderr, "plumbline inspect", err)
			status = exitUnusable
			continue
		}
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		describeRecording(stdout, rec)
		if err := rec.Close(); err != nil {
			complain(stderr, "plumbline inspect", err)
			status = exitUnusable
		}
	}
	return status
}

// describeRecording prints the head of a recording, with what its op takes for granted where it
// says nothing.
func describeRecording(w io.Writer, rec *recording.Recording) {
	entry := op.Lookup(rec.Op)
	name := strings.TrimSpace(rec.Op)
	switch {
	case entry == nil:
		entry = &op.Op{}
		name += " (not known: nothing is said of defaults and of what is missing)"
	case len(rec.Outputs()) == 0:
		name += " (a request: it has no output yet)"
	}
	fmt.Fprintf(w, "%s\nop %s\n", report.Printable(rec.Name), report.Brief(name))
	section(w, "inputs", inputRows(rec, entry))
	section(w, "outputs", outputRows(rec, entry))
	section(w, "attrs", attrRows(rec, entry))
	section(w, "arithmetic", keyRows(rec, entry))
	section(w, "provenance", valueRows(rec.Provenance))
}

func inputRows(rec *recording.Recording, entry *op.Op) [][]string {
	var rows [][]string
	for _, name := range rec.Inputs() {
		rows = append(rows, tensorRow(rec, name))
	}
	for _, t := range entry.Inputs {
		if !rec.Has(t.Name) {
			rows = append(rows, absent(t.Name, t.Optional))
		}
	}
	return rows
}

func outputRows(rec *recording.Recording, entry *op.Op) [][]string {
	var rows [][]string
	for _, name := range rec.Outputs() {
		rows = append(rows, tensorRow(rec, "out."+name))
	}
	for _, t := range entry.Outputs {
		if name := "out." + t.Name; !rec.Has(name) {
			rows = append(rows, []string{name, "", "", "", "(not recorded, not judged)"})
		}
	}
	return rows
}

func absent(name string, optional bool) []string {
	if optional {
		return []string{name, "", "", "", "(optional, left out)"}
	}
	return []string{name, "", "", "", "MISSING"}
}

// tensorRow says what a tensor is and how it came: stored in the file, or made by a recipe.
func tensorRow(rec *recording.Recording, name string) []string {
	typ, shape := rec.Type(name), rec.Shape(name)
	bytes := int64(typ.Size())
	for _, n := range shape {
		bytes *= int64(n)
	}
	origin := "stored"
	if recipe, ok := rec.Recipe(name); ok {
		origin = describeRecipe(recipe)
	}
	return []string{report.Brief(name), typ.String(), fmt.Sprint(shape), size(bytes), origin}
}

func describeRecipe(r recording.Recipe) string {
	text := fmt.Sprintf("generated: %s, seed %d", r.Dist, r.Seed)
	if r.Dist == "ints" {
		text += fmt.Sprintf(", from %d to %d", r.Lo, r.Hi-1)
	}
	if r.Exp2 != 0 {
		text += fmt.Sprintf(", times 2^%d", r.Exp2)
	}
	if r.Shift != nil {
		text += fmt.Sprintf(", plus %v", *r.Shift)
	}
	if n := len(r.Edits); n > 0 {
		text += fmt.Sprintf(", %d planted", n)
	}
	return text
}

// size writes a number of bytes as people read it.
func size(bytes int64) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	x, unit := float64(bytes)/1000, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if x < 1000 {
			break
		}
		x, unit = x/1000, next
	}
	return fmt.Sprintf("%.3g %s", x, unit)
}

func attrRows(rec *recording.Recording, entry *op.Op) [][]string {
	rows := valueRows(rec.Attrs)
	for _, a := range entry.Attrs {
		if _, ok := rec.Attrs[a.Name]; ok {
			continue
		}
		if a.Missing == "required" {
			rows = append(rows, []string{a.Name, "MISSING"})
		} else {
			rows = append(rows, []string{a.Name, a.String(), "(default)"})
		}
	}
	return rows
}

func keyRows(rec *recording.Recording, entry *op.Op) [][]string {
	rows := valueRows(rec.Arithmetic)
	for _, k := range entry.Arithmetic {
		if _, ok := rec.Arithmetic[k.Name]; !ok {
			rows = append(rows, []string{k.Name, k.Default, "(default)"})
		}
	}
	return rows
}

// valueRows lists the members of a JSON object by name.
func valueRows(object map[string]any) [][]string {
	var rows [][]string
	for name, value := range object {
		text, ok := value.(string)
		if !ok {
			encoded, err := json.Marshal(value)
			if err != nil {
				encoded = []byte(err.Error())
			}
			text = string(encoded)
		}
		rows = append(rows, []string{report.Brief(name), report.Brief(text)})
	}
	slices.SortFunc(rows, slices.Compare[[]string])
	return rows
}
