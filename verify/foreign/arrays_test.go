package foreign

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "plumbline/verify/op/all"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// types says that tensors are BF16.
func types(names ...string) map[string]dtype.Type {
	m := map[string]dtype.Type{}
	for _, name := range names {
		m[name] = dtype.BF16
	}
	return m
}

// TestArraysBecomeRecordings imports a right kernel, whose arrays have the names of the catalogue,
// and a wrong one, and judges them.
func TestArraysBecomeRecordings(t *testing.T) {
	float := map[string]any{"intermediate": "F32"}
	right, err := Read([]string{"testdata/norm-right.npz"}, Options{
		Op: "norm.rms", Types: types("x", "weight", "out.y"), Arithmetic: float,
	})
	optest.Must(err)
	if v := op.Judge(right.Recording); v.Status != verdict.Explained {
		t.Errorf("the right one: %v, %s", v.Status, v.Reason)
	}
	if y := right.Mapped[2]; len(right.Left) != 0 || y.To != "out.y" || y.From != "out_y" {
		t.Errorf("%+v", right)
	}
	provenance := right.Recording.Provenance
	if provenance["source"] != "testdata/norm-right.npz" || len(provenance["source_sha256"].(string)) != 64 ||
		provenance["producer"] != nil {
		t.Errorf("%v", provenance)
	}
	wrong, err := Read([]string{"testdata/norm-wrong.npz"}, Options{
		Op: "norm.rms", Map: map[string]string{"x": "input", "out.y": "result"}, Types: types("x", "weight", "out.y"),
		Arithmetic: float,
	})
	optest.Must(err)
	if v := op.Judge(wrong.Recording); v.Status != verdict.Unexplained {
		t.Errorf("the wrong one: %v", v.Status)
	}
}

func TestArraysThatAreNotMapped(t *testing.T) {
	o := Options{Op: "norm.rms", Types: types("x", "weight", "out.y")}
	got, err := Read([]string{"testdata/norm-wrong.npz"}, o)
	if !errors.Is(err, ErrUnmapped) {
		t.Fatal(err)
	}
	names := func(needed bool) (list []string) {
		for _, l := range got.Left {
			if l.Needed == needed {
				list = append(list, l.Name+": "+l.Why)
			}
		}
		return list
	}
	if got.Recording != nil || !slices.Equal(names(true), []string{
		"x: norm.rms wants it, float [N, d], and it is not there",
	}) {
		t.Errorf("%q", names(true))
	}
	if !slices.Equal(names(false), []string{
		"input: no tensor of norm.rms has this name; -map may give it to x, out.y",
		"result: no tensor of norm.rms has this name; -map may give it to x, out.y",
	}) {
		t.Errorf("%q", names(false))
	}
	o.Map = map[string]string{"x": "input"}
	got, err = Read([]string{"testdata/norm-wrong.npz"}, o)
	if err != nil || !got.Recording.IsRequest() {
		t.Errorf("without an output it is a request: %v", err)
	}
}

func TestNearNames(t *testing.T) {
	free := []string{"q", "k", "v", "kv_lens", "sink", "out.o", "out.lse"}
	for name, want := range map[string]string{
		"query": "q", "output": "out.o", "o": "out.o", "softmax_lse": "out.lse", "lse": "out.lse",
		"cache_seqlens": "kv_lens", "sinks": "sink", "scratch": "", "result": "",
	} {
		if got := nearest(name, free); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestOptionsThatMeanNothing has command lines that are wrong.
func TestOptionsThatMeanNothing(t *testing.T) {
	norm, pickle := []string{"testdata/norm-right.npz"}, filepath.Join(t.TempDir(), "case.pt")
	optest.Must(os.WriteFile(pickle, nil, 0o600))
	for _, c := range []struct {
		paths []string
		o     Options
		want  string
	}{
		{nil, Options{}, "no file is named"},
		{norm, Options{}, "testdata/norm-right.npz: arrays say nothing of their op, want -op"},
		{norm, Options{Op: "rmsnorm"}, `no op "rmsnorm"; did you mean "norm.rms"?`},
		{norm, Options{Op: "norm.rms", Map: map[string]string{"y": "out_y"}}, `-map: norm.rms has no tensor "y", it ` +
			`has x, weight, out.y; did you mean "out.y"?`},
		{norm, Options{Op: "norm.rms", Types: types("wieght")}, `-type: norm.rms has no tensor "wieght"`},
		{norm, Options{Op: "norm.rms", Map: map[string]string{"x": "xs"}}, `-map: no array "xs" for x`},
		{norm, Options{Op: "norm.rms", Workload: "1"}, "is arrays, of which -workload says nothing"},
		{norm, Options{Op: "norm.rms", Root: "."}, "of which -root says nothing"},
		{norm, Options{Op: "norm.rms", Sequence: 1}, "of which -sequence says nothing"},
		{[]string{"testdata/none.npz"}, Options{}, "testdata/none.npz: no such file or directory"},
		{[]string{"npy.go"}, Options{}, "npy.go: not known here, want .npz"},
		{[]string{pickle}, Options{}, "case.pt: pickled, which is not read: write the tensors with safetensors"},
		{[]string{"."}, Options{Op: "norm.rms"}, ".: no .npy file in this folder"},
		{[]string{norm[0], "npy.go"}, Options{Op: "norm.rms"}, "npy.go: not a file of arrays"},
		{[]string{norm[0], norm[0]}, Options{Op: "norm.rms"}, `array "x": there is one of this name already, in`},
	} {
		_, err := Read(c.paths, c.o)
		refused(t, err, c.want)
	}
}

// TestElementsThatDoNotFit has types and axes that arrays cannot have; each is named with its
// array.
func TestElementsThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "as x: element type \"<V2\", as NumPy writes bfloat16"},
		{Options{Types: map[string]dtype.Type{"x": dtype.F32}}, "as x: elements of 2 bytes, F32 has 4"},
		{Options{Types: types("x"), Permute: map[string][]int{"x": {0}}}, "as x: axes [0] of an array of shape [6 48]"},
	} {
		c.o.Op = "norm.rms"
		got, err := Read([]string{"testdata/norm-right.npz"}, c.o)
		if !errors.Is(err, ErrUnmapped) || !strings.Contains(got.Left[len(got.Left)-1].Why+got.Left[0].Why, c.want) {
			t.Errorf("%v, %+v, want %q", err, got, c.want)
		}
	}
	_, err := Read([]string{"testdata/norm-right.npz"}, Options{
		Op: "norm.rms", Types: types("x", "weight", "out.y"), Permute: map[string][]int{"x": {1, 0}},
	})
	refused(t, err, `testdata/norm-right.npz: tensor "weight": shape [48], want [d] with d = 6`)
}

// archive writes a .npz file of members with this text.
func archive(t *testing.T, members ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.npz")
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		m, err := w.Create(members[i])
		optest.Must(err)
		_, err = io.WriteString(m, members[i+1])
		optest.Must(err)
	}
	optest.Must(w.Close())
	optest.Must(os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

func TestHostileArchives(t *testing.T) {
	small := string(npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }`, "12345678"))
	large := string(npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }`, "12345678"))
	for want, members := range map[string][]string{
		`member "a.txt": want .npy files only`:                                  {"a.txt", small},
		`array "a": there is one of this name already`:                          {"a.npy", small, "a.npy", small},
		`array "a": shape [1000000000] of "<f4" takes 4000000000 bytes, and 8 `: {"a.npy", large},
		`array "a": header: unexpected EOF, want the 8 bytes`:                   {"a.npy", "\x93NUM"},
		`array "a": header: begins with "123456", want "\x93NUMPY"`:             {"a.npy", "12345678"},
		`array "a": shape [2] of "<f4" takes 8 bytes, and 9 follow the header`:  {"a.npy", small + "9"},
		`array "a": element type "|O4": objects of Python, which are pickled`: {
			"a.npy", strings.Replace(small, "<f4", "|O4", 1),
		},
	} {
		_, err := readArrays([]string{archive(t, members...)})
		refused(t, err, want)
	}
	t.Run("a name that leads elsewhere is a name", func(t *testing.T) {
		all, err := readArrays([]string{archive(t, "../../etc/a.npy", small)})
		if err != nil || len(all.named["../../etc/a"].Data) != 8 {
			t.Errorf("%v, %v", all, err)
		}
	})
	t.Run("a checksum that differs, and an end that is not there", func(t *testing.T) {
		path := archive(t, "a.npy", small)
		whole, err := os.ReadFile(path)
		optest.Must(err)
		for n := range whole {
			optest.Must(os.WriteFile(path, whole[:n], 0o600))
			if _, err := readArrays([]string{path}); err == nil {
				t.Errorf("%d bytes of %d are taken for an archive", n, len(whole))
			}
		}
		at := bytes.Index(whole, []byte("PK\x01\x02")) + 16 // of the checksum in the directory
		whole[at] ^= 1
		optest.Must(os.WriteFile(path, whole, 0o600))
		_, err = readArrays([]string{path})
		refused(t, err, "checksum")
	})
	t.Run("a size that so few bytes cannot have", func(t *testing.T) {
		path := archive(t, "a.npy", small)
		whole, err := os.ReadFile(path)
		optest.Must(err)
		at := bytes.Index(whole, []byte("PK\x01\x02")) + 24
		copy(whole[at:], "\xff\xff\xff\x7f")
		optest.Must(os.WriteFile(path, whole, 0o600))
		before := allocated()
		_, err = readArrays([]string{path})
		refused(t, err, `array "a": 2147483647 bytes, want at most 4294967296, and no more than`)
		if took := allocated() - before; took > 1<<20 {
			t.Errorf("%d bytes were allocated", took)
		}
	})
}

func TestFolders(t *testing.T) {
	folder := t.TempDir()
	small := npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }`, "12345678")
	for _, name := range []string{"x.npy", "notes.txt"} {
		optest.Must(os.WriteFile(filepath.Join(folder, name), small, 0o600))
	}
	all, err := readArrays([]string{folder})
	if err != nil || len(all.named) != 1 || !slices.Equal(all.named["x"].Shape, []int{1, 2}) {
		t.Errorf("%v, %v", all, err)
	}
}

func TestTensors(t *testing.T) {
	right, err := Read([]string{"testdata/norm-right.npz"}, Options{
		Op: "norm.rms", Types: types("x", "weight", "out.y"),
	})
	optest.Must(err)
	path := filepath.Join(t.TempDir(), "case.safetensors")
	optest.Must(right.Recording.Save(path))
	again, err := Read([]string{path}, Options{Op: "norm.rms"})
	if err != nil || len(again.Mapped) != 3 {
		t.Fatalf("%+v, %v", again, err)
	}
	for _, name := range []string{"x", "weight", "out.y"} {
		a, _ := right.Recording.Bytes(name)
		if b, err := again.Recording.Bytes(name); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: other bits, %v", name, err)
		}
	}
	optest.Must(os.WriteFile(path, []byte(pointer+"/spec/v1\n"), 0o600))
	_, err = Read([]string{path}, Options{Op: "norm.rms"})
	refused(t, err, "a pointer of Git LFS")
}
