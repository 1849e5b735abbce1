// Package optest holds what the tests of ops share: kernels that are run and judged, by
// expectations that are computed once.
package optest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"

	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Most tests judge many kernels on few requests, and what is expected hangs on what a recording has
// for inputs and says of itself, not on the numbers that came out. It takes far longer to compute
// than to judge by, so recordings that agree in all of that share it.

// digest is of all that an expectation may hang on.
type digest [sha256.Size]byte

// digestOf takes the op, attributes and arithmetic, the inputs, of outputs types and shapes, and
// whole numbers and scales too: what is expected of weights hangs on the experts that they are of,
// and of codes on their scales.
func digestOf(t *testing.T, rec *recording.Recording) digest {
	t.Helper()
	h := sha256.New()
	fmt.Fprintf(h, "%q %#v %#v\n", rec.Op, rec.Attrs, rec.Arithmetic) // maps are printed in order
	names := rec.Inputs()
	for _, name := range rec.Outputs() {
		typ := rec.Type("out." + name)
		fmt.Fprintf(h, "out.%q %v %v\n", name, typ, rec.Shape("out."+name))
		if !typ.Float() || areScales(rec.Op, name) {
			names = append(names, "out."+name)
		}
	}
	for _, name := range names {
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

// areScales tells whether an output is the scales of another, or differences that statistics are
// of.
func areScales(opName, output string) bool {
	is := func(t op.Tensor) bool { return t.Name == output && t.Scales }
	return slices.ContainsFunc(op.Lookup(opName).Outputs, is) || opName == "policy.mismatch" && output == "delta"
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

// Expect is op.Expect, computed once for all recordings of one digest. Nothing may be changed in
// what it returns. Where an element has more than one truth it is computed for each recording, as
// which truth is nearest to the first output that is judged must not hang on what else is tested.
func Expect(t *testing.T, rec *recording.Recording) ([]verdict.Expected, error) {
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

// hold counts the numbers of an expectation that is computed, and lets go of the oldest ones beyond
// what is held.
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

// Judge is op.Judge by a shared expectation. It gives the same verdict, but for the advice on
// recordings whose axes are exchanged.
func Judge(t *testing.T, rec *recording.Recording) verdict.Verdict {
	t.Helper()
	expected, err := Expect(t, rec)
	if err != nil {
		return op.Judge(rec)
	}
	return op.JudgeAgainst(rec, expected)
}
