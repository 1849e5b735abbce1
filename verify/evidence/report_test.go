package evidence

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

// made is a report of two ops, with everything that a report may hold.
func made() Report {
	counted := func(name, opName string, exp2 int) Rates {
		r := Rates{
			Criterion: name, Op: opName, Exp2: exp2, Alarms: Count{200, 3}, Plain: Count{100, 0}, Found: Count{50, 49},
			Faint: Count{10, 9},
		}
		r.Bins[3], r.Bins[Beyond] = Count{4, 3}, Count{5, 5}
		return r
	}
	return Report{
		Seeds: 2, Exp2: []int{-6, 0}, Unsure: Count{200, 1},
		Rates: []Rates{
			counted(plumbline, "norm.rms", 0), counted("allclose 1e-2", "norm.rms", 0),
			counted(plumbline, "a<b & c", 0), counted(plumbline, "norm.rms", -6),
		},
		Misses: []Miss{
			{Op: "norm.rms", Kernel: "eps|default", Strength: math.Inf(1), Says: "explained"},
			{Op: "norm.rms", Kernel: "eps|default", Strength: 12, Faint: true, Says: "explained"},
		},
		Cases: []Case{
			{Criterion: "llm.c", Defect: "zeros", Value: 2e-5, Limit: 0.02, Passes: true, Verdict: "unexplained"},
			{Criterion: "llm.c", Defect: "NaN", Value: math.Inf(1), Limit: 0.02, Verdict: "unexplained"},
		},
	}
}

func written(t *testing.T, write func(w io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestText(t *testing.T) {
	text := written(t, made().WriteText)
	contains(t, text, "Plumbline      1.5 % of 400             0 % of 200", "98.0 % of 100", "Outputs times 2^-6",
		"found by Plumbline, by strength  <1", "≥1000  ∞", "3/4", "2.0e-05 of 0.02", "passes", "fails")
}

// 199 of 200 is not all, and 1 of 2000 not none.
func TestShareIsNeverRoundedToAllOrNone(t *testing.T) {
	for c, want := range map[Count]string{
		{2000, 1999}: "99.9 %", {2000, 1}: "0.1 %", {3, 3}: "100 %", {3, 0}: "0 %", {0, 0}: "–", {8, 3}: "37.5 %",
	} {
		if got := share(c); got != want {
			t.Errorf("%+v: %s, want %s", c, got, want)
		}
	}
}

func TestPictureIsXML(t *testing.T) {
	text := written(t, made().WriteSVG)
	contains(t, text, "a&lt;b &amp; c", "<svg", "</svg>", "Plumbline")
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error("a place that is no number")
	}
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPage(t *testing.T) {
	stamp := Stamp{"a machine", "2026-01-02", "devel"}
	text := written(t, func(w io.Writer) error { return made().WritePage(w, stamp) })
	contains(t, text, "Measured on 2026-01-02, a machine, with Plumbline devel", "seeds 0 to 1", "](evidence.svg)",
		"| Plumbline | 1.5 % of 400 |", "## False passes", "| llm.c | zeros |", "2^-6 times as large",
		"0 right kernels fail, and 2 visible mistakes are explained, 1 of them faint",
		"| norm.rms | eps\\|default | 2 | 12 to +Inf | +Inf |", "FlashMLA tests/kernelkit")
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "|") && !strings.HasSuffix(line, "|") {
			t.Errorf("half a row: %s", line)
		}
	}
}

func TestJSON(t *testing.T) {
	text := written(t, func(w io.Writer) error { return made().WriteJSON(w, "devel") })
	var back struct {
		Plumbline int
		Strengths []float64
		Report
	}
	if err := json.Unmarshal([]byte(text), &back); err != nil {
		t.Fatal(err)
	}
	same := len(back.Rates) == 4 && back.Rates[0] == made().Rates[0]
	if back.Plumbline != 1 || len(back.Strengths) != Beyond-1 || !same {
		t.Errorf("%+v", back)
	}
	contains(t, text, "\"alarms\": []", "\"version\": \"devel\"")
}

// A disk that is full is an error of every form.
func TestErrorsOfWritersAreKept(t *testing.T) {
	r := made()
	for name, write := range map[string]func(w io.Writer) error{
		"text": r.WriteText, "svg": r.WriteSVG,
		"json": func(w io.Writer) error { return r.WriteJSON(w, "") },
		"page": func(w io.Writer) error { return r.WritePage(w, Stamp{}) },
	} {
		if err := write(fullDisk{}); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var errFull = errors.New("full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
