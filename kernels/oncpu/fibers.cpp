// See fibers.h.
#include "fibers.h"

#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "steps.h"

// AddressSanitizer has to be told when the stack changes (make cpu-sanitized).
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define __sanitizer_finish_switch_fiber(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

namespace oncpu {

dim3 blockNow, gridNow, threadsNow, threadNow;

namespace {

constexpr int warpSize = 32;
constexpr size_t stackBytes = 256 * 1024;

[[noreturn]] void fail(const char *what) {
  std::fprintf(stderr, "on the CPU: block (%u %u %u), thread %u: %s\n", blockNow.x, blockNow.y, blockNow.z, threadNow.x, what);
  std::abort();
}

struct Copy {
  void *to;
  const void *from;
  bool there;
};

void perform(const Copy &c) {
  if (c.there) {
    std::memcpy(c.to, c.from, 16);
  } else {
    std::memset(c.to, 0, 16);
  }
}

// Meeting is a place where a number of fibers wait for one another.
struct Meeting {
  int arrived = 0;
  uint64_t generation = 0;
};

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  void *frames = nullptr;  // AddressSanitizer's, while another stack is in use
  bool done = false;
  const Meeting *waitsAt = nullptr;  // while its generation is still this one
  uint64_t generation = 0;
  std::vector<std::vector<Copy>> groups;  // committed copies that have not happened yet, oldest first
  std::vector<Copy> open;                 // copies since the last commit
};

struct Warp : Meeting {
  int asleep = 0;  // rounds that it still lets pass
  const char *doing = nullptr;  // what the lanes meet for: all have to do the same
  union Slot {
    struct { float x; int lane; } shuffle;
    bool yes;
    const uint16_t *row;
    struct { float acc[4]; uint32_t a[4], b[2]; } mma;
  } in[warpSize];
  union Result {
    float x;
    uint32_t r[4];
    float acc[4];
  } out[warpSize];
  unsigned mask;
};

struct Block {
  ucontext_t scheduler;
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  Meeting barrier;
  size_t shared = 0;  // bytes of memory, and not one more: AddressSanitizer sees what goes beyond
  unsigned char *memory = nullptr;
  void *frames = nullptr;  // those of the scheduler's stack, which is this
  const void *bottom = nullptr;
  size_t size = 0;
  const std::function<void()> *kernel = nullptr;
  int now = 0;
  std::mt19937_64 random;
};

Block *block = nullptr;

// leave goes back to the scheduler, from a fiber that has ended for ever.
void leave(Fiber &f) {
  __sanitizer_start_switch_fiber(f.done ? nullptr : &f.frames, block->bottom, block->size);
  swapcontext(&f.context, &block->scheduler);
  __sanitizer_finish_switch_fiber(f.frames, &block->bottom, &block->size);
}

void resume(Fiber &f) {
  __sanitizer_start_switch_fiber(&block->frames, f.stack.get(), stackBytes);
  swapcontext(&block->scheduler, &f.context);
  __sanitizer_finish_switch_fiber(block->frames, nullptr, nullptr);
}

void yield() { leave(block->fibers[block->now]); }

void enter() {
  __sanitizer_finish_switch_fiber(nullptr, &block->bottom, &block->size);
  (*block->kernel)();
  Fiber &f = block->fibers[block->now];
  if (!f.open.empty() || !f.groups.empty()) {
    for (const auto &group : f.groups) {
      if (!group.empty()) fail("ends with copies that nobody waited for");
    }
    if (!f.open.empty()) fail("ends with copies that were not committed");
  }
  f.done = true;
  leave(f);
}

// meet waits until `count` fibers have come; the last to come does the work.
template <class Work> void meet(Meeting &m, int count, Work work) {
  uint64_t generation = m.generation;
  if (++m.arrived == count) {
    work();
    m.arrived = 0;
    m.generation++;
    return;
  }
  Fiber &me = block->fibers[block->now];
  me.waitsAt = &m;
  me.generation = generation;
  yield();
  me.waitsAt = nullptr;
}

Warp &warp() { return block->warps[threadNow.x / warpSize]; }
int lane() { return threadNow.x % warpSize; }

// together does the work of a warp-wide instruction once, when all lanes have come to it.
template <class Work> void together(const char *name, Work work) {
  Warp &w = warp();
  if (w.arrived == 0) w.doing = name;
  if (w.doing != name) fail("lanes of a warp meet at different instructions");
  meet(w, warpSize, work);
}

void *insideShared(const void *p) {
  const auto at = static_cast<const unsigned char *>(p) - block->memory;
  if (at < 0 || size_t(at) + 16 > block->shared) fail("address outside the block's shared memory");
  if (reinterpret_cast<uintptr_t>(p) % 16 != 0) fail("address not aligned to 16 bytes");
  return const_cast<void *>(p);
}

// multiply is mma.sync on fragments of 32 bytes a row: register i of a holds bytes 4·(lane mod 4) + 16·(i/2) on of row lane/4 + 8·(i mod 2).
void multiply(Warp &w, const Operands &type, Result result) {
  double a[16][32], b[8][32];
  const int each = 4 / type.bytes;
  for (int l = 0; l < warpSize; l++) {
    const auto &in = w.in[l].mma;
    for (int e = 0; e < each; e++) {
      const int at = l % 4 * each + e, low = e * type.bytes * 8;
      const auto value = [&](uint32_t word) { return valueOf(type, type.bytes == 4 ? word : word >> low & ((1u << 8 * type.bytes) - 1)); };
      for (int i = 0; i < 4; i++) a[l / 4 + i % 2 * 8][at + i / 2 * 4 * each] = value(in.a[i]);
      for (int i = 0; i < 2; i++) b[l / 4][at + i * 4 * each] = value(in.b[i]);
    }
  }
  for (int l = 0; l < warpSize; l++) {
    for (int e = 0; e < 4; e++) w.out[l].acc[e] = mmaSync(type, w.in[l].mma.acc[e], a[l / 4 + e / 2 * 8], b[l % 4 * 2 + e % 2], result);
  }
}

void gather(Warp &w, bool transposed) {
  for (int l = 0; l < warpSize; l++) {
    int group = l / 4, pair = l % 4 * 2;
    for (int i = 0; i < 4; i++) {
      uint16_t e[2];
      for (int h = 0; h < 2; h++) e[h] = transposed ? w.in[8 * i + pair + h].row[group] : w.in[8 * i + group].row[pair + h];
      w.out[l].r[i] = e[0] | uint32_t(e[1]) << 16;
    }
  }
}

uint64_t seed() {
  const char *text = std::getenv("PLUMBLINE_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 1;
}

// setPace lets warps sleep for a while now and then, so that others run far ahead of them; nobody sleeps while nobody else can run.
void setPace(Block &b, bool moved) {
  for (Warp &w : b.warps) {
    if (!moved) {
      w.asleep = 0;
    } else if (w.asleep > 0) {
      w.asleep--;
    } else if (b.random() % 32 == 0) {
      w.asleep = int(b.random() % (1u << b.random() % 11));
    }
  }
}

// start makes a fiber ready to run from the kernel's beginning.
void start(Fiber &f) {
  f.done = false;
  f.waitsAt = nullptr;
  f.groups.clear();
  f.open.clear();
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = f.stack.get();
  f.context.uc_stack.ss_size = stackBytes;
  f.context.uc_link = nullptr;
  ASAN_UNPOISON_MEMORY_REGION(f.stack.get(), stackBytes);  // of frames that were left for ever
  makecontext(&f.context, enter, 0);
}

void runBlock(Block &b) {
  int threads = int(b.fibers.size());
  for (Fiber &f : b.fibers) start(f);
  std::memset(b.memory, 0xFF, b.shared);
  std::vector<int> order(threads);
  for (int i = 0; i < threads; i++) order[i] = i;
  for (int live = threads; live > 0;) {
    for (int i = threads - 1; i > 0; i--) std::swap(order[i], order[b.random() % (i + 1)]);
    bool moved = false, slept = false;
    for (int i : order) {
      Fiber &f = b.fibers[i];
      if (f.done || (f.waitsAt != nullptr && f.waitsAt->generation == f.generation)) continue;
      if (b.warps[i / warpSize].asleep > 0) {
        slept = true;
        continue;
      }
      moved = true;
      b.now = i;
      threadNow = dim3(i, 0, 0);
      resume(f);
      live -= f.done;
    }
    if (!moved && !slept && live > 0) fail("threads wait for others that have ended");
    setPace(b, moved);
  }
  if (b.barrier.arrived != 0) fail("threads ended while others wait at a barrier");
}

}  // namespace

void run(dim3 grid, int threads, size_t shared, const std::function<void()> &kernel) {
  Block b;
  b.fibers.resize(threads);
  for (Fiber &f : b.fibers) f.stack.reset(new char[stackBytes]);
  b.warps.resize((threads + warpSize - 1) / warpSize);
  b.shared = shared;
  void *memory = nullptr;
  if (posix_memalign(&memory, 128, shared) != 0) fail("no memory for the block");
  const std::unique_ptr<void, void (*)(void *)> owner(memory, std::free);
  b.memory = static_cast<unsigned char *>(memory);
  b.kernel = &kernel;
  static uint64_t launches = 0;
  b.random.seed(seed() * 1000003 + launches++);
  if (threads % warpSize != 0) fail("threads are not whole warps");
  block = &b;
  gridNow = grid;
  threadsNow = dim3(threads);
  for (unsigned z = 0; z < grid.z; z++) {
    for (unsigned y = 0; y < grid.y; y++) {
      for (unsigned x = 0; x < grid.x; x++) {
        blockNow = dim3(x, y, z);
        runBlock(b);
      }
    }
  }
  block = nullptr;
}

unsigned char *sharedMemory() { return block->memory; }

void barrier() {
  meet(block->barrier, int(block->fibers.size()), [] {});
}

// After a meeting threadNow is the thread that last ran: every fiber sets it again when it goes on, because the scheduler does so before it
// switches to one.
float shuffle(float x, int from) {
  Warp &w = warp();
  int me = lane();
  w.in[me].shuffle = {x, from};
  together("shuffle", [&w] {
    for (int l = 0; l < warpSize; l++) w.out[l].x = w.in[w.in[l].shuffle.lane % warpSize].shuffle.x;
  });
  return w.out[me].x;
}

unsigned ballot(bool yes) {
  Warp &w = warp();
  w.in[lane()].yes = yes;
  together("ballot", [&w] {
    w.mask = 0;
    for (int l = 0; l < warpSize; l++) w.mask |= unsigned(w.in[l].yes) << l;
  });
  return w.mask;
}

void loadMatrices(uint32_t (&r)[4], const plumbline::bf16 *row, bool transposed) {
  Warp &w = warp();
  int me = lane();
  w.in[me].row = static_cast<const uint16_t *>(insideShared(row));
  together(transposed ? "ldmatrix.trans" : "ldmatrix", [&w, transposed] { gather(w, transposed); });
  std::memcpy(r, w.out[me].r, sizeof r);
}

void mma(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, const Operands &type, Result result) {
  Warp &w = warp();
  int me = lane();
  auto &in = w.in[me].mma;
  std::memcpy(in.acc, acc, sizeof acc);
  std::memcpy(in.a, a, sizeof a);
  in.b[0] = b0;
  in.b[1] = b1;
  together(type.name, [&] { multiply(w, type, result); });
  std::memcpy(acc, w.out[me].acc, sizeof acc);
}

namespace {

// codeAt returns the value of a code that a descriptor of swizzled rows leads to (PTX ISA, "Matrix descriptor"): its address bits 4 to 6 are exchanged by bits 7 to 9.
double codeAt(uint64_t descriptor, int row, int k) {
  static const auto values = [] {
    std::vector<double> all(256);
    for (uint32_t code = 0; code < 256; code++) all[code] = valueOf(e4m3, code);
    return all;
  }();
  const size_t start = size_t(descriptor & 0x3FFF) * 16, stride = size_t(descriptor >> 32 & 0x3FFF) * 16;
  size_t at = start + size_t(row / 8) * stride + size_t(row % 8 * 128 + k);
  at ^= (at >> 7 & 7) << 4;
  if (descriptor >> 62 != 1 || start % 1024 >= 128) fail("a descriptor of other than swizzled rows of 128 bytes");
  if (at >= block->shared) fail("a descriptor leads outside the block's shared memory");
  return values[block->memory[at]];
}

}  // namespace

// wgmma computes this lane's part of a product of a warpgroup, m64n64k32 of F8_E4M3.
void wgmma(float (&acc)[8][4], uint64_t a, uint64_t b, bool keep) {
  const int row = int(threadNow.x) / 32 * 16 + lane() / 4;
  double x[2][32], y[32];
  for (int k = 0; k < 32; k++) {
    for (int i = 0; i < 2; i++) x[i][k] = codeAt(a, row + 8 * i, k);
  }
  for (int column = 0; column < 16; column++) {
    const int n = column / 2, e = column % 2;
    for (int k = 0; k < 32; k++) y[k] = codeAt(b, n * 8 + lane() % 4 * 2 + e, k);
    for (int i = 0; i < 2; i++) acc[n][2 * i + e] = stepOf(e4m3.step, keep ? acc[n][2 * i + e] : 0, x[i], y);
  }
}

void copyAsync(void *to, const void *from, bool there) {
  insideShared(to);
  if (there && reinterpret_cast<uintptr_t>(from) % 16 != 0) fail("source of a copy not aligned to 16 bytes");
  Copy c{to, from, there};
  if (block->random() % 2 == 0) {
    perform(c);
  } else {
    std::memset(to, 0xFF, 16);  // until it has come, what is there is of no use
    block->fibers[block->now].open.push_back(c);
  }
}

void commitCopies() {
  Fiber &f = block->fibers[block->now];
  f.groups.push_back(std::move(f.open));
  f.open.clear();
}

void waitCopies(int pending) {
  Fiber &f = block->fibers[block->now];
  while (int(f.groups.size()) > pending) {
    for (const Copy &c : f.groups.front()) perform(c);
    f.groups.erase(f.groups.begin());
  }
}

}  // namespace oncpu
