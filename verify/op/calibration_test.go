package op_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// seeds is how many requests of each op the error model is tested on.
const seeds = 200

// turns returns which of n configurations a seed runs: one of them, in turn, or all with -long.
func turns(seed, n int) []int {
	if *check.Long {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return all
	}
	return []int{(seed + seed/n) % n}
}

// TestRightKernels is the promise that no right kernel flakes: any tiling, split, order of
// summation, form and type, on every seed, or without -long on two.
func TestRightKernels(t *testing.T) {
	for _, opName := range emulate.Ops() {
		t.Run(opName, func(t *testing.T) {
			t.Parallel()
			configs := emulate.Right(opName)
			judged, blind := 0, 0
			for seed := range check.Times(seeds, 2) {
				request := emulate.Request(opName, uint64(seed))
				for _, i := range turns(seed, len(configs)) {
					v := optest.JudgeKernel(t, request, configs[i])
					judged++
					switch {
					case v.Status == verdict.Undetermined && strings.HasSuffix(v.Reason, "would pass as well"):
						blind++ // inputs that cancel, in a narrow type: nothing is said, and rightly
					case v.Status != verdict.Explained:
						t.Errorf("seed %d, %s: %s: %s", seed, configs[i], v.Status, v.Reason)
					}
				}
			}
			if blind > max(1, judged/25) {
				t.Errorf("of %d verdicts on right kernels, %d say that anything would pass", judged, blind)
			}
		})
	}
}

// strong tells whether a mistake moves an output far enough that a check of each element and slice
// by itself must see it: an element by twice its limit, or the whole by twice the tensor's.
func strong(e verdict.Expected, wrong []float64, limits verdict.Output) bool {
	if e.Choice != nil {
		return limits.Wrong > 0
	}
	var sum float64
	for i := range e.Truth.Data {
		truth := e.Nearest(i, wrong[i])
		if !e.Judged(i) || wrong[i] == e.Type.Round(truth) {
			continue
		}
		moved := math.Abs(wrong[i] - truth)
		if !dtype.Finite(truth) || !dtype.Finite(moved) {
			if otherKind(truth, wrong[i]) {
				return true
			}
			continue
		}
		ulp, sigma := e.Type.Spacing(truth), e.Widest(i)
		if moved > ulp+2*limits.MaxZLimit*sigma {
			return true
		}
		sum += moved * moved / (sigma*sigma + ulp*ulp/12)
	}
	return math.Sqrt(sum/float64(limits.Elements)) > 2*limits.RMSLimit
}

// otherKind tells whether two numbers, not both finite, are different: NaN and not, or infinities
// and not.
func otherKind(truth, wrong float64) bool {
	return math.IsNaN(truth) != math.IsNaN(wrong) || !math.IsNaN(truth) && truth != wrong
}

// TestWrongKernels runs every mistake of the emulators: where it moves the outputs visibly, the
// recording must be unexplained. Without -long it runs every eighteenth of an op, for one op others
// than for the next, and each on one request: package evidence runs every one of them once.
func TestWrongKernels(t *testing.T) {
	for n, opName := range emulate.Ops() {
		t.Run(opName, func(t *testing.T) {
			t.Parallel()
			for i, mistake := range emulate.Mistakes(opName) {
				if strings.HasSuffix(mistake, "-truncated") {
					continue // moves no element visibly: TestTruncation
				}
				if (n+i)%check.Times(1, 18) != 0 {
					continue
				}
				seen := 0
				for seed := range uint64(seeds) {
					if seen >= 1 && !*check.Long {
						break
					}
					seen += wrongKernel(t, opName, mistake, seed)
				}
				if seen == 0 {
					t.Errorf("%s: not visible on any of %d requests", mistake, seeds)
				}
			}
		})
	}
}

// TestTruncation: a kernel that truncates where it should round moves no element by much, but all
// in one direction. Outputs of a narrow type show it once there are many independent errors behind
// them, which the requests do not all have: a third must. Without -long every sixth op is run.
func TestTruncation(t *testing.T) {
	for n, opName := range emulate.Ops() {
		if n%check.Times(1, 6) != 0 {
			continue
		}
		for _, mistake := range emulate.Mistakes(opName) {
			if !strings.HasSuffix(mistake, "-truncated") {
				continue
			}
			if opName == "mla.decode" && mistake == "probabilities-truncated" {
				continue // one key dominates in most of these requests, and its weight is exactly 1
			}
			found, of := truncationFound(t, opName, mistake)
			t.Logf("%s %s: found in %d of %d", opName, mistake, found, of)
			if 3*found < of {
				t.Errorf("%s %s: found in %d of %d recordings", opName, mistake, found, of)
			}
		}
	}
}

// truncationFound counts the recordings with enough elements in which a truncation is found.
func truncationFound(t *testing.T, opName, mistake string) (found, of int) {
	t.Helper()
	for seed := range uint64(seeds) {
		wrong, err := emulate.Run(emulate.Request(opName, seed), emulate.Config{Mistake: mistake})
		if err != nil {
			continue
		}
		if first := wrong.Shape("out." + wrong.Outputs()[0]); op.Elements(first) < 4096 {
			continue
		}
		v := optest.Judge(t, wrong)
		if o := v.Outputs[0]; o.Elements < 4096 || mistake == "output-truncated" && o.Type == "F32" {
			continue
		}
		of++
		if v.Status == verdict.Unexplained {
			found++
		}
		if of == check.Times(seeds, 2) {
			break
		}
	}
	return found, of
}

// wrongKernel judges one mistake on one request and returns 1 if it was visible there.
func wrongKernel(t *testing.T, opName, mistake string, seed uint64) int {
	t.Helper()
	wrong, err := emulate.Run(
		emulate.Request(opName, seed),
		emulate.Config{Tile: 32, Splits: 3, Form: []string{"naive", "absorbed"}[seed%2], Mistake: mistake},
	)
	if errors.Is(err, emulate.ErrHidden) {
		return 0
	}
	if err != nil {
		t.Fatalf("%s, seed %d: %v", mistake, seed, err)
	}
	expected, err := optest.Expect(t, wrong)
	if err != nil {
		t.Fatalf("%s, seed %d: %v", mistake, seed, err)
	}
	visible, explained := shows(t, wrong, expected)
	if visible && explained {
		t.Errorf("%s, seed %d: explained", mistake, seed)
	}
	if visible {
		return 1
	}
	return 0
}

// shows tells whether a mistake moves an output visibly, and whether all outputs are explained.
func shows(t *testing.T, wrong *recording.Recording, expected []verdict.Expected) (visible, explained bool) {
	t.Helper()
	explained = true
	for _, e := range expected {
		got, err := wrong.Tensor("out." + e.Name)
		if err != nil {
			t.Fatal(err)
		}
		out := verdict.Judge(e, got)
		visible = visible || strong(e, got.Data, out)
		explained = explained && out.Status == verdict.Explained
	}
	return visible, explained
}

// TestOddInputs runs right kernels on inputs whose roundings are far from independent: equal keys,
// equal values, weights that crowd, sums of one sign, numbers on a coarse grid, outliers. Nothing
// may be taken for a mistake.
func TestOddInputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	draws := []struct {
		name string
		draw func() float64
	}{
		{"normal", rng.NormFloat64},
		{"positive", rng.Float64},
		{"tiny", func() float64 { return 1e-4 * rng.NormFloat64() }},
		{"small", func() float64 { return 0.1 * rng.NormFloat64() }},
		{"one value", func() float64 { return 0.7 }},
		{"whole numbers", func() float64 { return float64(rng.IntN(5) - 2) }},
		{"outliers", func() float64 { return rng.NormFloat64() * []float64{1, 100}[max(0, rng.IntN(50)-48)] }},
	}
	for i, scores := range draws {
		for k, values := range draws {
			t.Run(scores.name+" scores, "+values.name+" values", func(t *testing.T) {
				request := oddRequest(i, k, scores.draw, values.draw)
				for n, c := range emulate.Right("attention.forward") {
					if scores.name == "outliers" && c.Scores == dtype.F16 {
						continue // overflows
					}
					if !*check.Long && (n+i+k)%47 != 0 {
						continue
					}
					v, narrow := optest.JudgeKernel(
						t, request, c,
					), c.Accumulate == arithmetic.BF16 || c.Accumulate == arithmetic.F16
					if narrow && v.Status == verdict.Undetermined && strings.HasSuffix(v.Reason, "would pass as well") {
						continue // long sums in so few bits
					}
					if v.Status != verdict.Explained {
						t.Errorf("%s, %s: %s: %s", request.Type("q"), c, v.Status, v.Reason)
					}
				}
			})
		}
	}
}

// oddRequest draws queries and keys, and values, in types and shapes that the two numbers choose.
func oddRequest(i, k int, scores, values func() float64) *recording.Recording {
	typ := []dtype.Type{dtype.BF16, dtype.F16, dtype.F32}[(i+k)%3]
	keys, queries := []int{300, 17}[(i+2*k)%2], []int{4, 20, 1}[(i+k)%3]
	request := recording.New("attention.forward")
	for _, name := range []string{"q", "k", "v"} {
		x := tensor.New(map[string][]int{
			"q": {1, queries, 4, 64}, "k": {1, keys, 2, 64}, "v": {1, keys, 2, 48},
		}[name]...)
		for i := range x.Data {
			if x.Data[i] = scores(); name == "v" {
				x.Data[i] = values()
			}
		}
		request.Set(name, typ, x)
	}
	return request
}

// TestTruncatingSums: the sums of Hopper's tensor cores pull every large score toward zero, so that
// a log-sum-exp over many keys moves as far as one score.
func TestTruncatingSums(t *testing.T) {
	request := optest.DecodeRequest(4, 1000, 1, 0, 9)
	q, err := request.Tensor("q")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := request.Tensor("kv_cache")
	if err != nil {
		t.Fatal(err)
	}
	for i := range q.Data { // products of one sign, and so large scores
		q.Data[i] = math.Abs(q.Data[i])
	}
	for i := range cache.Data {
		cache.Data[i] = math.Abs(cache.Data[i])
	}
	request.Set("q", dtype.BF16, q)
	request.Set("kv_cache", dtype.BF16, cache)
	if v := optest.JudgeKernel(
		t, request, emulate.Config{Accumulate: arithmetic.F32Hopper},
	); v.Status != verdict.Explained {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}

// TestCalibration holds σ to what kernels do that make the roundings they declare. Over many
// requests, the root mean square of the scores is between 0.6 and 1.2 where roundings to a narrow
// type dominate, and lower, down to 0.15, where kernels add up float32 in a better order than a
// plain sequential sum, or have exact operands. It runs every seventh case, or all with -long.
func TestCalibration(t *testing.T) {
	eager := emulate.Config{
		NormalizeFirst: true, Scores: dtype.BF16, Probabilities: dtype.BF16, Intermediate: dtype.BF16,
	}
	for i, c := range []struct {
		op, output string
		dtype      dtype.Type
		config     emulate.Config
		low, high  float64
	}{
		{"fp8.gemm", "c", dtype.F32, emulate.Config{Accumulate: arithmetic.F32Hopper, Output: dtype.F32}, 0.6, 1.2},
		{"fp8.grouped_gemm", "c", dtype.F32, emulate.Config{Output: dtype.F32}, 0.4, 1.2},
		{"attention.forward", "o", dtype.BF16, emulate.Config{NormalizeFirst: true}, 0.6, 1.2},
		{"attention.forward", "o", dtype.BF16, emulate.Config{Tile: 64}, 0.6, 1.2},
		{"attention.forward", "o", dtype.F16, emulate.Config{Tile: 16, Splits: 4}, 0.6, 1.2},
		{"attention.forward", "o", dtype.BF16, eager, 0.6, 1.2},
		{"attention.forward", "o", dtype.F32, emulate.Config{Tile: 64}, 0.6, 1.2},
		{"attention.forward", "o", dtype.F32, emulate.Config{Tile: 64, Order: emulate.Pairwise}, 0.2, 0.9},
		{"attention.forward", "lse", dtype.F32, emulate.Config{Tile: 64}, 0.4, 1.2},
		{"attention.forward", "o", dtype.F32, emulate.Config{Accumulate: arithmetic.TF32}, 0.4, 1.2},
		// all types: exact operands in most
		{"attention.forward", "lse", dtype.F32, emulate.Config{Accumulate: arithmetic.TF32}, 0.2, 1.2},
		{
			"attention.forward", "o", dtype.F32, emulate.Config{Accumulate: arithmetic.TF32, OperandsRounded: true},
			0.15, 1.1,
		},
		{"attention.backward", "dk", dtype.F32, emulate.Config{Accumulate: arithmetic.TF32}, 0.3, 1.2},
		{"attention.backward", "dk", dtype.BF16, emulate.Config{Tile: 64, GroupSum: dtype.BF16}, 0.6, 1.2},
		{"attention.backward", "dv", dtype.BF16, emulate.Config{Tile: 64, GroupSum: dtype.BF16}, 0.6, 1.2},
		{"attention.backward", "dq", dtype.BF16, emulate.Config{Tile: 64}, 0.6, 1.2},
		{"attention.backward", "dk", dtype.BF16, emulate.Config{Tile: 64}, 0.6, 1.2},
		{"attention.backward", "dv", dtype.BF16, emulate.Config{Tile: 64}, 0.6, 1.2},
		{"attention.backward", "dq", dtype.F32, emulate.Config{Tile: 64}, 0.4, 1.2},
		{"attention.merge", "o", dtype.BF16, emulate.Config{}, 0.6, 1.2},
		{"mla.decode", "o", dtype.BF16, emulate.Config{NormalizeFirst: true}, 0.6, 1.2},
		// the weight of a dominant key is exactly 1 before the division
		{"mla.decode", "o", dtype.BF16, emulate.Config{Tile: 64, Splits: 4}, 0.45, 1.2},
		{"mla.decode", "o", dtype.F32, emulate.Config{Tile: 64}, 0.5, 1.2},
		{"mla.layer", "y", dtype.BF16, emulate.Config{Form: "naive"}, 0.6, 1.2},
		{"mla.layer", "y", dtype.BF16, emulate.Config{Form: "absorbed"}, 0.6, 1.2},
		{
			"mla.layer", "y", dtype.BF16, emulate.Config{Form: "absorbed", NormalizeFirst: true, Scores: dtype.BF16},
			0.6, 1.1,
		},
		{"mla.layer", "latent", dtype.BF16, emulate.Config{}, 0.6, 1.2},
		{"mla.layer", "rope_key", dtype.BF16, emulate.Config{}, 0.6, 1.2},
		{"norm.rms", "y", dtype.BF16, emulate.Config{}, 0.6, 1.2},
		{"norm.rms", "y", dtype.F32, emulate.Config{}, 0.6, 1.2},
		{"norm.rms", "y", dtype.F32, emulate.Config{Order: emulate.Pairwise}, 0.2, 0.8},
		{"rope.apply", "y", dtype.BF16, emulate.Config{}, 0.6, 1.2},
		{"rope.apply", "y", dtype.F32, emulate.Config{Frequencies: emulate.Exp}, 0.3, 1.2},
		{"rope.table", "cos", dtype.F32, emulate.Config{Frequencies: emulate.Exp}, 0.2, 1.2},
		{"policy.kl", "kl", dtype.F32, emulate.Config{}, 0.2, 1.2},
		{"policy.kl", "kl", dtype.F32, emulate.Config{Approximate: true, Base2: true}, 0.5, 1.2},
		{"ppo.gae", "advantage", dtype.F32, emulate.Config{}, 0.4, 1.2},
		{"ppo.gae", "return", dtype.F32, emulate.Config{}, 0.4, 1.2},
		{"ppo.loss", "dlogprob", dtype.F32, emulate.Config{}, 0.2, 1.2},
		{"ppo.loss", "dlogprob", dtype.F32, emulate.Config{Approximate: true, Base2: true}, 0.4, 1.2},
		{"grpo.loss", "dlogprob", dtype.F32, emulate.Config{NormalizeFirst: true}, 0.2, 1.2},
		{"ppo.value_loss", "dvalues", dtype.F32, emulate.Config{}, 0.4, 1.2},
		{"grpo.advantage", "advantage", dtype.F32, emulate.Config{}, 0.3, 1.2},
		// exponentials that are right to the last place, not to 2 ulp
		{"dpo.loss", "dchosen", dtype.F32, emulate.Config{}, 0.2, 1.2},
		{"dpo.loss", "chosen_reward", dtype.F32, emulate.Config{}, 0.4, 1.2},
		{"policy.kl", "kl", dtype.F32, emulate.Config{Intermediate: dtype.BF16}, 0.4, 1.2},
		{"ppo.loss", "dlogprob", dtype.F32, emulate.Config{Intermediate: dtype.BF16}, 0.4, 1.2},
		{"grpo.loss", "dlogprob", dtype.F32, emulate.Config{Intermediate: dtype.F16, NormalizeFirst: true}, 0.4, 1.2},
		{"ppo.value_loss", "dvalues", dtype.F32, emulate.Config{Intermediate: dtype.BF16}, 0.4, 1.2},
		{"policy.cross_entropy", "dhidden", dtype.BF16, emulate.Config{}, 0.5, 1.2},
		{"policy.cross_entropy", "dhidden", dtype.F32, emulate.Config{Intermediate: dtype.BF16}, 0.5, 1.2},
		{"policy.cross_entropy", "dhidden", dtype.F32, emulate.Config{}, 0.2, 1.2},
		{"policy.cross_entropy", "dweight", dtype.F32, emulate.Config{Intermediate: dtype.BF16}, 0.5, 1.2},
		{"policy.cross_entropy", "dweight", dtype.BF16, emulate.Config{Combine: dtype.BF16}, 0.4, 1.2},
		// differences of models, which are larger
		{"dpo.loss", "dchosen", dtype.F32, emulate.Config{Intermediate: dtype.BF16, NormalizeFirst: true}, 0.4, 1.2},
	} {
		if i%check.Times(1, 7) != 0 {
			continue
		}
		t.Run(fmt.Sprintf("%s %s %s, %s", c.op, c.output, c.dtype, c.config), func(t *testing.T) {
			t.Parallel()
			score, n := pooled(t, c.op, c.output, c.dtype, c.config)
			t.Logf("root mean square %.3f over %d requests", score, n)
			if score < c.low || score > c.high || n < 5 {
				t.Errorf("root mean square %.3f over %d requests, want %v to %v", score, n, c.low, c.high)
			}
		})
	}
}

// pooled returns the root mean square of an output's scores, over the requests in which it has that
// type: with -long all, else a dozen, or of the ops that take longest eight.
func pooled(t *testing.T, opName, output string, typ dtype.Type, c emulate.Config) (score float64, requests int) {
	t.Helper()
	var sum float64
	few := 12
	if strings.HasPrefix(opName, "attention.") || strings.HasPrefix(opName, "mla.") {
		few = 8
	}
	for seed := range uint64(seeds) {
		if requests == check.Times(seeds, few) {
			break
		}
		rec, err := emulate.Run(emulate.Request(opName, seed), c)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Type("out."+output) != typ || op.Elements(rec.Shape("out."+output)) < 64 {
			continue // of another type, or too few elements to count
		}
		alone(rec, output)
		if o := optest.Judge(t, rec).Outputs[0]; o.Elements >= 64 {
			sum += o.RMS * o.RMS
			requests++
		}
	}
	return math.Sqrt(sum / float64(requests)), requests
}

// alone leaves a recording one of its outputs.
func alone(rec *recording.Recording, output string) {
	for _, name := range rec.Outputs() {
		if name != output {
			rec.Delete("out." + name)
		}
	}
}
