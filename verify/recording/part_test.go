package recording

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// TestPartsAreThoseOfTheWhole: whatever the recipe, its edits and the place, a part has the values
// that the whole tensor has there.
func TestPartsAreThoseOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := []int{rapid.IntRange(1, 9).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "cols"), 3}
		rc := Recipe{Type: dtype.BF16, Shape: shape, Dist: "normal", Seed: rapid.Uint64().Draw(t, "seed")}
		for i := range rapid.IntRange(0, 6).Draw(t, "edits") {
			index := []int{}
			for axis := range rapid.IntRange(0, 3).Draw(t, "axes") {
				index = append(index, rapid.IntRange(0, shape[axis]-1).Draw(t, "index"))
			}
			rc.Edits = append(rc.Edits, Edit{index, float64(i + 100)})
		}
		r := New("test")
		if err := r.Generate("x", rc); err != nil {
			t.Fatal(err)
		}
		samePart(t, mustRead2(t, r), tensor.New(shape...).Len())
	})
}

func mustRead2(t *rapid.T, r *Recording) *Recording {
	again, err := readBytes(written(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func samePart(t *rapid.T, r *Recording, total int) {
	offset := rapid.IntRange(0, total).Draw(t, "offset")
	n := rapid.IntRange(0, total-offset).Draw(t, "n")
	part, err := r.Part("x", offset, n)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := r.Tensor("x")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(part, whole.Data[offset:offset+n]) {
		t.Fatal(part, whole.Data[offset:offset+n])
	}
}

func TestEditsOfAPartAreInOrder(t *testing.T) {
	r := New("test")
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.Generate("x", Recipe{Type: dtype.F32, Shape: []int{2, 3}, Dist: "ints", Lo: 1, Hi: 2, Edits: []Edit{
		{[]int{1, 1}, 7}, {[]int{1}, 5}, {[]int{1, 2}, 6}, {[]int{1, 2}, 8}, {[]int{0}, 2},
	}}))
	x, err := r.Part("x", 2, 4)
	must(err)
	if !slices.Equal(x, []float64{2, 5, 5, 8}) {
		t.Error(x)
	}
}

func TestAPermutationIsCut(t *testing.T) {
	r := New("test")
	if err := r.Generate("x", Recipe{Type: dtype.I32, Shape: []int{50}, Dist: "permutation", Seed: 3}); err != nil {
		t.Fatal(err)
	}
	whole, _ := r.Tensor("x")
	if x, err := r.Part("x", 7, 12); err != nil || !slices.Equal(x, whole.Data[7:19]) {
		t.Error(x, err)
	}
}

func TestStoredPartsReadNoMore(t *testing.T) {
	r := New("test")
	x := tensor.New(64, 1000)
	for i := range x.Data {
		x.Data[i] = float64(i)
	}
	r.Set("x", dtype.F32, x)
	b := written(t, r)
	source := &check.Reads{ReaderAt: bytes.NewReader(b)}
	again, err := Read(source, int64(len(b)), "x.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	before := source.N
	rows, err := again.Rows("x", 7, 9)
	if err != nil || !slices.Equal(rows.Data, x.Data[7000:9000]) || !slices.Equal(rows.Shape, []int{2, 1000}) {
		t.Error(err, rows)
	}
	if got := source.N - before; got != 8000 {
		t.Errorf("%d bytes read, want 8000", got)
	}
	if err := again.Check("x"); err != nil || source.N != before+8000 {
		t.Error("stored floating-point numbers are read to be checked", err)
	}
}

func TestPartsKnowTheirPlace(t *testing.T) {
	r := mustRead(t, file(with(`"q":{"dtype":"BOOL","shape":[2,2],"data_offsets":[0,4]}`), 0, 1, 0, 2))
	if x, err := r.Part("q", 0, 3); err != nil || !slices.Equal(x, []float64{0, 1, 0}) {
		t.Error(x, err)
	}
	_, err := r.Part("q", 2, 2)
	wantError(t, err, `x.safetensors: tensor "q": index [1 1]: BOOL 2, want 0 or 1`)
	wantError(t, r.Check("q"), `x.safetensors: tensor "q": index [1 1]: BOOL 2, want 0 or 1`)
	_, err = r.Part("q", 2, 3)
	wantError(t, err, `x.safetensors: tensor "q": 3 elements from 2 on, want them within its 4`)
	_, err = r.Rows("q", 1, 3)
	wantError(t, err, `x.safetensors: tensor "q": rows 1 to 3 of shape [2 2]`)
	_, err = r.Rows("z", 0, 0)
	wantError(t, err, `x.safetensors: tensor "z": `)
	wantError(t, r.Check("z"), `x.safetensors: tensor "z": not in the recording`)
}

// TestAPartOfAWrongTensorIsAMismatch: no part of an input is used whose sha256 is another.
func TestAPartOfAWrongTensorIsAMismatch(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	r := New("test")
	rc := Recipe{Type: dtype.BF16, Shape: []int{1000}, Dist: "normal", Seed: 7, Exp2: -2, SHA256: zeros}
	if err := r.Generate("q", rc); err != nil {
		t.Fatal(err)
	}
	want := `test: tensor "q": sha256 mismatch: made ` +
		`cea8f6069590925ac2373182fcb0c111f4359e9d6c38752211f555ca38db4b35, want ` + zeros
	for range 2 {
		_, err := r.Part("q", 3, 4)
		if !errors.Is(err, ErrMismatch) {
			t.Error("not ErrMismatch")
		}
		wantError(t, err, want)
	}
	wantError(t, r.Check("q"), want)
}

func TestWhatIsTooLargeIsNotDecodedWhole(t *testing.T) {
	recipe := `{"q":{"dtype":"U8","shape":[2,134217729],"dist":"uniform","seed":1,"sha256":"` +
		strings.Repeat("0", 64) + `"}}`
	r := mustRead(t, file(withMetadata("generated", recipe)))
	_, err := r.Tensor("q")
	wantError(t, err, `x.safetensors: tensor "q": shape [2 134217729]: more than the 268435456 elements that`)
}

// TestDigestsStream makes 32 MiB of bf16, or 64 with -long, to learn its sha256, in a memory that
// does not depend on its size, and the same as if it stood in memory.
func TestDigestsStream(t *testing.T) {
	rows := check.Times(32, 16)
	rc := Recipe{Type: dtype.BF16, Shape: []int{rows, 1 << 20}, Dist: "normal", Seed: 1}
	r := New("test")
	if got := check.Allocated(func() {
		if err := r.Generate("x", rc); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Rows("x", rows-1, rows); err != nil {
			t.Fatal(err)
		}
	}); got > 32<<20 {
		t.Errorf("%d bytes allocated for a tensor of %d MiB, which takes %d MiB decoded", got, 2*rows, 8*rows)
	}
	x := make([]float64, rows<<20)
	sealed, _ := r.Recipe("x")
	if err := sealed.fill(x, 0, sealed.plants()); err != nil {
		t.Fatal(err)
	}
	if got := digest(dtype.BF16, x); got != sealed.SHA256 {
		t.Error(fmt.Sprint("made whole it has sha256 ", got, ", in spans ", sealed.SHA256))
	}
}
