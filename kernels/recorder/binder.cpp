#include "binder.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "catalogue.h"
#include "inputs.h"

namespace plumbline {

Shape Binder::shape(const std::string &name, size_t axes) {
  named.insert(name);
  const Shape &s = info(name).second;
  if (s.size() != axes) fail("tensor " + quoteJson(name) + ": shape " + textOf(s) + ", want " + std::to_string(axes) + " axes");
  for (int64_t n : s) {
    if (n == 0) fail("tensor " + quoteJson(name) + ": shape " + textOf(s) + " has an axis of length 0");
    if (n > INT_MAX) fail("tensor " + quoteJson(name) + ": shape " + textOf(s) + " is too long");
  }
  checkSize(name, s);
  return s;
}

void Binder::checkSize(const std::string &name, const Shape &shape) const {
  if (countOf(shape) > mostElements) fail("tensor " + quoteJson(name) + ": shape " + textOf(shape) + ", want at most " + std::to_string(mostElements) + " elements: this kernel's indices have 32 bits");
}

std::vector<int64_t> Binder::integers(const std::string &name) {
  const Element e = element(name);
  if (isFloat(e)) fail("tensor " + quoteJson(name) + ": type " + nameOf(e) + ", want an integer type");
  const auto bytes = materialise(name);
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

std::vector<float> Binder::asFloats(const std::string &name) {
  const Element e = element(name);
  if (!isFloat(e) || e == ElementF64) fail("tensor " + quoteJson(name) + ": type " + nameOf(e) + ", want F32, F16 or BF16");
  const auto bytes = materialise(name);
  std::vector<float> values(size_t(countOf(info(name).second)));
  for (size_t i = 0; i < values.size(); i++) values[i] = float(decode(e, bytes.data(), i));
  return values;
}

std::vector<float> Binder::numbers(const std::string &name) {
  const Element e = element(name);
  const auto bytes = materialise(name);
  std::vector<float> values(size_t(countOf(info(name).second)));
  for (size_t i = 0; i < values.size(); i++) values[i] = float(decode(e, bytes.data(), i));
  return values;
}

std::vector<uint8_t> Binder::mask(const std::string &name, const Shape &expected) {
  want(name, expected);
  const auto values = numbers(name);
  std::vector<uint8_t> mask(values.size());
  for (size_t i = 0; i < values.size(); i++) {
    if (values[i] != 0 && values[i] != 1) fail("tensor " + quoteJson(name) + ": element " + std::to_string(i) + ": found " + std::to_string(values[i]) + ", want 0 or 1");
    mask[i] = values[i] == 1;
  }
  job.judged = mask;
  return mask;
}

void *Binder::output(const std::string &name, Element e, const Shape &shape) {
  if (r.find("out." + name)) fail("tensor \"out." + name + "\": stored already: this is a recording, not a request");
  checkSize("out." + name, shape);
  job.outputs.push_back({name, e, shape, poisoned(size_t(countOf(shape)) * size_t(sizeOf(e)))});
  job.bytes += double(job.outputs.back().data.size());
  job.memoryBytes += job.outputs.back().data.size();
  return job.outputs.back().data.get();
}

namespace {

const CatalogueAttr &catalogued(const std::string &op, const std::string &name) {
  for (const CatalogueAttr &a : catalogueAttrs) {
    if (op == a.op && name == a.name) return a;
  }
  fail("attrs: " + quoteJson(name) + ": " + op + " has no such attribute");
}

bool hasInput(const std::string &op, const std::string &name) {
  return std::any_of(std::begin(catalogueInputs), std::end(catalogueInputs), [&](const CatalogueInput &i) { return op == i.op && name == i.name; });
}

}  // namespace

double Binder::numberOf(const std::string &name) const {
  const CatalogueAttr &a = catalogued(r.op, name);
  if (!a.hasNumber) fail("attrs: " + quoteJson(name) + ": missing, and this op has no default for it");
  return a.number;
}

std::string Binder::wordOf(const std::string &name) const {
  const CatalogueAttr &a = catalogued(r.op, name);
  if (!a.word) fail("attrs: " + quoteJson(name) + ": missing, and this op has no default for it");
  return a.word;
}

int Binder::choice(const std::string &name, const std::vector<std::string> &words) {
  const Json *j = attr(name);
  const std::string word = j ? within("attrs: " + quoteJson(name), [&] { return j->asString(); }) : wordOf(name);
  for (size_t i = 0; i < words.size(); i++) {
    if (word == words[i]) return int(i);
  }
  fail("attrs: " + quoteJson(name) + ": found " + quoteJson(word));
}

std::pair<int, int> Binder::pair(const std::string &name, std::pair<int, int> otherwise) {
  const Json *j = attr(name);
  if (!j) return otherwise;
  return within("attrs: " + quoteJson(name), [&] {
    const auto &items = j->want(Json::Array, "an array").items;
    if (items.size() != 2) fail("want two numbers");
    return std::pair<int, int>(int(items[0].asWhole(0, INT_MAX / 2)), int(items[1].asWhole(0, INT_MAX / 2)));
  });
}

Element Binder::outputType(const std::string &output, const std::vector<Element> &types) {
  const Json *outputs = r.provenance.find("outputs"), *j = outputs ? outputs->find(output) : nullptr;
  if (!j) return types[0];
  const Element e = elementNamed(within("outputs", [&] { return j->asString(); }));
  if (std::find(types.begin(), types.end(), e) == types.end()) fail("outputs: " + quoteJson(output) + ": found " + j->dump() + ", which this kernel does not make");
  return e;
}

bool Binder::wanted(const std::string &output) {
  const Json *outputs = r.provenance.find("outputs"), *j = outputs ? outputs->find(output) : nullptr;
  return !j || within("outputs", [&] { return j->asString(); }) != "none";
}

namespace {

YaRN parseYaRN(const Json &j) {
  YaRN y;
  y.present = true;
  const std::pair<const char *, double *> numbers[] = {{"factor", &y.factor},   {"beta_fast", &y.betaFast},
                                                       {"beta_slow", &y.betaSlow}, {"mscale", &y.mscale},
                                                       {"mscale_all_dim", &y.mscaleAllDim}};
  bool scaled = false;
  for (const auto &m : j.want(Json::Object, "an object").members) {
    double *target = nullptr;
    scaled = scaled || m.first == "mscale" || m.first == "mscale_all_dim";
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
  if (!scaled) y.mscaleAllDim = 0;  // YaRN's own: 0.1 ln s + 1 on cosines and sines, nothing on the scores
  if (y.factor < 1 || y.betaFast <= 0 || y.betaSlow <= 0) fail("want factor >= 1 and positive betas");
  return y;
}

}  // namespace

YaRN Binder::yarn() {
  const Json *j = attr("yarn");
  if (!j || j->kind == Json::Null) return {};
  return within("attrs: \"yarn\"", [&] { return parseYaRN(*j); });
}

void Binder::declare(const std::vector<std::pair<std::string, std::string>> &said) {
  for (const auto &s : said) job.arithmetic.set(s.first, Json::string(s.second));
  for (const auto &m : r.arithmetic.members) {
    const Json *mine = job.arithmetic.find(m.first);
    if (!mine || mine->dump() != m.second.dump()) fail("arithmetic: " + quoteJson(m.first) + ": this kernel does not do what the request declares");
  }
}

void Binder::done() {
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

std::pair<Element, const Shape &> Binder::info(const std::string &name) {
  if (!hasInput(r.op, name)) fail("tensor " + quoteJson(name) + ": " + r.op + " has no such input");
  named.insert(name);
  if (const Tensor *t = r.find(name)) return {t->element, t->shape};
  const auto g = r.generated.find(name);
  if (g == r.generated.end()) fail("tensor " + quoteJson(name) + ": missing");
  return {g->second.element, g->second.shape};
}

const void *Binder::onDevice(const std::string &name) {
  const auto [element, shape] = info(name);
  if (sketch) {
    job.memoryBytes += size_t(countOf(shape)) * size_t(sizeOf(element));
    return nullptr;
  }
  if (const Tensor *t = r.find(name)) return keep(Buffer(t->bytes.data(), t->bytes.size()));
  if (dry && countOf(shape) > mostWhole) return keep(Buffer(size_t(countOf(shape)) * size_t(sizeOf(element))));  // takes a processor minutes
  return keep(within("tensor " + quoteJson(name), [&] { return makeOnDevice(r.generated.at(name)); }));
}

std::vector<unsigned char> Binder::materialise(const std::string &name) {
  if (const Tensor *t = r.find(name)) return t->bytes;
  return within("tensor " + quoteJson(name), [&] { return makeOnHost(r.generated.at(name)); });
}

}  // namespace plumbline
