package model

// Bubble1F1B returns how long a stage of a pipeline waits in a step of the schedule 1F1B.
//
//	(PP − 1) (F + B)
//
// PP are the stages, F and B the times of a micro-batch in one stage, forward and backward. It
// implements DeepSeek-V3 section 3.2.1, Table 2.
func Bubble1F1B(stages, forward, backward float64) float64 {
	return (stages - 1) * (forward + backward)
}

// BubbleZB1P returns how long a stage waits in ZB1P, where gradients of weights are put off until
// there is nothing else to do.
//
//	(PP − 1) (F + B − 2 W)
//
// W is the time of the gradients of the weights, which B has in it. It implements DeepSeek-V3
// section 3.2.1, Table 2.
func BubbleZB1P(stages, forward, backward, weights float64) float64 {
	return (stages - 1) * (forward + backward - 2*weights)
}

// BubbleDualPipe returns how long a stage waits in DualPipe, where micro-batches come from both
// ends and a forward is computed while a backward communicates. A stage keeps the parameters of
// two, and the activations of PP+1 micro-batches instead of PP.
//
//	(PP/2 − 1) (F&B + B − 3 W)
//
// F&B is the time of a forward and a backward that overlap; PP is even. It implements DeepSeek-V3
// section 3.2.1, Table 2.
func BubbleDualPipe(stages, overlapped, backward, weights float64) float64 {
	return (stages/2 - 1) * (overlapped + backward - 3*weights)
}
