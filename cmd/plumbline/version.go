package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"

	about "plumbline/internal/version"
)

// version prints which Plumbline this is.
func version(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("version", flag.ContinueOnError)
	rest, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	if len(rest) > 0 {
		return usageError(stderr, "version", fmt.Errorf("%q: want no argument", rest[0]))
	}
	fmt.Fprintf(stdout, "plumbline %s, %s %s/%s\n", currentVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitExplained
}

// currentVersion is the version of this program as reports have it.
func currentVersion() string { return about.Current() }
