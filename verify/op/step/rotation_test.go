package step_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/recording"
)

// tableCase is a table of one position with the given attributes.
func tableCase(t *testing.T, position float64, angle string, attrs map[string]any) *op.Case {
	t.Helper()
	r := recording.New("rope.table")
	r.Set("positions", dtype.I64, tensor.Of([]float64{position}, 1))
	r.Attrs = attrs
	r.Arithmetic = map[string]any{"angle": angle}
	c, err := op.Bind(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExactAngles: an angle has no error where every kernel forms it exactly, and has one where a
// kernel may not.
func TestExactAngles(t *testing.T) {
	yarn := func(text string) (object map[string]any) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	for _, c := range []struct {
		what     string
		position float64
		angle    string
		base     string
		yarn     map[string]any
		pair     int
		exact    bool
	}{
		{"θ_0 = 1 and a whole position", 131071, "F32", "10000", nil, 0, true},
		{"the same, backwards", -131071, "F32", "10000", nil, 0, true},
		{"the next pair", 131071, "F32", "10000", nil, 1, false},
		{"any pair at position 0", 0, "F32", "10000", nil, 1, true},
		{"the last position that float32 counts to", 1 << 24, "F32", "10000", nil, 0, true},
		{"a position that float32 does not hold", 1<<24 + 1, "F32", "10000", nil, 0, false},
		{"an even one that it does", 1<<24 + 2, "F32", "10000", nil, 0, true},
		{"a position that BF16 holds", 255, "BF16", "10000", nil, 0, true},
		{"one that it does not", 257, "BF16", "10000", nil, 0, false},
		{"a position that F16 holds", 2048, "F16", "10000", nil, 0, true},
		{"one that it does not", 2049, "F16", "10000", nil, 0, false},
		{"2^−2 formed by a power, which may be off in the last place", 3, "F32", "65536", nil, 1, false},
		{"the same in BF16, which takes the last places off again", 3, "BF16", "65536", nil, 1, true},
		{"a product that BF16 does not hold", 257, "BF16", "65536", nil, 1, false},
		{"pair 0 keeps its frequency under YaRN", 131071, "F32", "10000", yarn(`{}`), 0, true},
		{"and under an unrounded range", 131071, "F32", "10000", yarn(`{"truncate":false,"factor":3}`), 0, true},
		{"and over rotations", 131071, "F32", "10000", yarn(`{"ramp":"rotations"}`), 0, true},
		{"over rotations in a context so short that pair 0 is blended", 3, "F32", "10000",
			yarn(`{"ramp":"rotations","original_context":64}`), 0, false},
		{"so short that it is slowed, by a power of two", 131071, "F32", "10000",
			yarn(`{"ramp":"rotations","original_context":4,"factor":4}`), 0, true},
		{"by another factor", 131071, "F32", "10000", yarn(`{"ramp":"rotations","original_context":4}`), 0, false},
		{
			"a pair that is slowed by a power of two, in BF16", 3, "BF16", "65536",
			yarn(`{"factor":32,"original_context":512}`), 6, true,
		},
		{"by another factor", 3, "BF16", "65536", yarn(`{"factor":40,"original_context":512}`), 6, false},
	} {
		attrs := map[string]any{"dim": json.Number("16"), "base": json.Number(c.base)}
		if c.yarn != nil {
			attrs["yarn"] = c.yarn
		}
		v := step.AngleVariance(tableCase(t, c.position, c.angle, attrs), 16, c.position, c.pair)
		if (v == 0) != c.exact || math.IsNaN(v) {
			t.Errorf("%s: σ is %.2g", c.what, math.Sqrt(v))
		}
	}
}
