package exercise

import (
	"slices"
	"strings"
	"testing"
)

// TestRead reads what go test says of sub-tests, one line of words for an event: action, test and
// output.
func TestRead(t *testing.T) {
	l := lessons{sentences: map[string]string{"a_key_of_kv_len": "a key of kv_len"}}
	for _, c := range []struct {
		name, events   string
		passed, failed int
		first          string
	}{
		{"a test without sub-tests is one", "run T|pass T", 1, 0, ""},
		{"a test with sub-tests is none", "run T|run T/a|pass T/a|run T/b|pass T/b|pass T", 2, 0, ""},
		{"what is skipped is not counted", "run T|skip T", 0, 0, ""},
		{"the first that is red tells", "run T|run T/a|fail T/a|run T/b|output T/b b|fail T/b|fail T", 0, 2,
			"T: a: "},
		{"it tells what it reports", "run T|run T/a|output T/a got 1|fail T/a|fail T", 0, 1, "T: a: got 1"},
		{"frames are left out",
			"run T|output T === RUN T|output T --- FAIL: T|output T got 1|output T To reproduce, do|fail T",
			0, 1, "T: : got 1"},
		{"sentences have their underscores", "run T|run T/a_key_of_kv_len|fail T/a_key_of_kv_len|fail T", 0, 1,
			"T: a key of kv_len: "},
		{"those that are put together have spaces",
			"run T|run T/head_3|run T/head_3/a_b|fail T/head_3/a_b|fail T/head_3|fail T", 0, 1, "T: head 3: a b: "},
		{"a test may be red when its sub-tests are not", "run T|run T/a|pass T/a|output T left|fail T", 1, 1,
			"T: : left"},
		{"where the program ended is red", "run T|run T/a|output T/a got 1", 0, 1, "T: a: got 1"},
		{"the test around it has the panic",
			"run T|run T/a|fail T/a|output T panic: x [recovered]|output T \t/a b/rope/r_test.go:3 +0x1|" +
				"output T \t/a b/rope/r.go:5 +0x1|output T \t/a b/rope/r.go:7|fail T",
			0, 1, "T: a: panic: x; at rope/r.go:5; at rope/r_test.go:3"},
		{"so it is with what cannot be recovered", "run T|output T fatal error: deadlock|output T goroutine 1|fail T",
			0, 1, "T: : fatal error: deadlock"},
		{"names are odd where code prints what looks like them", "run T|run T//|pass T//|run /|run //|pass T", 1, 1,
			": : : "},
		{"long reports are cut", "run T" + strings.Repeat("|output T x", 50) + "|fail T", 0, 1,
			"T: : " + strings.Repeat("x; ", mostSaid) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Result{Exercise: Exercise{Package: "rope"}}
			r.read(eventsOf(c.events), l)
			first := ""
			if f := r.First; f != nil {
				first = f.Test + ": " + f.Sentence + ": " + strings.Join(f.Lines, "; ")
			}
			if r.Passed != c.passed || r.Failed != c.failed || first != c.first {
				t.Errorf("%d green, %d red, first %q", r.Passed, r.Failed, first)
			}
			if r.Green() != (c.failed == 0 && c.passed > 0) {
				t.Errorf("green %v", r.Green())
			}
		})
	}
}

func eventsOf(text string) (events []event) {
	for _, line := range strings.Split(text, "|") {
		words := strings.SplitN(line, " ", 3)
		e := event{Action: words[0], Test: words[1]}
		if len(words) > 2 {
			e.Output = words[2] + "\n"
		}
		events = append(events, e)
	}
	return events
}

func TestReadEvents(t *testing.T) {
	t.Run("what is no event is left out", func(t *testing.T) {
		r := &Result{}
		got := readEvents(strings.NewReader("{\"Action\":\"run\",\"Test\":\"T\"}\nelse\n{}\n{\"Action\":"), mostRead, r)
		if !slices.Equal(got, []event{{Action: "run", Test: "T"}}) || r.Cut {
			t.Errorf("%v, cut %v", got, r.Cut)
		}
	})
	t.Run("what is too much is cut, and not green", func(t *testing.T) {
		r := &Result{Passed: 1}
		readEvents(strings.NewReader(strings.Repeat("{\"Action\":\"output\"}\n", 50)), 1000, r)
		if !r.Cut || r.Green() {
			t.Errorf("cut %v", r.Cut)
		}
	})
}

func TestLessonsOf(t *testing.T) {
	for _, c := range []struct {
		room, sentence string
		draws          bool
	}{
		{"rl", "rewards of 1 at γ = ½ add up to 2 − 2^{1−n}, for n steps to go", false},
		{"policy", "it is 0 between equals and positive otherwise", true},
		{"policy", "head 3 of it", true},
	} {
		l, err := lessonsOf(root + "/" + c.room)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(c.sentence, " ", "_")
		if got := l.sentence(name); got != c.sentence || (l.flags() != nil) != c.draws {
			t.Errorf("%s: %q, flags %q", c.room, got, l.flags())
		}
	}
}
