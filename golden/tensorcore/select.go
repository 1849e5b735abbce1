package main

import (
	"maps"
	"math"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// outputs lists what was recorded.
func (o *origin) outputs() []string {
	if o.values["d16"] == nil {
		return []string{"d"}
	}
	return []string{"d", "d16"}
}

// core returns the tensor core that made an output.
func (o *origin) core(output string) (arithmetic.TensorCore, error) {
	return o.accumulate.TensorCore(o.types["a"], o.types[output])
}

// differing counts the results that the model does not have to the last bit.
func (o *origin) differing(output string) (n int, err error) {
	core, err := o.core(output)
	if err != nil {
		return 0, err
	}
	rows, _ := o.rows()
	for i := range rows {
		if !same(o.result(&core, output, i), o.values[output][i]) {
			n++
		}
	}
	return n, nil
}

func same(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }

// neighbour is a step that is nearly the device's.
type neighbour struct {
	name       string
	core       arithmetic.TensorCore
	normalised bool // a product counts with the exponent of its value
	reversed   bool // the products in the opposite order
}

// neighbours returns what the step might be taken for: a fraction bit less or more, two steps of
// half its products, the results rounded the other way, a sum that is exact until it is rounded,
// the accumulator added in another place.
func neighbours(core arithmetic.TensorCore) []neighbour {
	vary := func(name string, change func(c *arithmetic.TensorCore)) neighbour {
		other := core
		change(&other)
		return neighbour{name: name, core: other}
	}
	list := []neighbour{
		vary("a fraction bit less", func(c *arithmetic.TensorCore) { c.Fraction-- }),
		vary("a fraction bit more", func(c *arithmetic.TensorCore) { c.Fraction++ }),
		vary("two steps of half the products", func(c *arithmetic.TensorCore) { c.Products /= 2 }),
		vary("one step of twice the products", func(c *arithmetic.TensorCore) { c.Products *= 2 }),
		{name: "normalised exponents of products", core: core, normalised: true},
		{name: "the products in the opposite order", core: core, reversed: true},
		vary("an exact sum", func(c *arithmetic.TensorCore) { c.Fraction = 40 }),
		vary("the accumulator among the terms", func(c *arithmetic.TensorCore) { c.Late = 0 }),
		vary("the accumulator added at the end", func(c *arithmetic.TensorCore) { c.Late = 32 }),
		vary("products in order", func(c *arithmetic.TensorCore) { c.Paired = false }),
	}
	if core.Result == dtype.F16 {
		list = append(list,
			vary("the result cut off", func(c *arithmetic.TensorCore) { c.Result, c.Kept = dtype.F32, 10 }))
	} else {
		list = append(list,
			vary("the result to nearest", func(c *arithmetic.TensorCore) { c.Kept = 52 }),
			vary("a result of 13 bits", func(c *arithmetic.TensorCore) { c.Kept = 13 }),
			vary("a result of 23 bits", func(c *arithmetic.TensorCore) { c.Kept = 23 }))
	}
	return list
}

// result computes result i on a neighbour.
func (m *neighbour) result(o *origin, output string, i int) float64 {
	a, b, c := o.row(i)
	if o.ignoresC(output) {
		c = 0
	}
	if m.normalised || m.reversed {
		a, b = slices.Clone(a), slices.Clone(b)
	}
	if m.normalised {
		for k := range a {
			a[k], b[k] = float64(a[k]*b[k]), 1
		}
	}
	if m.reversed {
		slices.Reverse(a)
		slices.Reverse(b)
	}
	return m.core.Dot(c, a, b)
}

const (
	kept = 256 // rows of each output
	each = 24  // of them for each neighbour
)

// chosen returns the rows to keep, ascending: for each neighbour the first that tell it from the
// device's step, then those that are told from most of them.
func (o *origin) chosen(output string) []int {
	core, err := o.core(output)
	if err != nil {
		panic("tensorcore: the results were computed before they are packed")
	}
	count, take := o.told(output, neighbours(core))
	rows := len(count)
	order := make([]int, rows)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, k int) int { return count[k] - count[i] })
	for _, i := range order {
		if len(take) >= min(kept, rows) {
			break
		}
		take[i] = true
	}
	return slices.Sorted(maps.Keys(take))
}

// told returns from how many neighbours each row tells the device's step, and the first rows that
// do so for each neighbour.
func (o *origin) told(output string, list []neighbour) (count []int, first map[int]bool) {
	rows, _ := o.rows()
	count, first = make([]int, rows), map[int]bool{}
	for _, m := range list {
		for i, found := 0, 0; i < rows; i++ {
			if same(m.result(o, output, i), o.values[output][i]) {
				continue
			}
			if count[i]++; found < each {
				first[i], found = true, found+1
			}
		}
	}
	return count, first
}
