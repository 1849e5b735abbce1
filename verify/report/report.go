// Package report says what the verdicts of a run are: in words for people, in JSON for programs. It
// decides nothing.
package report

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/verify/verdict"
)

// An Entry is one recording of a run: its verdict, and what its producer says of the call and of
// its origin.
type Entry struct {
	verdict.Verdict
	Attrs      map[string]any `json:"attrs,omitempty"`
	Arithmetic map[string]any `json:"arithmetic,omitempty"`
	Provenance map[string]any `json:"provenance,omitempty"`
}

// NewEntry returns the entry of a verdict. The reason need not repeat the file's name, which stands
// beside it.
func NewEntry(v verdict.Verdict, provenance map[string]any) Entry {
	v.Reason = strings.TrimPrefix(v.Reason, v.File+": ")
	return Entry{Verdict: v, Provenance: provenance}
}

// NewUnusable returns the entry of a file that could not be judged, with the reason.
func NewUnusable(file, reason string) Entry {
	return NewEntry(verdict.Verdict{File: file, Status: verdict.Unusable, Reason: reason}, nil)
}

// Brief returns the entry without what only details and pictures show: what the call declared, the
// worst elements of outputs that did not fail, and how errors lie.
func (e Entry) Brief() Entry {
	e.Attrs, e.Arithmetic = nil, nil
	e.Outputs = slices.Clone(e.Outputs)
	for i := range e.Outputs {
		if o := &e.Outputs[i]; o.Status != verdict.Unexplained {
			o.Worst = nil
		}
		e.Outputs[i].Picture = nil
	}
	return e
}

// A Report takes the entries of a run in order, and is closed after the last.
type Report interface {
	Add(Entry) error
	Close() error
}

// Summary counts the recordings of a run by verdict.
type Summary struct {
	Recordings   int `json:"recordings"`
	Explained    int `json:"explained"`
	Unexplained  int `json:"unexplained"`
	Undetermined int `json:"undetermined"`
	Unusable     int `json:"unusable"`
}

// Count adds one verdict.
func (s *Summary) Count(status verdict.Status) {
	s.Recordings++
	switch status {
	case verdict.Explained:
		s.Explained++
	case verdict.Unexplained:
		s.Unexplained++
	case verdict.Undetermined:
		s.Undetermined++
	case verdict.Unusable:
		s.Unusable++
	}
}

// String returns a line such as "16 recordings: 15 explained, 1 unexplained". Verdicts that nothing
// got are left out.
func (s Summary) String() string {
	var parts []string
	for _, p := range []struct {
		n      int
		status verdict.Status
	}{
		{s.Explained, verdict.Explained},
		{s.Unexplained, verdict.Unexplained},
		{s.Undetermined, verdict.Undetermined},
		{s.Unusable, verdict.Unusable},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.status))
		}
	}
	noun := "recordings"
	if s.Recordings == 1 {
		noun = "recording"
	}
	if len(parts) == 0 {
		return "0 recordings"
	}
	return fmt.Sprintf("%d %s: %s", s.Recordings, noun, strings.Join(parts, ", "))
}
