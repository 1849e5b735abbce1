package emulate

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// Job is one run of one kernel on the bound case of a request: the recording it writes, and whether
// its mistake has met the condition to show.
type Job struct {
	Config
	*op.Case
	shown bool
	asks  *asking // nil: nobody wants to know
	plain bool    // it makes no mistake, and nobody wants to know

	// outputs of float64, by name, where they are wanted alone; nil writes all into the recording
	kept map[string][]float64

	ScaleWrong bool // the mistake changes the softmax scale
}

// newJob returns a run of c, with the defaults that depend on the mistake or the op filled in: a
// mistake that needs splits gets them, in tiles so small that short sequences split too.
func newJob(bound *op.Case, c Config) *Job {
	j := &Job{Config: c, Case: bound, plain: c.Mistake == "" && c.Also == ""}
	j.Form, j.Angle = bound.Arithmetic.Form, cmp.Or(c.Angle, bound.Arithmetic.Angle)
	if hasForm(bound.Op, c.Form) {
		j.Form = c.Form
	}
	splits, tile := 0, 64
	if needsSplits[c.Mistake] {
		splits, tile = 3, 8
	}
	j.Splits, j.Tile, j.PromoteEvery = cmp.Or(c.Splits, splits), cmp.Or(c.Tile, tile), cmp.Or(c.PromoteEvery, 128)
	return j
}

// hasForm tells whether an op has a form of that name.
func hasForm(o *op.Op, form string) bool {
	return slices.ContainsFunc(o.Arithmetic, func(k op.Key) bool {
		return k.Name == "form" && slices.Contains(k.Values(), form)
	})
}

// Show notes that the condition for the mistake to show was met.
func (j *Job) Show(met bool) { j.shown = j.shown || met }

// Working returns the type of T.
func Working[T Number]() dtype.Type {
	var x T
	if _, ok := any(x).(float64); ok {
		return dtype.F64
	}
	return dtype.F32
}

// Round rounds to t.
func Round[T Number](t dtype.Type, x T) T {
	if t == dtype.F64 {
		return x
	}
	return T(t.Round(float64(x)))
}

// RoundEach rounds a slice to t, in place.
func RoundEach[T Number](t dtype.Type, x []T) []T {
	if t != dtype.F64 && t != Working[T]() {
		for i := range x {
			x[i] = T(t.Round(float64(x[i])))
		}
	}
	return x
}

// Load returns an input in the working type, nil for one that is missing.
func Load[T Number](j *Job, name string) []T {
	return loaded[T](j, j.Input(name))
}

// LoadRows returns entries from … to−1 of the first axis of an input, and decodes no other of one
// that is read in parts.
func LoadRows[T Number](j *Job, name string, from, to int) []T {
	return loaded[T](j, j.Rows(name, from, to))
}

// loaded returns numbers as the kernel reads them, which are its own to write to.
func loaded[T Number](j *Job, x *tensor.Tensor) []T {
	if j.Flushed {
		return convert(x, func(v float64) T { return flushed(j, T(v)) })
	}
	if x != nil {
		if same, ok := any(x.Data).([]T); ok {
			return append(make([]T, 0, len(same)), same...)
		}
	}
	return convert(x, func(v float64) T { return T(v) })
}

// LoadInts returns an integer input, nil for one that is missing.
func (j *Job) LoadInts(name string) []int {
	return convert(j.Input(name), func(v float64) int { return int(v) })
}

func convert[T any](x *tensor.Tensor, to func(float64) T) []T {
	if x == nil {
		return nil
	}
	data := make([]T, len(x.Data))
	for i, v := range x.Data {
		data[i] = to(v)
	}
	return data
}

// flushed returns x, or 0 for one below the normal float32 numbers where a kernel flushes them.
func flushed[T Number](j *Job, x T) T {
	if j.Flushed && math.Abs(float64(x)) < dtype.F32.MinNormal() {
		return 0
	}
	return x
}

// Store sets an output of type t, the Config's if it has one.
func Store[T Number](j *Job, name string, t dtype.Type, data []T) {
	x := tensor.New(j.OutputShape(name)...)
	for i, v := range data {
		x.Data[i] = float64(flushed(j, v))
	}
	if t = cmp.Or(j.Output, t); t == dtype.F64 && j.kept != nil {
		j.kept[name] = x.Data
		return
	}
	j.Recording.Set("out."+name, t, x)
}

// StoreInts sets an integer output. One of one axis is as long as the data, and left out where
// there is none.
func (j *Job) StoreInts(name string, data []int) {
	shape := j.OutputShape(name)
	if len(shape) == 1 {
		shape[0] = len(data)
	}
	if len(data) == 0 {
		return
	}
	x := tensor.New(shape...)
	for i, v := range data {
		x.Data[i] = float64(v)
	}
	j.Recording.Set("out."+name, cmp.Or(j.Indices, dtype.I32), x)
}

// StoreMain is store for the output that the mistakes of storing befall.
func StoreMain[T Number](j *Job, name string, t dtype.Type, data []T) {
	shape := j.OutputShape(name)
	if j.Makes("output-untransposed") {
		j.Show(swapAxes(data, shape))
	}
	spoilOutput(j, cmp.Or(j.Output, t), data, shape[len(shape)-1])
	Store(j, name, t, data)
}

// declare writes into the recording what the kernel says of itself, in the keys that the op has,
// and the configuration as it was given.
func (j *Job) declare(given Config) {
	said := j.said()
	for _, key := range j.Op.Arithmetic {
		if value, ok := said[key.Name]; ok {
			j.Recording.Arithmetic[key.Name] = value
		}
	}
	j.Recording.Provenance["producer"] = "plumbline emulate"
	j.Recording.Provenance["note"] = given.String()
}

// said returns what the kernel would say in every key. Kernels have filled in the defaults of the
// types that they use; what few kernels do is said only where it is done.
func (j *Job) said() map[string]any {
	said := map[string]any{
		"accumulate":    j.Accumulate.String(),
		"probabilities": j.Probabilities.String(),
		"scores":        j.Scores.String(),
		"cap_chain":     cmp.Or(j.CapChain, j.Scores).String(),
		"group_sum":     cmp.Or(j.GroupSum, j.Accumulate.Working()).String(),
		"gate":          cmp.Or(j.Gate, j.Accumulate.Working()).String(),
		"combine":       cmp.Or(j.Combine, j.Accumulate.Working()).String(),
		"exp":           approximated(j.FastExp),
		"tanh":          approximated(j.FastTanh),
		"angle":         j.Angle.String(),
		"form":          j.Form,
		"promote_every": recording.Number(float64(j.PromoteEvery)),
	}
	if j.Intermediate != dtype.Invalid {
		said["intermediate"] = j.Intermediate.String()
	}
	if j.Frequencies == Recurrent {
		said["frequencies"] = "recurrent"
	}
	if j.Flushed {
		said["subnormals"] = "flushed"
	}
	return said
}

func approximated(fast bool) string {
	if fast {
		return "approx"
	}
	return "exact"
}

// Row returns row i of rows of the given width.
func Row[T any](x []T, i, width int) []T { return x[i*width : (i+1)*width] }
