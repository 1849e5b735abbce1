package vectors

import (
	"slices"
	"strings"

	"plumbline/verify/op"
)

// bugTypes are what the letters of the bank's numbers stand for.
var bugTypes = map[byte]string{
	'R': "ROTATION", 'A': "ATTENTION", 'P': "PAGED_CACHE", 'M': "LATENT_ATTENTION", 'G': "ROUTING", 'X': "EXPERTS",
	'F': "FP8", 'T': "PREDICTION", 'L': "LOSS", 'N': "NUMERICS",
}

// subjects are the letters of mistakes without a number, by what the name of their op begins with.
var subjects = []struct {
	begins string
	letter byte
}{
	{"rope.", 'R'}, {"norm.", 'N'}, {"attention.", 'A'}, {"mla.", 'M'}, {"moe.gate", 'G'}, {"moe.b", 'G'},
	{"moe.", 'X'},
	{"fp8.", 'F'}, {"mtp.", 'T'}, {"", 'L'},
}

// noteOf is what the bank says of a mistake. It may do something else in another op: then both
// stand in its description.
func noteOf(id string, bank []op.Mistake) (note Note) {
	var sentences []string
	for _, m := range bank {
		if m.ID != id {
			continue
		}
		if note.BugType == "" {
			note.BugType = bugTypes[letter(m)]
		}
		if !slices.Contains(sentences, m.Sentence) {
			sentences = append(sentences, m.Sentence)
		}
		if link := op.Link(m.Thread); link != "" && !slices.Contains(note.Links, link) {
			note.Links = append(note.Links, link)
		}
	}
	note.Description = strings.Join(sentences, "; or: ")
	return note
}

func letter(m op.Mistake) byte {
	if len(m.Numbers) > 0 {
		return m.Numbers[0][0]
	}
	for _, s := range subjects {
		if strings.HasPrefix(m.Ops[0], s.begins) {
			return s.letter
		}
	}
	return 0
}
