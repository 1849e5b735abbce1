// Binds the objectives of reinforcement learning to their kernels.
#include <cmath>

#include "binder.h"

namespace plumbline {

namespace {

#define LAUNCHER_OF_policyLogProb(v) {#v, v::policyLogProb},
#define LAUNCHER_OF_policyCrossEntropy(v) {#v, v::policyCrossEntropy},
#define LAUNCHER_OF_policyCrossEntropyF32(v) {#v, v::policyCrossEntropyF32},
#define LAUNCHER_OF_policyKL(v) {#v, v::policyKL},
#define LAUNCHER_OF_ppoGAE(v) {#v, v::ppoGAE},
#define LAUNCHER_OF_policyLoss(v) {#v, v::policyLoss},
#define LAUNCHER_OF_policyLossLogits(v) {#v, v::policyLossLogits},
#define LAUNCHER_OF_ppoValueLoss(v) {#v, v::ppoValueLoss},
#define LAUNCHER_OF_grpoAdvantage(v) {#v, v::grpoAdvantage},
#define LAUNCHER_OF_dpoLoss(v) {#v, v::dpoLoss},

// sourcesWith returns a kernel's file with the headers given and those that all have.
std::vector<std::string> sourcesWith(const std::string &file, std::vector<std::string> headers) {
  headers.insert(headers.begin(), file);
  headers.insert(headers.end(), {"objective.h", "reduce.h", "bf16.h", "scalar.h", "platform.h", "variant.h"});
  return headers;
}

// atLeast returns an attribute that may not be less.
double atLeast(Binder &b, double least, const std::string &name) {
  const double x = b.number(name);
  if (!(x >= least)) fail("attrs: " + quoteJson(name) + ": found " + std::to_string(x) + ", want " + std::to_string(least) + " or more");
  return x;
}

float temperature(Binder &b) {
  const double t = b.number("temperature");
  if (!(t > 0)) fail("attrs: \"temperature\": found " + std::to_string(t) + ", want more than 0");
  return float(t);
}

// tokens returns indices into the vocabulary; those that do not count may be anything.
std::vector<int> tokens(Binder &b, int64_t vocab, const std::vector<uint8_t> &mask) {
  const auto values = b.integers("tokens");
  std::vector<int> all(values.size(), 0);
  for (size_t i = 0; i < values.size(); i++) {
    if (!mask.empty() && !mask[i]) continue;
    if (values[i] < 0 || values[i] >= vocab) fail("tensor \"tokens\": token " + std::to_string(values[i]) + ", want 0 to " + std::to_string(vocab - 1));
    all[i] = int(values[i]);
  }
  return all;
}

void bindLogProb(Binder &b) {
  const Shape logits = b.shape("logits", 2);
  b.want("tokens", {logits[0]});
  LogProbCall c{};
  c.N = int(logits[0]), c.vocab = int(logits[1]);
  c.type = b.floating("logits");
  c.temperature = temperature(b);
  c.tokens = b.upload(tokens(b, c.vocab, {}));
  c.logits = b.onDevice("logits");
  c.logprob = static_cast<float *>(b.output("logprob", ElementF32, {c.N}));
  c.entropy = static_cast<float *>(b.output("entropy", ElementF32, {c.N}));
  b.declare({{"accumulate", "F32"}});
  b.job.bytes += double(countOf(logits)) * sizeOf(c.type) + 4.0 * c.N;
  b.job.flops = 5.0 * double(countOf(logits));
  b.job.sources = sourcesWith("policy_logprob.cu", {"log_softmax.h"});
  const auto launcher = variantOf(LAUNCHERS(LogProbCall, VARIANTS_OF_policy_logprob, policyLogProb), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// crossEntropySpace adds the work space of a loss from hidden states.
void crossEntropySpace(Binder &b, CrossEntropyCall &c) {
  const size_t N = size_t(c.N), size = size_t(sizeOf(c.type));
  c.logits = b.scratch<float>(N), c.losses = b.scratch<float>(N), c.maximum = b.scratch<float>(N), c.inverse = b.scratch<float>(N), c.slope = b.scratch<float>(1);
  c.slopes = b.scratch<char>(N * vocabularyChunk * size);
  if (c.type == F32) return;
  c.parts = b.scratch<float>(N * size_t((c.vocab + 63) / 64) * 2);
  c.turned = b.scratch<char>((N + 7) / 8 * 8 * vocabularyChunk * size);
  c.sums = b.scratch<float>(N * size_t(c.d));
}

void bindCrossEntropy(Binder &b) {
  const Shape hidden = b.shape("hidden", 2), weight = b.shape("weight", 2);
  b.want("weight", {weight[0], hidden[1]}), b.want("targets", {hidden[0]});
  CrossEntropyCall c{};
  c.N = int(hidden[0]), c.d = int(hidden[1]), c.vocab = int(weight[0]);
  c.type = b.floating("hidden");
  b.same("weight", c.type);
  if (c.type == BF16 && c.d % 8 != 0) fail("tensor \"hidden\": shape " + textOf(hidden) + ", want a width that is a multiple of 8 in BF16");
  if (c.N > 65535) fail("tensor \"hidden\": more than 65535 rows: more than these kernels' grids take");
  c.temperature = temperature(b);
  c.mean = b.choice("reduction", {"mean", "sum"}) == 0;
  const double ignored = b.number("ignore_index");
  std::vector<int> targets;
  for (int64_t t : b.integers("targets")) {
    const bool counts = double(t) != ignored;
    if (counts && (t < 0 || t >= c.vocab)) fail("tensor \"targets\": token " + std::to_string(t) + ", want 0 to " + std::to_string(c.vocab - 1));
    targets.push_back(counts ? int(t) : -1);
  }
  c.targets = b.upload(targets);
  c.hidden = b.onDevice("hidden"), c.weight = b.onDevice("weight");
  crossEntropySpace(b, c);
  c.loss = static_cast<float *>(b.output("loss", ElementF32, {}));
  c.dhidden = b.output("dhidden", elementOf(c.type), hidden);
  if (b.wanted("dweight")) c.dweight = b.output("dweight", elementOf(c.type), weight);
  b.declare({{"accumulate", c.type == BF16 ? "F32_HOPPER" : "F32"}, {"intermediate", elementName(c.type)}, {"combine", "F32"}});
  const double products = b.wanted("dweight") ? 3 : 2;
  b.job.bytes += double(countOf(hidden) + countOf(weight)) * sizeOf(c.type);
  b.job.flops = 2.0 * products * double(c.N) * double(countOf(weight));
  b.job.tensorCores = c.type == BF16;
  b.job.how = "the logits are formed twice and the weights read three times, which is not counted";
  b.job.sources = c.type == BF16 ? sourcesWith("policy_cross_entropy.cu", {"cross_entropy.h", "log_softmax.h", "packs.h", "tiles.h", "tensor_core.h"})
                                 : sourcesWith("policy_cross_entropy_f32.cu", {"cross_entropy.h", "log_softmax.h", "packs.h", "dot.h"});
  const auto launcher = c.type == BF16 ? variantOf(LAUNCHERS(CrossEntropyCall, VARIANTS_OF_policy_cross_entropy, policyCrossEntropy), b.mistake)
                                       : variantOf(LAUNCHERS(CrossEntropyCall, VARIANTS_OF_policy_cross_entropy, policyCrossEntropyF32), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// Batch is what a request over tokens has in common: its shape, its mask and how many tokens count.
struct Batch {
  Shape shape;
  std::vector<uint8_t> mask;
  double tokens = 0;
};
Batch batchOf(Binder &b, const std::string &name) {
  Batch batch{b.shape(name, 2), {}, 0};
  if (batch.shape[0] > 65535) fail("tensor " + quoteJson(name) + ": more than 65535 sequences: more than these kernels' grids take");
  batch.mask = b.mask("mask", batch.shape);
  for (uint8_t m : batch.mask) batch.tokens += m;
  b.job.bytes += double(batch.mask.size());
  return batch;
}

// tokenInput returns an input of the shape and the type of the first, of which the tokens that count are read.
const void *tokenInput(Binder &b, const Batch &batch, const std::string &name, Type type) {
  b.want(name, batch.shape);
  b.same(name, type);
  b.job.bytes += batch.tokens * sizeOf(type);
  return b.onDevice(name);
}

void bindKL(Binder &b) {
  const Batch batch = batchOf(b, "logprob");
  DivergenceCall c{};
  c.N = int(batch.shape[0]), c.L = int(batch.shape[1]);
  c.type = b.floating("logprob");
  c.estimator = k1 + b.choice("estimator", {"k1", "k2", "k3"});
  c.limit = float(atLeast(b, 0, "limit"));
  if (c.limit != 0 && c.estimator != k3) fail("attrs: \"limit\": only k3 has one");
  c.mask = b.upload(batch.mask);
  c.logprob = tokenInput(b, batch, "logprob", c.type);
  c.ref = tokenInput(b, batch, "ref_logprob", c.type);
  c.kl = static_cast<float *>(b.output("kl", ElementF32, batch.shape));
  b.declare({{"accumulate", "F32"}});
  b.job.flops = 4 * batch.tokens;
  b.job.sources = sourcesWith("policy_kl.cu", {});
  const auto launcher = variantOf(LAUNCHERS(DivergenceCall, VARIANTS_OF_policy_kl, policyKL), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindGAE(Binder &b) {
  const Batch batch = batchOf(b, "rewards");
  GaeCall c{};
  c.N = int(batch.shape[0]), c.L = int(batch.shape[1]);
  c.type = b.floating("rewards");
  const double gamma = b.number("gamma");
  c.gamma = float(gamma);
  c.decay = float(gamma * b.number("lambda"));
  c.whiten = b.flag("whiten");
  c.mask = b.upload(batch.mask);
  c.rewards = tokenInput(b, batch, "rewards", c.type);
  c.values = tokenInput(b, batch, "values", c.type);
  c.sums = b.scratch<float>(size_t(c.N));
  c.counts = b.scratch<float>(size_t(c.N));
  c.squares = b.scratch<float>(size_t(c.N));
  c.advantage = static_cast<float *>(b.output("advantage", ElementF32, batch.shape));
  c.returns = static_cast<float *>(b.output("return", ElementF32, batch.shape));
  b.declare({{"accumulate", "F32"}});
  b.job.flops = (c.whiten ? 12 : 6) * batch.tokens;
  if (c.whiten) b.job.how = "whitening reads the advantages twice more and writes them again, which is not counted";
  b.job.sources = sourcesWith("ppo_gae.cu", {});
  const auto launcher = variantOf(LAUNCHERS(GaeCall, VARIANTS_OF_ppo_gae, ppoGAE), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// aggregation binds how the tokens of a batch become one loss.
void aggregation(Binder &b, const Batch &batch, BatchCall &c) {
  c.N = int(batch.shape[0]), c.L = int(batch.shape[1]);
  c.chunks = (c.L + chunkTokens - 1) / chunkTokens;
  c.aggregation = b.choice("aggregate", {"token_mean", "sequence_mean", "sequence_sum", "constant"});
  c.length = b.count("aggregate_length", 0);
  if (c.aggregation == constantLength && c.length < 1) fail("attrs: \"aggregate\": constant divides by \"aggregate_length\", want a whole number from 1");
  c.mask = b.upload(batch.mask);
  const size_t chunks = size_t(c.N) * size_t(c.chunks);
  c.counts = b.scratch<float>(chunks);
  c.losses = b.scratch<float>(chunks);
  c.tokensOf = b.scratch<float>(size_t(c.N));
  c.weights = b.scratch<float>(size_t(c.N));
  c.loss = static_cast<float *>(b.output("loss", ElementF32, {}));
}

// objective reads the conventions of a policy's loss.
Objective objective(Binder &b) {
  Objective o{};
  o.sequence = b.choice("ratio", {"token", "sequence"}) == 1;
  o.clip = b.choice("clip", {"ppo", "gppo", "cispo", "none"});
  o.lower = float(1 - atLeast(b, 0, "clip_low"));
  o.upper = float(1 + atLeast(b, 0, "clip_high"));
  o.dual = float(atLeast(b, 0, "dual_clip"));
  if (o.dual != 0 && (o.dual <= 1 || o.clip == clipCISPO)) fail("attrs: \"dual_clip\": want a bound above 1 (0: none), and none with cispo");
  o.limit = float(atLeast(b, 0, "log_ratio_limit"));
  o.kl = b.choice("kl", {"none", "k1", "k2", "k3"});
  o.coefficient = float(b.number("kl_coef"));
  if (o.kl == noDivergence && o.coefficient != 0) fail("attrs: \"kl_coef\": there is no \"kl\"");
  return o;
}

// policyInputs binds all inputs of a policy's loss but logprob.
void policyInputs(Binder &b, const Batch &batch, PolicyLossCall &c) {
  aggregation(b, batch, c);
  c.objective = objective(b);
  c.old = tokenInput(b, batch, "old_logprob", c.type);
  if (c.objective.kl != noDivergence && !b.has("ref_logprob")) fail("attrs: \"kl\" needs the tensor \"ref_logprob\"");
  if (b.has("ref_logprob")) {
    const void *ref = tokenInput(b, batch, "ref_logprob", c.type);
    if (c.objective.kl != noDivergence && c.objective.coefficient != 0) c.ref = ref;
  }
  c.advantageType = b.floating("advantage");
  c.perToken = b.rank("advantage") == 2;
  b.want("advantage", c.perToken ? batch.shape : Shape{batch.shape[0]});
  c.advantage = b.onDevice("advantage");
  b.job.bytes += (c.perToken ? batch.tokens : c.N) * sizeOf(c.advantageType);
  c.logRatios = b.scratch<float>(size_t(c.N) * size_t(c.chunks));
  c.slopes = b.scratch<float>(size_t(c.N) * size_t(c.chunks));
}

void bindPolicyLoss(Binder &b) {
  const Batch batch = batchOf(b, "logprob");
  PolicyLossCall c{};
  c.type = b.floating("logprob");
  c.logprob = tokenInput(b, batch, "logprob", c.type);
  policyInputs(b, batch, c);
  c.dlogprob = b.output("dlogprob", elementOf(c.type), batch.shape);
  b.declare({{"accumulate", "F32"}});
  b.job.flops = (c.ref ? 20 : 12) * batch.tokens;
  b.job.sources = sourcesWith("policy_loss.cu", {"policy_loss.h", "aggregate.h"});
  const auto launcher = variantOf(LAUNCHERS(PolicyLossCall, VARIANTS_OF_policy_loss, policyLoss), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindPolicyLossLogits(Binder &b) {
  const Shape logits = b.shape("logits", 3);
  b.want("tokens", {logits[0], logits[1]});
  const Batch batch = batchOf(b, "tokens");
  PolicyLogitsCall c{};
  c.vocab = int(logits[2]);
  c.type = b.floating("logits");
  c.temperature = temperature(b);
  c.tokens = b.upload(tokens(b, c.vocab, batch.mask));
  c.logits = b.onDevice("logits");
  const size_t rows = batch.mask.size();
  c.logprob = b.scratch<float>(rows);
  c.maximum = b.scratch<float>(rows);
  c.inverse = b.scratch<float>(rows);
  c.policy.type = F32;
  c.policy.logprob = c.logprob;
  policyInputs(b, batch, c.policy);
  c.policy.dlogprob = b.output("dlogprob", ElementF32, batch.shape);
  c.dlogits = b.output("dlogits", elementOf(c.type), logits);
  b.declare({{"accumulate", "F32"}});
  b.job.bytes += batch.tokens * (double(c.vocab) * sizeOf(c.type) + 4);
  b.job.flops = 9 * batch.tokens * c.vocab;
  b.job.how = "the logits are read a second time for their gradient, which is not counted";
  b.job.sources = sourcesWith("policy_loss_logits.cu", {"log_softmax.h", "policy_loss.h", "aggregate.h"});
  const auto launcher = variantOf(LAUNCHERS(PolicyLogitsCall, VARIANTS_OF_policy_loss_logits, policyLossLogits), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindLoss(Binder &b) { b.has("logits") ? bindPolicyLossLogits(b) : bindPolicyLoss(b); }

void bindValueLoss(Binder &b) {
  const Batch batch = batchOf(b, "values");
  ValueLossCall c{};
  c.type = b.floating("values");
  aggregation(b, batch, c);
  c.clip = float(atLeast(b, 0, "clip"));
  c.values = tokenInput(b, batch, "values", c.type);
  c.old = tokenInput(b, batch, "old_values", c.type);
  c.returns = tokenInput(b, batch, "returns", c.type);
  c.dvalues = b.output("dvalues", elementOf(c.type), batch.shape);
  b.declare({{"accumulate", "F32"}});
  b.job.flops = 10 * batch.tokens;
  b.job.sources = sourcesWith("ppo_value_loss.cu", {"aggregate.h"});
  const auto launcher = variantOf(LAUNCHERS(ValueLossCall, VARIANTS_OF_ppo_value_loss, ppoValueLoss), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindGroupAdvantage(Binder &b) {
  const Shape n = b.shape("rewards", 1);
  b.want("group", n);
  GroupAdvantageCall c{};
  c.N = int(n[0]);
  c.type = b.floating("rewards");
  c.std = b.choice("std", {"population", "sample", "none"});
  c.eps = float(atLeast(b, 0, "eps"));
  c.group = b.upload(b.integers("group"));
  c.rewards = b.onDevice("rewards");
  c.advantage = static_cast<float *>(b.output("advantage", ElementF32, n));
  b.declare({{"accumulate", "F32"}});
  b.job.bytes += (8.0 + sizeOf(c.type)) * c.N;
  b.job.flops = 8.0 * c.N;
  b.job.sources = sourcesWith("grpo_advantage.cu", {});
  const auto launcher = variantOf(LAUNCHERS(GroupAdvantageCall, VARIANTS_OF_grpo_advantage, grpoAdvantage), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// lengths returns lengths of responses on the device, or null.
const float *lengths(Binder &b, const std::string &name, const Shape &n) {
  if (!b.has(name)) return nullptr;
  b.want(name, n);
  const auto values = b.numbers(name);
  for (float x : values) {
    if (!(x >= 1) || x != std::floor(x) || std::isinf(x)) fail("tensor " + quoteJson(name) + ": " + std::to_string(x) + " tokens, want a whole number from 1");
  }
  b.job.bytes += 4.0 * double(values.size());
  return b.upload(values);
}

void bindDPO(Binder &b) {
  const Shape n = b.shape("chosen", 1);
  PreferenceCall c{};
  c.N = int(n[0]);
  c.type = b.floating("chosen");
  const double beta = b.number("beta");
  if (!(beta > 0)) fail("attrs: \"beta\": want more than 0");
  c.beta = float(beta), c.half = float(1 / (2 * beta));
  c.squared = b.choice("kind", {"sigmoid", "ipo"}) == 1;
  c.smoothing = float(atLeast(b, 0, "label_smoothing"));
  if (c.smoothing > 1 || (c.smoothing != 0 && c.squared)) fail("attrs: \"label_smoothing\": want 0 to 1, and 0 for ipo");
  c.lengthNormalize = b.flag("length_normalize");
  c.lengthsChosen = lengths(b, "lengths_chosen", n);
  c.lengthsRejected = lengths(b, "lengths_rejected", n);
  const bool both = b.has("lengths_chosen") && b.has("lengths_rejected");
  if (c.lengthNormalize && !both) fail("attrs: \"length_normalize\" needs the tensors \"lengths_chosen\" and \"lengths_rejected\"");
  if (!both) c.lengthsChosen = c.lengthsRejected = nullptr;
  const std::pair<const char *, const void **> inputs[] = {{"chosen", &c.chosen}, {"rejected", &c.rejected}, {"ref_chosen", &c.refChosen}, {"ref_rejected", &c.refRejected}};
  for (const auto &in : inputs) {
    b.want(in.first, n);
    b.same(in.first, c.type);
    *in.second = b.onDevice(in.first);
    b.job.bytes += double(c.N) * sizeOf(c.type);
  }
  c.losses = b.scratch<float>(size_t((c.N + blockPairs - 1) / blockPairs));
  c.loss = static_cast<float *>(b.output("loss", ElementF32, {}));
  c.chosenReward = static_cast<float *>(b.output("chosen_reward", ElementF32, n));
  c.rejectedReward = static_cast<float *>(b.output("rejected_reward", ElementF32, n));
  c.dchosen = b.output("dchosen", elementOf(c.type), n);
  c.drejected = b.output("drejected", elementOf(c.type), n);
  b.declare({{"accumulate", "F32"}});
  b.job.flops = 30.0 * c.N;
  b.job.sources = sourcesWith("dpo_loss.cu", {});
  const auto launcher = variantOf(LAUNCHERS(PreferenceCall, VARIANTS_OF_dpo_loss, dpoLoss), b.mistake);
  b.job.run = [=] { launcher(c); };
}

}  // namespace

const std::vector<Bound> &objectiveOps() {
  static const std::vector<Bound> all = {
      {"policy.logprob", bindLogProb}, {"policy.kl", bindKL},           {"ppo.gae", bindGAE},
      {"ppo.loss", bindLoss},          {"grpo.loss", bindLoss},         {"ppo.value_loss", bindValueLoss},
      {"grpo.advantage", bindGroupAdvantage}, {"dpo.loss", bindDPO},        {"policy.cross_entropy", bindCrossEntropy},
  };
  return all;
}

}  // namespace plumbline
