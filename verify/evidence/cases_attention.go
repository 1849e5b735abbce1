package evidence

import (
	"math"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

const hopper = arithmetic.F32Hopper

// decoding is one step of decoding over sequences of the same length, in pages of 64 keys that
// stand in memory in order.
func decoding(seed uint64, sequences, heads, keys, width, values int, deviation float64) maker {
	const page = 64
	m := newMaker("mla.decode", seed)
	blocks := keys / page
	m.normal("q", dtype.BF16, deviation, sequences, 1, heads, width)
	m.normal("kv_cache", dtype.BF16, deviation, sequences*blocks, page, 1, width)
	table := make([]float64, sequences*blocks)
	for i := range table {
		table[i] = float64(i)
	}
	m.whole("block_table", table, sequences, blocks)
	m.whole("kv_lens", slices.Repeat([]float64{float64(keys)}, sequences), sequences)
	m.number("value_dim", float64(values))
	m.number("scale", 1/math.Sqrt(flashMLAWidth))
	return m
}

// FlashMLA's recipe: keys of 576, normal numbers over 10, so that logits spread by 0.01.
const (
	flashMLAWidth     = 576
	flashMLALatent    = 512
	flashMLADeviation = 0.1
	flashMLAKeys      = 4096
)

// Criteria that cases alone have.
const (
	gpuModeTolerance = 0.1  // gpu-mode, problems/amd_202602/mixed-mla: rtol and atol
	sdpaFudge        = 1.0  // PyTorch of 2024, test/test_transformers.py: factor of both tolerances
	keysKept         = 0.75 // of gpu-mode's case
	lseKept          = 0.7  // of vLLM's
)

func attentionCases() []falsePass {
	const flashMLA = "normal over 10, s_k 4096; 1 sequence of 8 heads for more"
	return []falsePass{
		{
			"FlashMLA", "the softmax scale is 1/√512 for 1/√576", flashMLA, "cosine 4.2e-6 of 5e-6", otherScale,
		},
		{
			"FlashMLA", "one of 64 sequences loses its last key",
			"normal over 10, s_k 4096, 64 sequences; 1 head, 72 wide with 64 values, for 576 and 512",
			"cosine 4.1e-6 of 5e-6", lastKeyLost,
		},
		{
			"FlashAttention 3", "the diagonal key is skipped from row 2048 of 4096 on",
			"normal, 64 wide, causal; rows 1 to 64, 2049 to 2112 and 4033 to 4096, 2 heads for 12",
			".032 of .047", diagonalSkipped,
		},
		{"vLLM cosine", "the log-sum-exp is over 70 % of the keys", flashMLA, "8.5e-4 of 1e-3", lseOfFewer},
		{
			"gpu-mode mixed-mla", "the last quarter of the cache is never read",
			"normal, 8192 keys; 1 sequence of 16 heads", "0.55 of its tolerance", quarterUnread,
		},
		{
			"PyTorch SDPA 2024", "dQ is zero", "normal, 64 queries and keys, 64 wide, bf16", "0.00 of its tolerance",
			zeroGradient,
		},
	}
}

// flashMLADecoding is one sequence of FlashMLA's test.
func flashMLADecoding(seed uint64) maker {
	return decoding(seed, 1, 8, flashMLAKeys, flashMLAWidth, flashMLALatent, flashMLADeviation)
}

func otherScale() (scene, error) {
	m := flashMLADecoding(11)
	other := m.Clone()
	other.Attrs["scale"] = recording.Number(1 / math.Sqrt(flashMLALatent))
	return withWrong(m.Recording, by("FlashMLA", "o"), func(right *recording.Recording) (*recording.Recording, error) {
		return otherwise(right, other, emulate.Config{})
	})
}

func lastKeyLost() (scene, error) {
	const width, values, sequences = flashMLAWidth / 8, flashMLALatent / 8, 64
	m := decoding(12, sequences, 1, flashMLAKeys, width, values, flashMLADeviation)
	return withWrong(m.Recording, by("FlashMLA", "o"), misreads("kv_lens", func(lens *tensor.Tensor) {
		lens.Data[0]--
	}))
}

func lseOfFewer() (scene, error) {
	return withWrong(flashMLADecoding(13).Recording, by("vLLM cosine", "lse"), spoils("lse", func(lse *tensor.Tensor) {
		for i := range lse.Data {
			lse.Data[i] += math.Log(lseKept)
		}
	}))
}

func quarterUnread() (scene, error) {
	m := decoding(14, 1, 16, 2*flashMLAKeys, flashMLAWidth, flashMLALatent, 1)
	measure := against("o", func(p *Pair) Measure {
		return within(both(p.Got, p.stored(), gpuModeTolerance, gpuModeTolerance))
	})
	return withWrong(m.Recording, measure, misreads("kv_lens", times(keysKept)))
}

// diagonalSkipped has early rows, which set the largest error, in one sequence, and late ones in
// others: their last key is the diagonal one.
func diagonalSkipped() (scene, error) {
	const rows, heads, width, middle = 64, 2, 64, 2112
	m := newMaker("attention.forward", 15)
	m.normal("q", dtype.BF16, 1, 3, rows, heads, width)
	m.normal("k", dtype.BF16, 1, 3, flashMLAKeys, heads, width)
	m.normal("v", dtype.BF16, 1, 3, flashMLAKeys, heads, width)
	m.whole("kv_lens", []float64{rows, middle, flashMLAKeys}, 3)
	m.Attrs["causal"] = true
	return withWrong(m.Recording, by("FlashAttention 3", "o"), misreads("kv_lens", func(lens *tensor.Tensor) {
		lens.Data[1]--
		lens.Data[2]--
	}))
}

func zero(x *tensor.Tensor) { clear(x.Data) }

func zeroGradient() (scene, error) {
	const n, heads, width = 64, 2, 64
	m := newMaker("attention.backward", 16)
	for _, name := range []string{"q", "k", "v", "do"} {
		m.normal(name, dtype.BF16, 1, 1, n, heads, width)
	}
	return withWrong(m.Recording, against("dq", sdpa), spoils("dq", zero))
}

// sdpa takes the largest absolute and the largest relative error of an eager kernel for its
// tolerances.
func sdpa(p *Pair) Measure {
	want := p.reference()
	var rtol float64
	for i, w := range want {
		if w != 0 {
			rtol = max(rtol, math.Abs(p.Eager[i]-w)/math.Abs(w))
		}
	}
	return within(both(p.Got, want, sdpaFudge*furthest(p.Eager, want), sdpaFudge*rtol))
}
