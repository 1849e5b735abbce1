// The softmax of a row of logits in one pass: the maximum so far, the sum of exponentials below it and their mean, joined over a block.
#pragma once
#include <cstring>

#include "bf16.h"
#include "objective.h"
#include "reduce.h"

namespace plumbline {

constexpr int rowThreads = 512;

// A row in packs of sixteen bytes, but for its ends where it is not aligned.
template <class T> struct Packs {
  struct alignas(16) Pack {
    T x[16 / sizeof(T)];
  };
  static constexpr int width = 16 / sizeof(T);
  int head, count, tail;  // elements before the packs, packs, and the first element behind them

  DEVICE Packs(const T *row, int n) : head(least(n, int((16 - reinterpret_cast<uintptr_t>(row) % 16) % 16 / sizeof(T)))), count((n - head) / width), tail(head + count * width) {}
};

// eachElement calls work(index, value) for the elements of a row that fall to this thread.
template <class T, class Work> DEVICE void eachElement(const T *row, int n, Work work) {
  const Packs<T> packs(row, n);
  for (int i = threadIdx.x; i < packs.head; i += rowThreads) work(i, toFloat(row[i]));
  for (int p = threadIdx.x; p < packs.count; p += rowThreads) {
    const int at = packs.head + p * packs.width;
    const auto pack = *reinterpret_cast<const typename Packs<T>::Pack *>(row + at);
    for (int k = 0; k < packs.width; k++) work(at + k, toFloat(pack.x[k]));
  }
  for (int i = packs.tail + int(threadIdx.x); i < n; i += rowThreads) work(i, toFloat(row[i]));
}

// mapElements stores work(index, value) of each into another row, aligned as the first.
template <class T, class Work> DEVICE void mapElements(const T *row, T *to, int n, Work work) {
  const Packs<T> packs(row, n);
  for (int i = threadIdx.x; i < packs.head; i += rowThreads) store(&to[i], work(i, toFloat(row[i])));
  for (int p = threadIdx.x; p < packs.count; p += rowThreads) {
    const int at = packs.head + p * packs.width;
    auto pack = *reinterpret_cast<const typename Packs<T>::Pack *>(row + at);
    for (int k = 0; k < packs.width; k++) store(&pack.x[k], work(at + k, toFloat(pack.x[k])));
    *reinterpret_cast<typename Packs<T>::Pack *>(to + at) = pack;
  }
  for (int i = packs.tail + int(threadIdx.x); i < n; i += rowThreads) store(&to[i], work(i, toFloat(row[i])));
}

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
  eachElement(logits, vocab, [&](int, float z) { include(mine, z * factor); });
  mine = joinedOverWarp(mine);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = mine;
  barrier();
  Softmax all = parts[0];
  for (int w = 1; w < rowThreads / 32; w++) all = joined(all, parts[w]);
  return all;
}

}  // namespace plumbline
