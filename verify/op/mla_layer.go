package op

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/mla"
	"plumbline/numbers/dtype"
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
//
// σ of latent and rope key is derived in cachedErrors. σ of y is sampled: the errors of a layer's
// products are chained, and an error of one latent or one query reaches every score, value and head
// after it, so that second moments that are added as if independent come out wrong by the number of
// keys over the width of the latent. So the declared form is run again in float64 with a random
// error at every place where a kernel rounds, of that rounding's second moment, and σ is how far y
// moves:
//
//	σ²_ti = (K E_ti + 8 R_t C_i / M) / (K + 8)
//
// E_ti is the mean square of K moves of one element, and R, C, M are the means of E over columns,
// over tokens and over both: what an element lacks in runs it borrows from its row and column.
func mlaLayer(c *Case) ([]verdict.Expected, error) {
	cfg, weights := c.layerConfig(), c.layerWeights()
	batch, tokens := c.Dim("B"), c.Dim("S")
	y, latent, ropeKey := c.newEstimate("y", batch, tokens, c.Dim("d")), c.newEstimate(
		"latent", batch, tokens, c.Dim("c"),
	), c.newEstimate(
		"rope_key", batch, tokens, c.Dim("Dr"),
	)
	moves := newMoments(batch*tokens, c.Dim("d"))
	for b := range batch {
		x := c.Input("x").View(1, b)
		yb, latentB, ropeKeyB := mla.Layer(x, weights, cfg)
		layer := c.newLayerRun(x, weights, cfg)
		if c.Wants("latent") || c.Wants("rope_key") {
			layer.cachedErrors(b, latentB, ropeKeyB, latent, ropeKey)
		}
		if c.Wants("y") {
			for s := range tokens {
				copy(y.truth.Row(b, s), yb.RawRowView(s))
			}
			layer.sample(b*tokens, moves)
		}
	}
	if c.Wants("y") {
		y.sigma = moves.sigma()
	}
	acc, inter := c.Arithmetic.Accumulate, c.typeOr(c.Arithmetic.Intermediate, "x")
	all := []verdict.Expected{
		y.expected("y", acc, inter), latent.expected("latent", acc, inter), ropeKey.expected("rope_key", acc, inter),
	}
	all[1].Systematic, all[2].Systematic = 1, 1 // tokens that repeat are rounded alike
	if c.Wants("y") {                           // every query reads the same latents
		row, column, whole := moves.draws()
		for r := range all[0].Draws {
			all[0].Draws[r] = row
		}
		all[0].ColumnDraws, all[0].MostDraws, all[0].Systematic = column, whole, 1
	}
	return c.wanted(all...), nil
}

// cachedErrors derives σ of what is cached. Both begin with the product a = W^DKV h, whose sums err
// and which is rounded to the intermediate type; with s_i the second moment of a_i's error and r =
// 1/√(mean a² + ε),
//
//	latent    σ²_i = (w_i r)² ( s_i (1 − 2 a_i² r²/c) + a_i² r⁴/c² Σ_k a_k² s_k ) + what norm.rms has
//	rope key  σ²   = s_a cos² + s_b sin² + what rope.apply has
func (r *layerRun) cachedErrors(b int, latentTruth, ropeKeyTruth *mat.Dense, latent, ropeKey *estimate) {
	c := r.c
	var down, down2 mat.Dense
	down.Mul(r.x, r.w.WDKV.T())
	down2.Mul(squares(finiteOrZero(r.x)), squares(finiteOrZero(r.w.WDKV)).T())
	tokens, width := c.Dim("S"), c.Dim("c")
	rotation := c.newRotation(r.positions(), c.Dim("Dr"))
	turn := turned{layout: c.Word("layout")}
	for s := range tokens {
		a, errors := down.RawRowView(s), make([]float64, width+c.Dim("Dr"))
		for i, v := range a {
			errors[i] = c.Arithmetic.Accumulate.Sum(c.Dim("d"), v, down2.At(s, i))
			if i < width || !r.unturned(s) || c.storedType("rope_key", r.inter) != r.inter {
				errors[i] += keptError(r.inter, c.Arithmetic.Accumulate, v, 1) // an unturned key is rounded once
			}
		}
		l, k := latentTruth.RawRowView(s), ropeKeyTruth.RawRowView(s)
		normed, rotated := c.normErrors(a[:width], errors[:width], l, r.inter), turn.errors(
			a[width:], errors[width:], rotation, s,
		)
		latent.setRow(l, c.storedErrors("latent", normed, l, r.inter), float64(width), b, s)
		ropeKey.setRow(k, c.storedErrors("rope_key", rotated, k, r.inter), float64(c.Dim("Dr")), b, s)
	}
}

// storedType is the type to which what is cached is rounded last: the intermediate one, where it is
// recorded in a wider one.
func (c *Case) storedType(output string, inter dtype.Type) dtype.Type {
	if t := c.rec.Type("out." + output); t != dtype.Invalid && t.UnitRoundoff() >= inter.UnitRoundoff() {
		return t
	}
	return inter
}

// storedErrors adds the rounding to the intermediate type to the second moments of what is recorded
// in a wider one.
func (c *Case) storedErrors(output string, variance, y []float64, inter dtype.Type) []float64 {
	if t := c.rec.Type("out." + output); t != dtype.Invalid && t.UnitRoundoff() < inter.UnitRoundoff() {
		for i, v := range y {
			variance[i] += keptError(inter, c.Arithmetic.Accumulate, v, 1)
		}
	}
	return variance
}

// normErrors returns σ² of a normed row y from the second moments of the errors of a.
func (c *Case) normErrors(a, errors, y []float64, inter dtype.Type) []float64 {
	n := float64(len(a))
	var meanSquare, along float64
	for i, v := range a {
		meanSquare += v * v / n
		along += v * v * errors[i]
	}
	r2 := 1 / (meanSquare + c.Float("eps"))
	row := c.rmsError(a)
	variance := make([]float64, len(a))
	for i, v := range a {
		w := c.Input("norm_kv").Data[i]
		moved := errors[i]*(1-2*v*v*r2/n) + v*v*r2*r2/(n*n)*along
		variance[i] = w*w*r2*max(0, moved) + y[i]*y[i]*row +
			c.middleError(inter, c.storedType("latent", inter), y[i], w)
	}
	return variance
}

// layerRuns is how many sampled runs a sequence gets: 64, and fewer, but not under 16, where a run
// takes more than 2²⁷ steps.
func (c *Case) layerRuns() int {
	weights := 0
	for _, name := range []string{"w_dq", "w_uq", "w_q", "w_dkv", "w_ukv", "w_o"} {
		if w := c.Input(name); w != nil {
			weights += w.Len()
		}
	}
	const perScore = 64 // what drawing the errors of one score takes, in products
	perPair := perScore + c.Int("nope_dim") + c.Dim("Dr") + c.Int("value_dim")
	scores := float64(c.Dim("S")) * float64(c.Dim("S")) * float64(c.Int("heads")) * float64(perPair)
	return int(min(max(1<<33/(float64(weights)*float64(c.Dim("S"))+scores+1), 16), 64))
}

// sample runs the layer with random roundings and gathers how far y moves.
func (r *layerRun) sample(firstRow int, moves *moments) {
	recorded := &noise{plan: new([]*mat.Dense)}
	base := r.run(recorded)
	samples := make([]*mat.Dense, r.c.layerRuns())
	parallel.Each(len(samples), func(k int) { samples[k] = r.run(recorded.sampled(uint64(firstRow)<<20 + uint64(k))) })
	for k, s := range samples {
		moves.add(k, firstRow, s, base)
	}
}

// moments gathers squares of moves, and how the mean squares of rows, of columns and of the whole
// scatter from run to run.
type moments struct {
	rows, cols int
	squares    []float64   // per element, summed over runs
	runs       []int       // per row
	rowPower   []float64   // per row, Σ over runs of (mean square)²
	colPower   [][]float64 // per run and column, Σ of squares over rows
}

func newMoments(rows, cols int) *moments {
	return &moments{
		rows: rows, cols: cols, squares: make([]float64, rows*cols), runs: make([]int, rows),
		rowPower: make([]float64, rows),
	}
}

// add counts the moves of run k of the sequence that begins in the given row.
func (m *moments) add(k, firstRow int, moved, base *mat.Dense) {
	for len(m.colPower) <= k {
		m.colPower = append(m.colPower, make([]float64, m.cols))
	}
	rows, cols := base.Dims()
	for s := range rows {
		r := firstRow + s
		var sum float64
		for i := range cols {
			e := moved.At(s, i) - base.At(s, i)
			m.squares[r*cols+i] += e * e
			m.colPower[k][i] += e * e
			sum += e * e
		}
		mean := sum / float64(cols)
		m.rowPower[r] += mean * mean
		m.runs[r]++
	}
}

// borrowed is how many runs the row and the column of an element count for.
const borrowed = 8

// sigma returns σ of each element.
func (m *moments) sigma() []float64 {
	byRow, byCol, all := make([]float64, m.rows), make([]float64, m.cols), 0.0
	for r := range m.rows {
		for i := range m.cols {
			v := m.squares[r*m.cols+i] / float64(m.runs[r])
			byRow[r] += v / float64(m.cols)
			byCol[i] += v / float64(m.rows)
			all += v / float64(m.rows*m.cols)
		}
	}
	sigma := make([]float64, m.rows*m.cols)
	for i := range sigma {
		r, c := i/m.cols, i%m.cols
		switch {
		case !dtype.Finite(all): // something overflowed: an element has its own runs alone, and those that are no numbers no bound
			sigma[i] = math.Sqrt(m.squares[i] / float64(m.runs[r]))
		case all > 0:
			sigma[i] = math.Sqrt((m.squares[i] + borrowed*byRow[r]*byCol[c]/all) / (float64(m.runs[r]) + borrowed))
		}
	}
	return sigma
}

// draws returns how many independent errors stand behind a row, a column and the whole: a mean of n
// squares of normal errors has relative variance 2/n.
func (m *moments) draws() (row, column, whole float64) {
	var scatter, seen float64
	for r, power := range m.rowPower {
		var mean float64
		for _, v := range m.squares[r*m.cols : (r+1)*m.cols] {
			mean += v / float64(m.cols*m.runs[r])
		}
		if mean > 0 {
			scatter, seen = scatter+power/float64(m.runs[r])/(mean*mean)-1, seen+1
		}
	}
	totals := make([]float64, len(m.colPower))
	var columns float64
	for i := range m.cols {
		one := make([]float64, len(m.colPower))
		for k, power := range m.colPower {
			one[k] = power[i]
			totals[k] += power[i]
		}
		columns += relativeVariance(one) / float64(m.cols)
	}
	return drawsFrom(scatter / max(seen, 1)), drawsFrom(columns), drawsFrom(relativeVariance(totals))
}

func drawsFrom(relativeVariance float64) float64 { return max(1, 2/max(relativeVariance, 1e-9)) }

// relativeVariance is the variance of x over the square of its mean.
func relativeVariance(x []float64) float64 {
	n, mean, variance := float64(len(x)), 0.0, 0.0
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / n
	}
	if mean == 0 {
		return 0
	}
	return variance / (mean * mean)
}
