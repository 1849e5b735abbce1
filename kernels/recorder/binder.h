// What a request says, read for the kernels: inputs, attributes and outputs, each checked as it is asked for.
#pragma once
#include <algorithm>
#include <climits>
#include <set>
#include <string>
#include <vector>

#include "launch.h"
#include "ops.h"

namespace plumbline {

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
  // A sketch makes no inputs for the device, and has no device memory.
  Binder(const Recording &r, const Device &d, const std::string &mistake, bool sketch) : r(r), device(d), mistake(mistake), sketch(sketch) {}

  const Recording &r;
  const Device &device;
  const std::string mistake;
  const bool sketch;
  Job job;

  // The most elements that an input or an output may have. Kernels whose indices have 64 bits set it to INT64_MAX before they ask for what is that large.
  int64_t mostElements = INT_MAX;

  bool has(const std::string &name) const { return r.find(name) != nullptr || r.generated.count(name) != 0; }

  // shape returns the shape of an input of that many axes.
  Shape shape(const std::string &name, size_t axes);
  size_t rank(const std::string &name) { return info(name).second.size(); }
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
  const void *onDevice(const std::string &name);

  // What is read on the host has at most mostWhole elements (inputs.h). integers returns an integer input.
  std::vector<int64_t> integers(const std::string &name);

  // asFloats returns a small floating input on the host, exactly.
  std::vector<float> asFloats(const std::string &name);

  // numbers returns an input of any type on the host, rounded to float32.
  std::vector<float> numbers(const std::string &name);

  // mask returns which elements of a mask of that shape are 1. Outputs of that shape are judged there alone.
  std::vector<uint8_t> mask(const std::string &name, const Shape &expected);

  template <class T> T *upload(const std::vector<T> &values) { return static_cast<T *>(keep(Buffer(values.data(), values.size() * sizeof(T)))); }
  template <class T> T *scratch(size_t count) { return static_cast<T *>(keep(poisoned(count * sizeof(T)))); }

  // output adds an output, its memory poisoned.
  void *output(const std::string &name, Element e, const Shape &shape);

  // Attributes. One that is left out is what the catalogue says, or `otherwise` where that depends on the inputs.
  double number(const std::string &name) { return number(name, numberOf(name)); }
  int count(const std::string &name) { return count(name, int(numberOf(name))); }
  bool flag(const std::string &name) { return flag(name, numberOf(name) != 0); }
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
  // choice returns the number of the word found.
  int choice(const std::string &name, const std::vector<std::string> &words);
  // pair returns two whole numbers.
  std::pair<int, int> pair(const std::string &name, std::pair<int, int> otherwise);
  // outputType returns the type that the request asks for an output in, as "outputs" of its provenance says: one of those given, or the first.
  Element outputType(const std::string &output, const std::vector<Element> &types);
  // wanted returns whether the request asks for an output: "none" there says that it does not.
  bool wanted(const std::string &output);
  YaRN yarn();
  bool base2() { return choice("lse_base", {"e", "2"}) == 1; }

  // declare says what the kernel's arithmetic is. A request that says anything else is not one for this kernel.
  void declare(const std::vector<std::pair<std::string, std::string>> &said);

  // done checks that the kernel took note of everything that the request says.
  void done();

 private:
  std::set<std::string> asked, named;

  const Json *attr(const std::string &name) {
    asked.insert(name);
    return r.attrs.find(name);
  }

  // numberOf and wordOf return an attribute's default in the catalogue.
  double numberOf(const std::string &name) const;
  std::string wordOf(const std::string &name) const;

  std::pair<Element, const Shape &> info(const std::string &name);

  void *keep(Buffer b) {
    job.memoryBytes += b.size();
    job.memory.push_back(std::move(b));
    return job.memory.back().get();
  }
  static Buffer poisoned(size_t bytes) {
    Buffer b(bytes);
    b.poison();
    return b;
  }

  // materialise returns the bytes of an input.
  std::vector<unsigned char> materialise(const std::string &name);
  void checkSize(const std::string &name, const Shape &shape) const;
};

inline const char *elementName(Type t) { return t == BF16 ? "BF16" : "F32"; }
inline Element elementOf(Type t) { return t == BF16 ? ElementBF16 : ElementF32; }
inline int sizeOf(Type t) { return t == BF16 ? 2 : 4; }

// An op with what binds it. Each family of ops lists its own.
struct Bound {
  const char *op;
  void (*bind)(Binder &);
};
const std::vector<Bound> &attentionOps();
const std::vector<Bound> &objectiveOps();
const std::vector<Bound> &expertOps();
const std::vector<Bound> &predictionOps();

}  // namespace plumbline
