package hand

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/moe"
	"plumbline/verify/op"
	"plumbline/verify/op/experts"
)

func balanceWalks() []walk {
	return []walk{
		{"moe.balance_loss", balanceSheet, walkBalance, nil},
		{"moe.bias_update", biasSheet, walkBias, nil},
	}
}

func balanceSheet() *Sheet {
	rec := chosen("moe.balance_loss", map[string]any{"alpha": 0.1}).
		put("scores", []int{4, 2}, 0.75, 0.25, 0.75, 0.25, 0.5, 0.5, 0.25, 0.75).put("indices", []int{4, 1}, 0, 0, 0, 1)
	return work("The loss that balances two experts", "Four tokens choose one of two experts each; three choose the "+
		"first. Even loads would give α, and these give more.", rec.Recording, walkBalance)
}

// walkBalance works the first sequence of a loss of sequences, else the batch.
func walkBalance(s *Sheet, c *op.Case) {
	var scores mat.Matrix = c.Input("scores").View(0)
	ids, alpha, kind := experts.Chosen(c), c.Float("alpha"), c.Word("kind")
	if kind == "sequence" {
		s.given("Each sequence has a loss of its own; this is the first, and the result their mean.",
			number("tokens of a sequence", float64(experts.SequenceLength(c))))
	}
	s.given("Scores of tokens for experts.", matrix("s", scores))
	if c.Flag("normalize_scores") {
		scores = moe.NormalizeScores(scores)
		s.step("Each row is divided by its sum.", "moe.NormalizeScores", "s'_it = s_it / Σ_j s_jt",
			matrix("s'", scores))
	}
	whole := scores
	if length := experts.SequenceLength(c); kind == "sequence" {
		scores, ids = scores.(*mat.Dense).Slice(0, length, 0, c.Dim("E")), ids[:length]
	}
	f, p := s.shares(c, scores, ids)
	loss := alpha * floats.Dot(f, p)
	s.step("The loss is largest where what is chosen often is also scored high.", lossNames[kind], "L = α Σ_i f_i P_i",
		number("α", alpha), number("L", loss))
	if kind == "sequence" {
		loss = moe.LossPerSequence(whole, experts.Chosen(c), experts.SequenceLength(c), alpha)
		s.step("The mean of all sequences.", "moe.LossPerSequence", "", number("L", loss))
	}
	s.out("loss", 0, loss)
}

// lossNames are the functions of the losses by their kinds.
var lossNames = map[string]string{
	"expert": "moe.ExpertLoss", "device": "moe.DeviceLoss", "communication": "moe.CommunicationLoss",
	"sequence": "moe.SequenceLoss",
}

// shares adds the steps to f and P, of experts or of devices.
func (s *Sheet) shares(c *op.Case, scores mat.Matrix, ids [][]int) (f, p []float64) {
	loads := moe.Loads(ids, c.Dim("E"))
	f, p = moe.RelativeLoads(ids, c.Dim("E")), moe.MeanScores(scores)
	s.step("How often each expert is chosen, 1 being its even share.", "moe.RelativeLoads", "f_i = N / (K T) · load_i",
		whole("load", loads), row("f", f))
	s.step("The mean of its scores, which gradients go through.", "moe.MeanScores", "P_i = 1/T Σ_t s_it", row("P", p))
	switch c.Word("kind") {
	case "device":
		f, p = moe.RelativeDeviceLoads(f, experts.Devices(c)), moe.DeviceScores(p, experts.Devices(c))
		s.step("Of a device: the mean share of its experts, and the sum of their scores.",
			"moe.RelativeDeviceLoads", "", whole("device", experts.Devices(c)), row("f'", f), row("P'", p))
	case "communication":
		f = moe.RelativeSentLoads(ids, experts.Devices(c), experts.MostDevices(c))
		p = moe.DeviceScores(p, experts.Devices(c))
		s.step("Of a device: the share of tokens that are sent to it, and the sum of its experts' scores.",
			"moe.RelativeSentLoads", "", whole("device", experts.Devices(c)), row("f''", f), row("P''", p))
	}
	return f, p
}

func biasSheet() *Sheet {
	rec := chosen("moe.bias_update", map[string]any{"rate": 0.1}).put("bias", nil, 0, 0, 0, 0).
		put("load", nil, 6, 1, 3, 2)
	return work("A step of the bias", "No loss and no gradient: after each batch the bias of an expert with more than "+
		"its share goes down, and that of one with less goes up. (The rate is 0.001 in DeepSeek-V3.)", rec.Recording,
		walkBias)
}

// walkBias works all experts.
func walkBias(s *Sheet, c *op.Case) {
	bias, rate, load := c.Input("bias").Row(), c.Float("rate"), make([]int, c.Dim("E"))
	for e, n := range c.Input("load").Data {
		load[e] = int(n)
	}
	mean := floats.Sum(floatsOf(load)) / float64(len(load))
	s.given("Loads and their mean.", row("b", bias), whole("load", load), number("mean load", mean))
	s.step("How uneven the worst load is.", "moe.MaxVio", "MaxVio = max_i load_i / mean − 1",
		number("MaxVio", moe.MaxVio(load)))
	var after []float64
	switch {
	case c.Word("rule") == "proportional":
		after = moe.BiasProportional(bias, load, rate)
		s.step("In proportion to what a load is off by.", "moe.BiasProportional", "b_i ← b_i + rate (mean − load_i)",
			number("rate", rate), row("b", after))
	case c.Flag("center"):
		after = moe.BiasSignCentered(bias, load, rate)
		s.step("By the sign of what a load is off by, less the mean of the steps.", "moe.BiasSignCentered",
			"b_i ← b_i + rate (sign(mean − load_i) − mean of the signs)", number("rate", rate), row("b", after))
	default:
		after = moe.BiasSign(bias, load, rate)
		s.step("By the sign of what a load is off by.", "moe.BiasSign", "b_i ← b_i + rate · sign(mean − load_i)",
			number("rate", rate), row("b", after))
	}
	s.out("bias", 0, after...)
}
