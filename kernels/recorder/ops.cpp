#include "ops.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <set>

#include "launch.h"

namespace plumbline {

const std::vector<Mistake> &mistakes() {
  static const std::vector<Mistake> all = {
      {"layout-swapped", "R01", "rotary pairs are taken as (i, i+d/2) for (2i, 2i+1), or the reverse", {"rope.apply"}},
      {"position-off-by-one", "R19", "positions are one too large", {"rope.apply", "rope.table"}},
      {"temperature-missing", "R08", "the softmax scale lacks YaRN's temperature, DeepSeek-V3's (0.1 ln 40 + 1)^2", {"mla.decode"}},
      {"scale-of-latent", "M01", "the softmax scale is 1/sqrt(latent width + rope width)", {"mla.decode"}},
      {"causal-top-left", "A01", "the causal mask is aligned to the first key", {"attention.forward", "attention.backward", "mla.decode"}},
      {"drop-last-key", "", "the last key of the sequence is not seen", {"attention.forward", "mla.decode"}},
      {"page-end", "A17", "keys up to the end of the page are seen", {"mla.decode"}},
      {"fixed-maximum", "A05", "10 is subtracted in the exponent instead of the row maximum", {"attention.forward", "mla.decode"}},
      {"heads-tiled", "A13", "query head h reads key head h mod G", {"attention.forward", "attention.backward"}},
      {"merge-base", "A08", "log-sum-exps to base 2 are merged as natural ones, or the reverse", {"attention.merge", "mla.decode"}},
  };
  return all;
}

const Mistake *findMistake(const std::string &name) {
  for (const Mistake &m : mistakes()) {
    if (name == m.name || (!name.empty() && name == m.id)) return &m;
  }
  return nullptr;
}

namespace {

// variantOf returns a kernel's launcher for a mistake; a mistake that the kernel has no variant for leaves it right.
template <class Call> struct Variant {
  const char *name;
  void (*launch)(const Call &);
};
template <class Call> auto variantOf(std::initializer_list<Variant<Call>> all, std::string mistake) {
  std::replace(mistake.begin(), mistake.end(), '-', '_');
  for (const Variant<Call> &v : all) {
    if (mistake == v.name) return v.launch;
  }
  return all.begin()->launch;
}
#define LAUNCHERS(Call, list, function) (std::initializer_list<Variant<Call>>{list(LAUNCHER_OF_##function)})
#define LAUNCHER_OF_ropeApply(v) {#v, v::ropeApply},
#define LAUNCHER_OF_ropeTable(v) {#v, v::ropeTable},
#define LAUNCHER_OF_attentionForward(v) {#v, v::attentionForward},
#define LAUNCHER_OF_attentionForwardF32(v) {#v, v::attentionForwardF32},
#define LAUNCHER_OF_attentionBackward(v) {#v, v::attentionBackward},
#define LAUNCHER_OF_attentionBackwardF32(v) {#v, v::attentionBackwardF32},
#define LAUNCHER_OF_mlaDecode(v) {#v, v::mlaDecode},
#define LAUNCHER_OF_mlaDecodeF32(v) {#v, v::mlaDecodeF32},
#define LAUNCHER_OF_attentionMerge(v) {#v, v::attentionMerge},

template <class Work> auto within(const std::string &where, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception &e) {
    fail(where + ": " + e.what());
  }
}

// Binder reads what a request says, and knows what of it was asked for: whatever is left at the end is an error.
class Binder {
 public:
  Binder(const Recording &r, const Device &d, const std::string &mistake) : r(r), device(d), mistake(mistake) {}

  const Recording &r;
  const Device &device;
  const std::string mistake;
  Job job;

  bool has(const std::string &name) const { return r.find(name) != nullptr || r.generated.count(name) != 0; }

  // shape returns the shape of an input of that many axes.
  Shape shape(const std::string &name, size_t axes) {
    named.insert(name);
    const Shape &s = info(name).second;
    if (s.size() != axes) fail("tensor " + quoteJson(name) + ": shape " + textOf(s) + ", want " + std::to_string(axes) + " axes");
    for (int64_t n : s) {
      if (n == 0) fail("tensor " + quoteJson(name) + ": shape " + textOf(s) + " has an axis of length 0");
      if (n > INT_MAX) fail("tensor " + quoteJson(name) + ": shape " + textOf(s) + " is too long");
    }
    return s;
  }
  // want checks a shape.
  void want(const std::string &name, const Shape &expected) {
    const Shape s = shape(name, expected.size());
    if (s != expected) fail("tensor " + quoteJson(name) + ": shape " + textOf(s) + ", want " + textOf(expected));
  }

  Element element(const std::string &name) { return info(name).first; }

  // floating returns the type of an input that kernels take.
  Type floating(const std::string &name) {
    const Element e = element(name);
    if (e != ElementF32 && e != ElementBF16) fail("tensor " + quoteJson(name) + ": type " + nameOf(e) + ", these kernels take F32 and BF16");
    return e == ElementF32 ? F32 : BF16;
  }
  void same(const std::string &name, Type type) {
    if (floating(name) != type) fail("tensor " + quoteJson(name) + ": type " + nameOf(element(name)) + ", want that of the other inputs");
  }

  // onDevice returns an input in device memory.
  const void *onDevice(const std::string &name) {
    const auto bytes = materialise(name);
    if (!made.get()) return keep(Buffer(bytes.data(), bytes.size()));
    return keep(std::move(made));
  }

  // integers returns an integer input on the host.
  std::vector<int64_t> integers(const std::string &name) {
    const Element e = element(name);
    if (isFloat(e)) fail("tensor " + quoteJson(name) + ": type " + nameOf(e) + ", want an integer type");
    const auto bytes = materialise(name);
    made = Buffer();
    std::vector<int64_t> values(size_t(countOf(info(name).second)));
    for (size_t i = 0; i < values.size(); i++) {
      if (e == ElementI64) {
        std::memcpy(&values[i], bytes.data() + 8 * i, 8);
      } else {
        values[i] = int64_t(decode(e, bytes.data(), i));
      }
    }
    return values;
  }

  // asFloats returns a small floating input on the host, exactly.
  std::vector<float> asFloats(const std::string &name) {
    const Element e = element(name);
    if (!isFloat(e) || e == ElementF64) fail("tensor " + quoteJson(name) + ": type " + nameOf(e) + ", want F32, F16 or BF16");
    const auto bytes = materialise(name);
    made = Buffer();
    std::vector<float> values(size_t(countOf(info(name).second)));
    for (size_t i = 0; i < values.size(); i++) values[i] = float(decode(e, bytes.data(), i));
    return values;
  }

  template <class T> T *upload(const std::vector<T> &values) { return static_cast<T *>(keep(Buffer(values.data(), values.size() * sizeof(T)))); }
  template <class T> T *scratch(size_t count) { return static_cast<T *>(keep(poisoned(count * sizeof(T)))); }

  // output adds an output, its memory poisoned.
  void *output(const std::string &name, Element e, const Shape &shape) {
    if (r.find("out." + name)) fail("tensor \"out." + name + "\": stored already: this is a recording, not a request");
    job.outputs.push_back({name, e, shape, poisoned(size_t(countOf(shape)) * size_t(sizeOf(e)))});
    job.bytes += double(job.outputs.back().data.size());
    return job.outputs.back().data.get();
  }

  // Attributes.
  double number(const std::string &name, double otherwise) {
    const Json *j = attr(name);
    return j ? within("attrs: " + quoteJson(name), [&] { return j->asNumber(); }) : otherwise;
  }
  bool given(const std::string &name) { return attr(name) != nullptr; }
  int count(const std::string &name, int otherwise) {
    const Json *j = attr(name);
    return j ? within("attrs: " + quoteJson(name), [&] { return int(j->asWhole(0, INT_MAX / 2)); }) : otherwise;
  }
  bool flag(const std::string &name, bool otherwise) {
    const Json *j = attr(name);
    return j ? within("attrs: " + quoteJson(name), [&] { return j->asBool(); }) : otherwise;
  }
  // choice returns the number of the word found; the first is the default.
  int choice(const std::string &name, const std::vector<std::string> &words) {
    const Json *j = attr(name);
    if (!j) return 0;
    const std::string &word = within("attrs: " + quoteJson(name), [&]() -> const std::string & { return j->asString(); });
    for (size_t i = 0; i < words.size(); i++) {
      if (word == words[i]) return int(i);
    }
    fail("attrs: " + quoteJson(name) + ": found " + quoteJson(word));
  }
  YaRN yarn() {
    const Json *j = attr("yarn");
    if (!j || j->kind == Json::Null) return {};
    return within("attrs: \"yarn\"", [&] { return parseYaRN(*j); });
  }
  bool base2() { return choice("lse_base", {"e", "2"}) == 1; }

  // declare says what the kernel's arithmetic is. A request that says anything else is not one for this kernel.
  void declare(const std::vector<std::pair<std::string, std::string>> &said) {
    for (const auto &s : said) job.arithmetic.set(s.first, Json::string(s.second));
    for (const auto &m : r.arithmetic.members) {
      const Json *mine = job.arithmetic.find(m.first);
      if (!mine || mine->dump() != m.second.dump()) fail("arithmetic: " + quoteJson(m.first) + ": this kernel does not do what the request declares");
    }
  }

  // done checks that the kernel took note of everything that the request says.
  void done() {
    for (const auto &m : r.attrs.members) {
      if (!asked.count(m.first)) fail("attrs: unknown key " + quoteJson(m.first));
    }
    for (const Tensor &t : r.tensors) {
      if (!named.count(t.name)) fail("tensor " + quoteJson(t.name) + ": " + r.op + " has no such input");
    }
    for (const auto &g : r.generated) {
      if (!named.count(g.first)) fail("tensor " + quoteJson(g.first) + ": " + r.op + " has no such input");
    }
  }

 private:
  std::set<std::string> asked, named;
  Buffer made;  // an input that materialise made on the device and that the host did not have to change

  const Json *attr(const std::string &name) {
    asked.insert(name);
    return r.attrs.find(name);
  }

  std::pair<Element, const Shape &> info(const std::string &name) {
    named.insert(name);
    if (const Tensor *t = r.find(name)) return {t->element, t->shape};
    const auto g = r.generated.find(name);
    if (g == r.generated.end()) fail("tensor " + quoteJson(name) + ": missing");
    return {g->second.element, g->second.shape};
  }

  void *keep(Buffer b) {
    job.memory.push_back(std::move(b));
    return job.memory.back().get();
  }
  static Buffer poisoned(size_t bytes) {
    Buffer b(bytes);
    b.poison();
    return b;
  }

  // materialise returns the bytes of an input. A generated one is made on the device, comes back for its edits and its sha256, and stays on the
  // device in `made` if the edits did not change it.
  std::vector<unsigned char> materialise(const std::string &name) {
    made = Buffer();
    if (const Tensor *t = r.find(name)) return t->bytes;
    const Recipe &recipe = r.generated.at(name);
    return within("tensor " + quoteJson(name), [&] {
      std::vector<unsigned char> bytes;
      const bool floats = isFloat(recipe.element);
      if (dry || recipe.dist == Permutation || !floats) {
        bytes = makeOnHost(recipe);
      } else {
        made = Buffer(size_t(countOf(recipe.shape)) * size_t(sizeOf(recipe.element)));
        generate({recipe.dist, recipe.seed, recipe.exp2, recipe.shift, recipe.lo, recipe.hi, recipe.element, size_t(countOf(recipe.shape)), made.get()});
        finish();
        bytes = made.download();
      }
      applyEdits(recipe, bytes);
      checkDigest(recipe, bytes);
      if (!recipe.edits.empty()) made = Buffer();
      return bytes;
    });
  }

  static YaRN parseYaRN(const Json &j) {
    YaRN y;
    y.present = true;
    const std::pair<const char *, double *> numbers[] = {{"factor", &y.factor},   {"beta_fast", &y.betaFast},
                                                         {"beta_slow", &y.betaSlow}, {"mscale", &y.mscale},
                                                         {"mscale_all_dim", &y.mscaleAllDim}};
    for (const auto &m : j.want(Json::Object, "an object").members) {
      double *target = nullptr;
      for (const auto &n : numbers) target = m.first == n.first ? n.second : target;
      within(quoteJson(m.first), [&] {
        if (target) {
          *target = m.second.asNumber();
        } else if (m.first == "original_context") {
          y.originalContext = double(m.second.asWhole(1, INT_MAX));
        } else if (m.first == "ramp") {
          y.rotations = m.second.asString() == "rotations";
          if (!y.rotations && m.second.text != "index") fail("found " + m.second.dump() + ", want index or rotations");
        } else {
          fail("unknown key");
        }
      });
    }
    if (y.factor < 1 || y.betaFast <= 0 || y.betaSlow <= 0) fail("want factor >= 1 and positive betas");
    return y;
  }
};

const char *elementName(Type t) { return t == BF16 ? "BF16" : "F32"; }
Element elementOf(Type t) { return t == BF16 ? ElementBF16 : ElementF32; }
int sizeOf(Type t) { return t == BF16 ? 2 : 4; }

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
  const double base = b.number("base", 10000);
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
  c.inverse = b.flag("inverse", false);
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
  const double eps = b.number("eps", 1e-6);
  if (eps < 0) fail("attrs: \"eps\": found a negative number");
  c.eps = float(eps);
  c.x = b.onDevice("x");
  c.weight = b.onDevice("weight");
  c.y = b.output("y", elementOf(c.type), x);
  b.declare({{"accumulate", "F32"}, {"intermediate", "F32"}});
  b.job.bytes += double(countOf(x)) * sizeOf(c.type) + double(c.d) * sizeOf(c.weightType);
  b.job.flops = 4.0 * double(countOf(x));
  b.job.sources = {"norm_rms.cu", "bf16.h", "platform.h", "variant.h"};
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
  c.causal = b.flag("causal", false);
  c.window = b.count("window", 0);
  c.softcap = b.number("softcap", 0);
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
  c.V = b.count("value_dim", 512);
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
  c.causal = b.flag("causal", true);
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

Job bindJob(const Recording &r, const Device &d, const std::string &mistake) {
  const std::pair<const char *, void (*)(Binder &)> ops[] = {
      {"rope.apply", bindRopeApply},         {"rope.table", bindRopeTable},       {"norm.rms", bindNorm},     {"attention.forward", bindForward},
      {"attention.backward", bindBackward}, {"attention.merge", bindMerge},      {"mla.decode", bindDecode},
  };
  if (!mistake.empty()) {
    const Mistake *m = findMistake(mistake);
    if (!m || std::find(m->ops.begin(), m->ops.end(), r.op) == m->ops.end()) fail("mistake " + mistake + ": no kernel of " + r.op + " makes it");
  }
  for (const auto &op : ops) {
    if (r.op != op.first) continue;
    Binder b(r, d, mistake);
    for (const Tensor &t : r.tensors) {
      if (t.name.compare(0, 4, "out.") == 0) fail("tensor " + quoteJson(t.name) + ": this is a recording, not a request");
    }
    op.second(b);
    b.done();
    return std::move(b.job);
  }
  fail("op " + quoteJson(r.op) + ": no kernel here");
}

}  // namespace plumbline
