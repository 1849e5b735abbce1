package diagnosis

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// attributeCandidates are other attributes than the recording has: flags the other way, other
// words, numbers one beside, the usual ones, those that sizes give.
func attributeCandidates(s *subject) []candidate {
	var all []candidate
	for _, a := range s.bound.Op.Attrs {
		for _, value := range s.others(a) {
			if !same(value, s.rec.Attrs[a.Name]) {
				all = append(all, s.withAttribute(a, value))
			}
		}
	}
	return all
}

// withAttribute is the explanation that the kernel was called with another attribute.
func (s *subject) withAttribute(a op.Attr, value any) candidate {
	said := fmt.Sprintf("with %s %s%s, where the recording has %s", a.Name, spelling.Show(value), ofRoot(a, value),
		s.shown(a))
	if keys := s.otherKeys(a, value); keys != "" {
		said = fmt.Sprintf("with another %s: %s", a.Name, keys)
	}
	return s.otherwise("attribute", a.Name+"="+spelling.Show(value), said, func(r *recording.Recording) {
		r.Attrs[a.Name] = value
	})
}

// otherKeys says which keys of an attribute that has several are others.
func (s *subject) otherKeys(a op.Attr, value any) string {
	has, both := s.rec.Attrs[a.Name].(map[string]any)
	other, too := value.(map[string]any)
	if !both || !too {
		return ""
	}
	var said []string
	for _, key := range slices.Sorted(maps.Keys(other)) {
		switch {
		case has[key] == nil:
			said = append(said, fmt.Sprintf("%s %s, where it has none", key, spelling.Show(other[key])))
		case !same(has[key], other[key]):
			said = append(said, fmt.Sprintf("%s %s, not %s", key, spelling.Show(other[key]), spelling.Show(has[key])))
		}
	}
	return strings.Join(said, "; ")
}

// ofRoot says of which whole number a scale is one over the root, "" where of none.
func ofRoot(a op.Attr, value any) string {
	x, ok := value.(json.Number)
	if !ok || a.Name != "scale" {
		return ""
	}
	v, err := x.Float64()
	if n := math.Round(1 / (v * v)); err == nil && n > 1 && n < 1e6 && math.Abs(v*math.Sqrt(n)-1) < 1e-9 {
		return fmt.Sprintf(", which is 1/√%v", n)
	}
	return ""
}

// otherwise is the explanation that the kernel was called with another request.
func (s *subject) otherwise(kind, id, said string, change func(r *recording.Recording)) candidate {
	made := func(c emulate.Config) giver {
		return func() (outputs, error) { return s.run(s.changed(change), c) }
	}
	c := propose(kind, id, said, made(emulate.Exact("")))
	c.made = made
	c.changes = change
	c.again = func() *recording.Recording {
		other := s.rec.Clone()
		change(other)
		return other
	}
	return c
}

// shown is the value that the recording has of an attribute, in words.
func (s *subject) shown(a op.Attr) string {
	if v := s.rec.Attrs[a.Name]; v != nil {
		return spelling.Show(v)
	}
	return a.String()
}

func same(a, b any) bool { return spelling.Show(a) == spelling.Show(b) }

// others lists values that an attribute may have been meant to have.
func (s *subject) others(a op.Attr) []any {
	switch a.Kind {
	case op.Flag:
		return []any{!s.bound.Flag(a.Name)}
	case op.Choice:
		var words []any
		for _, w := range a.Choices {
			if w != s.bound.Word(a.Name) {
				words = append(words, w)
			}
		}
		return words
	case op.YaRN:
		return s.otherYaRN()
	case op.Number:
		return s.otherNumbers(a)
	case op.Count, op.Integer:
		if a.Letter == "" {
			return otherCounts(a, s.bound.Int(a.Name))
		}
	}
	return nil
}

func otherCounts(a op.Attr, n int) []any {
	values := []any{recording.Number(float64(n + 1)), recording.Number(float64(2 * n))}
	if n > 0 || a.Kind == op.Integer {
		values = append(values, recording.Number(float64(n-1)))
	}
	if d, ok := a.Default.(int); ok && d != n {
		values = append(values, recording.Number(float64(d)))
	}
	return values
}

// usual are values that attributes have in released models and libraries.
var usual = map[string][]float64{
	"eps":      {1e-6, 1e-5, 1e-8, 1e-12, 0},
	"norm_eps": {0, 1e-20, 1e-9},
	"base":     {10000, 50000, 500000, 1e6},
	"scale": {
		1, 2.5, 16, 1 / math.Sqrt(64), 1 / math.Sqrt(128), 1 / math.Sqrt(192), 1 / math.Sqrt(512), 1 / math.Sqrt(576),
	},
	"temperature": {1},
	"gamma":       {1, 0.99}, "lambda": {1, 0.95},
	"clip": {0, 0.2}, "clip_low": {0.2}, "clip_high": {0.2, 0.28},
	"beta": {0.1, 1}, "weight": {0.3, 0.1, 1}, "alpha": {1, 1e-3, 1e-4}, "rate": {1e-3},
}

// otherNumbers lists the usual values of a number, its default, and what it may be mistaken for:
// its square, its root, twice, half, 1/√ of a size, and V3's temperature left out or once more.
func (s *subject) otherNumbers(a op.Attr) []any {
	x := s.bound.Number(a)
	values := slices.Clone(usual[a.Name])
	if d, ok := a.Default.(float64); ok {
		values = append(values, d)
	}
	if x != 0 {
		values = append(values, x*x, math.Sqrt(math.Abs(x)), 2*x, x/2, -x, 1/x)
	}
	if a.Name == "scale" {
		values = append(values, s.otherScales(x)...)
	}
	var all []any
	for _, v := range values {
		if n := recording.Number(v); v != x && !math.IsInf(v, 0) && !math.IsNaN(v) && !slices.Contains(all, any(n)) {
			all = append(all, any(n))
		}
	}
	return all
}

// otherScales lists those of other widths, of a scale with one of these once more, and V3's
// temperature left out or once more.
func (s *subject) otherScales(x float64) []float64 {
	t := 0.1*math.Log(40) + 1
	values := []float64{x / (t * t), x * t * t, x / t, x * t}
	for _, letter := range []string{"D", "V", "d"} {
		if n := s.bound.Dim(letter); n > 1 {
			root := math.Sqrt(float64(n))
			for _, by := range []float64{root, float64(n)} {
				values = append(values, 1/by, x/by, x*by, 1/(x*by))
			}
			values = append(values, ofPadded(n)...)
		}
	}
	return values
}

// ofPadded lists the scales of widths that are padded to whole tiles.
func ofPadded(n int) (all []float64) {
	for tile := 8; tile <= 128; tile *= 2 {
		if n%tile > 0 {
			all = append(all, 1/math.Sqrt(float64((n+tile-1)/tile*tile)))
		}
	}
	return all
}

// otherYaRN lists no YaRN, that of DeepSeek-V3 where there is none, and other amplitudes.
func (s *subject) otherYaRN() []any {
	given, ok := s.rec.Attrs["yarn"].(map[string]any)
	if !ok {
		return []any{map[string]any{
			"factor": json.Number("40"), "original_context": json.Number("4096"), "beta_fast": json.Number("32"),
			"beta_slow": json.Number("1"), "mscale": json.Number("1"), "mscale_all_dim": json.Number("1"),
		}}
	}
	all := []any{nil}
	for _, change := range []struct {
		key   string
		value any
	}{
		{"mscale_all_dim", json.Number("0")}, {"mscale_all_dim", json.Number("1")}, {"mscale", json.Number("1")},
		{"original_context", json.Number("32767")},
		{"truncate", false}, {"truncate", true}, {"ramp", "rotations"}, {"ramp", "index"},
	} {
		if other := withKey(given, change.key, change.value); !same(other, given) {
			all = append(all, other)
		}
	}
	return slices.Concat(all, multiplesOfYaRN(given), mixedYaRN(given))
}

// mixedYaRN lists those whose numbers stand for one another: turns for angles, the extended context
// for the original one, the ends of the ramp in each other's place.
func mixedYaRN(given map[string]any) (all []any) {
	number := func(key string) float64 {
		x, _ := given[key].(json.Number)
		v, _ := x.Float64()
		return v
	}
	fast, slow, context := number("beta_fast"), number("beta_slow"), number("original_context")
	try := func(fast, slow, context float64) {
		if fast > 0 && slow > 0 && context > 0 && fast != slow {
			other := withKey(given, "beta_fast", recording.Number(fast))
			other["beta_slow"], other["original_context"] = recording.Number(slow), recording.Number(context)
			all = append(all, other)
		}
	}
	try(2*math.Pi*fast, 2*math.Pi*slow, context)
	try(fast/(2*math.Pi), slow/(2*math.Pi), context)
	try(slow, fast, context)
	try(fast, slow, context*number("factor"))
	try(fast, slow, context/number("factor"))
	return all
}

// multiplesOfYaRN lists those with another power of two of one number.
func multiplesOfYaRN(given map[string]any) (all []any) {
	for _, key := range []string{"factor", "original_context", "beta_fast", "beta_slow"} {
		x, _ := given[key].(json.Number)
		for by := 1.0 / 64; by <= 64; by *= 2 {
			if v, err := x.Float64(); err == nil && v != 0 && by != 1 {
				all = append(all, withKey(given, key, recording.Number(by*v)))
			}
		}
	}
	return all
}

// withKey returns an attribute of several keys with another value of one.
func withKey(given map[string]any, key string, value any) map[string]any {
	other := maps.Clone(given)
	other[key] = value
	return other
}
