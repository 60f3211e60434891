#include "optim/matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/dispatch.h"
#include "update_rules/muon.h"

namespace athanor::optim {
namespace {

constexpr Index kLine = 64, kElements = 1 << 14;

Index lines(Index floats) { return (floats * Index(sizeof(float)) + kLine - 1) / kLine * kLine; }

// body(begin, end) over runs of elements, cut by the size alone.
template <class Body>
void over(Index n, Parallel& parallel, Body body) {
  parallel.run(int((n + kElements - 1) / kElements), [&](int task, int) {
    const Index begin = Index(task) * kElements;
    body(begin, std::min(n, begin + kElements));
  });
}

// c (m, n) of products of matrices that lie in rows.
struct Product {
  Index m, n, k;
  GemmOperand a, b;
  float* c;
};

GemmArgs args_of(const Product& p, bool accumulate) {
  GemmArgs args;
  args.M = p.m, args.N = p.n, args.K = p.k;
  args.a = p.a, args.b = p.b;
  args.c = p.c, args.ldc = p.n;
  args.accumulate = accumulate;
  return args;
}

GemmOperand rows_of(const float* x, Index columns) { return {.data = x, .row = columns, .col = 1}; }
GemmOperand transposed(const float* x, Index columns) { return {.data = x, .row = 1, .col = columns}; }

// The three products of a step, of X (rows, columns) with the smaller side k: gram, its square, the new X.
struct NewtonSchulz {
  Index rows, columns, k, n;
  float *gram, *square, *next;
  void* room;  // of a product

  NewtonSchulz(const Extents& x, void* workspace)
      : rows(x.outer), columns(x.outer > 0 ? x.count() / x.outer : 0), k(std::min(rows, columns)), n(x.count()) {
    auto* at = static_cast<std::byte*>(workspace);
    gram = reinterpret_cast<float*>(at), at += lines(k * k);
    square = reinterpret_cast<float*>(at), at += lines(k * k);
    next = reinterpret_cast<float*>(at), at += lines(n);
    room = at;
  }

  Index bytes() const { return 2 * lines(k * k) + lines(n); }
  bool wide() const { return rows <= columns; }

  // X Xᵀ where X is wide, Xᵀ X where it is tall.
  Product grams(const float* x) const {
    if (wide()) return {k, k, n / std::max<Index>(k, 1), rows_of(x, columns), transposed(x, columns), gram};
    return {k, k, n / std::max<Index>(k, 1), transposed(x, columns), rows_of(x, columns), gram};
  }
  Product squares() const { return {k, k, k, rows_of(gram, k), rows_of(gram, k), square}; }
  // The polynomial of the gram stands in `square` by then.
  Product nexts(const float* x) const {
    if (wide()) return {rows, columns, k, rows_of(square, k), rows_of(x, columns), next};
    return {rows, columns, k, rows_of(x, columns), rows_of(square, k), next};
  }
};

// X = u / max(‖u‖, eps), then the iteration of update_rules/muon.h.
void orthogonalize(const MatrixWork& work, Parallel& parallel) {
  const float* c = work.scalars;
  const NewtonSchulz at(work.extents, work.workspace);
  const GemmKernels& gemm = kernel_table().gemm;
  float *x = work.scratch, *next = at.next;
  const auto scale = float(1 / std::max(std::sqrt(work.sums[0]), double(c[Muon::least])));
  over(at.n, parallel, [=](Index i, Index end) {
    for (; i < end; ++i) x[i] *= scale;
  });
  const float a = c[Muon::ns_a], b = c[Muon::ns_b], cc = c[Muon::ns_c];
  for (int step = 0; step < int(c[Muon::steps]); ++step) {
    gemm.run(args_of(at.grams(x), false), parallel, at.room);
    gemm.run(args_of(at.squares(), false), parallel, at.room);
    over(at.k * at.k, parallel, [&](Index i, Index end) {
      for (; i < end; ++i) at.square[i] = b * at.gram[i] + cc * at.square[i];
    });
    over(at.n, parallel, [=](Index i, Index end) {
      for (; i < end; ++i) next[i] = a * x[i];
    });
    Product product = at.nexts(x);
    product.c = next;
    gemm.run(args_of(product, true), parallel, at.room);
    std::swap(x, next);
  }
  if (x != work.scratch) std::memcpy(work.scratch, x, std::size_t(at.n) * sizeof(float));
}

}  // namespace

bool has_matrix_work(RuleId rule) { return rule == RuleId::muon; }

Index matrix_workspace(RuleId, const Extents& extents, int workers) {
  const NewtonSchulz at(extents, nullptr);
  const GemmKernels& gemm = kernel_table().gemm;
  const float x = 0;
  Index room = 0;
  for (const Product& product : {at.grams(&x), at.squares(), at.nexts(&x)})
    room = std::max(
        {room, gemm.workspace(args_of(product, false), workers), gemm.workspace(args_of(product, true), workers)});
  return at.bytes() + room;
}

void work_on_matrix(RuleId, const MatrixWork& work, Parallel& parallel) { orthogonalize(work, parallel); }

}  // namespace athanor::optim
