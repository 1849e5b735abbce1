package ledger

import (
	"maps"
	"testing"
	"testing/fstest"
)

func TestDeclared(t *testing.T) {
	root := fstest.MapFS{
		"a/b/one.go":      {Data: []byte("package b\n\nfunc F() {}\n\ntype t int\n\nfunc (t) M() {}\n")},
		"a/b/two.go":      {Data: []byte("package b\n\nvar X, y = 1, 2\n\nconst C = 3\n")},
		"a/b/two_test.go": {Data: []byte("package b\n\nfunc Helper() {}\n")},
	}
	got, err := Declared(root, "a/b", "later")
	want := map[string]string{
		"a/b.F": "a/b/one.go", "a/b.t": "a/b/one.go", "a/b.X": "a/b/two.go", "a/b.y": "a/b/two.go",
		"a/b.C": "a/b/two.go",
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, want %v, %v", got, want, err)
	}
	root["a/b/three.go"] = &fstest.MapFile{Data: []byte("package")}
	if _, err := Declared(root, "a/b"); err == nil {
		t.Error("what cannot be parsed is no error")
	}
}
