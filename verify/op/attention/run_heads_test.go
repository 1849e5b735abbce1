package attention

import "testing"

// Rows stand in the order of sequences, queries and heads: whichever are run must be of every head.
func TestSpread(t *testing.T) {
	for _, c := range []struct{ n, m, heads int }{{256, 32, 4}, {4096, 32, 16}, {262144, 32, 8}, {1024, 1024, 16}} {
		last, seen := -1, map[int]bool{}
		for i, row := range spread(c.n, c.m) {
			if row <= last || row < i*c.n/c.m || row >= (i+1)*c.n/c.m {
				t.Errorf("%d of %d: row %d stands at %d, after %d", c.m, c.n, row, i, last)
			}
			last, seen[row%c.heads] = row, true
		}
		if len(seen) < c.heads*3/4 {
			t.Errorf("%d of %d: of %d heads %d are run", c.m, c.n, c.heads, len(seen))
		}
	}
}
