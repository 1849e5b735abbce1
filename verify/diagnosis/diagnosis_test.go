package diagnosis

import (
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// names tells whether a diagnosis names a mistake: first, or among those that the inputs do not
// tell apart from the first.
func names(d *verdict.Diagnosis, id string) bool {
	if d == nil {
		return false
	}
	if len(d.Explains) == 0 {
		return len(d.Leading) > 0 && d.Leading[0].ID == id && strings.HasPrefix(d.Sentence, id)
	}
	return slices.ContainsFunc(d.Explains, func(f verdict.Finding) bool { return f.ID == id })
}

// TestMistakesAreNamed makes every mistake once in a right kernel, and wants nineteen of twenty of
// those that are seen to be named. Without -long it makes every fiftieth, for one op others than
// for the next.
func TestMistakesAreNamed(t *testing.T) {
	seen, missed := 0, []string(nil)
	for k, name := range emulate.Ops() {
		for i, mistake := range emulate.Mistakes(name) {
			if (i+k+17)%check.Times(1, 50) != 0 {
				continue
			}
			rec, err := emulate.Run(emulate.Request(name, uint64(i%4)), emulate.Config{Mistake: mistake})
			if errors.Is(err, emulate.ErrHidden) {
				continue
			}
			optest.Must(err)
			v := Judge(rec, op.MaxWork, Budget)
			if v.Status != verdict.Unexplained {
				continue
			}
			if seen++; !names(v.Diagnosis, mistake) {
				missed = append(missed, name+" "+mistake+": "+v.Diagnosis.Sentence)
			}
		}
	}
	t.Logf("%d of %d are not named:\n%s", len(missed), seen, strings.Join(missed, "\n"))
	if 20*len(missed) > seen+19 || seen < check.Times(200, 5) {
		t.Error("more than one in twenty")
	}
}

// TestWrongKernelsAreNamed wants every recording of a wrong kernel of the project named, without
// -long every sixty-sixth.
func TestWrongKernelsAreNamed(t *testing.T) {
	files, err := filepath.Glob("../../golden/testdata/invalid/*.safetensors")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	for i, file := range files {
		if i%check.Times(1, 66) != 0 {
			continue
		}
		rec, err := recording.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := rec.Provenance["mistake"].(string)
		if v := Judge(rec, op.MaxWork, Budget); !names(v.Diagnosis, id) {
			t.Errorf("%s: %v, %+v", filepath.Base(file), v.Status, v.Diagnosis)
		}
		rec.Close()
	}
}

// TestRightKernelsMakeNoMistake: of a mistake that would be seen, a right kernel makes next to
// nothing, by the matched filter, and none explains it better than being right does. Without -long
// every fourth op has its turn.
func TestRightKernelsMakeNoMistake(t *testing.T) {
	for i, name := range emulate.Ops() {
		if i%check.Times(1, 4) != 0 {
			continue
		}
		rights := emulate.Right(name)
		for seed := range uint64(check.Times(8, 1)) {
			rec, err := emulate.Run(emulate.Request(name, seed), rights[(i+int(seed))%len(rights)])
			if err != nil {
				t.Fatal(err)
			}
			expected, err := op.Expect(rec)
			if err != nil {
				t.Fatal(err)
			}
			effects, err := Effects(rec, expected)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range effects {
				if e.Strength >= 2*Visible && e.Share > 0.5 {
					t.Errorf("%s, seed %d: %.2f of %s, strength %.3g", name, seed, e.Share, e.ID, e.Strength)
				}
			}
		}
	}
}

// TestVerdictsStand: a fault of ours while something is looked for costs no verdict, and nobody's
// other tests.
func TestVerdictsStand(t *testing.T) {
	v := verdict.Verdict{Status: verdict.Unexplained}
	keeping(&v, func() { panic("diagnosis: on purpose") })
	if v.Status != verdict.Unexplained || !strings.HasPrefix(v.Fault, "diagnosis: on purpose\n") {
		t.Errorf("%+v", v)
	}
}

func TestWhere(t *testing.T) {
	counts := func(n int, at ...int) []int {
		c := make([]int, n)
		for _, i := range at {
			c[i]++
		}
		return c
	}
	for _, c := range []struct {
		counts []int
		want   string
	}{
		{counts(8, 3), "3 of 8"},
		{counts(8, 0, 1, 2), "up to 2 of 8"},
		{counts(8, 5, 6, 7), "from 5 on, of 8"},
		{counts(8, 2, 3, 4), "2 to 4 of 8"},
		{counts(16, 3, 7, 11, 15), "3, 7, … 15, in steps of 4, of 16"},
		{counts(16, 1, 2, 9), "1, 2, 9 of 16"},
		{counts(16, 1, 2, 3, 4, 9, 10, 11, 12), "1 to 4 and 9 to 12 of 16"},
		{counts(4, 0, 1, 2, 3), ""},
	} {
		if got := indicesInWords(c.counts); got != c.want {
			t.Errorf("%v: %q, want %q", c.counts, got, c.want)
		}
	}
}

// What no element, slice or factor shows is seen by the matched filter: scores in BF16, whose
// weights move outputs by less than these are rounded.
func TestFaintMistakesAreSeen(t *testing.T) {
	const mistake = "scores-bf16"
	c := emulate.Config{Tile: 32, Splits: 3, Form: "naive", Mistake: mistake}
	rec, err := emulate.Run(emulate.Request("moe.layer", 2), c)
	if err != nil {
		t.Fatal(err)
	}
	if v := op.Judge(rec); v.Status != verdict.Explained {
		t.Errorf("%s already", v.Status)
	}
	v := JudgeAndVouch(rec, op.MaxWork, Budget, math.Inf(1))
	if v.Vouching == nil || len(v.Vouching.Holds) == 0 || !strings.HasPrefix(v.Vouching.Holds[0], mistake) {
		t.Errorf("%s, %+v", v.Status, v.Vouching)
	}
}
