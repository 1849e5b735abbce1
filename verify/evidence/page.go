package evidence

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Stamp says where and when a page was measured.
type Stamp struct{ Machine, Date, Version string }

// page writes Markdown. It keeps the first error.
type page struct {
	w   io.Writer
	err error
}

func (p *page) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// row writes a row of a table.
func (p *page) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(strings.ReplaceAll(c, "|", "\\|"), "\n", " ")
	}
	p.printf("| %s |\n", strings.Join(cells, " | "))
}

// head writes the head of a table.
func (p *page) head(cells ...string) {
	p.row(cells...)
	p.printf("|%s\n", strings.Repeat("---|", len(cells)))
}

const introduction = `# What acceptance tests are worth

Right kernels and wrong ones, emulated, through Plumbline's verdict and through the criteria of
others with their own numbers, on the same data. Two rates of each: **right kernels that fail**,
which are false alarms, and **visible mistakes that are found**.

A right kernel computes what it declares, in any tiling, order and type; the *plain* ones among them
add up in float32 or better and store nothing in a narrower type than their inputs. A mistake is
*visible* where its strength is 10 or more ([VERDICT.md](VERDICT.md)): what it makes of the truth in
a kernel that rounds nothing else, in deviations of what right kernels err by along that move, in the
output that shows it most of those that a criterion compares. It is *faint* where it moves the numbers
that it moves by no more than one unit in the last place of an output that is exact otherwise: it can
be told by adding up many alone, and the verdict, which knows of no mistake, adds up along few
directions. Of indices, codes and decisions, wrong is what no error within the declared arithmetic
gives; there Plumbline is right by definition.

The reference that others are given is the truth, rounded to float32 or to the type of the output,
and elements outside masks are left out: kinder than what their tests have. Where their tests compare
with something else (DeepGEMM: the product of what was not yet quantised) the cases below do too.
Where an op has no eager kernel in low precision, criteria that measure by one are not applied.

Written by ` + "`plumbline evidence -full`" + `.
`

// WritePage writes the report as a page of the documentation.
func (r Report) WritePage(w io.Writer, s Stamp) error {
	p := &page{w: w}
	p.printf("%s\nMeasured on %s, %s, with Plumbline %s: requests of seeds 0 to %d of each op", introduction,
		s.Date, s.Machine, s.Version, r.Seeds-1)
	p.printf(", and one of DeepSeek-V3's sizes of those that have one.\n\n![rates and curves](evidence.svg)\n\n")
	p.totals(r)
	p.byOp(r)
	p.ofSpecial(r)
	p.curves(r)
	p.cases(r)
	p.exceptions(r)
	p.criteria()
	return p.err
}

var totalsHead = []string{
	"criterion", "right kernels that fail", "plain ones that fail", "visible mistakes found", "those not faint",
}

func (p *page) totals(r Report) {
	p.printf("## All ops\n\n")
	p.head(totalsHead...)
	for _, row := range r.totals(0) {
		p.row(row...)
	}
	for _, exp2 := range r.Exp2 {
		if exp2 == 0 {
			continue
		}
		p.printf("\nWith an input that makes the outputs 2^%d times as large, of the ops that have one (%s):\n\n",
			exp2, strings.Join(scalable(), ", "))
		p.head(totalsHead...)
		for _, row := range r.totals(exp2) {
			p.row(row...)
		}
	}
	p.printf("\nOf %d verdicts on right kernels, %d say that the inputs cannot tell.\n", r.Unsure.Of, r.Unsure.Are)
}

// generalNames are the criteria that all ops have.
var generalNames = []string{
	plumbline, "torch assert_close", "allclose 1e-2", "KernelBench", "gpuemu", "TorchTitan 2×",
}

func (p *page) byOp(r Report) {
	p.printf("\n## By op\n\nRight kernels that fail / visible mistakes found.\n\n")
	p.head(append([]string{"op"}, generalNames...)...)
	for _, name := range r.ops() {
		cells := []string{name}
		for _, criterion := range generalNames {
			of := r.Of(criterion, name)
			cells = append(cells, share(of.Alarms)+" / "+share(of.Found))
		}
		p.row(cells...)
	}
}

func (p *page) ofSpecial(r Report) {
	p.printf("\n## Criteria of single ops\n\n")
	p.head("criterion", "op", "right kernels that fail", "visible mistakes found", "Plumbline: fail", "found")
	for _, criterion := range r.names() {
		for _, name := range r.ops() {
			of, ours := r.Of(criterion, name), r.Of(plumbline, name)
			if of.Alarms.Of+of.Found.Of > 0 && !isGeneral(criterion) {
				p.row(criterion, name, percent(of.Alarms), percent(of.Found), share(ours.Alarms), share(ours.Found))
			}
		}
	}
}

func isGeneral(criterion string) bool {
	return slices.Contains(generalNames, criterion)
}

func (p *page) curves(r Report) {
	p.printf("\n## With which strength a mistake is found\n\nFound by Plumbline, of how many. " +
		"Infinite is the strength of a wrong choice, of what " +
		"nothing may move, and of an infinity or NaN in the place of a number.\n\n")
	p.head(append([]string{"op"}, bins()...)...)
	var sum Rates
	for _, name := range r.ops() {
		of := r.Of(plumbline, name)
		sum.join(of)
		p.row(append([]string{name}, curve(of.Bins)...)...)
	}
	p.row(append([]string{"all"}, curve(sum.Bins)...)...)
}

func (p *page) cases(r Report) {
	p.printf("\n## False passes\n\n" +
		"Wrong outputs that criteria were found to pass, made again on the data of their projects.\n\n")
	p.head("criterion", "defect", "data", "found to be", "here", "a right kernel", "it says", "Plumbline says")
	for _, c := range r.Cases {
		p.row(c.Criterion, c.Defect, c.Data, c.Reported, c.measured(), short(c.Right), c.says(), c.Verdict)
	}
}

func (p *page) exceptions(r Report) {
	faint := 0
	for _, m := range r.Misses {
		if m.Faint {
			faint++
		}
	}
	p.printf("\n## What Plumbline gets wrong\n\n%d right kernels fail, and %d visible mistakes are explained, "+
		"%d of them faint.\n\n", len(r.Alarms), len(r.Misses), faint)
	for _, m := range r.Alarms {
		p.printf("- %s, seed %d, outputs %s, %s: %s\n", m.Op, m.Seed, factor(m.Exp2), m.Kernel, m.Says)
	}
	p.head("op", "mistake", "explained", "strength", "most that is not faint")
	for _, e := range explained(r.Misses) {
		p.row(e.op, e.kernel, fmt.Sprint(e.times), short(e.least)+" to "+short(e.most), short(e.plain))
	}
}

// missed is a mistake that was explained a number of times.
type missed struct {
	op, kernel         string
	times              int
	least, most, plain float64 // strengths; plain is the most that is not faint, 0 for none
}

// explained counts misses by op and mistake, in their order.
func explained(misses []Miss) (all []missed) {
	for _, m := range misses {
		i := slices.IndexFunc(all, func(e missed) bool { return e.op == m.Op && e.kernel == m.Kernel })
		if i < 0 {
			i = len(all)
			all = append(all, missed{op: m.Op, kernel: m.Kernel, least: m.Strength})
		}
		e := &all[i]
		e.times++
		e.least, e.most = min(e.least, m.Strength), max(e.most, m.Strength)
		if !m.Faint {
			e.plain = max(e.plain, m.Strength)
		}
	}
	return all
}

func (p *page) criteria() {
	p.printf("\n## The criteria\n\n")
	p.head("criterion", "from", "applied to")
	for _, c := range Criteria() {
		p.row(c.Name, c.Source, c.On)
	}
}
