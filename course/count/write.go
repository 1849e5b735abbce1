package count

import (
	"fmt"
	"io"

	"plumbline/course/page"
	"plumbline/model"
)

// Write writes everything that is counted of a model.
func Write(w io.Writer, m Model, o Options) {
	heading(w, m)
	fmt.Fprintln(w)
	m.parameters().text(w)
	all, withoutEmbedding, withoutBoth := m.Sizes.Active()
	fmt.Fprintf(w, "  active without the embedding %s, without embedding and head %s, with both %s\n",
		billions(withoutEmbedding), billions(withoutBoth), billions(all))
	fmt.Fprintf(w, "  weights in %s: %s, on %s × %s of %s GiB\n", m.In, memory(m.weights()),
		decimal(model.GPUs(m.weights(), o.GPU.GiB*gib), 0), o.GPU.Name, decimal(o.GPU.GiB, 2))
	tables := []table{m.cache(o), m.work(o)}
	if t, ok := m.balance(); ok {
		tables = append(tables, t, bubbles())
	}
	for _, t := range tables {
		fmt.Fprintln(w)
		t.text(w)
	}
}

// heading says which model is counted.
func heading(w io.Writer, m Model) {
	all, withoutEmbedding, _ := m.Sizes.Active()
	fmt.Fprintf(w, "%s: %s parameters, %s to %s active, %d layers of width %s\n", m.Name,
		billions(m.Sizes.Parameters().Elements), billions(withoutEmbedding), billions(all), m.Sizes.Depth(),
		page.Thousands(m.Sizes.Width))
}

// List writes the models that are known by name.
func List(w io.Writer) {
	t := table{
		title:   "models that can be counted by name; any other by its config.json",
		columns: []string{"model", "parameters", "active", "bytes a token"},
	}
	for _, m := range Models() {
		_, active, _ := m.Sizes.Active()
		name := m.Name
		if m.Also != "" {
			name += ", " + m.Also
		}
		t.add(name, billions(m.Sizes.Parameters().Elements), billions(active), decimal(m.Sizes.CachePerToken(), 2))
	}
	t.text(w)
}
