package count

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"plumbline/course/page"
	"plumbline/model"
)

// weights returns the bytes of a model's parameters, as they are released.
func (m Model) weights() float64 {
	n := float64(m.Sizes.Parameters().Elements)
	switch m.In {
	case BF16:
		return 2 * n
	case FP4:
		for _, l := range m.Sizes.Layers {
			routed := 3 * float64(m.Sizes.Width) * float64(l.Feed.Inner) * float64(l.Feed.Routed)
			n -= float64(l.Count) * routed * (1 - 17./32)
		}
	}
	return n
}

// parameters is the tree, with what of it is active for a token.
func (m Model) parameters() table {
	t := table{
		title:   "parameters (what an earlier part of the same name has too is left out)",
		columns: []string{"part", "number", "active", "in BF16", "in FP8"},
	}
	t.part(m.Sizes.Parameters(), 0, map[string]bool{})
	if m.Sizes.Depths > 0 {
		module := m.Sizes.Module()
		module.Name, module.Parts = "beside: a module for one more token", nil
		t.part(module, 0, nil)
	}
	return t
}

// depths is how far parts are taken apart: model, layers, attention, its weights.
const depths = 3

// part adds a part, and what it is made of as far as that has not stood below this name.
func (t *table) part(p model.Part, depth int, seen map[string]bool) {
	name := p.Name
	if p.Times > 1 {
		name = fmt.Sprintf("%d × %s", p.Times, name)
	}
	bytes := float64(p.Elements)
	t.add(strings.Repeat("  ", depth)+name, page.Thousands(p.Elements), page.Thousands(p.Active),
		memory(2*bytes), memory(bytes))
	if depth == depths {
		return
	}
	for _, part := range p.Parts {
		key := fmt.Sprintln(p.Name, part.Name, part.Elements)
		if depth < depths-1 || !seen[key] {
			t.part(part, depth+1, seen)
			seen[key] = true
		}
	}
}

// variant is a model with one kind of attention or another.
type variant struct {
	name  string
	sizes model.Sizes
}

// variants are the model as it is, and with plain attention of the same heads.
func (m Model) variants() []variant {
	all := []variant{{kind(m.Sizes), m.Sizes}}
	for _, groups := range []int{m.Sizes.Heads(), 8, 1} {
		v := variant{sizes: m.Sizes.WithGroups(groups)}
		v.name = kind(v.sizes)
		if !slices.ContainsFunc(all, func(other variant) bool { return other.name == v.name }) {
			all = append(all, v)
		}
	}
	return all
}

// kind names the attention of a model.
func kind(s model.Sizes) string {
	switch a := s.Layers[len(s.Layers)-1].Attention.(type) {
	case model.MLA:
		return "MLA"
	case model.DSA:
		return "DSA, MLA in FP8"
	case model.GQA:
		switch a.Groups {
		case a.Heads:
			return "MHA"
		case 1:
			return "MQA"
		}
		return fmt.Sprintf("GQA, %d groups", a.Groups)
	}
	return "CSA and HCA in FP8"
}

// attention returns the parameters of the attention of all layers.
func attention(s model.Sizes) (n int64) {
	for _, l := range s.Layers {
		n += int64(l.Count) * l.Attention.Parameters(s.Width).Elements
	}
	return n
}

// cache is what different attentions keep, and how many sequences fit beside the weights.
func (m Model) cache(o Options) table {
	most := model.GPUs(m.weights(), o.GPU.GiB*gib)
	t := table{
		title: "KV cache, beside that of plain attention; how many sequences fit on GPUs beside the weights",
		columns: []string{
			"attention", "parameters", "bytes a token",
			fmt.Sprintf("%s × %s tokens", page.Thousands(o.Batch), page.Thousands(o.Context)),
			"ratio", sequencesOn(most), sequencesOn(2 * most),
		},
	}
	own := float64(m.Sizes.Cache(o.Context))
	for _, v := range m.variants() {
		one := float64(v.sizes.Cache(o.Context))
		fit := func(gpus float64) string {
			return decimal(max(model.Sequences(gpus*o.GPU.GiB*gib, m.weights(), one), 0), 0)
		}
		t.add(v.name, billions(attention(v.sizes)), decimal(v.sizes.CachePerToken(), 2), memory(one*float64(o.Batch)),
			figures(one/own), fit(most), fit(2*most))
	}
	return t
}

func sequencesOn(gpus float64) string { return "fit on " + decimal(gpus, 0) }

// contexts are the lengths at which work is counted: powers of 4 up to the context that is asked
// for.
func contexts(o Options) (all []int64) {
	for t := int64(1024); t < o.Context; t *= 4 {
		all = append(all, t)
	}
	if len(all) > 5 {
		all = all[len(all)-5:]
	}
	return append(all, o.Context)
}

// latent returns the latent attention of a model, if that is what all layers have.
func latent(s model.Sizes) (a model.MLA, ok bool) {
	a, ok = s.Layers[len(s.Layers)-1].Attention.(model.MLA)
	return a, ok
}

// form is a way to compute attention, and its products in all layers.
type form struct {
	name string
	work func(queries, tokens int64) float64
}

// forms are those of a model, and MHA of as many heads.
func (m Model) forms() []form {
	s, layers := m.Sizes, float64(m.Sizes.Depth())
	mha := form{"MHA", s.WithGroups(s.Heads()).Work}
	if a, ok := latent(s); ok {
		return []form{
			{"MLA absorbed", func(queries, tokens int64) float64 { return layers * a.Absorbed(queries, tokens) }},
			{"expanded", func(queries, tokens int64) float64 { return layers * a.Expanded(queries, tokens) }}, mha,
		}
	}
	if own := (form{kind(s), s.Work}); own.name != mha.name {
		return []form{own, mha}
	}
	return []form{mha}
}

// work is how many operations of attention a token costs, generated after a context or as part of a
// prompt, beside those of the other matrices. An operation is an addition or a multiplication.
func (m Model) work(o Options) table {
	t := table{
		title: "10⁹ operations of attention for a token, generated after a context or part of such a prompt,\n" +
			"beside " + figures(2*otherMatrices(m.Sizes)/1e9) + " for the other matrices of all layers",
		columns: []string{"context"},
	}
	forms := m.forms()
	for _, before := range []string{"", "prompt: "} {
		for _, f := range forms {
			t.columns = append(t.columns, before+f.name)
			before = ""
		}
	}
	mla, isLatent := latent(m.Sizes)
	if isLatent {
		t.columns = append(t.columns, "absorbed is less")
	}
	for _, n := range contexts(o) {
		row := append([]string{page.Thousands(n)}, costs(forms, n)...)
		if isLatent {
			row = append(row, crossing(mla.CrossOver(n)))
		}
		t.add(row...)
	}
	return t
}

// costs returns the operations of all forms for one token after a context, and in a prompt.
func costs(forms []form, context int64) (cells []string) {
	for _, queries := range []int64{1, context} {
		for _, f := range forms {
			cells = append(cells, figures(2*f.work(queries, context)/float64(queries)/1e9))
		}
	}
	return cells
}

// otherMatrices returns the products that one token costs beside those that Work counts.
func otherMatrices(s model.Sizes) (products float64) {
	_, _, active := s.Active()
	products = float64(active)
	for _, l := range s.Layers {
		if a, ok := l.Attention.(model.DSA); ok {
			l.Attention = a.MLA
		}
		if a, ok := l.Attention.(model.MLA); ok {
			products -= float64(l.Count) * float64(a.Heads) * float64(a.Latent) * float64(a.NopeDim+a.ValueDim)
		}
	}
	return products
}

// crossing says up to how many new tokens the absorbed form has fewer operations.
func crossing(queries float64) string {
	if math.IsInf(queries, 1) {
		return "all"
	}
	return "to " + decimal(math.Floor(queries), 0) + " new"
}

// experts returns the first network of experts of a model.
func experts(s model.Sizes) (f model.Feed, ok bool) {
	for _, l := range s.Layers {
		if l.Feed.Routed > 0 && l.Count > 0 {
			return l.Feed, true
		}
	}
	return f, false
}

// falling returns loads of experts that fall as 1/√i.
func falling(experts int) []float64 {
	load := make([]float64, experts)
	for i := range load {
		load[i] = 1 / math.Sqrt(float64(i+1))
	}
	return load
}

// balance is how much longer the fullest GPU works than the mean where the loads of experts fall as
// 1/√i, with redundant experts and without.
func (m Model) balance() (t table, ok bool) {
	f, ok := experts(m.Sizes)
	gpus := 32
	for f.Routed%gpus != 0 {
		gpus /= 2
	}
	if !ok || gpus == 1 {
		return t, false
	}
	load := falling(f.Routed)
	t = table{
		title: fmt.Sprintf("balance of %d experts whose loads fall as 1/√i: the first has %s times the mean",
			f.Routed, figures(model.Imbalance(load))),
		columns: []string{"experts and replicas", "GPUs", "on each", "fullest over mean"},
	}
	rows := [][2]int{{f.Routed, gpus}, {f.Routed + gpus, gpus}, {f.Routed + 2*gpus, gpus}}
	if f.Routed == 256 { // prefill of DeepSeek-V3 is the second row; its decoding has one expert a GPU
		rows = append(rows, [2]int{256, 256}, [2]int{320, 320})
	}
	for _, row := range rows {
		over := model.Imbalance(model.GPULoads(load, row[0], row[1]))
		t.add(fmt.Sprintf("%d + %d", f.Routed, row[0]-f.Routed), fmt.Sprint(row[1]), fmt.Sprint(row[0]/row[1]),
			strconv.FormatFloat(over, 'f', 2, 64))
	}
	return t, true
}

// bubbles are the waits of pipelines, if a backward takes twice as long as a forward, half of it
// for the weights, and overlap hides nothing.
func bubbles() table {
	const f, b, w, both = 1, 2, 1, 3
	t := table{
		title:   "wait of a stage in a step, in forwards of a micro-batch",
		columns: []string{"stages", "1F1B", "ZB1P", "DualPipe"},
	}
	for _, stages := range []float64{8, 16} {
		t.add(decimal(stages, 0), decimal(model.Bubble1F1B(stages, f, b), 2),
			decimal(model.BubbleZB1P(stages, f, b, w), 2), decimal(model.BubbleDualPipe(stages, both, b, w), 2))
	}
	return t
}
