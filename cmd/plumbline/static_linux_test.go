package main

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"plumbline/golden"
	"plumbline/internal/check"
)

// TestTheProgramNeedsNothing: built as in the Dockerfile it runs as nobody in a root that holds
// itself and a recording, as in the image. Only root may go there.
func TestTheProgramNeedsNothing(t *testing.T) {
	if !*check.Long || os.Getuid() != 0 {
		t.Skip("builds the command and changes the root: run as root with -long")
	}
	root := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(root, "plumbline"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	saveInto(t, root)
	run := exec.Command("/plumbline", "verify", "/k.safetensors")
	run.Dir, run.Env = "/", []string{}
	run.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 recording: 1 explained") {
		t.Errorf("%v\n%s", err, out)
	}
}

// saveInto writes a recording into a folder that everybody may read.
func saveInto(t *testing.T, folder string) {
	t.Helper()
	rec, err := golden.Open("kl-k3.safetensors")
	if err == nil {
		err = cmp.Or(rec.Save(filepath.Join(folder, "k.safetensors")), os.Chmod(folder, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
}
