package hand

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// goldens returns the recordings that ship of ops that can be shown: all with -long, else one of
// each op, the smallest file.
func goldens(t *testing.T) []string {
	files, err := filepath.Glob(filepath.Join(root, "golden/testdata/*.safetensors"))
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	slices.SortStableFunc(files, func(a, b string) int { return int(size(t, a) - size(t, b)) })
	seen, some := map[string]int{}, []string(nil)
	for _, file := range files {
		rec := opened(t, file)
		if _, ok := walkOf(rec.Op); ok && seen[rec.Op] < check.Times(len(files), 1) {
			seen[rec.Op]++
			some = append(some, file)
		}
	}
	for _, name := range Ops() {
		if seen[name] == 0 {
			t.Errorf("no recording of %s", name)
		}
	}
	return some
}

func size(t *testing.T, file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func opened(t *testing.T, file string) *recording.Recording {
	rec, err := recording.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rec.Close() })
	return rec
}

func TestFirstRowOfEveryRecordingIsTheTruthOfItsOp(t *testing.T) {
	for _, file := range goldens(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".safetensors"), func(t *testing.T) {
			isTruth(t, opened(t, file))
		})
	}
}

// ofAllRows are outputs of which one row has no part of its own.
var ofAllRows = map[string][]string{
	"attention.backward": {"dk", "dv"}, "policy.cross_entropy": {"loss", "dweight"},
}

// isTruth compares what a sheet ends with to what the op expects.
func isTruth(t *testing.T, rec *recording.Recording) {
	s, err := Recorded(rec)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := op.Expect(rec)
	if err != nil {
		t.Skip(err)
	}
	for _, want := range expected {
		compared := false
		for _, o := range s.outputs {
			if o.name == want.Name {
				compared = true
				compareTruth(t, o, want)
			}
		}
		if !compared && !slices.Contains(ofAllRows[rec.Op], want.Name) {
			t.Errorf("nothing is shown of %s", want.Name)
		}
	}
}

func compareTruth(t *testing.T, o output, want verdict.Expected) {
	size := 0.0
	for _, x := range want.Truth.Data {
		if !math.IsInf(x, 0) {
			size = max(size, math.Abs(x))
		}
	}
	truth := want.Truth.Data
	if o.name == "indices" { // in any order
		o.values, truth = slices.Sorted(slices.Values(o.values)), slices.Clone(truth)
		slices.Sort(truth[:len(o.values)])
	}
	for i, got := range o.values {
		at := o.at[i]
		if want.Unjudged != nil && want.Unjudged[at] {
			continue
		}
		if x := truth[at]; got != x && !(math.Abs(got-x) <= 0x1p-46*size) {
			t.Errorf("%s%v: %v is shown, want %v", o.name, tensor.Unravel(at, want.Truth.Shape), got, x)
		}
	}
}

func TestEveryOpIsWorked(t *testing.T) {
	for _, o := range op.Ops() {
		if _, err := Named(o.Name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"attention.forwrad", "nothing"} {
		if _, err := Named(name); err == nil {
			t.Errorf("%s is shown", name)
		}
	}
	const want = "op x.y is not worked by hand, these are: attention.backward, "
	if got := cannot("x.y").Error(); !strings.HasPrefix(got, want) {
		t.Error(got)
	}
}

// TestAnyFileIsShownOrRefused shows recordings of wrong kernels, and files that were made to hurt.
func TestAnyFileIsShownOrRefused(t *testing.T) {
	for _, pattern := range []string{"faults", "invalid", "kernels"} {
		files, err := filepath.Glob(filepath.Join(root, "golden/testdata", pattern, "*.safetensors"))
		if err != nil || len(files) == 0 {
			t.Fatal(len(files), err)
		}
		for i, file := range files {
			if i%check.Times(1, 8) == 0 && (*check.Long || !strings.Contains(file, "bomb")) {
				if s, err := Recorded(opened(t, file)); err == nil && len(s.Steps) == 0 {
					t.Errorf("%s: nothing is shown", file)
				}
			}
		}
	}
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	defer func(most float64) { mostRead = most }(mostRead)
	mostRead = 8
	_, err := Recorded(tinyAttention(map[string]any{}).Recording)
	const want = "attention.forward: the first row of attention.forward takes 16 numbers in memory, want at most 8"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	mostRead = 16
	if _, err := Recorded(tinyAttention(map[string]any{}).Recording); err != nil {
		t.Error(err)
	}
}
