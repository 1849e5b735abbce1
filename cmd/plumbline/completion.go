package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"plumbline/course/count"
	"plumbline/course/exercise"
	"plumbline/course/hand"
	"plumbline/internal/spelling"
	"plumbline/verify/op"
)

// completion prints the script that completes command lines in a shell. The script asks the program
// itself, by "plumbline completion words", which words may follow: they are those of its help.
func completion(args []string, stdout *checked, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "words" {
		for _, c := range complete(args[1:]) {
			fmt.Fprintln(stdout, c)
		}
		return exitExplained
	}
	switch {
	case len(args) == 1 && shells[args[0]] != "":
		fmt.Fprint(stdout, shells[args[0]])
		return exitExplained
	case len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]):
		fmt.Fprint(stdout, helpCompletion)
		return exitExplained
	}
	err := errors.New("want one of bash, zsh, fish")
	if len(args) > 0 {
		err = fmt.Errorf("%s: %w", spelling.Quote(strings.Join(args, " ")), err)
	}
	return usageError(stderr, "completion", err)
}

// A candidate is a word that may stand where one is being written, or one of the signs below.
type candidate struct{ word, about string }

// askFiles stands for names of files, which a shell knows best.
var askFiles = candidate{word: ":files"}

// String is a line that scripts read.
func (c candidate) String() string {
	if c.about == "" {
		return c.word
	}
	return c.word + "\t" + c.about
}

// complete returns what the last word of a command line may be, which may be empty.
func complete(words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	words, split := rejoined(words)
	before, last := words[:len(words)-1], words[len(words)-1]
	var found []candidate
	for _, c := range mayFollow(before, last) {
		if c == askFiles || strings.HasPrefix(c.word, last) {
			if split { // bash replaces what stands behind = alone
				_, c.word, _ = strings.Cut(c.word, "=")
			}
			found = append(found, c)
		}
	}
	return found
}

// rejoined undoes what bash does to -color=always, which it gives as three words; split says that
// the last word was one of those.
func rejoined(words []string) (joined []string, split bool) {
	for i := 0; i < len(words); i++ {
		if n := len(joined); n > 0 && words[i] == "=" && strings.HasPrefix(joined[n-1], "-") {
			joined[n-1] += "="
			if i++; i < len(words) {
				joined[n-1] += words[i]
			}
			split = i >= len(words)-1
			continue
		}
		joined = append(joined, words[i])
	}
	return joined, split
}

// mayFollow returns what may stand behind the words before, where last has been begun.
func mayFollow(before []string, last string) []candidate {
	if len(before) == 0 {
		return commands()
	}
	flags := flagsOf(before[0])
	name, _, valued := strings.Cut(last, "=")
	switch f := flags[dashed(name)]; {
	case slices.Contains(before, "--"):
		return operands(before[0])
	case valued && f.value != "":
		var all []candidate
		for _, c := range valuesOf(f) {
			if c != askFiles {
				c.word = name + "=" + c.word
			}
			all = append(all, c)
		}
		return all
	case strings.HasPrefix(last, "-"):
		return flagWords(flags, strings.HasPrefix(last, "--"))
	}
	if f := flags[dashed(before[len(before)-1])]; f.value != "" {
		return valuesOf(f)
	}
	return operands(before[0])
}

// dashed returns the name of a flag that is written with one dash or two, as the help has it.
func dashed(word string) string {
	if !strings.HasPrefix(word, "-") {
		return ""
	}
	return "-" + strings.TrimLeft(word, "-")
}

// flagWords returns flags in their order, with two dashes where these have been begun.
func flagWords(flags map[string]flagHelp, two bool) (all []candidate) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		c := candidate{name, flags[name].about}
		if two {
			c.word = "-" + c.word
		}
		all = append(all, c)
	}
	return all
}

// flagHelp is what the help of a command says of a flag.
type flagHelp struct{ value, about string }

// flagLine is a line of a help that begins to explain a flag: its name, a word in capitals for its
// value if it has one, and what it does.
var flagLine = regexp.MustCompile(`^  (-[a-z][a-z-]*)(?: ([A-Z]\S*|i/n))?(?: +(.*))?$`)

// firstPart is the text of an explanation up to the first stop.
var firstPart = regexp.MustCompile(`^.*?([;:.](\s|$)|$)`)

// flagsOf returns the flags of a command, as its help has them.
func flagsOf(command string) map[string]flagHelp {
	flags, name := map[string]flagHelp{}, ""
	for line := range strings.Lines(helps[command]) {
		line = strings.TrimSuffix(line, "\n")
		f := flags[name]
		if m := flagLine.FindStringSubmatch(line); m != nil {
			name, f = m[1], flagHelp{value: m[2], about: m[3]}
		} else if name == "" || !strings.HasPrefix(line, "      ") {
			name = ""
			continue
		} else {
			f.about = strings.TrimSpace(f.about + " " + strings.TrimSpace(line))
		}
		flags[name] = f
	}
	for name, f := range flags {
		f.about = strings.TrimRight(firstPart.FindString(f.about), ";:. ")
		flags[name] = f
	}
	return flags
}

// commandLine is a line of the help that lists commands.
var commandLine = regexp.MustCompile(`(?m)^  plumbline ([a-z]+)(?: .*?)?  +(.*)$`)

// commands returns all commands, each once, with what the help says of it first.
func commands() (all []candidate) {
	seen := map[string]bool{}
	for _, m := range commandLine.FindAllStringSubmatch(helpAll, -1) {
		if !seen[m[1]] {
			all = append(all, candidate{m[1], m[2]})
		}
		seen[m[1]] = true
	}
	return all
}

// valuesOf returns what the value of a flag may be, as far as that is known.
func valuesOf(f flagHelp) []candidate {
	switch f.value {
	case "WHEN":
		return plain("auto", "always", "never")
	case "TYPE":
		return plain("BF16", "F16", "F32")
	case "OP":
		return opNames()
	case "i/n":
		return plain("auto", "off")
	case "GPU":
		return plain(count.GPUNames()...)
	case "LETTER[:MISTAKE]":
		return plain(exercise.Letters...)
	case "FILE", "OTHER", "NAME", "FOLDER", "OUT":
		return []candidate{askFiles}
	}
	return nil
}

// operands returns what a command takes beside flags.
func operands(command string) []candidate {
	switch command {
	case "help":
		return append(commands(), candidate{"all", "the help of every command"})
	case "completion":
		return plain(slices.Sorted(maps.Keys(shells))...)
	case "ops", "request":
		return opNames()
	case "count":
		return append(plain(count.Names()...), askFiles)
	case "mistakes":
		all := opNames()
		for _, m := range op.Bank() {
			all = append(all, candidate{m.ID, m.Sentence})
		}
		return all
	case "learn":
		return append(exercises(), askFiles)
	case "show":
		return append(plain(hand.Names()...), askFiles)
	case "evidence", "version":
		return nil
	}
	return []candidate{askFiles}
}

// exercises are the functions that may be learned, where the sources are found.
func exercises() []candidate {
	root, _, err := exercise.Find(".")
	if err != nil || root == "" {
		return nil
	}
	course, err := exercise.Read(os.DirFS(root), way()...)
	if err != nil {
		return nil
	}
	return plain(course.Names()...)
}

func plain(words ...string) (all []candidate) {
	for _, w := range words {
		all = append(all, candidate{word: w})
	}
	return all
}

func opNames() (all []candidate) {
	for _, o := range op.Ops() {
		all = append(all, candidate{o.Name, o.Doc})
	}
	return all
}

// shells are the scripts. Each hands the words up to the one that is being written to the program
// that is being called.
var shells = map[string]string{
	"bash": `_plumbline() {
	local line
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files) compopt -o default ;;
		*) COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("$1" completion words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _plumbline plumbline
`,
	"zsh": `#compdef plumbline
_plumbline() {
	local line word files
	local -a found
	for line in "${(@f)$("${words[1]}" completion words "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		word=${line%%$'\t'*}
		case $line in
		:files) files=1 ;;
		*$'\t'*) found+=("${word//:/\\:}:${line#*$'\t'}") ;;
		?*) found+=("${word//:/\\:}") ;;
		esac
	done
	(( $#found )) && _describe plumbline found
	[[ -n $files ]] && _files
}
if [[ $funcstack[1] == _plumbline ]]; then
	_plumbline
else
	compdef _plumbline plumbline
fi
`,
	"fish": `function __plumbline_words
	set -l words (commandline -opc)
	set -l last (commandline -ct)
	for line in ($words[1] completion words $words[2..] "$last" 2>/dev/null)
		if test "$line" = :files
			__fish_complete_path "$last"
		else
			printf '%s\n' "$line"
		end
	end
end
complete -c plumbline -f -a '(__plumbline_words)'
`,
}
