package attention

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/verify/op/step"
)

// Where later queries see more keys, two rows with the same weights add up what both see in the
// same way, and err alike until one of them ends: of zero queries under a causal mask all sums are
// prefixes of one. Errors of sums over keys are therefore drawn piece by piece, of what has been
// added up until then: rows that are there with the same bits err alike, others apart.

// mostPieces is how many pieces the keys have: of a walk the last piece of 16, in which rows that
// end in it err apart, makes an eighth of the variance.
const mostPieces = 16

// piece is some keys, those before end that no earlier piece has.
type piece struct {
	end     int
	share   []float64  // of the keys that a row sees
	squares *mat.Dense // of the terms, added up
}

// Grows tells whether later queries see more keys.
func Grows(m attention.Mask) bool { return m.Causal && m.Queries > 1 }

// newPieces returns those of the keys: one unless rows grow.
func (h *Rows) newPieces() []piece {
	rows, keys := h.p.Dims()
	count := 1
	if h.Grows {
		count = min(keys, mostPieces)
	}
	pieces, start, v := make([]piece, count), 0, h.finiteV()
	for i := range pieces {
		end := (i + 1) * keys / count
		p2 := step.Squares(step.ColumnsBetween(h.p, start, end))
		pieces[i] = piece{end, make([]float64, rows), step.TimesSquares(p2, step.RowsBetween(v, start, end))}
		start = end
	}
	for s := range rows {
		h.shares(pieces, s)
	}
	return pieces
}

// shares fills in the shares of a row.
func (h *Rows) shares(pieces []piece, s int) {
	start := 0
	from, to := h.Range(s)
	for i := range pieces {
		pieces[i].share[s] = float64(max(0, min(to, pieces[i].end)-max(from, start))) / float64(max(to-from, 1))
		start = pieces[i].end
	}
}

// allSquares adds up the squares of the terms of all pieces.
func allSquares(pieces []piece) *mat.Dense {
	all := mat.DenseCopyOf(pieces[0].squares)
	for _, p := range pieces[1:] {
		all.Add(all, p.squares)
	}
	return all
}

// sums returns what weighted values have come to at the end of each piece.
func (h *Rows) sums(p *mat.Dense) []*mat.Dense {
	all, start := make([]*mat.Dense, len(h.Errors.pieces)), 0
	for i, piece := range h.Errors.pieces {
		all[i] = new(mat.Dense)
		all[i].Mul(step.ColumnsBetween(p, start, piece.end), step.RowsBetween(h.finiteV(), start, piece.end))
		if start = piece.end; i > 0 {
			all[i].Add(all[i], all[i-1])
		}
	}
	if !h.allFinite() {
		all[len(all)-1] = attention.Values(p, h.V, attention.Options{})
	}
	return all
}

// addErrors adds the errors of its sums to a row, whose divisor's square is size2.
func (a *Run) addErrors(row []float64, sums []*mat.Dense, e Moments, s int, size2 float64) {
	apart, together := e.Apart.RawRowView(s), e.Together.RawRowView(s)
	g, last := e.growth(sums, s), len(sums)-1
	for c, v := range row {
		g.split(c, size2)
		for i, part := range g.parts[:last] {
			if part > 0 {
				row[c] += a.sum.Of(g.sums[i][c], apart[c]*size2*part, 0)
			}
		}
		row[c] += a.sum.Of(v, apart[c]*size2*g.parts[last], together[c]*size2)
	}
}

// growth is how the sums of a row grow, piece by piece.
type growth struct {
	share         []float64   // of the keys
	sums, squares [][]float64 // what they have come to; of the terms of a piece
	parts         []float64   // of a sum's variance, scratch
}

func (e Moments) growth(sums []*mat.Dense, s int) growth {
	n := len(sums)
	rows, numbers := make([][]float64, 2*n), make([]float64, 2*n)
	g := growth{share: numbers[:n], parts: numbers[n:], sums: rows[:n], squares: rows[n:]}
	for i, p := range e.pieces {
		g.share[i], g.sums[i], g.squares[i] = p.share[s], sums[i].RawRowView(s), p.squares.RawRowView(s)
	}
	return g
}

// split fills in the part of the variance of sum c that each piece makes. It goes with the squares
// of what is there while the piece is added up: on the line from what it finds to what it leaves,
// and, its terms being in an unknown order, around it.
func (g *growth) split(c int, size2 float64) {
	last := len(g.parts) - 1
	if g.parts[last] = 1; last == 0 {
		return
	}
	var from, squares float64
	for i, share := range g.share {
		to, terms := g.sums[i][c], g.squares[i][c]*size2
		along := float64(from*from) + float64(from*to) + float64(to*to)
		g.parts[i] = share * (along/3 + terms/6)
		from, squares = to, squares+terms
	}
	whole := from*from/3 + squares/6
	if whole > 0 && !math.IsInf(whole, 1) {
		floats.Scale(1/whole, g.parts)
		return
	}
	clear(g.parts)
	g.parts[last] = 1
}
