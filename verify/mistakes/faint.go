package mistakes

import "slices"

// faint are mistakes that no element and no slice shows, only many together.
var faint = []planted{
	{Mistake{
		"exp-2e-3", "",
		"exponentials of the softmax are off by up to 2e-3, as a quadratic for 2^f is",
		"where every row sees one key alone",
	}, scoring},
	{Mistake{
		"denominator-bf16", "",
		"the softmax's sum of weights is kept in BF16",
		"where every sum is a BF16 number",
	}, scoring},
	{Mistake{
		"delta-bf16", "",
		"D = Σ do·o is kept in BF16",
		"where D is a BF16 number, and beside larger errors of dS",
	}, backward},
	{Mistake{
		"output-per-mille", "",
		"the output is 1.001 times what it should be",
		"where the output is 0",
	}, slices.Concat(scoring, []string{"norm.rms"})},
	{Mistake{
		"sink-next-head", "",
		"the sink is that of the next head",
		"without sinks, or where all are alike",
	}, forward},
	{Mistake{
		"dq-scale-bf16", "",
		"dq is multiplied by the scale rounded to BF16",
		"where the scale is a BF16 number",
	}, backward},
	{Mistake{
		"sink-bf16", "",
		"sinks given in F32 are rounded to BF16",
		"without sinks, or where they are BF16 numbers",
	}, forward},
}
