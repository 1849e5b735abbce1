// ppo.value_loss: half the squared error of values, the larger of it and that of the value clipped to the old one ± clip, with its gradient.
//
// Roundings. All in float32 (accumulate F32). Edges of the clip, errors and their squares are an operation each; the gradient is the error times the rounded weight.
// Sums are those of aggregate.h. The loss is float32, the gradient has the type of the values and is 0 outside the mask.
#include "aggregate.h"

namespace plumbline {
namespace VARIANT {
namespace {

template <class T> __global__ void valueKernel(ValueLossCall c) {
  SHARED_MEMORY(memory);
  const T *values = static_cast<const T *>(c.values), *old = static_cast<const T *>(c.old), *returns = static_cast<const T *>(c.returns);
  const float weight = c.weights[blockIdx.y];
  float losses = 0;
  eachToken(c, [&](int t, int64_t at) {
    Term term{0, 0};
    if (countsHere(c, t)) term = valueTerm(toFloat(values[at]), toFloat(old[at]), toFloat(returns[at]), c.clip);
    losses += term.loss;
    store(static_cast<T *>(c.dvalues) + at, term.slope * weight);
  });
  losses = blockSum<tokenThreads>(losses, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) c.losses[chunkNow(c)] = losses;
}

}  // namespace

void ppoValueLoss(const ValueLossCall &c) {
  findWeights(c);
  launch(c.type == BF16 ? valueKernel<bf16> : valueKernel<float>, gridOf(c), tokenThreads, sumBytes, c);
  addUp(c);
}

}  // namespace VARIANT
}  // namespace plumbline
