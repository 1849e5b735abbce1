package verdict

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

const (
	experts, expertGroups, topGroups, topExperts = 256, 8, 4, 8
)

// groupTop2 returns the sum of the two best scores of each group.
func groupTop2(scores []float64) []float64 {
	size := len(scores) / expertGroups
	sums := make([]float64, expertGroups)
	for g := range sums {
		part := scores[g*size : (g+1)*size]
		for _, e := range largest(part, 2, func(int) bool { return true }) {
			sums[g] += part[e]
		}
	}
	return sums
}

// pick8 is a gate: the best experts inside the best groups.
func pick8(scores, groups []float64) []int {
	in := largest(groups, topGroups, func(int) bool { return true })
	return largest(scores, topExperts, func(e int) bool { return slices.Contains(in, e/(experts/expertGroups)) })
}

// gateCase returns scores of n tokens and the choice of a gate that rounds them to a type.
func gateCase(rng *rand.Rand, typ dtype.Type, n int) (*TopK, *tensor.Tensor) {
	t := &TopK{N: n, E: experts, K: topExperts, Groups: expertGroups, TopGroups: topGroups}
	got := tensor.New(n, topExperts)
	u := typ.UnitRoundoff()
	for i := range n {
		scores, rounded := make([]float64, experts), make([]float64, experts)
		for e := range scores {
			scores[e] = 1/(1+math.Exp(-rng.NormFloat64())) + 0.01*float64(e%7)
			rounded[e] = typ.Round(scores[e])
			t.Bounds = append(t.Bounds, u*scores[e])
		}
		groups := groupTop2(scores)
		for _, g := range groups {
			t.GroupBounds = append(t.GroupBounds, 2*u*g)
		}
		t.Scores, t.GroupScores = append(t.Scores, scores...), append(t.GroupScores, groups...)
		sums := groupTop2(rounded)
		for g := range sums {
			sums[g] = typ.Round(sums[g])
		}
		for k, e := range pick8(rounded, sums) {
			got.Data[i*topExperts+(k*5)%topExperts] = float64(e)
		}
	}
	return t, got
}

func judgeChoiceOf(c Choice, got *tensor.Tensor) Output {
	return Judge(Expected{Name: "indices", Type: dtype.I32, Choice: c}, got)
}

func TestRightGatesAreExplained(t *testing.T) {
	for seed := range uint64(check.Times(200, 20)) {
		for _, typ := range []dtype.Type{dtype.F32, dtype.BF16} {
			n := 64
			if seed == 0 {
				n = check.Times(4096, 1024)
			}
			c, got := gateCase(rand.New(rand.NewPCG(seed, 1)), typ, n)
			out := judgeChoiceOf(c, got)
			if out.Status != Explained || out.Rows != n {
				t.Fatalf("%v seed %d: %v %v", typ, seed, out.Status, out.Reasons)
			}
			if typ == dtype.BF16 && out.Allowed == 0 || typ == dtype.F32 && out.Allowed > n/32 {
				t.Errorf("%v seed %d: %s", typ, seed, out.InWords())
			}
		}
	}
}

// wrongRows are ways to spoil one row of indices.
var wrongRows = map[string]func(t *TopK, i int, row []float64){
	"the best expert is left out": func(t *TopK, i int, row []float64) {
		exact := t.row(i).best()
		group := t.row(i).group(exact[1])
		next := largest(t.row(i).scores, t.K+1, func(e int) bool { return t.row(i).group(e) == group })
		row[slices.Index(row, float64(exact[0]))] = float64(next[t.K])
	},
	"a group is off": func(t *TopK, i int, row []float64) {
		groups := slices.Clone(t.row(i).groups)
		low := slices.Index(groups, slices.Min(groups))
		groups[low] = 10
		for k, e := range pick8(t.row(i).scores, groups) {
			row[k] = float64(e)
		}
	},
	"the groups are not looked at": func(t *TopK, i int, row []float64) {
		t.GroupScores[i*expertGroups] = -10 // its experts are among the best of all the same
		t.Scores[i*experts] = 10
		row[0] = 0
	},
	"an expert comes twice":  func(_ *TopK, _ int, row []float64) { row[0] = row[1] },
	"an index is too large":  func(_ *TopK, _ int, row []float64) { row[3] = experts },
	"an index is negative":   func(_ *TopK, _ int, row []float64) { row[3] = -1 },
	"an index is no integer": func(_ *TopK, _ int, row []float64) { row[3] = math.NaN() },
}

func TestWrongGatesAreFound(t *testing.T) {
	for name, spoil := range wrongRows {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				c, got := gateCase(rand.New(rand.NewPCG(seed, 2)), dtype.F32, 32)
				spoil(c, 17, got.Data[17*topExperts:18*topExperts])
				out := judgeChoiceOf(c, got)
				if out.Status != Unexplained || out.Wrong != 1 || out.WrongRows[0].Row != 17 {
					t.Fatalf("seed %d: %v %v", seed, out.Status, out.Reasons)
				}
			}
		})
	}
}

func TestABiasLeftOutOfTheRankingIsFound(t *testing.T) {
	c, got := gateCase(rand.New(rand.NewPCG(1, 3)), dtype.F32, 256)
	for i := range c.N {
		scores := slices.Clone(c.row(i).scores)
		for e := range scores {
			scores[e] -= 0.01 * float64(e%7)
		}
		for k, e := range pick8(scores, groupTop2(scores)) {
			got.Data[i*topExperts+k] = float64(e)
		}
	}
	if out := judgeChoiceOf(c, got); out.Status != Unexplained || out.Wrong < 100 || len(out.WrongRows) != worstListed {
		t.Errorf("%v, %s", out.Status, out.InWords())
	}
}

func TestTiesAndBounds(t *testing.T) {
	scores := []float64{3, 2, 2, 2 - 1e-3, 0}
	for _, x := range []struct {
		chosen []float64
		want   Grade
	}{
		{[]float64{1, 0}, Exact},
		{[]float64{0, 2}, Tied},
		{[]float64{0, 3}, Within},
		{[]float64{0, 4}, Wrong},
		{[]float64{0, 0}, Wrong},
		{[]float64{1, 2}, Wrong}, // each reaches the second best, but the best is missing
	} {
		c := &TopK{N: 1, E: 5, K: 2, Scores: scores, Bounds: slices.Repeat([]float64{6e-4}, 5)}
		if a := c.Judge(0, x.chosen); a.Grade != x.want {
			t.Errorf("%v: grade %d, want %d", x.chosen, a.Grade, x.want)
		}
		c.Bounds = slices.Repeat([]float64{4e-4}, 5)
		if a := c.Judge(0, x.chosen); x.want == Within && a.Grade != Wrong {
			t.Errorf("%v beyond the bound: grade %d", x.chosen, a.Grade)
		}
	}
}

func TestChoicesThatCannotTell(t *testing.T) {
	all := &TopK{N: 2, E: 2, K: 1, Scores: []float64{1, 2, 3, 4}, Bounds: []float64{1, 1, 1, 1}}
	zeros := &Codes{
		Type: dtype.F8E4M3, N: 4, Exact: func(int) float64 { return 0 },
		Right: func(_ int, some []float64) []float64 { return append(some, 0) },
	}
	either := &Decisions{Exact: []float64{0, 1}, Values: 2, Others: map[int][]float64{0: {1}, 1: {0}}}
	masked := &Decisions{Exact: []float64{0, 1}, Values: 2, Skip: []bool{true, true}}
	for _, x := range []struct {
		c    Choice
		got  *tensor.Tensor
		want string
	}{
		{all, tensor.Of([]float64{1, 0}, 2, 1), "any answer and zeros would pass"},
		{either, tensor.Of([]float64{0, 1}, 2), "any answer and zeros would pass"},
		{masked, tensor.Of([]float64{0, 1}, 2), "no row is judged"},
	} {
		if out := judgeChoiceOf(x.c, x.got); out.Status != Undetermined || !strings.HasPrefix(out.Reasons[0], x.want) {
			t.Errorf("%T: %v %v, want %q", x.c, out.Status, out.Reasons, x.want)
		}
	}
	if out := judgeChoiceOf(zeros, tensor.Of(make([]float64, 4), 4)); out.Status != Explained {
		t.Errorf("zeros that are the exact answer: %v %v", out.Status, out.Reasons)
	}
}

// quantised returns what is expected of 4096 codes, x/s or x·(1/s), with both of these, and codes
// that are truncated.
func quantised(seed uint64) (c *Codes, divided, multiplied, cut *tensor.Tensor) {
	rng := rand.New(rand.NewPCG(seed, 4))
	typ, n := dtype.F8E4M3, 4096
	divided, multiplied, cut = tensor.New(n), tensor.New(n), tensor.New(n)
	s, quotients := float32(3+rng.Float64())/448, make([]float64, n)
	for i := range n {
		x := float32(dtype.BF16.Round(rng.Float64()*7.4 - 3.7))
		if i%4 == 0 { // next to a midpoint between two codes
			x = (float32(2*(i%8)) + 17) * s
		}
		q := float64(x) / float64(s)
		quotients[i] = q
		divided.Data[i] = typ.RoundSaturating(float64(x / s))
		multiplied.Data[i] = typ.RoundSaturating(float64(x * (1 / s)))
		cut.Data[i] = typ.RoundSaturating(q)
		if math.Abs(cut.Data[i]) > math.Abs(q) {
			cut.Data[i] = typ.Round(math.Copysign(math.Abs(cut.Data[i])-typ.Spacing(q), q))
		}
	}
	at := func(x *tensor.Tensor) func(i int, some []float64) []float64 {
		return func(i int, some []float64) []float64 { return append(some, x.Data[i]) }
	}
	c = &Codes{Type: typ, Of: "codes", N: n, Exact: func(i int) float64 { return quotients[i] }}
	c.Right = func(i int, some []float64) []float64 { return append(some, divided.Data[i], multiplied.Data[i]) }
	c.Others = []Convention{{"truncated", at(cut)}, {"divided", at(divided)}}
	return c, divided, multiplied, cut
}

func TestCodesOfAQuantiser(t *testing.T) {
	allowed := 0
	for seed := range uint64(check.Times(200, 20)) {
		c, divided, multiplied, cut := quantised(seed)
		for _, got := range []*tensor.Tensor{divided, multiplied} {
			if out := judgeChoiceOf(c, got); out.Status != Explained {
				t.Fatalf("seed %d: %v", seed, out.Reasons)
			}
		}
		allowed += judgeChoiceOf(c, multiplied).Allowed
		out := judgeChoiceOf(c, cut)
		if out.Status != Unexplained || out.Wrong < 1000 {
			t.Fatalf("truncation, seed %d: %v %s", seed, out.Status, out.InWords())
		}
		if len(out.Reasons) != 2 || out.Reasons[0] != "each of the codes would be right truncated" {
			t.Fatalf("truncation, seed %d: %q", seed, out.Reasons)
		}
	}
	if allowed == 0 {
		t.Error("the recipes agree everywhere")
	}
}

func TestSpecialCodes(t *testing.T) {
	nan, negative := math.NaN(), math.Copysign(0, -1)
	right := [][]float64{{0}, {nan}, {1}, {1, 1.125}, {448}, nil}
	c := &Codes{
		Type: dtype.F8E4M3, Of: "codes", N: len(right), Exact: func(int) float64 { return 1 },
		Right: func(i int, some []float64) []float64 { return append(some, right[i]...) },
	}
	for _, x := range []struct {
		i    int
		got  float64
		want Grade
	}{
		{0, negative, Exact}, {0, nan, Wrong}, {1, nan, Exact}, {1, 0, Wrong},
		{2, 1, Exact}, {2, 1.125, Wrong}, {3, 1.125, Within}, {3, 1.25, Wrong},
		{4, nan, Wrong}, {4, 448, Exact}, {5, 448, Unjudged},
	} {
		if a := c.Judge(x.i, []float64{x.got}); a.Grade != x.want {
			t.Errorf("right %v, code %v: grade %d, want %d", right[x.i], x.got, a.Grade, x.want)
		}
	}
}

// A convention counts where every number that is judged is one of its own, wherever it is right or
// wrong.
func TestConventionsOfCodes(t *testing.T) {
	wants := func(x ...float64) func(i int, some []float64) []float64 {
		return func(i int, some []float64) []float64 {
			if i == 2 {
				return some
			}
			return append(some, x[i])
		}
	}
	c := &Codes{
		Type: dtype.F32, Of: "scales", N: 3, Exact: func(int) float64 { return 1 }, Right: wants(1, 2),
		Others: []Convention{{"twice", wants(2, 4)}, {"once", wants(1, 4)}, {"and once more", wants(1, 4)}},
	}
	for _, x := range []struct {
		got  []float64
		want string
	}{
		{[]float64{2, 4, 0}, "each of the scales would be right twice"},
		{[]float64{1, 4, 9}, "each of the scales would be right once;each of the scales would be right and once more"},
		{[]float64{2, 2, 0}, ""},
	} {
		if words := strings.Join(c.Words(x.got), ";"); words != x.want {
			t.Errorf("%v: %q, want %q", x.got, words, x.want)
		}
	}
}

func TestDecisions(t *testing.T) {
	d := &Decisions{
		Exact: []float64{2, 1, 0}, Values: 4, Others: map[int][]float64{1: {3}}, Skip: []bool{false, false, true},
	}
	for _, x := range []struct {
		got            []float64
		want           Status
		allowed, wrong int
	}{
		{[]float64{2, 1, 3}, Explained, 0, 0},
		{[]float64{2, 3, 3}, Explained, 1, 0},
		{[]float64{3, 2, 3}, Unexplained, 0, 2},
		{[]float64{2, 1, 4}, Unexplained, 0, 1}, // out of range is wrong even where nothing is judged
	} {
		out := judgeChoiceOf(d, tensor.Of(x.got, 3))
		if out.Status != x.want || out.Allowed != x.allowed || out.Wrong != x.wrong {
			t.Errorf("%v: %v %s", x.got, out.Status, out.InWords())
		}
	}
}

func TestAChoiceOfAnotherShapeIsUnusable(t *testing.T) {
	d := &Decisions{Exact: []float64{1, 0}, Values: 2}
	if out := judgeChoiceOf(d, tensor.Of([]float64{1, 0, 1}, 3)); out.Status != Unusable {
		t.Errorf("%v %v", out.Status, out.Reasons)
	}
}

// The report names the expert that was chosen, its score, the k-th best and how far apart they are.
func TestTheWorstRowIsNamed(t *testing.T) {
	c := &TopK{N: 1, E: 4, K: 2, Scores: []float64{4, 3, 1, 2}, Bounds: slices.Repeat([]float64{0.25}, 4)}
	w := judgeChoiceOf(c, tensor.Of([]float64{0, 2}, 1, 2)).WrongRows[0]
	if w.Got != 2 || w.Want != 1 || w.Score != 1 || w.Best != 3 || w.Bounds != 4 {
		t.Errorf("%+v", w)
	}
	if !strings.Contains(w.Why, "chose 2 (score 1), left out 1 (score 3); the 2-th best is 3, 4 bounds apart") {
		t.Error(w.Why)
	}
}

func TestNoMoreGroupsThanAllowed(t *testing.T) {
	c := &TopK{N: 1, E: 4, K: 2, Groups: 2, TopGroups: 1, Scores: []float64{5, 1, 4, 0}, Bounds: make([]float64, 4)}
	c.GroupScores, c.GroupBounds = []float64{6, 6}, make([]float64, 2)
	for _, x := range []struct {
		chosen []float64
		want   Grade
	}{{[]float64{0, 1}, Exact}, {[]float64{2, 3}, Tied}, {[]float64{0, 2}, Wrong}} {
		if a := c.Judge(0, x.chosen); a.Grade != x.want {
			t.Errorf("%v: grade %d, want %d", x.chosen, a.Grade, x.want)
		}
	}
}

func TestTiesAreCounted(t *testing.T) {
	scores, bounds := []float64{1, 1, 0, 1, 0.5, 0, 3, 2, 1}, slices.Repeat([]float64{0.25}, 9)
	c := &TopK{N: 3, E: 3, K: 1, Scores: scores, Bounds: bounds}
	out := judgeChoiceOf(c, tensor.Of([]float64{1, 1, 0}, 3, 1))
	if want := "2 of 3 rows needed the allowance (ties: 1, within bound: 1)"; out.InWords() != want {
		t.Errorf("%s, want %s", out.InWords(), want)
	}
}
