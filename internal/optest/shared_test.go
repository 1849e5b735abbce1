package optest

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// TestSharedExpectations: judged by a shared expectation a recording gets the verdict that it gets
// alone, whichever shared it before, and recordings that differ in anything but the numbers that
// came out do not share. Without -long every second op has its turn.
func TestSharedExpectations(t *testing.T) {
	for i, opName := range emulate.Ops() {
		if i%check.Times(1, 2) != 0 {
			continue
		}
		rec := Recorded(t, opName, 3)
		expected, err := op.Expect(rec)
		Must(err)
		alone := op.JudgeAgainst(rec, expected)
		Judge(t, zeroed(t, rec))
		if diff := cmp.Diff(alone, Judge(t, rec)); diff != "" {
			t.Errorf("%s: %s", opName, diff)
		}
		for what, change := range sharedChanges {
			other := rec.Clone()
			if change(t, other); digestOf(t, other) == digestOf(t, rec) {
				t.Errorf("%s: shared with a recording that has %s", opName, what)
			}
		}
	}
}

// zeroed returns a recording with outputs that were never written.
func zeroed(t *testing.T, rec *recording.Recording) *recording.Recording {
	t.Helper()
	wrong := rec.Clone()
	for _, name := range rec.Outputs() {
		x := Input(t, rec, "out."+name)
		wrong.Set("out."+name, rec.Type("out."+name), tensor.New(x.Shape...))
	}
	return wrong
}

// sharedChanges are changes after which something else may be expected.
var sharedChanges = map[string]func(t *testing.T, rec *recording.Recording){
	"another attribute": func(_ *testing.T, rec *recording.Recording) { rec.Attrs["eps"] = recording.Number(0.123) },
	"another arithmetic": func(_ *testing.T, rec *recording.Recording) {
		rec.Arithmetic["another"] = "F32"
	},
	"an input less": func(_ *testing.T, rec *recording.Recording) { rec.Delete(rec.Inputs()[0]) },
	"another input": func(t *testing.T, rec *recording.Recording) {
		name := rec.Inputs()[0]
		x := Input(t, rec, name)
		other := tensor.Of(slices.Clone(x.Data), x.Shape...)
		other.Data[len(other.Data)-1] = 1 - other.Data[len(other.Data)-1]
		rec.Set(name, rec.Type(name), other)
	},
	"another output type": func(t *testing.T, rec *recording.Recording) {
		name := "out." + rec.Outputs()[0]
		rec.Set(name, dtype.F64, Input(t, rec, name))
	},
	"an output less": func(_ *testing.T, rec *recording.Recording) { rec.Delete("out." + rec.Outputs()[0]) },
}
