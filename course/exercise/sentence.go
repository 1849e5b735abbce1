package exercise

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// lessons is what the tests of a package say.
type lessons struct {
	// sentences by what go test makes of them as names of sub-tests, where spaces are underscores
	sentences map[string]string
	draws     bool // some draw at random, by rapid
}

// lessonsOf reads the tests of a package.
func lessonsOf(folder string) (l lessons, err error) {
	l.sentences = map[string]string{}
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return l, err
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return l, err
		}
		for _, spec := range file.Imports {
			l.draws = l.draws || spec.Path.Value == `"pgregory.net/rapid"`
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					l.sentences[strings.ReplaceAll(text, " ", "_")] = text
				}
			}
			return true
		})
	}
	return l, nil
}

// flags are those of a test run: what is drawn is drawn alike each time, and nothing is kept of it.
func (l lessons) flags() []string {
	if !l.draws {
		return nil
	}
	return []string{"-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=5s"}
}

// sentence returns the sentence that a sub-test is named by. One that is put together where the
// test runs has underscores for its spaces, and for them spaces here.
func (l lessons) sentence(name string) string {
	if whole, ok := l.sentences[name]; ok {
		return whole
	}
	return strings.ReplaceAll(name, "_", " ")
}
