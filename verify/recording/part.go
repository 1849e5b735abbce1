package recording

import (
	"fmt"

	"plumbline/numbers/tensor"
)

// MaxWhole is how many elements of generated inputs may be decoded whole: 2 GiB as float64. A
// recipe takes a few bytes whatever its shape, so what is larger is read in parts.
const MaxWhole = 1 << 28

// Part returns n elements of a tensor from element offset on, in row-major order, decoded as Tensor
// does it: it takes memory for these alone. The sha256 of a generated input is checked by the first
// call, which makes all of it once, in chunks. A permutation is made whole every time.
func (r *Recording) Part(name string, offset, n int) ([]float64, error) {
	if err := r.within(name, offset, n); err != nil {
		return nil, err
	}
	x := make([]float64, n)
	return x, r.Fill(x, name, offset)
}

// Fill stores in x what Part returns.
func (r *Recording) Fill(x []float64, name string, offset int) error {
	if err := r.within(name, offset, len(x)); err != nil {
		return err
	}
	if err := r.entries[name].part(x, offset); err != nil {
		return fmt.Errorf("%s: tensor %s: %w", r.Name, short(name), err)
	}
	return nil
}

// within tells that n elements from offset on are not those of a tensor.
func (r *Recording) within(name string, offset, n int) error {
	e, err := r.entry(name)
	if err != nil {
		return err
	}
	if total, _ := tensor.Elements(e.shape); offset < 0 || n < 0 || offset > total-n {
		return fmt.Errorf("%s: tensor %s: %d elements from %d on, want them within its %d",
			r.Name, short(name), n, offset, total)
	}
	return nil
}

// Rows returns entries from … to−1 of a tensor's first axis, decoded as Part does it.
func (r *Recording) Rows(name string, from, to int) (*tensor.Tensor, error) {
	shape := r.Shape(name)
	if len(shape) == 0 || from < 0 || from > to || to > shape[0] {
		return nil, fmt.Errorf("%s: tensor %s: rows %d to %d of shape %v", r.Name, short(name), from, to, shape)
	}
	row, _ := tensor.Elements(shape[1:])
	x, err := r.Part(name, from*row, (to-from)*row)
	if err != nil {
		return nil, err
	}
	shape[0] = to - from
	return tensor.Of(x, shape...), nil
}

// Check reads a tensor once, in chunks, and returns the error that Tensor or Part would meet in it:
// a sha256 that differs, or a value that float64 does not hold. Stored floating-point numbers have
// neither, and are not read.
func (r *Recording) Check(name string) error {
	e, err := r.entry(name)
	if err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return fmt.Errorf("%s: tensor %s: %w", r.Name, short(name), err)
	}
	return nil
}

func (e *entry) check() error {
	if e.recipe != nil {
		return e.verify()
	}
	if e.dtype.Float() {
		return nil
	}
	total, _ := tensor.Elements(e.shape)
	x := make([]float64, min(total, chunk/8))
	for first := 0; first < total; first += len(x) {
		if err := e.read(x[:min(len(x), total-first)], first); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recording) entry(name string) (*entry, error) {
	if e := r.entries[name]; e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("%s: tensor %s: not in the recording", r.Name, short(name))
}

// part fills x with the elements from offset on.
func (e *entry) part(x []float64, offset int) error {
	if e.recipe == nil {
		return e.read(x, offset)
	}
	if err := e.verify(); err != nil {
		return err
	}
	return e.recipe.fill(x, offset, e.plants)
}

// verify compares the sha256 of a generated input with the one it has, once.
func (e *entry) verify() error {
	e.checked.Do(func() {
		got, err := e.recipe.digest(e.plants)
		e.mismatch = e.recipe.compare(got, err)
	})
	return e.mismatch
}

// verifyWhole is verify for an input that has been made already.
func (e *entry) verifyWhole(x []float64) error {
	e.checked.Do(func() { e.mismatch = e.recipe.compare(digest(e.recipe.Type, x), nil) })
	return e.mismatch
}
