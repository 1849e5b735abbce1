package main

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/golden"
	"plumbline/internal/check"
	"plumbline/verify/report"
)

// TestTheActionBuildsWhatItRuns: with nothing but recordings given, the action builds the command,
// judges, and leaves every form of the report, which has the version that the workflow names.
func TestTheActionBuildsWhatItRuns(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil || !*check.Long {
		t.Skip("builds the command as the action does: run with -long, where there is bash")
	}
	work := t.TempDir()
	for range 2 { // steps of one job
		folder := runAction(t, work)
		text, err := os.ReadFile(filepath.Join(folder, "report.json"))
		var run report.Run
		if err := cmp.Or(err, json.Unmarshal(text, &run)); err != nil {
			t.Fatal(err)
		}
		if run.Version != "v0.1.0" || len(run.Recordings) != 1 {
			t.Errorf("%d recordings by %s, want 1 by v0.1.0", len(run.Recordings), run.Version)
		}
		for _, name := range []string{"report.html", "report.xml"} {
			if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// runAction runs the action in a folder with a recording and returns the folder of its report.
func runAction(t *testing.T, work string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	rec, openErr := golden.Open("kl-k3.safetensors")
	if err := cmp.Or(err, openErr); err != nil {
		t.Fatal(err)
	}
	if err := rec.Save(filepath.Join(work, "k.safetensors")); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(work, "output")
	command := exec.Command("bash", filepath.Join(root, "scripts/action"))
	command.Dir = work
	command.Env = append(os.Environ(), "GITHUB_ACTION_PATH="+root, "RUNNER_TEMP="+work, "GITHUB_OUTPUT="+output,
		"REF=v0.1.0", "FILES=k.safetensors", "SHARD=off", "JOIN=", "ARGS=", "PLUMBLINE=", "ARTIFACT=plumbline")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	return strings.TrimPrefix(lines[len(lines)-1], "report=")
}
