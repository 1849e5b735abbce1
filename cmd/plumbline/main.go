// Plumbline says of recorded kernel outputs whether the kernel's own arithmetic explains their
// error.
//
// See "plumbline help", or the README at the root of the module.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"plumbline/internal/heap"
	"plumbline/internal/spelling"
)

// Exit statuses. What could not be judged weighs more than what was judged and failed: a run that
// did not read everything says nothing yet.
const (
	exitExplained   = 0
	exitUnexplained = 1
	exitUnusable    = 2
)

func main() {
	heap.Floor(32 << 20)
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out one command line and returns the exit status.
func run(args []string, stdout, stderr *os.File) int {
	out := &checked{file: stdout}
	status := dispatch(args, out, stderr)
	if out.err != nil {
		complain(stderr, "plumbline", out.err)
		return exitUnusable
	}
	return status
}

// command carries out what stands behind its name, and returns the exit status.
type command func(args []string, stdout *checked, stderr *os.File) int

// quiet is a command that shows no progress.
func quiet(f func(args []string, stdout *checked, stderr io.Writer) int) command {
	return func(args []string, stdout *checked, stderr *os.File) int { return f(args, stdout, stderr) }
}

// commandOf returns the command of that name, nil if there is none.
func commandOf(name string) command {
	return map[string]command{
		"verify": verify, "report": join, "inspect": quiet(inspect), "infer": quiet(infer), "power": quiet(power),
		"request": request, "import": quiet(imports), "ops": quiet(ops), "mistakes": quiet(mistakes),
		"show": quiet(show), "count": quiet(counts), "evidence": measure, "learn": quiet(learn),
		"completion": quiet(completion),
		"version":    quiet(version), "-version": quiet(version), "--version": quiet(version),
	}[name]
}

func dispatch(args []string, stdout *checked, stderr *os.File) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, helpAll)
		return exitUnusable
	}
	name, rest := args[0], args[1:]
	if run := commandOf(name); run != nil {
		return run(rest, stdout, stderr)
	}
	switch name {
	case "help":
		return help(rest, stdout, stderr)
	case "-h", "-help", "--help":
		return help(nil, stdout, stderr)
	}
	return usageError(stderr, "help", unknownCommand(name))
}

func unknownCommand(name string) error {
	return fmt.Errorf("no command %s%s", spelling.Quote(name), spelling.Suggest(name, slices.Sorted(maps.Keys(helps))))
}

// parse reads the flags of a command, which may stand before, between and after its other
// arguments, and returns those. Nothing after "--" is a flag. done is true when help was asked for
// and given, or the command line was wrong and that has been said.
func parse(
	flags *flag.FlagSet, args []string, stdout *checked, stderr io.Writer,
) (rest []string, status int, done bool) {
	var after []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, after = args[:i], args[i+1:]
	}
	flags.SetOutput(io.Discard)
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stdout, helps[flags.Name()])
			return nil, exitExplained, true
		} else if err != nil {
			return nil, usageError(stderr, flags.Name(), nearFlag(flags, err)), true
		}
		if flags.NArg() == 0 {
			return append(rest, after...), exitExplained, false
		}
		rest = append(rest, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// nearFlag adds the flag that was meant to the message of one that there is not.
func nearFlag(flags *flag.FlagSet, err error) error {
	unknown, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return err
	}
	var names []string
	flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return fmt.Errorf("%w%s", err, spelling.Suggest(unknown, names))
}

func usageError(stderr io.Writer, command string, err error) int {
	name := "plumbline " + command
	if command == "help" {
		name = "plumbline"
	}
	complain(stderr, name, fmt.Errorf("%w; see \"%s -h\"", err, name))
	return exitUnusable
}
