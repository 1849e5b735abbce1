package verdict

import "strings"

// Diagnosis says what would explain a recording that is not explained.
type Diagnosis struct {
	Sentence string    `json:"sentence"`           // what a person can act on
	Explains []Finding `json:"explains,omitempty"` // each explains everything; most specific first
	Alike    bool      `json:"alike,omitempty"`    // these inputs cannot tell the first of them apart
	Leading  []Finding `json:"leading,omitempty"`  // else: what explains most, most first
	Apart    string    `json:"apart,omitempty"`    // what would tell those apart
	Where    string    `json:"where,omitempty"`    // where the error is
	Part     string    `json:"part,omitempty"`     // of what alone it is, with indices that count from its first
	Tried    int       `json:"tried"`              // how many explanations were tried
	Untried  string    `json:"untried,omitempty"`  // what was left out, and why
}

// Vouching says which of the known mistakes an explained recording vouches against: those that
// would have moved its outputs by ten deviations or more.
type Vouching struct {
	Known   int      `json:"known"` // mistakes that kernels of the op are known to make
	Against int      `json:"against"`
	Blind   []string `json:"blind,omitempty"` // the others: these inputs do not show them
	// what the matched filter finds in the outputs although the declared arithmetic explains them:
	// a table in BF16 where intermediate results are declared so, say
	Holds []string `json:"holds,omitempty"`
}

// Finding is one explanation.
type Finding struct {
	Kind     string   `json:"kind"`              // mistake, arithmetic, attribute, layout, rows …
	ID       string   `json:"id"`                // of the bank, else what is changed: "causal=true"
	Numbers  []string `json:"numbers,omitempty"` // of a mistake in the bank
	Sentence string   `json:"sentence"`
	Where    string   `json:"where,omitempty"`  // the part of the outputs in which alone it holds
	RMS      float64  `json:"rms"`              // of the output that fits worst, beside this
	Share    float64  `json:"share"`            // 1 for a kernel that does it, 0 for one that does not
	Strength float64  `json:"strength"`         // how far it moves the outputs, in deviations
	Explains float64  `json:"explains"`         // share of the squared error that it takes away
	Hidden   string   `json:"hidden,omitempty"` // of a mistake: when it does not show
	Thread   string   `json:"thread,omitempty"`
}

// Name is an explanation in a word, with its numbers in the bank.
func (f Finding) Name() string {
	if len(f.Numbers) == 0 {
		return f.ID
	}
	return f.ID + " (" + strings.Join(f.Numbers, ", ") + ")"
}
