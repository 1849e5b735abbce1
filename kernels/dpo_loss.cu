// dpo.loss: losses of pairs of responses, their implicit rewards and the gradient, one thread a pair.
//
// Roundings. All in float32 (accumulate F32). Log-ratios are rounded by response, divided by lengths if that is asked for, and their difference is the margin. log σ
// is min(x, 0) − log1p(e^{−|x|}), σ a quotient of the same exponential (expf 2 ulp, log1pf 1 ulp). Losses are added up as a tree over the 256 pairs of a block,
// then over the blocks, and divided by N once; gradients are divided by N, then by a length. Loss and rewards are float32, as trainers
// keep them; gradients have the type of the log-probabilities.
#include "bf16.h"
#include "launch.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr size_t partsBytes = blockPairs / 32 * sizeof(float);

template <class T> DEVICE float logRatio(const void *logprob, const void *ref, int i) {
  return toFloat(static_cast<const T *>(logprob)[i]) - toFloat(static_cast<const T *>(ref)[i]);
}

template <class T> __global__ void pairKernel(PreferenceCall c) {
  SHARED_MEMORY(memory);
  const int i = int(blockIdx.x) * blockPairs + int(threadIdx.x);
  float loss = 0;
  if (i < c.N) {
    const float chosen = logRatio<T>(c.chosen, c.refChosen, i), rejected = logRatio<T>(c.rejected, c.refRejected, i);
    const bool divides = c.lengthsChosen && dividesByLength(c.lengthNormalize);
    const float n = divides ? c.lengthsChosen[i] : 1, k = divides ? c.lengthsRejected[i] : 1;
    const float h = chosen / n - rejected / k;
    const Term term = c.squared ? squaredPreference(h, c.half) : preference(h, c.beta, c.smoothing);
    loss = term.loss;
    c.chosenReward[i] = c.beta * chosen;
    c.rejectedReward[i] = c.beta * rejected;
    const float slope = term.slope / float(c.N);
    store(static_cast<T *>(c.dchosen) + i, slope / n);
    store(static_cast<T *>(c.drejected) + i, -slope / k);
  }
  loss = blockSum<blockPairs>(loss, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) c.losses[blockIdx.x] = loss;
}

__global__ void meanKernel(PreferenceCall c) {
  SHARED_MEMORY(memory);
  float mine = 0;
  for (int k = threadIdx.x; k < ceilDivide(c.N, blockPairs); k += blockPairs) mine += c.losses[k];
  const float sum = blockSum<blockPairs>(mine, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) *c.loss = sum / float(c.N);
}

}  // namespace

void dpoLoss(const PreferenceCall &c) {
  launch(c.type == BF16 ? pairKernel<bf16> : pairKernel<float>, dim3(unsigned(ceilDivide(c.N, blockPairs))), blockPairs, partsBytes, c);
  launch(meanKernel, dim3(1), blockPairs, partsBytes, c);
}

}  // namespace VARIANT
}  // namespace plumbline
