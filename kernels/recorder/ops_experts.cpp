// Binds the ops of a mixture of experts and of block-scaled FP8 to their kernels.
#include "binder.h"

namespace plumbline {

namespace {

#define LAUNCHER_OF_moeGate(v) {#v, v::moeGate},
#define LAUNCHER_OF_moeDispatch(v) {#v, v::moeDispatch},
#define LAUNCHER_OF_moeBalanceLoss(v) {#v, v::moeBalanceLoss},
#define LAUNCHER_OF_moeBiasUpdate(v) {#v, v::moeBiasUpdate},
#define LAUNCHER_OF_fp8Cast(v) {#v, v::fp8Cast},
#define LAUNCHER_OF_moeExperts(v) {#v, v::moeExperts},
#define LAUNCHER_OF_moeExpertsF32(v) {#v, v::moeExpertsF32},
#define LAUNCHER_OF_fp8Product(v) {#v, v::fp8Product},

std::vector<std::string> sourcesWith(const std::string &file, std::vector<std::string> headers) {
  headers.insert(headers.begin(), file);
  headers.insert(headers.end(), {"reduce.h", "bf16.h", "platform.h", "variant.h"});
  return headers;
}

int64_t blocks(int64_t n, int64_t each) { return (n + each - 1) / each; }

constexpr int64_t mostRows = 65535;  // of a grid
void atMost(int64_t rows, const char *what) {
  if (rows > mostRows) fail("more than 65535 " + std::string(what) + ": more than these kernels' grids take");
}

// whole reads numbers of experts or devices, from least on, below a limit.
std::vector<int> whole(Binder &b, const std::string &name, int64_t least, int64_t limit) {
  std::vector<int> all;
  for (int64_t x : b.integers(name)) {
    if (x < least || x >= limit) fail("tensor " + quoteJson(name) + ": " + std::to_string(x) + ", want " + std::to_string(least) + " to " + std::to_string(limit - 1));
    all.push_back(int(x));
  }
  b.job.bytes += 4.0 * double(all.size());
  return all;
}

// --- gate

// gateAttrs reads how E experts are chosen and weighed.
void gateAttrs(Binder &b, Gate &g, int64_t E) {
  g.E = int(E), g.K = b.count("top_k", 0), g.groups = b.count("groups"), g.topGroups = b.count("top_groups");
  g.score = b.choice("score", {"sigmoid", "softmax", "sqrt_softplus"});
  g.groupScore = b.choice("group_score", {"top2", "max", "share"});
  g.normalize = b.flag("normalize");
  g.eps = float(b.number("norm_eps")), g.scale = float(b.number("scale"));
  if (g.groups < 1 || g.E % g.groups != 0) fail("attrs: \"groups\": " + std::to_string(g.E) + " experts in " + std::to_string(g.groups) + " groups of equal size");
  if (g.topGroups < 1 || g.topGroups > g.groups) fail("attrs: \"top_groups\": want 1 to \"groups\"");
  if (g.K < 1 || g.K > g.E / g.groups * g.topGroups) fail("attrs: \"top_k\": want 1 to as many experts as the groups kept have");
}

// gateInputs binds what logits are made of, and the bias, and returns the number of experts.
int64_t gateInputs(Binder &b, GateCall &c) {
  int64_t E;
  if (b.has("logits")) {
    if (b.has("x") || b.has("weight")) fail("tensor \"logits\": there are \"x\" or \"weight\" too");
    const Shape logits = b.shape("logits", 2);
    c.N = int(logits[0]), E = logits[1];
    c.logitsType = b.floating("logits");
    c.logits = b.onDevice("logits");
    b.job.bytes += double(countOf(logits)) * sizeOf(c.logitsType);
    b.job.flops += 8 * double(countOf(logits));
  } else {
    const Shape x = b.shape("x", 2), weight = b.shape("weight", 2);
    c.N = int(x[0]), c.d = int(x[1]), E = weight[0];
    b.want("weight", {E, x[1]});
    c.xType = b.floating("x"), c.weightType = b.floating("weight");
    c.x = b.onDevice("x"), c.weight = b.onDevice("weight");
    b.job.bytes += double(countOf(x)) * sizeOf(c.xType) + double(countOf(weight)) * sizeOf(c.weightType);
    b.job.flops += 2.0 * double(countOf(x)) * double(E);
  }
  if (E > 4000) fail("more than 4000 experts: more than a block's shared memory takes");
  if (b.has("bias")) {
    b.want("bias", {E});
    c.biasType = b.floating("bias");
    c.bias = b.onDevice("bias");
  }
  return E;
}

void bindGate(Binder &b) {
  GateCall c{};
  gateAttrs(b, c, gateInputs(b, c));
  c.wide = b.outputType("indices", {ElementI32, ElementI64}) == ElementI64;
  c.indices = b.output("indices", c.wide ? ElementI64 : ElementI32, {c.N, c.K});
  c.weights = static_cast<float *>(b.output("weights", ElementF32, {c.N, c.K}));
  b.declare({{"accumulate", "F32"}, {"gate", "F32"}});
  b.job.sources = sourcesWith("moe_gate.cu", {"gate.h", "experts.h"});
  const auto launcher = variantOf(LAUNCHERS(GateCall, VARIANTS_OF_moe_gate, moeGate), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// --- losses, bias, dispatch

void bindBalance(Binder &b) {
  const Shape scores = b.shape("scores", 2), indices = b.shape("indices", 2);
  b.want("indices", {scores[0], indices[1]});
  BalanceCall c{};
  c.N = int(scores[0]), c.E = int(scores[1]), c.K = int(indices[1]);
  c.type = b.floating("scores");
  c.kind = b.choice("kind", {"expert", "device", "communication", "sequence"});
  c.normalize = b.flag("normalize_scores");
  c.alpha = float(b.number("alpha"));
  const int length = b.count("sequence_length", c.N);
  c.length = c.kind == balanceSequence ? length : c.N;
  if (c.length < 1 || c.N % c.length != 0) fail("attrs: \"sequence_length\": " + std::to_string(c.N) + " tokens are no whole sequences of " + std::to_string(c.length));
  c.indices = b.upload(whole(b, "indices", INT_MIN, c.E));
  const bool ofDevices = c.kind == balanceDevice || c.kind == balanceCommunication;
  if (ofDevices || b.has("groups")) {
    b.want("groups", {c.E});
    const std::vector<int> groups = whole(b, "groups", 0, 1 << 20);
    c.devices = *std::max_element(groups.begin(), groups.end()) + 1;
    c.groups = b.upload(groups);
  }
  c.most = b.count("top_groups", c.devices);
  if (c.kind == balanceCommunication && c.most < 1) fail("attrs: \"top_groups\": want 1 or more");
  c.scores = b.onDevice("scores");
  const int sequences = c.N / c.length;
  atMost(sequences, "sequences");
  c.rowSums = b.scratch<float>(size_t(c.N));
  c.shares = b.scratch<float>(size_t(sequences) * size_t(c.E));
  c.counts = b.scratch<float>(size_t(sequences) * size_t(std::max(c.E, c.devices)));
  c.loss = static_cast<float *>(b.output("loss", ElementF32, {}));
  b.declare({{"accumulate", "F32"}});
  b.job.bytes += double(countOf(scores)) * sizeOf(c.type);
  b.job.flops = 3 * double(countOf(scores));
  b.job.sources = sourcesWith("moe_balance.cu", {"experts.h"});
  const auto launcher = variantOf(LAUNCHERS(BalanceCall, VARIANTS_OF_moe_balance, moeBalanceLoss), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindBias(Binder &b) {
  const Shape E = b.shape("bias", 1);
  b.want("load", E);
  BiasCall c{};
  c.E = int(E[0]);
  c.type = b.floating("bias");
  c.rate = float(b.number("rate"));
  c.proportional = b.choice("rule", {"sign", "proportional"}) == 1;
  c.center = b.flag("center");
  c.load = b.upload(b.integers("load"));
  c.bias = b.onDevice("bias");
  c.out = b.output("bias", elementOf(c.type), E);
  b.declare({{"accumulate", "F32"}});
  b.job.bytes += (8.0 + sizeOf(c.type)) * c.E;
  b.job.flops = 4.0 * c.E;
  b.job.sources = sourcesWith("moe_balance.cu", {"experts.h"});
  const auto launcher = variantOf(LAUNCHERS(BiasCall, VARIANTS_OF_moe_balance, moeBiasUpdate), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindDispatch(Binder &b) {
  const Shape indices = b.shape("indices", 2);
  DispatchCall c{};
  c.pairs = int(countOf(indices)), c.K = int(indices[1]), c.E = b.count("experts", 0);
  if (c.E < 1) fail("attrs: \"experts\": want 1 or more");
  const std::vector<int> all = whole(b, "indices", INT_MIN, c.E);
  const int64_t rows = std::count_if(all.begin(), all.end(), [](int e) { return e >= 0; });
  c.indices = b.upload(all);
  c.work = b.scratch<int>(size_t(c.E));
  c.wide = b.outputType("order", {ElementI32, ElementI64}) == ElementI64;
  const Element element = c.wide ? ElementI64 : ElementI32;
  c.order = b.output("order", element, {rows});
  c.counts = b.output("counts", element, {c.E});
  b.job.sources = sourcesWith("moe_dispatch.cu", {"experts.h"});
  const auto launcher = variantOf(LAUNCHERS(DispatchCall, VARIANTS_OF_moe_dispatch, moeDispatch), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// --- experts

// expertInputs binds the weights of all experts, and the attributes, to a call whose N, K and d are known. All have the type of x.
void expertInputs(Binder &b, ExpertsCall &c, Type type) {
  b.mostElements = INT64_MAX;
  const Shape gate = b.shape("w_gate", 3);
  c.E = int(gate[0]), c.F = int(gate[1]);
  const auto weights = [&](const std::string &name, const Shape &shape) {
    b.want(name, shape);
    b.same(name, type);
    b.job.bytes += double(countOf(shape)) * sizeOf(type);
    return b.onDevice(name);
  };
  c.gate = weights("w_gate", {gate[0], gate[1], c.d}), c.up = weights("w_up", {gate[0], gate[1], c.d}), c.down = weights("w_down", {gate[0], c.d, gate[1]});
  const int shared = b.has("shared_gate") + b.has("shared_up") + b.has("shared_down");
  if (shared != 0 && shared != 3) fail("tensor \"shared_gate\": want all of shared_gate, shared_up and shared_down, or none");
  if (shared != 0) {
    c.Fs = int(b.shape("shared_gate", 2)[0]);
    c.sharedGate = weights("shared_gate", {c.Fs, c.d}), c.sharedUp = weights("shared_up", {c.Fs, c.d}), c.sharedDown = weights("shared_down", {c.d, c.Fs});
  }
  if (type == BF16 && (c.d % 8 != 0 || c.F % 8 != 0 || c.Fs % 8 != 0)) fail("tensor \"w_gate\": shape " + textOf(gate) + ", want widths that are multiples of 8 in BF16");
  c.limit = float(b.number("swiglu_limit"));
  c.weightAtHidden = b.choice("weight_at", {"output", "hidden"}) == 1;
  atMost(type == F32 ? int64_t(c.N) * c.K : c.N, "rows");
  const size_t pairs = size_t(c.N) * size_t(c.K), size = size_t(sizeOf(type));
  c.hidden = b.scratch<char>(pairs * size_t(c.F) * size);
  c.routed = b.scratch<char>(pairs * size_t(c.d) * size);
  c.sharedHidden = b.scratch<char>(size_t(c.N) * size_t(c.Fs) * size);
  c.sharedOutput = b.scratch<char>(size_t(c.N) * size_t(c.d) * size);
  b.job.flops += 6.0 * (double(pairs) * c.F + double(c.N) * c.Fs) * c.d;
}

// runExperts sorts the pairs of a call and runs its experts; first comes what makes its indices, if they are not there.
void runExperts(Binder &b, ExpertsCall c, Type type, const std::function<void()> &before) {
  DispatchCall sort{};
  sort.indices = c.indices, sort.pairs = c.N * c.K, sort.K = c.K, sort.E = c.E;
  sort.order = b.scratch<int>(size_t(sort.pairs)), sort.counts = b.scratch<int>(size_t(c.E));
  sort.work = b.scratch<int>(size_t(c.E)), sort.place = b.scratch<int>(size_t(sort.pairs));
  c.order = static_cast<int *>(sort.order), c.counts = sort.work, c.place = sort.place;
  c.y = b.output("y", elementOf(type), {c.N, c.d});
  b.job.tensorCores = type == BF16;
  const auto launcher = type == BF16 ? variantOf(LAUNCHERS(ExpertsCall, VARIANTS_OF_moe_experts, moeExperts), b.mistake)
                                     : variantOf(LAUNCHERS(ExpertsCall, VARIANTS_OF_moe_experts, moeExpertsF32), b.mistake);
  b.job.run = [=] {
    before();
    right::moeDispatch(sort);
    launcher(c);
  };
}

std::vector<std::string> expertSources(Type type) {
  return type == BF16 ? sourcesWith("moe_experts.cu", {"experts.h", "moe_dispatch.cu", "tiles.h", "tensor_core.h"})
                      : sourcesWith("moe_experts_f32.cu", {"experts.h", "moe_dispatch.cu", "dot.h"});
}

const char *sumsOf(Type type) { return type == BF16 ? "F32_HOPPER" : "F32"; }

void bindExperts(Binder &b) {
  const Shape x = b.shape("x", 2), indices = b.shape("indices", 2);
  b.want("indices", {x[0], indices[1]});
  b.want("weights", indices);
  ExpertsCall c{};
  c.N = int(x[0]), c.d = int(x[1]), c.K = int(indices[1]);
  const Type type = b.floating("x");
  c.weightsType = b.floating("weights");
  c.x = b.onDevice("x"), c.weights = b.onDevice("weights");
  expertInputs(b, c, type);
  c.indices = b.upload(whole(b, "indices", INT_MIN, c.E));
  b.declare({{"accumulate", sumsOf(type)}, {"intermediate", elementName(type)}, {"combine", "F32"}});
  b.job.bytes += double(countOf(x)) * sizeOf(type) + 4.0 * c.N * c.K;
  b.job.sources = expertSources(type);
  runExperts(b, c, type, [] {});
}

void bindMoELayer(Binder &b) {
  const Shape x = b.shape("x", 2);
  const Type type = b.floating("x");
  GateCall gate{};
  gateAttrs(b, gate, gateInputs(b, gate));
  ExpertsCall c{};
  c.N = gate.N, c.d = gate.d, c.K = gate.K;
  c.x = gate.x;
  expertInputs(b, c, type);
  if (c.E != gate.E) fail("tensor \"w_gate\": " + std::to_string(c.E) + " experts, and " + std::to_string(gate.E) + " of the gate");
  int *indices = b.scratch<int>(size_t(c.N) * size_t(c.K));
  gate.weights = b.scratch<float>(size_t(c.N) * size_t(c.K));
  gate.indices = indices, c.indices = indices, c.weights = gate.weights;
  b.declare({{"accumulate", sumsOf(type)}, {"intermediate", elementName(type)}, {"combine", "F32"}, {"gate", "F32"}});
  b.job.sources = expertSources(type);
  b.job.sources.insert(b.job.sources.begin() + 1, {"moe_gate.cu", "gate.h"});
  const auto launcher = variantOf(LAUNCHERS(GateCall, VARIANTS_OF_moe_gate, moeGate), b.mistake);
  runExperts(b, c, type, [=] { launcher(gate); });
}

// --- FP8

void bindCast(Binder &b) {
  const Shape x = b.shape("x", 2);
  CastCall c{};
  c.M = int(x[0]), c.K = int(x[1]);
  c.type = b.floating("x");
  const std::pair<int, int> block = b.pair("block", {1, 128});
  c.b0 = block.first, c.b1 = block.second;
  if (c.b0 < 1 || c.b1 < 1) fail("attrs: \"block\": want rows and columns from 1");
  c.e5m2 = b.choice("format", {"F8_E4M3", "F8_E5M2"}) == 1;
  c.powers = b.choice("scale", {"F32", "UE8M0"}) == 1;
  c.recipe = b.given("recipe") ? b.choice("recipe", {"divide", "reciprocal", "amax"}) : castDivide;
  if (c.powers && c.recipe == castAmax) fail("attrs: \"recipe\": amax divides by no power of two");
  c.codes = b.outputType("scale", {ElementF32, ElementE8M0}) == ElementE8M0;
  if (c.codes && !c.powers) fail("output scale: F8_E8M0 has powers of two alone");
  c.floor = float(b.number("amax_floor"));
  if (!(c.floor > 0)) fail("attrs: \"amax_floor\": want more than 0");
  c.x = b.onDevice("x");
  c.q = static_cast<uint8_t *>(b.output("q", c.e5m2 ? ElementE5M2 : ElementE4M3, x));
  c.scale = b.output("scale", c.codes ? ElementE8M0 : ElementF32, {blocks(c.M, c.b0), blocks(c.K, c.b1)});
  b.job.bytes += double(countOf(x)) * sizeOf(c.type);
  b.job.flops = 2 * double(countOf(x));
  b.job.how = "x is read twice, which is not counted";
  b.job.sources = sourcesWith("fp8_cast.cu", {"fp8.h"});
  const auto launcher = variantOf(LAUNCHERS(CastCall, VARIANTS_OF_fp8_cast, fp8Cast), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// codes returns a matrix of codes on the device.
const uint8_t *codes(Binder &b, const std::string &name, const Shape &shape) {
  b.want(name, shape);
  if (b.element(name) != ElementE4M3) fail("tensor " + quoteJson(name) + ": type " + nameOf(b.element(name)) + ", these kernels take F8_E4M3");
  b.job.bytes += double(countOf(shape));
  return static_cast<const uint8_t *>(b.onDevice(name));
}

const void *scales(Binder &b, const std::string &name, const Shape &shape, bool *asCodes) {
  b.want(name, shape);
  *asCodes = b.element(name) == ElementE8M0;
  if (!*asCodes && b.element(name) != ElementF32) fail("tensor " + quoteJson(name) + ": type " + nameOf(b.element(name)) + ", these kernels take F32 and F8_E8M0");
  b.job.bytes += double(countOf(shape)) * (*asCodes ? 1 : 4);
  return b.onDevice(name);
}

void bindProduct(Binder &b) {
  const bool grouped = b.r.op == "fp8.grouped_gemm";
  b.mostElements = INT64_MAX;
  const Shape a = b.shape("a", 2), matrices = b.shape("b", grouped ? 3 : 2);
  if (b.device.major != 9) fail("this kernel is of wgmma, which compute capability 9 alone has");
  ProductCall c{};
  c.M = int(a[0]), c.K = int(a[1]), c.N = int(matrices[matrices.size() - 2]), c.E = grouped ? int(matrices[0]) : 1;
  const int64_t k = blocks(c.K, 128), n = blocks(c.N, 128);
  const auto ofB = [&](Shape s) {
    if (grouped) s.insert(s.begin(), c.E);
    return s;
  };
  c.a = codes(b, "a", a), c.b = codes(b, "b", ofB({c.N, c.K}));
  c.aScale = scales(b, "a_scale", {c.M, k}, &c.aCodes), c.bScale = scales(b, "b_scale", ofB({n, k}), &c.bCodes);
  if (grouped) {
    b.want("counts", {c.E});
    const std::vector<int> counts = whole(b, "counts", 0, INT_MAX);
    int64_t sum = 0;
    for (int count : counts) sum += count;
    if (sum != c.M) fail("tensor \"counts\": " + std::to_string(sum) + " rows in all, want the " + std::to_string(c.M) + " of \"a\"");
    c.counts = b.upload(counts);
  }
  atMost(c.M / 64 + c.E, "tiles of rows");
  c.type = b.outputType("c", {ElementBF16, ElementF32}) == ElementF32 ? F32 : BF16;
  c.c = b.output("c", elementOf(c.type), {c.M, c.N});
  b.job.arithmetic.set("promote_every", Json::whole(128));
  b.declare({{"accumulate", "F32_HOPPER"}});
  b.job.flops = 2.0 * c.M * c.N * c.K;
  b.job.tensorCores = true;
  b.job.sources = sourcesWith("fp8_gemm.cu", {"fp8.h", "experts.h", "tensor_core.h"});
  const auto launcher = variantOf(LAUNCHERS(ProductCall, VARIANTS_OF_fp8_gemm, fp8Product), b.mistake);
  b.job.run = [=] { launcher(c); };
}

}  // namespace

const std::vector<Bound> &expertOps() {
  static const std::vector<Bound> all = {
      {"moe.gate", bindGate},       {"moe.balance_loss", bindBalance}, {"moe.bias_update", bindBias}, {"moe.dispatch", bindDispatch},        {"moe.experts", bindExperts},
      {"moe.layer", bindMoELayer}, {"fp8.cast", bindCast},            {"fp8.gemm", bindProduct},     {"fp8.grouped_gemm", bindProduct},
  };
  return all;
}

}  // namespace plumbline
