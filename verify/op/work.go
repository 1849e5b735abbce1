package op

import (
	"fmt"
	"math"

	"plumbline/verify/recording"
)

// MaxWork is how much work a recording may ask for unless the caller says more: some ten minutes on
// two cores. A file of a few kilobytes may ask for years.
const MaxWork = 3e12

// MostOutputs is how many elements of outputs are judged together: what is known of each from its
// runs takes some perOutput bytes, 13 GB for so many.
const (
	MostOutputs = 1 << 25
	perOutput   = 400
)

// productsPerSecond is what one core does, on an amd64 server of 2026. BenchmarkWork measures it op
// by op, on outputs that nothing explains: those take two or three times as long.
const productsPerSecond = 1.8e9

// Work estimates what judging a recording takes, in multiplications with addition as a product of
// matrices has them; other steps count by the time that they take. It reads the heads of tensors
// and the lengths of sequences, nothing else. The error says what keeps the recording from being
// judged.
func Work(rec *recording.Recording) (float64, error) {
	op, err := opOf(rec)
	if err != nil {
		return 0, err
	}
	return guarded(func() (float64, error) {
		c, err := bindHead(op, rec)
		if err != nil {
			return 0, err
		}
		return c.work(), nil
	})
}

// WorkOnce estimates what running one emulated kernel takes, in products as Work counts them.
func WorkOnce(rec *recording.Recording) (float64, error) {
	op, err := opOf(rec)
	if err != nil {
		return 0, err
	}
	return guarded(func() (float64, error) {
		c, err := bindHead(op, rec)
		switch {
		case err != nil:
			return 0, err
		case op.Once == nil:
			return c.work() / judgedByOnce, nil
		}
		return op.Once(c), nil
	})
}

// judgedByOnce is how many times the work of one emulated kernel judging takes, where it is of no
// more than the formula and the sizes of its terms.
const judgedByOnce = 4

// affordable says of a recording that asks for more work than most, or has more outputs than
// MostOutputs, what it asks for.
func affordable(rec *recording.Recording, most float64) error {
	// What Work cannot bind, Judge cannot, and says so.
	if work, err := Work(rec); err == nil {
		if err := affordableWork(rec, work, most); err != nil {
			return err
		}
	}
	if n := outputsOf(rec); n > MostOutputs {
		return fmt.Errorf("%s: %.0f elements of outputs, which take some %.2g GB of memory, want at most %d",
			rec.Name, n, n*perOutput/1e9, MostOutputs)
	}
	return nil
}

// outputsOf counts the elements of all outputs.
func outputsOf(rec *recording.Recording) (n float64) {
	for _, name := range rec.Outputs() {
		n += Elements(rec.Shape("out." + name))
	}
	return n
}

// lasting writes a number of seconds as people say it.
func lasting(seconds float64) string {
	for _, unit := range []struct {
		seconds float64
		name    string
	}{{365.25 * 86400, "years"}, {86400, "days"}, {3600, "hours"}, {60, "minutes"}} {
		if n := seconds / unit.seconds; n >= 2 {
			return fmt.Sprintf("%.2g %s", n, unit.name)
		}
	}
	return fmt.Sprintf("%.2g seconds", seconds)
}

// What every element takes, in products: decoding an input; the score of an output, and its part in
// the slices.
const (
	InputWork  = 50
	outputWork = 10000
)

// work adds up what the op does and what every element takes.
func (c *Case) work() float64 {
	total := c.inputWork() + outputWork*outputsOf(c.Recording)
	if c.Op.Work != nil {
		total += c.Op.Work(c)
	}
	if math.IsNaN(total) {
		return math.Inf(1)
	}
	return total
}

// inputWork is what reading the inputs takes.
func (c *Case) inputWork() (total float64) {
	for _, name := range c.Recording.Inputs() {
		total += InputWork * Elements(c.Recording.Shape(name))
		if _, made := c.Recording.Recipe(name); made && c.inputs[name].parts {
			total += InputWork * Elements(c.Recording.Shape(name)) // once more, for its sha256
		}
	}
	return total
}

// Elements returns how many elements a shape has, which an int may not hold.
func Elements(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}

// Extent is Dim as a floating-point number, whose products do not overflow.
func (c *Case) Extent(letter string) float64 { return c.dims[letter] }

// What the steps take that are no product of matrices, in products.
const (
	ScoreWork = 400 // a score: its exponential, its errors, its place among equal ones
	AngleWork = 400 // an angle: sine, cosine and their errors
	TokenWork = 400 // a token of an objective, or an element of a vocabulary
)
