package catalogue

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"plumbline/verify/op"
)

// BankPage is the page of all mistakes by their numbers, from the root of the module.
const BankPage = "docs/MISTAKES.md"

const bankHead = `# Mistakes

<!-- Written by go generate ./... from the ops themselves. -->

Ways in which kernels of the DeepSeek family and the losses of its reinforcement learning are known to
be wrong. Each has one id, the same in emulated kernels, in CUDA kernels and in what tests plant; one
that was met in public has a number in the bank as well. "Hidden" says when the outputs of such a
kernel are those of a right one, or too near them to tell. ` + "`plumbline mistakes`" + ` prints the same, and
[OPS.md](OPS.md) has it op by op.
`

// KernelsPage is the page of the project's kernels, from the root of the module: it lists the
// mistakes that are compiled, by id, with their numbers and switches.
const KernelsPage = "kernels/README.md"

// wrongKernels matches the rows of that list up to the number, and the number.
var wrongKernels = regexp.MustCompile("(?m)^(\\| `([a-z0-9-]+)` \\|)[^|\n]*(\\| `MISTAKE_)")

// Number returns a page with the numbers of mistakes beside their ids.
func Number(page string, mistakes []op.Mistake) string {
	return wrongKernels.ReplaceAllStringFunc(page, func(row string) string {
		parts := wrongKernels.FindStringSubmatch(row)
		number := " "
		if all := numbersOf(parts[2], mistakes); len(all) > 0 {
			number = " " + strings.Join(all, ", ") + " "
		}
		return parts[1] + number + parts[3]
	})
}

// numbersOf lists the numbers of a mistake, those of all ops, in order.
func numbersOf(id string, mistakes []op.Mistake) (all []string) {
	for _, m := range mistakes {
		if m.ID == id {
			all = append(all, m.Numbers...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// families are the letters of the numbers, with what they stand for, in the bank's order.
var families = []struct{ letter, subject string }{
	{"R", "rotation and YaRN"},
	{"A", "attention: masks, softmax, parts, heads"},
	{"P", "paged and quantised caches"},
	{"M", "multi-head latent attention"},
	{"G", "gate and routing"},
	{"X", "experts, dispatch and combination"},
	{"F", "FP8 and products of blocks"},
	{"T", "multi-token prediction and speculative decoding"},
	{"L", "losses of PPO, GRPO and DPO"},
	{"N", "numerics and determinism"},
}

// Bank returns the page of mistakes: those of each family by number, those without one, and what is
// left out.
func Bank(mistakes []op.Mistake, left []op.Beyond) string {
	var b strings.Builder
	b.WriteString(bankHead)
	for _, f := range families {
		chapter(&b, f.letter+": "+f.subject, numberedColumns, numberedRows(mistakes, f.letter))
	}
	chapter(&b, "Without a number", bankColumns, rowsWithoutNumber(mistakes))
	chapter(&b, "Left out", leftColumns, each(left, leftRow))
	return b.String()
}

// chapter writes a table below a heading; nothing where it has no rows.
func chapter(b *strings.Builder, heading string, head []string, rows [][]string) {
	if len(rows) > 0 {
		b.WriteString("\n## " + heading + "\n")
	}
	table(b, head, rows)
}

var (
	bankColumns     = []string{"id", "ops", "what such a kernel does", "hidden", "met in"}
	numberedColumns = append([]string{"number"}, bankColumns...)
	leftColumns     = []string{"number", "what is done", "why it is not among the mistakes of an op", "met in"}
)

// numberedRows has a row for each number of a letter and each mistake that has it.
func numberedRows(mistakes []op.Mistake, letter string) (rows [][]string) {
	for _, m := range mistakes {
		for _, number := range m.Numbers {
			if strings.HasPrefix(number, letter) {
				rows = append(rows, append([]string{number}, bankRow(m)...))
			}
		}
	}
	slices.SortStableFunc(rows, slices.Compare[[]string])
	return rows
}

func rowsWithoutNumber(mistakes []op.Mistake) (rows [][]string) {
	for _, m := range mistakes {
		if len(m.Numbers) == 0 {
			rows = append(rows, bankRow(m))
		}
	}
	slices.SortStableFunc(rows, slices.Compare[[]string])
	return rows
}

func bankRow(m op.Mistake) []string {
	return []string{"`" + m.ID + "`", "`" + strings.Join(m.Ops, "` `") + "`", m.Sentence, m.Hidden, link(m.Thread)}
}

func leftRow(l op.Beyond) []string { return []string{l.Number, l.Sentence, l.Why, link(l.Thread)} }

// link returns a thread as a link in Markdown; of folklore nothing.
func link(thread string) string {
	if thread == "" {
		return ""
	}
	return fmt.Sprintf("[%s](%s)", thread, op.Link(thread))
}
