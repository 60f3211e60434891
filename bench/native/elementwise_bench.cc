// Memory-bound kernels beside the copy and read bandwidth of the same run, at a size in L2 and one beyond the caches.
// GB/s counts every byte that must move: inputs read once, outputs written once. Median of the repeats, one thread.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "kernels/dispatch.h"

using namespace athanor;

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class F>
double median_seconds(F body) {
  body();
  std::vector<double> times;
  const double begun = seconds_now();
  while (times.size() < 9 || (seconds_now() - begun < 0.15 && times.size() < 2000)) {
    const double start = seconds_now();
    body();
    times.push_back(seconds_now() - start);
  }
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

void row(const char* name, double bytes, double seconds, double ceiling) {
  const double rate = bytes / seconds * 1e-9;
  std::printf("  %-34s %9.1f us %8.1f GB/s  %5.2f of copy\n", name, seconds * 1e6, rate, rate / ceiling);
}

EwInstruction load(std::uint8_t dst, std::uint32_t operand) { return {.op = EwOp::load, .dst = dst, .index = operand}; }
EwInstruction store(std::uint8_t source, std::uint32_t operand) {
  return {.op = EwOp::store, .a = source, .index = operand};
}

struct Bench {
  const KernelTable& table;
  Index n;
  std::vector<float> a, b, c, y;
  double copy_rate = 0;

  Bench(const KernelTable& kernels, Index size)
      : table(kernels), n(size), a(size, 0.5f), b(size, 0.25f), c(size, 1.5f), y(size) {}

  void program(const char* name, const std::vector<EwInstruction>& code, int inputs) {
    const std::vector<DType> types(4, DType::f32);
    const EwProgram chain{DType::f32, static_cast<int>(code.size()), code.data(), 4, types.data()};
    void* pointers[] = {a.data(), b.data(), c.data(), y.data()};
    const double t = median_seconds([&] { table.elementwise.run_row(chain, pointers, 0, n, 0, {}); });
    row(name, 4.0 * static_cast<double>(n * (inputs + 1)), t, copy_rate);
  }

  void programs() {
    program("relu", {load(0, 0), {.op = EwOp::relu, .dst = 1, .a = 0}, store(1, 3)}, 1);
    program("a + b", {load(0, 0), load(1, 1), {.op = EwOp::add, .dst = 2, .a = 0, .b = 1}, store(2, 3)}, 2);
    program("relu(a + b), fused pair",
            {load(0, 0), load(1, 1), {.op = EwOp::add_relu, .dst = 2, .a = 0, .b = 1}, store(2, 3)}, 2);
    program("relu(a * b + c), two instructions",
            {load(0, 0),
             load(1, 1),
             load(2, 2),
             {.op = EwOp::fma, .dst = 3, .a = 0, .b = 1, .c = 2},
             {.op = EwOp::relu, .dst = 4, .a = 3},
             store(4, 3)},
            3);
    program("(a + b) * c - a, three",
            {load(0, 0),
             load(1, 1),
             load(2, 2),
             {.op = EwOp::add, .dst = 3, .a = 0, .b = 1},
             {.op = EwOp::mul, .dst = 3, .a = 3, .b = 2},
             {.op = EwOp::sub, .dst = 3, .a = 3, .b = 0},
             store(3, 3)},
            3);
    for (EwOp op : {EwOp::exp, EwOp::log, EwOp::tanh, EwOp::sigmoid, EwOp::gelu, EwOp::gelu_tanh, EwOp::sin})
      program(name_of(op), {load(0, 0), {.op = op, .dst = 1, .a = 0}, store(1, 3)}, 1);
    program("pow", {load(0, 0), load(1, 1), {.op = EwOp::pow, .dst = 2, .a = 0, .b = 1}, store(2, 3)}, 2);
    program("random_uniform", {{.op = EwOp::random_uniform, .dst = 1}, store(1, 3)}, 0);
  }

  void reductions() {
    Sequential one;
    std::vector<double> workspace(1 << 20);
    const auto reduce = [&](const char* name, ReduceOp op, Index reduced, Index inner) {
      const ReduceArgs args{op, DType::f32, 1, reduced, inner, 1, a.data(), y.data()};
      row(name, 4.0 * static_cast<double>(n), median_seconds([&] { table.reduce.run(args, one, workspace.data()); }),
          copy_rate);
    };
    reduce("sum of all", ReduceOp::sum, n, 1);
    reduce("max of all", ReduceOp::max, n, 1);
    reduce("sum over rows of [n / 512, 512]", ReduceOp::sum, n / 512, 512);
    const SoftmaxArgs softmax{false, n / 128, 128, a.data(), y.data()};
    row("softmax, rows of 128", 8.0 * static_cast<double>(n),
        median_seconds([&] { table.softmax.forward(softmax, one); }), copy_rate);
    const NormArgs norm{NormKind::layer, n / 256, 256, 1e-5f, a.data(), b.data(), c.data(), y.data(), nullptr, nullptr};
    row("layer norm, rows of 256", 8.0 * static_cast<double>(n), median_seconds([&] { table.norm.forward(norm, one); }),
        copy_rate);
  }

  void run() {
    const double t = median_seconds([&] { std::memcpy(y.data(), a.data(), static_cast<std::size_t>(n) * 4); });
    copy_rate = 8.0 * static_cast<double>(n) / t * 1e-9;
    std::printf("%s, %lld elements an operand; copy (memcpy) %.1f GB/s\n", table.isa, static_cast<long long>(n),
                copy_rate);
    programs();
    reductions();
  }
};

}  // namespace

int main() {
  const KernelTable& table = kernel_table();
  for (Index n : {Index{1} << 14, Index{1} << 23}) Bench(table, n).run();
}
