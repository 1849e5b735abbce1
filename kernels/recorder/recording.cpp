#include "recording.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace plumbline {

namespace {

// The limits of the Go package recording.
constexpr int64_t maxHeader = 100'000'000, maxAxis = (int64_t(1) << 31) - 1, maxElements = int64_t(1) << 40, maxGenerated = int64_t(1) << 36, maxExact = int64_t(1) << 53;

// within puts a place before the message of what work throws.
template <class Work> auto within(const std::string &where, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception &e) {
    fail(where + ": " + e.what());
  }
}

Shape parseShape(const Json &j) {
  Shape shape;
  for (const Json &i : j.want(Json::Array, "an array").items) shape.push_back(i.asWhole(0, maxAxis));
  countOf(shape);
  return shape;
}

struct Placed {
  Tensor tensor;
  int64_t begin, end;
};

Placed parsePlaced(const std::string &name, const Json &j) {
  Placed p{};
  p.tensor.name = name;
  const Json *type = nullptr, *shape = nullptr, *offsets = nullptr;
  for (const auto &m : j.want(Json::Object, "an object").members) {
    const Json *&slot = m.first == "dtype" ? type : m.first == "shape" ? shape : offsets;
    if (m.first != "dtype" && m.first != "shape" && m.first != "data_offsets") fail("unknown key " + quoteJson(m.first));
    slot = &m.second;
  }
  if (!type || !shape || !offsets) fail("want dtype, shape and data_offsets");
  p.tensor.element = elementNamed(type->asString());
  if (p.tensor.element == ElementNone) fail("dtype " + type->dump() + ": not a type of these kernels");
  p.tensor.shape = parseShape(*shape);
  if (offsets->want(Json::Array, "an array").items.size() != 2) fail("data_offsets: want begin and end");
  p.begin = offsets->items[0].asWhole(0, INT64_MAX);
  p.end = offsets->items[1].asWhole(p.begin, INT64_MAX);
  if (p.end - p.begin != countOf(p.tensor.shape) * sizeOf(p.tensor.element)) fail("data_offsets do not fit the shape " + textOf(p.tensor.shape));
  return p;
}

void describe(Recording &r, const Json &metadata) {
  std::string version;
  for (const auto &m : metadata.want(Json::Object, "an object").members) {
    const std::string &value = m.second.asString();
    within(m.first, [&] {
      if (m.first == "plumbline") {
        version = value;
      } else if (m.first == "op") {
        r.op = value;
      } else if (m.first == "attrs") {
        r.attrs = parseJson(r.attrsText = value).want(Json::Object, "an object");
      } else if (m.first == "arithmetic") {
        r.arithmetic = parseJson(value).want(Json::Object, "an object");
      } else if (m.first == "provenance") {
        r.provenance = parseJson(value).want(Json::Object, "an object");
      } else if (m.first == "generated") {
        const Json all = parseJson(r.generatedText = value).want(Json::Object, "an object");
        for (const auto &g : all.members) r.generated[g.first] = within(quoteJson(g.first), [&] { return parseRecipe(g.second); });
      } else {
        r.extra[m.first] = value;
      }
    });
  }
  if (version != "1") fail("plumbline: format version " + quoteJson(version) + ", want \"1\"");
  if (r.op.empty()) fail("op: missing");
}

}  // namespace

int64_t countOf(const Shape &shape) {
  int64_t n = 1;
  for (int64_t d : shape) {
    if (d != 0 && n > maxElements / d) fail("shape " + textOf(shape) + ": too many elements");
    n *= d;
  }
  return n;
}

std::string textOf(const Shape &shape) {
  std::string s;
  for (int64_t d : shape) s += (s.empty() ? "" : " ") + std::to_string(d);
  return "[" + s + "]";
}

const Tensor *Recording::find(const std::string &name) const {
  for (const Tensor &t : tensors) {
    if (t.name == name) return &t;
  }
  return nullptr;
}

Recording parseRecording(const std::vector<unsigned char> &file) {
  if (file.size() < 8) fail("file of " + std::to_string(file.size()) + " bytes, want at least 8");
  uint64_t length = 0;
  for (int i = 7; i >= 0; i--) length = length << 8 | file[size_t(i)];
  if (length > uint64_t(maxHeader) || length > file.size() - 8) fail("header of " + std::to_string(length) + " bytes does not fit the file");
  std::string text(file.begin() + 8, file.begin() + 8 + std::ptrdiff_t(length));
  if (text.empty() || text[0] != '{') fail("header: want a JSON object from its first byte");
  const Json header = within("header", [&] { return parseJson(text); });
  Recording r;
  std::vector<Placed> placed;
  bool described = false;
  for (const auto &m : header.members) {
    if (m.first == "__metadata__") {
      within(m.first, [&] { describe(r, m.second); });
      described = true;
    } else {
      placed.push_back(within("tensor " + quoteJson(m.first), [&] { return parsePlaced(m.first, m.second); }));
    }
  }
  if (!described) fail("__metadata__: missing, so this is not a recording");
  const int64_t data = int64_t(file.size() - 8 - length);
  std::vector<const Placed *> order;
  for (const Placed &p : placed) order.push_back(&p);
  std::stable_sort(order.begin(), order.end(), [](const Placed *a, const Placed *b) { return a->begin != b->begin ? a->begin < b->begin : a->end < b->end; });
  int64_t at = 0;
  for (const Placed *p : order) {
    if (p->begin != at || p->end > data) fail("tensor " + quoteJson(p->tensor.name) + ": gap, overlap or end of file at byte " + std::to_string(at));
    at = p->end;
  }
  if (at != data) fail(std::to_string(data - at) + " bytes of data belong to no tensor");
  for (Placed &p : placed) {
    if (r.generated.count(p.tensor.name)) fail("tensor " + quoteJson(p.tensor.name) + ": stored and generated");
    const auto begin = file.begin() + 8 + std::ptrdiff_t(length) + std::ptrdiff_t(p.begin);
    p.tensor.bytes.assign(begin, begin + std::ptrdiff_t(p.end - p.begin));
    r.tensors.push_back(std::move(p.tensor));
  }
  int64_t made = 0;
  for (const auto &g : r.generated) made += countOf(g.second.shape);
  if (made > maxGenerated) fail(std::to_string(made) + " generated elements, want at most " + std::to_string(maxGenerated));
  return r;
}

Recording readRecording(const std::string &path) {
  FILE *f = std::fopen(path.c_str(), "rb");
  if (!f) fail("cannot be opened");
  std::vector<unsigned char> bytes;
  unsigned char chunk[1 << 16];
  for (size_t n; (n = std::fread(chunk, 1, sizeof chunk, f)) > 0;) bytes.insert(bytes.end(), chunk, chunk + n);
  const bool bad = std::ferror(f) != 0;
  std::fclose(f);
  if (bad) fail("cannot be read");
  return parseRecording(bytes);
}

std::vector<unsigned char> formatRecording(const Recording &r) {
  std::string header = "{\"__metadata__\":{\"plumbline\":\"1\",\"op\":" + quoteJson(r.op);
  const auto entry = [&](const char *key, const std::string &text) {
    if (!text.empty() && text != "{}") header += ",\"" + std::string(key) + "\":" + quoteJson(text);
  };
  entry("attrs", r.attrsText);
  entry("arithmetic", r.arithmetic.dump());
  entry("generated", r.generatedText);
  entry("provenance", r.provenance.dump());
  for (const auto &e : r.extra) header += "," + quoteJson(e.first) + ":" + quoteJson(e.second);
  header += "}";
  std::vector<const Tensor *> layout;
  for (const Tensor &t : r.tensors) layout.push_back(&t);
  std::stable_sort(layout.begin(), layout.end(), [](const Tensor *a, const Tensor *b) { return sizeOf(a->element) > sizeOf(b->element); });
  std::map<std::string, size_t> begins;
  size_t size = 0;
  for (const Tensor *t : layout) {
    begins[t->name] = size;
    size += t->bytes.size();
  }
  for (const Tensor &t : r.tensors) {
    std::string shape;
    for (int64_t d : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(d);
    header += "," + quoteJson(t.name) + ":{\"dtype\":\"" + nameOf(t.element) + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
              std::to_string(begins[t.name]) + "," + std::to_string(begins[t.name] + t.bytes.size()) + "]}";
  }
  header += "}";
  while (header.size() % 8 != 0) header += ' ';
  std::vector<unsigned char> out(8);
  for (int i = 0; i < 8; i++) out[size_t(i)] = static_cast<unsigned char>(uint64_t(header.size()) >> 8 * i);
  out.insert(out.end(), header.begin(), header.end());
  for (const Tensor *t : layout) out.insert(out.end(), t->bytes.begin(), t->bytes.end());
  return out;
}

void writeFile(const std::string &path, const std::vector<unsigned char> &bytes) {
  const std::string part = path + ".part";
  FILE *f = std::fopen(part.c_str(), "wb");
  if (!f) fail(part + ": cannot be created");
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
  if (std::fclose(f) != 0 || !written || std::rename(part.c_str(), path.c_str()) != 0) fail(path + ": cannot be written");
}

namespace {

double parsePlanted(const Json &j) {
  if (j.kind == Json::String) {
    if (j.text == "nan") return std::nan("");
    if (j.text == "inf") return INFINITY;
    if (j.text == "-inf") return -INFINITY;
    fail("found " + j.dump() + ", want a number, \"nan\", \"inf\" or \"-inf\"");
  }
  return j.asNumber();
}

Edit parseEdit(const Json &j, const Shape &shape) {
  const Json *index = j.want(Json::Object, "an object").find("index"), *value = j.find("value");
  if (j.members.size() != 2 || !index || !value) fail("want index and value");
  Edit e{{}, parsePlanted(*value)};
  for (const Json &i : index->want(Json::Array, "an array").items) {
    if (e.index.size() == shape.size()) fail("index has more axes than the shape " + textOf(shape));
    e.index.push_back(i.asWhole(0, shape[e.index.size()] - 1));
  }
  return e;
}

Dist parseDist(const std::string &name) {
  const char *names[] = {"uniform", "normal", "ints", "permutation"};
  for (int d = 0; d < 4; d++) {
    if (name == names[d]) return Dist(d);
  }
  fail("dist " + quoteJson(name) + ": want uniform, normal, ints or permutation");
}

}  // namespace

void checkInteger(Element e, double x) {
  const double least = e == ElementI64 ? -double(maxExact) : e == ElementI32 ? -2147483648.0 : 0;
  const double most = e == ElementI64 ? double(maxExact) : e == ElementI32 ? 2147483647.0 : e == ElementU8 ? 255 : 1;
  if (!(x == std::trunc(x) && x >= least && x <= most)) fail("value " + std::to_string(x) + ", want one that " + nameOf(e) + " has");
}

Recipe parseRecipe(const Json &j) {
  Recipe r;
  bool shaped = false, seeded = false, lo = false, hi = false;
  std::string dist;
  const Json *edits = nullptr;
  for (const auto &m : j.want(Json::Object, "an object").members) {
    const std::string &key = m.first;
    const Json &v = m.second;
    within(key, [&] {
      if (key == "dtype") {
        r.element = elementNamed(v.asString());
        if (r.element == ElementNone) fail("found " + v.dump() + ", not a type of these kernels");
      } else if (key == "shape") {
        r.shape = parseShape(v);
        shaped = true;
      } else if (key == "dist") {
        r.dist = parseDist(dist = v.asString());
      } else if (key == "seed") {
        r.seed = v.asSeed();
        seeded = true;
      } else if (key == "exp2") {
        r.exp2 = int(v.asWhole(-900, 900));
      } else if (key == "shift") {
        r.shift = double(std::strtof(v.want(Json::Number, "a number").text.c_str(), nullptr));
        if (!std::isfinite(r.shift)) fail("found " + v.text + ", want a float32");
      } else if (key == "lo") {
        r.lo = v.asWhole(-maxExact, maxExact);
        lo = true;
      } else if (key == "hi") {
        r.hi = v.asWhole(-maxExact, maxExact);
        hi = true;
      } else if (key == "sha256") {
        r.sha256 = v.asString();
        for (char &c : r.sha256) c = char(std::tolower(c));
        if (r.sha256.size() != 64 || r.sha256.find_first_not_of("0123456789abcdef") != std::string::npos) fail("want 64 hexadecimal digits");
      } else if (key == "edits") {
        edits = &v.want(Json::Array, "an array");
      } else {
        fail("unknown key");
      }
    });
  }
  if (r.element == ElementNone || !shaped || dist.empty() || !seeded || r.sha256.empty()) fail("want dtype, shape, dist, seed and sha256");
  if ((r.dist == Ints) != lo || (r.dist == Ints) != hi || (r.dist == Ints && r.lo >= r.hi)) fail("want lo < hi with dist ints, and with no other");
  if (r.dist == Permutation && (r.shape.size() != 1 || isFloat(r.element))) fail("a permutation is one axis of an integer type");
  for (size_t i = 0; edits != nullptr && i < edits->items.size(); i++) {
    within("edits: number " + std::to_string(i), [&] {
      Edit e = parseEdit(edits->items[i], r.shape);
      if (!isFloat(r.element)) checkInteger(r.element, e.value);
      r.edits.push_back(e);
    });
  }
  return r;
}

}  // namespace plumbline
