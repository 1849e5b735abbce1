// What the kernels of a mixture of experts share: numbers of several types, tiles of sorted rows, an expert's activation, and the sum of its experts for each
// token.
#pragma once
#include "bf16.h"
#include "launch.h"

namespace plumbline {

DEVICE float readAs(const void *x, Type type, int64_t i) { return type == BF16 ? toFloat(static_cast<const bf16 *>(x)[i]) : static_cast<const float *>(x)[i]; }
DEVICE void storeInt(void *to, bool wide, int64_t i, int value) {
  if (wide) {
    static_cast<int64_t *>(to)[i] = value;
  } else {
    static_cast<int *>(to)[i] = value;
  }
}

// RowTile is some of an expert's rows, at most ROWS; none where a block has nothing to do.
struct RowTile {
  int expert, first, rows;
};

// rowTile returns tile number t of rows that are sorted by expert, each expert's in tiles of its own. Without counts all rows are one expert's.
template <int ROWS> DEVICE RowTile rowTile(const int *counts, int E, int all, int t) {
  if (counts == nullptr) return {0, t * ROWS, least(ROWS, all - t * ROWS)};
  int first = 0;
  for (int e = 0; e < E; e++) {
    const int rows = counts[e], tiles = ceilDivide(rows, ROWS);
    if (t < tiles) return {e, first + t * ROWS, least(ROWS, rows - t * ROWS)};
    t -= tiles;
    first += rows;
  }
  return {0, 0, 0};
}
// tilesAtMost returns how many tiles there are at most: every expert's last may be a short one.
template <int ROWS> int tilesAtMost(const int *counts, int E, int all) { return counts == nullptr ? ceilDivide(all, ROWS) : all / ROWS + least(E, all); }

namespace VARIANT {
namespace {

// activated returns SiLU(gate) · up; with a limit the gate is at most that, and up within ± that.
DEVICE float activated(float gate, float up, float limit) {
  if (limit != 0) {
    gate = fminf(gate, limit);
    up = fminf(fmaxf(up, -limit), limit);
  }
#ifdef MISTAKE_GATE_UP_SWAPPED
  return up / (1 + expf(-up)) * gate;
#endif
  return gate / (1 + expf(-gate)) * up;
}

// weightOf returns the weight of pair number n·K + k.
DEVICE float weightOf(const ExpertsCall &c, int pair) {
#ifdef MISTAKE_WEIGHT_OF_FIRST_SLOT
  pair -= pair % c.K;
#endif
  return readAs(c.weights, c.weightsType, pair);
}

// The routed or the shared experts of a call, as one product after the other.
struct Network {
  const void *gate, *up, *down;  // [E,F,d], [E,F,d], [E,d,F]
  const int *order, *counts;     // null for shared experts, which have every token
  int rows, E, F;                // rows: the most that there may be
  bool weighted;                 // hidden rows are multiplied by their weights
  void *hidden, *out;            // [rows,F] and [rows,d]
};

inline Network routedOf(const ExpertsCall &c) {
  return {c.gate, c.up, c.down, c.order, c.counts, c.N * c.K, c.E, c.F, c.weightAtHidden, c.hidden, c.routed};
}
inline Network sharedOf(const ExpertsCall &c) { return {c.sharedGate, c.sharedUp, c.sharedDown, nullptr, nullptr, c.N, 1, c.Fs, false, c.sharedHidden, c.sharedOutput}; }

inline bool hasShared(const ExpertsCall &c) {
#ifdef MISTAKE_SHARED_EXPERT_MISSING
  return false;
#endif
  return c.sharedGate != nullptr;
}

constexpr int combineThreads = 128;

// Sums a token's experts in the order of its slots, then adds the shared ones.
template <class T> __global__ void combineKernel(ExpertsCall c, bool shared) {
  const int64_t n = blockIdx.y;
  const int column = blockIdx.x * combineThreads + threadIdx.x;
  if (column >= c.d) return;
  const T *routed = static_cast<const T *>(c.routed);
  float sum = 0;
  for (int k = 0; k < c.K; k++) {
    const int pair = int(n) * c.K + k;
    if (c.indices[pair] < 0) continue;
    sum = fmaf(c.weightAtHidden ? 1.0f : weightOf(c, pair), toFloat(routed[int64_t(c.place[pair]) * c.d + column]), sum);
  }
  if (shared) sum += toFloat(static_cast<const T *>(c.sharedOutput)[n * c.d + column]);
  store(static_cast<T *>(c.y) + n * c.d + column, sum);
}

template <class T> void combine(const ExpertsCall &c) {
  launch(combineKernel<T>, dim3(ceilDivide(c.d, combineThreads), c.N), combineThreads, 0, c, hasShared(c));
}

}  // namespace
}  // namespace VARIANT
}  // namespace plumbline
