package mistakes

var (
	rotating = []string{"rope.apply", "rope.table", "mla.layer"}
	applying = []string{"rope.apply", "mla.layer"}
	rms      = []string{"norm.rms"}
	norming  = []string{"norm.rms", "mla.layer"}
)

// ofLayers are the mistakes of rotation, of norms, and of a layer that is made of both.
var ofLayers = []planted{
	{Mistake{
		"layout-swapped", "huggingface/optimum-intel#1877",
		"pairs are taken as (i, i+d/2) for (2i, 2i+1), or the reverse",
		"with one pair of channels, or with every position 0",
	}, applying},
	{Mistake{
		"frequencies-repeated", "raiyanyahya/how-to-train-your-gpt#7",
		"the table repeats each frequency for neighbours, the rotation takes halves",
		"in another layout than half, with one pair of channels, or with every position 0",
	}, applying},
	{Mistake{
		"direction-reversed", "",
		"the rotation is by minus the angle",
		"where every position is 0",
	}, rotating},
	{Mistake{
		"rotation-missing", "sqliteai/warp#27",
		"nothing is rotated",
		"where every position is 0",
	}, rotating},
	{Mistake{
		"position-off-by-one", "microsoft/onnxruntime-genai#2354",
		"positions are one too large",
		"never",
	}, rotating},
	{Mistake{
		"yarn-missing", "",
		"YaRN is not applied",
		"without YaRN, with every position 0, or where it changes neither frequencies nor amplitude",
	}, rotating},
	{Mistake{
		"yarn-betas-swapped", "pytorch/torchtitan#3787",
		"beta_fast and beta_slow change places",
		"without YaRN, with every position 0, or where no frequency changes",
	}, rotating},
	{Mistake{
		"yarn-range-extended", "NVIDIA/Megatron-LM#1418",
		"the correction range comes from the extended length",
		"without YaRN, with every position 0, or where no frequency changes",
	}, rotating},
	{Mistake{
		"yarn-range-unrounded", "keras-team/keras-hub#2981",
		"the correction range is not rounded to whole indices, or is where it should not be",
		"without YaRN, with every position 0, or where no frequency changes",
	}, rotating},
	{Mistake{
		"amplitude-generic", "ggml-org/llama.cpp#7118",
		"cos and sin are multiplied by YaRN's generic 1 + 0.1 ln s",
		"without YaRN, with every position 0, or where that is the amplitude",
	}, rotating},
	{Mistake{
		"sine-fast", "",
		"sines take off whole turns in one step, of a float32 2π",
		"where no angle exceeds 1000",
	}, rotating},
	{Mistake{
		"frequencies-recurrent", "",
		"each frequency is formed from the one before, undeclared",
		"with every position 0, with inputs of 16 bits, or where the frequencies are the same",
	}, []string{"rope.apply", "rope.table"}},
	{Mistake{
		"angle-bf16", "huggingface/candle#3520",
		"position × frequency is formed in BF16",
		"where BF16 holds every position, as it does up to 256, or the kernel declares BF16",
	}, rotating},
	{Mistake{
		"table-bf16", "KellerJordan/modded-nanogpt#39",
		"cos and sin are stored in BF16",
		"where every position is 0",
	}, rotating},
	{Mistake{
		"eps-missing", "",
		"no eps under the root",
		"where eps is negligible beside the mean square",
	}, rms},
	{Mistake{
		"eps-outside-root", "",
		"eps is added to the root",
		"where eps is negligible beside the mean square",
	}, rms},
	{Mistake{
		"eps-default", "huggingface/transformers#44261",
		"eps is 1e-5 whatever the request says",
		"where eps is 1e-5, or negligible beside the mean square",
	}, norming},
	{Mistake{
		"mean-subtracted", "",
		"a LayerNorm: the mean is subtracted",
		"where every row has mean 0",
	}, rms},
	{Mistake{
		"weight-plus-one", "",
		"the weight is taken as an offset from 1",
		"never",
	}, rms},
	{Mistake{
		"sum-for-mean", "",
		"the sum of squares is not divided by their number",
		"with rows of one element",
	}, rms},
	{Mistake{
		"squares-bf16", "dropbox/gemlite#6",
		"the sum of squares is kept in BF16",
		"with rows of one element",
	}, norming},
	{Mistake{
		"norm-missing-q", "",
		"the query's latent is not normed",
		"where the query has no latent, or with one token",
	}, layer},
	{Mistake{
		"norm-missing-kv", "",
		"the latent of keys and values is not normed",
		"never",
	}, layer},
	{Mistake{
		"norm-with-rope-key", "",
		"latent and rope key are normed together",
		"never",
	}, layer},
	{Mistake{
		"norm-extra", "NVIDIA-NeMo/Megatron-Bridge#5261",
		"a query without latent is normed",
		"where the query has a latent, or with one token",
	}, layer},
	{Mistake{
		"kv-up-split", "",
		"w_ukv is split as all keys, then all values",
		"with one head",
	}, layer},
	{Mistake{
		"query-untransposed", "",
		"the query is absorbed with W_UK, not its transpose",
		"in the naive form, where W_UK is not square, or with one token",
	}, layer},
	{Mistake{
		"value-from-key", "",
		"the value's up-projection is taken from the key's rows",
		"where values are wider than keys",
	}, layer},
	{Mistake{
		"rope-key-twice", "",
		"the rope key is rotated twice",
		"where every position is 0",
	}, layer},
	{Mistake{
		"rope-first-channels", "ml-explore/mlx-lm#1189",
		"the first channels of a query are rotated, not the last",
		"where more channels are rotated than are not, or with one token",
	}, layer},
}
