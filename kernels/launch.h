// What the recorder calls: one function for each kernel and variant, with its arguments in a struct. Pointers are to device memory.
#pragma once
#include <cstddef>
#include <cstdint>

#include "gate.h"
#include "objective.h"
#include "scalar.h"

namespace plumbline {

enum Type { F32, BF16 };

struct RopeCall {
  const void *x;
  const int64_t *positions;
  const float *theta;  // [D/2]
  float amplitude;
  int N, H, D, layout;  // layout: a Layout
  bool inverse;
  void *y;
  Type type;
};

struct RopeTableCall {
  const int64_t *positions;
  const float *theta;
  float amplitude;
  int N, pairs;
  float *cos, *sin;
};

struct NormCall {
  const void *x, *weight;
  int N, d;
  float eps;
  void *y;
  Type type, weightType;
};

// q [B,S,H,D], k [B,T,G,D], v [B,T,G,V], kvLens [B] or null, sink [H] or null
struct AttentionInputs {
  const void *q, *k, *v;
  const int *kvLens;
  const float *sink;
  int B, S, H, T, G, D, V, window;
  bool causal;
  double scale, softcap;
};

struct ForwardCall : AttentionInputs {
  void *o;     // [B,S,H,V]
  float *lse;  // [B,H,S], without the sink
  bool base2;  // of lse
};

struct BackwardCall : AttentionInputs {
  const void *dO, *o;         // o: the forward kernel's output, rounded to its type
  const float *lse;           // the forward kernel's, to base 2
  float *delta, *normaliser;  // work space [B,H,S]
  void *dq, *dk, *dv;
};

// q [B,S,H,D], cache [blocks,page,1,D], table [B,cols], kvLens [B]
struct DecodeCall {
  const void *q, *cache;
  const int *table, *kvLens;
  int B, S, H, D, V, page, cols, longest;  // longest: the largest of kvLens
  bool causal;
  double scale;
  int splits;
  float *partO, *partLse;  // [splits, B·S·H, V] and [splits, B·S·H] to base 2; float32 kernels, which do not split, leave them alone
  float *o, *lse;          // of the float32 kernel: [B,S,H,V] and [B,H,S]
  bool base2;
};

// o [P,N,V], lse [P,N]. The merged log-sum-exp of row n is stored at index (n / (S·H), n mod H, n / H mod S) of [B,H,S].
struct MergeCall {
  const void *o;
  const float *lse;
  int P, N, V, S, H;
  bool base2In, base2Out;
  void *outO;
  float *outLse;
  Type type, outType;
};

// logits [N,vocab], tokens [N]
struct LogProbCall {
  const void *logits;
  const int *tokens;
  int N, vocab;
  float temperature;
  float *logprob, *entropy;  // [N]
  Type type;
};

// logprob and ref [N,L], mask [N,L]
struct DivergenceCall {
  const void *logprob, *ref;
  const uint8_t *mask;
  int N, L, estimator;  // estimator: a Divergence
  float limit;
  float *kl;  // [N,L]
  Type type;
};

// rewards, values and mask [N,L]
struct GaeCall {
  const void *rewards, *values;
  const uint8_t *mask;
  int N, L;
  float gamma, decay;
  bool whiten;
  float *sums, *counts, *squares;  // work space [N] of whitening
  float *advantage, *returns;      // [N,L]
  Type type;
};

// How the tokens of a batch become one loss, with the work space for it.
struct BatchCall {
  const uint8_t *mask;   // [N,L]
  int N, L, chunks;      // chunks: parts of a sequence, of chunkTokens each
  int aggregation, length;
  float *counts, *losses;            // [N,chunks]
  float *tokensOf, *weights;         // [N]
  float *loss;                       // []
};

// logprob, old and ref [N,L]; advantage [N,L], or [N] if it is not perToken
struct PolicyLossCall : BatchCall {
  const void *logprob, *old, *ref, *advantage;
  bool perToken;
  Objective objective;
  float *logRatios, *slopes;  // work space [N,chunks] of ratios of sequences
  void *dlogprob;             // [N,L]
  Type type, advantageType;
};

// The same from logits [N,L,vocab] and tokens [N,L].
struct PolicyLogitsCall {
  PolicyLossCall policy;  // its logprob is work space
  const void *logits;
  const int *tokens;
  int vocab;
  float temperature;
  float *logprob, *maximum, *inverse;  // work space [N,L]: the last two of the softmax
  void *dlogits;                       // [N,L,vocab]
  Type type;
};

// values, old and returns [N,L]
struct ValueLossCall : BatchCall {
  const void *values, *old, *returns;
  float clip;
  void *dvalues;
  Type type;
};

// rewards and group [N]
struct GroupAdvantageCall {
  const void *rewards;
  const int64_t *group;
  int N, std;  // std: a Deviation
  float eps;
  float *advantage;
  Type type;
};

// All [N]; lengths are null if the request has none.
struct PreferenceCall {
  const void *chosen, *rejected, *refChosen, *refRejected;
  const float *lengthsChosen, *lengthsRejected;
  int N;
  float beta, smoothing, half;  // half: 1/2β
  bool squared, lengthNormalize;
  float *losses;  // work space, one for each block
  float *loss, *chosenReward, *rejectedReward;
  void *dchosen, *drejected;
  Type type;
};

// From logits [N,E], or from x [N,d] and weight [E,d]; bias [E] or null.
struct GateCall : Gate {
  const void *logits, *x, *weight, *bias;
  int N, d;
  Type logitsType, xType, weightType, biasType;
  void *indices;  // [N,K], of 64 bits if wide
  bool wide;
  float *weights;  // [N,K]
};

// indices: the experts of all pairs, those below 0 left out.
struct DispatchCall {
  const int *indices;
  int pairs, K, E;
  void *order, *counts;  // [as many as are not left out] and [E], of 64 bits if wide
  bool wide;
  int *work;   // [E], counts of 32 bits
  int *place;  // [pairs], the row of each pair; or null
};

// x [N,d], gate and up [E,F,d], down [E,d,F], indices and weights [N,K]; shared gate and up [Fs,d], down [d,Fs], or null. order, counts and place are those
// of the dispatch.
struct ExpertsCall {
  const void *x, *gate, *up, *down, *sharedGate, *sharedUp, *sharedDown, *weights;
  const int *indices, *order, *counts, *place;
  int N, K, d, E, F, Fs;
  float limit;  // 0: none
  bool weightAtHidden;
  Type weightsType;
  void *hidden, *routed;              // work space [N·K,F] and [N·K,d]
  void *sharedHidden, *sharedOutput;  // work space [N,Fs] and [N,d]
  void *y;                            // [N,d]
};

enum BalanceKind { balanceExpert, balanceDevice, balanceCommunication, balanceSequence };

// scores [N,E], indices [N,K], groups [E] or null. A row of sums is over the sequences, one of N tokens unless the kind is of sequences.
struct BalanceCall {
  const void *scores;
  const int *indices, *groups;
  int N, E, K, kind, length, devices, most;  // length: tokens of a sequence; most: devices of a token
  bool normalize;
  float alpha;
  float *rowSums;          // work space [N]
  float *shares, *counts;  // work space [N/length, E] and [N/length, most(E, devices)]
  float *loss;             // []
  Type type;
};

// bias and load [E]
struct BiasCall {
  const void *bias;
  const int64_t *load;
  int E;
  float rate;
  bool proportional, center;
  void *out;  // [E]
  Type type;
};

enum CastRecipe { castDivide, castReciprocal, castAmax };

// x [M,K] in blocks of b0 × b1
struct CastCall {
  const void *x;
  int M, K, b0, b1, recipe;  // recipe: a CastRecipe
  bool e5m2, powers, codes;  // codes: scales are powers of two, and stored as F8_E8M0
  float floor;               // the least that an amax counts as
  uint8_t *q;                // [M,K]
  void *scale;               // [⌈M/b0⌉,⌈K/b1⌉]
  Type type;
};

// Codes of F8_E4M3: a [M,K] and b [E,N,K], with scales [M,⌈K/128⌉] and [E,⌈N/128⌉,⌈K/128⌉], which are codes of F8_E8M0 if so said. counts [E] are the rows of
// each matrix of b; null: all, of one matrix.
struct ProductCall {
  const uint8_t *a, *b;
  const void *aScale, *bScale;
  bool aCodes, bCodes;
  const int *counts;
  int M, N, K, E;
  void *c;  // [M,N]
  Type type;
};

// hidden and embedding [N,d], norms [d], projection [d,2d]
struct CombineCall {
  const void *hidden, *embedding, *normHidden, *normEmbedding, *projection;
  int N, d;
  float eps;
  bool embeddingFirst, maskFirst;  // maskFirst: the first row has no embedding
  void *normalisedHidden, *normalisedEmbedding;  // work space [N,d]
  void *y;                                       // [N,d]
  Type type, normHiddenType, normEmbeddingType;
};

// logits [depth,T,vocab], and as many tokens as are known
struct PredictionLossCall {
  const void *logits;
  const int *tokens;
  int depth, T, vocab, known;
  bool valid;  // losses are divided by the positions that count, otherwise by T
  float weight;
  float *losses;           // work space [depth,T]
  float *perDepth, *loss;  // [depth] and []
  Type type;
};

// tokens [B,k], the draft's probabilities q [B,k,vocab], the target's p [B,k+1,vocab], uniforms u [B,k+1]
struct AcceptCall {
  const int *tokens;
  const void *q, *p, *u;
  int B, k, vocab;
  Type draftType, targetType, uniformType;
  void *accepted, *next;  // [B], of 64 bits if wide
  bool wideAccepted, wideNext;
};

// hidden [N,d], weight [vocab,d], targets [N], below 0 where a row is ignored
struct CrossEntropyCall {
  const void *hidden, *weight;
  const int *targets;
  int N, d, vocab;
  bool mean;
  float temperature;
  float *parts;                                       // work space [N,⌈vocab/64⌉,2]: maxima and sums of parts of the vocabulary
  float *logits, *losses, *maximum, *inverse, *slope;  // work space [N], and one number: of the target, and of the softmax; the loss's for each row
  void *slopes, *turned;                              // work space [N,vocabularyChunk] and [vocabularyChunk,N to a multiple of 8]: gradients of logits
  float *sums;                                        // work space [N,d] of dhidden
  float *loss;                                        // []
  void *dhidden, *dweight;                            // [N,d] and [vocab,d]; null: not wanted
  Type type;
};

struct GenerateCall {
  int dist;  // 0 uniform, 1 normal, 2 ints
  uint64_t seed;
  int exp2;
  double shift;
  int64_t lo, hi;
  int code;             // an Element of recorder/element.h
  size_t first, count;  // elements first … first+count−1, into out
  void *out;
};

// The variants of each kernel. The Makefile has the same lists.
#define VARIANTS_OF_rope(X) X(right) X(layout_swapped) X(position_off_by_one)
#define VARIANTS_OF_norm_rms(X) X(right)
#define VARIANTS_OF_attention_forward(X) X(right) X(causal_top_left) X(drop_last_key) X(heads_tiled) X(fixed_maximum)
#define VARIANTS_OF_attention_backward(X) X(right) X(causal_top_left) X(heads_tiled)
#define VARIANTS_OF_mla_decode(X) \
  X(right) X(scale_of_latent) X(temperature_missing) X(causal_top_left) X(drop_last_key) X(page_end) X(fixed_maximum)
#define VARIANTS_OF_attention_merge(X) X(right) X(merge_base)
#define VARIANTS_OF_policy_logprob(X) X(right) X(sampling_temperature_missing)
#define VARIANTS_OF_policy_kl(X) X(right) X(k3_upside_down) X(kl_sign) X(log_ratio_unlimited) X(mask_shifted)
#define VARIANTS_OF_ppo_gae(X) X(right) X(mask_shifted) X(gae_through_masked) X(whiten_over_padding)
#define VARIANTS_OF_policy_loss(X) \
  X(right) X(aggregation_swapped) X(micro_batch_mean) X(k3_upside_down) X(kl_sign) X(log_ratio_unlimited) X(mask_shifted) \
  X(dual_clip_for_positive) X(dual_clip_by_default) X(min_max_exchanged) X(sequence_gradient_undivided)
#define VARIANTS_OF_policy_loss_logits(X) \
  X(right) X(aggregation_swapped) X(kl_sign) X(sampling_temperature_missing) X(mask_shifted) X(min_max_exchanged)
#define VARIANTS_OF_ppo_value_loss(X) X(right) X(aggregation_swapped) X(micro_batch_mean) X(mask_shifted) X(value_gradient_cut)
#define VARIANTS_OF_grpo_advantage(X) X(right) X(group_over_batch) X(std_ddof) X(eps_inside_root)
#define VARIANTS_OF_dpo_loss(X) X(right) X(lengths_mistaken) X(smoothing_unpaired)

#define VARIANTS_OF_moe_gate(X) \
  X(right) X(gate_bias_in_weights) X(group_score_max) X(groups_masked_with_zero) X(weights_unnormalized) X(routed_scale_missing) X(routed_scale_twice)
#define VARIANTS_OF_moe_dispatch(X) X(right) X(pairs_by_slot) X(counts_shifted) X(counts_cumulative)
#define VARIANTS_OF_moe_experts(X) X(right) X(gate_up_swapped) X(shared_expert_missing) X(weight_of_first_slot)
#define VARIANTS_OF_moe_balance(X) \
  X(right) X(padding_counted) X(sequences_summed) X(device_shares_summed) X(bias_sign_reversed) X(center_missing) X(balanced_moved)
#define VARIANTS_OF_fp8_cast(X) X(right) X(scale_truncated) X(floor_missing) X(amax_of_row)
#define VARIANTS_OF_fp8_gemm(X) X(right) X(scales_transposed) X(scale_of_first_block) X(promotion_missing) X(tile_unwritten)

#define VARIANTS_OF_mtp_combine(X) X(right) X(halves_exchanged) X(hidden_norm_missing) X(embedding_unshifted) X(first_not_masked)
#define VARIANTS_OF_mtp_loss(X) X(right) X(labels_shifted_twice) X(roll_wraps) X(divisor_exchanged) X(weight_undivided)
#define VARIANTS_OF_policy_cross_entropy(X) X(right) X(sampling_temperature_missing) X(ignored_counted)
#define VARIANTS_OF_mtp_accept(X) X(right) X(bonus_row_always) X(accepted_if_sampled) X(sampled_from_target)

#define DECLARE_ROPE(variant)            \
  namespace variant {                    \
  void ropeApply(const RopeCall &);      \
  void ropeTable(const RopeTableCall &); \
  }
#define DECLARE_NORM(variant)       \
  namespace variant {               \
  void normRMS(const NormCall &);   \
  }
#define DECLARE_FORWARD(variant)               \
  namespace variant {                          \
  void attentionForward(const ForwardCall &);  \
  void attentionForwardF32(const ForwardCall &); \
  }
#define DECLARE_BACKWARD(variant)                \
  namespace variant {                            \
  void attentionBackward(const BackwardCall &);  \
  void attentionBackwardF32(const BackwardCall &); \
  }
#define DECLARE_DECODE(variant)            \
  namespace variant {                      \
  void mlaDecode(const DecodeCall &);      \
  void mlaDecodeF32(const DecodeCall &);   \
  }
#define DECLARE_MERGE(variant)               \
  namespace variant {                        \
  void attentionMerge(const MergeCall &);    \
  }
#define DECLARE(function, Call, variant)  \
  namespace variant {                      \
  void function(const Call &);             \
  }
#define DECLARE_LOGPROB(variant) DECLARE(policyLogProb, LogProbCall, variant)
#define DECLARE_KL(variant) DECLARE(policyKL, DivergenceCall, variant)
#define DECLARE_GAE(variant) DECLARE(ppoGAE, GaeCall, variant)
#define DECLARE_POLICY_LOSS(variant) DECLARE(policyLoss, PolicyLossCall, variant)
#define DECLARE_POLICY_LOGITS(variant) DECLARE(policyLossLogits, PolicyLogitsCall, variant)
#define DECLARE_VALUE_LOSS(variant) DECLARE(ppoValueLoss, ValueLossCall, variant)
#define DECLARE_GROUP_ADVANTAGE(variant) DECLARE(grpoAdvantage, GroupAdvantageCall, variant)
#define DECLARE_DPO(variant) DECLARE(dpoLoss, PreferenceCall, variant)
#define DECLARE_GATE(variant) DECLARE(moeGate, GateCall, variant)
#define DECLARE_DISPATCH(variant) DECLARE(moeDispatch, DispatchCall, variant)
#define DECLARE_EXPERTS(variant)             \
  DECLARE(moeExperts, ExpertsCall, variant)  \
  DECLARE(moeExpertsF32, ExpertsCall, variant)
#define DECLARE_BALANCE(variant)              \
  DECLARE(moeBalanceLoss, BalanceCall, variant) \
  DECLARE(moeBiasUpdate, BiasCall, variant)
#define DECLARE_CAST(variant) DECLARE(fp8Cast, CastCall, variant)
#define DECLARE_PRODUCT(variant) DECLARE(fp8Product, ProductCall, variant)
#define DECLARE_COMBINE(variant)              \
  DECLARE(mtpCombine, CombineCall, variant)   \
  DECLARE(mtpCombineF32, CombineCall, variant)
#define DECLARE_PREDICTION_LOSS(variant) DECLARE(mtpLoss, PredictionLossCall, variant)
#define DECLARE_CROSS_ENTROPY(variant)                      \
  DECLARE(policyCrossEntropy, CrossEntropyCall, variant)    \
  DECLARE(policyCrossEntropyF32, CrossEntropyCall, variant)
#define DECLARE_ACCEPT(variant) DECLARE(mtpAccept, AcceptCall, variant)
VARIANTS_OF_rope(DECLARE_ROPE)
VARIANTS_OF_norm_rms(DECLARE_NORM)
VARIANTS_OF_attention_forward(DECLARE_FORWARD)
VARIANTS_OF_attention_backward(DECLARE_BACKWARD)
VARIANTS_OF_mla_decode(DECLARE_DECODE)
VARIANTS_OF_attention_merge(DECLARE_MERGE)
VARIANTS_OF_policy_logprob(DECLARE_LOGPROB)
VARIANTS_OF_policy_kl(DECLARE_KL)
VARIANTS_OF_ppo_gae(DECLARE_GAE)
VARIANTS_OF_policy_loss(DECLARE_POLICY_LOSS)
VARIANTS_OF_policy_loss_logits(DECLARE_POLICY_LOGITS)
VARIANTS_OF_ppo_value_loss(DECLARE_VALUE_LOSS)
VARIANTS_OF_grpo_advantage(DECLARE_GROUP_ADVANTAGE)
VARIANTS_OF_dpo_loss(DECLARE_DPO)
VARIANTS_OF_moe_gate(DECLARE_GATE)
VARIANTS_OF_moe_dispatch(DECLARE_DISPATCH)
VARIANTS_OF_moe_experts(DECLARE_EXPERTS)
VARIANTS_OF_moe_balance(DECLARE_BALANCE)
VARIANTS_OF_fp8_cast(DECLARE_CAST)
VARIANTS_OF_fp8_gemm(DECLARE_PRODUCT)
VARIANTS_OF_mtp_combine(DECLARE_COMBINE)
VARIANTS_OF_mtp_loss(DECLARE_PREDICTION_LOSS)
VARIANTS_OF_mtp_accept(DECLARE_ACCEPT)
VARIANTS_OF_policy_cross_entropy(DECLARE_CROSS_ENTROPY)

// Limits of the tensor-core kernels, for messages before a launch.
constexpr int maxAttentionWidth = 256, maxDecodeWidth = 576, maxDecodeValues = 512;

// A block of the objectives' kernels takes that many tokens of a sequence.
constexpr int chunkTokens = 1024;

// policyCrossEntropy forms the gradients of that many columns of logits at a time.
constexpr int vocabularyChunk = 4096;

// A block of dpoLoss takes that many pairs.
constexpr int blockPairs = 256;

// A block of mlaDecode computes that many rows of queries × heads, over tiles of that many keys.
constexpr int decodeRows = 64, decodeKeys = 32;

// mlaDecodeSplits returns into how many parts the keys are split so that a GPU with that many multiprocessors is busy: at least four tiles each.
inline int mlaDecodeSplits(int B, int S, int H, int longest, int multiprocessors) {
  const int blocks = B * ((S * H + decodeRows - 1) / decodeRows), tiles = (longest + decodeKeys - 1) / decodeKeys;
  int splits = (multiprocessors + blocks - 1) / blocks;
  if (splits > (tiles + 3) / 4) splits = (tiles + 3) / 4;
  if (splits > 64) splits = 64;
  return splits < 1 ? 1 : splits;
}

void generate(const GenerateCall &);

}  // namespace plumbline
