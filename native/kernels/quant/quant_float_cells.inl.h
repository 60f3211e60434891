// Cells of a panel as f32 values, kFloatStep consecutive k of a vector of columns at a time, in registers:
//   nibbles   a step of a column is one word, k = i of it at bit 8 (i % 4) + 4 (i / 4)
//     s4      shift left, arithmetic shift right, convert           u4   shift, mask, - zero, convert
//     t4      looked up in 16 values: AVX-512 1 vpermps, AVX2 4 byte shuffles for 4 vectors, NEON tbl
//   bytes     a step is kFloatStep rows of the panel's columns
//     s8      widen, convert                                        u8   widen, - zero, convert
#pragma once
#include "kernels/quant/quant_tiling.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

enum class Cells { s4, u4, t4, s8, u8 };
inline constexpr int kFloatStep = 8;

constexpr bool is_nibble(Cells cells) { return cells == Cells::s4 || cells == Cells::u4 || cells == Cells::t4; }
constexpr bool has_zeros(Cells cells) { return cells == Cells::u4 || cells == Cells::u8; }

inline quant::Layout float_layout(const quant::Weights& w) {
  return {kQuantColumns, w.bits() > 4 ? 1 : kFloatStep / 2, kFloatStep, true, false, true};
}

// of.operator()<cells>() for those of w.
template <class Of>
auto with_cells(const quant::Panels& w, Of of) {
  if (w.bits == 8) return w.zeros ? of.template operator()<Cells::u8>() : of.template operator()<Cells::s8>();
  if (w.lookup) return of.template operator()<Cells::t4>();
  return w.zeros ? of.template operator()<Cells::u4>() : of.template operator()<Cells::s4>();
}

constexpr int bit_of(int i) { return 8 * (i % 4) + 4 * (i / 4); }

// 16 values, and those that the nibbles of k = i of a step's words pick.
#if defined(ATHANOR_ISA_AVX512)
struct ValueTable {
  Vec v;
  ATHANOR_INLINE explicit ValueTable(const float* p) : v(Vec::load(p)) {}
  template <int i>
  ATHANOR_INLINE Vec pick(IVec words) const {
    return {_mm512_permutexvar_ps(shr<bit_of(i)>(words).v, v.v)};
  }
};
#elif defined(ATHANOR_ISA_AVX2)
// Each byte of the values has a table of its own, for byte shuffles; what they pick is woven to f32. vpermps, which takes 8 values,
// twice and a blend took 1.4 times as long on Zen 3 (one row, N = K = 4096).
struct ValueTable {
  __m256i bytes[4];
  ATHANOR_INLINE explicit ValueTable(const float* p) {
    std::uint8_t of[64], plane[16];
    std::memcpy(of, p, 64);
    for (int b = 0; b < 4; ++b) {
      for (int c = 0; c < 16; ++c) plane[c] = of[4 * c + b];
      bytes[b] = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(plane)));
    }
  }
  template <int i>
  ATHANOR_INLINE Vec pick(IVec words) const {
    // Byte 4 d + column of each half has the nibbles of k = d and, above, k = d + 4.
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m256i pairs = _mm256_shuffle_epi8(words.v, _mm256_broadcastsi128_si256(order));
    const __m256i n = _mm256_and_si256(i < 4 ? pairs : _mm256_srli_epi16(pairs, 4), _mm256_set1_epi8(15));
    __m256i of[4], low, high;
    for (int b = 0; b < 4; ++b) of[b] = _mm256_shuffle_epi8(bytes[b], n);
    if constexpr (i % 4 < 2)
      low = _mm256_unpacklo_epi8(of[0], of[1]), high = _mm256_unpacklo_epi8(of[2], of[3]);
    else
      low = _mm256_unpackhi_epi8(of[0], of[1]), high = _mm256_unpackhi_epi8(of[2], of[3]);
    return {_mm256_castsi256_ps(i % 2 == 0 ? _mm256_unpacklo_epi16(low, high) : _mm256_unpackhi_epi16(low, high))};
  }
};
#elif defined(ATHANOR_ISA_NEON)
struct ValueTable {
  uint8x16x4_t v;
  ATHANOR_INLINE explicit ValueTable(const float* p) {
    for (int q = 0; q < 4; ++q) v.val[q] = vreinterpretq_u8_f32(vld1q_f32(p + 4 * q));
  }
  template <int i>
  ATHANOR_INLINE Vec pick(IVec words) const {
    const IVec index = shr<bit_of(i)>(words) & IVec::broadcast(15);
    const IVec bytes = index * IVec::broadcast(0x04040404) + IVec::broadcast(0x03020100);
    return {vreinterpretq_f32_u8(vqtbl4q_u8(v, vreinterpretq_u8_s32(bytes.v)))};
  }
};
#else
struct ValueTable {
  const float* v;
  ATHANOR_INLINE explicit ValueTable(const float* p) : v(p) {}
  template <int i>
  ATHANOR_INLINE Vec pick(IVec words) const {
    const IVec index = shr<bit_of(i)>(words) & IVec::broadcast(15);
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
    constexpr int bit = bit_of(i);
    const std::uint8_t* const bytes = at + i * kQuantColumns + v * kLanes;
    if constexpr (cells == Cells::s4) return to_float(sra<28>(shl<28 - bit>(words[v])));
    if constexpr (cells == Cells::u4) return to_float((shr<bit>(words[v]) & IVec::broadcast(15)) - zero[v]);
    if constexpr (cells == Cells::t4) return table.template pick<i>(words[v]);
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
