package mtp_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// shares returns all distributions over v tokens in parts of 1/n, as these parts.
func shares(v, n int) [][]int {
	if v == 1 {
		return [][]int{{n}}
	}
	var all [][]int
	for first := range n + 1 {
		for _, rest := range shares(v-1, n-first) {
			all = append(all, append([]int{first}, rest...))
		}
	}
	return all
}

// over returns parts of n as probabilities.
func over(parts []int, n int) []float64 {
	p := make([]float64, len(parts))
	for x := range p {
		p[x] = float64(parts[x]) / float64(n)
	}
	return p
}

// quarters are distributions over three tokens in parts of 1/4; every threshold that Accept can
// meet in them, p/q or a sum of p or of a residual over its total, is a multiple of 1/12.
const (
	parts = 4
	grid  = 12
)

// uniforms calls f with all numbers of k+1 in the middle of the cells of the grid: what holds of
// them in so many cases holds of real ones with that probability, exactly.
func uniforms(k int, f func(u []float64)) {
	at := make([]float64, k+1)
	for cell := range int(math.Pow(grid, float64(k+1))) {
		for i := range at {
			at[i] = (float64(cell%grid) + 0.5) / grid
			cell /= grid
		}
		f(at)
	}
}

// Every distribution of quarters against every other, every draft, every uniform number.
func TestAccept(t *testing.T) {
	t.Run("one drafted token: what is emitted first has exactly the distribution p, whatever q", func(t *testing.T) {
		for _, pParts := range shares(3, parts) {
			for _, qParts := range shares(3, parts) {
				count, _ := emitted(pParts, qParts)
				for x := range count {
					// Σ over drafts of q = parts · grid² cases for a probability of 1.
					if want := pParts[x] * grid * grid; count[x] != want {
						t.Errorf("p %v, q %v: token %d in %d cases, want %d", pParts, qParts, x, count[x], want)
					}
				}
			}
		}
	})
	t.Run("it is kept with probability Σ min(p, q)", func(t *testing.T) {
		for _, pParts := range shares(3, parts) {
			for _, qParts := range shares(3, parts) {
				_, kept := emitted(pParts, qParts)
				want := mtp.AcceptanceRate(over(pParts, parts), over(qParts, parts)) * parts * grid * grid
				check.Near(t, fmt.Sprintf("p %v, q %v", pParts, qParts), float64(kept), want, 0)
			}
		}
	})
	t.Run("shapes have to agree", func(t *testing.T) {
		p, q := matrix(1, 2, 3), matrix(2, 1, 3)
		for _, f := range []func(){
			func() { mtp.Accept([]int{0}, q, matrix(1, 1, 3), []float64{0, 0}) },
			func() { mtp.Accept([]int{0}, q, p, []float64{0}) },
			func() { mtp.Accept([]int{0}, matrix(2, 1, 4), p, []float64{0, 0}) },
			func() { mtp.Accept([]int{0}, matrix(2, 2, 3), p, []float64{0, 0}) },
		} {
			check.Panics(t, badShapes, f)
		}
	})
}

// emitted counts in how many cases each token is the first that is emitted, and in how many a draft
// is kept, of parts · grid² cases.
func emitted(pParts, qParts []int) (count []int, kept int) {
	q := check.Matrix(over(qParts, parts))
	p := check.Matrix(over(pParts, parts), []float64{1, 0, 0}) // the bonus row is not looked at here
	count = make([]int, 3)
	for x, weight := range qParts {
		uniforms(1, func(u []float64) {
			n, next := mtp.Accept([]int{x}, q, p, u)
			kept += weight * n
			if n == 1 {
				next = x
			}
			count[next] += weight
		})
	}
	return count, kept
}

// A model and a draft over three tokens, each token with a distribution for the one after it; start
// is what stands before the first.
var (
	modelChain = [][]int{{1, 2, 1}, {0, 3, 1}, {2, 2, 0}}
	draftChain = [][]int{{2, 1, 1}, {1, 1, 2}, {4, 0, 0}}
)

const start = 0

// table returns the distributions after start and after each of the draft's tokens.
func table(chain [][]int, draft []int) *mat.Dense {
	rows := [][]float64{over(chain[start], parts)}
	for _, x := range draft {
		rows = append(rows, over(chain[x], parts))
	}
	return check.Matrix(rows...)
}

// chance returns the probability of a sequence after start, as a fraction.
func chance(chain [][]int, sequence []int) *big.Rat {
	product, before := big.NewRat(1, 1), start
	for _, x := range sequence {
		product.Mul(product, big.NewRat(int64(chain[before][x]), parts))
		before = x
	}
	return product
}

// sequences calls f with all sequences of k of three tokens.
func sequences(k int, f func(sequence []int)) {
	sequence := make([]int, k)
	for code := range int(math.Pow(3, float64(k))) {
		for i := range sequence {
			sequence[i] = code % 3
			code /= 3
		}
		f(sequence)
	}
}

// Two drafted tokens, then whatever a step emits, completed from the model to three: the law of the
// three has to be the model's own. All in fractions.
func TestAcceptChain(t *testing.T) {
	law, tokens := map[string]*big.Rat{}, new(big.Rat)
	sequences(2, func(draft []int) {
		q, p := first(table(draftChain, draft), 2), table(modelChain, draft)
		weight := chance(draftChain, draft)
		weight.Quo(weight, big.NewRat(grid*grid*grid, 1))
		outcomes := map[string]int{}
		uniforms(2, func(u []float64) {
			accepted, next := mtp.Accept(draft, q, p, u)
			outcomes[fmt.Sprint(append(slices.Clone(draft[:accepted]), next))]++
		})
		sequences(3, func(s []int) {
			for n := 1; n <= 3; n++ {
				cases := big.NewRat(int64(outcomes[fmt.Sprint(s[:n])]), 1)
				rest := new(big.Rat).SetInt64(1)
				if all := chance(modelChain, s[:n]); all.Sign() > 0 {
					rest.Quo(chance(modelChain, s), all)
				}
				cases.Mul(cases.Mul(cases, weight), rest)
				add(law, fmt.Sprint(s), cases)
				tokens.Add(tokens, cases.Mul(cases, big.NewRat(int64(n), 1)))
			}
		})
	})
	t.Run("two drafted tokens: the joint law of what is emitted is that of sampling from p, exactly",
		func(t *testing.T) {
			sequences(3, func(s []int) {
				if got, want := law[fmt.Sprint(s)], chance(modelChain, s); got.Cmp(want) != 0 {
					t.Errorf("%v: %v, want %v", s, got, want)
				}
			})
		})
	// The rates depend on what was drafted, so that the mean is over the first token kept.
	t.Run("a step yields 1 + a_1 + a_2 tokens in the mean, exactly", func(t *testing.T) {
		want := 1.0
		for x := range 3 {
			keep := min(over(modelChain[start], parts)[x], over(draftChain[start], parts)[x])
			want += keep * mtp.ExpectedOfChain([]float64{
				mtp.AcceptanceRate(over(modelChain[x], parts), over(draftChain[x], parts))})
		}
		got, _ := tokens.Float64()
		check.Near(t, "tokens", got, want, 0)
	})
}

func add(law map[string]*big.Rat, key string, x *big.Rat) {
	if law[key] == nil {
		law[key] = new(big.Rat)
	}
	law[key].Add(law[key], x)
}

func TestAcceptCases(t *testing.T) {
	p := check.Matrix([]float64{0.5, 0.25, 0.25}, []float64{0, 0.5, 0.5}, []float64{0, 0, 1})

	t.Run("where draft and model agree everything is kept, and one more is drawn", func(t *testing.T) {
		n, next := mtp.Accept([]int{0, 1}, first(p, 2), p, []float64{1 - u, 1 - u, 0.3})
		if n != 2 || next != 2 {
			t.Errorf("%d kept, then %d", n, next)
		}
	})
	t.Run("where they share no token nothing is kept, and p is drawn from", func(t *testing.T) {
		q := check.Matrix([]float64{0, 0, 1})
		n, next := mtp.Accept([]int{2}, q, check.Matrix([]float64{0.5, 0.5, 0}, []float64{1, 0, 0}), []float64{0, 0.6})
		if n != 0 || next != 1 {
			t.Errorf("%d kept, then %d", n, next)
		}
	})
	t.Run("what follows a refused token is not looked at", func(t *testing.T) {
		bad := check.Matrix([]float64{0.25, 0.75, 0}, []float64{math.NaN(), 0, 0})
		n, next := mtp.Accept([]int{1, 2}, bad, p, []float64{0.9, 0, 0.2})
		if n != 0 || next != 0 {
			t.Errorf("%d kept, then %d", n, next)
		}
	})
	t.Run("the last uniform number draws the next token, wherever a refusal comes", func(t *testing.T) {
		q := check.Matrix([]float64{0.25, 0.75, 0}) // residual ¼, 0, ¼
		for at, want := range map[float64]int{0.4: 0, 0.6: 2} {
			if _, next := mtp.Accept([]int{1}, q, first(p, 2), []float64{0.9, at}); next != want {
				t.Errorf("%v: %d, want %d", at, next, want)
			}
		}
	})
	t.Run("without a draft it is plain sampling", func(t *testing.T) {
		for at, want := range map[float64]int{0.1: 0, 0.6: 1, 0.9: 2} {
			if n, next := mtp.Accept(nil, nil, first(p, 1), []float64{at}); n != 0 || next != want {
				t.Errorf("%v: %d kept, then %d", at, n, next)
			}
		}
	})
	// q sums to more than 1, so that p < q at one token and nowhere else.
	t.Run("where rounding leaves nothing of a residual, p is drawn from", func(t *testing.T) {
		q := check.Matrix([]float64{0.5, 0.25, 0.25 + 0x1p-52})
		if n, next := mtp.Accept([]int{2}, q, first(p, 2), []float64{1 - u, 0.1}); n != 0 || next != 0 {
			t.Errorf("%d kept, then %d", n, next)
		}
	})
}

// sampler draws the first token emitted, given a source of uniform numbers.
type sampler func(p, q []float64, uniform func() float64) int

// speculative is Accept with a draft of one token.
func speculative(p, q []float64, uniform func() float64) int {
	x := mtp.Draw(q, uniform())
	n, next := mtp.Accept([]int{x}, check.Matrix(q), check.Matrix(p, p), []float64{uniform(), uniform()})
	if n == 1 {
		return x
	}
	return next
}

// chiSquare returns Σ (observed − expected)²/expected of n tokens.
func chiSquare(draw sampler, p, q []float64, n int) float64 {
	rng := rand.New(rand.NewPCG(2022, 11))
	observed := make([]float64, len(p))
	for range n {
		observed[draw(p, q, rng.Float64)]++
	}
	return stat.ChiSquare(observed, floats.ScaleTo(make([]float64, len(p)), float64(n), p))
}

// A sampler that is right is refused by one seed in a thousand; this seed is fixed, and not one of
// them.
func TestAcceptSampled(t *testing.T) {
	p := []float64{0.3, 0.2, 0.15, 0.1, 0.1, 0.08, 0.05, 0.02}
	q := []float64{0.1, 0.35, 0.05, 0.1, 0.2, 0.02, 0.08, 0.1}
	const n = 50_000
	limit := distuv.ChiSquared{K: float64(len(p) - 1)}.Quantile(0.999)

	t.Run("50 000 tokens have the distribution p by χ²", func(t *testing.T) {
		if x := chiSquare(speculative, p, q, n); x > limit {
			t.Errorf("χ² = %v, limit %v", x, limit)
		}
	})
	for name, wrong := range map[string]sampler{
		"replacing a refused token from p instead of the residual": func(p, q []float64, uniform func() float64) int {
			x := mtp.Draw(q, uniform())
			if uniform() < mtp.AcceptProbability(p[x], q[x]) {
				return x
			}
			return mtp.Draw(p, uniform())
		},
		"keeping a token with probability p(x)": func(p, q []float64, uniform func() float64) int {
			x := mtp.Draw(q, uniform())
			if uniform() < p[x] {
				return x
			}
			return mtp.Draw(mtp.Residual(p, q), uniform())
		},
		"drafting by argmax and dividing by q all the same": func(p, q []float64, uniform func() float64) int {
			x := floats.MaxIdx(q)
			if uniform() < mtp.AcceptProbability(p[x], q[x]) {
				return x
			}
			return mtp.Draw(mtp.Residual(p, q), uniform())
		},
	} {
		t.Run(name+" does not, and is seen", func(t *testing.T) {
			if x := chiSquare(wrong, p, q, n); x < 2*limit {
				t.Errorf("χ² = %v, limit %v", x, limit)
			}
		})
	}
}

func TestAcceptProbability(t *testing.T) {
	t.Run("it is p/q, and 1 where the model likes a token better", func(t *testing.T) {
		for _, c := range [][3]float64{
			{0.25, 0.5, 0.5}, {0.5, 0.25, 1}, {0.5, 0.5, 1}, {0, 0.5, 0}, {1, 1, 1}, {0x1p-300, 0x1p-30, 0x1p-270},
		} {
			check.Near(t, fmt.Sprint(c), mtp.AcceptProbability(c[0], c[1]), c[2], c[2]*u)
		}
	})
	t.Run("a token that the draft excludes is kept if the model has it, and refused if not", func(t *testing.T) {
		check.Near(t, "p > 0 = q", mtp.AcceptProbability(0.1, 0), 1, 0)
		check.Near(t, "0/0", mtp.AcceptProbability(0, 0), 0, 0)
	})
}

func TestResidual(t *testing.T) {
	t.Run("it is what p has more, by hand", func(t *testing.T) {
		check.NearAll(t, "residual", mtp.Residual([]float64{0.5, 0.25, 0.25}, []float64{0.25, 0.75, 0}),
			[]float64{0.25, 0, 0.25}, 0)
	})
	t.Run("its sum is 1 − α, the probability that it is needed", func(t *testing.T) {
		for _, p := range shares(3, parts) {
			for _, q := range shares(3, parts) {
				p, q := over(p, parts), over(q, parts)
				check.Near(t, "Σ", floats.Sum(mtp.Residual(p, q)), 1-mtp.AcceptanceRate(p, q), 0)
			}
		}
	})
	t.Run("lengths have to agree", func(t *testing.T) {
		check.Panics(t, badShapes, func() { mtp.Residual([]float64{1}, []float64{0.5, 0.5}) })
	})
}

func TestDraw(t *testing.T) {
	t.Run("a token comes for as much of 0 … 1 as its weight is of all", func(t *testing.T) {
		for _, w := range shares(3, parts) {
			count := make([]int, 3)
			uniforms(0, func(u []float64) { count[mtp.Draw(over(w, 1), u[0])]++ })
			for x := range count {
				check.Near(t, fmt.Sprint(w), float64(count[x]), float64(w[x]*grid/parts), 0)
			}
		}
	})
	t.Run("a bound belongs to the token above it", func(t *testing.T) {
		for at, want := range map[float64]int{0: 0, 0.25: 1, 0.5: 2, 1 - u: 2} {
			if got := mtp.Draw([]float64{1, 1, 2}, at); got != want {
				t.Errorf("u = %v: %d, want %d", at, got, want)
			}
		}
	})
	t.Run("a token without weight never comes, first or last", func(t *testing.T) {
		for _, at := range []float64{0, 0.5, 1 - u, 1} { // 1 stands for a sum that rounding made too large
			if got := mtp.Draw([]float64{0, 1, 0}, at); got != 1 {
				t.Errorf("u = %v: %d", at, got)
			}
		}
	})
	t.Run("without any weight there is no token", func(t *testing.T) {
		check.Near(t, "token", float64(mtp.Draw([]float64{0, 0}, 0.5)), -1, 0)
		check.Near(t, "token", float64(mtp.Draw(nil, 0.5)), -1, 0)
	})
}
