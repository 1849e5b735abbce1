package rope

// Layout says which two elements of a vector are one pair, when it is read and when it is written.
type Layout int

const (
	Interleaved       Layout = iota // pair i is (2i, 2i+1), as in RoFormer and in DeepSeek's own code
	Half                            // pair i is (i, i+d/2), as in GPT-NeoX and Hugging Face
	InterleavedToHalf               // reads (2i, 2i+1), writes (i, i+d/2), as Hugging Face runs DeepSeek's checkpoints
)

// String returns the name that recordings use.
func (l Layout) String() string {
	switch l {
	case Interleaved:
		return "interleaved"
	case Half:
		return "half"
	case InterleavedToHalf:
		return "interleaved_to_half"
	}
	return "unknown"
}

// reads returns where pair i of pairs pairs stands in the input.
func (l Layout) reads(i, pairs int) (int, int) {
	if l == Half {
		return i, i + pairs
	}
	return 2 * i, 2*i + 1
}

// writes returns where pair i of pairs pairs stands in the output.
func (l Layout) writes(i, pairs int) (int, int) {
	if l == Interleaved {
		return 2 * i, 2*i + 1
	}
	return i, i + pairs
}

// Permute returns the elements of x with the even indices first, then the odd ones, which brings
// interleaved pairs into halves.
//
//	y = (x_0, x_2, x_4, …, x_1, x_3, x_5, …)
//
// x is [d], d even. A score does not notice it as long as query and key are permuted alike. Differs
// in code: Hugging Face permutes at run time, some converters permute the rows of the projection
// once; doing both is a mistake. It implements RoFormer (15) re-paired, the step rope_interleave of
// Hugging Face's DeepSeek-V3.
func Permute(x []float64) []float64 {
	if len(x)%2 != 0 {
		panic(oddWidth)
	}
	pairs := len(x) / 2
	y := make([]float64, len(x))
	for i := range pairs {
		y[i], y[i+pairs] = x[2*i], x[2*i+1]
	}
	return y
}
