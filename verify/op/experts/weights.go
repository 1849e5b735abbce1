package experts

import (
	"cmp"
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// gateWeights returns what is expected of the weights: those of the experts that were recorded,
// right or wrong. Where that is no set of experts nothing is.
func gateWeights(g *gateInputs) (verdict.Expected, error) {
	c := g.c
	if !c.Wants("indices") {
		return weightsAlone(g)
	}
	indices, err := c.Recording.Tensor("out.indices")
	if err != nil {
		return verdict.Expected{}, err
	}
	n, k := c.Dim("N"), c.Int("top_k")
	chosen, skipped := make([][]int, n), make([]bool, n*k)
	for i := range n {
		var isSet bool
		if chosen[i], isSet = setOf(indices.Row(i), c.Dim("E")); !isSet {
			for at := range k {
				skipped[i*k+at] = true
			}
		}
	}
	e := g.weightsOf(chosen, skipped)
	e.Why = "their indices are no set of experts"
	return e, nil
}

// weightsOf returns what is expected of the weights of experts chosen.
func (g *gateInputs) weightsOf(chosen [][]int, skipped []bool) verdict.Expected {
	n := len(chosen)
	var truth []float64
	for i, experts := range chosen {
		truth = append(truth, g.weights(i, experts)...)
	}
	program := g.program(func(g *gateRun) map[string][]float64 {
		var weights []float64
		for i, experts := range chosen {
			weights = append(weights, g.weigh(g.rowOf(i), experts)...)
		}
		return map[string][]float64{"weights": weights}
	})
	return g.c.RunAll(program, float64(stepsOfScore*n*g.c.Dim("E")),
		op.Expectation{Name: "weights", Truth: truth, Shape: []int{n, g.gate.TopK}, Unjudged: skipped})[0]
}

// weights returns those of the chosen experts of token n.
func (g *gateInputs) weights(n int, chosen []int) []float64 {
	return g.gate.Weights(g.gate.Score(g.logits(n)), chosen)
}

// setOf returns recorded indices as experts, those of no use as expert 0, and whether they are a
// set.
func setOf(row []float64, experts int) (chosen []int, isSet bool) {
	isSet = true
	for _, x := range row {
		e, in := verdict.Index(x, experts)
		isSet = isSet && in && !slices.Contains(chosen, e)
		chosen = append(chosen, e)
	}
	return chosen, isSet
}

// weightsAlone returns what is expected of weights without the experts that they are of: those of
// the best experts, the largest recorded weight being that of the one that weighs most.
func weightsAlone(g *gateInputs) (verdict.Expected, error) {
	recorded, err := g.c.Recording.Tensor("out.weights")
	if err != nil {
		return verdict.Expected{}, err
	}
	t := g.rank()
	chosen, skipped := make([][]int, t.N), make([]bool, t.N*t.K)
	others := make([][][]int, t.N)
	for i := range t.N {
		chosen[i] = g.byRank(i, t.Best(i), recorded.Row(i))
		var all bool
		if others[i], all = t.Others(i, mostSets); !all {
			for at := range t.K {
				skipped[i*t.K+at] = true
			}
		}
	}
	e := g.weightsOf(chosen, skipped)
	e.Why = fmt.Sprintf("more than %d sets of experts may be chosen", mostSets)
	for i, sets := range others {
		g.addBranch(&e, i, sets, recorded)
	}
	return e, nil
}

// byRank returns experts in the order of recorded weights: the one that weighs most where the
// largest was recorded.
func (g *gateInputs) byRank(n int, experts []int, recorded []float64) []int {
	weights := map[int]float64{}
	for k, w := range g.weights(n, experts) {
		weights[experts[k]] = w
	}
	places := make([]int, len(recorded))
	for k := range places {
		places[k] = k
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(recorded[b], recorded[a]) })
	slices.SortStableFunc(experts, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	ordered := make([]int, len(experts))
	for k, place := range places {
		ordered[place] = experts[k]
	}
	return ordered
}

// addBranch adds the weights of other sets of experts that a token may have.
func (g *gateInputs) addBranch(e *verdict.Expected, n int, sets [][]int, recorded *tensor.Tensor) {
	var b verdict.Branch
	for _, set := range sets {
		b.Truths = append(b.Truths, g.weights(n, g.byRank(n, set, recorded.Row(n))))
	}
	if len(sets) > 0 {
		for k := range e.Columns() {
			b.Elements = append(b.Elements, n*e.Columns()+k)
		}
		e.Branches = append(e.Branches, b)
	}
}
