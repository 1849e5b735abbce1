package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/golden"
	"plumbline/internal/browser"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

var update = flag.Bool("update", false, "write docs/report.png")

// wrongAttention is a recording of attention without its causal mask.
func wrongAttention(t *testing.T) *recording.Recording {
	t.Helper()
	rec, err := golden.Open("attention-forward-chunk-bf16-sdpa-math.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	truth, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range golden.Mutations(rec, truth) {
		if m.Name == "causal-missing or its reverse" {
			wrong, _ := m.Apply()
			return wrong.Recording
		}
	}
	t.Fatal("no such mutation")
	return nil
}

// writeRecordings writes a wrong recording, a right one and one that is none, and returns their
// names.
func writeRecordings(t *testing.T) []string {
	t.Helper()
	right, err := golden.Open("rope-plain-bf16.safetensors")
	if err == nil {
		err = right.Save("rope.safetensors")
	}
	if err == nil {
		err = wrongAttention(t).Save("attention.safetensors")
	}
	if err == nil {
		err = os.WriteFile("none.safetensors", []byte("nothing"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{"attention.safetensors", "rope.safetensors", "none.safetensors"}
}

// writePage judges them, and returns the page and the words.
func writePage(t *testing.T) (page, words string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	args := append([]string{"verify", "-v", "-html", "page.html"}, writeRecordings(t)...)
	out, err := os.Create("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if status := run(args, out, out); status != exitUnusable {
		t.Fatalf("status %d", status)
	}
	text, err := os.ReadFile("words.txt")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "page.html"), string(text)
}

func TestPageInABrowser(t *testing.T) {
	b := browser.Start(t)
	picture, err := filepath.Abs("../../docs/report.png")
	if err != nil {
		t.Fatal(err)
	}
	page, words := writePage(t)
	b.Open("file://" + page)
	t.Run("the verdict and the sentence are those in words", func(t *testing.T) {
		got := b.Text("#summary")
		if !strings.Contains(words, "\n"+got+"\n") || !strings.HasPrefix(got, "3 recordings") {
			t.Errorf("%q is not in\n%s", got, words)
		}
		if got := b.Text("#r1 .sentence"); !strings.Contains(words, "\n  "+got+"\n") {
			t.Errorf("%q is not in\n%s", got, words)
		}
	})
	t.Run("failures are open, what is explained opens by its link", func(t *testing.T) {
		checkScript(t, b, "return document.querySelector('#r1').open && !document.querySelector('#r2').open")
		b.Run("document.querySelector('#recordings a[href=\"#r2\"]').click()")
		b.Wait("document.querySelector('#r2').open")
	})
	t.Run("pictures are drawn", func(t *testing.T) {
		checkScript(t, b, `return [...document.querySelectorAll('svg.histogram, svg.map')].length >= 4 &&
			[...document.querySelectorAll('#r1 svg')].every((s) => s.getBoundingClientRect().width > 20)`)
	})
	t.Run("the table is filtered and sorted", func(t *testing.T) { tableWorks(t, b) })
	t.Run("it fits a phone", func(t *testing.T) {
		b.Resize(390, 800)
		checkScript(t, b, "return document.documentElement.scrollWidth <= 390")
	})
	t.Run("it is dark where that is preferred", func(t *testing.T) {
		b.Prefer("dark")
		checkScript(t, b, "return getComputedStyle(document.documentElement).backgroundColor === 'rgb(20, 25, 31)'")
		b.Prefer("light")
	})
	if said := b.Console(); len(said) > 0 {
		t.Errorf("the console says\n%s", strings.Join(said, "\n"))
	}
	takePicture(t, b, picture)
}

// checkScript wants a script to return true.
func checkScript(t *testing.T, b *browser.Browser, script string) {
	t.Helper()
	if got := b.Run(script); got != true {
		t.Errorf("%s: %v", script, got)
	}
}

func tableWorks(t *testing.T, b *browser.Browser) {
	checkScript(t, b, `
		const box = document.querySelector("#controls input[type=checkbox]");
		box.click();
		const rows = [...document.querySelectorAll("#recordings tbody tr")];
		const hidden = rows.filter((r) => r.hidden).length;
		box.click();
		return hidden === 1 && rows.every((r) => !r.hidden)`)
	checkScript(t, b, `
		const words = document.querySelector("#controls input[type=search]");
		words.value = "ROPE";
		words.dispatchEvent(new Event("input"));
		const rows = [...document.querySelectorAll("#recordings tbody tr")];
		const shown = rows.filter((r) => !r.hidden).length;
		words.value = "";
		words.dispatchEvent(new Event("input"));
		return shown === 1`)
	checkScript(t, b, `
		const order = () => [...document.querySelectorAll("#recordings tbody td:nth-child(2)")].map((c) => c.innerText);
		const button = document.querySelectorAll("#recordings th button")[1], before = order().join();
		button.click();
		button.click();
		const sorted = order().join() === order().sort().join();
		button.click();
		return sorted && order().join() === before`)
}

// takePicture looks at the page, and keeps what it sees for docs/REPORTS.md if that is asked for.
func takePicture(t *testing.T, b *browser.Browser, path string) {
	b.Resize(1060, 1290)
	b.Run("document.querySelector('#r2').open = false; document.querySelector('#r1').scrollIntoView()")
	picture := b.Picture()
	if len(picture) < 10_000 {
		t.Errorf("a picture of %d bytes: the page is empty", len(picture))
	}
	if *update {
		if err := os.WriteFile(path, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
