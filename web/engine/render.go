package engine

import (
	"fmt"
	"io"
	"strings"

	"plumbline/internal/version"
	"plumbline/verify/report"
)

// Sentence returns what a report says of its first recording in one line, as every form of a report
// does.
func Sentence(text string) (string, error) {
	run, err := report.Read(strings.NewReader(text))
	if err != nil || len(run.Recordings) == 0 {
		return "", err
	}
	return run.Recordings[0].Sentence(), nil
}

// Render joins reports and writes them in one form, html, json or junit, as plumbline report does,
// or in words.
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
	err = out.Close()
	return b.String(), err
}

func writer(form string, w io.Writer) (report.Report, error) {
	switch form {
	case "html":
		return report.NewHTML(w, version.Current()), nil
	case "json":
		return report.NewJSON(w, version.Current()), nil
	case "junit":
		return report.NewJUnit(w), nil
	case "words":
		return report.NewText(w, report.TextOptions{}), nil
	}
	return nil, fmt.Errorf("no form %q", form)
}
