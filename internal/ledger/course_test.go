package ledger

import (
	"go/ast"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNotesAreRead(t *testing.T) {
	doc := "Rotate returns x turned. More.\n\n\ty = R x\n\nx is [d]. Differs in print: the sign. Two\nsentences. " +
		"Differs in code: verl has none. It implements RoFormer (15).\n"
	want := []Note{{InPrint, "the sign. Two sentences."}, {InCode, "verl has none."}}
	if diff := cmp.Diff(want, readNotes(doc)); diff != "" {
		t.Error(diff)
	}
	if got := readNotes("F differs in print from G. Differs in spirit: no."); got != nil {
		t.Errorf("notes %v of a comment without", got)
	}
}

// No note is lost: what the comments of the equation packages say of differences is read, whole.
func TestEveryNoteIsRead(t *testing.T) {
	l := project(t)
	read := map[string]int{}
	for _, f := range l.Functions {
		read[f.File] += len(f.Notes)
	}
	for _, room := range Rooms {
		sources, err := parseDir(os.DirFS(root), room)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sources {
			if said := differences(s.file); !s.isTest() && said != read[s.name] {
				t.Errorf("%s: %d notes of %d are of exported functions", s.name, read[s.name], said)
			}
		}
	}
}

// differences counts the notes in all comments of a file.
func differences(file *ast.File) (n int) {
	for _, group := range file.Comments {
		text := strings.Join(strings.Fields(group.Text()), " ")
		n += strings.Count(text, differs+InPrint+": ") + strings.Count(text, differs+InCode+": ")
	}
	return n
}

func TestCitations(t *testing.T) {
	for ending, want := range map[string][]cites{
		"It implements DeepSeek-V2 (9) and (41), and DeepSeek-V3 (1).": {
			{"DeepSeek-V2", "(9)"}, {"DeepSeek-V2", "(41)"}, {"DeepSeek-V3", "(1)"},
		},
		"It implements YaRN (10)–(12).": {
			{"YaRN", "(10)"}, {"YaRN", "(11)"}, {"YaRN", "(12)"},
		},
		"It implements DeepSeek-V3.2 (7).": {{"DeepSeek-V3.2", "(7)"}},
		"It implements Attention Is All You Need, section 3.2.2, and GQA (2).": {
			{"Attention Is All You Need", "section 3.2.2"}, {"GQA", "(2)"},
		},
		"It implements Sutton and Barto (13.14).":                {{"Sutton and Barto", "(13.14)"}},
		"It implements ST-MoE (2022) (5) (derived).":             {{"ST-MoE", "(5)"}},
		"It implements the MoE of DeepSeek-V3's inference code.": {{"DeepSeek-V3", ""}},
		"It implements TRPO appendix C.1, M of (57) for the softmax.": {
			{"TRPO", "appendix C.1"}, {"TRPO", "(57)"},
		},
		"It implements nothing known (3).": nil,
	} {
		if diff := cmp.Diff(want, (&Function{Ending: ending}).citations(), cmp.AllowUnexported(cites{})); diff != "" {
			t.Errorf("%s:\n%s", ending, diff)
		}
	}
}

// Whatever is cited is in the bibliography, and every paper in it is cited.
func TestBibliographyIsWhole(t *testing.T) {
	l := project(t)
	for _, f := range l.Functions {
		if !f.Exempt && f.Ending != "" && len(f.citations()) == 0 {
			t.Errorf("%s: %q names no paper of the bibliography", f.Path(), f.Ending)
		}
	}
	citations := l.Citations()
	for _, p := range Papers {
		if len(citations[p.Name]) == 0 {
			t.Errorf("nothing cites %s", p.Name)
		}
	}
}

func TestPlacesAreInOrder(t *testing.T) {
	want := []string{
		"(2)", "(3:1)", "(10)", "(13.8)", "(13.14)", "algorithm 1", "appendix C", "section 2.1", "section 2.10", "",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortStableFunc(got, comparePlaces)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The files that have an order are there, so that no lesson is forgotten when one is renamed.
func TestLessonsExist(t *testing.T) {
	for room, files := range lessons {
		for _, file := range files {
			if _, err := os.Stat(path.Join(root, room, file+".go")); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestLesson(t *testing.T) {
	f := &Function{Name: "Gate.Route", Tests: []Test{
		{Name: "TestPanics", Breadth: 9, Sentences: []Sentence{{"it panics", 3}}},
		{Name: "TestGate", Breadth: 4},
		{Name: "TestChoice", Breadth: 5, Sentences: []Sentence{{"it chooses", 7}}},
		{Name: "ExampleGate_Route"},
	}}
	if lesson, ok := f.Lesson(); !ok || lesson.Name != "TestChoice" {
		t.Errorf("lesson %v, want the narrowest with sentences", lesson)
	}
	f.Tests = append(f.Tests, Test{Name: "TestGateBackward", Breadth: 1, Sentences: []Sentence{{"it slopes", 9}}})
	if lesson, ok := f.Lesson(); !ok || lesson.Name != "TestChoice" {
		t.Errorf("lesson %v, want none of gradients", lesson)
	}
	f.Tests = append(f.Tests, Test{Name: "TestRoute", Breadth: 30})
	if lesson, ok := f.Lesson(); !ok || lesson.Name != "TestRoute" {
		t.Errorf("lesson %v, want the one of its name", lesson)
	}
	if example, ok := f.Example(); !ok || example.Name != "ExampleGate_Route" {
		t.Errorf("example %v", example)
	}
}

func TestSentencesAreRead(t *testing.T) {
	l, _ := read(t, map[string]string{"rope/rope_test.go": `package rope

import "testing"

func TestRotate(t *testing.T) {
	t.Run("it turns", func(t *testing.T) { Rotate(1) })
	t.Run("it turns " +
		"back", nil)
	t.Run("it is the rotation, "+name, nil)
	t.Run("a bad angle is refused: "+name+", "+way, nil)
	t.Run("it takes "+name, nil)
	t.Run(name+": it turns", nil)
	t.Run(name, nil)
}
`})
	want := []Sentence{{"it turns", 6}, {"it turns back", 7}, {"it is the rotation", 9}, {"a bad angle is refused", 10}}
	if diff := cmp.Diff(want, l.Functions[0].Tests[0].Sentences); diff != "" {
		t.Error(diff)
	}
}

func TestInline(t *testing.T) {
	if got, ok := Inline("a «c^2» b"); !ok || got != "a $`c^{2}`$ b" {
		t.Errorf("got %q, %v", got, ok)
	}
	if _, ok := Inline("«a § b»"); ok {
		t.Error("what is not known converts")
	}
}
