package evidence

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// subject is one request with what all kernels that run it share.
type subject struct {
	request *recording.Recording
	chosen  *recording.Recording // what exact arithmetic gives
	eager   *recording.Recording // of a kernel in the types of the inputs, nil where there is none
	known   map[[sha256.Size]byte][]verdict.Expected
}

func newSubject(request *recording.Recording) (*subject, error) {
	s := &subject{request: request, known: map[[sha256.Size]byte][]verdict.Expected{}}
	var err error
	if s.chosen, err = emulate.Run(request, emulate.Exact("")); err != nil {
		return nil, err
	}
	if !hanging(request.Op) {
		s.eager, err = emulate.Run(request, eager(request))
	}
	return s, err
}

// hanging tells whether the numbers of an op hang on what a kernel chose, or their error on more
// than their own op: then no other kernel's are a yardstick for them. FP8 has no eager kernel.
func hanging(name string) bool {
	return slices.Contains([]string{
		"fp8.cast", "fp8.gemm", "fp8.grouped_gemm", "moe.gate", "moe.layer", "moe.dispatch", "mtp.accept",
		"policy.mismatch",
	}, name)
}

// eager is a kernel as a framework runs it, which stores every step in the type of the inputs.
func eager(request *recording.Recording) emulate.Config {
	t := request.Type(firstFloat(request))
	if !t.Float() {
		t = dtype.F32
	}
	return emulate.Config{NormalizeFirst: true, Scores: t, Probabilities: t, Intermediate: t}
}

// firstFloat names the first input that has floating-point numbers.
func firstFloat(rec *recording.Recording) string {
	for _, t := range op.Lookup(rec.Op).Inputs {
		if rec.Has(t.Name) && rec.Type(t.Name).Float() {
			return t.Name
		}
	}
	return ""
}

// expect is op.Expect, computed once for all recordings of the request that agree in what it hangs
// on: in what they say of their arithmetic, in types and shapes, in whole numbers, and in scales
// and differences that other outputs are judged by.
func (s *subject) expect(rec *recording.Recording) ([]verdict.Expected, error) {
	key, err := digest(rec)
	if err != nil {
		return nil, err
	}
	if known, ok := s.known[key]; ok {
		return known, nil
	}
	expected, err := op.Expect(rec)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(expected, undecided) {
		s.known[key] = expected
	}
	return expected, nil
}

// undecided tells whether an element has more than one truth: which is nearest hangs on what is
// judged.
func undecided(e verdict.Expected) bool { return e.Others != nil || e.Branches != nil }

func digest(rec *recording.Recording) (key [sha256.Size]byte, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "%#v\n", rec.Arithmetic) // maps are printed in order
	for _, t := range op.Lookup(rec.Op).Outputs {
		name := "out." + t.Name
		if !rec.Has(name) {
			continue
		}
		fmt.Fprintf(h, "%s %v %v\n", name, rec.Type(name), rec.Shape(name))
		if rec.Type(name).Float() && !t.Scales && t.Name != "delta" {
			continue
		}
		x, err := rec.Tensor(name)
		if err != nil {
			return key, err
		}
		fmt.Fprintln(h, x.Data)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// trial is what one kernel gave, judged.
type trial struct {
	pairs    []*Pair
	expected []verdict.Expected
	verdict  verdict.Verdict
}

// run judges a kernel. The error is emulate.ErrHidden, wrapped, where a mistake cannot show.
func (s *subject) run(c emulate.Config) (*recording.Recording, *trial, error) {
	rec, err := emulate.Run(s.request, c)
	if err != nil {
		return nil, nil, err
	}
	t, err := s.judge(rec)
	return rec, t, err
}

func (s *subject) judge(rec *recording.Recording) (*trial, error) {
	expected, err := s.expect(rec)
	if err != nil {
		return nil, err
	}
	t := &trial{expected: expected, verdict: op.JudgeAgainst(rec, expected)}
	for _, e := range expected {
		p, err := s.pair(rec, e)
		if err != nil {
			return nil, err
		}
		t.pairs = append(t.pairs, p)
	}
	return t, nil
}

// pair is an output as the criteria of others see it. The truth of numbers that hang on a choice is
// that of the kernel's own choice: such outputs are compared where the choices are the same.
func (s *subject) pair(rec *recording.Recording, e verdict.Expected) (*Pair, error) {
	got, err := rec.Tensor("out." + e.Name)
	if err != nil {
		return nil, err
	}
	p := &Pair{Op: rec.Op, Output: e.Name, Type: e.Type, Choice: e.Choice != nil, Call: rec}
	truth := e.Truth
	if p.Choice {
		if truth, err = s.chosen.Tensor("out." + e.Name); err != nil {
			return nil, err
		}
		got, truth = ordered(rec.Op, got), ordered(rec.Op, truth)
	}
	if len(truth.Data) != len(got.Data) {
		return nil, fmt.Errorf("%s: out.%s: %v, want %v", rec.Name, e.Name, got.Shape, truth.Shape)
	}
	p.Got, p.Truth = judged(e, got), judged(e, truth)
	if s.eager != nil && s.eager.Has("out."+e.Name) {
		x, err := s.eager.Tensor("out." + e.Name)
		if err != nil {
			return nil, err
		}
		p.Eager = judged(e, x)
	}
	return p, nil
}

// ordered sorts the experts of each token, which a gate gives in any order.
func ordered(opName string, x *tensor.Tensor) *tensor.Tensor {
	if opName != "moe.gate" {
		return x
	}
	sorted := tensor.Of(slices.Clone(x.Data), x.Shape...)
	for chunk := range slices.Chunk(sorted.Data, x.Shape[len(x.Shape)-1]) {
		slices.Sort(chunk)
	}
	return sorted
}

// judged keeps the elements that are judged.
func judged(e verdict.Expected, x *tensor.Tensor) []float64 {
	if e.Unjudged == nil {
		return x.Data
	}
	var kept []float64
	for i, v := range x.Data {
		if e.Judged(i) {
			kept = append(kept, v)
		}
	}
	return kept
}

// effect is how far a mistake moves each output of a kernel that makes it.
type effect map[string]magnitude

// total is the magnitude of several outputs together.
func (e effect) total(uses func(output string) bool) (sum magnitude) {
	for _, output := range slices.Sorted(maps.Keys(e)) {
		if uses(output) {
			sum = sum.and(e[output])
		}
	}
	return sum
}

// effectOf says what the mistake of a configuration moves: in a kernel that rounds nothing, or
// where the mistake is one of rounding and hides there, against a right kernel of the same
// configuration. Differences of two sides keep what both were stored with.
func (s *subject) effectOf(c emulate.Config, wrong *recording.Recording, t *trial) (effect, error) {
	bare := emulate.Exact(c.Mistake)
	bare.Tile, bare.Splits, bare.Form = c.Tile, c.Splits, c.Form
	moves, err := emulate.Run(s.request, bare)
	var from *recording.Recording
	if errors.Is(err, emulate.ErrHidden) || s.request.Op == "policy.mismatch" {
		c.Mistake = ""
		moves = wrong
		from, err = emulate.Run(s.request, c)
	}
	if err != nil {
		return nil, err
	}
	return s.compare(moves, from, wrong, t)
}

// compare compares what a mistake moves with the truth, or with a right recording.
func (s *subject) compare(moves, from, wrong *recording.Recording, t *trial) (effect, error) {
	found := effect{}
	same, err := sameChoices(moves, wrong)
	if err != nil {
		return found, err
	}
	for i, e := range t.expected {
		if e.Choice != nil {
			if t.verdict.Outputs[i].Wrong > 0 {
				found[e.Name] = magnitude{strength: math.Inf(1), distance: math.Inf(1)}
			}
			continue
		}
		if !same || !moves.Has("out."+e.Name) {
			continue
		}
		if found[e.Name], err = movedFrom(e, moves, from); err != nil {
			return found, err
		}
	}
	return found, nil
}

// movedFrom compares one output with that of another recording, or with the truth where there is
// none.
func movedFrom(e verdict.Expected, moves, from *recording.Recording) (magnitude, error) {
	wrong, err := moves.Tensor("out." + e.Name)
	right := e.Truth
	if err == nil && from != nil {
		right, err = from.Tensor("out." + e.Name)
	}
	if err != nil {
		return magnitude{}, err
	}
	return magnitudeOf(e, wrong, right), nil
}

// sameChoices tells whether two recordings chose the same: else the numbers that hang on the
// choices cannot be compared.
func sameChoices(a, b *recording.Recording) (bool, error) {
	for _, t := range op.Lookup(a.Op).Outputs {
		name := "out." + t.Name
		if !t.Integer || !a.Has(name) || !b.Has(name) {
			continue
		}
		x, err := a.Tensor(name)
		if err != nil {
			return false, err
		}
		y, err := b.Tensor(name)
		if err != nil || !slices.Equal(x.Data, y.Data) {
			return false, err
		}
	}
	return true, nil
}
