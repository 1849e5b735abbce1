package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"plumbline/course"
	"plumbline/course/exercise"
	"plumbline/internal/spelling"
)

// way is the order in which exercises are listed, the one of each station of the routes; what is
// not on it comes behind, by package.
func way() (groups []exercise.Group) {
	for _, route := range course.Routes() {
		g := exercise.Group{Title: route.ID}
		for _, station := range route.Stations {
			g.Functions = append(g.Functions, station.Function[0])
		}
		groups = append(groups, g)
	}
	return groups
}

// anchor is where the station of an exercise stands in docs/PATHS.md, "" for one that has none.
func anchor(name string) string {
	for _, route := range course.Routes() {
		for _, station := range route.Stations {
			if station.Function[0] == name {
				return station.ID
			}
		}
	}
	return ""
}

// learning is what the flags of the command ask for.
type learning struct {
	check, solution, quiz bool
	answer, mistake       string // a letter, and the mistake that is made, "" if that is not answered
	seed                  int
	root, folder          string
	arg                   string // a function, a package, an op or a folder
	set                   map[string]bool

	course  *exercise.Course
	scratch *exercise.Scratch // nil: there is none
	stderr  io.Writer
}

// learn empties equations for readers to write again, and asks them which kernel is wrong.
func learn(args []string, stdout *checked, stderr io.Writer) int {
	l := learning{set: map[string]bool{}, stderr: stderr}
	flags := flag.NewFlagSet("learn", flag.ContinueOnError)
	flags.BoolVar(&l.check, "check", false, "")
	flags.BoolVar(&l.solution, "solution", false, "")
	flags.BoolVar(&l.quiz, "quiz", false, "")
	flags.StringVar(&l.answer, "answer", "", "")
	flags.IntVar(&l.seed, "seed", 1, "")
	flags.StringVar(&l.root, "root", "", "")
	flags.StringVar(&l.folder, "o", "", "")
	args, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	flags.Visit(func(f *flag.Flag) { l.set[f.Name] = true })
	if err := l.choose(args); err != nil {
		return usageError(stderr, "learn", err)
	}
	status, err := l.run(stdout)
	if err != nil {
		complain(stderr, "plumbline learn", err)
		return exitUnusable
	}
	return status
}

// choose refuses flags that exclude each other.
func (l *learning) choose(args []string) error {
	var asked []string
	for _, name := range []string{"check", "solution", "quiz", "answer"} {
		if l.set[name] {
			asked = append(asked, "-"+name)
		}
	}
	switch {
	case len(args) > 1:
		return fmt.Errorf("%d arguments, want one at most", len(args))
	case len(asked) > 1:
		return fmt.Errorf("%s: want one of them", strings.Join(asked, ", "))
	case l.set["seed"] && !l.quiz:
		return errors.New("-seed is for -quiz alone")
	case l.set["root"] && (l.quiz || l.set["answer"]):
		return errors.New("-root is for exercises alone")
	case l.seed < 0:
		return fmt.Errorf("-seed %d: want a number from 0 on", l.seed)
	case l.set["answer"] && !l.splitAnswer():
		letters := strings.Join(exercise.Letters, " ")
		return fmt.Errorf("-answer is %s, want one of %s, or such as a:MISTAKE", spelling.Quote(l.answer), letters)
	case len(args) == 1:
		l.arg = args[0]
	}
	return l.chooseFolder()
}

// chooseFolder takes the argument for the folder, where one is what it may be.
func (l *learning) chooseFolder() error {
	if (l.check || l.solution || l.set["answer"]) && l.arg != "" {
		if l.set["o"] {
			return fmt.Errorf("%s and -o: want one folder", spelling.Quote(l.arg))
		}
		l.folder, l.arg = l.arg, ""
	}
	return nil
}

// run does what is asked for, and returns the exit status.
func (l *learning) run(stdout io.Writer) (int, error) {
	if l.quiz {
		return exitExplained, l.ask(stdout)
	}
	if l.set["answer"] {
		return l.judge(stdout)
	}
	if err := l.open(); err != nil {
		return exitUnusable, err
	}
	switch {
	case l.check:
		return l.examine(stdout)
	case l.solution:
		return exitExplained, l.solve(stdout)
	case len(l.course.Part(l.arg)) > 0:
		l.list(stdout)
		return exitExplained, nil
	}
	return exitExplained, l.begin(stdout)
}

// open finds the sources, opens the scratch copy if there is one, and reads the exercises of the
// sources that it was made of.
func (l *learning) open() (err error) {
	if err := l.findRoot(); err != nil {
		return err
	}
	if l.folder == "" {
		l.folder = defaultFolder(l.root)
	}
	l.scratch, err = exercise.Open(l.folder)
	switch {
	case errors.Is(err, exercise.ErrNone) && !l.check && !l.solution:
	case err != nil:
		return err
	case l.set["root"]:
		l.scratch.SetRoot(l.root)
	default:
		l.root = l.scratch.Root()
	}
	if !exercise.IsRoot(l.root) {
		return fmt.Errorf("%s: the sources that the scratch copy was made of are gone; -root names others", l.root)
	}
	l.course, err = exercise.Read(os.DirFS(l.root), way()...)
	return err
}

// defaultFolder is the scratch copy beside the repository, in which tests would read it.
func defaultFolder(root string) string { return filepath.Join(filepath.Dir(root), "plumbline-learn") }

// findRoot finds the folder of the sources: the one that is named, or the one that this is in, or
// that of the scratch copy.
func (l *learning) findRoot() (err error) {
	if l.root != "" {
		if l.root, err = filepath.Abs(l.root); err == nil && !exercise.IsRoot(l.root) {
			err = fmt.Errorf("-root %s: no sources of Plumbline there", l.root)
		}
		return err
	}
	scratch := ""
	if l.root, scratch, err = exercise.Find("."); l.folder == "" {
		l.folder = scratch
	} else if err == nil && l.root == "" {
		l.root, _, err = exercise.Find(l.folder)
	}
	if err == nil && l.root == "" && l.folder != "" && (l.check || l.solution) {
		_, err = exercise.Open(l.folder)
	}
	if err == nil && l.root == "" {
		err = errors.New("it needs the repository: clone it and work in it, or say with -root where it is")
	}
	return err
}
