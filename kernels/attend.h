// The softmax that the attention kernels share: logits to base 2, the running maximum of a row, its sink and its log-sum-exp.
#pragma once
#include "platform.h"
#include "scalar.h"

namespace plumbline {
namespace VARIANT {

// Logits turns a product q·k into a logit to base 2, y = log₂e · cap(scale · q·k); constants are rounded to float32 once.
struct Logits {
  float scaleLog2;     // scale · log₂e
  float scaleOverCap;  // scale / cap
  float capLog2;       // cap · log₂e, 0 for no cap
};

inline Logits makeLogits(double scale, double softcap) {
  if (softcap == 0) return {float(scale * log2e), 0, 0};
  return {0, float(scale / softcap), float(softcap * log2e)};
}

DEVICE float logit(const Logits &l, float product) {
  if (l.capLog2 == 0) return product * l.scaleLog2;
  return l.capLog2 * tanhf(product * l.scaleOverCap);
}

// slope returns the derivative of the cap where it returned y, 1 − tanh².
DEVICE float slope(const Logits &l, float y) {
  if (l.capLog2 == 0) return 1;
  const float t = y / l.capLog2;
  return 1 - t * t;
}

// Row is the state of one row of an online softmax: what is subtracted in the exponent, and a sum of weights relative to it.
struct Row {
  float top = minusInfinity, sum = 0;
};

// advance moves a row to a new maximum and returns what its sums so far are multiplied by. A row that has seen nothing yet keeps −∞.
DEVICE float advance(Row &row, float largest) {
#ifdef MISTAKE_FIXED_MAXIMUM
  largest = float(10 * log2e);
#else
  largest = fmaxf(row.top, largest);
#endif
  const float factor = largest == minusInfinity ? 1.0f : exp2f(row.top - largest);
  row.top = largest;
  row.sum *= factor;
  return factor;
}

// weight returns 2^(y − top), 0 for a masked logit −∞.
DEVICE float weight(const Row &row, float y) { return y == minusInfinity ? 0.0f : exp2f(y - row.top); }

// normaliser returns what the weighted values of a finished row are multiplied by: 1/(sum + 2^(sink − top)). A row that saw nothing gives 0.
DEVICE float normaliser(const Row &row, const float *sink) {
  if (row.sum == 0) return 0;
  if (sink == nullptr) return 1 / row.sum;
  const float logSink = *sink * float(log2e);
  if (logSink <= row.top) return 1 / (row.sum + exp2f(logSink - row.top));
  const float factor = exp2f(row.top - logSink);
  return factor / (row.sum * factor + 1);
}

// logSum returns the log-sum-exp of a finished row to base 2, without the sink; −∞ for a row that saw nothing.
DEVICE float logSum(const Row &row) { return row.sum == 0 ? minusInfinity : row.top + log2f(row.sum); }

// maskAndWeigh turns the products of a strip of 16 queries with 8·TILES keys into weights, in place. The lane holds two rows: seen[0] and seen[1] are
// what they see, key is the number of the first key. factors[i] is what the sums of row i so far are to be multiplied by. exchange
// is given each row's largest logit and returns the largest of all warps that share the row.
template <int TILES, class Exchange>
DEVICE void maskAndWeigh(float (&x)[TILES][4], Row (&rows)[2], const Range (&seen)[2], int key, const Logits &l, float (&factors)[2], Exchange exchange) {
  const int pair = threadIdx.x % 4 * 2;
  float largest[2] = {minusInfinity, minusInfinity};
#pragma unroll
  for (int n = 0; n < TILES; n++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      x[n][e] = holds(seen[e / 2], key + n * 8 + pair + e % 2) ? logit(l, x[n][e]) : minusInfinity;
      largest[e / 2] = fmaxf(largest[e / 2], x[n][e]);
    }
  }
  largest[0] = quadMax(largest[0]);
  largest[1] = quadMax(largest[1]);
  exchange(largest);
  factors[0] = advance(rows[0], largest[0]);
  factors[1] = advance(rows[1], largest[1]);
#pragma unroll
  for (int n = 0; n < TILES; n++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      x[n][e] = weight(rows[e / 2], x[n][e]);
      rows[e / 2].sum += x[n][e];  // of this lane's keys alone, until the end
    }
  }
}

}  // namespace VARIANT
}  // namespace plumbline
