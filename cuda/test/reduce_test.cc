// Reductions on the emulated device beside long double sums: every op and type, rows, columns, both at once, long ones cut in pieces, none.
#include <cmath>
#include <limits>

#include "cuda/test/plugin.h"

using namespace athanor;
using namespace athanor::test;

namespace {

struct Shape4 {
  Index outer, reduced, inner, tail;
};
const Shape4 kShapes[] = {{1, 1, 1, 1}, {3, 37, 1, 1},    {1, 700, 5, 1},  {2, 70, 65, 1}, {1, 4, 3, 129},
                          {2, 3, 5, 7}, {1, 30000, 1, 1}, {1, 9000, 3, 1}, {4, 0, 3, 1},   {0, 5, 2, 1}};

template <class T, class Out>
std::vector<Out> reduce(ReduceOp op, DType dtype, const Shape4& s, const std::vector<T>& values) {
  const DeviceArray<T> x(values);
  const DeviceArray<Out> y(static_cast<std::size_t>(s.outer * s.inner));
  device::Reduce args;
  args.args.op = op, args.args.dtype = dtype;
  args.args.outer = s.outer, args.args.reduced = s.reduced, args.args.inner = s.inner, args.args.tail = s.tail;
  args.args.x = x.data(), args.args.y = y.data();
  launch(plugin().launch.reduce, args, "reduce");
  return y.values();
}

// Calls visit(output, x, index) for every element in order.
template <class Visit>
void walk(const Shape4& s, Visit visit) {
  for (Index o = 0; o < s.outer; ++o)
    for (Index r = 0; r < s.reduced; ++r)
      for (Index i = 0; i < s.inner; ++i)
        for (Index t = 0; t < s.tail; ++t)
          visit(static_cast<std::size_t>(o * s.inner + i),
                static_cast<std::size_t>(((o * s.reduced + r) * s.inner + i) * s.tail + t), r * s.tail + t);
}

}  // namespace

TEST(sums_of_f32_are_near_one_rounding) {
  for (const Shape4& s : kShapes) {
    const std::vector<float> x = numbers(static_cast<std::size_t>(s.outer * s.reduced * s.inner * s.tail), 5, 10);
    const std::size_t outputs = static_cast<std::size_t>(s.outer * s.inner);
    in_all_orders([&](const char* order) {
      for (const ReduceOp op : {ReduceOp::sum, ReduceOp::mean, ReduceOp::sum_abs, ReduceOp::sum_squares}) {
        std::vector<double> wanted(outputs), bound(outputs);
        walk(s, [&](std::size_t o, std::size_t at, Index) {
          const double v = static_cast<double>(x[at]);
          wanted[o] += op == ReduceOp::sum_abs ? std::fabs(v) : op == ReduceOp::sum_squares ? v * v : v;
        });
        for (double& w : wanted)
          if (op == ReduceOp::mean) w /= static_cast<double>(s.reduced * s.tail);
        agree(reduce<float, float>(op, DType::f32, s, x), wanted, 1.2e-7, 1e-9, order);
      }
    });
  }
}

TEST(extremes_and_their_places_take_nan_first) {
  for (const Shape4& s : kShapes) {
    std::vector<float> x = numbers(static_cast<std::size_t>(s.outer * s.reduced * s.inner * s.tail), 9);
    for (float& v : x) v = std::round(v * 8);  // ties
    if (x.size() > 40) x[x.size() / 3] = NAN, x[x.size() / 2] = NAN;
    const std::size_t outputs = static_cast<std::size_t>(s.outer * s.inner);
    in_all_orders([&](const char* order) {
      for (const bool largest : {true, false}) {
        std::vector<double> wanted(outputs, largest ? -INFINITY : INFINITY);
        std::vector<std::int32_t> places(outputs, -1);
        walk(s, [&](std::size_t o, std::size_t at, Index index) {
          const double v = static_cast<double>(x[at]);
          if (std::isnan(wanted[o])) return;
          if (places[o] >= 0 && !std::isnan(v) && !(largest ? v > wanted[o] : v < wanted[o])) return;
          wanted[o] = v;
          places[o] = static_cast<std::int32_t>(index);
        });
        agree(reduce<float, float>(largest ? ReduceOp::max : ReduceOp::min, DType::f32, s, x), wanted, 0, 0, order);
        const std::vector<std::int32_t> got =
            reduce<float, std::int32_t>(largest ? ReduceOp::argmax : ReduceOp::argmin, DType::f32, s, x);
        CHECK_MESSAGE(got == places, std::string("places, ") + order);
      }
    });
  }
}

TEST(whole_numbers_and_doubles) {
  const Shape4 s{2, 70, 65, 1};
  std::vector<std::int32_t> whole(static_cast<std::size_t>(s.outer * s.reduced * s.inner));
  std::vector<double> wide(whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    whole[i] = static_cast<std::int32_t>(i * 2654435761u);
    wide[i] = std::sin(static_cast<double>(i));
  }
  std::vector<std::uint32_t> sums(130, 0), products(130, 1);
  std::vector<std::int32_t> least(130, INT32_MAX);
  std::vector<double> total(130);
  walk(s, [&](std::size_t o, std::size_t at, Index) {
    sums[o] += static_cast<std::uint32_t>(whole[at]);
    products[o] *= static_cast<std::uint32_t>(whole[at]);
    least[o] = std::min(least[o], whole[at]);
    total[o] += wide[at];
  });
  const auto check = [&](ReduceOp op, const std::vector<std::uint32_t>& wanted) {
    const std::vector<std::int32_t> got = reduce<std::int32_t, std::int32_t>(op, DType::i32, s, whole);
    for (std::size_t o = 0; o < got.size(); ++o) CHECK_EQ(static_cast<std::uint32_t>(got[o]), wanted[o]);
  };
  check(ReduceOp::sum, sums);
  check(ReduceOp::prod, products);
  CHECK((reduce<std::int32_t, std::int32_t>(ReduceOp::min, DType::i32, s, whole)) == least);
  const std::vector<double> got = reduce<double, double>(ReduceOp::sum, DType::f64, s, wide);
  for (std::size_t o = 0; o < got.size(); ++o) CHECK_NEAR(got[o], total[o], 1e-12);
}
