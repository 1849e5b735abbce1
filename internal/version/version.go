// Package version says which Plumbline a program is.
package version

import (
	"regexp"
	"runtime/debug"
	"strings"
)

// ref is what a build from a source without its history was asked for by: a tag, a branch or a
// commit. It is set by -ldflags=-X=plumbline/internal/version.ref=REF.
var ref string

// Current is the version of this program as reports have it.
func Current() string {
	if ref != "" {
		return ofRef(ref)
	}
	info, _ := debug.ReadBuildInfo()
	return Of(info)
}

var (
	release = regexp.MustCompile(`^v\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`)
	commit  = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// ofRef returns the version that a tag is, and says of a branch, of a commit or of a tag that
// moves, such as v1, that it is none: "v1.2.0", "devel main", "devel 0123456789ab".
func ofRef(ref string) string {
	switch {
	case release.MatchString(ref):
		return ref
	case commit.MatchString(ref):
		return "devel " + ref[:12]
	}
	return "devel " + ref
}

// Of returns the version of the module, and where that has none, or was changed since, the commit
// it was built from: "v1.2.0", "devel 0123456789ab", "devel 0123456789ab, modified". A program that
// was built without version control knows neither, and is "devel".
func Of(info *debug.BuildInfo) string {
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
