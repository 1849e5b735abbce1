// Tests of children that hang, crash, throw and are slow but alive; part of --host-test.
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <unistd.h>

#include "host_test.h"
#include "supervise.h"

namespace plumbline {

namespace {

double seconds(const std::function<void()> &work) {
  timespec begin{}, end{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  work();
  clock_gettime(CLOCK_MONOTONIC, &end);
  return double(end.tv_sec - begin.tv_sec) + 1e-9 * double(end.tv_nsec - begin.tv_nsec);
}

}  // namespace

void testChildren(void (*check)(bool, const std::string &)) {
  Patience &patience = shared<Patience>();
  End e = inChild(patience, [] { return 7; });
  check(e.kind == End::Exited && e.status == 7, "a child's exit status comes back");
  e = inChild(patience, []() -> int { throw std::runtime_error("a child's own error: this line is expected"); });
  check(e.kind == End::Exited && e.status == 1, "a child that throws exits with 1");
  e = inChild(patience, []() -> int {
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
  });
  check(e.kind == End::Killed && e.what == "Aborted", "a child that crashes");
  const double hung = seconds([&] {
    e = inChild(patience, [&]() -> int {
      patience.allow(0.2);
      for (;;) pause();
    });
  });
  check(e.kind == End::Hung && hung >= 0.2 && hung < 4, "a child that hangs is ended when patience is over");
  e = inChild(patience, [&]() -> int {
    patience.allow(0.3);
    std::signal(SIGALRM, SIG_IGN);
    std::signal(SIGTERM, SIG_IGN);
    for (;;) pause();
  });
  check(e.kind == End::Hung, "so is one that is deaf to signals");
  patience.allow(0);
  e = inChild(patience, [&] {
    for (int i = 0; i < 8; i++) {
      patience.allow(0.5);
      usleep(100'000);
    }
    return 0;
  });
  check(e.kind == End::Exited && e.status == 0, "a child that goes on step by step is waited for, however long it takes in all");
  int &count = shared<int>();
  inChild(patience, [&] { return count = 5; });
  check(count == 5, "a child's notes reach its parent");
}

}  // namespace plumbline
