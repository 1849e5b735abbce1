package emulate

import (
	"errors"
	"slices"
	"testing"

	"plumbline/internal/check"
)

// TestNoMistakeIsLeftOutThatShows runs kernels whose mistakes are left out as not asked for: none
// shows, in a kernel that rounds nothing and in one that rounds. Without -long it is one request of
// each op.
func TestNoMistakeIsLeftOutThatShows(t *testing.T) {
	left := 0
	for k, name := range Ops() {
		rights := Right(name)
		for seed := range uint64(check.Times(8, 1)) {
			b, err := Bind(Request(name, seed))
			if err != nil {
				t.Fatal(err)
			}
			left += b.leftOut(t, Exact("")) + b.leftOut(t, rights[(k+int(seed))%len(rights)])
		}
	}
	if least := check.Times(8, 1) * 400; left < least {
		t.Errorf("%d kernels are left out, want at least %d", left, least)
	}
}

// leftOut counts the mistakes that are left out of a kernel, and demands that they are hidden.
func (b *Bound) leftOut(t *testing.T, c Config) (n int) {
	t.Helper()
	for _, mistake := range Mistakes(b.bound.Op.Name) {
		if c.Mistake = mistake; !b.leavesOut(c) {
			continue
		}
		n++
		if _, err := b.run(c, nil); !errors.Is(err, ErrHidden) {
			t.Errorf("%s, %s: %v, want it hidden", b.bound.Op.Name, c, err)
		}
	}
	return n
}

// A right kernel that takes itself for a wrong one, as where NaN is unlike itself, tells of none.
func TestNothingIsLeftOutWhereAnythingShows(t *testing.T) {
	r := Request("attention.forward", 0)
	b, err := Bind(r)
	if err != nil {
		t.Fatal(err)
	}
	shows := b.kernel
	shows.Float64 = func(j *Job) { b.kernel.Float64(j); j.Show(true) }
	other := &Bound{kernel: shows, bound: b.bound}
	for _, mistake := range Mistakes(r.Op) {
		if c := Exact(mistake); other.leavesOut(c) {
			t.Errorf("%s is left out", mistake)
		}
	}
	if !slices.ContainsFunc(Mistakes(r.Op), func(m string) bool { return b.leavesOut(Exact(m)) }) {
		t.Error("nothing is left out of a kernel that shows nothing")
	}
}
