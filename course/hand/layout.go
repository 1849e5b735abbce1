package hand

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"plumbline/course/page"
)

// Of a wide row the first and last columns are shown, and of a long matrix such rows.
const (
	shownFirst = 5
	shownLast  = 2
)

// some returns the places that are shown of n, and after how many of them others are left out.
func some(n int) (shown []int, gap int) {
	for i := range n {
		if n <= shownFirst+shownLast+1 || i < shownFirst || i >= n-shownLast {
			shown = append(shown, i)
		}
	}
	if len(shown) < n {
		return shown, shownFirst
	}
	return shown, -1
}

// layout returns a value as lines of text in columns.
func (v Value) layout(exact bool) []string {
	name := v.Name
	if v.Shape != "" {
		name += " [" + v.Shape + "]"
	}
	cells := v.cells(exact)
	if v.Words && v.Cols == nil {
		if len(cells) == 0 {
			return []string{name + " = (none)"}
		}
		return []string{name + " = " + strings.Join(cells[0], "  ")}
	}
	return append([]string{name}, columns(cells, v.Cols != nil, v.Rows != nil)...)
}

// cells returns the texts of the numbers, with the words before and above them, and what says how
// many are left out.
func (v Value) cells(exact bool) (lines [][]string) {
	if v.Numbers.IsEmpty() {
		return nil
	}
	rows, cols := v.Numbers.Dims()
	shownRows, gapRow := some(rows)
	shownCols, gapCol := some(cols)
	if v.Cols != nil {
		lines = append(lines, v.line("", shownCols, gapCol, func(j int) string { return v.Cols[j] }))
	}
	for at, i := range shownRows {
		if at == gapRow {
			lines = append(lines, []string{fmt.Sprintf("… %d more rows", rows-len(shownRows))})
		}
		label := ""
		if v.Rows != nil {
			label = v.Rows[i]
		}
		lines = append(lines, v.line(label, shownCols, gapCol, func(j int) string {
			return spelled(v.Numbers.At(i, j), exact, v.fractions(exact, j))
		}))
	}
	return lines
}

// line returns the cells of a row, the label first where rows have any.
func (v Value) line(label string, shown []int, gap int, cell func(j int) string) (cells []string) {
	if v.Rows != nil {
		cells = append(cells, label)
	}
	_, cols := v.Numbers.Dims()
	for at, j := range shown {
		if at == gap {
			cells = append(cells, fmt.Sprintf("… %d more …", cols-len(shown)))
		}
		cells = append(cells, cell(j))
	}
	return cells
}

// fractions tells whether some number can be told as a fraction alone: then all are fractions, or
// those of its column where columns have names.
func (v Value) fractions(exact bool, column int) bool {
	if !exact {
		return false
	}
	rows, cols := v.Numbers.Dims()
	for i := range rows {
		for j := range cols {
			if v.Cols != nil && j != column {
				continue
			}
			if strings.Contains(spelled(v.Numbers.At(i, j), true, false), "/") {
				return true
			}
		}
	}
	return false
}

// columns aligns cells to the right, and the words before rows to the left.
func columns(lines [][]string, header, labels bool) (all []string) {
	widths := map[int]int{}
	for _, cells := range lines {
		for j, cell := range cells {
			if len(cells) > 1 || len(lines[0]) == 1 {
				widths[j] = max(widths[j], utf8.RuneCountInString(cell))
			}
		}
	}
	for _, cells := range lines {
		text := "  "
		for j, cell := range cells {
			pad := strings.Repeat(" ", max(0, widths[j]-utf8.RuneCountInString(cell)))
			if labels && j == 0 {
				text += "  " + cell + pad
			} else {
				text += "  " + pad + cell
			}
		}
		all = append(all, strings.TrimRight(text, " "))
	}
	return all
}

// block returns the values of a step as lines.
func (t Step) block(exact bool) (lines []string) {
	for _, v := range t.Values {
		lines = append(lines, v.layout(exact)...)
	}
	return lines
}

// Text returns the sheet as a terminal shows it.
func (s *Sheet) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", s.Title)
	for _, line := range page.Lines(s.Words, 96) {
		fmt.Fprintf(&b, "%s\n", line)
	}
	for i, t := range s.Steps {
		fmt.Fprintf(&b, "\n%d. %s", i+1, strings.Join(page.Lines(t.said(), 93), "\n   "))
		b.WriteString("\n")
		for _, line := range t.formulas() {
			fmt.Fprintf(&b, "      %s\n", line)
		}
		for _, line := range t.block(s.exact) {
			fmt.Fprintf(&b, "   %s\n", line)
		}
	}
	return b.String()
}

// said returns what a step says, with its function.
func (t Step) said() string {
	if t.Function == "" {
		return t.Words
	}
	return t.Words + " (" + t.Function + ")"
}

// formulas returns the lines of the formula.
func (t Step) formulas() []string {
	if t.Formula == "" {
		return nil
	}
	return strings.Split(t.Formula, "\n")
}
