// Children that do what may cost them the device, and the parent that watches them.
//
// A kernel that hangs, or reads memory that is not there, takes its whole process with it, or at least that process's device. So the work is done in children, and
// the parent, which never touches a device, has a new one go on behind what ended the last.
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <new>
#include <string>

namespace plumbline {

// sharedMemory returns zeroed memory that a process shares with the children it forks later; it is never freed.
void *sharedMemory(size_t bytes);
template <class T> T &shared() { return *new (sharedMemory(sizeof(T))) T; }

// Patience is how long the parent waits for a child. It lies in shared memory, and the child sets it anew before each step.
class Patience {
 public:
  // allow gives so many seconds from now on; with 0 there is no end.
  void allow(double seconds);
  bool over() const;

 private:
  std::atomic<double> until{0};  // of the monotonic clock
};

// End is how a child ended.
struct End {
  enum Kind { Exited, Killed, Hung } kind = Exited;
  int status = 0;    // if it exited
  std::string what;  // in words, if it did not
};

// inChild has work done in a child, waits for it and ends it if it takes longer than its patience. An exception is printed, and gives the exit status 1.
// Nothing is waited for that cannot be ended: a child stuck in its driver is left behind.
End inChild(const Patience &patience, const std::function<int()> &work);

}  // namespace plumbline
