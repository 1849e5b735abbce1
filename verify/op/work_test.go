package op_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// asked returns a recording that asks for work: inputs are generated, and the one output is made
// up. A shape after a name is that of an input, after "out." that of the output.
func asked(op string, attrs map[string]any, tensors map[string][]int) *recording.Recording {
	r := recording.New(op)
	for name, value := range attrs {
		if n, ok := value.(int); ok {
			value = json.Number(fmt.Sprint(n))
		}
		r.Attrs[name] = value
	}
	for name, shape := range tensors {
		recipe := recipeOf(name, shape)
		if strings.HasPrefix(name, "out.") {
			recipe.SHA256 = ""
			q := recording.New("")
			optest.Must(q.Generate("x", recipe))
			x, err := q.Tensor("x")
			optest.Must(err)
			r.Set(name, dtype.BF16, x)
			continue
		}
		optest.Must(r.Generate(name, recipe))
	}
	return r
}

func recipeOf(name string, shape []int) recording.Recipe {
	switch name {
	case "positions", "tokens":
		return recording.Recipe{Type: dtype.I32, Shape: shape, Dist: "ints", Hi: 500, Seed: 3}
	case "mask":
		return recording.Recipe{Type: dtype.I32, Shape: shape, Dist: "ints", Hi: 2, Seed: 3}
	}
	return recording.Recipe{Type: dtype.BF16, Shape: shape, Dist: "normal", Seed: 3}
}

func askedAttention(op string, b, s, t, h, g, d, v int) *recording.Recording {
	tensors := map[string][]int{"q": {b, s, h, d}, "k": {b, t, g, d}, "v": {b, t, g, v}}
	if op == "attention.backward" {
		tensors["do"], tensors["out.dq"] = []int{b, s, h, v}, []int{b, s, h, d}
	} else {
		tensors["out.o"] = []int{b, s, h, v}
	}
	return asked(op, nil, tensors)
}

func askedLoss(ratio string, l, vocab int) *recording.Recording {
	tensors := map[string][]int{"old_logprob": {16, l}, "advantage": {16}, "mask": {16, l}, "out.dlogprob": {16, l}}
	if vocab > 0 {
		tensors["logits"], tensors["tokens"] = []int{16, l, vocab}, []int{16, l}
	} else {
		tensors["logprob"] = []int{16, l}
	}
	return asked("grpo.loss", map[string]any{"ratio": ratio}, tensors)
}

func askedLayer(s, d, h int) *recording.Recording {
	return asked("mla.layer", map[string]any{
		"heads": h, "nope_dim": 128, "rope_dim": 64, "value_dim": 128,
	}, map[string][]int{
		"x": {1, s, d}, "w_q": {h * 192, d}, "w_dkv": {512 + 64, d}, "norm_kv": {512}, "w_ukv": {h * 256, 512},
		"w_o": {d, h * 128}, "out.y": {1, s, d},
	})
}

// BenchmarkWork measures how many products of the estimate one core does in a second;
// productsPerSecond is their middle.
func BenchmarkWork(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, r := range map[string]*recording.Recording{
		"attention.forward":        askedAttention("attention.forward", 1, 512, 2048, 2, 2, 128, 128),
		"attention.forward narrow": askedAttention("attention.forward", 1, 512, 2048, 2, 2, 16, 16),
		"attention.forward short":  askedAttention("attention.forward", 2, 64, 64, 16, 4, 512, 512),
		"attention.backward":       askedAttention("attention.backward", 1, 512, 1024, 2, 2, 128, 128),
		"attention.merge": asked(
			"attention.merge", nil, map[string][]int{"o": {16, 4096, 128}, "lse": {16, 4096}, "out.o": {4096, 128}},
		),
		"policy.logprob": asked(
			"policy.logprob", nil, map[string][]int{"logits": {16, 100000}, "tokens": {16}, "out.logprob": {16}},
		),
		"norm.rms": asked(
			"norm.rms", nil, map[string][]int{"x": {1024, 1024}, "weight": {1024}, "out.y": {1024, 1024}},
		),
		"rope.apply": asked(
			"rope.apply", nil, map[string][]int{"x": {1024, 16, 64}, "positions": {1024}, "out.y": {1024, 16, 64}},
		),
		"rope.table": asked(
			"rope.table", map[string]any{"dim": 128}, map[string][]int{"positions": {8192}, "out.cos": {8192, 64}},
		),
		"ppo.gae": asked(
			"ppo.gae", nil,
			map[string][]int{
				"rewards": {64, 4096}, "values": {64, 4096}, "mask": {64, 4096}, "out.advantage": {64, 4096},
			},
		),
		"grpo.loss":           askedLoss("token", 8192, 0),
		"grpo.loss sequences": askedLoss("sequence", 8192, 0),
		"grpo.loss logits":    askedLoss("token", 64, 1000),
		"mla.layer":           askedLayer(32, 512, 4),
		"mla.layer long":      askedLayer(256, 256, 2),
	} {
		b.Run(name, func(b *testing.B) {
			work, err := op.Work(r)
			optest.Must(err)
			for b.Loop() {
				if v := op.Judge(r); v.Status == verdict.Unusable {
					b.Fatal(v.Reason)
				}
			}
			b.ReportMetric(work*float64(b.N)/b.Elapsed().Seconds(), "products/s")
		})
	}
}

// TestWork holds the estimates to what they are made of.
func TestWork(t *testing.T) {
	of := func(r *recording.Recording) float64 {
		t.Helper()
		work, err := op.Work(r)
		if err != nil {
			t.Fatal(err)
		}
		return work
	}
	t.Run("twice the keys are nearly twice the work, keys that are not in use none", func(t *testing.T) {
		once := askedAttention("attention.forward", 1, 64, 8192, 1, 1, 64, 64)
		twice := askedAttention("attention.forward", 1, 64, 16384, 1, 1, 64, 64)
		if ratio := of(twice) / of(once); ratio < 1.7 || ratio > 2 {
			t.Errorf("%v", ratio)
		}
		optest.Must(twice.Generate(
			"kv_lens", recording.Recipe{Type: dtype.I32, Shape: []int{1}, Dist: "ints", Lo: 8192, Hi: 8193},
		))
		if ratio := of(twice) / of(once); ratio < 1 || ratio > 1.2 {
			t.Errorf("with lengths: %v", ratio)
		}
	})
	t.Run("gradients are more than twice the work", func(t *testing.T) {
		forward := of(askedAttention("attention.forward", 1, 64, 8192, 1, 1, 64, 64))
		backward := of(askedAttention("attention.backward", 1, 64, 8192, 1, 1, 64, 64))
		if backward < 2*forward {
			t.Errorf("%v and %v", forward, backward)
		}
	})
	t.Run("a vocabulary counts for each token", func(t *testing.T) {
		if short, long := of(askedLoss("token", 64, 100)), of(askedLoss("token", 64, 1000)); long < 5*short {
			t.Errorf("%v and %v", short, long)
		}
	})
	t.Run("what has no shape has no estimate", func(t *testing.T) {
		r := askedAttention("attention.forward", 1, 4, 4, 1, 1, 4, 4)
		r.Delete("k")
		if _, err := op.Work(r); err == nil || !strings.Contains(err.Error(), `tensor "k": missing`) {
			t.Error(err)
		}
	})
}

// TestJudgeWithin asks for 2⁴⁰ scores with a few bytes: the answer has to come at once, and from
// the estimate alone.
func TestJudgeWithin(t *testing.T) {
	bomb := asked(
		"attention.forward", nil,
		map[string][]int{
			"q": {1, 1 << 20, 1, 1}, "k": {1, 1 << 20, 1, 1}, "v": {1, 1 << 20, 1, 1}, "out.lse": {1, 1, 1 << 20},
		},
	)
	bomb.Name = "bomb"
	v := op.JudgeWithin(bomb, op.MaxWork)
	if want := "bomb: judging it takes some 4.5e+14 products, about 34 hours on two cores, more than the limit of " +
		"3e+12"; v.Status != verdict.Unusable || v.Reason != want {
		t.Errorf("%v: %s, want %s", v.Status, v.Reason, want)
	}
	small := askedAttention("attention.forward", 1, 4, 4, 1, 1, 4, 4)
	if v := op.JudgeWithin(small, op.MaxWork); v.Status == verdict.Unusable {
		t.Error(v.Reason)
	}
	if v := op.JudgeWithin(small, 10); v.Status != verdict.Unusable {
		t.Error(v.Status)
	}
	if v := op.JudgeWithin(small, math.Inf(1)); v.Status == verdict.Unusable {
		t.Error(v.Reason)
	}
	small.Op = "attention.sideways"
	if v := op.JudgeWithin(small, op.MaxWork); !strings.Contains(v.Reason, "op not known") {
		t.Error(v.Reason)
	}
}

// TestManyOutputs: a file with more outputs than memory is asked for is refused by its head.
func TestManyOutputs(t *testing.T) {
	recipe := `{\"x\":{\"dtype\":\"BF16\",\"dist\":\"normal\",\"seed\":1,\"shape\":[32769,1024],\"sha256\":\"` +
		strings.Repeat("0", 64) + `\"}}`
	header := `{"__metadata__":{"plumbline":"1","op":"norm.rms","generated":"` + recipe + `"},` +
		`"out.y":{"dtype":"BF16","shape":[32769,1024],"data_offsets":[0,67110912]}}`
	path := filepath.Join(t.TempDir(), "many.safetensors")
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	optest.Must(os.WriteFile(path, append(head, header...), 0o600))
	optest.Must(os.Truncate(path, int64(8+len(header)+67110912)))
	rec, err := recording.Open(path)
	optest.Must(err)
	defer rec.Close()
	v := op.JudgeWithin(rec, op.MaxWork)
	if v.Status != verdict.Unusable || !strings.HasSuffix(v.Reason,
		"33555456 elements of outputs, which take some 13 GB of memory, want at most 33554432") {
		t.Errorf("%v: %s", v.Status, v.Reason)
	}
}
