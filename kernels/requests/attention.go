package main

import (
	"math"

	"plumbline/numbers/dtype"
)

// heads is the geometry of an attention request. The zero value of a number means what zero says
// there.
type heads struct {
	B, S, H, T, G, D, V int
	lens                []float64 // kv_lens; nil: none. Keys behind them are NaN unless stale.
	stale               bool
	sharp               int     // logits of deviation 4/3 · 2^sharp
	qMean, kMean, vMean float32 // the mean of every element
	decisive            bool    // the last key of every sequence draws most of the weight, and its value is 3
	causal              bool
}

// attention adds q, k, v and kv_lens.
func (b *builder) attention(h heads) {
	q, k, v := b.bell(h.sharp, h.B, h.S, h.H, h.D), b.bell(0, h.B, h.T, h.G, h.D), b.bell(0, h.B, h.T, h.G, h.V)
	if h.decisive {
		q = around(0.25, q)
	}
	for n := range h.B {
		used := h.T
		if h.lens != nil {
			used = int(h.lens[n])
		}
		for t := used; t < h.T && !h.stale; t++ {
			k, v = planted(k, edit(poison, n, t)), planted(v, edit(poison, n, t))
		}
		if h.decisive {
			k, v = planted(k, edit(2, n, used-1)), planted(v, edit(3, n, used-1))
		}
	}
	b.make("q", shifted(h.qMean, q))
	b.make("k", shifted(h.kMean, k))
	b.make("v", shifted(h.vMean, v))
	if h.lens != nil {
		b.lengths(h.lens...)
	}
	if h.causal {
		b.set("causal", true)
	}
}

// shifted is around, but for 0.
func shifted(shift float32, rc recipe) recipe {
	if shift == 0 {
		return rc
	}
	return around(shift, rc)
}

// sinks stores the sinks of all heads.
func (b *builder) sinks(logits ...float64) { b.store("sink", dtype.F32, logits, len(logits)) }

// heads2 is a geometry that most conventions are tried on: grouped heads, fewer queries than keys.
var heads2 = heads{B: 2, S: 19, H: 4, T: 50, G: 2, D: 32, V: 32}

// with returns h changed.
func (h heads) with(change func(h *heads)) heads {
	change(&h)
	return h
}

func causal(h *heads) { h.causal = true }

var forwards = []request{
	{name: "square", catch: "the causal diagonal itself masked: S = T, where top-left and bottom-right agree",
		build: func(b *builder) {
			b.attention(heads{B: 2, S: 33, H: 4, T: 33, G: 4, D: 64, V: 64, causal: true})
		}},
	{name: "all-keys", catch: "a causal mask where none is declared", build: func(b *builder) {
		b.attention(heads{B: 2, S: 9, H: 3, T: 40, G: 3, D: 64, V: 64})
	}},
	{name: "chunk", catch: "a causal mask aligned to the first key: fewer queries than keys", build: func(b *builder) {
		b.attention(heads{B: 2, S: 7, H: 4, T: 45, G: 4, D: 64, V: 64, causal: true})
	}},
	{name: "ragged", catch: "a causal mask aligned to T instead of each kv_len; NaN behind the lengths",
		build: func(b *builder) {
			b.attention(heads{B: 3, S: 7, H: 4, T: 45, G: 2, D: 64, V: 64, causal: true, lens: []float64{45, 23, 8}})
		}},
	{name: "stale", catch: "keys behind kv_len that are seen: they are finite, so nothing but the numbers tells",
		build: func(b *builder) {
			b.attention(heads{B: 2, S: 5, H: 2, T: 64, G: 1, D: 64, V: 64, lens: []float64{63, 50}, stale: true})
		}},
	{name: "empty-rows", catch: "rows that see no key: output 0 and log-sum-exp −∞, not NaN or the mean of the values",
		build: func(b *builder) {
			b.attention(heads{B: 1, S: 9, H: 3, T: 5, G: 3, D: 32, V: 32, causal: true})
		}},
	{name: "no-keys", catch: "a sequence of kv_len 0", build: func(b *builder) {
		b.attention(heads{B: 3, S: 3, H: 2, T: 33, G: 2, D: 32, V: 32, lens: []float64{33, 0, 17}})
	}},
	{name: "one-key", catch: "one key and one query: the output is the value, bit for bit", build: func(b *builder) {
		b.attention(heads{B: 2, S: 1, H: 4, T: 1, G: 2, D: 64, V: 64})
	}},
	{name: "tile-edges", catch: "tiles of 64 keys that end one early or late: lengths 63, 64 and 65",
		build: func(b *builder) {
			b.attention(heads{
				B: 3, S: 3, H: 2, T: 65, G: 1, D: 64, V: 64, causal: true, lens: []float64{63, 64, 65}, decisive: true,
			})
		}},
	{name: "long-edges", catch: "the last of thousands of keys dropped: lengths 4095 and 4096",
		build: func(b *builder) {
			b.attention(heads{
				B: 2, S: 2, H: 2, T: 4096, G: 1, D: 32, V: 32, causal: true, lens: []float64{4095, 4096},
				decisive: true,
			})
		}},
	{name: "query-edges", catch: "tiles of 64 or 128 queries that end one early or late", build: func(b *builder) {
		b.attention(heads{B: 1, S: 129, H: 1, T: 131, G: 1, D: 32, V: 32, causal: true})
	}},
	{name: "last-key", catch: "the last key of every sequence dropped: most of the weight is on it",
		build: func(b *builder) {
			b.attention(heads{B: 2, S: 4, H: 4, T: 40, G: 2, D: 64, V: 64, lens: []float64{40, 33}, decisive: true})
		}},
	{name: "gqa", catch: "query heads tiled over key heads instead of grouped", build: func(b *builder) {
		b.attention(heads{B: 1, S: 5, H: 8, T: 64, G: 2, D: 64, V: 64, causal: true})
	}},
	{name: "gqa-wide-groups", catch: "a tile of 16 heads that crosses from one group of 24 into the next",
		build: func(b *builder) {
			b.attention(heads{B: 1, S: 2, H: 48, T: 40, G: 2, D: 32, V: 32, causal: true})
		}},
	{name: "gqa-odd", catch: "groups of 5 heads, 3 key heads", build: func(b *builder) {
		b.attention(heads{B: 2, S: 3, H: 15, T: 37, G: 3, D: 40, V: 24})
	}},
	{name: "mqa", catch: "one key head for all", build: func(b *builder) {
		b.attention(heads{B: 2, S: 3, H: 6, T: 33, G: 1, D: 64, V: 64, causal: true})
	}},
	{name: "window", catch: "a window one too wide", build: func(b *builder) {
		b.set("window", 9)
		b.attention(heads2.with(causal))
	}},
	{name: "window-of-one", catch: "a window of one key: the output is the value at the query's own position",
		build: func(b *builder) {
			b.set("window", 1)
			b.attention(heads2.with(causal))
		}},
	{name: "window-beyond", catch: "a window wider than the sequence, which is none", build: func(b *builder) {
		b.set("window", 1000)
		b.attention(heads2.with(func(h *heads) { h.causal, h.lens = true, []float64{50, 31} }))
	}},
	{name: "window-not-causal", catch: "a window that is taken as causal, or as two-sided", build: func(b *builder) {
		b.set("window", 9)
		b.attention(heads2)
	}},
	{name: "window-ragged", catch: "a window counted from T instead of kv_len; NaN behind the lengths",
		build: func(b *builder) {
			b.set("window", 16)
			b.attention(heads2.with(func(h *heads) { h.causal, h.lens = true, []float64{50, 21} }))
		}},
	{name: "softcap", catch: "scores capped before they are scaled, or not at all", build: func(b *builder) {
		b.set("softcap", 3)
		b.attention(heads2.with(func(h *heads) { h.causal, h.sharp = true, 1 }))
	}},
	{name: "sink", catch: "a sink left out of the denominator, or counted in the log-sum-exp; one is −∞",
		build: func(b *builder) {
			b.sinks(3, -1, math.Inf(-1), 0.5)
			b.attention(heads2.with(causal))
		}},
	{name: "sink-window",
		catch: "a sink counted once for each split or tile; rows that see no key but have a sink are 0",
		build: func(b *builder) {
			b.sinks(6, 2, 0, 1)
			b.set("window", 5)
			b.attention(heads{B: 3, S: 8, H: 4, T: 33, G: 1, D: 32, V: 32, causal: true, lens: []float64{33, 0, 6}})
		}},
	{name: "lse-base-2", catch: "a natural log-sum-exp where base 2 is declared", build: func(b *builder) {
		b.set("lse_base", "2")
		b.attention(heads2.with(causal))
	}},
	{name: "high-logits", catch: "a constant subtracted instead of the row maximum: logits around 160",
		build: func(b *builder) {
			b.attention(heads{B: 1, S: 5, H: 2, T: 70, G: 2, D: 64, V: 64, causal: true, qMean: 4.5, kMean: 4.5})
		}},
	{name: "low-logits", catch: "a maximum that starts at 0 or at a finite sentinel: logits around −160",
		build: func(b *builder) {
			b.attention(heads{B: 1, S: 5, H: 2, T: 70, G: 2, D: 64, V: 64, causal: true, qMean: 4.5, kMean: -4.5})
		}},
	{name: "sharp", catch: "scores rounded to 16 bits, which moves weights when logits are large",
		build: func(b *builder) {
			b.attention(heads{B: 1, S: 8, H: 2, T: 100, G: 2, D: 64, V: 64, sharp: 3})
		}},
	{name: "equal-keys", catch: "weights that are all the same, whose roundings do not average out",
		build: func(b *builder) {
			b.make("q", b.bell(0, 1, 6, 2, 64))
			b.make("k", planted(b.bell(0, 1, 77, 2, 64), edit(0.5)))
			b.make("v", b.bell(0, 1, 77, 2, 64))
		}},
	{name: "value-mean", catch: "a denominator that is summed from other weights than the numerator: values around 8",
		build: func(b *builder) {
			b.attention(heads2.with(func(h *heads) { h.vMean = 8 }))
		}},
	{name: "scale", catch: "1/√D where another scale is declared", build: func(b *builder) {
		b.set("scale", 0.3)
		b.attention(heads2.with(causal))
	}},
	{name: "scale-negative", catch: "the row maximum taken before a scale that turns the order round",
		build: func(b *builder) {
			b.set("scale", -0.25)
			b.attention(heads2.with(causal))
		}},
	{name: "narrow", catch: "heads of 8 columns, less than a tensor core's step", build: func(b *builder) {
		b.attention(heads{B: 1, S: 5, H: 2, T: 33, G: 2, D: 8, V: 8, causal: true})
	}},
	{name: "wide", catch: "heads of 256 columns", build: func(b *builder) {
		b.attention(heads{B: 1, S: 5, H: 2, T: 70, G: 1, D: 256, V: 256, causal: true})
	}},
	{name: "odd-widths", types: onlyF32, catch: "widths that no vector divides", build: func(b *builder) {
		b.attention(heads{B: 1, S: 5, H: 3, T: 33, G: 3, D: 19, V: 13, causal: true})
	}},
	{name: "mla-widths", catch: "values narrower than keys, 192 and 128, and the scale of neither",
		build: func(b *builder) {
			b.set("scale", v3Scale)
			b.attention(heads{B: 1, S: 6, H: 3, T: 70, G: 3, D: 192, V: 128, causal: true})
		}},
	{name: "v3-chunk", full: true, catch: "DeepSeek-V3's 128 heads, a chunk of 16 tokens behind 1008 others",
		build: func(b *builder) {
			b.set("scale", v3Scale)
			b.attention(heads{B: 1, S: 16, H: 128, T: 1024, G: 128, D: 192, V: 128, causal: true})
		}},
	{name: "v3-prefill", full: true, catch: "1024 tokens of 8 of DeepSeek-V3's heads", build: func(b *builder) {
		b.set("scale", v3Scale)
		b.attention(heads{B: 1, S: 1024, H: 8, T: 1024, G: 8, D: 192, V: 128, causal: true})
	}},
	{name: "v3-layer", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "a whole layer's prefill: 1024 tokens, 128 heads", build: func(b *builder) {
			b.set("scale", v3Scale)
			b.attention(heads{B: 1, S: 1024, H: 128, T: 1024, G: 128, D: 192, V: 128, causal: true})
		}},
	{name: "gqa", types: []dtype.Type{dtype.F16}, folder: others, catch: "grouped heads in half precision",
		build: func(b *builder) {
			b.attention(heads{B: 1, S: 5, H: 8, T: 64, G: 2, D: 64, V: 64, causal: true})
		}},
	{name: "plain", types: []dtype.Type{dtype.F16}, folder: others,
		catch: "every library's plainest case: no mask, no groups, half precision", build: func(b *builder) {
			b.attention(heads{B: 2, S: 64, H: 2, T: 64, G: 2, D: 64, V: 64})
		}},
}

// gradients adds what attention adds, and the gradient of the output.
func (b *builder) gradients(h heads) {
	b.attention(h)
	b.make("do", b.bell(0, h.B, h.S, h.H, h.V))
}

var backwards = []request{
	{name: "square", catch: "the plainest gradient: S = T, causal", build: func(b *builder) {
		b.gradients(heads{B: 1, S: 33, H: 2, T: 33, G: 2, D: 64, V: 64, causal: true})
	}},
	{name: "all-keys", catch: "a causal mask where none is declared", build: func(b *builder) {
		b.gradients(heads{B: 2, S: 11, H: 2, T: 40, G: 2, D: 32, V: 32})
	}},
	{name: "chunk", catch: "a mask aligned to the first key in the backward pass alone", build: func(b *builder) {
		b.gradients(heads{B: 2, S: 9, H: 2, T: 41, G: 2, D: 32, V: 32, causal: true})
	}},
	{name: "ragged", catch: "gradients of keys that are not in use: they are 0; NaN behind the lengths",
		build: func(b *builder) {
			b.gradients(heads{B: 2, S: 9, H: 2, T: 41, G: 2, D: 32, V: 32, causal: true, lens: []float64{41, 16}})
		}},
	{name: "empty-rows", catch: "queries that see no key: their gradient is 0, and they give none",
		build: func(b *builder) {
			b.gradients(heads{B: 1, S: 9, H: 2, T: 5, G: 2, D: 32, V: 32, causal: true})
		}},
	{name: "no-keys", catch: "a sequence of kv_len 0", build: func(b *builder) {
		b.gradients(heads{B: 2, S: 3, H: 2, T: 33, G: 2, D: 32, V: 32, lens: []float64{33, 0}})
	}},
	{name: "one-key", catch: "one key: dq and dk are 0, dv is do", build: func(b *builder) {
		b.gradients(heads{B: 1, S: 1, H: 2, T: 1, G: 2, D: 32, V: 32})
	}},
	{name: "tile-edges", catch: "tiles of 64 keys that end one early or late: lengths 63, 64 and 65",
		build: func(b *builder) {
			b.gradients(heads{B: 3, S: 4, H: 2, T: 65, G: 1, D: 32, V: 32, causal: true, lens: []float64{63, 64, 65}})
		}},
	{name: "query-edges", catch: "tiles of 64 queries that end one early or late", build: func(b *builder) {
		b.gradients(heads{B: 1, S: 65, H: 1, T: 67, G: 1, D: 32, V: 32, causal: true})
	}},
	{name: "gqa", catch: "the gradients of a group's heads not summed, or those of tiled heads summed",
		build: func(b *builder) {
			b.gradients(heads{B: 1, S: 11, H: 6, T: 30, G: 2, D: 32, V: 32, causal: true})
		}},
	{name: "mqa", catch: "the gradients of all heads summed into one", build: func(b *builder) {
		b.gradients(heads{B: 1, S: 9, H: 5, T: 24, G: 1, D: 32, V: 32})
	}},
	{name: "window", catch: "a window one too wide", build: func(b *builder) {
		b.set("window", 7)
		b.gradients(heads{B: 1, S: 15, H: 2, T: 40, G: 2, D: 32, V: 32, causal: true})
	}},
	{name: "softcap", catch: "the cap's own derivative left out", build: func(b *builder) {
		b.set("softcap", 3)
		b.gradients(heads{B: 1, S: 11, H: 2, T: 30, G: 2, D: 32, V: 32, sharp: 1})
	}},
	{name: "sink", catch: "weights recomputed without the sink", build: func(b *builder) {
		b.sinks(2, -1, 0.5, 4)
		b.gradients(heads{B: 1, S: 9, H: 4, T: 30, G: 2, D: 32, V: 32, causal: true})
	}},
	{name: "scale", catch: "the scale left out of the gradient of q and k", build: func(b *builder) {
		b.set("scale", 0.3)
		b.gradients(heads{B: 1, S: 9, H: 2, T: 24, G: 1, D: 40, V: 24})
	}},
	{name: "high-logits", catch: "weights recomputed without the log-sum-exp: logits around 160",
		build: func(b *builder) {
			b.gradients(heads{B: 1, S: 5, H: 2, T: 40, G: 2, D: 64, V: 64, qMean: 4.5, kMean: 4.5})
		}},
	{name: "mla-widths", catch: "values narrower than keys, 192 and 128", build: func(b *builder) {
		b.set("scale", v3Scale)
		b.gradients(heads{B: 1, S: 9, H: 2, T: 40, G: 2, D: 192, V: 128, causal: true})
	}},
	{name: "v3-prefill", full: true, catch: "512 tokens of 4 of DeepSeek-V3's heads", build: func(b *builder) {
		b.set("scale", v3Scale)
		b.gradients(heads{B: 1, S: 512, H: 4, T: 512, G: 4, D: 192, V: 128, causal: true})
	}},
	{name: "v3-layer", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "a quarter of a layer's gradients: 1024 tokens, 32 heads", build: func(b *builder) {
			b.set("scale", v3Scale)
			b.gradients(heads{B: 1, S: 1024, H: 32, T: 1024, G: 32, D: 192, V: 128, causal: true})
		}},
}
