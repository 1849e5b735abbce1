// Binds the ops of multi-token prediction to their kernels.
#include "binder.h"

namespace plumbline {

namespace {

#define LAUNCHER_OF_mtpCombine(v) {#v, v::mtpCombine},
#define LAUNCHER_OF_mtpCombineF32(v) {#v, v::mtpCombineF32},
#define LAUNCHER_OF_mtpLoss(v) {#v, v::mtpLoss},
#define LAUNCHER_OF_mtpAccept(v) {#v, v::mtpAccept},

std::vector<std::string> sourcesWith(const std::string &file, std::vector<std::string> headers) {
  headers.insert(headers.begin(), file);
  headers.insert(headers.end(), {"prediction.h", "reduce.h", "bf16.h", "scalar.h", "platform.h", "variant.h"});
  return headers;
}

constexpr int64_t mostRows = 65535;  // of a grid

void bindCombine(Binder &b) {
  const Shape hidden = b.shape("hidden", 2);
  const int64_t N = hidden[0], d = hidden[1];
  CombineCall c{};
  c.N = int(N), c.d = int(d);
  c.type = b.floating("hidden");
  c.embeddingFirst = b.choice("order", {"hidden_first", "embedding_first"}) == 1;
  c.maskFirst = b.flag("mask_first");
  c.eps = float(b.number("eps"));
  if (d > INT_MAX / 2) fail("tensor \"hidden\": shape " + textOf(hidden) + " is too wide");
  const auto input = [&](const std::string &name, const Shape &shape) {
    b.want(name, shape);
    b.same(name, c.type);
    return b.onDevice(name);
  };
  c.hidden = input("hidden", hidden), c.embedding = input("embedding", hidden), c.projection = input("projection", {d, 2 * d});
  b.want("norm_hidden", {d}), b.want("norm_embedding", {d});
  c.normHiddenType = b.floating("norm_hidden"), c.normEmbeddingType = b.floating("norm_embedding");
  c.normHidden = b.onDevice("norm_hidden"), c.normEmbedding = b.onDevice("norm_embedding");
  if (c.type == BF16 && d % 8 != 0) fail("tensor \"hidden\": shape " + textOf(hidden) + ", want a width that is a multiple of 8 in BF16");
  if (c.type == F32 && N > mostRows) fail("more than 65535 rows: more than this kernel's grid takes");
  c.normalisedHidden = b.scratch<char>(size_t(N * d) * size_t(sizeOf(c.type)));
  c.normalisedEmbedding = b.scratch<char>(size_t(N * d) * size_t(sizeOf(c.type)));
  c.y = b.output("y", elementOf(c.type), hidden);
  b.declare({{"accumulate", c.type == BF16 ? "F32_HOPPER" : "F32"}, {"intermediate", elementName(c.type)}});
  b.job.bytes += (2.0 * double(N) + 2.0 * double(d)) * double(d) * sizeOf(c.type) + double(d) * (sizeOf(c.normHiddenType) + sizeOf(c.normEmbeddingType));
  b.job.flops = 4.0 * double(N) * double(d) * double(d) + 8.0 * double(N) * double(d);
  b.job.tensorCores = c.type == BF16;
  b.job.how = "normalised rows are stored and read again, which is not counted";
  b.job.sources = c.type == BF16 ? sourcesWith("mtp_combine.cu", {"combine.h", "tiles.h", "tensor_core.h", "norm_rms.cu", "packs.h"})
                                 : sourcesWith("mtp_combine_f32.cu", {"combine.h", "norm_rms.cu", "packs.h"});
  const auto launcher = c.type == BF16 ? variantOf(LAUNCHERS(CombineCall, VARIANTS_OF_mtp_combine, mtpCombine), b.mistake)
                                       : variantOf(LAUNCHERS(CombineCall, VARIANTS_OF_mtp_combine, mtpCombineF32), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// predicted returns the tokens, 0 where one is predicted at no depth.
std::vector<int> predicted(Binder &b, int positions, int depth, int vocab) {
  std::vector<int> all;
  for (int64_t token : b.integers("tokens")) {
    const int64_t at = int64_t(all.size());
    const bool counts = at >= 2 && at <= int64_t(positions) + depth;
    if (counts && (token < 0 || token >= vocab)) fail("tensor \"tokens\": token " + std::to_string(token) + ", want 0 to " + std::to_string(vocab - 1));
    all.push_back(token >= 0 && token < vocab ? int(token) : 0);
  }
  return all;
}

void bindPredictionLoss(Binder &b) {
  const Shape logits = b.shape("logits", 3);
  PredictionLossCall c{};
  c.depth = int(logits[0]), c.T = int(logits[1]), c.vocab = int(logits[2]);
  c.known = int(b.shape("tokens", 1)[0]);
  c.type = b.floating("logits");
  c.weight = float(b.number("weight"));
  c.valid = b.choice("divisor", {"T", "valid"}) == 1;
  c.tokens = b.upload(predicted(b, c.T, c.depth, c.vocab));
  c.logits = b.onDevice("logits");
  c.losses = b.scratch<float>(size_t(c.depth) * size_t(c.T));
  c.loss = static_cast<float *>(b.output("loss", ElementF32, {}));
  c.perDepth = static_cast<float *>(b.output("per_depth", ElementF32, {c.depth}));
  b.declare({{"accumulate", "F32"}, {"intermediate", "F32"}});
  b.job.bytes += double(countOf(logits)) * sizeOf(c.type) + 4.0 * c.known;
  b.job.flops = 5.0 * double(countOf(logits));
  b.job.sources = sourcesWith("mtp_loss.cu", {"log_softmax.h", "objective.h", "packs.h"});
  const auto launcher = variantOf(LAUNCHERS(PredictionLossCall, VARIANTS_OF_mtp_loss, mtpLoss), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindAccept(Binder &b) {
  const Shape tokens = b.shape("draft_tokens", 2), draft = b.shape("draft_probs", 3);
  AcceptCall c{};
  c.B = int(tokens[0]), c.k = int(tokens[1]), c.vocab = int(draft[2]);
  b.want("draft_probs", {c.B, c.k, c.vocab}), b.want("target_probs", {c.B, c.k + 1, c.vocab}), b.want("uniforms", {c.B, c.k + 1});
  c.draftType = b.floating("draft_probs"), c.targetType = b.floating("target_probs"), c.uniformType = b.floating("uniforms");
  std::vector<int> all;
  for (int64_t token : b.integers("draft_tokens")) {
    if (token < 0 || token >= c.vocab) fail("tensor \"draft_tokens\": token " + std::to_string(token) + ", want 0 to " + std::to_string(c.vocab - 1));
    all.push_back(int(token));
  }
  c.tokens = b.upload(all);
  c.q = b.onDevice("draft_probs"), c.p = b.onDevice("target_probs"), c.u = b.onDevice("uniforms");
  const Element accepted = b.outputType("accepted", {ElementI32, ElementI64}), next = b.outputType("next_token", {ElementI32, ElementI64});
  c.wideAccepted = accepted == ElementI64, c.wideNext = next == ElementI64;
  c.accepted = b.output("accepted", accepted, {c.B});
  c.next = b.output("next_token", next, {c.B});
  b.declare({{"accumulate", "F32"}});
  b.job.bytes += double(c.B) * c.vocab * (sizeOf(c.targetType) + sizeOf(c.draftType));
  b.job.flops = 2.0 * double(c.B) * c.vocab;
  b.job.how = "the rows that are drawn from are read twice, which is not counted";
  b.job.sources = sourcesWith("mtp_accept.cu", {"experts.h"});
  const auto launcher = variantOf(LAUNCHERS(AcceptCall, VARIANTS_OF_mtp_accept, mtpAccept), b.mistake);
  b.job.run = [=] { launcher(c); };
}

}  // namespace

const std::vector<Bound> &predictionOps() {
  static const std::vector<Bound> all = {{"mtp.combine", bindCombine}, {"mtp.loss", bindPredictionLoss}, {"mtp.accept", bindAccept}};
  return all;
}

}  // namespace plumbline
