package attention

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/verify/op/step"
)

// headBlock is some rows of a block while they are run.
type headBlock struct {
	h                 *Heads
	rows              *Rows // with what they give without any rounding
	at                []Place
	run               []int // which rows of the block they are
	others, othersLSE []otherTruth
}

// stackedWeights is how many weights of runs stand side by side, so that one product with values
// serves them all: 16 MiB.
const stackedWeights = 1 << 21

// runAll runs the rows in the native run and all others: those that flush subnormal numbers on what
// is left of them.
func (b *headBlock) runAll(flushed *Rows) {
	var as, flushing []int
	for n, r := range b.h.runs[0] {
		if r.flushes && flushed != b.rows {
			flushing = append(flushing, n)
		} else {
			as = append(as, n)
		}
	}
	b.runBatches(as, b.rows)
	b.runBatches(flushing, flushed)
}

// runBatches runs the rows as often as their weights fit side by side, and then again.
func (b *headBlock) runBatches(numbers []int, in *Rows) {
	if len(numbers) == 0 {
		return
	}
	n, keys := in.Dots.Dims()
	_, slots := b.slots(numbers[:1])
	most := max(1, stackedWeights/(n*keys*slots))
	for len(numbers) > 0 {
		next := min(most, len(numbers))
		b.runBatch(numbers[:next], in)
		numbers = numbers[next:]
	}
}

// formed is what a run of a form has made of the rows before they meet the values: its weights are
// those of a slot of the stack.
type formed struct {
	slot          int
	fills         bool // the slot; else an earlier form has
	divisors, lse []float64
}

// runBatch stores what some runs give in every form. Run 0 is the native one.
func (b *headBlock) runBatch(numbers []int, in *Rows) {
	rows, keys := in.Dots.Dims()
	all, slots := b.slots(numbers)
	stack := mat.NewDense(slots*rows, keys, nil)
	parallel.Each(len(numbers), func(i int) { b.weigh(numbers[i], in, all[i], stack) })
	sums := in.sums(stack)
	others := make([][2][]otherTruth, len(numbers))
	parallel.Each(len(numbers), func(i int) {
		for form, f := range all[i] {
			slot := make([]*mat.Dense, len(sums))
			for piece, s := range sums {
				slot[piece] = step.RowsBetween(s, f.slot*rows, (f.slot+1)*rows)
			}
			out := b.h.runs[form][numbers[i]].outputs(in, slot, f.divisors)
			o, lse := b.store(form, numbers[i], out, f.lse)
			others[i][0], others[i][1] = append(others[i][0], o...), append(others[i][1], lse...)
		}
	})
	for _, o := range others {
		b.others, b.othersLSE = append(b.others, o[0]...), append(b.othersLSE, o[1]...)
	}
}

// slots gives the weights of every form of runs a slot of a stack, one to those that are divided
// after they have met the values: they are the same.
func (b *headBlock) slots(numbers []int) (all [][]formed, slots int) {
	for _, n := range numbers {
		forms, after := make([]formed, len(b.h.runs)), -1
		for form := range forms {
			first := b.h.runs[form][n].dividesFirst
			if forms[form].slot = after; first || after < 0 {
				forms[form].slot, forms[form].fills = slots, true
				slots++
			}
			if !first {
				after = forms[form].slot
			}
		}
		all = append(all, forms)
	}
	return all, slots
}

// weigh puts the weights of run n into their slots: into that of the first form last of all, where
// the exponentials are.
func (b *headBlock) weigh(n int, in *Rows, forms []formed, stack *mat.Dense) {
	rows, _ := in.Dots.Dims()
	slot := func(form int) *mat.Dense {
		return step.RowsBetween(stack, forms[form].slot*rows, (forms[form].slot+1)*rows)
	}
	e := b.h.runs[0][n].exponentials(in, slot(0))
	for form := len(forms) - 1; form >= 0; form-- {
		if f := &forms[form]; f.fills {
			if form > 0 {
				slot(form).Copy(e.x)
			}
			f.divisors, f.lse = b.h.runs[form][n].weigh(in, e, slot(form))
		}
	}
	for form := range forms {
		if f := &forms[form]; !f.fills { // log-sum-exps are of sums of what is not rounded yet
			f.divisors, f.lse = b.h.runs[form][n].divide(in, e, slot(form)), forms[0].lse
		}
	}
}

// store keeps what run n of a form gives.
func (b *headBlock) store(form, n int, out *mat.Dense, lse []float64) (others, othersLSE []otherTruth) {
	h, unit := b.h, LSEUnit(b.h.c)
	for row, i := range b.run {
		o, l := h.rowOf(b.at[i]), h.lseOf(b.at[i])
		others = append(others, h.o.run(form, n-1, o, out.RawRowView(row), b.rows.exact.RawRowView(row))...)
		othersLSE = append(othersLSE, h.lse.run(
			form, n-1, l, []float64{lse[row] / unit}, []float64{b.rows.exactLSE[row] / unit},
		)...)
	}
	return others, othersLSE
}
