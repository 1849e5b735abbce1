package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestFilesOfEnginesAgree: what stands in several files for want of a common place is the same in
// all of them.
func TestFilesOfEnginesAgree(t *testing.T) {
	type place struct{ file, pattern string }
	for what, places := range map[string][]place{
		"the Go of a release": {
			{"Dockerfile", `golang:([\d.]+) `}, {".github/workflows/release.yml", `go-version: ([\d.]+)`},
		},
		"the goreleaser": {
			{".github/workflows/ci.yml", `version: (v2[\d.]+)`},
			{".github/workflows/release.yml", `version: (v2[\d.]+)`},
		},
		"the flags of a release": {
			{"Dockerfile", `-ldflags="(.*?)"`}, {".goreleaser.yaml", `ldflags: \["(.*?)"\]`},
			{"cmd/plumbline/static_linux_test.go", `"-ldflags=(.*?)"`},
		},
		"the number of pods": {
			{"examples/kubernetes/job.yaml", `completions: (\d+)`},
			{"examples/kubernetes/job.yaml", `PLUMBLINE_SHARDS.*\n\s+value: "(\d+)"`},
		},
	} {
		want := ""
		for _, p := range places {
			for _, m := range regexp.MustCompile(p.pattern).FindAllStringSubmatch(read(t, p.file), -1) {
				if want != "" && m[1] != want {
					t.Errorf("%s: %s in %s, and %s elsewhere", what, m[1], p.file, want)
				}
				want = m[1]
			}
			if want == "" {
				t.Errorf("%s: not found in %s", what, p.file)
			}
		}
	}
}

// TestActionsArePinned: what a workflow runs is named by a commit, which nobody can move.
func TestActionsArePinned(t *testing.T) {
	workflows, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("%v: no workflows", err)
	}
	uses := regexp.MustCompile(`uses: (\S+)`)
	pinned := regexp.MustCompile(`^(\./|[\w.-]+/[\w./-]+@[0-9a-f]{40}$)`)
	for _, file := range append(workflows, "../../action.yml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range uses.FindAllStringSubmatch(string(text), -1) {
			if !pinned.MatchString(m[1]) {
				t.Errorf("%s: %s is no commit", file, m[1])
			}
		}
	}
}

// TestNothingOfTheRepositoryIsKeptFromImages: a build that misses files of its commit says that it
// is modified, and has no version.
func TestNothingOfTheRepositoryIsKeptFromImages(t *testing.T) {
	list := exec.Command("git", "ls-files", "--cached", "--ignored", "--exclude-from=.dockerignore")
	list.Dir = "../.."
	missing, err := list.Output()
	if err != nil {
		t.Skip("no checkout of git:", err)
	}
	if len(missing) > 0 {
		t.Errorf(".dockerignore has files of the repository:\n%s", missing)
	}
}

// read returns a file of the module.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
