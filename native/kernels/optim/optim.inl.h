// The optimizer step and the gradient's sum of squares for one instruction set: optim.h says what, update_rules/<id>.h how.
// One loop serves all rules; a rule's maths sees registers only. Both bodies are bound by memory (28 B an element for Adam), so
// there is no unrolling for speed: the constants and one element's streams fill the sixteen registers of AVX2 as it is.
#pragma once
#include <cstring>
#include <utility>

#include "kernels/optim/coded.inl.h"
#include "kernels/optim/optim.h"
#include "kernels/optim/passes.inl.h"
#include "simd/vec.h"
#include "update_rules/all.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// One register of elements from position i on; whether their updates are finite. Partial... is empty, or the number of elements
// where fewer are left: the lanes behind them have no gradient and no state, and 0 / 0 there means nothing.
template <class Codec, unsigned kSlots, class Update, class... Partial>
ATHANOR_INLINE bool optim_elements(const OptimRun& a, const Update& update, Index i, Partial... n) {
  constexpr auto kAll = std::make_integer_sequence<int, optim::kMaxState>();
  Vec g = Vec::load(a.grad + i, n...) * Vec::broadcast(a.multiplier);
  g = max(Vec::broadcast(-a.clip_value), min(Vec::broadcast(a.clip_value), g));  // in this order NaN stays NaN
  Vec s[optim::kMaxState];
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((s[k] = (kSlots >> k & 1) ? Codec::load(a.state[k], i, n...) : Vec::zero()), ...);
  }(kAll);
  Vec p = update(Vec::load(a.param + i, n...), g, s);
  if (a.mask) {
    const Mask kept = load_as(a.mask + i, n...) != Vec::zero();
    p = select(kept, p, Vec::zero());
    for (Vec& x : s) x = select(kept, x, Vec::zero());
  }
  Vec zeros = p * Vec::zero();  // NaN where one of the new values is not finite
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((kSlots >> k & 1 ? void(zeros = fma(s[k], Vec::zero(), zeros)) : void()), ...);
  }(kAll);
  Mask finite = zeros == Vec::zero();
  if constexpr (sizeof...(n) > 0) finite = finite | ~Mask::first(n...);
  const bool good = all(finite);
  if (!good) [[unlikely]] {
    p = select(finite, p, Vec::load(a.param + i, n...));
    [&]<int... k>(std::integer_sequence<int, k...>) {
      ((kSlots >> k & 1 ? void(s[k] = select(finite, s[k], Codec::load(a.state[k], i, n...))) : void()), ...);
    }(kAll);
  }
  p.store(a.param + i, n...);
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((kSlots >> k & 1 ? Codec::store(a.state[k], i, s[k], n...) : void()), ...);
  }(kAll);
  return good;
}

// Lines are asked for this far ahead: the hardware stops at the end of a page, and four to six streams end there together.
inline constexpr Index kOptimAhead = 256;  // elements
inline constexpr Index kOptimLine = 16;    // elements of a cache line

template <unsigned kSlots>
ATHANOR_INLINE void optim_prefetch(const OptimRun& a, Index i) {
  __builtin_prefetch(a.grad + i);
  __builtin_prefetch(a.param + i, 1);
  [&]<int... k>(std::integer_sequence<int, k...>) {
    ((kSlots >> k & 1 ? __builtin_prefetch(static_cast<float*>(a.state[k]) + i, 1) : void()), ...);
  }(std::make_integer_sequence<int, optim::kMaxState>());
}

template <class Rule, int kVariant, class Codec>
bool optim_update(const OptimRun& run) {
  const OptimRun a = run;  // a local copy, which the stores below cannot alias
  const typename Rule::template Update<Vec, kVariant> update(a.scalars);
  constexpr unsigned kSlots = Rule::state_mask(kVariant);
  bool good = true;
  Index i = 0;
  for (; i + kOptimLine <= a.n; i += kOptimLine) {
    optim_prefetch<kSlots>(a, i + kOptimAhead);
    for (Index j = i; j < i + kOptimLine; j += kLanes) good &= optim_elements<Codec, kSlots>(a, update, j);
  }
  for (; i + kLanes <= a.n; i += kLanes) good &= optim_elements<Codec, kSlots>(a, update, i);
  if (i < a.n) good &= optim_elements<Codec, kSlots>(a, update, i, a.n - i);
  return good;
}

using OptimSums [[gnu::vector_size(32)]] = double;
using OptimTerms [[gnu::vector_size(16)]] = float;
using OptimBits [[gnu::vector_size(16)]] = std::int32_t;
using OptimBytes [[gnu::vector_size(4)]] = std::uint8_t;

ATHANOR_INLINE void widen(OptimTerms x, OptimSums& wide) {
#if defined(__AVX__)
  wide = _mm256_cvtps_pd(x);  // of the portable form GCC 12 makes two conversions through memory
#else
  wide = __builtin_convertvector(x, OptimSums);
#endif
}

// Four squares added to four sums in double; what the mask hides counts as 0, NaN included.
ATHANOR_INLINE void add_squares(const float* x, const std::uint8_t* mask, Index i, OptimSums& sums) {
  OptimTerms terms;
  std::memcpy(&terms, x + i, sizeof terms);
  if (mask) {
    OptimBytes bytes;
    std::memcpy(&bytes, mask + i, sizeof bytes);
    terms = (OptimTerms)((OptimBits)terms & __builtin_convertvector(bytes != 0, OptimBits));
  }
  OptimSums wide;
  widen(terms, wide);
  sums += wide * wide;  // the square of a float is exact in double: fused or not, the same sum
}

// The elements go through four sums of four lanes in order, a quarter of the run each: four streams of reads, because the hardware
// follows a single one at two thirds of the memory's speed.
double optim_sum_squares(const float* x, const std::uint8_t* mask, Index n) {
  constexpr int kStreams = 4, kWidth = 4;
  constexpr Index kAhead = 4 * kOptimLine;
  OptimSums sums[kStreams] = {};
  const Index part = n / (kStreams * kOptimLine) * kOptimLine;
  for (Index i = 0; i < part; i += kOptimLine) {
    ATHANOR_UNROLL
    for (int s = 0; s < kStreams; ++s) {
      __builtin_prefetch(x + s * part + i + kAhead);
      ATHANOR_UNROLL
      for (int j = 0; j < kOptimLine; j += kWidth) add_squares(x, mask, s * part + i + j, sums[s]);
    }
  }
  Index i = kStreams * part;
  for (; i + kWidth <= n; i += kWidth) add_squares(x, mask, i, sums[0]);
  sums[0] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  double total = (sums[0][0] + sums[0][1]) + (sums[0][2] + sums[0][3]);
  for (; i < n; ++i)
    if (!mask || mask[i]) total += double(x[i]) * double(x[i]);
  return total;
}

struct OptimTable {
  OptimUpdate update[optim::kRuleCount][optim::kMaxVariants];
  OptimPassUpdate pass[optim::kRuleCount][optim::kMaxVariants][optim::kMaxPasses];
};

template <class Rule, class Codec>
constexpr void optim_fill(OptimTable& table, optim::RuleId rule) {
  static_assert(Rule::kVariants <= optim::kMaxVariants);
  [&]<int... variant>(std::integer_sequence<int, variant...>) {
    if constexpr (optim::kHasPasses<Rule>) {
      (optim_fill_passes<Rule, variant, Codec>(table.pass[int(rule)][variant]), ...);
    } else {
      ((table.update[int(rule)][variant] = &optim_update<Rule, variant, Codec>), ...);
    }
  }(std::make_integer_sequence<int, Rule::kVariants>());
}

constexpr OptimTable optim_filled() {
  OptimTable table = {};
#define HYPER(name, value, interval)
#define FLAG(name, value)
#define STATE(name, init)
#define RULE_BEGIN(id, Type) optim_fill<optim::Type, F32State>(table, optim::RuleId::id);
#define RULE_END(id, Type)
#include "update_rules/rules.def"
#undef HYPER
#undef FLAG
#undef STATE
#undef RULE_BEGIN
#undef RULE_END
  return table;
}

constexpr OptimTable kOptimTable = optim_filled();

OptimUpdate optim_update_of(int rule, int variant) { return kOptimTable.update[rule][variant]; }
OptimPassUpdate optim_pass_of(int rule, int variant, int pass) { return kOptimTable.pass[rule][variant][pass]; }

OptimKernels optim_kernels() {
  return {&optim_update_of, &optim_pass_of, &optim_update_coded, &optim_decode, &optim_encode, &optim_sum_squares};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
