// The loss of a policy and its gradient from log-probabilities, as kernels that policy_loss.cu and policy_loss_logits.cu run.
#pragma once
#include "aggregate.h"

namespace plumbline {
namespace VARIANT {
namespace {

// Ratios of sequences need the sums of the log-ratios first.
template <class T> __global__ void logRatioKernel(PolicyLossCall c) {
  SHARED_MEMORY(memory);
  const T *logprob = static_cast<const T *>(c.logprob), *old = static_cast<const T *>(c.old);
  float mine = 0;
  eachToken(c, [&](int t, int64_t at) {
    if (countsHere(c, t)) mine += toFloat(logprob[at]) - toFloat(old[at]);
  });
  const float sum = blockSum<tokenThreads>(mine, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) c.logRatios[chunkNow(c)] = sum;
}

// sumOfChunks adds up this block's sequence.
DEVICE float sumOfChunks(const PolicyLossCall &c, const float *parts) {
  float sum = 0;
  for (int k = 0; k < c.chunks; k++) sum += parts[int64_t(blockIdx.y) * c.chunks + k];
  return sum;
}

BOTH bool sharesGradient(const Objective &o) { return o.sequence && o.clip != clipCISPO; }

// Losses of a chunk, and the gradient unless the tokens of a sequence share it: then the sum of the surrogates' derivatives.
template <class T, class A> __global__ void policyKernel(PolicyLossCall c) {
  SHARED_MEMORY(memory);
  const T *logprob = static_cast<const T *>(c.logprob), *old = static_cast<const T *>(c.old), *ref = static_cast<const T *>(c.ref);
  const A *advantage = static_cast<const A *>(c.advantage);
  const Objective o = c.objective;
  const float weight = c.weights[blockIdx.y], mean = o.sequence ? sumOfChunks(c, c.logRatios) / c.tokensOf[blockIdx.y] : 0;
  float losses = 0, slopes = 0;
  eachToken(c, [&](int t, int64_t at) {
    float gradient = 0;
    if (countsHere(c, t)) {
      const float logp = toFloat(logprob[at]), x = o.sequence ? mean : logp - toFloat(old[at]);
      const Term term = surrogate(o, x, logp, toFloat(advantage[c.perToken ? at : int64_t(blockIdx.y)]));
      const Term kl = ref ? divergence(o.kl, logp, toFloat(ref[at]), 0) : Term{0, 0};
      losses += ref ? term.loss + o.coefficient * kl.loss : term.loss;
      slopes += term.slope;
      gradient = (ref ? term.slope + o.coefficient * kl.slope : term.slope) * weight;
    }
    if (!sharesGradient(o)) store(static_cast<T *>(c.dlogprob) + at, gradient);
  });
  losses = blockSum<tokenThreads>(losses, reinterpret_cast<float *>(memory));
  slopes = blockSum<tokenThreads>(slopes, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) c.losses[chunkNow(c)] = losses;
  if (threadIdx.x == 0 && o.sequence) c.slopes[chunkNow(c)] = slopes;
}

// Every token of a sequence gets its part of the gradient of their common ratio.
template <class T> __global__ void shareKernel(PolicyLossCall c) {
  const T *logprob = static_cast<const T *>(c.logprob), *ref = static_cast<const T *>(c.ref);
  const float weight = c.weights[blockIdx.y], share = sumOfChunks(c, c.slopes) / sequenceShare(c.tokensOf[blockIdx.y]);
  eachToken(c, [&](int t, int64_t at) {
    float gradient = 0;
    if (countsHere(c, t)) {
      const float kl = ref ? c.objective.coefficient * divergence(c.objective.kl, toFloat(logprob[at]), toFloat(ref[at]), 0).slope : 0;
      gradient = (share + kl) * weight;
    }
    store(static_cast<T *>(c.dlogprob) + at, gradient);
  });
}

template <class T> void runPolicyLoss(const PolicyLossCall &c) {
  findWeights(c);
  if (c.objective.sequence) launch(logRatioKernel<T>, gridOf(c), tokenThreads, sumBytes, c);
  launch(c.advantageType == BF16 ? policyKernel<T, bf16> : policyKernel<T, float>, gridOf(c), tokenThreads, sumBytes, c);
  if (sharesGradient(c.objective)) launch(shareKernel<T>, gridOf(c), tokenThreads, 0, c);
  addUp(c);
}

}  // namespace
}  // namespace VARIANT
}  // namespace plumbline
