package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"plumbline/golden"
	"plumbline/internal/schema"
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
			"attention-forward-mha-bf16.safetensors", "mla-decode-bf16.safetensors", "rope-plain-bf16.safetensors",
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
//	fits FILE...                  checks reports against docs/report.schema.json
//
// and $ROOT, the root of the module, and $GOCACHE.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", root)
			env.Setenv("GOCACHE", buildCache())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"golden": writeGolden, "mutate": writeMutated, "cut": cut, "foreign": copyForeign, "exits": exits,
			"fits": fitsSchema,
		},
	})
}

// buildCache is where Go keeps what it compiles, also where a script has no home.
func buildCache() string {
	if folder := os.Getenv("GOCACHE"); folder != "" {
		return folder
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return "off" // then no script can compile
	}
	return filepath.Join(folder, "go-build")
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

// reportSchema is that of reports, read before scripts change the folder.
var reportSchema = sync.OnceValues(func() (schema.Schema, error) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "report.schema.json"))
	if err != nil {
		return schema.Schema{}, err
	}
	return schema.Read(text)
})

func fitsSchema(ts *testscript.TestScript, _ bool, files []string) {
	s, err := reportSchema()
	ts.Check(err)
	for _, file := range files {
		var value any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &value))
		if wrong := s.Check(file, value); wrong != "" {
			ts.Fatalf("%s", wrong)
		}
	}
}
