// Package bounded reads files of which it is known how large they may be.
package bounded

import (
	"fmt"
	"os"
)

// Read returns what a regular file of at most so many bytes holds. Anything else is refused before
// it is opened: a pipe would block, and a device has no end.
func Read(name string, most int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s: want a regular file of at most %d bytes", name, most)
	}
	return os.ReadFile(name)
}
