package mistakes

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// described lists every mistake with its ops.
func described() []planted {
	return slices.Concat(ofAttention, ofLayers, ofObjectives, ofStoring, faint)
}

// TestEveryMistakeIsDescribed: each has what a reader is shown, in one clause, and ops with it.
func TestEveryMistakeIsDescribed(t *testing.T) {
	id := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	thread := regexp.MustCompile(`^([A-Za-z0-9-]+/[A-Za-z0-9._-]+#[0-9]+)?$`)
	for _, m := range described() {
		if !id.MatchString(m.ID) || !thread.MatchString(m.Thread) || len(m.ops) == 0 {
			t.Errorf("%+v: an ID in lower case, a thread as owner/repository#number and ops are wanted", m)
		}
		for _, words := range []string{m.Sentence, m.Hidden} {
			if words == "" || strings.HasSuffix(words, ".") || strings.Contains(words, "\n") {
				t.Errorf("%s: %q, want one clause without a full stop", m.ID, words)
			}
		}
	}
}

// TestAnOpHasEachMistakeOnce: an ID is enough to name a mistake of an op.
func TestAnOpHasEachMistakeOnce(t *testing.T) {
	seen := map[[2]string]bool{}
	for _, m := range described() {
		for _, op := range m.ops {
			if seen[[2]string{op, m.ID}] {
				t.Errorf("%s: %s is there twice", op, m.ID)
			}
			seen[[2]string{op, m.ID}] = true
		}
	}
	for key := range seen {
		if !slices.ContainsFunc(Of(key[0]), func(m Mistake) bool { return m.ID == key[1] }) {
			t.Errorf("%s: %s is not found", key[0], key[1])
		}
	}
	if len(Of("no.op")) != 0 {
		t.Error("an op that there is not has mistakes")
	}
}
