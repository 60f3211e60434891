#include "kernels/order/order.h"

#include <algorithm>

namespace athanor::kernels {
namespace {

constexpr Index kElements = 1 << 12;  // of short lines in a task
constexpr Index kCell = 16;           // bytes: an f64 and its place

template <class T>
struct Cell {
  T value;
  std::int32_t place;
};

// A total order, so that the result does not depend on the algorithm.
template <class T, bool descending>
bool before(const Cell<T>& a, const Cell<T>& b) {
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan != b_nan) return descending ? a_nan : b_nan;
  if (!a_nan && a.value != b.value) return descending ? a.value > b.value : a.value < b.value;
  return a.place < b.place;
}

template <class T, bool descending>
void order_line(const Order& o, Index line, Cell<T>* cells) {
  const Index outer = line / o.inner, inner = line % o.inner;
  const T* x = static_cast<const T*>(o.x) + outer * o.extent * o.inner + inner;
  for (Index i = 0; i < o.extent; ++i) cells[i] = {x[i * o.inner], static_cast<std::int32_t>(i)};
  if (o.taken == o.extent) {
    std::sort(cells, cells + o.extent, before<T, descending>);
  } else {
    std::partial_sort(cells, cells + o.taken, cells + o.extent, before<T, descending>);
  }
  const Index first = outer * o.taken * o.inner + inner;
  for (Index i = 0; i < o.taken; ++i) {
    static_cast<T*>(o.values)[first + i * o.inner] = cells[i].value;
    o.places[first + i * o.inner] = cells[i].place;
  }
}

template <class T>
void order_typed(const Order& o, void* workspace, Parallel& parallel) {
  static_assert(sizeof(Cell<T>) <= kCell);
  const Index lines = o.outer * o.inner, a_task = std::max<Index>(1, kElements / std::max<Index>(1, o.extent));
  const Index tasks = (lines + a_task - 1) / a_task;
  parallel.run(static_cast<int>(tasks), [&](int task, int worker) {
    auto* cells = reinterpret_cast<Cell<T>*>(static_cast<char*>(workspace) + worker * o.extent * kCell);
    for (Index line = task * a_task; line < std::min(lines, (task + 1) * a_task); ++line)
      (o.descending ? order_line<T, true> : order_line<T, false>)(o, line, cells);
  });
}

}  // namespace

Index order_workspace(const Order& args, int workers) { return workers * args.extent * kCell; }

void order(const Order& args, void* workspace, Parallel& parallel) {
  if (args.dtype == DType::f32) return order_typed<float>(args, workspace, parallel);
  if (args.dtype == DType::f64) return order_typed<double>(args, workspace, parallel);
  order_typed<std::int32_t>(args, workspace, parallel);
}

}  // namespace athanor::kernels
