package report

import (
	"encoding/xml"
	"io"

	"plumbline/verify/verdict"
)

// JUnit writes a run as the XML that CI systems read: one test suite with a test case for each
// recording, its op the class. What is unexplained or undetermined is a failure, what is unusable
// an error; the message is what all reports say in a line, the text the report in words. It is
// written when it is closed, since what it begins with counts all.
type JUnit struct {
	w     io.Writer
	suite junitSuite
}

// NewJUnit returns a report that writes to w.
func NewJUnit(w io.Writer) *JUnit { return &JUnit{w: w, suite: junitSuite{Name: "plumbline"}} }

type junitSuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Suite    junitSuite
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitProblem `xml:"failure"`
	Error   *junitProblem `xml:"error"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",cdata"`
}

// Add takes one recording. What a terminal would obey is escaped as in words, which leaves nothing
// that XML forbids.
func (j *JUnit) Add(e Entry) error {
	e = e.Brief()
	c := junitCase{Name: Printable(e.File), Class: Brief(e.Op)}
	problem := &junitProblem{Message: e.Sentence(), Type: e.Status.String(), Text: Words(e)}
	j.suite.Tests++
	switch e.Status {
	case verdict.Unusable:
		c.Error = problem
		j.suite.Errors++
	case verdict.Unexplained, verdict.Undetermined:
		c.Failure = problem
		j.suite.Failures++
	}
	j.suite.Cases = append(j.suite.Cases, c)
	return nil
}

// Close writes all.
func (j *JUnit) Close() error {
	s := j.suite
	text, err := xml.MarshalIndent(junitSuites{
		Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Suite: s,
	}, "", "  ")
	if err == nil {
		_, err = io.WriteString(j.w, xml.Header+string(text)+"\n")
	}
	return err
}
