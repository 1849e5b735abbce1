package objective

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/dtype"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(crossEntropyOp) }

// crossEntropyOp is policy.cross_entropy.
var crossEntropyOp = &op.Op{
	Name:      "policy.cross_entropy",
	Doc:       "Cross-entropy from hidden states: the head of a model and its loss in one, with both gradients.",
	Equations: []string{"policy.CrossEntropy", "policy.CrossEntropyBackward"},
	Inputs: []op.Tensor{
		{Name: "hidden", Shape: []string{"N", "d"}, Doc: "what enters the head, one row for each position"},
		{Name: "weight", Shape: []string{"vocab", "d"}, Parts: true, Doc: "the head"},
		{Name: "targets", Shape: []string{"N"}, Integer: true, Doc: "the token to be predicted"},
	},
	Outputs: []op.Tensor{
		{Name: "loss", Shape: noShape, Doc: "the loss; where no target counts nothing is judged of its mean, 0/0"},
		{Name: "token_loss", Shape: []string{"N"}, Axes: []string{"token"}, Doc: "losses of rows, before any divisor"},
		{
			Name: "dhidden", Shape: []string{"N", "d"}, Axes: []string{"token", "column"},
			Doc: "gradient of the loss for hidden; 0 for rows that do not count",
		},
		{
			Name: "dweight", Shape: []string{"vocab", "d"}, Axes: []string{"vocabulary", "column"},
			Doc: "gradient of the loss for weight",
		},
	},
	Attrs: []op.Attr{
		{
			Name: "ignore_index", Kind: op.Integer, Default: -100,
			Doc: "the target of rows that count nowhere, whatever they hold",
		},
		{
			Name: "reduction", Kind: op.Choice, Default: "mean", Choices: []string{"mean", "sum"},
			Doc: "whether the losses of the rows that count are averaged or summed",
		},
		temperatureAttr,
	},
	Arithmetic: []op.Key{
		{Name: "accumulate", Default: "F32", Doc: "all products and sums"}, storedKey, {
			Name: "combine", Default: "F32",
			Doc: "parts of dweight, of chunks of rows, are rounded to it, added in it and kept in it",
		},
	},
	Check: all(checkTargets, checkTemperature, checkDweight),
	Truth: crossEntropy,
	Work:  crossEntropyWork,
}

// storedKey is of what fused kernels keep between their products.
var storedKey = op.Key{
	Name: "intermediate", Default: "the type of hidden",
	Doc: "logits and their gradients, and what eager frameworks round beside them: log-probabilities, probabilities",
}

// mostDweight is how many elements of dweight are judged together: runs of each take a kilobyte.
const mostDweight = 1 << 23

// checkDweight bounds the memory that a few bytes may ask for.
func checkDweight(c *op.Case) error {
	if n := c.Extent("vocab") * c.Extent("d"); c.Wants("dweight") && n > mostDweight {
		return fmt.Errorf("tensor %q: %.0f elements, which take some %.2g GB of memory, want at most %d, or none",
			"out.dweight", n, n/1e6, mostDweight)
	}
	return nil
}

// checkTargets checks that targets are tokens of the vocabulary.
func checkTargets(c *op.Case) error {
	for n, y := range c.Input("targets").Data {
		if y != float64(c.Int("ignore_index")) && (y < 0 || y >= c.Extent("vocab")) {
			return fmt.Errorf("tensor %q: index [%d]: token %v, want 0 to %d, or %d for a row that does not count",
				"targets", n, y, c.Dim("vocab")-1, c.Int("ignore_index"))
		}
	}
	return nil
}

// crossEntropyWork counts the products of logits, of gradients in all runs, and the steps of a
// softmax.
func crossEntropyWork(c *op.Case) float64 {
	logits := c.Extent("N") * c.Extent("vocab")
	products := 1.0
	for _, gradient := range []string{"dhidden", "dweight"} {
		if c.Wants(gradient) {
			products += op.FewestRuns
		}
	}
	return logits * (c.Extent("d")*products + op.TokenWork)
}

// head is a bound case of policy.cross_entropy: the rows that count.
type head struct {
	c           *op.Case
	rows        []int      // that count
	hidden      *mat.Dense // of these, in their order
	targets     []int
	weight      step.Weights
	temperature float64
	divisor     float64
	stored      dtype.Type
	operands    step.Operands // of the logits

	loss, losses, dhidden, dweight []float64  // truths
	squares                        *mat.Dense // of the terms of dweight
}

func newHead(c *op.Case) *head {
	h := &head{
		c: c, temperature: c.Float("temperature"), stored: c.TypeOr(c.Arithmetic.Intermediate, "hidden"), divisor: 1,
		weight: step.WeightsOf(c, "weight", 0),
		operands: step.Operands{
			Accumulate: c.Arithmetic.Accumulate, X: c.Recording.Type("hidden"), W: c.Recording.Type("weight"),
		},
	}
	var data []float64
	for n, y := range c.Input("targets").Data {
		if y != float64(c.Int("ignore_index")) {
			h.rows, h.targets = append(h.rows, n), append(h.targets, int(y))
			data = append(data, c.Input("hidden").Row(n)...)
		}
	}
	if len(h.rows) > 0 {
		h.hidden = mat.NewDense(len(h.rows), c.Dim("d"), data)
	}
	if c.Word("reduction") == "mean" {
		h.divisor = float64(max(1, len(h.rows)))
	}
	return h
}

// gradients tells whether any is wanted.
func (h *head) gradients() bool { return h.c.Wants("dhidden") || h.c.Wants("dweight") }

// crossEntropy is policy.cross_entropy.
func crossEntropy(c *op.Case) ([]verdict.Expected, error) {
	h := newHead(c)
	n, vocab, d := c.Dim("N"), c.Dim("vocab"), c.Dim("d")
	work := roundingsOfLogit * float64(len(h.rows)*vocab)
	if c.Wants("dweight") {
		work += float64(vocab * d)
	}
	h.loss, h.losses, h.dhidden = []float64{0}, make([]float64, n), make([]float64, n*d)
	if c.Wants("dweight") {
		h.dweight, h.squares = make([]float64, vocab*d), mat.NewDense(vocab, d, nil)
	}
	return c.RunBatch(h.run, h.forms(), work,
		op.Expectation{
			Name: "loss", Truth: h.loss, Shape: []int{},
			Unjudged: []bool{len(h.rows) == 0 && c.Word("reduction") == "mean"},
		},
		op.Expectation{Name: "token_loss", Truth: h.losses, Shape: []int{n}, Unjudged: h.uncounted()},
		op.Expectation{Name: "dhidden", Truth: h.dhidden, Shape: []int{n, d}},
		op.Expectation{Name: "dweight", Truth: h.dweight, Shape: []int{vocab, d}}), nil
}

// roundingsOfLogit is how many a logit takes in a run.
const roundingsOfLogit = 16

// uncounted marks the rows that do not count.
func (h *head) uncounted() []bool {
	all := slices.Repeat([]bool{true}, h.c.Dim("N"))
	for _, n := range h.rows {
		all[n] = false
	}
	return all
}

// addTruth adds what the equations say of row i of those that count, and returns the gradient of
// its logits.
func (h *head) addTruth(i int, logits []float64) []float64 {
	loss := policy.CrossEntropy(logits, h.targets[i], h.temperature)
	h.losses[h.rows[i]] = loss
	h.loss[0] += loss / h.divisor
	dz := policy.CrossEntropyBackward(logits, h.targets[i], h.temperature)
	for j := range dz {
		dz[j] /= h.divisor
	}
	return dz
}
