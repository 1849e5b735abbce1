// What the kernels of policy.cross_entropy share: rows that count, the softmax of a row whose vocabulary was gone through in parts, the loss, and the gradient of a logit.
#pragma once
#include "log_softmax.h"
#include "launch.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int lossThreads = 256;

// divisorOf returns what the sum over the rows is divided by.
SCALAR float divisorOf(bool mean, int rows, float counted) {
#ifdef MISTAKE_IGNORED_COUNTED
  counted = float(rows);
#endif
  return mean ? counted : 1;
}

// finishRow stores what later kernels need of a row's softmax, and its loss.
DEVICE void finishRow(const CrossEntropyCall &c, int row, const Softmax &all) {
  c.maximum[row] = all.m;
  c.inverse[row] = 1 / all.s;
  c.losses[row] = c.targets[row] < 0 ? 0 : -(c.logits[row] - all.m - logf(all.s));
}

// slopeAt returns the gradient of the loss for a logit x, before it was divided by the temperature: (p − 𝟙[target]) / (T n).
DEVICE float slopeAt(const CrossEntropyCall &c, int row, int column, float x) {
  const int target = c.targets[row];
  if (target < 0) return 0;
  const float p = expf(x - c.maximum[row]) * c.inverse[row];
  return (column == target ? p - 1 : p) * *c.slope;
}

// Adds up the losses, and keeps what every gradient is multiplied by.
__global__ void crossEntropyMeanKernel(CrossEntropyCall c) {
  SHARED_MEMORY(memory);
  float *parts = reinterpret_cast<float *>(memory), sum = 0, counted = 0;
  for (int n = threadIdx.x; n < c.N; n += lossThreads) {
    sum += c.losses[n];
    counted += float(c.targets[n] >= 0);
  }
  sum = blockSum<lossThreads>(sum, parts);
  counted = blockSum<lossThreads>(counted, parts);
  if (threadIdx.x != 0) return;
  const float divisor = divisorOf(c.mean, c.N, counted);
  *c.loss = sum / divisor;
  *c.slope = 1 / (temperatureAsRead(c.temperature) * divisor);
}

inline void averageLosses(const CrossEntropyCall &c) { launch(crossEntropyMeanKernel, 1, lossThreads, lossThreads / 32 * sizeof(float), c); }

}  // namespace
}  // namespace VARIANT
}  // namespace plumbline
