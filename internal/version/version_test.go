package version

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"plumbline/internal/check"
)

func TestOfRef(t *testing.T) {
	for ref, want := range map[string]string{
		"v0.1.0":                   "v0.1.0",
		"v1.20.3-rc.1":             "v1.20.3-rc.1",
		"v1":                       "devel v1",
		"v1.2.3/x":                 "devel v1.2.3/x",
		"main":                     "devel main",
		strings.Repeat("01ab", 10): "devel 01ab01ab01ab",
	} {
		if got := ofRef(ref); got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: strings.Repeat("01ab", 10)}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, c := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"v0.1.0", []debug.BuildSetting{revision}, "v0.1.0"},
		{"v0.1.0", []debug.BuildSetting{revision, modified}, "devel 01ab01ab01ab, modified"},
		{"v0.0.0-20260101000000-01ab01ab01ab", []debug.BuildSetting{revision}, "devel 01ab01ab01ab"},
		{"(devel)", nil, "devel"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.version}, Settings: c.settings}
		if got := Of(info); got != c.want {
			t.Errorf("%s with %v: %q, want %q", c.version, c.settings, got, c.want)
		}
	}
	if got := Of(nil); got != "devel" {
		t.Errorf("of nothing: %q", got)
	}
}

// TestImagesHaveTheVersionOfTheTag: a clone at a tag, less what .dockerignore keeps from the build
// of an image, is as the tag has it.
func TestImagesHaveTheVersionOfTheTag(t *testing.T) {
	if !*check.Long {
		t.Skip("clones the repository and builds the command: run with -long")
	}
	clone := filepath.Join(t.TempDir(), "clone")
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Skip("no checkout of git:", err)
	}
	root := strings.TrimSpace(string(top))
	run(t, "", "git", "clone", "--quiet", "--no-tags", root, clone)
	run(t, clone, "git", "-c", "user.name=t", "-c", "user.email=t@t", "tag", "v0.1.0")
	ignored := filepath.Join(root, ".dockerignore")
	for _, file := range strings.Fields(run(t, clone, "git", "ls-files", "-ci", "-X", ignored)) {
		run(t, clone, "rm", file)
	}
	program := filepath.Join(t.TempDir(), "plumbline")
	run(t, clone, "go", "build", "-trimpath", "-buildvcs=true", "-o", program, "./cmd/plumbline")
	if said := run(t, "", program, "version"); !strings.HasPrefix(said, "plumbline v0.1.0, ") {
		t.Errorf("%q, want v0.1.0", said)
	}
}

// run runs a command in a folder and returns what it prints.
func run(t *testing.T, folder, name string, args ...string) string {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir, command.Env = folder, append(os.Environ(), "GOFLAGS=")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
