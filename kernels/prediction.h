// The scalar arithmetic of multi-token prediction: what a row is combined of, which token a depth predicts, what losses are divided by. No CUDA in it
// beyond what scalar.h has, so that a processor can test it.
#pragma once
#include "scalar.h"

namespace plumbline {

// Half is a column of the concatenation: which of the two it comes from, and which column that is there.
struct Half {
  bool hidden;
  int column;
};

namespace VARIANT {

SCALAR Half halfOf(int column, int d, bool embeddingFirst) {
#ifdef MISTAKE_HALVES_EXCHANGED
  embeddingFirst = !embeddingFirst;
#endif
  return column < d ? Half{!embeddingFirst, column} : Half{embeddingFirst, column - d};
}

// embeddingOf returns which embedding is combined with a row of hidden states, or −1 for zeros.
SCALAR int64_t embeddingOf(int64_t row, bool maskFirst) {
#ifdef MISTAKE_EMBEDDING_UNSHIFTED
  row = row > 0 ? row - 1 : 0;
#endif
#ifdef MISTAKE_FIRST_NOT_MASKED
  maskFirst = false;
#endif
  return maskFirst && row == 0 ? -1 : row;
}

// targetOf returns which of so many tokens depth k, from 1, predicts at a position, or −1 where there is none.
SCALAR int targetOf(int position, int k, int tokens) {
  int target = position + k + 1;
#ifdef MISTAKE_LABELS_SHIFTED_TWICE
  target++;
#endif
#ifdef MISTAKE_ROLL_WRAPS
  target %= tokens;
#endif
  return target < tokens ? target : -1;
}

// depthDivisor returns what the sum of a depth's losses is divided by: all its positions, or those that count.
SCALAR int depthDivisor(bool valid, int positions, int counted) {
#ifdef MISTAKE_DIVISOR_EXCHANGED
  valid = !valid;
#endif
  return valid ? (counted > 0 ? counted : 1) : positions;
}

// depthWeight returns what each depth's loss weighs in that of the batch.
SCALAR float depthWeight(float weight, int depths) {
#ifdef MISTAKE_WEIGHT_UNDIVIDED
  return weight;
#endif
  return weight / float(depths);
}

// Source says what the next token is drawn from: a row of the target's probabilities, less the draft's where it takes their residual.
struct Source {
  int row;
  bool residual;
};

// sourceOf returns it for a chain of k drafts of which so many were accepted.
SCALAR Source sourceOf(int accepted, int k) {
#ifdef MISTAKE_BONUS_ROW_ALWAYS
  return {k, false};
#endif
#ifdef MISTAKE_SAMPLED_FROM_TARGET
  return {accepted, false};
#endif
  return {accepted, accepted < k};
}

}  // namespace VARIANT
}  // namespace plumbline
