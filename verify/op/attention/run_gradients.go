package attention

import (
	"sync"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// gradientOutputs collects gradients while heads are computed.
type gradientOutputs struct {
	c          *op.Case
	m          Model
	t          gradientTypes
	dq, dk, dv *sampled
	runs       []*backwardRun // the exact one first, then the native one
	chosen     map[int]bool   // groups that are run; nil: all
	locked     sync.Mutex
}

// Of the backward pass a score takes so much beside products in a run, and of large tensors one
// group in so many is run at least.
const (
	gradientWork = 240
	groupShare   = 8
)

// newGradientOutputs makes room. A gradient of keys takes the queries of all heads of its group:
// where not all groups are run, some are run whole.
func newGradientOutputs(c *op.Case, m Model, t gradientTypes) *gradientOutputs {
	batch, queries, keys, heads, groups := c.Dim("B"), c.Dim("S"), c.Dim("T"), c.Dim("H"), c.Dim("G")
	width, values := c.Dim("D"), c.Dim("V")
	work := float64(queries) * float64(heads/groups) * float64(max(keys, 1)) * float64(2*(width+values)+gradientWork)
	g := &gradientOutputs{c: c, m: m, t: t}
	runs := g.newRuns(work, batch*groups)
	byQuery := func(row int) bool {
		return g.isRun(row/(queries*heads)*groups + attention.Group(row%heads, heads, groups))
	}
	byKey := func(row int) bool { return g.isRun(row/(keys*groups)*groups + row%groups) }
	if g.chosen == nil {
		byQuery, byKey = nil, nil
	}
	g.dq = newSampled(c, "dq", 1, runs, width, byQuery, batch, queries, heads, width)
	g.dk = newSampled(c, "dk", 1, runs, width, byKey, batch, keys, groups, width)
	g.dv = newSampled(c, "dv", 1, runs, values, byKey, batch, keys, groups, values)
	return g
}

// newRuns makes the runs of so many groups that take so much work each, chooses those that are run,
// and returns how many of the runs are in stretched units.
func (g *gradientOutputs) newRuns(work float64, groups int) int {
	runs := headRuns(work * float64(groups))
	if work*fewestHead > mostHeadWork {
		runs = op.FewestRuns
	}
	g.choose(int(max(1, float64(groups/groupShare), mostHeadWork/(work*float64(runs)))))
	g.runs = append(g.runs, g.m.newBackward(arithmetic.NewExact(), g.t), g.m.newBackward(arithmetic.NewNative(), g.t))
	for k := range runs {
		g.runs = append(g.runs, g.m.newBackward(arithmetic.NewRun(k+1), g.t))
	}
	return runs
}

// choose spreads the groups that are run over those that have keys, if there are more than most.
func (g *gradientOutputs) choose(most int) {
	var with []int
	for i := range g.c.Dim("B") * g.c.Dim("G") {
		if KeysInUse(g.c, i/g.c.Dim("G")) > 0 {
			with = append(with, i)
		}
	}
	if len(with) <= most {
		return
	}
	g.chosen = map[int]bool{}
	for _, i := range spread(len(with), most) {
		g.chosen[with[i]] = true
	}
}

// isRun tells whether a group is run.
func (g *gradientOutputs) isRun(group int) bool { return g.chosen == nil || g.chosen[group] }

// groupGradients are the gradients of one key and value head while its query heads are computed.
type groupGradients struct {
	out    *gradientOutputs
	b, g   int
	keys   *Keys
	k, v   *mat.Dense // of keys
	run    bool
	dk, dv []*mat.Dense // of each run: sums over the queries of all heads, or over those of one
	groupK []*mat.Dense // of each run: sums of heads
	groupV []*mat.Dense
	// exact sums, and the squares of their terms, of one head and of all
	headK, headV, allK, allV gradientSums
	shapeK, shapeV           *mat.Dense      // what second moments of errors go with
	others                   [3][]otherTruth // of dq, dk and dv
}

// group computes the heads that use key and value head n of sequence b.
func (g *gradientOutputs) group(b, n int) {
	used := KeysInUse(g.c, b)
	if used == 0 {
		return
	}
	k, v := g.c.HeadRows("k", b, n, 0, used), g.c.HeadRows("v", b, n, 0, used)
	s := &groupGradients{out: g, b: b, g: n, keys: NewKeys(k, v), k: k, v: v, run: g.isRun(b*g.c.Dim("G") + n)}
	s.allK, s.allV = s.newSums()
	s.shapeK, s.shapeV = s.newSum(s.k), s.newSum(s.v)
	if s.run {
		s.newRuns()
	}
	eachOfGroup(g.c, n, s.head)
	s.finish()
	g.locked.Lock()
	defer g.locked.Unlock()
	for i, o := range []*sampled{g.dq, g.dk, g.dv} {
		if o != nil {
			o.add(s.others[i])
		}
	}
}

// newRuns makes room for what the runs give.
func (s *groupGradients) newRuns() {
	runs := len(s.out.runs)
	s.groupK, s.groupV = make([]*mat.Dense, runs), make([]*mat.Dense, runs)
	for n, r := range s.out.runs {
		s.dk, s.dv = append(s.dk, s.newSum(s.k)), append(s.dv, s.newSum(s.v))
		if r.byHead {
			s.groupK[n], s.groupV[n] = s.newSum(s.k), s.newSum(s.v)
		}
	}
}

// newSum makes room for sums of the shape of x.
func (s *groupGradients) newSum(x *mat.Dense) *mat.Dense {
	rows, cols := x.Dims()
	return mat.NewDense(rows, cols, nil)
}

func (s *groupGradients) newSums() (k, v gradientSums) {
	rows, _ := s.k.Dims()
	k = gradientSums{sums: s.newSum(s.k), squares: s.newSum(s.k), terms: make([]float64, rows)}
	v = gradientSums{sums: s.newSum(s.v), squares: s.newSum(s.v), terms: make([]float64, rows)}
	return k, v
}

// add joins the sums over other queries.
func (g *gradientSums) add(h gradientSums) {
	g.sums.Add(g.sums, h.sums)
	g.squares.Add(g.squares, h.squares)
	for i, n := range h.terms {
		g.terms[i] += n
	}
}

// head computes one query head, in blocks of queries.
func (s *groupGradients) head(h int) {
	c, used := s.out.c, s.k.RawMatrix().Rows
	queries := c.Dim("S")
	q, do := c.HeadRows("q", s.b, h, 0, queries), c.HeadRows("do", s.b, h, 0, queries)
	s.headK, s.headV = s.newSums()
	for s0 := 0; s0 < queries; s0 += BlockRows(used) {
		s1 := min(queries, s0+BlockRows(used))
		mask := attention.Mask{Causal: c.Flag("causal"), Window: c.Int("window"), Queries: queries - s0, Keys: used}
		s.block(step.RowsBetween(q, s0, s1), step.RowsBetween(do, s0, s1),
			attention.Options{Mask: mask, Sink: Sink(c, h)}, Place{s.b, s0, h})
	}
	s.allK.add(s.headK)
	s.allV.add(s.headV)
	if t := s.out.t; t.shared {
		s.addRoundings(s.shapeK, s.headK, s.allK, t.k)
		s.addRoundings(s.shapeV, s.headV, s.allV, t.v)
	}
	if s.run {
		s.finishHead()
	}
}

// block computes some queries of a head, the first of them at a place, and runs them if their group
// is chosen.
func (s *groupGradients) block(q, do *mat.Dense, o attention.Options, first Place) {
	m := s.out.m
	o.Scale, o.SoftCap = m.Scale, m.softCap
	dq, dk, dv := attention.Backward(q, s.k, s.v, do, o)
	h := Rows{Q: q, Keys: s.keys, sink: o.Sink, Range: o.Mask.Range, Grows: Grows(o.Mask)}
	truth := m.newGradientTruth(&h, do, o)
	termsQ, termsK, termsV := truth.terms()
	termsQ.sums, termsK.sums, termsV.sums = dq, dk, dv
	s.headK.add(termsK)
	s.headV.add(termsV)
	errors := termsQ.errors(m, s.out.t.inter, m.K)
	shape := s.addShapes(truth)
	errors.addTo(shape)
	for i := range dq.RawMatrix().Rows {
		s.out.dq.set(s.queryRow(first, i), dq.RawRowView(i))
		s.out.dq.setShape(s.queryRow(first, i), shape.RawRowView(i))
	}
	if s.run {
		s.runBlock(&gradientRows{Rows: h, do: do}, errors, first)
	}
}

// addRoundings adds to a shape the roundings of a head's sums, which half of the runs make, and
// those of what the heads have come to.
func (s *groupGradients) addRoundings(shape *mat.Dense, head, all gradientSums, t dtype.Type) {
	m, group := s.out.m, s.out.t.group
	often := 0.5
	if m.narrow(group) {
		often = 1
	}
	shape.Apply(func(j, c int, x float64) float64 {
		return x + often*m.stored(t, head.sums.At(j, c)) + m.stored(group, all.sums.At(j, c))
	}, shape)
}

func square(x float64) float64 { return x * x }

// addShapes adds those of dk and dv of a block, and returns that of dq.
func (s *groupGradients) addShapes(g *gradientTruth) *mat.Dense {
	dq, dk, dv := s.out.m.newGradientShape(g, s.out.t).of(g)
	s.shapeK.Add(s.shapeK, dk)
	s.shapeV.Add(s.shapeV, dv)
	return dq
}

// queryRow is where the row of dq of the i-th query of a block stands.
func (s *groupGradients) queryRow(first Place, i int) int {
	return (first.B*s.out.c.Dim("S")+first.S+i)*s.out.c.Dim("H") + first.H
}

// runBlock runs a block of queries.
func (s *groupGradients) runBlock(h *gradientRows, errors Moments, first Place) {
	out := s.out
	flushed := h.prepareGradients(out.m, out.t.output)
	if out.c.Arithmetic.Subnormals == "flushed" {
		f := *h
		f.Q, f.Keys, f.do = op.Flush(h.Q), h.flushed(), op.Flush(h.do)
		flushed = f.prepareGradients(out.m, out.t.output)
	}
	dq := make([]*mat.Dense, len(out.runs))
	parallel.Each(len(out.runs), func(n int) {
		r, in := out.runs[n], h
		if r.flushes {
			in = flushed
		}
		p, ds := r.scoreGradients(in)
		dq[n] = seenProduct(ds, in.K, in.sees)
		r.finish(dq[n], errors, &r.dqSum, r.unit())
		addProduct(s.dk[n], ds, in.Q, in.sees)
		addProduct(s.dv[n], p, in.do, in.sees)
	})
	s.storeQueries(dq, first)
}

// storeQueries hands over the rows of a block's dq of each run, the exact one first.
func (s *groupGradients) storeQueries(dq []*mat.Dense, first Place) {
	rows, _ := dq[0].Dims()
	for n := 1; n < len(dq); n++ {
		for i := range rows {
			s.others[0] = append(s.others[0], s.out.dq.run(
				0, n-2, s.queryRow(first, i), dq[n].RawRowView(i), dq[0].RawRowView(i),
			)...)
		}
	}
}

// finishHead ends the sums of a head in the runs in which each head has its own.
func (s *groupGradients) finishHead() {
	if !s.out.t.shared {
		return
	}
	s.finishSums(s.headK, s.headV, true)
	for n, r := range s.out.runs {
		if r.byHead {
			r.addHead(s.groupK[n], s.dk[n], &r.headK)
			r.addHead(s.groupV[n], s.dv[n], &r.headV)
			s.dk[n].Zero()
			s.dv[n].Zero()
		}
	}
}

// finishSums ends the sums over queries in the runs that have them by head, or in the others.
func (s *groupGradients) finishSums(k, v gradientSums, byHead bool) {
	errorsK := k.errors(s.out.m, s.out.t.inter, s.out.m.Q)
	errorsV := v.errors(s.out.m, s.out.m.probabilities, s.out.t.output)
	parallel.Each(len(s.out.runs), func(n int) {
		if r := s.out.runs[n]; r.byHead == byHead {
			r.finish(s.dk[n], errorsK, &r.dkSum, r.unit())
			r.finish(s.dv[n], errorsV, &r.dvSum, 1)
		}
	})
}

// finish stores the gradients of the group's keys and values.
func (s *groupGradients) finish() {
	t, m := s.out.t, s.out.m
	s.allK.errors(m, t.inter, m.Q).addTo(s.shapeK)
	s.allV.errors(m, m.probabilities, t.output).addTo(s.shapeV)
	if s.run {
		s.finishSums(s.allK, s.allV, false)
	}
	for n, r := range s.out.runs {
		if s.run && r.byHead {
			s.dk[n], s.dv[n] = s.groupK[n], s.groupV[n]
		}
	}
	s.others[1] = s.store(s.out.dk, s.allK, s.shapeK, s.dk)
	s.others[2] = s.store(s.out.dv, s.allV, s.shapeV, s.dv)
}

// store hands over truth and runs of one gradient, the exact one first.
func (s *groupGradients) store(
	to *sampled, truth gradientSums, shape *mat.Dense, runs []*mat.Dense,
) (others []otherTruth) {
	if to == nil {
		return nil
	}
	keys, groups := s.out.c.Dim("T"), s.out.c.Dim("G")
	for j := range len(truth.terms) {
		at := (s.b*keys+j)*groups + s.g
		to.set(at, truth.sums.RawRowView(j))
		to.setShape(at, shape.RawRowView(j))
		for n := 1; n < len(runs); n++ {
			others = append(others, to.run(0, n-2, at, runs[n].RawRowView(j), runs[0].RawRowView(j))...)
		}
	}
	return others
}

// expected hands over what the recording has.
func (g *gradientOutputs) expected() (all []verdict.Expected) {
	for _, s := range []*sampled{g.dq, g.dk, g.dv} {
		if s != nil {
			all = append(all, s.expected())
		}
	}
	return all
}
