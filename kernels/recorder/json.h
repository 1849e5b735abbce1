// JSON, read strictly: keys once, plain numbers, no control characters, nesting of 32, nothing behind the value. Numbers keep their text.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace plumbline {

[[noreturn]] inline void fail(const std::string &what) { throw std::runtime_error(what); }

struct Json {
  enum Kind { Null, Bool, Number, String, Array, Object };
  Kind kind = Null;
  bool yes = false;
  std::string text;  // of a number or a string
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  static Json object() { return of(Object); }
  static Json string(const std::string &s) { return of(String, s); }
  static Json boolean(bool yes) {
    Json j = of(Bool);
    j.yes = yes;
    return j;
  }
  static Json number(double x);
  static Json whole(int64_t n) { return of(Number, std::to_string(n)); }

  const Json *find(const std::string &name) const {
    for (const auto &m : members) {
      if (m.first == name) return &m.second;
    }
    return nullptr;
  }
  void set(const std::string &name, Json value) { members.emplace_back(name, std::move(value)); }

  double asNumber() const;
  int64_t asWhole(int64_t least, int64_t most) const;
  uint64_t asSeed() const;
  bool asBool() const {
    if (kind != Bool) fail("found " + describe() + ", want true or false");
    return yes;
  }
  const std::string &asString() const {
    if (kind != String) fail("found " + describe() + ", want a string");
    return text;
  }
  const Json &want(Kind k, const char *name) const {
    if (kind != k) fail("found " + describe() + ", want " + name);
    return *this;
  }

  std::string describe() const;
  std::string dump() const;

 private:
  static Json of(Kind k, const std::string &text = "") {
    Json j;
    j.kind = k;
    j.text = text;
    return j;
  }
};

Json parseJson(const std::string &text);
std::string quoteJson(const std::string &s);

}  // namespace plumbline
