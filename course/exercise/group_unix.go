//go:build unix

package exercise

import (
	"os"
	"os/exec"
	"syscall"
)

// stops are the signals after which nothing is left running: a key, another program, a closed
// terminal.
var stops = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// endTogether makes a command end with all that it has started: go test leaves the program that it
// runs behind.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
