package op_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Most tests judge many kernels on few requests, and what is expected hangs on what a recording has
// for inputs and says of itself, not on the numbers that came out. It takes far longer to compute
// than to judge by, so recordings that agree in all of that share it.

// digest is of all that an expectation may hang on.
type digest [sha256.Size]byte

// digestOf takes the op, attributes and arithmetic, the inputs, and of outputs types and shapes.
func digestOf(t *testing.T, rec *recording.Recording) digest {
	t.Helper()
	h := sha256.New()
	fmt.Fprintf(h, "%q %#v %#v\n", rec.Op, rec.Attrs, rec.Arithmetic) // maps are printed in order
	for _, name := range rec.Outputs() {
		fmt.Fprintf(h, "out.%q %v %v\n", name, rec.Type("out."+name), rec.Shape("out."+name))
	}
	for _, name := range rec.Inputs() {
		x, err := rec.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		typ := rec.Type(name)
		fmt.Fprintf(h, "%q %v %v\n", name, typ, x.Shape)
		codes := make([]byte, x.Len()*typ.Size())
		typ.Encode(codes, x.Data)
		h.Write(codes)
	}
	return digest(h.Sum(nil))
}

// shared holds expectations, the oldest first.
var shared struct {
	sync.Mutex
	known map[digest]*sharedExpectation
	order []digest
	held  int // numbers in memory
}

// mostShared is how many numbers are held at a time: half a gigabyte.
const mostShared = 1 << 26

// sharedExpectation is computed once.
type sharedExpectation struct {
	once     sync.Once
	expected []verdict.Expected
	err      error
	size     int
}

// expectShared is op.Expect, computed once for all recordings of one digest. Nothing may be changed
// in what it returns. Where an element has more than one truth it is computed for each recording, as
// which truth is nearest to the first output that is judged must not hang on what else is tested.
func expectShared(t *testing.T, rec *recording.Recording) ([]verdict.Expected, error) {
	t.Helper()
	d := digestOf(t, rec)
	e := entryOf(d)
	e.once.Do(func() {
		e.expected, e.err = op.Expect(rec)
		e.hold(d)
	})
	if e.err != nil || slices.ContainsFunc(e.expected, undecided) {
		return op.Expect(rec)
	}
	return e.expected, nil
}

// undecided tells whether an element has more than one truth.
func undecided(e verdict.Expected) bool { return e.Others != nil || e.Branches != nil }

// entryOf returns the entry of a digest, a new one if need be.
func entryOf(d digest) *sharedExpectation {
	shared.Lock()
	defer shared.Unlock()
	if shared.known == nil {
		shared.known = map[digest]*sharedExpectation{}
	}
	if shared.known[d] == nil {
		shared.known[d] = new(sharedExpectation)
	}
	return shared.known[d]
}

// hold counts the numbers of an expectation that is computed, and lets go of the oldest ones beyond what is held.
func (e *sharedExpectation) hold(d digest) {
	shared.Lock()
	defer shared.Unlock()
	for _, want := range e.expected {
		e.size += 2 * want.Truth.Len()
		if want.Sample != nil {
			e.size += len(want.Sample.Deviations) * len(want.Sample.Native)
		}
	}
	shared.held, shared.order = shared.held+e.size, append(shared.order, d)
	for shared.held > mostShared {
		shared.held -= shared.known[shared.order[0]].size
		delete(shared.known, shared.order[0])
		shared.order = shared.order[1:]
	}
}

// judgeShared is op.Judge by a shared expectation. It gives the same verdict, but for the advice on
// recordings whose axes are exchanged.
func judgeShared(t *testing.T, rec *recording.Recording) verdict.Verdict {
	t.Helper()
	expected, err := expectShared(t, rec)
	if err != nil {
		return op.Judge(rec)
	}
	return op.JudgeAgainst(rec, expected)
}

// TestSharedExpectations: judged by a shared expectation a recording gets the verdict that it gets
// alone, whichever shared it before, and recordings that differ in anything but the numbers that
// came out do not share.
func TestSharedExpectations(t *testing.T) {
	for _, opName := range emulate.Ops() {
		rec := recorded(t, opName, 3)
		expected, err := op.Expect(rec)
		must(err)
		alone := op.JudgeAgainst(rec, expected)
		judgeShared(t, zeroed(t, rec))
		if diff := cmp.Diff(alone, judgeShared(t, rec)); diff != "" {
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
		x := input(t, rec, "out."+name)
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
		x := input(t, rec, name)
		other := tensor.Of(slices.Clone(x.Data), x.Shape...)
		other.Data[len(other.Data)-1] = 1 - other.Data[len(other.Data)-1]
		rec.Set(name, rec.Type(name), other)
	},
	"another output type": func(t *testing.T, rec *recording.Recording) {
		name := "out." + rec.Outputs()[0]
		rec.Set(name, dtype.F64, input(t, rec, name))
	},
	"an output less": func(_ *testing.T, rec *recording.Recording) { rec.Delete("out." + rec.Outputs()[0]) },
}
