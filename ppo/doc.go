// Package ppo holds proximal policy optimisation as language models are trained with it: surrogates
// of one token with their derivatives, the loss of the value function, generalised advantage
// estimation, and the rewards of InstructGPT and DeepSeekMath.
//
// Everything is float64. What papers maximise is here minimised, with the sign changed, unless a
// function is called an objective. Numbers of PPO are those of arXiv 1707.06347, of GAE those of
// 1506.02438. Notation:
//
//	r_t        π/π_old of a token; see policy.Ratio
//	A_t, Â_t   advantage of a token, held fixed
//	ε          half the width of the clip: r is kept in [1 − low, 1 + high]
//	V_t, R_t   value of the state before token t, and the return that it is fitted to
//	r_t        in advantage estimation, the reward that token t brings
//	δ_t        temporal-difference error of token t
//	γ, λ       discount, and the weight of longer estimates
//	β          weight of a divergence
//
// A function of one token returns its loss and the derivative of that for log π of the token;
// policy.TokenWeights says what tokens weigh in the loss of a batch, policy.Aggregate sums them up.
//
// # Where a derivative jumps
//
// On a boundary, where both branches of a minimum or maximum are equal, the derivative is that of
// the branch without clip. (PyTorch halves it between the two branches: one half at r = c of the
// dual clip. At r = 1 ± ε the sum is the same as here as long as its clamp passes the derivative on
// the boundary too, as it did up to release 2.5.1; since some later one clamp passes 0 there, or ½
// where the bounds are tensors, and the sum is ½ or ¾ of it.)
//
// # Where a formula has no number
//
// An advantage of 0 gives loss 0 and derivative 0, whatever the ratio, also where e^{log r} has
// overflowed. An infinite ratio gives the limit: the clipped loss where the clip binds, ∞ where it
// does not.
package ppo
