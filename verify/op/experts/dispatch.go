package experts

import (
	"fmt"
	"slices"

	"plumbline/moe"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func init() { op.Register(dispatchOp) }

// dispatchOp is moe.dispatch.
var dispatchOp = &op.Op{
	Name:      "moe.dispatch",
	Doc:       "Sorts pairs of token and expert by expert.",
	Equations: []string{"moe.Dispatch"},
	Inputs: []op.Tensor{{
		Name: "indices", Shape: []string{"N", "K"}, Integer: true,
		Doc: "experts chosen; pairs with ids below 0 are left out",
	}},
	Outputs: []op.Tensor{
		{
			Name: "order", Shape: []string{"P"}, Axes: []string{"row"}, Integer: true, Empty: true,
			Doc: "the number n·K + k of the pair in each row; rows are sorted by expert, pairs of one stay in order",
		},
		{Name: "counts", Shape: []string{"E"}, Axes: []string{"expert"}, Integer: true, Doc: "rows of each expert"},
	},
	Attrs: []op.Attr{{Name: "experts", Kind: op.Count, Missing: op.Required, Letter: "E", Doc: "how many there are"}},
	Exact: true,
	Check: checkDispatch,
	Truth: dispatch,
}

func checkDispatch(c *op.Case) error {
	if n := c.Int("experts"); n == 0 || n > mostExperts {
		return fmt.Errorf("attrs: %q: found %d, want 1 to %d", "experts", n, mostExperts)
	}
	if err := checkIDs(c); err != nil {
		return err
	}
	pairs := 0
	for _, id := range c.Input("indices").Data {
		if id >= 0 {
			pairs++
		}
	}
	if c.Wants("order") && c.Dim("P") != pairs {
		return fmt.Errorf("tensor %q: shape %v, want [%d], the pairs whose expert is not below 0", "out.order",
			c.Recording.Shape("out.order"), pairs)
	}
	return nil
}

// mostExperts bounds what a number in a file makes room for.
const mostExperts = 1 << 20

// checkIDs refuses ids of experts that there are not.
func checkIDs(c *op.Case) error {
	experts := c.Extent("E")
	for i, id := range c.Input("indices").Data {
		if id >= experts {
			at := tensor.Unravel(i, c.Recording.Shape("indices"))
			return fmt.Errorf(
				"tensor %q: element %v is %.0f, want less than %.0f, the number of experts, or below 0 for none",
				"indices", at, id, experts,
			)
		}
	}
	return nil
}

// Chosen returns the experts of each token; below 0: none.
func Chosen(c *op.Case) [][]int {
	ids := make([][]int, c.Dim("N"))
	for n := range ids {
		for _, id := range c.Input("indices").Row(n) {
			ids[n] = append(ids[n], int(max(id, -1)))
		}
	}
	return ids
}

// dispatch is moe.dispatch, in which nothing is rounded.
func dispatch(c *op.Case) ([]verdict.Expected, error) {
	ids := Chosen(c)
	order, counts := moe.Dispatch(ids, c.Int("experts"))
	return c.Wanted(
		verdict.Expected{
			Name: "order", Truth: wholeNumbers(order), Sigma: make([]float64, len(order)),
			Choice: verdict.NewOrder("pair", "expert", slices.Concat(ids...)),
		},
		verdict.Expected{Name: "counts", Truth: wholeNumbers(counts), Sigma: make([]float64, len(counts))},
	), nil
}

func wholeNumbers(x []int) *tensor.Tensor {
	t := tensor.New(len(x))
	for i, v := range x {
		t.Data[i] = float64(v)
	}
	return t
}
