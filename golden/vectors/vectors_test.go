package vectors

import (
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/internal/check"
	"plumbline/verify/diagnosis"
	"plumbline/verify/recording"
)

const folder = ".." // that of the index

// stored is the index that ships.
func stored(t *testing.T) Index { return decoded[Index](t, read(t, File)) }

const anew = "; go generate ./golden/... writes it anew"

func TestIndexIsOfTheFilesThatShip(t *testing.T) {
	index := stored(t)
	t.Run("every file is in the index, once and in order, and no other", func(t *testing.T) {
		want, err := Paths(folder)
		if err != nil || len(want) == 0 {
			t.Fatal("no recordings", err)
		}
		var got []string
		for _, v := range index.Vectors {
			got = append(got, v.File)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("there (-) and in the index (+)%s:\n%s", anew, diff)
		}
	})
	t.Run("each is the file that was read, and what its provenance says", func(t *testing.T) {
		for _, v := range index.Vectors {
			checkFile(t, v)
		}
	})
	t.Run("counts and notes are those of the vectors", func(t *testing.T) {
		again := Index{Notes: map[string]Note{}, Vectors: index.Vectors}
		again.count()
		if diff := cmp.Diff(again.Counts, index.Counts) + cmp.Diff(again.Notes, index.Notes); diff != "" {
			t.Errorf("want (-), in the index (+)%s:\n%s", anew, diff)
		}
	})
	t.Run("the file is what is written, to the byte, and so is the page", func(t *testing.T) {
		text, err := index.JSON()
		if err != nil || string(text) != string(read(t, File)) {
			t.Errorf("%s differs%s, %v", File, anew, err)
		}
		page := string(read(t, Page))
		if written, err := index.Insert(page); err != nil || written != page {
			t.Errorf("%s differs%s, %v", Page, anew, err)
		}
	})
}

// checkFile compares an entry with its file, but for what it takes a verdict to know.
func checkFile(t *testing.T, v Vector) {
	t.Helper()
	want, rec, err := open(folder, v.File)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	wrong := v.Wrong
	if v.Wrong = nil; v != want {
		t.Errorf("%s: %+v, want %+v%s", v.File, v, want, anew)
	}
	if (wrong == nil) != (want.Result == Valid) {
		t.Fatalf("%s: %s, with a mistake: %v", v.File, want.Result, wrong != nil)
	}
	if wrong != nil && wrong.Mistake != rec.Provenance["mistake"] {
		t.Errorf("%s: mistake %s, want %v", v.File, wrong.Mistake, rec.Provenance["mistake"])
	}
}

// TestVectorsAreMeasured measures invalid vectors anew, all with -long, and wants them unexplained,
// and what the index says of them.
func TestVectorsAreMeasured(t *testing.T) {
	measured := 0
	for i, v := range stored(t).Vectors {
		if v.Result != Invalid || i%check.Times(1, 12) != 0 {
			continue
		}
		measured++
		got, err := ReadVector(folder, v.File)
		if err != nil {
			t.Error(err)
			continue
		}
		compared(t, v, got)
	}
	if measured < 10 {
		t.Errorf("%d measured", measured)
	}
}

// digit is the most that two processors may differ by where three digits are kept.
const digit = 0.0101

// compared demands the same of both, on the processor that the index is written on to the byte.
func compared(t *testing.T, want, got Vector) {
	t.Helper()
	if runtime.GOARCH == "amd64" {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: in the index (-) and measured (+)%s:\n%s", want.File, anew, diff)
		}
		return
	}
	check.Near(t, want.File+": strength", got.Strength, want.Strength, digit*want.Strength)
	if !slices.Equal(got.Passes, want.Passes) {
		t.Errorf("%s: passes %q, want %q", want.File, got.Passes, want.Passes)
	}
}

func TestVectorsHaveTeeth(t *testing.T) {
	emulated, accepted := 0, 0
	for _, v := range stored(t).Vectors {
		if v.Wrong == nil {
			continue
		}
		if v.Strength < diagnosis.Visible {
			t.Errorf("%s: strength %v, want at least %v", v.File, v.Strength, diagnosis.Visible)
		}
		if v.Producer == "plumbline emulate" {
			emulated++
			if slices.Contains(v.Passes, Usual[0]) || slices.Contains(v.Passes, Usual[1]) {
				accepted++
			}
		}
	}
	t.Run("a third of those of emulated kernels pass allclose or calc_diff", func(t *testing.T) {
		if emulated == 0 || 3*accepted < emulated {
			t.Errorf("%d of %d", accepted, emulated)
		}
	})
}

func TestMeasureOfARightKernel(t *testing.T) {
	rec, err := recording.Open(filepath.Join(folder, "testdata", "norm-rms-bf16.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	if _, err := Measure(rec, "eps-default"); err == nil || !strings.Contains(err.Error(), "want unexplained") {
		t.Errorf("error %v", err)
	}
	if _, err := ReadVector(folder, "testdata/missing.safetensors"); err == nil {
		t.Error("a file that is not there: no error")
	}
}

// A page without its marks is left alone.
func TestPageWithoutMarks(t *testing.T) {
	for _, page := range []string{"", begin, end, end + begin} {
		if _, err := (Index{}).Insert(page); err == nil {
			t.Errorf("%q: no error", page)
		}
	}
}

func TestDigits(t *testing.T) {
	for _, c := range [][2]float64{
		{0, 0}, {1234.5, 1230}, {1235.1, 1240}, {9.996, 10}, {1e-9 / 3, 3.33e-10}, {math.MaxFloat64, math.MaxFloat64},
	} {
		if got := digits(c[0]); got != c[1] {
			t.Errorf("%v: %v, want %v", c[0], got, c[1])
		}
	}
}
