package dpo

import "plumbline/numbers/logistic"

// SigmoidLoss returns the loss of a pair and its derivative for h, with a share of the label given
// to the other order.
//
//	L = −(1−ε) log σ(βh) − ε log σ(−βh)
//	∂L/∂h = −β ((1−ε) σ(−βh) − ε σ(βh))
//
// h is the margin in log-ratios, smoothing is ε. With ε = 0 it is DPO's own loss, ln 2 at π = π_ref
// and falling without end; with ε > 0 it is conservative, least where σ(βh) = 1−ε, and there the
// entropy of ε. Differs in code: fused losses that drop ε, or give its share to σ(βh); neither
// shows at ε = 0. It implements DPO (7) and conservative DPO (Mitchell 2023) (3).
func SigmoidLoss(h, beta, smoothing float64) (loss, dh float64) {
	x, epsilon := beta*h, smoothing
	loss = -share(1-epsilon, logistic.LogSigmoid(x)) - share(epsilon, logistic.LogSigmoid(-x))
	dh = -beta * ((1-epsilon)*logistic.Sigmoid(-x) - epsilon*logistic.Sigmoid(x))
	return loss, dh
}

// Robust returns the loss of a pair and its derivative for h that are right on average when a share
// of the labels is wrong.
//
//	L = (−(1−ε) log σ(βh) + ε log σ(−βh))/(1−2ε)
//	∂L/∂h = −β ((1−ε) σ(−βh) + ε σ(βh))/(1−2ε)
//
// h is the margin in log-ratios, smoothing is ε < ½. Seen with the label as it is in 1−ε of the
// cases and swapped in ε of them, its mean is DPO's loss without noise. The sign of ε is the other
// one than in SigmoidLoss. It implements robust DPO (Chowdhury et al. 2024), loss_type "robust" of
// TRL's code.
func Robust(h, beta, smoothing float64) (loss, dh float64) {
	x, epsilon := beta*h, smoothing
	loss = (-share(1-epsilon, logistic.LogSigmoid(x)) + share(epsilon, logistic.LogSigmoid(-x))) / (1 - 2*epsilon)
	dh = -beta * ((1-epsilon)*logistic.Sigmoid(-x) + epsilon*logistic.Sigmoid(x)) / (1 - 2*epsilon)
	return loss, dh
}

// share returns w·x, and 0 for w = 0 even where x is infinite, as for a response that the policy
// excludes.
func share(w, x float64) float64 {
	if w == 0 {
		return 0
	}
	return w * x
}

// IPO returns the loss of a pair that asks for one margin, not for the largest, and its derivative
// for h.
//
//	L = (h − 1/(2τ))²,  ∂L/∂h = 2 (h − 1/(2τ))
//
// h is the margin in log-ratios, tau is τ, beta of recordings. It is 0 at h = 1/(2τ) and 1/(4τ²) at
// π = π_ref. Differs in code: DPO's reference code takes h of sums over tokens (Pairs.Loss),
// Hugging Face of means (Pairs.LossPerToken), which is, it says, what the authors mean. It
// implements IPO (Azar et al. 2023) (17).
func IPO(h, tau float64) (loss, dh float64) {
	d := h - 1/(2*tau)
	return d * d, 2 * d
}

// Coefficient returns how much a pair pushes: the weight of ∇log π(y_w) − ∇log π(y_l) in the
// direction that lowers DPO's loss.
//
//	−∇L = β σ(r̂_l − r̂_w) (∇log π(y_w) − ∇log π(y_l))
//
// chosen and rejected are the implicit rewards r̂; the more wrongly the two are ordered, the nearer
// it comes to β. It implements DPO section 4, its gradient (unnumbered).
func Coefficient(chosen, rejected, beta float64) float64 {
	return beta * logistic.Sigmoid(rejected-chosen)
}
