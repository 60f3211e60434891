// Reductions against float64 loops over the four-level shape, under every instruction set and number of workers.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "test/isas.h"
#include "test/test.h"
#include "test/threads.h"

using namespace athanor;
using namespace athanor::test;

namespace {

struct Shape {
  Index outer, reduced, inner, tail;
};

const std::vector<Shape> kShapes = {
    {1, 1, 1, 1},     {3, 10, 1, 1},   {128, 10, 1, 1}, {1, 100003, 1, 1}, {2, 40000, 1, 1}, {5, 17, 1, 9},
    {1, 128, 512, 1}, {1, 128, 10, 1}, {1, 2000, 3, 1}, {1, 5000, 700, 1}, {4, 33, 65, 1},   {1, 64, 32, 676},
    {1, 9, 5, 40000}, {3, 2, 4, 7},    {2, 0, 3, 1},    {0, 5, 3, 1},      {2, 3, 0, 4},     {1, 0, 1, 1},
};

template <class T>
std::vector<T> numbers(Index n, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& value : x)
    value = static_cast<T>(static_cast<double>(engine() % 20001) / (std::is_floating_point_v<T> ? 1e4 : 1) - 1);
  return x;
}

struct Answer {
  double value = 0, magnitude = 0;  // magnitude: the sum of absolute terms, which bounds the error
  Index index = -1;
};

template <class T>
Answer expected(ReduceOp op, const T* x, const Shape& s, Index o, Index i) {
  Answer answer;
  const double inf = std::numeric_limits<double>::infinity();
  const bool least = op == ReduceOp::min || op == ReduceOp::argmin;
  if (op == ReduceOp::prod) answer.value = 1;
  if (op > ReduceOp::prod) answer.value = least ? inf : -inf;
  for (Index r = 0; r < s.reduced; ++r)
    for (Index t = 0; t < s.tail; ++t) {
      const double v = static_cast<double>(x[((o * s.reduced + r) * s.inner + i) * s.tail + t]);
      const double term = op == ReduceOp::sum_squares ? v * v : op == ReduceOp::sum_abs ? std::fabs(v) : v;
      if (op <= ReduceOp::sum_squares) answer.value += term, answer.magnitude += std::fabs(term);
      if (op == ReduceOp::prod) answer.value *= v;
      const bool better = std::isnan(v) ? !std::isnan(answer.value) : least ? v < answer.value : v > answer.value;
      if (op > ReduceOp::prod && (better || answer.index < 0)) answer.value = v, answer.index = r * s.tail + t;
    }
  if (op == ReduceOp::mean) {
    const double count = static_cast<double>(s.reduced * s.tail);
    answer.value /= count;
    answer.magnitude /= count;
  }
  return answer;
}

template <class T>
struct Result {
  std::vector<T> y;
  std::vector<std::int32_t> index;
};

template <class T>
Result<T> run(const KernelTable& table, ReduceOp op, DType dtype, const std::vector<T>& x, const Shape& s,
              int workers) {
  const std::size_t n = static_cast<std::size_t>(s.outer * s.inner);
  Result<T> result{std::vector<T>(n + 1, T(77)), std::vector<std::int32_t>(n + 1, 77)};
  const bool arg = op >= ReduceOp::argmax;
  ReduceArgs args{op, dtype, s.outer, s.reduced, s.inner, s.tail, x.data(), nullptr};
  args.y = arg ? static_cast<void*>(result.index.data()) : static_cast<void*>(result.y.data());
  const Index bytes = table.reduce.workspace(args);
  std::vector<double> workspace(static_cast<std::size_t>(bytes) / 8 + 1, -99.0);
  Threads threads(workers);
  table.reduce.run(args, threads, workspace.data());
  CHECK(result.y.back() == T(77) && result.index.back() == 77 && workspace.back() == -99.0);
  return result;
}

template <class T>
void check_all(DType dtype, std::initializer_list<ReduceOp> ops, double epsilon) {
  for_each_isa([&](const KernelTable& table) {
    for (const Shape& s : kShapes) {
      const std::vector<T> x = numbers<T>(s.outer * s.reduced * s.inner * s.tail, 5);
      for (ReduceOp op : ops) {
        if (op == ReduceOp::prod && s.reduced * s.tail > 20) continue;  // overflows
        const Result<T> one = run(table, op, dtype, x, s, 1);
        for (int workers : {2, 7}) {
          const Result<T> many = run(table, op, dtype, x, s, workers);
          CHECK(std::memcmp(one.y.data(), many.y.data(), one.y.size() * sizeof(T)) == 0 && one.index == many.index);
        }
        for (Index at = 0; at < s.outer * s.inner; ++at) {
          const Answer want = expected(op, x.data(), s, at / s.inner, at % s.inner);
          if (op >= ReduceOp::argmax) {
            CHECK_EQ(static_cast<Index>(one.index[at]), want.index);
          } else if (op == ReduceOp::mean && s.reduced * s.tail == 0) {
            CHECK(std::isnan(static_cast<double>(one.y[at])));
          } else if (op >= ReduceOp::max && s.reduced * s.tail == 0) {
            const T limit = op == ReduceOp::max ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
            if (std::is_floating_point_v<T>)
              CHECK(std::isinf(static_cast<double>(one.y[at])) && (one.y[at] < 0) == (limit < 0));
            else
              CHECK_EQ(one.y[at], limit);
          } else {
            if (std::is_same_v<T, std::int32_t>) {  // sums wrap
              CHECK_EQ(static_cast<std::int32_t>(one.y[at]),
                       static_cast<std::int32_t>(static_cast<std::int64_t>(want.value)));
              continue;
            }
            const double bound = op == ReduceOp::prod ? epsilon * 8 * std::fabs(want.value)
                                                      : epsilon * (4 * want.magnitude + std::fabs(want.value));
            CHECK_NEAR(one.y[at], want.value, bound);
          }
        }
      }
    }
  });
}

}  // namespace

TEST(reduce_f32) {
  check_all<float>(DType::f32,
                   {ReduceOp::sum, ReduceOp::mean, ReduceOp::sum_abs, ReduceOp::sum_squares, ReduceOp::prod,
                    ReduceOp::max, ReduceOp::min, ReduceOp::argmax, ReduceOp::argmin},
                   0x1p-24);
}
TEST(reduce_f64) {
  check_all<double>(DType::f64,
                    {ReduceOp::sum, ReduceOp::mean, ReduceOp::sum_squares, ReduceOp::prod, ReduceOp::max, ReduceOp::min,
                     ReduceOp::argmax},
                    0x1p-44);
}
TEST(reduce_i32) {
  check_all<std::int32_t>(
      DType::i32, {ReduceOp::sum, ReduceOp::sum_abs, ReduceOp::max, ReduceOp::min, ReduceOp::argmax, ReduceOp::argmin},
      0);
}

TEST(reduce_nan_wins_and_comes_first) {
  for_each_isa([&](const KernelTable& table) {
    for (const Shape& s : {Shape{1, 100, 1, 1}, Shape{1, 100, 33, 1}, Shape{1, 10, 3, 10}, Shape{1, 90000, 1, 1}}) {
      std::vector<float> x = numbers<float>(s.outer * s.reduced * s.inner * s.tail, 8);
      const Index at = s.inner == 1 ? 71 : s.tail == 1 ? 71 * s.inner + 2 : (7 * s.inner + 2) * s.tail + 1;
      x[static_cast<std::size_t>(at)] = NAN;
      x.back() = s.inner == 3 ? x.back() : NAN;
      const std::size_t out = s.inner == 1 ? 0 : 2;
      CHECK(std::isnan(run(table, ReduceOp::max, DType::f32, x, s, 2).y[out]));
      CHECK(std::isnan(run(table, ReduceOp::min, DType::f32, x, s, 2).y[out]));
      CHECK(std::isnan(run(table, ReduceOp::sum, DType::f32, x, s, 2).y[out]));
      CHECK_EQ(0 + run(table, ReduceOp::argmax, DType::f32, x, s, 2).index[out], 71);
      CHECK_EQ(0 + run(table, ReduceOp::argmin, DType::f32, x, s, 2).index[out], 71);
    }
  });
}

TEST(reduce_takes_the_first_of_equals) {
  for_each_isa([&](const KernelTable& table) {
    const std::vector<float> x(70000, 2.5f);
    CHECK_EQ(0 + run(table, ReduceOp::argmax, DType::f32, x, {1, 70000, 1, 1}, 2).index[0], 0);
    CHECK_EQ(0 + run(table, ReduceOp::argmin, DType::f32, x, {1, 35000, 2, 1}, 2).index[1], 0);
  });
}

// The bound of reduce.h; every addition of equal numbers rounds the same way, the worst there is.
TEST(reduce_long_sums_keep_their_digits) {
  for_each_isa([&](const KernelTable& table) {
    const std::vector<float> x(4'000'000, 0.1f);
    const double exact = 4e6 * static_cast<double>(0.1f);
    CHECK_NEAR(run(table, ReduceOp::sum, DType::f32, x, {1, 4'000'000, 1, 1}, 2).y[0], exact, exact * 41 * 0x1p-24);
    CHECK_NEAR(run(table, ReduceOp::sum, DType::f32, x, {1, 1'000'000, 4, 1}, 2).y[3], exact / 4,
               exact / 4 * 41 * 0x1p-24);
  });
}
