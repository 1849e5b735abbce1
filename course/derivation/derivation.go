// Package derivation writes the page of derivations from the tests that check their steps.
//
// A derivation is a test TestDerivation… in the file derivation_test.go of the package it belongs
// to. Its comment has a heading, which is the derivation's, and what a reader has to know before.
// Each of its sub-tests is a step: the name is what is shown, the comment above it has the formula
// as an indented block, and says why. A step whose name begins with "but" shows where the
// derivation ends: what does not follow, or fails without a condition.
package derivation

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"plumbline/course/page"
	"plumbline/internal/ledger"
)

// Page is where the derivations stand, from the root of the module.
const Page = "docs/DERIVATIONS.md"

// order is that of the page: the order in which a reader meets the equations.
var order = []string{
	"rope.Relative", "mla.Absorption", "fp8.Blocks", "moe.BalancingBias", "mtp.Chain", "mtp.Speculative",
	"rl.PolicyGradient", "policy.Baseline", "ppo.FromTRPO", "grpo.FromPPO", "policy.K3", "dpo.FromRLHF",
}

// Derivation is one test, and the lesson that it is.
type Derivation struct {
	Package, Name string // dpo, TestDerivationFromRLHF
	File          string // from the root, with slashes
	Heading       string
	Before        []Block
	Steps         []Step
}

// Step is a sub-test.
type Step struct {
	Sentence string // the name of the sub-test
	Line     int
	Text     []Block
	Calls    []*ledger.Function // equations that it calls, itself or through helpers of its file
}

// Block is a paragraph of prose on one line, or the lines of a formula.
type Block struct {
	Prose   string
	Formula []string
}

// key returns the name of a derivation in order.
func (d Derivation) key() string { return d.Package + "." + strings.TrimPrefix(d.Name, prefix) }

// Read returns the derivations in the order of the page; root is the root of the module.
func Read(root fs.FS) ([]Derivation, error) {
	books, err := ledger.Read(root)
	if err != nil {
		return nil, err
	}
	var all []Derivation
	for _, room := range ledger.Rooms {
		found, err := read(root, room, books.Functions)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return arranged(all, order)
}

// arranged returns derivations in an order, which has to have them all and no other.
func arranged(all []Derivation, order []string) ([]Derivation, error) {
	byKey := map[string]Derivation{}
	for _, d := range all {
		byKey[d.key()] = d
	}
	var derivations []Derivation
	for _, key := range order {
		d, ok := byKey[key]
		if !ok {
			return nil, fmt.Errorf("course/derivation: there is no derivation %s", key)
		}
		derivations = append(derivations, d)
		delete(byKey, key)
	}
	if len(byKey) > 0 {
		return nil, fmt.Errorf("course/derivation: no place on the page for %v", slices.Sorted(maps.Keys(byKey)))
	}
	return derivations, nil
}

// Pages returns the generated pages; root is the root of the module.
func Pages(root fs.FS) (page.Set, error) {
	derivations, err := Read(root)
	if err != nil {
		return nil, err
	}
	return page.Set{Page: markdown(derivations)}, nil
}
