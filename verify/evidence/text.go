package evidence

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"plumbline/numbers/dtype"
)

// Total is the rates of one criterion over all ops, on inputs of one scale.
func (r Report) Total(criterion string, exp2 int) (sum Rates) {
	sum.Criterion, sum.Exp2 = criterion, exp2
	for _, rates := range r.Rates {
		if rates.Criterion == criterion && rates.Exp2 == exp2 {
			sum.join(rates)
		}
	}
	return sum
}

// Of is the rates of one criterion on one op, over all scales.
func (r Report) Of(criterion, opName string) (sum Rates) {
	sum.Criterion, sum.Op = criterion, opName
	for _, rates := range r.Rates {
		if rates.Criterion == criterion && rates.Op == opName {
			sum.join(rates)
		}
	}
	return sum
}

// names lists the criteria that were applied, Plumbline first.
func (r Report) names() []string {
	all := []string{plumbline}
	for _, c := range Criteria() {
		if slices.ContainsFunc(r.Rates, func(rates Rates) bool { return rates.Criterion == c.Name }) {
			all = append(all, c.Name)
		}
	}
	return all
}

// ops lists the ops that were measured.
func (r Report) ops() (all []string) {
	for _, rates := range r.Rates {
		if !slices.Contains(all, rates.Op) {
			all = append(all, rates.Op)
		}
	}
	slices.Sort(all)
	return all
}

// percent writes a count as "1.5 % of 200", and "–" where nothing was counted.
func percent(c Count) string {
	if c.Of == 0 {
		return "–"
	}
	return fmt.Sprintf("%s of %d", share(c), c.Of)
}

// share writes a quotient in percent. What is not all is never written as all, nor what is not none
// as none.
func share(c Count) string {
	switch x := 100 * c.Share(); {
	case c.Of == 0:
		return "–"
	case c.Are == 0, c.Are == c.Of:
		return fmt.Sprintf("%.0f %%", x)
	default:
		return fmt.Sprintf("%.1f %%", max(0.1, min(x, 99.9)))
	}
}

// unlike is a count without another that is part of it.
func unlike(all, part Count) Count { return Count{all.Of - part.Of, all.Are - part.Are} }

// factor names a scale of the inputs.
func factor(exp2 int) string {
	if exp2 == 0 {
		return "as they are"
	}
	return fmt.Sprintf("times 2^%d", exp2)
}

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, exp2 := range r.Exp2 {
		if exp2 != 0 {
			fmt.Fprintf(tw, "\nOutputs %s:\n\n", factor(exp2))
		}
		fmt.Fprintln(tw, "criterion\tright kernels that fail\tplain ones\tvisible mistakes found\tthose not faint")
		for _, row := range r.totals(exp2) {
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if err := r.writeCurves(w); err != nil {
		return err
	}
	return r.writeCases(w)
}

// totals returns a row for each criterion.
func (r Report) totals(exp2 int) (rows [][]string) {
	for _, name := range r.names() {
		t := r.Total(name, exp2)
		if t.Alarms.Of+t.Found.Of > 0 {
			rows = append(rows, []string{
				name, percent(t.Alarms), percent(t.Plain), percent(t.Found), percent(unlike(t.Found, t.Faint)),
			})
		}
	}
	return rows
}

// bins names the strengths that mistakes are counted by.
func bins() []string {
	names := []string{fmt.Sprintf("<%v", edges[0])}
	for i, edge := range edges {
		if i+1 < len(edges) {
			names = append(names, fmt.Sprintf("%v–%v", edge, edges[i+1]))
		} else {
			names = append(names, fmt.Sprintf("≥%v", edge))
		}
	}
	return append(names, "∞")
}

// curve returns the cells of a row of found mistakes by strength.
func curve(counts [Beyond + 1]Count) (cells []string) {
	for _, c := range counts {
		cell := "–"
		if c.Of > 0 {
			cell = fmt.Sprintf("%d/%d", c.Are, c.Of)
		}
		cells = append(cells, cell)
	}
	return cells
}

func (r Report) writeCurves(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\nfound by Plumbline, by strength\t%s\n", strings.Join(bins(), "\t"))
	for _, name := range r.ops() {
		fmt.Fprintf(tw, "%s\t%s\n", name, strings.Join(curve(r.Of(plumbline, name).Bins), "\t"))
	}
	return tw.Flush()
}

func (r Report) writeCases(w io.Writer) error {
	if len(r.Cases) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\ncriterion\tdefect\tvalue of limit\tit says\tPlumbline says\n")
	for _, c := range r.Cases {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", c.Criterion, c.Defect, c.measured(), c.says(), c.Verdict)
	}
	return tw.Flush()
}

// measured writes what the criterion measures beside its limit.
func (c Case) measured() string { return fmt.Sprintf("%s of %s", short(c.Value), short(c.Limit)) }

// says is the verdict of the criterion.
func (c Case) says() string {
	if c.Passes {
		return "passes"
	}
	return "fails"
}

// short writes a number in three digits.
func short(x float64) string {
	if x == 0 || math.Abs(x) >= 1e-3 {
		return fmt.Sprintf("%.3g", x)
	}
	return fmt.Sprintf("%.1e", x)
}

// inDigits rounds to three digits.
func inDigits(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64)
	if err != nil || !dtype.Finite(y) {
		return math.MaxFloat64 // JSON has no infinity
	}
	return y
}
