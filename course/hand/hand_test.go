package hand

import (
	"testing"

	"plumbline/internal/check"
)

const root = "../.."

func TestPages(t *testing.T) { check.PagesOf(t, root, Pages) }
