package vectors

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/internal/schema"
)

// read reads a file from the root of the module.
func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decoded[T any](t *testing.T, text []byte) (value T) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func readSchema(t *testing.T) schema.Schema {
	t.Helper()
	s, err := schema.Read(read(t, Schema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestIndexFitsItsSchema(t *testing.T) {
	s := readSchema(t)
	if wrong := s.Check("index", decoded[any](t, read(t, File))); wrong != "" {
		t.Error(wrong)
	}
}

// TestSchemaRefuses spoils a small index in every way that the schema speaks of.
func TestSchemaRefuses(t *testing.T) {
	s := readSchema(t)
	right := Index{Plumbline: 1, Notes: map[string]Note{"x": {BugType: "LOSS"}}, Vectors: []Vector{
		{Result: Valid, SHA256: strings.Repeat("0", 64)},
		{Result: Invalid, SHA256: strings.Repeat("a", 64), Wrong: &Wrong{
			Mistake: "x", Numbers: []string{"L01"}, Strength: 10, Passes: []string{}, Outputs: []Output{{Name: "loss"}},
		}},
	}}
	text, err := right.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if wrong := s.Check("index", decoded[any](t, text)); wrong != "" {
		t.Fatal(wrong)
	}
	for _, c := range [][2]string{
		{`"plumbline": 1`, `"plumbline": 1.5`}, {`"plumbline": 1`, `"plumbline": 1, "more": 1`},
		{`"passing": 0`, `"passing": -1`}, {`"LOSS"`, `"OTHER"`}, {`"strength": 10`, `"strength": 9`},
		{`"result": "valid"`, `"result": "acceptable"`}, {`"result": "valid"`, `"result": "invalid"`},
		{`"sha256": "0`, `"sha256": "`}, {`"L01"`, `"L1"`}, {`"wrong": false`, `"wrong": 0`},
		{`"passes": []`, `"passes": null`}, {`"passes"`, `"passed"`}, {`"mistakes"`, `"mistaken"`},
	} {
		if !strings.Contains(string(text), c[0]) {
			t.Fatalf("%s is not there", c[0])
		}
		spoilt := strings.Replace(string(text), c[0], c[1], 1)
		if s.Check("index", decoded[any](t, []byte(spoilt))) == "" {
			t.Errorf("%s for %s is not refused", c[1], c[0])
		}
	}
}
