package report

import (
	"crypto/sha256"
	_ "embed" // style and script of the page
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"strings"

	"plumbline/verify/verdict"
)

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// HTML writes a run as one page that needs nothing beside itself: no network, and no script but to
// filter and sort. It is written when it is closed, since what it begins with counts all.
type HTML struct {
	w        io.Writer
	version  string
	summary  Summary
	failed   markup // what is not explained
	rows     markup // of the table of all
	sections markup
}

// NewHTML returns a report that writes to w, with the version of the program that judged.
func NewHTML(w io.Writer, version string) *HTML { return &HTML{w: w, version: version} }

// markup is a part of a page. What is not constant passes by text or element, which escape: a
// template would, and makes the verifier half as large again for browsers.
type markup struct{ strings.Builder }

// text writes words.
func (m *markup) text(words string) { m.WriteString(html.EscapeString(words)) }

// element writes words in an element, whose tag may have constant attributes.
func (m *markup) element(tag, words string) {
	name, _, _ := strings.Cut(tag, " ")
	m.WriteString("<" + tag + ">")
	m.text(words)
	m.WriteString("</" + name + ">")
}

// list writes a list of lines, if there are any.
func (m *markup) list(lines []string) {
	if len(lines) == 0 {
		return
	}
	m.WriteString("<ul>")
	for _, l := range lines {
		m.element("li", Line(l))
	}
	m.WriteString("</ul>\n")
}

// mark stands beside the word of a verdict, so that it is not told by colour alone.
func mark(s verdict.Status) string { return [...]string{"✓", "?", "✕", "!"}[s] }

// status writes the word of a verdict, with its mark.
func (m *markup) status(tag string, s verdict.Status) {
	name, _, _ := strings.Cut(tag, " ")
	m.WriteString("<" + tag + ">")
	m.element(`i aria-hidden="true"`, mark(s))
	m.text(" " + s.String())
	m.WriteString("</" + name + ">")
}

// Add takes one recording.
func (h *HTML) Add(e Entry) error {
	e = e.asPrinted()
	h.summary.Count(e.Status)
	anchor := fmt.Sprintf("r%d", h.summary.Recordings)
	h.row(e, anchor)
	if e.Status != verdict.Explained {
		h.failed.WriteString("<li class=\"" + e.Status.String() + "\">")
		h.failed.element("a href=\"#"+anchor+"\"", Printable(e.File))
		h.failed.element("p", e.Sentence())
		h.failed.WriteString("</li>\n")
	}
	h.sections.recording(e, anchor)
	return nil
}

// row writes a recording in the table of all.
func (h *HTML) row(e Entry, anchor string) {
	m := &h.rows
	m.WriteString("<tr class=\"" + e.Status.String() + "\">")
	m.status(`td class="verdict"`, e.Status)
	m.WriteString("<td>")
	m.element("a href=\"#"+anchor+"\"", Printable(e.File))
	m.WriteString("</td>")
	m.element(`td class="op"`, Brief(e.Op))
	most, rms := "", ""
	if i := nearestLimit(e.Outputs); i >= 0 && e.Outputs[i].MaxZLimit > 0 {
		o := e.Outputs[i]
		most, rms = score(o.MaxZ)+" of "+score(o.MaxZLimit), score(o.RMS)+" of "+score(o.RMSLimit)
	}
	m.element(`td class="n"`, most)
	m.element(`td class="n"`, rms)
	m.WriteString("</tr>\n")
}

// Close writes the page.
func (h *HTML) Close() error {
	var m markup
	m.WriteString("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	fmt.Fprintf(&m, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "+
		"style-src %s; script-src %s; base-uri 'none'; form-action 'none'\">\n", hash(pageStyle), hash(pageScript))
	m.WriteString("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n")
	m.element("title", "Plumbline: "+h.summary.String())
	m.WriteString("\n<style>" + pageStyle + "</style>\n</head>\n<body>\n")
	h.header(&m)
	m.WriteString("<main>\n")
	h.table(&m)
	m.WriteString(h.sections.String())
	m.WriteString(reading)
	m.legend()
	m.WriteString("</section>\n</main>\n<footer>")
	if h.version != "" {
		m.text("Judged by Plumbline " + Line(h.version) + ".")
	}
	m.WriteString("</footer>\n<script>" + pageScript + "</script>\n</body>\n</html>\n")
	_, err := io.WriteString(h.w, m.String())
	return err
}

// hash is how a policy names an inline style or script.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// header writes the counts, and what is not explained.
func (h *HTML) header(m *markup) {
	m.WriteString("<header>\n<p class=\"name\">Plumbline</p>\n")
	m.element(`h1 id="summary"`, h.summary.String())
	m.WriteString("\n<ul class=\"counts\">")
	for s, n := range []int{h.summary.Explained, h.summary.Undetermined, h.summary.Unexplained, h.summary.Unusable} {
		if status := verdict.Status(s); n > 0 {
			m.WriteString("<li class=\"" + status.String() + "\">")
			m.element("b", fmt.Sprint(n))
			m.status("span", status)
			m.WriteString("</li>")
		}
	}
	m.WriteString("</ul>\n")
	if h.failed.Len() > 0 {
		m.WriteString("<section class=\"failed\">\n<h2>What is not explained</h2>\n<ul>\n")
		m.WriteString(h.failed.String() + "</ul>\n</section>\n")
	}
	m.WriteString("</header>\n")
}

// table writes the table of all recordings.
func (h *HTML) table(m *markup) {
	if h.summary.Recordings == 0 {
		return
	}
	m.WriteString("<section>\n<h2>Recordings</h2>\n<div id=\"controls\"></div>\n" +
		"<div class=\"wide\"><table id=\"recordings\"><thead><tr>")
	for _, name := range []string{"verdict", "recording", "op"} {
		m.element(`th scope="col"`, name)
	}
	m.element(`th scope="col" class="n"`, "max")
	m.element(`th scope="col" class="n"`, "rms")
	m.WriteString("</tr></thead>\n<tbody>\n" + h.rows.String() + "</tbody></table></div>\n</section>\n")
}

// reading says how to read the page.
const reading = `<section class="reading">
<h2>How to read it</h2>
<dl>
<dt>max z</dt><dd>the largest max(0, |r − t| − ulp/2) / σ of any element: r is recorded, t the truth, ulp the spacing of
the output type at t, σ the standard deviation of the errors that the declared arithmetic makes inside the kernel</dd>
<dt>rms w</dt><dd>the root mean square of the scaled errors w = (r − t) / √(σ² + ulp²/12): about 1 for a kernel that
rounds as it declares, less if it rounds less</dd>
<dt>bias</dt><dd>the mean of w, or of w toward larger sizes: errors that share a direction</dd>
<dt>limit</dt><dd>what a right kernel exceeds about once in a million recordings</dd>
<dt>histogram</dt><dd>bars count the scaled errors of the output, on a logarithmic axis; the line is what executions of
the op in the declared arithmetic give, each rounded as the output is; the columns at the sides hold what is beyond; where
single elements have their limit is a band, since it hangs on how much of an error the last rounding is</dd>
<dt>maps</dt><dd>the root mean square of w by place, from 0 at the top left; blue up to 1.4, from there in the steps that
stand under the map; black: NaN, Inf or a wrong answer; blank: exact or not judged</dd>
<dt>maps by page</dt><dd>whether each page of the cache, in the order of its sequence, has the weight that it should: the
share is how much of it is too much, about −1 for a page that is left out or for which another is read, 1 for one that
counts twice; the strength is how far that is beyond what right kernels have, which is about 1, and blue up to 4.2; since all
weights sum to 1, the other pages go the other way by a little</dd>
</dl>
`

// legend draws the colours of maps, from light to dark.
func (m *markup) legend() {
	const wide, high = 34, 12
	d := drawing{}
	d.open("legend", wide*len(heats), high, "Colours of maps", "from small errors to large ones")
	for k, c := range heats {
		d.printf(`<rect x="%d" y="0" width="%d" height="%d" fill="#%02x%02x%02x"/>`, k*wide, wide, high, c.R, c.G, c.B)
	}
	d.printf("</svg>\n")
	m.WriteString(d.String())
}
