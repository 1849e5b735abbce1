// SHA-256 (FIPS 180-4), by the processor's own instructions where it has them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace plumbline {

// Sha256 is the digest of bytes that come piece by piece.
class Sha256 {
 public:
  explicit Sha256(bool instructions = true);  // false: by plain arithmetic, for tests
  void add(const void *data, size_t bytes);
  std::string hex() const;  // of all that was added so far, in lower case

 private:
  using Compress = void (*)(uint32_t (&state)[8], const unsigned char *data, size_t blocks);
  Compress compress;
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  unsigned char rest[64] = {};  // of a block that is not whole
  uint64_t length = 0;          // of all bytes
};

// sha256 returns the digest in lower-case hexadecimal.
std::string sha256(const void *data, size_t bytes);

}  // namespace plumbline
