package check

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var (
	fenced    = regexp.MustCompile("(?s)```.*?```")
	targets   = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:href|src|srcset)="([^"]+)"`)
	named     = regexp.MustCompile(`<a id="([^"]+)">`)
	lineOf    = regexp.MustCompile(`^L(\d+)$`)
	elsewhere = regexp.MustCompile(`^[a-z]+:`)
)

// Every link of a page leads to a file that is there, to a line that it has, or to a heading.
func TestLinksLand(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "golden/*.md", "kernels/*.md", "python/*.md"} {
		found, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	l := newLinks()
	for _, page := range pages {
		for _, target := range l.of(page) {
			if problem := l.follow(page, target); problem != "" {
				t.Errorf("%s: %s: %s", page, target, problem)
			}
		}
	}
	if len(pages) < 40 || len(l.texts) < 300 {
		t.Errorf("%d pages link to %d files: too few to be all", len(pages), len(l.texts))
	}
}

// links follows links, and keeps what it has read.
type links struct {
	texts   map[string]string
	anchors map[string]map[string]bool
}

func newLinks() links { return links{map[string]string{}, map[string]map[string]bool{}} }

func (l links) text(file string) (string, error) {
	if text, ok := l.texts[file]; ok {
		return text, nil
	}
	text, err := os.ReadFile(file)
	if err == nil {
		l.texts[file] = string(text)
	}
	return string(text), err
}

// of returns the targets of a page's links, but for those that leave the module.
func (l links) of(page string) (all []string) {
	text, _ := l.text(page)
	for _, m := range targets.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		if target := m[1] + m[2]; !elsewhere.MatchString(target) {
			all = append(all, target)
		}
	}
	return all
}

// follow returns what is wrong with a link of a page, "" if it lands.
func (l links) follow(page, target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	if file = path.Join(path.Dir(filepath.ToSlash(page)), file); strings.HasPrefix(target, "#") {
		file = page
	}
	if info, err := os.Stat(file); err != nil {
		return "no such file"
	} else if info.IsDir() {
		return ""
	}
	text, err := l.text(file)
	if err != nil {
		return err.Error()
	}
	if m := lineOf.FindStringSubmatch(anchor); m != nil {
		if n, _ := strconv.Atoi(m[1]); n > strings.Count(text, "\n") {
			return fmt.Sprintf("it has %d lines", strings.Count(text, "\n"))
		}
		return ""
	}
	if anchor != "" && !l.has(file, text, anchor) {
		return "no such heading"
	}
	return ""
}

// has tells whether a file, which has this text, has an anchor.
func (l links) has(file, text, anchor string) bool {
	if l.anchors[file] == nil {
		l.anchors[file] = anchors(text)
	}
	return l.anchors[file][anchor]
}

// anchors returns what GitHub lets a link lead to: names that are given, and headings.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		all[m[1]] = true
	}
	for line := range strings.Lines(fenced.ReplaceAllString(text, "")) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := slug(heading)
			for n := 1; all[name]; n++ {
				name = fmt.Sprintf("%s-%d", slug(heading), n)
			}
			all[name] = true
		}
	}
	return all
}

// slug is how GitHub names a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(heading))
}

func TestWhatLinksToNothingIsFound(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "page.md")
	text := "# One thing\n[a](#one-thing) [b](#two) [c](page.md#L1) [d](page.md#L9) [e](gone.md) [f](https://a.b)\n" +
		"```\n[g](gone.md)\n```\n# One thing\n[h](#one-thing-1) <a href=\"gone.svg\">i</a>\n" +
		"<a id=\"two-2\"></a> [j](#two-2)\n"
	if err := os.WriteFile(page, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	l, problems := newLinks(), 0
	for _, target := range l.of(page) {
		if l.follow(page, target) != "" {
			problems++
		}
	}
	if problems != 4 {
		t.Errorf("%d of %d links lead nowhere, want 4", problems, len(l.of(page)))
	}
}
