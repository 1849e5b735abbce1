// moe.balance_loss and moe.bias_update: the two ways to keep experts busy alike.
//
//	loss  α Σ f P, of experts, of devices, of what devices are sent, or the mean of that over sequences (kinds as recordings name them)
//	bias  b + rate · sign(mean load − load), or rate · (mean load − load)
//
// Roundings. All in float32 (accumulate F32); counts are whole numbers. Scores of a row are summed by a tree in a warp, those of an expert or a device over a
// sequence's tokens by a tree in a block, each divided once; the products f · P are summed by a tree in one block and multiplied by α last. The mean load
// is one quotient; its sign is that of whole numbers. No atomics: two runs give the same bits.
#include "experts.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int balanceThreads = 256, balanceWarps = balanceThreads / 32;
constexpr size_t balanceShared = balanceWarps * sizeof(float);

DEVICE float score(const BalanceCall &c, int64_t token, int e) {
  const float s = readAs(c.scores, c.type, token * c.E + e);
  return c.normalize ? s / c.rowSums[token] : s;
}

// One warp sums the scores of a token.
__global__ void rowSumKernel(BalanceCall c) {
  const int token = blockIdx.x * balanceWarps + threadIdx.x / 32;
  if (token >= c.N) return;
  float sum = 0;
  for (int e = threadIdx.x % 32; e < c.E; e += 32) sum += readAs(c.scores, c.type, int64_t(token) * c.E + e);
  sum = warpSum(sum);
  if (threadIdx.x % 32 == 0) c.rowSums[token] = sum;
}

// chosenFrom returns the expert that an id is counted for; an id below 0 is nobody's.
DEVICE int chosenFrom(int id) {
#ifdef MISTAKE_PADDING_COUNTED
  return id < 0 ? 0 : id;
#endif
  return id;
}

// The mean score of an expert over a sequence's tokens, and how often it was chosen.
__global__ void shareKernel(BalanceCall c) {
  SHARED_MEMORY(memory);
  float *parts = reinterpret_cast<float *>(memory);
  const int e = blockIdx.x, sequence = blockIdx.y;
  float sum = 0, count = 0;
  for (int t = threadIdx.x; t < c.length; t += balanceThreads) {
    const int64_t token = int64_t(sequence) * c.length + t;
    sum += score(c, token, e);
    for (int k = 0; k < c.K; k++) count += chosenFrom(c.indices[token * c.K + k]) == e;
  }
  sum = blockSum<balanceThreads>(sum, parts);
  count = blockSum<balanceThreads>(count, parts);
  if (threadIdx.x != 0) return;
  c.shares[int64_t(sequence) * c.E + e] = sum / float(c.length);
  c.counts[int64_t(sequence) * c.E + e] = count;
}

// How many tokens are sent to a device, each once however many experts it has there; in the place of counts.
__global__ void sentKernel(BalanceCall c) {
  SHARED_MEMORY(memory);
  float count = 0;
  for (int64_t token = threadIdx.x; token < c.N; token += balanceThreads) {
    bool sent = false;
    for (int k = 0; k < c.K; k++) {
      const int e = c.indices[token * c.K + k];
      sent = sent || (e >= 0 && c.groups[e] == int(blockIdx.x));
    }
    count += sent;
  }
  count = blockSum<balanceThreads>(count, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) c.counts[blockIdx.x] = count;
}

// expertTerm returns f P of an expert in one sequence, f = E/(K T) · count.
DEVICE float expertTerm(const BalanceCall &c, int64_t i) { return float(c.E) / (float(c.K) * float(c.length)) * c.counts[i] * c.shares[i]; }

// ofDevice returns f′ of a device, from the sum of its experts' f.
DEVICE float ofDevice(float sum, float experts) {
#ifdef MISTAKE_DEVICE_SHARES_SUMMED
  return sum;
#endif
  return sum / experts;
}

// deviceTerm returns f′P′ or f″P″ of a device: f′ the mean of f over its experts, f″ = D/(M T) · tokens sent to it.
DEVICE float deviceTerm(const BalanceCall &c, int device) {
  float share = 0, count = 0, experts = 0;
  for (int e = 0; e < c.E; e++) {
    if (c.groups[e] != device) continue;
    share += c.shares[e];
    if (c.kind == balanceDevice) count += c.counts[e];
    experts++;
  }
  if (experts == 0) return 0;
  if (c.kind == balanceCommunication) return float(c.devices) / (float(c.most) * float(c.N)) * c.counts[device] * share;
  return float(c.E) / (float(c.K) * float(c.N)) * ofDevice(count, experts) * share;
}

// ofSequences returns the loss of a batch from the sum of its sequences'.
DEVICE float ofSequences(float sum, int sequences) {
#ifdef MISTAKE_SEQUENCES_SUMMED
  return sum;
#endif
  return sum / float(sequences);
}

__global__ void balanceKernel(BalanceCall c) {
  SHARED_MEMORY(memory);
  const bool ofExperts = c.kind == balanceExpert || c.kind == balanceSequence;
  const int sequences = c.N / c.length, terms = ofExperts ? sequences * c.E : c.devices;
  float sum = 0;
  for (int i = threadIdx.x; i < terms; i += balanceThreads) sum += ofExperts ? expertTerm(c, i) : deviceTerm(c, i);
  sum = blockSum<balanceThreads>(sum, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) *c.loss = c.alpha * ofSequences(sum, sequences);
}

// signOf returns the sign of a step, for an expert that had so much less than the mean.
DEVICE int signOf(int64_t below) {
#ifdef MISTAKE_BIAS_SIGN_REVERSED
  below = -below;
#endif
#ifdef MISTAKE_BALANCED_MOVED
  return below >= 0 ? 1 : -1;
#endif
  return below > 0 ? 1 : below < 0 ? -1 : 0;
}

DEVICE bool centers(const BiasCall &c) {
#ifdef MISTAKE_CENTER_MISSING
  return false;
#endif
  return c.center;
}

// step returns what is added to an expert's bias, before the steps' mean is taken off.
DEVICE float step(const BiasCall &c, int64_t total, int e) {
  if (!c.proportional) return c.rate * float(signOf(total - c.load[e] * c.E));
  return c.rate * (float(total) / float(c.E) - float(c.load[e]));
}

__global__ void biasKernel(BiasCall c) {
  SHARED_MEMORY(memory);
  int64_t total = 0;
  for (int e = 0; e < c.E; e++) total += c.load[e];
  float sum = 0;
  for (int e = threadIdx.x; e < c.E; e += balanceThreads) sum += step(c, total, e);
  const float mean = blockSum<balanceThreads>(sum, reinterpret_cast<float *>(memory)) / float(c.E);
  for (int e = threadIdx.x; e < c.E; e += balanceThreads) {
    const float by = step(c, total, e), value = readAs(c.bias, c.type, e) + (centers(c) ? by - mean : by);
    if (c.type == BF16) {
      store(static_cast<bf16 *>(c.out) + e, value);
    } else {
      static_cast<float *>(c.out)[e] = value;
    }
  }
}

}  // namespace

void moeBalanceLoss(const BalanceCall &c) {
  if (c.normalize) launch(rowSumKernel, dim3(ceilDivide(c.N, balanceWarps)), balanceThreads, 0, c);
  launch(shareKernel, dim3(c.E, c.N / c.length), balanceThreads, balanceShared, c);
  if (c.kind == balanceCommunication) launch(sentKernel, dim3(c.devices), balanceThreads, balanceShared, c);
  launch(balanceKernel, dim3(1), balanceThreads, balanceShared, c);
}

void moeBiasUpdate(const BiasCall &c) { launch(biasKernel, dim3(1), balanceThreads, balanceShared, c); }

}  // namespace VARIANT
}  // namespace plumbline
