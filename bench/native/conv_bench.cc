// GFLOP/s of the convolution passes, beside the FMA peak measured in the same run, and pooling in GB/s beside a copy.
// Per shape: the best of a few runs, in processor time of the calling thread for one worker (so that a busy machine does not
// count) and in wall time for two. Arguments select shapes by substring.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kernels/dispatch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

using namespace athanor;

namespace {

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double thread_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

// Two workers that wait in a loop for the next batch.
class Pair final : public Parallel {
 public:
  Pair() : other_([this] { loop(); }) {}
  ~Pair() {
    stop_ = true;
    batch_.fetch_add(1);
    other_.join();
  }
  int workers() const override { return 2; }
  void run(int tasks, FunctionRef<void(int task, int worker)> body) override {
    tasks_ = tasks, body_ = &body, next_ = 0, done_ = false;
    batch_.fetch_add(1);
    work(0);
    while (!done_) std::this_thread::yield();
  }

 private:
  void work(int worker) {
    for (int task; (task = next_++) < tasks_;) (*body_)(task, worker);
  }
  void loop() {
    for (int seen = 0;;) {
      while (batch_ == seen) std::this_thread::yield();
      ++seen;
      if (stop_) return;
      work(1);
      done_ = true;
    }
  }
  std::atomic<int> batch_ = 0, next_ = 0;
  std::atomic<bool> done_ = false, stop_ = false;
  int tasks_ = 0;
  FunctionRef<void(int, int)>* body_ = nullptr;
  std::thread other_;
};

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] double peak_avx2() {
  __m256 acc[10];
  for (auto& a : acc) a = _mm256_set1_ps(1.0f);
  const __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
  double best = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const double begun = thread_seconds();
    for (int i = 0; i < 200000; ++i)
#pragma GCC unroll 10
      for (auto& a : acc) a = _mm256_fmadd_ps(a, x, y);
    best = std::max(best, 200000.0 * 10 * 16 / (thread_seconds() - begun) / 1e9);
  }
  float sink[8];
  for (auto& a : acc) {
    _mm256_storeu_ps(sink, a);
    if (sink[0] == 3.0f) std::puts("");
  }
  return best;
}
[[gnu::target("avx512f")]] double peak_avx512() {
  __m512 acc[10];
  for (auto& a : acc) a = _mm512_set1_ps(1.0f);
  const __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
  double best = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const double begun = thread_seconds();
    for (int i = 0; i < 200000; ++i)
#pragma GCC unroll 10
      for (auto& a : acc) a = _mm512_fmadd_ps(a, x, y);
    best = std::max(best, 200000.0 * 10 * 32 / (thread_seconds() - begun) / 1e9);
  }
  float sink[16];
  for (auto& a : acc) {
    _mm512_storeu_ps(sink, a);
    if (sink[0] == 3.0f) std::puts("");
  }
  return best;
}
#endif

double peak() {
#if defined(__x86_64__)
  if (!std::strcmp(kernel_table().isa, "avx512")) return peak_avx512();
  if (!std::strcmp(kernel_table().isa, "avx2")) return peak_avx2();
#endif
  return 0;
}

std::vector<float> random(Index n) {
  std::mt19937 generator(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> v(n);
  for (float& x : v) x = uniform(generator);
  return v;
}

template <class Body>
double best_of(bool wall, const Body& body) {
  double best = 1e9, total = 0;
  for (int i = 0; i < 60 && (i < 4 || total < 0.25); ++i) {
    const double begun = wall ? wall_seconds() : thread_seconds();
    body();
    const double took = (wall ? wall_seconds() : thread_seconds()) - begun;
    total += took;
    if (i > 0) best = std::min(best, took);
  }
  return best;
}

struct Layer {
  const char* name;
  ConvShape shape;
};

ConvShape layer(Index n, Index c_in, Index hw, Index c_out, Index k, Index stride, Index pad, Index groups = 1) {
  ConvShape s;
  s.n = n, s.c_in = c_in, s.h = s.w = hw, s.c_out = c_out, s.kh = s.kw = k, s.stride_h = s.stride_w = stride;
  s.pad_top = s.pad_bottom = s.pad_left = s.pad_right = pad, s.groups = groups;
  return s;
}

void bench_layer(const Layer& item, double top) {
  const ConvShape& s = item.shape;
  const ConvKernels& kernels = kernel_table().conv;
  const auto x = random(s.n * s.c_in * s.h * s.w), w = random(s.c_out * s.c_in / s.groups * s.kh * s.kw);
  const auto dy = random(s.n * s.c_out * s.out_h() * s.out_w());
  std::vector<float> y(dy.size()), dx(x.size()), dw(w.size()), db(s.c_out);
  const double flops = 2.0 * double(dy.size()) * double(s.c_in / s.groups * s.kh * s.kw);
  Sequential one;
  ConvForwardArgs forward{.shape = s, .x = x.data(), .w = w.data(), .y = y.data()};
  ConvBackwardDataArgs data{.shape = s, .dy = dy.data(), .w = w.data(), .dx = dx.data()};
  ConvBackwardWeightsArgs weights{.shape = s, .x = x.data(), .dy = dy.data(), .dw = dw.data(), .db = db.data()};
  const Index bytes = std::max({kernels.forward_workspace(forward, 2), kernels.backward_data_workspace(data, 2),
                                kernels.backward_weights_workspace(weights, 2)});
  std::vector<char> memory(bytes + 64);
  void* space = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
  std::printf("%-28s %7.1f MFLOP", item.name, flops / 1e6);
  for (const bool wall : {false, true}) {
    std::optional<Pair> pair;  // only while it is measured: it spins
    if (wall) pair.emplace();
    Parallel* parallel = wall ? static_cast<Parallel*>(&*pair) : &one;
    const double seconds[3] = {best_of(wall, [&] { kernels.forward(forward, *parallel, space); }),
                               best_of(wall, [&] { kernels.backward_data(data, *parallel, space); }),
                               best_of(wall, [&] { kernels.backward_weights(weights, *parallel, space); })};
    std::printf(wall ? "  | 2:" : "  1:");
    for (double t : seconds) std::printf(" %6.1f (%.2f)", flops / t / 1e9, flops / t / 1e9 / (top * (wall ? 2 : 1)));
  }
  std::printf("\n");
}

void bench_pool() {
  PoolShape s;
  s.n = 64, s.c = 64, s.h = s.w = 24, s.kh = s.kw = s.stride_h = s.stride_w = 2;
  const auto x = random(s.n * s.c * s.h * s.w);
  std::vector<float> dx(x.size()), y(x.size() / 4);
  std::vector<std::uint8_t> taps(y.size());
  Sequential one;
  const PoolKernels& kernels = kernel_table().pool;
  const double copied = best_of(false, [&] { std::memcpy(dx.data(), x.data(), x.size() * 4); });
  const double forward = best_of(
      false, [&] { kernels.max({.shape = s, .x = x.data(), .y = y.data(), .taps = {.u8 = taps.data()}}, one); });
  const double backward = best_of(false, [&] {
    kernels.max_backward({.shape = s, .dy = y.data(), .taps = {.u8 = taps.data()}, .dx = dx.data()}, one);
  });
  const double average = best_of(false, [&] { kernels.average({.shape = s, .x = x.data(), .y = y.data()}, one); });
  PoolShape three = s;
  three.kh = three.kw = 3, three.pad_top = three.pad_left = three.pad_bottom = three.pad_right = 1;
  const double wide = best_of(
      false, [&] { kernels.max({.shape = three, .x = x.data(), .y = y.data(), .taps = {.u8 = taps.data()}}, one); });
  const double n = double(x.size()), bytes = n * 4 + n / 4 * 5;
  std::printf(
      "pool 64x64x24x24, GB/s: copy %.1f, max 2x2 %.1f, its gradient %.1f, average 2x2 %.1f, max 3x3 stride 2 %.1f\n",
      n * 8 / copied / 1e9, bytes / forward / 1e9, bytes / backward / 1e9, n * 5 / average / 1e9, bytes / wide / 1e9);
}

}  // namespace

int main(int count, char** arguments) {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // as the engine's own threads: denormals are zero
#endif
  const Layer layers[] = {
      {"W2 conv1 1>32 28 b64", layer(64, 1, 28, 32, 3, 1, 0)},
      {"W2 conv2 32>64 26 b64", layer(64, 32, 26, 64, 3, 1, 0)},
      {"W2 conv2 b1", layer(1, 32, 26, 64, 3, 1, 0)},
      {"64>64 3x3 56 b4", layer(4, 64, 56, 64, 3, 1, 1)},
      {"64>64 3x3 56 b1", layer(1, 64, 56, 64, 3, 1, 1)},
      {"128>128 3x3 s2 56 b4", layer(4, 128, 56, 128, 3, 2, 1)},
      {"256>64 1x1 56 b4", layer(4, 256, 56, 64, 1, 1, 0)},
      {"256>512 1x1 s2 28 b4", layer(4, 256, 28, 512, 1, 2, 0)},
      {"512>512 3x3 7 b4", layer(4, 512, 7, 512, 3, 1, 1)},
      {"512>512 3x3 7 b1", layer(1, 512, 7, 512, 3, 1, 1)},
      {"3>64 7x7 s2 224 b1", layer(1, 3, 224, 64, 7, 2, 3)},
      {"depthwise 96 3x3 56 b4", layer(4, 96, 56, 96, 3, 1, 1, 96)},
      {"depthwise 96 3x3 s2 56 b4", layer(4, 96, 56, 96, 3, 2, 1, 96)},
  };
  const auto wanted = [&](const char* name) {
    for (int i = 1; i < count; ++i)
      if (std::strstr(name, arguments[i])) return true;
    return count < 2;
  };
  const double top = peak();
  std::printf("%s, FMA peak %.1f GFLOP/s a thread; forward, gradient to data, to weights (fraction of the peak)\n",
              kernel_table().isa, top);
  for (const Layer& item : layers)
    if (wanted(item.name)) bench_layer(item, top);
  if (wanted("pool")) bench_pool();
}
