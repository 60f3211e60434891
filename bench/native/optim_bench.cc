// The optimizer step: 24.4 M parameters in 100 tensors, and 2,000 tensors of 1,000, with 1 and 2 threads. Each line gives the
// median in ms and the GB/s of its own traffic, beside a loop that only reads 4 arrays and writes 3 in place (28 B an
// element, AdamW's traffic), measured in turn with it on the same memory.
//   node scripts/native-test.mjs --bench --only optim
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "kernels/dispatch.h"
#include "optim/optimizer.h"
#include "runtime/thread_pool.h"

namespace athanor::optim {
namespace {

#if defined(__x86_64__)
[[gnu::target("avx2")]]
#endif
void read4_write3(float* p, const float* g, float* m, float* v, Index n) {
  for (Index i = 0; i < n; ++i) {
    const float a = g[i];
    p[i] += a, m[i] += a, v[i] += a;
  }
}

double median_ms(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] * 1e3;
}

template <class F>
double seconds(F f) {
  const auto begun = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

struct Arena {
  float* array[5];
  Index n;
  explicit Arena(Index elements) : n(elements) {
    const std::size_t bytes = (n * 4 + (2 << 20) - 1) >> 21 << 21;
    for (int a = 0; a < 5; ++a) {
      void* memory = mmap(nullptr, bytes + (2 << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      array[a] = reinterpret_cast<float*>(((reinterpret_cast<std::size_t>(memory) + (2 << 20) - 1) >> 21 << 21));
      madvise(array[a], bytes, MADV_HUGEPAGE);
      for (Index i = 0; i < n; ++i) array[a][i] = a == 1 ? 1e-2f * float(i % 7 - 3) : 0;
    }
  }
  std::vector<Segment> segments(const std::vector<Index>& sizes) const {
    std::vector<Segment> list;
    Index at = 0;
    for (const Index size : sizes) {
      Segment s{array[0] + at, array[1] + at};
      for (int k = 0; k < kMaxState; ++k) s.state[k] = array[2 + k] + at;
      s.n = size;
      list.push_back(s);
      at += size;
    }
    return list;
  }
};

void measure(const char* label, const Arena& arena, const std::vector<Index>& sizes, int workers) {
  const OptimPlan plan(arena.segments(sizes));
  std::vector<double> workspace(plan.chunks());
  ThreadPool pool(workers);
  struct Case {
    const char* name;
    RuleId rule;
    bool clip;
    int bytes;  // an element
    double flags[8];
  };
  const Case cases[] = {
      {"adamw", RuleId::adamw, false, 28, {1e-3, 1e-2, 0.9, 0.999, 1e-8, 0, 0}},
      {"adamw + clip", RuleId::adamw, true, 32, {1e-3, 1e-2, 0.9, 0.999, 1e-8, 0, 0}},
      {"adamw amsgrad", RuleId::adamw, false, 36, {1e-3, 1e-2, 0.9, 0.999, 1e-8, 1, 0}},
      {"sgd", RuleId::sgd, false, 12, {1e-3, 1e-2, 0, 0, 0, 0}},
      {"sgd momentum", RuleId::sgd, false, 20, {1e-3, 1e-2, 0.9, 0, 0, 0}},
      {"rmsprop", RuleId::rmsprop, false, 20, {1e-3, 1e-2, 0.99, 1e-8, 0, 0, 0}},
      {"adagrad", RuleId::adagrad, false, 20, {1e-3, 1e-2, 0, 0, 1e-10, 0}},
  };
  for (const Case& c : cases) {
    const Group group = prepare(c.rule, {c.flags, info(c.rule).hypers.size()}, 5);
    StepOptions options;
    if (c.clip) options.max_norm = 1e9;
    const auto ceiling = [&](int chunk, int) {
      const Index begin = chunk * Index(16384), count = std::min<Index>(16384, plan.elements() - begin);
      read4_write3(arena.array[0] + begin, arena.array[1] + begin, arena.array[2] + begin, arena.array[3] + begin,
                   count);
    };
    std::vector<double> ours, ceilings;
    const int rounds = plan.elements() > 10'000'000 ? 15 : 60;
    for (int round = 0; round < rounds; ++round) {
      ours.push_back(seconds([&] { step(plan, {&group, 1}, options, workspace.data(), pool); }));
      ceilings.push_back(seconds([&] { pool.run(int((plan.elements() + 16383) / 16384), ceiling); }));
    }
    const double ms = median_ms(ours), floor = median_ms(ceilings), n = double(plan.elements());
    std::printf("%-12s %-14s %d thread%s %8.3f ms %6.1f GB/s   r4w3 %8.3f ms %6.1f GB/s   share of bandwidth %.2f\n",
                label, c.name, workers, workers == 1 ? " " : "s", ms, n * c.bytes / ms / 1e6, floor,
                n * 28 / floor / 1e6, c.bytes / 28.0 * floor / ms);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace athanor::optim

int main() {
  using athanor::Index;
  using namespace athanor::optim;
  std::vector<Index> large(40, 512 * 512), small(2000, 1000);
  large.insert(large.end(), 26, 512 * 1024);
  large.insert(large.end(), 32, 768);
  large.insert(large.end(), 2, 256 * 512);
  Index n = 0;
  for (const Index size : large) n += size;
  const Arena arena(n);
  std::printf("isa %s, %.1f M parameters\n", athanor::kernel_table().isa, double(n) / 1e6);
  for (const int workers : {1, 2}) {
    measure("24.4M/100", arena, large, workers);
    measure("2000x1k", arena, small, workers);
  }
}
