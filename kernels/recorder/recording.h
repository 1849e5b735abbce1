// Recordings and requests as safetensors files.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "element.h"
#include "json.h"

namespace plumbline {

using Shape = std::vector<int64_t>;

// countOf returns the number of elements of a shape, and throws if that is more than a tensor may have.
int64_t countOf(const Shape &shape);
std::string textOf(const Shape &shape);

// Tensor is one tensor of a file with its bytes, little-endian and row-major.
struct Tensor {
  std::string name;
  Element element = ElementNone;
  Shape shape;
  std::vector<unsigned char> bytes;
};

struct Edit {
  Shape index;
  double value;
};

// Recipe says how an input is made.
struct Recipe {
  Element element = ElementNone;
  Shape shape;
  Dist dist = Uniform;
  uint64_t seed = 0;
  int exp2 = 0;
  double shift = 0;
  int64_t lo = 0, hi = 0;
  std::string sha256;
  std::vector<Edit> edits;
};

struct Recording {
  std::string op;
  Json attrs = Json::object(), arithmetic = Json::object(), provenance = Json::object();
  std::string attrsText, generatedText;  // as they stood in the file
  std::map<std::string, Recipe> generated;
  std::map<std::string, std::string> extra;  // metadata of other tools
  std::vector<Tensor> tensors;               // stored, in file order

  const Tensor *find(const std::string &name) const;
};

Recording readRecording(const std::string &path);
Recording parseRecording(const std::vector<unsigned char> &file);

// formatRecording returns the bytes of a file: widest element types first, so that every tensor is aligned.
std::vector<unsigned char> formatRecording(const Recording &r);
void writeFile(const std::string &path, const std::vector<unsigned char> &bytes);

Recipe parseRecipe(const Json &j);
// checkInteger throws if an integer type lacks the value.
void checkInteger(Element e, double x);

}  // namespace plumbline
