package course

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"plumbline/internal/check"
	"plumbline/internal/ledger"
)

const root = ".."

func TestPages(t *testing.T) { check.PagesOf(t, root, Pages) }

// stations returns all stations.
func stations() (all []Station) {
	for _, route := range Routes() {
		all = append(all, route.Stations...)
	}
	return all
}

var readOnce = sync.OnceValues(func() (*ledger.Ledger, error) { return ledger.Read(os.DirFS(root)) })

// books returns what the sources of the project say.
func books(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestStations(t *testing.T) {
	w := newWriter(books(t), English)
	ids := map[string]bool{}
	for _, s := range stations() {
		t.Run(s.ID, func(t *testing.T) {
			if ids[s.ID] {
				t.Error("two stations of one name")
			}
			ids[s.ID] = true
			if s.Look.Hand == "" && s.Look.Picture == "" && s.Look.Count == "" {
				t.Error("neither worked by hand nor drawn nor counted")
			}
			for _, name := range s.Function {
				checkFunction(t, w.ledger[name], name)
			}
			if len(w.examples(s)) == 0 {
				t.Error("no Example")
			}
			for _, name := range s.Tests {
				if _, ok := w.tests[name]; !ok {
					t.Errorf("no test %s", name)
				}
			}
		})
	}
}

// checkFunction wants a formula, a test and a citation of a function.
func checkFunction(t *testing.T, f *ledger.Function, name string) {
	t.Helper()
	if f == nil {
		t.Errorf("no equation %s", name)
		return
	}
	if len(f.Formula) == 0 {
		t.Errorf("%s has no formula", name)
	}
	if _, ok := f.Lesson(); !ok {
		t.Errorf("%s has no test", name)
	}
}

// Every text is there in both languages, and its formulas are known to the conversion.
func TestTextsAreWhole(t *testing.T) {
	for _, s := range stations() {
		for _, text := range append([]Text{s.Title, s.Why, s.Exercise, s.Answer}, s.Read...) {
			for _, l := range []Language{English, Chinese} {
				if _, ok := ledger.Inline(text.In(l)); !ok || text.In(l) == "" {
					t.Errorf("%s: %q in language %d", s.ID, text.In(l), l)
				}
			}
		}
		if han(s.Why.En) || !han(s.Why.Zh) || han(s.Exercise.En) || !han(s.Exercise.Zh) {
			t.Errorf("%s: a text is in the wrong language", s.ID)
		}
	}
}

func han(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

func TestLinesAreJoined(t *testing.T) {
	for text, want := range map[string]string{
		"one\n\t\ttwo": "one two", "one)\n\ttwo": "one) two", "一，\n\t\t二": "一，二", "一\n\t二": "一二",
		"一\n\tKV": "一 KV", "KV\n\t一": "KV 一", "8\n\t个": "8 个", "一\n\t√D": "一 √D", "一，\n\tKV": "一，KV",
		"KV\n\t（一": "KV（一", "一\n\t[二](": "一[二](", "“一”\n\t二": "“一”二",
	} {
		if got := joined(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// In Chinese a space stands between a character and a Latin letter, digit, sign or bracket, none at
// full-width punctuation, and no half-width punctuation at a character.
var misspaced = regexp.MustCompile("\\p{Han}[\\p{Latin}\\p{Greek}\\p{N}\\p{S}(]|" +
	"[\\p{Latin}\\p{Greek}\\p{N}\\p{S}%)]\\p{Han}|" +
	" [，。；：？、！（）“”]|[，。；：？、！（）“”] |[,.;:?!\"]\\p{Han}|\\p{Han}[,.;:?!\"]")

func TestChineseIsSpaced(t *testing.T) {
	var texts []Text
	for _, route := range Routes() {
		texts = append(texts, route.Title, route.Intro)
	}
	for _, s := range stations() {
		texts = append(append(texts, s.Title, s.Why, s.Exercise, s.Answer), s.Read...)
	}
	for _, term := range Terms {
		texts = append(texts, Text{Zh: term.Zh}, Text{Zh: term.Meaning})
	}
	for _, caption := range captions {
		texts = append(texts, caption)
	}
	for _, text := range append(texts, introduction) {
		if found := misspaced.FindString(text.In(Chinese)); found != "" {
			t.Errorf("%q in %q", found, text.In(Chinese))
		}
	}
}

// The pages say what each picture shows, and of no other.
func TestCaptions(t *testing.T) {
	drawn := map[string]bool{}
	for _, s := range stations() {
		if name := s.Look.Picture; name != "" {
			drawn[name] = true
			if c := captions[name]; c.En == "" || !han(c.Zh) {
				t.Errorf("%s: no caption of %s", s.ID, name)
			}
		}
	}
	for name := range captions {
		if !drawn[name] {
			t.Errorf("a caption of %s, which no station shows", name)
		}
	}
}

func TestTerms(t *testing.T) {
	ids := map[string]bool{"": true}
	for _, s := range stations() {
		ids[s.ID] = true
	}
	seen := map[string]bool{}
	for _, term := range Terms {
		if !ids[term.Station] {
			t.Errorf("%s: no station %s", term.Zh, term.Station)
		}
		if seen[term.Zh] || seen[term.En] {
			t.Errorf("%s, %s: a term stands twice", term.Zh, term.En)
		}
		seen[term.Zh], seen[term.En] = true, true
	}
}

// The reading list that people come with.
func TestReadingList(t *testing.T) {
	var names []string
	for _, entry := range ReadingList() {
		names = append(names, entry.Name.En)
	}
	for _, want := range []string{
		"MHA", "MQA", "GQA", "MLA", "MLA's RoPE", "compressed queries", "MLA's inference by absorption",
		"MLA's GQA view", "why a small KV cache matters", "why there is no query cache", "DeepSeekMoE",
		"FP8 training", "V3's parameters counted", "multi-token prediction: why it works",
		"multi-token prediction: its loss", "multi-token prediction: its memory-saving form",
		"multi-token prediction: a training forward", "multi-token prediction: inference",
		"Monte Carlo", "TD", "Q-learning", "DQN", "policy gradients", "actor-critic", "TRPO", "PPO", "DPO",
		"GRPO", "GPPO", "the unified view", "RFT", "R1's pipeline",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("the reading list lacks %q", want)
		}
	}
}

// Every note of the sources stands in the page of misprints.
func TestMisprintsAreWhole(t *testing.T) {
	l := books(t)
	page := misprints(l)
	var notes int
	for _, f := range l.Functions {
		notes += len(f.Notes)
	}
	if rows := strings.Count(page, "\n| [`"); rows != notes || notes < 100 {
		t.Errorf("%d rows of %d notes", rows, notes)
	}
}
