package main

import (
	"math"

	"plumbline/numbers/dtype"
)

// cast adds what is quantised, of deviation around 2^exp2.
func (b *builder) cast(exp2, m, k int) { b.make("x", b.bell(exp2, m, k)) }

// block sets the shape of blocks.
func (b *builder) block(rows, columns int) {
	b.set("block", []int{rows, columns})
}

var casts = []request{
	{name: "rows", catch: "scales by 240, or by the largest of the matrix", build: func(b *builder) {
		b.make("x", planted(b.bell(0, 20, 512), edit(40, 3, 200), edit(0.01, 7), edit(-300, 19, 511)))
	}},
	{name: "square", catch: "blocks of weights taken as rows", build: func(b *builder) {
		b.block(128, 128)
		b.make("x", planted(b.bell(-4, 256, 256), edit(5, 200, 40), edit(-9, 1, 255)))
	}},
	{name: "ragged", catch: "what lies behind the last row or column", build: func(b *builder) {
		b.block(128, 128)
		b.cast(-4, 150, 300)
	}},
	{name: "ragged-rows", catch: "a last block that is short", build: func(b *builder) { b.cast(0, 9, 300) }},
	{name: "general", catch: "a block of any shape", build: func(b *builder) {
		b.block(3, 32)
		b.cast(0, 10, 100)
	}},
	{name: "e5m2", catch: "another format's largest value", build: func(b *builder) {
		b.set("format", "F8_E5M2")
		b.cast(2, 12, 384)
	}},
	{name: "powers", catch: "codes of the exact scale beside one that was rounded up", build: func(b *builder) {
		b.set("scale", "UE8M0")
		b.cast(0, 20, 512)
	}},
	{name: "powers-codes", catch: "scales of eight bits, and blocks whose scale is a power of two itself",
		build: func(b *builder) {
			b.set("scale", "UE8M0")
			b.outputs("scale", dtype.F8E8M0)
			b.make("x", planted(b.bell(-2, 12, 256), edit(448, 3, 1), edit(-896, 5, 200), edit(1.75, 7, 130)))
		}},
	{name: "powers-e5m2", catch: "powers of two of the other format", build: func(b *builder) {
		b.set("scale", "UE8M0")
		b.set("format", "F8_E5M2")
		b.cast(0, 8, 256)
	}},
	{name: "divide", catch: "products with a reciprocal where quotients are declared", build: func(b *builder) {
		b.set("recipe", "divide")
		b.cast(0, 24, 512)
	}},
	{name: "reciprocal", catch: "quotients where products with a reciprocal are declared", build: func(b *builder) {
		b.set("recipe", "reciprocal")
		b.cast(0, 24, 512)
	}},
	{name: "amax", catch: "the inverse of a rounded scale where 448/amax is declared", build: func(b *builder) {
		b.set("recipe", "amax")
		b.cast(0, 24, 512)
	}},
	{name: "floor", catch: "blocks of zeros divided by 0, and blocks below the floor", build: func(b *builder) {
		b.make("x", planted(b.bell(-16, 8, 256), edit(0, 2), edit(math.Ldexp(1, -60), 5)))
	}},
	{name: "wide", catch: "blocks of very different sizes: nothing but their own scale brings them to codes",
		build: func(b *builder) {
			x := b.bell(0, 16, 256)
			for i := range 16 {
				x = planted(x, edit(math.Ldexp(1.3, 2*i-12), i, 8*i))
			}
			b.make("x", x)
		}},
	{name: "subnormal", catch: "codes below the smallest normal one flushed to 0", build: func(b *builder) {
		x := b.bell(-9, 8, 256)
		for i := range 8 {
			x = planted(x, edit(1, i, 3), edit(-1, i, 250))
		}
		b.make("x", x)
	}},
	{name: "v3-rows", full: true, catch: "DeepSeek-V3's hidden states, 7168 columns", build: func(b *builder) {
		b.cast(0, 32, 7168)
	}},
	{name: "v3-weights", full: true, types: []dtype.Type{dtype.BF16},
		catch: "a weight of DeepSeek-V3's experts, a quarter of it",
		build: func(b *builder) {
			b.block(128, 128)
			b.cast(-6, 512, 7168)
		}},
	{name: "v3-many", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "enough rows of 7168 columns to measure bandwidth", build: func(b *builder) {
			b.cast(0, 8192, 7168)
		}},
}

// codes adds a matrix of F8_E4M3 codes to ±256.
func (b *builder) codes(name string, shape ...int) {
	b.make(name, as(dtype.F8E4M3, b.bell(6, shape...)))
}

// scales adds positive scales between 3 and 7 times 2^(exp2−1), so that no two blocks have the
// same.
func (b *builder) scales(name string, exp2 int, shape ...int) {
	b.make(name, between(float32(math.Ldexp(2.5, exp2)), exp2, shape...))
}

// powers stores scales that are powers of two, 2^−9 … 2^−3, in a type that has them.
func (b *builder) powers(name string, t dtype.Type, shape ...int) {
	n := 1
	for _, k := range shape {
		n *= k
	}
	data := make([]float64, n)
	for i := range data {
		data[i] = math.Ldexp(1, (i*5+i/7)%7-9)
	}
	b.store(name, t, data, shape...)
}

func blocks(n int) int { return (n + 127) / 128 }

// product adds operands [m,k] and [n,k] with scales that differ from block to block, and asks for
// an output of the request's type.
func (b *builder) product(m, n, k int) {
	b.outputs("c", b.t)
	b.codes("a", m, k)
	b.scales("a_scale", -9, m, blocks(k))
	b.codes("b", n, k)
	b.scales("b_scale", -11, blocks(n), blocks(k))
}

// scaledBy is product with scales that are powers of two, in a type that has them.
func (b *builder) scaledBy(t dtype.Type, m, n, k int) {
	b.outputs("c", b.t)
	b.codes("a", m, k)
	b.powers("a_scale", t, m, blocks(k))
	b.codes("b", n, k)
	b.powers("b_scale", t, blocks(n), blocks(k))
}

// towardOneSide makes operands of positive codes, whose sums grow with K, with scales of one size.
func (b *builder) towardOneSide(m, n, k int) {
	b.outputs("c", b.t)
	for name, rows := range map[string]int{"a": m, "b": n} {
		b.make(name, as(dtype.F8E4M3, between(96, 6, rows, k)))
	}
	b.scales("a_scale", -9, m, blocks(k))
	b.scales("b_scale", -11, blocks(n), blocks(k))
}

var products = []request{
	{name: "plain", catch: "scales of a in the order of another layout", build: func(b *builder) {
		b.product(20, 128, 256)
	}},
	{name: "ragged", catch: "a last block of K and of columns that are short: K 300, N 96", build: func(b *builder) {
		b.product(17, 96, 300)
	}},
	{name: "odd", catch: "columns that are not aligned", build: func(b *builder) { b.product(5, 95, 129) }},
	{name: "one-block", catch: "one block of K, whose sum is promoted at the end", build: func(b *builder) {
		b.product(8, 64, 128)
	}},
	{name: "short", catch: "fewer elements of K than one step adds", build: func(b *builder) { b.product(6, 40, 16) }},
	{name: "one-row", catch: "one row: a matrix times a vector", build: func(b *builder) { b.product(1, 256, 512) }},
	{name: "two-tiles", catch: "a last tile of columns that nobody writes", build: func(b *builder) {
		b.product(70, 200, 256)
	}},
	{name: "powers", catch: "scales of powers of two, whose mantissa is taken for one", build: func(b *builder) {
		b.scaledBy(dtype.F32, 24, 160, 640)
	}},
	{name: "powers-codes", catch: "scales of eight bits", build: func(b *builder) {
		b.scaledBy(dtype.F8E8M0, 24, 160, 640)
	}},
	{name: "long", catch: "no promotion: a sum of all of K in the tensor core's short accumulator",
		build: func(b *builder) {
			b.towardOneSide(8, 32, 4096)
		}},
	{name: "long-signed", catch: "the same with sums around 0", build: func(b *builder) { b.product(8, 32, 4096) }},
	{name: "cancelled", catch: "a block that takes away what another has added", build: func(b *builder) {
		b.outputs("c", b.t)
		b.make("a", planted(as(dtype.F8E4M3, b.bell(5, 9, 256)), edit(256, 2, 3), edit(-256, 2, 200)))
		b.scales("a_scale", -9, 9, 2)
		b.make("b", planted(as(dtype.F8E4M3, b.bell(5, 48, 256)), edit(448, 7, 3), edit(448, 7, 200)))
		b.powers("b_scale", dtype.F32, 1, 2)
	}},
	{name: "v3-up-1", full: true, catch: "DeepSeek-V3's 7168 × 2048, one row", build: func(b *builder) {
		b.product(1, 2048, 7168)
	}},
	{name: "v3-down-1", full: true, types: []dtype.Type{dtype.BF16}, catch: "7168 columns from 2048, one row",
		build: func(b *builder) {
			b.product(1, 7168, 2048)
		}},
	{name: "v3-down-64", full: true, types: []dtype.Type{dtype.BF16}, catch: "7168 columns from 2048, 64 rows",
		build: func(b *builder) {
			b.product(64, 7168, 2048)
		}},
	{name: "v3-wide-1", full: true, types: []dtype.Type{dtype.BF16}, catch: "4096 columns from 7168, one row",
		build: func(b *builder) {
			b.product(1, 4096, 7168)
		}},
	{name: "v3-wide-64", full: true, types: []dtype.Type{dtype.BF16}, catch: "4096 columns from 7168, 64 rows",
		build: func(b *builder) {
			b.product(64, 4096, 7168)
		}},
	timed("v3-down-128", 128, 7168, 2048), timed("v3-down-4096", 4096, 7168, 2048),
	timed("v3-wide-128", 128, 4096, 7168), timed("v3-wide-4096", 4096, 4096, 7168),
}

// timed is a product of DeepSeek-V3 that is measured.
func timed(name string, m, n, k int) request {
	return request{
		name: name, full: true, types: []dtype.Type{dtype.BF16}, folder: large, catch: "a product to measure",
		build: func(b *builder) { b.product(m, n, k) },
	}
}

// byExpert adds the operands of a product for each expert, by the rows that each has.
func (b *builder) byExpert(n, k int, counts ...float64) {
	b.outputs("c", b.t)
	rows, e := 0, len(counts)
	for _, c := range counts {
		rows += int(c)
	}
	b.codes("a", rows, k)
	b.scales("a_scale", -9, rows, blocks(k))
	b.codes("b", e, n, k)
	b.scales("b_scale", -11, e, blocks(n), blocks(k))
	b.store("counts", dtype.I32, counts, e)
}

var groupedProducts = []request{
	{name: "plain", catch: "rows of an expert multiplied by its neighbour's matrix", build: func(b *builder) {
		b.byExpert(128, 256, 5, 9, 2)
	}},
	{name: "empty-experts", catch: "experts without rows, first, last and between", build: func(b *builder) {
		b.byExpert(64, 256, 0, 7, 0, 0, 12, 1, 0)
	}},
	{name: "ragged", catch: "short blocks of K and columns: K 300, N 96", build: func(b *builder) {
		b.byExpert(96, 300, 3, 0, 11)
	}},
	{name: "crowded", catch: "more rows than a tile has, which end inside the next one's", build: func(b *builder) {
		b.byExpert(130, 128, 70, 1, 64)
	}},
	{name: "one-expert", catch: "all rows of one expert", build: func(b *builder) { b.byExpert(64, 384, 0, 20) }},
	{name: "v3-experts", full: true, types: []dtype.Type{dtype.BF16},
		catch: "two of DeepSeek-V3's experts, 4096 columns from 7168",
		build: func(b *builder) {
			b.byExpert(4096, 7168, 30, 34)
		}},
	{name: "v3-many", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "eight of DeepSeek-V3's experts with 512 rows each, to measure", build: func(b *builder) {
			b.byExpert(4096, 7168, 512, 512, 512, 512, 512, 512, 512, 512)
		}},
	{name: "v3-all", full: true, types: []dtype.Type{dtype.BF16}, folder: large,
		catch: "all of DeepSeek-V3's experts, 7.5 GB, a fifth without rows: indices of 32 bits",
		build: func(b *builder) {
			counts := make([]float64, 256)
			for i := range counts {
				counts[i] = float64(i % 5)
			}
			b.byExpert(4096, 7168, counts...)
		}},
}
