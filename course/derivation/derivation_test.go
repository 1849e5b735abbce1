package derivation

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"plumbline/internal/check"
	"plumbline/internal/ledger"
)

const root = "../.."

func TestPages(t *testing.T) { check.PagesOf(t, root, Pages) }

// A step without its formula, or without its reason, is a test like any other, and no lesson.
func TestDerivationsAreWhole(t *testing.T) {
	derivations, err := Read(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]string{}
	for _, d := range derivations {
		for _, problem := range lacks(d) {
			t.Errorf("%s: %s: %s", d.File, d.Name, problem)
		}
		if other, twice := headings[anchor(d.Heading)]; twice {
			t.Errorf("%s: %s has the heading of %s", d.File, d.Name, other)
		}
		headings[anchor(d.Heading)] = d.Name
	}
}

// lacks returns what a derivation should have and has not.
func lacks(d Derivation) (problems []string) {
	missing := func(is bool, format string, args ...any) {
		if is {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	missing(d.Heading == "", "its comment has no heading")
	missing(len(d.Before) < 2, "its comment has no introduction with a formula")
	missing(len(d.Steps) < 4 || len(d.Steps) > 7, "it has %d steps, want 4 to 7", len(d.Steps))
	ends := false
	for _, s := range d.Steps {
		prose, formula := false, false
		for _, block := range s.Text {
			prose, formula = prose || block.Prose != "", formula || block.Formula != nil
			missing(block.Formula != nil && !strings.HasPrefix(ledger.Formula(block.Formula), "$"),
				"line %d: the formula %q is not understood", s.Line, block.Formula)
		}
		missing(!formula, "line %d: the comment above the step has no formula", s.Line)
		missing(!prose, "line %d: the comment above the step says no reason", s.Line)
		missing(strings.HasSuffix(s.Sentence, "."), "line %d: its name ends with a point", s.Line)
		ends = ends || strings.HasPrefix(s.Sentence, "but ")
	}
	missing(!ends, `no step begins with "but" and shows where it ends`)
	return problems
}

const example = `package moe

// # Why a sum is even
//
// Two numbers are added:
//
//	s = a_1 + b
//
// Euclid.
func TestDerivationSum(t *testing.T) {
	x := Load(1)
	total := func() { Weigh(x) }

	// Because of (1).
	//
	//	2 s = 2 a_1
	t.Run("so it is " +
		"even", func(t *testing.T) {
		helper(total)
		use(T{Choose: 1}, mtp.Draft)
	})

	t.Run("but not for one", func(t *testing.T) { g.Choose(1) })
}

func helper(f func()) { m.method() }

func (m M) method() { m.Gate.Route() }
`

// books is the equations of the example.
var books = []*ledger.Function{
	{Package: "moe", Name: "Load"}, {Package: "moe", Name: "Weigh"}, {Package: "moe", Name: "Gate.Choose"},
	{Package: "moe", Name: "Gate.Route"}, {Package: "moe", Name: "Layer.Route"}, {Package: "mtp", Name: "Draft"},
	{Package: "mtp", Name: "Load"},
}

func readExample(t *testing.T, source string) (Derivation, error) {
	t.Helper()
	files := fstest.MapFS{"moe/derivation_test.go": {Data: []byte(source)}, "moe/gate.go": {Data: []byte("not Go")}}
	all, err := read(files, "moe", books)
	if err != nil {
		return Derivation{}, err
	}
	if len(all) != 1 {
		t.Fatalf("%d derivations", len(all))
	}
	return all[0], nil
}

func TestRead(t *testing.T) {
	d, err := readExample(t, example)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("heading and introduction come from the comment of the test", func(t *testing.T) {
		want := []Block{{Prose: "Two numbers are added:"}, {Formula: []string{"s = a_1 + b"}}, {Prose: "Euclid."}}
		if diff := cmp.Diff(want, d.Before); diff != "" || d.Heading != "Why a sum is even" || d.key() != "moe.Sum" {
			t.Errorf("%q, %q\n%s", d.Heading, d.key(), diff)
		}
	})
	t.Run("a step has its name, its line, and the comment above it", func(t *testing.T) {
		want := []Block{{Prose: "Because of (1)."}, {Formula: []string{"2 s = 2 a_1"}}}
		s := d.Steps[0]
		if diff := cmp.Diff(want, s.Text); diff != "" || s.Sentence != "so it is even" || s.Line != 17 {
			t.Errorf("%q in line %d\n%s", s.Sentence, s.Line, diff)
		}
	})
	t.Run("it calls what it names, itself or through helpers and what the test made before", func(t *testing.T) {
		for i, want := range []string{"moe.Gate.Route moe.Weigh moe.Load mtp.Draft", "moe.Gate.Choose"} {
			var calls []string
			for _, f := range d.Steps[i].Calls {
				calls = append(calls, f.Path())
			}
			if got := strings.Join(calls, " "); got != want {
				t.Errorf("step %d calls %s, want %s", i+1, got, want)
			}
		}
	})
	t.Run("what is missing is said", func(t *testing.T) {
		want := []string{
			"it has 2 steps, want 4 to 7", "line 23: the comment above the step has no formula",
			"line 23: the comment above the step says no reason",
		}
		if diff := cmp.Diff(want, lacks(d)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("sub-tests in a loop are refused: they are no steps", func(t *testing.T) {
		_, err := readExample(t, strings.Replace(example, "	x := Load(1)", `	for range 2 { t.Run("", nil) }`, 1))
		const want = "moe/derivation_test.go: TestDerivationSum has 3 sub-tests, 2 "
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("derivations in another file are refused: they would be missing", func(t *testing.T) {
		files := fstest.MapFS{"moe/gate_test.go": {Data: []byte("package moe\nfunc TestDerivationX() {}")}}
		const want = "moe/gate_test.go: TestDerivationX stands in another file than derivation_test.go"
		if _, err := read(files, "moe", books); err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a package without the file has none", func(t *testing.T) {
		if all, err := read(fstest.MapFS{}, "moe", books); err != nil || all != nil {
			t.Errorf("%v, %v", all, err)
		}
	})
}

func TestArranged(t *testing.T) {
	all := []Derivation{{Package: "moe", Name: "TestDerivationA"}, {Package: "mtp", Name: "TestDerivationB"}}
	t.Run("the order is that of the page", func(t *testing.T) {
		got, err := arranged(all, []string{"mtp.B", "moe.A"})
		if diff := cmp.Diff([]Derivation{all[1], all[0]}, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
	t.Run("it has them all and no other", func(t *testing.T) {
		for want, order := range map[string][]string{
			"course/derivation: there is no derivation moe.C":     {"moe.A", "mtp.B", "moe.C"},
			"course/derivation: no place on the page for [mtp.B]": {"moe.A"},
		} {
			if _, err := arranged(all, order); err == nil || err.Error() != want {
				t.Errorf("%v: got %v", order, err)
			}
		}
	})
}

func TestInline(t *testing.T) {
	for prose, want := range map[string]string{
		"a load of 3 tokens":         "a load of 3 tokens",
		"the load c_i, and (s_j).":   "the load $`c_{i}`$, and ($`s_{j}`$).",
		"KL(π_ref ‖ π) is 0.":        "$`\\text{KL}(\\pi_{\\text{ref}} \\Vert \\pi)`$ is 0.",
		"(see p(y | x), or H(X))":    "(see $`p(y \\mid x)`$, or $`H(X)`$)",
		"E[r] of two":                "$`E[r]`$ of two",
		"2⁻⁶ s, ‖x‖":                 "$`2^{-6}`$ s, $`\\Vert x\\Vert`$",
		"1 < 2 * 3 [sic] $5 `a` a_⌘": "1 &lt; 2 \\* 3 \\[sic] &#36;5 \\`a\\` a\\_⌘",
	} {
		if got := inline(prose); got != want {
			t.Errorf("%s\n got %s\nwant %s", prose, got, want)
		}
	}
}

// A line that begins with a sign or a number may begin a list.
func TestWrapped(t *testing.T) {
	words := strings.Fields(strings.Repeat("word ", 21) + "is − + 1. # word")
	got := strings.Split(wrapped(words), "\n")
	if len(got) != 2 || got[1] != "word" {
		t.Errorf("got %q", got)
	}
}

func TestAnchor(t *testing.T) {
	for heading, want := range map[string]string{
		"Absorption, and why RoPE forbids it": "absorption-and-why-rope-forbids-it", "k3 is unbiased": "k3-is-unbiased",
	} {
		if got := anchor(heading); got != want {
			t.Errorf("%s: %s, want %s", heading, got, want)
		}
	}
}
