package picture

import (
	"fmt"
	"math"

	"plumbline/course/page"
	"plumbline/internal/svg"
	"plumbline/model"
)

// cacheContext is the text that the right column counts, in tokens.
const cacheContext = 128 << 10

var pictureCache = picture{
	name: "cache", heading: "Cache", width: 880, height: 400,
	title: "What is cached of a token, from MHA to DeepSeek-V4.1",
	about: `
Eight bars on a logarithmic axis: bytes of a token over all layers fall from 4 million with
multi-head attention to 70,272 with latent attention and 890 in DeepSeek-V4.1-Flash.
`,
	text: `
Bytes of one token over all layers; the axis is logarithmic, each line ten times the one before. The
first four rows are DeepSeek-V3 with its 128 heads of 128 and four kinds of attention, in BF16: MLA
stands between MQA and GQA in size. The rows below are what later models cache: FP8 latents with the
keys of an index, then one entry for many tokens. On the right is what one text of 131,072 tokens
takes, windows among it.
`,
	drawnBy: []string{"model.Sizes.CachePerToken", "model.Sizes.Cache", "model.Sizes.WithGroups",
		"model.CachePerEntry"},
	draw: drawCache,
}

// cacheRow is what a model caches, of one token of a long text and of a whole one.
type cacheRow struct {
	name         string
	colour       svg.Colour
	token, whole float64
}

func cacheRows() (rows []cacheRow) {
	v3 := model.DeepSeekV3().Sizes()
	for _, m := range []struct {
		name   string
		colour svg.Colour
		sizes  model.Sizes
	}{
		{"V3 with MHA", svg.Muted, v3.WithGroups(v3.Heads())},
		{"V3 with GQA, 8 groups", svg.Muted, v3.WithGroups(8)},
		{"V3 with MQA", svg.Muted, v3.WithGroups(1)},
		{"V3, R1: MLA", svg.Orange, v3},
		{"V3.2: MLA in FP8, index", svg.Blue, model.DeepSeekV32()},
		{"V4-Pro", svg.Blue, model.DeepSeekV4Pro()},
		{"V4-Flash", svg.Blue, model.DeepSeekV4Flash()},
	} {
		rows = append(rows, cacheRow{m.name, m.colour, m.sizes.CachePerToken(), float64(m.sizes.Cache(cacheContext))})
	}
	// Three caches of an entry for two tokens, one of an entry for each: see CachePerEntry.
	token := 3*model.CachePerEntry(2, 288, 68) + model.CachePerEntry(1, 288, 68)
	return append(rows, cacheRow{"V4.1-Flash", svg.Blue, token, token * cacheContext})
}

func drawCache(p *svg.Picture) {
	const left, step = 190.0, 38.0
	axis := svg.Axis{Min: 100, Max: 1e7, Log: true, Ticks: []float64{100, 1000, 1e4, 1e5, 1e6, 1e7},
		Label: "bytes of a token over all layers",
		Format: func(t float64) string {
			names := []string{"100", "1 kB", "10 kB", "100 kB", "1 MB", "10 MB"}
			return names[int(math.Round(math.Log10(t)))-2]
		}}
	f := p.Plot(left, 36, 480, 310, axis, svg.Axis{Max: 1})
	p.Text(872, 24, svg.Style{Size: 11, Anchor: svg.End, Colour: svg.Muted},
		fmt.Sprintf("of a text of %s tokens", page.Thousands(cacheContext)))
	for i, row := range cacheRows() {
		y := 58 + step*float64(i)
		end := f.At(row.token, 0).X
		p.Rect(left, y-8, end-left, 16, row.colour.Tint(), row.colour)
		p.Text(left-8, y+4, svg.Style{Anchor: svg.End, Bold: row.colour == svg.Orange}, row.name)
		p.Text(end+8, y+4, svg.Style{Filled: true, Bold: true, Colour: row.colour}, bytesOf(row.token))
		p.Text(872, y+4, svg.Style{Anchor: svg.End}, gibibytes(row.whole))
	}
}

// bytesOf returns a number of bytes, with two decimals where it is not whole.
func bytesOf(n float64) string {
	s := page.Thousands(int64(n))
	if part := n - math.Floor(n); part > 0 {
		s += fmt.Sprintf("%.2f", part)[1:]
	}
	return s
}

func gibibytes(n float64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.0f MiB", n/(1<<20))
	}
	return fmt.Sprintf("%.3g GiB", n/(1<<30))
}
