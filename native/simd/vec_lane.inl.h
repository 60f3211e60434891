// Vec of a single lane, for code that runs a thread an element: CUDA kernels, and their emulation. The elementary functions of
// simd/math.inl.h and the update rules are then the very formulas of the CPU. fma rounds once.
#pragma once

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

struct Mask {
  bool v;
  static ATHANOR_INLINE Mask first(Index n) { return {n > 0}; }
  ATHANOR_INLINE std::uint32_t bits() const { return v; }
};
ATHANOR_INLINE Mask operator&(Mask a, Mask b) { return {a.v && b.v}; }
ATHANOR_INLINE Mask operator|(Mask a, Mask b) { return {a.v || b.v}; }
ATHANOR_INLINE Mask operator^(Mask a, Mask b) { return {a.v != b.v}; }
ATHANOR_INLINE Mask operator~(Mask a) { return {!a.v}; }
ATHANOR_INLINE bool any(Mask a) { return a.v; }
ATHANOR_INLINE bool all(Mask a) { return a.v; }

struct Vec {
  static constexpr int kLanes = 1;
  float v;
  static ATHANOR_INLINE Vec zero() { return {0.0f}; }
  static ATHANOR_INLINE Vec broadcast(float x) { return {x}; }
  static ATHANOR_INLINE Vec load(const float* p) { return {*p}; }
  static ATHANOR_INLINE Vec load(const float* p, Index n) { return {n > 0 ? *p : 0.0f}; }
  ATHANOR_INLINE void store(float* p) const { *p = v; }
  ATHANOR_INLINE void store(float* p, Index n) const {
    if (n > 0) *p = v;
  }
  ATHANOR_INLINE void stream(float* p) const { *p = v; }
};
ATHANOR_INLINE void stream_fence() {}

struct IVec {
  std::int32_t v;
  static ATHANOR_INLINE IVec broadcast(std::int32_t x) { return {x}; }
  static ATHANOR_INLINE IVec iota() { return {0}; }
  static ATHANOR_INLINE IVec load(const std::int32_t* p) { return {*p}; }
  static ATHANOR_INLINE IVec load(const std::int32_t* p, Index n) { return {n > 0 ? *p : 0}; }
  ATHANOR_INLINE void store(std::int32_t* p) const { *p = v; }
  ATHANOR_INLINE void store(std::int32_t* p, Index n) const {
    if (n > 0) *p = v;
  }
};
ATHANOR_INLINE std::uint32_t unsigned_of(IVec a) { return static_cast<std::uint32_t>(a.v); }
ATHANOR_INLINE IVec signed_of(std::uint32_t a) { return {static_cast<std::int32_t>(a)}; }
ATHANOR_INLINE IVec as_int(Vec a) { return {__builtin_bit_cast(std::int32_t, a.v)}; }
ATHANOR_INLINE Vec as_float(IVec a) { return {__builtin_bit_cast(float, a.v)}; }

ATHANOR_INLINE Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
ATHANOR_INLINE Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
ATHANOR_INLINE Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
ATHANOR_INLINE Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
ATHANOR_INLINE Vec operator-(Vec a) { return as_float(signed_of(unsigned_of(as_int(a)) ^ 0x80000000u)); }
ATHANOR_INLINE Vec fma(Vec a, Vec b, Vec c) { return {::fmaf(a.v, b.v, c.v)}; }
ATHANOR_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {::fmaf(-a.v, b.v, c.v)}; }
ATHANOR_INLINE Mask operator==(Vec a, Vec b) { return {a.v == b.v}; }
ATHANOR_INLINE Mask operator!=(Vec a, Vec b) { return {a.v != b.v}; }
ATHANOR_INLINE Mask operator<(Vec a, Vec b) { return {a.v < b.v}; }
ATHANOR_INLINE Mask operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
ATHANOR_INLINE Mask operator>(Vec a, Vec b) { return {a.v > b.v}; }
ATHANOR_INLINE Mask operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
ATHANOR_INLINE Vec select(Mask m, Vec a, Vec b) { return m.v ? a : b; }
ATHANOR_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
ATHANOR_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
ATHANOR_INLINE Vec sqrt(Vec a) { return {::sqrtf(a.v)}; }
ATHANOR_INLINE Vec abs(Vec a) { return as_float(signed_of(unsigned_of(as_int(a)) & 0x7fffffffu)); }
ATHANOR_INLINE Vec floor(Vec a) { return {::floorf(a.v)}; }
ATHANOR_INLINE Vec ceil(Vec a) { return {::ceilf(a.v)}; }
ATHANOR_INLINE Vec trunc(Vec a) { return {::truncf(a.v)}; }
ATHANOR_INLINE Vec round_even(Vec a) { return {::rintf(a.v)}; }
ATHANOR_INLINE float reduce_add(Vec a) { return a.v; }
ATHANOR_INLINE float reduce_max(Vec a) { return a.v; }
ATHANOR_INLINE float reduce_min(Vec a) { return a.v; }

// Sums, differences and products wrap: they are taken unsigned.
ATHANOR_INLINE IVec operator+(IVec a, IVec b) { return signed_of(unsigned_of(a) + unsigned_of(b)); }
ATHANOR_INLINE IVec operator-(IVec a, IVec b) { return signed_of(unsigned_of(a) - unsigned_of(b)); }
ATHANOR_INLINE IVec operator*(IVec a, IVec b) { return signed_of(unsigned_of(a) * unsigned_of(b)); }
ATHANOR_INLINE IVec operator&(IVec a, IVec b) { return {a.v & b.v}; }
ATHANOR_INLINE IVec operator|(IVec a, IVec b) { return {a.v | b.v}; }
ATHANOR_INLINE IVec operator^(IVec a, IVec b) { return {a.v ^ b.v}; }
ATHANOR_INLINE IVec operator~(IVec a) { return {~a.v}; }
template <int k>
ATHANOR_INLINE IVec shl(IVec a) {
  return signed_of(unsigned_of(a) << k);
}
template <int k>
ATHANOR_INLINE IVec shr(IVec a) {
  return signed_of(unsigned_of(a) >> k);
}
template <int k>
ATHANOR_INLINE IVec sra(IVec a) {
  return {a.v >> k};
}
ATHANOR_INLINE Mask operator==(IVec a, IVec b) { return {a.v == b.v}; }
ATHANOR_INLINE Mask operator>(IVec a, IVec b) { return {a.v > b.v}; }
ATHANOR_INLINE IVec select(Mask m, IVec a, IVec b) { return m.v ? a : b; }
ATHANOR_INLINE IVec mulhi_u32(IVec a, IVec b) {
  return signed_of(static_cast<std::uint32_t>(std::uint64_t{unsigned_of(a)} * unsigned_of(b) >> 32));
}
ATHANOR_INLINE Vec to_float(IVec a) { return {static_cast<float>(a.v)}; }
// Out of range a conversion of the language would be undefined; such lanes become INT32_MIN, as on x86.
ATHANOR_INLINE IVec to_int(Vec a) {
  const bool inside = a.v >= -2147483648.0f && a.v < 2147483648.0f;
  return {inside ? static_cast<std::int32_t>(a.v) : INT32_MIN};
}
ATHANOR_INLINE IVec to_int_even(Vec a) { return to_int(round_even(a)); }

ATHANOR_INLINE IVec load_u8(const std::uint8_t* p) { return {*p}; }
ATHANOR_INLINE IVec load_s8(const std::uint8_t* p) { return sra<24>(shl<24>(load_u8(p))); }
ATHANOR_INLINE IVec load_u16(const std::uint16_t* p) { return {*p}; }
ATHANOR_INLINE void store_low_u8(std::uint8_t* p, IVec a) { *p = static_cast<std::uint8_t>(a.v); }
ATHANOR_INLINE void store_low_u16(std::uint16_t* p, IVec a) { *p = static_cast<std::uint16_t>(a.v); }

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
