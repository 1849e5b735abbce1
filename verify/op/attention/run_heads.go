package attention

import (
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// Heads collects outputs and log-sum-exps while heads are computed.
type Heads struct {
	c      *op.Case
	m      Model
	o, lse *sampled
	scale  []float64 // what outputs that are run move by with the scale of the scores
	others bool      // there are forms that are not asked for
	runs   [][]*Run  // of each form, the native one first
	locked sync.Mutex
}

// What runs of attention may cost, in products: all rows are run, more often or less, as long as
// that takes no more than mostHeadWork; then some of the rows, fewest of all fewestRows.
const (
	headWork     = 1 << 26
	mostHeadWork = 1 << 31
	fewestRows   = 32
	fewestHead   = 24
	stepWork     = 60 // a score's rounding, exponential and their like
)

// NewHeads makes room for attention outputs [B,S,H,V] and log-sum-exps [B,H,S] over so many
// keys at most.
func NewHeads(c *op.Case, m Model, keys, width int) *Heads {
	batch, queries, heads := c.Dim("B"), c.Dim("S"), c.Dim("H")
	rows := batch * queries * heads
	work := float64(max(keys, 1)) * float64(width+stepWork)
	h := &Heads{c: c, m: m}
	forms := m.NewRun(arithmetic.NewExact()).Forms()
	work *= float64(forms)
	runs := headRuns(work * float64(rows))
	if h.others = c.FirstForm && forms > 1; h.others {
		forms = 1
	}
	h.newRuns(forms, runs)
	var chosen, chosenLSE func(int) bool
	if most := max(fewestRows, int(mostHeadWork/(work*float64(runs)))); most < rows {
		of := spread(rows, most)
		chosen = func(row int) bool { _, found := slices.BinarySearch(of, row); return found }
		chosenLSE = func(at int) bool {
			b, head, s := at/(heads*queries), at/queries%heads, at%queries
			return chosen((b*queries+s)*heads + head)
		}
	}
	h.o = newSampled(c, "o", forms, runs, width, chosen, batch, queries, heads, width)
	if h.o != nil {
		h.scale = make([]float64, h.o.truth.Len())
	}
	h.lse = newSampled(c, "lse", forms, runs, 1, chosenLSE, batch, heads, queries)
	return h
}

// headRuns is how often attention is run that takes so many products at once.
func headRuns(work float64) int { return int(max(fewestHead, min(op.MostRuns, headWork/work))) }

// newRuns makes so many runs of each form, the native one first.
func (h *Heads) newRuns(forms, runs int) {
	for form := range forms {
		all := []*Run{h.m.NewRun(arithmetic.NewNative().In(form))}
		for k := range runs {
			all = append(all, h.m.NewRun(arithmetic.NewRun(k+1).In(form)))
		}
		h.runs = append(h.runs, all)
	}
}

// spread returns m of the numbers below n in order: one of each m-th part, drawn, because at steps
// of one width all may be of one head.
func spread(n, m int) []int {
	draw, chosen := rand.New(rand.NewPCG(uint64(n), uint64(m))), make([]int, m)
	for i := range chosen {
		from, to := i*n/m, (i+1)*n/m
		chosen[i] = from + draw.IntN(to-from)
	}
	return chosen
}

// Place is where a row of a block stands: its sequence, query and head.
type Place struct{ B, S, H int }

func (h *Heads) rowOf(p Place) int { return (p.B*h.c.Dim("S")+p.S)*h.c.Dim("H") + p.H }

// lseOf is where the log-sum-exp of a row stands.
func (h *Heads) lseOf(p Place) int { return (p.B*h.c.Dim("H")+p.H)*h.c.Dim("S") + p.S }

// Block computes the rows of q, which see keys by the mask, and runs those that are chosen.
func (h *Heads) Block(q *mat.Dense, keys *Keys, o attention.Options, at []Place) {
	o.Scale, o.SoftCap = h.m.Scale, h.m.softCap
	run, dots := h.chosen(at), attention.Products(q, keys.K)
	var runDots *mat.Dense
	if len(run) > 0 {
		runDots = pickRows(dots, run)
	}
	attention.ToScores(dots, o)
	t := headTruth{q: step.FiniteOrZero(q), keys: keys, v: keys.finiteV(), scores: dots}
	t.weights, t.lse = attention.Softmax(dots, o.Sink)
	t.out = attention.Values(t.weights, keys.V, o)
	unit := LSEUnit(h.c)
	for i, p := range at {
		h.o.set(h.rowOf(p), t.out.RawRowView(i))
		h.lse.set(h.lseOf(p), []float64{t.lse[i] / unit})
	}
	h.addShapes(t, at)
	if len(run) > 0 {
		h.runRows(&Rows{Q: pickRows(q, run), Dots: runDots, Keys: keys, sink: o.Sink}, o, at, run)
	}
}

// chosen returns which rows of a block are run.
func (h *Heads) chosen(at []Place) (run []int) {
	for i, p := range at {
		if h.o != nil && h.o.first[h.rowOf(p)] >= 0 || h.o == nil && h.lse.first[h.lseOf(p)] >= 0 {
			run = append(run, i)
		}
	}
	return run
}

// addShapes fills in what second moments of errors go with.
func (h *Heads) addShapes(t headTruth, at []Place) {
	around := slices.ContainsFunc(h.runs, func(form []*Run) bool { return form[0].sumsRounded })
	shape := h.m.newShape(t, around)
	for i, p := range at {
		if h.lse != nil {
			lse := shape.lse(i)
			for _, f := range h.lse.forms {
				f.shape[h.lseOf(p)] = lse
			}
		}
		if h.o == nil {
			continue
		}
		row := shape.of(i)
		for form, f := range h.o.forms {
			shape.row(i, row, h.runs[form][0], f.shape[h.rowOf(p)*h.o.columns:][:h.o.columns])
		}
	}
}

// runRows runs some rows of a block.
func (h *Heads) runRows(rows *Rows, o attention.Options, at []Place, run []int) {
	seen := func(row int) (from, to int) { return o.Mask.Range(run[row]) }
	if all, _ := rows.K.Dims(); o.Mask == (attention.Mask{}) {
		seen = func(int) (from, to int) { return 0, all }
	}
	rows.Range, rows.Grows = seen, Grows(o.Mask)
	flushed := rows.Prepare(h.m)
	if h.c.Arithmetic.Subnormals == "flushed" {
		f := Rows{Q: op.Flush(rows.Q), Keys: rows.flushed(), sink: o.Sink, Range: seen, Grows: rows.Grows}
		flushed = f.Prepare(h.m)
	}
	h.noteScale(rows, at, run)
	b := &headBlock{h: h, rows: rows, at: at, run: run}
	b.runAll(flushed)
	h.locked.Lock()
	defer h.locked.Unlock()
	h.o.add(b.others)
	h.lse.add(b.othersLSE)
}

// noteScale keeps what the rows move by with the scale of the scores.
func (h *Heads) noteScale(rows *Rows, at []Place, run []int) {
	if h.o == nil {
		return
	}
	along := rows.alongScale(h.m)
	for row, i := range run {
		copy(h.scale[h.rowOf(at[i])*h.o.columns:], along.RawRowView(row))
	}
}

// pickRows copies rows of a matrix.
func pickRows(m *mat.Dense, rows []int) *mat.Dense {
	_, cols := m.Dims()
	picked := mat.NewDense(len(rows), cols, nil)
	for i, r := range rows {
		picked.SetRow(i, m.RawRowView(r))
	}
	return picked
}

// Expected hands over what the recording has.
func (h *Heads) Expected() (all []verdict.Expected) {
	for _, s := range []*sampled{h.o, h.lse} {
		if s != nil {
			e := s.expected()
			e.FirstFormOnly = h.others
			all = append(all, e)
		}
	}
	if h.o != nil {
		all[0].Directions = []verdict.Direction{{Name: "the scale of the scores", Values: h.scale}}
	}
	return all
}
