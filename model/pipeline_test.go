package model

import (
	"testing"

	"plumbline/internal/check"
)

func TestBubbles(t *testing.T) {
	const f, b, w, both = 1, 2, 1, 3 // a backward is twice a forward, half of it for weights; overlap hides nothing
	t.Run("8 stages wait 21, 7 and 6, 16 stages 45, 15 and 14", func(t *testing.T) {
		for stages, want := range map[float64][3]float64{8: {21, 7, 6}, 16: {45, 15, 14}, 2: {3, 1, 0}} {
			check.Near(t, "1F1B", Bubble1F1B(stages, f, b), want[0], 0)
			check.Near(t, "ZB1P", BubbleZB1P(stages, f, b, w), want[1], 0)
			check.Near(t, "DualPipe", BubbleDualPipe(stages, both, b, w), want[2], 0)
		}
	})
	t.Run("one stage never waits", func(t *testing.T) {
		check.Near(t, "1F1B", Bubble1F1B(1, f, b), 0, 0)
		check.Near(t, "ZB1P", BubbleZB1P(1, f, b, w), 0, 0)
	})
	t.Run("1F1B waits as long as its schedule does, run step by step", func(t *testing.T) {
		for _, stages := range []int{1, 2, 3, 8} {
			for _, batches := range []int{stages, stages + 1, 3 * stages} {
				waits := run1F1B(stages, batches, f, b) - float64(batches)*(f+b)
				check.Near(t, "wait", waits, Bubble1F1B(float64(stages), f, b), 0)
			}
		}
	})
}

// run1F1B returns when the last backward ends, if stage s begins with forwards until stages−s
// batches are on their way, goes on with one backward and one forward in turn, and each waits for
// what it needs.
func run1F1B(stages, batches int, f, b float64) float64 {
	forward, backward := make([][]float64, stages), make([][]float64, stages) // ends, of each batch
	free := make([]float64, stages)
	for left := 2 * stages * batches; left > 0; {
		for s := range stages {
			i, j := len(forward[s]), len(backward[s])
			switch ahead := min(stages-s, batches-j); {
			case i < batches && i-j < ahead && (s == 0 || len(forward[s-1]) > i):
				if s > 0 {
					free[s] = max(free[s], forward[s-1][i])
				}
				free[s] += f
				forward[s] = append(forward[s], free[s])
			case i-j >= ahead && i > j && (s == stages-1 || len(backward[s+1]) > j):
				if s < stages-1 {
					free[s] = max(free[s], backward[s+1][j])
				}
				free[s] += b
				backward[s] = append(backward[s], free[s])
			default:
				continue
			}
			left--
		}
	}
	return free[0]
}
