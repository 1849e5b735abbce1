package count

import (
	"fmt"
	"io/fs"
	"math"
	"strings"

	"plumbline/course/page"
	"plumbline/model"
)

// pageName is where the page stands, from the root of the module.
const pageName = "docs/COUNT.md"

// Pages returns the generated pages; root is the root of the module.
func Pages(root fs.FS) (page.Set, error) {
	var b strings.Builder
	for _, section := range []func() string{
		introduction, sizes, tree, caches, smallCache, noQueryCache, operations, parallel,
	} {
		b.WriteString(section())
	}
	return page.Set{pageName: b.String()}, nil
}

func introduction() string {
	return `<!-- Written by go generate ./... from course/count. -->

# Counting

How large the models of the family are, what they keep of a token, and what a token costs. Every
number on this page is computed by package [model](../model/doc.go) from the shapes of the weights;
printed figures stand beside, to be compared. B is 10⁹. For one model, or any other by its config.json:

` + "```" + `
plumbline count DeepSeek-V3 -context 131072 -batch 16 -gpu H200
plumbline count path/to/config.json
` + "```" + `

`
}

// row is what a table says of each model.
type row struct {
	name string
	of   func(m Model) string
}

// beside returns a table with a column for each model.
func beside(rows ...row) string {
	t := table{columns: []string{""}}
	for _, m := range Models() {
		t.columns = append(t.columns, strings.TrimPrefix(m.Name, "DeepSeek-"))
	}
	for _, r := range rows {
		cells := []string{r.name}
		for _, m := range Models() {
			cells = append(cells, r.of(m))
		}
		t.rows = append(t.rows, cells)
	}
	return t.markdown() + "\n"
}

func sizes() string {
	active := func(i int) func(m Model) string {
		return func(m Model) string {
			all, withoutEmbedding, withoutBoth := m.Sizes.Active()
			return billions([]int64{all, withoutEmbedding, withoutBoth}[i])
		}
	}
	return "## Parameters\n\n" + beside(
		row{"layers", func(m Model) string { return page.Thousands(m.Sizes.Depth()) }},
		row{"width", func(m Model) string { return page.Thousands(m.Sizes.Width) }},
		row{"heads", func(m Model) string { return page.Thousands(m.Sizes.Heads()) }},
		row{"experts of a token, and shared", chosen},
		row{"parameters", func(m Model) string { return page.Thousands(m.Sizes.Parameters().Elements) }},
		row{"as printed", func(m Model) string { return m.Printed }},
		row{"attention, all layers", func(m Model) string { return billions(attention(m.Sizes)) }},
		row{"active, all", active(0)}, row{"active, without the embedding", active(1)},
		row{"active, without both", active(2)},
		row{"active as printed", func(m Model) string { return m.Active }},
	) + `A token takes one row of the embedding, and the whole head. Which of them count as active, reports do
not say. Without the embedding comes nearest to what they print, if V2-Lite's 2.45B is cut off to
2.4B; the 36.7B of V3's page at Hugging Face is none of the three. V3.2 is V3 with an indexer in each
layer, and prints no count of its own. R1 and V3.1 have the sizes of V3.

`
}

// chosen says how many experts a token has.
func chosen(m Model) string {
	f, _ := experts(m.Sizes)
	return fmt.Sprintf("%d of %d, and %d", f.Chosen, f.Routed, f.Shared)
}

func tree() string {
	m, _ := Lookup("DeepSeek-V3")
	module := m.Sizes.Module()
	table := int64(m.Sizes.Vocabulary) * int64(m.Sizes.Width)
	return "### DeepSeek-V3 as a tree\n\n" + m.parameters().markdown() + fmt.Sprintf(`
Each part is the sum of its parts, as often as there are of it; of the second attention, which is
like the first, the parts are left out. The model, its module, and the copies of embedding and head
(%s each) that a checkpoint has beside the module are %sB; Hugging Face's page of it says 685B.

`, billions(table), decimal(float64(m.Sizes.Parameters().Elements+module.Elements+2*table)/1e9, 1))
}

func caches() string {
	plain := func(groups int) func(m Model) string {
		return func(m Model) string { return decimal(m.Sizes.WithGroups(groups).CachePerToken(), 2) }
	}
	gpu, context := GPU{"H200", 141}, Defaults.Context
	fit := func(m Model) string {
		return decimal(max(model.Sequences(8*gpu.GiB*gib, m.weights(), float64(m.Sizes.Cache(context))), 0), 0)
	}
	return "## The KV cache\n\n" +
		"Bytes that a token adds to the cache of all layers, beside plain attention with as many heads:\n\n" +
		beside(
			row{"attention", func(m Model) string { return kind(m.Sizes) }},
			row{"bytes a token", func(m Model) string { return decimal(m.Sizes.CachePerToken(), 2) }},
			row{"MHA", plain(math.MaxInt)}, row{"GQA, 8 groups", plain(8)}, row{"MQA", plain(1)},
			row{page.Thousands(context) + " tokens", func(m Model) string {
				return memory(float64(m.Sizes.Cache(context)))
			}},
			row{"such sequences on 8 × " + gpu.Name, fit},
		) + fmt.Sprintf(keptText, kept()...)
}

// kept returns the numbers of keptText.
func kept() []any {
	of := func(s, other model.Sizes) string { return decimal(100*s.CachePerToken()/other.CachePerToken(), 1) }
	flash, pro, v32 := model.DeepSeekV4Flash(), model.DeepSeekV4Pro(), model.DeepSeekV32()
	mla, _ := latent(model.DeepSeekV3().Sizes())
	group := model.GQA{Groups: 1, HeadDim: mla.NopeDim}
	return []any{
		mla.Latent, mla.RopeDim, decimal(mla.CachePerToken()/group.CachePerToken(), 2),
		decimal(3*model.CachePerEntry(2, 288, 68)+model.CachePerEntry(1, 288, 68), 2),
		of(flash, v32), of(flash, flash.WithGroups(8)), of(pro, v32), of(pro, pro.WithGroups(8)),
	}
}

const keptText = `MLA keeps $` + "`d_c + d_h^R`" + `$ numbers of a token and layer, MHA $` + "`2 n_h d_h`" + `$: a latent of
%d and one rotated key of %d do for all heads, as much as GQA of %s groups. Caches are in BF16
where nothing else is said. V3.2 has FP8, 656 bytes, and 132 for the key of its index; V4 keeps an
entry for 4 tokens or for 128, and of the last 128 tokens one each, which a long context does not
show. Of V4.1-Flash only the layers that keep a cache are known here: three of an entry for 2 tokens
and one of an entry for each, %s bytes a token.

V4-Flash keeps %s %% of what V3.2 keeps, and %s %% of GQA with 8 groups; V4-Pro %s %% and %s %%. The
report prints 7 %% and 10 %%, and about 2 %% for either. What fits on the GPUs is what is left beside the
weights: in BF16 for V2, in FP8 for V3, with the experts of V4 in FP4. Activations are not counted.

`

func smallCache() string {
	v3 := model.DeepSeekV3().Sizes()
	mla, _ := latent(v3)
	heads := v3.Heads()
	mha := model.GQA{Heads: heads, Groups: heads, HeadDim: mla.NopeDim}
	gqa := model.GQA{Heads: heads, Groups: 8, HeadDim: mla.NopeDim}
	const tflops, terabytes = 989, 3.35 // of an H800 in BF16, and of its memory a second
	return fmt.Sprintf(`### Why a small cache matters

One step of generation yields one token of each sequence. It reads the weights once, however many
sequences there are; the cache it reads for each sequence alone, from the first token on. Two limits
follow. Memory: what is left beside the weights is divided by the cache of a sequence, and the
quotient is the batch. Bandwidth: with plain MHA a byte of the cache is good for %s operation, while
a GPU such as the H800 computes some %s in the time in which it reads a byte (%d·10¹² operations and
%s·10¹² bytes a second).

Heads that share what they read do more with a byte: GQA of 8 groups %s operations, MLA absorbed,
where all %d heads read the same latent, %s. That is close to what the GPU can do: MLA computes more
than MHA, reads %s times fewer bytes, and is faster. MQA would keep less than MLA, but gives every
head the same keys and values; DeepSeek-V2's report measures it below MHA, and MLA above (its
appendix D).

`, figures(mha.Intensity()), figures(float64(tflops)/terabytes), tflops, figures(terabytes), figures(gqa.Intensity()),
		heads, figures(mla.Intensity()), decimal(mha.CachePerToken()/mla.CachePerToken(), 0))
}

func noQueryCache() string {
	return `### Why there is no query cache

The output of token $` + "`t`" + `$ is a sum over all earlier keys and values, weighted by its own query:

$` + "`o_t = \\sum_{j \\le t} \\text{softmax}_j(q_t \\cdot k_j)\\, v_j`" + `$

Keys and values of old tokens are read at every later step. An old query is not: $` + "`q_s`" + `$ stands in
$` + "`o_s`" + `$ and in no other output, so nothing has to be kept of it. Compressing queries, as MLA does with
$` + "`c^Q`" + `$, saves parameters and activations in training, and no cache. Two tests show it: in
[attention](../attention/queries_test.go) every old query is overwritten with NaN while decoding, and
the outputs are those of the whole pass; in [mla](../mla/queries_test.go) the first steps are run with
NaN for all weights that queries are made of, and later steps stay as they are. One old key that is
NaN reaches every output after it.

`
}

// allOperations returns what attention costs in every model.
func allOperations() string {
	rows := []row{{"other matrices", func(m Model) string { return figures(2 * otherMatrices(m.Sizes) / 1e9) }}}
	for _, before := range []string{"generated after ", "in a prompt of "} {
		for context := int64(1 << 10); context <= 1<<20; context <<= 5 {
			rows = append(rows, row{before + page.Thousands(context), func(m Model) string {
				queries := int64(1)
				if before == "in a prompt of " {
					queries = context
				}
				return figures(2 * m.Sizes.Work(queries, context) / float64(queries) / 1e9)
			}})
		}
	}
	return `## Operations and context

10⁹ operations for a token: of attention in all layers, generated after a context or in the mean over
a prompt, in the form that costs less; and of all other matrices of the layers, whatever the context.

` + beside(rows...)
}

func operations() string {
	m, _ := Lookup("DeepSeek-V3")
	mla, _ := latent(m.Sizes)
	t := m.work(Options{Context: 1 << 20})
	return allOperations() + `### Both forms of MLA

The same for DeepSeek-V3 in both forms: on the left of a token that is generated after a context, on
the right in the mean over a prompt of that length. MHA has as many heads, no latents, and a cache of
all keys and values.

` + t.markdown() + fmt.Sprintf(`
Expanded, keys and values of all tokens are made from their latents, then a pair of query and key
costs $`+"`d_h + d_h^R + d_v`"+`$ = %d products a head. Absorbed, the same matrices are applied to queries and
outputs, and a pair costs $`+"`2 d_c + d_h^R`"+`$ = %d. One new token is too few to make all keys and values
for; a whole prompt has so many pairs that the larger price of each counts more. With $`+"`S`"+`$ new of
$`+"`T`"+`$ tokens both cost the same where

$`+"`E\\,(T - S) = \\Delta\\, S\\,(2T - S + 1)/2,\\quad E = d_c (d_h + d_v),\\quad \\Delta = 2 d_c - d_h - d_v`"+`$

so up to $`+"`S = E/\\Delta`"+`$, or %s new tokens over a long past, absorbing is cheaper: decoding, with drafted
tokens too, is absorbed, and prefill is expanded.

`, mla.NopeDim+mla.RopeDim+mla.ValueDim, 2*mla.Latent+mla.RopeDim, decimal(math.Floor(mla.CrossOver(1<<40)), 0))
}

func parallel() string {
	m, _ := Lookup("DeepSeek-V3")
	t, _ := m.balance()
	return "## Pipelines and experts\n\n" +
		"How long a stage waits in a step, in forwards of one micro-batch. A backward takes two of these, one of\n" +
		"them for the weights, and F&B three, so that overlap alone hides nothing:\n\n" + bubbles().markdown() +
		fmt.Sprintf(`
1F1B waits $`+"`(PP-1)(F+B)`"+`$, ZB1P $`+"`(PP-1)(F+B-2W)`"+`$, DualPipe $`+"`(PP/2-1)(F\\&B+B-3W)`"+`$; DualPipe keeps two
copies of the parameters for it, and activations of $`+"`PP+1`"+`$ micro-batches instead of $`+"`PP`"+`$. What F&B
hides beside is the communication of the experts.

Experts are on many GPUs, and all wait for the fullest. Prefill of DeepSeek-V3 has 32 redundant
experts on 32 GPUs, 9 on each; its decoding has 320 GPUs of one expert each, of which 64 are for
redundant and shared experts. Each slot beside the first of every expert goes to the one whose
replicas have the highest load (EPLB). For loads that fall as 1/√i, the first %s times the mean, all
64 taken as redundant:

`, figures(model.Imbalance(falling(256)))) + t.markdown() + fmt.Sprintf(`
If all choices of 8 among 256 experts were equally likely, a token would go to %s of 8 nodes in the
mean. The gate allows 4. With NVLink at 160 GB/s and InfiniBand at 50, a token could have %s experts
on 4 nodes in the time that it takes to send it there; it has 8.
`, figures(model.NodesOfToken(256, 8, 8)), figures(model.AffordableExperts(4, 160, 50)))
}
