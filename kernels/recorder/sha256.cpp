#include "sha256.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace plumbline {

namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr uint32_t roundConstants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }

void compressBlock(uint32_t (&state)[8], const unsigned char *block) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++) w[i] = uint32_t(block[4 * i]) << 24 | uint32_t(block[4 * i + 1]) << 16 | uint32_t(block[4 * i + 2]) << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    const uint32_t s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3, s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    const uint32_t t1 = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + roundConstants[i] + w[i];
    const uint32_t t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const uint32_t sums[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) state[i] += sums[i];
}

void compressPlainly(uint32_t (&state)[8], const unsigned char *data, size_t blocks) {
  for (size_t i = 0; i < blocks; i++) compressBlock(state, data + 64 * i);
}

#if defined(__x86_64__)

bool hasInstructions() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 19) || !(c & 1u << 9)) return false;  // SSE4.1, SSSE3
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 29;
}

// compressFast has the state in two registers, words A, B, E, F and C, D, G, H, as the instructions want it.
__attribute__((target("sha,sse4.1,ssse3"))) void compressFast(uint32_t (&state)[8], const unsigned char *data, size_t blocks) {
  const __m128i bigEndian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const auto load = [](const void *p) __attribute__((target("sse4.1"))) { return _mm_loadu_si128(static_cast<const __m128i *>(p)); };
  __m128i low = _mm_shuffle_epi32(load(state), 0xB1), high = _mm_shuffle_epi32(load(state + 4), 0x1B);
  __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xF0);
  for (; blocks > 0; blocks--, data += 64) {
    const __m128i before[2] = {abef, cdgh};
    __m128i w[4] = {};
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {  // four rounds each; w has the words of the last sixteen
      if (i < 4) {
        w[i] = _mm_shuffle_epi8(load(data + 16 * i), bigEndian);
      } else {
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]), _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4));
        w[i % 4] = _mm_sha256msg2_epu32(sum, w[(i + 3) % 4]);
      }
      const __m128i k = _mm_add_epi32(w[i % 4], load(roundConstants + 4 * i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
    }
    abef = _mm_add_epi32(abef, before[0]), cdgh = _mm_add_epi32(cdgh, before[1]);
  }
  low = _mm_shuffle_epi32(abef, 0x1B), high = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state), _mm_blend_epi16(low, high, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i *>(state + 4), _mm_alignr_epi8(high, low, 8));
}

#else

bool hasInstructions() { return false; }
constexpr auto compressFast = compressPlainly;

#endif

}  // namespace

Sha256::Sha256(bool instructions) : compress(instructions && hasInstructions() ? compressFast : compressPlainly) {}

void Sha256::add(const void *data, size_t bytes) {
  const auto *in = static_cast<const unsigned char *>(data);
  size_t pending = size_t(length % 64);
  length += bytes;
  if (pending > 0) {
    const size_t n = std::min(bytes, 64 - pending);
    std::memcpy(rest + pending, in, n);
    in += n, bytes -= n, pending += n;
    if (pending < 64) return;
    compress(state, rest, 1);
  }
  compress(state, in, bytes / 64);
  if (bytes % 64 > 0) std::memcpy(rest, in + bytes / 64 * 64, bytes % 64);
}

std::string Sha256::hex() const {
  Sha256 end = *this;
  const unsigned char padding[64] = {0x80};
  unsigned char bits[8];
  for (int i = 0; i < 8; i++) bits[7 - i] = static_cast<unsigned char>(length * 8 >> 8 * i);
  end.add(padding, 1 + (119 - length % 64) % 64);  // up to eight bytes before the end of a block
  end.add(bits, 8);
  char text[65];
  for (int i = 0; i < 8; i++) std::snprintf(text + 8 * i, 9, "%08x", end.state[i]);
  return text;
}

std::string sha256(const void *data, size_t bytes) {
  Sha256 digest;
  digest.add(data, bytes);
  return digest.hex();
}

}  // namespace plumbline
