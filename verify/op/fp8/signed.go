package fp8

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// signWidth is how many columns are summed with signs: of fewer, one wrong element shows better and
// a tile has more sums, of more there is less to multiply.
const signWidth = fp8.Width / 4

// strip is how many rows are multiplied together.
const strip = 2 * fp8.Width

// signed is a large product while its signed sums are formed, those of the rows of one B at a time:
//
//	Σ_n x_n c_rn − Σ_k â_rk y_k,  y_k = Σ_n x_n b̂_nk
//
// and of the squares of terms, which a part of the errors goes with, Σ_k â²_rk Σ_n b̂²_nk.
type signed struct {
	*large
	groups     []int     // where those of each tile begin, and where the last ends
	x          []float64 // signs of the columns; 0 where codes are not all finite
	y          *mat.Dense
	squares    *mat.Dense // [tiles × K], Σ_n b̂²
	share      []float64  // of that of its tile, which a group has
	odd        []byte     // of each column: the kind of codes
	last       [2048]float64
	normalised []float64
}

// Kinds of codes in a row of A, or of B.
const (
	finiteCodes = iota
	infCodes    // then its outputs are what the others make of them
	nanCodes    // then all its outputs are NaN
)

// Screen forms the signed sums, and finds what looks wrong by them.
func (l *large) Screen(sample op.Excerpt, expected verdict.Expected) (*verdict.Signs, []verdict.Suspect) {
	l.sample, l.explains = expected, explained(sample, expected)
	s := &signed{large: l}
	for t := range l.tiles {
		s.groups = append(s.groups, len(s.share))
		for left := t * fp8.Width; left < min((t+1)*fp8.Width, l.cols); left += signWidth {
			s.share = append(s.share, 0)
		}
	}
	n := len(s.share)
	s.groups, s.normalised = append(s.groups, n), make([]float64, l.c.Dim("M")*n)
	s.y, s.squares = mat.NewDense(n, l.width, nil), mat.NewDense(l.tiles, l.width, nil)
	s.x, s.odd = make([]float64, l.cols), make([]byte, l.cols)
	typ := l.c.Recording.Type("out.c")
	for e := range s.last {
		ulp := typ.Spacing(math.Float64frombits(uint64(e) << 52))
		s.last[e] = ulp * ulp / 12
	}
	for band, e := range l.experts {
		parallel.Each(l.tiles, func(t int) { s.sumColumns(e, t) })
		from, to := l.bands[band], l.bands[band+1]
		parallel.Each((to-from+strip-1)/strip, func(i int) {
			s.sumRows(from+i*strip, min(from+(i+1)*strip, to))
		})
	}
	return expected.Screen(verdict.SignSums{
		Squares: s.normalised, Groups: s.groups, Rows: l.tileRows, Bands: l.bands, Width: signWidth,
	})
}

// sumColumns draws the signs of a tile of columns of an expert, and forms y and the squares.
func (s *signed) sumColumns(expert, tile int) {
	left, right := tile*fp8.Width, min((tile+1)*fp8.Width, s.cols)
	rng := rand.New(rand.NewPCG(uint64(expert), uint64(tile)))
	codes := s.c.Read("b", (expert*s.cols+left)*s.width, (right-left)*s.width)
	scales, squares := s.scalesOf(expert, tile), s.squares.RawRowView(tile)
	clear(squares)
	sum, before := 0.0, 0.0
	for n := left; n < right; n++ {
		group := s.groups[tile] + (n-left)/signWidth
		y, row := s.y.RawRowView(group), codes[(n-left)*s.width:(n-left+1)*s.width]
		if (n-left)%signWidth == 0 {
			clear(y)
			before = sum
		}
		s.x[n] = float64(int(rng.Uint64()>>63)*2 - 1)
		if s.odd[n] = kindOf(row); s.odd[n] != finiteCodes {
			s.x[n] = 0
			continue
		}
		sum += addRow(y, squares, row, scales, s.x[n])
		s.share[group] = sum - before
	}
	for g := s.groups[tile]; g < s.groups[tile+1]; g++ {
		s.share[g] /= max(sum, math.SmallestNonzeroFloat64)
	}
}

// addRow adds a row of B to y, with its sign, and its squares to those of its tile, and returns
// their sum.
func addRow(y, squares, row, scales []float64, sign float64) (sum float64) {
	for block, scale := range scales {
		first, last := block*fp8.Width, min((block+1)*fp8.Width, len(row))
		ys, qs := y[first:last], squares[first:last]
		for k, code := range row[first:last] {
			v := code * scale
			q := v * v
			ys[k] += sign * v
			qs[k] += q
			sum += q
		}
	}
	return sum
}

// kindOf returns the kind of codes that a row has, the one that says most about its products.
func kindOf(row []float64) byte {
	kind := byte(finiteCodes)
	for _, v := range row {
		if !dtype.Finite(v) {
			if math.IsNaN(v) {
				return nanCodes
			}
			kind = infCodes
		}
	}
	return kind
}

// sumRows forms the sums of rows from … to−1.
func (s *signed) sumRows(from, to int) {
	rows, groups := to-from, len(s.share)
	a := mat.NewDense(rows, s.width, s.c.Read("a", from*s.width, rows*s.width))
	kinds := make([]byte, rows)
	for r := range rows {
		row := a.RawRowView(r)
		if kinds[r] = kindOf(row); kinds[r] != finiteCodes {
			clear(row)
		}
		for k, scale := range s.aScales.Row(from + r) {
			for i := k * fp8.Width; i < min((k+1)*fp8.Width, s.width); i++ {
				row[i] *= scale
			}
		}
	}
	var sums, terms mat.Dense
	sums.Mul(a, s.y.T())
	a.MulElem(a, a)
	terms.Mul(a, s.squares.T())
	c := s.c.Read("out.c", from*s.cols, rows*s.cols)
	for r := range rows {
		to := s.normalised[(from+r)*groups : (from+r+1)*groups]
		s.compare(to, c[r*s.cols:(r+1)*s.cols], kinds[r], sums.RawRowView(r), terms.RawRowView(r))
	}
}

// compare fills in the normalised squares of one row.
func (s *signed) compare(to, c []float64, kind byte, sums, terms []float64) {
	for tile := range s.tiles {
		for g := s.groups[tile]; g < s.groups[tile+1]; g++ {
			left := tile*fp8.Width + (g-s.groups[tile])*signWidth
			right := min(left+signWidth, s.cols, (tile+1)*fp8.Width)
			t := terms[tile] * s.share[g]
			to[g] = s.normalise(c[left:right], s.x[left:right], s.odd[left:right], kind, sums[g], t)
		}
	}
}

// normalise returns s²/v of the elements of a row in one group, +Inf where one is not of the
// truth's kind, as far as codes tell that, and NaN where no sum is left.
//
// A wrong element cannot hide behind a variance that it makes large itself: by its own spacing v
// has at most c²/192 of it, in F8_E5M2, and s² has c².
func (s *signed) normalise(c, x []float64, odd []byte, kind byte, sum, terms float64) float64 {
	signed, truths, last, n := -sum, 0.0, 0.0, 0
	for i, v := range c {
		switch k := max(kind, odd[i]); {
		case k == nanCodes && math.IsNaN(v):
			continue
		case k != finiteCodes || !dtype.Finite(v):
			return math.Inf(1)
		}
		n++
		signed += x[i] * v
		truths += v * v
		last += s.last[math.Float64bits(v)>>52&0x7FF]
	}
	if n == 0 {
		return math.NaN()
	}
	return signed * signed / (s.variance(terms, truths) + last)
}
