package report

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/schema"
	"plumbline/verify/verdict"
)

func readSchema(t *testing.T) schema.Schema {
	t.Helper()
	text, err := os.ReadFile("../../docs/report.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestReportsFitTheSchema(t *testing.T) {
	s := readSchema(t)
	var ordinary []Entry
	for _, e := range everything() {
		if !strings.Contains(e.File, "script") { // whose bits are no bits
			ordinary = append(ordinary, e)
		}
	}
	brief := slices.Clone(ordinary)
	for i := range brief {
		brief[i] = brief[i].Brief()
	}
	for _, text := range []string{
		jsonOf(t, "v1", ordinary...), jsonOf(t, "v1", brief...), jsonOf(t, ""),
		jsonOfShard(t, Shard{2, 3}),
	} {
		if wrong := s.Check("report", decoded(t, text)); wrong != "" {
			t.Error(wrong)
		}
	}
}

func TestTheSchemaRefuses(t *testing.T) {
	s, right := readSchema(t), jsonOf(t, "v1", NewEntry(right, nil), failed())
	for _, c := range [][2]string{
		{`"plumbline":1`, `"plumbline":2`}, {`"version":"v1",`, ``}, {`"status":"explained"`, `"status":"fine"`},
		{`"max_z":1.9`, `"max_z":"1.9"`}, {`"rms":"+Inf"`, `"rms":"inf"`}, {`"op":"rope.apply"`, `"op":"a","more":1`},
		{`"elements":16896`, `"elements":-1`}, {`"counts":[0,`, `"counts":[0.5,`}, {`"0x7fc0"`, `"7fc0"`},
		{`"explained":1`, `"explained":"1"`}, {`"sentence":`, `"sentences":`}, {`"tried":0`, `"tried":null`},
	} {
		spoilt := strings.Replace(right, c[0], c[1], 1)
		if spoilt == right {
			t.Fatalf("%s is not there", c[0])
		}
		if s.Check("report", decoded(t, spoilt)) == "" {
			t.Errorf("%s for %s is not refused", c[1], c[0])
		}
	}
}

// TestTheSchemaHasEveryKey compares it with the structs that are written, both ways: keys, and
// which may be left out.
func TestTheSchemaHasEveryKey(t *testing.T) {
	s := readSchema(t)
	defs := s.Root["$defs"].(schema.Object)
	structs := map[string]any{
		"recording": Entry{}, "output": verdict.Output{}, "element": verdict.Element{}, "slice": verdict.Slice{},
		"signs": verdict.Signs{}, "wrong_row": verdict.WrongRow{}, "picture": verdict.Picture{},
		"histogram": verdict.Histogram{}, "map": verdict.Map{}, "diagnosis": verdict.Diagnosis{},
		"finding": verdict.Finding{}, "vouching": verdict.Vouching{},
	}
	for name, of := range structs {
		compareKeys(t, name, defs[name].(schema.Object), of)
	}
	compareKeys(t, "summary", s.Root["properties"].(schema.Object)["summary"].(schema.Object), Summary{})
	compareKeys(t, "shard", s.Root["properties"].(schema.Object)["shard"].(schema.Object), Shard{})
	for name := range defs {
		if structs[name] == nil && name != "number" && name != "verdict" {
			t.Errorf("%s is of nothing that is written", name)
		}
	}
}

func compareKeys(t *testing.T, name string, rule schema.Object, of any) {
	t.Helper()
	var keys, always []string
	addKeys(reflect.TypeOf(of), &keys, &always)
	slices.Sort(keys)
	same(t, slices.Sorted(maps.Keys(rule["properties"].(schema.Object))), keys)
	var required []string
	for _, key := range rule["required"].([]any) {
		required = append(required, key.(string))
	}
	if slices.Sort(always); !slices.Equal(slices.Sorted(slices.Values(required)), always) {
		t.Errorf("%s requires %v, and always there are %v", name, required, always)
	}
}

// addKeys adds the keys of a struct, and those that are never left out.
func addKeys(of reflect.Type, keys, always *[]string) {
	for i := range of.NumField() {
		f := of.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			addKeys(f.Type, keys, always)
		case name != "-":
			if *keys = append(*keys, name); options != "omitempty" {
				*always = append(*always, name)
			}
		}
	}
}
