package evidence

import (
	"math"
	"slices"

	"plumbline/verify/emulate"
	"plumbline/verify/verdict"
)

// Count is how often something was so, of how many.
type Count struct {
	Of  int `json:"of"`
	Are int `json:"are"`
}

func (c *Count) add(are bool) {
	c.Of++
	if are {
		c.Are++
	}
}

func (c *Count) join(o Count) { c.Of, c.Are = c.Of+o.Of, c.Are+o.Are }

// Share is the quotient, NaN where nothing was counted.
func (c Count) Share() float64 { return float64(c.Are) / float64(c.Of) }

// edges are the strengths between which mistakes are counted together: below the first, between
// two, and from the last on.
var edges = []float64{1, 3, 10, 30, 100, 300, 1000}

// Beyond is the bin of infinite strength: of choices that are wrong, of numbers that nothing may
// move, and of infinities and NaN in the place of numbers.
const Beyond = 8

// binOf returns the bin of a strength.
func binOf(strength float64) int {
	if math.IsInf(strength, 1) {
		return Beyond
	}
	n := 0
	for n < len(edges) && strength >= edges[n] {
		n++
	}
	return n
}

// Rates are what one criterion said of one op, on inputs times a power of two.
type Rates struct {
	Criterion string `json:"criterion"`
	Op        string `json:"op"`
	Exp2      int    `json:"exp2"`

	Alarms Count `json:"alarms"` // of right kernels, those that failed
	// the same of those that are plain: sums in float32 or better, nothing narrower than the inputs
	Plain Count             `json:"plain"`
	Found Count             `json:"found"` // of visible mistakes, those that failed
	Faint Count             `json:"faint"` // those among them that are faint
	Bins  [Beyond + 1]Count `json:"bins"`  // all mistakes by strength
}

func (r *Rates) join(o Rates) {
	r.Alarms.join(o.Alarms)
	r.Plain.join(o.Plain)
	r.Found.join(o.Found)
	r.Faint.join(o.Faint)
	for i := range r.Bins {
		r.Bins[i].join(o.Bins[i])
	}
}

// right counts a right kernel.
func (r *Rates) right(fails bool, c emulate.Config) {
	r.Alarms.add(fails)
	if isPlain(c) {
		r.Plain.add(fails)
	}
}

// wrong counts a wrong one.
func (r *Rates) wrong(fails bool, m magnitude) {
	r.Bins[binOf(m.strength)].add(fails)
	if m.strength >= visible {
		r.Found.add(fails)
		if m.faint() {
			r.Faint.add(fails)
		}
	}
}

// isPlain tells whether a kernel does nothing that its inputs' type or a sum in float32 would not
// explain.
func isPlain(c emulate.Config) bool {
	bare := emulate.Config{
		Tile: c.Tile, Splits: c.Splits, Order: c.Order, Seed: c.Seed, Fused: c.Fused, Base2: c.Base2, Form: c.Form,
		NormalizeFirst: c.NormalizeFirst, TiesLast: c.TiesLast, Slots: c.Slots, Recipe: c.Recipe, Indices: c.Indices,
		PromoteEvery: c.PromoteEvery, Frequencies: c.Frequencies,
	}
	c.Other = nil
	exact := bare
	exact.Accumulate = c.Accumulate
	return c == bare || c == exact && c.Accumulate.Working().Size() == 8
}

// plumbline is the name of the verdict among the criteria.
const plumbline = "Plumbline"

// fails tells whether the verdict fails a recording.
func fails(v verdict.Verdict) bool { return v.Status == verdict.Unexplained }

// unsure tells whether it says that the inputs cannot tell.
func unsure(v verdict.Verdict) bool { return v.Status == verdict.Undetermined }

// A tally is what all criteria said of the kernels of one op on inputs of one scale.
type tally struct {
	criteria []Criterion
	rates    []Rates // first the verdict's, then those of the criteria
	unsure   Count   // verdicts on right kernels that say that the inputs cannot tell
	misses   []Miss
	alarms   []Miss
}

// Miss is a verdict of Plumbline that is wrong.
type Miss struct {
	Op       string  `json:"op"`
	Seed     uint64  `json:"seed"`
	Exp2     int     `json:"exp2"`
	Kernel   string  `json:"kernel"`
	Strength float64 `json:"strength,omitempty"`
	Faint    bool    `json:"faint,omitempty"`
	Says     string  `json:"says"`
}

func newTally(criteria []Criterion, op string, exp2 int) *tally {
	t := &tally{criteria: criteria, rates: make([]Rates, len(criteria)+1)}
	for i := range t.rates {
		t.rates[i].Criterion, t.rates[i].Op, t.rates[i].Exp2 = plumbline, op, exp2
		if i > 0 {
			t.rates[i].Criterion = criteria[i-1].Name
		}
	}
	return t
}

// join adds what another tally of the same op and scale has.
func (t *tally) join(o *tally) {
	for i := range t.rates {
		t.rates[i].join(o.rates[i])
	}
	t.unsure.join(o.unsure)
	t.misses, t.alarms = append(t.misses, o.misses...), append(t.alarms, o.alarms...)
}

// right counts what is said of a right kernel.
func (t *tally) right(k *trial, c emulate.Config) {
	t.rates[0].right(fails(k.verdict), c)
	t.unsure.add(unsure(k.verdict))
	for i, criterion := range t.criteria {
		if passes, used := criterion.Pass(k.pairs); used {
			t.rates[i+1].right(!passes, c)
		}
	}
}

// wrong counts what is said of a wrong kernel: of each criterion where the mistake is visible in
// what it compares.
func (t *tally) wrong(k *trial, e effect) {
	t.rates[0].wrong(fails(k.verdict), e.total(everyOutput))
	for i, criterion := range t.criteria {
		if passes, used := criterion.Pass(k.pairs); used {
			t.rates[i+1].wrong(!passes, e.total(func(output string) bool {
				return slices.ContainsFunc(k.pairs, func(p *Pair) bool {
					return p.Output == output && criterion.applies(p)
				})
			}))
		}
	}
}

func everyOutput(string) bool { return true }
