package latent

import (
	"fmt"
	"math"

	"plumbline/mla"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

func init() { op.Register(layerOp) }

// layerOp is mla.layer.
var layerOp = &op.Op{
	Name: "mla.layer",
	Doc: "One multi-head latent attention layer: compression, norms of the latents, rotation, causal " +
		"attention, output projection.",
	Equations: []string{
		"mla.Layer", "mla.LayerAbsorbed", "mla.Compress", "mla.Output", "rope.MScale", "rope.YaRN.ScoreFactor",
		"norm.RMSRows",
	},
	Inputs: []op.Tensor{
		{Name: "x", Shape: []string{"B", "S", "d"}, Doc: "hidden states"},
		{Name: "w_dq", Shape: []string{"cq", "d"}, Optional: true, Doc: "W^DQ, with query compression"},
		{Name: "norm_q", Shape: []string{"cq"}, Optional: true, Doc: "weight of the norm of the query latent"},
		{
			Name: "w_uq", Shape: []string{"H*(Dn+Dr)", "cq"}, Optional: true,
			Doc: "W^UQ and W^QR, rows per head [nope; rope]",
		},
		{Name: "w_q", Shape: []string{"H*(Dn+Dr)", "d"}, Optional: true, Doc: "W^Q, without query compression"},
		{Name: "norm_kv", Shape: []string{"c"}, Doc: "weight of the norm of the latent"},
		{Name: "w_dkv", Shape: []string{"c+Dr", "d"}, Doc: "W^DKV and W^KR, rows [latent; rope key]"},
		{Name: "w_ukv", Shape: []string{"H*(Dn+V)", "c"}, Doc: "W^UK and W^UV, rows per head [key; value]"},
		{Name: "w_o", Shape: []string{"d", "H*V"}, Doc: "W^O"},
	},
	Outputs: []op.Tensor{
		{
			Name: "y", Shape: []string{"B", "S", "d"}, Axes: []string{"batch", "token", "column"},
			Doc: "output, before the residual is added",
		},
		{
			Name: "latent", Shape: []string{"B", "S", "c"}, Axes: []string{"batch", "token", "column"},
			Doc: "cached latent, normed",
		},
		{
			Name: "rope_key", Shape: []string{"B", "S", "Dr"}, Axes: []string{"batch", "token", "column"},
			Doc: "cached rope key, rotated",
		},
	},
	Attrs: []op.Attr{
		{Name: "heads", Kind: op.Count, Missing: op.Required, Letter: "H", Doc: "n_h"},
		{
			Name: "nope_dim", Kind: op.Count, Missing: op.Required, Letter: "Dn",
			Doc: "d_h, key width without rotation",
		},
		{Name: "rope_dim", Kind: op.Count, Missing: op.Required, Letter: "Dr", Doc: "d_h^R"},
		{Name: "value_dim", Kind: op.Count, Missing: op.Required, Letter: "V", Doc: "value width of a head"},
		step.EpsAttr, step.BaseAttr, step.LayoutAttr, step.YaRNAttr,
		{
			Name: "scale", Kind: op.Number, Missing: "1/√(Dn+Dr) times the YaRN temperature squared",
			Doc: "softmax scale", Derived: func(c *op.Case) float64 { return Config(c).ScoreScale() },
		},
		{Name: "causal", Kind: op.Flag, Default: true, Doc: "token s sees tokens j ≤ s"},
		{Name: "start", Kind: op.Count, Default: 0, Doc: "position of the first token"},
	},
	Arithmetic: []op.Key{
		op.AccumulateKey, step.AngleKey, step.FrequenciesKey, op.SubnormalsKey,
		{Name: "intermediate", Default: "the input type", Doc: "between two chained products"},
		{Name: "scores", Default: "F32", Doc: "attention scores"},
		{Name: "probabilities", Default: "the input type", Doc: "softmax weights before the value product"},
		{
			Name: "form", Default: "naive", Words: []string{"naive", "absorbed"},
			Doc: "naive or absorbed: which products the layer chains",
		},
	},
	Check: checkLayer,
	Truth: mlaLayer,
	Work:  layerWork,
	Once:  func(c *op.Case) float64 { return 3 * layerProducts(c) },
}

// maxLayerScores bounds what is held for the scores of a sequence to 1 GiB: 128 heads of 1024
// tokens.
const maxLayerScores = 1 << 27

func checkLayer(c *op.Case) error {
	compressed := []string{"w_dq", "norm_q", "w_uq"}
	for _, name := range compressed {
		if has := c.Input(name) != nil; has == (c.Input("w_q") != nil) {
			return fmt.Errorf("tensor %q: want either w_dq, norm_q and w_uq, or w_q alone", name)
		}
	}
	for _, attr := range []string{"heads", "nope_dim", "value_dim"} {
		if c.Int(attr) == 0 {
			return fmt.Errorf("attrs: %q: found 0, want 1 or more", attr)
		}
	}
	if c.Has("scale") && c.Float("scale") <= 0 {
		return fmt.Errorf("attrs: %q: found %v, want a positive scale", "scale", c.Float("scale"))
	}
	if scores := float64(c.Dim("S")) * float64(c.Dim("S")) * float64(c.Int("heads")); scores > maxLayerScores {
		return fmt.Errorf(
			"tensor %q: %d tokens and %d heads are %.0f scores, want at most %d (σ holds an error for each)", "x",
			c.Dim("S"), c.Int("heads"), scores, maxLayerScores,
		)
	}
	if err := step.CheckEps(c); err != nil {
		return err
	}
	return step.CheckRotary(c, c.Int("rope_dim"), `attrs: "rope_dim"`)
}

// Config and Weights put the recording into the equations' words.
func Config(c *op.Case) mla.Config {
	return mla.Config{
		Heads: c.Int("heads"), NopeDim: c.Int("nope_dim"), RopeDim: c.Int("rope_dim"), ValueDim: c.Int("value_dim"),
		Eps: c.Float("eps"), Base: c.Float("base"), Layout: step.Layouts[c.Word("layout")], YaRN: c.YaRN(),
		Scale: c.Float("scale"), Causal: c.Flag("causal"), Start: c.Int("start"),
	}
}

// Weights returns those of the layer.
func Weights(c *op.Case) mla.Weights {
	w := mla.Weights{
		WDKV: c.Input("w_dkv").View(0), WUKV: c.Input("w_ukv").View(0), WO: c.Input("w_o").View(0),
		NormKV: c.Input("norm_kv").Row(),
	}
	if c.Input("w_q") != nil {
		w.WQ = c.Input("w_q").View(0)
		return w
	}
	w.WDQ, w.WUQ, w.NormQ = c.Input("w_dq").View(0), c.Input("w_uq").View(0), c.Input("norm_q").Row()
	return w
}

// mlaLayer computes the truth by mla.Layer, in the naive form.
func mlaLayer(c *op.Case) ([]verdict.Expected, error) {
	y, latent, ropeKey := layerTruth(c, Config(c))
	batch, tokens := c.Dim("B"), c.Dim("S")
	expected := c.Run(
		layerProgram(c), layerProducts(c)/productsForARounding,
		op.Expectation{Name: "y", Truth: y, Shape: []int{batch, tokens, c.Dim("d")}},
		op.Expectation{Name: "latent", Truth: latent, Shape: []int{batch, tokens, c.Dim("c")}},
		op.Expectation{Name: "rope_key", Truth: ropeKey, Shape: []int{batch, tokens, c.Dim("Dr")}},
	)
	if c.Wants("y") {
		expected[0].Directions = []verdict.Direction{{Name: "the scale of the scores", Values: alongScale(c, y)}}
	}
	return expected, nil
}

// layerTruth returns the outputs of all sequences.
func layerTruth(c *op.Case, cfg mla.Config) (y, latent, ropeKey []float64) {
	weights := Weights(c)
	for b := range c.Dim("B") {
		yb, latentB, ropeKeyB := mla.Layer(c.Input("x").View(1, b), weights, cfg)
		y, latent = append(y, yb.RawMatrix().Data...), append(latent, latentB.RawMatrix().Data...)
		ropeKey = append(ropeKey, ropeKeyB.RawMatrix().Data...)
	}
	return y, latent, ropeKey
}

// alongScale returns what y moves by with the scale of the scores, ∂y/∂ log scale, by a difference.
func alongScale(c *op.Case, y []float64) []float64 {
	const small = 0x1p-20
	cfg := Config(c)
	cfg.Scale = cfg.ScoreScale() * (1 + small)
	moved, _, _ := layerTruth(c, cfg)
	for i, x := range y {
		if moved[i] = (moved[i] - x) / small; !dtype.Finite(moved[i]) {
			moved[i] = 0
		}
	}
	return moved
}

const (
	// productsForARounding is how many products of matrices take as long as a rounding is let to
	// take where runs are counted.
	productsForARounding = 1 << 9
	perScore             = 64 // what a score costs beside its products, in products
)

// layerProducts is about how many products one run takes.
func layerProducts(c *op.Case) float64 {
	var weights float64
	for _, name := range []string{"w_dq", "w_uq", "w_q", "w_dkv", "w_ukv", "w_o"} {
		if c.Recording.Has(name) {
			weights += op.Elements(c.Recording.Shape(name))
		}
	}
	tokens := c.Extent("S")
	perPair := float64(perScore + c.Int("nope_dim") + c.Int("rope_dim") + c.Int("value_dim"))
	return c.Extent("B") * tokens * (weights + tokens*float64(c.Int("heads"))*perPair)
}

// layerWork counts the runs of a layer.
func layerWork(c *op.Case) float64 {
	one := layerProducts(c)
	runs := min(max(math.Trunc(op.Roundings*productsForARounding/(one+1)), op.FewestRuns), op.MostRuns)
	return one * (runs + 5)
}
