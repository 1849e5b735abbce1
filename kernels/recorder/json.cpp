#include "json.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace plumbline {

namespace {

constexpr int maxDepth = 32;

class Parser {
 public:
  explicit Parser(const std::string &s) : s(s) {}

  Json document() {
    Json j = value(0);
    space();
    if (at != s.size()) error("more text after the value");
    return j;
  }

 private:
  const std::string &s;
  size_t at = 0;

  [[noreturn]] void error(const std::string &what) { fail("not JSON: byte " + std::to_string(at) + ": " + what); }
  int peek() { return at < s.size() ? static_cast<unsigned char>(s[at]) : -1; }
  void space() {
    while (at < s.size() && std::strchr(" \t\r\n", s[at]) != nullptr && s[at] != 0) at++;
  }
  void expect(char c) {
    if (peek() != static_cast<unsigned char>(c)) error(std::string("want ") + c);
    at++;
  }
  bool take(char c) {
    space();
    if (peek() != static_cast<unsigned char>(c)) return false;
    at++;
    return true;
  }
  void word(const char *w) {
    if (s.compare(at, std::strlen(w), w) != 0) error("not a value");
    at += std::strlen(w);
  }

  Json value(int depth) {
    if (depth > maxDepth) error("nested too deep");
    space();
    Json j;
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return Json::string(string());
      case 't': word("true"); return Json::boolean(true);
      case 'f': word("false"); return Json::boolean(false);
      case 'n': word("null"); return j;
      default: return number();
    }
  }

  Json object(int depth) {
    Json j = Json::object();
    expect('{');
    if (take('}')) return j;
    do {
      space();
      std::string key = string();
      if (j.find(key) != nullptr) error("key " + quoteJson(key) + " twice");
      space();
      expect(':');
      j.set(key, value(depth + 1));
    } while (take(','));
    space();
    expect('}');
    return j;
  }

  Json array(int depth) {
    Json j;
    j.kind = Json::Array;
    expect('[');
    if (take(']')) return j;
    do {
      j.items.push_back(value(depth + 1));
    } while (take(','));
    space();
    expect(']');
    return j;
  }

  void digits() {
    if (peek() < '0' || peek() > '9') error("want a digit");
    while (peek() >= '0' && peek() <= '9') at++;
  }

  Json number() {
    size_t start = at;
    if (peek() == '-') at++;
    if (peek() == '0') {
      at++;
    } else {
      digits();
    }
    if (peek() == '.') {
      at++;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      at++;
      if (peek() == '+' || peek() == '-') at++;
      digits();
    }
    Json j;
    j.kind = Json::Number;
    j.text = s.substr(start, at - start);
    return j;
  }

  std::string string() {
    std::string out;
    expect('"');
    for (;;) {
      int c = peek();
      if (c < 0x20) error(c < 0 ? "string without end" : "control character in a string");
      at++;
      if (c == '"') return out;
      if (c == '\\') {
        escape(out);
      } else {
        out += char(c);
      }
    }
  }

  unsigned unit() {
    unsigned u = 0;
    for (int i = 0; i < 4; i++, at++) {
      int c = peek();
      int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) error("want four hexadecimal digits");
      u = u * 16 + unsigned(digit);
    }
    return u;
  }

  void escape(std::string &out) {
    int c = peek();
    at++;
    const char *from = "\"\\/bfnrt", *to = "\"\\/\b\f\n\r\t";
    const char *found = c > 0 ? std::strchr(from, c) : nullptr;
    if (found != nullptr) {
      out += to[found - from];
    } else if (c == 'u') {
      unsigned u = unit();
      if (u >= 0xD800 && u < 0xDC00) {
        expect('\\');
        expect('u');
        unsigned low = unit();
        if (low < 0xDC00 || low >= 0xE000) error("half a surrogate pair");
        u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
      } else if (u >= 0xDC00 && u < 0xE000) {
        error("half a surrogate pair");
      } else if (u == 0) {
        error("a string with NUL");
      }
      encode(out, u);
    } else {
      error("unknown escape");
    }
  }

  static void encode(std::string &out, unsigned u) {
    if (u < 0x80) {
      out += char(u);
    } else if (u < 0x800) {
      out += char(0xC0 | u >> 6);
      out += char(0x80 | (u & 0x3F));
    } else if (u < 0x10000) {
      out += char(0xE0 | u >> 12);
      out += char(0x80 | (u >> 6 & 0x3F));
      out += char(0x80 | (u & 0x3F));
    } else {
      out += char(0xF0 | u >> 18);
      out += char(0x80 | (u >> 12 & 0x3F));
      out += char(0x80 | (u >> 6 & 0x3F));
      out += char(0x80 | (u & 0x3F));
    }
  }
};

}  // namespace

Json parseJson(const std::string &text) { return Parser(text).document(); }

std::string quoteJson(const std::string &s) {
  std::string out = "\"";
  for (char c : s) {
    char code[8];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(code, sizeof code, "\\u%04x", c);
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

Json Json::number(double x) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", x);
  if (!std::isfinite(x)) return string(text);
  return of(Number, text);
}

double Json::asNumber() const {
  if (kind != Number) fail("found " + describe() + ", want a number");
  double x = std::strtod(text.c_str(), nullptr);
  if (!std::isfinite(x)) fail("found " + text + ", want a finite number");
  return x;
}

int64_t Json::asWhole(int64_t least, int64_t most) const {
  double x = asNumber();
  int64_t n = 0;
  if (text.find_first_of(".eE") == std::string::npos) {
    errno = 0;
    n = std::strtoll(text.c_str(), nullptr, 10);
    if (errno != 0) fail("found " + text + ", out of range");
  } else if (x == std::trunc(x) && std::fabs(x) <= 9007199254740992.0) {
    n = int64_t(x);
  } else {
    fail("found " + text + ", want a whole number");
  }
  if (n < least || n > most) fail("found " + text + ", want a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return n;
}

uint64_t Json::asSeed() const {
  asNumber();
  if (text.find_first_not_of("0123456789") != std::string::npos) fail("found " + text + ", want an integer from 0 to 2^64 - 1");
  errno = 0;
  uint64_t n = std::strtoull(text.c_str(), nullptr, 10);
  if (errno != 0) fail("found " + text + ", want an integer from 0 to 2^64 - 1");
  return n;
}

std::string Json::describe() const {
  std::string s = dump();
  return s.size() > 60 ? s.substr(0, 57) + "..." : s;
}

std::string Json::dump() const {
  std::string out;
  switch (kind) {
    case Null: return "null";
    case Bool: return yes ? "true" : "false";
    case Number: return text;
    case String: return quoteJson(text);
    case Array:
      for (const Json &i : items) out += (out.empty() ? "" : ",") + i.dump();
      return "[" + out + "]";
    case Object:
      for (const auto &m : members) out += (out.empty() ? "" : ",") + quoteJson(m.first) + ":" + m.second.dump();
      return "{" + out + "}";
  }
  return out;
}

}  // namespace plumbline
