package model

// Part is a node of a tree of parameters: what it has itself if it has no parts, else their sum.
type Part struct {
	Name     string
	Times    int   // how many there are of it, all alike
	Elements int64 // of all of them together
	Active   int64 // of these, how many one token is multiplied with
	Parts    []Part
}

// leaf returns a weight of a shape.
func leaf(name string, shape ...int) Part {
	n := int64(1)
	for _, size := range shape {
		n *= int64(size)
	}
	return Part{Name: name, Times: 1, Elements: n, Active: n}
}

// group returns what its parts are together.
func group(name string, parts ...Part) Part {
	p := Part{Name: name, Times: 1, Parts: parts}
	for _, part := range parts {
		p.Elements += part.Elements
		p.Active += part.Active
	}
	return p
}

// times returns n of a part, of which a token is multiplied with some.
func (p Part) times(n, active int) Part {
	p.Times *= n
	p.Elements, p.Active = int64(n)*p.Elements, int64(active)*p.Active
	return p
}

// Parameters returns the tree of all that a model learns, and its gates' biases, without the
// modules that predict further tokens.
//
//	N = V d + Σ_l N_l + d + V d
//
// Embedding, layers, last norm, and a head of its own unless it is the embedding; with n streams of
// the residual the head has n (n d + 1) + 1 more. Its Active counts embedding and head in full: see
// [Sizes.Active]. It implements DeepSeek-V3 section 4.2, its 671B parameters of which 37B are
// active.
func (s Sizes) Parameters() Part {
	parts := []Part{leaf("embedding", s.Vocabulary, s.Width)}
	for _, l := range s.Layers {
		if l.Count > 0 {
			layers := l.parameters(s.Width, s.Streams).times(l.Count, l.Count)
			layers.Name = l.Name
			parts = append(parts, layers)
		}
	}
	if n := s.Streams; n > 1 {
		parts = append(parts, leaf("mixing of the streams", n*n*s.Width+n+1))
	}
	parts = append(parts, leaf("norm", s.Width))
	if !s.Tied {
		parts = append(parts, leaf("head", s.Vocabulary, s.Width))
	}
	return group("model", parts...)
}

// Module returns the tree of one module that predicts a further token, without the embedding and
// head that it shares with the model.
//
//	N = 2 d² + 3 d + N_l
//
// The projection of [embedding; hidden], a norm of either and one before the head, and the block.
// It implements DeepSeek-V3 (21) and (22), with the norm of its checkpoint.
func (s Sizes) Module() Part {
	block := s.Layers[len(s.Layers)-1].parameters(s.Width, s.Streams)
	return group("module", leaf("norms", 3, s.Width), leaf("projection", s.Width, 2*s.Width), block)
}

// Active returns how many parameters one token is multiplied with, counted in three ways: with
// embedding and head in full, without the embedding, of which a token takes one row, and without
// both.
//
//	N_active = N − Σ_l (N_r − K) 3 d f
//
// Without the embedding comes nearest to what DeepSeek prints.
// It implements DeepSeek-V3 section 4.2, its 37B active parameters.
func (s Sizes) Active() (all, withoutEmbedding, withoutBoth int64) {
	all = s.Parameters().Active
	table := int64(s.Vocabulary) * int64(s.Width)
	if s.Tied { // the one table is used in full, by the head
		return all, all, all - table
	}
	return all, all - table, all - 2*table
}

// parameters returns the tree of one layer.
func (l Layers) parameters(d, streams int) Part {
	parts := []Part{leaf("norms", 2, d), l.Attention.Parameters(d), l.Feed.Parameters(d)}
	if n := streams; n > 1 { // pre, post and Sinkhorn's matrix, of attention and of the network
		parts = append(parts, leaf("hyper-connections", 2, (2*n+n*n)*(n*d+1)+3))
	}
	return group("layer", parts...)
}

// Parameters returns the tree of a layer's network.
//
//	dense: 3 d f;  experts: N_r d + N_r + (N_s + N_r) 3 d f
//
// The gate's matrix has a row for each routed expert, its bias an element.
// It implements DeepSeek-V3 (12)–(16), the shapes.
func (f Feed) Parameters(d int) Part {
	if f.Routed == 0 {
		return group("network", leaf("gate, up, down", 3, d, f.Inner))
	}
	expert := leaf("expert", 3, d, f.Inner)
	parts := []Part{leaf("gate", f.Routed, d)}
	if f.Biased {
		parts = append(parts, leaf("bias of the gate", f.Routed))
	}
	if f.Shared > 0 {
		shared := expert.times(f.Shared, f.Shared)
		shared.Name = "shared expert"
		parts = append(parts, shared)
	}
	routed := expert.times(f.Routed, f.Chosen)
	routed.Name = "routed expert"
	return group("experts", append(parts, routed)...)
}
