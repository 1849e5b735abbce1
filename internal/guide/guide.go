// Package guide runs what pages tell their readers to do, so that it stays true.
//
// A section of a page begins with a heading of the second rank. Its blocks of code are carried out
// in order, in an empty folder: one with a name after its language is written into a file of that
// name, one in sh is run by bash, and one in text right behind that is what it prints, with "…" for
// anything.
package guide

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Section is what stands under one heading.
type Section struct {
	Title  string
	Blocks []Block
}

// Block is a block of code.
type Block struct {
	Language string
	Name     string // of a file, or ""
	Text     string
}

// Sections returns the sections of a page that have blocks.
func Sections(page string) (all []Section) {
	for _, part := range strings.Split("\n"+page, "\n## ")[1:] {
		title, rest, _ := strings.Cut(part, "\n")
		if blocks := blocksOf(rest); len(blocks) > 0 {
			all = append(all, Section{title, blocks})
		}
	}
	return all
}

// fenced matches a block, with its language and name.
var fenced = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

func blocksOf(text string) (all []Block) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		all = append(all, Block{m[1], m[2], m[3]})
	}
	return all
}

// Run carries a section out in a folder. Commands see the environment, and what is added to it.
func (s Section) Run(folder string, environment ...string) error {
	for i, b := range s.Blocks {
		var err error
		switch {
		case b.Name != "":
			err = os.WriteFile(filepath.Join(folder, filepath.Base(b.Name)), []byte(b.Text), 0o644)
		case b.Language == "sh":
			err = s.run(i, folder, environment)
		case b.Language != "text" || i == 0 || s.Blocks[i-1].Language != "sh":
			err = errors.New("neither a file, nor a command, nor what one prints")
		}
		if err != nil {
			return fmt.Errorf("%s: block %d, %s: %w", s.Title, i+1, b.Language, err)
		}
	}
	return nil
}

// run runs block i and compares what it prints with the block behind it.
func (s Section) run(i int, folder string, environment []string) error {
	command := exec.Command("bash", "-euo", "pipefail", "-c", s.Blocks[i].Text)
	command.Dir, command.Env = folder, append(os.Environ(), environment...)
	var complaints strings.Builder
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		return fmt.Errorf("%w\n%s\n%s", err, printed, complaints.String())
	}
	if i+1 < len(s.Blocks) && s.Blocks[i+1].Language == "text" {
		return Compare(s.Blocks[i+1].Text, string(printed))
	}
	return nil
}

// Compare tells whether a command printed what a page says, where "…" stands for anything, whole
// lines among it.
func Compare(said, printed string) error {
	pattern := regexp.QuoteMeta(strings.TrimSpace(said))
	pattern = strings.ReplaceAll(pattern, "…", "(?s:.*?)")
	if !regexp.MustCompile(`\A` + pattern + `\z`).MatchString(strings.TrimSpace(printed)) {
		return fmt.Errorf("it prints\n%s\nwhere the page says\n%s", printed, said)
	}
	return nil
}
