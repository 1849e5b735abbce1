package latent

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/verify/op"
	attend "plumbline/verify/op/attention"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// pagesOf has pictures of the output show the pages of the cache, in the order of a sequence's
// table: of each sequence, or of each head where there is one sequence alone.
func pagesOf(c *op.Case, output string) *verdict.Summands {
	if output != "o" {
		return nil
	}
	lines, extent := "batch", c.Dim("B")
	if extent == 1 {
		lines, extent = "head", c.Dim("H")
	}
	return &verdict.Summands{
		Axes:    []string{lines, "page"},
		Extents: []int{extent, step.Pages(mostKeys(c), c.Dim("page"))},
		Each: func(f func(verdict.SummandRows)) error {
			for b := range c.Dim("B") {
				eachPaged(c, b, f)
			}
			return nil
		},
	}
}

// eachPaged calls f for the rows of sequence b, in blocks as the truth has them.
func eachPaged(c *op.Case, b int, f func(verdict.SummandRows)) {
	if attend.KeysInUse(c, b) == 0 {
		return
	}
	heads := c.Dim("H")
	values, most := c.Int("value_dim"), min(heads, attend.BlockRows(attend.KeysInUse(c, b)))
	keys := Gathered(c, b)
	for s := range c.Dim("S") {
		seen := Seen(c, b, s)
		for h := 0; h < heads && seen > 0; h += most {
			f(newPagedRows(c, step.RowsBetween(keys, 0, seen), values, b, s, h, min(heads, h+most)))
		}
	}
}

// newPagedRows returns heads h0 … h1−1 of a query as means of the pages that hold these keys.
func newPagedRows(c *op.Case, keys *mat.Dense, values, b, s, h0, h1 int) verdict.SummandRows {
	seen, _ := keys.Dims()
	page, o := c.Dim("page"), attention.Options{Scale: c.Float("scale")}
	v := step.ColumnsBetween(keys, 0, values)
	p, _ := attention.Softmax(attention.Scores(queryHeads(c, b, s, h0, h1), keys, o), nil)
	out := attention.Values(p, v, attention.Options{})
	rows := verdict.SummandRows{
		N: step.Pages(seen, page),
		Toward: func(from, to int) *mat.Dense {
			first, last := from*page, min(seen, to*page)
			return towardKeys(step.ColumnsBetween(p, first, last), step.RowsBetween(v, first, last), out)
		},
	}
	for h := h0; h < h1; h++ {
		line := b
		if c.Dim("B") == 1 {
			line = h
		}
		rows.Rows = append(rows.Rows, (b*c.Dim("S")+s)*c.Dim("H")+h)
		rows.Lines = append(rows.Lines, line)
	}
	return rows
}

// towardKeys returns the derivative of outputs by the logarithm of a factor on the weights of some
// of their keys: Σ p_j (v_j − o), of the weights and values of these.
func towardKeys(p, v, out *mat.Dense) *mat.Dense {
	toward := attention.Values(p, v, attention.Options{})
	for i := range out.RawMatrix().Rows {
		floats.AddScaled(toward.RawRowView(i), -floats.Sum(p.RawRowView(i)), out.RawRowView(i))
	}
	return toward
}
