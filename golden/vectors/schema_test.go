package vectors

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// object is one of JSON.
type object = map[string]any

// schema is a JSON Schema, of which as much is understood as that of the vectors says.
type schema struct{ root object }

// understood are its keywords. Another would be passed over, and so is refused.
var understood = []string{
	"$schema", "title", "description", "$defs", "$ref", "type", "properties", "required", "additionalProperties",
	"items", "oneOf", "enum", "pattern", "minimum",
}

// check says what is wrong with a value, "" if nothing is.
func (s schema) check(at string, rule object, value any) string {
	for _, key := range slices.Sorted(maps.Keys(rule)) {
		if !slices.Contains(understood, key) {
			return fmt.Sprintf("%s: keyword %q is not understood", at, key)
		}
	}
	if ref, ok := rule["$ref"].(string); ok {
		return s.check(at, s.root["$defs"].(object)[strings.TrimPrefix(ref, "#/$defs/")].(object), value)
	}
	for _, one := range []func(string, object, any) string{
		s.checkType, s.checkValue, s.checkObject, s.checkItems, s.checkOneOf,
	} {
		if wrong := one(at, rule, value); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s schema) checkType(at string, rule object, value any) string {
	want, ok := rule["type"].(string)
	got := "null"
	switch x := value.(type) {
	case object:
		got = "object"
	case []any:
		got = "array"
	case string:
		got = "string"
	case bool:
		got = "boolean"
	case float64:
		if got = "number"; x == float64(int64(x)) && want == "integer" {
			got = want
		}
	}
	if ok && got != want {
		return fmt.Sprintf("%s: %s, want %s", at, got, want)
	}
	return ""
}

func (s schema) checkValue(at string, rule object, value any) string {
	if choices, ok := rule["enum"].([]any); ok && !slices.Contains(choices, value) {
		return fmt.Sprintf("%s: %v, want one of %v", at, value, choices)
	}
	if pattern, ok := rule["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(value.(string)) {
		return fmt.Sprintf("%s: %v, want %s", at, value, pattern)
	}
	if least, ok := rule["minimum"].(float64); ok && value.(float64) < least {
		return fmt.Sprintf("%s: %v, want at least %v", at, value, least)
	}
	return ""
}

func (s schema) checkObject(at string, rule object, value any) string {
	o, ok := value.(object)
	if !ok {
		return ""
	}
	required, _ := rule["required"].([]any)
	for _, key := range required {
		if _, there := o[key.(string)]; !there {
			return fmt.Sprintf("%s: lacks %q", at, key)
		}
	}
	known, _ := rule["properties"].(object)
	for _, key := range slices.Sorted(maps.Keys(o)) {
		of, ok := known[key].(object)
		if !ok {
			of, ok = rule["additionalProperties"].(object)
		}
		if !ok && rule["additionalProperties"] == false {
			return fmt.Sprintf("%s: %q is too much", at, key)
		}
		if wrong := s.check(at+"."+key, of, o[key]); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s schema) checkItems(at string, rule object, value any) string {
	of, ok := rule["items"].(object)
	list, _ := value.([]any)
	for i := 0; ok && i < len(list); i++ {
		if wrong := s.check(fmt.Sprintf("%s[%d]", at, i), of, list[i]); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s schema) checkOneOf(at string, rule object, value any) string {
	forms, ok := rule["oneOf"].([]any)
	var wrong []string
	for _, form := range forms {
		if w := s.check(at, form.(object), value); w != "" {
			wrong = append(wrong, w)
		}
	}
	if ok && len(wrong) != len(forms)-1 {
		fits := len(forms) - len(wrong)
		return fmt.Sprintf("%s: fits %d of %d forms: %s", at, fits, len(forms), strings.Join(wrong, "; "))
	}
	return ""
}

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

func TestIndexFitsItsSchema(t *testing.T) {
	s := schema{decoded[object](t, read(t, Schema))}
	if wrong := s.check("index", s.root, decoded[any](t, read(t, File))); wrong != "" {
		t.Error(wrong)
	}
}

// TestSchemaRefuses spoils a small index in every way that the schema speaks of.
func TestSchemaRefuses(t *testing.T) {
	s := schema{decoded[object](t, read(t, Schema))}
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
	if wrong := s.check("index", s.root, decoded[any](t, text)); wrong != "" {
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
		if s.check("index", s.root, decoded[any](t, []byte(spoilt))) == "" {
			t.Errorf("%s for %s is not refused", c[1], c[0])
		}
	}
}
