// Package schema checks JSON against a JSON Schema, in tests: what the project writes fits what it
// says of it.
package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Object is one of JSON.
type Object = map[string]any

// Schema is a JSON Schema (draft 2020-12), of which as much is understood as those of the project
// say.
type Schema struct{ Root Object }

// Read reads a schema.
func Read(text []byte) (s Schema, err error) {
	err = json.Unmarshal(text, &s.Root)
	return s, err
}

// Check says what is wrong with a value, as encoding/json decodes it, "" if nothing is.
func (s Schema) Check(name string, value any) string { return s.check(name, s.Root, value) }

// understood are its keywords. Another would be passed over, and so is refused.
var understood = []string{
	"$schema", "title", "description", "$defs", "$ref", "type", "properties", "required", "additionalProperties",
	"items", "oneOf", "enum", "pattern", "minimum",
}

// check is Check by one rule.
func (s Schema) check(at string, rule Object, value any) string {
	for _, key := range slices.Sorted(maps.Keys(rule)) {
		if !slices.Contains(understood, key) {
			return fmt.Sprintf("%s: keyword %q is not understood", at, key)
		}
	}
	if ref, ok := rule["$ref"].(string); ok {
		return s.check(at, s.Root["$defs"].(Object)[strings.TrimPrefix(ref, "#/$defs/")].(Object), value)
	}
	for _, one := range []func(string, Object, any) string{
		s.checkType, s.checkValue, s.checkObject, s.checkItems, s.checkOneOf,
	} {
		if wrong := one(at, rule, value); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s Schema) checkType(at string, rule Object, value any) string {
	want, ok := rule["type"].(string)
	got := "null"
	switch x := value.(type) {
	case Object:
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

func (s Schema) checkValue(at string, rule Object, value any) string {
	same := func(choice any) bool { return reflect.DeepEqual(choice, value) }
	if choices, ok := rule["enum"].([]any); ok && !slices.ContainsFunc(choices, same) {
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

func (s Schema) checkObject(at string, rule Object, value any) string {
	o, ok := value.(Object)
	if !ok {
		return ""
	}
	required, _ := rule["required"].([]any)
	for _, key := range required {
		if _, there := o[key.(string)]; !there {
			return fmt.Sprintf("%s: lacks %q", at, key)
		}
	}
	known, _ := rule["properties"].(Object)
	for _, key := range slices.Sorted(maps.Keys(o)) {
		of, ok := known[key].(Object)
		if !ok {
			of, ok = rule["additionalProperties"].(Object)
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

func (s Schema) checkItems(at string, rule Object, value any) string {
	of, ok := rule["items"].(Object)
	list, _ := value.([]any)
	for i := 0; ok && i < len(list); i++ {
		if wrong := s.check(fmt.Sprintf("%s[%d]", at, i), of, list[i]); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s Schema) checkOneOf(at string, rule Object, value any) string {
	forms, ok := rule["oneOf"].([]any)
	var wrong []string
	for _, form := range forms {
		if w := s.check(at, form.(Object), value); w != "" {
			wrong = append(wrong, w)
		}
	}
	if ok && len(wrong) != len(forms)-1 {
		fits := len(forms) - len(wrong)
		return fmt.Sprintf("%s: fits %d of %d forms: %s", at, fits, len(forms), strings.Join(wrong, "; "))
	}
	return ""
}
