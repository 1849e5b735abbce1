// Package version says which Plumbline a program is.
package version

import (
	"runtime/debug"
	"strings"
)

// Current is the version of this program as reports have it.
func Current() string {
	info, _ := debug.ReadBuildInfo()
	return Of(info)
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
