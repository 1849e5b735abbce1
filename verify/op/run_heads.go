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
	scale  []float64 // what outputs that are run move by with the scale of the scores
	exact  *attentionRun
	runs   [][]*attentionRun // of each form, the native one first
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

// newHeadOutputs makes room for attention outputs [B,S,H,V] and log-sum-exps [B,H,S] over so many
// keys at most.
func (c *Case) newHeadOutputs(m softmaxModel, keys, width int) *headOutputs {
	batch, queries, heads := c.Dim("B"), c.Dim("S"), c.Dim("H")
	rows := batch * queries * heads
	work := float64(max(keys, 1)) * float64(width+stepWork)
	h := &headOutputs{c: c, m: m, exact: m.newRun(arithmetic.NewExact())}
	forms := h.exact.Forms()
	work *= float64(forms)
	runs := int(max(fewestHead, min(mostRuns, headWork/(work*float64(rows)))))
	for form := range forms {
		all := []*attentionRun{m.newRun(arithmetic.NewNative().In(form))}
		for k := range runs {
			all = append(all, m.newRun(arithmetic.NewRun(k+1).In(form)))
		}
		h.runs = append(h.runs, all)
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
	h.o = c.newSampled("o", forms, runs, width, chosen, batch, queries, heads, width)
	if h.o != nil {
		h.scale = make([]float64, h.o.truth.Len())
	}
	h.lse = c.newSampled("lse", forms, runs, 1, chosenLSE, batch, heads, queries)
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
	scores := attention.Scores(q, k, o)
	t := headTruth{q: finiteOrZero(q), k: finiteOrZero(k), v: finiteOrZero(v), scores: mat.DenseCopyOf(scores)}
	t.weights, t.lse = attention.Softmax(scores, o.Sink)
	t.out = attention.Values(t.weights, v, o)
	unit := h.c.lseUnit()
	var run []int
	for i, p := range at {
		h.o.set(h.rowOf(p), t.out.RawRowView(i))
		h.lse.set(h.lseOf(p), []float64{t.lse[i] / unit})
		if h.o != nil && h.o.first[h.rowOf(p)] >= 0 || h.o == nil && h.lse.first[h.lseOf(p)] >= 0 {
			run = append(run, i)
		}
	}
	h.addShapes(t, at)
	if len(run) > 0 {
		h.runRows(pickRows(q, run), k, v, o, at, run)
	}
}

// addShapes fills in what second moments of errors go with.
func (h *headOutputs) addShapes(t headTruth, at []rowPlace) {
	shape := h.m.newShape(t)
	for i, p := range at {
		if h.lse != nil {
			for _, f := range h.lse.forms {
				f.shape[h.lseOf(p)] = shape.lse(i)
			}
		}
		if h.o != nil {
			for form, f := range h.o.forms {
				shape.row(i, h.runs[form][0], f.shape[h.rowOf(p)*h.o.columns:][:h.o.columns])
			}
		}
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
	exact, exactLSE := h.exact.outputs(rows, h.exact.exponentials(rows))
	unit := h.c.lseUnit()
	h.noteScale(rows, at, run)
	var others, othersLSE []otherTruth
	for n := range h.runs[0] {
		in := rows
		if h.runs[0][n].flushes {
			in = flushed
		}
		shared := h.runs[0][n].exponentials(in)
		for form := range h.runs {
			out, lse := h.runs[form][n].outputs(in, shared)
			for row, i := range run {
				o, l := h.rowOf(at[i]), h.lseOf(at[i])
				others = append(others, h.o.run(form, n-1, o, out.RawRowView(row), exact.RawRowView(row))...)
				othersLSE = append(othersLSE, h.lse.run(
					form, n-1, l, []float64{lse[row] / unit}, []float64{exactLSE[row] / unit},
				)...)
			}
		}
	}
	h.locked.Lock()
	defer h.locked.Unlock()
	h.o.add(others)
	h.lse.add(othersLSE)
}

// noteScale keeps what the rows move by with the scale of the scores.
func (h *headOutputs) noteScale(rows *headRows, at []rowPlace, run []int) {
	if h.o == nil {
		return
	}
	along := rows.alongScale(h.m)
	for row, i := range run {
		copy(h.scale[h.rowOf(at[i])*h.o.columns:], along.RawRowView(row))
	}
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
	if h.o != nil {
		all[0].Directions = []verdict.Direction{{Name: "the scale of the scores", Values: h.scale}}
	}
	return all
}
