package main

import (
	"fmt"
	"io"
	"strings"
)

// help prints the help of one command, or what commands there are, or the manual.
func help(args []string, stdout *checked, stderr io.Writer) int {
	switch {
	case len(args) == 0 || args[0] == "-h":
		fmt.Fprint(stdout, helpAll)
		return exitExplained
	case args[0] == "all":
		manual(stdout)
		return exitExplained
	}
	text, ok := helps[args[0]]
	if !ok {
		return usageError(stderr, "help", unknownCommand(args[0]))
	}
	fmt.Fprint(stdout, text)
	return exitExplained
}

// manual prints the helps of all commands, in the order in which they are listed.
func manual(w io.Writer) {
	fmt.Fprint(w, helpAll)
	for _, c := range commands() {
		if c.word != "help" {
			fmt.Fprintf(w, "\n%s\n\n%s", strings.ToUpper(c.word), helps[c.word])
		}
	}
}

var helps = map[string]string{
	"verify": helpVerify, "report": helpReport, "inspect": helpInspect, "power": helpPower, "request": helpRequest,
	"infer": helpInfer, "import": helpImport, "ops": helpOps, "show": helpShow, "mistakes": helpMistakes,
	"count": helpCount, "evidence": helpEvidence, "learn": helpLearn, "completion": helpCompletion,
	"version": helpVersion, "help": helpAll,
}

const helpAll = `Plumbline says of a recorded kernel output whether the kernel's own arithmetic
explains its error.

  plumbline verify [FILE | FOLDER | PATTERN]...    judge recordings; with no argument its own
  plumbline verify --against OTHER FILE            compare two recordings of one call
  plumbline report FILE.json...                    join JSON reports, and write them in any form
  plumbline inspect [FILE | FOLDER | PATTERN]...   show what recordings hold
  plumbline infer FILE                             say with which declarations one is explained
  plumbline power FILE...                          say which mistakes recordings can show
  plumbline request OP                             write inputs that show every known mistake
  plumbline import FILE...                         make a recording of files that others write
  plumbline ops [OP]...                            list the ops that can be judged, or describe some
  plumbline mistakes [OP | ID | NUMBER]...         list the mistakes that are known, or describe some
  plumbline show [OP | PAGE | FILE]...             work an op by hand, or a recording's first row
  plumbline count [MODEL | FILE]                   count a model: parameters, KV cache, operations
  plumbline evidence                               measure what this and other acceptance tests find
  plumbline learn [FUNCTION]                       write equations again, find wrong kernels
  plumbline completion bash | zsh | fish           complete command lines in a shell
  plumbline version                                which Plumbline this is
  plumbline help [COMMAND | all]                   explain a command, or all of them

A recording is one call of one kernel in one .safetensors file: what went in, what came out, and
what the kernel says of its own arithmetic.

Exit status: 0 if all is well, 1 if a recording is unexplained or undetermined, 2 if something could
not be read or run.
`

const helpVerify = `usage: plumbline verify [flags] [FILE | FOLDER | PATTERN]...
       plumbline verify [flags] --against OTHER FILE

Judges recordings and reports them in the order in which they are named: files, every *.safetensors
file below a folder, and the files that a pattern such as 'runs/*.safetensors' matches. With no
argument it judges the recordings that ship with Plumbline.

  -json         one JSON object for the run instead of words
  -v            the scores of every output, not only of those that fail, its worst elements with their
                σ, and which mistakes an explained recording is blind to; in JSON what the call
                declares and how errors lie too, which is all that -html shows
  -html FILE    writes one page beside: for each output scores before their limits, a histogram of the
                scaled errors beside what right kernels give, and maps of where they lie. It needs
                nothing but itself to be read
  -junit FILE   writes JUnit's XML beside: a test case for each recording
  -github       annotates a GitHub workflow on the standard output, with -json on the standard error,
                and appends a summary to the file that GITHUB_STEP_SUMMARY names
  -max-work N   judge no recording that asks for more than N products (multiplications with
                addition), by an estimate from its shapes; 3e12, the default, is some ten minutes on
                two cores. A larger one is unusable, and the estimate is given.
  -diagnosis N  how much work, in products too, may be done to say what would explain a recording
                that is not explained; 6e11 is the default, 0 asks for no diagnosis
  -exact        recompute every element, of products that are too large for it in seconds too; without
                it these are checked as below
  -against OTHER
                compares FILE with another recording of the same call, as below
  -shard i/n    judges part i of n, from 1 to n, as below; off judges all, auto reads more variables
  -color WHEN   auto (the default: on a terminal, unless NO_COLOR is set), always or never

The truth is computed in float64 from the recorded input bits. Beside each true value t stands σ,
the standard deviation of the errors that the declared arithmetic makes inside the kernel on these
inputs. With r the recorded value and ulp the spacing of the output type at t:

  max   the largest z = max(0, |r − t| − ulp/2) / σ of any element: how far it is off, beyond its
        last rounding, in units of σ
  rms   the root mean square of (r − t) / √(σ² + ulp²/12): about 1 for a kernel that rounds as it
        declares, less if it rounds less
  bias  the mean of the same: errors that share a direction, such as truncation

Each stands before its limit, which a right kernel exceeds about once in a million recordings.
Parts are judged too, and factors on them: every batch, head, row and column. Indices count from 0.

A product of FP8 matrices of more than 2^35 multiplications is not recomputed as a whole. The errors
of every tile of 128 × 128 are summed with random signs, which leaves their mean square as it is; a
sample of the elements, and whatever looks wrong, is recomputed and judged one by one. The verdict
says which errors that misses, and with what chance at most.

What is not explained is diagnosed: other declarations, attributes and layouts are tried, rows and
factors, and every mistake that kernels of the op are known to make (plumbline mistakes). The first
sentence under the verdict says what explains everything, or what explains most.

The line of an explained recording ends with the mistakes that it vouches against: those that would
have moved its outputs by ten deviations or more, out of all that kernels of the op are known to
make. For a large recording that takes long: it is left out where it takes more than a hundredth of
what -diagnosis allows, with -v more than all of it. plumbline power lists the mistakes.

The verdicts: explained (within all limits), unexplained (beyond one), undetermined (these inputs
cannot tell), unusable (not a recording of a known op).

The JSON object is {"plumbline":1,"recordings":[…],"summary":{…}}, one recording on a line; NaN and
infinities are the strings "NaN", "+Inf", "-Inf". docs/report.schema.json is its JSON Schema. What a
program read from files is never obeyed: not by a terminal, a browser or a workflow.

With -shard several machines share a run: each recording is in one part, those that take longest are
dealt first, and every machine has to see the same files. A part may have none, and is then all
right. Without the flag the part is what Bazel says of a test with a shard_count, or a pod's
JOB_COMPLETION_INDEX where PLUMBLINE_SHARDS says how many there are. GitLab, CircleCI and Buildkite
number machines too, but not only such as share their work: -shard auto reads what they say.

With --against both recordings are judged, each by the arithmetic that it declares, and then compared
bit by bit: in how many elements they differ, by how many steps of the output's type at most, and
where first; and by the rms of (a − b) / √(sa² + sb²), with sa and sb the deviations that both
declarations explain, before the larger of the limits that both have. Op, inputs and attributes have
to be the same, bit by bit; or the inputs of one are entries of the other's batch, which are then
what is compared. The status is 0 if both are explained and differ by no more than both may err.

Exit status: 0 if all are explained; 2 if any is unusable, since then the run says nothing yet; else
1 if any is unexplained or undetermined.

Example: plumbline verify runs/decode.safetensors
Example: plumbline verify -v -html report.html runs
Example: plumbline verify --against runs/batch.safetensors runs/alone.safetensors
`

const helpReport = `usage: plumbline report [flags] FILE.json...

Reads reports that plumbline verify -json has written, of the shards of a run or of several machines,
and writes all of them as one: the recordings of each file in the order of the files. Of shards that
each have a run of neighbours, named in order, that is byte for byte what one run writes. "-" reads
the standard input. Reports of different versions of Plumbline are joined, and it is said.

  -json         one JSON object instead of words
  -v            what verify -v says of every output, where verify -v has written the reports
  -html FILE    writes a page beside; that of a report of verify -json -v has pictures
  -junit FILE   writes JUnit's XML beside
  -github       annotates a GitHub workflow, as verify does
  -partial      joins shards of a run of which some are missing, or there twice, and says which
  -color WHEN   auto (the default: on a terminal, unless NO_COLOR is set), always or never

A report that was cut short, of another version of the format, or with a key that is not known is
refused, and so are shards of which one is missing or there twice; nothing is written then.

Exit status: as of plumbline verify, of all recordings together; 2 too if a report cannot be read.

Example: plumbline report -html report.html shard-*.json
`

const helpInspect = `usage: plumbline inspect [FILE | FOLDER | PATTERN]...

Shows what recordings hold, without judging them: tensors with type, shape and size, stored or
generated; attributes and declared arithmetic with the defaults that hold where the file says
nothing; provenance; and what is missing. With no argument: the recordings that ship with Plumbline.

Exit status: 0, or 2 if something could not be read.

Example: plumbline inspect runs/decode.safetensors
`

const helpInfer = `usage: plumbline infer [-json] FILE

Judges a recording as it is, and as one of a kernel that declares another value of each key of its
arithmetic, one key at a time. Lists all: those first that explain, the tightest first, which is the
one whose limits the errors fill most. A wide declaration explains whatever a tight one does: the
first is the one to look at, and its author the one to ask.

  -json   one JSON object: {"plumbline":1,"file":…,"op":…,"declarations":[…]}

Exit status: 0 if the recording or a declaration explains it, 1 if none does, 2 if it cannot be
judged.

Example: plumbline infer runs/decode.safetensors
`

const helpPower = `usage: plumbline power [flags] FILE...

Says which mistakes recordings can show, of all that kernels of the op are known to make. Each is
made by an emulated kernel on these inputs, and its strength is how far it moves the output that
shows it most, in deviations of what right kernels give: √Σ (w − t)²/s², with t the truth, w what
the mistake makes of it and s² = σ² + ulp²/12, less where errors of right kernels go the same way
together, or the last rounding takes it away. From 10 on a recording shows a mistake; to the others
it is blind, and what hides them is said. An explained recording vouches against those that it shows.

A request, which has no outputs yet, is given those of a right kernel: it says what a recording of
it will show.

  -json         one JSON object instead of words: {"plumbline":1,"recordings":[…]}, the mistakes
                strongest first
  -max-work N   refuse what takes more than N products to say; 3e12 is the default

Exit status: 0 if every recording is explained or a request, 1 if one is unexplained or
undetermined, 2 if one could not be read or takes too much work.

Example: plumbline power runs/decode.safetensors
`

const helpRequest = `usage: plumbline request [flags] OP

Writes inputs on which a kernel is worth recording: they show every mistake that kernels of the op
are known to make, with planted keys at every edge, scattered and poisoned pages, ragged lengths,
biases of both signs, ties, scales that vary by block, ratios beyond every clip. Each mistake is
made by an emulated kernel on them, and its strength is said as plumbline power says it: from 10 on
a recording shows it, of a kernel that rounds as the file declares. Mistakes that exclude each other,
since each needs another attribute, stand in several files: NAME.safetensors, NAME-2.safetensors and
so on. The verdict, which knows of no mistake, may still explain a kernel whose mistake moves no
number by more than roundings do: D of attention.backward in BF16, and sinks of attention.forward.

  -o NAME       what the first file is called; OP.safetensors is the default. Nothing is overwritten.
  -attrs JSON   attributes that are fixed, such as '{"causal":true}': what mistakes that excludes is
                said
  -dtype TYPE   of the inputs, BF16, F16 or F32, where the op does not ask for others
  -full         at the sizes of DeepSeek-V3, the inputs as recipes. Where it takes too long to
                measure these, strengths are those of the same inputs in small, and said to be.
  -json         one JSON object instead of words

The same command writes the same bytes. A file without outputs is a request: run the kernel on its
inputs, add what it gives as out.* and what it declares of its arithmetic, and verify that.

Exit status: 0, or 2 if nothing was written.

Example: plumbline request attention.forward -attrs '{"causal":true}'
`

const helpImport = `usage: plumbline import [flags] FILE...

Makes a recording of one call of files that other programs write, and names what it could not map.
The first file says what they are:

  .npz, .npy, .safetensors, or a folder of .npy files
              arrays, of one file or of several. -op says what they are a call of. An array with the
              name of a tensor, q or out.o, is that tensor; out_o stands for out.o
  .json       of FlashInfer's traces a definition. The workloads follow, a .jsonl file, and files of
              arrays with results and with inputs that a workload leaves to chance
  .json       of hipDNN's golden bundles the graph; its tensors stand beside it
  a folder    that FlashInfer dumps a call to, with FLASHINFER_LOGLEVEL=10 and
              FLASHINFER_DUMP_SAFETENSORS=1; of a wrapper's run its plan has to be dumped beside it

  -o NAME          the file that is written, or a folder for it; without it the file is called as the
                   first source. Nothing is overwritten.
  -attrs JSON      attributes of the call, before what the files say of them
  -arithmetic JSON
                   what the kernel declares of its arithmetic, of which the files say nothing
  -json            one JSON object instead of words

of arrays
  -op OP           see plumbline ops
  -map TO=FROM     the array FROM is the tensor TO; several with commas, or the flag several times
  -type TO=TYPE    what the elements of TO are. NumPy writes bfloat16 and 8-bit types of ml_dtypes as
                   bytes that have no meaning: -type q=BF16,k=BF16. Also of integers that hold bits.
  -permute TO=AXES
                   the order of the array's axes: q=0213 makes [B,S,H,D] of [B,H,S,D]

of traces and dumps
  -workload UUID   of a file with several workloads, as much of the uuid as tells it from others
  -root FOLDER     where paths in a workload start from, which lead to nothing outside of it; without it
                   the next folder above the workloads that has definitions or blob in it
  -sequence N      only sequence N, from 1 on, of a batch. A recording has as many queries of each, so
                   that of a ragged batch one has to be taken.

Elements are taken over bit by bit; only integers of types that recordings lack become wider ones.
What changes a result and cannot be said in a recording, such as dropout or a bias, keeps the call
from being imported; "wants" names it. What is "left" out changes nothing.

Exit status: 0, or 2 if nothing was written.

Example: plumbline import case.npz -op attention.forward -map out.o=result -attrs '{"causal":true}'
`

const helpOps = `usage: plumbline ops [-json] [OP]...

Lists the ops that can be judged. With names it describes these in full: the tensors of a recording
with their shapes, the attributes with their defaults, what of its arithmetic a kernel may declare,
the mistakes that kernels of it are known to make, each with the inputs on which it does not show,
and the equations that are the truth.

  -json   all of that, of the named ops or of every one, as one JSON object:
          {"plumbline":1,"ops":[…]}, sorted by name. An attribute has a "default", or "missing" says
          what its absence means; a key of the arithmetic lists the "values" that it may have

Exit status: 0, or 2 if there is no such op.

Example: plumbline ops mla.decode
`

const helpMistakes = `usage: plumbline mistakes [-json] [OP | ID | NUMBER]...

Lists the ways in which kernels are known to be wrong: the id of each, its numbers in the bank of
what was met in public, the ops whose kernels make it, and what such a kernel does. With words it
describes some of them in full: those of an op, or of an id or a number in any case, with the inputs
on which they do not show and a public thread in which they were met. A number may also be left out
of the mistakes, with the reason.

  -json   all of that, of the named mistakes or of every one, as one JSON object:
          {"plumbline":1,"mistakes":[…],"left_out":[…]}

Exit status: 0, or 2 if a word names nothing.

Example: plumbline mistakes layout-swapped
`

const helpCount = `usage: plumbline count [flags] [MODEL | FILE]

Counts a model from the shapes of its weights: the parameters as a tree with those that are active
for a token; the bytes of the KV cache beside those of MHA, GQA of 8 groups and MQA with as many
heads, and how many sequences fit on GPUs beside the weights; the operations of attention for a
token as its context grows, of latent attention in both forms with the number of new tokens where
these cost the same; for a mixture of experts, how redundant experts level GPUs, and how long stages
of a pipeline wait. docs/COUNT.md has the same of all models side by side, with the reasons.

A model is one of the family, or a FILE is the config.json of a model of Hugging Face, or a folder
that has one: DeepSeek V2, V3 and V3.2, Llama, Mistral, Mixtral, Qwen 2, Qwen 3 and its mixtures of
experts. Without an argument the models are listed that are known by name.

  -context N   tokens of a sequence (131072)
  -batch N     sequences (1)
  -gpu GPU     a GPU by its name, or its memory in GiB (H800)

Weights of a FILE are counted in BF16. The absorbed form of latent attention has fewer operations
where no more new tokens are computed than the last column says.

Exit status: 0, or 2 if there is no such model, or a size that no model has.

Example: plumbline count DeepSeek-V3 -context 131072 -batch 16 -gpu H200
`

const helpShow = `usage: plumbline show [-story] [OP | PAGE | FILE]...

Works an op by hand: every step with its formula, the function that computes it, and all that comes
out, in numbers small enough for a pencil. A page is one of docs/hand, such as ladder or yarn. With
no argument it lists ops and pages.

Of a recording it works the first row in the same steps: the first query, token or sequence, and the
first head. Attributes count, with the defaults that hold where the file says nothing. Of wide rows
the first and last numbers are shown. The recorded outputs stand beside the true ones at the end,
unjudged: that is what plumbline verify does.

  -story   run stories of docs/stories, such as ppo or r1, and print what they tell: small worlds in
           which the equations meet

Exit status: 0, or 2 if something could not be read or is not worked by hand.

Example: plumbline show attention.forward
Example: plumbline show runs/decode.safetensors
Example: plumbline show -story bandit
`

const helpEvidence = `usage: plumbline evidence [flags]

Runs right kernels and wrong ones, emulated, through the verdict and through the criteria of others
with their own numbers, and prints for each how many right kernels fail, and how many mistakes are
found that are visible; also on inputs that make the outputs 2^-6 and 2^6 times as large. It takes
half a minute on two cores.

  -seeds N    requests of each op (4, and 24 with -full)
  -op OP      of one op alone
  -json       one JSON object instead of words
  -svg FILE   the rates as bars, and for each op what is found by the strength of the mistake
  -full       three right kernels of each request for one, requests of DeepSeek-V3's sizes, and the
              wrong outputs that criteria were found to pass. It writes EVIDENCE.md, evidence.svg and
              evidence.json, with date, machine and version: today, this one and the program's, or
              what PLUMBLINE_DATE, PLUMBLINE_MACHINE and PLUMBLINE_VERSION say
  -o FOLDER   where -full writes (docs)

A mistake is visible where its strength is 10 or more, as plumbline power says it: what it makes of
the truth in units of what right kernels err by. It is faint where it moves no number by more than a rounding
does. What is printed hangs on the flags alone.

Exit status: 0; 1 if Plumbline fails a right kernel, or explains a visible mistake that is not faint;
2 if something could not be run.

Example: plumbline evidence -op norm.rms -seeds 5
`

const helpLearn = `usage: plumbline learn [flags] [GROUP]
       plumbline learn [flags] FUNCTION
       plumbline learn -check | -solution [FOLDER]
       plumbline learn -quiz [flags] [OP]
       plumbline learn -answer LETTER[:MISTAKE] [FOLDER]

Exercises, from the sources of Plumbline: without an argument they are listed in the order of the
routes (docs/PATHS.md), with those that are done; with a GROUP, a route or a package, all of it. With
a FUNCTION, mla.AbsorbQuery say, it is emptied in a scratch copy of the equation packages: its comment
with the formula stays, and its test says what it should give. Write it again, and check it.

  -check      run the tests that name the function, in the scratch copy. The sentence of the first
              sub-test that is red is the hint, with what it got and wanted. Tests are the project's,
              whatever stands in the copy
  -solution   print the function as the project has it, with "-" before lines that are only in the
              copy, and "+" before those that are not
  -o FOLDER   the scratch copy, plumbline-learn beside the repository; of a quiz, plumbline-quiz. A
              folder that holds anything else is left alone
  -root FOLDER
              the repository, if this is not inside it

A quiz asks which of four kernels is wrong, and by which mistake: recordings of one call, from emulated
kernels that round and add up as hardware does, one of which makes a mistake that kernels are known
to make.

  -quiz       write the recordings of an op, or of the next one by its seed
  -seed N     another quiz for each number; 1 is the default
  -answer LETTER[:MISTAKE]
              judge the recordings, and say whether the wrong one is a, b, c or d and makes that
              mistake; without one the mistake is told

Checking runs what stands in the scratch copy, and needs the go command.

Exit status: 0 if all is well or the answer right, 1 if a test is red or the answer wrong, 2 if
something could not be read or run.

Example: plumbline learn mla.AbsorbQuery
Example: plumbline learn -quiz attention.forward
`

const helpCompletion = `usage: plumbline completion bash | zsh | fish

Prints a script by which a shell completes the commands of Plumbline, their flags, ops and mistakes.
The script asks the program that is being called, so that it need not be written again for another
version. Read it where the shell starts:

  bash   source <(plumbline completion bash)                 in ~/.bashrc
  zsh    source <(plumbline completion zsh)                  in ~/.zshrc, after compinit
  fish   plumbline completion fish | source                  in ~/.config/fish/config.fish

Exit status: 0, or 2 if there is no such shell.

Example: plumbline completion fish
`

const helpVersion = `usage: plumbline version

Prints the version of Plumbline, or the commit it was built from and whether files were changed
since ("modified"), and the Go that built it. "devel" alone means that it was built without version
control. Reports in JSON have the same under "version".
`
