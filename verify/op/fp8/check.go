package fp8

import (
	"fmt"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
)

// checkProduct refuses operands that are no codes, and scales that are no numbers.
func checkProduct(c *op.Case) error {
	for _, name := range []string{"a", "b"} {
		if t := c.Recording.Type(name); t != dtype.F8E4M3 && t != dtype.F8E5M2 {
			return fmt.Errorf("tensor %q: type %s, want F8_E4M3 or F8_E5M2: codes, whose scales are beside them", name,
				t)
		}
	}
	for _, name := range []string{"a_scale", "b_scale"} {
		if err := checkScales(c, name); err != nil {
			return err
		}
	}
	return nil
}

// checkScales refuses scales that are no numbers, but those of experts that have no rows: nobody
// reads them.
func checkScales(c *op.Case, name string) error {
	scales, counts := c.Input(name), c.Input("counts")
	for i, s := range scales.Data {
		if dtype.Finite(s) {
			continue
		}
		index := tensor.Unravel(i, scales.Shape)
		if name == "b_scale" && counts != nil && counts.Data[index[0]] == 0 {
			continue
		}
		return fmt.Errorf("tensor %q: index %v: %v, want a finite number", name, index, s)
	}
	return nil
}

// checkGrouped refuses counts that are not those of the rows, too.
func checkGrouped(c *op.Case) error {
	var sum float64
	for e, n := range c.Input("counts").Data {
		if n < 0 {
			return fmt.Errorf("tensor %q: index [%d]: %.0f rows, want 0 or more", "counts", e, n)
		}
		sum += n
	}
	if rows := c.Dim("M"); sum != float64(rows) {
		return fmt.Errorf("tensor %q: %.0f rows together, want %d, as tensor %q has them", "counts", sum, rows, "a")
	}
	return checkProduct(c)
}

// checkCast refuses outputs of another type than the attributes say, and a negative floor.
func checkCast(c *op.Case) error {
	if floor := c.Float("amax_floor"); floor < 0 {
		return fmt.Errorf("attrs: %q: found %v, want 0 or more", "amax_floor", floor)
	}
	format := c.Word("format")
	if t := c.Recording.Type("out.q"); c.Wants("q") && t.String() != format {
		return fmt.Errorf("tensor %q: type %s, want %s, the format of the codes", "out.q", t, format)
	}
	t, kind := c.Recording.Type("out.scale"), c.Word("scale")
	if !c.Wants("scale") || t == dtype.F32 || t == dtype.F8E8M0 && kind == "UE8M0" {
		return nil
	}
	want := "F32"
	if kind == "UE8M0" {
		want = "F32 or F8_E8M0"
	}
	return fmt.Errorf("tensor %q: type %s, want %s, for scales that are %s", "out.scale", t, want, kind)
}
