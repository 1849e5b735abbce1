#pragma once

namespace plumbline {

// hostTest tests what needs no device: recipes, digests, JSON, files, and the scalar arithmetic of the kernels. It returns the exit status.
int hostTest();

}  // namespace plumbline
