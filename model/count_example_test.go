package model_test

import (
	"fmt"

	"plumbline/model"
)

// DeepSeek-V3 counted: its parameters from the shapes, and what its attention keeps of a token
// beside MHA of as many heads.
func ExampleSizes() {
	v3 := model.DeepSeekV3().Sizes()
	for _, part := range v3.Parameters().Parts {
		fmt.Printf("%3d × %-16s %15d\n", part.Times, part.Name, part.Elements)
	}
	fmt.Printf("      %-16s %15d\n", "all", v3.Parameters().Elements)
	mha := v3.WithGroups(v3.Heads())
	fmt.Printf("bytes of a token: %.0f, and of MHA %.0f\n", v3.CachePerToken(), mha.CachePerToken())

	// Output:
	//   1 × embedding              926679040
	//   3 × dense layer           1750450176
	//  58 × layer of experts    667422603776
	//   1 × norm                        7168
	//   1 × head                   926679040
	//       all                 671026419200
	// bytes of a token: 70272, and of MHA 3997696
}
