package recording

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// file returns the bytes of a safetensors file with this header and data.
func file(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

// with returns a header with the least metadata, and these entries after it.
func with(entries ...string) string {
	return `{` + strings.Join(append([]string{`"__metadata__":{"plumbline":"1","op":"test"}`}, entries...), ",") + `}`
}

// withMetadata returns the header of a file without tensors, with one more key in its metadata.
func withMetadata(key, value string) string {
	quoted, err := quote(value)
	if err != nil {
		quoted = `"` + value + `"`
	}
	return `{"__metadata__":{"plumbline":"1","op":"test","` + key + `":` + quoted + `}}`
}

func readBytes(b []byte) (*Recording, error) {
	return Read(bytes.NewReader(b), int64(len(b)), "x.safetensors")
}

func mustRead(t *testing.T, b []byte) *Recording {
	t.Helper()
	r, err := readBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func written(t interface {
	Helper()
	Fatal(...any)
}, r *Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := r.WriteTo(&b)
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(b.Len()) {
		t.Fatal("WriteTo returns", n, "after writing", b.Len())
	}
	return b.Bytes()
}

// wantError checks that err is there and says what it has to.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("error %q\nlacks %q", err, want)
	}
}

// content is what two equal recordings share.
type content struct {
	Op                            string
	Attrs, Arithmetic, Provenance map[string]any
	Extra                         map[string]string
	Names                         []string
	Entries                       map[string]tensorContent
}

type tensorContent struct {
	Type   string
	Shape  []int
	Data   []byte
	Recipe *Recipe
}

func contentOf(t interface {
	Helper()
	Fatal(...any)
}, r *Recording) content {
	t.Helper()
	c := content{
		r.Op, r.Attrs, r.Arithmetic, r.Provenance, r.Extra, append(r.Inputs(), r.Outputs()...),
		map[string]tensorContent{},
	}
	for name, e := range r.entries {
		x := tensorContent{Type: e.dtype.String(), Shape: e.shape, Recipe: e.recipe}
		if e.recipe == nil {
			x.Data = make([]byte, e.data.Size())
			if _, err := e.data.ReadAt(x.Data, 0); err != nil && len(x.Data) > 0 {
				t.Fatal(err)
			}
		}
		c.Entries[name] = x
	}
	return c
}

// sameRecording compares everything that a file holds, bit by bit.
func sameRecording(t interface {
	Helper()
	Fatal(...any)
}, got, want *Recording) {
	t.Helper()
	if diff := cmp.Diff(contentOf(t, want), contentOf(t, got), cmp.Comparer(sameFloat)); diff != "" {
		t.Fatal(diff)
	}
}
func sameFloat(a, b float64) bool { return a == b || a != a && b != b }
