// rope.apply and rope.table: rotary position embedding.
//
// Pairs are turned sixteen bytes at a time where a head's halves are whole packs, and one by one otherwise.
//
// Roundings. The frequency of a pair, with YaRN's stretching, is formed in float64 on the host and rounded to float32 once. The angle, position ×
// frequency, is one float32 product (angle F32); a position above 2²⁴ is rounded before it. cosf and sinf are good to 2 ulp and are multiplied by YaRN's
// amplitude in float32. An output is x_a cos − x_b sin with one product rounded and the other fused with the sum (accumulate F32, intermediate F32),
// then rounded to the output type once.
#include "launch.h"
#include "packs.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int ropeThreads = 128;

DEVICE void cosSin(float *cosine, float *sine, int64_t position, float theta, float amplitude) {
  const float angle = float(rotaryPosition(position)) * theta;
  *cosine = cosf(angle) * amplitude;
  *sine = sinf(angle) * amplitude;
}

// The cosines and sines of a token, in shared memory.
struct Turn {
  const float *cosines, *sines;

  DEVICE float first(float a, float b, int i) const { return fmaf(a, cosines[i], -(b * sines[i])); }
  DEVICE float second(float a, float b, int i) const { return fmaf(a, sines[i], b * cosines[i]); }
};

template <class T> DEVICE void turnPair(const Turn &turn, Layout layout, const T *x, T *y, int i, int pairs) {
  const Pair from = readPair(layout, i, pairs), to = writePair(layout, i, pairs);
  const float a = toFloat(x[from.first]), b = toFloat(x[from.second]);
  store(&y[to.first], turn.first(a, b, i));
  store(&y[to.second], turn.second(a, b, i));
}

// A pack of pairs from i on is two packs of elements: side by side where the two of a pair are neighbours, in either half otherwise.
template <class T> struct PairPacks {
  static constexpr int width = Pack<T>::width;
  int first, second;
  bool neighbours;

  DEVICE PairPacks(Pair p) : first(p.first), second(p.second == p.first + 1 ? p.first + width : p.second), neighbours(p.second == p.first + 1) {}
};

template <class T> DEVICE void turnPack(const Turn &turn, Layout layout, const T *x, T *y, int i, int pairs) {
  constexpr int width = Pack<T>::width;
  const PairPacks<T> from(readPair(layout, i, pairs)), to(writePair(layout, i, pairs));
  Pack<T> low = loadPack(x + from.first), high = loadPack(x + from.second);
  float p[width], q[width];
#pragma unroll
  for (int k = 0; k < width; k++) {
    const Pack<T> &holds = k < width / 2 ? low : high;  // both of pair k, where they are neighbours
    const int at = 2 * k % width;
    const float a = from.neighbours ? toFloat(holds.x[at]) : toFloat(low.x[k]), b = from.neighbours ? toFloat(holds.x[at + 1]) : toFloat(high.x[k]);
    p[k] = turn.first(a, b, i + k);
    q[k] = turn.second(a, b, i + k);
  }
#pragma unroll
  for (int k = 0; k < width; k++) {
    store(&low.x[k], to.neighbours ? (k % 2 == 0 ? p[k / 2] : q[k / 2]) : p[k]);
    store(&high.x[k], to.neighbours ? (k % 2 == 0 ? p[(width + k) / 2] : q[(width + k) / 2]) : q[k]);
  }
  storePack(y + to.first, low);
  storePack(y + to.second, high);
}

// One block rotates all heads of one token: cosines and sines are made once.
template <class T> __global__ void ropeKernel(RopeCall c) {
  SHARED_MEMORY(memory);
  const int pairs = c.D / 2;
  float *cosines = reinterpret_cast<float *>(memory), *sines = cosines + pairs;
  const int64_t n = blockIdx.x;
  for (int i = threadIdx.x; i < pairs; i += ropeThreads) {
    cosSin(&cosines[i], &sines[i], c.positions[n], c.theta[i], c.amplitude);
    if (c.inverse) sines[i] = -sines[i];
  }
  barrier();
  const Turn turn{cosines, sines};
  const Layout layout = Layout(c.layout);
  const bool inPacks = pairs % Pack<T>::width == 0 && packed(c.x) && packed(c.y);
  const int step = inPacks ? Pack<T>::width : 1;
  for (int work = threadIdx.x; work < c.H * pairs / step; work += ropeThreads) {
    const int h = work / (pairs / step), i = work % (pairs / step) * step;
    const T *x = static_cast<const T *>(c.x) + (n * c.H + h) * c.D;
    T *y = static_cast<T *>(c.y) + (n * c.H + h) * c.D;
    if (inPacks) {
      turnPack(turn, layout, x, y, i, pairs);
    } else {
      turnPair(turn, layout, x, y, i, pairs);
    }
  }
}

__global__ void ropeTableKernel(RopeTableCall c) {
  const int64_t n = blockIdx.x;
  for (int i = threadIdx.x; i < c.pairs; i += ropeThreads) {
    cosSin(&c.cos[n * c.pairs + i], &c.sin[n * c.pairs + i], c.positions[n], c.theta[i], c.amplitude);
  }
}

}  // namespace

void ropeApply(const RopeCall &c) {
  const size_t shared = size_t(c.D) * sizeof(float);
  if (c.type == BF16) {
    launch(ropeKernel<bf16>, dim3(c.N), ropeThreads, shared, c);
  } else {
    launch(ropeKernel<float>, dim3(c.N), ropeThreads, shared, c);
  }
}

void ropeTable(const RopeTableCall &c) { launch(ropeTableKernel, dim3(c.N), ropeThreads, 0, c); }

}  // namespace VARIANT
}  // namespace plumbline
