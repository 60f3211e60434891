// GFLOP/s of the f32 matrix product and the fraction of the FMA peak that the same run measures, on one thread and on two.
// One thread is timed in processor time of the thread, so that a busy machine does not count; two in wall time, which it does
// upset. Each figure is the best of the runs that fit into its time. Arguments select cases by substring.
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>

#include "kernels/dispatch.h"

using namespace athanor;

namespace {

constexpr double kSecondsEach = 0.12;

double wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
double processor() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Two workers; the second one waits for work in a loop, as the engine's pool does in the middle of a step.
class Pair final : public Parallel {
 public:
  Pair() : other_([this] { serve(); }) {}
  ~Pair() {
    stop_ = true;
    other_.join();
  }
  int workers() const override { return 2; }
  void run(int tasks, FunctionRef<void(int task, int worker)> body) override {
    body_ = &body, tasks_ = tasks, next_ = 0, busy_ = true;
    work(0);
    while (busy_) pause();
  }

 private:
  static void pause() {
    for (int i = 0; i < 200; ++i) asm volatile("" ::: "memory");
    std::this_thread::yield();
  }
  void work(int worker) {
    for (int task; (task = next_++) < tasks_;) (*body_)(task, worker);
  }
  void serve() {
    while (!stop_) {
      if (busy_) work(1), busy_ = false;
      pause();
    }
  }
  FunctionRef<void(int, int)>* body_ = nullptr;
  int tasks_ = 0;
  std::atomic<int> next_ = 0;
  std::atomic<bool> busy_ = false, stop_ = false;
  std::thread other_;
};

// Twelve independent chains of multiply-add on zeros: more than latency × units of any processor here. GFLOP/s, or 0 where the
// instruction set has none.
#define ATHANOR_CHAIN(op, r, i) op " %%" r "12, %%" r "13, %%" r #i "\n\t"
// The layout tool has two opinions of a macro of many strings, so it keeps away.
// clang-format off
#define ATHANOR_CHAINS(op, r)                                                     \
  ATHANOR_CHAIN(op, r, 0) ATHANOR_CHAIN(op, r, 1) ATHANOR_CHAIN(op, r, 2)         \
  ATHANOR_CHAIN(op, r, 3) ATHANOR_CHAIN(op, r, 4) ATHANOR_CHAIN(op, r, 5)         \
  ATHANOR_CHAIN(op, r, 6) ATHANOR_CHAIN(op, r, 7) ATHANOR_CHAIN(op, r, 8)         \
  ATHANOR_CHAIN(op, r, 9) ATHANOR_CHAIN(op, r, 10) ATHANOR_CHAIN(op, r, 11)
// clang-format on
double measure_peak() {
  constexpr int kTimes = 100000;
  const char* isa = kernel_table().isa;
  [[maybe_unused]] const double begun = processor();
#if defined(__x86_64__)
#define ATHANOR_CLOBBERS \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13"
  if (!std::strcmp(isa, "avx2")) {
    asm volatile("vzeroall" ::: ATHANOR_CLOBBERS);
    for (int i = 0; i < kTimes; ++i) asm volatile(ATHANOR_CHAINS("vfmadd231ps", "ymm")::: ATHANOR_CLOBBERS);
    asm volatile("vzeroupper");
    return kTimes * 12.0 * 16 / (processor() - begun) / 1e9;
  }
  if (!std::strcmp(isa, "avx512")) {
    asm volatile("vzeroall" ::: ATHANOR_CLOBBERS);
    for (int i = 0; i < kTimes; ++i) asm volatile(ATHANOR_CHAINS("vfmadd231ps", "zmm")::: ATHANOR_CLOBBERS);
    asm volatile("vzeroupper");
    return kTimes * 12.0 * 32 / (processor() - begun) / 1e9;
  }
#endif
  return 0;
}

struct Case {
  const char* name;
  Index M, N, K;
  bool a_transposed = false, b_transposed = false;
  Index entries = 1;
  bool packed = false;
};

constexpr Case kCases[] = {
    {"square 512", 512, 512, 512},
    {"square 1024", 1024, 1024, 1024},
    {"square 2048", 2048, 2048, 2048},
    {"mlp forward", 128, 512, 784},
    {"mlp forward, b packed", 128, 512, 784, false, false, 1, true},
    {"mlp forward, w[n][k]", 128, 512, 784, false, true},
    {"mlp dx", 128, 512, 256, false, true},
    {"mlp dw", 784, 512, 128, true, false},
    {"mlp middle", 128, 256, 512},
    {"mlp head", 128, 10, 256},
    {"mlp head dw", 256, 10, 128, true, false},
    {"skinny", 128, 10, 512},
    {"gpt qkv", 2048, 768, 256},
    {"gpt qkv, w[n][k]", 2048, 768, 256, false, true},
    {"gpt up, w[n][k]", 2048, 1024, 256, false, true},
    {"gpt down", 2048, 256, 1024},
    {"gpt down, w[n][k]", 2048, 256, 1024, false, true},
    {"gpt down dx", 2048, 1024, 256},
    {"gpt out, w[n][k]", 2048, 256, 256, false, true},
    {"gpt dw", 1024, 256, 2048, true, false},
    {"gpt down dw", 256, 1024, 2048, true, false},
    {"gpt qkv dw", 768, 256, 2048, true, false},
    {"attention scores", 128, 128, 64, false, true, 64},
    {"attention values", 128, 64, 128, false, false, 64},
    {"conv2 like", 64, 576, 288, false, false, 64},
    {"square 64", 64, 64, 64},
    {"square 128", 128, 128, 128},
    {"batch 8", 8, 512, 784},
    {"batch 8, w[n][k]", 8, 512, 784, false, true},
    {"vector 784", 1, 512, 784},
    {"vector 784, w[n][k]", 1, 512, 784, false, true},
    {"vector 4096", 1, 4096, 4096},
    {"vector 4096, w[n][k]", 1, 4096, 4096, false, true},
    {"four 4096", 4, 4096, 4096},
    {"four 4096, w[n][k]", 4, 4096, 4096, false, true},
    {"wide 4096", 128, 4096, 4096},
};

// One block on huge pages, as the engine's arena is, written once so that no page is new.
float* arena(std::size_t floats) {
  const std::size_t bytes = (floats * sizeof(float) + (2u << 20)) & ~std::size_t{(2u << 20) - 1};
  void* memory = mmap(nullptr, bytes + (2u << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const auto address = (reinterpret_cast<std::uintptr_t>(memory) + (2u << 20) - 1) & ~std::uintptr_t{(2u << 20) - 1};
  float* data = reinterpret_cast<float*>(address);
  madvise(data, bytes, MADV_HUGEPAGE);
  for (std::size_t i = 0; i < floats; ++i)
    data[i] = static_cast<float>(static_cast<int>(i * 2654435761u % 2001) - 1000) / 1000;
  return data;
}

double best_of(const GemmArgs& args, Parallel& parallel, void* workspace, double (*clock)()) {
  const GemmKernels& gemm = kernel_table().gemm;
  double best = 1e9;
  gemm.run(args, parallel, workspace);
  for (const double until = wall() + kSecondsEach; wall() < until;) {
    const double flops = 2.0 * static_cast<double>(args.M * args.N * args.K * args.batch[1]);
    const int times = std::max(1, static_cast<int>(2e-4 / (flops / 1e11)));  // a clock read costs too
    const double begun = clock();
    for (int i = 0; i < times; ++i) gemm.run(args, parallel, workspace);
    best = std::min(best, (clock() - begun) / times);
  }
  return best;
}

}  // namespace

int main(int count, char** words) {
  float* memory = arena(std::size_t{64} << 20);
  Sequential one;
  Pair two;
  double peak = 0;
  for (int i = 0; i < 10; ++i) peak = std::max(peak, measure_peak());
  std::printf("isa %s, FMA peak %.1f GFLOP/s a thread\n", kernel_table().isa, peak);
  std::printf("%-24s %6s %6s %6s %4s | %9s %9s %6s | %9s %9s %6s\n", "", "M", "N", "K", "", "us", "GFLOP/s", "peak",
              "us (2)", "GFLOP/s", "peak");
  for (const Case& t : kCases) {
    bool wanted = count < 2;
    for (int i = 1; i < count; ++i) wanted = wanted || std::strstr(t.name, words[i]);
    if (!wanted) continue;
    const GemmKernels& gemm = kernel_table().gemm;
    GemmArgs args;
    args.M = t.M, args.N = t.N, args.K = t.K, args.batch[1] = t.entries;
    args.a.row = t.a_transposed ? 1 : t.K, args.a.col = t.a_transposed ? t.M : 1, args.a.batch[1] = t.M * t.K;
    args.b.row = t.b_transposed ? 1 : t.N, args.b.col = t.b_transposed ? t.K : 1, args.b.batch[1] = t.K * t.N;
    args.ldc = t.N, args.c_batch[1] = t.M * t.N;
    float* a = memory;
    float* b = a + (t.M * t.K * t.entries + 1023) / 1024 * 1024;
    args.c = b + (t.K * t.N * t.entries + 1023) / 1024 * 1024;
    float* rest = args.c + (t.M * t.N * t.entries + 1023) / 1024 * 1024;
    args.a.data = a, args.b.data = b;
    if (t.packed) {
      gemm.pack_b(args, rest, one);
      args.b.data = rest, args.b_packed = true;
      rest += (gemm.packed_size(t.K, t.N) + 1023) / 1024 * 1024;
    }
    const double flops = 2.0 * static_cast<double>(t.M * t.N * t.K * t.entries);
    peak = std::max(peak, measure_peak());
    const double t1 = best_of(args, one, rest, processor), t2 = best_of(args, two, rest, wall);
    std::printf("%-24s %6d %6d %6d %4d | %9.1f %9.1f %5.2f  | %9.1f %9.1f %5.2f\n", t.name, static_cast<int>(t.M),
                static_cast<int>(t.N), static_cast<int>(t.K), static_cast<int>(t.entries), t1 * 1e6, flops / t1 / 1e9,
                flops / t1 / 1e9 / peak, t2 * 1e6, flops / t2 / 1e9, flops / t2 / 1e9 / (2 * peak));
    std::fflush(stdout);
  }
  return 0;
}
