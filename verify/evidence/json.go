package evidence

import (
	"encoding/json"
	"io"
)

// WriteJSON writes all counts as one object: {"plumbline":1,"version":…,"seeds":…,"exp2":…,
// "rates":[…],"unsure":…,"alarms":[…],"misses":[…],"cases":[…]}. "strengths" are the edges of the
// bins; the last is of infinite strength.
func (r Report) WriteJSON(w io.Writer, version string) error {
	text, err := json.MarshalIndent(struct {
		Format    int       `json:"plumbline"`
		Version   string    `json:"version"`
		Strengths []float64 `json:"strengths"`
		Report
	}{1, version, edges, r.printed()}, "", " ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// printed is the report with numbers in the digits that all processors agree in, and with empty
// lists for none. What is wrong as a choice has no strength.
func (r Report) printed() Report {
	r.Rates, r.Cases = append([]Rates{}, r.Rates...), append([]Case{}, r.Cases...)
	r.Alarms, r.Misses = append([]Miss{}, r.Alarms...), append([]Miss{}, r.Misses...)
	for i := range r.Misses {
		r.Misses[i].Strength = inDigits(r.Misses[i].Strength)
	}
	for i := range r.Cases {
		c := &r.Cases[i]
		c.Value, c.Limit, c.Right = inDigits(c.Value), inDigits(c.Limit), inDigits(c.Right)
	}
	return r
}
