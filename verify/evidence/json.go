package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes all counts as one object, an entry of each list on a line: {"plumbline":1,
// "version":…,"seeds":…,"exp2":…,"strengths":…,"unsure":…,"rates":[…],"alarms":[…],"misses":[…],
// "cases":[…]}. "strengths" are the edges of the bins; the last is of infinite strength.
func (r Report) WriteJSON(w io.Writer, version string) error {
	r = r.printed()
	o := &object{}
	o.field("plumbline", 1)
	o.field("version", version)
	o.field("seeds", r.Seeds)
	o.field("exp2", r.Exp2)
	o.field("strengths", edges)
	o.field("unsure", r.Unsure)
	list(o, "rates", r.Rates)
	list(o, "alarms", r.Alarms)
	list(o, "misses", r.Misses)
	list(o, "cases", r.Cases)
	if o.err != nil {
		return o.err
	}
	_, err := fmt.Fprintf(w, "{%s\n}\n", o.Bytes())
	return err
}

// object is what stands between the braces. It keeps the first error.
type object struct {
	bytes.Buffer
	err error
}

func (o *object) name(name string) {
	if o.Len() > 0 {
		o.WriteByte(',')
	}
	fmt.Fprintf(o, "\n%q: ", name)
}

func (o *object) value(value any) {
	text, err := json.Marshal(value)
	if o.err == nil {
		o.err = err
	}
	o.Write(text)
}

func (o *object) field(name string, value any) {
	o.name(name)
	o.value(value)
}

func list[T any](o *object, name string, values []T) {
	o.name(name)
	o.WriteByte('[')
	for i, v := range values {
		if i > 0 {
			o.WriteByte(',')
		}
		o.WriteByte('\n')
		o.value(v)
	}
	o.WriteByte(']')
}

// printed is the report with numbers in the digits that all processors agree in. What is wrong as a
// choice has no strength.
func (r Report) printed() Report {
	r.Misses, r.Cases = append([]Miss{}, r.Misses...), append([]Case{}, r.Cases...)
	for i := range r.Misses {
		r.Misses[i].Strength = inDigits(r.Misses[i].Strength)
	}
	for i := range r.Cases {
		c := &r.Cases[i]
		c.Value, c.Limit, c.Right = inDigits(c.Value), inDigits(c.Limit), inDigits(c.Right)
	}
	return r
}
