#include "supervise.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>

#include "json.h"

namespace plumbline {

namespace {

double monotonic() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

void rest(double seconds) {
  const timespec t{time_t(seconds), long((seconds - double(time_t(seconds))) * 1e9)};
  nanosleep(&t, nullptr);
}

// ended returns whether a child has ended, and how.
bool ended(pid_t child, int *status) {
  const pid_t found = waitpid(child, status, WNOHANG);
  return found == child || (found < 0 && errno != EINTR);
}

End endOf(int status) {
  End e;
  if (WIFSIGNALED(status)) {
    e.kind = End::Killed;
    e.what = strsignal(WTERMSIG(status));
  } else {
    e.status = WEXITSTATUS(status);
  }
  return e;
}

[[noreturn]] void beChild(pid_t parent, const std::function<int()> &work) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // no child outlives its parent with a device in its hands
  if (getppid() != parent) _exit(1);
  int status = 1;
  try {
    status = work();
  } catch (const std::exception &e) {
    std::fprintf(stderr, "recorder: %s\n", e.what());
  }
  std::fflush(stdout);
  std::fflush(stderr);
  _exit(status);
}

}  // namespace

void *sharedMemory(size_t bytes) {
  void *at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) fail("no memory to share");
  return at;
}

void Patience::allow(double seconds) { until = seconds > 0 ? monotonic() + seconds : 0; }

bool Patience::over() const {
  const double t = until;
  return t > 0 && monotonic() > t;
}

End inChild(const Patience &patience, const std::function<int()> &work) {
  std::fflush(stdout);  // or the child would print it again
  std::fflush(stderr);
  const pid_t parent = getpid(), child = fork();
  if (child < 0) fail("no second process");
  if (child == 0) beChild(parent, work);
  int status = 0;
  while (!ended(child, &status)) {
    if (patience.over()) {
      kill(child, SIGKILL);
      for (int i = 0; i < 500 && !ended(child, &status); i++) rest(0.01);
      End e;
      e.kind = End::Hung;
      e.what = "took too long";
      return e;
    }
    rest(0.005);
  }
  return endOf(status);
}

}  // namespace plumbline
