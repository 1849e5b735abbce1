//go:build unix

package exercise

import (
	"os/exec"
	"syscall"
)

// endTogether makes a command end with all that it has started: go test leaves the program that it
// runs behind.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
