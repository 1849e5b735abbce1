package exercise

import (
	"slices"
	"strings"
	"testing"

	"plumbline/internal/ledger"
)

func TestCourse(t *testing.T) {
	c := all(t)
	t.Run("every equation is an exercise, once", func(t *testing.T) {
		names := c.Names()
		slices.Sort(names)
		if n := len(slices.Compact(slices.Clone(names))); n != len(names) || n < 400 {
			t.Errorf("%d names of %d exercises", n, len(names))
		}
	})
	t.Run("a way comes first, and the rest by package behind it", func(t *testing.T) {
		way := Group{"Position", []string{"rope.Rotate", "rope.Later", "norm.RMS", "rope.Rotate"}, false}
		names := courseOf(functions(t), []Group{way}).Names()
		if !slices.Equal(names[:2], []string{"rope.Rotate", "norm.RMS"}) || slices.Contains(names[2:], "rope.Rotate") {
			t.Errorf("it begins with %q", names[:4])
		}
	})
	t.Run("a part is a group, or what groups have of a package", func(t *testing.T) {
		c := courseOf(functions(t), []Group{{"Position", []string{"rope.Rotate", "norm.RMS"}, false}})
		for name, want := range map[string]int{"": 1 + len(ledger.Rooms), "Position": 1, "rope": 2, "internal": 0} {
			if got := c.Part(name); len(got) != want {
				t.Errorf("%q: %d groups, want %d", name, len(got), want)
			}
		}
		if got := c.Part("norm"); !slices.Equal(got[0].Functions, []string{"norm.RMS"}) || got[1].Title != "norm" {
			t.Errorf("norm: %v", got)
		}
	})
	t.Run("what was meant by a name that is none is said", func(t *testing.T) {
		_, err := c.Find("rope.Rotat")
		refused(t, err, `no equation "rope.Rotat"; did you mean "rope.Rotate"?`)
	})
	t.Run("what comes next is the first behind it that is not done", func(t *testing.T) {
		names := c.Names()
		if got := c.Next(names[3], map[string]bool{names[1]: true, names[4]: true}); got != names[5] {
			t.Errorf("%s behind %s", got, names[3])
		}
		if got := c.Next(names[len(names)-1], nil); got != "" {
			t.Errorf("%s behind the last", got)
		}
	})
}

func TestTestsOf(t *testing.T) {
	f := &ledger.Function{Name: "YaRN.Amplitude", Tests: []ledger.Test{
		{Name: "Example", Breadth: 1}, {Name: "TestAll", Breadth: 9}, {Name: "TestYaRN", Breadth: 2},
		{Name: "TestYaRNAmplitude", Breadth: 12}, {Name: "TestAll", Breadth: 9}, {Name: "TestSome", Breadth: 3},
		{Name: "TestAmplitude", Breadth: 20}, {Name: "TestYaRNBackward", Breadth: 1},
	}}
	want := []string{
		"TestYaRNAmplitude", "TestAmplitude", "TestYaRN", "TestSome", "TestAll", "Example", "TestYaRNBackward",
	}
	if got := testsOf(f); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEmptied(t *testing.T) {
	for _, c := range []struct{ name, function, source, want string }{
		{"comment and signature stay", "F", "package p\n\n// F is 1.\nfunc F() int { return 1 }\n\nvar x = 2\n",
			"package p\n\n// F is 1.\nfunc F() int {\n\tpanic(\"write p.F\")\n}\n\nvar x = 2\n"},
		{"of methods that of its type", "B.F", "package p\n\nfunc (a A) F() {}\n\nfunc (b *B[T]) F() { b.x() }\n",
			"package p\n\nfunc (a A) F() {}\n\nfunc (b *B[T]) F() {\n\tpanic(\"write p.B.F\")\n}\n"},
		{"an import that is left over stays under the blank name", "F",
			"package p\n\nimport \"math\"\n\nfunc F() float64 { return math.Pi }\n",
			"package p\n\nimport _ \"math\" // as math, when you need it\n\n" +
				"func F() float64 {\n\tpanic(\"write p.F\")\n}\n"},
		{"one that is used elsewhere stays as it is", "F",
			"package p\n\nimport \"math\"\n\nvar x = math.E\n\nfunc F() float64 { return math.Pi }\n",
			"package p\n\nimport \"math\"\n\nvar x = math.E\n\nfunc F() float64 {\n\tpanic(\"write p.F\")\n}\n"},
		{"one that the signature uses too", "F",
			"package p\n\nimport \"a/mat\"\n\nfunc F(m mat.Matrix) { mat.Sum(m) }\n",
			"package p\n\nimport \"a/mat\"\n\nfunc F(m mat.Matrix) {\n\tpanic(\"write p.F\")\n}\n"},
		{"versions and names of imports", "F",
			"package p\n\nimport (\n\t\"math/rand/v2\"\n\tm \"math\"\n)\n\nfunc F() { rand.Int(m.Pi) }\n",
			"package p\n\nimport (\n\t_ \"math/rand/v2\" // as rand, when you need it\n" +
				"\t_ \"math\" // as m, when you need it\n)\n\nfunc F() {\n\tpanic(\"write p.F\")\n}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := parse("p.go", []byte(c.source), c.function)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(p.emptied()); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	t.Run("a function that is not there is named", func(t *testing.T) {
		_, err := parse("p.go", []byte("package p\n"), "F")
		if err == nil || err.Error() != "p.go: no function F" {
			t.Error(err)
		}
	})
}

func TestDifference(t *testing.T) {
	for _, c := range []struct{ name, theirs, ours, want string }{
		{"the same", "a b", "a b", "  a|  b"},
		{"an empty body", "{ panic }", "{ x y }", "  {|- panic|+ x|+ y|  }"},
		{"lines in common are told once", "a x b c", "a b y c", "  a|- x|  b|+ y|  c"},
		{"nothing in common", "a", "b", "- a|+ b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(difference(strings.Fields(c.theirs), strings.Fields(c.ours)), "|")
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
