package fp8

import "plumbline/verify/op"

func init() { op.Plant(scaling, coding, multiplying) }

var (
	ofCast     = []string{"fp8.cast"}
	ofProducts = []string{"fp8.gemm", "fp8.grouped_gemm"}
	ofAll      = []string{"fp8.cast", "fp8.gemm", "fp8.grouped_gemm"}
)

// scaling are the mistakes with scales.
var scaling = []op.Mistake{
	{
		ID: "scale-inverse", Numbers: []string{"F10"}, Ops: ofAll, Thread: "sgl-project/sglang#34765",
		Sentence: "scales are taken for their inverses: divided by where they multiply, or the reverse",
		Hidden:   "where scales are 1, or all results are 0",
	},
	{
		ID: "scale-rounded-up", Numbers: []string{"F01"}, Ops: ofAll, Thread: "sgl-project/sglang#28418",
		Sentence: "scales are rounded up to powers of two after codes were made with the exact ones",
		Hidden:   "where scales are powers of two, or none are asked for",
	},
	{
		ID: "scale-truncated", Numbers: []string{"F02"}, Ops: ofAll, Thread: "sgl-project/sglang#39193",
		Sentence: "scales lose their mantissas, and are the powers of two below",
		Hidden:   "where scales are powers of two, or none are asked for",
	},
	{
		ID: "scale-nearest-power", Ops: ofAll, Thread: "lablup/mlxcel#1769",
		Sentence: "scales are rounded to the nearest power of two, not up",
		Hidden:   "where scales are powers of two, or none are asked for, or where all are rounded up all the same",
	},
	{
		ID: "scale-mantissa-rounded", Ops: ofAll, Thread: "ROCm/FlyDSL#590",
		Sentence: "scales are rounded to powers of two by their mantissas, up from 1.5 on, and not always up: the " +
			"largest codes of other blocks saturate",
		Hidden: "where scales are powers of two, or none are asked for, or where every mantissa is at least 1.5",
	},
	{
		ID: "scale-of-next-block", Ops: ofAll,
		Sentence: "a block has the scale of the one behind it",
		Hidden:   "with one block, or where both are the same",
	},
	{
		ID: "scales-transposed", Numbers: []string{"F08"}, Ops: ofAll, Thread: "flashinfer-ai/flashinfer#2147",
		Sentence: "scales are in the other major order: of a product, those of a",
		Hidden:   "with one row or one column of blocks, or where all are the same",
	},
	{
		ID: "scale-by-logarithm", Numbers: []string{"F04"}, Ops: ofCast, Thread: "sgl-project/sglang#31210",
		Sentence: "the exponent of a scale is a logarithm in float32, rounded up",
		Hidden:   "where no scale lies just above a power of two, or none is asked for",
	},
	{
		ID: "floor-missing", Numbers: []string{"F11"}, Ops: ofCast, Thread: "huggingface/kernels-community#680",
		Sentence: "the largest size of a block has no floor",
		Hidden:   "where it reaches the floor in every block",
	},
	{
		ID: "amax-of-row", Ops: ofCast,
		Sentence: "the largest size is that of a whole row of blocks",
		Hidden:   "with one block in a row, or where all have the same",
	},
	{
		ID: "amax-of-tensor", Ops: ofCast,
		Sentence: "the largest size is that of the whole tensor",
		Hidden:   "with one block, or where all have the same",
	},
	{
		ID: "amax-over-padding", Numbers: []string{"F20", "M11"}, Ops: ofCast, Thread: "sgl-project/sglang#26133",
		Sentence: "what stands in memory behind the last column counts for a ragged block",
		Hidden:   "without ragged blocks in a row, or where it is smaller",
	},
	{
		ID: "zero-block-scale-one", Numbers: []string{"F12"}, Ops: ofCast, Thread: "NVIDIA/Model-Optimizer#1397",
		Sentence: "a block of zeros has a scale of 1, whatever the floor",
		Hidden:   "where no block is all zeros, or the floor is 0",
	},
	{
		ID: "floor-added", Ops: ofCast,
		Sentence: "the floor is added to the largest size",
		Hidden:   "where it is lost beside that, or 0",
	},
	{
		ID: "floor-of-scale", Numbers: []string{"F11"}, Ops: ofCast, Thread: "huggingface/kernels-community#680",
		Sentence: "the floor bounds the scale, not the largest size, and is 448 times too large for that",
		Hidden:   "where scales are above the floor all the same, or it is 0",
	},
	{
		ID: "amax-signed", Ops: ofCast,
		Sentence: "the largest size is the largest number: negative ones do not count",
		Hidden:   "where no block has its largest size in a negative number",
	},
	{
		ID: "amax-of-half", Ops: ofCast, Thread: "AMD-AGI/Primus-Turbo#306",
		Sentence: "only the first half of the columns of a block is looked at for its largest size",
		Hidden:   "where it stands there",
	},
	{
		ID: "largest-code-224", Numbers: []string{"F17"}, Ops: ofCast, Thread: "sgl-project/sglang#30900",
		Sentence: "scales are made for codes up to 224, as on devices of the FNUZ format",
		Hidden:   "with F8_E5M2, or where the powers of two above are the same",
	},
	{
		ID: "largest-code-240", Numbers: []string{"F17"}, Ops: ofCast, Thread: "ROCm/aiter#5177",
		Sentence: "scales are made for codes up to 240, the largest of the FNUZ format",
		Hidden:   "with F8_E5M2, or where the powers of two above are the same",
	},
	{
		ID: "scale-bf16", Ops: ofCast, Thread: "deepseek-ai/TileKernels#15",
		Sentence: "scales are rounded to BF16",
		Hidden:   "where BF16 holds them, as it holds powers of two",
	},
	{
		ID: "scale-by-exponent", Ops: ofCast,
		Sentence: "the exponent of a scale is that of the largest size less that of the largest code, as in OCP " +
			"MX: the largest numbers of a block saturate",
		Hidden: "where no powers of two are asked for, or the largest size is at most 1.75 times a power of two",
	},
	{
		ID: "scale-power-above", Ops: ofCast,
		Sentence: "scales are the powers of two above, also where they are powers of two already: those are doubled",
		Hidden:   "where none is asked for, or no scale is one",
	},
	{
		ID: "amax-kept", Ops: ofCast,
		Sentence: "the largest size is not set back to 0 after a block: it is the largest of a row so far",
		Hidden:   "with one block in a row, or where the first has the largest size",
	},
	{
		ID: "floor-after-codes", Ops: ofCast,
		Sentence: "codes are made without the floor of the largest size, scales are stored with it",
		Hidden:   "where no block is below the floor",
	},
	{
		ID: "largest-code-448", Ops: ofCast,
		Sentence: "scales are made for codes up to 448, whatever the format: in F8_E5M2 the largest is 57344",
		Hidden:   "with F8_E4M3",
	},
	{
		ID: "largest-code-57344", Ops: ofCast,
		Sentence: "scales are made for codes up to 57344, the largest of F8_E5M2, whatever the format: most codes " +
			"of F8_E4M3 saturate",
		Hidden: "with F8_E5M2",
	},
	{
		ID: "amax-of-two-blocks", Ops: ofCast, Thread: "vllm-project/vllm-xpu-kernels#520",
		Sentence: "the largest size is that of two blocks side by side, as where lanes of both are reduced together",
		Hidden:   "with one block in a row, or where both have the same",
	},
	{
		ID: "amax-of-first-row", Ops: ofCast,
		Sentence: "only the first row of a block is looked at for its largest size",
		Hidden:   "with blocks of one row, or where it stands there",
	},
	{
		ID: "amax-of-square", Ops: ofCast,
		Sentence: "the largest size is that of a square of 128 rows, not of the one row of a block",
		Hidden:   "with blocks that are squares, with one row, or where all have the same",
	},
}

// coding are the mistakes of making codes.
var coding = []op.Mistake{
	{
		ID: "codes-truncated", Ops: ofCast,
		Sentence: "quotients are truncated to codes",
		Hidden:   "where all quotients are codes",
	},
	{
		ID: "codes-half-up", Numbers: []string{"F14"}, Ops: ofCast, Thread: "sgl-project/sglang#40581",
		Sentence: "a quotient between two codes goes to the larger one",
		Hidden:   "where none lies halfway",
	},
	{
		ID: "saturated-at-256", Numbers: []string{"F13"}, Ops: ofCast, Thread: "sgl-project/sglang#40581",
		Sentence: "codes of the largest exponent are taken for an overflow, and are the largest code",
		Hidden:   "where none has it but the largest",
	},
	{
		ID: "codes-fnuz", Numbers: []string{"F17"}, Ops: ofCast, Thread: "sgl-project/sglang#40581",
		Sentence: "codes are bytes of the FNUZ format, which mean half",
		Hidden:   "with F8_E5M2, or where all codes are 0",
	},
	{
		ID: "recipe-other", Ops: ofCast,
		Sentence: "codes are made by another recipe than the one declared",
		Hidden:   "where none is, with powers of two, or where the codes are the same",
	},
	{
		ID: "tile-unwritten", Numbers: []string{"X13"}, Ops: ofCast, Thread: "Avarok-Cybersecurity/atlas#474",
		Sentence: "codes of the last tile of columns are never written",
		Hidden:   "where they are 0",
	},
	{
		ID: "quotient-bf16", Ops: ofCast,
		Sentence: "quotients are rounded to BF16 before they are rounded to codes",
		Hidden:   "where that moves none to the other side of the middle between two codes",
	},
	{
		ID: "quotient-f16", Ops: ofCast,
		Sentence: "quotients are rounded to F16 before they are rounded to codes",
		Hidden:   "where that moves none to the other side of the middle between two codes",
	},
	{
		ID: "subnormal-codes-flushed", Ops: ofCast, Thread: "tenstorrent/tt-metal#29734",
		Sentence: "quotients below the least normal code are 0: subnormal codes are not made",
		Hidden:   "where no code is subnormal",
	},
	{
		ID: "subnormal-codes-small", Ops: ofCast, Thread: "tenstorrent/tt-metal#51971",
		Sentence: "subnormal codes are half as large as they should be: their exponent is that of the least normal " +
			"ones, not one below",
		Hidden: "where no code is subnormal",
	},
	{
		ID: "subnormal-codes-rounded-twice", Ops: ofCast, Thread: "openvinotoolkit/openvino#30057",
		Sentence: "quotients below the least normal code are rounded to the fraction of a normal code, and again to " +
			"a subnormal one",
		Hidden: "where no code is subnormal, or none comes to lie halfway",
	},
	{
		ID: "quotients-whole", Ops: ofCast, Thread: "ROCm/AMDMIGraphX#2661",
		Sentence: "quotients are rounded to whole numbers before they are rounded to codes, as for INT8",
		Hidden:   "where all quotients have codes that are whole",
	},
	{
		ID: "nan-saturated", Ops: ofCast,
		Sentence: "the code of NaN is the largest one",
		Hidden:   "where nothing is NaN",
	},
}

// multiplying are the mistakes of products.
var multiplying = []op.Mistake{
	{
		ID: "scale-of-first-block", Numbers: []string{"F06"}, Ops: ofProducts, Thread: "mlc-ai/TIRx-kernels#5",
		Sentence: "every block of K has the scales of the first",
		Hidden:   "with one block, or where all are the same",
	},
	{
		ID: "scale-of-first-columns", Ops: ofProducts,
		Sentence: "all columns have the scales of the first 128",
		Hidden:   "with 128 columns at most, or where all are the same",
	},
	{
		ID: "tail-unscaled", Numbers: []string{"F05"}, Ops: ofProducts, Thread: "pytorch/FBGEMM#6159",
		Sentence: "the scales of a ragged last block of K are not applied",
		Hidden:   "where K is whole blocks",
	},
	{
		ID: "k-tail-dropped", Ops: ofProducts,
		Sentence: "elements of K behind the last whole 32 are left out",
		Hidden:   "where there are none",
	},
	{
		ID: "promotion-missing", Numbers: []string{"F18"}, Ops: ofProducts, Thread: "deepseek-ai/DeepGEMM#37",
		Declares: "promote_every=1048576",
		Sentence: "the whole of K is summed in the tensor core's accumulator",
		Hidden:   "with one block",
	},
	{
		ID: "accumulate-bf16", Numbers: []string{"N04"}, Ops: ofProducts, Declares: "accumulate=BF16",
		Sentence: "sums of products are kept in BF16",
		Hidden:   "with one block",
	},
	{
		ID: "nan-is-a-number", Numbers: []string{"F15"}, Ops: ofProducts, Thread: "Scottcjn/ram-coffers#716",
		Sentence: "the code that is NaN is read as the number behind the largest",
		Hidden:   "where no code is NaN",
	},
	{
		ID: "columns-overhang", Ops: ofProducts,
		Thread: "huggingface/kernels-community#1153",
		Sentence: "the last tile of columns is stored whole: what it has behind the last column lands at the " +
			"beginning of the next row",
		Hidden: "where columns are whole tiles, or with one row",
	},
	{
		ID: "rows-overhang", Ops: []string{"fp8.grouped_gemm"},
		Sentence: "the last tile of rows of an expert is stored whole: the first rows of the next expert are those " +
			"of a times the matrix of the one before",
		Hidden: "where the rows of every expert are whole tiles, or one has all",
	},
	{
		ID: "scale-per-step-of-64", Ops: ofProducts, Thread: "tile-ai/TileOPs#1666",
		Sentence: "scales are read for each 64 elements of K as if blocks were so wide, not 128",
		Hidden:   "with 64 elements of K at most, or where all scales are the same",
	},
	{
		ID: "codes-ieee", Ops: ofProducts, Thread: "google/XNNPACK#10460",
		Sentence: "codes of the largest exponent, from 256 on, are taken for infinity and NaN, as in IEEE formats",
		Hidden:   "where no code of F8_E4M3 is at least 256",
	},
	{
		ID: "exponents-as-numbers", Ops: ofProducts,
		Sentence: "scales of F8_E8M0 are taken for whole numbers: their bytes, not 2^(byte − 127)",
		Hidden:   "with scales of F32",
	},
	{
		ID: "tile-unwritten", Numbers: []string{"X13"}, Ops: ofProducts, Thread: "Avarok-Cybersecurity/atlas#474",
		Sentence: "the last tile of columns is never written",
		Hidden:   "where it is 0",
	},
	{
		ID: "counts-shifted", Numbers: []string{"X05"}, Ops: []string{"fp8.grouped_gemm"},
		Thread:   "InternLM/xtuner#2053",
		Sentence: "segments begin one row late: the first row of each expert goes to the one before",
		Hidden:   "where one expert has all rows",
	},
	{
		ID: "a-scale-missing", Ops: ofProducts,
		Sentence: "scales of a are left out",
		Hidden:   "where they are 1",
	},
	{
		ID: "b-scale-missing", Ops: ofProducts,
		Sentence: "scales of b are left out",
		Hidden:   "where they are 1",
	},
	{
		ID: "scales-packed", Numbers: []string{"F03"}, Ops: ofProducts, Thread: "sgl-project/sglang#13067",
		Sentence: "exponents of four scales are packed into a word by shifts that keep the fractions, which run " +
			"into the exponent before",
		Hidden: "where scales are powers of two",
	},
	{
		ID: "weight-scales-transposed", Numbers: []string{"F09"}, Ops: ofProducts, Thread: "unslothai/unsloth#8953",
		Sentence: "scales of b are in the other major order",
		Hidden:   "with one row or one column of blocks of b, or where all are the same",
	},
	{
		ID: "scale-wave-kept", Numbers: []string{"F07"}, Ops: []string{"fp8.gemm"}, Thread: "NVIDIA/cutlass#3596",
		Sentence: "scales of b are multiplied in place by those of a, and a second wave of 128 rows finds them so",
		Hidden:   "with 128 rows at most, or where scales of a are 1",
	},
	{
		ID: "scale-of-first-row", Ops: ofProducts,
		Sentence: "every 128 rows have the scales of the first of them",
		Hidden:   "with one row, or where all have the same",
	},
	{
		ID: "scale-columns-even", Ops: ofProducts, Thread: "vllm-project/vllm#49596",
		Sentence: "columns are divided evenly among the rows of b_scale, not by 128",
		Hidden:   "with whole blocks of columns, or where scales are the same",
	},
	{
		ID: "codes-fnuz", Numbers: []string{"F17"}, Ops: ofProducts, Thread: "sgl-project/sglang#40581",
		Sentence: "codes are read as bytes of the FNUZ format, which mean half",
		Hidden:   "where one operand is 0",
	},
	{
		ID: "k-tail-of-128-dropped", Ops: ofProducts,
		Sentence: "elements of K behind the last whole 128 are left out",
		Hidden:   "where there are none",
	},
	{
		ID: "k-tail-of-256-dropped", Ops: ofProducts, Thread: "ROCm/aiter#4331",
		Sentence: "elements of K behind the last whole 256 are left out",
		Hidden:   "where there are none",
	},
	{
		ID: "k-tail-read-on", Numbers: []string{"F19"}, Ops: ofProducts, Thread: "tile-ai/tilelang-ascend#1341",
		Sentence: "rows of K are read up to the next multiple of 32, where the next row begins",
		Hidden:   "where K is one, or there is one row",
	},
	{
		ID: "tile-of-one-expert", Numbers: []string{"X14"}, Ops: []string{"fp8.grouped_gemm"},
		Thread:   "deepseek-ai/DeepGEMM#15",
		Sentence: "every 128 rows are multiplied by the matrix of the expert of the first of them",
		Hidden:   "where these are of one expert",
	},
	{
		ID: "experts-counted-busy", Ops: []string{"fp8.grouped_gemm"},
		Sentence: "experts without rows are not counted: the second that has rows has the second matrix",
		Hidden:   "where every expert before the last with rows has some",
	},
	{
		ID: "a-scale-of-expert-row", Ops: []string{"fp8.grouped_gemm"},
		Sentence: "scales of a are read at the row within its expert, not at that of all",
		Hidden:   "where one expert has all rows, or all scales are the same",
	},
	{
		ID: "accumulator-kept", Ops: ofProducts,
		Sentence: "the tensor core's accumulator is not set to 0 after a block of K is promoted: what it has is " +
			"added again with the next",
		Hidden: "with one block",
	},
	{
		ID: "accumulator-scaled", Ops: ofProducts,
		Sentence: "a block's scales multiply all that is summed so far, (acc + Σ)·s, not its own sum, acc + Σ·s",
		Hidden:   "with one block",
	},
	{
		ID: "operands-bf16", Ops: ofProducts,
		Sentence: "what codes stand for is rounded to BF16 before it is multiplied",
		Hidden:   "where scales are powers of two",
	},
	{
		ID: "subnormal-codes-flushed", Ops: ofProducts,
		Sentence: "subnormal codes are read as 0",
		Hidden:   "where there are none, or they do not count beside the others",
	},
	{
		ID: "subnormal-codes-normal", Ops: ofProducts, Thread: "ooples/AiDotNet.Tensors#801",
		Sentence: "subnormal codes are read as if a leading 1 stood before their fraction: 2^(e−1)·(1 + f) for " +
			"2^e·f, e the least exponent",
		Hidden: "where there are none, or they do not count beside the others",
	},
	{
		ID: "codes-of-other-format", Ops: ofProducts, Thread: "NVIDIA/TransformerEngine#3342",
		Sentence: "bytes of codes are read as those of the other format: of F8_E5M2 as F8_E4M3, or the reverse",
		Hidden:   "where one operand is 0",
	},
	{
		ID: "partial-sums-bf16", Ops: ofProducts, Thread: "flagos-ai/FlagGems#3295",
		Sentence: "the sum of each block of K is rounded to BF16 before its scales multiply it",
		Hidden:   "where BF16 holds every sum",
	},
	{
		ID: "scales-bf16", Ops: ofProducts, Thread: "pytorch/ao#713",
		Sentence: "scales are rounded to BF16",
		Hidden:   "where BF16 holds them, as it holds powers of two",
	},
	{
		ID: "scales-of-first-expert", Ops: []string{"fp8.grouped_gemm"},
		Sentence: "every expert has the scales of the first",
		Hidden:   "with one expert that has rows, or where all scales are the same",
	},
}

func init() { op.Leave(conventions) }

// conventions are what is no mistake of a kernel.
var conventions = []op.Beyond{
	{
		Number: "F16", Thread: "jax-ml/ml_dtypes#400",
		Sentence: "numbers beyond the largest code become NaN, or the largest code",
		Why:      "a convention, which does not show: a block divided by its own scale stays within the codes",
	},
	{
		Number: "F21", Thread: "mlc-ai/pith-train#74",
		Sentence: "a compiler transposes a tile of FP8 wrongly",
		Why:      "a compiler's, of one version, and in no one pattern",
	},
}
