// Write writes docs/EQUATIONS.md of the module at the path given as its argument.
package main

import (
	"log"
	"os"
	"path/filepath"

	"plumbline/internal/ledger"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("ledger: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: write ROOT")
	}
	if err := write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func write(root string) error {
	l, err := ledger.Read(os.DirFS(root))
	if err != nil {
		return err
	}
	page := filepath.Join(root, filepath.FromSlash(ledger.Page))
	if err := os.MkdirAll(filepath.Dir(page), 0o777); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(l.Markdown()), 0o666)
}
