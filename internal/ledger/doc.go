// Package ledger keeps the books of the equations: which function implements which equation of
// which paper, which test names it, which op of the catalogue uses it, and which recordings
// exercise that op.
//
// It parses the sources, so the books cannot say what the code does not. In an equation package
// every exported function and method is an equation or says that it is none:
//
//   - an equation's comment has its formula as an indented block and ends with the sentence
//     "It implements PAPER (N).", or "It implements what of PAPER, section N.";
//   - any other function's comment has no formula and ends with "It implements no equation."
//     or with "It implements no equation: it counts tokens."; a String method needs no such words.
//
// Every equation must be named by a test of its package and have its row in docs/EQUATIONS.md,
// which go generate writes and the test of this package compares.
package ledger

//go:generate go run ./write ../..
