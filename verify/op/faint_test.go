package op_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// faintFound is how many of the faint mistakes must be found, without -long but for the slow ones.
const faintFound = 5

// leastStrength is from where on a mistake can be told from chance.
const leastStrength = 10

// faint are mistakes that move no element of a narrow output by as much as its own roundings do.
var faint = []string{
	"exp-2e-3", "denominator-bf16", "delta-bf16", "output-per-mille", "sink-next-head", "dq-scale-bf16", "sink-bf16",
}

// slow are made with -long alone: what is seen of them takes longest to compute.
var slow = []string{"dq-scale-bf16", "sink-bf16"}

// tooFaint are looked for with -long alone, in vain so far: an error of its own for each weight, or
// for each query, that is no larger than what their roundings make.
var tooFaint = []string{"exp-2e-3", "delta-bf16"}

// faintCase is a recording of realistic size, and the one output of it that is judged. Log-sum-exps
// in F32 would give away what the output hides.
type faintCase struct {
	mistake, output, what string
	request               *recording.Recording
}

func faintCases() []faintCase {
	forward, sinks := forwardRequest(dtype.BF16, 4, 0.2, 1), forwardRequest(dtype.BF16, 7, 0.5, 2)
	decode := optest.DecodeRequest(128, 1024, 3, 0, 3)
	return []faintCase{
		{"exp-2e-3", "o", "attention", forward},
		{"exp-2e-3", "o", "decoding", decode},
		{"denominator-bf16", "o", "attention", forward},
		{"denominator-bf16", "o", "decoding", decode},
		{"delta-bf16", "dq", "heads 64 wide", backwardRequest(64, 32, 0.1, 4)},
		{"output-per-mille", "o", "attention", forward},
		{"output-per-mille", "o", "decoding", decode},
		{"output-per-mille", "y", "a norm", normRequest(5)},
		{"sink-next-head", "o", "sinks near each other", forward},
		{"dq-scale-bf16", "dq", "heads 40 wide", backwardRequest(40, 48, 0, 6)},
		{"sink-bf16", "o", "sinks of a tenth of the weight", sinks},
		{"sink-bf16", "o", "sinks of no weight, F32", forwardRequest(dtype.F32, 1, 0.5, 7)},
	}
}

// normals sets an input of normal numbers.
func normals(r *recording.Recording, rng *rand.Rand, name string, t dtype.Type, mean, deviation float64, shape ...int) {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = mean + deviation*rng.NormFloat64()
	}
	r.Set(name, t, x)
}

// forwardRequest is 32 queries of 8 heads over 512 keys, and F32 sinks of that mean and deviation.
func forwardRequest(t dtype.Type, sink, deviation float64, seed uint64) *recording.Recording {
	rng, r := rand.New(rand.NewPCG(seed, 1)), recording.New("attention.forward")
	normals(r, rng, "q", t, 0, 3, 1, 32, 8, 64)
	normals(r, rng, "k", t, 0, 1, 1, 512, 2, 64)
	normals(r, rng, "v", t, 0, 1, 1, 512, 2, 64)
	normals(r, rng, "sink", dtype.F32, sink, deviation, 8)
	return r
}

// backwardRequest is queries of 8 heads over 256 keys, in BF16, values and gradients around mean.
func backwardRequest(width, queries int, mean float64, seed uint64) *recording.Recording {
	rng, r := rand.New(rand.NewPCG(seed, 1)), recording.New("attention.backward")
	normals(r, rng, "q", dtype.BF16, 0, 1, 1, queries, 8, width)
	normals(r, rng, "k", dtype.BF16, 0, 1, 1, 256, 2, width)
	normals(r, rng, "v", dtype.BF16, mean, 1, 1, 256, 2, width)
	normals(r, rng, "do", dtype.BF16, mean, 1, 1, queries, 8, width)
	return r
}

// normRequest is 16 rows of 2048 numbers, in BF16.
func normRequest(seed uint64) *recording.Recording {
	rng, r := rand.New(rand.NewPCG(seed, 1)), recording.New("norm.rms")
	normals(r, rng, "x", dtype.BF16, 0, 1, 16, 2048)
	normals(r, rng, "weight", dtype.BF16, 1, 0.2, 2048)
	return r
}

// known is what has been computed of a request, each once for all of its mistakes.
type known struct {
	runs     map[emulate.Config]*recording.Recording
	expected []verdict.Expected
}

// ran returns what a kernel leaves, with one of its outputs alone.
func (k *known) ran(t *testing.T, c faintCase, config emulate.Config) *recording.Recording {
	t.Helper()
	if rec := k.runs[config]; rec != nil {
		return rec
	}
	rec, err := emulate.Run(c.request, config)
	if err != nil {
		t.Fatalf("%s, %s: %v", c.mistake, c.what, err)
	}
	k.runs[config] = rec
	alone(rec, c.output)
	return rec
}

// strength is √Σ (w − t)²/s². What the mistake moves is read off kernels that round nothing else:
// between outputs of a narrow type the roundings would count too.
func (c faintCase) strength(t *testing.T, k *known) float64 {
	t.Helper()
	exact := emulate.Config{
		Tile: 256, Accumulate: arithmetic.F64, Probabilities: dtype.F64, Intermediate: dtype.F64, Output: dtype.F64,
	}
	right := c.numbers(t, k.ran(t, c, exact))
	exact.Mistake = c.mistake
	wrong := c.numbers(t, k.ran(t, c, exact))
	e, sum := k.expected[0], 0.0
	for i, truth := range e.Truth.Data {
		ulp, moved := e.Type.Spacing(truth), wrong[i]-right[i]
		sum += moved * moved / (e.Sigma[i]*e.Sigma[i] + ulp*ulp/12)
	}
	return math.Sqrt(sum)
}

func (c faintCase) judge(t *testing.T, e verdict.Expected, rec *recording.Recording) verdict.Output {
	t.Helper()
	return verdict.Judge(e, tensor.Of(c.numbers(t, rec), e.Truth.Shape...))
}

func (c faintCase) numbers(t *testing.T, rec *recording.Recording) []float64 {
	t.Helper()
	x, err := rec.Tensor("out." + c.output)
	if err != nil {
		t.Fatal(err)
	}
	return x.Data
}

// TestFaintMistakes judges the faint mistakes on recordings where each is strong enough to be told
// from chance. One that is missed on any of its recordings does not count as found.
func TestFaintMistakes(t *testing.T) {
	missed, requests := map[string]bool{}, map[*recording.Recording]*known{}
	for _, c := range faintCases() {
		if !*check.Long && slices.Contains(slices.Concat(tooFaint, slow), c.mistake) {
			missed[c.mistake] = true
			continue
		}
		if !*check.Long && c.request.Op == "mla.decode" { // all of these are made in attention as well
			continue
		}
		if requests[c.request] == nil {
			requests[c.request] = &known{runs: map[emulate.Config]*recording.Recording{}}
		}
		t.Run(c.mistake+" in "+c.what, func(t *testing.T) {
			if !foundFaint(t, c, requests[c.request]) {
				missed[c.mistake] = true
			}
		})
	}
	found, want := len(faint)-len(missed), check.Times(faintFound, faintFound-len(slow))
	t.Logf("%d of %d are found", found, len(faint))
	if found < want {
		t.Errorf("%d of %d are found, want at least %d", found, len(faint), want)
	}
}

// expects returns what is expected of a recording's one output, which other outputs of the same
// request do not change.
func (k *known) expects(t *testing.T, rec *recording.Recording) verdict.Expected {
	t.Helper()
	if k.expected == nil {
		expected, err := op.Expect(rec)
		if err != nil {
			t.Fatal(err)
		}
		k.expected = expected
	}
	return k.expected[0]
}

// foundFaint checks the strength of one mistake and that the right kernel passes, and tells whether
// the wrong one does not.
func foundFaint(t *testing.T, c faintCase, k *known) bool {
	t.Helper()
	wrong := k.ran(t, c, emulate.Config{Tile: 256, Mistake: c.mistake})
	expected := k.expects(t, wrong)
	if n := expected.Truth.Len(); n < 4096 {
		t.Errorf("%d elements, want 4096 or more", n)
	}
	if right := c.judge(t, expected, k.ran(t, c, emulate.Config{})); right.Status != verdict.Explained {
		t.Errorf("the right kernel: %s: %s", right.Status, right.Reasons)
	}
	strength := c.strength(t, k)
	if strength < leastStrength {
		t.Errorf("strength %.3g, want %d or more", strength, leastStrength)
	}
	out := c.judge(t, expected, wrong)
	t.Logf(
		"strength %.3g, largest z %.3g of %.3g, rms %.3g of %.3g, bias %.3g of %.3g: %s %s", strength, out.MaxZ,
		out.MaxZLimit, out.RMS, out.RMSLimit, out.Bias, out.BiasLimit, out.Status, strings.Join(out.Reasons, "; "),
	)
	return out.Status == verdict.Unexplained
}

func TestFaintMistakesAreInTheBank(t *testing.T) {
	cases := faintCases()
	for _, mistake := range faint {
		if !slices.ContainsFunc(cases, func(c faintCase) bool { return c.mistake == mistake }) {
			t.Errorf("%s has no recording", mistake)
		}
	}
	for _, c := range cases {
		if !slices.Contains(faint, c.mistake) || !slices.Contains(emulate.Mistakes(c.request.Op), c.mistake) {
			t.Errorf("%s is not in the bank for %s", c.mistake, c.request.Op)
		}
	}
}

// TestPower logs, with -long and -v, how many recordings of each mistake are found of those on
// which it may show.
func TestPower(t *testing.T) {
	if !testing.Verbose() || !*check.Long {
		t.Skip("only with -long and -v: it demands nothing")
	}
	for _, opName := range emulate.Ops() {
		t.Run(opName, func(t *testing.T) {
			t.Parallel()
			for _, mistake := range emulate.Mistakes(opName) {
				found, of := power(t, opName, mistake)
				t.Logf("%-28s found in %2d of %2d", mistake, found, of)
			}
		})
	}
}

func power(t *testing.T, opName, mistake string) (found, of int) {
	t.Helper()
	for seed := range uint64(12) {
		config := emulate.Config{Form: []string{"naive", "absorbed"}[seed%2], Mistake: mistake}
		wrong, err := emulate.Run(emulate.Request(opName, seed), config)
		if errors.Is(err, emulate.ErrHidden) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		of++
		if op.Judge(wrong).Status == verdict.Unexplained {
			found++
		}
	}
	return found, of
}
