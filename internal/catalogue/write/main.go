// Command write writes the catalogue of ops into the documents. Its argument is the root of the
// module.
package main

import (
	"log"
	"os"
	"path/filepath"

	"plumbline/internal/catalogue"
)

func main() {
	log.SetFlags(0)
	for _, name := range catalogue.Files {
		if err := write(filepath.Join(os.Args[1], name), name); err != nil {
			log.Fatal(err)
		}
	}
}

// write brings one file up to date. One that is written as a whole need not be there yet.
func write(path, name string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	text, err := catalogue.Write(name, old)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
