package picture

import (
	"fmt"

	"plumbline/attention"
	"plumbline/internal/svg"
)

var pictureMasks = picture{
	name: "masks", heading: "Masks", width: 880, height: 446,
	title: "Which keys a query sees when there are fewer queries than keys",
	about: `
Six grids of queries against keys: a whole sequence, the same aligned bottom right for three queries
on seven keys, the mistake of aligning it top left, one query of decoding, a window of three keys,
and keys that are not in use.
`,
	text: `
Rows are queries, columns keys, a filled cell is a key that is seen. With $S < T$, when text goes on
after a cache, query $s$ stands at position $i = \text{kv\_len} - S + s$: the mask is aligned bottom
right, and the last query sees every key in use. Aligned top left, as some libraries do, it is
another one; both are the same for $S = T$, which is why tests with square masks never find the
mistake.
`,
	drawnBy: []string{"attention.Mask.Sees"},
	draw:    drawMasks,
}

var maskGrids = []struct {
	title, note string
	mask        attention.Mask
	queries     int
	keys        int
	colour      svg.Colour
}{
	{"S = T = 7", "prefill of an empty cache", attention.Mask{Causal: true, Queries: 7, Keys: 7}, 7, 7, svg.Blue},
	{"S = 3, T = 7: bottom right", "right: the last query sees all", attention.Mask{Causal: true, Queries: 3, Keys: 7},
		3, 7, svg.Blue},
	{"S = 3, T = 7: top left", "wrong: the cache is not seen", attention.Mask{Causal: true, Queries: 3, Keys: 3}, 3, 7,
		svg.Orange},
	{"window of 3", "i − 3 < j ≤ i", attention.Mask{Causal: true, Window: 3, Queries: 7, Keys: 7}, 7, 7, svg.Blue},
	{"S = 1, T = 7: decoding", "one query, no mask is left", attention.Mask{Causal: true, Queries: 1, Keys: 7}, 1, 7,
		svg.Blue},
	{"S = 3, kv\\_len = 5 of T = 7", "two keys are not in use", attention.Mask{Causal: true, Queries: 3, Keys: 5}, 3, 7,
		svg.Blue},
}

func drawMasks(p *svg.Picture) {
	const cell = 20.0
	for n, g := range maskGrids {
		x, y := 90+float64(n%3)*285, 66+float64(n/3)*220
		p.Text(x-50, y-36, svg.Style{Size: 13, Bold: true, Colour: g.colour}, g.title)
		p.Text(x-50, y-20, svg.Style{Colour: svg.Muted}, g.note)
		for j := range g.keys {
			p.Text(x+(float64(j)+0.5)*cell, y-4, small, fmt.Sprint(j))
		}
		for s := range g.queries {
			i := g.mask.Keys - g.mask.Queries + s
			top := y + float64(s)*cell
			p.Text(x-26, top+14, small, fmt.Sprintf("s=%d, i=%d", s, i))
			for j := range g.keys {
				fill := svg.Panel
				if g.mask.Sees(s, j) {
					fill = g.colour
				}
				p.Rect(x+float64(j)*cell, top, cell, cell, fill, svg.Grid)
			}
		}
	}
}
