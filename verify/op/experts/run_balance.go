package experts

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/moe"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// balanceLoss is moe.balance_loss.
func balanceLoss(c *op.Case) ([]verdict.Expected, error) {
	scores, ids, alpha := c.Input("scores").View(0), Chosen(c), c.Float("alpha")
	var loss float64
	switch c.Word("kind") {
	case "expert":
		loss = moe.ExpertLoss(normalized(c, scores), ids, alpha)
	case "device":
		loss = moe.DeviceLoss(normalized(c, scores), ids, Devices(c), alpha)
	case "communication":
		loss = moe.CommunicationLoss(normalized(c, scores), ids, Devices(c), MostDevices(c), alpha)
	case "sequence":
		loss = moe.LossPerSequence(normalized(c, scores), ids, SequenceLength(c), alpha)
	}
	work := 4 * c.Dim("N") * c.Dim("E")
	return c.Run(lossProgram(c, ids), float64(work),
		op.Expectation{Name: "loss", Truth: []float64{loss}, Shape: []int{}}), nil
}

func normalized(c *op.Case, scores *mat.Dense) mat.Matrix {
	if c.Flag("normalize_scores") {
		return moe.NormalizeScores(scores)
	}
	return scores
}

// Devices returns the device of each expert.
func Devices(c *op.Case) []int {
	devices := make([]int, c.Dim("E"))
	for e, d := range c.Input("groups").Data {
		devices[e] = int(d)
	}
	return devices
}

// MostDevices is M, all that there are where nothing is said.
func MostDevices(c *op.Case) int {
	if c.Has("top_groups") {
		return c.Int("top_groups")
	}
	return slices.Max(Devices(c)) + 1
}

// lossRun has the places of a loss: means of scores, shares of tokens, and the sum of their
// products.
type lossRun struct {
	c                                 *op.Case
	row, column, group, terms, means  arithmetic.Adder
	quotient, mean, share, part, term arithmetic.Grid
	factor, kept                      arithmetic.Grid
}

// lossProgram is a balance loss as kernels compute it: it is one of shares of tokens, which are
// counted, times mean scores, of experts or of devices.
func lossProgram(c *op.Case, ids [][]int) op.Program {
	work := c.Arithmetic.Intermediate
	if work == dtype.Invalid {
		work = c.Arithmetic.Accumulate.Working()
	}
	return func(r *arithmetic.Run) map[string][]float64 {
		a := c.Arithmetic.Accumulate
		l := &lossRun{
			c: c, kept: r.Grid(work), row: r.Adder(a), column: r.Adder(a), group: r.Adder(a), terms: r.Adder(a),
			means:    r.Adder(a),
			quotient: r.Grid(work), mean: r.Grid(work), share: r.Grid(work), part: r.Grid(work), term: r.Grid(work),
			factor: r.Grid(work),
		}
		length := c.Dim("N")
		if c.Word("kind") == "sequence" {
			length = SequenceLength(c)
		}
		var losses []float64
		for from := 0; from < c.Dim("N"); from += length {
			losses = append(losses, l.of(from, from+length, ids[from:from+length]))
		}
		loss := losses[0]
		if len(losses) > 1 {
			loss = l.mean.Round(l.means.Sum(losses) / float64(len(losses)))
		}
		return map[string][]float64{"loss": {l.factor.Round(c.Float("alpha")) * loss}}
	}
}

// of returns Σ f P of tokens from … to−1.
func (l *lossRun) of(from, to int, ids [][]int) float64 {
	shares, means := l.share.RoundAll(moe.RelativeLoads(ids, l.c.Dim("E"))), l.scores(from, to)
	if l.c.Word("kind") == "device" || l.c.Word("kind") == "communication" {
		shares, means = l.byDevice(shares, means, ids)
	}
	for i, f := range shares {
		shares[i] = l.term.Round(f * means[i])
	}
	return l.kept.Round(l.terms.Sum(shares))
}

// scores returns the mean score of each expert.
func (l *lossRun) scores(from, to int) []float64 {
	experts := l.c.Dim("E")
	columns := make([][]float64, experts)
	for n := from; n < to; n++ {
		row := l.c.Input("scores").Row(n)
		sum := 1.0
		if l.c.Flag("normalize_scores") {
			sum = l.kept.Round(l.row.Sum(row))
		}
		for e, s := range row {
			if l.c.Flag("normalize_scores") {
				s = l.quotient.Round(s / sum)
			}
			columns[e] = append(columns[e], s)
		}
	}
	means := make([]float64, experts)
	for e, column := range columns {
		means[e] = l.mean.Round(l.kept.Round(l.column.Sum(column)) / float64(to-from))
	}
	return means
}

// byDevice returns shares and scores of devices: the mean share of a device's experts, or that of
// tokens which are sent to it.
func (l *lossRun) byDevice(shares, means []float64, ids [][]int) (f, p []float64) {
	devices := Devices(l.c)
	members := make([][]int, slices.Max(devices)+1)
	for e, d := range devices {
		members[d] = append(members[d], e)
	}
	f, p = make([]float64, len(members)), make([]float64, len(members))
	for d, experts := range members {
		var of, s []float64
		for _, e := range experts {
			of, s = append(of, shares[e]), append(s, means[e])
		}
		p[d] = l.kept.Round(l.group.Sum(s))
		f[d] = l.part.Round(l.group.Sum(of) / math.Max(1, float64(len(of))))
	}
	if l.c.Word("kind") == "communication" {
		f = l.part.RoundAll(moe.RelativeSentLoads(ids, devices, MostDevices(l.c)))
	}
	return f, p
}

// biasUpdate is moe.bias_update.
func biasUpdate(c *op.Case) ([]verdict.Expected, error) {
	bias, load := c.Input("bias").Row(), make([]int, c.Dim("E"))
	for e, n := range c.Input("load").Data {
		load[e] = int(n)
	}
	var truth []float64
	switch rate := c.Float("rate"); {
	case c.Word("rule") == "proportional": // its steps add up to 0
		truth = moe.BiasProportional(bias, load, rate)
	case c.Flag("center"):
		truth = moe.BiasSignCentered(bias, load, rate)
	default:
		truth = moe.BiasSign(bias, load, rate)
	}
	return c.Run(biasProgram(c, load), float64(8*len(bias)),
		op.Expectation{Name: "bias", Truth: truth, Shape: []int{len(bias)}}), nil
}

// biasProgram is a step of the bias as kernels compute it. Loads are whole numbers; where their sum
// is none that the working precision has, what lies beside the mean may have any sign.
func biasProgram(c *op.Case, load []int) op.Program {
	work := c.Arithmetic.Accumulate.Type()
	return func(r *arithmetic.Run) map[string][]float64 {
		sum, mean, off, rate := r.Adder(c.Arithmetic.Accumulate), r.Grid(work), r.Grid(work), r.Grid(work)
		product, center, centered := r.Grid(work), r.Adder(c.Arithmetic.Accumulate), r.Grid(work)
		steps := make([]float64, len(load))
		for e, n := range load {
			steps[e] = float64(n)
		}
		average := mean.Round(sum.Sum(steps) / float64(len(load)))
		for e, n := range load {
			d := off.Round(average - float64(n))
			if c.Word("rule") == "sign" {
				d = signOf(d)
			}
			steps[e] = product.Round(rate.Round(c.Float("rate")) * d)
		}
		if c.Flag("center") {
			middle := center.Sum(steps) / float64(len(steps))
			for e, s := range steps {
				steps[e] = centered.Round(s - middle)
			}
		}
		for e, b := range c.Input("bias").Row() {
			steps[e] += b
		}
		return map[string][]float64{"bias": steps}
	}
}

func signOf(x float64) float64 {
	if x == 0 {
		return 0
	}
	return math.Copysign(1, x)
}
