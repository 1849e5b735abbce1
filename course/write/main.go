// Write writes the pages of the course below the root of the module, which is its argument, or
// below another folder, which may follow.
package main

import (
	"io/fs"
	"log"
	"os"

	"plumbline/course"
	"plumbline/course/count"
	"plumbline/course/derivation"
	"plumbline/course/hand"
	"plumbline/course/page"
	"plumbline/course/picture"
	"plumbline/course/story"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("course: ")
	if len(os.Args) != 2 && len(os.Args) != 3 {
		log.Fatal("usage: write ROOT [FOLDER]")
	}
	if err := write(os.Args[1], os.Args[len(os.Args)-1]); err != nil {
		log.Fatal(err)
	}
}

// write writes the pages that the sources below root make.
func write(root, folder string) error {
	all := page.Set{}
	for _, pages := range []func(fs.FS) (page.Set, error){
		course.Pages, count.Pages, derivation.Pages, hand.Pages, picture.Pages, story.Pages,
	} {
		set, err := pages(os.DirFS(root))
		if err == nil {
			err = all.Add(set)
		}
		if err != nil {
			return err
		}
	}
	return all.Write(folder)
}
