package verdict

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
)

// family is the parts into which one axis, or the rows, divide an output.
type family struct {
	axis  string // "" for the whole tensor, "row" for one index on every axis but the last
	shape []int  // of the parts
	parts int
	of    func(row, column int) int
	stays bool  // the part of a row is that of all its columns
	in    *Part // of which the output is, whose axes from first on these are
	first int
}

// families lists the parts that are judged.
func (j *judgement) families() []family {
	shape := j.want.Truth.Shape
	all := []family{{parts: 1, of: func(int, int) int { return 0 }, stays: true}}
	last := len(shape) - 1
	if last < 1 {
		return all
	}
	inner := 1
	for a := last - 1; a >= 0; a-- {
		step, n := inner, shape[a]
		all = append(all, family{
			axis: j.want.Axes[a], shape: shape[a : a+1], parts: n, stays: true, in: j.want.Part, first: a,
			of: func(row, _ int) int { return row / step % n },
		})
		inner *= n
	}
	if last > 1 {
		all = append(all, family{
			axis: "row", shape: shape[:last], parts: inner, stays: true, in: j.want.Part,
			of: func(row, _ int) int { return row },
		})
	}
	return append(all, family{
		axis: j.want.Axes[last], shape: shape[last:], parts: shape[last], in: j.want.Part, first: last,
		of: func(_, column int) int { return column },
	})
}

// sums are what an output's scaled errors w add up to in the parts of a family; the truth in the
// same units is h = t/√(σ² + ulp²/12).
type sums struct {
	squares []float64 // mean w²
	along   []float64 // Σ c w h/√Σ c² h², c the weight of a row
	rows    []float64 // Σ w h of each row, which along is made of
}

// statistics are the numbers by which an output is judged beside its largest score.
type statistics struct {
	families       []sums
	rows           []float64 // Σ w h of each row
	rowSquares     []float64 // and its Σ w²
	plain, outward float64   // mean of w, and of w toward larger sizes
	along          []float64 // for each direction g of the expectation, Σ w g/√Σ g²
}

// geometry is what the statistics of every output of one shape share.
type geometry struct {
	families  []family
	share     [][]float64 // how much an element counts in its part; nil: each as much
	own       [][]float64 // how much of each part no other has
	counts    [][]float64 // elements of each part that are judged, copies once
	norms     [][]float64 // (Σ c h²)²/Σ c² h²: a factor's error is 1 over its root
	squares   [][]float64 // Σ c² h²
	largest   [][]float64 // the share Σ (c h)⁴/(Σ c² h²)² of that which, in effect, one element has
	weights   []float64   // c of each row
	judged    []bool
	h         []float64
	rowNorms  []float64 // Σ h² of each row
	rowFourth []float64 // and its Σ h⁴
	rowCounts []float64 // and its elements that are judged
	sign      []float64
	ones      []float64 // as many as a row has elements
	n         float64   // elements that are judged, copies once
	toward    []unit    // directions
}

// newGeometry measures the parts of all elements, or of those that were run. Elements that are
// exact count nowhere.
func (j *judgement) newGeometry(elements []int, toward []Direction) *geometry {
	n := len(j.scores)
	g := &geometry{
		families: j.families(), judged: j.judgedOf(elements), h: make([]float64, n), sign: make([]float64, n),
		rowNorms: make([]float64, n/j.columns), rowCounts: make([]float64, n/j.columns),
		rowFourth: make([]float64, n/j.columns), ones: ones(j.columns),
	}
	j.eachRow(func(r, _, _ int) { j.measureRow(g, r) })
	j.countCopies(g, elements != nil)
	g.weigh(ones(n/j.columns), j.columns)
	g.n = g.counts[0][0]
	g.toward = make([]unit, len(toward))
	parallel.Each(len(toward), func(d int) { g.toward[d] = j.unit(toward[d], g) })
	return g
}

// measureRow fills in what is known of a row.
func (j *judgement) measureRow(g *geometry, r int) {
	for i := r * j.columns; i < (r+1)*j.columns; i++ {
		if t := j.want.Truth.Data[i]; g.judged[i] {
			h := t / j.scale[i]
			g.h[i], g.sign[i] = h, math.Copysign(1, t)
			g.rowNorms[r] += h * h
			g.rowFourth[r] += h * h * h * h
			g.rowCounts[r]++
		}
	}
}

// judgedOf tells which elements count, of all or of some.
func (j *judgement) judgedOf(elements []int) []bool {
	in := make([]bool, len(j.scores))
	counts := func(i int) bool {
		s := &j.scores[i]
		return !s.unjudged && !j.nothingRounds(i) && !s.unbounded && kind(j.want.Truth.Data[i]) == 0
	}
	for _, i := range elements {
		in[i] = counts(i)
	}
	if elements == nil {
		parallel.Chunks(len(in), func(from, to int) {
			for i := from; i < to; i++ {
				in[i] = counts(i)
			}
		})
	}
	return in
}

// weigh measures the parts, with weights of the rows.
func (g *geometry) weigh(weights []float64, columns int) {
	n := len(g.families)
	if g.weights == nil {
		g.counts, g.norms = make([][]float64, n), make([][]float64, n)
		g.squares, g.largest = make([][]float64, n), make([][]float64, n)
	}
	for f, fam := range g.families {
		if fam.stays || g.weights == nil { // columns do not weigh rows
			g.weighFamily(f, weights, columns)
		}
	}
	g.weights = weights
}

// weighFamily measures the parts of a family.
func (g *geometry) weighFamily(of int, weights []float64, columns int) {
	f, share := g.families[of], g.share[of]
	counts, along := make([]float64, f.parts), make([]float64, f.parts)
	squares, fourth := make([]float64, f.parts), make([]float64, f.parts)
	add := func(p int, c, n, h2, h4 float64) {
		counts[p], along[p] = counts[p]+n, along[p]+c*h2
		squares[p], fourth[p] = squares[p]+c*c*h2, fourth[p]+c*c*c*c*h4
	}
	for r, c := range weights {
		switch {
		case g.rowCounts[r] == 0:
		case f.stays && share == nil:
			add(f.of(r, 0), c, g.rowCounts[r], g.rowNorms[r], g.rowFourth[r])
		default:
			g.eachOf(f, r, columns, func(p, i int) {
				each, h2, weight := shareOf(share, i), g.h[i]*g.h[i], c
				if !f.stays {
					weight = 1
				}
				add(p, weight, each, each*h2, each*h2*h2)
			})
		}
	}
	for p := range along {
		fourth[p] /= max(squares[p]*squares[p], math.SmallestNonzeroFloat64)
		along[p] *= along[p] / max(squares[p], math.SmallestNonzeroFloat64)
	}
	g.counts[of], g.norms[of], g.largest[of], g.squares[of] = counts, along, fourth, squares
}

// eachOf calls f for every element of a row that is judged, with its part in a family.
func (g *geometry) eachOf(fam family, row, columns int, f func(part, i int)) {
	for column := range columns {
		if i := row*columns + column; g.judged[i] {
			f(fam.of(row, column), i)
		}
	}
}

// nothingRounds tells whether element i is exact in every right kernel.
func (j *judgement) nothingRounds(i int) bool {
	t := j.want.Truth.Data[i]
	return j.want.Sigma[i] == 0 && j.want.Type.Round(t) == t
}

// of returns the statistics of scaled errors.
func (g *geometry) of(w []float64, columns int) statistics {
	s := g.none(len(w) / columns)
	for r, judged := range g.rowCounts {
		if judged > 0 {
			g.addRow(&s, r, w[r*columns:(r+1)*columns], r*columns)
		}
	}
	for f, sum := range s.families {
		for p := range sum.squares {
			sum.squares[p] /= max(g.counts[f][p], 1)
			if norm := math.Sqrt(g.norms[f][p]); norm > 0 && !g.families[f].stays {
				sum.along[p] /= norm
			}
		}
	}
	g.factors(&s)
	s.plain, s.outward = s.plain/g.n, s.outward/g.n
	for _, u := range g.toward {
		s.along = append(s.along, g.along(u.values, w))
	}
	return s
}

// none returns statistics of nothing.
func (g *geometry) none(rows int) statistics {
	s := statistics{rows: make([]float64, rows), rowSquares: make([]float64, rows)}
	for f, fam := range g.families {
		sum := sums{make([]float64, fam.parts), make([]float64, fam.parts), s.rows}
		if g.share[f] != nil {
			sum.rows = make([]float64, rows)
		}
		s.families = append(s.families, sum)
	}
	return s
}

// along adds up the products of x and w over the rows that have something judged.
func (g *geometry) along(x, w []float64) (sum float64) {
	g.eachRow(func(from, to int) { sum += floats.Dot(x[from:to], w[from:to]) })
	return sum
}

// factors fills in the errors along the truth of parts that are made of rows.
func (g *geometry) factors(s *statistics) {
	for f, fam := range g.families {
		if !fam.stays {
			continue
		}
		along, squares := s.families[f].along, g.squares[f]
		clear(along)
		for r, c := range g.weights {
			along[fam.of(r, 0)] += c * s.families[f].rows[r]
		}
		for p := range along {
			if squares[p] > 0 {
				along[p] /= math.Sqrt(squares[p])
			}
		}
	}
}

// addRow adds the scaled errors of a row, whose first element is at start.
func (g *geometry) addRow(s *statistics, row int, w []float64, start int) {
	squares, along := g.sumRow(nil, w, start)
	s.rows[row], s.rowSquares[row] = along, squares
	for f, fam := range g.families {
		switch {
		case !fam.stays:
			g.addColumns(s.families[f], g.share[f], w, start)
		case g.share[f] == nil:
			s.families[f].squares[fam.of(row, 0)] += squares
		default:
			part, ofRow := g.sumRow(g.share[f], w, start)
			s.families[f].squares[fam.of(row, 0)] += part
			s.families[f].rows[row] = ofRow
		}
	}
	plain, outward := g.sumSigns(w, start)
	s.plain, s.outward = s.plain+plain, s.outward+outward
}

// sumSigns returns Σ w of a row, and that toward larger sizes.
func (g *geometry) sumSigns(w []float64, start int) (plain, outward float64) {
	if g.alike(len(w), start) { // in the same order, so that where all signs are the same both are
		return floats.Dot(w, g.ones), floats.Dot(w, g.sign[start:start+len(w)])
	}
	for c, x := range w {
		if i := start + c; g.judged[i] {
			x *= shareOf(g.share[0], i)
			plain, outward = plain+x, outward+x*g.sign[i]
		}
	}
	return plain, outward
}

// alike tells whether all elements of a row count, each as much.
func (g *geometry) alike(columns, start int) bool {
	return g.share[0] == nil && g.rowCounts[start/columns] == float64(columns)
}

// sumRow returns Σ w² and Σ w h of a row.
func (g *geometry) sumRow(share, w []float64, start int) (squares, along float64) {
	if share == nil && g.alike(len(w), start) {
		return floats.Dot(w, w), floats.Dot(w, g.h[start:start+len(w)])
	}
	for c, x := range w {
		if i := start + c; g.judged[i] {
			each := x * shareOf(share, i)
			squares, along = squares+each*x, along+each*g.h[i]
		}
	}
	return squares, along
}

// addColumns adds those of a row to the columns.
func (g *geometry) addColumns(s sums, share, w []float64, start int) {
	if g.alike(len(w), start) {
		for c, h := range g.h[start : start+len(w)] {
			x := w[c]
			s.squares[c] += x * x
			s.along[c] += x * h
		}
		return
	}
	for c, x := range w {
		if i := start + c; g.judged[i] {
			each := x * shareOf(share, i)
			s.squares[c] += each * x
			s.along[c] += each * g.h[i]
		}
	}
}

// kin is what right kernels, as the runs show them, give for each statistic: its mean and variance.
type kin struct {
	geometry   *geometry // of all elements
	sampled    *geometry // of those that were run
	runs       []statistics
	wide       []statistics // of runs with errors times far
	native     statistics
	directions []Direction
	tail       float64 // share of the errors' tail that is that of sums in an unknown order
	largest    float64 // score of a run, by σ from the others
	// relative variance of the mean squares of rows beside that of runs, where some rows were run
	rowScatter float64
	// variance from element to element of what all runs have in common, where some were run: of an
	// error as it is, and of one toward larger sizes
	plainScatter, outwardScatter float64

	meanSquares, factors []partMoments // of each family
	scatters             []scatter
}

// partMoments are mean and variance of a statistic of each part of a family over the runs, and of
// how many degrees of freedom the variance is.
type partMoments struct {
	means, variances []float64
	freedom          func(p int) float64
}

// scatter is that of a family's factors, each in units of its own.
type scatter struct {
	mean, variance float64
	units          []float64
}

// newKin judges each run as if it were the kernel, with σ from the others.
func (j *judgement) newKin() kin {
	k := kin{directions: j.directions()}
	of := [][]int{nil}
	if !j.want.Sample.whole() {
		of = append(of, j.want.Sample.elements)
	}
	geometries := make([]*geometry, len(of))
	parallel.Each(len(of), func(i int) { geometries[i] = j.newGeometry(of[i], k.directions) })
	k.geometry, k.sampled = geometries[0], geometries[len(of)-1]
	j.pretendAll(&k)
	k.tail, k.largest = j.tailShare(k.sampled)
	k.weighRows(j.columns)
	if k.sampled != k.geometry {
		k.rowScatter = k.scatterOfRows()
		k.plainScatter, k.outwardScatter = j.scatterOfMeans(k.sampled)
	}
	for f := range k.geometry.families {
		k.meanSquares = append(k.meanSquares, k.squaresOf(f))
		k.factors = append(k.factors, k.alongMoments(f))
		k.scatters = append(k.scatters, k.scatterMoments(f))
	}
	return k
}

// pretendAll fills in the statistics of the runs.
func (j *judgement) pretendAll(k *kin) {
	k.runs = make([]statistics, len(j.want.Sample.Deviations))
	k.wide = make([]statistics, min(len(k.runs), fewestWide))
	rooms := sync.Pool{New: func() any { return j.newRoom() }}
	parallel.Each(len(k.runs), func(r int) {
		times := []float64{1, far}
		if r >= len(k.wide) {
			times = times[:1]
		}
		room := rooms.Get().(*[2][]float64)
		defer rooms.Put(room)
		errors := j.pretend(k.sampled, j.want.Sample.Deviations[r], true, times, room)
		if k.runs[r] = k.sampled.of(errors[0], j.columns); r < len(k.wide) {
			k.wide[r] = k.sampled.of(errors[1], j.columns)
		}
	})
	native := j.pretend(k.sampled, j.want.Sample.Native, false, []float64{1}, j.newRoom())
	k.native = k.sampled.of(native[0], j.columns)
}

// scatterMoments returns mean and variance over the runs of the mean square of all factors of a
// family, in units of their variances. Where not all parts were run these are not known of each:
// the unit is one for all, and by which were run the mean square scatters too.
func (k kin) scatterMoments(f int) scatter {
	s := scatter{units: k.factors[f].variances}
	ran, all := k.sampled.held(f), k.geometry.held(f)
	if ran < all {
		s.units = ones(len(s.units))
	}
	whole := func(p int) float64 { return k.more(f, p) }
	of := func(s2 statistics) float64 {
		return k.sampled.meanFactor(f, s2.families[f].along, s.units, whole)
	}
	mean, variance := k.moments(of, 2)
	s.mean, s.variance = max(mean, of(k.native), 1), variance
	if ran < all {
		s.variance += k.scatterOfParts(f) * (1/ran + 1/all)
	}
	return s
}

// held counts the parts of a family that have any truth, those that stand alike once.
func (g *geometry) held(f int) (n float64) {
	for p, norm := range g.norms[f] {
		if norm > 0 {
			n += g.own[f][p]
		}
	}
	return n
}

// scatterOfParts is the variance from part to part of the mean square of a factor over the runs.
func (k kin) scatterOfParts(f int) float64 {
	_, variance, _ := k.across(k.sampled.norms[f], func(s statistics, p int) float64 {
		return grown(square(s.families[f].along[p]), k.more(f, p))
	})
	return variance
}

// across returns mean and variance from part to part of what a statistic is on the mean over the
// runs, and what of the variance comes from their number; of the parts of which anything was run.
func (k kin) across(ran []float64, of func(s statistics, p int) float64) (mean, variance, within float64) {
	var means []float64
	for p, n := range ran {
		if n > 0 {
			m, v := stat.MeanVariance(k.over(func(s statistics) float64 { return of(s, p) }), nil)
			means, within = append(means, m), within+v
		}
	}
	if len(means) < 2 {
		return 0, 0, 0
	}
	mean, variance = stat.MeanVariance(means, nil)
	return mean, variance, within / float64(len(means)*len(k.runs))
}

// squaresOf returns the moments of the mean squares of a family's parts.
func (k kin) squaresOf(f int) partMoments {
	return k.spread(f, func(s statistics, p int) float64 { return s.families[f].squares[p] })
}

// scatterOfRows is the relative variance of the mean squares of rows, less what the runs scatter
// by.
func (k *kin) scatterOfRows() float64 {
	counts := k.sampled.rowCounts
	mean, variance, within := k.across(counts, func(s statistics, r int) float64 { return s.rowSquares[r] / counts[r] })
	return max(0, variance-within) / max(mean*mean, leastMean*leastMean)
}

// scatterOfMeans is the variance from element to element of the mean over the runs, in units of σ,
// of errors and of errors toward larger sizes. Sums that are cut off err toward zero, each by a
// mean of its own, and the elements that were run do not say those of the others.
func (j *judgement) scatterOfMeans(g *geometry) (plain, outward float64) {
	var n, sum, signed, squares float64
	runs := float64(len(j.want.Sample.Deviations))
	of := make([]float64, len(j.want.Sample.Deviations))
	for e := range j.want.Sample.Native {
		i := j.want.Sample.at(e)
		if !g.judged[i] {
			continue
		}
		for r, run := range j.want.Sample.Deviations {
			of[r] = run[e] / j.scale[i]
		}
		if mean, variance := stat.MeanVariance(of, nil); !math.IsNaN(variance) {
			n, sum, signed = n+1, sum+mean, signed+mean*g.sign[i]
			squares += mean*mean - variance/runs
		}
	}
	n = max(n, 1)
	return max(0, squares/n-square(sum/n)), max(0, squares/n-square(signed/n))
}

// weighRows gives rows weights by how much their factors err, as far as the runs tell: where few
// weights of a row are rounded a factor is left, and a factor on all shows in the other rows.
func (k *kin) weighRows(columns int) {
	variances := make([]float64, len(k.geometry.rowNorms))
	for r, norm := range k.sampled.rowNorms {
		if norm > 0 {
			_, v := k.moments(func(s statistics) float64 { return s.rows[r] / math.Sqrt(norm) }, 1)
			variances[r] = max(1, v)
		}
	}
	weights, _ := k.shrunk(variances, k.sampled.rowsOwn())
	for r, v := range weights {
		weights[r] = 1 / max(1, v)
	}
	for _, g := range []*geometry{k.geometry, k.sampled} {
		g.weigh(weights, columns)
	}
	for _, s := range append(append([]statistics{k.native}, k.runs...), k.wide...) {
		k.sampled.factors(&s)
	}
}

// Where truths lie on numbers of the output's type, errors below half a step are rounded away, and
// the few that are not make a whole step, of all elements alike that have one truth and one error.
// A few dozen runs need not have one. With errors that are `far` times as large they do; so that
// what these give, over far, is what a statistic scatters by at least.
const (
	far        = 3
	fewestWide = 12
)

// pretend returns the scaled errors of kernels that err as a run does, one of the sample or not,
// times each factor, in room that has those of another run, or nothing.
func (j *judgement) pretend(
	g *geometry, deviations []float64, sampled bool, times []float64, room *[2][]float64,
) [][]float64 {
	w := room[:len(times)]
	others := sampled && j.want.Sample.tells()
	for e, d := range deviations {
		i := j.want.Sample.at(e)
		for k := range w {
			w[k][i] = 0
		}
		if !g.judged[i] || math.IsNaN(d) {
			continue
		}
		scale := j.scale[i]
		if others {
			scale = deviation(j.want.Sample.others(j.want.Sigma[i], d), j.ulp[i])
		}
		for k, by := range times {
			if e := j.recorded(i, by*d); !math.IsInf(e, 0) && !math.IsNaN(e) {
				w[k][i] = e / scale
			}
		}
	}
	return w
}

// newRoom is room for the scaled errors of all elements, as they are and times another factor.
func (j *judgement) newRoom() *[2][]float64 {
	return &[2][]float64{make([]float64, len(j.scores)), make([]float64, len(j.scores))}
}

// recorded is what an element is off by in the output's type, of a kernel that errs so before.
func (j *judgement) recorded(i int, d float64) float64 {
	t := j.want.Truth.Data[i]
	x := t + d
	if j.want.Type != dtype.F64 {
		x = steady(x)
	}
	return j.want.Type.Round(x) - t
}

// steady rounds x to 41 bits: what a run gives is a number of float32 where its own units are the
// hardware's, and may lie in the middle of two numbers of a narrow type. What float64 lost on the
// way must not say on which side.
func steady(x float64) float64 {
	return math.Float64frombits((math.Float64bits(x) + 1<<11) &^ (1<<12 - 1))
}

// others is σ of an element as the other runs have it: what one run is judged by must not know it.
func (s *Sample) others(sigma, d float64) float64 {
	if sigma == 0 || !s.tells() {
		return sigma
	}
	all := s.worth()
	of := d / sigma // before it is squared: σ² may overflow, or vanish
	return sigma * math.Sqrt(max(all-of*of, 0.01)/(all-1))
}

// worth is of how many runs σ of an element is.
func (s *Sample) worth() float64 { return float64(len(s.Deviations)) + s.prior + s.rare }

// tells says whether σ of an element hangs on its own runs.
func (s *Sample) tells() bool { return s.whole() && s.worth() >= 2 }

// tailShare tells from the runs' kurtosis how far the tail of the errors is from a normal one and
// near that of sums in an unknown order, see walkQuantile. Few numbers leave it uncertain. It
// returns the largest score of a run, too.
func (j *judgement) tailShare(g *geometry) (share, largest float64) {
	var second, fourth, n float64
	each := make([]tail, len(j.want.Sample.Deviations))
	parallel.Each(len(each), func(r int) { each[r] = j.tailOf(g, j.want.Sample.Deviations[r]) })
	for _, t := range each {
		second, fourth, n, largest = second+t.second, fourth+t.fourth, n+t.n, max(largest, t.largest)
	}
	if second == 0 {
		return 0, 0
	}
	freedom := j.freedom()
	normal := 3 * (freedom - 2) / max(freedom-4, 1)
	kurtosis := fourth*n/(second*second) + 2*math.Sqrt(24/n)
	return min(1, max(0, (kurtosis/normal-1)/(walkSecond-1))), largest
}

// tail is Σ x², Σ x⁴, the number and the largest of a run's errors x by σ from the others.
type tail struct{ second, fourth, n, largest float64 }

func (j *judgement) tailOf(g *geometry, run []float64) (t tail) {
	for e, d := range run {
		i := j.want.Sample.at(e)
		if !g.judged[i] || math.IsNaN(d) || j.want.Sigma[i] == 0 {
			continue
		}
		x := d / j.want.Sample.others(j.want.Sigma[i], d)
		t.second, t.fourth, t.n = t.second+x*x, t.fourth+x*x*x*x, t.n+1
		t.largest = max(t.largest, math.Abs(x))
	}
	return t
}

// walkSecond is E[r²] of the squared Brownian bridge in units of its mean.
const walkSecond = 1.8

// freedom is by how many independent numbers σ of an element is known: by the pool alone where some
// elements were run for all.
func (j *judgement) freedom() float64 {
	if !j.want.Sample.whole() {
		return max(1, j.want.Sample.prior+j.want.Sample.rare)
	}
	return float64(len(j.want.Sample.Deviations)) + j.want.Sample.prior
}

// over returns a statistic's values over the runs.
func (k kin) over(of func(s statistics) float64) []float64 {
	x := make([]float64, len(k.runs))
	for r, s := range k.runs {
		x[r] = of(s)
	}
	return x
}

// moments returns mean and variance over the runs of a statistic that grows with a power of the
// errors.
func (k kin) moments(of func(s statistics) float64, power int) (mean, variance float64) {
	mean, variance = stat.MeanVariance(k.over(of), nil)
	x, scale := make([]float64, len(k.wide)), math.Pow(far, float64(power))
	for r, s := range k.wide {
		x[r] = of(s) / scale
	}
	return mean, max(variance, stat.Variance(x, nil))
}
