package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"plumbline/internal/catalogue"
	"plumbline/internal/spelling"
	"plumbline/verify/op"
)

// mistakes prints the bank: a line for each mistake, or the named ones in full; with -json all of
// it, or the named ones, as JSON.
func mistakes(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("mistakes", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	words, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	found, err := bank{op.Bank(), op.LeftOut()}.find(words)
	switch {
	case err != nil:
		return usageError(stderr, "mistakes", err)
	case *asJSON:
		return writeMistakes(stdout, stderr, found)
	case len(words) == 0:
		listMistakes(stdout, found)
	default:
		describeMistakes(stdout, found)
	}
	return exitExplained
}

// bank is a part of what is known of mistakes: those of ops, and what is left out of them.
type bank struct {
	mistakes []op.Mistake
	left     []op.Beyond
}

// find returns what the words name, each once and in the bank's order, and all where there is no
// word.
func (all bank) find(words []string) (bank, error) {
	if len(words) == 0 {
		return all, nil
	}
	known := all.words()
	for _, word := range words {
		if !isOne(word, known...) {
			return bank{}, fmt.Errorf("no op and no mistake %s%s", spelling.Quote(word), spelling.Suggest(word, known))
		}
	}
	var found bank
	for _, m := range all.mistakes {
		if slices.ContainsFunc(words, func(word string) bool { return isOne(word, namesOf(m)...) }) {
			found.mistakes = append(found.mistakes, m)
		}
	}
	for _, l := range all.left {
		if isOne(l.Number, words...) {
			found.left = append(found.left, l)
		}
	}
	return found, nil
}

// namesOf lists what names a mistake: its id, its numbers, its ops.
func namesOf(m op.Mistake) []string { return slices.Concat([]string{m.ID}, m.Numbers, m.Ops) }

// isOne tells whether a word is one of those, in any case.
func isOne(word string, of ...string) bool {
	return slices.ContainsFunc(of, func(other string) bool { return strings.EqualFold(word, other) })
}

// words lists what may be asked for: ops, those without a mistake too, and what names a mistake.
func (all bank) words() (list []string) {
	for _, o := range op.Ops() {
		list = append(list, o.Name)
	}
	for _, m := range all.mistakes {
		list = append(list, namesOf(m)...)
	}
	for _, l := range all.left {
		list = append(list, l.Number)
	}
	return list
}

func writeMistakes(stdout *checked, stderr io.Writer, found bank) int {
	text, err := catalogue.MistakesJSON(found.mistakes, found.left)
	if err != nil {
		complain(stderr, "plumbline mistakes", err)
		return exitUnusable
	}
	_, _ = stdout.Write(text) // checked keeps the error
	return exitExplained
}

func listMistakes(w io.Writer, found bank) {
	tw := table(w)
	for _, m := range found.mistakes {
		fmt.Fprintf(tw, "%s\t%s\t%s (%s)\n", m.ID, strings.Join(m.Numbers, ", "), m.Sentence, strings.Join(m.Ops, ", "))
	}
	_ = tw.Flush()
	var rows [][]string
	for _, l := range found.left {
		rows = append(rows, []string{l.Number, l.Sentence})
	}
	section(w, "left out, being no mistake of an op", rows)
}

// describeMistakes prints mistakes in full, an empty line between them.
func describeMistakes(w io.Writer, found bank) {
	var texts []string
	for _, m := range found.mistakes {
		texts = append(texts, described(m.Names()+": "+m.Sentence, "ops", strings.Join(m.Ops, ", "),
			"hidden", m.Hidden, "thread", op.Link(m.Thread)))
	}
	for _, l := range found.left {
		texts = append(texts, described(l.Number+" (left out): "+l.Sentence, "why", l.Why, "thread", op.Link(l.Thread)))
	}
	if len(texts) == 0 {
		texts = []string{"no mistake is known of it\n"}
	}
	fmt.Fprint(w, strings.Join(texts, "\n"))
}

// described returns a line, and below it pairs of a label and what it stands before, but for those
// that are empty.
func described(line string, pairs ...string) string {
	text := line + "\n"
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			text += fmt.Sprintf("  %-6s  %s\n", pairs[i], pairs[i+1])
		}
	}
	return text
}
