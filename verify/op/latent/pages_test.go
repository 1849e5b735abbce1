package latent_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// pagedCall is a request of two queries a sequence, whose sequences have these lengths in pages of
// 16 rows all over the cache.
func pagedCall(heads int, lens ...float64) *recording.Recording {
	const page, width = 16, 80
	rng, cols := rand.New(rand.NewPCG(3, uint64(len(lens)))), 0
	for _, n := range lens {
		cols = max(cols, int(n)/page+2)
	}
	normals := func(shape ...int) *tensor.Tensor {
		x := tensor.New(shape...)
		for i := range x.Data {
			x.Data[i] = rng.NormFloat64()
		}
		return x
	}
	table := tensor.New(len(lens), cols)
	for i, block := range rng.Perm(len(table.Data)) {
		table.Data[i] = float64(block)
	}
	r := recording.New("mla.decode")
	r.Set("q", dtype.BF16, normals(len(lens), 2, heads, width))
	r.Set("kv_cache", dtype.BF16, normals(len(table.Data), page, 1, width))
	r.Set("block_table", dtype.I32, table)
	r.Set("kv_lens", dtype.I32, tensor.Of(lens, len(lens)))
	r.Attrs["scale"], r.Attrs["value_dim"] = recording.Number(0.1), recording.Number(64)
	return r
}

// answered returns what a kernel makes of a request that it takes for another.
func answered(t *testing.T, request *recording.Recording, taken func(table, lens *tensor.Tensor)) *recording.Recording {
	t.Helper()
	right, err := emulate.Run(request, emulate.Config{})
	optest.Must(err)
	table, err := request.Tensor("block_table")
	optest.Must(err)
	lens, err := request.Tensor("kv_lens")
	optest.Must(err)
	table, lens = tensor.Of(slices.Clone(table.Data), table.Shape...), tensor.Of(slices.Clone(lens.Data), lens.Shape...)
	taken(table, lens)
	other := request.Clone()
	other.Set("block_table", dtype.I32, table)
	other.Set("kv_lens", dtype.I32, lens)
	wrong, err := emulate.Run(other, emulate.Config{})
	optest.Must(err)
	o, err := wrong.Tensor("out.o")
	optest.Must(err)
	right.Set("out.o", right.Type("out.o"), o)
	return right
}

// pageMap draws the errors of a recording along its pages; false where there is no such map.
func pageMap(t *testing.T, rec *recording.Recording) (m verdict.Map, ok bool) {
	t.Helper()
	v, expected := op.JudgeKnown(rec, op.MaxWork)
	for i, out := range v.Outputs {
		want := expected[i]
		want.Summands = op.SummandsOf(rec, out.Name)
		got, err := rec.Tensor("out." + out.Name)
		optest.Must(err)
		if out.Draw(want, got); out.Picture == nil {
			continue
		}
		for _, m := range out.Picture.Maps {
			if m.Strengths != nil {
				return m, true
			}
		}
	}
	return m, false
}

// TestPages: a page that is left out, for which another is read, or that counts twice stands out in
// its sequence, and no other sequence has anything.
func TestPages(t *testing.T) {
	const sequence, page, columns = 1, 3, 14
	for name, c := range map[string]struct {
		share float64
		taken func(entries []float64, n *float64)
	}{
		"nothing": {0, func([]float64, *float64) {}},
		"another": {-1, func(entries []float64, _ *float64) { entries[page] = 0 }},
		"left out": {-1.1, func(entries []float64, n *float64) {
			copy(entries[page:], entries[page+1:])
			*n -= 16
		}},
		"twice": {0.9, func(entries []float64, n *float64) {
			copy(entries[page+1:], slices.Clone(entries[page:]))
			*n += 16
		}},
	} {
		t.Run(name, func(t *testing.T) {
			rec := answered(t, pagedCall(4, 0, 170, 5, 215), func(table, lens *tensor.Tensor) {
				c.taken(table.Row(sequence), &lens.Data[sequence])
			})
			m, ok := pageMap(t, rec)
			if !ok || !slices.Equal(m.Axes, []string{"batch", "page"}) || !slices.Equal(m.Cells, []int{4, columns}) {
				t.Fatalf("%v, %v", ok, m)
			}
			onlyCell(t, m, sequence, sequence*columns+page, c.share)
			if m.Counted(0)+m.Counted(2*columns)+m.Counted(columns+11) != 0 || m.Counted(columns+10) == 0 {
				t.Errorf("sequences of no key, of one page, of eleven: counted %v", m.Counts)
			}
		})
	}
}

// onlyCell checks that of a row of a map one cell stands out, with this share, and nothing else
// does; a share of 0 is that of a map where nothing does at all.
func onlyCell(t *testing.T, m verdict.Map, row, at int, share float64) {
	t.Helper()
	columns := m.Cells[len(m.Cells)-1]
	for i, z := range m.Strengths {
		limit := 5.0
		if share != 0 && i/columns == row {
			limit = 0.4 * math.Abs(m.Strengths[at])
		}
		switch {
		case i == at && share != 0:
			if math.Abs(m.Shares[i]-share) > 0.2 || z/share < 100 {
				t.Errorf("the page itself: share %v, want %v; strength %v", m.Shares[i], share, z)
			}
		case math.Abs(z) > limit:
			t.Errorf("cell %d: strength %v, share %v", i, z, m.Shares[i])
		}
	}
}

// TestPagesOfOneSequence: where there is one sequence rows are heads, neighbours share a cell where
// there are many pages, and where there is one there is nothing to be drawn.
func TestPagesOfOneSequence(t *testing.T) {
	rec := answered(t, pagedCall(3, 16*150), func(table, lens *tensor.Tensor) {
		copy(table.Data[40:], table.Data[41:])
		lens.Data[0] -= 16
	})
	m, ok := pageMap(t, rec)
	if !ok || !slices.Equal(m.Axes, []string{"head", "page"}) || !slices.Equal(m.Cells, []int{3, 64}) {
		t.Fatalf("%v, %v", ok, m)
	}
	for h := range 3 {
		row := m.Strengths[h*64 : (h+1)*64]
		at := slices.Index(row, slices.Min(row))
		share := m.Shares[h*64+at] // of two or three pages, of which one is left out
		if at != 40*64/150 || share > -0.1 || share < -0.9 || -row[at] < slices.Max(row) {
			t.Errorf("head %d: %v, in cell %d, share %v", h, row[at], at, share)
		}
	}
	if m, ok := pageMap(t, answered(t, pagedCall(3, 16, 9), func(_, _ *tensor.Tensor) {})); ok {
		t.Errorf("one page each: %+v", m)
	}
}

// TestPagesOfRightKernels: strengths of right kernels are as those of normal numbers are, whose σ
// is known by a few dozen runs.
func TestPagesOfRightKernels(t *testing.T) {
	var squares, n, largest float64
	for _, request := range []*recording.Recording{
		pagedCall(8, 40, 33, 50, 70), pagedCall(2, 300, 500, 17), emulate.Request("mla.decode", 12),
	} {
		b, err := emulate.Bind(request)
		optest.Must(err)
		for _, c := range emulate.Right("mla.decode") {
			rec, err := b.Run(c)
			optest.Must(err)
			m, _ := pageMap(t, rec)
			for i, z := range m.Strengths {
				if m.Counted(i) > 0 {
					squares, n, largest = squares+z*z, n+1, max(largest, math.Abs(z))
				}
			}
		}
	}
	if rms := math.Sqrt(squares / n); n < 1000 || rms > 1.1 || rms < 0.7 || largest > 7 {
		t.Errorf("of %v cells rms %v, largest %v", n, rms, largest)
	}
}

// TestTowardPages compares a derivative with what outputs move by.
func TestTowardPages(t *testing.T) {
	rec := answered(t, pagedCall(3, 75), func(_, _ *tensor.Tensor) {})
	const query, from, to, step = 1, 2, 4, 1e-6
	at := 0
	optest.Must(op.SummandsOf(rec, "o").Each(func(rows verdict.SummandRows) {
		if at++; at-1 != query {
			return
		}
		if rows.N != 5 || !slices.Equal(rows.Rows, []int{3, 4, 5}) || !slices.Equal(rows.Lines, []int{0, 1, 2}) {
			t.Errorf("%d pages, rows %v in lines %v", rows.N, rows.Rows, rows.Lines)
		}
		more, less := withLogWeight(rec, query, from, to, step), withLogWeight(rec, query, from, to, -step)
		more.Sub(more, less)
		more.Scale(1/(2*step), more)
		if toward := rows.Toward(from, to); !mat.EqualApprox(toward, more, 1e-9) || mat.Norm(toward, 2) < 0.1 {
			t.Errorf("%v, want %v", mat.Formatted(toward), mat.Formatted(more))
		}
	}))
	if at != 2 {
		t.Errorf("%d calls for two queries", at)
	}
}

// withLogWeight returns the outputs of a query with so much more of the scores of some pages.
func withLogWeight(rec *recording.Recording, query, from, to int, by float64) *mat.Dense {
	tensors := map[string]*tensor.Tensor{}
	for _, name := range []string{"q", "kv_cache", "block_table", "kv_lens"} {
		x, err := rec.Tensor(name)
		optest.Must(err)
		tensors[name] = x
	}
	seen := int(tensors["kv_lens"].Data[0]) - 1 + query
	keys := mat.NewDense(seen, 80, nil)
	for j := range seen {
		keys.SetRow(j, tensors["kv_cache"].Row(int(tensors["block_table"].Data[j/16]), j%16, 0))
	}
	x := attention.Scores(tensors["q"].View(2, 0, query), keys, attention.Options{Scale: 0.1})
	for s := range 3 {
		for j := from * 16; j < min(seen, to*16); j++ {
			x.Set(s, j, x.At(s, j)+by)
		}
	}
	p, _ := attention.Softmax(x, nil)
	return attention.Values(p, keys.Slice(0, seen, 0, 64), attention.Options{})
}
