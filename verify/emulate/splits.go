package emulate

import "slices"

// Batch is what a kernel needs of other rows than the one at work, to take them for it by mistake.
type Batch[T Number] struct {
	Row       func(i int) *Query[T] // row i
	Each, All int                   // rows of a sequence, and of all
}

// staleParts makes the mistake of a sequence that ends before the last split of the longest: for
// each that it does not reach what it has left in the one before is merged again.
func (k *Softmax[T]) staleParts(r *Query[T]) (parts []*state[T]) {
	share := (r.Longest + max(1, k.Splits) - 1) / max(1, k.Splits)
	for start := 0; start < r.Longest; start += share {
		if start < r.Length {
			st := k.empty()
			k.part(r, st, max(r.Lo, start), min(r.Hi, start+share))
			parts = append(parts, st)
			continue
		}
		st := *parts[len(parts)-1]
		st.acc = slices.Clone(st.acc)
		k.Show(st.l > 0 && len(parts) > 1 && start > share)
		parts = append(parts, &st)
	}
	return parts
}

// exchanged makes the mistakes of a reduction that reads the outputs of splits, or the sums beside
// them, where those of other rows or splits stand.
func (k *Softmax[T]) exchanged(r *Query[T], parts []*state[T]) []*state[T] {
	if k.Batch.Row == nil || k.Splits < 2 || !slices.ContainsFunc(exchanges, k.Makes) {
		return parts
	}
	all := make([]*state[T], k.Splits)
	for split := range all {
		output, sum := k.places(r.Row, split)
		o, s := k.partAt(output), k.partAt(sum)
		k.Show(o.l > 0 && s.l > 0 && (output != sum || output != r.Row*k.Splits+split))
		all[split] = &state[T]{m: s.m, l: s.l, acc: slices.Clone(o.acc)}
		if o.l > 0 {
			k.ScaleBy(all[split].acc, s.l/o.l)
		}
	}
	return all
}

// exchanges are the mistakes of exchanged.
var exchanges = []string{
	"split-outputs-of-first", "split-sums-of-first", "split-sums-unstrided", "split-sums-transposed",
	"split-reduction-misindexed",
}

// places returns where the output and the sums of a split are read, in the order [rows, splits].
func (k *Softmax[T]) places(row, split int) (output, sum int) {
	own, first := row*k.Splits+split, row%k.Batch.Each*k.Splits+split
	output, sum = own, own
	switch {
	case k.Makes("split-outputs-of-first"):
		output = first
	case k.Makes("split-reduction-misindexed"):
		output, sum = first, row+split
	case k.Makes("split-sums-of-first"):
		sum = first
	case k.Makes("split-sums-unstrided"):
		sum = row + split
	case k.Makes("split-sums-transposed"):
		sum = split*k.Batch.All + row
	}
	return output, sum
}

// partAt returns the split at a place among those of all rows.
func (k *Softmax[T]) partAt(place int) *state[T] {
	row := place / k.Splits
	parts, done := k.read[row]
	if !done {
		if r := k.Batch.Row(row); r.Lo < r.Hi {
			parts = k.parts(r)
		}
		if k.read == nil {
			k.read = map[int][]*state[T]{}
		}
		k.read[row] = parts
	}
	if split := place % k.Splits; split < len(parts) {
		return parts[split]
	}
	return k.empty()
}
