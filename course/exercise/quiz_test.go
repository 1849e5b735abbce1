package exercise

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// TestQuizzes makes quizzes of ops, and answers them with every letter.
func TestQuizzes(t *testing.T) {
	names := []string{"norm.rms", "moe.gate", "attention.merge"}
	if *check.Long {
		names = Ops()
	}
	for _, name := range names {
		for seed := range uint64(check.Times(4, 1)) {
			q, err := Ask(name, seed)
			if err != nil {
				t.Error(err)
				continue
			}
			answered(t, q)
			headersAgree(t, q)
		}
	}
}

// answered demands that one letter is right, and tells of one of the mistakes that were named.
func answered(t *testing.T, q *Quiz) {
	t.Helper()
	right := 0
	for i := range q.Kernels {
		a, err := Judge(q.Kernels, i)
		if err != nil {
			t.Errorf("%s: %v", q.Op, err)
		}
		if !a.Right {
			continue
		}
		right++
		isOne := func(m op.Mistake) bool { return m.ID == a.Finding.ID }
		if !a.Found || !slices.ContainsFunc(q.Choices, isOne) || !strings.Contains(a.Sentence, a.Finding.ID) {
			t.Errorf("%s: %+v", q.Op, a)
		}
	}
	if right != 1 || len(q.Kernels) != len(Letters) || len(q.Choices) != len(Letters) {
		t.Errorf("%s: %d right answers of %d, among %d mistakes", q.Op, right, len(q.Kernels), len(q.Choices))
	}
}

// headersAgree demands that the files differ in nothing but what kernels gave.
func headersAgree(t *testing.T, q *Quiz) {
	t.Helper()
	first := header(t, q.Kernels[0])
	if bytes.Contains(first, []byte("provenance")) || bytes.Contains(first, []byte("emulate")) {
		t.Errorf("%s: %s", q.Op, first)
	}
	for _, rec := range q.Kernels[1:] {
		if other := header(t, rec); !bytes.Equal(other, first) {
			t.Errorf("%s:\n%s\n%s", q.Op, first, other)
		}
		for _, name := range rec.Inputs() {
			if !slices.Equal(bits(t, rec, name), bits(t, q.Kernels[0], name)) {
				t.Errorf("%s: %s differs", q.Op, name)
			}
		}
	}
}

// bits are those of a tensor, of which NaN is like itself.
func bits(t *testing.T, rec *recording.Recording, name string) (all []uint64) {
	t.Helper()
	x, err := rec.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range x.Data {
		all = append(all, math.Float64bits(v))
	}
	return all
}

func header(t *testing.T, rec *recording.Recording) []byte {
	t.Helper()
	text := file(t, rec)
	return text[:8+binary.LittleEndian.Uint64(text)]
}

func file(t *testing.T, rec *recording.Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := rec.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAQuizIsTheSameForASeed(t *testing.T) {
	var all [3][]byte
	for i, seed := range []uint64{1, 1, 2} {
		q, err := Ask("attention.merge", seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range q.Kernels {
			all[i] = append(all[i], file(t, rec)...)
		}
	}
	if !bytes.Equal(all[0], all[1]) || bytes.Equal(all[0], all[2]) {
		t.Error("the same seed has to give the same quiz, and another one another")
	}
}

func TestWhatIsNoQuiz(t *testing.T) {
	q, err := Ask("norm.rms", 1)
	if err != nil {
		t.Fatal(err)
	}
	wrong := slices.IndexFunc(q.Kernels, func(rec *recording.Recording) bool { return judge(rec).Diagnosis != nil })
	q.Kernels[(wrong+1)%len(q.Kernels)] = q.Kernels[wrong]
	_, err = Judge(q.Kernels, wrong)
	refused(t, err, "2 of the 4 recordings are wrong")
	q.Kernels[wrong] = recording.New("norm.rm")
	_, err = Judge(q.Kernels, wrong)
	refused(t, err, "norm.rm: unusable: ")
	_, err = Ask("norm.rsm", 1)
	refused(t, err, `no quiz of "norm.rsm"; did you mean "norm.rms"?`)
}

// refused demands an error that says so.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}
