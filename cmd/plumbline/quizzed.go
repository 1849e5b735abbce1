package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
	_ "plumbline/verify/emulate/all"

	"plumbline/course/exercise"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
)

// letter returns the number of a kernel that is named by a letter, −1 if none is.
func letter(name string) int { return slices.Index(exercise.Letters, name) }

// splitAnswer parts an answer, LETTER or LETTER:MISTAKE, and tells whether it is one.
func (l *learning) splitAnswer() bool {
	name, mistake, named := strings.Cut(l.answer, ":")
	if letter(name) < 0 || named && mistake == "" {
		return false
	}
	l.answer, l.mistake = name, mistake
	return true
}

// quizFolder is where recordings of a quiz are written.
func (l *learning) quizFolder() string {
	if l.folder == "" {
		return "plumbline-quiz"
	}
	return l.folder
}

// kernelFile is where the recording of a kernel is written.
func (l *learning) kernelFile(letter string) string {
	return filepath.Join(l.quizFolder(), letter+extension)
}

// ask writes the recordings of a quiz, and shows what they hold.
func (l *learning) ask(w io.Writer) error {
	name := l.arg
	if name == "" {
		all := exercise.Ops()
		name = all[l.seed%len(all)]
	}
	var files []string
	for _, x := range exercise.Letters {
		files = append(files, l.kernelFile(x))
	}
	if err := vacant(files...); err != nil {
		return err
	}
	q, err := exercise.Ask(name, uint64(l.seed))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.quizFolder(), 0o777); err != nil {
		return err
	}
	for i, rec := range q.Kernels {
		if err := rec.Save(files[i]); err != nil {
			return err
		}
	}
	return l.pose(w, q)
}

// pose says what is asked.
func (l *learning) pose(w io.Writer, q *exercise.Quiz) error {
	fmt.Fprintf(w, "Four kernels of %s ran on the same inputs, and one of them is wrong.\n", q.Op)
	fmt.Fprintf(w, "Their recordings are in %s.\n", report.Printable(l.quizFolder()))
	for _, name := range q.Kernels[0].Outputs() {
		if err := beginnings(w, q.Kernels, "out."+name); err != nil {
			return err
		}
	}
	var rows [][]string
	for _, m := range q.Choices {
		rows = append(rows, []string{m.ID, m.Sentence})
	}
	section(w, "it makes one of these mistakes", rows)
	fmt.Fprintf(w, "\nlook    plumbline inspect %s\n", shellWord(report.Printable(l.kernelFile("a"))))
	fmt.Fprintf(w, "answer  plumbline learn -answer LETTER:MISTAKE %s\n", shellWord(report.Printable(l.quizFolder())))
	return nil
}

// mostColumns bounds the numbers of a row that are shown.
const mostColumns = 6

// beginnings shows how the first row of an output begins, and the row in which kernels part most,
// there: for each a line for each kernel.
func beginnings(w io.Writer, kernels []*recording.Recording, name string) error {
	shape := kernels[0].Shape(name)
	width := 1
	if len(shape) > 0 {
		width = shape[len(shape)-1]
	}
	most, err := exercise.MostApart(kernels, name)
	if err != nil {
		return err
	}
	var rows [][]string
	shown := []exercise.Parting{{}}
	if most.Column = max(0, min(most.Column, width-mostColumns)); most.Row > 0 || most.Column > 0 {
		shown = append(shown, most)
	}
	for _, at := range shown {
		for i, rec := range kernels {
			x, err := rec.Tensor(name)
			if err != nil {
				return err
			}
			rows = append(rows, rowFrom(exercise.Letters[i], x.Data, width, at))
		}
	}
	section(w, fmt.Sprintf("%s %v", name, shape), rows)
	return nil
}

// rowFrom is a line of numbers from a place of an output on.
func rowFrom(letter string, data []float64, width int, at exercise.Parting) []string {
	place := fmt.Sprintf("row %d", at.Row)
	if at.Column > 0 {
		place += fmt.Sprintf(" from %d", at.Column)
	}
	row := []string{letter, place}
	first := at.Row*width + at.Column
	for _, v := range data[min(first, len(data)):min(first+mostColumns, (at.Row+1)*width, len(data))] {
		row = append(row, fewDigits(v))
	}
	return row
}

// fewDigits writes a number with as many digits as are the same on any processor.
func fewDigits(x float64) string {
	if x == 0 {
		return "0" // whatever its sign
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// judge judges the recordings of a quiz, and says whether the answer is right.
func (l *learning) judge(w io.Writer) (int, error) {
	var kernels []*recording.Recording
	for _, x := range exercise.Letters {
		rec, err := recording.Open(l.kernelFile(x))
		if err != nil {
			return exitUnusable, fmt.Errorf("%w; plumbline learn -quiz writes it", err)
		}
		defer rec.Close()
		kernels = append(kernels, rec)
	}
	if err := l.checkMistake(kernels[0].Op); err != nil {
		return exitUnusable, err
	}
	a, err := exercise.Judge(kernels, letter(l.answer))
	if err != nil {
		return exitUnusable, err
	}
	return l.mark(w, a), nil
}

// checkMistake wants the mistake that is answered to be one that kernels of the op make.
func (l *learning) checkMistake(name string) error {
	described := op.Lookup(name)
	if l.mistake == "" || described == nil {
		return nil
	}
	var ids []string
	for _, m := range described.Mistakes() {
		ids = append(ids, m.ID)
	}
	if slices.Contains(ids, l.mistake) {
		return nil
	}
	return fmt.Errorf("%s has no mistake %s%s", name, spelling.Quote(l.mistake), spelling.Suggest(l.mistake, ids))
}

// mark says how right an answer is, and returns the exit status.
func (l *learning) mark(w io.Writer, a exercise.Answer) int {
	switch {
	case !a.Right:
		fmt.Fprintf(w, "No: %s is a right kernel, whose own arithmetic explains its errors. Look again.\n", l.answer)
		return exitUnexplained
	case l.mistake != "" && a.Found && l.mistake != a.Finding.ID:
		fmt.Fprintf(w, "Yes: %s is wrong. But not by %s: look again.\n", l.answer, l.mistake)
		return exitUnexplained
	}
	fmt.Fprintf(w, "Yes: %s is wrong.\n  %s\n", l.answer, report.Line(a.Sentence))
	if a.Found {
		fmt.Fprint(w, told(a))
	}
	return exitExplained
}

// told is what is known of a mistake beside its sentence.
func told(a exercise.Answer) string {
	text := described("", "hidden", a.Finding.Hidden, "thread", op.Link(a.Finding.Thread))
	return strings.TrimPrefix(text, "\n")
}
