// Write writes golden/vectors.json, and the tables of docs/VECTORS.md, of the module at the path
// given as its argument.
package main

import (
	"log"
	"os"
	"path/filepath"

	"plumbline/golden/vectors"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("vectors: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: write ROOT")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func write(root string) error {
	index, err := vectors.Read(filepath.Join(root, "golden"))
	if err != nil {
		return err
	}
	text, err := index.JSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(vectors.File)), text, 0o644); err != nil {
		return err
	}
	page := filepath.Join(root, filepath.FromSlash(vectors.Page))
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	written, err := index.Insert(string(old))
	if err != nil {
		return err
	}
	return os.WriteFile(page, []byte(written), 0o644)
}
