package verdict

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// testSample judges an output by what the runs give.
func (j *judgement) testSample(out *Output) {
	k := j.kin()
	got := k.geometry.of(j.scaled(), j.columns)
	tests := 4 + 3*len(k.geometry.families) + len(k.directions)
	chance := falseAlarm / float64(tests*max(j.want.Outputs, 1))
	j.elementOf(out, k, chance)
	if k.geometry.n == 0 {
		return // every element is exact
	}
	for f := range k.geometry.families {
		j.rmsOf(out, k, got, f, chance)
	}
	j.meansOf(out, k, got, chance)
	for f := range k.geometry.families {
		j.scalesOf(out, k, got, f, chance)
	}
	for d := range k.directions {
		j.directionOf(out, k, got, d, chance)
	}
}

// kin returns what the runs give, once for all outputs that are compared with one expectation.
func (j *judgement) kin() kin {
	s := j.want.Sample
	s.once.Do(func() { s.kin = j.newKin() })
	return s.kin
}

// scaled returns the recorded output's scaled errors.
func (j *judgement) scaled() []float64 {
	w := make([]float64, len(j.scores))
	for i, s := range j.scores {
		if !s.unjudged && !s.exact && !s.unbounded && !s.wrongKind {
			w[i] = s.w
		}
	}
	return w
}

// elementOf judges the largest score.
func (j *judgement) elementOf(out *Output, k kin, chance float64) {
	each := chance / float64(max(out.Elements, 1))
	out.MaxZLimit = math.Sqrt(tailed(studentQuantile(j.freedom(), each), each, k.tail))
	if j.want.Sample.rare > 0 { // a loss of a bit more may be as rare again
		out.MaxZLimit = max(out.MaxZLimit, 2*k.largest)
	}
	j.elementReasons(out)
}

// rmsOf judges the root mean squares of a family's parts: the mean square of a part over the runs
// has a mean and a variance, and so as many degrees of freedom as a χ² of that variance. Parts of a
// family tell of each other's.
func (j *judgement) rmsOf(out *Output, k kin, got statistics, f int, chance float64) {
	fam := k.geometry.families[f]
	failed := j.partsBeyond(out, k, got, f, chance)
	if f > 0 {
		j.addSlices(out, fam.axis, fam.parts, failed)
	} else if len(failed) > 0 {
		out.Reasons = append(out.Reasons, fmt.Sprintf("root mean square %.3g, limit %.3g", out.RMS, out.RMSLimit))
	}
}

// partsBeyond returns the parts beyond their limit; the whole gets its score and limit.
func (j *judgement) partsBeyond(out *Output, k kin, got statistics, f int, chance float64) (failed []Slice) {
	fam, m := k.geometry.families[f], k.meanSquares[f]
	for p := range fam.parts {
		n := k.geometry.counts[f][p]
		mean, square := max(m.means[p], k.native.families[f].squares[p], leastMean), got.families[f].squares[p]
		if n == 0 || f > 0 && square <= calibration*calibration*mean {
			continue // the least that any limit is
		}
		limit := meanSquareLimit(mean, max(m.variances[p], 2/n), m.freedom(p), chance/float64(fam.parts), k.tail)
		s := fam.slice(p, math.Sqrt(square), math.Sqrt(limit))
		j.checkLimit(limit)
		if f == 0 {
			out.RMS, out.RMSLimit = s.RMS, s.Limit
		}
		if s.RMS > s.Limit {
			failed = append(failed, s)
		}
	}
	return failed
}

// slice is the score of one part of a family.
func (fam family) slice(part int, rms, limit float64) Slice {
	return Slice{
		Axis: fam.axis, Index: fam.index(part), Of: fam.extents(), RMS: rms, Limit: limit, Part: part,
	}
}

// spread returns mean and relative variance of a statistic of each part over the runs, and of how
// many degrees of freedom the variances are: parts of a family tell of each other's. Of a part that
// was not run all is told by the others.
func (k kin) spread(f int, of func(s statistics, p int) float64) partMoments {
	parts := k.geometry.families[f].parts
	means, variances := make([]float64, parts), make([]float64, parts)
	var mean, n float64
	for p := range parts {
		if k.sampled.counts[f][p] > 0 {
			m, v := k.moments(func(s statistics) float64 { return of(s, p) }, 2)
			means[p], variances[p] = m, v/max(m*m, leastMean*leastMean)
			mean, n = mean+m, n+1
		}
	}
	variances, prior := k.shrunk(variances, k.sampled.own[f])
	for p := range parts {
		if k.sampled.counts[f][p] == 0 {
			means[p] = mean / max(n, 1)
		}
		variances[p] += k.chosen(f, p)
	}
	return partMoments{means, variances, k.freedom(f, prior)}
}

// freedom returns of how many degrees of freedom a part's variance is, where all of them tell as
// much as so many runs.
func (k kin) freedom(f int, prior float64) func(p int) float64 {
	return func(p int) float64 {
		if k.sampled.counts[f][p] == 0 {
			return max(1, prior)
		}
		return float64(len(k.runs)-1) + prior
	}
}

// chosen is the relative variance that the mean square of a part has because only some rows were
// run: rows that err more than σ says, or less, make up the part in another share.
func (k kin) chosen(f, p int) float64 {
	if k.rowScatter == 0 {
		return 0
	}
	ran, all := k.sampled.counts[f][p], k.geometry.counts[f][p]
	if ran == 0 {
		ran = k.sampled.n
	}
	each := 1.0 // elements of a row in the part
	if k.geometry.families[f].stays {
		each = floats.Sum(k.geometry.rowCounts) / float64(len(k.geometry.rowNorms))
	}
	return k.rowScatter * (each/ran + each/max(all, 1))
}

// shrunk draws variances over the runs, one of each part of a family and 0 where none is known,
// toward what all of them tell, as NewSample does with those of elements, and returns how many runs
// that is worth.
func (k kin) shrunk(own, weights []float64) (variances []float64, prior float64) {
	runs := float64(len(k.runs) - 1)
	expect := allAlike(own, func(p int) int { return p }, runs)
	if expect == nil {
		return own, 0
	}
	prior = priorRuns(poolScatter(logarithms(own), expect.values, weights), runs, own, weights)
	variances = make([]float64, len(own))
	for p, v := range own {
		if variances[p] = expect.values[p]; v > 0 {
			variances[p] = (runs*v + prior*expect.values[p]) / (runs + prior)
		}
	}
	return variances, prior
}

// leastMean is the least mean square that right kernels are taken to have: where truths lie on
// numbers of the type, or the sample is kind, a kernel need not be.
const leastMean = 0.5

// meanSquareLimit is what a mean square exceeds with that chance, whose mean and relative variance
// are known from runs, the variance to a χ² of `known` degrees of freedom.
func meanSquareLimit(mean, variance, known, chance, tail float64) float64 {
	variance *= known / chiSquaredLow(known)
	draws := max(0.5, 2/variance)
	one := walkQuantile(chance / max(draws, 1))
	normal := chiSquaredQuantile(draws, chance)
	runs := 1 + 2*math.Sqrt(variance/(known+1))
	return calibration * calibration * mean * runs * max(normal, 1+tail*one*one/draws)
}

// chiSquaredLow is what χ² of k degrees of freedom is below once in twenty times (Wilson,
// Hilferty).
func chiSquaredLow(k float64) float64 {
	c := 2 / (9 * k)
	return k * math.Pow(max(0.1, 1-c-1.645*math.Sqrt(c)), 3)
}

// meansOf judges the mean of the scaled errors, plain and toward larger sizes.
func (j *judgement) meansOf(out *Output, k kin, got statistics, chance float64) {
	n := k.geometry.n
	each := extent{1 / n, 1 / n, n / k.sampled.n, k.plainScatter}
	plain := k.linear(got.plain, func(s statistics) float64 { return s.plain }, each, chance)
	each.scatter = k.outwardScatter
	outward := k.linear(got.outward, func(s statistics) float64 { return s.outward }, each, chance)
	worst := plain
	if outward.beyond() > plain.beyond() {
		worst = outward
	}
	out.Bias, out.BiasLimit = worst.value, worst.limit
	if out.BiasLimit >= out.RMSLimit {
		out.BiasLimit = 0 // a mean is no larger than its root mean square
	} else if worst.beyond() > 1 {
		out.Reasons = append(out.Reasons, fmt.Sprintf(
			"bias %.3g, limit %.3g: the errors share a direction", out.Bias, out.BiasLimit,
		))
	}
}

// line is a statistic that is linear in the errors, less its mean over the runs, with its limit.
type line struct{ value, limit float64 }

func (l line) beyond() float64 { return math.Abs(l.value) / l.limit }

// extent is what a statistic that is linear in the errors is of.
type extent struct {
	least   float64 // its variance if all errors are independent
	largest float64 // the share of that which the largest error has
	more    float64 // how many times as much there is as of what was run
	scatter float64 // variance from element to element of what all runs have in common
}

// linear judges a statistic by its mean and variance over the runs; runs that agree do not undercut
// the variance of independent errors. Of the elements that were run, a mean has least·more if they
// are independent; what is beyond comes from errors in common, of which all elements have as much.
func (k kin) linear(got float64, of func(s statistics) float64, e extent, chance float64) line {
	mean, variance := k.moments(of, 1)
	runs := float64(len(k.runs))
	variance = e.least + max(0, variance-e.least*e.more)
	return line{nearer(got, mean, of(k.native)), k.reach(variance, e, studentQuantile(runs-1, chance), chance)}
}

// nearer returns how far a statistic is from its mean over the runs or from what the hardware's own
// units give, whichever is nearer.
func nearer(got, mean, native float64) float64 {
	if math.Abs(got-native) < math.Abs(got-mean) {
		return got - native
	}
	return got - mean
}

// reach is what a sum of errors of that variance, less its mean over the runs, exceeds with a
// chance, with the quantile of Student's t for the degrees of freedom to which the variance is
// known. The fewer errors stand behind it, the more it has of their tail. Where it is of more than
// was run, the mean is that much less certain: by what the runs leave open of independent errors,
// and by what they have in common, which is another number in each element.
func (k kin) reach(variance float64, e extent, student, chance float64) float64 {
	tail := k.tail * min(1, e.largest*variance/e.least)
	ofMean := (variance+e.least*(e.more-1))/float64(len(k.runs)) + e.scatter*e.least*(e.more-1)
	return calibration * math.Sqrt((variance+ofMean)*tailed(student, chance, tail))
}

// scalesOf judges the error along the truth itself, part by part: a factor on all of it.
func (j *judgement) scalesOf(out *Output, k kin, got statistics, f int, chance float64) {
	worst, at := k.worstFactor(got, f, chance)
	if worst.beyond() <= 1 {
		j.scatterOf(out, k, got, f, chance)
		return
	}
	factor := worst.value / math.Sqrt(k.geometry.norms[f][at])
	out.fail(partName(k.geometry.families[f], at)+" "+tooLarge(factor), worst.beyond())
}

// worstFactor returns the part whose factor is furthest beyond its limit, or nearest to it.
func (k kin) worstFactor(got statistics, f int, chance float64) (worst line, at int) {
	m, parts := k.factors[f], k.geometry.families[f].parts
	worst = line{0, 1}
	each, freedom, student := chance/float64(parts), math.NaN(), 0.0 // which most parts share
	for p := range parts {
		if k.geometry.counts[f][p] < 1.5 || k.geometry.norms[f][p] == 0 {
			continue
		}
		more := k.more(f, p)
		native := k.native.families[f].along[p] * math.Sqrt(more)
		value, variance := nearer(got.families[f].along[p], m.means[p], native), max(1, m.variances[p])
		if math.Abs(value) < leastReach*math.Sqrt(variance) {
			continue
		}
		if own := m.freedom(p); own != freedom {
			freedom, student = own, studentQuantile(own, each)
		}
		reach := k.reach(variance, extent{1, k.geometry.largest[f][p], more, k.outwardScatter}, student, each)
		if l := (line{value, reach}); l.beyond() > worst.beyond() {
			worst, at = l, p
		}
	}
	return worst, at
}

// scatterOf judges all factors of a family together: the mean square of the errors along the truth,
// in units of their variances. Factors that are too small to be seen one by one, as those of rows
// whose sums are kept in few bits, are seen so.
func (j *judgement) scatterOf(out *Output, k kin, got statistics, f int, chance float64) {
	fam := k.geometry.families[f]
	if fam.parts < 2 {
		return
	}
	mean, variance := k.scatters[f].mean, k.scatters[f].variance
	runs := float64(len(k.runs) - 1)
	apart := floats.Sum(k.geometry.own[f])
	limit := meanSquareLimit(mean, max(variance/(mean*mean), 2/apart), runs, chance, k.tail)
	all := func(int) float64 { return 1 }
	if value := k.geometry.meanFactor(f, got.families[f].along, k.scatters[f].units, all); value > limit {
		out.fail(fmt.Sprintf("each %s is off by a factor of its own", fam.axis), math.Sqrt(value/limit))
	}
}

// meanFactor is the mean square of errors along the truth in units of their variances, over the
// parts of a family that have any, where each part has so many times as much as was run.
func (g *geometry) meanFactor(f int, along, variances []float64, more func(p int) float64) float64 {
	var sum float64
	for p, a := range along {
		if g.norms[f][p] > 0 {
			sum += g.own[f][p] * grown(a*a, more(p)) / max(1, variances[p])
		}
	}
	return sum / max(g.held(f), 1)
}

// grown is the square of an error along the truth of so many times as many elements: of independent
// errors it stays 1, and what is beyond, of errors in common, grows with them.
func grown(square, more float64) float64 { return 1 + (square-1)*more }

// alongMoments returns mean and variance over the runs of each part's error along the truth, and of
// how many degrees of freedom the variances are.
func (k kin) alongMoments(f int) partMoments {
	parts := k.geometry.families[f].parts
	variances, means := make([]float64, parts), make([]float64, parts)
	for p := range variances {
		means[p], variances[p] = k.moments(func(s statistics) float64 { return s.families[f].along[p] }, 1)
		more := k.more(f, p) // errors in common add up
		means[p] *= math.Sqrt(more)
		if variances[p] > 1 {
			variances[p] = 1 + (variances[p]-1)*more
		}
	}
	variances, prior := k.shrunk(variances, k.sampled.own[f])
	k.tellOthers(f, means, variances)
	return partMoments{means, variances, k.freedom(f, prior)}
}

// tellOthers gives the parts that were not run the mean factor of those that were, and the variance
// that this has from part to part.
func (k kin) tellOthers(f int, means, variances []float64) {
	var factors []float64
	for p, norm := range k.geometry.norms[f] {
		if k.sampled.norms[f][p] > 0 {
			factors = append(factors, means[p]/math.Sqrt(norm))
		}
	}
	if len(factors) < 2 || len(factors) == len(means) {
		return
	}
	mean, variance := stat.MeanVariance(factors, nil)
	for p, norm := range k.geometry.norms[f] {
		if k.sampled.norms[f][p] == 0 {
			means[p] = mean * math.Sqrt(norm)
			variances[p] += variance * norm
		}
	}
}

// more is how many times the square of the truth a part has of the elements that were run; 1 if
// none was.
func (k kin) more(f, p int) float64 {
	if ran := k.sampled.norms[f][p]; ran > 0 {
		return k.geometry.norms[f][p] / ran
	}
	return 1
}

// leastReach is what no limit is below, in deviations: every chance is below a millionth.
const leastReach = 4

// partName says which part: "all of it", "all of head 3", "all of row [1 2]".
func partName(fam family, p int) string {
	if fam.axis == "" {
		return "all of it is"
	}
	index := fam.index(p)
	if len(index) == 1 {
		return fmt.Sprintf("all of %s %d is", fam.axis, index[0])
	}
	return fmt.Sprintf("all of %s %v is", fam.axis, index)
}

// tooLarge says by how much; beyond the double, or the other sign, as a multiple.
func tooLarge(factor float64) string {
	switch {
	case factor < -0.995 || factor >= 0.995:
		return fmt.Sprintf("%.2g times what it should be", 1+factor)
	case factor < 0:
		return fmt.Sprintf("%.2g %% too small", -100*factor)
	}
	return fmt.Sprintf("%.2g %% too large", 100*factor)
}
