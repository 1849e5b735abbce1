// Package bench measures how fast Plumbline is:
//
//	go test -bench . -run '^$' ./bench
//
// BenchmarkJudge judges one call of every op, BenchmarkGrowth sizes that grow, BenchmarkDgemm and
// BenchmarkDecode are what speed.py compares with PyTorch's float64. Reading the recording, from
// memory or a file, is part of what is measured.
package bench

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"plumbline/golden"
	"plumbline/internal/optest"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

func TestEveryOpIsMeasured(t *testing.T) {
	var ops []string
	for _, o := range op.Ops() {
		ops = append(ops, o.Name)
	}
	if measured := slices.Sorted(maps.Keys(calls)); !slices.Equal(measured, ops) {
		t.Errorf("calls of %q, want one of each of %q", measured, ops)
	}
}

// measure runs f again and again, and reports the fastest run beside the mean of all: where others
// use the machine too, that is the one that comes close to what the code takes.
func measure(b *testing.B, operations float64, f func()) {
	fastest := time.Duration(math.MaxInt64)
	for b.Loop() {
		start := time.Now()
		f()
		fastest = min(fastest, time.Since(start))
	}
	b.ReportMetric(fastest.Seconds()*1e3, "fastest-ms")
	b.ReportMetric(operations/fastest.Seconds()/1e9, "GFLOP/s")
}

// judge reads a file and judges it; the verdict has to be that of a right kernel.
func judge(b *testing.B, file []byte, operations float64) {
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	measure(b, operations, func() {
		rec, err := recording.Read(bytes.NewReader(file), int64(len(file)), b.Name())
		optest.Must(err)
		explained(b, rec)
	})
}

func explained(b *testing.B, rec *recording.Recording) {
	if v := op.Judge(rec); v.Status != verdict.Explained {
		b.Fatalf("%v: %s", v.Status, v.Reason)
	}
}

// BenchmarkJudge judges a call of each op.
func BenchmarkJudge(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		b.Run(name+"/"+calls[name].says, func(b *testing.B) {
			file, operations := calls[name].make(name)
			judge(b, file, operations)
		})
	}
}

// BenchmarkGrowth judges calls of which one size grows.
func BenchmarkGrowth(b *testing.B) {
	for _, s := range []struct {
		axis, op string
		sizes    []int
		build    func(c *call, n int)
	}{
		{"keys", "mla.decode", []int{256, 1024, 4096, 16384}, func(c *call, n int) { c.decode(1, n, 128) }},
		{"heads", "mla.decode", []int{8, 16, 32, 64, 128}, func(c *call, n int) { c.decode(1, 4096, n) }},
		{"tokens", "attention.forward", []int{1, 8, 64, 512}, func(c *call, n int) { c.attention(n, 1024, 8) }},
		{"vocabulary", "policy.logprob", []int{1024, 8192, 32768, vocabulary}, func(c *call, n int) { c.logits(8, n) }},
		{"cores", "mla.decode", powersUpTo(runtime.NumCPU()), func(c *call, _ int) { c.decode(1, 4096, 128) }},
	} {
		for _, n := range s.sizes {
			b.Run(fmt.Sprintf("%s/%s/%d", s.axis, s.op, n), func(b *testing.B) {
				file, operations := maker{build: func(c *call) { s.build(c, n) }}.make(s.op)
				if s.axis == "cores" {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
				}
				judge(b, file, operations)
			})
		}
	}
}

// powersUpTo are 1, 2, 4 …, and n.
func powersUpTo(n int) (all []int) {
	for p := 1; p < n; p *= 2 {
		all = append(all, p)
	}
	return append(all, n)
}

// BenchmarkDgemm multiplies square matrices of float64 as every op does.
func BenchmarkDgemm(b *testing.B) {
	for _, n := range []int{512, 2048} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			matrix := func(value float64) blas64.General {
				return blas64.General{Rows: n, Cols: n, Stride: n, Data: slices.Repeat([]float64{value}, n*n)}
			}
			x, y, z := matrix(0.7), matrix(0.3), matrix(0)
			measure(b, 2*product(n, n, n), func() { blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, x, y, 0, z) })
		})
	}
}

var decodeFile = flag.String("decode", "", "full-size recording of mla.decode for BenchmarkDecode; \"\": golden's")

// BenchmarkDecode computes the truth of a decoding step from its file, alone and with σ and the
// verdict: 4 sequences of 4,096 keys, 128 heads, 512 + 64, if the file is not another.
func BenchmarkDecode(b *testing.B) {
	path := *decodeFile
	if path == "" {
		rec, err := golden.Open("mla-decode-v3-bf16.safetensors")
		optest.Must(err)
		path = filepath.Join(b.TempDir(), "decode.safetensors")
		optest.Must(os.WriteFile(path, written(rec), 0o600))
	}
	for _, part := range []struct {
		name string
		do   func(rec *recording.Recording)
	}{
		{"truth", func(rec *recording.Recording) { decodeTruth(rec) }},
		{"verdict", func(rec *recording.Recording) { explained(b, rec) }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			measure(b, 2*product(4, 4096, 128)*(576+512), func() {
				rec, err := recording.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				part.do(rec)
				optest.Must(rec.Close())
			})
		})
	}
}
