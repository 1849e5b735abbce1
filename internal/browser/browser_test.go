package browser_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/browser"
)

const page = `<!doctype html><title>page</title><h1>Before</h1><input type=file multiple>
<style>@media (prefers-color-scheme: dark) { body { background: #000 } }</style>
<script>
document.querySelector("input").onchange = async (event) => {
	const texts = await Promise.all([...event.target.files].map((f) => f.text()));
	document.querySelector("h1").textContent = texts.join(" and ");
	console.error("chosen");
};
</script>`

// A page that shows what is in the files that are chosen.
func TestBrowser(t *testing.T) {
	b := browser.Start(t)
	folder := t.TempDir()
	names := []string{"page.html", "a", "b"}
	for i, text := range []string{page, "first", "second"} {
		names[i] = filepath.Join(folder, names[i])
		if err := os.WriteFile(names[i], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.Open("file://" + names[0])
	if got := b.Text("h1"); got != "Before" {
		t.Errorf("the heading is %q", got)
	}
	b.Choose("input", names[1:]...)
	b.Wait("document.querySelector('h1').textContent != 'Before'")
	if got := b.Text("h1"); got != "first and second" {
		t.Errorf("with two files chosen the heading is %q", got)
	}
	if lines := b.Console(); !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "chosen") }) {
		t.Errorf("the console says %q", lines)
	}
	b.Resize(300, 200)
	b.Prefer("dark")
	testPicture(t, b.Picture())
}

// testPicture tests that a picture has the size of the window and is dark at its lower edge.
func testPicture(t *testing.T, data []byte) {
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X != 300 || size.Y != 200 {
		t.Errorf("the picture is %v", size)
	}
	if r, g, b, _ := picture.At(150, 190).RGBA(); r+g+b != 0 {
		t.Errorf("the page is not dark: %d %d %d", r, g, b)
	}
}
