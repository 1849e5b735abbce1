package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
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
	info, _ := debug.ReadBuildInfo()
	fmt.Fprintf(stdout, "plumbline %s, %s %s/%s\n", versionOf(info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitExplained
}

// currentVersion is the version of this program as reports have it.
func currentVersion() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(info)
}

// versionOf returns the version of the module, and where that has none, or was changed since, the
// commit it was built from: "v1.2.0", "devel 0123456789ab", "devel 0123456789ab, modified". A
// program that was built without version control knows neither, and is "devel".
func versionOf(info *debug.BuildInfo) string {
	if info == nil {
		return "devel"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	modified := settings["vcs.modified"] == "true"
	// Go makes up a version of commit and time, v0.0.0-…, where there is no tag; the commit alone
	// says as much.
	if v := info.Main.Version; v != "" && v != "(devel)" && !strings.HasPrefix(v, "v0.0.0-") && !modified {
		return v
	}
	text := "devel"
	if revision := settings["vcs.revision"]; revision != "" {
		text += " " + revision[:min(len(revision), 12)]
		if modified {
			text += ", modified"
		}
	}
	return text
}
