package derivation

import (
	"os"
	"testing"

	"plumbline/internal/check"
)

const root = "../.."

func TestPages(t *testing.T) {
	pages, err := Pages(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	check.Pages(t, root, pages)
}
