package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/report"
	requests "plumbline/verify/request"
)

// requested is what is said of the requests of an op.
type requested struct {
	Plumbline int            `json:"plumbline"`
	Op        string         `json:"op"`
	Files     []requestFile  `json:"files"`
	Mistakes  []requestShown `json:"mistakes"`
}

// requestFile is one of them.
type requestFile struct {
	File     string   `json:"file"`
	Says     string   `json:"says"`
	Shows    int      `json:"shows"`
	Alone    []string `json:"alone,omitempty"` // mistakes that no other of them shows
	Measured bool     `json:"measured"`        // false: strengths are those of the same in small
}

// requestShown is where one mistake shows best, if it does.
type requestShown struct {
	ID       string          `json:"id"`
	Numbers  []string        `json:"numbers,omitempty"`
	Sentence string          `json:"sentence"`
	File     string          `json:"file,omitempty"`
	Strength roundedStrength `json:"strength"`
	Excluded bool            `json:"excluded,omitempty"` // it would show with other attributes, or another type
	Hidden   string          `json:"hidden,omitempty"`   // of one that does not show
	names    string
	number   int
}

func sayRequest(set *requests.Set, names []string) requested {
	r := requested{Plumbline: 1, Op: set.Op, Mistakes: []requestShown{}}
	for i, f := range set.Files {
		file := requestFile{File: names[i], Says: f.Says, Shows: f.Count(), Measured: f.Measured}
		if len(set.Files) > 1 {
			file.Alone = namesOfMistakes(set.Alone(i))
		}
		r.Files = append(r.Files, file)
	}
	for _, m := range set.Mistakes {
		row := requestShown{
			ID: m.ID, Numbers: m.Numbers, Sentence: m.Sentence, Strength: roundedStrength(m.Strength),
			Excluded: m.Excluded, names: m.Names(), number: m.File + 1,
		}
		if m.Shows() {
			row.File = names[m.File]
		} else {
			row.Hidden = m.Hidden
		}
		r.Mistakes = append(r.Mistakes, row)
	}
	return r
}

func namesOfMistakes(mistakes []op.Mistake) (names []string) {
	for _, m := range mistakes {
		names = append(names, m.Names())
	}
	return names
}

// write writes it in words.
func (r requested) write(w io.Writer) {
	shown, rest := r.rows()
	section(w, fmt.Sprintf("%s shows, with its strength in deviations, best in file", r.Op), shown)
	section(w, fmt.Sprintf("does not show, below %d", diagnosis.Visible), rest)
	fmt.Fprintln(w)
	for i, f := range r.Files {
		f.write(w, i+1, len(r.Files))
	}
	fmt.Fprintf(w, "\n%d of %d known mistakes show. Run the kernel on each, add what it gives as out.* and what it "+
		"declares; then\n", r.showing(), len(r.Mistakes))
	fmt.Fprint(w, "  plumbline verify")
	for _, f := range r.Files {
		fmt.Fprint(w, " ", report.Printable(f.File))
	}
	fmt.Fprintln(w)
}

func (r requested) showing() (n int) {
	for _, m := range r.Mistakes {
		if m.File != "" {
			n++
		}
	}
	return n
}

// rows are the mistakes that show and those that do not, with the reason.
func (r requested) rows() (shown, rest [][]string) {
	for _, m := range r.Mistakes {
		if m.File != "" {
			shown = append(shown, []string{strconv.Itoa(m.number), m.Strength.String(), m.names, m.Sentence})
			continue
		}
		why := "hidden: " + m.Hidden
		if m.Excluded {
			why = "excluded by what is fixed; " + why
		}
		rest = append(rest, []string{m.Strength.String(), m.names, m.Sentence}, []string{"", "", why})
	}
	return shown, rest
}

// write writes what a file is, and what it is needed for beside others.
func (f requestFile) write(w io.Writer, number, all int) {
	fmt.Fprintf(w, "%d  %s  shows %d: %s\n", number, report.Printable(f.File), f.Shows, f.Says)
	if !f.Measured {
		fmt.Fprintln(w, "   strengths are those of the same inputs in small")
	}
	if len(f.Alone) > 0 && all > 1 {
		fmt.Fprintf(w, "   and no other shows %s\n", strings.Join(f.Alone, ", "))
	}
}
