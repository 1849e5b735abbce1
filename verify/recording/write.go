package recording

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"plumbline/numbers/dtype"
)

// Number returns x as it stands in Attrs, so that it reads back exactly. x has to be finite.
func Number(x float64) json.Number {
	return json.Number(strconv.FormatFloat(x, 'g', -1, 64))
}

// Value returns the value of an attribute as it stands in Attrs: numbers, of lists too, as JSON has
// them, everything else as it is.
func Value(v any) any {
	switch v := v.(type) {
	case int:
		return Number(float64(v))
	case float64:
		return Number(v)
	case []int:
		list := make([]any, len(v))
		for i, n := range v {
			list[i] = Value(n)
		}
		return list
	}
	return v
}

// WriteTo writes the recording as a safetensors file. The bytes are determined by the content: the
// metadata in the order of the package comment, then Extra by key; JSON objects with sorted keys;
// tensors in file order. In the data the widest element types come first, so that every tensor is
// aligned, as PyTorch's views need it. What Read would refuse is an error, and nothing is written.
func (r *Recording) WriteTo(w io.Writer) (int64, error) {
	header, layout, err := r.header()
	if err != nil {
		return 0, within(r.Name, err)
	}
	n, err := w.Write(header)
	total := int64(n)
	for _, name := range layout {
		if err != nil {
			break
		}
		data := r.entries[name].data
		var n int64
		n, err = io.Copy(w, io.NewSectionReader(data, 0, data.Size()))
		if total += n; err == nil && n < data.Size() {
			err = io.ErrUnexpectedEOF
		}
		err = within("tensor "+short(name), err)
	}
	return total, within(r.Name, err)
}

// Save writes the recording to a temporary file beside path and renames it, so that path never
// holds half a recording. A recording may be saved over the file that it was opened from.
func (r *Recording) Save(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return within(path, cause(err))
	}
	_, err = r.WriteTo(file)
	// os.CreateTemp makes a file for its owner alone.
	err = cmp.Or(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return within(path, errors.Join(err, os.Remove(file.Name())))
	}
	return nil
}

// header returns the length and header of the file, and the names of the stored tensors in the
// order of their data.
func (r *Recording) header() ([]byte, []string, error) {
	metadata, err := r.metadata()
	if err != nil {
		return nil, nil, err
	}
	layout, begins, size := r.layout()
	text := append(make([]byte, 8), `{"`+metadataKey+`":`...)
	text = append(text, metadata...)
	for _, name := range r.stored {
		e, begin := r.entries[name], begins[name]
		key, _ := quote(name)
		shape, _ := encode(e.shape)
		text = fmt.Appendf(
			text, `,%s:{"dtype":"%v","shape":%s,"data_offsets":[%d,%d]}`, key, e.dtype, shape, begin,
			begin+e.data.Size(),
		)
	}
	text = append(text, '}')
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	binary.LittleEndian.PutUint64(text, uint64(len(text)-8))
	return text, layout, r.readable(text[8:], size)
}

// layout returns the names of the stored tensors in the order of their data, where that of each
// begins, and where it ends.
func (r *Recording) layout() (names []string, begins map[string]int64, size int64) {
	names = slices.Clone(r.stored)
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(r.entries[b].dtype.Size(), r.entries[a].dtype.Size())
	})
	begins = make(map[string]int64, len(names))
	for _, name := range names {
		begins[name] = size
		size += r.entries[name].data.Size()
	}
	return names, begins, size
}

// readable reads the header back: what a reader would refuse is not written.
func (r *Recording) readable(text []byte, size int64) error {
	if len(text) > maxHeader {
		return fmt.Errorf("header: %d bytes, want at most %d", len(text), maxHeader)
	}
	again, err := parse(text, io.NewSectionReader(bytes.NewReader(nil), 0, size))
	if err != nil {
		return err
	}
	return again.understand(r.limit)
}

// metadata returns the JSON object of that name. Objects without members are left out.
func (r *Recording) metadata() ([]byte, error) {
	op, err := quote(r.Op)
	if err != nil {
		return nil, within("op", err)
	}
	text := fmt.Appendf(nil, `{"plumbline":"%s","op":%s`, version, op)
	for _, key := range objects {
		fields, err := r.object(key)
		if err == nil && len(fields) == 0 {
			continue
		}
		value, encodeErr := encode(fields)
		if err := cmp.Or(err, encodeErr); err != nil {
			return nil, within(key, err)
		}
		value, _ = quote(value)
		text = fmt.Appendf(text, `,"%s":%s`, key, value)
	}
	text, err = r.appendExtra(text)
	return append(text, '}'), err
}

func (r *Recording) appendExtra(text []byte) ([]byte, error) {
	for _, key := range slices.Sorted(maps.Keys(r.Extra)) {
		if slices.Contains(objects, key) {
			return nil, fmt.Errorf("%s: in Extra, want it as a field", key)
		}
		name, nameErr := quote(key)
		value, err := quote(r.Extra[key])
		if err := cmp.Or(nameErr, err); err != nil {
			return nil, within(short(key), err)
		}
		text = fmt.Appendf(text, `,%s:%s`, name, value)
	}
	return text, nil
}

// object returns the members of one of the objects.
func (r *Recording) object(key string) (map[string]any, error) {
	switch key {
	case "attrs":
		return plainMap(r.Attrs)
	case "arithmetic":
		return plainMap(r.Arithmetic)
	case "provenance":
		return plainMap(r.Provenance)
	}
	generated := map[string]any{}
	for name, e := range r.entries {
		if e.recipe != nil {
			generated[name] = e.recipe.fields()
		}
	}
	return generated, nil
}

// plain returns v as encode writes it exactly, or says what JSON cannot hold.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int, int32, int64, uint64:
		return v, nil
	case float32:
		return plain(float64(v))
	case float64:
		if !dtype.Finite(v) {
			return nil, fmt.Errorf("%v, want a finite number", v)
		}
		return v, nil
	case json.Number:
		if v == "" { // encoding/json would write 0
			return nil, errors.New("empty number")
		}
		return v, nil
	case string:
		_, err := quote(v)
		return v, err
	case []any:
		return plainList(v)
	case map[string]any:
		return plainMap(v)
	}
	return nil, fmt.Errorf("%T, want a bool, string, number, []any or map[string]any", v)
}

func plainList(list []any) ([]any, error) {
	copied := make([]any, len(list))
	for i, v := range list {
		var err error
		if copied[i], err = plain(v); err != nil {
			return nil, within(fmt.Sprint("[", i, "]"), err)
		}
	}
	return copied, nil
}

func plainMap(fields map[string]any) (map[string]any, error) {
	copied := make(map[string]any, len(fields))
	for key, v := range fields {
		_, keyErr := quote(key)
		v, err := plain(v)
		if err := cmp.Or(keyErr, err); err != nil {
			return nil, within(short(key), err)
		}
		copied[key] = v
	}
	return copied, nil
}

// quote returns s as a JSON string.
func quote(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("invalid UTF-8")
	}
	return encode(s)
}

// encode returns v as JSON with sorted keys.
func encode(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
