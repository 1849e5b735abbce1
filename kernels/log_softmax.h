// The softmax of a row of logits in one pass: the maximum so far, the sum of exponentials below it and their mean, joined over a block.
#pragma once
#include <cstring>

#include "objective.h"
#include "packs.h"
#include "reduce.h"

namespace plumbline {

constexpr int rowThreads = 512;

// Softmax of some x: their maximum m, s = Σ e^{x−m}, and t = Σ e^{x−m} (x−m). Without any, m is −∞.
struct Softmax {
  float m = minusInfinity, s = 0, t = 0;
};

// scaledTo moves what is summed to a larger maximum.
DEVICE Softmax scaledTo(const Softmax &a, float m) {
  if (a.m == minusInfinity) return {m, 0, 0};
  if (a.m == m) return a;
  const float factor = expf(a.m - m);
  return {m, a.s * factor, (a.t + (a.m - m) * a.s) * factor};
}

DEVICE void include(Softmax &a, float x) {
  if (x == minusInfinity) return;
  if (x > a.m) a = scaledTo(a, x);
  const float e = expf(x - a.m);
  a.s += e;
  a.t += e * (x - a.m);
}

DEVICE Softmax joined(const Softmax &a, const Softmax &b) {
  const float m = a.m > b.m ? a.m : b.m;
  if (m == minusInfinity) return a;
  const Softmax x = scaledTo(a, m), y = scaledTo(b, m);
  return {m, x.s + y.s, x.t + y.t};
}

DEVICE Softmax joinedOverWarp(Softmax a) {
  for (int mask = 16; mask > 0; mask /= 2) a = joined(a, {shuffleXor(a.m, mask), shuffleXor(a.s, mask), shuffleXor(a.t, mask)});
  return a;
}

// softmaxOf returns that of a row of logits times a factor, the same bits to every thread of a block. parts holds one for each warp; a kernel calls it once.
template <class T> DEVICE Softmax softmaxOf(const T *logits, int vocab, float factor, Softmax *parts) {
  Softmax mine;
  eachElement<rowThreads>(logits, vocab, [&](int, float z) { include(mine, z * factor); });
  mine = joinedOverWarp(mine);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = mine;
  barrier();
  Softmax all = parts[0];
  for (int w = 1; w < rowThreads / 32; w++) all = joined(all, parts[w]);
  return all;
}

}  // namespace plumbline
