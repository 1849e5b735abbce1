package foreign

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
)

// decoded returns the numbers of an array.
func decoded(a Array) []float64 {
	x := make([]float64, len(a.Data)/a.Size)
	a.Type.Decode(x, a.Data)
	return x
}

// TestWhatNumPyWrites reads an array of every type, of both orders of bytes and of axes.
func TestWhatNumPyWrites(t *testing.T) {
	all, err := readArrays([]string{"testdata/types.npz"})
	optest.Must(err)
	signed, counted := []float64{-2, -1, 0, 1, 2, 3}, []float64{0, 1, 2, 3, 4, 5}
	for _, c := range []struct {
		name string
		as   dtype.Type // what -type has to say; Invalid: nothing
		want dtype.Type
		data []float64
	}{
		{"float64", 0, dtype.F64, signed}, {"float64_big", 0, dtype.F64, signed},
		{"float32", 0, dtype.F32, signed}, {"float32_big", 0, dtype.F32, signed},
		{"float16", 0, dtype.F16, signed}, {"float16_big", 0, dtype.F16, signed},
		{"int64", 0, dtype.I64, signed}, {"int64_big", 0, dtype.I64, signed},
		{"int32", 0, dtype.I32, signed}, {"int32_big", 0, dtype.I32, signed},
		{"int16", 0, dtype.I32, signed}, {"int16_big", 0, dtype.I32, signed}, {"int8", 0, dtype.I32, signed},
		{"uint8", 0, dtype.U8, counted}, {"uint16", 0, dtype.I32, counted}, {"uint16_big", 0, dtype.I32, counted},
		{"uint32", 0, dtype.I64, counted}, {"uint32_big", 0, dtype.I64, counted},
		{"uint64", 0, dtype.I64, counted}, {"uint64_big", 0, dtype.I64, counted},
		{"bool", 0, dtype.Bool, []float64{0, 1, 0, 1, 0, 1}},
		{"uint16", dtype.F16, dtype.F16, []float64{0, 0x1p-24, 0x1p-23, 0x3p-24, 0x1p-22, 0x5p-24}}, // bits
		{"bfloat16", dtype.BF16, dtype.BF16, signed}, {"float8_e4m3fn", dtype.F8E4M3, dtype.F8E4M3, signed},
		{"float8_e5m2", 0, dtype.F8E5M2, signed},
		{"float8_e8m0fnu", dtype.F8E8M0, dtype.F8E8M0, []float64{1, 2, 4, 8, 16, 32}},
		{"columns", 0, dtype.F32, signed}, {"columns_big", 0, dtype.F32, signed},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, ok := all.named[c.name]
			if !ok {
				t.Fatal("not in the file")
			}
			if c.as != dtype.Invalid {
				if _, err := a.settled(); a.of.wide == nil {
					refused(t, err, "want -type")
				}
				a, err = a.as(c.as)
			} else {
				a, err = a.settled()
			}
			if err != nil || a.Type != c.want || !slices.Equal(a.Shape, []int{2, 3}) ||
				!slices.Equal(decoded(a), c.data) {
				t.Errorf("%v %v %v, %v", a.Type, a.Shape, decoded(a), err)
			}
		})
	}
	t.Run("three axes in another order, a name with a folder", func(t *testing.T) {
		a := all.named["deep/er"]
		want := []float64{}
		for j := range 3 {
			for k := range 4 {
				want = append(want, float64(4*j+k), float64(12+4*j+k))
			}
		}
		if !slices.Equal(a.Shape, []int{3, 4, 2}) || !slices.Equal(decoded(a), want) {
			t.Errorf("%v %v", a.Shape, decoded(a))
		}
	})
	t.Run("a scalar has no axes, and an axis may have no length", func(t *testing.T) {
		scalar, empty := all.named["scalar"], all.named["empty"]
		if len(scalar.Shape) != 0 || decoded(scalar)[0] != 7 || !slices.Equal(empty.Shape, []int{0, 3}) {
			t.Errorf("%v, %v", scalar, empty)
		}
	})
}

func TestPackedArchive(t *testing.T) {
	all, err := readArrays([]string{"testdata/packed.npz"})
	optest.Must(err)
	x := decoded(all.named["float32"])
	if len(all.named["zeros"].Data) != 120000 || !slices.Equal(x, []float64{-2, -1, 0, 1, 2, 3}) {
		t.Errorf("%v", x)
	}
}

func TestWhatNumPyWritesAndIsRefused(t *testing.T) {
	for file, want := range map[string]string{
		"objects":    `element type "|O": objects of Python, which are pickled: no pickle is read`,
		"structures": "header: an array of structures, want one of numbers",
		"words":      `element type "<U2": want floating-point numbers, integers or truth values`,
		"complex":    `element type "<c8": want`,
	} {
		_, err := readArrays([]string{"testdata/" + file + ".npy"})
		refused(t, err, "testdata/"+file+".npy: "+want)
	}
	all, err := readArrays([]string{"testdata/beyond.npy"})
	optest.Must(err)
	_, err = all.named["beyond"].settled()
	refused(t, err, "beyond 2^63")
}

// refused checks that an error says what it should.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// npy returns a .npy file with a header of this text.
func npy(text string, data string) []byte {
	b := append([]byte(npyMagic), 1, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return append(append(b, text...), data...)
}

func TestHeaders(t *testing.T) {
	const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }`
	with := func(old, by string) string { return strings.Replace(dict, old, by, 1) }
	for text, want := range map[string]string{
		dict: "", `{"shape":(2,),"descr":"<f4","fortran_order":False}` + "\n": "", with("2,", "2L,"): "",
		``: `"", want "{"`, `{`: `want a string`, `{}`: "descr: missing",
		`{'descr': '<f4`: "a string that does not end",
		`{'descr': '<f4', 'fortran_order': False}`: "shape: missing",
		with("{", "{'descr': '<f4', "):             `key "descr" twice`,
		with("False", "0"):                         "want True or False",
		with("2,", "-2,"):                          "want the lengths of at most 64 axes",
		with(")", ""):                              "want the lengths of at most 64 axes",
		with("(2,)", "2"):                          `want "("`,
		with("2,", "2 3"):                          "want a comma",
		with("}", "'x': 1}"):                       `unknown key "x"`,
		dict + "import os":                         `"import os" behind the dictionary`,
		with("f4", "f3"):                           `element type "<f3"`,
		with("<f4", ""):                            `element type ""`,
		with("2,", "3,"):                           `shape [3] of "<f4" takes 12 bytes, and 8 follow`,
		with("2,", "4294967296,"):                  "an axis of length 4294967296",
		with("2,", "99999999999999999999,"):        "want the lengths of at most 64 axes",
		with("2,", "2147483647,2147483647,3,"):     "more than 4294967296 bytes",
		with("2,", strings.Repeat("1,", 65)):       "want the lengths of at most 64 axes",
	} {
		file := npy(text, "12345678")
		_, err := readNPY(bytes.NewReader(file), int64(len(file)))
		if want == "" && err != nil {
			t.Errorf("%s: %v", text, err)
		} else if want != "" {
			refused(t, err, want)
		}
	}
}

// TestCutFiles cuts a file at every byte.
func TestCutFiles(t *testing.T) {
	whole, err := os.ReadFile("testdata/complex.npy")
	optest.Must(err)
	whole = bytes.Replace(whole, []byte("<c8"), []byte("<f8"), 1)
	if _, err := readNPY(bytes.NewReader(whole), int64(len(whole))); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := readNPY(bytes.NewReader(whole[:n]), int64(n)); err == nil {
			t.Errorf("%d bytes of %d are taken for a file", n, len(whole))
		}
		if _, err := readNPY(bytes.NewReader(whole[:n]), int64(len(whole))); err == nil {
			t.Errorf("%d bytes that claim to be %d are taken for a file", n, len(whole))
		}
	}
	for _, c := range []struct {
		at   int
		with byte
		want string
	}{
		{0, 'X', "not a .npy file"}, {6, 4, "format version 4.0"}, {6, 0, "format version 0.0"},
		{6, 2, "want at most 65536"},
	} {
		changed := bytes.Clone(whole)
		changed[c.at] = c.with
		_, err := readNPY(bytes.NewReader(changed), int64(len(changed)))
		refused(t, err, c.want)
	}
}

func TestPermuted(t *testing.T) {
	a := ofInts([]int{0, 1, 2, 3, 4, 5}, 1, 2, 3)
	p, err := a.permuted(2, 0, 1)
	if err != nil || cmp.Diff(decoded(p), []float64{0, 3, 1, 4, 2, 5}) != "" || !slices.Equal(p.Shape, []int{3, 1, 2}) {
		t.Errorf("%v %v, %v", p.Shape, decoded(p), err)
	}
	for _, axes := range [][]int{{}, {0, 1}, {0, 1, 1}, {0, 1, 3}, {0, 1, -1}, {0, 1, 2, 3}} {
		_, err := a.permuted(axes...)
		refused(t, err, fmt.Sprintf("axes %v of an array of shape [1 2 3]", axes))
	}
}

// allocated returns how many bytes have been allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func FuzzNPY(f *testing.F) {
	for _, name := range []string{"objects", "structures", "words", "complex", "beyond"} {
		whole, err := os.ReadFile("testdata/" + name + ".npy")
		optest.Must(err)
		f.Add(whole)
	}
	f.Add(npy(`{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3), }`, "123456789012"))
	f.Add(npy(`{'descr': '|V2', 'fortran_order': False, 'shape': (), }`, "12"))
	f.Fuzz(func(t *testing.T, file []byte) {
		before := allocated()
		a, err := readNPY(bytes.NewReader(file), int64(len(file)))
		if took := allocated() - before; took > 1<<20+64*uint64(len(file)) {
			t.Fatalf("%d bytes for a file of %d", took, len(file))
		}
		if err != nil {
			return
		}
		if n, err := bytesOf(a.Shape, a.Size); err != nil || n != len(a.Data) || n > len(file) {
			t.Fatalf("%v of %d bytes has %d: %v", a.Shape, a.Size, len(a.Data), err)
		}
		if s, err := a.settled(); err == nil && len(decoded(s))*a.Size != len(a.Data) {
			t.Fatalf("%v became %v", a.Shape, s.Shape)
		}
	})
}
