package hand

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/dpo"
	"plumbline/internal/check"
	"plumbline/internal/ledger"
	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/numbers/logistic"
	"plumbline/ppo"
	"plumbline/rope"
	"plumbline/verify/op"
	"plumbline/verify/op/experts"
)

// everySheet returns those of all ops and pages.
func everySheet() (all []*Sheet) {
	for _, w := range walks() {
		all = append(all, w.chosen())
	}
	for _, p := range pages() {
		all = append(all, p.sheets()...)
	}
	return all
}

func TestSheets(t *testing.T) {
	books, err := ledger.Read(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"": true}
	for _, f := range books.Functions {
		known[f.Package+"."+f.Name] = true
	}
	for _, s := range everySheet() {
		for i, step := range s.Steps {
			if !known[step.Function] {
				t.Errorf("%s, step %d: no function %s", s.Title, i+1, step.Function)
			}
			for _, line := range step.formulas() {
				if _, ok := ledger.TeX(line); !ok {
					t.Errorf("%s, step %d: not shown as maths: %s", s.Title, i+1, line)
				}
			}
		}
	}
}

// noise is a number that is 0 but for roundings, and −0.
var noise = regexp.MustCompile(`e-1[0-9]|(^|\s)-0(\s|$)|NaN`)

func TestPagesHaveNoNoise(t *testing.T) {
	pages, err := Pages(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range pages {
		for line := range strings.Lines(text) {
			if noise.MatchString(line) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

// values returns the last value of that name in a sheet.
func values(t *testing.T, s *Sheet, name string) *mat.Dense {
	t.Helper()
	for i := len(s.Steps) - 1; i >= 0; i-- {
		for _, v := range s.Steps[i].Values {
			if v.Name == name {
				return v.Numbers
			}
		}
	}
	t.Fatalf("%s: no value %s", s.Title, name)
	return nil
}

// holds compares the last value of that name with rows of numbers.
func holds(t *testing.T, s *Sheet, name string, rows ...[]float64) {
	t.Helper()
	check.NearMatrix(t, s.Title+": "+name, values(t, s, name), dense(rows...), 1e-14)
}

func TestNumbersThatCanBeFoundWithAPencil(t *testing.T) {
	for _, c := range []struct {
		sheet *Sheet
		name  string
		rows  [][]float64
	}{
		{attentionSheet(), "o", [][]float64{{5, 5}, {2, 8}}},                  // weights 1/2, 1/2 and 1/5, 4/5
		{attentionPage()[1], "o", [][]float64{{10, 0}, {2, 8}}},               // the first query sees one key
		{attentionPage()[2], "o", [][]float64{{20. / 7, 20. / 7}, {1.25, 5}}}, // of 2, 2, 3 and 1, 4, 3
		{backwardSheet(), "dx", [][]float64{{2.5, -2.5}, {-1.6, 1.6}}},
		{mergeSheet(), "o", [][]float64{{1, 6}}}, // (4, 0)/4 + 3 (0, 8)/4
		{rotationSheet(), "y", [][]float64{{3, 1}, {-1, 3}, {-3, -1}, {1, -3}}},
		{latentSheet(), "u", [][]float64{{9, 0}, {9, 5}}}, // heads (3, 0), (0, 6) and (3, 1), (4, 6)
		{gateSheet(), "g", [][]float64{{1, 1.5}}},         // 2.5 · (1/2, 3/4) / (5/4)
		{expertsSheet(), "y", [][]float64{{15.5, 10}}},    // (8, 8) + 1.5 (5, 0) + (0, 2)
		{layerSheet(), "y", [][]float64{{9.5, 10}}},       // (8, 8) + 1.5 (1, 0) + (0, 2)
		{biasSheet(), "b", [][]float64{{-0.1, 0.1, 0, 0.1}}},
		{balanceSheet(), "L", [][]float64{{0.1 * (1.5*9 + 0.5*7) / 16}}},
		{productSheet(), "c", [][]float64{{48, 192}}},
		{mismatchSheet(), "statistics", [][]float64{{ln2 / 2, ln2, 0, ln2 * ln2 / 4, 1. / 8, 0.5}}},
		{stepSheet(), "d", [][]float64{{65536}}},
		{combineSheet(), "h'", [][]float64{{2, 14}}},
		{moduleSheet(), "L_1", [][]float64{{math.Log(7. / 4)}}},
		{acceptSheet(), "next", [][]float64{{1}}},
		{ratesSheet(), "E", [][]float64{{7. / 4, 37. / 16, 175. / 64}}},
		{gaeSheet(), "A", [][]float64{{3. / 16, 3. / 8, 1. / 4}}},
		{endsSheet(), "A", [][]float64{{0, 1. / 4, 1. / 4}, {3. / 16, 3. / 8, 1. / 4}, {1. / 2, 1. / 2, 1. / 4}}},
		{ppoSheet(), "L", [][]float64{{(-1.2 - 1 + 0.8) / 3}}},
		{advantageSheet(), "A", [][]float64{{1, -1, -1, 1}}},
		{optimumSheet(), "π", [][]float64{{1. / 4, 1. / 4, 1. / 2}}},
		{dpoSheet(), "σ(β h)", [][]float64{{2. / 3, 4. / 5, 2. / 3}}},
		{trpoPage()[0], "θ", [][]float64{{0.2, -0.2}}},
		{yarnPage()[0], "high", [][]float64{{23}}},
		{cachePage()[0], "o", [][]float64{{5, 0}, {1, 4}, {4, 3}}},
		{gqaPage()[0], "o", [][]float64{{3.75, 3.75, 5, 5}}},
	} {
		holds(t, c.sheet, c.name, c.rows...)
	}
}

func TestLadderWithAPencil(t *testing.T) {
	s := ladderPage()[0]
	holds(t, s, "G", []float64{1. / 4, 1. / 2, 1})
	holds(t, s, "Q(s_t, a_t)", []float64{1. / 4, 1. / 2, 3. / 4}) // of Q-learning
	holds(t, s, "y", []float64{1. / 8, 0, 1})                     // of Double DQN
	holds(t, s, "ĝ", []float64{-1. / 8, 1. / 8}, []float64{0, 0}, []float64{1. / 4, -1. / 4})
	holds(t, s, "logits of state 2", []float64{1. / 8, -1. / 8})
}

// bound returns the case of chosen inputs.
func bound(t *testing.T, r request) *op.Case {
	c, err := op.Bind(r.Recording)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLastStepsAreWholeFunctions(t *testing.T) {
	t.Run("attention is attention.Head", func(t *testing.T) {
		for _, attrs := range []map[string]any{{}, {"causal": true}, {"softcap": 2.}, {"window": 1}} {
			r := tinyAttention(attrs)
			c := bound(t, r)
			q, k, v := c.HeadRows("q", 0, 0, 0, 2), c.HeadRows("k", 0, 0, 0, 2), c.HeadRows("v", 0, 0, 0, 2)
			out, _ := attention.Head(q, k, v, optionsOf(c, 2))
			s := work("", "", r.Recording, walkAttention)
			check.NearMatrix(t, "o", values(t, s, "o"), out, 1e-15)
		}
	})
	t.Run("both forms of MLA give one output", func(t *testing.T) {
		s, l := latentSheet(), tinyLayer()
		naive, absorbed := s.Steps[8].Values[0].Numbers, values(t, s, "o")
		check.NearMatrix(t, "o", absorbed, naive, 1e-14)
		cQ, cKV, kR := mla.CompressQuery(l.x, l.w.WDQ), values(t, s, "cKV"), values(t, s, "kR")
		check.NearMatrix(t, "u", values(t, s, "u"), mla.Output(l.outputs(cQ, cKV, kR), l.w.WO), 1e-14)
	})
	t.Run("a mixture of experts is moe.Layer", isMixture)
	t.Run("PPO's loss is ppo.Loss", func(t *testing.T) {
		s := ppoSheet()
		loss, gradient := ppo.Loss(values(t, s, "log π"), values(t, s, "log π_old"), values(t, s, "A"),
			values(t, s, "mask"), ppo.Options{Low: 0.2, High: 0.2})
		holds(t, s, "L", []float64{loss})
		check.NearMatrix(t, "dlogπ", values(t, s, "dlogπ"), gradient, 1e-15)
	})
	t.Run("the margins of DPO are differences of implicit rewards", func(t *testing.T) {
		s := dpoSheet()
		r := values(t, s, "r̂")
		for i, h := range values(t, s, "h").RawRowView(0) {
			check.Near(t, "p", dpo.Preference(r.At(0, i), r.At(1, i)), logistic.Sigmoid(h), 1e-15)
		}
	})
	t.Run("a draft is verified by mtp.Accept", func(t *testing.T) {
		s := acceptSheet()
		accepted, next := mtp.Accept([]int{0}, values(t, s, "q"), values(t, s, "p"), []float64{0.75, 0.5})
		holds(t, s, "kept", []float64{float64(accepted)})
		holds(t, s, "next", []float64{float64(next)})
	})
}

func isMixture(t *testing.T) {
	r := chosen("moe.layer", gateAttrs()).putGate().putNetworks(true)
	c := bound(t, r)
	network := func(gate, up, down string, e, width int) moe.Expert {
		return moe.Expert{W1: c.Block(gate, e, 0, width), W3: c.Block(up, e, 0, width), W2: c.Block(down, e, 0, 2)}
	}
	l := moe.Layer{
		Centroids: c.Input("weight").View(0), Bias: c.Input("bias").Row(), Gate: experts.GateOf(c),
		Shared: []moe.Expert{network("shared_gate", "shared_up", "shared_down", 0, 1)},
	}
	for e := range 8 {
		l.Routed = append(l.Routed, network("w_gate", "w_up", "w_down", e, 1))
	}
	holds(t, layerSheet(), "y", l.Output([]float64{1, 2}))
}

func TestRealRotationIsTheLayer(t *testing.T) {
	l := tinyLayer()
	l.c.Base, l.c.Layout = 100, rope.Half
	l.r = l.c.Rotation(2)
	s := newSheet("", "", "")
	y, _, _ := s.layer(l)
	want, _, _ := mla.Layer(l.x, l.w, l.c)
	check.NearMatrix(t, "y", y, want, 1e-15)
}

func TestNumbersAreTold(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want string
	}{
		{0, "0"}, {math.Copysign(0, -1), "0"}, {-6e-17, "0"}, {3, "3"}, {-0.25, "-0.25"}, {1. / 3, "1/3"},
		{-7. / 15, "-7/15"}, {math.Log(2), "ln 2"}, {-2 * math.Log(2), "-ln 4"}, {math.Log(1.5), "ln(3/2)"},
		{math.Pi / 2, "π/2"}, {3 * math.Pi / 2, "3π/2"}, {math.Sqrt2, "√2"}, {-math.Sqrt(1. / 3), "-1/√3"},
		{math.Sqrt(3. / 16), "√(3/16)"}, {math.Inf(-1), "-∞"}, {math.Inf(1), "∞"}, {math.NaN(), "NaN"},
		{1.0000001, "1"}, {0.1234567, "0.123457"}, {1e-9, "1e-9"}, {1e100, "1e+100"}, {0.3, "0.3"},
	} {
		if got := spelled(c.x, true, false); got != c.want {
			t.Errorf("%v is told as %s, want %s", c.x, got, c.want)
		}
	}
	if got := spelled(1./3, false, false); got != "0.333333" {
		t.Errorf("a recorded third is told as %s", got)
	}
	if got := spelled(0.25, true, true); got != "1/4" {
		t.Errorf("a quarter among fractions is told as %s", got)
	}
}
