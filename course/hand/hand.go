// Package hand works equations by hand: every intermediate as a matrix, in numbers that a
// reader can follow.
package hand

import (
	"io/fs"

	"plumbline/course/page"
)

// Pages returns the generated pages; root is the root of the module.
func Pages(root fs.FS) (page.Set, error) { return page.Set{}, nil }
