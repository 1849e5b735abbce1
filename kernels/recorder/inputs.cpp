#include "inputs.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "launch.h"
#include "sha256.h"

namespace plumbline {

size_t pieceBytes = size_t(64) << 20;

namespace {

void put(Bytes &bytes, Element e, size_t i, double x) {
  const uint64_t code = encode(e, x);
  std::memcpy(bytes.data() + i * size_t(sizeOf(e)), &code, size_t(sizeOf(e)));
}

}  // namespace

std::vector<int64_t> permutation(int64_t n, uint64_t seed) {
  std::vector<int64_t> x(static_cast<size_t>(n));
  std::iota(x.begin(), x.end(), int64_t(0));
  for (int64_t i = n - 1; i > 0; i--) std::swap(x[size_t(i)], x[size_t(splitmix64(seed, uint64_t(i)) % uint64_t(i + 1))]);
  return x;
}

void makePart(const Recipe &r, int64_t first, Bytes &bytes) {
  const size_t n = bytes.size() / size_t(sizeOf(r.element));
  std::vector<int64_t> order;
  if (r.dist == Permutation) order = permutation(countOf(r.shape), r.seed);
  for (size_t i = 0; i < n; i++) {
    const size_t at = size_t(first) + i;
    const double x = scaled(r.dist == Permutation ? double(order[at]) : drawn(r.dist, r.seed, at, r.lo, r.hi), r.exp2, r.shift);
    if (!isFloat(r.element)) checkInteger(r.element, x);
    put(bytes, r.element, i, x);
  }
}

bool applyEdits(const Recipe &r, int64_t first, Bytes &bytes) {
  const int64_t end = first + int64_t(bytes.size()) / sizeOf(r.element);
  bool any = false;
  for (const Edit &e : r.edits) {
    int64_t place = 0, n = 1;  // e sets n elements from n·place on
    for (size_t a = 0; a < r.shape.size(); a++) {
      if (a < e.index.size()) {
        place = place * r.shape[a] + e.index[a];
      } else {
        n *= r.shape[a];
      }
    }
    for (int64_t i = std::max(first, place * n); i < std::min(end, (place + 1) * n); i++) {
      put(bytes, r.element, size_t(i - first), e.value);
      any = true;
    }
  }
  return any;
}

void inPieces(const Recipe &r, const std::function<void(int64_t, Bytes &)> &make, const std::function<void(int64_t, const Bytes &, bool)> &take) {
  const int64_t all = countOf(r.shape), size = sizeOf(r.element);
  if (r.dist == Permutation && all > mostWhole) fail(std::to_string(all) + " elements, and a permutation is made whole: want at most " + std::to_string(mostWhole));
  const int64_t most = r.dist == Permutation ? all : std::max(int64_t(1), int64_t(pieceBytes) / size);
  Sha256 digest;
  Bytes piece;
  for (int64_t first = 0; first < all; first += most) {
    piece.resize(size_t(std::min(most, all - first) * size));
    make(first, piece);
    const bool edited = applyEdits(r, first, piece);
    digest.add(piece.data(), piece.size());
    take(first, piece, edited);
  }
  if (digest.hex() != r.sha256) fail("sha256 mismatch: made " + digest.hex() + ", want " + r.sha256);
}

Bytes makeOnHost(const Recipe &r) {
  if (countOf(r.shape) > mostWhole) fail(std::to_string(countOf(r.shape)) + " elements, want at most " + std::to_string(mostWhole) + " of what the host reads");
  Bytes all;
  inPieces(r, [&](int64_t first, Bytes &piece) { makePart(r, first, piece); }, [&](int64_t, const Bytes &piece, bool) { all.insert(all.end(), piece.begin(), piece.end()); });
  return all;
}

Buffer makeOnDevice(const Recipe &r) {
  const size_t size = size_t(sizeOf(r.element));
  Buffer all(size_t(countOf(r.shape)) * size);
  const bool there = !dry && isFloat(r.element);
  const auto make = [&](int64_t first, Bytes &piece) {
    if (!there) return makePart(r, first, piece);
    const size_t offset = size_t(first) * size;
    generate({r.dist, r.seed, r.exp2, r.shift, r.lo, r.hi, r.element, size_t(first), piece.size() / size, all.as<unsigned char>() + offset});
    finish();
    all.download(offset, piece.data(), piece.size());
  };
  inPieces(r, make, [&](int64_t first, const Bytes &piece, bool edited) {
    if (!there || edited) all.upload(size_t(first) * size, piece.data(), piece.size());
  });
  return all;
}

}  // namespace plumbline
