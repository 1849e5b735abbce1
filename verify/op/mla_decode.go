package op

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/parallel"
	"plumbline/mla"
	"plumbline/verify/verdict"
)

func init() {
	register(&Op{
		Name: "mla.decode",
		Doc: "Absorbed MLA over a paged latent cache: every head attends to the same rows [latent; rope key], " +
			"whose first value_dim columns are also the values.",
		Equations: []string{"mla.PagedCache.Gather", "attention.Scores", "attention.Softmax", "attention.Values"},
		Inputs: []Tensor{
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
		Outputs: []Tensor{
			{
				Name: "o", Shape: []string{"B", "S", "H", "value_dim"},
				Axes: []string{"batch", "query", "head", "column"}, Doc: "output in the latent space",
			},
			{
				Name: "lse", Shape: []string{"B", "H", "S"}, Axes: []string{"batch", "head", "query"},
				Doc: "log-sum-exp of the scaled scores",
			},
		},
		Attrs: []Attr{
			{
				Name: "value_dim", Kind: Count, Default: 512, Letter: "value_dim",
				Doc: "columns of a cache row that are values",
			},
			{
				Name: "scale", Kind: Number, Missing: required,
				Doc: "softmax scale: 1/√(nope + rope width), times the YaRN temperature squared",
			},
			{Name: "causal", Kind: Flag, Default: true, Doc: "query s of S sees keys j ≤ kv_len − S + s"},
			lseBase,
		},
		Arithmetic: decodeKeys,
		check:      checkDecode,
		truth:      mlaDecode,
	})
}

func checkDecode(c *Case) error {
	if c.Int("value_dim") > c.Dim("D") || c.Int("value_dim") == 0 {
		return fmt.Errorf(
			"attrs: %q: found %d, want 1 to the cache's width %d", "value_dim", c.Int("value_dim"), c.Dim("D"),
		)
	}
	if c.Float("scale") == 0 {
		return fmt.Errorf("attrs: %q: found 0, want a scale that is not 0", "scale")
	}
	if err := c.checkLengths(c.Dim("cols") * c.Dim("page")); err != nil {
		return err
	}
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
		for p := range pages(c.keysInUse(b), c.Dim("page")) {
			if id := table.At(b, p); id < 0 || id >= float64(c.Dim("blocks")) {
				return fmt.Errorf(
					"tensor %q: index [%d %d]: block %v, want 0 to %d", "block_table", b, p, id, c.Dim("blocks")-1,
				)
			}
		}
	}
	return nil
}

// pages is how many pages hold n keys.
func pages(n, page int) int { return (n + page - 1) / page }

// mlaDecode takes all heads of a query as the rows of a block: they read the same keys.
func mlaDecode(c *Case) ([]verdict.Expected, error) {
	queries, heads, width := c.Dim("S"), c.Dim("H"), c.Int("value_dim")
	out := c.newHeadOutputs(c.attentionModel("kv_cache", c.Dim("D")), c.mostKeys(), width)
	step := min(heads, blockRows(c.Dim("cols")*c.Dim("page")))
	for b := range c.Dim("B") {
		if c.keysInUse(b) == 0 {
			for h := range heads {
				out.nothing(b, h)
			}
			continue
		}
		keys := c.pagedCache(b).Gather(0)
		parallel.Each(queries*pages(heads, step), func(i int) {
			s, h0 := i/pages(heads, step), i%pages(heads, step)*step
			c.decodeHeads(out, keys, b, s, h0, min(heads, h0+step))
		})
	}
	return out.expected(), nil
}

// mostKeys is how many keys the longest sequence has.
func (c *Case) mostKeys() (n int) {
	for b := range c.Dim("B") {
		n = max(n, c.keysInUse(b))
	}
	return n
}

// pagedCache holds the pages of the recorded cache that sequence b has in use, in its order: the
// cache of one sequence.
func (c *Case) pagedCache(b int) *mla.PagedCache {
	used := pages(c.keysInUse(b), c.Dim("page"))
	cache := &mla.PagedCache{
		Pages: make([]*mat.Dense, used), Table: [][]int{make([]int, used)}, Lengths: []int{c.keysInUse(b)},
	}
	parallel.Each(used, func(p int) {
		block := int(c.Input("block_table").At(b, p))
		cache.Pages[p] = c.Rows("kv_cache", block, block+1).View(1, 0, 0)
		cache.Table[0][p] = p
	})
	return cache
}

// decodeHeads computes heads h0 … h1−1 of one query. They see the same keys, so the mask is a cut.
func (c *Case) decodeHeads(out *headOutputs, keys *mat.Dense, b, s, h0, h1 int) {
	seen := c.keysInUse(b)
	if c.Flag("causal") {
		seen = max(0, seen-c.Dim("S")+s+1)
	}
	var at []rowPlace
	for h := h0; h < h1; h++ {
		if at = append(at, rowPlace{b, s, h}); seen == 0 {
			out.lse.set(out.lseOf(at[len(at)-1]), []float64{math.Inf(-1)})
		}
	}
	if seen > 0 {
		q := c.Input("q").View(2, b, s).Slice(h0, h1, 0, c.Dim("D")).(*mat.Dense)
		values := keys.Slice(0, seen, 0, c.Int("value_dim")).(*mat.Dense)
		out.block(q, rowsOf(keys, seen), values, attention.Options{}, at)
	}
}
