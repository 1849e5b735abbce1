package recording

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

func TestMetadata(t *testing.T) {
	t.Run("what is left out is empty", func(t *testing.T) {
		r := mustRead(t, file(with()))
		if r.Op != "test" || r.Attrs == nil || r.Arithmetic == nil || r.Provenance == nil || !r.IsRequest() {
			t.Errorf("%+v", r)
		}
	})
	t.Run("values stay as JSON has them", func(t *testing.T) {
		r := mustRead(
			t,
			file(withMetadata(
				"attrs", `{"scale":0.10,"causal":true,"layout":"half","yarn":{"factor":40},"block":[1,128]}`,
			)),
		)
		want := map[string]any{"scale": json.Number("0.10"), "causal": true, "layout": "half",
			"yarn": map[string]any{"factor": json.Number("40")}, "block": []any{json.Number("1"), json.Number("128")}}
		if !reflect.DeepEqual(r.Attrs, want) {
			t.Errorf("%#v", r.Attrs)
		}
	})
	t.Run("keys of other tools are kept", func(t *testing.T) {
		r := mustRead(t, file(withMetadata("format", "pt")))
		if r.Extra["format"] != "pt" || len(r.Extra) != 1 {
			t.Errorf("%v", r.Extra)
		}
	})
	t.Run("attrs may hold null, which says nothing", func(t *testing.T) {
		r := mustRead(t, file(withMetadata("attrs", `{"yarn":null}`)))
		if value, present := r.Attrs["yarn"]; value != nil || !present {
			t.Errorf("got %v", value)
		}
	})
	t.Run("provenance may hold null", func(t *testing.T) {
		r := mustRead(t, file(withMetadata("provenance", `{"driver":null}`)))
		if v, ok := r.Provenance["driver"]; !ok || v != nil {
			t.Errorf("%v", r.Provenance)
		}
	})
}

func TestHostileMetadataIsAnError(t *testing.T) {
	const m = "x.safetensors: __metadata__: "
	tests := []struct{ name, header, want string }{
		{"none", `{}`, m + `plumbline: missing, want format version "1" (is this a recording?)`},
		{"of another tool", `{"__metadata__":{"format":"pt"}}`, m + `plumbline: missing`},
		{"version 2", `{"__metadata__":{"plumbline":"2","op":"test"}}`, m + `plumbline: format version "2", want "1"`},
		{"no op", `{"__metadata__":{"plumbline":"1"}}`, m + `op: missing`},
		{"empty op", `{"__metadata__":{"plumbline":"1","op":""}}`, m + `op: missing`},
		{"empty attrs", withMetadata("attrs", ``), m + `attrs: not JSON: unexpected EOF`},
		{"attrs an array", withMetadata("attrs", `[]`), m + `attrs: an array, want an object`},
		{"attrs cut short", withMetadata("attrs", `{"a":1`), m + `attrs: not JSON: unexpected EOF`},
		{"attrs and more", withMetadata("attrs", `{} {}`), m + `attrs: more text after the JSON value`},
		{
			"arithmetic with null", withMetadata("arithmetic", `{"scores":null}`),
			m + `arithmetic: "scores": null, want a value`,
		},
		{"attrs with NaN", withMetadata("attrs", `{"a":NaN}`), m + `attrs: "a": not JSON: invalid character 'N'`},
		{"attr twice", withMetadata("attrs", `{"scale":1,"scale":2}`), m + `attrs: duplicate key "scale"`},
		{
			"attr twice, nested", withMetadata("attrs", `{"yarn":{"a":1,"\u0061":1}}`),
			m + `attrs: "yarn": duplicate key "a"`,
		},
		{"arithmetic twice", withMetadata("arithmetic", `{"a":1,"a":2}`), m + `arithmetic: duplicate key "a"`},
		{"provenance twice", withMetadata("provenance", `{"a":1,"a":2}`), m + `provenance: duplicate key "a"`},
		{
			"half a surrogate pair", withMetadata("attrs", `{"a":"\udc00"}`),
			m + `attrs: a \u escape of half a surrogate pair`,
		},
		{"NUL", withMetadata("provenance", `{"a":"\u0000"}`), m + `provenance: "a": a string with NUL`},
		{
			"deep nesting",
			withMetadata("attrs", `{"a":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+`}`),
			`nested deeper than 32`,
		},
		{
			"deep nesting of objects",
			withMetadata("provenance", strings.Repeat(`{"a":`, 33)+"1"+strings.Repeat("}", 33)),
			`nested deeper than 32`,
		},
		{
			"an object that takes seconds to read",
			withMetadata("attrs", `{"a":[`+strings.Repeat("1,", maxObject/2)+`1]}`),
			m + `attrs: 4194313 bytes, want at most 4194304`,
		},
		{
			"a very long key", withMetadata("arithmetic", `{"`+strings.Repeat("é", 1000)+`":null}`),
			m + `arithmetic: "` + strings.Repeat("é", 40) + `…": null`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readBytes(file(test.header))
			wantError(t, err, test.want)
		})
	}
}

func TestValuesAreExactOrAnError(t *testing.T) {
	i64 := func(v ...int64) []byte {
		var b []byte
		for _, v := range v {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
		return b
	}
	const header = `"q":{"dtype":"I64","shape":[1,3],"data_offsets":[0,24]}`
	t.Run("I64 up to 2^53", func(t *testing.T) {
		x, err := mustRead(t, file(with(header), i64(maxExact, -maxExact, -1)...)).Tensor("q")
		if err != nil || !slices.Equal(x.Data, []float64{1 << 53, -1 << 53, -1}) {
			t.Error(x, err)
		}
	})
	t.Run("I64 beyond", func(t *testing.T) {
		for _, v := range []int64{maxExact + 1, -maxExact - 1, math.MaxInt64, math.MinInt64} {
			_, err := mustRead(t, file(with(header), i64(0, v, 0)...)).Tensor("q")
			wantError(t, err, `x.safetensors: tensor "q": index [0 1]: I64 `)
		}
	})
	t.Run("BOOL of 2", func(t *testing.T) {
		_, err := mustRead(
			t, file(with(`"q":{"dtype":"BOOL","shape":[2,2],"data_offsets":[0,4]}`), 0, 1, 2, 1),
		).Tensor("q")
		wantError(t, err, `x.safetensors: tensor "q": index [1 0]: BOOL 2, want 0 or 1`)
	})
	t.Run("an error beyond the first chunk names its index", func(t *testing.T) {
		data := make([]byte, 3*chunk)
		data[2*chunk+7] = 9
		_, err := mustRead(
			t, file(with(`"q":{"dtype":"BOOL","shape":[3,1048576],"data_offsets":[0,3145728]}`), data...),
		).Tensor("q")
		wantError(t, err, `tensor "q": index [2 7]: BOOL 9`)
	})
	t.Run("a name that is not there", func(t *testing.T) {
		_, err := mustRead(t, file(with())).Tensor("q")
		wantError(t, err, `x.safetensors: tensor "q": not in the recording`)
	})
}

func TestChunksJoin(t *testing.T) {
	x := tensor.New(3, 100_003) // F64: more than two chunks, the last one short
	for i := range x.Data {
		x.Data[i] = float64(i)
	}
	r := New("test")
	r.Set("x", dtype.F64, x)
	got, err := mustRead(t, written(t, r)).Tensor("x")
	if err != nil || !slices.Equal(got.Shape, x.Shape) || !slices.Equal(got.Data, x.Data) {
		t.Error("differs", err)
	}
}

func TestSetAndItsFriends(t *testing.T) {
	one := tensor.Of([]float64{1}, 1)
	fill := func() *Recording {
		r := New("test")
		r.Set("out.o", dtype.F32, one)
		r.Set("q", dtype.BF16, tensor.Of([]float64{1 + 1.0/256, 3}, 2, 1))
		r.Set("k", dtype.I32, one)
		r.Set("out.lse", dtype.F64, one)
		if err := r.Generate("v", Recipe{Type: dtype.F32, Shape: []int{4}, Dist: "normal"}); err != nil {
			t.Fatal(err)
		}
		if err := r.Generate("table", Recipe{Type: dtype.I32, Shape: []int{4}, Dist: "permutation"}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	names := func(r *Recording) string { return strings.Join(append(r.Inputs(), r.Outputs()...), " ") }
	t.Run("order of names", func(t *testing.T) {
		if got := names(fill()); got != "q k table v o lse" {
			t.Error(got)
		}
	})
	t.Run("values are rounded to nearest even", func(t *testing.T) {
		if x, err := fill().Tensor("q"); err != nil || x.Data[0] != 1 || x.Data[1] != 3 {
			t.Error(x, err)
		}
	})
	t.Run("the tensor may change afterwards", func(t *testing.T) {
		r, x := New("test"), tensor.Of([]float64{1, 2}, 2)
		r.Set("x", dtype.F32, x)
		x.Data[0], x.Shape[0] = 7, 9
		if got, err := r.Tensor("x"); err != nil || got.Data[0] != 1 || got.Shape[0] != 2 {
			t.Error(got, err)
		}
	})
	t.Run("type, shape, recipe", func(t *testing.T) {
		r := fill()
		if r.Type("q") != dtype.BF16 || r.Type("v") != dtype.F32 || r.Type("w") != dtype.Invalid {
			t.Error("types")
		}
		if !slices.Equal(r.Shape("q"), []int{2, 1}) || !slices.Equal(r.Shape("v"), []int{4}) || r.Shape("w") != nil {
			t.Error("shapes")
		}
		if rc, ok := r.Recipe("v"); !ok || rc.Dist != "normal" || len(rc.SHA256) != 64 {
			t.Error(rc, ok)
		}
		if _, ok := r.Recipe("q"); ok {
			t.Error("recipe of a stored tensor")
		}
	})
	t.Run("replacing keeps the place", func(t *testing.T) {
		r := fill()
		r.Set("q", dtype.F64, one)
		if got := names(r); got != "q k table v o lse" || r.Type("q") != dtype.F64 {
			t.Error(got)
		}
	})
	t.Run("stored and generated replace each other", func(t *testing.T) {
		r := fill()
		r.Set("v", dtype.F64, one)
		if err := r.Generate("q", Recipe{Type: dtype.F32, Shape: []int{4}, Dist: "normal"}); err != nil {
			t.Fatal(err)
		}
		if got := names(r); got != "k v q table o lse" {
			t.Error(got)
		}
	})
	t.Run("deleting", func(t *testing.T) {
		r := fill()
		for _, name := range []string{"q", "v", "out.o", "out.lse", "nothing"} {
			r.Delete(name)
		}
		if got := names(r); got != "k table" || !r.IsRequest() || r.Has("q") || !r.Has("k") {
			t.Error(got)
		}
	})
	t.Run("a clone leaves the original alone", func(t *testing.T) {
		r := fill()
		r.Attrs["yarn"] = map[string]any{"factor": json.Number("40")}
		r.Attrs["block"] = []any{json.Number("1")}
		before := contentOf(t, fill())
		c := r.Clone()
		sameRecording(t, c, r)
		c.Set("q", dtype.F64, one)
		c.Set("new", dtype.F64, one)
		c.Delete("k")
		c.Delete("v")
		c.Extra["x"] = "y"
		c.Attrs["yarn"].(map[string]any)["factor"] = json.Number("1")
		c.Attrs["block"].([]any)[0] = json.Number("2")
		c.Arithmetic["accumulate"] = "F32"
		after := contentOf(t, r)
		after.Attrs, before.Attrs = nil, nil
		if !reflect.DeepEqual(before, after) || len(r.Arithmetic) > 0 || len(r.Extra) > 0 {
			t.Error("changed")
		}
		if r.Attrs["yarn"].(map[string]any)["factor"] != json.Number("40") ||
			r.Attrs["block"].([]any)[0] != json.Number("1") {
			t.Error("attributes changed")
		}
	})
}

func TestSetPanicsOnWhatNoFileCanHold(t *testing.T) {
	one := tensor.Of([]float64{1}, 1)
	long := -1 // which tensor.New refuses; a 32-bit processor has no longer axis than is allowed
	if bits.UintSize == 64 {
		long = math.MaxInt
	}
	for name, set := range map[string]func(r *Recording){
		"no name":                     func(r *Recording) { r.Set("", dtype.F32, one) },
		"the name of the metadata":    func(r *Recording) { r.Set("__metadata__", dtype.F32, one) },
		"an output without a name":    func(r *Recording) { r.Set("out.", dtype.F32, one) },
		"a name of invalid UTF-8":     func(r *Recording) { r.Set("\xff", dtype.F32, one) },
		"17 axes":                     func(r *Recording) { r.Set("x", dtype.F32, tensor.New(make([]int, 17)...)) },
		"a long axis beside an empty": func(r *Recording) { r.Set("x", dtype.F32, tensor.New(0, long)) },
		"data unlike its shape": func(r *Recording) {
			r.Set("x", dtype.F32, &tensor.Tensor{Shape: []int{2}, Data: []float64{1}})
		},
		"NaN as an integer": func(r *Recording) {
			r.Set("x", dtype.I32, tensor.Of([]float64{math.NaN()}, 1))
		},
		"an invalid type": func(r *Recording) { r.Set("x", dtype.Invalid, one) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			set(New("test"))
		})
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.safetensors")
	r := New("test")
	r.Set("x", dtype.F32, tensor.Of([]float64{1, 2}, 2))
	if err := r.Save(path); err != nil {
		t.Fatal(err)
	}
	t.Run("reads what Save wrote", func(t *testing.T) {
		got, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if got.Name != path {
			t.Error(got.Name)
		}
		sameRecording(t, got, r)
	})
	t.Run("saves over itself", func(t *testing.T) {
		got, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		got.Set("y", dtype.F32, tensor.Of([]float64{3}, 1))
		if err := got.Save(path); err != nil {
			t.Fatal(err)
		}
		again, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		sameRecording(t, again, got)
	})
	t.Run("leaves no temporary file", func(t *testing.T) {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Error(entries, err)
		}
	})
	t.Run("close", func(t *testing.T) {
		got, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		c := got.Clone()
		if err := errors.Join(c.Close(), got.Close(), New("test").Close()); err != nil {
			t.Error(err)
		}
		_, err = c.Tensor("x")
		wantError(t, err, path+`: tensor "x": data: `)
	})
	t.Run("no such file", func(t *testing.T) {
		_, err := Open(filepath.Join(dir, "none"))
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		wantError(t, err, filepath.Join(dir, "none")+": no such file")
	})
	t.Run("a folder", func(t *testing.T) {
		_, err := Open(dir)
		wantError(t, err, dir+": not a regular file")
	})
	t.Run("not a recording", func(t *testing.T) {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, file(`{}`), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(bad)
		wantError(t, err, bad+": __metadata__: plumbline: missing")
	})
	t.Run("a folder that is not there to save in", func(t *testing.T) {
		err := r.Save(filepath.Join(dir, "none", "x"))
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

func TestTensorsMayBeReadConcurrently(t *testing.T) {
	r := New("test")
	r.Set("x", dtype.F32, tensor.New(100_000))
	if err := r.Generate("g", Recipe{Type: dtype.F32, Shape: []int{100_000}, Dist: "normal"}); err != nil {
		t.Fatal(err)
	}
	b := written(t, r)
	r, err := Read(bytes.NewReader(b), int64(len(b)), "x")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	for range 4 {
		go func() {
			_, errX := r.Tensor("x")
			_, errG := r.Clone().Tensor("g")
			done <- errors.Join(errX, errG)
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
