package model_test

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"

	"plumbline/mla"
	"plumbline/model"
	"plumbline/moe"
	"plumbline/numbers/tensor"
)

// tiny returns a model of width 4: a dense layer, one of four experts in two groups, and a module
// for the token after the next.
func tiny() (model.Weights, model.Config) {
	gate := moe.DeepSeekV3Gate()
	gate.TopK, gate.Groups, gate.TopGroups = 2, 2, 1
	c := model.Config{
		Vocabulary: 4, Width: 4, Layers: 2, Dense: 1, Inner: 3, ExpertInner: 2, Experts: 4, SharedExperts: 1,
		QueryLatent: 3, Latent: 2, Depths: 1, Eps: 1e-6, Gate: gate,
		Attention: mla.Config{Heads: 2, NopeDim: 1, RopeDim: 2, ValueDim: 2, Eps: 1e-6, Base: 10000, Causal: true},
	}
	w := model.NewWeights(c)
	seed := 0
	w.Each(func(_ string, x *tensor.Tensor) {
		for i := range x.Data {
			seed++
			x.Data[i] = float64(seed*seed*31%13-6) / 8
			if len(x.Shape) == 1 { // norms
				x.Data[i] = 1
			}
		}
	})
	return w, c
}

// Three tokens go through a whole model; every tensor is shown, one token after the other, in the
// order in which it is computed.
func Example() {
	w, c := tiny()
	model.Forward([]int{2, 0, 3}, w, c, func(name string, x *mat.Dense) {
		rows, _ := x.Dims()
		var tokens []string
		for t := range rows {
			tokens = append(tokens, strings.Trim(fmt.Sprintf("%6.2f", rounded(x.RawRowView(t))), "[]"))
		}
		fmt.Printf("%s\n%s\n", strings.TrimPrefix(name, "model."), strings.Join(tokens, " |"))
	})

	// Output:
	// embed_tokens
	//  -0.50   0.00   0.13  -0.13 | -0.13   0.13   0.00  -0.50 | -0.75  -0.13   0.13   0.00
	// layers.0.input_layernorm
	//  -1.89   0.00   0.47  -0.47 | -0.47   0.47   0.00  -1.89 | -1.95  -0.32   0.32   0.00
	// layers.0.self_attn.q_a_layernorm
	//  -1.61   0.36  -0.54 | -0.63  -0.57  -1.51 | -0.93   1.28   0.70
	// layers.0.self_attn.kv_a_layernorm
	//  -0.82  -1.15 | -0.69   1.23 | -0.41  -1.35
	// layers.0.self_attn.rope_key
	//   0.29   0.47 | -0.10   1.81 | -0.15  -0.16
	// layers.0.self_attn.query.0
	//   0.11   1.09  -0.31 |  0.12   0.27   0.25 |  0.07   0.16   0.76
	// layers.0.self_attn.key.0
	//  -0.80   0.29   0.47 | -0.13  -0.10   1.81 | -0.59  -0.15  -0.16
	// layers.0.self_attn.value.0
	//   0.41   0.04 |  0.35  -0.24 |  0.21   0.12
	// layers.0.self_attn.weights.0
	//   1.00   0.00   0.00 |  0.46   0.54   0.00 |  0.28   0.51   0.21
	// layers.0.self_attn.output.0
	//   0.41   0.04 |  0.38  -0.11 |  0.34  -0.09
	// layers.0.self_attn.query.1
	//  -0.92   0.74   0.00 | -1.13  -0.51   0.48 |  0.39   0.62   0.89
	// layers.0.self_attn.key.1
	//   0.76   0.29   0.47 |  0.37  -0.10   1.81 |  0.48  -0.15  -0.16
	// layers.0.self_attn.value.1
	//  -0.10   0.12 | -0.09   0.65 | -0.05  -0.13
	// layers.0.self_attn.weights.1
	//   1.00   0.00   0.00 |  0.32   0.68   0.00 |  0.32   0.50   0.18
	// layers.0.self_attn.output.1
	//  -0.10   0.12 | -0.09   0.48 | -0.09   0.34
	// layers.0.self_attn
	//   0.20  -0.07  -0.11   0.10 | -0.10  -0.37  -0.30   0.09 | -0.04  -0.26  -0.22   0.06
	// layers.0.attended
	//  -0.30  -0.07   0.02  -0.03 | -0.22  -0.24  -0.30  -0.41 | -0.79  -0.38  -0.10   0.06
	// layers.0.post_attention_layernorm
	//  -1.93  -0.47   0.11  -0.19 | -0.74  -0.79  -1.00  -1.36 | -1.78  -0.87  -0.22   0.14
	// layers.0.mlp
	//  -0.04  -0.08  -0.23   0.37 |  0.00   0.00  -0.06   0.18 |  0.11  -0.11  -0.48   0.70
	// layers.0
	//  -0.35  -0.15  -0.21   0.34 | -0.22  -0.24  -0.36  -0.23 | -0.68  -0.49  -0.58   0.77
	// layers.1.input_layernorm
	//  -1.26  -0.55  -0.76   1.24 | -0.82  -0.90  -1.34  -0.85 | -1.06  -0.77  -0.91   1.20
	// layers.1.self_attn.q_a_layernorm
	//  -0.88  -1.35   0.63 |  0.38  -1.66   0.32 | -0.82  -1.47   0.39
	// layers.1.self_attn.kv_a_layernorm
	//   0.20   1.40 |  0.23   1.40 |  0.38   1.36
	// layers.1.self_attn.rope_key
	//   0.86  -0.54 | -0.17  -0.39 | -0.01   1.00
	// layers.1.self_attn.query.0
	//   0.83  -1.24   0.52 |  0.91  -0.26  -0.69 |  0.83   0.14  -1.41
	// layers.1.self_attn.key.0
	//  -0.32   0.86  -0.54 | -0.35  -0.17  -0.39 | -0.45  -0.01   1.00
	// layers.1.self_attn.value.0
	//   0.02   0.25 |  0.03   0.23 |  0.05   0.15
	// layers.1.self_attn.weights.0
	//   1.00   0.00   0.00 |  0.48   0.52   0.00 |  0.49   0.39   0.12
	// layers.1.self_attn.output.0
	//   0.02   0.25 |  0.03   0.24 |  0.03   0.23
	// layers.1.self_attn.query.1
	//   1.05  -0.42  -0.68 |  1.16   0.57  -0.50 |  1.16   0.93   0.10
	// layers.1.self_attn.key.1
	//   1.00   0.86  -0.54 |  1.02  -0.17  -0.39 |  1.09  -0.01   1.00
	// layers.1.self_attn.value.1
	//  -0.65   0.18 | -0.64   0.17 | -0.59   0.17
	// layers.1.self_attn.weights.1
	//   1.00   0.00   0.00 |  0.59   0.41   0.00 |  0.43   0.25   0.31
	// layers.1.self_attn.output.1
	//  -0.65   0.18 | -0.65   0.17 | -0.63   0.17
	// layers.1.self_attn
	//  -0.09  -0.18   0.40   0.44 | -0.08  -0.17   0.40   0.44 | -0.08  -0.16   0.39   0.42
	// layers.1.attended
	//  -0.44  -0.33   0.19   0.78 | -0.30  -0.42   0.04   0.21 | -0.76  -0.65  -0.19   1.19
	// layers.1.post_attention_layernorm
	//  -0.90  -0.68   0.40   1.60 | -1.09  -1.50   0.14   0.74 | -0.96  -0.84  -0.24   1.52
	// layers.1.mlp.gate
	//  -1.69  -1.34  -0.78   0.00 | -1.95  -0.76  -0.42  -0.94 | -1.95  -1.22  -0.74  -0.53
	// layers.1.mlp.gate.weights
	//   0.00   0.00   0.97   1.53 |  0.00   0.00   1.46   1.04 |  0.00   0.00   1.16   1.34
	// layers.1.mlp.experts
	//  -0.10  -0.38  -0.02  -0.08 | -0.49  -0.06  -0.30   0.40 | -0.20   0.00  -0.10   0.18
	// layers.1.mlp.shared_experts
	//  -0.13   0.03  -0.20   0.03 | -0.17   0.03  -0.12   0.06 | -0.12   0.02  -0.10   0.04
	// layers.1.mlp
	//  -0.23  -0.35  -0.21  -0.05 | -0.66  -0.04  -0.42   0.46 | -0.31   0.02  -0.20   0.22
	// layers.1
	//  -0.66  -0.68  -0.02   0.73 | -0.96  -0.45  -0.38   0.66 | -1.07  -0.64  -0.39   1.41
	// norm
	//  -1.11  -1.14  -0.03   1.22 | -1.47  -0.69  -0.58   1.01 | -1.12  -0.67  -0.40   1.47
	// lm_head
	//  -0.96  -0.12   0.18  -2.02 | -0.80   0.21   0.36  -2.00 | -0.66   0.06   0.43  -1.95
	// layers.2.eh_proj
	//  -0.23   0.14  -0.09   1.14 |  0.11   2.21   0.55  -0.63
	// layers.2.input_layernorm
	//  -0.39   0.24  -0.15   1.94 |  0.09   1.87   0.47  -0.53
	// layers.2.self_attn.q_a_layernorm
	//   0.47  -1.03  -1.31 | -0.35   1.60   0.57
	// layers.2.self_attn.kv_a_layernorm
	//  -0.36   1.37 |  0.44  -1.34
	// layers.2.self_attn.rope_key
	//   1.38   0.02 |  1.03  -0.21
	// layers.2.self_attn.query.0
	//  -1.31   0.70   0.04 |  0.93  -0.17  -0.02
	// layers.2.self_attn.key.0
	//   0.22   1.38   0.02 | -0.22   1.03  -0.21
	// layers.2.self_attn.value.0
	//  -0.68   0.77 |  0.67  -0.73
	// layers.2.self_attn.weights.0
	//   1.00   0.00 |  0.55   0.45
	// layers.2.self_attn.output.0
	//  -0.68   0.77 | -0.07   0.09
	// layers.2.self_attn.query.1
	//  -0.39   0.19  -0.67 |  0.14  -1.13  -0.05
	// layers.2.self_attn.key.1
	//   0.12   1.38   0.02 | -0.06   1.03  -0.21
	// layers.2.self_attn.value.1
	//   0.18  -0.22 | -0.22   0.22
	// layers.2.self_attn.weights.1
	//   1.00   0.00 |  0.45   0.55
	// layers.2.self_attn.output.1
	//   0.18  -0.22 | -0.04   0.03
	// layers.2.self_attn
	//   0.44   0.51  -0.58  -0.54 |  0.04   0.05  -0.06  -0.05
	// layers.2.attended
	//   0.21   0.65  -0.67   0.61 |  0.14   2.26   0.49  -0.68
	// layers.2.post_attention_layernorm
	//   0.37   1.15  -1.18   1.07 |  0.12   1.87   0.41  -0.56
	// layers.2.mlp.gate
	//   1.11   0.65   0.90   0.12 |  0.34  -0.45  -0.33   1.63
	// layers.2.mlp.gate.weights
	//   1.33   1.17   0.00   0.00 |  0.00   0.00   0.83   1.67
	// layers.2.mlp.experts
	//  -0.13   0.10  -0.12  -0.06 | -0.24  -0.32  -0.14  -0.02
	// layers.2.mlp.shared_experts
	//   0.01   0.00   0.03   0.00 | -0.34   0.02  -0.57   0.08
	// layers.2.mlp
	//  -0.11   0.10  -0.09  -0.06 | -0.58  -0.30  -0.72   0.06
	// layers.2
	//   0.10   0.75  -0.75   0.55 | -0.43   1.96  -0.23  -0.62
	// layers.2.shared_head.head
	//   1.04   0.69   0.88   0.11 |  0.32  -0.05  -0.09   1.14
}

// rounded returns numbers to two digits, without −0.
func rounded(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.Round(100*v)/100 + 0
	}
	return y
}

// A model learns a sentence by heart, the next tokens and the ones after them.
func Example_training() {
	w, c := tiny()
	sentence := []int{2, 0, 3, 1, 1, 2}
	for step := range 61 {
		logits := model.Forward(sentence[:5], w, c, nil)
		if step%15 == 0 {
			fmt.Printf("step %2d: loss %.2f, of the next tokens alone %.2f\n",
				step, model.Loss(logits, sentence, 0.3), model.LanguageLoss(logits[0], sentence))
		}
		dlogits := model.LossBackward(logits, sentence, 0.3)
		model.Descend(w, model.Backward(sentence[:5], w, c, dlogits), 0.1)
	}

	// Output:
	// step  0: loss 2.43, of the next tokens alone 2.01
	// step 15: loss 0.91, of the next tokens alone 0.64
	// step 30: loss 0.52, of the next tokens alone 0.38
	// step 45: loss 0.50, of the next tokens alone 0.37
	// step 60: loss 0.19, of the next tokens alone 0.11
}
