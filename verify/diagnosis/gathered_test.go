package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// inGroups is attention of six heads that share three of keys.
func inGroups() *recording.Recording {
	return given("attention.forward", func(r *recording.Recording) {
		generate(r, "q", 1, 1, 4, 6, 32)
		generate(r, "k", 2, 1, 16, 3, 32)
		generate(r, "v", 3, 1, 16, 3, 32)
	})
}

// routedTo are experts of tokens.
func routedTo(shared bool) *recording.Recording {
	return given("moe.experts", func(r *recording.Recording) {
		generate(r, "x", 1, 6, 64)
		for i, name := range []string{"w_gate", "w_up", "w_down"} {
			generate(r, name, uint64(i+2), 5, []int{16, 16, 64}[i], []int{64, 64, 16}[i])
		}
		if shared {
			for i, name := range []string{"shared_gate", "shared_up", "shared_down"} {
				generate(r, name, uint64(i+5), []int{16, 16, 64}[i], []int{64, 64, 16}[i])
			}
		}
		r.Set("indices", dtype.I64, tensor.Of([]float64{0, 3, 1, 4, 2, 0, 4, 1, 3, 2, 1, 0}, 6, 2))
		r.Set("weights", dtype.F32, tensor.Of([]float64{
			0.5, 0.25, 0.75, 0.125, 0.375, 0.5, 0.625, 0.25, 0.875, 0.5, 0.3125, 0.5,
		}, 6, 2))
	})
}

// Each place may read an entry of its own.
func TestGathered(t *testing.T) {
	heads := inGroups()
	experts := routedTo(false)
	ids := numbersOf(experts, "indices")
	wrongs{
		{
			"keys by remainder", "k and v are read elsewhere along head: at head modulo 2: explains everything",
			confused(heads, func(r *recording.Recording) {
				for _, name := range []string{"k", "v"} {
					r.Set(name, dtype.BF16, entries(numbersOf(heads, name), 2, 6, func(i int) int { return i % 2 }))
				}
			}),
		},
		{
			"other experts", "y is a sum over other experts, or with other weights, than it should be: token 0 has " +
				"expert 1 for 0, expert 2 for 3; token 1 has expert 3 for 1; token 2 has expert 1, which is none of " +
				"its own, times 0.5, expert 0 times 0.376 for 0.5, no expert 2;",
			confused(experts, func(r *recording.Recording) {
				r.Set("indices", dtype.I64, eachOf(ids, func(x float64) float64 { return math.Mod(7*x+1, 5) }))
			}),
		},
	}.check(t)
}

// What is given may be taken to count.
func TestCounted(t *testing.T) {
	right := routedTo(false)
	wrong := confused(right, func(r *recording.Recording) {
		r.Set("indices", dtype.I64, tensor.Of([]float64{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, 6, 2))
	})
	wrongs{{"by slots", "indices is taken to count from 0 along slot, whatever else it holds:", wrong}}.check(t)
}

// What two tensors of routed experts are, those of the shared ones are too.
func TestJoinedWithShared(t *testing.T) {
	right := routedTo(true)
	rows := func(r *recording.Recording, gate, up string) {
		x, y := numbersOf(right, gate), numbersOf(right, up)
		a := len(x.Shape) - 2
		both := func(first int) *tensor.Tensor {
			z := entries(x, a, 16, func(i int) int { return (first+i)/2 - i%2*16 })
			for i, v := range entries(y, a, 16, func(i int) int { return (first+i)/2 - (1-i%2)*16 }).Data {
				z.Data[i] += v
			}
			return z
		}
		r.Set(gate, dtype.BF16, both(0))
		r.Set(up, dtype.BF16, both(16))
	}
	wrong := confused(right, func(r *recording.Recording) {
		rows(r, "w_gate", "w_up")
		rows(r, "shared_gate", "shared_up")
	})
	wrongs{{
		"rows in turn", "w_gate and w_up, and shared_gate and shared_up, are read as if they were behind each", wrong,
	}}.check(t)
}

// A loop may carry on what belongs to one turn.
func TestCarriedOn(t *testing.T) {
	right := given("fp8.cast", func(r *recording.Recording) {
		generate(r, "x", 1, 3, 512)
		r.Attrs["block"] = []any{recording.Number(1), recording.Number(128)}
	})
	wrong := withQuantity(right, "the largest size of each block", func(x *tensor.Tensor) *tensor.Tensor {
		return rowsAlong(x, 0, func(row []float64) { carry(row, math.Min) })
	})
	wrongs{{"a minimum", "the kernel takes for the largest size of each block the least so far along", wrong}}.check(t)
}

// Frequencies may be those of another width.
func TestOtherFrequencies(t *testing.T) {
	right := given("rope.table", func(r *recording.Recording) {
		r.Set("positions", dtype.I64, tensor.Of([]float64{7, 3, 11, 40, 2, 19}, 6))
		r.Attrs["dim"] = recording.Number(16)
	})
	wrongs{
		{
			"another width", "the kernel takes the frequency of each pair for base^(−(2i)/18): explains everything",
			withQuantity(right, emulate.Turns, func(x *tensor.Tensor) *tensor.Tensor {
				return eachOf(x, func(f float64) float64 { return math.Pow(f, 16./18) })
			}),
		},
	}.check(t)
}

// A number that a recording leaves to its default is fitted too, and one that is hardly off.
func TestDefaultsAreFitted(t *testing.T) {
	right := wide(4, 16, false)
	wrongs{{
		"a scale", "the kernel takes the scores times 1.004: explains everything, rms 1.02; so does on these inputs " +
			"with scale 0.1775, 1.004 times what the recording has",
		confused(right, func(r *recording.Recording) { r.Attrs["scale"] = recording.Number(1.004 / math.Sqrt(32)) }),
	}}.check(t)
}

// Pairs may be numbered the other way round.
func TestPairsCountedByColumns(t *testing.T) {
	right := given("moe.dispatch", func(r *recording.Recording) {
		r.Set("indices", dtype.I64, tensor.Of([]float64{0, 3, 1, 4, 2, 0, 4, 1, 3, 2, 1, 0}, 6, 2))
		r.Attrs["experts"] = recording.Number(5)
	})
	wrong := edited(right, "out.order", func(_ int, x float64) float64 { return math.Mod(x, 2)*6 + math.Floor(x/2) })
	wrongs{{
		"by columns", "pairs-by-slot: pairs are numbered slot by slot, k·N + n: explains everything; so does on " +
			"these inputs order holds the right numbers counted column by column, of 6 × 2", wrong,
	}}.check(t)
}

// NaN where there is nothing to add up has a cause; of roots and logarithms any gives NaN.
func TestNothingToAddUp(t *testing.T) {
	right := given("attention.merge", func(r *recording.Recording) {
		generate(r, "o", 1, 2, 6, 16)
		generate(r, "lse", 2, 2, 6)
		r.Set("lse", dtype.F32, eachOf(numbersOf(r, "lse"), func(float64) float64 { return math.Inf(-1) }))
	})
	wrong := edited(right, "out.o", func(int, float64) float64 { return math.NaN() })
	wrongs{{
		"empty rows", "a part of o was never written, or comes out as one number: 96 of 96 elements are NaN; all of " +
			"these should be 0, or −Inf: it is 0/0, where there is nothing to add up: explains everything", wrong,
	}}.check(t)
}

// The axis that some tensors have may be in another order beside what others hold.
func TestOtherPartners(t *testing.T) {
	right := given("attention.backward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v", "do"} {
			generate(r, name, uint64(i+1), 1, 6, []int{6, 3, 3, 6}[i], 16)
		}
	})
	order := []int{1, 2, 3, 4, 5, 0}
	wrong := recordedAs(right, partnered(right, order))
	wrongs{{
		"the next head", "each head of q and do, and of dq, meets what belongs to another: to that which is read " +
			"along head (of 6) one before, round the end: explains everything", wrong,
	}}.check(t)
}

// partnered returns what the call gives with query heads in another order, put back.
func partnered(right *recording.Recording, order []int) outputs {
	s, err := newSubject(right, nil, verdict.Verdict{}, 0)
	optest.Must(err)
	gives, err := s.exact(s.changed(func(r *recording.Recording) {
		for _, name := range []string{"q", "do"} {
			r.Set(name, dtype.BF16, entries(numbersOf(right, name), 2, 6, func(i int) int { return order[i] }))
		}
	}))
	optest.Must(err)
	back := inverse(func(i int) int { return order[i] }, 6)
	dq := tensor.Of(gives["dq"], right.Shape("out.dq")...)
	gives["dq"] = entries(dq, 2, 6, func(i int) int { return back[i] }).Data
	return gives
}

// A scale that is chosen is no whole number, and may have a factor.
func TestScalesOfOtherCodes(t *testing.T) {
	right := given("fp8.cast", func(r *recording.Recording) { generate(r, "x", 1, 8, 512) })
	wrong := edited(right, "out.scale", func(_ int, x float64) float64 { return dtype.F32.Round(x * 448 / 240) })
	wrongs{{
		"FNUZ", "scale is 1.867 times what it should be, which is 448/240, the largest codes of E4M3 and of its FNUZ " +
			"form: explains everything", wrong,
	}}.check(t)
}

// What is tried is bounded by work, and not by what large outputs take in memory.
func TestTrialsAreForgotten(t *testing.T) {
	right := wide(4, 16, false)
	s, err := newSubject(right, nil, verdict.Verdict{}, Budget)
	optest.Must(err)
	for i := range 3 * fewAtOnce {
		s.trials = append(s.trials, &trial{promise: float64(i % 7), gives: outputs{}})
	}
	s.views = []*view{{got: make([]float64, mostKept/fewAtOnce/2)}}
	s.forget()
	kept := 0
	for _, u := range s.trials {
		if !u.forgotten {
			kept++
		}
		if u.forgotten != (u.gives == nil) || u.forgotten && u.promise == 6 {
			t.Errorf("%+v", u.promise)
		}
	}
	if kept != 2*fewAtOnce*3/4 {
		t.Error(kept)
	}
}

// Of wrong answers that are all one number many functions would say something.
func TestOneAnswerIsNoFunction(t *testing.T) {
	right := given("moe.gate", func(r *recording.Recording) {
		generate(r, "logits", 1, 24, 64)
		r.Attrs["top_k"] = recording.Number(1)
	})
	wrong := edited(right, "out.indices", func(int, float64) float64 { return 0 })
	if d := told(t, wrong); strings.Contains(d.Sentence, "divided by") || strings.Contains(d.Sentence, "modulo") {
		t.Error(d.Sentence)
	}
}

// Outputs may have other axes than the op declares first.
func TestOtherAxesThanDeclared(t *testing.T) {
	right := given("policy.mismatch", func(r *recording.Recording) {
		generate(r, "logits_a", 1, 24, 8)
		generate(r, "logits_b", 2, 24, 8)
		r.Set("tokens", dtype.I32, tensor.New(24))
	})
	wrong := confused(right, func(r *recording.Recording) { generate(r, "logits_b", 3, 24, 8) })
	if d := told(t, wrong); !strings.HasPrefix(d.Sentence, "nothing that is known") {
		t.Error(d.Sentence)
	}
}
