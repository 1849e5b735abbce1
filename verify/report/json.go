package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON writes a run as one object, each recording on a line of its own as soon as it is judged:
//
//	{"plumbline":1,"version":"v0.1.0","recordings":[
//	{"file":…,"op":…,"status":…,"reason":…,"outputs":[…],"provenance":{…}},
//	…
//	],"summary":{"recordings":…,"explained":…,"unexplained":…,"undetermined":…,"unusable":…}}
//
// Of a run that several machines share, "shard":{"index":1,"of":8} stands behind the version.
// The keys of a recording are those of verdict.Verdict. JSON has no non-finite numbers: they are
// the strings "NaN", "+Inf" and "-Inf". "got" is the recorded number exactly; "want" has 10 digits,
// and "want_hex" are the bits of the output type nearest to these digits; scores, limits and
// "sigma" have 4. The same run gives the same bytes on any processor and on any number of them, but
// for a number that lies between two printed ones. A character that a terminal would obey, or that
// turns the direction of text, is written as \uXXXX. A run that was cut short is not valid JSON, so
// that nobody takes it for a whole one.
type JSON struct {
	w       io.Writer
	version string
	shard   Shard
	summary Summary
}

// A Shard is the part of a run that one of several machines has judged.
type Shard struct {
	Index int `json:"index"` // from 1
	Of    int `json:"of"`    // how many there are; 0 of a run that is not shared
}

// check tells what is wrong with a shard that was read.
func (s Shard) check() error {
	if s.Index < 1 || s.Index > s.Of {
		return fmt.Errorf("shard %d of %d, want one from 1 to the last", s.Index, s.Of)
	}
	return nil
}

// NewJSON returns a report that writes to w, with the version of the program that judged.
func NewJSON(w io.Writer, version string) *JSON { return NewShardJSON(w, version, Shard{}) }

// NewShardJSON is NewJSON for one shard of a run.
func NewShardJSON(w io.Writer, version string, s Shard) *JSON {
	return &JSON{w: w, version: version, shard: s}
}

// Add writes one recording.
func (j *JSON) Add(e Entry) error {
	line := []byte(",\n")
	if j.summary.Recordings == 0 {
		line = append(j.head(), '\n')
	}
	j.summary.Count(e.Status)
	e.Outputs = printed(e.Outputs)
	line, err := appendJSON(line, reflect.ValueOf(e), "")
	if err != nil {
		return err
	}
	_, err = j.w.Write(Escaped(line))
	return err
}

// head returns the beginning of the object.
func (j *JSON) head() []byte {
	head, _ := appendOther([]byte("{\"plumbline\":1,\"version\":"), reflect.ValueOf(j.version))
	if j.shard.Of > 0 {
		head, _ = appendJSON(append(head, ",\"shard\":"...), reflect.ValueOf(j.shard), "")
	}
	return append(head, ",\"recordings\":["...)
}

// Close writes the summary and the end of the object.
func (j *JSON) Close() error {
	var line []byte
	if j.summary.Recordings == 0 {
		line = j.head()
	}
	line, err := appendJSON(append(line, "\n],\"summary\":"...), reflect.ValueOf(j.summary), "")
	if err != nil {
		return err
	}
	_, err = j.w.Write(append(line, "}\n"...))
	return err
}

// WriteJSON writes a struct on a line, as JSON writes those of a verdict.
func WriteJSON(w io.Writer, value any) error {
	line, err := appendJSON(nil, reflect.ValueOf(value), "")
	if err == nil {
		_, err = w.Write(Escaped(append(line, '\n')))
	}
	return err
}

// appendJSON is encoding/json for the structs of a verdict, with non-finite numbers as strings, the
// digits that the named field has, and no escapes for HTML.
func appendJSON(dst []byte, v reflect.Value, field string) ([]byte, error) {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		return strconv.AppendQuote(dst, string(text)), err
	}
	switch v.Kind() {
	case reflect.Struct:
		dst = append(dst, '{')
		dst, _, err := appendFields(dst, v, 0)
		return append(dst, '}'), err
	case reflect.Slice:
		return appendList(dst, v, field)
	case reflect.Pointer: // one to nothing is left out by its tag
		return appendJSON(dst, v.Elem(), field)
	case reflect.Float64:
		return appendNumber(dst, rounded(field, v.Float())), nil
	}
	return appendOther(dst, v)
}

// appendFields appends the exported fields of a struct, an embedded struct's among them, and
// returns how many have been written.
func appendFields(dst []byte, v reflect.Value, written int) ([]byte, int, error) {
	var err error
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			if dst, written, err = appendFields(dst, v.Field(i), written); err != nil {
				return dst, written, err
			}
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || options == "omitempty" && empty(v.Field(i)) {
			continue
		}
		if written > 0 {
			dst = append(dst, ',')
		}
		written++
		dst = append(strconv.AppendQuote(dst, name), ':')
		if dst, err = appendJSON(dst, v.Field(i), name); err != nil {
			return dst, written, err
		}
	}
	return dst, written, nil
}

func empty(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

func appendList(dst []byte, v reflect.Value, field string) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSON(dst, v.Index(i), field); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendNumber(dst []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(dst, `"`+nonFinite(x)+`"`...)
	}
	text, _ := json.Marshal(x)
	return append(dst, text...)
}

// nonFinite names NaN and the infinities as JSON reports spell them.
func nonFinite(x float64) string {
	return strconv.FormatFloat(x, 'g', -1, 64)
}

func appendOther(dst []byte, v reflect.Value) ([]byte, error) {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v.Interface()); err != nil {
		return dst, err
	}
	return append(dst, strings.TrimSuffix(text.String(), "\n")...), nil
}

// Escaped writes every character of a JSON text that is not ASCII and not printable as \uXXXX. Such
// stand in strings only, where encoding/json has escaped those of ASCII, but DEL.
func Escaped(text []byte) []byte {
	hidden := func(r rune) bool { return r == 0x7F || r > 0x7F && !unicode.IsPrint(r) }
	if bytes.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		switch {
		case !hidden(r):
			b = utf8.AppendRune(b, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}
