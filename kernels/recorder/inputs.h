// Generated inputs, made a piece at a time: an input may take most of a device's memory, and the host never holds more of it than a piece.
#pragma once
#include <functional>
#include <vector>

#include "device.h"
#include "recording.h"

namespace plumbline {

using Bytes = std::vector<unsigned char>;

constexpr int64_t mostWhole = int64_t(1) << 28;  // elements of an input that the host holds whole

// pieceBytes is how much is made at a time. The bytes of an input and their sha256 do not depend on it.
extern size_t pieceBytes;

// makePart fills bytes with the elements of an input from number `first` on, before the edits. A permutation is made whole.
void makePart(const Recipe &r, int64_t first, Bytes &bytes);

// applyEdits plants what of the edits lies in such a part, and returns whether anything does.
bool applyEdits(const Recipe &r, int64_t first, Bytes &bytes);

// inPieces has an input made by `make`, plants the edits and hands each piece to `take`; it throws if the sha256 of all is not the one that the recipe promises.
void inPieces(const Recipe &r, const std::function<void(int64_t first, Bytes &piece)> &make, const std::function<void(int64_t first, const Bytes &piece, bool edited)> &take);

// makeOnHost returns an input.
Bytes makeOnHost(const Recipe &r);

// makeOnDevice returns an input in device memory, where its floating-point numbers are made; integers are made on the host, which checks that they fit their type.
Buffer makeOnDevice(const Recipe &r);

// permutation returns the Fisher–Yates permutation of n numbers.
std::vector<int64_t> permutation(int64_t n, uint64_t seed);

}  // namespace plumbline
