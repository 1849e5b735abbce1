// The scalar arithmetic of the objectives: which tokens count and what they weigh, surrogates of ratios, divergences, values and preferences. All in
// float32. No CUDA in it beyond what scalar.h has, so that a processor can test it.
#pragma once
#include "scalar.h"

namespace plumbline {

enum Aggregation { tokenMean, sequenceMean, sequenceSum, constantLength };
enum Clip { clipPPO, clipGPPO, clipCISPO, clipNone };
enum Divergence { noDivergence, k1, k2, k3 };
enum Deviation { populationStd, sampleStd, noStd };

// Objective is what a policy's loss is made of.
struct Objective {
  int clip, kl;         // a Clip and a Divergence
  bool sequence;        // ratios of sequences
  float lower, upper;   // bounds of the ratio
  float dual, limit;    // of the loss of negative advantages, and of log-ratios; 0: none
  float coefficient;    // of the divergence
};

// Term is a loss and its derivative.
struct Term {
  float loss, slope;
};

// Totals counts the sequences that have tokens, and their tokens.
struct Totals {
  int64_t sequences, tokens;
};

namespace VARIANT {

// clamped passes NaN on.
SCALAR float clamped(float x, float lo, float hi) { return x < lo ? lo : x > hi ? hi : x; }

// counts returns whether token t of a sequence of up to L tokens counts.
SCALAR bool counts(const uint8_t *mask, int t, int L) {
#ifdef MISTAKE_MASK_SHIFTED
  return t + 1 < L && mask[t + 1] != 0;
#endif
  return mask[t] != 0;
}

SCALAR int aggregationAsRead(int how) {
#ifdef MISTAKE_AGGREGATION_SWAPPED
  return how == sequenceMean ? tokenMean : how == constantLength ? sequenceSum : sequenceMean;
#endif
  return how;
}

// tokenWeight returns what each of a sequence's tokens weighs in the loss of the batch.
//
//	token_mean 1/Σ_i |o_i|,  sequence_mean 1/(N |o|),  sequence_sum 1/N,  constant 1/(N length);  N sequences have tokens
SCALAR float tokenWeight(int aggregation, int64_t tokens, Totals whole, int length) {
  if (tokens == 0) return 0;
  switch (aggregationAsRead(aggregation)) {
    case sequenceMean: return 1 / (float(whole.sequences) * float(tokens));
    case sequenceSum: return 1 / float(whole.sequences);
    case constantLength: return 1 / (float(whole.sequences) * float(length));
    default: return 1 / float(whole.tokens);
  }
}

// microBatches returns in how many parts the batch is averaged: all at once.
SCALAR int microBatches() {
#ifdef MISTAKE_MICRO_BATCH_MEAN
  return 2;
#endif
  return 1;
}

SCALAR float limitAsRead(float limit) {
#ifdef MISTAKE_LOG_RATIO_UNLIMITED
  return 0;
#endif
  return limit;
}

// clippedTakesOver returns whether the clipped loss is taken: the larger one is.
SCALAR bool clippedTakesOver(float clipped, float plain) {
#ifdef MISTAKE_MIN_MAX_EXCHANGED
  return clipped < plain;
#endif
  return clipped > plain;
}

SCALAR float dualClip(float c) {
#ifdef MISTAKE_DUAL_CLIP_BY_DEFAULT
  return c == 0 ? 3 : c;
#endif
  return c;
}

// dualClipMinds returns whether the dual clip bounds the loss of an advantage.
SCALAR bool dualClipMinds(float advantage) {
#ifdef MISTAKE_DUAL_CLIP_FOR_POSITIVE
  return true;
#endif
  return advantage < 0;
}

// surrogate returns the loss of one token and its derivative: for the logarithm of the ratio, x before it is limited; with cispo for log π.
//
//	none   −r A
//	ppo    max(−r A, −clip(r) A), 0 the derivative where the clip holds
//	gppo   the same loss, but with derivative −clip(r) A there
//	cispo  −clip(r) A log π, the ratio a constant
//
// The dual clip bounds the loss of A < 0 at −c A. A limit that acts leaves no derivative, but with cispo.
SCALAR Term surrogate(const Objective &o, float x, float logprob, float advantage) {
  if (advantage == 0) return {0, 0};
  const float limit = limitAsRead(o.limit);
  const bool limited = limit != 0 && (x > limit || x < -limit);
  const float r = expf(limited ? (x > 0 ? limit : -limit) : x);
  const float clipped = -(clamped(r, o.lower, o.upper) * advantage);
  if (o.clip == clipCISPO) return clipped == 0 ? Term{0, 0} : Term{clipped * logprob, clipped};
  Term term{-(r * advantage), -(r * advantage)};
  if (o.clip != clipNone && clippedTakesOver(clipped, term.loss)) term = {clipped, o.clip == clipGPPO ? clipped : 0};
  const float dual = dualClip(o.dual), bound = -(dual * advantage);
  if (dual != 0 && dualClipMinds(advantage) && term.loss > bound) term = {bound, 0};
  if (limited) term.slope = 0;
  return term;
}

// estimate returns a divergence of the policy from the reference at one token and its derivative for log π. δ = log π_ref − log π:
//
//	k1  −δ,  k2  δ²/2,  k3  e^δ − δ − 1, its δ clamped to ±limit, beyond which the derivative is 0
SCALAR Term estimate(int estimator, float logprob, float ref, float limit) {
  float delta = ref - logprob;
  if (estimator == k1) return {-delta, 1};
  if (estimator == k2) return {delta * delta / 2, -delta};
  limit = limitAsRead(limit);
  const bool limited = limit != 0 && (delta > limit || delta < -limit);
  if (limited) delta = delta > 0 ? limit : -limit;
  const float e = expf(delta);
  return {e == INFINITY ? e : e - delta - 1, limited ? 0 : 1 - e};
}

SCALAR Term divergence(int estimator, float logprob, float ref, float limit) {
#ifdef MISTAKE_K3_UPSIDE_DOWN
  if (estimator == k3) {
    const Term other = estimate(estimator, ref, logprob, limit);
    return {other.loss, -other.slope};
  }
#endif
  const Term term = estimate(estimator, logprob, ref, limit);
#ifdef MISTAKE_KL_SIGN
  return {-term.loss, -term.slope};
#endif
  return term;
}

// sequenceShare returns by what the gradient of a sequence's ratio is divided, for each of its tokens.
SCALAR float sequenceShare(float tokens) {
#ifdef MISTAKE_SEQUENCE_GRADIENT_UNDIVIDED
  return 1;
#endif
  return tokens;
}

// cutsGradient returns whether the clip holds a value back from its return, or, mistakenly, whether it holds it at all.
SCALAR bool cutsGradient(bool beyond, bool outside) {
#ifdef MISTAKE_VALUE_GRADIENT_CUT
  return outside;
#endif
  return beyond;
}

// valueTerm returns half the larger of the squared errors of a value and of the value clipped to old ± clip; clip 0 is none.
SCALAR Term valueTerm(float value, float old, float ret, float clip) {
  const float e = value - ret;
  if (clip == 0) return {e * e / 2, e};
  const float edge = clamped(value, old - clip, old + clip), d = edge - ret;
  const bool beyond = d * d > e * e;
  return {(beyond ? d * d : e * e) / 2, cutsGradient(beyond, edge != value) ? 0 : e};
}

// sigmoid and logSigmoid form the exponential of −|x|, which does not overflow.
SCALAR float sigmoid(float x) {
  const float e = expf(-fabsf(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}
SCALAR float logSigmoid(float x) { return (x < 0 ? x : 0) - log1pf(expf(-fabsf(x))); }

// orderOfSmoothed returns the sign of the margin that a smoothed label gives its share to.
SCALAR float orderOfSmoothed() {
#ifdef MISTAKE_SMOOTHING_UNPAIRED
  return 1;
#endif
  return -1;
}

// preference returns the loss of a pair of margin h, and its derivative for h.
//
//	−(1−ε) log σ(βh) − ε log σ(−βh),  −β ((1−ε) σ(−βh) − ε σ(βh))
SCALAR Term preference(float h, float beta, float smoothing) {
  const float x = beta * h, sign = orderOfSmoothed();
  Term term{0, 0};
  if (smoothing != 1) term = {-(1 - smoothing) * logSigmoid(x), -(1 - smoothing) * sigmoid(-x)};
  if (smoothing != 0) {
    term.loss -= smoothing * logSigmoid(sign * x);
    term.slope -= sign * smoothing * sigmoid(-sign * x);
  }
  return {term.loss, beta * term.slope};
}

// squaredPreference returns IPO's, (h − half)²; half is 1/2β.
SCALAR Term squaredPreference(float h, float half) {
  const float e = h - half;
  return {e * e, 2 * e};
}

// dividesByLength returns whether log-ratios are divided by lengths.
SCALAR bool dividesByLength(bool asked) {
#ifdef MISTAKE_LENGTHS_MISTAKEN
  return !asked;
#endif
  return asked;
}

// inGroup returns whether an output of one group is compared with one of another.
SCALAR bool inGroup(int64_t group, int64_t other) {
#ifdef MISTAKE_GROUP_OVER_BATCH
  return true;
#endif
  return group == other;
}

SCALAR int deviationAsRead(int std) {
#ifdef MISTAKE_STD_DDOF
  return std == populationStd ? sampleStd : std == sampleStd ? populationStd : noStd;
#endif
  return std;
}

SCALAR float deviationOf(float variance, float eps) {
#ifdef MISTAKE_EPS_INSIDE_ROOT
  return sqrtf(variance + eps);
#endif
  return sqrtf(variance) + eps;
}

// groupAdvantage returns the advantage of a centred reward, in a group of that many outputs with that sum of squares: centred/(deviation + eps).
SCALAR float groupAdvantage(float centred, float squares, int members, int std, float eps) {
  std = deviationAsRead(std);
  if (std == noStd || centred == 0) return centred;
  if (members == 1) return centred / (1 + eps);
  return centred / deviationOf(squares / float(std == sampleStd ? members - 1 : members), eps);
}

// temperatureAsRead returns what logits are divided by.
SCALAR float temperatureAsRead(float temperature) {
#ifdef MISTAKE_SAMPLING_TEMPERATURE_MISSING
  return 1;
#endif
  return temperature;
}

}  // namespace VARIANT
}  // namespace plumbline
