package count

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"plumbline/course/page"
)

// table is columns under headings, the first of words and the others of numbers.
type table struct {
	title   string
	columns []string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// text writes a table for a terminal: words to the left, numbers to the right.
func (t table) text(w io.Writer) {
	fmt.Fprintln(w, t.title)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	lines := append([][]string{t.columns}, t.rows...)
	width := 0
	for _, line := range lines {
		width = max(width, utf8.RuneCountInString(line[0]))
	}
	for _, line := range lines {
		first := line[0] + strings.Repeat(" ", width-utf8.RuneCountInString(line[0]))
		fmt.Fprintln(tw, first+"\t"+strings.Join(line[1:], "\t")+"\t")
	}
	_ = tw.Flush()
}

// markdown returns a table for a page.
func (t table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.columns)
	b.WriteString("|---|" + strings.Repeat("---:|", len(t.columns)-1) + "\n")
	for _, row := range t.rows {
		indented := strings.TrimLeft(row[0], " ")
		indent := strings.Repeat("&emsp;", (len(row[0])-len(indented))/2)
		line(append([]string{indent + indented}, row[1:]...))
	}
	return b.String()
}

// decimal writes a number of 0 or more with so many digits behind the point, without zeros at its
// end, and with commas.
func decimal(x float64, digits int) string {
	text := strconv.FormatFloat(x, 'f', digits, 64)
	whole, rest, _ := strings.Cut(text, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
		whole = page.Thousands(n)
	}
	if rest = strings.TrimRight(rest, "0"); rest != "" {
		return whole + "." + rest
	}
	return whole
}

// figures writes a number with three or more figures.
func figures(x float64) string {
	switch {
	case x >= 100:
		return decimal(x, 0)
	case x >= 10:
		return decimal(x, 1)
	case x >= 1:
		return decimal(x, 2)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// billions writes a number of parameters.
func billions(n int64) string { return figures(float64(n)/1e9) + "B" }

// memory writes bytes.
func memory(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for ; bytes >= 1024 && i < len(units)-1; i++ {
		bytes /= 1024
	}
	return figures(bytes) + " " + units[i]
}

const gib = 1 << 30
