package experts

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/moe"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// networks is the arithmetic of experts: what is between two products is rounded to the
// intermediate type, what is summed over experts to that of combine.
type networks struct {
	c              *op.Case
	inter, combine dtype.Type
	limit          float64 // +Inf: none
	weightInside   bool    // a weight multiplies what W2 does
}

func networksOf(c *op.Case) *networks {
	n := &networks{
		c: c, inter: c.TypeOr(c.Arithmetic.Intermediate, "x"), combine: c.Arithmetic.Combine,
		limit: math.Inf(1), weightInside: c.Word("weight_at") == "hidden",
	}
	if limit := c.Float("swiglu_limit"); limit > 0 {
		n.limit = limit
	}
	return n
}

// expertRun has the places of an expert network.
type expertRun struct {
	*networks
	gateSum, upSum, downSum           arithmetic.Noise
	gate, up, activated, hidden, down arithmetic.Grid
	inside                            arithmetic.Grid // a weight's product with what is hidden
	exp                               arithmetic.Function
	one, quotient                     arithmetic.Grid
}

func (n *networks) in(r *arithmetic.Run) *expertRun {
	cuts, work := n.c.Arithmetic.Accumulate.Truncates(), n.c.Arithmetic.Accumulate.Working()
	return &expertRun{
		networks: n, gateSum: r.Noise(cuts), upSum: r.Noise(cuts), downSum: r.Noise(cuts),
		gate: r.Grid(n.inter), up: r.Grid(n.inter), activated: r.Grid(n.inter), hidden: r.Grid(n.inter),
		down: r.Grid(n.inter), inside: r.Grid(n.inter), exp: step.Exponential(n.c, r), one: r.Grid(work),
		quotient: r.Grid(work),
	}
}

// units returns what is hidden in the network of a token, from row i of both products. weight is
// what multiplies it, 1 where that is done to the output.
func (e *expertRun) units(gate, up *step.Product, i int, weight float64) []float64 {
	a, b := e.gate.RoundAll(gate.Row(&e.gateSum, i)), e.up.RoundAll(up.Row(&e.upSum, i))
	for f := range a {
		x, y := moe.Clamp(a[f], b[f], e.limit)
		silu := e.activated.Round(e.quotient.Round(x / e.one.Round(1+e.exp.Exp(-x))))
		if a[f] = e.hidden.Round(silu * y); e.weightInside {
			a[f] = e.inside.Round(a[f] * weight)
		}
	}
	return a
}

// combineRun has the places where outputs of experts are summed.
type combineRun struct {
	*networks
	weighted, partial, shared arithmetic.Grid
	order                     int
	fused                     bool       // a product is added without a rounding of its own
	out                       dtype.Type // of the sum
}

// The orders in which a kernel sums the experts of a token.
const (
	bySlot = iota
	backwards
	byExpert
	byWeight
	orders
)

func (n *networks) combining(r *arithmetic.Run) *combineRun {
	c := &combineRun{
		networks: n, weighted: r.Grid(n.combine), partial: r.Grid(n.combine), shared: r.Grid(n.combine),
		fused: r.Coin() && !n.c.Arithmetic.Accumulate.Narrow(n.combine), out: n.c.Recording.Type("out.y"),
	}
	for range orders - 1 {
		if r.Coin() {
			c.order++
		}
	}
	return c
}

// sum returns the output of a token, before its last rounding: the outputs of its experts in the
// order of the run, then that of the shared ones, if there are any.
func (r *combineRun) sum(outputs [][]float64, experts []int, weights, shared []float64) []float64 {
	slots := r.ordered(experts, weights)
	var y []float64
	for at, k := range slots {
		term := slices.Clone(outputs[k])
		if !r.weightInside {
			for j, v := range term {
				term[j] = v * weights[k]
			}
		}
		ends := at == len(slots)-1 && shared == nil
		if !r.fused && !(ends && at == 0 && r.combine == r.out) {
			r.weighted.RoundAll(term)
		}
		y = r.plus(&r.partial, y, term, ends)
	}
	if y == nil {
		y = make([]float64, r.c.Dim("d"))
	}
	if shared != nil {
		y = r.plus(&r.shared, y, shared, true)
	}
	return y
}

// plus adds a term to a sum, which may be empty. The last sum is rounded where its type is not that
// of the output, whose rounding the verdict knows of.
func (r *combineRun) plus(g *arithmetic.Grid, sum, term []float64, last bool) []float64 {
	if sum == nil {
		return term
	}
	for j, v := range term {
		sum[j] += v
	}
	if last && r.combine == r.out {
		return sum
	}
	return g.RoundAll(sum)
}

// ordered returns the slots with an expert in the order of the run.
func (r *combineRun) ordered(experts []int, weights []float64) []int {
	var slots []int
	for k, e := range experts {
		if e >= 0 {
			slots = append(slots, k)
		}
	}
	switch r.order {
	case backwards:
		slices.Reverse(slots)
	case byExpert:
		slices.SortStableFunc(slots, func(a, b int) int { return cmp.Compare(experts[a], experts[b]) })
	case byWeight:
		slices.SortStableFunc(slots, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	}
	return slots
}

// expert is one network: its weights by name, and which matrix of each.
type expert struct {
	gate, up, down string
	number         int
}

// sentRow is a token that an expert has, in which of its slots, and what it weighs, exactly and in
// each run; nil: it is not run. Exact outputs are those before they are weighted.
type sentRow struct {
	token, slot int
	weight      float64
	weights     []float64
	counts      bool // in the truth
}

// inside is what the weight multiplies an output by in a run before it is summed.
func (s sentRow) inside(n *networks, k int) float64 {
	if n.weightInside {
		return s.weights[k]
	}
	return 1
}

// run returns the outputs of an expert for its tokens, exactly, and by token in each run.
func (n *networks) run(e expert, x *mat.Dense, rows []sentRow, runs []*expertRun) (*step.Product, [][][]float64) {
	acc, typ := n.c.Arithmetic.Accumulate, n.c.Recording.Type
	in := step.Operands{Accumulate: acc, X: typ("x"), W: typ(e.gate)}
	gate, _ := in.Multiply(x, step.WeightsOf(n.c, e.gate, e.number))
	up, _ := in.Multiply(x, step.WeightsOf(n.c, e.up, e.number))
	hidden, others := n.hidden(gate, up, rows, runs)
	out := step.Operands{Accumulate: acc, X: n.inter, W: typ(e.down)}
	exact, others := out.Multiply(hidden, step.WeightsOf(n.c, e.down, e.number), others...)
	of, next := make([][][]float64, len(rows)), 0
	for i, row := range rows {
		for k := range row.weights {
			y := exact.Err(&runs[k].downSum, i, others[next], row.inside(n, k))
			of[i], next = append(of[i], runs[k].down.RoundAll(y)), next+1
		}
	}
	return exact, of
}

// hidden returns the inner units of all rows, exactly, and row by row in each run.
func (n *networks) hidden(gate, up *step.Product, rows []sentRow, runs []*expertRun) (*mat.Dense, [][]float64) {
	_, width := gate.Y.Dims()
	exact, exactRun := mat.NewDense(len(rows), width, nil), n.in(arithmetic.NewExact())
	each := make([][][]float64, len(rows))
	parallel.Each(len(rows), func(i int) {
		exact.SetRow(i, exactRun.units(gate, up, i, 1))
		for k, w := range rows[i].weights {
			each[i] = append(each[i], runs[k].units(gate, up, i, w))
		}
	})
	return exact, slices.Concat(each...)
}
