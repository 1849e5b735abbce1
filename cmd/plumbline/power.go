package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"

	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

// power says of recordings which mistakes they can show.
func power(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("power", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	most := flags.Float64("max-work", op.MaxWork, "")
	args, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	if err := checkWork(*most, 0); err != nil {
		return usageError(stderr, "power", err)
	}
	if len(args) == 0 {
		return usageError(stderr, "power", errors.New("no recording is named"))
	}
	said, status := powerOfAll(sources(args), *most, stderr)
	if *asJSON {
		writeJSON(stdout, map[string]any{"plumbline": 1, "recordings": said})
		return status
	}
	for i, p := range said {
		p.write(stdout, i > 0)
	}
	return status
}

// powerOfAll returns what is said of the recordings that can be read, and the exit status.
func powerOfAll(list []source, most float64, stderr io.Writer) (said []powered, status int) {
	said = []powered{}
	for _, s := range list {
		p, err := powerOf(s, most)
		if err != nil {
			complain(stderr, "plumbline power", err)
			status = exitUnusable
			continue
		}
		said, status = append(said, p), max(status, p.exitStatus())
	}
	return said, status
}

// powered is what is said of one recording.
type powered struct {
	File     string         `json:"file"`
	Op       string         `json:"op"`
	Status   string         `json:"status"` // request, or the verdict
	Known    int            `json:"known"`
	Against  int            `json:"against"`
	Mistakes []showing      `json:"mistakes"`
	verdict  verdict.Status // of a request Explained: nothing is wrong with it
}

// showing is one mistake on its inputs.
type showing struct {
	ID       string          `json:"id"`
	Numbers  []string        `json:"numbers,omitempty"`
	Sentence string          `json:"sentence"`
	Strength roundedStrength `json:"strength"`
	Hidden   string          `json:"hidden,omitempty"` // of one to which the recording is blind
	names    string
}

// roundedStrength is written with as many digits as are the same on any processor.
type roundedStrength float64

func (x roundedStrength) String() string { return strconv.FormatFloat(float64(x), 'g', 3, 64) }

// MarshalJSON writes it as a number.
func (x roundedStrength) MarshalJSON() ([]byte, error) { return []byte(x.String()), nil }

func powerOf(s source, most float64) (powered, error) {
	rec, err := s.open()
	if err != nil {
		return powered{}, err
	}
	defer rec.Close()
	p, err := diagnosis.PowerOf(rec, most)
	if err != nil {
		return powered{}, err
	}
	return newPowered(rec, p), nil
}

func newPowered(rec *recording.Recording, p diagnosis.Power) powered {
	v := diagnosis.VouchingOf(p.Effects)
	s := powered{
		File: rec.Name, Op: rec.Op, Status: p.Verdict.Status.String(), Known: v.Known, Against: v.Against,
		Mistakes: []showing{}, verdict: p.Verdict.Status,
	}
	if p.Request {
		s.Status, s.verdict = "request", verdict.Explained
	}
	for _, e := range p.Effects {
		row := showing{
			ID: e.ID, Numbers: e.Numbers, Sentence: e.Sentence, Strength: roundedStrength(e.Strength), names: e.Names(),
		}
		if e.Strength < diagnosis.Visible {
			row.Hidden = e.Hidden
		}
		s.Mistakes = append(s.Mistakes, row)
	}
	return s
}

func (s powered) exitStatus() int {
	if s.verdict == verdict.Explained {
		return exitExplained
	}
	return exitUnexplained
}

// write writes it in words, under another where that is so.
func (s powered) write(w io.Writer, under bool) {
	if under {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s  %s  %s\n", report.Printable(s.File), report.Brief(s.Op), s.Status)
	section(w, "shows, with its strength in deviations", s.rows(0, s.Against))
	section(w, fmt.Sprintf("blind to, below %d", diagnosis.Visible), s.rows(s.Against, s.Known))
	fmt.Fprintf(w, "\n%s\n", s.sum())
}

// rows lists some of the mistakes, with what hides those to which the recording is blind.
func (s powered) rows(from, to int) [][]string {
	var rows [][]string
	for _, m := range s.Mistakes[from:to] {
		rows = append(rows, []string{m.Strength.String(), m.names, m.Sentence})
		if m.Hidden != "" {
			rows = append(rows, []string{"", "", "hidden: " + m.Hidden})
		}
	}
	return rows
}

// sum is the last line.
func (s powered) sum() string {
	count := fmt.Sprintf("%d of %d known mistakes", s.Against, s.Known)
	switch {
	case s.Known == 0:
		return fmt.Sprintf("no mistake of %s is known that an emulated kernel makes", s.Op)
	case s.Status == "request":
		return "will vouch against " + count + ", once a right kernel has given its outputs"
	case s.verdict != verdict.Explained:
		return fmt.Sprintf("vouches for nothing, since it is %s; its inputs show %s", s.Status, count)
	}
	return "vouches against " + count
}

// writeJSON writes a value as indented JSON.
func writeJSON(w io.Writer, value any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value)
	_, _ = w.Write(report.Escaped(text.Bytes())) // checked keeps the error
}
