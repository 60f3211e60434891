// Attention forward and backward in GFLOP/s and as a fraction of the FMA peak measured in turn with it, one thread. Only the
// products that count are counted: 4 D FLOPs forward and 10 D backward for each pair of a query and a key that it sees. The
// exponentials are work without FLOPs here.
//   node scripts/native-test.mjs --bench --only attention
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <random>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/dispatch.h"

namespace athanor {
namespace {

// Time of this thread on a processor: what others do on a shared machine is not counted.
double now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

template <class F>
double seconds(F f) {
  const double begun = now();
  f();
  return now() - begun;
}

constexpr int kRounds = 20'000;
volatile float sink;

// 12 chains of FMA: enough to fill 2 units of latency 4 to 5. Returns FLOPs.
#if defined(__x86_64__)
#define ATHANOR_CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define ATHANOR_FMA512(i) a[i] = _mm512_fmadd_ps(a[i], b, c);
#define ATHANOR_FMA256(i) a[i] = _mm256_fmadd_ps(a[i], b, c);
[[gnu::target("avx512f")]] double peak512() {
  __m512 a[12], b = _mm512_set1_ps(0.5F), c = _mm512_set1_ps(1.0F);
  for (__m512& x : a) x = c;
  for (int r = 0; r < kRounds; ++r) {
    ATHANOR_CHAINS(ATHANOR_FMA512)
    asm volatile("" ::"r"(r));
  }
  __m512 sum = a[0];
  for (int i = 1; i < 12; ++i) sum = _mm512_add_ps(sum, a[i]);
  sink = _mm512_cvtss_f32(sum);
  return 12.0 * 16 * 2 * kRounds;
}
[[gnu::target("avx2,fma")]] double peak256() {
  __m256 a[12], b = _mm256_set1_ps(0.5F), c = _mm256_set1_ps(1.0F);
  for (__m256& x : a) x = c;
  for (int r = 0; r < kRounds; ++r) {
    ATHANOR_CHAINS(ATHANOR_FMA256)
    asm volatile("" ::"r"(r));
  }
  __m256 sum = a[0];
  for (int i = 1; i < 12; ++i) sum = _mm256_add_ps(sum, a[i]);
  sink = _mm256_cvtss_f32(sum);
  return 12.0 * 8 * 2 * kRounds;
}
#endif

using Four [[gnu::vector_size(16)]] = float;
double peak128() {
  Four a[12], b = {0.5F, 0.5F, 0.5F, 0.5F}, c = {1, 1, 1, 1};
  for (Four& x : a) x = c;
  for (int r = 0; r < kRounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) a[i] = a[i] * b + c;
    asm volatile("" ::"r"(r));
  }
  Four sum = a[0];
  for (int i = 1; i < 12; ++i) sum += a[i];
  sink = sum[0];
  return 12.0 * 4 * 2 * kRounds;
}

double peak_gflops(const char* isa) {
  double flops = 0;
  const double time = seconds([&] {
#if defined(__x86_64__)
    if (std::strcmp(isa, "avx512") == 0) return void(flops = peak512());
    if (std::strcmp(isa, "avx2") == 0) return void(flops = peak256());
#endif
    (void)isa;
    flops = peak128();
  });
  return flops / time * 1e-9;
}

struct Shape {
  const char* name;
  AttentionShape shape;
};

double median(std::vector<double> x) {
  std::sort(x.begin(), x.end());
  return x[x.size() / 2];
}

void measure(const Shape& item) {
  const AttentionShape& s = item.shape;
  const Index width = (s.heads + 2 * s.kv_heads) * s.depth;  // of the fused projection
  const Index q_size = s.batch * s.queries * s.heads * s.depth;
  std::vector<float> qkv(static_cast<std::size_t>(s.batch * s.keys * width)), dqkv(qkv.size());
  std::vector<float> y(static_cast<std::size_t>(q_size)), dy(y.size());
  std::vector<float> lse(static_cast<std::size_t>(s.batch * s.heads * s.queries));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (float& x : qkv) x = normal(random);
  for (float& x : dy) x = normal(random);
  const auto slice = [&]<class T>(T* data, Index head) {
    return AttentionView<T>{data + head * s.depth, s.keys * width, s.depth, width};
  };
  const auto rows = [&]<class T>(T* data) {
    return AttentionView<T>{data, s.queries * s.heads * s.depth, s.depth, s.heads * s.depth};
  };
  const float *in = qkv.data(), *dy_in = dy.data(), *y_in = y.data();
  const AttentionForward forward{.shape = s,
                                 .q = slice(in, 0),
                                 .k = slice(in, s.heads),
                                 .v = slice(in, s.heads + s.kv_heads),
                                 .mask = {},
                                 .y = rows(y.data()),
                                 .lse = lse.data()};
  const AttentionBackward backward{.shape = s,
                                   .q = forward.q,
                                   .k = forward.k,
                                   .v = forward.v,
                                   .mask = {},
                                   .y = rows(y_in),
                                   .dy = rows(dy_in),
                                   .lse = lse.data(),
                                   .dq = slice(dqkv.data(), 0),
                                   .dk = slice(dqkv.data(), s.heads),
                                   .dv = slice(dqkv.data(), s.heads + s.kv_heads)};
  const KernelTable& table = kernel_table();
  Sequential one;
  const Index bytes = std::max(table.attention.forward_workspace(s, 1), table.attention.backward_workspace(s, 1));
  void* workspace = std::aligned_alloc(64, static_cast<std::size_t>((bytes + 63) / 64 * 64));
  std::vector<double> peaks, forwards, backwards;
  for (int i = 0; i < 12; ++i) {  // the first of each only warms up
    const double peak = peak_gflops(table.isa);
    const double f = seconds([&] { table.attention.forward(forward, workspace, one); });
    const double b = seconds([&] { table.attention.backward(backward, workspace, one); });
    if (i == 0) continue;
    peaks.push_back(peak), forwards.push_back(f), backwards.push_back(b);
  }
  std::free(workspace);
  double pairs = 0;
  for (Index i = 0; i < s.queries; ++i)
    pairs += static_cast<double>(s.causal ? std::clamp<Index>(i + 1 + s.causal_offset, 0, s.keys) : s.keys);
  const double unit = pairs * static_cast<double>(s.batch * s.heads * s.depth) * 1e-9;
  const double peak = median(peaks), f = median(forwards), b = median(backwards);
  std::printf("%-34s %-7s peak %6.1f  forward %8.3f ms %6.1f GFLOP/s %.2f  backward %8.3f ms %6.1f GFLOP/s %.2f\n",
              item.name, table.isa, peak, f * 1e3, 4 * unit / f, 4 * unit / f / peak, b * 1e3, 10 * unit / b,
              10 * unit / b / peak);
}

}  // namespace
}  // namespace athanor

int main() {
  using athanor::Shape;
  const Shape shapes[] = {
      {"B16 H4 T128 D64 causal", {16, 4, 4, 128, 128, 64, 0.125F, true, 0}},
      {"B16 H4 T128 D64", {16, 4, 4, 128, 128, 64, 0.125F, false, 0}},
      {"B1 H4 T1024 D64 causal", {1, 4, 4, 1024, 1024, 64, 0.125F, true, 0}},
      {"B4 H8/2 T256 D80 causal", {4, 8, 2, 256, 256, 80, 0.111803F, true, 0}},
  };
  for (const Shape& shape : shapes) athanor::measure(shape);
}
