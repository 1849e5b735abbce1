// The device as the recorder sees it: memory, time, and what it is. device.cu implements it with CUDA, or for a processor.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace plumbline {

struct Device {
  std::string name, driver, toolchain;
  int multiprocessors = 1, major = 0, minor = 0;
  bool gpu = false;
};

// openDevice describes the device; it throws if there is none.
Device openDevice();

// deviceLost says whether the device answers no more in this process, as after an access to memory that is not there.
bool deviceLost();

// Buffer is device memory. An empty one is null.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes);
  Buffer(const void *data, size_t bytes);  // with a copy of host memory
  Buffer(Buffer &&other) noexcept;
  Buffer &operator=(Buffer &&other) noexcept;
  ~Buffer();
  void *get() const { return at; }
  template <class T> T *as() const { return static_cast<T *>(at); }
  size_t size() const { return bytes; }
  void poison() const;  // every byte 0xFF: NaN in every floating type
  std::vector<unsigned char> download() const;
  void download(size_t offset, void *to, size_t n) const;
  void upload(size_t offset, const void *from, size_t n) const;

 private:
  void *at = nullptr;
  size_t bytes = 0;
};

// freeMemory returns the bytes of device memory that nobody has taken.
size_t freeMemory();

// With dry set, buffers stay null and nothing is copied: requests can be checked without a device.
extern bool dry;

// finish waits for the device and throws if anything failed.
void finish();

struct Times {
  double median = 0, least = 0, most = 0;  // microseconds
  int runs = 0;
};

constexpr size_t measureMemory = size_t(256) << 20;  // device memory that measure takes

// measure runs work a few times unmeasured, then measures each of several runs, with the second-level cache filled with other data before each.
// On a processor it measures nothing.
Times measure(const std::function<void()> &work);

struct Ceilings {
  double copy = 0;     // bytes read and written by a large device-to-device copy, GB/s
  double product = 0;  // a large bf16 matrix product by mma.sync, TFLOP/s
  double issue = 0;    // mma.sync from registers alone, TFLOP/s
  double error = 0;    // relative error of some elements of the product
};

// measureCeilings measures what the device can do at most by the same instructions; what was measured before one fails stays.
// On a processor it measures nothing.
void measureCeilings(const Device &d, Ceilings &c);

}  // namespace plumbline
