// SHA-256 (FIPS 180-4).
#pragma once
#include <cstddef>
#include <string>

namespace plumbline {

// sha256 returns the digest in lower-case hexadecimal.
std::string sha256(const void *data, size_t bytes);

}  // namespace plumbline
