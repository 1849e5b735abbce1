// Which kernel is compiled: the right one, or one of the wrong ones.
//
// A wrong kernel is the same source compiled with one switch, -DMISTAKE_ and the name of the mistake, and a namespace of its own (the Makefile sets both). Each switch is read
// at one place, found by its name. README.md lists them; docs/OPS.md says of each mistake what it does, and when it does not show.
#pragma once

#ifndef VARIANT
#define VARIANT right
#endif
