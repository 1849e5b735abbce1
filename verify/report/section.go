package report

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"plumbline/verify/verdict"
)

// recording writes what is said of one recording. What is explained is folded up.
func (m *markup) recording(e Entry, anchor string) {
	fmt.Fprintf(m, "<details class=\"recording %s\" id=\"%s\"", e.Status, anchor)
	if e.Status != verdict.Explained {
		m.WriteString(` open=""`)
	}
	m.WriteString(">\n<summary>")
	m.status(`span class="badge"`, e.Status)
	m.element(`span class="file"`, Printable(e.File))
	m.element(`span class="op"`, Brief(e.Op))
	m.WriteString("</summary>\n")
	if e.Status != verdict.Explained {
		m.diagnosis(e)
	}
	for _, o := range e.Outputs {
		m.output(o)
	}
	m.facts(e)
	m.WriteString("</details>\n")
}

// publicThread is what a thread of the bank looks like, owner/repository#number.
var publicThread = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]+)#([0-9]{1,9})$`)

// diagnosis writes what would explain a recording, before all else.
func (m *markup) diagnosis(e Entry) {
	m.WriteString("<div class=\"diagnosis\">")
	m.element(`p class="sentence"`, e.Sentence())
	if d := e.Diagnosis; d != nil {
		if all := slices.Concat(d.Explains, d.Leading); len(all) > 0 {
			if at := publicThread.FindStringSubmatch(all[0].Thread); at != nil {
				m.WriteString("<p>Met in public: ")
				m.element("a rel=\"noreferrer\" href=\"https://github.com/"+at[1]+"/issues/"+at[2]+"\"", all[0].Thread)
				m.WriteString("</p>")
			}
		}
		m.list(slices.Concat(runnersUp(d), remarks(d)))
	}
	m.WriteString("</div>\n")
}

// output writes what is said of one output.
func (m *markup) output(o verdict.Output) {
	m.WriteString("<section class=\"output\">\n<h3>")
	m.element("code", Printable(o.Name))
	m.element("small", fmt.Sprintf("%s %v", Brief(o.Type), o.Shape))
	m.status("span class=\"badge "+o.Status.String()+"\"", o.Status)
	m.WriteString("</h3>\n")
	m.scores(o)
	m.list(remarksOf(o))
	m.pictures(o.Picture)
	m.titled("Where", wheres(o.Slices))
	m.worst(shown(o))
	var rows []string
	for _, w := range o.WrongRows {
		rows = append(rows, fmt.Sprintf("row %d: %s", w.Row, w.Why))
	}
	m.titled("Worst rows", rows)
	m.titled("Tests that failed", o.Reasons)
	m.WriteString("</section>\n")
}

// titled writes a list under a heading, if there is anything to be listed.
func (m *markup) titled(heading string, lines []string) {
	if len(lines) > 0 {
		m.element("h4", heading)
		m.list(lines)
	}
}

// scores writes scores before their limits, or the sentence that stands for them.
func (m *markup) scores(o verdict.Output) {
	if o.Rows > 0 || exact(o) || notExact(o) || o.NonFinite > 0 && o.NonFinite == o.Elements || o.MaxZLimit == 0 {
		var line strings.Builder
		scores(&line, o)
		_, words, _ := strings.Cut(line.String(), " ")
		m.element(`p class="words"`, strings.Join(strings.Fields(words), " "))
		return
	}
	m.WriteString("<div class=\"wide\"><table class=\"scores\"><thead><tr>")
	for _, name := range []string{"score", "is", "limit", "of the limit"} {
		m.element(`th scope="col"`, name)
	}
	m.WriteString("</tr></thead><tbody>\n")
	m.score("max z", score(o.MaxZ)+"σ", score(o.MaxZLimit)+"σ", share(o.MaxZ, o.MaxZLimit))
	m.score("rms w", score(o.RMS), score(o.RMSLimit), share(o.RMS, o.RMSLimit))
	m.score("bias", score(o.Bias), strings.TrimPrefix(biasLimit(o), "of "), share(max(o.Bias, -o.Bias), o.BiasLimit))
	m.WriteString("</tbody></table></div>\n")
}

// score writes one score, and how much of its limit it fills.
func (m *markup) score(name, is, limit string, fill float64) {
	const wide = 112
	class, words := "bar", ""
	if fill > 1 {
		class, words = "beyond", " beyond"
	}
	m.WriteString("<tr class=\"" + class + "\">")
	m.element(`th scope="row"`, name)
	m.element(`td class="n"`, is)
	m.element(`td class="n"`, limit)
	fmt.Fprintf(m, `<td><svg class="fill" width="%d" height="8" aria-hidden="true"><rect class="ground" width="%d" `+
		`height="8"/><rect class="%s" width="%.0f" height="8"/></svg>`, wide, wide, class, wide*min(1, max(0, fill)))
	m.text(words)
	m.WriteString("</td></tr>\n")
}

// remarksOf are what is said of an output beside its scores.
func remarksOf(o verdict.Output) (all []string) {
	if o.Signs != nil {
		all = append(all, o.Signs.InWords(), o.Signs.Misses())
	}
	if o.NonFinite > 0 {
		all = append(all, fmt.Sprintf("%d of %d elements are NaN or Inf out of place", o.NonFinite, o.Elements))
	}
	if o.Vouches > 0 {
		all = append(all, "one number, which the arithmetic explains to 1 ± "+brief(o.Vouches))
	}
	if len(o.Blind) > 0 {
		all = append(all, verdict.WouldPass(o.Blind))
	}
	if o.NotJudged != "" {
		all = append(all, o.NotJudged)
	}
	if o.Picture != nil && o.Picture.Exact > 0 && o.Picture.Exact < o.Elements {
		all = append(all, fmt.Sprintf("%d of %d elements are exact, as they have to be, and stand in no picture",
			o.Picture.Exact, o.Elements))
	}
	return all
}

// pictures writes the histogram and the maps.
func (m *markup) pictures(p *verdict.Picture) {
	if p == nil {
		return
	}
	if p.Part != "" {
		m.element("p", "Drawn of "+Line(p.Part)+" alone.")
	}
	m.WriteString("<div class=\"pictures\">\n")
	if h := p.Histogram; h != nil {
		if drawn := drawHistogram(*h); drawn != "" {
			m.figure(drawn, "scaled errors", histogramWords(*h))
		}
	}
	for _, each := range p.Maps {
		if rows, _ := sides(each); rows > 0 { // a report may say anything
			m.figure(drawMap(each), mapTitle(each), mapWords(each))
		}
	}
	m.WriteString("</div>\n")
}

// figure writes a drawing, and what it shows in words.
func (m *markup) figure(drawn, title, words string) {
	m.WriteString("<figure>" + drawn + "<figcaption>")
	m.text(title + " ")
	m.element("span", words)
	m.WriteString("</figcaption></figure>\n")
}

// worst writes the worst elements as a table.
func (m *markup) worst(all []verdict.Element) {
	if len(all) == 0 {
		return
	}
	m.WriteString("<h4>Worst elements</h4><div class=\"wide\"><table class=\"worst\"><thead><tr>")
	for _, name := range []string{"at", "recorded", "bits", "true", "bits", "error, ulp", "σ", "z"} {
		m.element(`th scope="col"`, name)
	}
	m.WriteString("</tr></thead><tbody>\n")
	for _, e := range all {
		m.WriteString("<tr>")
		m.element("td", place(e.Index))
		for _, text := range []string{
			fmt.Sprintf("%.9g", e.Got), Printable(e.GotHex), fmt.Sprintf("%.9g", e.Want), Printable(e.WantHex),
			signed(e.Ulps), score(e.Sigma), score(e.Z),
		} {
			m.element(`td class="n"`, text)
		}
		m.WriteString("</tr>\n")
	}
	m.WriteString("</tbody></table></div>\n")
}

// facts writes what is known of a recording beside its outputs.
func (m *markup) facts(e Entry) {
	m.WriteString("<div class=\"facts\">\n")
	if v := e.Vouching; v != nil {
		m.WriteString("<section>")
		m.element("h4", "Vouches against")
		m.element("p", fmt.Sprintf("%d of %d known mistakes", v.Against, v.Known))
		if len(v.Holds) > 0 {
			m.element("p", "The declared arithmetic explains it, and it holds: "+Line(strings.Join(v.Holds, "; ")))
		}
		if len(v.Blind) > 0 {
			m.WriteString("<details>")
			m.element("summary", fmt.Sprintf("blind to %d", len(v.Blind)))
			m.element("p", Line(strings.Join(v.Blind, ", ")))
			m.WriteString("</details>")
		}
		m.WriteString("</section>\n")
	}
	m.pairs("Attributes", slices.Sorted(maps.Keys(e.Attrs)), e.Attrs)
	m.pairs("Declared arithmetic", slices.Sorted(maps.Keys(e.Arithmetic)), e.Arithmetic)
	m.pairs("Recorded by", provenanceKeys, e.Provenance)
	m.WriteString("</div>\n")
}

// pairs writes the values of some keys, under a heading.
func (m *markup) pairs(heading string, keys []string, values map[string]any) {
	begun := false
	for _, key := range keys {
		v, ok := values[key]
		if !ok {
			continue
		}
		if !begun {
			m.WriteString("<section>")
			m.element("h4", heading)
			m.WriteString("<dl>")
		}
		begun = true
		m.element("dt", Brief(key))
		m.element("dd", Brief(fmt.Sprint(v)))
	}
	if begun {
		m.WriteString("</dl></section>\n")
	}
}
