// Command write puts the table of ops into the page of the contract. Its argument is the root of
// the module.
package main

import (
	"log"
	"os"
	"path/filepath"

	"plumbline/internal/catalogue"
)

func main() {
	log.SetFlags(0)
	path := filepath.Join(os.Args[1], catalogue.Page)
	page, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	text, err := catalogue.Insert(string(page))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}
