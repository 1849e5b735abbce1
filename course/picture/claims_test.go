package picture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/course/page"
	"plumbline/grpo"
	"plumbline/internal/check"
	"plumbline/model"
	"plumbline/mtp"
	"plumbline/numbers/dtype"
	"plumbline/rope"
)

// What the page says in numbers is computed here once more.
func TestFigures(t *testing.T) {
	v3 := model.DeepSeekV3()
	tree := v3.Sizes().Parameters()
	row := v3.Latent + v3.Attention.RopeDim
	code, paper := multipliersAt(16)
	routed := shares(tree)[0]
	oneEnd, dualEnd := simulate(oneForwardOneBackward()), simulate(dualPipe())
	for _, c := range []struct {
		p    picture
		says string
	}{
		{pictureHeads, fmt.Sprintf("%.4g groups", float64(row)/float64(2*v3.Attention.NopeDim))},
		{pictureCache, page.Thousands(int(v3.Sizes().CachePerToken()))},
		{pictureCache, fmt.Sprint(cacheRows()[7].token)},
		{pictureMLA, fmt.Sprintf("%d numbers a token", row)},
		{pictureMLA, fmt.Sprintf("widths %d and %d", row, v3.Latent)},
		{pictureYaRN, fmt.Sprintf("fall from %.0f", rope.Rotations(1, 4096))},
		{pictureYaRN, map[bool]string{true: "nearly three times"}[code/paper > 2.7 && code/paper < 3]},
		{pictureExperts, "ten million ways instead of 28"},
		{pictureBalance, fmt.Sprintf("has %.1f times the mean", 1+mean(ways[0].run().maxVio))},
		{pictureParameters, fmt.Sprintf("all %.0f billion", float64(tree.Elements)/1e9)},
		{pictureParameters, fmt.Sprintf("the %.1f billion", float64(tree.Active)/1e9)},
		{pictureParameters, fmt.Sprintf("%d %% are routed experts", 100*routed.total/tree.Elements)},
		{picturePipeline, fmt.Sprintf("take %d units, %d of them idle", oneEnd, oneEnd-60)},
		{picturePipeline, fmt.Sprintf("take %d, %d of them idle", dualEnd, dualEnd-60)},
		{pictureAcceptance, fmt.Sprintf("%g to %g tokens a step",
			mtp.ExpectedTokens(0.85, 1), mtp.ExpectedTokens(0.9, 1))},
	} {
		if c.says == "" || !strings.Contains(oneLine(c.p.text+c.p.about), c.says) {
			t.Errorf("%s does not say %q", c.p.name, c.says)
		}
	}
}

func multipliersAt(pair int) (code, paper float64) {
	theta := rope.Frequencies(yarnDim, yarnBase)
	return multipliers(theta, rope.IndexRamp)[pair].Y, multipliers(theta, rope.RotationsRamp)[pair].Y
}

func mean(x []float64) (sum float64) {
	for _, v := range x {
		sum += v / float64(len(x))
	}
	return sum
}

func TestClips(t *testing.T) {
	push := func(method int, r, advantage float64) float64 { return 0 - clipMethods[method].slope(r, advantage) }
	t.Run("PPO and the dual clip push nothing beyond their clips", func(t *testing.T) {
		for i, got := range []float64{
			push(0, 1.5, 1), push(0, 0.5, -1), push(1, 1.5, 1), push(1, 0.5, -1), push(1, 3.5, -1),
		} {
			if got != 0 {
				t.Errorf("%d: %g", i, got)
			}
		}
	})
	t.Run("CISPO and GPPO push every token", func(t *testing.T) {
		for r := 0.05; r < clipMost; r += 0.05 {
			for _, method := range []int{2, 3} {
				if push(method, r, 1) <= 0 || push(method, r, -1) >= 0 {
					t.Errorf("%s at %g", clipMethods[method].name, r)
				}
			}
		}
	})
	t.Run("all push alike inside the clip", func(t *testing.T) {
		for method := range clipMethods {
			check.Near(t, clipMethods[method].name, push(method, 1.1, -1), -1.1, 0)
		}
	})
}

func TestBalance(t *testing.T) {
	last := func(x []float64) float64 { return mean(x[gateSteps-50:]) }
	nothing, loss, bias := ways[0].run(), ways[1].run(), ways[2].run()
	t.Run("left alone loads stay uneven", func(t *testing.T) {
		if v := last(nothing.maxVio); v < 1.2 {
			t.Errorf("MaxVio %g", v)
		}
	})
	t.Run("both ways bring MaxVio below a third", func(t *testing.T) {
		if a, b := last(loss.maxVio), last(bias.maxVio); a > 1.0/3 || b > 1.0/3 {
			t.Errorf("MaxVio %g and %g", a, b)
		}
	})
	t.Run("the bias keeps more of the scores than the loss", func(t *testing.T) {
		if a, b := last(loss.score), last(bias.score); b < a+0.02 {
			t.Errorf("%g with the loss, %g with the bias", a, b)
		}
	})
}

func TestBiasIsAPrice(t *testing.T) {
	g := ways[2].run().gate
	_, scores, chosen := g.route(batch(rand.New(rand.NewPCG(5, 5))))
	t.Run("no two tokens gain by a swap of experts, which leaves the loads", func(t *testing.T) {
		for a := range chosen[:100] {
			for b := range chosen[:a] {
				for _, i := range chosen[a] {
					for _, j := range chosen[b] {
						gain := scores.At(a, j) + scores.At(b, i) - scores.At(a, i) - scores.At(b, j)
						if !slices.Contains(chosen[a], j) && !slices.Contains(chosen[b], i) && gain > 8*check.U {
							t.Errorf("tokens %d and %d, experts %d and %d: %g", a, b, i, j, gain)
						}
					}
				}
			}
		}
	})
}

func TestRoPE(t *testing.T) {
	t.Run("the rings lie on the line", func(t *testing.T) {
		for _, d := range []float64{0, 4, 28, 64} {
			here := floats.Dot(turned(yarnDim, d), turned(yarnDim, 0))
			later := floats.Dot(turned(yarnDim, 1000+d), turned(yarnDim, 1000))
			check.Near(t, "score", later, here, 1064*yarnDim*0x1p-52) // the angles' rounding, in every pair
		}
	})
}

func TestAdvantages(t *testing.T) {
	for _, n := range []int{1, 4, 7} {
		t.Run(fmt.Sprintf("%d right answers of eight have what odds say", n), func(t *testing.T) {
			p := float64(n) / groupSize
			a := grpo.Normalize(rightAnswers(n), grpo.Population, 0)
			check.Near(t, "right", a[0], math.Sqrt((1-p)/p), 8*check.U)
			check.Near(t, "wrong", a[7], -math.Sqrt(p/(1-p)), 8*check.U)
		})
	}
}

func TestSchedules(t *testing.T) {
	for name, c := range map[string]struct {
		orders [][]slot
		bubble float64
	}{
		"1F1B":     {oneForwardOneBackward(), model.Bubble1F1B(pipelineRanks, 1, 2)},
		"DualPipe": {dualPipe(), model.BubbleDualPipe(pipelineRanks, 3, 2, 1)},
	} {
		end := simulate(c.orders)
		t.Run(name+" leaves every stage idle for the bubble of the formula", func(t *testing.T) {
			for rank, order := range c.orders {
				busy := 0
				for _, s := range order {
					busy += s.time()
				}
				if float64(end-busy) != c.bubble {
					t.Errorf("stage %d: %d idle, formula %g", rank, end-busy, c.bubble)
				}
			}
		})
		t.Run(name+" runs every batch once forward and once backward through every stage", func(t *testing.T) {
			for rank, order := range c.orders {
				for c, times := range work(order) {
					if times != 1 {
						t.Errorf("stage %d: %c of batch %d, %d, %d times", rank, c.kind, c.direction, c.batch, times)
					}
				}
				if n := len(work(order)); n != 3*pipelineBatches {
					t.Errorf("stage %d: %d chunks", rank, n)
				}
			}
		})
	}
	t.Run("an order whose chunks wait for one another never ends", func(t *testing.T) {
		orders := oneForwardOneBackward()
		slices.Reverse(orders[3])
		if end := simulate(orders); end != -1 {
			t.Errorf("ended at %d", end)
		}
	})
}

// work counts the chunks of an order, a full backward as its two halves.
func work(order []slot) map[chunk]int {
	n := map[chunk]int{}
	for _, s := range order {
		for _, c := range s.chunks {
			if c.kind == 'B' {
				n[chunk{'W', c.direction, c.batch}]++
				c.kind = 'I'
			}
			n[c]++
		}
	}
	return n
}

func TestShares(t *testing.T) {
	tree := model.DeepSeekV3().Sizes().Parameters()
	t.Run("the areas are all parameters, and all that are active", func(t *testing.T) {
		var total, active int64
		for _, s := range shares(tree) {
			total, active = total+s.total, active+s.active
		}
		if total != tree.Elements || active != tree.Active {
			t.Errorf("%d and %d of %d and %d", total, active, tree.Elements, tree.Active)
		}
	})
}

func TestNumbersOfFormats(t *testing.T) {
	t.Run("E4M3 has eight to a factor of two, and 448 is its largest", func(t *testing.T) {
		n := 0
		numbers := positive(dtype.F8E4M3)
		for _, v := range numbers {
			if 1 <= v && v < 2 {
				n++
			}
		}
		if n != 8 || numbers[len(numbers)-1] != 448 || numbers[0] != math.Ldexp(1, -9) {
			t.Errorf("%d from 1 to 2, of %g … %g", n, numbers[0], numbers[len(numbers)-1])
		}
	})
}

// A picture that names a function which is not there any more was not drawn by it.
func TestFunctionsOfThePageExist(t *testing.T) {
	known := map[string][]string{}
	for _, p := range gallery {
		for _, name := range slices.Concat(p.drawnBy, p.shows) {
			room, function, _ := strings.Cut(name, ".")
			if room == "dtype" {
				room = "numbers/dtype"
			}
			if known[room] == nil {
				known[room] = declared(t, room)
			}
			if !slices.Contains(known[room], function) {
				t.Errorf("%s: %s is nowhere", p.name, name)
			}
		}
	}
}

// declared returns the exported functions of a package, and methods as Type.Method.
func declared(t *testing.T, room string) (names []string) {
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(room), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				names = append(names, functionName(f))
			}
		}
	}
	return names
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	return fmt.Sprint(of, ".", f.Name.Name)
}

func TestHeadings(t *testing.T) {
	page := galleryPage()
	names := map[string]bool{}
	for _, p := range gallery {
		names[p.name] = true
		if strings.ToLower(p.heading) != p.name {
			t.Errorf("the anchor of %q is not %q", p.heading, p.name)
		}
		for _, part := range []string{
			"\n## " + p.heading + "\n", "pictures/" + p.name + ".svg", "pictures/" + p.name + "-dark.svg",
		} {
			if !strings.Contains(page, part) {
				t.Errorf("the page lacks %q", part)
			}
		}
	}
	if len(names) != len(gallery) {
		t.Errorf("%d names of %d pictures: %v", len(names), len(gallery), slices.Sorted(maps.Keys(names)))
	}
}
