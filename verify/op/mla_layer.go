package op

import (
	"fmt"

	"plumbline/mla"
	"plumbline/verify/verdict"
)

func init() {
	register(&Op{
		Name: "mla.layer",
		Doc: "One multi-head latent attention layer: compression, norms of the latents, rotation, causal " +
			"attention, output projection.",
		Equations: []string{
			"mla.Layer", "mla.LayerAbsorbed", "mla.Compress", "mla.Output", "rope.MScale", "rope.YaRN.ScoreFactor",
			"norm.RMSRows",
		},
		Inputs: []Tensor{
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
		Outputs: []Tensor{
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
		Attrs: []Attr{
			{Name: "heads", Kind: Count, Missing: required, Letter: "H", Doc: "n_h"},
			{Name: "nope_dim", Kind: Count, Missing: required, Letter: "Dn", Doc: "d_h, key width without rotation"},
			{Name: "rope_dim", Kind: Count, Missing: required, Letter: "Dr", Doc: "d_h^R"},
			{Name: "value_dim", Kind: Count, Missing: required, Letter: "V", Doc: "value width of a head"},
			epsAttr, baseAttr, layout, yarnAttr,
			{
				Name: "scale", Kind: Number, Missing: "1/√(Dn+Dr) times the YaRN temperature squared",
				Doc: "softmax scale",
			},
			{Name: "causal", Kind: Flag, Default: true, Doc: "token s sees tokens j ≤ s"},
			{Name: "start", Kind: Count, Default: 0, Doc: "position of the first token"},
		},
		Arithmetic: []Key{
			accumulateKey, angleKey, frequenciesKey, subnormalsKey,
			{"intermediate", "the input type", "between two chained products"},
			{"scores", "F32", "attention scores"},
			{"probabilities", "the input type", "softmax weights before the value product"},
			{"form", "naive", "naive or absorbed: which products the layer chains"},
		},
		check: checkLayer,
		truth: mlaLayer,
	})
}

// maxLayerScores bounds what is held for the scores of a sequence to 1 GiB: 128 heads of 1024
// tokens.
const maxLayerScores = 1 << 27

func checkLayer(c *Case) error {
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
	if err := checkEps(c); err != nil {
		return err
	}
	return c.checkRotary(c.Int("rope_dim"), `attrs: "rope_dim"`)
}

// layerConfig and layerWeights put the recording into the equations' words.
func (c *Case) layerConfig() mla.Config {
	return mla.Config{
		Heads: c.Int("heads"), NopeDim: c.Int("nope_dim"), RopeDim: c.Int("rope_dim"), ValueDim: c.Int("value_dim"),
		Eps: c.Float("eps"), Base: c.Float("base"), Layout: layouts[c.Word("layout")], YaRN: c.YaRN(),
		Scale: c.Float("scale"), Causal: c.Flag("causal"), Start: c.Int("start"),
	}
}

func (c *Case) layerWeights() mla.Weights {
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
func mlaLayer(c *Case) ([]verdict.Expected, error) {
	cfg, weights := c.layerConfig(), c.layerWeights()
	batch, tokens := c.Dim("B"), c.Dim("S")
	var y, latent, ropeKey []float64
	for b := range batch {
		yb, latentB, ropeKeyB := mla.Layer(c.Input("x").View(1, b), weights, cfg)
		y, latent = append(y, yb.RawMatrix().Data...), append(latent, latentB.RawMatrix().Data...)
		ropeKey = append(ropeKey, ropeKeyB.RawMatrix().Data...)
	}
	return c.run(
		c.layerProgram(), c.layerProducts()/productsForARounding,
		expectation{name: "y", truth: y, shape: []int{batch, tokens, c.Dim("d")}},
		expectation{name: "latent", truth: latent, shape: []int{batch, tokens, c.Dim("c")}},
		expectation{name: "rope_key", truth: ropeKey, shape: []int{batch, tokens, c.Dim("Dr")}},
	), nil
}

const (
	// productsForARounding is how many products of matrices take as long as a rounding is let to take
	// where runs are counted.
	productsForARounding = 1 << 9
	perScore             = 64 // what a score costs beside its products, in products
)

// layerProducts is about how many products one run takes.
func (c *Case) layerProducts() float64 {
	var weights float64
	for _, name := range []string{"w_dq", "w_uq", "w_q", "w_dkv", "w_ukv", "w_o"} {
		if c.rec.Has(name) {
			weights += product(c.rec.Shape(name))
		}
	}
	tokens := c.dim("S")
	perPair := float64(perScore + c.Int("nope_dim") + c.Int("rope_dim") + c.Int("value_dim"))
	return c.dim("B") * tokens * (weights + tokens*float64(c.Int("heads"))*perPair)
}
