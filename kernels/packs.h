// Rows of memory in packs of sixteen bytes, the most that a thread can load or store at once.
#pragma once
#include "bf16.h"

namespace plumbline {

// Pack is what one thread loads or stores at once.
template <class T> struct alignas(16) Pack {
  static constexpr int width = 16 / sizeof(T);
  T x[width];
};

BOTH bool packed(const void *p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

template <class T> DEVICE Pack<T> loadPack(const T *at) { return *reinterpret_cast<const Pack<T> *>(at); }
template <class T> DEVICE void storePack(T *at, const Pack<T> &pack) { *reinterpret_cast<Pack<T> *>(at) = pack; }

// loadFloats loads so many elements, a multiple of four: in packs, or half a one of bf16, where they are aligned to as many bytes.
template <int count> DEVICE void loadFloats(float (&to)[count], const float *at, bool aligned) {
  if (!aligned) {
    for (int i = 0; i < count; i++) to[i] = at[i];
    return;
  }
#pragma unroll
  for (int i = 0; i < count; i += 4) {
    const auto pack = loadPack(at + i);
    for (int k = 0; k < 4; k++) to[i + k] = pack.x[k];
  }
}
template <int count> DEVICE void loadFloats(float (&to)[count], const bf16 *at, bool aligned) {
  struct alignas(8) Half {
    bf16 x[4];
  };
  if (!aligned) {
    for (int i = 0; i < count; i++) to[i] = toFloat(at[i]);
  } else if constexpr (count == 4) {
    const auto half = *reinterpret_cast<const Half *>(at);
    for (int k = 0; k < 4; k++) to[k] = toFloat(half.x[k]);
  } else {
#pragma unroll
    for (int i = 0; i < count; i += 8) {
      const auto pack = loadPack(at + i);
      for (int k = 0; k < 8; k++) to[i + k] = toFloat(pack.x[k]);
    }
  }
}

// A row in packs, but for its ends where it is not aligned; a row that is copied to one of other alignment has no packs.
template <class T> struct Packs {
  static constexpr int width = Pack<T>::width;
  int head, count, tail;  // elements before the packs, packs, and the first element behind them

  DEVICE Packs(const T *row, int n) : head(least(n, int((16 - past(row)) % 16 / sizeof(T)))), count((n - head) / width), tail(head + count * width) {}
  DEVICE Packs(const T *row, const T *to, int n) : Packs(row, n) {
    if (past(row) == past(to)) return;
    count = 0;
    head = tail = n;
  }

  static DEVICE unsigned past(const T *p) { return unsigned(reinterpret_cast<uintptr_t>(p) % 16); }
};

// eachElement calls work(index, value) for the elements of a row that fall to this thread: of the head, then of every threads-th pack, then of the tail.
template <int threads, class T, class Work> DEVICE void eachElement(const T *row, int n, Work work) {
  const Packs<T> packs(row, n);
  for (int i = threadIdx.x; i < packs.head; i += threads) work(i, toFloat(row[i]));
  for (int p = threadIdx.x; p < packs.count; p += threads) {
    const int at = packs.head + p * packs.width;
    const auto pack = loadPack(row + at);
    for (int k = 0; k < packs.width; k++) work(at + k, toFloat(pack.x[k]));
  }
  for (int i = packs.tail + int(threadIdx.x); i < n; i += threads) work(i, toFloat(row[i]));
}

// mapElements stores work(index, value) of each into another row.
template <int threads, class T, class Work> DEVICE void mapElements(const T *row, T *to, int n, Work work) {
  const Packs<T> packs(row, to, n);
  for (int i = threadIdx.x; i < packs.head; i += threads) store(&to[i], work(i, toFloat(row[i])));
  for (int p = threadIdx.x; p < packs.count; p += threads) {
    const int at = packs.head + p * packs.width;
    auto pack = loadPack(row + at);
    for (int k = 0; k < packs.width; k++) store(&pack.x[k], work(at + k, toFloat(pack.x[k])));
    storePack(to + at, pack);
  }
  for (int i = packs.tail + int(threadIdx.x); i < n; i += threads) store(&to[i], work(i, toFloat(row[i])));
}

}  // namespace plumbline
