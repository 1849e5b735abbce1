package emulated

import "plumbline/verify/emulate"

// passes are the mistakes of the passes of a backward kernel that sums each gradient in one of its
// own.
type passes struct{ dq, dk, dv string }

// inKeys are passes of which that over keys alone makes a mistake.
func inKeys(mistake string) passes { return passes{dk: mistake, dv: mistake} }

// onePass lists the mistakes that one pass makes and another does not.
var onePass = map[string]passes{
	"dq-of-padding":        {dq: "padding-of-tile"},
	"dq-length-ignored":    {dq: "padding-seen"},
	"dkdv-length-ignored":  inKeys("padding-seen"),
	"dq-causal-missing":    {dq: "causal-missing"},
	"dkdv-causal-missing":  inKeys("causal-missing"),
	"dq-causal-top-left":   {dq: "causal-top-left"},
	"dkdv-causal-top-left": inKeys("causal-top-left"),
	"dq-window-missing":    {dq: "window-missing"},
	"dkdv-window-missing":  inKeys("window-missing"),
	"dq-heads-tiled":       {dq: "heads-tiled"},
	"dkdv-heads-tiled":     inKeys("heads-tiled"),
	"dq-uncapped":          {dq: "backward-uncapped"},
	"dkdv-uncapped":        inKeys("backward-uncapped"),
	"dv-unmasked":          {dv: "backward-weights-unmasked"},
}

// inPasses forms P and dS of sequence b for each gradient anew.
func (g *gradients[T]) inPasses(b int, of passes) {
	all := g.Config.Mistake
	g.Config.Mistake = of.dq
	g.rows(b, func(r *emulate.Query[T], i int) { g.query(r, i, b) })
	nothing := func(*emulate.Query[T], int) {}
	g.Config.Mistake = of.dv
	g.rows(b, nothing)
	p := g.p
	if g.Config.Mistake = of.dk; of.dk != of.dv {
		g.rows(b, nothing)
		g.p = p
	}
	g.keysOfAll(b)
	g.Config.Mistake = all
}

// skipTiles makes the mistake of tiles that are skipped as under a causal mask of as many keys as
// queries, although it is another mask or none: query i of P and dS knows none behind its own tile.
func (g *gradients[T]) skipTiles(i int) {
	if !g.Makes("backward-tiles-skipped") {
		return
	}
	for t := (i/g.H/g.Tile + 1) * g.Tile; t < g.T; t++ {
		g.Show(g.several && g.p[i][t] > 0.02)
		g.p[i][t], g.ds[i][t] = 0, 0
	}
}

// misplaced returns the row whose number is read for row i: its own, or by the named mistake that
// which stands there in the order [query, head] for [head, query].
func (g *gradients[T]) misplaced(mistake string, i int) int {
	other := i%g.H*g.S + i/g.H
	if !g.Makes(mistake) || g.out[other] == nil {
		return i
	}
	g.Show(other != i && g.several)
	return other
}

// ring makes the mistake of a ring of ranks of which each meets its own keys at every step, and not
// those that are passed on: dq is of them alone, once for each step, and its gradients go to the
// keys of every rank.
func (g *gradients[T]) ring(i int) {
	ranks := g.ranks()
	for t := range g.T {
		if from := g.ownKeys(i) + t%(g.T/ranks); ranks > 1 && from != t {
			g.Show(g.p[i][t] != g.p[i][from])
			g.p[i][t], g.ds[i][t] = g.p[i][from], g.ds[i][from]
		}
	}
}

// ranks returns to how many queries and keys are dealt: as many as there are splits, or the next
// fewer that share them evenly.
func (g *gradients[T]) ranks() int {
	if !g.Makes("ring-of-own-keys") || g.S != g.T {
		return 1
	}
	n := max(1, min(g.Splits, g.T))
	for g.T%n > 0 {
		n--
	}
	return n
}

// ownKeys returns the first key of the rank that has query i.
func (g *gradients[T]) ownKeys(i int) int {
	each := g.T / g.ranks()
	return i / g.H / each * each
}

// ofRing leaves dS of the own keys of query i alone, once for each rank.
func (g *gradients[T]) ofRing(i int, ds []T) {
	own, ranks := g.ownKeys(i), g.ranks()
	if ranks == 1 {
		return
	}
	for t := range ds {
		if ds[t] *= T(ranks); t < own || t >= own+g.T/ranks {
			ds[t] = 0
		}
	}
}
