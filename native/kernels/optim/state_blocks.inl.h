// Blocks of 8-bit and 4-bit codes (update_rules/state_format.h) into f32 and back.
//
// The values of a dynamic map, by rank, lie on a convex line of as many pieces as there are decades, each of twice the steps of the
// one before: a value is the largest of a few linear functions of its code, a code the smallest of a few of the value. No table is
// looked up, which costs more on most machines than two registers of multiplications; and every instruction set has the same bits.
#pragma once
#include <cstring>
#include <utility>

#include "simd/vec.h"
#include "update_rules/state_format.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// f: rank + 1/2, the ranks of decade i being those of n(i) <= f < 2 n(i). Its values are edge(i) · (0.9 f / n(i) - 0.8).
template <int kDecades, bool kSigned>
struct DynamicMap {
  static constexpr double steps(int i) { return (kSigned ? 1 : 2) * double(1 << i); }
  static constexpr double edge(int i) {  // where decade i ends
    double x = 1;
    for (int k = i; k < kDecades - 1; ++k) x /= 10;
    return x;
  }

  template <int i>
  static ATHANOR_INLINE Vec value_in(Vec f) {
    constexpr float slope = float(0.9 * edge(i) / steps(i)), offset = float(-0.8 * edge(i));
    return fma(f, Vec::broadcast(slope), Vec::broadcast(offset));
  }
  template <int i>
  static ATHANOR_INLINE Vec place_in(Vec y) {
    constexpr float slope = float(steps(i) / (0.9 * edge(i))), offset = float(steps(i) * (0.8 / 0.9));
    return fma(y, Vec::broadcast(slope), Vec::broadcast(offset));
  }

  static ATHANOR_INLINE Vec value(Vec f) {
    Vec y = Vec::zero();
    [&]<int... i>(std::integer_sequence<int, i...>)
        ATHANOR_INLINED { ((y = max(value_in<i>(f), y)), ...); }(std::make_integer_sequence<int, kDecades>());
    return min(y, Vec::broadcast(1));
  }

  // Of y in [0, 1], the f whose whole part is the rank.
  static ATHANOR_INLINE Vec place(Vec y) {
    Vec f = place_in<0>(y);
    [&]<int... i>(std::integer_sequence<int, i...>)
        ATHANOR_INLINED { ((f = min(place_in<i + 1>(y), f)), ...); }(std::make_integer_sequence<int, kDecades - 1>());
    return f;
  }
};

// What values are multiplied by for a block's codes. A little more than 1 / scale, so that the scale itself is never below 1.
ATHANOR_INLINE float inverse_scale(float scale) {
  return __builtin_fabsf(scale) < 0x1p-126f ? 0.0f : (1 + 0x1p-20f) / scale;
}

// One register of codes. signed: the scale has the opposite sign of the block's largest element, whose code is the lowest.
template <int kBits>
struct SignedCodes {
  using Map = DynamicMap<kBits == 8 ? 7 : 3, true>;
  static constexpr bool kSigned = true;

  static ATHANOR_INLINE Vec decode(IVec code, Vec scale) {
    const Vec rank = to_float(code);
    return copysign(Map::value(abs(rank) + Vec::broadcast(0.5f)), rank) * scale;
  }
  static ATHANOR_INLINE IVec encode(Vec x, Vec inverse) {
    const Vec y = x * inverse;
    const Vec f = copysign(Map::place(abs(y)), y);
    return to_int(min(f, Vec::broadcast(kBits == 8 ? 127.0f : 7.0f)));
  }
};

struct UnsignedBytes {
  using Map = DynamicMap<7, false>;
  static constexpr bool kSigned = false;

  static ATHANOR_INLINE Vec decode(IVec code, Vec scale) {
    return Map::value(to_float(code) + Vec::broadcast(1.5f)) * scale;
  }
  static ATHANOR_INLINE IVec encode(Vec x, Vec inverse) {
    const Vec f = min(max(Map::place(x * inverse), Vec::broadcast(2)), Vec::broadcast(256));
    return to_int(f - Vec::broadcast(1));
  }
};

struct UnsignedHalves {
  static constexpr bool kSigned = false;

  static ATHANOR_INLINE Vec decode(IVec code, Vec scale) {
    return (to_float(code) + Vec::broadcast(1)) * (scale * Vec::broadcast(0.0625f));
  }
  static ATHANOR_INLINE IVec encode(Vec x, Vec inverse) {
    const Vec y = fma(x * inverse, Vec::broadcast(16), Vec::broadcast(-1));
    return to_int_even(min(max(y, Vec::zero()), Vec::broadcast(15)));
  }
};

// Of a whole block.
template <bool kSigned>
ATHANOR_INLINE float scale_of(const float* x, Index n) {
  Vec high = Vec::zero(), low = Vec::zero();
  for (Index i = 0; i < n; i += kLanes) {
    const Vec v = Vec::load(x + i);
    high = max(v, high);
    if constexpr (kSigned) low = min(v, low);
  }
  const float most = reduce_max(high);
  if constexpr (!kSigned) return most;
  const float least = reduce_min(low);
  return most >= -least ? -most : -least;
}

template <class Codes>
void decode_byte_block(const std::byte* block, float* x) {
  float scale;
  std::memcpy(&scale, block, sizeof scale);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(block + sizeof scale);
  const Vec wide = Vec::broadcast(scale);
  for (Index i = 0; i < 256; i += kLanes)
    Codes::decode(Codes::kSigned ? load_s8(codes + i) : load_u8(codes + i), wide).store(x + i);
}

template <class Codes>
void encode_byte_block(const float* x, std::byte* block) {
  const float scale = scale_of<Codes::kSigned>(x, 256);
  std::memcpy(block, &scale, sizeof scale);
  auto* codes = reinterpret_cast<std::uint8_t*>(block + sizeof scale);
  const Vec inverse = Vec::broadcast(inverse_scale(scale));
  for (Index i = 0; i < 256; i += kLanes)
    store_low_u8(codes + i, Codes::encode(Vec::load(x + i), inverse) & IVec::broadcast(255));
}

template <class Codes>
void decode_half_block(const std::byte* block, float* x) {
  float scale;
  std::memcpy(&scale, block, sizeof scale);
  const auto* codes = reinterpret_cast<const std::uint8_t*>(block + sizeof scale);
  const Vec wide = Vec::broadcast(scale);
  const auto extended = [](IVec low) ATHANOR_INLINED { return Codes::kSigned ? sra<28>(shl<28>(low)) : low; };
  for (Index i = 0; i < 64; i += kLanes) {
    const IVec both = load_u8(codes + i);
    Codes::decode(extended(both & IVec::broadcast(15)), wide).store(x + i);
    Codes::decode(extended(shr<4>(both)), wide).store(x + 64 + i);
  }
}

template <class Codes>
void encode_half_block(const float* x, std::byte* block) {
  const float scale = scale_of<Codes::kSigned>(x, 128);
  std::memcpy(block, &scale, sizeof scale);
  auto* codes = reinterpret_cast<std::uint8_t*>(block + sizeof scale);
  const Vec inverse = Vec::broadcast(inverse_scale(scale));
  const IVec half = IVec::broadcast(15);
  for (Index i = 0; i < 64; i += kLanes) {
    const IVec low = Codes::encode(Vec::load(x + i), inverse) & half;
    const IVec high = Codes::encode(Vec::load(x + 64 + i), inverse) & half;
    store_low_u8(codes + i, low | shl<4>(high));
  }
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
