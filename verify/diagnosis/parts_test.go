package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// attends is a right recording of three sequences of 4 queries and 72 keys.
func attends() *recording.Recording { return attendsTo(72) }

func attendsTo(keys int) *recording.Recording {
	request := normals("attention.forward", "o", map[string][]int{
		"q": {3, 4, 2, 8}, "k": {3, keys, 1, 8}, "v": {3, keys, 1, 8},
	}).Request()
	right, err := emulate.Run(request, emulate.Config{})
	optest.Must(err)
	return right
}

// told is the diagnosis of a recording that has to be unexplained.
func told(t *testing.T, rec *recording.Recording) *verdict.Diagnosis {
	t.Helper()
	v := Judge(rec, op.MaxWork, Budget)
	if v.Status != verdict.Unexplained || v.Diagnosis == nil {
		t.Fatalf("%s: %s, %s", v.Status, v.Reason, v.Fault)
	}
	return v.Diagnosis
}

// after is the diagnosis that these stages come to by themselves.
func after(t *testing.T, rec *recording.Recording, stages ...func(*subject)) *verdict.Diagnosis {
	t.Helper()
	v, expected := op.JudgeKnown(rec, op.MaxWork)
	if v.Status != verdict.Unexplained {
		t.Fatalf("%s: %s", v.Status, v.Reason)
	}
	s, err := newSubject(rec, expected, v, Budget)
	optest.Must(err)
	for _, stage := range stages {
		stage(s)
	}
	return s.words()
}

// confused returns the recording with the outputs of a kernel that reads other inputs.
func confused(rec *recording.Recording, change func(r *recording.Recording)) *recording.Recording {
	return made(rec, "", change)
}

// made is confused for a kernel that makes a mistake too.
func made(rec *recording.Recording, mistake string, change func(r *recording.Recording)) *recording.Recording {
	request := rec.Request()
	change(request)
	gives, err := outputsOf(emulate.Bind(request))(emulate.Config{Mistake: mistake})
	optest.Must(err)
	return recordedAs(rec, gives)
}

// edited returns the recording with numbers of a tensor changed.
func edited(rec *recording.Recording, name string, change func(i int, x float64) float64) *recording.Recording {
	rec = rec.Clone()
	x, err := rec.Tensor(name)
	optest.Must(err)
	y := tensor.New(x.Shape...)
	for i, v := range x.Data {
		y.Data[i] = change(i, v)
	}
	rec.Set(name, rec.Type(name), y)
	return rec
}

// An address that is wrong reads another part of an input, everywhere or in some parts of the
// outputs.
func TestInputsReadElsewhereAreFound(t *testing.T) {
	right := attends()
	read := func(from func(i int) int, a int, names ...string) *recording.Recording {
		return confused(right, func(r *recording.Recording) {
			for _, name := range names {
				x, err := right.Tensor(name)
				optest.Must(err)
				r.Set(name, right.Type(name), entries(x, a, x.Shape[a], from))
			}
		})
	}
	wrongs{
		{
			"the offset of the sequence is lost", "k and v are read along batch (of 3) at 0 alone: explains everything",
			read(func(int) int { return 0 }, 0, "k", "v"),
		},
		{
			"rows of two sequences are exchanged", "k and v are read elsewhere along batch: " +
				"o in batch 1 of 3: those of 2; o in batch 2 of 3: those of 1; lse in batch 1 of 3: those of 2; " +
				"lse in batch 2 of 3: those of 1: explains",
			read(func(i int) int { return []int{0, 2, 1}[i] }, 0, "k", "v"),
		},
		{
			"keys are walked at half the pace", "k is read along key (of 72) at half the pace: explains everything",
			read(func(i int) int { return i / 2 }, 1, "k"),
		},
	}.check(t)
}

func TestWhatHoldsInAPart(t *testing.T) {
	right := attends()
	half := confused(right, func(r *recording.Recording) {
		for _, name := range []string{"k", "v"} {
			x, err := right.Tensor(name)
			optest.Must(err)
			r.Set(name, right.Type(name), without(x, 1, 16, 32))
		}
	})
	wrongs{
		{
			"one sequence skips a tile of keys", "key 16 to 31, of 72, are left out (only o in batch 1 of 3; " +
				"lse in batch 1 of 3): explains everything",
			edited(edited(right, "out.o", in(half, "out.o", 4*2*8)), "out.lse", in(half, "out.lse", 4*2)),
		},
		{
			"the weights of some rows do not add up to 1", "the weights of keys are right, but not their sum: " +
				"it is 0.5 to 0.5 times what it should be, and o is off by the reciprocal: explains everything",
			edited(edited(right, "out.o", func(i int, x float64) float64 {
				if i/(2*8)%4 == 3 {
					return 2 * x
				}
				return x
			}), "out.lse", func(i int, x float64) float64 {
				if i%4 == 3 {
					return x - math.Ln2
				}
				return x
			}),
		},
	}.check(t)
}

// in returns a tensor of another recording in the second of so many numbers.
func in(rec *recording.Recording, name string, n int) func(i int, x float64) float64 {
	other, err := rec.Tensor(name)
	optest.Must(err)
	return func(i int, x float64) float64 {
		if i/n == 1 {
			return other.Data[i]
		}
		return x
	}
}

// Of outputs that nothing explains together the sentence says what explains one of them.
func TestOutputsOneByOne(t *testing.T) {
	rec := edited(attendsTo(12), "out.lse", func(i int, x float64) float64 { return -x })
	rec = edited(rec, "out.o", func(i int, x float64) float64 { return x * (1 + float64(i*37%11)) })
	d := told(t, rec)
	const want = "lse has the other sign: explains lse; nothing that is known explains all of o"
	if !strings.HasPrefix(d.Sentence, want) {
		t.Errorf("%s\nwant %s", d.Sentence, want)
	}
}

// A declaration under which all errors but a few would be small explains nothing: here five numbers
// are off by what sums in BF16 may be off by everywhere.
func TestWideDeclarationsExplainNothing(t *testing.T) {
	rec := edited(attends(), "out.o", func(i int, x float64) float64 {
		if i%40 == 7 {
			return x * 1.05
		}
		return x
	})
	stages := []func(*subject){(*subject).tryDeclarations}
	if *check.Long {
		stages = append([]func(*subject){(*subject).search}, stages...)
	}
	if d := after(t, rec, stages...); strings.Contains(d.Sentence, "declared") || len(d.Explains) > 0 {
		t.Error(d.Sentence)
	}
}
