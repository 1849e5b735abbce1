// ppo.loss and grpo.loss straight from logits, with the gradient for them: a pass over the logits for each token's log-probability, the loss of policy_loss.h, and a
// second pass for the gradient. No log-softmax is stored, only its maximum and sum.
//
//	dlogits_j = dlogprob (𝟙[j = token] − p_j)/T,  p_j = e^{x_j − m}/s,  x = z/T
//
// Roundings. Those of policy_logprob.cu and of policy_loss.cu; log-probabilities and their gradient are float32. In the second pass p_j is an
// exponential (expf, 2 ulp) times the rounded 1/s, subtracted, and multiplied by dlogprob/T, which is rounded once; the result is rounded to the type of the
// logits. Rows outside the mask are not read, and get zeros.
#include "log_softmax.h"
#include "policy_loss.h"

namespace plumbline {
namespace VARIANT {
namespace {

DEVICE bool countsAt(const PolicyLossCall &p, int64_t row) { return counts(p.mask + row / p.L * p.L, int(row % p.L), p.L); }

template <class T> __global__ void forwardKernel(PolicyLogitsCall c) {
  SHARED_MEMORY(memory);
  const int64_t row = blockIdx.x;
  if (!countsAt(c.policy, row)) return;
  const T *logits = static_cast<const T *>(c.logits) + row * c.vocab;
  const float factor = 1 / temperatureAsRead(c.temperature);
  const Softmax all = softmaxOf(logits, c.vocab, factor, reinterpret_cast<Softmax *>(memory));
  if (threadIdx.x != 0) return;
  const float x = toFloat(logits[c.tokens[row]]) * factor;
  c.logprob[row] = all.m == minusInfinity ? minusInfinity : x - all.m - logf(all.s);
  c.maximum[row] = all.m;
  c.inverse[row] = 1 / all.s;
}

template <class T> __global__ void backwardKernel(PolicyLogitsCall c) {
  const int64_t row = blockIdx.x;
  const T *logits = static_cast<const T *>(c.logits) + row * c.vocab;
  T *dlogits = static_cast<T *>(c.dlogits) + row * c.vocab;
  const float dlogprob = static_cast<const float *>(c.policy.dlogprob)[row];
  if (dlogprob == 0 || !countsAt(c.policy, row)) {
    for (int j = threadIdx.x; j < c.vocab; j += rowThreads) store(&dlogits[j], 0);
    return;
  }
  const float factor = 1 / temperatureAsRead(c.temperature), slope = dlogprob * factor, m = c.maximum[row], inverse = c.inverse[row];
  const int token = c.tokens[row];
  mapElements<rowThreads>(logits, dlogits, c.vocab, [&](int j, float z) {
    const float p = expf(z * factor - m) * inverse;
    return slope * (j == token ? 1 - p : -p);
  });
}

template <class T> void run(const PolicyLogitsCall &c) {
  const dim3 rows(unsigned(c.policy.N) * unsigned(c.policy.L));
  launch(forwardKernel<T>, rows, rowThreads, rowThreads / 32 * sizeof(Softmax), c);
  runPolicyLoss<float>(c.policy);
  launch(backwardKernel<T>, rows, rowThreads, 0, c);
}

}  // namespace

void policyLossLogits(const PolicyLogitsCall &c) { c.type == BF16 ? run<bf16>(c) : run<float>(c); }

}  // namespace VARIANT
}  // namespace plumbline
