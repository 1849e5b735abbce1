// ppo.loss and grpo.loss: the loss of a policy and its gradient for log-probabilities, fused. Ratios of tokens or of sequences; clipped as in PPO, GPPO or CISPO, or
// not; a dual clip; a divergence from the reference.
//
// Roundings. All in float32 (accumulate F32). A log-ratio is rounded once; as a mean over a sequence it is a sum in the order of aggregate.h, divided once. Ratio
// and k3 are exponentials (expf, 2 ulp); products follow in the order of objective.h, the gradient's weight last. The derivative of a sequence's ratio is summed
// like its losses, divided by the tokens, then weighted. The loss is float32, the gradient has the type of the log-probabilities and is 0
// outside the mask. No atomics: two runs give the same bits.
#include "policy_loss.h"

namespace plumbline {
namespace VARIANT {

void policyLoss(const PolicyLossCall &c) { c.type == BF16 ? runPolicyLoss<bf16>(c) : runPolicyLoss<float>(c); }

}  // namespace VARIANT
}  // namespace plumbline
