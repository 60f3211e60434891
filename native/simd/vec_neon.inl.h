// Vec over NEON of AArch64: 4 lanes, a Mask is a register of all-ones and all-zeros lanes.
#pragma once
#include <arm_neon.h>

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

struct Mask {
  uint32x4_t v;
  static ATHANOR_INLINE Mask first(Index n) {
    const std::int32_t lanes[4] = {0, 1, 2, 3};
    return {vcltq_s32(vld1q_s32(lanes), vdupq_n_s32(static_cast<std::int32_t>(n)))};
  }
  ATHANOR_INLINE std::uint32_t bits() const {
    const std::uint32_t weights[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(v, vld1q_u32(weights)));
  }
};
ATHANOR_INLINE Mask operator&(Mask a, Mask b) { return {vandq_u32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator|(Mask a, Mask b) { return {vorrq_u32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator^(Mask a, Mask b) { return {veorq_u32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator~(Mask a) { return {vmvnq_u32(a.v)}; }
ATHANOR_INLINE bool any(Mask a) { return vmaxvq_u32(a.v) != 0; }
ATHANOR_INLINE bool all(Mask a) { return vminvq_u32(a.v) != 0; }

struct Vec {
  static constexpr int kLanes = 4;
  float32x4_t v;
  static ATHANOR_INLINE Vec zero() { return {vdupq_n_f32(0.0f)}; }
  static ATHANOR_INLINE Vec broadcast(float x) { return {vdupq_n_f32(x)}; }
  static ATHANOR_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
  static ATHANOR_INLINE Vec load(const float* p, Index n) {
    float lanes[4] = {};
    for (Index i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  ATHANOR_INLINE void store(float* p) const { vst1q_f32(p, v); }
  ATHANOR_INLINE void store(float* p, Index n) const {
    float lanes[4];
    store(lanes);
    for (Index i = 0; i < n; ++i) p[i] = lanes[i];
  }
  ATHANOR_INLINE void stream(float* p) const { store(p); }
};
ATHANOR_INLINE void stream_fence() {}

ATHANOR_INLINE Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
ATHANOR_INLINE Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
ATHANOR_INLINE Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
ATHANOR_INLINE Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
ATHANOR_INLINE Vec operator-(Vec a) { return {vnegq_f32(a.v)}; }
ATHANOR_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
ATHANOR_INLINE Vec fnma(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
ATHANOR_INLINE Vec min(Vec a, Vec b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
ATHANOR_INLINE Vec max(Vec a, Vec b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
ATHANOR_INLINE Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
ATHANOR_INLINE Vec abs(Vec a) { return {vabsq_f32(a.v)}; }
ATHANOR_INLINE Vec floor(Vec a) { return {vrndmq_f32(a.v)}; }
ATHANOR_INLINE Vec ceil(Vec a) { return {vrndpq_f32(a.v)}; }
ATHANOR_INLINE Vec trunc(Vec a) { return {vrndq_f32(a.v)}; }
ATHANOR_INLINE Vec round_even(Vec a) { return {vrndnq_f32(a.v)}; }
ATHANOR_INLINE Mask operator==(Vec a, Vec b) { return {vceqq_f32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator!=(Vec a, Vec b) { return ~(a == b); }
ATHANOR_INLINE Mask operator<(Vec a, Vec b) { return {vcltq_f32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator<=(Vec a, Vec b) { return {vcleq_f32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator>(Vec a, Vec b) { return {vcgtq_f32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator>=(Vec a, Vec b) { return {vcgeq_f32(a.v, b.v)}; }
ATHANOR_INLINE Vec select(Mask m, Vec a, Vec b) { return {vbslq_f32(m.v, a.v, b.v)}; }
ATHANOR_INLINE float reduce_add(Vec a) {
  const float32x2_t h = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(h, 0) + vget_lane_f32(h, 1);
}
ATHANOR_INLINE float reduce_max(Vec a) {
  const Vec h = max(a, Vec{vextq_f32(a.v, a.v, 2)});
  const float x = vgetq_lane_f32(h.v, 0), y = vgetq_lane_f32(h.v, 1);
  return x > y ? x : y;
}
ATHANOR_INLINE float reduce_min(Vec a) {
  const Vec h = min(a, Vec{vextq_f32(a.v, a.v, 2)});
  const float x = vgetq_lane_f32(h.v, 0), y = vgetq_lane_f32(h.v, 1);
  return x < y ? x : y;
}

struct IVec {
  int32x4_t v;
  static ATHANOR_INLINE IVec broadcast(std::int32_t x) { return {vdupq_n_s32(x)}; }
  static ATHANOR_INLINE IVec iota() {
    const std::int32_t lanes[4] = {0, 1, 2, 3};
    return load(lanes);
  }
  static ATHANOR_INLINE IVec load(const std::int32_t* p) { return {vld1q_s32(p)}; }
  static ATHANOR_INLINE IVec load(const std::int32_t* p, Index n) {
    std::int32_t lanes[4] = {};
    for (Index i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  ATHANOR_INLINE void store(std::int32_t* p) const { vst1q_s32(p, v); }
  ATHANOR_INLINE void store(std::int32_t* p, Index n) const {
    std::int32_t lanes[4];
    store(lanes);
    for (Index i = 0; i < n; ++i) p[i] = lanes[i];
  }
};
ATHANOR_INLINE IVec operator+(IVec a, IVec b) { return {vaddq_s32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator-(IVec a, IVec b) { return {vsubq_s32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator*(IVec a, IVec b) { return {vmulq_s32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator&(IVec a, IVec b) { return {vandq_s32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator|(IVec a, IVec b) { return {vorrq_s32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator^(IVec a, IVec b) { return {veorq_s32(a.v, b.v)}; }
ATHANOR_INLINE IVec operator~(IVec a) { return {vmvnq_s32(a.v)}; }
template <int k>
ATHANOR_INLINE IVec shl(IVec a) {
  return {vshlq_n_s32(a.v, k)};
}
template <int k>
ATHANOR_INLINE IVec shr(IVec a) {
  return {vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.v), k))};
}
template <int k>
ATHANOR_INLINE IVec sra(IVec a) {
  return {vshrq_n_s32(a.v, k)};
}
ATHANOR_INLINE Mask operator==(IVec a, IVec b) { return {vceqq_s32(a.v, b.v)}; }
ATHANOR_INLINE Mask operator>(IVec a, IVec b) { return {vcgtq_s32(a.v, b.v)}; }
ATHANOR_INLINE IVec select(Mask m, IVec a, IVec b) { return {vbslq_s32(m.v, a.v, b.v)}; }
ATHANOR_INLINE IVec mulhi_u32(IVec a, IVec b) {
  const uint32x4_t x = vreinterpretq_u32_s32(a.v), y = vreinterpretq_u32_s32(b.v);
  const uint32x2_t low = vshrn_n_u64(vmull_u32(vget_low_u32(x), vget_low_u32(y)), 32);
  const uint32x2_t high = vshrn_n_u64(vmull_u32(vget_high_u32(x), vget_high_u32(y)), 32);
  return {vreinterpretq_s32_u32(vcombine_u32(low, high))};
}
ATHANOR_INLINE IVec as_int(Vec a) { return {vreinterpretq_s32_f32(a.v)}; }
ATHANOR_INLINE Vec as_float(IVec a) { return {vreinterpretq_f32_s32(a.v)}; }
ATHANOR_INLINE Vec to_float(IVec a) { return {vcvtq_f32_s32(a.v)}; }
ATHANOR_INLINE IVec to_int(Vec a) { return {vcvtq_s32_f32(a.v)}; }
ATHANOR_INLINE IVec to_int_even(Vec a) { return {vcvtnq_s32_f32(a.v)}; }

ATHANOR_INLINE uint8x8_t load_four_bytes(const std::uint8_t* p) {
  std::uint32_t word;
  __builtin_memcpy(&word, p, 4);
  return vreinterpret_u8_u32(vdup_n_u32(word));
}
ATHANOR_INLINE IVec load_u8(const std::uint8_t* p) {
  return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load_four_bytes(p)))))};
}
ATHANOR_INLINE IVec load_s8(const std::uint8_t* p) {
  return {vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_four_bytes(p)))))};
}
ATHANOR_INLINE IVec load_u16(const std::uint16_t* p) { return {vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p)))}; }
ATHANOR_INLINE void store_low_u16(std::uint16_t* p, IVec a) { vst1_u16(p, vmovn_u32(vreinterpretq_u32_s32(a.v))); }
ATHANOR_INLINE void store_low_u8(std::uint8_t* p, IVec a) {
  const uint16x4_t half = vmovn_u32(vreinterpretq_u32_s32(a.v));
  const std::uint32_t word = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(half, half))), 0);
  __builtin_memcpy(p, &word, 4);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
