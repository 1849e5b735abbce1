package op

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// keptElements is up to how many elements an input that is read in parts is decoded whole and kept,
// which is faster: 32 MiB. A test lowers it.
var keptElements = 1 << 22

// input is one that is decoded when it is first asked for.
type input struct {
	parts bool // it is never decoded whole
	once  sync.Once
	x     *tensor.Tensor
	err   error
}

func newInputs(op *Op, rec *recording.Recording) map[string]*input {
	inputs := map[string]*input{}
	for _, t := range op.Inputs {
		if rec.Has(t.Name) {
			large := Elements(rec.Shape(t.Name)) > float64(keptElements)
			inputs[t.Name] = &input{parts: t.Parts && large}
		}
	}
	return inputs
}

// trouble is what kept an input from being read after all had been checked: a file that changes,
// or a disk that fails. Equations then go on with zeros, and nothing is made of them.
type trouble struct {
	mu  sync.Mutex
	err error
}

// note keeps one error, the same whoever meets it first.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil || err.Error() < t.err.Error() {
		t.err = err
	}
}

// or returns what was noted, or err.
func (t *trouble) or(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cmp.Or(t.err, err)
}

// checkInputs finds what keeps an input from being used, before any of it is. Integers of I32, I64,
// U8 and BOOL are exact in float64 (the reader refuses those that are not). Stored floating-point
// numbers are right whatever they are, so that they can wait until somebody asks.
func (c *Case) checkInputs() error {
	if err := c.checkRoom(); err != nil {
		return err
	}
	for _, name := range c.Recording.Inputs() {
		if err := c.checkInput(name); err != nil {
			return err
		}
	}
	return nil
}

// checkRoom bounds the memory that a few bytes may ask for.
func (c *Case) checkRoom() error {
	total := 0.0
	for _, name := range c.Recording.Inputs() {
		if _, made := c.Recording.Recipe(name); made && !c.inputs[name].parts {
			total += Elements(c.Recording.Shape(name))
		}
		if total > recording.MaxWhole {
			return fmt.Errorf("tensor %q: %.0f generated elements in inputs that are read whole, want at most %d",
				name, total, recording.MaxWhole)
		}
	}
	return nil
}

// checkInput decodes what has to be looked at and is to be kept, so that it is looked at once.
func (c *Case) checkInput(name string) error {
	_, made := c.Recording.Recipe(name)
	switch {
	case c.inputs[name].parts:
		return c.Recording.Check(name)
	case made || !c.Recording.Type(name).Float() || Elements(c.Recording.Shape(name)) > recording.MaxWhole:
		return c.decode(name).err
	}
	return nil
}

// decode reads an input whole, once.
func (c *Case) decode(name string) *input {
	in := c.inputs[name]
	in.once.Do(func() {
		if in.x, in.err = c.Recording.Tensor(name); in.err == nil {
			c.flushed(name, in.x.Data)
		}
	})
	return in
}

// Input returns an input, or nil if it is optional and missing. It is decoded when it is first
// asked for, and kept.
func (c *Case) Input(name string) *tensor.Tensor {
	if c.inputs[name] == nil {
		return nil
	}
	in := c.decode(name)
	if in.err != nil {
		c.trouble.note(in.err)
		return tensor.New(c.Recording.Shape(name)...)
	}
	return in.x
}

// part returns n elements of an input from element offset on.
func (c *Case) part(name string, offset, n int) []float64 {
	if !c.inputs[name].parts {
		return c.Input(name).Data[offset : offset+n : offset+n]
	}
	x := make([]float64, n)
	c.Fill(x, name, offset)
	return x
}

// Fill stores elements of an input from element offset on in x.
func (c *Case) Fill(x []float64, name string, offset int) {
	if !c.inputs[name].parts {
		copy(x, c.Input(name).Data[offset:])
		return
	}
	if err := c.Recording.Fill(x, name, offset); err != nil {
		c.trouble.note(err)
		clear(x)
	}
	c.flushed(name, x)
}

// Read returns n elements of an input or output from element offset on, and keeps none of them.
func (c *Case) Read(name string, offset, n int) []float64 {
	if in := c.inputs[name]; in != nil && in.x != nil {
		return in.x.Data[offset : offset+n : offset+n]
	}
	x, err := c.Recording.Part(name, offset, n)
	if err != nil {
		c.trouble.note(err)
		return make([]float64, n)
	}
	return x
}

// Rows returns entries from … to−1 of the first axis of an input: rows of a matrix, pages of a
// cache, experts of a layer. Of an input that is read in parts no other is decoded.
func (c *Case) Rows(name string, from, to int) *tensor.Tensor {
	shape := c.Recording.Shape(name)
	row := 1
	for _, n := range shape[1:] {
		row *= n
	}
	shape[0] = to - from
	return tensor.Of(c.part(name, from*row, (to-from)*row), shape...)
}

// Block returns rows from … to−1 of matrix i of an input [E,R,C], or of an input [R,C] itself.
func (c *Case) Block(name string, i, from, to int) *mat.Dense {
	shape := c.Recording.Shape(name)
	rows, width := shape[len(shape)-2], shape[len(shape)-1]
	return mat.NewDense(to-from, width, c.part(name, (i*rows+from)*width, (to-from)*width))
}

// HeadRows returns positions from … to−1 of head h in sequence b of an input [B,S,H,D], as a matrix
// of one row each.
func (c *Case) HeadRows(name string, b, h, from, to int) *mat.Dense {
	shape := c.Recording.Shape(name)
	positions, heads, width := shape[1], shape[2], shape[3]
	if !c.inputs[name].parts {
		return c.Input(name).View(1, b, h).Slice(from, to, 0, width).(*mat.Dense)
	}
	first := b*positions + from
	if heads == 1 {
		return mat.NewDense(to-from, width, c.part(name, first*width, (to-from)*width))
	}
	rows := mat.NewDense(to-from, width, nil)
	for s := range to - from {
		rows.SetRow(s, c.part(name, ((first+s)*heads+h)*width, width))
	}
	return rows
}

// flushed brings the elements of an input to zero that count as it, in a case that has none below
// the normal float32 numbers.
func (c *Case) flushed(name string, x []float64) {
	if !c.flush || !c.Recording.Type(name).Float() {
		return
	}
	for i, v := range x {
		if subnormal(v) {
			x[i] = 0
		}
	}
}

// subnormal tells whether a number is below the normal float32 numbers, and not zero.
func subnormal(v float64) bool { return v != 0 && math.Abs(v) < dtype.F32.MinNormal() }

// hasSubnormals looks for such numbers in an input, a part at a time where it is read so.
func (c *Case) hasSubnormals(t Tensor) bool {
	typ := c.Recording.Type(t.Name)
	if !c.Recording.Has(t.Name) || !typ.Float() || typ.Spacing(0) >= dtype.F32.MinNormal() {
		return false
	}
	total := int(Elements(c.Recording.Shape(t.Name)))
	const span = 1 << 20
	for first := 0; first < total; first += span {
		if slices.ContainsFunc(c.part(t.Name, first, min(span, total-first)), subnormal) {
			return true
		}
	}
	return false
}
