#include "device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "platform.h"

#ifndef PLUMBLINE_FLAGS
#define PLUMBLINE_FLAGS ""
#endif

namespace plumbline {

bool dry = false;

Buffer::Buffer(Buffer &&other) noexcept : at(std::exchange(other.at, nullptr)), bytes(std::exchange(other.bytes, 0)) {}

Buffer &Buffer::operator=(Buffer &&other) noexcept {
  std::swap(at, other.at);
  std::swap(bytes, other.bytes);
  return *this;
}

Buffer::Buffer(const void *data, size_t n) : Buffer(n) { upload(0, data, n); }
std::vector<unsigned char> Buffer::download() const {
  std::vector<unsigned char> out(bytes);
  download(0, out.data(), bytes);
  return out;
}

#ifdef PLUMBLINE_ON_CPU

Device openDevice() {
  Device d;
  d.name = "none: a processor, every CUDA thread a fiber";
  d.driver = "none";
  d.toolchain = "g++ " __VERSION__ ", " PLUMBLINE_FLAGS;
  d.multiprocessors = 6;
  d.major = 9;
  return d;
}

Buffer::Buffer(size_t n) : bytes(n) {
  if (dry || n == 0) return;
  if (posix_memalign(&at, 256, n) != 0) std::abort();  // not a byte more, so that AddressSanitizer sees what goes beyond
}
Buffer::~Buffer() { std::free(at); }
void Buffer::upload(size_t offset, const void *from, size_t n) const {
  if (at != nullptr) std::memcpy(as<char>() + offset, from, n);
}
void Buffer::download(size_t offset, void *to, size_t n) const {
  if (at != nullptr) std::memcpy(to, as<char>() + offset, n);
}
void Buffer::poison() const {
  if (at != nullptr) std::memset(at, 0xFF, bytes);
}
void finish() {}
size_t freeMemory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("MemAvailable:", 0) == 0) return size_t(std::strtoull(line.c_str() + 13, nullptr, 10)) * 1024;
  }
  return SIZE_MAX;
}
bool deviceLost() { return false; }
Times measure(const std::function<void()> &) { return {}; }
void measureCeilings(const Device &, Ceilings &) {}

#else

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

namespace {

std::string firstLine(const char *path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// driverText reads the driver's release where the system shows it.
std::string driverText() {
  int version = 0;
  CHECK(cudaDriverGetVersion(&version));
  std::string release = firstLine("/proc/driver/nvidia/version");
  if (release.empty()) release = firstLine("/sys/module/nvidia/version");
  if (!release.empty()) release += ", ";
  return release + "CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

Device openDevice() {
  cudaDeviceProp p;
  CHECK(cudaSetDevice(0));
  CHECK(cudaGetDeviceProperties(&p, 0));
  Device d;
  d.gpu = true;
  d.major = p.major;
  d.minor = p.minor;
  d.multiprocessors = p.multiProcessorCount;
  d.name = std::string(p.name) + ", compute capability " + std::to_string(p.major) + "." + std::to_string(p.minor) + ", " +
           std::to_string(p.multiProcessorCount) + " multiprocessors";
  d.driver = driverText();
  d.toolchain = "nvcc " TEXT(__CUDACC_VER_MAJOR__) "." TEXT(__CUDACC_VER_MINOR__) "." TEXT(__CUDACC_VER_BUILD__) ", " PLUMBLINE_FLAGS;
  return d;
}

Buffer::Buffer(size_t n) : bytes(n) {
  if (!dry && n > 0) CHECK(cudaMalloc(&at, n));
}
Buffer::~Buffer() { cudaFree(at); }  // an error here is that of an earlier call
void Buffer::poison() const {
  if (at != nullptr) CHECK(cudaMemset(at, 0xFF, bytes));
}
void Buffer::upload(size_t offset, const void *from, size_t n) const {
  if (at != nullptr) CHECK(cudaMemcpy(as<char>() + offset, from, n, cudaMemcpyHostToDevice));
}
void Buffer::download(size_t offset, void *to, size_t n) const {
  if (at != nullptr) CHECK(cudaMemcpy(to, as<char>() + offset, n, cudaMemcpyDeviceToHost));
}
size_t freeMemory() {
  size_t free = 0, all = 0;
  CHECK(cudaMemGetInfo(&free, &all));
  return free;
}
void finish() {
  CHECK(cudaDeviceSynchronize());
  CHECK(cudaGetLastError());
}
bool deviceLost() {
  cudaGetLastError();  // clears an error that passes
  return cudaDeviceSynchronize() != cudaSuccess;
}

Times measure(const std::function<void()> &work) {
  constexpr int warmUp = 3, most = 21;
  constexpr float enough = 500;  // milliseconds
  Buffer other(measureMemory);
  cudaEvent_t begin, end;
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  std::vector<float> times;
  float all = 0;
  for (int i = 0; i < warmUp; i++) work();
  finish();
  while (int(times.size()) < most && (all < enough || times.size() < 3)) {
    other.poison();
    CHECK(cudaEventRecord(begin));
    work();
    CHECK(cudaEventRecord(end));
    CHECK(cudaEventSynchronize(end));
    float ms = 0;
    CHECK(cudaEventElapsedTime(&ms, begin, end));
    times.push_back(ms);
    all += ms;
  }
  finish();
  CHECK(cudaEventDestroy(begin));
  CHECK(cudaEventDestroy(end));
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2] * 1e3, times.front() * 1e3, times.back() * 1e3, int(times.size())};
}

#endif

}  // namespace plumbline
