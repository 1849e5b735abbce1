// Package rl holds the ladder of reinforcement learning that leads to PPO and GRPO, each rung on
// problems small enough to be solved exactly (process.go does that): Monte Carlo and temporal
// differences (mc.go, td.go), Q-learning and its deep forms (q.go, dqn.go), the policy gradient and
// the actor with its critic (pg.go, ac.go), and trust regions (trpo.go).
//
// # Notation
//
//	s, a, r   state, action, and the reward that follows, r_{t+1} for the action at t;
//	          states and actions count from 0
//	γ, α      discount and step size
//	G_t       return, what follows t: r_{t+1} + γ r_{t+2} + …
//	V, Q      values of states [S], of actions in states [S × A]
//	A         advantage, Q − V
//	δ         temporal-difference error; in TRPO the radius of the trust region
//	π         policy, here a softmax of logits z: π(a) = e^{z_a} / Σ_b e^{z_b}
//	ψ         what an action's log-probability is weighted with in a policy gradient
//	J, η      expected return of a policy (Sutton and Barto's letter, and TRPO's)
//	ρ         expected discounted number of visits to each state; Σ ρ = 1/(1−γ) where nothing ends
//	θ, θ⁻     parameters, and those of the copy that a target is computed with
//	H         Hessian of the mean KL at the old policy: the Fisher information
//
// A row of logits is one state or one sample. A step that ends its episode has done: nothing after
// it is looked at, so whatever lies there, a NaN too, reaches no result. An episode that is only
// cut off has not ended.
//
// Objectives (J, η, surrogates) are maximised and losses minimised; their gradients are of the
// value as it stands. Nothing here keeps state or draws numbers: an update returns the new value,
// and the caller stores it.
//
// # Sources
//
// Sutton and Barto is Reinforcement Learning: An Introduction, second edition, 2018. DQN is Mnih et
// al. 2013 (1312.5602). Double DQN is van Hasselt, Guez and Silver 2016 (1509.06461). GAE is
// Schulman et al. 2016 (1506.02438). TRPO is Schulman et al. 2015 (1502.05477), PPO is Schulman et
// al. 2017 (1707.06347).
package rl
