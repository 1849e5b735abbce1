package model

// Sizes is what a model is counted by: its widths, and how many layers it has of each kind. Models
// that this package cannot run have sizes too.
type Sizes struct {
	Vocabulary int      // V
	Width      int      // d
	Layers     []Layers // kinds of layers, in any order but for the last
	Tied       bool     // the head is the embedding
	Streams    int      // n, streams of the residual; 0 or 1: one, without hyper-connections
	Depths     int      // D, modules that predict further tokens, with a block as the last kind of layers has
}

// Layers are layers of one kind: attention and a network, each behind a norm.
type Layers struct {
	Name      string // of one of them
	Count     int
	Attention Attention
	Feed      Feed
}

// Feed is the network of a layer, or its experts.
type Feed struct {
	Inner  int  // f, inner width of the dense network, or of an expert
	Routed int  // N_r; 0: a dense network
	Shared int  // N_s
	Chosen int  // K, routed experts of a token
	Biased bool // the gate has a bias
}

// Attention is what is counted of the attention of a layer: [GQA], [MLA], [DSA] or
// [Compressed].
type Attention interface {
	// Parameters returns the weights, in a model of width d.
	Parameters(d int) Part
	// Cache returns the bytes that are kept of a sequence.
	Cache(tokens int64) int64
	// CachePerToken returns by how many bytes a token makes the cache of a long sequence larger.
	CachePerToken() float64
	// Work returns the products (multiplications with addition) of the last queries of a sequence
	// with what they see.
	Work(queries, tokens int64) float64
	// heads returns how many heads there are, and the width that a plain one would have.
	heads() (count, width int)
}

// bf16 is the bytes of an element of BF16, in which caches are kept unless something else is said.
const bf16 = 2

// Sizes returns what a configuration is counted by: dense layers, then layers of experts. It
// implements no equation: it sorts.
func (c Config) Sizes() Sizes {
	a := c.Attention
	latent := MLA{
		Heads: a.Heads, NopeDim: a.NopeDim, RopeDim: a.RopeDim, ValueDim: a.ValueDim, Latent: c.Latent,
		QueryLatent: c.QueryLatent,
	}
	experts := Feed{
		Inner: c.ExpertInner, Routed: c.Experts, Shared: c.SharedExperts, Chosen: c.Gate.TopK, Biased: !c.Unbiased,
	}
	dense := min(c.Dense, c.Layers)
	return Sizes{
		Vocabulary: c.Vocabulary, Width: c.Width, Depths: c.Depths,
		Layers: []Layers{
			{Name: "dense layer", Count: dense, Attention: latent, Feed: Feed{Inner: c.Inner}},
			{Name: "layer of experts", Count: c.Layers - dense, Attention: latent, Feed: experts},
		},
	}
}

// Depth returns how many layers there are. It implements no equation: it adds.
func (s Sizes) Depth() (layers int) {
	for _, l := range s.Layers {
		layers += l.Count
	}
	return layers
}

// WithGroups returns the same model with plain attention: its number of heads, of the width that
// keys and values have without rotation, over so many heads of keys and values. All heads make it
// MHA, 1 makes it MQA. Compressed attention is compared with heads of 128, as in its report. It
// implements no equation: it replaces.
func (s Sizes) WithGroups(groups int) Sizes {
	plain := s
	plain.Layers = nil
	for _, l := range s.Layers {
		heads, width := l.Attention.heads()
		a, ok := l.Attention.(GQA)
		if !ok {
			a = GQA{Heads: heads, HeadDim: width}
		}
		a.Groups = min(groups, heads)
		l.Attention = a
		plain.Layers = append(plain.Layers, l)
	}
	return plain
}

// Heads returns how many query heads a layer has at most. It implements no equation: it looks.
func (s Sizes) Heads() (most int) {
	for _, l := range s.Layers {
		heads, _ := l.Attention.heads()
		most = max(most, heads)
	}
	return most
}
