package op

import (
	"math"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// Program is an op as a kernel of the declared arithmetic computes it, in the units of a run. It
// returns outputs before their last rounding, by name.
type Program func(r *arithmetic.Run) map[string][]float64

// Runs is how often a program is run: more often where it costs little, because what few runs leave
// open makes limits wider; roundings is about how many one run makes.
const (
	FewestRuns = 12
	MostRuns   = 32
	Roundings  = 1 << 24
	kept       = 1 << 24 // deviations in memory
)

// RunsOf returns how often a program is run whose outputs have n elements together, the smallest of
// them few, and which takes so many roundings. A loss has no neighbours that tell of its σ.
func RunsOf(n, few int, work float64) int {
	most := float64(MostRuns)
	if few < pooled {
		most *= 2
	}
	return int(max(FewestRuns, min(most, Roundings/max(work, 1), kept/float64(max(n, 1)))))
}

// pooled is from how many elements on their σ are told by one another.
const pooled = 16

// Expectation is the truth of one output.
type Expectation struct {
	Name     string
	Truth    []float64
	Shape    []int
	Unjudged []bool // nil: all are judged
}

// unrun returns what is expected before anything is run: the truth.
func (e Expectation) unrun() verdict.Expected {
	return verdict.Expected{Name: e.Name, Truth: tensor.Of(e.Truth, e.Shape...), Unjudged: e.Unjudged}
}

// Run runs a program for the outputs that the recording has.
func (c *Case) Run(p Program, work float64, all ...Expectation) []verdict.Expected {
	var wanted []Expectation
	few := pooled // of what the op has, so that what a recording has changes nothing
	for _, e := range all {
		if few = min(few, len(e.Truth)); c.Wants(e.Name) {
			wanted = append(wanted, e)
		}
	}
	return run(p, few, work, wanted)
}

// RunAll is Run for outputs that need not be among those of the op: what a choice is made by.
func (c *Case) RunAll(p Program, work float64, all ...Expectation) []verdict.Expected {
	return run(p, pooled, work, all)
}

func run(p Program, few int, work float64, all []Expectation) []verdict.Expected {
	var expected []verdict.Expected
	for _, e := range all {
		expected = append(expected, e.unrun())
	}
	execute(p, few, work, expected)
	return expected
}

// execute runs a program in many units, and fills in what follows from it: the sample of
// deviations, σ, and what else is right where a decision is in doubt or a number overflows.
func execute(p Program, few int, work float64, expected []verdict.Expected) {
	n := 0
	for _, e := range expected {
		n += e.Truth.Len()
	}
	for form, forms := 0, 1; form < forms; form++ {
		forms = p.sample(form, RunsOf(n, few, work), expected)
	}
}

// sample adds the sample of one form that the program may have, and returns how many there are.
func (p Program) sample(form, n int, expected []verdict.Expected) (forms int) {
	exactRun := arithmetic.NewExact().In(form)
	exact := p(exactRun)
	runs, outputs := p.runs(form, n, func(r *arithmetic.Run) *arithmetic.Run { return r })
	doubts := arithmetic.FindDoubts(exactRun, runs)
	var wholly []map[string][]float64
	var exactWholly map[string][]float64
	if !doubts.None() { // no run may jump to the other side
		_, outputs = p.runs(form, n, func(r *arithmetic.Run) *arithmetic.Run { return doubts.Settle(r, false) })
		_, wholly = p.runs(form, n, func(r *arithmetic.Run) *arithmetic.Run { return doubts.Settle(r, true) })
		exact = p(doubts.Settle(arithmetic.NewExact().In(form), false))
		exactWholly = p(doubts.Settle(arithmetic.NewExact().In(form), true))
	}
	native := p(doubts.Settle(arithmetic.NewNative().In(form), false))
	for i := range expected {
		deviations := deviationsOf(&expected[i], exact[expected[i].Name], outputs, wholly != nil)
		if wholly != nil {
			Larger(deviations, deviationsOf(&expected[i], exactWholly[expected[i].Name], wholly, true))
		}
		own := deviationsOf(&expected[i], exact[expected[i].Name], []map[string][]float64{native}, wholly != nil)
		expected[i].AddForm(verdict.NewSample(
			deviations, own[0], nil, expected[i].Truth.Data, nil, expected[i].Columns(),
		))
	}
	doubts.Each(func(r *arithmetic.Run, decisions int) {
		other := p(r)
		for i := range expected {
			addOthers(&expected[i], other[expected[i].Name], decisions)
		}
	})
	return exactRun.Forms()
}

// runs executes the program that many times.
func (p Program) runs(
	form, n int, settle func(r *arithmetic.Run) *arithmetic.Run,
) (runs []*arithmetic.Run, outputs []map[string][]float64) {
	runs, outputs = make([]*arithmetic.Run, n), make([]map[string][]float64, n)
	parallel.Each(n, func(k int) {
		runs[k] = settle(arithmetic.NewRun(k + 1).In(form))
		outputs[k] = p(runs[k])
	})
	return runs, outputs
}

// Larger takes for each element the deviations of the side on which it errs more.
func Larger(deviations, other [][]float64) {
	for i := range deviations[0] {
		var here, there float64
		for k := range deviations {
			here, there = here+deviations[k][i]*deviations[k][i], there+other[k][i]*other[k][i]
		}
		if there > here {
			for k := range deviations {
				deviations[k][i] = other[k][i]
			}
		}
	}
}

// deviationsOf turns the outputs of the runs into deviations, in their place. Where a run has
// another kind of number (an infinity, NaN) than the truth, that is right too. Decisions that were
// settled may have fallen another way than the truth's.
func deviationsOf(
	e *verdict.Expected, exact []float64, outputs []map[string][]float64, settled bool,
) [][]float64 {
	deviations := make([][]float64, len(outputs))
	for k, run := range outputs {
		d := run[e.Name]
		for i, got := range d {
			truth, from := e.Truth.Data[i], exact[i]
			if !settled {
				from = Carried(from, truth)
			}
			var fits bool
			if d[i], fits = DeviationOf(got, from, truth); !fits {
				e.AddOther(i, got)
			}
		}
		deviations[k] = d
	}
	return deviations
}

// DeviationOf returns what a run deviates by from what the program gives exactly, and whether it
// has the kind of number that is expected.
func DeviationOf(got, exact, truth float64) (d float64, fits bool) {
	switch {
	case dtype.Finite(got) && dtype.Finite(exact):
		return got - exact, true
	case same(got, truth):
		return 0, true
	}
	return math.NaN(), false
}

// RowDeviations returns what a run deviates by in the elements of an output from number first on.
// Where it has another kind of number than is exact, that is right too.
func RowDeviations(e *verdict.Expected, first int, got, exact []float64) []float64 {
	deviations := make([]float64, len(got))
	for j, x := range got {
		var fits bool
		if deviations[j], fits = DeviationOf(x, exact[j], exact[j]); !fits {
			e.AddOther(first+j, x)
		}
	}
	return deviations
}

// Carried returns what a program gives exactly, or the truth where float64 does not carry it there,
// because its squares overflow, say: then it errs by as much as it misses the truth.
func Carried(exact, truth float64) float64 {
	if math.Abs(exact-truth) > astray*math.Abs(truth) {
		return truth
	}
	return exact
}

// astray is how far from the truth, relative, a program in float64 may be: far more than its own
// cancellations, far less than what any kernel errs by.
const astray = 1e-9

// same tells whether two numbers are the same infinity, or both NaN.
func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// addOthers adds what the elements are where decisions fall the other way. Elements that hang on
// one decision, as many of them as there are decisions to share them, go together.
func addOthers(e *verdict.Expected, other []float64, decisions int) {
	size := max(1, len(other)/decisions)
	for first := 0; first < len(other); first += size {
		var b verdict.Branch
		var truths []float64
		for i := first; i < min(first+size, len(other)); i++ {
			truth := e.Truth.Data[i]
			if same(other[i], truth) || math.Abs(other[i]-truth) <= max(1e-3*e.Sigma[i], 1e-12*math.Abs(truth)) {
				continue
			}
			b.Elements, truths = append(b.Elements, i), append(truths, other[i])
		}
		switch len(truths) {
		case 0:
		case 1:
			e.AddOther(b.Elements[0], truths[0])
		default:
			b.Truths = [][]float64{truths}
			e.Branches = append(e.Branches, b)
		}
	}
}

// Wanted keeps the outputs that the recording has.
func (c *Case) Wanted(all ...verdict.Expected) []verdict.Expected {
	var kept []verdict.Expected
	for _, e := range all {
		if c.Wants(e.Name) {
			kept = append(kept, e)
		}
	}
	return kept
}

// Batch is a Program that computes all runs together, where they share what is read of large
// inputs. It makes no decisions.
type Batch func(runs []*arithmetic.Run) []map[string][]float64

// RunBatch is Run for a Batch of so many forms; outputs that are none of the op's are run as well.
// Truths are looked at once the batch has run, which may fill them in.
func (c *Case) RunBatch(p Batch, forms int, work float64, all ...Expectation) []verdict.Expected {
	few, n := pooled, 0
	var expected []verdict.Expected
	for _, e := range all {
		few = min(few, len(e.Truth))
		if c.Op.hasOutput(e.Name) && !c.Wants(e.Name) {
			continue
		}
		expected = append(expected, e.unrun())
		n += len(e.Truth)
	}
	outputs := p(batchOf(forms, RunsOf(n, few, work)))
	for each := len(outputs) / forms; len(outputs) > 0; outputs = outputs[each:] {
		for i := range expected {
			e := &expected[i]
			deviations := deviationsOf(e, outputs[0][e.Name], outputs[1:each], false)
			e.AddForm(verdict.NewSample(deviations[1:], deviations[0], nil, e.Truth.Data, nil, e.Columns()))
		}
	}
	return expected
}

// batchOf returns the runs of each form: the exact one, the native one, and n others.
func batchOf(forms, n int) (runs []*arithmetic.Run) {
	for form := range forms {
		runs = append(runs, arithmetic.NewExact().In(form), arithmetic.NewNative().In(form))
		for k := range n {
			runs = append(runs, arithmetic.NewRun(k+1).In(form))
		}
	}
	return runs
}
