// bf16, the storage type: the upper half of an f32. Conversion to it rounds to nearest even; a NaN stays a (quiet) NaN.
// Everything is forced inline, so that a unit compiled for a wide instruction set never exports one of these.
#pragma once
#include <cstdint>

namespace athanor {

struct Bf16 {
  std::uint16_t bits;
};

[[gnu::always_inline]] constexpr float to_f32(Bf16 x) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(x.bits) << 16);
}

[[gnu::always_inline]] constexpr Bf16 to_bf16(float x) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return Bf16{static_cast<std::uint16_t>((bits >> 16) | 0x40u)};
  return Bf16{static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

}  // namespace athanor
