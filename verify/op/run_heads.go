package op

import (
	"sync"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/numbers/arithmetic"
	"plumbline/verify/verdict"
)

// headOutputs collects outputs and log-sum-exps while heads are computed.
type headOutputs struct {
	c      *Case
	m      softmaxModel
	o, lse *sampled
	exact  *attentionRun
	runs   []*attentionRun // the native one first
	locked sync.Mutex
}

// What runs of attention may cost, in products: all rows are run, more often or less, as long as
// that takes no more than mostHeadWork; then some of the rows, fewest of all fewestRows.
const (
	headWork     = 1 << 26
	mostHeadWork = 1 << 31
	fewestRows   = 64
	fewestHead   = 16
	stepWork     = 60 // a score's rounding, exponential and their like
)

// newHeadOutputs makes room for attention outputs [B,S,H,V] and log-sum-exps [B,H,S] over so many
// keys at most.
func (c *Case) newHeadOutputs(m softmaxModel, keys, width int) *headOutputs {
	batch, queries, heads := c.Dim("B"), c.Dim("S"), c.Dim("H")
	rows := batch * queries * heads
	work := float64(max(keys, 1)) * float64(width+stepWork)
	runs := int(max(fewestHead, min(mostRuns, headWork/(work*float64(rows)))))
	h := &headOutputs{c: c, m: m, exact: m.newRun(arithmetic.NewExact())}
	h.runs = append(h.runs, m.newRun(arithmetic.NewNative()))
	for k := range runs {
		h.runs = append(h.runs, m.newRun(arithmetic.NewRun(k+1)))
	}
	var chosen, chosenLSE func(int) bool
	if most := max(fewestRows, int(mostHeadWork/(work*float64(runs)))); most < rows {
		spread := spreadRows(rows, most)
		chosen = func(row int) bool { return spread(row) }
		chosenLSE = func(at int) bool {
			b, head, s := at/(heads*queries), at/queries%heads, at%queries
			return spread((b*queries+s)*heads + head)
		}
	}
	h.o = c.newSampled("o", runs, width, chosen, batch, queries, heads, width)
	h.lse = c.newSampled("lse", runs, 1, chosenLSE, batch, heads, queries)
	return h
}

// spreadRows tells of each of n rows whether it is one of some m that are spread over them evenly.
func spreadRows(n, m int) func(row int) bool {
	return func(row int) bool { return (row+1)*m/n > row*m/n || row == 0 }
}

// rowPlace is where a row of a block stands: its sequence, query and head.
type rowPlace struct{ b, s, h int }

func (h *headOutputs) rowOf(p rowPlace) int { return (p.b*h.c.Dim("S")+p.s)*h.c.Dim("H") + p.h }

func (h *headOutputs) lseOf(p rowPlace) int { return (p.b*h.c.Dim("H")+p.h)*h.c.Dim("S") + p.s }

// block computes the rows of q, which see k and v by the mask, and runs those that are chosen.
func (h *headOutputs) block(q, k, v *mat.Dense, o attention.Options, at []rowPlace) {
	o.Scale, o.SoftCap = h.m.scale, h.m.softCap
	weights, lse := attention.Softmax(attention.Scores(q, k, o), o.Sink)
	out := attention.Values(weights, v, o)
	unit := h.c.lseUnit()
	var run []int
	for i, p := range at {
		h.o.set(h.rowOf(p), out.RawRowView(i))
		h.lse.set(h.lseOf(p), []float64{lse[i] / unit})
		if h.o != nil && h.o.first[h.rowOf(p)] >= 0 || h.o == nil && h.lse.first[h.lseOf(p)] >= 0 {
			run = append(run, i)
		}
	}
	h.addShapes(weights, v, at)
	if len(run) > 0 {
		h.runRows(pickRows(q, run), k, v, o, at, run)
	}
}

// addShapes fills in what the errors go with: those of rounded weights, and of log-sum-exps nothing.
func (h *headOutputs) addShapes(weights, v *mat.Dense, at []rowPlace) {
	if h.lse != nil {
		for _, p := range at {
			h.lse.shape[h.lseOf(p)] = 1
		}
	}
	if h.o == nil {
		return
	}
	var s mat.Dense
	s.Mul(squares(weights), squares(finiteOrZero(v)))
	for i, p := range at {
		copy(h.o.shape[h.rowOf(p)*h.o.columns:], s.RawRowView(i))
	}
}

// runRows runs some rows of a block.
func (h *headOutputs) runRows(q, k, v *mat.Dense, o attention.Options, at []rowPlace, run []int) {
	sees := func(row, key int) bool { return o.Mask.Sees(run[row], key) }
	if o.Mask == (attention.Mask{}) {
		sees = func(int, int) bool { return true }
	}
	rows := (&headRows{q: q, k: k, v: v, sink: o.Sink, sees: sees}).prepare(h.m)
	flushed := rows
	if h.c.Arithmetic.Subnormals == "flushed" {
		flushed = (&headRows{q: flush(q), k: flush(k), v: flush(v), sink: o.Sink, sees: sees}).prepare(h.m)
	}
	exact, exactLSE := h.exact.outputs(rows)
	unit := h.c.lseUnit()
	var others, othersLSE []otherTruth
	for n, r := range h.runs {
		in := rows
		if r.flushes {
			in = flushed
		}
		out, lse := r.outputs(in)
		for row, i := range run {
			others = append(others, h.o.run(n-1, h.rowOf(at[i]), out.RawRowView(row), exact.RawRowView(row))...)
			othersLSE = append(othersLSE, h.lse.run(
				n-1, h.lseOf(at[i]), []float64{lse[row] / unit}, []float64{exactLSE[row] / unit},
			)...)
		}
	}
	h.locked.Lock()
	defer h.locked.Unlock()
	h.o.add(others)
	h.lse.add(othersLSE)
}

// add notes further truths.
func (s *sampled) add(others []otherTruth) {
	for _, o := range others {
		s.others[o.at] = append(s.others[o.at], o.value)
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

// expected hands over what the recording has.
func (h *headOutputs) expected() (all []verdict.Expected) {
	for _, s := range []*sampled{h.o, h.lse} {
		if s != nil {
			all = append(all, s.expected())
		}
	}
	return all
}
