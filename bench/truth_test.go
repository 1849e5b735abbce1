package bench

import (
	"encoding/json"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/optest"
	"plumbline/internal/parallel"
	"plumbline/mla"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// decodeTruth recomputes a decoding step of one query a sequence in float64, by the equations that
// mla.decode names, and nothing else: no σ, no verdict. The result is [heads × columns] of each.
func decodeTruth(rec *recording.Recording) []*mat.Dense {
	q, err := rec.Tensor("q")
	optest.Must(err)
	table, err := rec.Tensor("block_table")
	optest.Must(err)
	lens, err := rec.Tensor("kv_lens")
	optest.Must(err)
	scale, err := rec.Attrs["scale"].(json.Number).Float64()
	optest.Must(err)
	o := make([]*mat.Dense, len(lens.Data))
	parallel.Each(len(o), func(b int) {
		keys := gathered(rec, table.Row(b), int(lens.Data[b]))
		options := attention.Options{Scale: scale}
		weights, _ := attention.Softmax(attention.Scores(q.View(2, b, 0), keys, options), nil)
		values := keys.Slice(0, int(lens.Data[b]), 0, rec.Shape("out.o")[3])
		o[b] = attention.Values(weights, values, options)
	})
	return o
}

// gathered returns the first n rows of a sequence, from the pages that its row of the table names.
func gathered(rec *recording.Recording, blocks []float64, n int) *mat.Dense {
	size := rec.Shape("kv_cache")[1]
	width := rec.Shape("kv_cache")[3]
	return mla.GatherPages(n, size, width, func(p int, rows []float64) {
		optest.Must(rec.Fill(rows, "kv_cache", int(blocks[p])*size*width))
	})
}

// What is measured as the truth is the truth that verdicts use.
func TestDecodeTruthIsTheOps(t *testing.T) {
	c := &call{Maker: newMaker("mla.decode")}
	c.decode(2, 128, 3)
	c.Set("out.o", dtype.BF16, tensor.New(2, 1, 3, 512))
	expected, err := op.Expect(c.Recording)
	optest.Must(err)
	for b, o := range decodeTruth(c.Recording) {
		if want := expected[0].Truth.View(2, b, 0); !mat.EqualApprox(o, want, 1e-13) {
			t.Errorf("sequence %d: not the truth of the op", b)
		}
	}
}
