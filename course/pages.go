package course

import (
	"io/fs"

	"plumbline/course/page"
	"plumbline/internal/ledger"
)

// Pages returns the paths in both languages, the table of terms, the index of papers and the
// misprints; root is the root of the module, whose sources they link.
func Pages(root fs.FS) (page.Set, error) {
	l, err := ledger.Read(root)
	if err != nil {
		return nil, err
	}
	return page.Set{
		"docs/PATHS.md":     newWriter(l, English).paths(),
		"docs/zh/PATHS.md":  newWriter(l, Chinese).paths(),
		"docs/zh/TERMS.md":  terms(),
		"docs/PAPERS.md":    papers(l),
		"docs/MISPRINTS.md": misprints(l),
	}, nil
}
