package diagnosis

import (
	"testing"

	"plumbline/verify/recording"
)

// An output may be another small function of what the formula names, as of two others.
func TestOutputsOfTwoOthers(t *testing.T) {
	right := given("ppo.gae", func(r *recording.Recording) {
		tokens(r, 12, "rewards", "values")
		r.Attrs["gamma"], r.Attrs["whiten"] = recording.Number(0.9), true
	})
	advantage, rewards := numbersOf(right, "out.advantage").Data, numbersOf(right, "rewards").Data
	wrongs{
		{
			"whitened advantages and rewards", "return holds rewards times the right advantage: explains everything",
			edited(right, "out.return", func(i int, _ float64) float64 { return advantage[i] * rewards[i] }),
		},
	}.check(t)
}
