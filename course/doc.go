// Package course is the way through the equations: three routes whose stations say why each
// equation follows from the one before, in English and in Chinese.
//
// Beside it stand pages worked by hand (course/hand), pictures (course/picture), derivations
// (course/derivation), stories that run (course/story) and exercises (course/exercise). Everything
// that they write into docs is compared by a test.
package course

//go:generate go run ./write ..
