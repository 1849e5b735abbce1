package course

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/course/page"
	"plumbline/model"
	"plumbline/mtp"
	"plumbline/numbers/dtype"
)

// commas writes a whole number in groups of three digits.
func commas(n float64) string { return page.Thousands(int64(math.Round(n))) }

// Numbers in answers are those that the functions of the station give.
func TestAnswersAreComputed(t *testing.T) {
	c := model.DeepSeekV3()
	v3 := c.Sizes()
	mha, memory := v3.WithGroups(128), 80e9
	d, vocabulary := c.Width, c.Vocabulary
	_, weights := c.Gate.Route(make([]float64, c.Experts), make([]float64, c.Experts))
	all, withoutEmbedding, withoutBoth := v3.Active()
	for id, numbers := range map[string][]string{
		"why-a-small-kv-cache-matters": {
			commas(model.Sequences(memory, 0, mha.CachePerToken())),
			commas(model.Sequences(memory, 0, v3.CachePerToken())),
		},
		"compressed-queries":              queryParameters(c),
		"fine-grained-and-shared-experts": {"120", commas(choices(64, 8))},
		"the-gate-of-v3":                  {fmt.Sprint(weights[0])},
		"fp8-blocks":                      {fmt.Sprintf("±%.0f", dtype.F8E4M3.Max()), worstRelative(dtype.F8E4M3)},
		"the-parameters-of-v3":            {billions(all), billions(withoutEmbedding), billions(withoutBoth)},
		"next-token-loss":                 {fmt.Sprintf("%.2f", uninformed(vocabulary))},
		"in-turn-to-save-memory": {
			commas(float64(mtp.PeakAtOnce(1, d, vocabulary, 4))), commas(float64(mtp.PeakInTurn(1, d, vocabulary))),
		},
		"what-drafts-gain": {
			fmt.Sprintf("%.2f", mtp.ExpectedTokens(0.85, 1)), fmt.Sprintf("%.2f", mtp.ExpectedTokens(0.9, 1)),
		},
		"pipeline-bubbles": {
			fmt.Sprint(model.Bubble1F1B(16, 1, 2)), fmt.Sprint(model.BubbleZB1P(16, 1, 2, 1)),
			fmt.Sprint(model.BubbleDualPipe(16, 3, 2, 1)),
		},
		"why-it-works":      {fmt.Sprint(mtp.ChoiceWeight(4))},
		"naive-or-absorbed": {fmt.Sprintf("S ≈ %.0f", v3.Layers[0].Attention.(model.MLA).CrossOver(1<<40))},
	} {
		checkAnswer(t, id, numbers)
	}
}

// checkAnswer wants numbers in the answer of a station, in both languages.
func checkAnswer(t *testing.T, id string, numbers []string) {
	t.Helper()
	i := slices.IndexFunc(stations(), func(s Station) bool { return s.ID == id })
	if i < 0 {
		t.Errorf("no station %s", id)
		return
	}
	for _, l := range []Language{English, Chinese} {
		answer := stations()[i].Answer.In(l)
		for _, number := range numbers {
			if !strings.Contains(answer, number) {
				t.Errorf("%s: %q lacks %s", id, answer, number)
			}
		}
	}
}

// queryParameters returns the elements of both compressing matrices, of both together, and of one
// that does not compress.
func queryParameters(c model.Config) []string {
	heads, d := float64(c.Attention.Heads*(c.Attention.NopeDim+c.Attention.RopeDim)), float64(c.Width)
	down, up := d*float64(c.QueryLatent), float64(c.QueryLatent)*heads
	return []string{commas(down), commas(up), commas(down + up), commas(d * heads)}
}

// uninformed returns the loss of a model that says the same of every token.
func uninformed(vocabulary int) float64 {
	return mtp.NextLoss(mat.NewDense(1, vocabulary, nil), []int{0, 1})
}

// worstRelative returns the largest relative error of a number between 1 and 2, as a share of it.
func worstRelative(format dtype.Type) string {
	var worst float64
	for x := 1.0; x < 2; x += 1.0 / 256 {
		worst = max(worst, math.Abs(format.Round(x)-x)/x)
	}
	return fmt.Sprintf("1/%.0f", 1/worst)
}

func choices(n, k int64) float64 {
	f, _ := new(big.Float).SetInt(new(big.Int).Binomial(n, k)).Float64()
	return f
}

func billions(n int64) string { return fmt.Sprintf("%.2fB", float64(n)/1e9) }
