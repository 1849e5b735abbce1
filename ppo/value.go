package ppo

// ValueLoss returns half the squared error of a value, and its derivative for the value.
//
//	L = (V − R)²/2,  ∂L/∂V = V − R
//
// ret is R, the return, held fixed.
// Differs in print: (9) has the squared error without the half, which c_1 takes up.
// It implements PPO (9), its L^VF.
func ValueLoss(value, ret float64) (loss, dvalue float64) {
	e := value - ret
	return e * e / 2, e
}

// ValueLossClipped returns the larger of the losses of the value and of the value kept near the one
// that the sampler had.
//
//	L = max((V−R)², (clip(V, V_old − c, V_old + c) − R)²)/2
//	∂L/∂V = V − R for (V−R)² ≥ (clip(V, V_old − c, V_old + c) − R)²,  0 otherwise
//
// old is V_old, ret is R, c the half width of the clip, in units of reward; without a clip it is
// ValueLoss. The derivative is 0 only where the clip holds the value back from its return. Where
// both losses are equal it is V − R, outside the clip too. It implements PPO (9), its L^VF, clipped
// as verl's and TRL's code do.
func ValueLossClipped(value, old, ret, c float64) (loss, dvalue float64) {
	loss, dvalue = ValueLoss(value, ret)
	clipped, _ := ValueLoss(min(max(value, old-c), old+c), ret)
	if clipped > loss {
		return clipped, 0
	}
	return loss, dvalue
}
