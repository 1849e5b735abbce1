package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"plumbline/verify/recording"
)

const preface = `# Requests

Recordings without outputs: what kernels are run on. ` + "`go run ./kernels/requests`" + ` writes all files and this table, and makes the same bytes at every run.
Inputs are recipes, so the files are small; block tables, lengths, sinks, masks, groups, experts of tokens and scales that are powers of two are stored. The inputs of an op are listed without those, and
without what has another's shape. Keys behind a length, pages that hold no key, and tokens outside a mask are NaN unless the name says stale.

The requests of ` + "`others`" + ` are for other people's code: ops and types that the kernels of this project do not take, and gates, experts and FP8 as published models and libraries have them. Those of ` + "`large`" + ` are to be timed: what
they take or give is too large to keep.
`

// table returns the README: for every request its types, shapes and what it catches.
func table() (string, error) {
	all := files()
	var text strings.Builder
	text.WriteString(preface)
	fmt.Fprintf(&text, "\n%d requests:\n", len(all))
	op := ""
	for i := 0; i < len(all); i++ {
		f := all[i]
		if f.op != op {
			op = f.op
			fmt.Fprintf(&text, "\n## %s\n\n| file | shapes | conventions | catches |\n|---|---|---|---|\n", op)
		}
		rec, err := f.make(func(string, recipe) string { return strings.Repeat("0", 64) }) // shapes alone are wanted
		if err != nil {
			return "", err
		}
		name := "`" + strings.TrimSuffix(f.path(), ".safetensors") + "`"
		for i+1 < len(all) && all[i+1].name == f.name && all[i+1].op == f.op && all[i+1].folder == f.folder {
			i++
			name += " `-" + strings.ToLower(all[i].t.String()) + "`"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", name, shapes(rec), conventions(rec), f.catch)
	}
	return text.String(), nil
}

// unlisted are inputs whose shape that of another says.
var unlisted = []string{
	"kv_lens", "sink", "block_table", "norm_q", "norm_kv", "mask", "values", "old_logprob", "ref_logprob", "old_values",
	"returns", "group",
	"rejected", "ref_chosen", "ref_rejected", "lengths_chosen", "lengths_rejected",
}

// shapes lists the shapes of the inputs.
func shapes(r *recording.Recording) string {
	var words []string
	for _, name := range r.Inputs() {
		if !slices.Contains(unlisted, name) {
			words = append(
				words, fmt.Sprintf("%s %s", name, strings.Join(strings.Fields(fmt.Sprint(r.Shape(name))), "×")),
			)
		}
	}
	return strings.NewReplacer("[", "", "]", "").Replace(strings.Join(words, ", "))
}

// conventions lists the attributes.
func conventions(r *recording.Recording) string {
	var words []string
	for name, v := range r.Attrs {
		switch v := v.(type) {
		case bool:
			if v {
				words = append(words, name)
			} else {
				words = append(words, "not "+name)
			}
		case map[string]any:
			words = append(words, name)
		case json.Number:
			x, _ := v.Float64()
			words = append(words, fmt.Sprintf("%s %.6g", name, x))
		default:
			words = append(words, fmt.Sprintf("%s %v", name, v))
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
