package model_test

import (
	"fmt"

	"plumbline/model"
)

// A token leaves 576 numbers of two bytes in each of 61 layers; 128 heads would leave 57 times as
// many.
func ExampleSizes_CachePerToken() {
	v3 := model.DeepSeekV3().Sizes()
	fmt.Println(v3.CachePerToken())
	fmt.Println(v3.WithGroups(128).CachePerToken())
	// Output:
	// 70272
	// 3.997696e+06
}

// The keys and values of 128 heads of width 128 in one layer, and of one head that all share.
func ExampleGQA_CachePerToken() {
	fmt.Println(model.GQA{Heads: 128, Groups: 128, HeadDim: 128}.CachePerToken())
	fmt.Println(model.GQA{Heads: 128, Groups: 1, HeadDim: 128}.CachePerToken())
	// Output:
	// 65536
	// 512
}

// Eight GPUs of 141 GB hold the weights in FP8 and this many texts of 128K tokens.
func ExampleSequences() {
	v3 := model.DeepSeekV3().Sizes()
	weights := float64(v3.Parameters().Elements)
	fmt.Println(model.Sequences(8*141e9, weights, float64(v3.Cache(131072))))
	// Output:
	// 49
}

// All of 671B parameters, and what one token is multiplied with.
func ExampleSizes_Parameters() {
	all := model.DeepSeekV3().Sizes().Parameters()
	fmt.Println(all.Elements, all.Active)
	// Output:
	// 671026419200 37552297472
}

// One head of one layer, with latents of 4 and heads of 2 + 1: a new token after 9 others, and a
// prompt of 10. Expanded, each latent costs 4·(2+2) products, and a pair 2+1+2; absorbed, each new
// token costs 4·(2+2), and a pair 4+1+4.
func ExampleMLA_Expanded() {
	a := model.MLA{Heads: 1, Latent: 4, NopeDim: 2, RopeDim: 1, ValueDim: 2}
	fmt.Println("one token:", a.Expanded(1, 10), "or absorbed", a.Absorbed(1, 10))
	fmt.Println("a prompt: ", a.Expanded(10, 10), "or absorbed", a.Absorbed(10, 10))
	// Output:
	// one token: 210 or absorbed 106
	// a prompt:  435 or absorbed 655
}

// One query that meets ten cached tokens, absorbed: 16 products for itself, 9 for each of them.
func ExampleMLA_Absorbed() {
	a := model.MLA{Heads: 1, Latent: 4, NopeDim: 2, RopeDim: 1, ValueDim: 2}
	fmt.Println(a.Absorbed(1, 10))
	// Output:
	// 106
}

// Over a long past DeepSeek-V3 absorbs for up to 170 new tokens, and expands for more.
func ExampleMLA_CrossOver() {
	a := model.DeepSeekV3().Sizes().Layers[0].Attention.(model.MLA)
	fmt.Printf("%.1f\n", a.CrossOver(1<<20))
	// Output:
	// 170.7
}

// Sixteen stages: a forward of 1, a backward of 2, of which 1 is for the weights, 3 for both at
// once.
func ExampleBubbleDualPipe() {
	fmt.Println(model.Bubble1F1B(16, 1, 2), model.BubbleZB1P(16, 1, 2, 1), model.BubbleDualPipe(16, 3, 2, 1))
	// Output:
	// 45 15 14
}
