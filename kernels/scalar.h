// The scalar arithmetic of the kernels: masks, heads, pages, splits, rotary pairs and frequencies. No CUDA in it, so that a processor can test it.
#pragma once
#include <cmath>
#include <cstdint>

#include "variant.h"

#if defined(__CUDACC__)
#define SCALAR __host__ __device__ inline
#else
#define SCALAR inline
#endif

namespace plumbline {
namespace VARIANT {

// Mask says which keys the queries of one sequence see. keys is kv_len; query s stands at position keys − queries + s.
struct Mask {
  bool causal;
  int window;  // 0: none
  int queries, keys;
};

// Range is the keys lo ≤ j < hi.
struct Range {
  int lo, hi;
};
SCALAR bool holds(Range r, int j) { return j >= r.lo && j < r.hi; }

// bounds returns both ends of what query s sees. Neither falls from a query to the next; lo ≥ hi means that it sees nothing.
//
//	hi = min(kv_len, i+1 if causal),  lo = max(0, i+1−window if there is a window),  i = kv_len − S + s
SCALAR Range bounds(const Mask &m, int s) {
  int next = m.keys - m.queries + s + 1;
#ifdef MISTAKE_CAUSAL_TOP_LEFT
  next = s + 1;
#endif
  int last = m.keys;
#ifdef MISTAKE_DROP_LAST_KEY
  last = m.keys - 1;
#endif
  Range r{0, last};
  if (m.causal && next < r.hi) r.hi = next;
  if (m.window > 0 && next - m.window > r.lo) r.lo = next - m.window;
  return r;
}

// seenBy returns what query s sees, empty as [0, 0). A query behind the last sees nothing.
SCALAR Range seenBy(const Mask &m, int s) {
  if (s >= m.queries) return {0, 0};
  const Range r = bounds(m, s);
  return r.lo < r.hi ? r : Range{0, 0};
}

// seenByAny returns a range that holds what the queries first … last see.
SCALAR Range seenByAny(const Mask &m, int first, int last) {
  const Range r{bounds(m, first).lo, bounds(m, last).hi};
  return r.lo < r.hi ? r : Range{0, 0};
}

// groupOf returns the key and value head of query head h: neighbours share one.
SCALAR int groupOf(int h, int heads, int groups) {
#ifdef MISTAKE_HEADS_TILED
  return h % groups;
#endif
  return h / (heads / groups);
}

// throughPage returns how far a kernel goes that is to go to hi.
SCALAR int throughPage(int hi, int page) {
#ifdef MISTAKE_PAGE_END
  return (hi + page - 1) / page * page;
#endif
  return hi;
}

// pageRow returns the row of a paged cache that holds key j of a sequence with this row of the block table.
SCALAR int64_t pageRow(const int *table, int page, int j) { return int64_t(table[j / page]) * page + j % page; }

// splitTiles returns the tiles that one of several splits works on: equal shares, the last ones short or empty.
SCALAR Range splitTiles(int tiles, int splits, int split) {
  const int share = (tiles + splits - 1) / splits;
  const int lo = split * share < tiles ? split * share : tiles;
  return {lo, lo + share < tiles ? lo + share : tiles};
}

// decodeScale returns the softmax scale of a decode kernel that is asked for this one, with rows of that width.
inline double decodeScale(double scale, int width) {
#ifdef MISTAKE_SCALE_OF_LATENT
  scale = 1 / std::sqrt(double(width));
#endif
#ifdef MISTAKE_TEMPERATURE_MISSING
  const double temperature = 0.1 * std::log(40.0) + 1;
  scale /= temperature * temperature;
#endif
  (void)width;
  return scale;
}

// Layout says which two elements are one rotary pair.
enum Layout { interleaved, half, interleavedToHalf };

struct Pair {
  int first, second;
};
// readPair and writePair return where pair i of pairs pairs stands in the input and in the output.
SCALAR Layout layoutAsRead(Layout l) {
#ifdef MISTAKE_LAYOUT_SWAPPED
  return l == interleaved ? half : l == half ? interleaved : half;
#endif
  return l;
}
SCALAR Pair readPair(Layout l, int i, int pairs) {
  if (layoutAsRead(l) == half) return {i, i + pairs};
  return {2 * i, 2 * i + 1};
}
SCALAR Pair writePair(Layout l, int i, int pairs) {
  if (layoutAsRead(l) == interleaved) return {2 * i, 2 * i + 1};
  return {i, i + pairs};
}

// rotaryPosition returns the position that a kernel turns by.
SCALAR int64_t rotaryPosition(int64_t position) {
#ifdef MISTAKE_POSITION_OFF_BY_ONE
  position++;
#endif
  return position;
}

}  // namespace VARIANT

// YaRN is how a rotation is stretched; present is false for none.
struct YaRN {
  bool present = false, rotations = false;  // rotations: the ramp is linear in the turns, not in the index
  double factor = 40, originalContext = 4096, betaFast = 32, betaSlow = 1, mscale = 1, mscaleAllDim = 1;
};

inline double yarnScale(double factor, double m) { return factor <= 1 ? 1 : 0.1 * m * std::log(factor) + 1; }

// amplitude returns what cosines and sines are multiplied by.
inline double amplitude(const YaRN &y) { return y.present ? yarnScale(y.factor, y.mscale) / yarnScale(y.factor, y.mscaleAllDim) : 1; }

inline double clamp01(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

// keptShare returns γ of YaRN for pair i: how much of its own frequency θ it keeps.
//
//	index      1 − clamp((i − low)/(high − low)),  low = ⌊c(β_fast)⌋,  high = ⌈c(β_slow)⌉,  c(r) = d ln(L/2πr)/(2 ln b)
//	rotations  clamp((Lθ/2π − β_slow)/(β_fast − β_slow))
inline double keptShare(const YaRN &y, int i, int dim, double base, double theta) {
  const double twoPi = 6.283185307179586476925, context = y.originalContext;
  if (y.rotations) return clamp01((context * theta / twoPi - y.betaSlow) / (y.betaFast - y.betaSlow));
  const auto index = [&](double turns) { return dim * std::log(context / (turns * twoPi)) / (2 * std::log(base)); };
  const double low = std::fmax(std::floor(index(y.betaFast)), 0.0);
  double high = std::fmin(std::ceil(index(y.betaSlow)), double(dim - 1));
  if (low == high) high += 0.001;
  return 1 - clamp01((i - low) / (high - low));
}

// frequency returns θ_i = b^(−2i/d) of pair i in float64, stretched by YaRN if there is one. It is rounded to float32 once, for the kernel.
inline double frequency(int i, int dim, double base, const YaRN &y) {
  const double theta = std::pow(base, -2.0 * i / dim);
  if (!y.present) return theta;
  const double kept = keptShare(y, i, dim, base, theta);
  return (1 - kept) * theta / y.factor + kept * theta;
}

}  // namespace plumbline
