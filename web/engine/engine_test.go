package engine_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/web/engine"
)

const testdata = "../../golden/testdata"

var limits = engine.Limits{Judge: 1e11, Diagnosis: 1e10}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func render(t *testing.T, form string, reports ...[]byte) string {
	t.Helper()
	var texts []string
	for _, r := range reports {
		texts = append(texts, string(r))
	}
	text, err := engine.Render(form, texts)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestJudge(t *testing.T) {
	right := engine.Judge("right", read(t, "norm-rms-plain-bf16-hf.safetensors"), limits)
	wrong := engine.Judge("wrong", read(t, "invalid/norm-rms-seven-bf16.sum-for-mean.safetensors"), limits)
	broken := engine.Judge("broken", read(t, "norm-rms-plain-bf16-hf.safetensors")[:100], limits)
	large := engine.Judge("large", read(t, "norm-rms-plain-bf16-hf.safetensors"), engine.Limits{Judge: 1})
	for i, c := range []struct{ report, want string }{
		{string(right), "explained  "}, {string(wrong), "unexplained  "}, {string(broken), "unusable  "},
		{string(large), "unusable  "},
	} {
		if words := render(t, "words", []byte(c.report)); !strings.HasPrefix(words, c.want) {
			t.Errorf("%d: %s", i, words)
		}
	}
	if text, err := engine.Sentence(string(large)); err != nil || !strings.Contains(text, "limits of this page") {
		t.Error(text, err)
	}
	want := "\n4 recordings: 1 explained, 1 unexplained, 2 unusable\n"
	if got := render(t, "words", right, wrong, broken, large); !strings.HasSuffix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	for form, begin := range map[string]string{"html": "<!doctype html>", "json": `{"plumbline":1`, "junit": "<?xml"} {
		if text := render(t, form, right, wrong); !strings.HasPrefix(text, begin) {
			t.Errorf("%s begins with %.40q", form, text)
		}
	}
}

func TestRenderSaysWhatIsWrong(t *testing.T) {
	if _, err := engine.Render("pdf", nil); err == nil {
		t.Error("no error of a form that there is not")
	}
	if _, err := engine.Render("json", []string{"{"}); err == nil {
		t.Error("no error of half a report")
	}
}

// An emulated kernel makes a mistake on a request that is made here, and it is found.
func TestRequestAndEmulate(t *testing.T) {
	made, err := engine.Request("norm.rms", `{"eps":0.01}`, "F32")
	if err != nil {
		t.Fatal(err)
	}
	for _, mistake := range []string{"", "eps-missing"} {
		recorded, err := engine.Emulate(made.Files[0].Bytes, mistake)
		if err != nil {
			t.Fatal(err)
		}
		report := engine.Judge("emulated", recorded, limits)
		if found := bytes.Contains(report, []byte(`"sentence":"eps-missing: `)); found != (mistake != "") {
			t.Errorf("of a kernel with the mistake %q: %s", mistake, render(t, "words", report))
		}
	}
}

func TestRequestsThatCannotBeMade(t *testing.T) {
	for _, c := range [][3]string{
		{"norm.rms", "{", ""}, {"norm.rms", `{"epsilon":1}`, ""}, {"norm.rms", "{}", "F128"}, {"norm", "{}", ""},
		{"norm.rms", "null", ""}, {"norm.rms", "{} {}", ""},
	} {
		if _, err := engine.Request(c[0], c[1], c[2]); err == nil {
			t.Errorf("no error of %q", c)
		}
	}
	if _, err := engine.Emulate([]byte("no recording"), ""); err == nil {
		t.Error("no error of a request that is none")
	}
	made, err := engine.Request("rope.table", "{}", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Emulate(made.Files[0].Bytes, "eps-missing"); err == nil {
		t.Error("no error of a mistake that kernels of the op do not make")
	}
}
