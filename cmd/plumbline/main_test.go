package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"plumbline/golden"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"plumbline": main, "few": few})
}

// few is the command with three recordings that ship. TestRecordings of the module judges all.
func few() {
	shipped = func() []string {
		return []string{
			"mla-decode-bf16.safetensors", "mla-layer-absorbed-bf16.safetensors", "rope-plain-bf16.safetensors",
		}
	}
	main()
}

// TestScripts runs the command as people do. Beside testscript's own commands, scripts have:
//
//	golden NAME FILE              writes an embedded recording
//	mutate NAME MUTATION FILE     writes an embedded recording with a planted mistake
//	cut FILE BYTES                cuts a file short
//	foreign NAME FILE             copies a file of the tests of imports
//	exits STATUS COMMAND...       runs a command that must leave with this status
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"golden": writeGolden, "mutate": writeMutated, "cut": cut, "foreign": copyForeign, "exits": exits,
		},
	})
}

func writeGolden(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(openGolden(ts, args[0]).Save(ts.MkAbs(args[1])))
}

func openGolden(ts *testscript.TestScript, name string) *recording.Recording {
	rec, err := golden.Open(name)
	ts.Check(err)
	return rec
}

func writeMutated(ts *testscript.TestScript, _ bool, args []string) {
	rec := openGolden(ts, args[0])
	truth, err := op.Expect(rec)
	ts.Check(err)
	for _, m := range golden.Mutations(rec, truth) {
		if m.Name != args[1] {
			continue
		}
		wrong, hidden := m.Apply()
		if wrong.Recording == nil {
			ts.Fatalf("%s cannot show: %s", m.Name, hidden)
		}
		ts.Check(wrong.Save(ts.MkAbs(args[2])))
		return
	}
	ts.Fatalf("no mutation %q", args[1])
}

func copyForeign(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join("../../verify/foreign/testdata", args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
}

func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	status := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		status = exit.ExitCode()
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
}
