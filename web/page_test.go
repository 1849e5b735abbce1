package main

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"plumbline/internal/browser"
	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// The page that is tested has been built into a folder, which this environment variable names, and
// pictures of it are kept in another one.
const (
	built    = "PLUMBLINE_WEB"
	pictures = "PLUMBLINE_PICTURES"
)

// Recordings of a right kernel, of a wrong one, and half of one.
const (
	right  = "../golden/testdata/norm-rms-plain-bf16-hf.safetensors"
	wrong  = "../cmd/plumbline/testdata/readme/bad.safetensors"
	broken = "broken.safetensors"
)

func open(t *testing.T) (b *browser.Browser, folder string) {
	t.Helper()
	folder = os.Getenv(built)
	if folder == "" {
		t.Skip("the page is not built: " + built + " is not set")
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	b = browser.Start(t)
	b.Resize(1100, 1500)
	return b, folder
}

// files are the paths of the three.
func files(t *testing.T) (paths []string) {
	t.Helper()
	for _, path := range []string{right, wrong} {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	data, err := os.ReadFile(right)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), broken)
	if err := os.WriteFile(half, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	return append(paths, half)
}

// sentence is what the command says first of what is wrong with a recording.
func sentence(t *testing.T, path string) string {
	t.Helper()
	rec, err := recording.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	return diagnosis.Judge(rec, op.MaxWork, diagnosis.Budget).Diagnosis.Sentence
}

const finished = `document.querySelectorAll("#list .status").length >= 3 &&
	!document.querySelector("#list .waiting") && !document.querySelector("#report").hidden`

// testVerdicts tests what the page says of the three.
func testVerdicts(t *testing.T, b *browser.Browser) {
	t.Helper()
	b.Wait(finished)
	said, _ := b.Run(`return [...document.querySelectorAll("#list .status")].map((s) => s.textContent)`).([]any)
	if !slices.Equal(said, []any{"explained", "unexplained", "unusable"}) {
		t.Errorf("the verdicts are %v", said)
	}
	want := sentence(t, wrong)
	if got := b.Text("#list .unexplained ~ .sentence"); got != want {
		t.Errorf("the page says %q, and the command %q", got, want)
	}
	if got := b.Text("#summary"); got != "3 recordings: 1 explained, 1 unexplained, 1 unusable" {
		t.Errorf("the summary is %q", got)
	}
	text, _ := b.Run(`return document.querySelector("#report").contentDocument.body.innerText`).(string)
	if !strings.Contains(text, want) {
		t.Errorf("the report does not say %q:\n%s", want, text)
	}
}

// keep keeps a picture of the page.
func keep(t *testing.T, b *browser.Browser, name string) {
	t.Helper()
	folder := cmp.Or(os.Getenv(pictures), t.TempDir())
	if err := os.WriteFile(filepath.Join(folder, name), b.Picture(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Opened from a disk, files chosen.
func TestFromAFolder(t *testing.T) {
	b, folder := open(t)
	b.Open("file://" + filepath.ToSlash(filepath.Join(folder, "index.html")))
	b.Choose("#files", files(t)...)
	testVerdicts(t, b)
	keep(t, b, "page.png")
	b.Prefer("dark")
	keep(t, b, "page-dark.png")
	if lines := b.Console(); len(lines) > 0 {
		t.Errorf("the console says\n%s", strings.Join(lines, "\n"))
	}
	b.Run(`document.querySelector("#clear").click()`)
	if left := b.Run(`return document.querySelectorAll("#list li").length`); left != 0.0 {
		t.Errorf("%v recordings are left after they were cleared", left)
	}
}

// drop drops files on the page, given by their names and bytes in base64.
const drop = `const data = new DataTransfer();
for (const [name, text] of arguments[0]) {
	data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
}
document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));`

// encoded returns the names of files and their bytes in base64.
func encoded(t *testing.T, paths []string) (all [][2]string) {
	t.Helper()
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, [2]string{filepath.Base(path), base64.StdEncoding.EncodeToString(data)})
	}
	return all
}

// Served, files dropped: nothing is asked of the server but the page's own files, and nothing can
// be sent anywhere.
func TestServed(t *testing.T) {
	b, folder := open(t)
	var mu sync.Mutex
	var asked []string
	pages := http.FileServer(http.Dir(folder))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.String())
		mu.Unlock()
		pages.ServeHTTP(w, r)
	}))
	defer server.Close()
	b.Open(server.URL + "/")
	b.Run(drop, encoded(t, files(t)))
	testVerdicts(t, b)
	b.Run(`window.sent = ""; fetch("/sent").then(() => sent = "yes", () => sent = "no")`)
	b.Wait("window.sent")
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(asked)
	if !slices.Equal(asked, []string{"/", "/catalogue.js", "/engine.js", "/page.css", "/page.js"}) {
		t.Errorf("the server was asked for %v", asked)
	}
}

// A request is made, an emulated kernel makes a mistake on it, and that is named.
func TestRequests(t *testing.T) {
	b, folder := open(t)
	b.Open("file://" + filepath.ToSlash(filepath.Join(folder, "index.html")))
	b.Run(`const op = document.querySelector("#op");
		op.value = "norm.rms";
		op.dispatchEvent(new Event("change"));
		document.querySelector("#builder button").click()`)
	b.Wait(`document.querySelector("#requested table")`)
	b.Run(`const which = document.querySelector("#requested select");
		which.value = "weight-plus-one";
		which.parentElement.querySelector("button").click()`)
	b.Wait(`document.querySelector("#list .unexplained ~ .sentence")`)
	if got := b.Text("#list .unexplained ~ .sentence"); !strings.HasPrefix(got, "weight-plus-one: ") {
		t.Errorf("of a kernel that adds 1 to its weights the page says %q", got)
	}
	keep(t, b, "requests.png")
	b.Run(`document.querySelector("[data-attribute=eps]").value = "small";
		document.querySelector("#builder button").click()`)
	b.Wait(`document.querySelector("#making").textContent.includes("JSON")`)
}

func TestTheCatalogueIsShown(t *testing.T) {
	b, folder := open(t)
	b.Open("file://" + filepath.ToSlash(filepath.Join(folder, "index.html")))
	b.Run(`document.querySelector("#op-mla\\.decode summary").click()`)
	b.Wait(`document.querySelector("#op-mla\\.decode table")`)
	if text := b.Text(`#op-mla\.decode`); !strings.Contains(text, "block_table") {
		t.Errorf("of mla.decode it says\n%s", text)
	}
}

// What is stopped is said to be, what waits behind it too, and the page goes on afterwards.
func TestStop(t *testing.T) {
	b, folder := open(t)
	b.Open("file://" + filepath.ToSlash(filepath.Join(folder, "index.html")))
	paths := files(t)
	b.Choose("#files", paths[1], paths[1], paths[1])
	b.Run(`document.querySelector("#stop").click()`)
	b.Wait(finished)
	if said := b.Text("#list li:last-child .status"); said != "unusable" {
		t.Errorf("what was stopped is %s", said)
	}
	b.Run(`document.querySelector("#clear").click()`)
	b.Choose("#files", paths...)
	testVerdicts(t, b)
}

// Links in the report open what they name, in the report.
func TestLinksInTheReport(t *testing.T) {
	b, folder := open(t)
	b.Open("file://" + filepath.ToSlash(filepath.Join(folder, "index.html")))
	b.Choose("#files", files(t)...)
	b.Wait(finished)
	const frame = `document.querySelector("#report").contentDocument`
	high := b.Run(`return document.querySelector("#report").offsetHeight`)
	b.Run(`[...` + frame + `.querySelectorAll("#recordings a")].find((a) => a.textContent.includes("plain")).click()`)
	b.Wait(frame + `.querySelector("details[open] .histogram") && document.querySelector("#report").offsetHeight > ` +
		fmt.Sprint(high))
	if left := b.Run(`return ` + frame + `.querySelectorAll("a[target=_blank]").length`); left == 0.0 {
		t.Error("the thread of the mistake is no link")
	}
	b.Resize(390, 900)
	if wide := b.Run(`return document.documentElement.scrollWidth`); wide.(float64) > 390 {
		t.Errorf("the page is %v wide on a screen of 390", wide)
	}
	keep(t, b, "page-narrow.png")
}
