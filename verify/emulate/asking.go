package emulate

import (
	"slices"
	"sync"
)

// A kernel makes a mistake by asking for it where it would be made. What the right kernel never
// asks for leaves it as it is, and is hidden: that is spared where many mistakes are tried on one
// request. So that none is overlooked, kernels have no other way to a mistake than to ask here.

// Makes tells whether the kernel is to make the named mistake.
func (j *Job) Makes(mistake string) bool {
	if j.plain {
		return mistake == ""
	}
	j.asks.note(mistake)
	return j.Config.Mistake == mistake || mistake != "" && j.Also == mistake
}

// First tells whether the named mistake is the first one: of two that are made together, some
// kernels make that alone.
func (j *Job) First(mistake string) bool {
	j.asks.note(mistake)
	return j.Config.Mistake == mistake
}

// Among returns the first mistake if it is one of these, and "" if not.
func (j *Job) Among(mistakes ...string) string {
	j.asks.note(mistakes...)
	if slices.Contains(mistakes, j.Config.Mistake) {
		return j.Config.Mistake
	}
	return ""
}

// In returns what a table has for the first mistake.
func In[V any](j *Job, table map[string]V) (v V, made bool) {
	if j.asks != nil {
		for mistake := range table {
			j.asks.note(mistake)
		}
	}
	v, made = table[j.Config.Mistake]
	return v, made
}

// Mistake returns the first mistake, for whoever may make any.
func (j *Job) Mistake() string {
	if j.asks != nil {
		j.asks.all = true
	}
	return j.Config.Mistake
}

// asking is what a kernel asks for.
type asking struct {
	all      bool
	mistakes map[string]bool
}

func (a *asking) note(mistakes ...string) {
	if a == nil {
		return
	}
	for _, m := range mistakes {
		a.mistakes[m] = true
	}
}

// asked keeps what right kernels ask for, of each configuration.
type asked struct {
	sync.Mutex
	known map[Config]func() *asking
}

// leavesOut tells whether a kernel is known to be the right one because that never asks for its
// mistake. A second mistake may be what shows, and one may look at quantities.
func (b *Bound) leavesOut(c Config) bool {
	if c.Mistake == "" || c.Also != "" || c.Quantities != nil {
		return false
	}
	j := newJob(b.bound, c) // which has splits for a mistake that needs them
	right := c
	right.Mistake, right.Splits, right.Tile = "", j.Splits, j.Tile
	b.asked.Lock()
	if b.asked.known == nil {
		b.asked.known = map[Config]func() *asking{}
	}
	of := b.asked.known[right]
	if of == nil {
		of = sync.OnceValue(func() *asking { return b.asks(right) })
		b.asked.known[right] = of
	}
	b.asked.Unlock()
	a := of()
	return !a.all && !a.mistakes[c.Mistake]
}

// asks runs a right kernel for what it asks for: anything, if it takes itself for a wrong one, as
// where NaN is unlike itself.
func (b *Bound) asks(right Config) *asking {
	j := newJob(b.bound.On(b.bound.Recording.Clone()), right)
	j.asks, j.plain = &asking{mistakes: map[string]bool{}}, false
	b.compute(j)
	if j.shown || j.Trouble() != nil {
		j.asks.all = true
	}
	return j.asks
}
