package diagnosis

import (
	"math"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// normed is a right recording of norm.rms.
func normed(rows, columns int) *recording.Recording {
	return given("norm.rms", func(r *recording.Recording) {
		generate(r, "x", 1, rows, columns)
		generate(r, "weight", 2, columns)
	})
}

// lossOf is a right recording of grpo.loss without a clip, of tokens that count in two sequences of
// three.
func lossOf(tokens int) *recording.Recording {
	return given("grpo.loss", func(r *recording.Recording) {
		for i, name := range []string{"logprob", "old_logprob", "advantage"} {
			random := emulate.NewRand(uint64(i+1), name)
			r.Set(name, dtype.F32, eachOf(tensor.New(3, tokens), func(float64) float64 { return random.NormFloat64() }))
		}
		r.Attrs["clip"] = "none"
		r.Set("mask", dtype.U8, tensor.Of(slices.Concat(filled(1, 2*tokens).Data, make([]float64, tokens)), 3, tokens))
	})
}

// A factor on a mean is a division by another number, and each run of rows may have its own.
func TestFactorsAreOtherDivisions(t *testing.T) {
	scaled := func(name string, by func(i int) float64) func(r *recording.Recording) *recording.Recording {
		return func(r *recording.Recording) *recording.Recording {
			return edited(r, name, func(i int, x float64) float64 { return by(i) * x })
		}
	}
	all := scaled("out.loss", func(int) float64 { return 40.0 / 47 })(
		scaled("out.dlogprob", func(int) float64 { return 40.0 / 47 })(lossOf(20)))
	wrongs{
		{"other tokens", "loss and dlogprob are 0.8511 times what they should be, as of a division by 47 in the " +
			"place of 40, the sum of mask: explains everything", all},
		{"runs of rows", "each token of y is a multiple: 0 to 3 1.5 times what it should be and 4 to 7 3.001 times",
			scaled("out.y", func(i int) float64 { return 1.5 * float64(1+i/(4*64)) })(normed(8, 64))},
	}.check(t)
}

// A race leaves in each row a sum of its own.
func TestQuantitiesOfEachRow(t *testing.T) {
	wrongs{{
		"root mean squares", "the kernel takes the root mean square of each for another number, 0.5 to 1.2 times " +
			"what it is: explains everything",
		withQuantity(normed(16, 64), "the root mean square", func(x *tensor.Tensor) *tensor.Tensor {
			y := tensor.New(x.Shape...)
			for i, v := range x.Data {
				y.Data[i] = v * (0.5 + 0.7*float64(i*i%16)/9)
			}
			return y
		}),
	}}.check(t)
}

// Lanes may hold a tile in another order than the other operand has it.
func TestPermutedTiles(t *testing.T) {
	weight := func(from func(i int) int) func(r *recording.Recording) {
		return func(r *recording.Recording) {
			x, err := r.Tensor("weight")
			optest.Must(err)
			r.Set("weight", r.Type("weight"), entries(x, 0, x.Shape[0], from))
		}
	}
	wrongs{
		{
			"tiles transposed", "weight is read along column (of 64) in each tile of 16 as 8 × 2, where it is 2 × 8",
			confused(normed(8, 64), weight(func(i int) int { return i/16*16 + i%2*8 + i%16/2 })),
		},
		{
			"runs exchanged", "weight is read along column (of 64) with each two runs of 4 in each other's place",
			confused(normed(8, 64), weight(func(i int) int { return i ^ 4 })),
		},
	}.check(t)
}

// What is one number of the call is said to be that; what is bounded, or off by something, by how
// much.
func TestNumbersInTheFormula(t *testing.T) {
	loss := given("moe.balance_loss", func(r *recording.Recording) {
		scores, chosen := tensor.New(24, 6), tensor.New(24, 2)
		random := emulate.NewRand(1, "scores")
		for i := range scores.Data {
			scores.Data[i] = random.Float64()
		}
		for i := range chosen.Data {
			chosen.Data[i] = float64((i/2*i/2 + i%2) % 6)
		}
		r.Set("scores", dtype.F32, scores)
		r.Set("indices", dtype.I32, chosen)
	})
	of := func(change func(x float64) float64) func(x *tensor.Tensor) *tensor.Tensor {
		return func(x *tensor.Tensor) *tensor.Tensor { return eachOf(x, change) }
	}
	right := lossOf(20)
	ratio := func(change func(x float64) float64) *recording.Recording {
		return confused(right, func(r *recording.Recording) {
			x, err := r.Tensor("advantage")
			optest.Must(err)
			r.Set("advantage", dtype.F32, of(change)(x))
		})
	}
	wrongs{
		{
			"a mean that is none", "the kernel takes scores for 1/K, which is 0.5: explains everything; so do on " +
				"these inputs takes P, the mean score, for 1/K",
			withQuantity(loss, "P, the mean score,", of(func(float64) float64 { return 0.5 })),
		},
		{"a bound", "the kernel takes the advantage of each token for at most 0.7: explains everything",
			ratio(func(x float64) float64 { return math.Min(x, 0.7) })},
		{"something more", "the kernel takes the advantage of each token and 0.37 more: explains everything",
			ratio(func(x float64) float64 { return x + 0.37 })},
	}.check(t)
}

// A backward kernel that reads keys and values in another layout has of the forward pass what is
// right.
func TestForwardPassStands(t *testing.T) {
	right := given("attention.backward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v", "do"} {
			generate(r, name, uint64(i+1), 1, 4, 4, 8)
		}
	})
	s, err := newSubject(right, nil, verdict.Verdict{}, 0)
	optest.Must(err)
	gives, err := withGiven(s.exchangedSets()[2], s.given()).give()
	optest.Must(err)
	wrongs{{
		"k and v", "axes 1 and 2 of k and v exchanged in memory, by the backward pass alone: explains",
		recordedAs(right, gives),
	}}.check(t)
}

// Strides may be those of another extent of the call, or of whole tiles.
func TestOtherStrides(t *testing.T) {
	right := given("attention.forward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v"} {
			generate(r, name, uint64(i+1), 2, []int{6, 20, 20}[i], 2, 16)
		}
	})
	read := func(extent int, names ...string) *recording.Recording {
		return confused(right, func(r *recording.Recording) {
			for _, name := range names {
				x, err := r.Tensor(name)
				optest.Must(err)
				r.Set(name, r.Type(name), restrided(x, 1, extent, true))
			}
		})
	}
	wrongs{
		{"both in tiles of 32", "k and v are read with the strides of 32 for", read(32, "k", "v")},
		{"keys in tiles of 8", "k is read with the strides of 24 for", read(24, "k")},
	}.check(t)
}

// Two of a formula may stand in each other's place.
func TestQuantitiesSwapped(t *testing.T) {
	right := backwardsOf(1, 6)
	s, err := newSubject(right, nil, verdict.Verdict{}, 0)
	optest.Must(err)
	formed, _ := s.formed()
	gives, err := s.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{
		"dS in dq": formed["P in dv"], "P in dv": formed["dS in dq"],
	}})
	optest.Must(err)
	rec := recordedAs(right, gives)
	wrongs{{"P and dS", "the kernel takes P in dv for dS in dq, and the reverse: explains everything", rec}}.check(t)
}

// A mistake may come with another attribute.
func TestMistakeWithAttribute(t *testing.T) {
	right := given("attention.forward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v"} {
			generate(r, name, uint64(i+1), 1, 12, 2, 16)
		}
		r.Attrs["causal"], r.Attrs["softcap"] = true, recording.Number(6)
	})
	other := right.Request()
	other.Attrs["scale"] = recording.Number(0.5)
	wrong, err := emulate.Run(other, emulate.Config{Mistake: "causal-strict"})
	optest.Must(err)
	rec := right.Clone()
	for _, name := range rec.Outputs() {
		rec.Set("out."+name, rec.Type("out."+name), numbersOf(wrong, "out."+name))
	}
	wrongs{{
		"as if by another scale", "causal-strict and scale=0.5: a query does not see the key at its own", rec,
	}}.check(t)
}

// Outputs may be other functions of what the formula names.
func TestOutputsOfOtherFormulas(t *testing.T) {
	kl := given("policy.kl", func(r *recording.Recording) {
		for i, name := range []string{"logprob", "ref_logprob"} {
			random := emulate.NewRand(uint64(i+1), name)
			r.Set(name, dtype.F32, eachOf(tensor.New(3, 20), func(float64) float64 { return random.NormFloat64() }))
		}
		r.Set("mask", dtype.U8, filled(1, 3, 20))
		r.Attrs["estimator"] = "k1"
	})
	p, q := numbersOf(kl, "logprob"), numbersOf(kl, "ref_logprob")
	other := func(of func(x float64) float64) *recording.Recording {
		return edited(kl, "out.kl", func(i int, _ float64) float64 { return of(p.Data[i] - q.Data[i]) })
	}
	wrongs{
		{"an exponential", "kl holds the right kl taken for its exponential: explains everything", other(math.Exp)},
		{
			"a line", "the kernel takes the log-ratio to the reference for 0.7 times it and 0.2 more: explains",
			other(func(x float64) float64 { return 0.7*x - 0.2 }),
		},
	}.check(t)
	turned := given("rope.apply", func(r *recording.Recording) {
		generate(r, "x", 1, 12, 4, 16)
		r.Set("positions", dtype.I32, filled(3, 12))
		r.Attrs["base"] = recording.Number(10000)
	})
	wrongs{{"heads", "the kernel multiplies the position of each head by the number of the head",
		withQuantity(turned, emulate.Places, func(x *tensor.Tensor) *tensor.Tensor {
			y := entries(x, 0, x.Shape[0], func(i int) int { return i })
			for i := range y.Data {
				y.Data[i] *= float64(i % x.Shape[1])
			}
			return y
		})}}.check(t)
}

// Whole numbers may be functions of the right ones, and rows have theirs in another order.
func TestAnswersOfOtherFunctions(t *testing.T) {
	chosen := filled(0, 24, 2)
	for i := range chosen.Data {
		chosen.Data[i] = math.Floor(math.Sqrt(1.3 * float64(i)))
	}
	dispatched := given("moe.dispatch", func(r *recording.Recording) {
		r.Set("indices", dtype.I32, chosen)
		r.Attrs["experts"] = recording.Number(8)
	})
	filled := edited(dispatched, "out.counts", func(_ int, x float64) float64 { return 8 * math.Ceil(x/8) })
	wrongs{{"tiles", "counts holds the right numbers in whole tiles of 8: explains everything", filled}}.check(t)
	gated := given("moe.gate", func(r *recording.Recording) {
		generate(r, "logits", 1, 24, 8)
		r.Attrs["top_k"] = recording.Number(3)
	})
	weights := numbersOf(gated, "out.weights")
	turned := edited(gated, "out.weights", func(i int, _ float64) float64 { return weights.Data[i/3*3+(i+1)%3] })
	wrongs{{"slots", "rows of weights have the right numbers, in another order: explains", turned}}.check(t)
}

// Explanations of one choice stand beside those of several.
func TestChoicesOneByOne(t *testing.T) {
	rec, err := recording.Open("../../golden/testdata/invalid/mtp-accept-one-f32.draft-taken-for-sure.safetensors")
	optest.Must(err)
	defer rec.Close()
	if d := told(t, rec); !strings.Contains(d.Sentence, "draft-taken-for-sure") {
		t.Error(d.Sentence)
	}
}

// Two inputs may lie in memory as one.
func TestInputsJoined(t *testing.T) {
	right := given("attention.forward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v"} {
			generate(r, name, uint64(i+1), 1, 8, 2, 16)
		}
	})
	read := confused(right, func(r *recording.Recording) {
		k, v := numbersOf(right, "k"), numbersOf(right, "v")
		other, behind := tensor.New(k.Shape...), tensor.New(k.Shape...)
		for i := range other.Data { // k0 v0 k1 v1 … along columns
			mixed := [][]float64{k.Data, v.Data}[i%2]
			row, column := i/16*16, i%16/2
			other.Data[i], behind.Data[i] = mixed[row+column], mixed[row+8+column]
		}
		r.Set("k", r.Type("k"), other)
		r.Set("v", r.Type("v"), behind)
	})
	wrongs{{"k and v", "k and v are read as if they were behind each other along", read}}.check(t)
}
