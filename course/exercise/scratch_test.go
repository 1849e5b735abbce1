package exercise

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files are a project with one equation.
var files = map[string]string{
	"go.mod": "module plumbline\n\ngo 1.26\n", "docs/EQUATIONS.md": "", "internal/ledger/doc.go": "package ledger\n",
	"internal/near/near.go":      "package near\n\nfunc Zero(x float64) bool { return x*x < 1e-9 }\n",
	"internal/near/near_test.go": "package near\n",
	"rope/testdata/x.txt":        "x",
	"rope/rope.go": `package rope

import "math"

// Turn returns what is left of x.
//
//	y = x cos θ
//
// It implements RoFormer (15).
func Turn(x, theta float64) float64 {
	return x * math.Cos(theta)
}
`,
	"rope/rope_test.go": `package rope

import (
	"testing"

	"plumbline/internal/near"
)

func TestAll(t *testing.T) { _ = Turn(1, 1) }

func TestTurn(t *testing.T) {
	t.Run("at theta_0 = 0 nothing changes", func(t *testing.T) {
		if got := Turn(2, 0); got != 2 {
			t.Errorf("got %v, want 2", got)
		}
	})
	t.Run("a quarter leaves nothing", func(t *testing.T) {
		if got := Turn(2, 1.5707963267948966); !near.Zero(got) {
			t.Errorf("got %v, want 0", got)
		}
	})
}
`,
}

// project writes the project into a folder.
func project(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(folder, name), text)
	}
	return folder
}

// begun returns a scratch copy in which the one exercise was begun.
func begun(t *testing.T) (*Scratch, *Course, Exercise) {
	t.Helper()
	from := project(t)
	c, err := Read(os.DirFS(from))
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.Find("rope.Turn")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Create(from, filepath.Join(t.TempDir(), "learn"))
	if err != nil {
		t.Fatal(err)
	}
	if line, err := s.Begin(e); err != nil || line != 10 {
		t.Fatalf("line %d, %v", line, err)
	}
	return s, c, e
}

func TestCheck(t *testing.T) {
	s, c, e := begun(t)
	body := func(text string) {
		write(t, s.path("rope/rope.go"), strings.Replace(files["rope/rope.go"], "return x * math.Cos(theta)", text, 1))
	}
	for _, step := range []struct {
		name   string
		change func()
		green  bool
		want   Result
	}{
		{"an empty function is red where its test calls it", func() {}, false, Result{
			Failed: 1, First: &Failure{"TestTurn", "at theta_0 = 0 nothing changes", []string{
				"panic: write rope.Turn", "at rope/rope.go:11", "at rope/rope_test.go:13",
			}},
		}},
		{"what does not compile says where", func() { body("return x * math.Cos(angle)") }, false, Result{
			Build: []string{"rope/rope.go:11:22: undefined: angle"},
		}},
		{"the first sub-test that is red says what it got, whatever became of the tests", func() {
			body("return x + 0*math.Cos(theta)")
			write(t, s.path("rope/rope_test.go"), "package rope\n")
			write(t, s.path("rope/mine_test.go"), "package rope\n\nfunc init() { panic(1) }\n")
			write(t, s.path("internal/near/near.go"), "package near\n\nfunc Zero(float64) bool { return true }\n")
		}, false, Result{
			Passed: 1, Failed: 1,
			First:   &Failure{"TestTurn", "a quarter leaves nothing", []string{"rope_test.go:19: got 2, want 0"}},
			Foreign: []string{"internal/near/near.go", "rope/mine_test.go", "rope/rope_test.go"},
		}},
		{"it is green with the right body", func() { body("return math.Cos(theta) * x") }, true, Result{
			Passed: 3, Foreign: []string{"internal/near/near.go", "rope/mine_test.go", "rope/rope_test.go"},
		}},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.change()
			r, err := s.Check(c, e)
			if err != nil {
				t.Fatal(err)
			}
			step.want.Exercise = e
			same(t, s, r, &step.want)
			if r.Green() != step.green || s.Green()[e.Name] != step.green {
				t.Errorf("green %v, kept %v, want %v", r.Green(), s.Green(), step.green)
			}
		})
	}
	changedData(t, s, c, e)
}

// changedData: what is no Go file cannot be replaced while tests run.
func changedData(t *testing.T, s *Scratch, c *Course, e Exercise) {
	t.Run("changed data of tests is refused", func(t *testing.T) {
		write(t, s.path("rope/testdata/x.txt"), "y")
		_, err := s.Check(c, e)
		refused(t, err, "x.txt: is not as the project has it")
	})
}

// same compares results, with paths from the folder of the copy.
func same(t *testing.T, s *Scratch, got, want *Result) {
	t.Helper()
	for i, name := range got.Foreign {
		rel, err := filepath.Rel(s.Folder, name)
		if err != nil {
			t.Fatal(err)
		}
		got.Foreign[i] = filepath.ToSlash(rel)
	}
	if got.Passed != want.Passed || got.Failed != want.Failed || !slices.Equal(got.Build, want.Build) ||
		!slices.Equal(got.Foreign, want.Foreign) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	switch {
	case (got.First == nil) != (want.First == nil):
		t.Errorf("first got %v, want %v", got.First, want.First)
	case got.First != nil && (got.First.Test != want.First.Test || got.First.Sentence != want.First.Sentence ||
		!slices.Equal(got.First.Lines, want.First.Lines)):
		t.Errorf("first got %q, want %q", got.First, want.First)
	}
}

func TestScratch(t *testing.T) {
	t.Run("it is found again, with what was begun", func(t *testing.T) {
		s, _, e := begun(t)
		again, err := Open(s.Folder)
		if err != nil || again.Current() != e.Name || len(again.Green()) != 0 {
			t.Fatalf("%+v, %v", again, err)
		}
		for from, scratch := range map[string]string{
			s.Folder: s.Folder, s.path("rope"): s.Folder, s.Root(): "", filepath.Join(s.Root(), "rope"): "",
		} {
			if root, in, err := Find(from); err != nil || root != s.Root() || in != scratch {
				t.Errorf("from %s: %q, %q, %v", from, root, in, err)
			}
		}
		if root, in, err := Find(t.TempDir()); err != nil || root != "" || in != "" {
			t.Errorf("from elsewhere: %q, %q, %v", root, in, err)
		}
	})
	t.Run("it holds what tests of equations need, and no other tests", func(t *testing.T) {
		s, _, _ := begun(t)
		for name := range files {
			_, err := os.Stat(s.path(name))
			want := !strings.HasPrefix(name, "docs/") && !strings.HasPrefix(name, "internal/ledger/") &&
				name != "internal/near/near_test.go"
			if (err == nil) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("the solution stands beside what is there", func(t *testing.T) {
		s, _, e := begun(t)
		lines, err := s.Solution(e)
		want := []string{
			"  func Turn(x, theta float64) float64 {", "- \tpanic(\"write rope.Turn\")",
			"+ \treturn x * math.Cos(theta)", "  }",
		}
		if err != nil || !slices.Equal(lines, want) {
			t.Errorf("%q, %v", lines, err)
		}
		write(t, s.path("rope/rope.go"), "package rope\nfunc Turn( {\n")
		if lines, err := s.Solution(e); err != nil || len(lines) != 3 || !strings.HasPrefix(lines[0], "+ func Turn") {
			t.Errorf("beside what cannot be read: %q, %v", lines, err)
		}
	})
	t.Run("a source that is too long is refused, or left out", func(t *testing.T) {
		s, _, e := begun(t)
		write(t, s.path("rope/rope.go"), files["rope/rope.go"]+strings.Repeat("\n", mostSource))
		_, err := s.Begin(e)
		refused(t, err, "rope.go: want a regular file of at most 65536 bytes")
		if lines, err := s.Solution(e); err != nil || len(lines) != 3 {
			t.Errorf("%q, %v", lines, err)
		}
	})
	t.Run("what a reader has written is not emptied", func(t *testing.T) {
		s, _, e := begun(t)
		_, err := s.Begin(e)
		refused(t, err, "is not emptied")
	})
	t.Run("folders that hold anything else, or lie in the repository, are refused", func(t *testing.T) {
		from, other := project(t), t.TempDir()
		write(t, filepath.Join(other, "mine.txt"), "")
		for folder, want := range map[string]string{
			other: "is not empty, and no scratch copy", filepath.Join(from, "learn"): "lies in the repository",
			filepath.Join(other, "mine.txt"): "not a directory",
		} {
			_, err := Create(from, folder)
			refused(t, err, want)
		}
		if _, err := Open(other); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
	})
}

func TestMarkersAreRead(t *testing.T) {
	folder := t.TempDir()
	for text, want := range map[string]string{
		"":                                "want the marker of a scratch copy",
		"{":                               "want the marker of a scratch copy",
		`{"plumbline":2}`:                 `"plumbline": 2, want 1`,
		`{"plumbline":1}`:                 `"root": "", want an absolute path`,
		`{"plumbline":1,"root":"../"}`:    `"root": "../", want an absolute path`,
		`{"plumbline":1,"more":1}`:        `unknown field "more"`,
		strings.Repeat(" ", mostMarker+1): "want a regular file of at most 1048576 bytes",
	} {
		write(t, filepath.Join(folder, Marker), text)
		_, err := Open(folder)
		refused(t, err, want)
	}
}
