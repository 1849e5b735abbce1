package foreign

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
)

const (
	npyMagic = "\x93NUMPY"
	// maxNPYHeader is how long the header of a .npy file may be. NumPy itself reads none of more
	// than 10,000 bytes unless it is told to.
	maxNPYHeader = 1 << 16
)

// npyHeader is what the header of a .npy file says.
type npyHeader struct {
	descr   string
	columns bool // column-major, Fortran's order
	shape   []int
}

// readNPY reads a .npy file of size bytes. It allocates for the elements once they have to be
// there.
func readNPY(r io.Reader, size int64) (Array, error) {
	h, length, err := readNPYHeader(r)
	if err != nil {
		return Array{}, within("header", err)
	}
	e, want, err := h.element()
	if err == nil && size-length != int64(want) {
		err = fmt.Errorf("shape %v of %s takes %d bytes, and %d follow the header", h.shape, spelling.Quote(h.descr),
			want, size-length)
	}
	if err != nil {
		return Array{}, err
	}
	a := Array{Size: e.size, Shape: h.shape, Data: make([]byte, want), of: e}
	if e.wide == nil {
		a.Type = e.dtype
	}
	_, err = io.ReadFull(r, a.Data)
	if e.big {
		swap(a.Data, e.size)
	}
	if h.columns && err == nil {
		a = a.strided(h.shape, columnMajor(h.shape))
	}
	return a, within("data", err)
}

// element returns the type of the elements, and how many bytes all of them take.
func (h npyHeader) element() (element, int, error) {
	e, err := elementOf(h.descr)
	if err != nil {
		return e, 0, err
	}
	n, err := bytesOf(h.shape, e.size)
	return e, n, err
}

// readNPYHeader reads a header, and returns how many bytes it took.
func readNPYHeader(r io.Reader) (h npyHeader, length int64, err error) {
	var start [12]byte
	if _, err := io.ReadFull(r, start[:8]); err != nil {
		return h, 0, fmt.Errorf("%w, want the 8 bytes that a .npy file begins with", err)
	}
	width := 2 // of the field that has the length of the text
	switch version := start[6]; {
	case string(start[:6]) != npyMagic:
		return h, 0, fmt.Errorf("begins with %q, want %q: not a .npy file", start[:6], npyMagic)
	case version > 3 || version < 1:
		return h, 0, fmt.Errorf("format version %d.%d, want 1, 2 or 3", version, start[7])
	case version > 1:
		width = 4
	}
	if _, err := io.ReadFull(r, start[8:8+width]); err != nil {
		return h, 0, err
	}
	n := binary.LittleEndian.Uint32(start[8:]) // bytes that were not read are 0
	if n > maxNPYHeader {
		return h, 0, fmt.Errorf("%d bytes, want at most %d", n, maxNPYHeader)
	}
	text := make([]byte, n)
	if _, err = io.ReadFull(r, text); err == nil {
		h, err = parseNPYHeader(string(text))
	}
	return h, int64(8+width) + int64(n), err
}

// parseNPYHeader reads the text of a header: a dictionary of Python with three keys.
func parseNPYHeader(text string) (h npyHeader, err error) {
	p := &python{text: text}
	seen := map[string]bool{}
	for p.expect("{"); p.err == nil && !p.accept("}"); p.separator("}") {
		key := p.str()
		p.expect(":")
		if seen[key] {
			p.fail("key %s twice", spelling.Quote(key))
		}
		seen[key] = true
		p.member(&h, key)
	}
	if p.skip(); p.err == nil && p.text != "" {
		p.fail("%s behind the dictionary", spelling.Quote(p.text))
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			p.fail("%s: missing", key)
		}
	}
	return h, p.err
}

// member reads the value of a key.
func (p *python) member(h *npyHeader, key string) {
	switch {
	case p.err != nil:
	case key == "descr":
		h.descr = p.descr()
	case key == "fortran_order":
		h.columns = p.boolean()
	case key == "shape":
		h.shape = p.tuple()
	default:
		p.fail("unknown key %s, want descr, fortran_order, shape", spelling.Quote(key))
	}
}

// python reads the few literals of Python that a header may have.
type python struct {
	text string
	err  error // the first, after which nothing more is read
}

func (p *python) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.text = ""
}

func (p *python) skip() { p.text = strings.TrimLeft(p.text, " \t\r\n") }

// accept reads a token if it comes next.
func (p *python) accept(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.text, token)
	if ok {
		p.text = rest
	}
	return ok
}

func (p *python) expect(token string) {
	if !p.accept(token) {
		p.fail("%s, want %q", spelling.Quote(p.text), token)
	}
}

// separator reads the comma between two items; the one before the end may be missing.
func (p *python) separator(end string) {
	if !p.accept(",") && p.err == nil && !strings.HasPrefix(p.text, end) {
		p.fail("%s, want a comma or %q", spelling.Quote(p.text), end)
	}
}

// str reads a string in quotes of either kind, without escapes.
func (p *python) str() string {
	p.skip()
	if p.text == "" || p.text[0] != '\'' && p.text[0] != '"' {
		p.fail("%s, want a string", spelling.Quote(p.text))
		return ""
	}
	end := strings.IndexByte(p.text[1:], p.text[0])
	if end < 0 {
		p.fail("a string that does not end")
		return ""
	}
	word := p.text[1 : 1+end]
	p.text = p.text[2+end:]
	return word
}

// descr reads the type of the elements; a list of several is that of a structure.
func (p *python) descr() string {
	if p.skip(); strings.HasPrefix(p.text, "[") || strings.HasPrefix(p.text, "(") {
		p.fail("an array of structures, want one of numbers")
		return ""
	}
	return p.str()
}

func (p *python) boolean() bool {
	if p.accept("True") {
		return true
	}
	if !p.accept("False") {
		p.fail("%s, want True or False", spelling.Quote(p.text))
	}
	return false
}

// tuple reads the lengths of axes. Python 2 wrote an L behind a number.
func (p *python) tuple() []int {
	shape := []int{}
	for p.expect("("); p.err == nil && !p.accept(")"); p.separator(")") {
		p.skip()
		n := 0
		for n < len(p.text) && '0' <= p.text[n] && p.text[n] <= '9' {
			n++
		}
		length, err := strconv.Atoi(p.text[:n])
		if err != nil || len(shape) == maxAxes {
			p.fail("%s, want the lengths of at most %d axes", spelling.Quote(p.text), maxAxes)
			return nil
		}
		shape = append(shape, length)
		p.text = strings.TrimPrefix(p.text[n:], "L")
	}
	return shape
}

// element is the type of an array of NumPy.
type element struct {
	descr string
	size  int
	big   bool       // big-endian
	dtype dtype.Type // Invalid for bytes that have no meaning
	wide  func(b []byte) int64
}

// elementOf reads the description of a type, such as <f4.
func elementOf(descr string) (element, error) {
	e := element{descr: descr}
	if len(descr) < 2 || !strings.ContainsRune("<>|=", rune(descr[0])) {
		return e, fmt.Errorf("element type %s, want one such as '<f4'", spelling.Quote(descr))
	}
	kind := descr[1:]
	e.big = descr[0] == '>'
	if known, ok := elements[kind]; ok {
		known.descr, known.big = descr, e.big
		return known, nil
	}
	why := "want floating-point numbers, integers or truth values"
	if kind[0] == 'O' {
		why = "objects of Python, which are pickled: no pickle is read"
	}
	return e, fmt.Errorf("element type %s: %s", spelling.Quote(descr), why)
}

// elements are the types of NumPy that are read, without their order of bytes. V is what NumPy
// writes of a type that it does not know, as those of ml_dtypes are: only its size. The one that
// has another letter is their float8_e5m2, which NumPy itself does not read again.
var elements = map[string]element{
	"f8": {size: 8, dtype: dtype.F64}, "f4": {size: 4, dtype: dtype.F32}, "f2": {size: 2, dtype: dtype.F16},
	"f1": {size: 1, dtype: dtype.F8E5M2},
	"i8": {size: 8, dtype: dtype.I64}, "i4": {size: 4, dtype: dtype.I32},
	"u1": {size: 1, dtype: dtype.U8}, "b1": {size: 1, dtype: dtype.Bool},
	"V1": {size: 1}, "V2": {size: 2},

	"i1": {size: 1, dtype: dtype.I32, wide: func(b []byte) int64 { return int64(int8(b[0])) }},
	"i2": {size: 2, dtype: dtype.I32, wide: func(b []byte) int64 { return int64(int16(little.Uint16(b))) }},
	"u2": {size: 2, dtype: dtype.I32, wide: func(b []byte) int64 { return int64(little.Uint16(b)) }},
	"u4": {size: 4, dtype: dtype.I64, wide: func(b []byte) int64 { return int64(little.Uint32(b)) }},
	"u8": {size: 8, dtype: dtype.I64, wide: func(b []byte) int64 { return int64(little.Uint64(b)) }},
}

var little = binary.LittleEndian

// settled returns the array with elements of a type of recordings: integers of other types become
// integers that hold them.
func (a Array) settled() (Array, error) {
	e := a.of
	switch {
	case a.Type != dtype.Invalid:
		return a, nil
	case e.wide == nil:
		return a, fmt.Errorf("element type %s, as NumPy writes bfloat16 and others of ml_dtypes: want -type, which "+
			"says what %s are", spelling.Quote(e.descr), plural(e.size, "byte"))
	}
	wide, err := newArray(e.dtype, e.dtype.Size(), a.Shape)
	if err != nil {
		return a, err
	}
	wide.Note = e.descr + " as " + e.dtype.String()
	for i := range len(a.Data) / e.size {
		v := e.wide(a.Data[i*e.size:])
		if e.size == 8 && v < 0 {
			return a, errors.New("an integer without sign beyond 2^63, want one that 64 bits with a sign hold")
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		copy(wide.Data[i*wide.Size:(i+1)*wide.Size], b[:])
	}
	return wide, nil
}

// plural counts things.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	many, ok := map[string]string{"axis": "axes", "query": "queries"}[one]
	if !ok {
		many = one + "s"
	}
	return strconv.Itoa(n) + " " + many
}
