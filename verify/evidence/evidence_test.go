package evidence

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// The promise: no right kernel fails, and no mistake is explained that is visible and not faint. Of
// the faint ones most are found. With -long more requests are run, as many as the command runs.
func TestPlumblineKeepsItsPromise(t *testing.T) {
	r, err := Run(Options{Seeds: check.Times(4, 1), Turns: 1, Exp2: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	ours := r.Total(plumbline, 0)
	plain := unlike(ours.Found, ours.Faint)
	if !r.Kept() || ours.Alarms.Are > 0 || plain.Are != plain.Of {
		t.Errorf("right kernels that fail: %+v\nmistakes that are explained: %+v\n%+v", r.Alarms, r.Misses, ours)
	}
	if ours.Alarms.Of < 25 || plain.Of < 200 || ours.Faint.Of < 5 {
		t.Errorf("too little was measured: %+v", ours)
	}
	if 2*ours.Faint.Are < ours.Faint.Of {
		t.Errorf("of %d faint mistakes %d are found", ours.Faint.Of, ours.Faint.Are)
	}
	if theirs := r.Total("allclose 1e-2", 0); theirs.Found.Are == theirs.Found.Of {
		t.Error("allclose 1e-2 finds everything: what is it good for to measure?")
	}
}

// Absolute tolerances have a size: what is 2⁶ times as large fails right kernels, and 2⁻⁶ times as
// large hides mistakes. The verdict has none.
func TestAbsoluteTermsBreak(t *testing.T) {
	r, err := Run(Options{Ops: []string{"norm.rms"}, Seeds: 3, Turns: 4, Exp2: []int{-6, 0, 6}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Kept() || len(r.Misses) > 1 {
		t.Errorf("Plumbline: %+v, %+v", r.Alarms, r.Misses)
	}
	small, large := r.Total("gpuemu", -6), r.Total("gpuemu", 6)
	if small.Found.Share() > 0.9 || large.Alarms.Share() < 0.2 {
		t.Errorf("an absolute tolerance: finds %v where outputs are small, fails %v right kernels where they are large",
			small.Found, large.Alarms)
	}
}

// A right kernel that is said to be one, and a mistake of known size, are counted where they
// belong.
func TestCounts(t *testing.T) {
	var r Rates
	r.right(true, emulate.Config{})
	r.right(false, emulate.Config{Accumulate: hopper})
	for _, m := range []magnitude{
		{0.5, 0.5, 1}, {9.9, 9.9, 1}, {10, 10, 1}, {10, 10, 100}, {math.Inf(1), math.Inf(1), 0},
	} {
		r.wrong(m.strength > 5, m)
	}
	want := Rates{Alarms: Count{2, 1}, Plain: Count{1, 1}, Found: Count{3, 3}, Faint: Count{1, 1}}
	want.Bins[0], want.Bins[2], want.Bins[3], want.Bins[Beyond] = Count{1, 0}, Count{1, 1}, Count{2, 2}, Count{1, 1}
	if r != want {
		t.Errorf("%+v, want %+v", r, want)
	}
}

func TestPlainKernels(t *testing.T) {
	for _, c := range []struct {
		config emulate.Config
		plain  bool
	}{
		{emulate.Config{}, true}, {emulate.Config{Tile: 7, Splits: 3, Order: emulate.Pairwise, Base2: true}, true},
		{emulate.Exact(""), false}, {emulate.Config{Accumulate: arithmetic.F64}, true},
		{emulate.Config{Scores: dtype.BF16}, false}, {emulate.Config{FastExp: true}, false},
		{emulate.Config{Accumulate: hopper}, false},
	} {
		if got := isPlain(c.config); got != c.plain {
			t.Errorf("%s: plain is %v", c.config, got)
		}
	}
}

// Outputs of exact kernels are 2⁶ times as large, or as they were: not one is anything else, and
// one at least is larger. Inputs in F16 may be below the normal numbers then.
func TestScaledRequestsScaleTheOutputs(t *testing.T) {
	for _, name := range scalable() {
		larger := false
		for seed := range uint64(4) {
			request := emulate.Request(name, seed)
			if request.Type(firstFloat(request)) == dtype.F16 {
				continue
			}
			other, ok, err := scaled(request, 6)
			if err != nil || !ok {
				t.Fatal(name, err)
			}
			larger = largerBy(t, request, other, 64) || larger
		}
		if !larger {
			t.Errorf("%s: nothing is larger", name)
		}
	}
	if _, ok, _ := scaled(emulate.Request("policy.kl", 0), 6); ok {
		t.Error("policy.kl has an input that it is proportional to")
	}
}

func largerBy(t *testing.T, request, other *recording.Recording, by float64) (larger bool) {
	t.Helper()
	was, is := exact(t, request), exact(t, other)
	for _, name := range was.Outputs() {
		x, y := data(t, was, "out."+name), data(t, is, "out."+name)
		if both(y, x, 0, 1e-12) <= 1 {
			continue
		}
		larger = true
		for i := range x {
			x[i] *= by
		}
		if both(y, x, 0, 1e-9) > 1 {
			t.Errorf("%s: out.%s is not %v times as large", request.Name, name, by)
		}
	}
	return larger
}

func exact(t *testing.T, request *recording.Recording) *recording.Recording {
	t.Helper()
	rec, err := emulate.Run(request, emulate.Exact(""))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func data(t *testing.T, rec *recording.Recording, name string) []float64 {
	t.Helper()
	x, err := rec.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x.Data
}

// A mistake that hides in a kernel without roundings is measured against a right one.
func TestMistakesOfRoundingHaveAStrength(t *testing.T) {
	request := emulate.Request("norm.rms", 0)
	if _, err := emulate.Run(request, emulate.Exact("output-truncated")); !errors.Is(err, emulate.ErrHidden) {
		t.Fatalf("it shows without roundings: %v", err)
	}
	s, err := newSubject(request)
	if err != nil {
		t.Fatal(err)
	}
	c := emulate.Config{Mistake: "output-truncated"}
	rec, k, err := s.run(c)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.effectOf(c, rec, k)
	if m := e.total(everyOutput); err != nil || m.strength < 1 || m.moved == 0 || !m.faint() {
		t.Errorf("%+v, %v", m, err)
	}
}

// Elements outside a mask are compared by nobody.
func TestPairsHaveWhatIsJudged(t *testing.T) {
	for seed := range uint64(50) {
		s, err := newSubject(emulate.Request("policy.kl", seed))
		if err != nil {
			t.Fatal(err)
		}
		_, k, err := s.run(emulate.Config{})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(k.expected, func(e verdict.Expected) bool { return slices.Contains(e.Unjudged, true) })
		if i < 0 {
			continue
		}
		judged := 0
		for at := range k.expected[i].Truth.Data {
			if k.expected[i].Judged(at) {
				judged++
			}
		}
		if p := k.pairs[i]; len(p.Got) != judged || len(p.Truth) != judged || len(p.Eager) != judged {
			t.Errorf("%d, %d and %d elements of %d that are judged", len(p.Got), len(p.Truth), len(p.Eager), judged)
		}
		return
	}
	t.Error("no request has a mask")
}

// A gate gives experts in any order; of other choices the order means something.
func TestExpertsOfATokenAreASet(t *testing.T) {
	x := tensor.Of([]float64{5, 2, 9, 1}, 2, 2)
	if got := ordered("moe.gate", x).Data; !slices.Equal(got, []float64{2, 5, 1, 9}) {
		t.Errorf("of a gate: %v", got)
	}
	if got := ordered("moe.dispatch", x).Data; !slices.Equal(got, []float64{5, 2, 9, 1}) {
		t.Errorf("of another op: %v", got)
	}
}

// One request has the same expectation for all kernels that declare the same, and another for those
// that do not.
func TestExpectationsAreShared(t *testing.T) {
	s, err := newSubject(emulate.Request("norm.rms", 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []emulate.Config{{}, {Order: emulate.Pairwise}, {Mistake: "eps-default"}} {
		if _, _, err := s.run(c); err != nil && !errors.Is(err, emulate.ErrHidden) {
			t.Fatal(err)
		}
	}
	if len(s.known) != 1 {
		t.Errorf("%d expectations of one declaration", len(s.known))
	}
	if _, _, err := s.run(emulate.Config{Accumulate: arithmetic.F64}); err != nil || len(s.known) != 2 {
		t.Errorf("%d expectations of two declarations, %v", len(s.known), err)
	}
}

func TestTheReportHangsOnNoProcessor(t *testing.T) {
	run := func(processors int) string {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		ops := []string{"norm.rms", "moe.gate"}
		r, err := Run(Options{Ops: ops, Seeds: check.Times(2, 1), Turns: 1, Exp2: []int{0, 6}})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.WriteJSON(&b, "devel"); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if one, many := run(1), run(4); one != many {
		t.Errorf("on one processor\n%s\non four\n%s", one, many)
	}
}

func TestOptions(t *testing.T) {
	o := Options{Ops: []string{"norm.rms", "policy.kl"}, Exp2: []int{-6, 0, 6}, Large: true}
	var names []string
	for _, j := range o.jobs() {
		names = append(names, j.name())
	}
	want := []string{"norm.rms times 2^-6", "norm.rms", "norm.rms times 2^6", "norm.rms at full size", "policy.kl"}
	if !slices.Equal(names, want) || o.Jobs() != len(want) {
		t.Errorf("%q", names)
	}
	if all := (Options{Cases: true}).Jobs(); all != len(emulate.Ops())+len(falsePasses()) {
		t.Errorf("%d parts", all)
	}
}
