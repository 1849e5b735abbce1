// Binds rotary positions, norms, attention and its decode to their kernels.
#include <cmath>

#include "binder.h"

namespace plumbline {

namespace {

#define LAUNCHER_OF_ropeApply(v) {#v, v::ropeApply},
#define LAUNCHER_OF_ropeTable(v) {#v, v::ropeTable},
#define LAUNCHER_OF_attentionForward(v) {#v, v::attentionForward},
#define LAUNCHER_OF_attentionForwardF32(v) {#v, v::attentionForwardF32},
#define LAUNCHER_OF_attentionBackward(v) {#v, v::attentionBackward},
#define LAUNCHER_OF_attentionBackwardF32(v) {#v, v::attentionBackwardF32},
#define LAUNCHER_OF_mlaDecode(v) {#v, v::mlaDecode},
#define LAUNCHER_OF_mlaDecodeF32(v) {#v, v::mlaDecodeF32},
#define LAUNCHER_OF_attentionMerge(v) {#v, v::attentionMerge},

// The sources of the kernels, each with the headers that decide its arithmetic.
const std::vector<std::string> tensorCoreSources = {"attend.h", "tensor_core.h", "bf16.h", "scalar.h", "platform.h", "variant.h"};
std::vector<std::string> sourcesOf(const std::string &file, bool tensorCores) {
  std::vector<std::string> all = {file};
  if (tensorCores) {
    all.insert(all.end(), tensorCoreSources.begin(), tensorCoreSources.end());
  } else {
    all.insert(all.end(), {"plain_attention.h", "attend.h", "scalar.h", "platform.h", "variant.h"});
  }
  return all;
}

// rotation returns the frequencies of a rotation on the device, and its amplitude.
const float *rotation(Binder &b, int width, float *scale) {
  const double base = b.number("base");
  const YaRN y = b.yarn();
  if (base <= 1) fail("attrs: \"base\": found " + std::to_string(base) + ", want more than 1");
  if (width % 2 != 0) fail("rotary width " + std::to_string(width) + ", want an even one");
  std::vector<float> theta(size_t(width / 2));
  for (int i = 0; i < width / 2; i++) theta[size_t(i)] = float(frequency(i, width, base, y));
  *scale = float(amplitude(y));
  return b.upload(theta);
}

void bindRopeApply(Binder &b) {
  const Shape x = b.shape("x", 3);
  b.want("positions", {x[0]});
  RopeCall c{};
  c.N = int(x[0]), c.H = int(x[1]), c.D = int(x[2]);
  c.type = b.floating("x");
  c.layout = b.choice("layout", {"interleaved", "half", "interleaved_to_half"});
  c.inverse = b.flag("inverse");
  c.theta = rotation(b, c.D, &c.amplitude);
  c.positions = b.upload(b.integers("positions"));
  c.x = b.onDevice("x");
  c.y = b.output("y", elementOf(c.type), x);
  b.declare({{"accumulate", "F32"}, {"angle", "F32"}, {"intermediate", "F32"}});
  b.job.bytes += double(countOf(x)) * sizeOf(c.type) + 8.0 * c.N;
  b.job.flops = 3.0 * double(countOf(x));
  b.job.sources = {"rope.cu", "bf16.h", "scalar.h", "platform.h", "variant.h"};
  const auto launcher = variantOf(LAUNCHERS(RopeCall, VARIANTS_OF_rope, ropeApply), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindRopeTable(Binder &b) {
  const Shape n = b.shape("positions", 1);
  if (!b.given("dim")) fail("attrs: \"dim\": missing, and this op has no default for it");
  RopeTableCall c{};
  c.N = int(n[0]), c.pairs = b.count("dim", 0) / 2;
  if (c.pairs == 0) fail("attrs: \"dim\": found 0, want an even width");
  c.theta = rotation(b, b.count("dim", 0), &c.amplitude);
  c.positions = b.upload(b.integers("positions"));
  c.cos = static_cast<float *>(b.output("cos", ElementF32, {n[0], c.pairs}));
  c.sin = static_cast<float *>(b.output("sin", ElementF32, {n[0], c.pairs}));
  b.declare({{"accumulate", "F32"}, {"angle", "F32"}});
  b.job.bytes += 8.0 * c.N;
  b.job.flops = 3.0 * c.N * c.pairs;
  b.job.sources = {"rope.cu", "bf16.h", "scalar.h", "platform.h", "variant.h"};
  const auto launcher = variantOf(LAUNCHERS(RopeTableCall, VARIANTS_OF_rope, ropeTable), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindNorm(Binder &b) {
  const Shape x = b.shape("x", 2);
  b.want("weight", {x[1]});
  NormCall c{};
  c.N = int(x[0]), c.d = int(x[1]);
  c.type = b.floating("x");
  c.weightType = b.floating("weight");
  const double eps = b.number("eps");
  if (eps < 0) fail("attrs: \"eps\": found a negative number");
  c.eps = float(eps);
  c.x = b.onDevice("x");
  c.weight = b.onDevice("weight");
  c.y = b.output("y", elementOf(c.type), x);
  b.declare({{"accumulate", "F32"}, {"intermediate", "F32"}});
  b.job.bytes += double(countOf(x)) * sizeOf(c.type) + double(c.d) * sizeOf(c.weightType);
  b.job.flops = 4.0 * double(countOf(x));
  b.job.sources = {"norm_rms.cu", "reduce.h", "bf16.h", "platform.h", "variant.h"};
  b.job.run = [=] { right::normRMS(c); };
}

// keysInUse reads kv_lens, or returns T for every sequence.
std::vector<int> keysInUse(Binder &b, int64_t batch, int64_t room) {
  std::vector<int> lens(static_cast<size_t>(batch), static_cast<int>(room));
  if (!b.has("kv_lens")) return lens;
  b.want("kv_lens", {batch});
  const auto values = b.integers("kv_lens");
  for (size_t i = 0; i < values.size(); i++) {
    if (values[i] < 0 || values[i] > room) fail("tensor \"kv_lens\": " + std::to_string(values[i]) + " keys, want 0 to " + std::to_string(room));
    lens[i] = int(values[i]);
  }
  return lens;
}

// pairsSeen counts the pairs of query and key, of one head.
double pairsSeen(const std::vector<int> &lens, int queries, bool causal, int window) {
  double pairs = 0;
  for (int keys : lens) {
    for (int s = 0; s < queries; s++) {
      const right::Range r = right::seenBy({causal, window, queries, keys}, s);
      pairs += r.hi - r.lo;
    }
  }
  return pairs;
}

void checkGrid(int heads, int batch) {
  if (heads > 65535 || batch > 65535) fail("more than 65535 heads or sequences: more than these kernels' grids take");
}

// attention binds what the forward and the backward pass share, and returns the pairs of query and key of all heads.
double attention(Binder &b, AttentionInputs &c, Type *type) {
  const Shape q = b.shape("q", 4), k = b.shape("k", 4), v = b.shape("v", 4);
  c.B = int(q[0]), c.S = int(q[1]), c.H = int(q[2]), c.D = int(q[3]), c.T = int(k[1]), c.G = int(k[2]), c.V = int(v[3]);
  b.want("k", {q[0], k[1], k[2], q[3]});
  b.want("v", {q[0], k[1], k[2], v[3]});
  *type = b.floating("q");
  b.same("k", *type);
  b.same("v", *type);
  if (c.H % c.G != 0) fail("tensor \"q\": " + std::to_string(c.H) + " heads, want a multiple of the " + std::to_string(c.G) + " key and value heads");
  if (c.D > maxAttentionWidth || c.V > maxAttentionWidth) fail("widths " + std::to_string(c.D) + " and " + std::to_string(c.V) + ", these kernels go up to 256");
  if (*type == BF16 && (c.D % 8 != 0 || c.V % 8 != 0)) fail("widths " + std::to_string(c.D) + " and " + std::to_string(c.V) + ", the bf16 kernels take multiples of 8");
  checkGrid(std::max(c.H, c.G), c.B);
  c.scale = b.number("scale", 1 / std::sqrt(double(c.D)));
  c.causal = b.flag("causal");
  c.window = b.count("window");
  c.softcap = b.number("softcap");
  if (c.scale == 0) fail("attrs: \"scale\": found 0");
  if (c.softcap < 0) fail("attrs: \"softcap\": found a negative number");
  const std::vector<int> lens = keysInUse(b, c.B, c.T);
  c.kvLens = b.has("kv_lens") ? b.upload(lens) : nullptr;
  if (b.has("sink")) {
    b.want("sink", {q[2]});
    c.sink = b.upload(b.asFloats("sink"));
  }
  c.q = b.onDevice("q");
  c.k = b.onDevice("k");
  c.v = b.onDevice("v");
  double keys = 0;
  for (int n : lens) keys += n;
  b.job.bytes += (double(countOf(q)) + keys * c.G * (c.D + c.V)) * sizeOf(*type);
  b.job.tensorCores = *type == BF16;
  return pairsSeen(lens, c.S, c.causal, c.window) * c.H;
}

const char *accumulatorOf(Type t) { return t == BF16 ? "F32_HOPPER" : "F32"; }

void bindForward(Binder &b) {
  ForwardCall c{};
  Type type;
  b.job.flops = 2 * attention(b, c, &type) * (c.D + c.V);
  c.base2 = b.base2();
  c.o = b.output("o", elementOf(type), {c.B, c.S, c.H, c.V});
  c.lse = static_cast<float *>(b.output("lse", ElementF32, {c.B, c.H, c.S}));
  b.declare({{"accumulate", accumulatorOf(type)}, {"probabilities", elementName(type)}, {"scores", "F32"}});
  b.job.sources = sourcesOf(type == BF16 ? "attention_forward.cu" : "attention_forward_f32.cu", type == BF16);
  const auto launcher = type == BF16 ? variantOf(LAUNCHERS(ForwardCall, VARIANTS_OF_attention_forward, attentionForward), b.mistake)
                                     : variantOf(LAUNCHERS(ForwardCall, VARIANTS_OF_attention_forward, attentionForwardF32), b.mistake);
  b.job.run = [=] { launcher(c); };
}

void bindBackward(Binder &b) {
  BackwardCall c{};
  Type type;
  b.job.flops = 2 * attention(b, c, &type) * (3.0 * c.D + 2.0 * c.V);
  b.base2();  // means nothing here, as the log-sum-exp stays inside
  b.want("do", {c.B, c.S, c.H, c.V});
  b.same("do", type);
  c.dO = b.onDevice("do");
  ForwardCall f{};
  static_cast<AttentionInputs &>(f) = c;
  const size_t rows = size_t(c.B) * size_t(c.S) * size_t(c.H);
  f.o = b.scratch<unsigned char>(rows * size_t(c.V) * size_t(sizeOf(type)));
  f.lse = b.scratch<float>(rows);
  f.base2 = true;
  c.o = f.o;
  c.lse = f.lse;
  c.delta = b.scratch<float>(rows);
  c.normaliser = b.scratch<float>(rows);
  c.dq = b.output("dq", elementOf(type), {c.B, c.S, c.H, c.D});
  c.dk = b.output("dk", elementOf(type), {c.B, c.T, c.G, c.D});
  c.dv = b.output("dv", elementOf(type), {c.B, c.T, c.G, c.V});
  b.declare({{"accumulate", accumulatorOf(type)}, {"probabilities", elementName(type)}, {"scores", "F32"}, {"intermediate", elementName(type)}});
  b.job.bytes += 2.0 * double(rows) * c.V * sizeOf(type);
  b.job.sources = sourcesOf(type == BF16 ? "attention_backward.cu" : "attention_backward_f32.cu", type == BF16);
  b.job.sources.push_back(type == BF16 ? "attention_forward.cu" : "attention_forward_f32.cu");
  b.job.how = "o and the log-sum-exp come from the forward kernel of the same run, which is not timed";
  // A program that tiles its heads does so in both passes; one that misaligns the mask backward had a right forward pass.
  const std::string forwardMistake = b.mistake == "heads-tiled" ? b.mistake : "";
  const auto forward = type == BF16 ? variantOf(LAUNCHERS(ForwardCall, VARIANTS_OF_attention_forward, attentionForward), forwardMistake)
                                    : variantOf(LAUNCHERS(ForwardCall, VARIANTS_OF_attention_forward, attentionForwardF32), forwardMistake);
  const auto launcher = type == BF16 ? variantOf(LAUNCHERS(BackwardCall, VARIANTS_OF_attention_backward, attentionBackward), b.mistake)
                                     : variantOf(LAUNCHERS(BackwardCall, VARIANTS_OF_attention_backward, attentionBackwardF32), b.mistake);
  b.job.prepare = [=] { forward(f); };
  b.job.run = [=] { launcher(c); };
}

void bindMerge(Binder &b) {
  const Shape o = b.shape("o", 3);
  b.want("lse", {o[0], o[1]});
  MergeCall c{};
  c.P = int(o[0]), c.N = int(o[1]), c.V = int(o[2]);
  c.S = 1, c.H = c.N;
  c.type = c.outType = b.floating("o");
  if (b.floating("lse") != F32) fail("tensor \"lse\": type BF16, this kernel takes F32");
  c.base2In = c.base2Out = b.base2();
  c.o = b.onDevice("o");
  c.lse = static_cast<const float *>(b.onDevice("lse"));
  c.outO = b.output("o", elementOf(c.type), {c.N, c.V});
  c.outLse = static_cast<float *>(b.output("lse", ElementF32, {c.N}));
  b.declare({{"accumulate", "F32"}});
  b.job.bytes += double(countOf(o)) * sizeOf(c.type) + 4.0 * c.P * c.N;
  b.job.flops = 2.0 * double(countOf(o));
  b.job.sources = {"attention_merge.cu", "bf16.h", "platform.h", "variant.h"};
  const auto launcher = variantOf(LAUNCHERS(MergeCall, VARIANTS_OF_attention_merge, attentionMerge), b.mistake);
  b.job.run = [=] { launcher(c); };
}

// blockTable checks the entries that are used and returns the table.
std::vector<int> blockTable(Binder &b, const Shape &shape, const std::vector<int> &lens, int page, int64_t blocks) {
  const auto values = b.integers("block_table");
  std::vector<int> table(values.size(), INT_MIN);  // entries behind a length are not used, whatever they are
  for (int64_t s = 0; s < shape[0]; s++) {
    for (int64_t column = 0; column * page < lens[size_t(s)]; column++) {
      const size_t at = size_t(s * shape[1] + column);
      if (values[at] < 0 || values[at] >= blocks) fail("tensor \"block_table\": block " + std::to_string(values[at]) + ", want 0 to " + std::to_string(blocks - 1));
      table[at] = int(values[at]);
    }
  }
  return table;
}

void bindDecode(Binder &b) {
  const Shape q = b.shape("q", 4), cache = b.shape("kv_cache", 4), table = b.shape("block_table", 2);
  b.want("kv_cache", {cache[0], cache[1], 1, q[3]});
  b.want("block_table", {q[0], table[1]});
  DecodeCall c{};
  c.B = int(q[0]), c.S = int(q[1]), c.H = int(q[2]), c.D = int(q[3]), c.page = int(cache[1]), c.cols = int(table[1]);
  c.V = b.count("value_dim");
  const Type type = b.floating("q");
  b.same("kv_cache", type);
  if (c.V == 0 || c.V > c.D) fail("attrs: \"value_dim\": found " + std::to_string(c.V) + ", want 1 to " + std::to_string(c.D));
  if (c.D > maxDecodeWidth || c.V > maxDecodeValues) fail("widths " + std::to_string(c.D) + " and " + std::to_string(c.V) + ", these kernels go up to 576 and 512");
  if (type == BF16 && (c.D % 8 != 0 || c.V % 8 != 0)) fail("widths " + std::to_string(c.D) + " and " + std::to_string(c.V) + ", the bf16 kernel takes multiples of 8");
  if (int64_t(c.S) * c.H > INT_MAX / 64) fail("too many rows of queries and heads");
  checkGrid((c.S * c.H + decodeRows - 1) / decodeRows, c.B);
  if (!b.given("scale")) fail("attrs: \"scale\": missing, and this op has no default for it");
  c.scale = b.number("scale", 0);
  if (c.scale == 0) fail("attrs: \"scale\": found 0");
  c.causal = b.flag("causal");
  c.base2 = b.base2();
  if (!b.has("kv_lens")) fail("tensor \"kv_lens\": missing");
  const std::vector<int> lens = keysInUse(b, c.B, std::min<int64_t>(INT_MAX / 2, std::min(table[1], cache[0]) * cache[1]));
  c.longest = *std::max_element(lens.begin(), lens.end());
  c.table = b.upload(blockTable(b, table, lens, c.page, cache[0]));
  c.kvLens = b.upload(lens);
  c.q = b.onDevice("q");
  c.cache = b.onDevice("kv_cache");
  void *o = b.output("o", elementOf(type), {c.B, c.S, c.H, c.V});
  float *lse = static_cast<float *>(b.output("lse", ElementF32, {c.B, c.H, c.S}));
  b.declare({{"accumulate", accumulatorOf(type)}, {"probabilities", elementName(type)}, {"scores", "F32"}});
  double keys = 0;
  for (int n : lens) keys += n;
  b.job.bytes += (double(countOf(q)) + keys * c.D) * sizeOf(type) + 4.0 * (double(countOf(table)) + c.B);
  b.job.flops = 2 * pairsSeen(lens, c.S, c.causal, 0) * c.H * (c.D + c.V);
  b.job.tensorCores = type == BF16;
  b.job.sources = sourcesOf(type == BF16 ? "mla_decode.cu" : "mla_decode_f32.cu", type == BF16);
  if (type == F32) {
    c.o = static_cast<float *>(o);
    c.lse = lse;
    const auto launcher = variantOf(LAUNCHERS(DecodeCall, VARIANTS_OF_mla_decode, mlaDecodeF32), b.mistake);
    b.job.run = [=] { launcher(c); };
    return;
  }
  const size_t rows = size_t(c.B) * size_t(c.S) * size_t(c.H);
  c.splits = mlaDecodeSplits(c.B, c.S, c.H, c.longest, b.device.multiprocessors);
  c.partO = b.scratch<float>(size_t(c.splits) * rows * size_t(c.V));
  c.partLse = b.scratch<float>(size_t(c.splits) * rows);
  MergeCall m{};
  m.o = c.partO;
  m.lse = c.partLse;
  m.P = c.splits, m.N = int(rows), m.V = c.V, m.S = c.S, m.H = c.H;
  m.base2In = true;
  m.base2Out = c.base2;
  m.outO = o;
  m.outLse = lse;
  m.type = F32, m.outType = BF16;
  b.job.sources.push_back("attention_merge.cu");
  b.job.how = std::to_string(c.splits) + " splits of the keys, merged in float32; the time is that of both kernels";
  const auto launcher = variantOf(LAUNCHERS(DecodeCall, VARIANTS_OF_mla_decode, mlaDecode), b.mistake);
  const auto merge = variantOf(LAUNCHERS(MergeCall, VARIANTS_OF_attention_merge, attentionMerge), b.mistake);
  b.job.run = [=] {
    launcher(c);
    merge(m);
  };
}

}  // namespace

const std::vector<Bound> &attentionOps() {
  static const std::vector<Bound> all = {
      {"rope.apply", bindRopeApply},         {"rope.table", bindRopeTable},       {"norm.rms", bindNorm},     {"attention.forward", bindForward},
      {"attention.backward", bindBackward}, {"attention.merge", bindMerge},      {"mla.decode", bindDecode},
  };
  return all;
}

}  // namespace plumbline
