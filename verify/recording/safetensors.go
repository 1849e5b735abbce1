package recording

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

const (
	// maxHeader is safetensors' own limit, in bytes.
	maxHeader = 100_000_000
	// maxTensors is how many tensors a header may list. A recording is one call of one kernel.
	maxTensors = 1 << 16
	// maxRank is how many axes a tensor may have. The catalogue needs four.
	maxRank = 16
	// maxAxis is how long an axis may be.
	maxAxis = 1<<31 - 1
	// maxElements is how many elements a tensor may have, and that it has a place on a disk.
	maxElements = min(1<<40, math.MaxInt)

	metadataKey  = "__metadata__"
	outputPrefix = "out."
)

// header is what the header of a safetensors file says.
type header struct {
	metadata map[string]string
	tensors  []placed // in the order of the header
}

// placed is a tensor and the place of its bytes in the data section.
type placed struct {
	name       string
	dtype      dtype.Type
	shape      []int
	begin, end int64
}

// readHeader returns the text of the header, which begins at byte 8, its length as 8 bytes
// little-endian before it. It allocates in proportion to the bytes that are there, not to the
// length that is claimed.
func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	if size < 8 {
		return nil, fmt.Errorf("%d bytes, want at least 8 (the header's length)", size)
	}
	var prefix [8]byte
	if n, err := r.ReadAt(prefix[:], 0); n < len(prefix) {
		return nil, within("header", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > uint64(size-8) {
		return nil, fmt.Errorf("header: %d bytes, want at most the %d that follow its length", length, size-8)
	}
	if length > maxHeader {
		return nil, fmt.Errorf("header: %d bytes, want at most %d", length, maxHeader)
	}
	text, err := io.ReadAll(io.NewSectionReader(r, 8, int64(length)))
	if err == nil && uint64(len(text)) < length {
		err = io.ErrUnexpectedEOF
	}
	return text, within("header", err)
}

// parseHeader reads the text of a header in front of size bytes of data, all of which the tensors
// have to cover.
func parseHeader(text []byte, size int64) (*header, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, errors.New("header: want a JSON object from its first byte")
	}
	p, err := newParser(string(text))
	if err != nil {
		return nil, within("header", err)
	}
	h := &header{metadata: map[string]string{}}
	var located error // says where in the header
	err = p.object(func(key string) error {
		located = h.member(p, key)
		return located
	})
	if located != nil {
		return nil, located
	}
	if err != nil {
		return nil, within("header", err)
	}
	padding := text[p.dec.InputOffset():]
	if i := slices.IndexFunc(padding, func(b byte) bool { return b != ' ' }); i >= 0 {
		return nil, fmt.Errorf("header: byte %#02x after the JSON object, want spaces only", padding[i])
	}
	return h, h.tile(size)
}

// member reads one entry of the header: the metadata or a tensor.
func (h *header) member(p *parser, key string) error {
	if key == metadataKey {
		return within(metadataKey, p.object(func(key string) error {
			value, err := p.string()
			h.metadata[key] = value
			return within(short(key), err)
		}))
	}
	if err := checkName(key); err != nil {
		return err
	}
	if len(h.tensors) == maxTensors {
		return fmt.Errorf("header: more than %d tensors", maxTensors)
	}
	t, err := p.placed()
	t.name = key
	h.tensors = append(h.tensors, t)
	return within("tensor "+short(key), err)
}

// checkName says what keeps name from being a tensor's.
func checkName(name string) error {
	switch {
	case name == "" || name == metadataKey || name == outputPrefix:
		return fmt.Errorf("tensor %q: not a tensor's name", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("tensor %s: name with invalid UTF-8", short(name))
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("tensor %s: name with control characters", short(name))
	}
	return nil
}

// placed reads a tensor's entry, {"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}: these keys
// and no other.
func (p *parser) placed() (t placed, err error) {
	var offsets []int64
	err = p.object(func(key string) (err error) {
		switch key {
		case "dtype":
			t.dtype, err = p.dtype()
		case "shape":
			t.shape, err = p.shape()
		case "data_offsets":
			offsets, err = p.integers(2, math.MaxInt64)
		default:
			return fmt.Errorf("unknown key %s, want dtype, shape, data_offsets", short(key))
		}
		return within(key, err)
	})
	if err != nil {
		return t, err
	}
	return t, t.place(offsets)
}

// place checks that no key is missing and that shape and dtype need the bytes that the offsets
// give.
func (t *placed) place(offsets []int64) error {
	switch {
	case t.dtype == dtype.Invalid:
		return errors.New("dtype: missing")
	case t.shape == nil:
		return errors.New("shape: missing")
	case offsets == nil:
		return errors.New("data_offsets: missing")
	case len(offsets) != 2 || offsets[1] < offsets[0]:
		return fmt.Errorf("data_offsets: %v, want begin and end", offsets)
	}
	n, err := elements(t.shape)
	if err != nil {
		return err
	}
	t.begin, t.end = offsets[0], offsets[1]
	if want := int64(n) * int64(t.dtype.Size()); want != t.end-t.begin {
		return fmt.Errorf(
			"shape %v of %v takes %d bytes, data_offsets %v give %d", t.shape, t.dtype, want, offsets, t.end-t.begin,
		)
	}
	return nil
}

func (p *parser) dtype() (dtype.Type, error) {
	name, err := p.string()
	if err != nil {
		return dtype.Invalid, err
	}
	return dtype.Parse(clip(name))
}

func (p *parser) shape() ([]int, error) {
	list, err := p.integers(maxRank, maxAxis)
	shape := make([]int, len(list))
	for i, d := range list {
		shape[i] = int(d)
	}
	return shape, err
}

// elements returns the number of elements of a shape, or says why it is none for a tensor: a long
// axis is refused even beside one of length 0.
func elements(shape []int) (int, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("shape %v: more than %d axes", shape, maxRank)
	}
	n, ok := tensor.Elements(shape)
	if !ok || n > maxElements || len(shape) > 0 && slices.Max(shape) > maxAxis {
		return 0, fmt.Errorf("shape %v: negative or more than %d elements", shape, int64(maxElements))
	}
	return n, nil
}

// room returns a tensor of zeros, or says that there is no room for it: a file names many more
// elements than memory holds, and a processor of 32 bits addresses fewer.
func room(shape []int, generated bool) (*tensor.Tensor, error) {
	most := min(maxAxis, math.MaxInt/16) // elements; 16 GiB, on 32 bits 1 GiB
	if generated {
		most = min(most, MaxWhole)
	}
	if n, ok := tensor.Elements(shape); !ok || n > most {
		return nil, fmt.Errorf("shape %v: more than the %d elements that are decoded whole", shape, most)
	}
	return tensor.New(shape...), nil
}

// tile checks that the tensors cover size bytes of data without gap or overlap.
func (h *header) tile(size int64) error {
	byPlace := slices.Clone(h.tensors)
	slices.SortStableFunc(byPlace, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	at := int64(0)
	for _, t := range byPlace {
		switch {
		case t.end > size:
			return t.misplaced("beyond the %d bytes of data in the file", size)
		case t.begin < at:
			return t.misplaced("overlap, the data before ends at %d", at)
		case t.begin > at:
			return t.misplaced("gap, the data before ends at %d", at)
		}
		at = t.end
	}
	if at < size {
		return fmt.Errorf("%d bytes of data after those of the last tensor, want none", size-at)
	}
	return nil
}

func (t *placed) misplaced(format string, at int64) error {
	return fmt.Errorf("tensor %s: data_offsets [%d %d]: "+format, short(t.name), t.begin, t.end, at)
}
