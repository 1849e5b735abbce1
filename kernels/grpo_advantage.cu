// grpo.advantage: rewards relative to those of their group, one warp an output. Groups are any numbers in any order: a warp goes through the whole batch.
//
// Roundings. All in float32 (accumulate F32). Mean and sum of squared differences from it, in two passes: strided in 32 lanes, as a tree. The root, eps and the
// quotient are an operation each. A difference of 0 stays 0 whatever it is divided by. The output is float32, as trainers keep it.
#include "bf16.h"
#include "launch.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int warpsOfBlock = 8;

// overGroup adds up work(reward) over the group of output i, the same bits to every lane.
template <class T, class Work> DEVICE float overGroup(const GroupAdvantageCall &c, int i, Work work) {
  const T *rewards = static_cast<const T *>(c.rewards);
  float mine = 0;
  for (int j = threadIdx.x % 32; j < c.N; j += 32) {
    if (inGroup(c.group[i], c.group[j])) mine += work(toFloat(rewards[j]));
  }
  return warpSum(mine);
}

template <class T> __global__ void advantageKernel(GroupAdvantageCall c) {
  const int i = int(blockIdx.x) * warpsOfBlock + int(threadIdx.x) / 32;
  if (i >= c.N) return;
  const float members = overGroup<T>(c, i, [](float) { return 1.0f; });
  const float mean = members == 1 ? 0 : overGroup<T>(c, i, [](float r) { return r; }) / members;
  const float squares = overGroup<T>(c, i, [mean](float r) { return (r - mean) * (r - mean); });
  const float centred = toFloat(static_cast<const T *>(c.rewards)[i]) - mean;
  if (threadIdx.x % 32 == 0) c.advantage[i] = groupAdvantage(centred, squares, int(members), c.std, c.eps);
}

}  // namespace

void grpoAdvantage(const GroupAdvantageCall &c) {
  launch(c.type == BF16 ? advantageKernel<bf16> : advantageKernel<float>, dim3(unsigned(ceilDivide(c.N, warpsOfBlock))), warpsOfBlock * 32, 0, c);
}

}  // namespace VARIANT
}  // namespace plumbline
