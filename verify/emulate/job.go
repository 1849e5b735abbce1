package emulate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// job is one run of one kernel: the request it reads, the recording it writes, and whether its
// mistake has met the condition to show.
type job struct {
	Config
	in, out *recording.Recording
	note    string // the configuration as it was given
	shown   bool
	err     error // the first

	scaleWrong bool // the mistake changes the softmax scale
}

// newJob returns a run of c, with the defaults that depend on the mistake filled in: one that needs
// splits gets them.
func newJob(request *recording.Recording, c Config) *job {
	note := c.String()
	if c.Splits == 0 && needsSplits[c.Mistake] {
		c.Splits = 3
	}
	if c.Tile == 0 {
		c.Tile = 64
		if needsSplits[c.Mistake] {
			c.Tile = 8 // so that short sequences split too
		}
	}
	out := request.Clone()
	for _, name := range out.Outputs() {
		out.Delete("out." + name)
	}
	out.Arithmetic = map[string]any{}
	out.Provenance = map[string]any{}
	maps.Copy(out.Provenance, request.Provenance)
	return &job{Config: c, in: request, out: out, note: note}
}

// makes tells whether the kernel is to make the named mistake.
func (j *job) makes(mistake string) bool { return j.Mistake == mistake }

// show notes that the condition for the mistake to show was met.
func (j *job) show(met bool) { j.shown = j.shown || met }

func (j *job) fail(format string, a ...any) {
	if j.err == nil {
		j.err = fmt.Errorf(format, a...)
	}
}

// working returns the type of T.
func working[T number]() dtype.Type {
	var x T
	if _, ok := any(x).(float64); ok {
		return dtype.F64
	}
	return dtype.F32
}

// or returns t, or the default if t is Invalid.
func or(t, otherwise dtype.Type) dtype.Type {
	if t == dtype.Invalid {
		return otherwise
	}
	return t
}

// to rounds to t.
func to[T number](t dtype.Type, x T) T {
	if t == dtype.F64 {
		return x
	}
	return T(t.Round(float64(x)))
}

// toEach rounds a slice to t, in place.
func toEach[T number](t dtype.Type, x []T) []T {
	if t != dtype.F64 && t != working[T]() {
		for i := range x {
			x[i] = T(t.Round(float64(x[i])))
		}
	}
	return x
}

// truncated returns the value of t next to x on the side of zero.
func truncated(t dtype.Type, x float64) float64 {
	y := t.Round(x)
	if math.Abs(y) > math.Abs(x) && !math.IsInf(y, 0) {
		y = t.Round(y - math.Copysign(t.Spacing(x), x))
	}
	return y
}

// load returns an input in the working type.
func load[T number](j *job, name string) []T {
	x, err := j.in.Tensor(name)
	if err != nil {
		j.fail("%w", err)
		return nil
	}
	data := make([]T, len(x.Data))
	for i, v := range x.Data {
		data[i] = flushed(j, T(v))
	}
	return data
}

// flushed returns x, or 0 for one below the normal float32 numbers where a kernel flushes them.
func flushed[T number](j *job, x T) T {
	if j.Flushed && math.Abs(float64(x)) < dtype.F32.MinNormal() {
		return 0
	}
	return x
}

// loadInts returns an integer input.
func (j *job) loadInts(name string) []int {
	x, err := j.in.Tensor(name)
	if err != nil {
		j.fail("%w", err)
		return nil
	}
	data := make([]int, len(x.Data))
	for i, v := range x.Data {
		data[i] = int(v)
	}
	return data
}

// shape returns the shape of an input, of the given rank whatever the file says.
func (j *job) shape(name string, rank int) []int {
	s := j.in.Shape(name)
	if len(s) != rank {
		j.fail("tensor %q: shape %v, want %d axes", name, s, rank)
		return make([]int, rank)
	}
	return s
}

// store sets an output of type t, the Config's if it has one.
func store[T number](j *job, name string, t dtype.Type, data []T, shape ...int) {
	x := tensor.New(shape...)
	for i, v := range data {
		x.Data[i] = float64(flushed(j, v))
	}
	j.out.Set("out."+name, or(j.Output, t), x)
}

// storeMain is store for the output that the mistakes of storing befall.
func storeMain[T number](j *job, name string, t dtype.Type, data []T, shape ...int) {
	spoilOutput(j, or(j.Output, t), data, shape[len(shape)-1])
	store(j, name, t, data, shape...)
}

func (j *job) attr(name string) (any, bool) {
	v, ok := j.in.Attrs[name]
	return v, ok && v != nil
}

// number returns a numeric attribute.
func (j *job) number(name string, otherwise float64) float64 {
	v, ok := j.attr(name)
	if !ok {
		return otherwise
	}
	return j.asNumber(name, v)
}

func (j *job) asNumber(name string, v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int:
		return float64(v)
	case json.Number:
		x, err := v.Float64()
		if err == nil {
			return x
		}
	}
	j.fail("attribute %q: found %v, want a number", name, v)
	return 0
}

func (j *job) whole(name string, otherwise int) int {
	return int(j.number(name, float64(otherwise)))
}

func (j *job) flag(name string, otherwise bool) bool {
	v, ok := j.attr(name)
	if !ok {
		return otherwise
	}
	b, ok := v.(bool)
	if !ok {
		j.fail("attribute %q: found %v, want true or false", name, v)
	}
	return b
}

func (j *job) text(name, otherwise string) string {
	v, ok := j.attr(name)
	if !ok {
		return otherwise
	}
	s, ok := v.(string)
	if !ok {
		j.fail("attribute %q: found %v, want a string", name, v)
	}
	return s
}

// declare writes into the recording what the kernel says of itself, in the keys that the op has.
// Kernels have filled in the defaults of the types that they use. What few kernels do is declared
// where it is done.
func (j *job) declare(keys []string) {
	said := map[string]string{
		"accumulate":    j.Accumulate.String(),
		"probabilities": j.Probabilities.String(),
		"scores":        j.Scores.String(),
		"intermediate":  j.Intermediate.String(),
		"cap_chain":     or(j.CapChain, j.Scores).String(),
		"group_sum":     or(j.GroupSum, j.working()).String(),
		"exp":           approximated(j.FastExp),
		"tanh":          approximated(j.FastTanh),
		"angle":         j.Angle.String(),
		"form":          j.form(),
	}
	for _, key := range keys {
		j.out.Arithmetic[key] = said[key]
	}
	if j.Frequencies == Recurrent && slices.Contains(rotating, j.in.Op) {
		j.out.Arithmetic["frequencies"] = "recurrent"
	}
	if j.Flushed {
		j.out.Arithmetic["subnormals"] = "flushed"
	}
	if j.in.Op == "rope.apply" && j.Intermediate != dtype.Invalid {
		j.out.Arithmetic["intermediate"] = j.Intermediate.String()
	}
	j.out.Provenance["producer"] = "plumbline emulate"
	j.out.Provenance["note"] = j.note
}

func approximated(fast bool) string {
	if fast {
		return "approx"
	}
	return "exact"
}

// working is the type that the kernel works in.
func (j *job) working() dtype.Type { return j.Accumulate.Working() }

func (j *job) form() string {
	if j.Form == "" {
		return "naive"
	}
	return j.Form
}
