package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plumbline/verify/verdict"
)

// Run is what a JSON report holds.
type Run struct {
	Version    string
	Shard      *Shard // nil: the whole run
	Recordings []Entry
	Summary    Summary
}

// MostRead bounds a report that is read, in bytes; mostListed a list in it, that of recordings
// among them, since what takes three bytes there may take hundreds in memory; mostFree the values
// that all recordings say of themselves, and mostDeep how deep values stand in values.
const (
	MostRead   = 1 << 30
	mostListed = 1 << 20
	mostFree   = 1 << 22
	mostDeep   = 64
)

// errCut is what is said of a report that ends too early.
var errCut = errors.New("the report is cut short: it ends before its last bracket")

// Read reads what JSON writes, all of it and nothing else: a key that is not known, is missing or
// stands there twice, a number out of place and a summary that does not count what stands there are
// errors.
func Read(r io.Reader) (*Run, error) {
	limited := &io.LimitedReader{R: r, N: MostRead + 1}
	d := &decoder{Decoder: json.NewDecoder(limited)}
	d.UseNumber()
	run, err := d.run()
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the report is larger than %d bytes", MostRead)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errCut
	case err != nil:
		return nil, fmt.Errorf("%w, at byte %d", err, d.InputOffset())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more behind the end of the report, at byte %d", d.InputOffset())
	}
	return run, nil
}

// decoder reads JSON token by token.
type decoder struct {
	*json.Decoder
	freed int // values that free has read
}

// run reads the object of a report, whose version stands first.
func (d *decoder) run() (*Run, error) {
	run, seen := &Run{}, []string(nil)
	err := d.object(func(key string) error {
		if len(seen) == 0 && key != "plumbline" {
			return fmt.Errorf("key %s comes first, want \"plumbline\" with the version of the format", quoted(key))
		}
		seen = append(seen, key)
		switch key {
		case "plumbline":
			return d.format()
		case "version":
			return d.value(reflect.ValueOf(&run.Version).Elem(), key)
		case "shard":
			run.Shard = &Shard{}
			return cmp.Or(d.value(reflect.ValueOf(run.Shard).Elem(), key), run.Shard.check())
		case "recordings":
			return d.value(reflect.ValueOf(&run.Recordings).Elem(), key)
		case "summary":
			return d.value(reflect.ValueOf(&run.Summary).Elem(), key)
		case "comparison":
			return errors.New("it compares two recordings, and is no report of a run")
		}
		return unknown(key)
	})
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"version", "recordings", "summary"} {
		if !slices.Contains(seen, key) {
			return nil, fmt.Errorf("no key %q", key)
		}
	}
	return run, run.counted()
}

// format reads the version of the format.
func (d *decoder) format() error {
	token, err := d.Token()
	if err == nil && token != json.Number("1") {
		err = fmt.Errorf("format version %s, want 1, which alone is known", quoted(fmt.Sprint(token)))
	}
	return err
}

// counted checks the summary, and that no recording is said to be better than an output of it.
func (r *Run) counted() error {
	var s Summary
	for _, e := range r.Recordings {
		s.Count(e.Status)
		for _, o := range e.Outputs {
			if o.Status == verdict.Unexplained && e.Status < o.Status {
				return fmt.Errorf("%s is %s, and its output %s %s", quoted(e.File), e.Status, quoted(o.Name), o.Status)
			}
		}
	}
	if s != r.Summary {
		return fmt.Errorf("the summary says %s, and there are %s", r.Summary, s)
	}
	return nil
}

func unknown(key string) error {
	return fmt.Errorf("key %s is not known: a later Plumbline may have written it", quoted(key))
}

// quoted is what stands in a file, in an error.
func quoted(s string) string { return strconv.Quote(Brief(s)) }

// object reads one, calling f at the value of each key.
func (d *decoder) object(f func(key string) error) error {
	if err := d.delim('{', "an object"); err != nil {
		return err
	}
	return d.members(f)
}

// members reads the rest of an object whose bracket is read.
func (d *decoder) members(f func(key string) error) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key := token.(string) // the decoder sees to it
		if seen[key] {
			return fmt.Errorf("key %s stands there twice", quoted(key))
		}
		seen[key] = true
		if err := f(key); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// delim reads a bracket that has to come.
func (d *decoder) delim(want json.Delim, what string) error {
	token, err := d.Token()
	if err == nil && token != want {
		err = fmt.Errorf("%s, want %s", quoted(fmt.Sprint(token)), what)
	}
	return err
}

// value reads what appendJSON has written of a value.
func (d *decoder) value(v reflect.Value, field string) (err error) {
	switch _, isStatus := v.Addr().Interface().(*verdict.Status); {
	case isStatus:
		return d.scalar(v, field)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), field)
	case v.Kind() == reflect.Struct:
		return d.structure(v, field)
	case v.Kind() == reflect.Slice:
		return d.list(v, field)
	case v.Kind() == reflect.Map:
		free := map[string]any{}
		v.Set(reflect.ValueOf(free))
		return d.object(func(key string) error {
			free[key], err = d.free(1)
			return err
		})
	}
	return d.scalar(v, field)
}

// structure reads an object that has no other keys than a struct, and all that are never left out.
func (d *decoder) structure(v reflect.Value, field string) error {
	fields, due := map[string]reflect.Value{}, map[string]bool{}
	collect(v, fields, due)
	err := d.object(func(key string) error {
		at, ok := fields[key]
		if !ok {
			return unknown(key)
		}
		delete(due, key)
		return d.value(at, key)
	})
	if missing := slices.Sorted(maps.Keys(due)); err == nil && len(missing) > 0 {
		err = fmt.Errorf("no key %q within %q", missing[0], field)
	}
	return err
}

// collect finds the fields of a struct by their keys, those of embedded structs among them, and
// which are never left out.
func collect(v reflect.Value, fields map[string]reflect.Value, due map[string]bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			collect(v.Field(i), fields, due)
		} else if name, options, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			fields[name] = v.Field(i)
			if options != "omitempty" {
				due[name] = true
			}
		}
	}
}

func (d *decoder) list(v reflect.Value, field string) error {
	if err := d.delim('[', "a list for "+field); err != nil {
		return err
	}
	for d.More() {
		if v.Len() == mostListed {
			return fmt.Errorf("more than %d entries within %q", mostListed, field)
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(item, field); err != nil {
			return err
		}
		v.Set(reflect.Append(v, item))
	}
	_, err := d.Token()
	return err
}

// scalar reads a number, a word or a truth value.
func (d *decoder) scalar(v reflect.Value, field string) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if !fits(v, token) {
		return fmt.Errorf("%s for key %q, want %s", quoted(fmt.Sprint(token)), field, wanted(v))
	}
	return nil
}

// fits sets a value to a token, and tells whether it is of its kind.
func fits(v reflect.Value, token json.Token) bool {
	switch x := token.(type) {
	case string:
		if s, ok := v.Addr().Interface().(*verdict.Status); ok {
			return s.UnmarshalText([]byte(x)) == nil
		}
		if v.Kind() == reflect.Float64 && slices.Contains([]string{"NaN", "+Inf", "-Inf"}, x) {
			f, err := strconv.ParseFloat(x, 64)
			v.SetFloat(f)
			return err == nil
		}
		if v.Kind() == reflect.String {
			v.SetString(x)
		}
		return v.Kind() == reflect.String
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
		}
		return v.Kind() == reflect.Bool
	case json.Number:
		return fitsNumber(v, x)
	}
	return false
}

func fitsNumber(v reflect.Value, x json.Number) bool {
	switch v.Addr().Interface().(type) {
	case *float64:
		f, err := x.Float64()
		v.SetFloat(f)
		return err == nil
	case *int:
		n, err := strconv.Atoi(x.String())
		v.SetInt(int64(n))
		return err == nil
	}
	return false
}

// wanted says what a value holds.
func wanted(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *verdict.Status:
		return "a verdict"
	case *float64:
		return `a number, "NaN", "+Inf" or "-Inf"`
	case *int:
		return "a whole number"
	case *bool:
		return "true or false"
	}
	return "a string"
}

// free reads any value, as of a provenance.
func (d *decoder) free(deep int) (any, error) {
	if deep > mostDeep {
		return nil, fmt.Errorf("values stand more than %d deep in values", mostDeep)
	}
	if d.freed++; d.freed > mostFree {
		return nil, fmt.Errorf("recordings say more than %d values of themselves", mostFree)
	}
	token, err := d.Token()
	switch token {
	case json.Delim('['):
		list := []any{}
		for err == nil && d.More() {
			var item any
			item, err = d.free(deep + 1)
			list = append(list, item)
		}
		if err == nil {
			_, err = d.Token()
		}
		return list, err
	case json.Delim('{'):
		object := map[string]any{}
		err = d.members(func(key string) error {
			object[key], err = d.free(deep + 1)
			return err
		})
		return object, err
	}
	return token, err
}
