package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// Most mistakes of kernels are addresses: the offset of the sequence is lost, scales advance at
// another pace, the table's row is that of another request, the last tile is dropped. Each is an
// input read at other indices than the formula says.

// misreadCandidates are inputs read at other indices along one axis: each by itself, and all that
// have the axis but the first, as keys and values beside queries.
func misreadCandidates(s *subject) (all []candidate) {
	for _, letter := range s.axisLetters() {
		holders := s.holders(letter)
		sets := make([][]op.Tensor, 0, len(holders)+2)
		for i := range holders {
			sets = append(sets, holders[i:i+1])
		}
		if len(holders) > 2 {
			sets = append(sets, holders[1:])
		}
		if others := floats(holders[1:]); len(others) > 1 && len(others) < len(holders)-1 {
			sets = append(sets, others) // but lengths are those of the place itself
		}
		if len(holders) > 1 && !s.ofAllOutputs(letter) {
			sets = append(sets, holders)
		}
		for _, set := range sets {
			all = append(all, s.misread(letter, set)...)
		}
	}
	for _, t := range s.bound.Op.Inputs {
		all = append(all, s.inMemory(t)...)
	}
	return append(all, s.otherHeads()...)
}

// otherHeads are keys and values that are taken to have half or twice as many heads as they do, one
// after the other in memory: rows of others are read.
func (s *subject) otherHeads() (all []candidate) {
	set := floats(s.holders("G"))
	heads := s.bound.Dim("G")
	if len(set) == 0 || !s.has("causal") {
		return nil
	}
	for _, taken := range []int{heads / 2, 2 * heads, 1} {
		if taken < 1 || taken == heads || s.bound.Dim("H")%taken > 0 {
			continue
		}
		for _, through := range []bool{false, true} {
			said := fmt.Sprintf("%s are taken to have %s, and have %d", namesOf(set), counted(taken, "head"), heads)
			if through {
				said += ", sequence after sequence"
			}
			all = append(all, s.otherwise("misread", said, said, func(r *recording.Recording) {
				for _, t := range set {
					if x, err := s.rec.Tensor(t.Name); err == nil {
						r.Set(t.Name, s.rec.Type(t.Name), withHeads(x, len(x.Shape)-2, taken, through))
					}
				}
			}))
		}
	}
	return all
}

// withHeads reads the memory of a tensor with another number of heads: as many rows as there were,
// zeros behind the end; from the beginning of each sequence, or right through.
func withHeads(x *tensor.Tensor, a, heads int, through bool) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	shape[a] = heads
	y := tensor.New(shape...)
	each, own := y.Len()/shape[0], x.Len()/shape[0]
	for b := range shape[0] {
		from, end := b*own, (b+1)*own
		if through {
			from, end = min(b*each, x.Len()), x.Len()
		}
		copy(y.Data[b*each:(b+1)*each], x.Data[from:end])
	}
	return y
}

// inMemory are an input whose two last axes are walked otherwise in memory: the second first, or
// both by one.
func (s *subject) inMemory(t op.Tensor) (all []candidate) {
	shape := s.rec.Shape(t.Name)
	d := len(shape)
	if s.axesOf(t) == nil || d < 2 || min(shape[d-1], shape[d-2]) < 2 {
		return nil
	}
	for _, walk := range []struct {
		said string
		of   func(x *tensor.Tensor) *tensor.Tensor
	}{
		{"column-major, where it is row-major", func(x *tensor.Tensor) *tensor.Tensor { return reread(x, d-2) }},
		{"with a stride of 1 along both of its last axes", byOne},
		{
			"as if it were column-major, with a stride of 1 along both of its last axes",
			func(x *tensor.Tensor) *tensor.Tensor { return byOne(tensor.Of(transposed(x, d-2).Data, shape...)) },
		},
	} {
		said := t.Name + " is read " + walk.said
		all = append(all, s.otherwise("misread", said, said, func(r *recording.Recording) {
			if x, err := s.rec.Tensor(t.Name); err == nil {
				r.Set(t.Name, s.rec.Type(t.Name), walk.of(x))
			}
		}))
	}
	return all
}

// byOne reads both of the last axes of a tensor with a stride of 1.
func byOne(x *tensor.Tensor) *tensor.Tensor {
	y := tensor.New(x.Shape...)
	d := len(x.Shape)
	rows, cols := x.Shape[d-2], x.Shape[d-1]
	for i := range y.Data {
		in := i % (rows * cols)
		y.Data[i] = x.Data[i-in+in/cols+in%cols]
	}
	return y
}

// axisLetters lists the axes of the inputs as they are declared, each once.
func (s *subject) axisLetters() (letters []string) {
	for _, t := range s.bound.Op.Inputs {
		for _, l := range s.axesOf(t) {
			if l != "1" && !slices.Contains(letters, l) {
				letters = append(letters, l)
			}
		}
	}
	return letters
}

// axesOf returns the declared axes of a recorded input, nil if it is not there or too large.
func (s *subject) axesOf(t op.Tensor) []string {
	switch d := len(s.rec.Shape(t.Name)); {
	case !s.rec.Has(t.Name) || !s.small(t.Name) || op.Elements(s.rec.Shape(t.Name)) == 0:
		return nil
	case d == len(t.Shape):
		return t.Shape
	case d == len(t.Other):
		return t.Other
	}
	return nil
}

// holders lists the inputs that have an axis.
func (s *subject) holders(letter string) (all []op.Tensor) {
	for _, t := range s.bound.Op.Inputs {
		if slices.Contains(s.axesOf(t), letter) {
			all = append(all, t)
		}
	}
	return all
}

// ofAllOutputs tells whether every output has the axis: reading all inputs elsewhere along it gives
// the rows of the outputs elsewhere, which is tried as that.
func (s *subject) ofAllOutputs(letter string) bool {
	return !slices.ContainsFunc(s.bound.Op.Outputs, func(t op.Tensor) bool { return !slices.Contains(t.Shape, letter) })
}

// misread lists what inputs give that are read at other indices along an axis.
func (s *subject) misread(letter string, set []op.Tensor) (all []candidate) {
	n := s.length(letter, set[0])
	names := namesOf(set)
	for _, m := range indexMaps(n, set[0].Integer && len(set[0].Shape) > 1) {
		said := fmt.Sprintf("%s %s along %s (of %d) %s", names, isRead(len(set)), s.word(letter), n, m.said)
		c := s.otherwise("misread", fmt.Sprintf("%s %s %s", names, letter, m.id), said,
			func(r *recording.Recording) {
				s.along(r, letter, set, func(x *tensor.Tensor, a int) *tensor.Tensor {
					return entries(x, a, n, m.from)
				})
			})
		if m.family != "" {
			c.family = names + " " + letter
			c.about = fmt.Sprintf("%s %s elsewhere along %s", names, isRead(len(set)), s.word(letter))
			c.short, c.entry = m.family, m.entry
		}
		all = append(all, c)
	}
	return all
}

func isRead(n int) string {
	if n == 1 {
		return "is read"
	}
	return "are read"
}

func namesOf(set []op.Tensor) string {
	var names []string
	for _, t := range set {
		names = append(names, t.Name)
	}
	return inWords(names)
}

// length is how long an axis of an input is.
func (s *subject) length(letter string, t op.Tensor) int {
	return s.rec.Shape(t.Name)[slices.Index(s.axesOf(t), letter)]
}

// word is the word for an axis that an output of the op has for it, or one of an op of the same
// family, else its letter.
func (s *subject) word(letter string) string {
	family, _, _ := strings.Cut(s.bound.Op.Name, ".")
	for _, o := range append([]*op.Op{s.bound.Op}, op.Ops()...) {
		if !strings.HasPrefix(o.Name, family+".") {
			continue
		}
		for _, t := range o.Outputs {
			if i := slices.Index(t.Shape, letter); i >= 0 && len(t.Axes) == len(t.Shape) {
				return t.Axes[i]
			}
		}
	}
	if inner, ok := strings.CutPrefix(letter, "ceil("); ok {
		return "blocks of " + strings.Split(inner, "/")[0]
	}
	return "axis " + letter
}

// along changes inputs along an axis.
func (s *subject) along(
	r *recording.Recording, letter string, set []op.Tensor, change func(x *tensor.Tensor, a int) *tensor.Tensor,
) {
	for _, t := range set {
		x, err := s.rec.Tensor(t.Name)
		if err != nil {
			continue
		}
		for a, l := range s.axesOf(t) {
			if l == letter {
				x = change(x, a)
			}
		}
		r.Set(t.Name, s.rec.Type(t.Name), x)
	}
}

// entries returns a tensor with n entries along an axis, each that of another; zeros where there is
// none.
func entries(x *tensor.Tensor, a, n int, from func(i int) int) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	had, inner := shape[a], 1
	for _, m := range shape[a+1:] {
		inner *= m
	}
	shape[a] = n
	y := tensor.New(shape...)
	for i := 0; i < len(y.Data); i += inner {
		if at := from(i / inner % n); 0 <= at && at < had {
			j := (i/inner/n*had + at) * inner
			copy(y.Data[i:i+inner], x.Data[j:])
		}
	}
	return y
}

// indexMap says where an entry of an axis is read.
type indexMap struct {
	id, said string
	family   string // "that of 3": one of those of which another may hold in each part
	entry    int    // that, from 1 on
	from     func(i int) int
}

// mostConstant is the length of an axis up to which each entry is tried in the place of all.
const mostConstant = 8

// indexMaps lists how an axis of n may be walked wrongly, each walk once; of tables of pages, runs
// that begin with the second too.
func indexMaps(n int, table bool) (all []indexMap) {
	all = append(constantMaps(n), []indexMap{
		{"+1", "one further", "", 0, func(i int) int { return min(i+1, n-1) }},
		{"-1", "one before", "", 0, func(i int) int { return max(i-1, 0) }},
		{"reversed", "in reverse order", "", 0, func(i int) int { return n - 1 - i }},
		{"half as fast", "at half the pace", "", 0, func(i int) int { return i / 2 }},
		{"twice as fast", "at twice the pace, up to the last", "", 0, func(i int) int { return min(2*i, n-1) }},
		{"4 times as fast", "at four times the pace, up to the last", "", 0, func(i int) int { return min(4*i, n-1) }},
	}...)
	all = slices.Concat(all, shifts(n), paces(n), moduloMaps(n, table))
	return distinct(all, n)
}

// shifts read a number of places before or behind, or zeros where there are none before.
func shifts(n int) (all []indexMap) {
	for _, by := range tilesBefore(n) {
		all = append(all,
			indexMap{fmt.Sprintf("-%d", by), fmt.Sprintf("%d before", by), "", 0,
				func(i int) int { return max(i-by, 0) }},
			indexMap{fmt.Sprintf("-%d, zeros", by), fmt.Sprintf("%d before, and zeros before that", by), "", 0,
				func(i int) int { return i - by }})
	}
	for by := 16; by < n; by *= 2 {
		all = append(all, indexMap{fmt.Sprintf("+%d", by), fmt.Sprintf("%d further", by), "", 0,
			func(i int) int { return min(i+by, n-1) }})
	}
	return all
}

// paces read the first of several for all of them, or every second in each tile.
func paces(n int) (all []indexMap) {
	for _, m := range []int{2, 4, 8} {
		all = append(all, indexMap{fmt.Sprintf("first of %d", m), fmt.Sprintf("so that the first of each %d stands "+
			"for all of them", m), "", 0, func(i int) int { return i / m * m }})
	}
	for tile := 16; tile < n && tile <= 128; tile *= 2 {
		all = append(all, indexMap{fmt.Sprintf("twice as fast in %d", tile), fmt.Sprintf("at twice the pace in each "+
			"tile of %d", tile), "", 0, func(i int) int { return i + i%tile }})
	}
	return all
}

// tilesBefore lists by how many places an axis of n may be read before: a power of two, or a number
// of tiles of which it has a few.
func tilesBefore(n int) (all []int) {
	tile := 16
	for n/tile > mostTiles {
		tile *= 2
	}
	for by := 16; by < n; by *= 2 {
		all = append(all, by)
	}
	for by := tile; by < n; by += tile {
		if !slices.Contains(all, by) {
			all = append(all, by)
		}
	}
	return all
}

// moduloMaps walk an axis modulo a part of it, or in another order of its parts.
func moduloMaps(n int, table bool) (all []indexMap) {
	for _, m := range []int{2, 4, 8} {
		if table && m <= n {
			all = append(all, indexMap{fmt.Sprintf("second of %d", m), fmt.Sprintf("so that the second of each %d "+
				"stands for the first", m), "", 0, func(i int) int {
				if i%m == 0 {
					return min(i+1, n-1)
				}
				return i
			}})
		}
	}
	for _, m := range []int{2, 4, n / 2, n / 4} {
		if m < 2 || n%m != 0 || m == n {
			continue
		}
		all = append(all,
			indexMap{fmt.Sprintf("mod %d", m), fmt.Sprintf("modulo %d", m), "", 0, func(i int) int { return i % m }},
			indexMap{fmt.Sprintf("transposed %d", m), fmt.Sprintf("as %d × %d, where it is %d × %d", n/m, m, m, n/m),
				"", 0, func(i int) int { return i%m*(n/m) + i/m }})
	}
	for m := 16; m <= 128; m *= 2 {
		if n > m && n%m == 0 {
			all = append(all, indexMap{fmt.Sprintf("mod %d", m), fmt.Sprintf("modulo %d", m), "", 0,
				func(i int) int { return i % m }})
		}
	}
	return all
}

// constantMaps read one entry everywhere.
func constantMaps(n int) (all []indexMap) {
	for c := range n {
		if c < 1 || n <= mostConstant {
			all = append(all, indexMap{
				fmt.Sprintf("= %d", c), fmt.Sprintf("at %d alone", c), fmt.Sprintf("those of %d", c), c + 1,
				func(int) int { return c },
			})
		}
	}
	return all
}

// distinct leaves out what reads the same as another before it, or as the formula.
func distinct(all []indexMap, n int) (kept []indexMap) {
	seen := map[string]bool{walk(n, func(i int) int { return i }): true}
	for _, m := range all {
		if w := walk(n, m.from); !seen[w] {
			seen[w] = true
			kept = append(kept, m)
		}
	}
	return kept
}

func walk(n int, from func(i int) int) string {
	var w strings.Builder
	for i := range min(n, 4096) {
		fmt.Fprint(&w, from(i), " ")
	}
	return w.String()
}
