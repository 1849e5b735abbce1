// Package fp8 has the ops of block-scaled FP8: the quantiser, the product and the grouped product.
package fp8

import "plumbline/verify/op"

func init() { op.Register(castOp, gemmOp, groupedOp) }

// castOp is fp8.cast.
var castOp = &op.Op{
	Name:      "fp8.cast",
	Doc:       "Quantises blocks, each with a scale of its own.",
	Equations: []string{"fp8.Scale", "fp8.ScaleUE8M0", "fp8.CodeOfQuotient", "fp8.CodeByInverse", "fp8.CodeByLargest"},
	Inputs:    []op.Tensor{{Name: "x", Shape: []string{"M", "K"}, Doc: "what is quantised"}},
	Outputs: []op.Tensor{
		{Name: "q", Shape: []string{"M", "K"}, Axes: []string{"row", "column"}, Doc: "codes, in the type of `format`"},
		{
			Name: "scale", Shape: []string{"ceil(M/b0)", "ceil(K/b1)"}, Axes: []string{"block row", "block column"},
			Scales: true, Doc: "what codes are multiplied by; F32, or F8_E8M0 where it is UE8M0",
		},
	},
	Attrs: []op.Attr{
		{
			Name: "block", Kind: op.Pair, Default: [2]int{1, 128}, Letter: "b",
			Doc: "rows and columns of a block; what a ragged one lacks counts as 0",
		},
		{
			Name: "format", Kind: op.Choice, Default: "F8_E4M3", Choices: []string{"F8_E4M3", "F8_E5M2"},
			Doc: "of the codes",
		},
		{
			Name: "scale", Kind: op.Choice, Default: "F32", Choices: []string{"F32", "UE8M0"},
			Doc: "max(amax, amax_floor)/largest in F32, largest being 448 or 57,344, or the power of two above",
		},
		{
			Name: "amax_floor", Kind: op.Number, Default: 1e-4,
			Doc: "the least that the largest size of a block counts as",
		},
		{
			Name: "recipe", Kind: op.Choice, Missing: "any of them",
			Choices: []string{"divide", "reciprocal", "amax"},
			Doc:     "of a code, in F32: x/s, x·(1/s), or x·(largest/amax)",
		},
	},
	Exact: true,
	Check: checkCast,
	Truth: quantise,
}

var productKeys = []op.Key{
	{
		Name: "accumulate", Default: "F32",
		Doc: "sums of products; F32 covers operands that are multiplied by their scales first",
	},
	{Name: "promote_every", Default: "128", Doc: "elements of K between promotions to F32"},
}

// gemmOp is fp8.gemm.
var gemmOp = &op.Op{
	Name:      "fp8.gemm",
	Doc:       "Product of block-scaled matrices.",
	Equations: []string{"fp8.Product"},
	Inputs: []op.Tensor{
		{Name: "a", Shape: []string{"M", "K"}, Doc: "codes"},
		{Name: "a_scale", Shape: []string{"M", "ceil(K/128)"}, Scales: true, Doc: "of 1×128 blocks"},
		{Name: "b", Shape: []string{"N", "K"}, Doc: "codes"},
		{Name: "b_scale", Shape: []string{"ceil(N/128)", "ceil(K/128)"}, Scales: true, Doc: "of 128×128 blocks"},
	},
	Outputs: []op.Tensor{{
		Name: "c", Shape: []string{"M", "N"}, Axes: []string{"row", "column"}, Doc: "a·bᵀ",
	}},
	Arithmetic: productKeys,
	Check:      checkProduct,
	Truth:      gemm,
	Work:       productWork,
	Once:       productOnce,
	TooLarge:   tooLarge,
	Large:      newLarge,
}

// groupedOp is fp8.grouped_gemm.
var groupedOp = &op.Op{
	Name:      "fp8.grouped_gemm",
	Doc:       "Products of the rows of each expert with its own matrix, block-scaled.",
	Equations: []string{"fp8.Product"},
	Inputs: []op.Tensor{
		{Name: "a", Shape: []string{"M", "K"}, Doc: "codes; rows in expert order"},
		{Name: "a_scale", Shape: []string{"M", "ceil(K/128)"}, Scales: true, Doc: "of 1×128 blocks"},
		{Name: "b", Shape: []string{"E", "N", "K"}, Parts: true, Doc: "codes"},
		{Name: "b_scale", Shape: []string{"E", "ceil(N/128)", "ceil(K/128)"}, Scales: true, Doc: "of 128×128 blocks"},
		{Name: "counts", Shape: []string{"E"}, Integer: true, Doc: "rows of each expert; they add up to M"},
	},
	Outputs: []op.Tensor{{
		Name: "c", Shape: []string{"M", "N"}, Axes: []string{"row", "column"}, Doc: "a·bᵀ, expert by expert",
	}},
	Arithmetic: productKeys,
	Check:      checkGrouped,
	Truth:      gemm,
	Work:       productWork,
	Once:       productOnce,
	TooLarge:   tooLarge,
	Large:      newLarge,
}
