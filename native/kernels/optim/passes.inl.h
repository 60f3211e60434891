// One pass of a rule of several, on a piece of one tensor: optim.h says what, update_rules/<id>.h how. A piece is one run of
// elements, or in factored passes whole rows, each with its own factor. Sums go through f32 lanes for kFold elements and then into
// f64, so that their rounding does not grow with the tensor.
#pragma once
#include <utility>

#include "kernels/optim/codec.inl.h"
#include "kernels/optim/optim.h"
#include "simd/vec.h"
#include "update_rules/all.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr Index kPassFold = 256;   // elements
inline constexpr Index kPassAhead = 256;  // elements; see optim.inl.h

using PassElements = optim::Elements<Vec>;
using PassSlots = std::make_integer_sequence<int, optim::kMaxState>;

// What one row brings along, and what it gathers.
struct PassRow {
  const float* column;  // factors of the columns
  float* column_squares;
  Vec squares;  // of the gradient, along the row
};

template <class Codec, optim::Traffic kTraffic, class... Partial>
ATHANOR_INLINE void pass_load(const OptimPass& a, PassElements& e, Index i, Partial... n) {
  if constexpr (kTraffic.grad) {
    const Vec g = Vec::load(a.grad + i, n...) * Vec::broadcast(a.multiplier);
    e.g = max(Vec::broadcast(-a.clip_value), min(Vec::broadcast(a.clip_value), g));  // in this order NaN stays NaN
  }
  if constexpr (kTraffic.param || kTraffic.update) e.p = Vec::load(a.param + i, n...);
  if constexpr (kTraffic.takes) e.t = Vec::load(a.scratch + i, n...);
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((e.s[k] = (kTraffic.reads >> k & 1) ? Codec::load(a.state[k], i, n...) : Vec::zero()), ...);
  }(PassSlots());
}

// Writes what the pass made, but for elements that would not be finite; whether there were none. old: as loaded.
template <class Codec, optim::Traffic kTraffic, class... Partial>
ATHANOR_INLINE bool pass_store(const OptimPass& a, PassElements& e, const PassElements& old, Index i, Partial... n) {
  Vec zeros = Vec::zero();  // NaN where one of the new values is not finite
  if constexpr (kTraffic.update) zeros = e.p * Vec::zero();
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((kTraffic.writes >> k & 1 ? void(zeros = fma(e.s[k], Vec::zero(), zeros)) : void()), ...);
  }(PassSlots());
  Mask finite = zeros == Vec::zero();
  if constexpr (sizeof...(n) > 0) finite = finite | ~Mask::first(n...);
  const bool good = all(finite);
  if (!good) [[unlikely]] {
    e.p = select(finite, e.p, old.p);
    for (int k = 0; k < optim::kMaxState; ++k) e.s[k] = select(finite, e.s[k], old.s[k]);
  }
  if constexpr (kTraffic.update) e.p.store(a.param + i, n...);
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((kTraffic.writes >> k & 1 ? Codec::store(a.state[k], i, e.s[k], n...) : void()), ...);
  }(PassSlots());
  if constexpr (kTraffic.leaves) e.t.store(a.scratch + i, n...);
  return good;
}

// What the mask hides counts as 0 everywhere: it has no gradient, stays 0 and adds to no sum. So do the lanes behind a partial register.
template <optim::Traffic kTraffic, class Pass, class... Partial>
ATHANOR_INLINE void pass_apply(const OptimPass& a, const Pass& pass, PassElements& e, Index i, Partial... n) {
  if (a.mask == nullptr && sizeof...(n) == 0) {
    pass(e);
    return;
  }
  Mask kept = Mask::first(kLanes);
  if constexpr (sizeof...(n) > 0) kept = Mask::first(n...);
  if (a.mask) kept = kept & (load_as(a.mask + i, n...) != Vec::zero());
  Vec before[optim::kMaxSums];
  for (int k = 0; k < optim::kMaxSums; ++k) before[k] = e.sums[k];
  if constexpr (kTraffic.grad) e.g = select(kept, e.g, Vec::zero());
  pass(e);
  if constexpr (kTraffic.update) e.p = select(kept, e.p, Vec::zero());
  if constexpr (kTraffic.leaves) e.t = select(kept, e.t, Vec::zero());
  for (Vec& x : e.s) x = select(kept, x, Vec::zero());
  for (int k = 0; k < optim::kMaxSums; ++k) e.sums[k] = select(kept, e.sums[k], before[k]);
}

// One register: element i of the piece, element j of its row.
template <class Codec, optim::Traffic kTraffic, class Pass, class... Partial>
ATHANOR_INLINE bool pass_elements(const OptimPass& a, const Pass& pass, PassElements& e, PassRow& row, Index i, Index j,
                                  Partial... n) {
  pass_load<Codec, kTraffic>(a, e, i, n...);
  if constexpr (kTraffic.factored) e.column = Vec::load(row.column + j, n...);
  const PassElements old = e;
  pass_apply<kTraffic>(a, pass, e, i, n...);
  if constexpr (kTraffic.squares) {
    row.squares = fma(e.g, e.g, row.squares);
    fma(e.g, e.g, Vec::load(row.column_squares + j, n...)).store(row.column_squares + j, n...);
  }
  if constexpr (!kTraffic.update && kTraffic.writes == 0 && !kTraffic.leaves)
    return true;
  else
    return pass_store<Codec, kTraffic>(a, e, old, i, n...);
}

template <optim::Traffic kTraffic>
ATHANOR_INLINE void pass_prefetch(const OptimPass& a, Index i) {
  if constexpr (kTraffic.grad) __builtin_prefetch(a.grad + i);
  if constexpr (kTraffic.update)
    __builtin_prefetch(a.param + i, 1);
  else if constexpr (kTraffic.param)
    __builtin_prefetch(a.param + i);
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((kTraffic.reads >> k & 1 ? __builtin_prefetch(static_cast<float*>(a.state[k]) + i, 1) : void()), ...);
  }(PassSlots());
}

// The row of `width` elements from element `begin` of the piece on.
template <class Codec, optim::Traffic kTraffic, class Pass>
ATHANOR_INLINE bool pass_row(const OptimPass& a, const Pass& pass, PassElements& e, PassRow& row, Index begin,
                             Index width, double (&sums)[optim::kMaxSums], double& squares) {
  bool good = true;
  for (Index j = 0; j < width;) {
    const Index stop = width - j < kPassFold ? width : j + kPassFold;
    for (Vec& sum : e.sums) sum = Vec::zero();
    row.squares = Vec::zero();
    for (; j + kLanes <= stop; j += kLanes) {
      if (j % 16 == 0) pass_prefetch<kTraffic>(a, begin + j + kPassAhead);
      good &= pass_elements<Codec, kTraffic>(a, pass, e, row, begin + j, j);
    }
    if (j < stop) good &= pass_elements<Codec, kTraffic>(a, pass, e, row, begin + j, j, stop - j);
    j = stop;
    for (int k = 0; k < kTraffic.sums; ++k) sums[k] += double(reduce_add(e.sums[k]));
    if constexpr (kTraffic.squares) squares += double(reduce_add(row.squares));
  }
  return good;
}

template <class Rule, int kVariant, int kPass, class Codec>
bool optim_pass(const OptimPass& given) {
  const OptimPass a = given;  // a local copy, which the stores below cannot alias
  constexpr optim::Traffic kTraffic = Rule::traffic(kVariant, kPass);
  constexpr bool kRows = kTraffic.factored || kTraffic.squares;
  const typename Rule::template Pass<Vec, kVariant, kPass> pass(a.scalars);
  PassElements e;
  e.p = e.g = e.t = e.row = e.column = Vec::zero();
  for (Vec& x : e.s) x = Vec::zero();
  double sums[optim::kMaxSums] = {};
  bool good = true;
  if constexpr (!kRows) {
    PassRow row{};
    double squares = 0;
    good = pass_row<Codec, kTraffic>(a, pass, e, row, 0, a.n, sums, squares);
  } else {
    const Index first_matrix = a.first_row / a.rows;
    for (Index begin = 0, r = a.first_row; begin < a.n; begin += a.width, ++r) {
      const Index matrix = r / a.rows;
      PassRow row{};
      if constexpr (kTraffic.factored) e.row = Vec::broadcast(a.row[r]), row.column = a.column + matrix * a.width;
      if constexpr (kTraffic.squares) row.column_squares = a.column_squares + (matrix - first_matrix) * a.width;
      double squares = 0;
      good &= pass_row<Codec, kTraffic>(a, pass, e, row, begin, a.width, sums, squares);
      if constexpr (kTraffic.squares) a.row_squares[r] = squares;
    }
  }
  for (int k = 0; k < kTraffic.sums; ++k) a.sums[k] = sums[k];
  return good;
}

template <class Rule, int kVariant, class Codec>
constexpr void optim_fill_passes(OptimPassUpdate (&row)[optim::kMaxPasses]) {
  [&]<int... pass>(std::integer_sequence<int, pass...>) {
    (
        [&] {
          if constexpr (Rule::traffic(kVariant, pass).any()) row[pass] = &optim_pass<Rule, kVariant, pass, Codec>;
        }(),
        ...);
  }(std::make_integer_sequence<int, optim::kMaxPasses>());
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
