// The gate of a mixture of experts in plain arithmetic: scores, groups, choices and weights. No CUDA in it, so that a processor can test it.
#pragma once
#include "scalar.h"

namespace plumbline {

enum GateScore { sigmoidScore, softmaxScore, sqrtSoftplusScore };
enum GroupScore { topTwoOfGroup, topOfGroup, shareOfGroup };

// Gate is what the experts of a token are chosen and weighed by.
struct Gate {
  int E, K;               // experts, and those of a token
  int groups, topGroups;  // groups of equal size in which the experts stand, and those that a token may use
  int score, groupScore;  // a GateScore and a GroupScore
  bool normalize;
  float eps, scale;
};

// Ranked is a number with its place. Of equal ones the lower place comes first.
struct Ranked {
  float value;
  int at;
};

namespace VARIANT {

SCALAR bool before(Ranked a, Ranked b) { return a.value > b.value || (a.value == b.value && a.at < b.at); }

// first stands before every number, so that the best after it is the best of all.
SCALAR Ranked first() { return {INFINITY, -1}; }

// bestAfter returns the best of the values at start, start + step, … that comes after the one given; there may be none: then its place is n.
SCALAR Ranked bestAfter(const float *values, int n, Ranked last, int start, int step) {
  Ranked best{-INFINITY, n};
  for (int i = start; i < n; i += step) {
    const Ranked here{values[i], i};
    if (before(last, here) && before(here, best)) best = here;
  }
  return best;
}

// scoreOf returns the score of a logit, but for a softmax.
//
//	sigmoid 1/(1 + e^−x),  sqrt_softplus √ln(1 + e^x)
SCALAR float scoreOf(int score, float x) {
  if (score == sigmoidScore) return 1 / (1 + expf(-x));
  return sqrtf(fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))));
}

// summedOfGroup returns how many of a group's best scores make up its own.
SCALAR int summedOfGroup(const Gate &g) {
#ifdef MISTAKE_GROUP_SCORE_MAX
  return 1;
#endif
  return g.groupScore == topOfGroup ? 1 : g.groupScore == topTwoOfGroup ? 2 : (g.K + g.topGroups - 1) / g.topGroups;
}

// groupValue returns the sum of the best of a group's values, from the best on.
SCALAR float groupValue(const Gate &g, const float *values) {
  const int size = g.E / g.groups, summed = summedOfGroup(g) < size ? summedOfGroup(g) : size;
  Ranked best = first();
  float sum = 0;
  for (int i = 0; i < summed; i++) {
    best = bestAfter(values, size, best, 0, 1);
    sum += best.value;
  }
  return sum;
}

// maskedOut is what an expert of a group that was not chosen is ranked by.
SCALAR float maskedOut() {
#ifdef MISTAKE_GROUPS_MASKED_WITH_ZERO
  return 0;
#endif
  return -INFINITY;
}

// weighed returns which number becomes an expert's weight: its score, never what it was ranked by.
SCALAR float weighed(float score, float rankedBy) {
#ifdef MISTAKE_GATE_BIAS_IN_WEIGHTS
  return rankedBy;
#endif
  return score;
}

// gateWeight returns the weight of an expert of that score; sum is that of the scores chosen.
SCALAR float gateWeight(const Gate &g, float score, float sum) {
  float w = score, scale = g.scale;
#ifdef MISTAKE_ROUTED_SCALE_MISSING
  scale = 1;
#endif
#ifdef MISTAKE_ROUTED_SCALE_TWICE
  scale *= scale;
#endif
#ifndef MISTAKE_WEIGHTS_UNNORMALIZED
  if (g.normalize) w /= sum + g.eps;
#endif
  return w * scale;
}

}  // namespace VARIANT
}  // namespace plumbline
