package engine

import (
	"fmt"
	"io"
	"strings"

	"plumbline/internal/version"
	"plumbline/verify/report"
)

// Render joins reports and writes them in one form: html, json or junit, as plumbline report does;
// line, the line of the first recording, or summary, the line that counts.
func Render(form string, reports []string) (string, error) {
	var b strings.Builder
	out, err := writer(form, &b)
	if err != nil {
		return "", err
	}
	for _, text := range reports {
		run, err := report.Read(strings.NewReader(text))
		if err != nil {
			return "", err
		}
		for _, e := range run.Recordings {
			if err := out.Add(e); err != nil {
				return "", err
			}
		}
	}
	if err := out.Close(); err != nil {
		return "", err
	}
	return part(form, b.String()), nil
}

func writer(form string, w io.Writer) (report.Report, error) {
	switch form {
	case "html":
		return report.NewHTML(w, version.Current()), nil
	case "json":
		return report.NewJSON(w, version.Current()), nil
	case "junit":
		return report.NewJUnit(w), nil
	case "line", "summary":
		return report.NewText(w, report.TextOptions{}), nil
	}
	return nil, fmt.Errorf("no form %q", form)
}

// part is the line that is asked for, where one is.
func part(form, text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	switch form {
	case "line":
		return lines[0]
	case "summary":
		return lines[len(lines)-1]
	}
	return text
}
