package request

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"slices"
	"strconv"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// maker makes one request, of recipes wherever one can say what is wanted: integer arithmetic, so
// that the same command gives the same bytes on any machine.
type maker struct {
	*recording.Recording
	float dtype.Type // of the inputs
	typed bool       // the caller asked for that type
	fixed map[string]any
	full  bool // at the size of DeepSeek-V3
	seed  string
	err   error // the first

	sha256 string // of every input, where a test makes none of them
}

// recipe is short for what is handed round.
type recipe = recording.Recipe

// set gives an attribute a value, unless the caller has fixed it.
func (m *maker) set(name string, value any) {
	if _, fixed := m.fixed[name]; !fixed {
		m.Attrs[name] = recording.Value(value)
	}
}

// prefer chooses a type of the inputs, unless the caller asked for one.
func (m *maker) prefer(t dtype.Type) {
	if !m.typed {
		m.float = t
	}
}

// size is one of two numbers: at full size the second.
func (m *maker) size(small, full int) int {
	if m.full {
		return full
	}
	return small
}

// number reads an attribute back, since the caller may have fixed it.
func (m *maker) number(name string, otherwise float64) float64 {
	n, ok := m.Attrs[name].(json.Number)
	if !ok {
		return otherwise
	}
	x, err := n.Float64()
	if err != nil {
		return otherwise
	}
	return x
}

// largest bounds the sizes that the caller may ask for by an attribute.
const largest = 1 << 14

// whole is number for a size: at least 1, and not so large that nobody can wait for it.
func (m *maker) whole(name string, otherwise int) int {
	x := m.number(name, float64(otherwise))
	return int(max(1, min(math.Round(x), largest)))
}

// word reads an attribute that is a word back.
func (m *maker) word(name, otherwise string) string {
	if s, ok := m.Attrs[name].(string); ok {
		return s
	}
	return otherwise
}

// bell is a recipe of deviation 2/√3 · 2^exp2 in the type of the inputs.
func (m *maker) bell(exp2 int, shape ...int) recipe {
	return recipe{Type: m.float, Shape: shape, Dist: "normal", Exp2: exp2}
}

// level is a recipe of numbers from middle − 2^exp2 up to middle + 2^exp2.
func (m *maker) level(middle float32, exp2 int, shape ...int) recipe {
	return around(middle, recipe{Type: m.float, Shape: shape, Dist: "uniform", Exp2: exp2})
}

// around moves a recipe's values.
func around(shift float32, rc recipe) recipe {
	rc.Shift = &shift
	return rc
}

// lifted is a recipe around a number, or as it is around 0.
func lifted(shift float32, rc recipe) recipe {
	if shift == 0 {
		return rc
	}
	return around(shift, rc)
}

// as is a recipe in another type.
func as(t dtype.Type, rc recipe) recipe {
	rc.Type = t
	return rc
}

// ids is a recipe of integers from lo up to hi − 1.
func ids(lo, hi int, shape ...int) recipe {
	return recipe{Type: dtype.I32, Shape: shape, Dist: "ints", Lo: int64(lo), Hi: int64(hi)}
}

// planted adds edits to a recipe.
func planted(rc recipe, edits ...recording.Edit) recipe {
	rc.Edits = append(slices.Clone(rc.Edits), edits...)
	return rc
}

func edit(value float64, index ...int) recording.Edit {
	return recording.Edit{Index: append([]int{}, index...), Value: value}
}

// poison is NaN, which no kernel may let through.
var poison = math.NaN()

// input adds a generated input; its seed is that of its name.
func (m *maker) input(name string, rc recipe) {
	hash := fnv.New32a()
	hash.Write([]byte(m.seed + "/" + name))
	rc.Seed, rc.SHA256 = uint64(hash.Sum32()), m.sha256
	if err := m.Generate(name, rc); err != nil && m.err == nil {
		m.err = err
	}
}

// store adds an input as it is.
func (m *maker) store(name string, t dtype.Type, data []float64, shape ...int) {
	m.Set(name, t, tensor.Of(data, shape...))
}

// integers stores whole numbers as I32.
func (m *maker) integers(name string, data []int, shape ...int) {
	m.store(name, dtype.I32, floats(data), shape...)
}

func floats(data []int) []float64 {
	x := make([]float64, len(data))
	for i, v := range data {
		x[i] = float64(v)
	}
	return x
}

// yarn is DeepSeek-V3's, but that its two mscales differ.
func yarn() map[string]any {
	return map[string]any{
		"factor": recording.Number(40), "original_context": recording.Number(4096),
		"beta_fast": recording.Number(32), "beta_slow": recording.Number(1),
		"mscale": recording.Number(1), "mscale_all_dim": recording.Number(0.707), "ramp": "index",
	}
}

// otherYaRN has an amplitude of its own and a range that ends behind the last pair of channels, on
// the base that goes with it.
func (m *maker) otherYaRN() {
	y := yarn()
	y["original_context"], y["attention_factor"] = recording.Number(65536), recording.Number(0.8)
	m.set("yarn", y)
	m.set("base", 5000)
}

// note adds a sentence on where the request comes from.
func (m *maker) note(salt int, says string) {
	m.Provenance["note"] = says
	if salt > 0 {
		m.Provenance["draw"] = recording.Number(float64(salt))
	}
}

// seedOf names a draw of a design.
func seedOf(op, design string, salt int) string { return op + "/" + design + "/" + strconv.Itoa(salt) }
