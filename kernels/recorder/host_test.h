#pragma once
#include <string>

namespace plumbline {

// hostTest tests what needs no device: recipes, digests, JSON, files, and the scalar arithmetic of the kernels. It returns the exit status.
int hostTest();

// testChildren tests the processes that recordings are made in.
void testChildren(void (*check)(bool, const std::string &));

}  // namespace plumbline
