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
	m := &maker{Rand: newRand(seed, op), Recording: recording.New(op)}
	m.Name = fmt.Sprintf("%s, seed %d", op, seed)
	m.input = pick(m, dtype.BF16, dtype.BF16, dtype.F16, dtype.F32)
	k.request(m)
	return m.Recording
}

// newRand returns random numbers that depend on seed and name alone.
func newRand(seed uint64, name string) *rand.Rand {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, hash.Sum64()))
}

// maker makes one request.
type maker struct {
	*rand.Rand
	*recording.Recording
	input dtype.Type
}

// pick returns one of the choices.
func pick[T any](m *maker, choices ...T) T { return choices[m.IntN(len(choices))] }

// chance is true with probability p.
func (m *maker) chance(p float64) bool { return m.Float64() < p }

// within returns a number between lo and hi.
func (m *maker) within(lo, hi float64) float64 { return lo + (hi-lo)*m.Float64() }

// normals returns a tensor of normal numbers around mean.
func (m *maker) normals(mean, deviation float64, shape ...int) *tensor.Tensor {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = mean + deviation*m.NormFloat64()
	}
	return x
}

func (m *maker) ints(name string, data []int, shape ...int) {
	x := tensor.New(shape...)
	for i, v := range data {
		x.Data[i] = float64(v)
	}
	m.Set(name, pick(m, dtype.I32, dtype.I64), x)
}

// sometimes sets an attribute with probability p.
func (m *maker) sometimes(p float64, name string, value any) {
	if m.chance(p) {
		m.Attrs[name] = value
	}
}

func (m *maker) number(name string, x float64) { m.Attrs[name] = recording.Number(x) }

func (m *maker) whole(name string, x int) { m.number(name, float64(x)) }

func dot64(a, b []float64) float64 {
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

func fill[T any](x []T, v T) {
	for i := range x {
		x[i] = v
	}
}

// yarn chooses YaRN's parameters with probability p.
func (m *maker) yarn(p float64) bool {
	if !m.chance(p) {
		return false
	}
	mscale := pick(m, 1, 1, 0.707)
	all := mscale
	if m.chance(0.25) {
		all = pick(m, 0, 1.0)
	}
	m.Attrs["yarn"] = map[string]any{
		"factor":           recording.Number(pick(m, 40.0, 40, 4, 16)),
		"original_context": recording.Number(pick(m, 4096.0, 4096, 2048)),
		"beta_fast":        recording.Number(32), "beta_slow": recording.Number(1),
		"mscale": recording.Number(mscale), "mscale_all_dim": recording.Number(all), "ramp": pick(
			m, "index", "index", "index", "rotations",
		),
	}
	return true
}

func (m *maker) base() {
	if m.chance(0.4) {
		m.number("base", pick(m, 10000.0, 500000, 1000000))
	}
}

func (m *maker) layout() {
	if m.chance(0.6) {
		m.Attrs["layout"] = pick(m, "interleaved", "half", "half", "interleaved_to_half")
	}
}
