package op

import (
	"fmt"
	"math"

	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// MaxWork is how much work a recording may ask for unless the caller says more: some ten minutes on
// two cores. A file of a few kilobytes may ask for years.
const MaxWork = 3e12

// productsPerSecond is what one core does. BenchmarkWork measures it op by op: 1.1 to 2.6·10⁹ on an
// amd64 server of 2026.
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

// JudgeWithin is Judge for recordings that ask for no more work than most; any other is unusable,
// and the reason says what it asks for.
func JudgeWithin(rec *recording.Recording, most float64) verdict.Verdict {
	// What Work cannot bind, Judge cannot, and says so.
	if work, err := Work(rec); err == nil && !(work <= most) {
		return unusable(rec,
			fmt.Errorf("%s: judging it takes some %.2g products, about %s on two cores, more than the limit of %.2g",
				rec.Name, work, lasting(work/(2*productsPerSecond)), most))
	}
	return Judge(rec)
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
	inputWork  = 50
	outputWork = 1500
)

// work adds up what the op does and what every element takes.
func (c *Case) work() float64 {
	total := 0.0
	for _, name := range c.rec.Inputs() {
		total += inputWork * product(c.rec.Shape(name))
		if _, made := c.rec.Recipe(name); made && c.inputs[name].parts {
			total += inputWork * product(c.rec.Shape(name)) // once more, for its sha256
		}
	}
	for _, name := range c.rec.Outputs() {
		total += outputWork * product(c.rec.Shape("out."+name))
	}
	if of, ok := works[c.Op.Name]; ok {
		total += of(c)
	}
	if math.IsNaN(total) {
		return math.Inf(1)
	}
	return total
}

func product(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}

// dim is Dim as a floating-point number, whose products do not overflow.
func (c *Case) dim(letter string) float64 { return c.dims[letter] }

// What the steps take that are no product of matrices, in products.
const (
	scoreWork = 400 // a score: its exponential, its errors, its place among equal ones
	angleWork = 400 // an angle: sine, cosine and their errors
	tokenWork = 400 // a token of an objective, or an element of a vocabulary
)

// works is the work of an op beside what every element takes. An op that is not here does a few
// steps for each element.
var works = map[string]func(c *Case) float64{
	"rope.table": func(c *Case) float64 { return angleWork * c.dim("N") * float64(c.Int("dim")) / 2 },
	"rope.apply": func(c *Case) float64 {
		return angleWork*c.dim("N")*c.dim("D")/2 + 50*c.dim("N")*c.dim("H")*c.dim("D")
	},
	"attention.forward": func(c *Case) float64 {
		return c.pairs(c.dim("T")) * (3*(c.dim("D")+c.dim("V")) + scoreWork)
	},
	"attention.backward": func(c *Case) float64 {
		return c.pairs(c.dim("T")) * (8*(c.dim("D")+c.dim("V")) + 3*scoreWork)
	},
	"attention.merge": func(c *Case) float64 { return 20 * c.dim("P") * c.dim("N") * c.dim("V") },
	"mla.decode": func(c *Case) float64 {
		pairs := c.pairs(c.dim("cols") * c.dim("page"))
		gathered := inputWork * pairs / (c.dim("S") * c.dim("H")) * c.dim("D")
		return gathered + pairs*(3*(c.dim("D")+float64(c.Int("value_dim")))+scoreWork)
	},
	"mla.layer":      (*Case).layerWork,
	"policy.logprob": func(c *Case) float64 { return tokenWork * c.dim("N") * c.dim("vocab") },
	"ppo.loss":       (*Case).lossWork,
	"grpo.loss":      (*Case).lossWork,
}

// pairs counts the scores of queries and keys, masked ones too; room is how many keys a sequence
// may have.
func (c *Case) pairs(room float64) float64 {
	keys := c.dim("B") * room
	if c.rec.Has("kv_lens") && c.dim("B") <= mostLengths {
		if lens, err := c.rec.Tensor("kv_lens"); err == nil {
			keys = 0
			for _, n := range lens.Data {
				keys += max(0, min(n, room))
			}
		}
	}
	return keys * c.dim("S") * c.dim("H")
}

// mostLengths is up to how many sequences the lengths are read for an estimate.
const mostLengths = 1 << 20

// layerWork counts the runs of a layer.
func (c *Case) layerWork() float64 {
	one := c.layerProducts()
	runs := min(max(math.Trunc(roundings*productsForARounding/(one+1)), fewestRuns), mostRuns)
	return one * (runs + 4)
}

// lossWork counts tokens, and the vocabulary of each where a loss is given logits.
func (c *Case) lossWork() float64 {
	return tokenWork * c.dim("N") * c.dim("L") * max(1, c.dim("vocab"))
}
