package diagnosis

import (
	"math"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// wrongs are recordings of wrong kernels, each with what a diagnosis has to begin with. Without
// -long the first and every third after it are diagnosed.
type wrongs []struct {
	name, want string
	rec        *recording.Recording
}

func (w wrongs) check(t *testing.T) {
	t.Helper()
	for i, c := range w {
		if i%check.Times(1, 3) != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if d := told(t, c.rec); !strings.HasPrefix(d.Sentence, c.want) {
				t.Errorf("%s\nwant %s", d.Sentence, c.want)
			}
		})
	}
}

// given returns a right recording of an op, its request made by hand.
func given(opName string, set func(r *recording.Recording)) *recording.Recording {
	r := recording.New(opName)
	set(r)
	right, err := emulate.Run(r, emulate.Config{})
	optest.Must(err)
	return right
}

// generate adds an input of normal numbers in BF16.
func generate(r *recording.Recording, name string, seed uint64, shape ...int) {
	optest.Must(r.Generate(name, recording.Recipe{Type: dtype.BF16, Shape: shape, Dist: "normal", Seed: seed}))
}

// withQuantity returns the recording with the outputs of a kernel that goes on with another
// quantity.
func withQuantity(
	rec *recording.Recording, name string, change func(x *tensor.Tensor) *tensor.Tensor,
) *recording.Recording {
	s, err := newSubject(rec, nil, verdict.Verdict{}, 0)
	optest.Must(err)
	formed, _ := s.formed()
	gives, err := s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{name: change(formed[name])}})
	optest.Must(err)
	return recordedAs(rec, gives)
}

// recordedAs returns the recording with other outputs.
func recordedAs(rec *recording.Recording, gives outputs) *recording.Recording {
	other := rec.Clone()
	for _, output := range rec.Outputs() {
		name := "out." + output
		other.Set(name, rec.Type(name), tensor.Of(gives[output], rec.Shape(name)...))
	}
	return other
}

func backwards() *recording.Recording { return backwardsOf(2, 16) }

func backwardsOf(batches, tokens int) *recording.Recording {
	return given("attention.backward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v", "do"} {
			generate(r, name, uint64(i+1), batches, tokens, 2, 8)
		}
	})
}

// along returns a change that reads elsewhere along an axis.
func along(a int, from func(i int) int) func(x *tensor.Tensor) *tensor.Tensor {
	return func(x *tensor.Tensor) *tensor.Tensor { return entries(x, a, x.Shape[a], from) }
}

// What a formula names on the way may lie elsewhere too, or be missing, or count twice.
func TestQuantitiesElsewhere(t *testing.T) {
	right := backwards()
	wrongs{
		{
			"D of the first head", "the kernel reads D, the sum of do·o, along head (of 2) at 0 alone: " +
				"explains everything",
			withQuantity(right, "D, the sum of do·o,", along(2, func(int) int { return 0 })),
		},
		{
			"a tile of keys that dq lacks", "the kernel takes dS in dq for zeros in key 0 to 7, of 16: " +
				"explains everything",
			withQuantity(right, "dS in dq", along(3, func(i int) int {
				if i/8 == 0 {
					return -1
				}
				return i
			})),
		},
		{
			"a tile of keys twice in dq", "the kernel counts dS in dq twice in key 8 to 15, of 16: explains",
			withQuantity(right, "dS in dq", func(x *tensor.Tensor) *tensor.Tensor {
				y := entries(x, 0, x.Shape[0], func(i int) int { return i })
				for i := range y.Data {
					if i%16/8 == 1 {
						y.Data[i] *= 2
					}
				}
				return y
			}),
		},
	}.check(t)
}

// wide is a right recording of attention with rows wide enough to tell what is in them.
func wide(queries, keys int, causal bool) *recording.Recording {
	return given("attention.forward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v"} {
			generate(r, name, uint64(i+1), 1, []int{queries, keys, keys}[i], 2, 32)
		}
		r.Attrs["causal"] = causal
	})
}

// Elements may be right ones of another place, rows have others in them.
func TestWhatStandsInOutputs(t *testing.T) {
	right, few := wide(48, 48, false), wide(16, 6, false)
	o, err := right.Tensor("out.o")
	optest.Must(err)
	own, err := few.Tensor("out.o")
	optest.Must(err)
	const row, query = 32, 2 * 32
	wrongs{
		{
			"patches of the tile before, of the next head", "o holds what belongs 16 queries before and 1 head further",
			edited(right, "out.o", func(i int, x float64) float64 {
				if s := i / query % 48; s >= 16 && s < 32 && i%query < 16 {
					return o.Data[i-16*query+row]
				}
				return x
			}),
		},
		{
			"an accumulator that was not cleared", "each wrong row of o is 1 times the right one and 0.5 times " +
				"that of the right o 8 queries before: explains everything",
			edited(few, "out.o", func(i int, x float64) float64 {
				if s := i / query % 16; s >= 8 {
					return x + 0.5*own.Data[i-8*query]
				}
				return x
			}),
		},
	}.check(t)
}

// Tiles of queries may see keys that a mask hides.
func TestMasksOfTiles(t *testing.T) {
	right := wide(48, 48, true)
	open := confused(right, func(r *recording.Recording) {
		r.Attrs["causal"] = false
		r.Set("kv_lens", dtype.I32, tensor.Of([]float64{16}, 1))
	})
	early := func(name string, query func(i int) int) func(rec *recording.Recording) *recording.Recording {
		other, err := open.Tensor(name)
		optest.Must(err)
		return func(rec *recording.Recording) *recording.Recording {
			return edited(rec, name, func(i int, x float64) float64 {
				if query(i) < 16 {
					return other.Data[i]
				}
				return x
			})
		}
	}
	rec := early("out.o", func(i int) int { return i / 64 % 48 })(right)
	rec = early("out.lse", func(i int) int { return i % 48 })(rec)
	wrongs{{"the first tile", "keys are seen up to 15, of 48, without the causal mask (only o in query up to 14 of " +
		"48; lse in query up to 14 of 48): explains everything", rec}}.check(t)
}

// What is read elsewhere by the numerator alone is right but for a factor of each row.
func TestOtherDivisors(t *testing.T) {
	right := given("norm.rms", func(r *recording.Recording) {
		generate(r, "x", 1, 12, 64)
		generate(r, "weight", 2, 64)
		for _, name := range []string{"x", "weight"} {
			x, err := r.Tensor(name)
			optest.Must(err)
			r.Set(name, dtype.F32, x)
		}
	})
	slow := confused(right, func(r *recording.Recording) {
		x, err := right.Tensor("x")
		optest.Must(err)
		r.Set("x", dtype.F32, entries(x, 0, 12, func(i int) int { return i / 2 }))
	})
	x, err := slow.Tensor("out.y")
	optest.Must(err)
	rec := edited(right, "out.y", func(i int, _ float64) float64 { return x.Data[i] * math.Exp2(float64(i/64%3)) })
	wrongs{{"numerators at half the pace", "x is read along token (of 12) at half the pace, with another divisor: " +
		"rows of y are 1 to 4 times that: takes 99.9 %", rec}}.check(t)
}

// ragged is a right recording of attention to so many keys in each sequence.
func ragged(lens []float64) *recording.Recording {
	n := len(lens)
	return given("attention.forward", func(r *recording.Recording) {
		generate(r, "q", 1, n, 2, 2, 8)
		generate(r, "k", 2, n, 14, 2, 8)
		generate(r, "v", 3, n, 14, 2, 8)
		r.Set("kv_lens", dtype.I32, tensor.Of(lens, n))
	})
}

// Where nothing explains what is wrong, a number may say where it is: here the length.
func TestWrongPlacesAreSetApart(t *testing.T) {
	lens := []float64{2, 10, 3, 12, 8, 5}
	right := ragged(lens)
	rec := edited(right, "out.o", func(i int, x float64) float64 {
		if lens[i/32] > 7 {
			return math.Sin(float64(i * i))
		}
		return x
	})
	const want = "o is wrong where kv_lens is at least 8, and right where it is 5"
	if d := after(t, rec, (*subject).tryFirst); !strings.Contains(d.Sentence, want) {
		t.Errorf("%s\nwant %s", d.Sentence, want)
	}
}

// Where the first alone is right, that it has the longest keys tells nothing.
func TestTheFirstIsSetApartByNothing(t *testing.T) {
	rec := edited(ragged([]float64{12, 10, 3, 2, 8, 5}), "out.o", func(i int, x float64) float64 {
		if i < 32 {
			return x
		}
		return float64(i*37%64)/32 - 1
	})
	said := after(t, rec, (*subject).tryFirst).Sentence
	if strings.Contains(said, "wrong where") || !strings.Contains(said, "batch from 1 on") {
		t.Error(said)
	}
}

// Where each part reads another entry of an axis, a number that it has may be that.
func TestRelations(t *testing.T) {
	lens := []float64{11, 13, 10, 12}
	right := ragged(lens)
	rec := confused(right, func(r *recording.Recording) {
		for _, name := range []string{"k", "v"} {
			x, err := right.Tensor(name)
			optest.Must(err)
			r.Set(name, dtype.BF16, entries(x, 0, 4, func(b int) int { return int(lens[b]) - 10 }))
		}
	})
	const want = "k and v are read elsewhere along batch: at kv_lens − 10: explains"
	wrongs{{"the sequence is a length", want, rec}}.check(t)
}

// Factors may be those that something else has.
func TestFactorsGoAsSomething(t *testing.T) {
	lens := []float64{2, 10, 3, 12, 8, 5}
	right := ragged(lens)
	rec := edited(right, "out.o", func(i int, x float64) float64 { return x * lens[i/32] / 12 })
	wrongs{{"of the length", "each batch of o is a multiple of what it should be, 0.17 to 0.83 times, which goes as " +
		"kv_lens: explains everything", rec}}.check(t)
}

// What lies in memory may be taken for numbers of another type, and pages for such of another size.
func TestMemoryTakenForOtherThings(t *testing.T) {
	gate := given("moe.gate", func(r *recording.Recording) {
		generate(r, "logits", 1, 16, 32)
		r.Attrs["top_k"], r.Attrs["score"] = recording.Number(4), "sigmoid"
	})
	decode := given("mla.decode", func(r *recording.Recording) {
		generate(r, "q", 1, 2, 1, 4, 32)
		generate(r, "kv_cache", 2, 12, 8, 1, 32)
		r.Set("block_table", dtype.I32, tensor.Of([]float64{8, 9, 3, 2, 0, 1, 6, 7}, 2, 4))
		r.Set("kv_lens", dtype.I32, tensor.Of([]float64{29, 17}, 2))
		r.Attrs["value_dim"], r.Attrs["scale"] = recording.Number(16), recording.Number(0.25)
	})
	wrongs{
		{"BF16 as F32", "logits is read as F32, and is BF16: explains everything",
			confused(gate, func(r *recording.Recording) {
				x, err := gate.Tensor("logits")
				optest.Must(err)
				r.Set("logits", dtype.F64, asBytesOf(x, dtype.BF16, dtype.F32))
			})},
		{"entries of larger blocks", "entries of block_table are those of pages 2 times as long: that of page j is " +
			"entry 2 j over 2: explains everything",
			confused(decode, func(r *recording.Recording) {
				r.Set("block_table", dtype.I32, tensor.Of([]float64{4, 1, 0, 0, 0, 3, 0, 0}, 2, 4))
			})},
		{"pages of another size", "pages have 4 rows, and not 8: entry j of block_table is row 4 j of the cache, and " +
			"as many are read: explains everything",
			confused(decode, func(r *recording.Recording) {
				x, err := decode.Tensor("kv_cache")
				optest.Must(err)
				r.Set("kv_cache", dtype.BF16, tensor.Of(x.Data, 24, 4, 1, 32))
				r.Set("kv_lens", dtype.I32, tensor.Of([]float64{16, 12}, 2))
			})},
	}.check(t)
}

// A formula may have another tensor in one place, as it is or reduced over an axis.
func TestOtherTensorsInTheFormula(t *testing.T) {
	right := backwardsOf(1, 4)
	const rows = "D, the sum of do·o,"
	values := given("ppo.gae", func(r *recording.Recording) {
		generate(r, "rewards", 1, 6, 24)
		generate(r, "values", 2, 6, 24)
		r.Set("mask", dtype.U8, filled(1, 6, 24))
		r.Attrs["gamma"] = recording.Number(0.9)
	})
	wrongs{
		{
			"D of all heads", "the kernel takes the mean of D, the sum of do·o over head for D, the sum of do·o: " +
				"explains everything",
			withQuantity(right, rows, func(x *tensor.Tensor) *tensor.Tensor {
				y := tensor.New(x.Shape...)
				for i := range y.Data {
					y.Data[i] = (x.Data[i/2*2] + x.Data[i/2*2+1]) / 2
				}
				return y
			}),
		},
		{
			"values twice", "the kernel subtracts from rewards values: explains everything",
			confused(values, func(r *recording.Recording) {
				r.Set("rewards", dtype.F64, plus(numbersOf(r, "rewards"), -1, numbersOf(r, "values")))
			}),
		},
		{
			"values not at all", "value-not-subtracted: the temporal difference is",
			confused(values, func(r *recording.Recording) {
				r.Set("rewards", dtype.F64, plus(numbersOf(r, "rewards"), 1, numbersOf(r, "values")))
			}),
		},
	}.check(t)
}

// plus returns the sum of one and a multiple of another.
func plus(a *tensor.Tensor, by float64, b *tensor.Tensor) *tensor.Tensor {
	sum := tensor.New(a.Shape...)
	for i := range sum.Data {
		sum.Data[i] = a.Data[i] + by*b.Data[i]
	}
	return sum
}

// One factor explains one number whatever it is: nothing is said by it but that.
func TestOneFactorOfOneNumber(t *testing.T) {
	right := given("moe.balance_loss", func(r *recording.Recording) {
		generate(r, "scores", 1, 32, 8)
		r.Set("indices", dtype.I32, filled(1, 32, 2))
	})
	wrong := edited(right, "out.loss", func(_ int, x float64) float64 { return 0.77301 * x })
	want := "loss is 0.773 times what it should be, as one number can always be; nothing that is known explains it"
	if d := told(t, wrong); !strings.HasPrefix(d.Sentence, want) {
		t.Errorf("%s\nwant %s", d.Sentence, want)
	}
}

// Of a mean that is 10⁻¹⁸ and should be 0 nothing is said: groups whose rewards are equal have
// advantages of 0, normalised once more too.
func TestLastBitsOfNothing(t *testing.T) {
	right := given("grpo.advantage", func(r *recording.Recording) {
		rewards, ids := tensor.New(32), tensor.New(32)
		for i := range rewards.Data {
			ids.Data[i] = float64(i / 8)
			if i < 16 {
				rewards.Data[i] = dtype.F32.Round(math.Sin(float64(11 * i)))
			}
		}
		r.Set("rewards", dtype.F32, rewards)
		r.Set("group", dtype.I32, ids)
	})
	wrong, err := emulate.Run(right.Request(), emulate.Config{Mistake: "whitened-again"})
	optest.Must(err)
	wrong = edited(wrong, "out.advantage", func(i int, x float64) float64 {
		if i < 16 {
			return x
		}
		return 0
	})
	if d := told(t, wrong); !strings.HasPrefix(d.Sentence, "whitened-again") {
		t.Error(d.Sentence)
	}
}
