package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFilesOfEnginesAgree: what stands in several files for want of a common place is the same in
// all of them.
func TestFilesOfEnginesAgree(t *testing.T) {
	type place struct{ file, pattern string }
	for what, places := range map[string][]place{
		"the Go of a release": {
			{"Dockerfile", `golang:([\d.]+) `}, {".github/workflows/release.yml", `go-version: ([\d.]+)`},
			{".github/workflows/ci.yml", `golang:([\d.]+)-`},
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

// TestNoChecksumIsLeftOut: Bazel takes an empty one for none, and checks nothing.
func TestNoChecksumIsLeftOut(t *testing.T) {
	if m := regexp.MustCompile(`sha256 = "[0-9a-f]{64}"`); !m.MatchString(read(t, "examples/bazel/MODULE.bazel")) {
		t.Error("examples/bazel/MODULE.bazel: no checksum")
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

// TestWhatMayWriteBuildsNothing: a job of a workflow that may write, or sign, has no checkout, and
// credentials are left in none.
func TestWhatMayWriteBuildsNothing(t *testing.T) {
	for _, name := range []string{"ci", "image", "page", "release"} {
		text := read(t, ".github/workflows/"+name+".yml")
		if a, b := strings.Count(text, "uses: actions/checkout@"),
			strings.Count(text, "persist-credentials: false"); a != b {
			t.Errorf("%s: %d checkouts, %d without credentials", name, a, b)
		}
		for _, job := range regexp.MustCompile(`\n  \w+:\n    `).Split(text, -1) {
			if strings.Contains(job, ": write") && strings.Contains(job, "actions/checkout@") {
				t.Errorf("%s: a job that may write has a checkout:\n%s", name, job)
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
