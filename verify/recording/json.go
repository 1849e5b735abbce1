package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxDepth is how deep objects and arrays may nest, in a header and in each JSON object of its
	// metadata.
	maxDepth = 32
	// maxObject is how many bytes each JSON object of the metadata may take.
	maxObject = 4 << 20
)

// parser walks JSON token by token. It is stricter than encoding/json: a key that comes twice,
// invalid UTF-8, half a surrogate pair, a NUL in a string and nesting beyond maxDepth are errors.
type parser struct {
	dec   *json.Decoder
	nulls bool // whether value accepts null
	depth int
}

func newParser(text string) (*parser, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("invalid UTF-8")
	}
	if halfSurrogate(text) {
		return nil, errors.New(`a \u escape of half a surrogate pair`)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	return &parser{dec: dec}, nil
}

// halfSurrogate reports whether a \u escape in text is half of a pair, which encoding/json would
// silently replace.
func halfSurrogate(text string) bool {
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return false
		}
		first, ok := escapedUnit(text[i:])
		if !ok || !utf16.IsSurrogate(first) {
			text = text[i+2:]
			continue
		}
		second, _ := escapedUnit(text[i+6:])
		if utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		text = text[i+12:]
	}
}

// escapedUnit returns the UTF-16 code unit of the \uXXXX that text begins with.
func escapedUnit(text string) (rune, bool) {
	if len(text) < 6 || text[:2] != `\u` {
		return 0, false
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(unit), err == nil
}

// token returns the next token; the end of the text is an error.
func (p *parser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if s, ok := t.(string); ok && strings.Contains(s, "\x00") {
		return nil, fmt.Errorf("a string with NUL: %s", short(s))
	}
	return t, nil
}

// end checks that only white space is left.
func (p *parser) end() error {
	if _, err := p.dec.Token(); err != io.EOF {
		return errors.New("more text after the JSON value")
	}
	return nil
}

// object reads an object and calls member for each key in its order; member has to read the value.
func (p *parser) object(member func(key string) error) error {
	if err := p.open('{'); err != nil {
		return err
	}
	return p.members(member)
}

func (p *parser) open(want json.Delim) error {
	t, err := p.token()
	if err == nil && t != want {
		err = fmt.Errorf("%s, want %s", describe(t), describe(want))
	}
	return err
}

// members reads the rest of an object whose brace has been read.
func (p *parser) members(member func(key string) error) error {
	seen := map[string]bool{}
	return p.nested(func() error {
		t, err := p.token()
		if err != nil {
			return err
		}
		key := t.(string) // the decoder gives nothing else here
		if seen[key] {
			return fmt.Errorf("duplicate key %s", short(key))
		}
		seen[key] = true
		return member(key)
	})
}

// nested calls item until the array or object that has just been opened ends, and reads its end.
func (p *parser) nested(item func() error) error {
	if p.depth++; p.depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	for p.dec.More() {
		if err := item(); err != nil {
			return err
		}
	}
	p.depth--
	_, err := p.token()
	return err
}

// value reads any value: bool, string, json.Number, map[string]any, []any, and nil where p.nulls
// allows it.
func (p *parser) value() (any, error) {
	t, err := p.token()
	switch {
	case err != nil:
		return nil, err
	case t == json.Delim('{'):
		return p.fields()
	case t == json.Delim('['):
		list := []any{}
		err := p.nested(func() error {
			v, err := p.value()
			list = append(list, v)
			return err
		})
		return list, err
	case t == nil && !p.nulls:
		return nil, errors.New("null, want a value (leave the key out for its default)")
	}
	return t, nil
}

// fields reads the rest of an object into a map.
func (p *parser) fields() (map[string]any, error) {
	fields := map[string]any{}
	err := p.members(func(key string) error {
		v, err := p.value()
		fields[key] = v
		return within(short(key), err)
	})
	return fields, err
}

func (p *parser) string() (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s, want a string", describe(t))
	}
	return s, nil
}

func (p *parser) number() (json.Number, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	n, ok := t.(json.Number)
	if !ok {
		return "", fmt.Errorf("%s, want a number", describe(t))
	}
	return n, nil
}

// integer reads a whole number from lo to hi. It has to be written in digits alone: neither a
// fraction, nor an exponent, nor −0.
func (p *parser) integer(lo, hi int64) (int64, error) {
	n, err := p.number()
	if err != nil {
		return 0, err
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || i < lo || i > hi || n == "-0" {
		return 0, fmt.Errorf("%s, want an integer from %d to %d", clip(string(n)), lo, hi)
	}
	return i, nil
}

// integers reads an array of at most limit integers from 0 to hi.
func (p *parser) integers(limit int, hi int64) ([]int64, error) {
	list := []int64{}
	err := p.array(func() error {
		if len(list) == limit {
			return fmt.Errorf("more than %d integers", limit)
		}
		i, err := p.integer(0, hi)
		list = append(list, i)
		return err
	})
	return list, err
}

// array reads an array and calls item for each element; item has to read it.
func (p *parser) array(item func() error) error {
	if err := p.open('['); err != nil {
		return err
	}
	return p.nested(item)
}

// ParseObject reads a JSON object as strictly as those of a recording: each key once, no deeper
// than 32, numbers as json.Number.
func ParseObject(text string) (map[string]any, error) { return parseObject(text, true) }

// parseObject reads a JSON object that is all of text, with only white space after it.
func parseObject(text string, nulls bool) (map[string]any, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	p.nulls = nulls
	if err := p.open('{'); err != nil {
		return nil, err
	}
	fields, err := p.fields()
	if err != nil {
		return nil, err
	}
	return fields, p.end()
}

// describe says what a token begins, for messages.
func describe(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "an array"
	case string:
		return "string " + short(t)
	case json.Number:
		return "number " + clip(string(t))
	case bool:
		return strconv.FormatBool(t)
	}
	return "null"
}

// short quotes a string of the file for a message. A hostile one may be as long as the file.
func short(s string) string { return strconv.Quote(clip(s)) }

func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// within says where err was found; nil stays nil.
func within(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}
