// Package recording reads and writes recordings: one call of one kernel, what went in, what came
// out, and what the kernel says of itself, as one safetensors file.
//
// # The file
//
// Eight bytes little-endian give the length of the header; the header is a JSON object, padded with
// spaces; the data of the tensors follows. Inputs have the names of the op's catalogue entry,
// outputs the same with the prefix "out.". The metadata holds
//
//	plumbline   format version, 1
//	op          the op's name
//	attrs       JSON object: the conventions of the call
//	arithmetic  JSON object: the declared arithmetic
//	generated   JSON object: inputs that a [Recipe] makes
//	provenance  JSON object, free
//
// of which the first two are required. Keys of other tools are kept in Extra and mean nothing.
//
// # Hostile files
//
// A file may come from anywhere, so everything it claims is checked before it is believed. Tensors
// have to tile the data exactly, keys may come only once at every level, numbers in the header have
// to be plain digits. Limits hold for what is cheap to claim or slow to read: 100 MB of header,
// 65536 tensors of 16 axes, of 2³¹ − 1 at most, and 2⁴⁰ elements, 4 MiB for each JSON object of the
// metadata, nested 32 deep, and [MaxGenerated] elements for all generated inputs together. Reading
// a header takes memory in proportion to the bytes that are there, and [Recording.Part] in
// proportion to what is asked for. Every error names the file, the place and the cause:
//
//	x.safetensors: tensor "q": shape [4 570] of BF16 takes 4560 bytes,
//	data_offsets [0 4608] give 4608
package recording

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// version is the format version that this package reads and writes.
const version = "1"

// chunk is how many bytes of a tensor are read or written at a time.
const chunk = 1 << 20

// Recording is one call of one kernel. Attrs, Arithmetic and Provenance hold JSON values: bool,
// string, json.Number, map[string]any and []any, and in Provenance nil. On writing, Go's integers
// and floats are taken too. Its methods may be called concurrently as long as none changes it.
type Recording struct {
	Name       string // the path, or what to call it in messages
	Op         string
	Attrs      map[string]any // a key left out has the catalogue's default
	Arithmetic map[string]any
	Provenance map[string]any
	Extra      map[string]string // metadata of other tools

	stored    []string // names of the stored tensors, in file order
	entries   map[string]*entry
	generated int64 // elements of the generated inputs
	limit     int64 // for generated
	file      io.Closer
}

// entry is a tensor, stored or generated. It never changes once it is in a recording, so that
// clones can share it.
type entry struct {
	output bool // integers that float64 does not hold are read as it rounds them: they are wrong anyway
	dtype  dtype.Type
	shape  []int
	data   *io.SectionReader
	recipe *Recipe // nil if the tensor is stored
	plants plants  // the recipe's edits
	cost   int64   // elements that the recipe writes

	drawing sync.Mutex
	drawn   []float64 // of a small tensor, what the recipe gave: kernels that are run anew read it anew

	checked  sync.Once // guards mismatch
	mismatch error     // what is wrong with the elements of the recipe
}

// New returns an empty recording, to be filled and written.
func New(op string) *Recording {
	return &Recording{
		Name: op, Op: op,
		Attrs: map[string]any{}, Arithmetic: map[string]any{}, Provenance: map[string]any{}, Extra: map[string]string{},
		entries: map[string]*entry{}, limit: MaxGenerated,
	}
}

// Open reads and checks the header of a file and keeps the file open: tensors are read on demand.
func Open(path string) (*Recording, error) { return open(path, Read) }

// OpenTensors opens any safetensors file, a checkpoint's say, as a recording of no op: it has
// tensors under any names, and its metadata as Extra.
func OpenTensors(path string) (*Recording, error) { return open(path, ReadTensors) }

func open(path string, read func(r io.ReaderAt, size int64, name string) (*Recording, error)) (*Recording, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, within(path, cause(err))
	}
	// A pipe would block in os.Open, and has no size.
	if !info.Mode().IsRegular() {
		return nil, within(path, errors.New("not a regular file"))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, within(path, cause(err))
	}
	r, err := read(file, info.Size(), path)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	r.file = file
	return r, nil
}

// cause returns what is wrong with a path that the message names already.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// Read reads and checks the header of the size bytes in r. Tensors are read from r on demand.
// Messages call the recording name.
func Read(r io.ReaderAt, size int64, name string) (*Recording, error) {
	return read(r, size, name, MaxGenerated)
}

// read is Read with a limit of elements that may be generated.
func read(r io.ReaderAt, size int64, name string, limit int64) (*Recording, error) {
	rec, err := ReadTensors(r, size, name)
	if err == nil {
		err = within(name, rec.understand(limit))
	}
	if err != nil {
		return nil, err
	}
	return rec, nil
}

// understand reads the metadata of a file that is to be a recording.
func (r *Recording) understand(limit int64) error {
	metadata := r.Extra
	r.limit, r.Extra = limit, map[string]string{}
	return within(metadataKey, r.describe(metadata))
}

// ReadTensors is Read of any safetensors file, as a recording of no op.
func ReadTensors(r io.ReaderAt, size int64, name string) (*Recording, error) {
	text, err := readHeader(r, size)
	if err != nil {
		return nil, within(name, err)
	}
	begin := int64(8 + len(text))
	rec, err := parse(text, io.NewSectionReader(r, begin, size-begin))
	if err != nil {
		return nil, within(name, err)
	}
	rec.Name = name
	return rec, nil
}

// parse makes a recording of a header and the data that follows it, with the metadata as Extra.
func parse(text []byte, data *io.SectionReader) (*Recording, error) {
	h, err := parseHeader(text, data.Size())
	if err != nil {
		return nil, err
	}
	r := New("")
	r.Extra = maps.Clone(h.metadata)
	for _, t := range h.tensors {
		r.stored = append(r.stored, t.name)
		r.entries[t.name] = &entry{
			dtype: t.dtype, shape: t.shape, data: io.NewSectionReader(data, t.begin, t.end-t.begin),
			output: strings.HasPrefix(t.name, "out."),
		}
	}
	return r, nil
}

// describe reads the metadata.
func (r *Recording) describe(metadata map[string]string) error {
	if v, ok := metadata["plumbline"]; !ok {
		return errors.New(`plumbline: missing, want format version "1" (is this a recording?)`)
	} else if v != version {
		return fmt.Errorf("plumbline: format version %s, want %q", short(v), version)
	}
	r.Op = metadata["op"]
	if r.Op == "" {
		return errors.New("op: missing, want the name of an op")
	}
	for _, key := range objects {
		if text, ok := metadata[key]; ok {
			if err := r.parseObject(key, text); err != nil {
				return within(key, err)
			}
		}
	}
	for key, value := range metadata {
		if key != "plumbline" && key != "op" && !slices.Contains(objects, key) {
			r.Extra[key] = value
		}
	}
	return nil
}

// objects are the metadata that hold JSON objects, in the order in which they are read and written.
var objects = []string{"attrs", "arithmetic", "generated", "provenance"}

func (r *Recording) parseObject(key, text string) (err error) {
	if len(text) > maxObject {
		return fmt.Errorf("%d bytes, want at most %d", len(text), maxObject)
	}
	switch key {
	case "attrs":
		r.Attrs, err = parseObject(text, true)
	case "arithmetic":
		r.Arithmetic, err = parseObject(text, false)
	case "generated":
		err = r.parseGenerated(text)
	case "provenance":
		r.Provenance, err = parseObject(text, true)
	}
	return err
}

// Close closes the file that Open opened. Stored tensors, those of clones too, cannot be read
// afterwards.
func (r *Recording) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Inputs returns the names of the inputs: the stored ones in file order, then the generated ones by
// name.
func (r *Recording) Inputs() []string {
	var stored, generated []string
	for _, name := range r.stored {
		if !strings.HasPrefix(name, outputPrefix) {
			stored = append(stored, name)
		}
	}
	for name, e := range r.entries {
		if e.recipe != nil {
			generated = append(generated, name)
		}
	}
	slices.Sort(generated)
	return append(stored, generated...)
}

// Outputs returns the names of the outputs in file order, without the prefix "out.".
func (r *Recording) Outputs() []string {
	var outputs []string
	for _, name := range r.stored {
		if output, ok := strings.CutPrefix(name, outputPrefix); ok {
			outputs = append(outputs, output)
		}
	}
	return outputs
}

// Request returns a copy without outputs.
func (r *Recording) Request() *Recording {
	request := r.Clone()
	for _, name := range r.Outputs() {
		request.Delete("out." + name)
	}
	return request
}

// IsRequest reports whether the recording has no output yet: it asks a kernel for them.
func (r *Recording) IsRequest() bool { return len(r.Outputs()) == 0 }

// Has reports whether there is a tensor of this name; outputs have the prefix "out.".
func (r *Recording) Has(name string) bool { return r.entries[name] != nil }

// Type returns the element type of a tensor, dtype.Invalid if there is none of this name.
func (r *Recording) Type(name string) dtype.Type {
	if e := r.entries[name]; e != nil {
		return e.dtype
	}
	return dtype.Invalid
}

// Shape returns the shape of a tensor, nil if there is none of this name. That of a scalar is
// empty, not nil.
func (r *Recording) Shape(name string) []int {
	if e := r.entries[name]; e != nil {
		return append([]int{}, e.shape...)
	}
	return nil
}

// Recipe returns the recipe of a generated input.
func (r *Recording) Recipe(name string) (Recipe, bool) {
	if e := r.entries[name]; e != nil && e.recipe != nil {
		return e.recipe.clone(), true
	}
	return Recipe{}, false
}

// Tensor returns a tensor decoded to float64. That is exact: an I64 beyond ±2⁵³ is an error, and so
// is a BOOL other than 0 and 1. A generated input is made anew at every call and its sha256
// checked once; if it differs, errors.Is finds ErrMismatch. What is too large to be held whole, see
// [MaxWhole], is an error: [Recording.Part] reads it.
func (r *Recording) Tensor(name string) (*tensor.Tensor, error) {
	e, err := r.entry(name)
	if err != nil {
		return nil, err
	}
	x, err := e.tensor()
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %s: %w", r.Name, short(name), err)
	}
	return x, nil
}

func (e *entry) tensor() (*tensor.Tensor, error) {
	x, err := room(e.shape, e.recipe != nil)
	if err != nil {
		return nil, err
	}
	switch {
	case e.recipe == nil:
		err = e.read(x.Data, 0)
	case x.Len() > manyDrawn:
		err = e.draw(x.Data)
	default:
		err = e.drawOnce(x.Data)
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// manyDrawn is the number of elements above which a tensor is drawn anew each time it is read.
const manyDrawn = 1 << 16

// draw fills x with the whole of a tensor that the file has a recipe of.
func (e *entry) draw(x []float64) error {
	if err := e.recipe.fill(x, 0, e.plants); err != nil {
		return err
	}
	return e.verifyWhole(x)
}

// drawOnce is draw for a small tensor, whose numbers are kept.
func (e *entry) drawOnce(x []float64) error {
	e.drawing.Lock()
	defer e.drawing.Unlock()
	if e.drawn == nil {
		drawn := make([]float64, len(x))
		if err := e.draw(drawn); err != nil {
			return err
		}
		e.drawn = drawn
	}
	copy(x, e.drawn)
	return nil
}

// read decodes stored elements from offset on into x, a chunk of the file at a time.
func (e *entry) read(x []float64, offset int) error {
	size := e.dtype.Size()
	room := buffers.Get().(*[]byte)
	defer buffers.Put(room)
	buf := slices.Grow((*room)[:0], min(chunk, len(x)*size))[:min(chunk, len(x)*size)]
	*room = buf
	for done := 0; done < len(x); {
		part := x[done:min(done+chunk/size, len(x))]
		b := buf[:len(part)*size]
		if n, err := e.data.ReadAt(b, int64(offset+done)*int64(size)); n < len(b) {
			return within("data", err)
		}
		if i, err := undecodable(e.dtype, b); err != nil && !(e.output && e.dtype == dtype.I64) {
			return fmt.Errorf("index %v: %w", tensor.Unravel(offset+done+i, e.shape), err)
		}
		e.dtype.Decode(part, b)
		done += len(part)
	}
	return nil
}

// buffers are what bytes are read into.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxExact is the integer up to which float64 holds all.
const maxExact = 1 << 53

// undecodable finds the first element whose value float64 does not hold or whose code means
// nothing.
func undecodable(t dtype.Type, b []byte) (int, error) {
	switch t {
	case dtype.I64:
		for i := range len(b) / 8 {
			if v := int64(binary.LittleEndian.Uint64(b[8*i:])); v > maxExact || v < -maxExact {
				return i, fmt.Errorf("I64 %d, want at most 2^53 in magnitude", v)
			}
		}
	case dtype.Bool:
		for i, v := range b {
			if v > 1 {
				return i, fmt.Errorf("BOOL %d, want 0 or 1", v)
			}
		}
	}
	return 0, nil
}

// Set stores x, rounded to t (nearest, ties to even), under a name; outputs have the prefix "out.".
// A tensor of that name is replaced, at its place in the file. Set panics if no file can hold x:
// because of its name, its shape, or a value that an integer type lacks.
func (r *Recording) Set(name string, t dtype.Type, x *tensor.Tensor) {
	if n, err := elements(x.Shape); err != nil || n != len(x.Data) {
		panic("recording: shape too large or unlike the data")
	}
	b := make([]byte, len(x.Data)*t.Size())
	t.Encode(b, x.Data)
	r.SetBytes(name, t, x.Shape, b)
}

// SetBytes is Set of elements that are encoded already, little-endian in row-major order: they are
// stored as they are, and b is kept.
func (r *Recording) SetBytes(name string, t dtype.Type, shape []int, b []byte) {
	if checkName(name) != nil {
		panic("recording: not a tensor's name")
	}
	if n, err := elements(shape); err != nil || n*t.Size() != len(b) {
		panic("recording: shape too large or unlike the data")
	}
	e := &entry{
		dtype: t, shape: append([]int{}, shape...), data: io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))),
	}
	if old := r.entries[name]; old == nil || old.recipe != nil {
		r.Delete(name)
		r.stored = append(r.stored, name)
	}
	r.entries[name] = e
}

// Bytes returns the elements of a stored tensor as they stand in the file.
func (r *Recording) Bytes(name string) ([]byte, error) {
	e, err := r.entry(name)
	if err == nil && e.recipe != nil {
		err = fmt.Errorf("%s: tensor %s: generated, want one that is stored", r.Name, short(name))
	}
	if err != nil {
		return nil, err
	}
	b := make([]byte, e.data.Size())
	if n, err := e.data.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("%s: tensor %s: data: %w", r.Name, short(name), err)
	}
	return b, nil
}

// Generate adds an input that is generated, and replaces a tensor of that name. An empty SHA256 is
// filled in, by making the tensor in chunks; any other is believed until it is read or checked. An
// error says what is wrong with the recipe, and changes nothing.
func (r *Recording) Generate(name string, recipe Recipe) error {
	recipe = recipe.clone()
	if err := r.generate(name, &recipe); err != nil {
		return fmt.Errorf("%s: tensor %s: generated: %w", r.Name, short(name), err)
	}
	return nil
}

func (r *Recording) generate(name string, recipe *Recipe) error {
	if err := checkName(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, outputPrefix) {
		return errors.New("an output, want inputs only")
	}
	recipe.SHA256 = strings.ToLower(recipe.SHA256)
	cost, err := recipe.check()
	if err == nil {
		err = r.afford(name, cost)
	}
	if err != nil {
		return err
	}
	e := &entry{dtype: recipe.Type, shape: recipe.Shape, recipe: recipe, plants: recipe.plants(), cost: cost}
	if recipe.SHA256 == "" {
		if recipe.SHA256, err = recipe.digest(e.plants); err != nil {
			return err
		}
		e.checked.Do(func() {}) // it is right by now
	}
	r.Delete(name)
	r.generated += cost
	r.entries[name] = e
	return nil
}

// afford checks that the limit allows so many elements under a name, in place of those that it has.
func (r *Recording) afford(name string, cost int64) error {
	total := r.generated + cost
	if old := r.entries[name]; old != nil {
		total -= old.cost
	}
	if total > r.limit {
		return fmt.Errorf("%d generated elements in the recording so far, want at most %d", total, r.limit)
	}
	return nil
}

// Delete removes a tensor, if there is one of this name.
func (r *Recording) Delete(name string) {
	e := r.entries[name]
	if e == nil {
		return
	}
	r.generated -= e.cost
	delete(r.entries, name)
	if e.recipe == nil {
		r.stored = slices.DeleteFunc(r.stored, func(s string) bool { return s == name })
	}
}

// Clone returns a copy that shares the tensors: changes of the copy, its attributes and its list of
// tensors leave the original alone. Closing the original closes the file of both; Close of the copy
// does nothing.
func (r *Recording) Clone() *Recording {
	c := *r
	c.Attrs, c.Arithmetic, c.Provenance = copyMap(r.Attrs), copyMap(r.Arithmetic), copyMap(r.Provenance)
	c.Extra = maps.Clone(r.Extra)
	c.stored = slices.Clone(r.stored)
	c.entries = maps.Clone(r.entries)
	c.file = nil
	return &c
}

func copyMap(m map[string]any) map[string]any {
	c := make(map[string]any, len(m))
	for key, v := range m {
		c[key] = copyValue(v)
	}
	return c
}

func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return copyMap(v)
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = copyValue(v[i])
		}
		return c
	}
	return v
}
