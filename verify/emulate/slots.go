package emulate

// Slots is an order of the experts of a token: in which a gate writes them, and in which a sum adds
// them up.
type Slots uint8

// The orders found in kernels. AtRandom stands for whatever else, and hangs on the configuration's
// seed.
const (
	AsChosen  Slots = iota // of a gate best first, of a sum slot by slot
	Backwards              // the reverse
	ByExpert               // the lowest number first, as experts that run one after the other add
	ByWeight               // the largest first
	AtRandom
)

var slotNames = [...]string{"as chosen", "backwards", "by expert", "by weight", "at random"}

// String returns the order in words.
func (s Slots) String() string { return slotNames[s] }

// Fusion says how much of an expert is one kernel, which keeps what is inside in the working type.
type Fusion uint8

// What is fused. A kernel declares the roundings that it leaves out all the same.
const (
	Unfused Fusion = iota
	// the activation and its product with the linear part; and the second product with its weight
	FusedActivation
	FusedExpert // all but what the second product takes; outputs are added up unrounded, too
)

var fusionNames = [...]string{"nothing", "activation", "expert"}

// String returns what is fused in a word.
func (f Fusion) String() string { return fusionNames[f] }
