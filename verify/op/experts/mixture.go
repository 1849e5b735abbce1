package experts

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// mixture is a sum of the outputs of experts for each token. It is computed expert by expert, as
// their weights need not fit into memory together.
type mixture struct {
	*networks
	tokens, width int
	sent          []sentToken
	inRun         func(r *arithmetic.Run) [][][]float64 // weights in a run by token and choice; nil: they are given
	runs          []*mixtureRun                         // the native one first
	truth, shape  []float64
	size          []float64 // of the truth, where there are several the largest
	parts         parts
}

// sentToken is a token, with the experts that it may be sent to.
type sentToken struct {
	experts []int       // slot by slot; below 0: none
	choices []choice    // the best first
	sampled bool        // it is run
	exact   [][]float64 // outputs by slot, of a token with several choices
	inside  [][]float64 // what errors in them go with
	outputs []slotOutputs
}

// choice is a set of slots with their weights.
type choice struct {
	slots   []int
	weights []float64
}

// slotOutputs are what a run gives for one token: by slot, with the weights that are in it where
// they multiply inside, and of the shared experts.
type slotOutputs struct {
	routed  [][]float64
	weights []float64
	shared  []float64
}

// mixtureRun is one run of all experts.
type mixtureRun struct {
	weights [][][]float64 // by token and choice
	*expertRun
	*combineRun
}

// runElements is how many outputs of experts may be in memory in all runs: 512 MiB. A test lowers
// it.
var runElements = 1 << 26

// expected computes what is expected of the output.
func (m *mixture) expected() verdict.Expected {
	m.truth, m.shape = make([]float64, m.tokens*m.width), make([]float64, m.tokens*m.width)
	m.parts = m.newParts()
	m.drawRuns()
	m.sample()
	for e, rows := range m.byExpert() {
		m.send(expert{"w_gate", "w_up", "w_down", e}, rows)
	}
	if m.c.Recording.Has("shared_gate") {
		m.send(expert{"shared_gate", "shared_up", "shared_down", 0}, m.all())
	}
	want := verdict.Expected{Name: "y", Truth: tensor.Of(m.truth, m.tokens, m.width)}
	m.widen()
	want.Directions = m.parts.directions()
	m.addSample(&want)
	m.addOthers(&want)
	return want
}

// products is how many a run takes for one token.
func (m *mixture) products() float64 {
	return float64(m.width) * (m.c.Extent("K")*m.c.Extent("F") + m.c.Extent("Fs"))
}

// drawRuns draws the places of all runs.
func (m *mixture) drawRuns() {
	n := m.tokens * m.width
	for k := range op.RunsOf(n, n, float64(m.tokens)*m.products()/step.ProductsForARounding) + 1 {
		r := arithmetic.NewNative()
		if k > 0 {
			r = arithmetic.NewRun(k)
		}
		run := &mixtureRun{}
		if m.inRun != nil {
			run.weights = m.inRun(r)
		}
		run.expertRun, run.combineRun = m.in(r), m.combining(r)
		m.runs = append(m.runs, run)
	}
}

// sample chooses the tokens that are run: evenly spaced ones, and of those with several choices as
// many more.
func (m *mixture) sample() {
	perToken := float64(len(m.runs)*m.width) * (m.c.Extent("K") + 1)
	most := min(step.RunProducts/(float64(len(m.runs))*m.products()), float64(runElements)/perToken)
	count := max(1, min(m.tokens, int(most)))
	for i := range count {
		m.sent[i*m.tokens/count].sampled = true
	}
	for i := range m.sent {
		if t := &m.sent[i]; len(t.choices) > 1 && !t.sampled && count > 0 {
			t.sampled = true
			count--
		}
	}
}

// byExpert returns the tokens of each expert.
func (m *mixture) byExpert() [][]sentRow {
	rows := make([][]sentRow, m.c.Dim("E"))
	for n := range m.sent {
		t := &m.sent[n]
		t.exact, t.inside = make([][]float64, len(t.experts)), make([][]float64, len(t.experts))
		t.outputs = make([]slotOutputs, len(m.runs))
		for k := range t.outputs {
			t.outputs[k] = slotOutputs{make([][]float64, len(t.experts)), make([]float64, len(t.experts)), nil}
		}
		for slot, e := range t.experts {
			if e >= 0 {
				rows[e] = append(rows[e], m.row(n, slot))
			}
		}
	}
	return rows
}

// row returns a token in one of its slots, with the weight that it has in the first choice that has
// the slot.
func (m *mixture) row(n, slot int) sentRow {
	row, t := sentRow{token: n, slot: slot}, &m.sent[n]
	for c, choice := range t.choices {
		at := slices.Index(choice.slots, slot)
		if at < 0 {
			continue
		}
		row.weight, row.counts = choice.weights[at], c == 0
		for k := range m.runs {
			if t.sampled {
				row.weights = append(row.weights, m.weightsIn(k, n, c)[at])
			}
		}
		break
	}
	return row
}

// weightsIn returns the weights of a choice in a run.
func (m *mixture) weightsIn(run, token, c int) []float64 {
	if m.inRun == nil {
		return m.sent[token].choices[c].weights
	}
	return m.runs[run].weights[token][c]
}

// sharedSlot stands for the shared experts, which have every token.
const sharedSlot = -1

// all returns every token for the shared experts.
func (m *mixture) all() (rows []sentRow) {
	for n, t := range m.sent {
		row := sentRow{token: n, slot: sharedSlot, weight: 1, counts: true}
		if t.sampled {
			row.weights = slices.Repeat([]float64{1}, len(m.runs))
		}
		rows = append(rows, row)
	}
	return rows
}

// rowsAtOnce is how many tokens go through an expert together.
const rowsAtOnce = 256

// send computes the outputs of one expert.
func (m *mixture) send(e expert, rows []sentRow) {
	expertRuns := make([]*expertRun, len(m.runs))
	for k, r := range m.runs {
		expertRuns[k] = r.expertRun
	}
	for from := 0; from < len(rows); from += rowsAtOnce {
		some := rows[from:min(from+rowsAtOnce, len(rows))]
		x := mat.NewDense(len(some), m.width, nil)
		for i, row := range some {
			x.SetRow(i, m.c.Input("x").Row(row.token))
		}
		exact, of := m.run(e, x, some, expertRuns)
		for i, row := range some {
			m.keep(row, exact, i, of[i])
		}
	}
}

// keep adds the output of an expert for a token, row i of the product, to the truth, and stores
// what is needed later.
func (m *mixture) keep(row sentRow, exact *step.Product, i int, of [][]float64) {
	y, inside, t := exact.Y.RawRowView(i), m.inside(exact, i), &m.sent[row.token]
	if row.counts {
		at := row.token * m.width
		m.addTo(m.truth[at:at+m.width], m.shape[at:at+m.width], row.weight, y, inside)
		m.parts.add(at, row, t, y)
	}
	if row.slot >= 0 && len(t.choices) > 1 {
		t.exact[row.slot], t.inside[row.slot] = y, inside
	}
	for k := range of {
		if row.slot == sharedSlot {
			t.outputs[k].shared = of[k]
		} else {
			t.outputs[k].routed[row.slot], t.outputs[k].weights[row.slot] = of[k], row.weights[k]
		}
	}
}

// roundingsInside is how many roundings there are before the second product: of gate, up,
// activation and their product.
const roundingsInside = 4

// inside returns what the errors in the output of an expert go with: the roundings inside, whose
// errors are summed as the products are, and that of the output.
func (m *mixture) inside(exact *step.Product, i int) []float64 {
	variances, squares := exact.Moments(i), exact.Squares.RawRowView(i)
	rho := arithmetic.Rho(m.inter)
	for j, v := range exact.Y.RawRowView(i) {
		variances[j] += rho * rho * (roundingsInside*squares[j] + v*v)
	}
	return variances
}

// addTo adds a weighted output to the truth, and to what errors go with those of the output and of
// the sum over experts.
func (m *mixture) addTo(truth, shape []float64, weight float64, y, inside []float64) {
	rho := arithmetic.Rho(m.combine)
	for j, v := range y {
		term := weight * v
		truth[j] += term
		shape[j] += weight*weight*inside[j] + rho*rho*(term*term+truth[j]*truth[j])
	}
}

// widen makes sizes of outputs, and what errors go with, the largest of those of all choices.
func (m *mixture) widen() {
	m.size = slices.Clone(m.truth)
	for n, t := range m.sent {
		at := n * m.width
		for c := 1; c < len(t.choices); c++ {
			y, shape := make([]float64, m.width), make([]float64, m.width)
			for i, slot := range t.choices[c].slots {
				if t.exact[slot] != nil {
					m.addTo(y, shape, t.choices[c].weights[i], t.exact[slot], t.inside[slot])
				}
			}
			for j, v := range m.exactly(n, c) {
				m.size[at+j] = max(math.Abs(m.size[at+j]), math.Abs(v))
				m.shape[at+j] = max(m.shape[at+j], shape[j])
			}
		}
	}
}

// addSample adds what the runs deviate by.
func (m *mixture) addSample(want *verdict.Expected) {
	deviations, elements := make([][]float64, len(m.runs)), []int(nil)
	whole := true
	for n, t := range m.sent {
		if whole = whole && t.sampled; !t.sampled {
			continue
		}
		for j := range m.width {
			elements = append(elements, n*m.width+j)
		}
		for k, d := range m.deviations(want, n) {
			deviations[k] = append(deviations[k], d...)
		}
	}
	if whole {
		elements = nil
	}
	want.AddForm(verdict.NewSample(deviations[1:], deviations[0], elements, m.size, m.shape, m.width))
}

// deviations returns what each run deviates by in the output of a token: for each element in the
// choice in which it errs most.
func (m *mixture) deviations(want *verdict.Expected, n int) (most [][]float64) {
	for c := range m.sent[n].choices {
		exact := m.exactly(n, c)
		of := make([][]float64, len(m.runs))
		for k := range m.runs {
			of[k] = op.RowDeviations(want, n*m.width, m.inOneRun(k, n, c), exact)
		}
		if c == 0 {
			most = of
		} else {
			op.Larger(most[1:], of[1:])
		}
	}
	return most
}

// inOneRun returns the output of a token in a run, sent as one of its choices says.
func (m *mixture) inOneRun(k, n, c int) []float64 {
	t, r := &m.sent[n], m.runs[k]
	choice, weights := t.choices[c], m.weightsIn(k, n, c)
	var outputs [][]float64
	var experts []int
	for i, slot := range choice.slots {
		y := t.outputs[k].routed[slot]
		if own := t.outputs[k].weights[slot]; m.weightInside && own != 0 {
			y = floats.ScaleTo(make([]float64, len(y)), weights[i]/own, y)
		}
		outputs, experts = append(outputs, y), append(experts, t.experts[slot])
	}
	return r.sum(outputs, experts, weights, t.outputs[k].shared)
}

// exactly returns the output of a token, sent as one of its choices says.
func (m *mixture) exactly(n, c int) []float64 {
	y, t := slices.Clone(m.truth[n*m.width:(n+1)*m.width]), &m.sent[n]
	if c == 0 {
		return y
	}
	t.choices[0].sumInto(y, t.exact, -1)
	t.choices[c].sumInto(y, t.exact, 1)
	return y
}

// sumInto adds outputs of experts, weighted, times a sign.
func (c choice) sumInto(y []float64, outputs [][]float64, sign float64) {
	for i, slot := range c.slots {
		if outputs[slot] != nil {
			floats.AddScaled(y, sign*c.weights[i], outputs[slot])
		}
	}
}

// addOthers adds what else the output of a token may be.
func (m *mixture) addOthers(want *verdict.Expected) {
	for n, t := range m.sent {
		if len(t.choices) < 2 {
			continue
		}
		b := verdict.Branch{}
		for j := range m.width {
			b.Elements = append(b.Elements, n*m.width+j)
		}
		for c := 1; c < len(t.choices); c++ {
			b.Truths = append(b.Truths, m.exactly(n, c))
		}
		want.Branches = append(want.Branches, b)
	}
}
