// The short cut of epilogues: y = f(p + q + …, other) over a row, operands vectors or single values. See EwSum.
#pragma once
#include "kernels/elementwise/elementwise_f32.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

struct SumRow {
  const float* term[EwSum::kMaxTerms];
  bool scalar[EwSum::kMaxTerms];
  int terms;
  const float* other;
  bool other_scalar;
  float *sum, *result;
};

// `Partial` is empty, or the number of elements where a vector is not full. A block's loads all stand before its stores.
template <int kVectors, class F, class... Partial>
ATHANOR_INLINE void sum_block(const SumRow& row, Index i, F f, Partial... n) {
  Vec x[kVectors], other[kVectors];
  const auto load = [&](const float* p, bool scalar, int u) {
    return scalar ? Vec::broadcast(*p) : Vec::load(p + i + u * kLanes, n...);
  };
#pragma GCC unroll 4
  for (int u = 0; u < kVectors; ++u) x[u] = load(row.term[0], row.scalar[0], u);
  for (int k = 1; k < row.terms; ++k) {
#pragma GCC unroll 4
    for (int u = 0; u < kVectors; ++u) x[u] = x[u] + load(row.term[k], row.scalar[k], u);
  }
#pragma GCC unroll 4
  for (int u = 0; u < kVectors; ++u) other[u] = row.other ? load(row.other, row.other_scalar, u) : Vec::zero();
  if (row.sum) {
#pragma GCC unroll 4
    for (int u = 0; u < kVectors; ++u) x[u].store(row.sum + i + u * kLanes, n...);
  }
#pragma GCC unroll 4
  for (int u = 0; u < kVectors; ++u) f(x[u], other[u]).store(row.result + i + u * kLanes, n...);
}

template <int kVectors, class F>
ATHANOR_INLINE void sum_row(const SumRow& row, Index n, F f) {
  Index i = 0;
  for (; i + kVectors * kLanes <= n; i += kVectors * kLanes) sum_block<kVectors>(row, i, f);
  for (; i + kLanes <= n; i += kLanes) sum_block<1>(row, i, f);
  if (i < n) sum_block<1>(row, i, f, n - i);
}

// A sum alone is copied.
template <EwOp op>
ATHANOR_INLINE void apply_to_sum(const SumRow& row, Index n) {
  if constexpr (part_of(op) == EwPart::sum || op == EwOp::copy) {
    constexpr int kVectors = F32<op>::kUnroll < 2 ? 2 : F32<op>::kUnroll;
    sum_row<kVectors>(row, n, [](Vec x, [[maybe_unused]] Vec other) {
      if constexpr (inputs_of(op) == 2) return F32<op>::of(x, other);
      if constexpr (inputs_of(op) == 1) return F32<op>::of(x);
    });
  }
}

void run_sum(const EwSum& sum, void* const* pointers, std::uint32_t scalars, Index n) {
  SumRow row{};
  row.terms = sum.terms;
  for (int k = 0; k < sum.terms; ++k) {
    row.term[k] = static_cast<const float*>(pointers[sum.term[k]]);
    row.scalar[k] = scalars >> sum.term[k] & 1;
  }
  if (sum.other >= 0) {
    row.other = static_cast<const float*>(pointers[sum.other]);
    row.other_scalar = scalars >> sum.other & 1;
  }
  row.sum = sum.sum >= 0 ? static_cast<float*>(pointers[sum.sum]) : nullptr;
  row.result = static_cast<float*>(pointers[sum.result]);
  switch (sum.function) {
#define EW_OP(name, ...) \
  case EwOp::name: return apply_to_sum<EwOp::name>(row, n);
#include "kernels/elementwise/elementwise.def"
#undef EW_OP
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
