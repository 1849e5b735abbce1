// Package picture draws the course's pictures as SVG, for light and dark pages.
//
// What is drawn to scale is computed by the equation packages when it is drawn: there is no table
// of results here. A picture is a value of the gallery below; its file has the function that draws
// it.
package picture

import (
	"fmt"
	"html"
	"io/fs"
	"regexp"
	"strings"

	"plumbline/course/page"
	"plumbline/internal/svg"
)

// picture is one picture of the gallery.
type picture struct {
	name          string // of its files
	heading       string // on the page; its anchor is the name
	width, height float64
	title         string   // what it is, for who does not see it as well
	about         string   // what is seen, for who does not see it
	text          string   // how to read it, in Markdown, formulas between dollars
	drawnBy       []string // functions that computed what is drawn
	shows         []string // functions that do what is drawn
	draw          func(p *svg.Picture)
}

// gallery is all pictures in the order of the reading list.
var gallery = []picture{
	pictureHeads, pictureCache, pictureMasks, pictureMLA, pictureRoPE, pictureYaRN, pictureExperts,
	pictureBalance, pictureParameters, pictureFP8, picturePipeline, pictureMTP, pictureAcceptance,
	pictureRL, pictureAdvantages, pictureClips, pictureKL, pictureRLHF, pictureR1,
}

// themes are the files that each picture has: its name and what follows it.
var themes = []struct {
	suffix string
	theme  *svg.Theme
}{{"", &svg.Light}, {"-dark", &svg.Dark}}

// drawn returns a picture in a theme.
func (p picture) drawn(theme *svg.Theme) *svg.Picture {
	canvas := svg.New(theme, p.width, p.height, p.title, oneLine(p.about))
	p.draw(canvas)
	return canvas
}

// Pages returns the generated pages: two files for each picture, and the gallery.
func Pages(fs.FS) (page.Set, error) {
	set := page.Set{"docs/PICTURES.md": galleryPage()}
	for _, p := range gallery {
		for _, t := range themes {
			set["docs/pictures/"+p.name+t.suffix+".svg"] = p.drawn(t.theme).String()
		}
	}
	return set, nil
}

const opening = `<!-- Written by go generate ./... from course/picture. -->

# Pictures

Pictures for the stations of the reading list. Curves, bars, areas and grids are computed by the
equation packages whenever the pictures are written, and a test compares the files, so that a picture
says what the code does. They follow the theme of the page.

`

// oneLine returns a text without its line breaks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// maths finds the formulas of a text, which GitHub wants in backquotes too.
var maths = regexp.MustCompile(`\$([^$]+)\$`)

// named returns a paragraph that names functions, if there are some.
func named(words string, functions []string) string {
	if len(functions) == 0 {
		return ""
	}
	return fmt.Sprintf("\n%s `%s`.\n", words, strings.Join(functions, "`, `"))
}

// galleryPage returns docs/PICTURES.md.
func galleryPage() string {
	var b strings.Builder
	b.WriteString(opening)
	for _, p := range gallery {
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", p.heading, p.name, p.title)
	}
	for _, p := range gallery {
		fmt.Fprintf(&b, `
## %[1]s

**%[3]s.**

<picture><source media="(prefers-color-scheme: dark)" srcset="pictures/%[2]s-dark.svg"><img alt="%[4]s" src="pictures/%[2]s.svg"></picture>

%[5]s
`, p.heading, p.name, p.title, html.EscapeString(oneLine(p.about)), maths.ReplaceAllString(strings.TrimSpace(p.text), "$$`$1`$$"))
		b.WriteString(named("Drawn by", p.drawnBy) + named("It shows what these do:", p.shows))
	}
	return b.String()
}
