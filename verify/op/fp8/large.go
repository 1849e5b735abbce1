package fp8

import (
	"slices"

	"plumbline/fp8"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// mostProducts is how many products the truth of an output may take that is recomputed as a whole.
const mostProducts = 1 << 35

// mostRecomputed is mostProducts, but where a test lowers it.
var mostRecomputed = float64(mostProducts)

// tooLarge tells whether an output is checked by signed sums. One of F64 is not: they are sums of
// float64, and err by as much as it does.
func tooLarge(c *op.Case) bool {
	return c.Extent("M")*c.Extent("N")*c.Extent("K") > mostRecomputed && c.Wants("c") &&
		c.Recording.Type("out.c") != dtype.F64
}

// large is a product, or one for each expert, of which only parts are recomputed.
type large struct {
	model
	c               *op.Case
	cols, width     int
	blocks          int   // of K
	bands           []int // where the rows of each product begin, and where the last ends
	experts         []int // whose they are
	tileRows        []int // where each tile of rows begins, and where the last ends
	tiles           int   // of columns
	aScales, bScale *tensor.Tensor

	sample   verdict.Expected
	explains // as the sample says
}

func newLarge(c *op.Case) op.Large {
	l := &large{
		model: newModel(c), c: c, cols: c.Dim("N"), width: c.Dim("K"), aScales: c.Input("a_scale"),
		bScale: c.Input("b_scale"),
	}
	l.blocks, l.tiles = l.model.blocks(l.width), l.model.blocks(l.cols)
	counts := []float64{float64(c.Dim("M"))}
	if x := c.Input("counts"); x != nil {
		counts = x.Data
	}
	from := 0
	for e, count := range counts {
		to := from + int(count)
		for top := from; top < to; top += fp8.Width {
			l.tileRows = append(l.tileRows, top)
		}
		if to > from {
			l.bands, l.experts = append(l.bands, from), append(l.experts, e)
		}
		from = to
	}
	l.bands, l.tileRows = append(l.bands, from), append(l.tileRows, from)
	return l
}

// Work counts the products of signed sums and of their variances, and those of the sample.
func (l *large) Work() float64 {
	rows, each := float64(l.c.Dim("M")), float64(l.width)*float64(l.tiles)
	made := float64(len(l.experts)) * float64(l.cols) * float64(l.width) * op.InputWork
	return rows*each*(1+fp8.Width/signWidth) + made + rows*float64(l.cols)*op.InputWork + termWork*excerptWork
}

// fewestSampled is how many rows a sample has at least.
const fewestSampled = 4

// Sample draws rows of one tile of columns, as many as can be run wholly. Rows of zeros tell
// nothing.
func (l *large) Sample() verdict.Suspect {
	rows := l.c.Dim("M")
	cost := float64(l.width+blockWork*l.blocks) * float64(l.forms*fewestRuns*min(fp8.Width, l.cols))
	most := max(fewestSampled, min(fp8.Width, int(min(workOfRuns, excerptWork)/cost)))
	var some []int
	for _, r := range drawn(rows, 4*most) {
		if !allZero(l.c.Read("a", r*l.width, l.width)) {
			some = append(some, r)
		}
	}
	if len(some) == 0 {
		some = drawn(rows, most)
	}
	for len(some) > most { // evenly
		some = slices.Delete(some, len(some)%most*(len(some)/most), len(some)%most*(len(some)/most)+1)
	}
	whole := max(1, l.cols/fp8.Width) // no ragged tile
	return verdict.Suspect{Rows: some, Tiles: drawn(whole, 1)}
}

func allZero(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return v != 0 })
}

// Excerpt returns some rows and tiles of columns as a recording of its own, in which the experts
// that have none of the rows are left out.
func (l *large) Excerpt(of verdict.Suspect) op.Excerpt {
	columns := l.columnsOf(of.Tiles)
	x := op.Excerpt{
		Recording: recording.New(l.c.Recording.Op),
		Part:      verdict.Part{Places: [][]int{of.Rows, columns}, Of: l.c.Recording.Shape("out.c")},
	}
	rec := x.Recording
	rec.Name, rec.Attrs, rec.Arithmetic = l.c.Recording.Name, l.c.Recording.Attrs, l.c.Recording.Arithmetic
	x.Where = x.InWords()
	l.set(rec, "a", l.rowsOf("a", of.Rows, l.width))
	l.set(rec, "a_scale", l.rowsOf("a_scale", of.Rows, l.blocks))
	l.set(rec, "out.c", picked(l.rowsOf("out.c", of.Rows, l.cols), columns))
	var experts, counts []int
	for band, e := range l.experts {
		first, _ := slices.BinarySearch(of.Rows, l.bands[band])
		last, _ := slices.BinarySearch(of.Rows, l.bands[band+1])
		if last > first {
			experts, counts = append(experts, e), append(counts, last-first)
		}
	}
	l.setWeights(rec, experts, counts, columns, of.Tiles)
	return x
}

// setWeights sets B of some experts, in some columns.
func (l *large) setWeights(rec *recording.Recording, experts, counts, columns, tiles []int) {
	grouped := l.c.Input("counts") != nil
	b := tensor.New(len(experts), len(columns), l.width)
	scales := tensor.New(len(experts), len(tiles), l.blocks)
	number := tensor.New(len(experts))
	for i, e := range experts {
		number.Data[i] = float64(counts[i])
		for j, n := range columns {
			copy(b.Data[(i*len(columns)+j)*l.width:], l.c.Read("b", (e*l.cols+n)*l.width, l.width))
		}
		for j, t := range tiles {
			copy(scales.Data[(i*len(tiles)+j)*l.blocks:], l.scalesOf(e, t))
		}
	}
	if !grouped {
		b.Shape, scales.Shape = b.Shape[1:], scales.Shape[1:]
	}
	l.set(rec, "b", b)
	l.set(rec, "b_scale", scales)
	if grouped {
		l.set(rec, "counts", number)
	}
}

// scalesOf returns the scales of a tile of columns of an expert, block by block of K.
func (l *large) scalesOf(expert, tile int) []float64 {
	first := (expert*l.tiles + tile) * l.blocks
	return l.bScale.Data[first : first+l.blocks]
}

// set stores a tensor in the type that the whole has it in.
func (l *large) set(rec *recording.Recording, name string, x *tensor.Tensor) {
	rec.Set(name, l.c.Recording.Type(name), x)
}

// rowsOf returns some rows of a tensor.
func (l *large) rowsOf(name string, rows []int, width int) *tensor.Tensor {
	x := tensor.New(len(rows), width)
	for i, r := range rows {
		copy(x.Row(i), l.c.Read(name, r*width, width))
	}
	return x
}

// picked returns some columns of a matrix.
func picked(x *tensor.Tensor, columns []int) *tensor.Tensor {
	y := tensor.New(x.Shape[0], len(columns))
	for i := range x.Shape[0] {
		for j, n := range columns {
			y.Row(i)[j] = x.Row(i)[n]
		}
	}
	return y
}

// columnsOf lists the columns of some tiles.
func (l *large) columnsOf(tiles []int) (columns []int) {
	for _, t := range tiles {
		for n := t * fp8.Width; n < min((t+1)*fp8.Width, l.cols); n++ {
			columns = append(columns, n)
		}
	}
	return columns
}
