package course

import (
	"fmt"
	"strings"

	"plumbline/internal/ledger"
)

// writer writes the paths in one language.
type writer struct {
	strings.Builder
	language Language
	ledger   map[string]*ledger.Function // by package.Name
	tests    map[string]ledger.Test      // by package.Name
	drawn    map[string]bool             // pictures that stand on the page already
}

func newWriter(l *ledger.Ledger, language Language) *writer {
	w := &writer{
		language: language, ledger: map[string]*ledger.Function{}, tests: map[string]ledger.Test{},
		drawn: map[string]bool{},
	}
	for _, f := range l.Functions {
		w.ledger[f.Path()] = f
		for _, test := range f.Tests {
			w.tests[f.Package+"."+test.Name] = test
		}
	}
	return w
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(w, format, args...) }

// say returns a text in the language of the page, with its formulas in GitHub's maths.
func (w *writer) say(t Text) string {
	text, _ := ledger.Inline(t.In(w.language)) // a test says that all convert
	return text
}

// either returns one of two pieces of Markdown, by the language of the page.
func (w *writer) either(english, chinese string) string {
	if w.language == Chinese {
		return chinese
	}
	return english
}

// docs and root return how the page is left for docs and for the root of the module.
func (w *writer) docs() string { return w.either("", "../") }

func (w *writer) root() string { return w.docs() + "../" }

// space stands between sentences, but not in Chinese, whose punctuation is as wide as a space.
func (w *writer) space() string { return w.either(" ", "") }

// functions returns those of a station; a test says that all are there.
func (w *writer) functions(s Station) (all []*ledger.Function) {
	for _, name := range s.Function {
		if f := w.ledger[name]; f != nil {
			all = append(all, f)
		}
	}
	return all
}

// stations links stations of this page.
func (w *writer) stations(all []Station) (links []string) {
	for _, s := range all {
		links = append(links, fmt.Sprintf("[%s](#%s)", w.say(s.Title), s.ID))
	}
	return links
}

func (w *writer) paths() string {
	w.printf("<!-- Written by go generate ./... from course. -->\n\n")
	w.printf("# %s\n\n%s\n\n%s\n", w.say(heading), w.say(introduction), w.say(otherLanguage))
	w.readingList()
	for _, route := range Routes() {
		w.printf("\n## <a id=\"%s\"></a>%s\n\n%s\n", route.ID, w.say(route.Title), w.say(route.Intro))
		for _, station := range route.Stations {
			w.station(station)
		}
	}
	return w.String()
}

// readingList writes the routes' stations in a row each, and where the entries of the reading list
// are answered.
func (w *writer) readingList() {
	w.printf("\n## %s\n\n| %s | %s |\n|---|---|\n", w.say(listTitle), w.say(entryTitle), w.say(stationTitle))
	for _, entry := range ReadingList() {
		w.printf("| %s | %s |\n", w.say(entry.Name), strings.Join(w.stations(entry.Stations), " · "))
	}
	w.printf("\n")
	for _, route := range Routes() {
		w.printf("- **[%s](#%s)**%s%s\n", w.say(route.Title), route.ID, w.either(": ", "："),
			strings.Join(w.stations(route.Stations), " → "))
	}
}

// Entry is an entry of the reading list and the stations that answer it.
type Entry struct {
	Name     Read
	Stations []Station
}

// ReadingList returns the entries in the order in which they are met.
func ReadingList() (list []Entry) {
	at := map[Read]int{}
	for _, route := range Routes() {
		for _, station := range route.Stations {
			for _, read := range station.Read {
				i, ok := at[read]
				if !ok {
					i, at[read] = len(list), len(list)
					list = append(list, Entry{Name: read})
				}
				list[i].Stations = append(list[i].Stations, station)
			}
		}
	}
	return list
}

func (w *writer) station(s Station) {
	w.printf("\n### <a id=\"%s\"></a>%s\n\n%s\n\n", s.ID, w.say(s.Title), w.say(s.Why))
	w.printf("| %s | %s | %s |\n|---|---|---|\n", w.say(formulaTitle), w.say(functionTitle), w.say(paperTitle))
	for _, f := range w.functions(s) {
		w.printf("| %s | %s | %s |\n", ledger.Formula(f.Formula), f.Link(w.root()), ledger.Cell(f.Cites()))
	}
	w.picture(s.Look.Picture)
	w.printf("\n%s\n", strings.Join(w.links(s), " · "))
	w.lesson(s)
	w.exercise(s)
}

func (w *writer) exercise(s Station) {
	w.printf("\n%s%s%s%s%s`plumbline learn %s`\n", w.say(exerciseTitle), w.space(), w.say(s.Exercise), w.space(),
		w.say(learnTitle), s.Function[0])
	w.printf("\n<details><summary>%s</summary>\n\n%s\n\n</details>\n", w.say(answerTitle), w.say(s.Answer))
}

// picture writes a picture where it is met for the first time.
func (w *writer) picture(name string) {
	if name == "" || w.drawn[name] {
		return
	}
	w.drawn[name] = true
	file := w.docs() + "pictures/" + name
	w.printf("\n<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"%s-dark.svg\">"+
		"<img alt=\"%s\" src=\"%s.svg\"></picture>\n", file, captions[name].In(w.language), file)
}

// links returns where the numbers of a station are, and its Examples.
func (w *writer) links(s Station) (links []string) {
	look := func(title Text, file string) {
		links = append(links, fmt.Sprintf("[%s](%s)", w.say(title), w.docs()+file))
	}
	picture := Text{pictureTitle.En, pictureTitle.Zh + captions[s.Look.Picture].Zh}
	for _, l := range []struct {
		title       Text
		name, place string
	}{
		{handTitle, s.Look.Hand, "hand/%s.md"}, {picture, s.Look.Picture, "PICTURES.md#%s"},
		{countTitle, s.Look.Count, "COUNT.md#%s"}, {derivationTitle, s.Look.Derivation, "DERIVATIONS.md#%s"},
		{storyTitle, s.Look.Story, "stories/%s.md"},
	} {
		if l.name != "" {
			look(l.title, fmt.Sprintf(l.place, l.name))
		}
	}
	return append(links, w.examples(s)...)
}

// examples returns links to the Examples of the functions of a station, or else to one that names
// one of them.
func (w *writer) examples(s Station) (links []string) {
	var shown ledger.Test
	for _, f := range w.functions(s) {
		if example, ok := f.Example(); ok {
			links = append(links, w.test(exampleTitle, example))
		} else if example, ok := f.Shown(); ok {
			shown = example
		}
	}
	if len(links) == 0 && shown.Name != "" {
		links = append(links, w.test(exampleTitle, shown))
	}
	return links
}

func (w *writer) test(title Text, test ledger.Test) string {
	return fmt.Sprintf("%s [`%s`](%s)", w.say(title), test.Name, w.at(test.File, test.Line))
}

// at returns the address of a line.
func (w *writer) at(file string, line int) string {
	return fmt.Sprintf("%s%s#L%d", w.root(), file, line)
}

// lesson writes the tests of a station and, in English as they are, what their sub-tests say.
func (w *writer) lesson(s Station) {
	for _, name := range s.Tests {
		if test, ok := w.tests[name]; ok {
			w.sentences(name, test)
		}
	}
	if len(s.Tests) > 0 {
		return
	}
	seen := map[string]bool{}
	for _, f := range w.functions(s) {
		if test, ok := f.Lesson(); ok && !seen[f.Package+test.Name] {
			seen[f.Package+test.Name] = true
			w.sentences(f.Package+"."+test.Name, test)
		}
	}
}

func (w *writer) sentences(name string, test ledger.Test) {
	link := fmt.Sprintf("<a href=\"%s\"><code>%s</code></a>", w.at(test.File, test.Line), name)
	if len(test.Sentences) == 0 {
		w.printf("\n%s %s\n", w.say(testTitle), link)
		return
	}
	w.printf("\n<details><summary>%s %s</summary>\n\n", w.say(testTitle), link)
	for _, sentence := range test.Sentences {
		w.printf("- [%s](%s)\n", ledger.Cell(sentence.Text), w.at(test.File, sentence.Line))
	}
	w.printf("\n</details>\n")
}
