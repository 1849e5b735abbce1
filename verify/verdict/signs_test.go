package verdict

import (
	"math"
	"slices"
	"testing"
)

// screened returns squares of three products, with rows of their own, in 5 tiles of columns whose
// last has one group: 1 but where f says otherwise.
func screened(f func(row, group int) float64) *screening {
	s := &screening{SignSums: SignSums{
		Groups: []int{0, 4, 8, 12, 16, 17}, Rows: []int{0, 128, 200, 328, 456, 457}, Bands: []int{0, 200, 456, 457},
		Width: 32,
	}, groups: 17, base: 1}
	for r := range 457 {
		for g := range 17 {
			// numbers that differ from row to row, as those of rows that are no copies do
			s.Squares = append(s.Squares, f(r, g)*(1+1e-9*float64(r)))
		}
	}
	return s
}

// TestScreening: each family finds what it is for, and nothing where all is as it should be.
func TestScreening(t *testing.T) {
	inTile := func(r, g int) bool { return 200 <= r && r < 328 && 4 <= g && g < 8 }
	for name, c := range map[string]struct {
		square            func(r, g int) float64
		tiles, rows, down int // suspects
	}{
		"right": {func(int, int) float64 { return 1 }, 0, 0, 0},
		"a tile": {func(r, g int) float64 {
			if inTile(r, g) {
				return 1.5
			}
			return 1
		}, 1, 0, 0},
		"one group of a row": {func(r, g int) float64 {
			if r == 250 && g == 5 {
				return 50
			}
			return 1
		}, 1, 0, 0},
		"another kind": {func(r, g int) float64 {
			if r == 456 && g == 16 {
				return math.Inf(1)
			}
			return 1
		}, 1, 0, 0},
		"a row": {func(r, _ int) float64 {
			if r == 33 {
				return 4.5
			}
			return 1
		}, 0, 1, 0},
		"columns of a product": {func(r, g int) float64 {
			if 200 <= r && r < 456 && 4 <= g && g < 8 {
				return 1.22
			}
			return 1
		}, 0, 0, 1},
		"nothing is summed": {func(int, int) float64 { return math.NaN() }, 0, 0, 0},
	} {
		s := screened(c.square)
		tiles := s.tiles()
		bands, rows := s.bands(tiles), s.rows(tiles)
		if len(tiles) != c.tiles || len(rows) != c.rows || len(bands) != c.down {
			t.Errorf("%s: tiles %v, rows %v, columns %v", name, tiles, rows, bands)
		}
		if c.rows > 0 && !slices.Equal(rows[0].Rows, []int{33}) || name == "a tile" && tiles[0].Tiles[0] != 1 {
			t.Errorf("%s: found in %v %v", name, tiles, rows)
		}
	}
}

// TestWholeBySigns: the mean of all is beyond its limit where errors are larger throughout, and not
// by what the groups scatter.
func TestWholeBySigns(t *testing.T) {
	scattered := func(by float64) func(r, g int) float64 {
		return func(_, g int) float64 { return by * (0.5 + float64(g)/16) }
	}
	for by, beyond := range map[float64]bool{1: false, 1.2: false, 2: true} {
		var signs Signs
		if screened(scattered(by)).whole(&signs); signs.RMS > signs.RMSLimit != beyond {
			t.Errorf("%v times as large: %.3g of %.3g", by, signs.RMS, signs.RMSLimit)
		}
	}
}
