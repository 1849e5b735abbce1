package ledger

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Paper is a source that equations cite.
type Paper struct {
	Name  string // as citing sentences have it, without year and authors
	Full  string // title, authors and year
	ArXiv string // number, "" if there is none
}

// Cited is a place of a paper, and the function that implements it.
type Cited struct {
	Place    string // "(16)", "section 2.1.2", "algorithm 1", or "" for the paper or code as a whole
	Function *Function
}

// Citations returns for every paper of Papers the places that functions cite, in the order of the
// paper.
func (l *Ledger) Citations() map[string][]Cited {
	all := map[string][]Cited{}
	for _, f := range l.Functions {
		for _, c := range f.citations() {
			all[c.paper] = append(all[c.paper], Cited{c.place, f})
		}
	}
	for _, cited := range all {
		slices.SortStableFunc(cited, func(a, b Cited) int { return comparePlaces(a.Place, b.Place) })
	}
	return all
}

// cites is one place of one paper.
type cites struct{ paper, place string }

var (
	ranges = regexp.MustCompile(`\((\d+)\)\s*[–-]\s*\((\d+)\)`)
	where  = regexp.MustCompile(`\(\d+(?:[.:]\d+)?\)|appendix [A-Z]\b(?:\.\d+)*|` +
		`(?:section|algorithm|theorem|corollary|definition|table) [A-Z]?[\d.]*\d`)
)

// citations returns what the ending of f cites. What stands between one paper's name and the next
// belongs to the first; places before any name belong to the paper named after them.
func (f *Function) citations() (all []cites) {
	text := strings.TrimPrefix(f.Ending, citing)
	found := namesIn(text)
	for i, name := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1].start
		}
		places := placesIn(text[name.end:end])
		if len(places) == 0 {
			places = []string{""}
		}
		for _, place := range places {
			if c := (cites{name.paper, place}); !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

type namedPaper struct {
	paper      string
	start, end int
}

// namesIn returns where text names papers, from left to right; of two at one place the longer.
func namesIn(text string) (found []namedPaper) {
	for _, p := range Papers {
		for from := 0; ; {
			i := strings.Index(text[from:], p.Name)
			if i < 0 {
				break
			}
			start := from + i
			from = start + len(p.Name)
			if !continues(text, start, from) {
				found = append(found, namedPaper{p.Name, start, from})
			}
		}
	}
	slices.SortFunc(found, func(a, b namedPaper) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
	})
	var apart []namedPaper
	for _, name := range found {
		if len(apart) == 0 || name.start >= apart[len(apart)-1].end {
			apart = append(apart, name)
		}
	}
	return apart
}

// continues reports whether a name at text[start:end] is only part of a longer word, as DPO is of
// "cDPO" and DeepSeek-V3 of "DeepSeek-V3.2".
func continues(text string, start, end int) bool {
	word := func(c byte) bool {
		return c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	}
	if start > 0 && word(text[start-1]) {
		return true
	}
	rest := text[end:]
	return rest != "" && (word(rest[0]) || len(rest) > 1 && rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9')
}

// placesIn returns the numbers and sections in text; a range is written out.
func placesIn(text string) []string {
	text = ranges.ReplaceAllStringFunc(text, func(s string) string {
		ends := ranges.FindStringSubmatch(s)
		from, _ := strconv.Atoi(ends[1])
		to, _ := strconv.Atoi(ends[2])
		var out []string
		for n := from; n <= min(to, from+100); n++ {
			out = append(out, fmt.Sprintf("(%d)", n))
		}
		return strings.Join(out, " ")
	})
	return slices.DeleteFunc(where.FindAllString(text, -1), year)
}

// year tells whether a place is the year in a citation, "(2022)".
func year(place string) bool {
	n, err := strconv.Atoi(strings.Trim(place, "()"))
	return err == nil && n > 1900
}

var digits = regexp.MustCompile(`\d+`)

// comparePlaces orders places: numbered equations first, by number, then sections and the like.
func comparePlaces(a, b string) int {
	kind := func(s string) string { return strings.TrimRight(s, "0123456789.:()") }
	numbers := func(s string) (out []int) {
		for _, d := range digits.FindAllString(s, -1) {
			n, _ := strconv.Atoi(d)
			out = append(out, n)
		}
		return out
	}
	rank := func(s string) int {
		switch {
		case s == "":
			return 2
		case s[0] == '(':
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)), strings.Compare(kind(a), kind(b)), slices.Compare(numbers(a), numbers(b)),
	)
}
