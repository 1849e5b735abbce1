//go:build !unix

package exercise

import "os/exec"

// endTogether does nothing: what a command has started ends by itself when its time is up.
func endTogether(*exec.Cmd) {}
