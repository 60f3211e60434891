// The argument of a sine far from zero, reduced in whole numbers: x times as many bits of 2 / pi as matter (Payne and Hanek 1983).
#pragma once
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

struct LargeAngle {
  float rest;  // in [-pi/4, pi/4]
  std::int32_t quadrant;
};

// A word of zeros, then the words of 2 / pi after the binary point.
ATHANOR_INLINE std::uint32_t two_over_pi(int word) {
  switch (word) {
    case 0: return 0;
    case 1: return 0xa2f9836eu;
    case 2: return 0x4e441529u;
    case 3: return 0xfc2757d1u;
    case 4: return 0xf534ddc0u;
    case 5: return 0xdb629599u;
    default: return 0x3c439041u;
  }
}

// |x| >= 2; infinities and NaN give NaN.
ATHANOR_INLINE LargeAngle reduce_large_angle(float x) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t exponent = bits >> 23 & 255u;
  if (exponent == 255) return {x - x, 0};
  // |x| = m 2^(shift - 1) with m of 24 bits at the top of a word: a window of 96 bits of 2 / pi gives the product modulo 4.
  const std::uint32_t m = (bits & 0x7fffffu) << 8 | 0x80000000u;
  const int shift = static_cast<int>(exponent) - 128;  // bits above the window: they make whole turns
  const int word = shift >> 5, part = shift & 31;
  std::uint32_t high = two_over_pi(word), middle = two_over_pi(word + 1), low = two_over_pi(word + 2);
  if (part != 0) {
    high = high << part | middle >> (32 - part);
    middle = middle << part | low >> (32 - part);
    low = low << part | two_over_pi(word + 3) >> (32 - part);
  }
  std::uint64_t product = std::uint64_t{m} * low;
  product = std::uint64_t{m} * middle + (product >> 32);
  product += std::uint64_t{m * high} << 32;
  // The two upper bits count quarter turns, the others are a fraction of one.
  std::int32_t quadrant = static_cast<std::int32_t>(product >> 62);
  std::int64_t fraction = static_cast<std::int64_t>(product & 0x3fffffffffffffffu);
  if (fraction & 0x2000000000000000) {
    fraction -= 0x4000000000000000;
    ++quadrant;
  }
  const float rest = static_cast<float>(static_cast<double>(fraction) * 0x1.921fb54442d18p-62);
  return x < 0 ? LargeAngle{-rest, -quadrant} : LargeAngle{rest, quadrant};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
