// Plumbline says of recorded kernel outputs whether the kernel's own arithmetic explains their error.
//
// See "plumbline help", or the README at the root of the module.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

// Exit statuses. What could not be judged weighs more than what was judged and failed: a run that did not read everything says nothing yet.
const (
	exitExplained   = 0
	exitUnexplained = 1
	exitUnusable    = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run carries out one command line and returns the exit status.
func run(args []string, stdout, stderr *os.File) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, helpAll)
		return exitUnusable
	}
	commands := map[string]func([]string, *os.File, *os.File) int{
		"verify": verify, "inspect": inspect, "ops": ops, "help": help,
	}
	switch name := args[0]; {
	case commands[name] != nil:
		return commands[name](args[1:], stdout, stderr)
	case slices.Contains([]string{"-h", "-help", "--help"}, name):
		return help(nil, stdout, stderr)
	}
	return usageError(stderr, "help", fmt.Errorf("no command %q", args[0]))
}

// parse reads the flags of a command, which may stand before, between and after its other arguments, and returns those. Nothing after "--" is
// a flag. done is true when help was asked for and given, or the command line was wrong and that has been said.
func parse(flags *flag.FlagSet, args []string, stdout, stderr io.Writer) (rest []string, status int, done bool) {
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
			return nil, usageError(stderr, flags.Name(), err), true
		}
		if flags.NArg() == 0 {
			return append(rest, after...), exitExplained, false
		}
		rest = append(rest, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

func usageError(stderr io.Writer, command string, err error) int {
	name := "plumbline " + command
	if command == "help" {
		name = "plumbline"
	}
	fmt.Fprintf(stderr, "%s: %v; see \"%s -h\"\n", name, err, name)
	return exitUnusable
}
