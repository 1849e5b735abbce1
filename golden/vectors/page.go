package vectors

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Page is the page of the vectors, from the root of the module. Its tables stand between two marks,
// and all else on it is written by hand.
const Page = "docs/VECTORS.md"

const (
	begin = "<!-- The tables are written by go generate ./... -->\n"
	end   = "<!-- End of the tables -->\n"
)

// Insert returns the page with the tables between its marks.
func (index Index) Insert(page string) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", errors.New(Page + ": the marks of the tables are missing")
	}
	return before + begin + index.byOp() + "\n" + index.byCriterion() + end + after, nil
}

// byOp is the table of ops: how many vectors each has, and how many invalid ones the usual criteria
// accept.
func (index Index) byOp() string {
	var b strings.Builder
	b.WriteString("| op | valid | invalid | mistakes | pass " + strings.Join(Usual, " | pass ") + " | pass any |\n")
	b.WriteString("|---" + strings.Repeat("|---:", 4+len(Usual)) + "|\n")
	for _, name := range index.ops() {
		b.WriteString("| `" + name + "`" + index.row(func(v Vector) bool { return v.Op == name }))
	}
	b.WriteString("| all" + index.row(func(Vector) bool { return true }))
	return b.String()
}

func (index Index) ops() (names []string) {
	for _, v := range index.Vectors {
		names = append(names, v.Op)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// row counts the vectors that are meant.
func (index Index) row(of func(Vector) bool) string {
	mistakes := map[string]bool{}
	accepted := make([]int, len(Usual))
	valid, invalid, some := 0, 0, 0
	for _, v := range index.Vectors {
		switch {
		case !of(v):
		case v.Wrong == nil:
			valid++
		default:
			invalid++
			mistakes[v.Mistake] = true
			for i, name := range Usual {
				accepted[i] += count(slices.Contains(v.Passes, name))
			}
			some += count(len(v.Passes) > 0)
		}
	}
	text := fmt.Sprintf(" | %d | %d | %d", valid, invalid, len(mistakes))
	for _, n := range accepted {
		text += fmt.Sprintf(" | %d", n)
	}
	return text + fmt.Sprintf(" | %d |\n", some)
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// byCriterion is the table of criteria: the invalid vectors that each accepts, by op.
func (index Index) byCriterion() string {
	var b strings.Builder
	b.WriteString("| criterion | accepts, of invalid vectors |\n|---|---|\n")
	for _, name := range index.criteria() {
		total, ops := 0, []string{}
		for _, of := range index.ops() {
			n := 0
			for _, v := range index.Vectors {
				n += count(v.Op == of && v.Wrong != nil && slices.Contains(v.Passes, name))
			}
			if total += n; n > 0 {
				ops = append(ops, fmt.Sprintf("%d of `%s`", n, of))
			}
		}
		fmt.Fprintf(&b, "| %s | %d: %s |\n", name, total, strings.Join(ops, ", "))
	}
	return b.String()
}

// criteria are those that accept something, the usual ones first.
func (index Index) criteria() (names []string) {
	for _, v := range index.Vectors {
		if v.Wrong != nil {
			names = append(names, v.Passes...)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return append(slices.Clone(Usual), slices.DeleteFunc(names, func(s string) bool {
		return slices.Contains(Usual, s)
	})...)
}
