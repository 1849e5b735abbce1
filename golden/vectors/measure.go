package vectors

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	_ "plumbline/verify/op/all"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// ReadVector reads one vector, and judges it if it is invalid.
func ReadVector(folder, path string) (Vector, error) {
	v, rec, err := open(folder, path)
	if err != nil {
		return v, err
	}
	defer rec.Close()
	if v.Result == Invalid {
		id, _ := rec.Provenance["mistake"].(string)
		v.Wrong, err = Measure(rec, id)
	}
	return v, err
}

// open reads what can be said of a vector without judging it.
func open(folder, path string) (Vector, *recording.Recording, error) {
	name := filepath.Join(folder, filepath.FromSlash(path))
	data, err := os.ReadFile(name)
	if err != nil {
		return Vector{}, nil, err
	}
	rec, err := recording.Open(name)
	if err != nil {
		return Vector{}, nil, err
	}
	sum := sha256.Sum256(data)
	v := Vector{File: path, Op: rec.Op, Result: Valid, SHA256: hex.EncodeToString(sum[:])}
	v.Producer, _ = rec.Provenance["producer"].(string)
	if strings.HasPrefix(path, invalidFolder) {
		v.Result = Invalid
	}
	return v, rec, nil
}

// Measure says what is wrong with a recording of a kernel that makes a mistake. The error is one if
// nothing is.
func Measure(rec *recording.Recording, mistake string) (*Wrong, error) {
	expected, err := op.Expect(rec)
	if err != nil {
		return nil, err
	}
	v := op.JudgeAgainst(rec, expected)
	if v.Status != verdict.Unexplained {
		return nil, fmt.Errorf("%s: %s, want unexplained", rec.Name, v.Status)
	}
	e, err := diagnosis.EffectOf(rec, expected, mistake)
	if err != nil {
		return nil, err
	}
	w := &Wrong{
		Mistake: e.ID, Numbers: e.Numbers, Strength: digits(e.Strength), Passes: []string{}, Thread: e.Thread,
		Hidden: e.Hidden,
	}
	if err := w.measure(rec, expected, v); err != nil {
		return nil, err
	}
	w.Effect = w.sentence()
	return w, nil
}

// measure compares the outputs with the truth, and asks the usual criteria.
func (w *Wrong) measure(rec *recording.Recording, expected []verdict.Expected, v verdict.Verdict) error {
	var pairs []pair
	chosen := true // indices, codes and decisions are right
	for i, want := range expected {
		got, err := rec.Tensor("out." + want.Name)
		if err != nil {
			return err
		}
		o := Output{Name: want.Name, Type: rec.Type("out." + want.Name).String()}
		o.Wrong = v.Outputs[i].Status == verdict.Unexplained
		if want.Choice != nil {
			o.Rows, o.WrongRows = want.Choice.Rows(), wrongRows(want.Choice, got)
			chosen = chosen && !o.Wrong
		} else {
			p := pairOf(rec, want, got)
			o.compare(p)
			pairs = append(pairs, p)
		}
		w.Outputs = append(w.Outputs, o)
	}
	if chosen {
		w.Passes = passes(pairs)
	}
	return nil
}

func wrongRows(c verdict.Choice, got *tensor.Tensor) (n int) {
	width := c.Width()
	for i := range c.Rows() {
		if c.Judge(i, got.Data[i*width:(i+1)*width]).Grade == verdict.Wrong {
			n++
		}
	}
	return n
}

// compare measures the error of an output of numbers: the largest in spacings of its type at the
// larger of both numbers, ‖got − want‖/‖want‖ and ‖got − want‖²/(‖got‖² + ‖want‖²).
func (o *Output) compare(p pair) {
	var apart, wanted, both, most float64
	for i, t := range p.Truth {
		g := p.Got[i]
		switch {
		case !dtype.Finite(g) && !dtype.Finite(t) && (g == t || math.IsNaN(g) && math.IsNaN(t)):
			continue
		case !dtype.Finite(g) || !dtype.Finite(t):
			o.NotFinite++
			continue
		}
		d := g - t
		most = max(most, math.Abs(d)/p.Type.Spacing(max(math.Abs(g), math.Abs(t))))
		apart, wanted, both = apart+d*d, wanted+t*t, both+g*g+t*t
	}
	o.Spacings = digits(most)
	o.RelativeL2 = digits(math.Sqrt(ratio(apart, wanted)))
	o.CalcDiff = digits(ratio(apart, both))
}

// ratio is a/b, of nothing and nothing 0, and of something and nothing 1: wholly wrong.
func ratio(a, b float64) float64 {
	switch {
	case a == 0:
		return 0
	case b == 0:
		return 1
	}
	return a / b
}

// digits rounds to three significant digits: processors differ in the last bits.
func digits(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// sentence says what a checker sees.
func (w *Wrong) sentence() string {
	var wrong, right []string
	for _, o := range w.Outputs {
		if o.Wrong {
			wrong = append(wrong, o.sentence())
		} else {
			right = append(right, o.Name)
		}
	}
	text := strings.Join(wrong, "; ")
	if len(wrong) == 0 {
		text = "no output is wrong by itself, all together are"
	}
	if len(right) > 0 && len(wrong) > 0 {
		text += "; " + strings.Join(right, ", ") + " as declared"
	}
	return text
}

func (o Output) sentence() string {
	if o.Rows > 0 {
		return fmt.Sprintf("%s wrong in %d of %d rows", o.Name, o.WrongRows, o.Rows)
	}
	text := fmt.Sprintf("%s off by up to %s spacings of %s, relative L2 error %s, calc_diff %s",
		o.Name, number(o.Spacings), o.Type, number(o.RelativeL2), number(o.CalcDiff))
	if o.NotFinite > 0 {
		text += fmt.Sprintf(", %d not finite or should not be", o.NotFinite)
	}
	return text
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }

// pairOf is an output beside its truth, of the elements that are judged.
func pairOf(rec *recording.Recording, want verdict.Expected, got *tensor.Tensor) pair {
	p := pair{Op: rec.Op, Output: want.Name, Type: want.Type, Call: rec}
	truth := want.Settled(got).Truth.Data
	for i, g := range got.Data {
		if want.Judged(i) {
			p.Got, p.Truth = append(p.Got, g), append(p.Truth, truth[i])
		}
	}
	p.Got, p.Truth = slices.Clip(p.Got), slices.Clip(p.Truth)
	return p
}
