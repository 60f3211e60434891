// Vec over the compiler's own 4-lane vectors, which need no instruction set: the fallback, and the reference of the others.
// fma here rounds twice: a true one without hardware is a library call for each lane.
#pragma once

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

using Float4 [[gnu::vector_size(16)]] = float;
using Int4 [[gnu::vector_size(16)]] = std::int32_t;
using Unsigned4 [[gnu::vector_size(16)]] = std::uint32_t;

struct Mask {
  Int4 v;
  static ATHANOR_INLINE Mask first(Index n) { return {Int4{0, 1, 2, 3} < static_cast<std::int32_t>(n)}; }
  ATHANOR_INLINE std::uint32_t bits() const {
    return static_cast<std::uint32_t>((v[0] & 1) | (v[1] & 2) | (v[2] & 4) | (v[3] & 8));
  }
};
ATHANOR_INLINE Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
ATHANOR_INLINE Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
ATHANOR_INLINE Mask operator^(Mask a, Mask b) { return {a.v ^ b.v}; }
ATHANOR_INLINE Mask operator~(Mask a) { return {~a.v}; }
ATHANOR_INLINE bool any(Mask a) { return a.bits() != 0; }
ATHANOR_INLINE bool all(Mask a) { return a.bits() == 15; }

struct Vec {
  static constexpr int kLanes = 4;
  Float4 v;
  static ATHANOR_INLINE Vec zero() { return {Float4{}}; }
  static ATHANOR_INLINE Vec broadcast(float x) { return {Float4{x, x, x, x}}; }
  static ATHANOR_INLINE Vec load(const float* p) {
    Vec x;
    __builtin_memcpy(&x.v, p, 16);
    return x;
  }
  static ATHANOR_INLINE Vec load(const float* p, Index n) {
    Vec x = zero();
    for (int i = 0; i < 4; ++i)
      if (i < n) x.v[i] = p[i];
    return x;
  }
  ATHANOR_INLINE void store(float* p) const { __builtin_memcpy(p, &v, 16); }
  ATHANOR_INLINE void store(float* p, Index n) const {
    for (int i = 0; i < 4; ++i)
      if (i < n) p[i] = v[i];
  }
  ATHANOR_INLINE void stream(float* p) const { store(p); }
};
ATHANOR_INLINE void stream_fence() {}

template <class F>
ATHANOR_INLINE Vec each_lane(Vec a, F f) {
  return {Float4{f(a.v[0]), f(a.v[1]), f(a.v[2]), f(a.v[3])}};
}
ATHANOR_INLINE Int4 bits_of(Float4 a) { return reinterpret_cast<Int4>(a); }
ATHANOR_INLINE Float4 float_of(Int4 a) { return reinterpret_cast<Float4>(a); }

ATHANOR_INLINE Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
ATHANOR_INLINE Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
ATHANOR_INLINE Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
ATHANOR_INLINE Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
ATHANOR_INLINE Vec operator-(Vec a) { return {float_of(bits_of(a.v) ^ INT32_MIN)}; }
ATHANOR_INLINE Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
ATHANOR_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }
ATHANOR_INLINE Mask operator==(Vec a, Vec b) { return {a.v == b.v}; }
ATHANOR_INLINE Mask operator!=(Vec a, Vec b) { return {a.v != b.v}; }
ATHANOR_INLINE Mask operator<(Vec a, Vec b) { return {a.v < b.v}; }
ATHANOR_INLINE Mask operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
ATHANOR_INLINE Mask operator>(Vec a, Vec b) { return {a.v > b.v}; }
ATHANOR_INLINE Mask operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
ATHANOR_INLINE Vec select(Mask m, Vec a, Vec b) { return {float_of((m.v & bits_of(a.v)) | (~m.v & bits_of(b.v)))}; }
ATHANOR_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
ATHANOR_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
ATHANOR_INLINE Vec sqrt(Vec a) {
  return each_lane(a, [](float x) { return __builtin_sqrtf(x); });
}
ATHANOR_INLINE Vec abs(Vec a) { return {float_of(bits_of(a.v) & INT32_MAX)}; }
ATHANOR_INLINE Vec floor(Vec a) {
  return each_lane(a, [](float x) { return __builtin_floorf(x); });
}
ATHANOR_INLINE Vec ceil(Vec a) {
  return each_lane(a, [](float x) { return __builtin_ceilf(x); });
}
ATHANOR_INLINE Vec trunc(Vec a) {
  return each_lane(a, [](float x) { return __builtin_truncf(x); });
}
ATHANOR_INLINE Vec round_even(Vec a) {
  return each_lane(a, [](float x) { return __builtin_rintf(x); });
}
ATHANOR_INLINE float reduce_add(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
ATHANOR_INLINE float reduce_max(Vec a) {
  const Vec h = max(a, Vec{Float4{a.v[2], a.v[3], a.v[2], a.v[3]}});
  return h.v[0] > h.v[1] ? h.v[0] : h.v[1];
}
ATHANOR_INLINE float reduce_min(Vec a) {
  const Vec h = min(a, Vec{Float4{a.v[2], a.v[3], a.v[2], a.v[3]}});
  return h.v[0] < h.v[1] ? h.v[0] : h.v[1];
}

struct IVec {
  Int4 v;
  static ATHANOR_INLINE IVec broadcast(std::int32_t x) { return {Int4{x, x, x, x}}; }
  static ATHANOR_INLINE IVec iota() { return {Int4{0, 1, 2, 3}}; }
  static ATHANOR_INLINE IVec load(const std::int32_t* p) {
    IVec x;
    __builtin_memcpy(&x.v, p, 16);
    return x;
  }
  static ATHANOR_INLINE IVec load(const std::int32_t* p, Index n) {
    IVec x{Int4{}};
    for (int i = 0; i < 4; ++i)
      if (i < n) x.v[i] = p[i];
    return x;
  }
  ATHANOR_INLINE void store(std::int32_t* p) const { __builtin_memcpy(p, &v, 16); }
  ATHANOR_INLINE void store(std::int32_t* p, Index n) const {
    for (int i = 0; i < 4; ++i)
      if (i < n) p[i] = v[i];
  }
};
// Sums, differences and products wrap: they are taken unsigned.
ATHANOR_INLINE Unsigned4 unsigned_of(IVec a) { return reinterpret_cast<Unsigned4>(a.v); }
ATHANOR_INLINE IVec signed_of(Unsigned4 a) { return {reinterpret_cast<Int4>(a)}; }
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
ATHANOR_INLINE IVec select(Mask m, IVec a, IVec b) { return {(m.v & a.v) | (~m.v & b.v)}; }
ATHANOR_INLINE std::int32_t mulhi_lane(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(
      (static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) * static_cast<std::uint32_t>(b)) >> 32);
}
ATHANOR_INLINE IVec mulhi_u32(IVec a, IVec b) {
  return {Int4{mulhi_lane(a.v[0], b.v[0]), mulhi_lane(a.v[1], b.v[1]), mulhi_lane(a.v[2], b.v[2]),
               mulhi_lane(a.v[3], b.v[3])}};
}
ATHANOR_INLINE IVec as_int(Vec a) { return {bits_of(a.v)}; }
ATHANOR_INLINE Vec as_float(IVec a) { return {float_of(a.v)}; }
ATHANOR_INLINE Vec to_float(IVec a) { return {__builtin_convertvector(a.v, Float4)}; }
// Out of range a conversion of the language would be undefined; such lanes become INT32_MIN, as on x86.
ATHANOR_INLINE IVec to_int(Vec a) {
  const Mask inside = (a >= Vec::broadcast(-2147483648.0f)) & (a < Vec::broadcast(2147483648.0f));
  const Vec safe = select(inside, a, Vec::broadcast(-2147483648.0f));
  return {__builtin_convertvector(safe.v, Int4)};
}
ATHANOR_INLINE IVec to_int_even(Vec a) { return to_int(round_even(a)); }

ATHANOR_INLINE IVec load_u8(const std::uint8_t* p) { return {Int4{p[0], p[1], p[2], p[3]}}; }
ATHANOR_INLINE IVec load_s8(const std::uint8_t* p) { return sra<24>(shl<24>(load_u8(p))); }
ATHANOR_INLINE IVec load_u16(const std::uint16_t* p) { return {Int4{p[0], p[1], p[2], p[3]}}; }
ATHANOR_INLINE void store_low_u8(std::uint8_t* p, IVec a) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<std::uint8_t>(a.v[i]);
}
ATHANOR_INLINE void store_low_u16(std::uint16_t* p, IVec a) {
  for (int i = 0; i < 4; ++i) p[i] = static_cast<std::uint16_t>(a.v[i]);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
