// Cells of a panel as f32 values, kFloatStep consecutive k of a vector of columns at a time, in registers:
//   nibbles   a step of a column is one word, k = i of it at bit 8 (i % 4) + 4 (i / 4)
//     s4      shift left, arithmetic shift right, convert           u4   shift, mask, - zero, convert
//     t4      looked up in 16 values: AVX-512 1 vpermps, AVX2 2 and a blend, NEON tbl
//   bytes     a step is kFloatStep rows of the panel's columns
//     s8      widen, convert                                        u8   widen, - zero, convert
#pragma once
#include "kernels/quant_wide.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

enum class Cells { s4, u4, t4, s8, u8 };
inline constexpr int kFloatStep = 8;

constexpr bool is_nibble(Cells cells) { return cells == Cells::s4 || cells == Cells::u4 || cells == Cells::t4; }
constexpr bool has_zeros(Cells cells) { return cells == Cells::u4 || cells == Cells::u8; }

inline quant::Layout float_layout(const quant::Weights& w) {
  return {kQuantColumns, w.bits() == 8 ? 1 : kFloatStep / 2, kFloatStep, true, false, true};
}

// of.operator()<cells>() for those of w.
template <class Of>
auto with_cells(const quant::Panels& w, Of of) {
  if (w.bits == 8) return w.zeros ? of.template operator()<Cells::u8>() : of.template operator()<Cells::s8>();
  if (w.lookup) return of.template operator()<Cells::t4>();
  return w.zeros ? of.template operator()<Cells::u4>() : of.template operator()<Cells::s4>();
}

// 16 values, and those that bits [at, at + 4) of every lane pick.
#if defined(ATHANOR_ISA_AVX512)
struct ValueTable {
  Vec v;
  ATHANOR_INLINE explicit ValueTable(const float* p) : v(Vec::load(p)) {}
  template <int at>
  ATHANOR_INLINE Vec pick(IVec words) const {
    return {_mm512_permutexvar_ps(shr<at>(words).v, v.v)};
  }
};
#elif defined(ATHANOR_ISA_AVX2)
struct ValueTable {
  Vec low, high;
  ATHANOR_INLINE explicit ValueTable(const float* p) : low(Vec::load(p)), high(Vec::load(p + 8)) {}
  template <int at>
  ATHANOR_INLINE Vec pick(IVec words) const {
    const IVec index = shr<at>(words);
    const Mask upper{as_float(shl<28 - at>(words)).v};  // a blend looks at the sign
    return select(upper, Vec{_mm256_permutevar8x32_ps(high.v, index.v)}, Vec{_mm256_permutevar8x32_ps(low.v, index.v)});
  }
};
#elif defined(ATHANOR_ISA_NEON)
struct ValueTable {
  uint8x16x4_t v;
  ATHANOR_INLINE explicit ValueTable(const float* p) {
    for (int i = 0; i < 4; ++i) v.val[i] = vreinterpretq_u8_f32(vld1q_f32(p + 4 * i));
  }
  template <int at>
  ATHANOR_INLINE Vec pick(IVec words) const {
    const IVec index = shr<at>(words) & IVec::broadcast(15);
    const IVec bytes = index * IVec::broadcast(0x04040404) + IVec::broadcast(0x03020100);
    return {vreinterpretq_f32_u8(vqtbl4q_u8(v, vreinterpretq_u8_s32(bytes.v)))};
  }
};
#else
struct ValueTable {
  const float* v;
  ATHANOR_INLINE explicit ValueTable(const float* p) : v(p) {}
  template <int at>
  ATHANOR_INLINE Vec pick(IVec words) const {
    const IVec index = shr<at>(words) & IVec::broadcast(15);
    return {Float4{v[index.v[0]], v[index.v[1]], v[index.v[2]], v[index.v[3]]}};
  }
};
#endif
struct NoTable {
  ATHANOR_INLINE explicit NoTable(const float*) {}
};
template <Cells cells>
using TableOf = std::conditional_t<cells == Cells::t4, ValueTable, NoTable>;

// A step of one panel's cells: words of nibbles, in registers, or where the bytes are.
template <Cells cells>
struct CellStep {
  const std::uint8_t* at;
  IVec words[2];

  ATHANOR_INLINE CellStep(const std::byte* panel, Index k) {
    constexpr Index kBytes = kQuantColumns * kFloatStep / (is_nibble(cells) ? 2 : 1);
    at = reinterpret_cast<const std::uint8_t*>(panel) + k / kFloatStep * kBytes;
    for (Index line = 0; line < kBytes; line += 64) __builtin_prefetch(at + kAhead + line);
    if constexpr (is_nibble(cells))
      for (int v = 0; v < 2; ++v) words[v] = IVec::load(reinterpret_cast<const std::int32_t*>(at) + v * kLanes);
  }

  // The values of k = i of the step, columns of vector v.
  template <int i>
  ATHANOR_INLINE Vec value(int v, const TableOf<cells>& table, const IVec zero[2]) const {
    constexpr int bit = 8 * (i % 4) + 4 * (i / 4);
    const std::uint8_t* const bytes = at + i * kQuantColumns + v * kLanes;
    if constexpr (cells == Cells::s4) return to_float(sra<28>(shl<28 - bit>(words[v])));
    if constexpr (cells == Cells::u4) return to_float((shr<bit>(words[v]) & IVec::broadcast(15)) - zero[v]);
    if constexpr (cells == Cells::t4) return table.template pick<bit>(words[v]);
    if constexpr (cells == Cells::s8) return to_float(load_s8(bytes));
    if constexpr (cells == Cells::u8) return to_float(load_u8(bytes) - zero[v]);
  }
};

template <Cells cells>
ATHANOR_INLINE void load_zeros(const quant::Panels& w, const std::byte* panel, Index g, IVec zero[2]) {
  if constexpr (has_zeros(cells)) {
    const auto* zeros = reinterpret_cast<const std::uint8_t*>(panel + w.zero_at) + g * kQuantColumns;
    for (int v = 0; v < 2; ++v) zero[v] = load_u8(zeros + v * kLanes);
  }
}

// of.operator()<i>() for the k of a step.
template <class Of>
ATHANOR_INLINE void each_of_step(Of of) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (of.template operator()<I>(), ...);
  }(std::make_integer_sequence<int, kFloatStep>{});
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
