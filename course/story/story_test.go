package story

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"plumbline/internal/check"
)

const root = "../.."

// nudged has all stories told with every number of the dice moved by 10⁻¹².
var nudged = sync.OnceValue(func() map[string]*sheet {
	told := map[string]*sheet{}
	for _, s := range Stories() {
		if s.Name != "r1" {
			told[s.Name] = s.teller.sheet(1e-12)
		}
	}
	told["r1"], _ = toldR1()
	return told
})

// TestPages compares the pages with what is told by nudged dice: 10⁻¹² is far more than other
// processors' last bits move anything, and nothing that is printed may change.
func TestPages(t *testing.T) {
	t.Parallel()
	told, err := pages(os.DirFS(root), func(s Story) *sheet { return nudged()[s.Name] })
	if err != nil {
		t.Fatal(err)
	}
	check.Pages(t, root, told)
}

func TestStories(t *testing.T) {
	t.Parallel()
	t.Run("a story is short enough to be read", func(t *testing.T) {
		for name, s := range nudged() {
			lines := strings.Split(s.plain(), "\n")
			if len(lines) > 70 {
				t.Errorf("%s has %d lines", name, len(lines))
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); n > 110 || strings.TrimRight(line, " ") != line {
					t.Errorf("%s: %d columns: %q", name, n, line)
				}
			}
		}
	})
	ppo := Stories()[slices.IndexFunc(Stories(), func(s Story) bool { return s.Name == "ppo" })]
	t.Run("a story is told as plain text", func(t *testing.T) {
		var b strings.Builder
		if err := ppo.Tell(&b); err != nil || b.String() != nudged()["ppo"].plain() {
			t.Errorf("error %v, text %q", err, b.String())
		}
	})
	t.Run("what cannot be written is an error", func(t *testing.T) {
		if err := ppo.Tell(broken{}); !errors.Is(err, errBroken) {
			t.Errorf("error %v", err)
		}
	})
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestSheet(t *testing.T) {
	t.Parallel()
	t.Run("zeros have no sign, and keep their place", func(t *testing.T) {
		for text, want := range map[string]string{
			"-0.000 -0.00": " 0.000  0.00", "-0": " 0", "-0.001": "-0.001", "1e-05": "1e-05", "a -0.0 %": "a  0.0 %",
		} {
			if got := withoutNegativeZero(text); got != want {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		}
	})
	t.Run("rows stand in fences, paragraphs are wrapped", func(t *testing.T) {
		var s sheet
		s.head("Title")
		s.say("%s", strings.Repeat("word ", 20))
		s.say("<a> * %s", strings.Repeat("x", 100))
		s.row("%4d", 1)
		s.row("%4d", 2)
		long := strings.Repeat("x", 100)
		words := strings.TrimSpace(strings.Repeat("word ", 19)) + "\nword"
		want := "\n## Title\n\n" + words + "\n\n&lt;a> \\*\n" + long + "\n\n```text\n   1\n   2\n```\n"
		if got := s.markdown(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, want := s.plain(), "Title\n\n"+words+"\n\n<a> *\n"+long+"\n\n   1\n   2\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
