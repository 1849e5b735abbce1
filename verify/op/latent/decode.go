// Package latent has the ops of multi-head latent attention, mla.decode and mla.layer.
package latent

import (
	"fmt"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/parallel"
	"plumbline/mla"
	"plumbline/verify/op"
	attend "plumbline/verify/op/attention"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(decodeOp) }

// decodeOp is mla.decode.
var decodeOp = &op.Op{
	Name: "mla.decode",
	Doc: "Absorbed MLA over a paged latent cache: every head attends to the same rows [latent; rope key], " +
		"whose first value_dim columns are also the values.",
	Equations: []string{"mla.GatherPages", "attention.Scores", "attention.Softmax", "attention.Values"},
	Inputs: []op.Tensor{
		{Name: "q", Shape: []string{"B", "S", "H", "D"}, Doc: "absorbed queries, [latent; rope] in each head"},
		{Name: "kv_cache", Shape: []string{"blocks", "page", "1", "D"}, Parts: true, Doc: "latent cache, in pages"},
		{
			Name: "block_table", Shape: []string{"B", "cols"}, Integer: true,
			Doc: "block of each page of a sequence; entries past its length are not read",
		},
		{
			Name: "kv_lens", Shape: []string{"B"}, Integer: true,
			Doc: "keys in use in each sequence, the new ones included",
		},
	},
	Outputs: []op.Tensor{
		{
			Name: "o", Shape: []string{"B", "S", "H", "value_dim"},
			Axes: []string{"batch", "query", "head", "column"}, Doc: "output in the latent space",
		},
		{
			Name: "lse", Shape: []string{"B", "H", "S"}, Axes: []string{"batch", "head", "query"},
			Doc: "log-sum-exp of the scaled scores",
		},
	},
	Attrs: []op.Attr{
		{
			Name: "value_dim", Kind: op.Count, Default: 512, Letter: "value_dim",
			Doc: "columns of a cache row that are values",
		},
		{
			Name: "scale", Kind: op.Number, Missing: op.Required,
			Doc: "softmax scale: 1/√(nope + rope width), times the YaRN temperature squared",
		},
		{Name: "causal", Kind: op.Flag, Default: true, Doc: "query s of S sees keys j ≤ kv_len − S + s"},
		attend.LSEBase,
	},
	Arithmetic: attend.SoftmaxKeys,
	Check:      checkDecode,
	Truth:      mlaDecode,
	Work:       decodeWork,
	Summands:   pagesOf,
}

func checkDecode(c *op.Case) error {
	if c.Int("value_dim") > c.Dim("D") || c.Int("value_dim") == 0 {
		return fmt.Errorf(
			"attrs: %q: found %d, want 1 to the cache's width %d", "value_dim", c.Int("value_dim"), c.Dim("D"),
		)
	}
	if c.Float("scale") == 0 {
		return fmt.Errorf("attrs: %q: found 0, want a scale that is not 0", "scale")
	}
	if err := attend.CheckLengths(c, c.Dim("cols")*c.Dim("page")); err != nil {
		return err
	}
	return checkTable(c)
}

// checkTable checks the lengths against the cache, and the blocks of the pages in use.
func checkTable(c *op.Case) error {
	for b, n := range c.Input("kv_lens").Data {
		if n > float64(c.Dim("blocks")*c.Dim("page")) {
			return fmt.Errorf(
				"tensor %q: index [%d]: %v keys, more than the %d rows of the cache: pages would repeat", "kv_lens", b,
				n, c.Dim("blocks")*c.Dim("page"),
			)
		}
	}
	table := c.Input("block_table")
	for b := range c.Dim("B") {
		for p := range step.Pages(attend.KeysInUse(c, b), c.Dim("page")) {
			if id := table.At(b, p); id < 0 || id >= float64(c.Dim("blocks")) {
				return fmt.Errorf(
					"tensor %q: index [%d %d]: block %v, want 0 to %d", "block_table", b, p, id, c.Dim("blocks")-1,
				)
			}
		}
	}
	return nil
}

// mlaDecode takes all heads of a query as the rows of a block: they read the same keys.
func mlaDecode(c *op.Case) ([]verdict.Expected, error) {
	queries, heads, width := c.Dim("S"), c.Dim("H"), c.Int("value_dim")
	out := attend.NewHeads(c, attend.ModelOf(c, "kv_cache", c.Dim("D")), mostKeys(c), width)
	most := min(heads, attend.BlockRows(c.Dim("cols")*c.Dim("page")))
	parallel.Each(c.Dim("B"), func(b int) {
		if attend.KeysInUse(c, b) == 0 {
			for i := range queries * heads {
				out.Nothing(attend.Place{B: b, S: i / heads, H: i % heads})
			}
			return
		}
		keys := attend.NewLatents(Gathered(c, b), width)
		parallel.Each(queries*step.Pages(heads, most), func(i int) {
			s, h0 := i/step.Pages(heads, most), i%step.Pages(heads, most)*most
			decodeHeads(c, out, keys, b, s, h0, min(heads, h0+most))
		})
	})
	return out.Expected(), nil
}

// mostKeys is how many keys the longest sequence has.
func mostKeys(c *op.Case) (n int) {
	for b := range c.Dim("B") {
		n = max(n, attend.KeysInUse(c, b))
	}
	return n
}

// Gathered returns the rows of the recorded cache that sequence b has in use, in its order. Each
// page is decoded where its rows belong.
func Gathered(c *op.Case, b int) *mat.Dense {
	page, width := c.Dim("page"), c.Dim("D")
	var reads []func()
	rows := mla.GatherPages(attend.KeysInUse(c, b), page, width, func(p int, to []float64) {
		reads = append(reads, func() { c.Fill(to, "kv_cache", int(c.Input("block_table").At(b, p))*page*width) })
	})
	parallel.Each(len(reads), func(i int) { reads[i]() })
	return rows
}

// decodeHeads computes heads h0 … h1−1 of one query. They see the same keys, so the mask is a cut.
func decodeHeads(c *op.Case, out *attend.Heads, keys *attend.Keys, b, s, h0, h1 int) {
	seen := Seen(c, b, s)
	var at []attend.Place
	for h := h0; h < h1; h++ {
		p := attend.Place{B: b, S: s, H: h}
		if at = append(at, p); seen == 0 {
			out.Nothing(p)
		}
	}
	if seen > 0 {
		out.Block(queryHeads(c, b, s, h0, h1), keys.First(seen), attention.Options{}, at)
	}
}

// Seen is how many keys query s of sequence b sees, from the first on.
func Seen(c *op.Case, b, s int) int {
	seen := attend.KeysInUse(c, b)
	if c.Flag("causal") {
		seen = max(0, seen-c.Dim("S")+s+1)
	}
	return seen
}

// queryHeads returns heads h0 … h1−1 of a query as rows.
func queryHeads(c *op.Case, b, s, h0, h1 int) *mat.Dense {
	return c.Input("q").View(2, b, s).Slice(h0, h1, 0, c.Dim("D")).(*mat.Dense)
}

// decodeWork counts scores, and the gathering of the cache.
func decodeWork(c *op.Case) float64 {
	pairs := attend.Pairs(c, c.Extent("cols")*c.Extent("page"))
	gathered := op.InputWork * pairs / (c.Extent("S") * c.Extent("H")) * c.Extent("D")
	return gathered + pairs*(3*(c.Extent("D")+float64(c.Int("value_dim")))+op.ScoreWork)
}
