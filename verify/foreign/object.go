package foreign

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"plumbline/internal/spelling"
)

// object is a JSON object of a file, with where it stands for messages. The methods that read a
// member keep the first that is not as it should be, and go on with nothing.
type object struct {
	where  string
	fields map[string]any
	err    *error
}

// objectOf begins with the object that a file is.
func objectOf(where string, fields map[string]any) object {
	return object{where, fields, new(error)}
}

func (o object) fail(key string, value any, want string) {
	if *o.err == nil {
		*o.err = fmt.Errorf("%s: %s: found %s, want %s", o.where, spelling.Quote(key), spelling.Show(value), want)
	}
}

func (o object) keys() []string { return sorted(o.fields) }

// has tells whether there is a member, and not null.
func (o object) has(key string) bool { return o.fields[key] != nil }

// in returns a member that is an object; one that is missing is empty.
func (o object) in(key string) object {
	inner := object{o.where + ": " + clip(key), nil, o.err}
	var ok bool
	if value := o.fields[key]; value != nil {
		if inner.fields, ok = value.(map[string]any); !ok {
			o.fail(key, value, "an object")
		}
	}
	return inner
}

// list returns the objects of a member that is a list of them.
func (o object) list(key string) []object {
	items, ok := o.fields[key].([]any)
	if !ok && o.has(key) {
		o.fail(key, o.fields[key], "a list")
	}
	objects := make([]object, len(items))
	for i, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			o.fail(key, item, "a list of objects")
		}
		objects[i] = object{fmt.Sprintf("%s: %s[%d]", o.where, clip(key), i), fields, o.err}
	}
	return objects
}

func (o object) str(key string) string {
	s, ok := o.fields[key].(string)
	if !ok && o.has(key) {
		o.fail(key, o.fields[key], "a string")
	}
	return s
}

func (o object) flag(key string) bool {
	b, ok := o.fields[key].(bool)
	if !ok && o.has(key) {
		o.fail(key, o.fields[key], "true or false")
	}
	return b
}

// number returns a member that is a finite number, and whether there is one.
func (o object) number(key string) (float64, bool) {
	n, ok := o.fields[key].(json.Number)
	x, err := strconv.ParseFloat(string(n), 64)
	if !o.has(key) {
		return 0, false
	}
	if !ok || err != nil || math.IsInf(x, 0) {
		o.fail(key, o.fields[key], "a number")
		return 0, false
	}
	return x, true
}

// integer returns a member that is a whole number, and whether there is one.
func (o object) integer(key string) (int, bool) {
	if !o.has(key) {
		return 0, false
	}
	n, ok := whole(o.fields[key])
	if !ok {
		o.fail(key, o.fields[key], "a whole number")
	}
	return n, ok
}

// integers returns a member that is a list of whole numbers.
func (o object) integers(key string) []int {
	items, ok := o.fields[key].([]any)
	if !ok {
		o.fail(key, o.fields[key], "a list of whole numbers")
		return nil
	}
	list := make([]int, len(items))
	for i, item := range items {
		n, ok := whole(item)
		if !ok {
			o.fail(key, item, "a list of whole numbers")
		}
		list[i] = n
	}
	return list
}

// whole reads a whole number of 32 bits or of 64, as int has them.
func whole(value any) (int, bool) {
	n, ok := value.(json.Number)
	i, err := strconv.Atoi(string(n))
	return i, ok && err == nil
}

// clip shortens a word of a file for a message.
func clip(word string) string {
	const most = 60
	if len(word) <= most {
		return word
	}
	return word[:most] + "…"
}
