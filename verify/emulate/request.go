package emulate

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Request returns a small random request for an op: shapes even and odd, lengths, groups, masks,
// layouts and types as they occur, logits of standard deviation 1 to 4. It depends on the seed
// alone. It panics for an op that cannot be emulated.
func Request(op string, seed uint64) *recording.Recording {
	k, ok := kernels[op]
	if !ok {
		panic("emulate: no request for this op")
	}
	m := &Maker{Rand: NewRand(seed, op), Recording: recording.New(op)}
	m.Name = fmt.Sprintf("%s, seed %d", op, seed)
	m.Input = Pick(m, dtype.BF16, dtype.BF16, dtype.F16, dtype.F32)
	k.Request(m)
	return m.Recording
}

// NewRand returns random numbers that depend on seed and name alone.
func NewRand(seed uint64, name string) *rand.Rand {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, hash.Sum64()))
}

// Maker makes one request.
type Maker struct {
	*rand.Rand
	*recording.Recording
	Input dtype.Type
}

// Pick returns one of the choices.
func Pick[T any](m *Maker, choices ...T) T { return choices[m.IntN(len(choices))] }

// Chance is true with probability p.
func (m *Maker) Chance(p float64) bool { return m.Float64() < p }

// Within returns a number between lo and hi.
func (m *Maker) Within(lo, hi float64) float64 { return lo + (hi-lo)*m.Float64() }

// Normals returns a tensor of normal numbers around mean.
func (m *Maker) Normals(mean, deviation float64, shape ...int) *tensor.Tensor {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = mean + deviation*m.NormFloat64()
	}
	return x
}

// Ints sets an integer input.
func (m *Maker) Ints(name string, data []int, shape ...int) {
	x := tensor.New(shape...)
	for i, v := range data {
		x.Data[i] = float64(v)
	}
	m.Set(name, Pick(m, dtype.I32, dtype.I64), x)
}

// Sometimes sets an attribute with probability p.
func (m *Maker) Sometimes(p float64, name string, value any) {
	if m.Chance(p) {
		m.Attrs[name] = value
	}
}

// Number sets an attribute to a number.
func (m *Maker) Number(name string, x float64) { m.Attrs[name] = recording.Number(x) }

// Whole sets an attribute to a whole number.
func (m *Maker) Whole(name string, x int) { m.Number(name, float64(x)) }

// Dot returns Σ a_i b_i.
func Dot(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// Fill sets all elements to v.
func Fill[T any](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}

// YaRN chooses YaRN's parameters with probability p.
func (m *Maker) YaRN(p float64) bool {
	if !m.Chance(p) {
		return false
	}
	mscale := Pick(m, 1, 1, 0.707)
	all := mscale
	if m.Chance(0.25) {
		all = Pick(m, 0, 1.0)
	}
	m.Attrs["yarn"] = map[string]any{
		"factor":           recording.Number(Pick(m, 40.0, 40, 4, 16)),
		"original_context": recording.Number(Pick(m, 4096.0, 4096, 2048)),
		"beta_fast":        recording.Number(32), "beta_slow": recording.Number(1),
		"mscale": recording.Number(mscale), "mscale_all_dim": recording.Number(all), "ramp": Pick(
			m, "index", "index", "index", "rotations",
		),
	}
	return true
}

// VaryYaRN gives YaRN, where there is any, an amplitude of its own or a long context now and then.
func (m *Maker) VaryYaRN() {
	yarn, ok := m.Attrs["yarn"].(map[string]any)
	if !ok {
		return
	}
	if m.Chance(0.2) {
		yarn["attention_factor"] = recording.Number(Pick(m, 0.9, 1.25))
	}
	if m.Chance(0.5) {
		yarn["original_context"] = recording.Number(131072)
	}
}

// Base chooses a base of the frequencies.
func (m *Maker) Base() {
	if m.Chance(0.4) {
		m.Number("base", Pick(m, 10000.0, 500000, 1000000))
	}
}

// Layout chooses which elements are a pair.
func (m *Maker) Layout() {
	if m.Chance(0.6) {
		m.Attrs["layout"] = Pick(m, "interleaved", "half", "half", "interleaved_to_half")
	}
}
