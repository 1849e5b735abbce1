package course

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is a sentence or more in both languages. «…» in it is a formula, in the notation of the
// comments of the code.
type Text struct{ En, Zh string }

// Language is one of those that a page can be written in.
type Language int

// The languages of the pages.
const (
	English Language = iota
	Chinese
)

// In returns the text in a language, on one line.
func (t Text) In(l Language) string {
	if l == Chinese {
		return joined(t.Zh)
	}
	return joined(t.En)
}

// joined joins lines as they are read: with a space, but for Chinese, where one stands only between
// a Chinese character and a Latin letter, digit or sign.
func joined(text string) string {
	var b strings.Builder
	last := rune(0)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		first, _ := utf8.DecodeRuneInString(line)
		if b.Len() > 0 && spaced(last, first) {
			b.WriteByte(' ')
		}
		b.WriteString(line)
		last, _ = utf8.DecodeLastRuneInString(line)
	}
	return b.String()
}

// spaced says whether the end of a line between two characters stands for a space.
func spaced(last, first rune) bool {
	switch {
	case last < cjk && first < cjk:
		return true
	case unicode.Is(unicode.Han, last) && first < cjk:
		return !unicode.IsPunct(first)
	case unicode.Is(unicode.Han, first) && last < cjk:
		return !unicode.IsPunct(last)
	}
	return false
}

// cjk is where the characters and the full-width punctuation of Chinese begin.
const cjk = 0x2E80

// Route is a way from what a reader knows to what a reader came for.
type Route struct {
	ID       string // anchor of its heading
	Title    Text
	Intro    Text
	Stations []Station
}

// Station is one step of a route: an equation or a few that belong together.
type Station struct {
	ID       string // anchor of its heading
	Title    Text
	Why      Text // one sentence: why it follows from the station before
	Exercise Text
	Answer   Text     // of the exercise
	Read     []Read   // entries of the reading list that it answers
	Function []string // package.Name; the first is what plumbline learn empties
	Tests    []string // package.TestName, where others than those of the functions are the lesson
	Look     Look
}

// Read is an entry of the reading list.
type Read = Text

// Look is where the numbers of a station can be seen; "" where they cannot. A station has one of
// Hand, Picture and Count at least.
type Look struct {
	Hand       string // page below docs/hand
	Picture    string // heading of docs/PICTURES.md
	Derivation string // heading of docs/DERIVATIONS.md
	Story      string // page below docs/stories
	Count      string // heading of docs/COUNT.md
}

// Routes returns the three routes in the order in which they are walked.
func Routes() []Route { return []Route{attentionRoute, expertsRoute, learningRoute} }
