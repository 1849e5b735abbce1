package recording

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

func TestTheBytesOfAFile(t *testing.T) {
	r := New("rope.apply")
	r.Set("x", dtype.BF16, tensor.Of([]float64{1, -2}, 1, 1, 2))
	r.Set("mask", dtype.Bool, tensor.Of([]float64{1}, 1))
	r.Set("positions", dtype.I64, tensor.Of([]float64{-1}, 1))
	r.Set("out.y", dtype.F32, tensor.Of([]float64{0.5}))
	r.Attrs["layout"] = "half"
	r.Attrs["base"] = 1e4
	r.Provenance["note"] = "a<b"
	r.Extra["format"] = "pt"
	header := `{"__metadata__":{"plumbline":"1","op":"rope.apply",` +
		`"attrs":"{\"base\":10000,\"layout\":\"half\"}","provenance":"{\"note\":\"a<b\"}","format":"pt"},` +
		`"x":{"dtype":"BF16","shape":[1,1,2],"data_offsets":[12,16]},` +
		`"mask":{"dtype":"BOOL","shape":[1],"data_offsets":[16,17]},` +
		`"positions":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},` +
		`"out.y":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}`
	header += strings.Repeat(" ", 7-(len(header)+7)%8)
	want := file(header, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0x3F, 0x80, 0x3F, 0, 0xC0, 1)
	if got := written(t, r); !bytes.Equal(got, want) {
		t.Errorf("\n%q, want\n%q", got, want)
	}
}

// drawValue draws a value of an attribute, as JSON is read.
func drawValue(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Bool().AsAny(),
		rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\x00") }).AsAny(),
		rapid.Map(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), Number).AsAny(),
		rapid.Map(rapid.Int64(), func(i int64) json.Number { return json.Number(fmt.Sprint(i)) }).AsAny(),
	}
	if depth > 0 {
		kinds = append(kinds, rapid.SliceOfN(drawValue(depth-1), 0, 3).AsAny(), drawObject(depth-1).AsAny())
	}
	return rapid.OneOf(kinds...)
}

func drawObject(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(drawName(), drawValue(depth), 0, 3)
}

func drawName() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[a-z_]{1,8}`), rapid.String()).Filter(func(s string) bool {
		return checkName(s) == nil && checkName("out."+s) == nil
	})
}

func drawTensor(t *rapid.T, r *Recording) {
	name := rapid.SampledFrom([]string{"", "out."}).Draw(t, "prefix") + drawName().Draw(t, "name")
	typ := dtype.Type(rapid.IntRange(int(dtype.F64), int(dtype.Bool)).Draw(t, "type"))
	x := tensor.New(rapid.SliceOfN(rapid.IntRange(0, 4), 0, 3).Draw(t, "shape")...)
	for i := range x.Data {
		if typ.Float() {
			x.Data[i] = rapid.Float64().Draw(t, "value")
		} else {
			x.Data[i] = float64(rapid.IntRange(0, 1).Draw(t, "integer"))
		}
	}
	r.Set(name, typ, x)
}

func drawRecipe(t *rapid.T, r *Recording) {
	rc := Recipe{Type: dtype.F32, Shape: rapid.SliceOfN(rapid.IntRange(1, 4), 0, 3).Draw(t, "recipe"), Dist: "normal",
		Seed: rapid.Uint64().Draw(t, "seed"), Exp2: rapid.IntRange(-900, 900).Draw(t, "exp2")}
	if rapid.Bool().Draw(t, "shifted") {
		rc.Shift = pointer(rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32).Draw(t, "shift"))
	}
	if rapid.Bool().Draw(t, "edited") {
		rc.Edits = []Edit{{make([]int, len(rc.Shape)), rapid.Float64().Draw(t, "value")}}
	}
	if err := r.Generate(drawName().Filter(func(s string) bool {
		return !strings.HasPrefix(s, "out.")
	}).Draw(t, "input"), rc); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsWrittenReadsBackEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New(drawName().Draw(t, "op"))
		r.Attrs, r.Arithmetic = drawObject(2).Draw(t, "attrs"), drawObject(2).Draw(t, "arithmetic")
		r.Provenance = drawObject(2).Draw(t, "provenance")
		for range rapid.IntRange(0, 4).Draw(t, "tensors") {
			drawTensor(t, r)
		}
		for range rapid.IntRange(0, 2).Draw(t, "recipes") {
			drawRecipe(t, r)
		}
		b := written(t, r)
		again, err := readBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		sameRecording(t, again, r)
		if !bytes.Equal(written(t, again), b) {
			t.Fatal("written again, the bytes differ")
		}
		for _, name := range again.Inputs() {
			if _, err := again.Tensor(name); err != nil {
				t.Fatal(err)
			}
		}
		checkAlignment(t, again, b)
	})
}

// checkAlignment checks that every tensor begins at a multiple of its element's size, in the file.
func checkAlignment(t *rapid.T, r *Recording, b []byte) {
	begin := 8 + binary.LittleEndian.Uint64(b)
	h, err := parseHeader(b[8:begin], int64(len(b))-int64(begin))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range h.tensors {
		if at := int64(begin) + x.begin; at%int64(x.dtype.Size()) != 0 {
			t.Fatalf("%v at %d", x.dtype, at)
		}
	}
}

func TestNumbersOfGoReadBackExactly(t *testing.T) {
	r := New("test")
	r.Attrs = map[string]any{"f64": 0.1, "f32": float32(0.1), "int": -3, "i64": int64(math.MinInt64),
		"u64": uint64(math.MaxUint64), "zero": math.Copysign(0, -1),
		"number": Number(1e-6), "list": []any{float32(1) / 3}, "yarn": map[string]any{"factor": 40.0}}
	again := mustRead(t, written(t, r))
	want := map[string]any{"f64": json.Number("0.1"), "f32": json.Number("0.10000000149011612"),
		"int": json.Number("-3"), "i64": json.Number("-9223372036854775808"),
		"u64": json.Number("18446744073709551615"), "zero": json.Number("-0"), "number": json.Number("1e-06"),
		"list": []any{json.Number("0.3333333432674408")}, "yarn": map[string]any{"factor": json.Number("40")}}
	for key, v := range want {
		if fmt.Sprint(again.Attrs[key]) != fmt.Sprint(v) {
			t.Errorf("%s: %v, want %v", key, again.Attrs[key], v)
		}
	}
}

func TestWhatCannotBeReadIsNotWritten(t *testing.T) {
	deep := any(1)
	for range 40 {
		deep = []any{deep}
	}
	for want, change := range map[string]func(r *Recording){
		`test: attrs: "a": NaN, want a finite number`: func(r *Recording) {
			r.Attrs["a"] = math.NaN()
		},
		`test: attrs: "a": +Inf, want a finite number`: func(r *Recording) {
			r.Attrs["a"] = float32(math.Inf(1))
		},
		`test: attrs: "a": [1]: []string, want a bool, string, number`: func(r *Recording) {
			r.Attrs["a"] = []any{1, []string{"x"}}
		},
		`test: attrs: "a": empty number`: func(r *Recording) {
			r.Attrs["a"] = json.Number("")
		},
		`test: attrs: json: invalid number literal "true"`: func(r *Recording) {
			r.Attrs["a"] = json.Number("true")
		},
		`test: attrs: "a": invalid UTF-8`: func(r *Recording) {
			r.Attrs["a"] = "\xff"
		},
		`test: arithmetic: "\xff": invalid UTF-8`: func(r *Recording) {
			r.Arithmetic["\xff"] = "a"
		},
		`test: provenance: "a": "b": invalid UTF-8`: func(r *Recording) {
			r.Provenance["a"] = map[string]any{"b": "\xff"}
		},
		`test: __metadata__: arithmetic: "a": null, want a value`: func(r *Recording) {
			r.Arithmetic["a"] = nil
		},
		`test: __metadata__: attrs: "a": nested deeper than 32`: func(r *Recording) {
			r.Attrs["a"] = deep
		},
		`test: __metadata__: attrs: "a": a string with NUL`: func(r *Recording) {
			r.Attrs["a"] = "\x00"
		},
		`test: op: invalid UTF-8`: func(r *Recording) {
			r.Op = "\xff"
		},
		`test: __metadata__: op: missing`: func(r *Recording) {
			r.Op = ""
		},
		`test: attrs: in Extra, want it as a field`: func(r *Recording) {
			r.Extra["attrs"] = "{}"
		},
		`test: __metadata__: duplicate key "op"`: func(r *Recording) {
			r.Extra["op"] = "x"
		},
		`test: "a": invalid UTF-8`: func(r *Recording) {
			r.Extra["a"] = "\xff"
		},
		`test: "\xff": invalid UTF-8`: func(r *Recording) {
			r.Extra["\xff"] = ""
		},
		`test: __metadata__: generated: tensor "q": 2 generated elements in the recording so far`: func(r *Recording) {
			r.limit = 1
		},
	} {
		t.Run(want, func(t *testing.T) {
			r := New("test")
			if err := r.Generate("q", Recipe{Type: dtype.F32, Shape: []int{2}, Dist: "normal"}); err != nil {
				t.Fatal(err)
			}
			change(r)
			n, err := r.WriteTo(io.Discard)
			wantError(t, err, want)
			if n != 0 {
				t.Error(n, "bytes written")
			}
		})
	}
}

func TestHeadersBeyondTheLimitAreNotWritten(t *testing.T) {
	wantError(t, New("test").readable(make([]byte, maxHeader+1), 0), `header: 100000001 bytes, want at most 100000000`)
}

// full is a writer that takes n bytes.
type full struct{ n int }

var errFull = errors.New("no space left")

func (w *full) Write(b []byte) (int, error) {
	if len(b) > w.n {
		n := w.n
		w.n = 0
		return n, errFull
	}
	w.n -= len(b)
	return len(b), nil
}

func TestWritersThatFail(t *testing.T) {
	r := New("test")
	r.Set("a", dtype.U8, tensor.New(10))
	r.Set("b", dtype.U8, tensor.New(10))
	size := len(written(t, r))
	for n := range size {
		got, err := r.WriteTo(&full{n})
		if !errors.Is(err, errFull) || got != int64(n) {
			t.Fatalf("room for %d: %d written, error %v", n, got, err)
		}
	}
	wantError(t, func() error { _, err := r.WriteTo(&full{size - 1}); return err }(), `test: tensor "b": no space left`)
}

func TestSaveLeavesTheOldFileWhenItFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := New("")
	wantError(t, r.Save(path), path+": ")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Error(entries, err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Error(string(b), err)
	}
}

func TestWritingMakesNoSecondCopy(t *testing.T) {
	r := New("test")
	r.Set("x", dtype.F64, tensor.New(1<<20))
	if got := check.Allocated(func() {
		if _, err := r.WriteTo(struct{ io.Writer }{io.Discard}); err != nil {
			t.Error(err)
		}
	}); got > 1<<20 {
		t.Errorf("%d bytes allocated to write 8 MiB", got)
	}
}

// TestValue: an attribute that Go has as a number reads back as the same one.
func TestValue(t *testing.T) {
	for _, c := range []struct{ of, want any }{
		{3, json.Number("3")}, {0.1, json.Number("0.1")}, {true, true}, {"sigmoid", "sigmoid"},
		{[]int{1, 128}, []any{json.Number("1"), json.Number("128")}},
	} {
		if got := Value(c.of); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %#v, want %#v", c.of, got, c.want)
		}
	}
}

// TestBytes takes elements as they are: a NaN keeps its payload, and an I64 what float64 does not
// hold.
func TestBytes(t *testing.T) {
	r := New("test")
	payload, large := []byte{1, 0, 0xc0, 0x7f, 0, 0, 0, 0x80}, []byte{1, 0, 0, 0, 0, 0, 0x20, 0}
	r.SetBytes("x", dtype.F32, []int{2}, payload)
	r.SetBytes("n", dtype.I64, []int{}, large)
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	again, err := ReadTensors(bytes.NewReader(b.Bytes()), int64(b.Len()), "copy")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"x": payload, "n": large} {
		if got, err := again.Bytes(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	if _, err := again.Bytes("y"); err == nil || err.Error() != `copy: tensor "y": not in the recording` {
		t.Error(err)
	}
}

func TestBytesThatAreNone(t *testing.T) {
	r := New("test")
	for _, shape := range [][]int{{1}, {-2}, {3}} {
		check.Panics(t, "recording: shape too large or unlike the data", func() {
			r.SetBytes("x", dtype.F32, shape, make([]byte, 8))
		})
	}
	if err := r.Generate("g", Recipe{Type: dtype.U8, Shape: []int{1}, Dist: "ints", Hi: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Bytes("g"); err == nil {
		t.Error("a generated input has bytes")
	}
}
