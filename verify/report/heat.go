package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strings"

	"plumbline/numbers/dtype"
	"plumbline/verify/verdict"
)

// heats are the colours of a cell by its root mean square, or its strength. They grow darker
// throughout, so that they can be told apart without colour. The first are of what right kernels
// have, with their edges, and the others share out what is beyond.
var (
	heats = []color.NRGBA{
		rgb(0xf4f7fb), rgb(0xe3ecf5), rgb(0xd2e0ee), rgb(0xc0d2e5), rgb(0xadc3da),
		rgb(0xe8b565), rgb(0xe39a48), rgb(0xd97b33), rgb(0xc85a2a), rgb(0xae3a29), rgb(0x86202f), rgb(0x571038),
	}
	quiet = []float64{0.25, 0.5, 0.7, 1, 1.4}
)

// The colours of cells that have no root mean square, before heats in the palette.
var wrongColour, nothingColour = color.NRGBA{A: 255}, color.NRGBA{}

const wrongHeat, firstHeat = 1, 2

// allowedHeat is the colour of a cell of a choice in which the allowance was needed, exactHeat that
// of one in which it was not.
const exactHeat, allowedHeat = 2, 5

func rgb(v uint32) color.NRGBA {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
}

// palette is heats and what has none: sixteen at most, which are four bits of a pixel.
func palette() color.Palette {
	p := color.Palette{nothingColour, wrongColour}
	for _, c := range heats {
		p = append(p, c)
	}
	return p
}

// leastLoud is up to where colours reach at least, so that what is beyond by chance looks so, and
// leastSpread how far apart the lightest and the darkest are.
const leastLoud, leastSpread = 16, 8

// strengthUnit is how many times as large a strength is, which is one normal number, as the root
// mean square of many that has its colour: few right ones are beyond 4.2.
const strengthUnit = 3

// levels returns what cells are coloured by, nil where that is what answers they have.
func levels(m verdict.Map) []float64 {
	if m.Strengths == nil {
		return m.RMS
	}
	all := make([]float64, len(m.Strengths))
	for c, z := range m.Strengths {
		all[c] = math.Abs(z) / strengthUnit
	}
	return all
}

// loud returns between which levels a map is drawn in the colours of what is beyond.
func loud(m verdict.Map) (from, to float64) {
	from, to = math.Inf(1), leastLoud
	for c, v := range levels(m) {
		if m.Counted(c) > 0 && dtype.Finite(v) {
			from, to = min(from, v), max(to, v)
		}
	}
	least := quiet[len(quiet)-1]
	return max(least, min(from, to/leastSpread)), to
}

// heat returns the number in the palette of a cell's colour, with the levels of all.
func heat(m verdict.Map, levels []float64, cell int, from, to float64) uint8 {
	switch {
	case m.Counted(cell) == 0:
		return 0
	case m.Wrong != nil && m.Wrong[cell] > 0:
		return wrongHeat
	case levels == nil && m.Allowed != nil && m.Allowed[cell] > 0:
		return firstHeat + allowedHeat
	case levels == nil:
		return firstHeat + exactHeat
	}
	v, last := levels[cell], len(heats)-1
	if k := slices.IndexFunc(quiet, func(edge float64) bool { return v < edge }); k >= 0 {
		return uint8(firstHeat + k)
	}
	steps := float64(len(heats) - len(quiet))
	k := math.Floor(steps * math.Log(v/from) / math.Log(to/from))
	return uint8(firstHeat + min(last, len(quiet)+int(min(steps-1, max(0, k)))))
}

// mostSide bounds the cells along an axis: a map may come from a file.
const mostSide = 1 << 10

// sides returns how many rows and columns of cells a map has, 0 of one that is none.
func sides(m verdict.Map) (rows, columns int) {
	switch len(m.Cells) {
	case 1:
		rows, columns = 1, m.Cells[0]
	case 2:
		rows, columns = m.Cells[0], m.Cells[1]
	}
	if min(rows, columns) < 1 || max(rows, columns) > mostSide {
		return 0, 0
	}
	n := rows * columns
	for _, list := range []int{
		len(m.Counts), len(m.RMS), len(m.Wrong), len(m.Allowed), len(m.Shares), len(m.Strengths),
	} {
		if list != 0 && list != n {
			return 0, 0
		}
	}
	if len(m.Shares) != len(m.Strengths) || len(m.Axes) != len(m.Cells) || len(m.Extents) != len(m.Cells) {
		return 0, 0
	}
	return rows, columns
}

// pixels returns a map as PNG, a pixel for each cell, in a URL.
func pixels(m verdict.Map) string {
	rows, columns := sides(m)
	picture := image.NewPaletted(image.Rect(0, 0, columns, rows), palette())
	all := levels(m)
	from, to := loud(m)
	for i := range rows * columns {
		picture.Pix[i] = heat(m, all, i, from, to)
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	_ = encoder.Encode(&b, picture) // a Buffer takes everything
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// The size of a map in pixels: cells are as large as there is room for, within bounds.
const (
	mapWide, mapHigh    = 272, 176
	leastWide, leastBar = 60, 18
	widestCell          = 26
	mapLeft, mapTop     = 46, 8
)

// drawMap draws a map as SVG: a picture between axes that name their first and last entries.
func drawMap(m verdict.Map) string {
	rows, columns := sides(m)
	if rows*columns == 0 {
		return ""
	}
	wide, high := max(leastWide, min(mapWide, columns*widestCell)), max(leastBar, min(mapHigh, rows*widestCell))
	var d drawing
	d.open("map", mapLeft+wide+10, mapTop+high+36, mapTitle(m), mapWords(m))
	d.printf(`<image x="%d" y="%d" width="%d" height="%d" preserveAspectRatio="none" image-rendering="pixelated" `+
		`href="%s"/>`, mapLeft, mapTop, wide, high, pixels(m))
	d.printf(`<rect class="frame" x="%d" y="%d" width="%d" height="%d"/>`, mapLeft, mapTop, wide, high)
	x, last := len(m.Axes)-1, m.Extents[len(m.Axes)-1]-1
	d.text(mapLeft, mapTop+high+13, "start", "0")
	d.text(mapLeft+wide, mapTop+high+13, "end", fmt.Sprint(last))
	d.text(mapLeft+wide/2, mapTop+high+28, "middle", Brief(m.Axes[x]))
	if len(m.Axes) == 2 {
		d.text(mapLeft-5, mapTop+10, "end", "0")
		d.text(mapLeft-5, mapTop+high, "end", fmt.Sprint(m.Extents[0]-1))
		d.printf(`<text transform="translate(%d %d) rotate(-90)" text-anchor="middle">%s</text>`,
			12, mapTop+high/2, escaped(Brief(m.Axes[0])))
	}
	d.printf("</svg>")
	return d.String()
}

// mapTitle names a map by its axes.
func mapTitle(m verdict.Map) string {
	var names []string
	for _, a := range m.Axes {
		names = append(names, Brief(a))
	}
	return strings.Join(names, " × ")
}

// mapWords says in words what stands out in a map.
func mapWords(m verdict.Map) string {
	rows, columns := sides(m)
	if wrong := marked(m.Wrong); levels(m) == nil {
		return fmt.Sprintf("%d of %d cells have a wrong answer, %d need the allowance",
			wrong, rows*columns, marked(m.Allowed))
	} else if wrong > 0 {
		return largestWords(m) + fmt.Sprintf("; %d cells have NaN or Inf out of place", wrong)
	}
	return largestWords(m)
}

// marked counts the cells in which something is.
func marked(cells []int) (n int) {
	for _, c := range cells {
		if c > 0 {
			n++
		}
	}
	return n
}

// largestWords says where a map is darkest, and what its colours mean beyond those of right
// kernels.
func largestWords(m verdict.Map) string {
	worst, all := -1, levels(m)
	for c, v := range all {
		if m.Counted(c) > 0 && (worst < 0 || v > all[worst]) {
			worst = c
		}
	}
	if worst < 0 {
		return "nothing may err here"
	}
	words, unit := "largest rms "+score(all[worst]), 1.0
	if m.Strengths != nil {
		words, unit = strengthWords(m, worst), strengthUnit
	}
	words += " at " + cellWords(m, worst)
	if from, to := loud(m); all[worst] >= quiet[len(quiet)-1] {
		words += fmt.Sprintf("; orange to dark red from %s to %s", score(unit*from), score(unit*to))
	}
	return words
}

// strengthWords says how far a cell goes the way of its weight.
func strengthWords(m verdict.Map, cell int) string {
	return fmt.Sprintf("largest strength %s, a share of %s,", score(m.Strengths[cell]), score(m.Shares[cell]))
}

// cellWords says which entries of its axes a cell has: "head 3, column 8–15".
func cellWords(m verdict.Map, cell int) string {
	var parts []string
	for k := len(m.Cells) - 1; k >= 0; k-- {
		n, extent := m.Cells[k], m.Extents[k]
		at := cell % n
		cell /= n
		from, to := (at*extent+n-1)/n, ((at+1)*extent+n-1)/n-1
		entry := fmt.Sprint(from)
		if to > from {
			entry = fmt.Sprintf("%d–%d", from, to)
		}
		parts = append([]string{Brief(m.Axes[k]) + " " + entry}, parts...)
	}
	return strings.Join(parts, ", ")
}
