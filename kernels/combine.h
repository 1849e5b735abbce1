// What the kernels of mtp.combine share: the two norms, and where the columns of their concatenation stand.
#pragma once
#include "bf16.h"
#include "launch.h"
#include "prediction.h"

namespace plumbline {
namespace VARIANT {
namespace {

// hiddenRows returns the rows of hidden states that the projection takes.
DEVICE const void *hiddenRows(const CombineCall &c) {
#ifdef MISTAKE_HIDDEN_NORM_MISSING
  return c.hidden;
#endif
  return c.normalisedHidden;
}

// joinedAt returns where a column of a row's concatenation stands, or null where it is 0.
template <class T> DEVICE const T *joinedAt(const CombineCall &c, int64_t row, int column) {
  const Half half = halfOf(column, c.d, c.embeddingFirst);
  if (half.hidden) return static_cast<const T *>(hiddenRows(c)) + row * c.d + half.column;
  row = embeddingOf(row, c.maskFirst);
  return row < 0 ? nullptr : static_cast<const T *>(c.normalisedEmbedding) + row * c.d + half.column;
}

inline void normalise(const CombineCall &c) {
  right::normRMS({c.hidden, c.normHidden, c.N, c.d, c.eps, c.normalisedHidden, c.type, c.normHiddenType});
  right::normRMS({c.embedding, c.normEmbedding, c.N, c.d, c.eps, c.normalisedEmbedding, c.type, c.normEmbeddingType});
}

}  // namespace
}  // namespace VARIANT
}  // namespace plumbline
