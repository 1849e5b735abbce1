package report

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// junitForm is what readers of JUnit's XML agree on: for each element those that it may stand in,
// the attributes that it must have, and those that it may.
var junitForm = map[string]struct{ in, must, may []string }{
	"testsuites": {[]string{""}, nil, []string{"name", "tests", "failures", "errors", "time", "disabled"}},
	"testsuite": {
		[]string{"", "testsuites"}, []string{"name", "tests"},
		[]string{"failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package", "disabled"},
	},
	"testcase": {[]string{"testsuite"}, []string{"name", "classname"}, []string{"time", "status", "assertions"}},
	"failure":  {[]string{"testcase"}, nil, []string{"message", "type"}},
	"error":    {[]string{"testcase"}, nil, []string{"message", "type"}},
}

// checkJUnit says what is wrong with the form of a document, "" if nothing is.
func checkJUnit(document string) string {
	within := []string{""}
	for d := xml.NewDecoder(strings.NewReader(document)); ; {
		token, err := d.Token()
		switch x := token.(type) {
		case xml.StartElement:
			if wrong := checkJUnitElement(x, within[len(within)-1]); wrong != "" {
				return wrong
			}
			within = append(within, x.Name.Local)
		case xml.EndElement:
			within = within[:len(within)-1]
		}
		if errors.Is(err, io.EOF) {
			return ""
		} else if err != nil {
			return err.Error()
		}
	}
}

func checkJUnitElement(x xml.StartElement, parent string) string {
	form, known := junitForm[x.Name.Local]
	if !known || !slices.Contains(form.in, parent) {
		return x.Name.Local + " in " + parent
	}
	var names []string
	for _, a := range x.Attr {
		if names = append(names, a.Name.Local); !slices.Contains(slices.Concat(form.must, form.may), a.Name.Local) {
			return "attribute " + a.Name.Local
		}
	}
	for _, name := range form.must {
		if !slices.Contains(names, name) {
			return "no attribute " + name
		}
	}
	return ""
}

func TestJUnit(t *testing.T) {
	var b strings.Builder
	write(t, NewJUnit(&b), NewEntry(right, nil), failed(), NewEntry(unusable, nil), NewEntry(undecided, nil),
		hostileEntry())
	if wrong := checkJUnit(b.String()); wrong != "" {
		t.Fatalf("%s in\n%s", wrong, b.String())
	}
	var all junitSuites
	if err := xml.Unmarshal([]byte(b.String()), &all); err != nil {
		t.Fatal(err)
	}
	t.Run("counts by verdict", func(t *testing.T) {
		s := all.Suite
		same(t, []int{all.Tests, all.Failures, all.Errors, s.Tests, s.Failures, s.Errors, len(s.Cases)},
			[]int{5, 3, 1, 5, 3, 1, 5})
	})
	t.Run("a failure has the sentence and the words", func(t *testing.T) {
		c := all.Suite.Cases[1]
		same(t, []string{c.Name, c.Class, c.Failure.Message, c.Failure.Type, c.Failure.Text}, []string{
			"wrong.safetensors", "mla.decode", failed().Diagnosis.Sentence, "unexplained", Words(failed()),
		})
	})
	t.Run("what is unusable is an error", func(t *testing.T) {
		if c := all.Suite.Cases[2]; c.Failure != nil || c.Error.Message != "header: 3 bytes, want at least 8" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("what is explained is neither", func(t *testing.T) {
		if c := all.Suite.Cases[0]; c.Failure != nil || c.Error != nil {
			t.Errorf("%+v", c)
		}
	})
	t.Run("its form is checked", func(t *testing.T) {
		for _, change := range [][2]string{
			{" classname=", " class="}, {"testcase", "case"}, {"<failure ", "<failure code=\"1\" "},
			{"</testsuite>", ""},
		} {
			if checkJUnit(strings.ReplaceAll(b.String(), change[0], change[1])) == "" {
				t.Errorf("%s for %s is not refused", change[1], change[0])
			}
		}
	})
}

func TestGitHub(t *testing.T) {
	var b strings.Builder
	odd := failed()
	odd.File = "a,b:c%.safetensors"
	write(t, NewGitHub(&b), NewEntry(right, nil), odd, NewEntry(unusable, nil))
	same(t, b.String(), ""+
		"::error file=a%2Cb%3Ac%25.safetensors,title=unexplained%3A mla.decode::"+
		"half-scale (X01): the scale is half: explains everything, rms 1\n"+
		"::error file=no.safetensors,title=unusable::header: 3 bytes, want at least 8\n")
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	write(t, NewMarkdown(&b), NewEntry(right, nil), NewEntry(unusable, nil))
	same(t, b.String(), "### Plumbline: 2 recordings: 1 explained, 1 unusable\n\n"+
		"| verdict | recording | op | what explains it |\n|---|---|---|---|\n"+
		"| ! unusable | no.safetensors |  | header&#58; 3 bytes, want at least 8 |\n\n")
	b.Reset()
	write(t, NewMarkdown(&b), slices.Repeat([]Entry{NewEntry(unusable, nil)}, mostRows+7)...)
	if got := b.String(); strings.Count(got, "no.safetensors") != mostRows || !strings.Contains(got, "\nand 7 more\n") {
		t.Errorf("%d rows: …%q", strings.Count(got, "no.safetensors"), got[len(got)-40:])
	}
}
