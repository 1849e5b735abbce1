// A recording of one call of one kernel, for Plumbline to judge: this header is all that is needed,
// in CUDA or plain C++17. See docs/RECORDINGS.md for the ops and their tensors.
//
//   plumbline::Recording r("norm.rms");
//   r.input("x", x, "BF16", {n, d});  // a pointer of the device or the host; it is copied here
//   r.input("weight", weight, "BF16", {d});
//   r.attr("eps", 1e-6);
//   rmsNorm<<<blocks, threads>>>(y, x, weight, n, d, 1e-6f);
//   r.output("y", y, "BF16", {n, d});
//   r.arithmetic("intermediate", "F32");  // the kernel rounds once, at its end
//   r.save("norm.safetensors");
//
// What is wrong is thrown as std::runtime_error. Inputs are copied when they are named: name those
// that a kernel overwrites before it runs.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#ifdef __CUDACC__
#include <cuda_runtime.h>
#endif

namespace plumbline {

class Recording {
 public:
  explicit Recording(std::string op) : op_(std::move(op)) { describeDevice(); }

  // input copies an input: row-major, without gaps. The type is one of F64 F32 F16 BF16 F8_E4M3
  // F8_E5M2 F8_E8M0 I64 I32 U8 BOOL.
  void input(const std::string &name, const void *data, const std::string &type, const std::vector<int64_t> &shape) {
    add(name, data, type, shape);
  }

  // output waits for the device and copies an output.
  void output(const std::string &name, const void *data, const std::string &type, const std::vector<int64_t> &shape) {
    add("out." + name, data, type, shape);
  }

  // attr sets a convention of the call.
  void attr(const std::string &key, double value) { attrs_[key] = number(key, value); }
  void attr(const std::string &key, int value) { attrs_[key] = std::to_string(value); }
  void attr(const std::string &key, bool value) { attrs_[key] = value ? "true" : "false"; }
  void attr(const std::string &key, const char *value) { attrs_[key] = quote(value); }

  // arithmetic declares what the kernel rounds where.
  void arithmetic(const std::string &key, const char *value) { arithmetic_[key] = quote(value); }
  void arithmetic(const std::string &key, int value) { arithmetic_[key] = std::to_string(value); }

  // provenance says where the recording comes from: producer, source, command, note …
  void provenance(const std::string &key, const std::string &value) { provenance_[key] = quote(value); }

  // save writes the recording into a file.
  void save(const std::string &path) const {
    const std::string head = header();
    std::ofstream file(path, std::ios::binary);
    for (int i = 0; i < 8; i++) file.put(static_cast<char>(static_cast<uint64_t>(head.size()) >> (8 * i)));
    file << head;
    for (const Tensor &t : tensors_) file.write(t.bytes.data(), static_cast<std::streamsize>(t.bytes.size()));
    file.close();
    if (!file) throw std::runtime_error(path + ": the recording could not be written");
  }

 private:
  struct Tensor {
    std::string name, type;
    std::vector<int64_t> shape;
    std::vector<char> bytes;
  };
  using Object = std::map<std::string, std::string>;  // keys, and values as JSON

  std::string op_;
  std::vector<Tensor> tensors_;
  Object attrs_, arithmetic_, provenance_;

  static size_t sizeOf(const std::string &type) {
    static const std::map<std::string, size_t> sizes = {
        {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"F8_E8M0", 1},
        {"I64", 8}, {"I32", 4}, {"U8", 1}, {"BOOL", 1}};
    const auto found = sizes.find(type);
    return found == sizes.end() ? 0 : found->second;
  }

  void add(const std::string &name, const void *data, const std::string &type, const std::vector<int64_t> &shape) {
    size_t bytes = sizeOf(type);
    if (bytes == 0) throw std::runtime_error(name + ": no element type " + type);
    for (const int64_t n : shape) {
      if (n < 0 || (n > 0 && bytes > SIZE_MAX / static_cast<size_t>(n))) {
        throw std::runtime_error(name + ": an axis of " + std::to_string(n) + " elements");
      }
      bytes *= static_cast<size_t>(n);
    }
    for (const Tensor &t : tensors_) {
      if (t.name == name) throw std::runtime_error(name + ": named twice");
    }
    Tensor t{name, type, shape, std::vector<char>(bytes)};
    copy(t.bytes.data(), data, bytes, name);
    tensors_.push_back(std::move(t));
  }

#ifdef __CUDACC__
  static void check(cudaError_t status, const std::string &what) {
    if (status != cudaSuccess) throw std::runtime_error(what + ": " + cudaGetErrorString(status));
  }

  // copy waits for all that the device does, kernels of any stream among it, and says what failed.
  static void copy(void *to, const void *from, size_t bytes, const std::string &name) {
    check(cudaDeviceSynchronize(), name);
    if (bytes > 0) check(cudaMemcpy(to, from, bytes, cudaMemcpyDefault), name);
  }

  void describeDevice() {
    int device = 0, driver = 0, runtime = 0;
    cudaDeviceProp properties;
    if (cudaGetDevice(&device) != cudaSuccess || cudaGetDeviceProperties(&properties, device) != cudaSuccess) return;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    provenance("device", properties.name);
    provenance("driver", "CUDA " + std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10));
    provenance("toolchain", "CUDA " + std::to_string(runtime / 1000) + "." + std::to_string(runtime % 1000 / 10));
  }
#else
  static void copy(void *to, const void *from, size_t bytes, const std::string &) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  void describeDevice() { provenance("device", "CPU"); }
#endif

  static std::string number(const std::string &key, double x) {
    if (!std::isfinite(x)) throw std::runtime_error(key + ": not a finite number");
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", x);
    return text;
  }

  static std::string quote(const std::string &s) {
    std::string q = "\"";
    for (const char c : s) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned char>(c));
      if (c == '"' || c == '\\') q += '\\';
      q += static_cast<unsigned char>(c) < 0x20 ? code : std::string(1, c);
    }
    return q + "\"";
  }

  static std::string object(const Object &o) {
    std::string text = "{";
    for (const auto &[key, value] : o) text += (text.size() > 1 ? "," : "") + quote(key) + ":" + value;
    return text + "}";
  }

  // header is the JSON at the head of the file, padded so that the tensors begin at a multiple of 8.
  std::string header() const {
    const Object metadata = {
        {"plumbline", quote("1")}, {"op", quote(op_)}, {"attrs", quote(object(attrs_))},
        {"arithmetic", quote(object(arithmetic_))}, {"provenance", quote(object(provenance_))}};
    std::string text = "{\"__metadata__\":" + object(metadata);
    size_t offset = 0;
    for (const Tensor &t : tensors_) {
      std::string shape;
      for (const int64_t n : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
      text += "," + quote(t.name) + ":{\"dtype\":" + quote(t.type) + ",\"shape\":[" + shape + "],\"data_offsets\":[" +
              std::to_string(offset) + "," + std::to_string(offset + t.bytes.size()) + "]}";
      offset += t.bytes.size();
    }
    text += "}";
    return text + std::string((8 - text.size() % 8) % 8, ' ');
  }
};

}  // namespace plumbline
