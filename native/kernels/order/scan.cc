#include "kernels/order/scan.h"

#include <algorithm>

namespace athanor::kernels {
namespace {

constexpr Index kColumns = 256;       // summed side by side
constexpr Index kElements = 1 << 15;  // in a task

template <class T>
struct SumOf;
template <>
struct SumOf<float> {
  using Type = double;
};
template <>
struct SumOf<double> {
  using Type = double;
};
template <>
struct SumOf<std::int32_t> {
  using Type = std::uint32_t;
};

template <class T>
void scan_columns(const T* x, T* y, const Scan& s, Index columns) {
  using Sum = typename SumOf<T>::Type;
  Sum sums[kColumns] = {};
  for (Index i = 0; i < s.extent; ++i) {
    const Index at = (s.reverse ? s.extent - 1 - i : i) * s.inner;
    for (Index c = 0; c < columns; ++c) {
      sums[c] += static_cast<Sum>(x[at + c]);
      y[at + c] = static_cast<T>(sums[c]);
    }
  }
}

template <class T>
void scan(const Scan& s, Parallel& parallel) {
  const Index blocks = (s.inner + kColumns - 1) / kColumns, pieces = s.outer * blocks;
  const Index piece = std::max<Index>(1, s.extent * std::min(s.inner, kColumns));
  const Index a_task = std::max<Index>(1, kElements / piece), tasks = (pieces + a_task - 1) / a_task;
  parallel.run(static_cast<int>(tasks), [&](int task, int) {
    for (Index p = task * a_task; p < std::min(pieces, (task + 1) * a_task); ++p) {
      const Index column = p % blocks * kColumns, first = p / blocks * s.extent * s.inner + column;
      scan_columns(static_cast<const T*>(s.x) + first, static_cast<T*>(s.y) + first, s,
                   std::min(kColumns, s.inner - column));
    }
  });
}

}  // namespace

void cumulative_sum(const Scan& args, Parallel& parallel) {
  if (args.dtype == DType::f32) return scan<float>(args, parallel);
  if (args.dtype == DType::f64) return scan<double>(args, parallel);
  scan<std::int32_t>(args, parallel);
}

}  // namespace athanor::kernels
