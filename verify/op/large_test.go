package op_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// large makes requests of attention that are too large for all rows to be run.
type large struct {
	*recording.Recording
	rng *rand.Rand
	t   dtype.Type
}

// among draws one of some numbers.
func (l large) among(x ...int) int { return x[l.rng.IntN(len(x))] }

// normal adds an input of standard deviation 2^exp.
func (l large) normal(name string, exp int, shape ...int) {
	optest.Must(l.Generate(name, recording.Recipe{
		Type: l.t, Shape: shape, Dist: "normal", Seed: l.rng.Uint64N(1 << 40), Exp2: exp,
	}))
}

func largeRequest(op string, seed uint64) *recording.Recording {
	rng := rand.New(rand.NewPCG(seed, 3))
	l := large{recording.New(op), rng, []dtype.Type{dtype.BF16, dtype.F16, dtype.F32}[rng.IntN(3)]}
	l.Attrs["scale"] = json.Number("0.125")
	if op == "mla.decode" {
		l.decode()
	} else {
		l.attention()
	}
	return l.Recording
}

// decode has up to 64 sequences of up to 1024 keys, half of them shorter.
func (l large) decode() {
	batch, queries, heads, keys := l.among(8, 16, 64), l.among(1, 2), l.among(4, 8, 16), l.among(256, 512, 1024)
	l.Attrs["value_dim"] = json.Number("64")
	l.normal("q", l.among(-2, -1, 0, 1), batch, queries, heads, 96)
	l.normal("kv_cache", l.among(-1, 0, 1), batch*keys/64, 64, 1, 96)
	table, lens := tensor.New(batch, keys/64), tensor.New(batch)
	for i := range table.Data {
		table.Data[i] = float64(i)
	}
	for i := range lens.Data {
		lens.Data[i] = float64(l.among(keys, keys/2+l.rng.IntN(keys/2)))
	}
	l.Set("block_table", dtype.I32, table)
	l.Set("kv_lens", dtype.I32, lens)
}

// attention has up to 1024 queries of each of up to 16 heads, which may share keys and have sinks.
func (l large) attention() {
	batch, queries, keys, heads := l.among(1, 2, 4), l.among(64, 128, 256), l.among(256, 512), l.among(4, 8, 16)
	groups := heads / l.among(1, 2, 4)
	l.normal("q", l.among(-2, -1, 0, 1), batch, queries, heads, 64)
	l.normal("k", 0, batch, keys, groups, 64)
	l.normal("v", 0, batch, keys, groups, 64)
	if l.Op == "attention.backward" {
		l.normal("do", 0, batch, queries, heads, 64)
	}
	l.Attrs["causal"] = l.rng.IntN(2) == 0
	if l.t = dtype.F32; l.rng.IntN(2) == 0 {
		l.normal("sink", 0, heads)
	}
}

// TestLargeRightKernels is TestRightKernels where σ of most rows is that of the rows that are run,
// and what is common to all of them has to be known from these: of one small one, or with -long of
// 200 for each op.
func TestLargeRightKernels(t *testing.T) {
	for _, name := range []string{"mla.decode", "attention.forward", "attention.backward"} {
		t.Run(name, func(t *testing.T) {
			configs := emulate.Right(name)
			for seed := range seeds {
				if !*check.Long && (name != "mla.decode" || seed != 3) {
					continue
				}
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					t.Parallel()
					config := configs[rand.New(rand.NewPCG(uint64(seed), 4)).IntN(len(configs))]
					v := optest.JudgeKernel(t, largeRequest(name, uint64(seed)), config)
					if v.Status != verdict.Explained {
						t.Errorf("%s: %s: %s", config, v.Status, v.Reason)
					}
				})
			}
		})
	}
}
