// What the probe writes: tensors and metadata as one safetensors file. The recorder's own writer knows no FP8, and no file without inputs.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace probe {

struct Tensor {
  std::string name, type;  // type as safetensors has it: F32, BF16, F8_E4M3 …
  std::vector<int64_t> shape;
  std::vector<unsigned char> bytes;
};

template <class T> Tensor tensorOf(const std::string &name, const std::string &type, const std::vector<int64_t> &shape, const std::vector<T> &x) {
  Tensor t{name, type, shape, std::vector<unsigned char>(x.size() * sizeof(T))};
  if (!x.empty()) std::memcpy(t.bytes.data(), x.data(), t.bytes.size());
  return t;
}

using Metadata = std::vector<std::pair<std::string, std::string>>;

inline std::string quoted(const std::string &s) {
  std::string out = "\"";
  for (const char c : s) {
    char code[8];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(code, sizeof code, "\\u%04x", unsigned(c));
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// object returns a JSON object of strings.
inline std::string object(const Metadata &members) {
  std::string out;
  for (const auto &m : members) out += (out.empty() ? "" : ",") + quoted(m.first) + ":" + quoted(m.second);
  return "{" + out + "}";
}

// formatTable returns the bytes of a file. Tensors stand in the order given: widest elements first keep them aligned.
inline std::vector<unsigned char> formatTable(const Metadata &metadata, const std::vector<Tensor> &tensors) {
  std::string header = "{\"__metadata__\":" + object(metadata);
  size_t at = 0;
  for (const Tensor &t : tensors) {
    std::string shape;
    for (const int64_t n : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
    header += "," + quoted(t.name) + ":{\"dtype\":" + quoted(t.type) + ",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(at) + "," +
              std::to_string(at + t.bytes.size()) + "]}";
    at += t.bytes.size();
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::vector<unsigned char> out(8);
  const uint64_t length = header.size();
  for (int i = 0; i < 8; i++) out[size_t(i)] = static_cast<unsigned char>(length >> 8 * i);
  out.insert(out.end(), header.begin(), header.end());
  for (const Tensor &t : tensors) out.insert(out.end(), t.bytes.begin(), t.bytes.end());
  return out;
}

// writeTable leaves a whole file or none.
inline void writeTable(const std::string &path, const Metadata &metadata, const std::vector<Tensor> &tensors) {
  const std::vector<unsigned char> bytes = formatTable(metadata, tensors);
  const std::string part = path + ".part";
  std::FILE *f = std::fopen(part.c_str(), "wb");
  if (f == nullptr) throw std::runtime_error("cannot write " + part);
  const bool whole = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
  if (std::fclose(f) != 0 || !whole || std::rename(part.c_str(), path.c_str()) != 0) throw std::runtime_error("cannot write " + path);
}

}  // namespace probe
