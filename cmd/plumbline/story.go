package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"plumbline/course/story"
	"plumbline/internal/spelling"
)

// tell runs stories, and prints what they tell; without a name it lists them.
func tell(names []string, stdout *checked, stderr io.Writer) int {
	if len(names) == 0 {
		var rows [][]string
		for _, s := range story.Stories() {
			rows = append(rows, []string{s.Name, s.Summary})
		}
		section(stdout, "stories", rows)
	}
	for i, name := range names {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		if err := tellOne(stdout, name); err != nil {
			complain(stderr, "plumbline show", err)
			return exitUnusable
		}
	}
	return exitExplained
}

func tellOne(w io.Writer, name string) error {
	stories := story.Stories()
	at := slices.IndexFunc(stories, func(s story.Story) bool { return s.Name == name })
	if at < 0 {
		near := cmp.Or(spelling.Suggest(name, storyNames()), "; plumbline show -story lists them")
		return fmt.Errorf("no story %s%s", spelling.Quote(name), near)
	}
	fmt.Fprintf(w, "%s\n\n", stories[at].Title)
	return stories[at].Tell(w)
}

func storyNames() (names []string) {
	for _, s := range story.Stories() {
		names = append(names, s.Name)
	}
	return names
}
