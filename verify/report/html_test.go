package report

import (
	"encoding/xml"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"plumbline/verify/verdict"
)

// pictured is a picture of a few errors, one of them beyond.
func pictured() *verdict.Picture {
	return &verdict.Picture{
		Exact: 2,
		Histogram: &verdict.Histogram{
			Range: 8, Counts: []int{0, 10, 100, 10, 1}, Above: 3, Beyond: 4, Curve: []float64{0.1, 12, 97, 12, 0},
			LimitFrom: 4, LimitTo: 6,
		},
		Maps: []verdict.Map{
			{
				Axes: []string{"head", "query"}, Extents: []int{2, 6}, Cells: []int{2, 3}, Each: 21,
				RMS: []float64{1, 0.9, 1.1, 0, 12, 1}, Wrong: []int{0, 0, 0, 1, 0, 0},
			},
			{Axes: []string{"token"}, Extents: []int{3}, Cells: []int{3}, Each: 1, Allowed: []int{0, 1, 0}},
			{
				Axes: []string{"batch", "page"}, Extents: []int{2, 5}, Cells: []int{2, 5},
				Counts:    []int{64, 64, 64, 64, 0, 64, 64, 64, 64, 64},
				Shares:    []float64{0.1, 0, 0, 0, 0, 0, 0, -1.02, 0, 0.05},
				Strengths: []float64{1, 0, 0, 2, 0, 0, 4, -123, 0, 6},
			},
		},
	}
}

// failed has everything that a page can show.
func failed() Entry {
	v := wrong
	v.Outputs = append([]verdict.Output{}, wrong.Outputs...)
	v.Outputs[0].Picture = pictured()
	v.Diagnosis = &verdict.Diagnosis{
		Sentence: "half-scale (X01): the scale is half: explains everything, rms 1",
		Explains: []verdict.Finding{{
			Kind: "mistake", ID: "half-scale", Numbers: []string{"X01"}, Thread: "some-one/a.kernel#12",
		}},
		Where: "in head 3 alone",
	}
	e := NewEntry(v, origin)
	e.Attrs, e.Arithmetic = map[string]any{"causal": true}, map[string]any{"scores": "BF16"}
	return e
}

func htmlOf(t *testing.T, entries ...Entry) string {
	t.Helper()
	var b strings.Builder
	write(t, NewHTML(&b, "v1.2.3"), entries...)
	return b.String()
}

func TestHTML(t *testing.T) {
	page := htmlOf(t, NewEntry(right, nil), failed(), NewEntry(unusable, nil))
	t.Run("says all that is known of a failure, the sentence first", func(t *testing.T) {
		at := -1
		section := page[strings.Index(page, `id="r2"`):strings.Index(page, `id="r3"`)]
		for _, want := range []string{
			`<p class="sentence">half-scale (X01)`, `href="https://github.com/some-one/a.kernel/issues/12"`,
			"in head 3 alone", "<td class=\"n\">12350σ</td>", "Histogram of the scaled errors",
			"124 errors; single elements have their limit at ±4…6, and 4 lie beyond; 0 are below and 3 above",
			"head × query", "largest rms 12 at head 1, query 2–3; orange to dark red from 1.4 to 16; 1 cells have NaN",
			"0 of 3 cells have a wrong answer, 1 need the allowance", "batch × page",
			"largest strength -123, a share of -1.02, at batch 1, page 2; orange to dark red from 4.2 to 123",
			"head 3 of 8: rms 14.2", "[1,0,3,17]", "0x7fc0", "root mean square 14.2, limit 1.4", "causal", "kernel.cu",
		} {
			next := strings.Index(section, want)
			if next < at {
				t.Errorf("%q stands at %d, want it behind %d", want, next, at)
			}
			at = max(at, next)
		}
	})
	t.Run("folds up what is explained", func(t *testing.T) {
		if !strings.Contains(page, `<details class="recording explained" id="r1">`) ||
			!strings.Contains(page, `<details class="recording unexplained" id="r2" open="">`) {
			t.Error("r1 is open, or r2 is not")
		}
	})
	t.Run("needs nothing beside itself", func(t *testing.T) {
		loads := regexp.MustCompile(`(src|href|url)\s*[=(]\s*["']?([^"' >)]*)`)
		for _, at := range loads.FindAllStringSubmatch(page, -1) {
			if !strings.HasPrefix(at[2], "#r") && !strings.HasPrefix(at[2], "data:image/png;base64,") &&
				!strings.HasPrefix(at[2], "https://github.com/some-one/") {
				t.Errorf("loads %s", at[0])
			}
		}
	})
	t.Run("is well formed", func(t *testing.T) { wellFormed(t, page) })
	t.Run("is the same every time", func(t *testing.T) {
		same(t, htmlOf(t, NewEntry(right, nil), failed(), NewEntry(unusable, nil)), page)
	})
}

// wellFormed reads the body of a page as XML, which it happens to be.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	body := page[strings.Index(page, "<body>"):strings.Index(page, "<script>")] + "</body>"
	d := xml.NewDecoder(strings.NewReader(body))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Pictures of a report may say anything: none is drawn that is no picture.
func TestHTMLOfPicturesThatAreNone(t *testing.T) {
	ones := []float64{1, 1, 1, 1}
	for name, p := range map[string]verdict.Picture{
		"huge": {Maps: []verdict.Map{{
			Axes: []string{"a"}, Extents: []int{1}, Cells: []int{math.MaxInt}, Each: 1,
		}}},
		"negative":  {Maps: []verdict.Map{{Axes: []string{"a"}, Extents: []int{-1}, Cells: []int{-1}, Each: 1}}},
		"no axes":   {Maps: []verdict.Map{{}, {Cells: []int{2}}, {Axes: []string{"a", "b"}, Cells: []int{1, 1, 1}}}},
		"short":     {Maps: []verdict.Map{{Axes: []string{"a"}, Extents: []int{4}, Cells: []int{4}, RMS: ones[:3]}}},
		"unpaired":  {Maps: []verdict.Map{{Axes: []string{"a"}, Extents: []int{4}, Cells: []int{4}, Strengths: ones}}},
		"an axis":   {Maps: []verdict.Map{{Axes: []string{"a"}, Cells: []int{0}, Each: 1, RMS: ones[:1]}}},
		"no axis":   {Maps: []verdict.Map{{Axes: []string{}, Cells: []int{1}, Each: 1, RMS: ones[:1]}}},
		"no extent": {Maps: []verdict.Map{{Axes: []string{"a", "b"}, Cells: []int{2, 2}, Each: 1, RMS: ones}}},
		"too many":  {Histogram: &verdict.Histogram{Range: 1, Counts: make([]int, 1e6), Curve: make([]float64, 1e6)}},
		"no bins":   {Histogram: &verdict.Histogram{Range: 1}},
		"two long":  {Histogram: &verdict.Histogram{Range: 1, Counts: []int{1}, Curve: []float64{1, 2}}},
		"no range":  {Histogram: &verdict.Histogram{Counts: []int{1}, Curve: []float64{1}}},
		"no number": {Histogram: &verdict.Histogram{Range: 1, Counts: []int{1}, Curve: []float64{math.NaN()}}},
		"endless":   {Histogram: &verdict.Histogram{Range: 1, Counts: []int{1}, Curve: []float64{math.Inf(1)}}},
	} {
		v := right
		v.Outputs = []verdict.Output{{Name: "y", MaxZLimit: 1, RMSLimit: 1, Picture: &p}}
		if page := htmlOf(t, NewEntry(v, nil)); strings.Contains(page, "<figure>") {
			t.Errorf("%s: a picture is drawn", name)
		}
	}
	odd := pictured()
	odd.Histogram.Range, odd.Maps[0].RMS[1], odd.Maps[0].RMS[2] = 1e300, math.NaN(), math.Inf(1)
	v := right
	v.Outputs = []verdict.Output{{Name: "y", MaxZLimit: 1, RMSLimit: 1, Picture: odd}}
	wellFormed(t, htmlOf(t, NewEntry(v, nil)))
}

// hostile is what a file may have in any of its words.
const hostile = "<script>alert(1)</script>\"'&]]>\x1b[2J\u202e|`::error::x%0A###[error]\n@\x00\u009b"

// hostileEntry has it wherever a report shows words.
func hostileEntry() Entry {
	e := failed()
	e.File, e.Op, e.Reason = hostile, hostile, hostile
	o := &e.Outputs[0]
	o.Name, o.Type, o.NotJudged, o.Reasons, o.Blind = hostile, hostile, hostile, []string{hostile}, []string{hostile}
	o.Worst = []verdict.Element{{GotHex: hostile, WantHex: hostile, Z: math.Inf(1)}}
	o.Slices = []verdict.Slice{{Axis: hostile, Index: []int{1}, Of: []int{2}, Limit: 1, RMS: 2}}
	o.Picture.Part, o.Picture.Maps[0].Axes = hostile, []string{hostile, hostile}
	e.Outputs[1].ChoiceCount = verdict.ChoiceCount{
		Unit: hostile, Rows: 1, Wrong: 1, WrongRows: []verdict.WrongRow{{Why: hostile}},
	}
	f := verdict.Finding{Kind: "mistake", ID: hostile, Numbers: []string{hostile}, Sentence: hostile, Thread: hostile}
	e.Diagnosis = &verdict.Diagnosis{
		Sentence: hostile, Explains: []verdict.Finding{f, f}, Leading: []verdict.Finding{f, f}, Apart: hostile + "a",
		Where: hostile + "w", Part: hostile, Untried: hostile + "u",
	}
	e.Vouching = &verdict.Vouching{Blind: []string{hostile}, Holds: []string{hostile}}
	e.Provenance = map[string]any{"producer": hostile, "note": []any{hostile}, hostile: 1}
	e.Attrs, e.Arithmetic = map[string]any{hostile: hostile}, map[string]any{hostile: []any{hostile}}
	return e
}

// forms are all that a run is written in.
var forms = map[string]func(w io.Writer) Report{
	"words":  func(w io.Writer) Report { return NewText(w, TextOptions{Details: true}) },
	"JSON":   func(w io.Writer) Report { return NewJSON(w, hostile) },
	"HTML":   func(w io.Writer) Report { return NewHTML(w, hostile) },
	"JUnit":  func(w io.Writer) Report { return NewJUnit(w) },
	"GitHub": func(w io.Writer) Report { return NewGitHub(w) },
	"log": func(w io.Writer) Report {
		return NewText(NewWorkflowLog(w, false), TextOptions{Details: true})
	},
	"JSON log": func(w io.Writer) Report { return NewJSON(NewWorkflowLog(w, true), hostile) },
	"Markdown": func(w io.Writer) Report { return NewMarkdown(w) },
}

func TestNothingOfAFileIsObeyed(t *testing.T) {
	held := map[string]func(t *testing.T, got string){
		"HTML": wellFormed,
		"GitHub": func(t *testing.T, got string) {
			command := regexp.MustCompile(`^::error file=[^:,]+,title=[^:,]+::[^\n]+\n$`)
			if strings.Contains(got, "##[") || !command.MatchString(got) {
				t.Errorf("%q", got)
			}
		},
		"log":      func(t *testing.T, got string) { noOldCommand(t, got, `##\x23[error]`) },
		"JSON log": func(t *testing.T, got string) { noOldCommand(t, got, `##\u0023[error]`) },
		"Markdown": func(t *testing.T, got string) {
			if strings.Count(got, "\n") != 6 || strings.Count(got, "|") != 3*5 || strings.ContainsAny(got, "`<@") {
				t.Errorf("%q", got)
			}
		},
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			write(t, form(&b), hostileEntry())
			got := b.String()
			obeyed := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
			if hidden := strings.IndexFunc(got, obeyed); hidden >= 0 {
				t.Errorf("%q", got[hidden:min(len(got), hidden+60)])
			}
			if strings.Contains(got, "<script>alert") && (name == "HTML" || name == "Markdown") {
				t.Error("a script")
			}
			if check := held[name]; check != nil {
				check(t, got)
			}
		})
	}
}

// noOldCommand wants nothing that a workflow's runner obeys within a line.
func noOldCommand(t *testing.T, got, instead string) {
	t.Helper()
	if strings.Contains(got, "##[") || !strings.Contains(got, instead) {
		t.Errorf("no %s in %s", instead, got)
	}
}

// TestJSONInALogReadsTheSame, though the runner must not obey what stands in it.
func TestJSONInALogReadsTheSame(t *testing.T) {
	var logged strings.Builder
	write(t, NewJSON(NewWorkflowLog(&logged, true), hostile), hostileEntry())
	run, err := Read(strings.NewReader(logged.String()))
	if err != nil {
		t.Fatal(err)
	}
	same(t, jsonOf(t, run.Version, run.Recordings...), jsonOf(t, hostile, hostileEntry()))
}

// TestTheSameScoresInEveryForm: a sentence of scores has the digits that JSON has.
func TestTheSameScoresInEveryForm(t *testing.T) {
	e := NewEntry(wrong, nil)
	e.Reason, e.Outputs = "", []verdict.Output{e.Outputs[0]}
	for _, name := range []string{"words", "HTML", "JUnit", "GitHub", "Markdown"} {
		var b strings.Builder
		write(t, forms[name](&b), e)
		if got := b.String(); strings.Contains(got, "12346") || !strings.Contains(got, "12350σ of 6.9") {
			t.Errorf("%s has other digits:\n%s", name, got)
		}
	}
}

func TestTheSameSentenceInEveryForm(t *testing.T) {
	e := failed()
	for name, form := range forms {
		var b strings.Builder
		write(t, form(&b), e)
		got := strings.NewReplacer("&#40;", "(", "&#41;", ")", "&#45;", "-", "&#58;", ":").Replace(b.String())
		if !strings.Contains(got, e.Diagnosis.Sentence) {
			t.Errorf("%s does not say %q:\n%s", name, e.Diagnosis.Sentence, got)
		}
	}
}

func TestEveryFormPassesOnErrorsOfWriting(t *testing.T) {
	for name, form := range forms {
		r := form(failing{})
		if r.Add(failed()) == nil && r.Close() == nil {
			t.Errorf("%s: the error is lost", name)
		}
	}
}

// TestLargePagesStayLight holds what a recording adds to a page: 206 of them ship.
func TestLargePagesStayLight(t *testing.T) {
	p := pictured()
	for range 2 {
		m := verdict.Map{Axes: []string{"row", "column"}, Extents: []int{900, 900}, Cells: []int{64, 64}, Each: 196}
		for i := range 64 * 64 {
			m.RMS = append(m.RMS, 1+0.1*math.Sin(float64(i*i)))
		}
		p.Maps = append(p.Maps, m)
	}
	v := right
	v.Outputs = []verdict.Output{right.Outputs[0]}
	v.Outputs[0].Picture = p
	none, one := len(htmlOf(t)), len(htmlOf(t, NewEntry(v, nil)))
	if one-none > 12<<10 {
		t.Errorf("a recording takes %d bytes of a page", one-none)
	}
}
