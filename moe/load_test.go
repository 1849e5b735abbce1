package moe

import (
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// routing returns scores [tokens × experts] of a softmax and the experts they choose.
func routing(seed uint64, tokens, experts, k int) (scores *mat.Dense, indices [][]int) {
	z := random(seed, tokens, experts)
	z.Scale(3, z)
	scores = ScoreRows(z, SoftmaxScores)
	return scores, TopKRows(scores, k)
}

// even returns indices that use every expert alike: token t has experts t, t+1, … in a ring.
func even(tokens, experts, k int) [][]int {
	indices := make([][]int, tokens)
	for t := range indices {
		for j := range k {
			indices[t] = append(indices[t], (t+j)%experts)
		}
	}
	return indices
}

func TestLoads(t *testing.T) {
	t.Run("they count tokens, and padding for nobody", func(t *testing.T) {
		same(t, "loads", Loads([][]int{{0, 2}, {2, -1}, {-1, -7}, {1, 2}}, 4), []int{1, 1, 3, 0})
	})
	t.Run("no tokens are no load", func(t *testing.T) { same(t, "loads", Loads(nil, 2), []int{0, 0}) })
	t.Run("rows of different length and experts that do not exist are refused", func(t *testing.T) {
		check.Panics(t, badIndices, func() { Loads([][]int{{0, 1}, {0}}, 2) })
		check.Panics(t, badIndices, func() { Loads([][]int{{2}}, 2) })
	})
}

func TestRelativeLoads(t *testing.T) {
	t.Run("they sum to N", rapid.MakeCheck(func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "N")
		k := rapid.IntRange(1, n).Draw(t, "K")
		_, indices := routing(rapid.Uint64().Draw(t, "seed"), 7, n, k)
		check.Near(t, "Σf", floats.Sum(RelativeLoads(indices, n)), float64(n), 2*u*float64(n*n))
	}))
	t.Run("even loads are 1, to the bit", func(t *testing.T) {
		check.NearAll(t, "f", RelativeLoads(even(8, 8, 3), 8), []float64{1, 1, 1, 1, 1, 1, 1, 1}, 0)
	})
	t.Run("one expert of N that has every token has N/K, its share of all", func(t *testing.T) {
		check.NearAll(t, "f", RelativeLoads([][]int{{1}, {1}, {1}}, 4), []float64{0, 4, 0, 0}, 0)
	})
	t.Run("padding is a row that nobody has", func(t *testing.T) {
		check.NearAll(t, "f", RelativeLoads([][]int{{0}, {-1}, {1}, {-1}}, 2), []float64{.5, .5}, 0)
	})
	t.Run("as printed DeepSeek-V3 counts the choice without bias, code the one with it", func(t *testing.T) {
		scores := mat.NewDense(2, 2, []float64{.6, .5, .6, .5})
		g := Gate{Score: SigmoidScores, TopK: 1, Scale: 1}
		chosen := [][]int{
			g.Select(scores.RawRowView(0), []float64{0, 1}), g.Select(scores.RawRowView(1), []float64{0, 1}),
		}
		check.NearAll(t, "printed", RelativeLoads(TopKRows(scores, 1), 2), []float64{2, 0}, 0)
		check.NearAll(t, "code", RelativeLoads(chosen, 2), []float64{0, 2}, 0)
	})
}

func TestMeanScores(t *testing.T) {
	t.Run("they are columns' means", func(t *testing.T) {
		check.NearAll(t, "P", MeanScores(mat.NewDense(2, 3, []float64{1, 2, 3, 5, 4, 3})), []float64{3, 3, 3}, 0)
	})
	t.Run("of a softmax they sum to 1", func(t *testing.T) {
		scores, _ := routing(1, 9, 6, 2)
		check.Near(t, "ΣP", floats.Sum(MeanScores(scores)), 1, 60*u)
	})
}

func TestDevices(t *testing.T) {
	device := []int{0, 1, 0, 3}
	t.Run("relative loads are averaged over a device, scores added, and a device may be empty", func(t *testing.T) {
		check.NearAll(t, "f′", RelativeDeviceLoads([]float64{1, 2, 4, 8}, device), []float64{2.5, 2, 0, 8}, 0)
		check.NearAll(t, "P′", DeviceScores([]float64{1, 2, 4, 8}, device), []float64{5, 2, 0, 8}, 0)
	})
	t.Run("a token is sent to a device once, however many experts it has there", func(t *testing.T) {
		// 4 devices, 2 tokens, M = 2: 4/(2·2) = 1 per token sent.
		check.NearAll(t, "f″", RelativeSentLoads([][]int{{0, 2}, {2, 3}}, device, 2), []float64{2, 0, 0, 1}, 0)
	})
	t.Run("where every token goes to M devices the relative loads sum to D", func(t *testing.T) {
		check.Near(t, "Σf″", floats.Sum(RelativeSentLoads(even(6, 6, 2), []int{0, 1, 2, 3, 4, 5}, 2)), 6, 0)
	})
	t.Run("where some go to fewer they sum to less", func(t *testing.T) {
		// Half of the tokens have both experts on one device.
		check.Near(t, "Σf″", floats.Sum(RelativeSentLoads(even(4, 4, 2), []int{0, 0, 1, 1}, 2)), 1.5, 0)
	})
	t.Run("padding is sent nowhere", func(t *testing.T) {
		check.NearAll(t, "f″", RelativeSentLoads([][]int{{-1, -1}, {3, -1}}, device, 1), []float64{0, 0, 0, 2}, 0)
	})
	t.Run("devices that are not one per expert are refused", func(t *testing.T) {
		check.Panics(t, badDevices, func() { DeviceScores([]float64{1, 2}, []int{0}) })
		check.Panics(t, badDevices, func() { RelativeDeviceLoads([]float64{1}, []int{-1}) })
	})
}
