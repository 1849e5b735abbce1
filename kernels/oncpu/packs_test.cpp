// Tests of the kernels that load and store sixteen bytes at a time: every size and every alignment of their rows, against float64, with guards around what is stored.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../bf16.h"
#include "../launch.h"

using namespace plumbline;
using namespace plumbline::right;

namespace {

int failures = 0, checks = 0;

void check(bool good, const std::string &what) {
  checks++;
  if (good) return;
  if (failures++ < 20) std::printf("FAIL %s\n", what.c_str());
}

// Array is memory of one type that starts so many elements behind an address of 16 bytes, with a guard at both ends.
template <class T> class Array {
 public:
  Array(size_t n, size_t offset) : n(n), first(16 + offset), all(first + n + 16), data(static_cast<T *>(std::aligned_alloc(16, (all * sizeof(T) + 15) / 16 * 16)), std::free) {
    std::memset(static_cast<void *>(data.get()), 0xFF, all * sizeof(T));
  }
  T *get() { return &data[first]; }
  float operator[](size_t i) const { return toFloat(data[first + i]); }
  void fill(int seed) {
    for (size_t i = 0; i < n; i++) store(&data[first + i], float(int((i * 37 + size_t(seed) * 11) % 61) - 30) / 16);
  }
  bool guarded() const {
    for (size_t i = 0; i < all; i++) {
      const auto *bytes = reinterpret_cast<const unsigned char *>(&data[i]);
      for (size_t k = 0; (i < first || i >= first + n) && k < sizeof(T); k++) {
        if (bytes[k] != 0xFF) return false;
      }
    }
    return true;
  }

 private:
  size_t n, first, all;
  std::unique_ptr<T[], void (*)(void *)> data;
};

template <class T> constexpr Type typeOf() { return sizeof(T) == 2 ? BF16 : F32; }
template <class T> bool near(float got, double want) { return std::fabs(got - want) <= (sizeof(T) == 2 ? 0x1.1p-8 : 0x1p-20) * (std::fabs(want) + 0x1p-10); }

template <class T, class W> void testNorm(int d, size_t offset, size_t offsetY, size_t offsetW) {
  const int N = 3;
  Array<T> x(size_t(N * d), offset), y(size_t(N * d), offsetY);
  Array<W> w(size_t(d), offsetW);
  x.fill(1);
  w.fill(2);
  NormCall c{x.get(), w.get(), N, d, 1e-6f, y.get(), typeOf<T>(), typeOf<W>()};
  right::normRMS(c);
  const std::string name = "norm.rms, width " + std::to_string(d) + ", element types of " + std::to_string(sizeof(T)) + " and " + std::to_string(sizeof(W)) + " bytes, offsets " +
                           std::to_string(offset) + " " + std::to_string(offsetY) + " " + std::to_string(offsetW);
  check(y.guarded(), name + ": stored beyond the rows");
  for (int r = 0; r < N; r++) {
    double squares = 0;
    for (int i = 0; i < d; i++) squares += double(x[size_t(r * d + i)]) * x[size_t(r * d + i)];
    for (int i = 0; i < d; i++) {
      const size_t at = size_t(r * d + i);
      const double want = x[at] / std::sqrt(squares / d + 1e-6) * w[size_t(i)];
      check(near<T>(y[at], want), name + ", row " + std::to_string(r) + ", column " + std::to_string(i) + ": " + std::to_string(y[at]) + ", want " + std::to_string(want));
    }
  }
}

template <class T> void testRope(Layout layout, int pairs, size_t offset, size_t offsetY) {
  const int N = 2, H = 3, D = 2 * pairs;
  Array<T> x(size_t(N * H * D), offset), y(size_t(N * H * D), offsetY);
  x.fill(3);
  const int64_t positions[N] = {5, 1};
  std::vector<float> theta;
  for (int i = 0; i < pairs; i++) theta.push_back(1 / float(i + 1));
  RopeCall c{x.get(), positions, theta.data(), 1.5f, N, H, D, layout, false, y.get(), typeOf<T>()};
  right::ropeApply(c);
  const std::string name = "rope.apply, layout " + std::to_string(layout) + ", " + std::to_string(pairs) + " pairs of " + std::to_string(sizeof(T)) + " bytes, offsets " +
                           std::to_string(offset) + " " + std::to_string(offsetY);
  check(y.guarded(), name + ": stored beyond the heads");
  for (int r = 0; r < N * H; r++) {
    for (int i = 0; i < pairs; i++) {
      const double angle = double(positions[r / H]) / (i + 1), cosine = 1.5 * std::cos(angle), sine = 1.5 * std::sin(angle);
      const int a = layout == half ? i : 2 * i, b = layout == half ? i + pairs : 2 * i + 1, p = layout == interleaved ? 2 * i : i, q = layout == interleaved ? 2 * i + 1 : i + pairs;
      const size_t row = size_t(r * D);
      const double u = x[row + size_t(a)], v = x[row + size_t(b)], size = 1.5 * (std::fabs(u) + std::fabs(v));
      const double limit = (sizeof(T) == 2 ? 0x1.1p-8 : 0x1p-20) * (size + 0x1p-10);
      check(std::fabs(y[row + size_t(p)] - (u * cosine - v * sine)) <= limit, name + ", row " + std::to_string(r) + ", first of pair " + std::to_string(i));
      check(std::fabs(y[row + size_t(q)] - (u * sine + v * cosine)) <= limit, name + ", row " + std::to_string(r) + ", second of pair " + std::to_string(i));
    }
  }
}

template <class T> void testLogProb(int vocab, size_t offset) {
  const int N = 2;
  Array<T> logits(size_t(N * vocab), offset);
  logits.fill(4);
  const int tokens[N] = {0, vocab - 1};
  float logprob[N], entropy[N];
  LogProbCall c{logits.get(), tokens, N, vocab, 1, logprob, entropy, typeOf<T>()};
  right::policyLogProb(c);
  for (int r = 0; r < N; r++) {
    double sum = 0, mean = 0;
    for (int i = 0; i < vocab; i++) {
      const double z = logits[size_t(r * vocab + i)];
      sum += std::exp(z);
      mean += std::exp(z) * z;
    }
    const double want = logits[size_t(r * vocab + tokens[r])] - std::log(sum), wantEntropy = std::log(sum) - mean / sum;
    const std::string name = "policy.logprob, vocabulary " + std::to_string(vocab) + ", " + std::to_string(sizeof(T)) + " bytes, offset " + std::to_string(offset);
    check(std::fabs(logprob[r] - want) <= 0x1p-18 && std::fabs(entropy[r] - wantEntropy) <= 0x1p-18, name + ": " + std::to_string(logprob[r]) + ", want " + std::to_string(want));
  }
}

template <class T> void testAll() {
  const size_t width = 16 / sizeof(T);
  for (int d = 1; d <= 40; d++) {
    testNorm<T, float>(d, size_t(d) % width, size_t(d) % width, size_t(d) % 4);
    testNorm<T, bf16>(d, 0, 0, size_t(d) % 3 == 0 ? 1 : 0);
  }
  for (int d : {2048, 2050, 2055}) testNorm<T, bf16>(d, 0, 0, 0);
  testNorm<T, float>(64, 0, 1, 0);  // x and y of other alignments
  testNorm<T, float>(65, 2, 3, 1);
  for (Layout layout : {interleaved, half, interleavedToHalf}) {
    for (int pairs : {1, 2, 3, 4, 5, 8, 12, 16, 32}) {
      testRope<T>(layout, pairs, 0, 0);
      testRope<T>(layout, pairs, 1, 0);
      testRope<T>(layout, pairs, 0, 1);
      testRope<T>(layout, pairs, 2, 2);
    }
  }
  for (int vocab = 1; vocab <= 24; vocab++) testLogProb<T>(vocab, size_t(vocab) * 3 % width);
  testLogProb<T>(9001, 1);
}

}  // namespace

int main() {
  testAll<float>();
  testAll<bf16>();
  std::printf("sixteen bytes at a time: %d checks, %d failures\n", checks, failures);
  return failures != 0;
}
