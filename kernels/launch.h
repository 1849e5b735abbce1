// What the recorder calls: one function for each kernel and variant, with its arguments in a struct. Pointers are to device memory.
#pragma once
#include <cstddef>
#include <cstdint>

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

struct GenerateCall {
  int dist;  // 0 uniform, 1 normal, 2 ints
  uint64_t seed;
  int exp2;
  double shift;
  int64_t lo, hi;
  int code;  // an Element of recorder/tensor.h
  size_t count;
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
VARIANTS_OF_rope(DECLARE_ROPE)
VARIANTS_OF_norm_rms(DECLARE_NORM)
VARIANTS_OF_attention_forward(DECLARE_FORWARD)
VARIANTS_OF_attention_backward(DECLARE_BACKWARD)
VARIANTS_OF_mla_decode(DECLARE_DECODE)
VARIANTS_OF_attention_merge(DECLARE_MERGE)

// Limits of the tensor-core kernels, for messages before a launch.
constexpr int maxAttentionWidth = 256, maxDecodeWidth = 576, maxDecodeValues = 512;

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
