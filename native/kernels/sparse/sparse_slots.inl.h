// The kernel of kernels/sparse/sparse_slots.h. A step of a vector is a load of values, a permutation of a window of x and a multiply-add, two
// cycles with AVX2, which is the pace of L3 too: 4.5 bytes a slot.
#pragma once
#include <cstring>

#include "kernels/gemm/gemm_plan.inl.h"
#include "kernels/sparse/sparse_slots.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace sparse {

// Window: eight floats in registers. pick: lane l is the place that the low three bits of picks' lane l name; bits above them may be
// anything. gather: lane l is from[at[l]].
#if defined(ATHANOR_ISA_AVX512)
struct Window {
  __m512 v;  // twice
  static ATHANOR_INLINE Window load(const float* p) {
    return {_mm512_castpd_ps(_mm512_broadcast_f64x4(_mm256_castps_pd(_mm256_loadu_ps(p))))};
  }
};
ATHANOR_INLINE Vec pick(Window w, IVec picks) { return {_mm512_permutexvar_ps(picks.v, w.v)}; }
#elif defined(ATHANOR_ISA_AVX2)
struct Window {
  __m256 v;
  static ATHANOR_INLINE Window load(const float* p) {
    Window w{_mm256_loadu_ps(p)};
    asm("" : "+x"(w.v));  // in a register: Zen takes two cycles for a permutation that reads memory, not one
    return w;
  }
};
ATHANOR_INLINE Vec pick(Window w, IVec picks) { return {_mm256_permutevar8x32_ps(w.v, picks.v)}; }
#elif defined(ATHANOR_ISA_NEON)
struct Window {
  uint8x16x2_t v;
  static ATHANOR_INLINE Window load(const float* p) {
    return {{vreinterpretq_u8_f32(vld1q_f32(p)), vreinterpretq_u8_f32(vld1q_f32(p + 4))}};
  }
};
ATHANOR_INLINE Vec pick(Window w, IVec picks) {
  // Bytes of a table look-up: 4 · place + 0 … 3.
  const uint32x4_t places = vandq_u32(vreinterpretq_u32_s32(picks.v), vdupq_n_u32(7));
  const uint32x4_t bytes = vmlaq_n_u32(vdupq_n_u32(0x03020100), places, 0x04040404);
  return {vreinterpretq_f32_u8(vqtbl2q_u8(w.v, vreinterpretq_u8_u32(bytes)))};
}
#else
struct Window {
  const float* v;
  static ATHANOR_INLINE Window load(const float* p) { return {p}; }
};
ATHANOR_INLINE Vec pick(Window w, IVec picks) {
  std::int32_t lanes[kLanes];
  float to[kLanes];
  picks.store(lanes);
  for (int l = 0; l < kLanes; ++l) to[l] = w.v[lanes[l] & 7];
  return Vec::load(to);
}
#endif

#if defined(ATHANOR_ISA_AVX2)
ATHANOR_INLINE Vec gather(const float* from, const std::uint16_t* at) {
  const __m128i columns = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  // Into zeros: what it is merged with would be waited for.
  const __m256 all = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
  return {_mm256_mask_i32gather_ps(_mm256_setzero_ps(), from, _mm256_cvtepu16_epi32(columns), all, 4)};
}
#elif defined(ATHANOR_ISA_AVX512) && !defined(ATHANOR_SIMDE)
ATHANOR_INLINE Vec gather(const float* from, const std::uint16_t* at) {
  const __m512i columns = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  return {_mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, columns, from, 4)};
}
#else
ATHANOR_INLINE Vec gather(const float* from, const std::uint16_t* at) {
  float to[kLanes];
  for (int l = 0; l < kLanes; ++l) to[l] = from[at[l]];
  return Vec::load(to);
}
#endif

inline constexpr Index kSlotGroup = kSlotVectors * kLanes;  // rows
inline constexpr Index kBlockFloats = kSlotGroup * (1 + kSlotPlaces);

struct SlotX {
  const float* arranged;  // rows ldx apart
  Index ldx;
  const float* plain;  // rows K apart
};

// Vectors [s0, s0 + S) of group g by R rows of x.
template <int R, int S>
ATHANOR_INLINE void slot_group(const SparseSlots& w, Index g, int s0, const SlotX& x, Vec (&acc)[R][S]) {
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int s = 0; s < S; ++s) acc[r][s] = Vec::zero();
  }
  const std::int32_t* rests = w.rests + g * kSlotVectors + s0;
  for (Index i = rests[0]; i < rests[S]; ++i) {
    __builtin_prefetch(w.rest_values + i * kLanes);
    __builtin_prefetch(w.rest + i * kLanes);
  }
  const float *p = w.blocks + w.group[g].block * kBlockFloats + s0 * kLanes, *from = x.arranged;
  for (Index b = 0; b < w.group[g].blocks; ++b, p += kBlockFloats, from += kSlotPlaces * kSlotPlaces) {
    IVec picks[S];
#pragma GCC unroll 4
    for (int s = 0; s < S; ++s) picks[s] = IVec::load(reinterpret_cast<const std::int32_t*>(p + s * kLanes));
#pragma GCC unroll 8
    for (int i = 0; i < kSlotPlaces; ++i) {
      Window window[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) window[r] = Window::load(from + r * x.ldx + i * kSlotPlaces);
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) {
        const Vec values = Vec::load(p + (1 + i) * kSlotGroup + s * kLanes);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) acc[r][s] = fma(values, pick(window[r], picks[s]), acc[r][s]);
        picks[s] = shr<4>(picks[s]);
      }
    }
  }
#pragma GCC unroll 4
  for (int s = 0; s < S; ++s)
    for (Index i = rests[s]; i < rests[s + 1]; ++i) {
      const Vec values = Vec::load(w.rest_values + i * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r)
        acc[r][s] = fma(values, gather(x.plain + r * w.columns, w.rest + i * kLanes), acc[r][s]);
    }
}

template <int R>
void slot_strip(const SparseSlotsArgs& a, const SlotX& x, Index n0, Index n1) {
  constexpr int S = R == 1 ? kSlotVectors : kSlotVectors / 2;  // what the registers hold
  const SparseSlots& w = a.w;
  for (Index g = n0 / kSlotGroup; g * kSlotGroup < n1; ++g)
    for (int s0 = 0; s0 < kSlotVectors; s0 += S) {
      Vec sum[R][S];
      slot_group<R, S>(w, g, s0, x, sum);
      const std::int32_t* row = w.row + g * kSlotGroup + s0 * kLanes;
      for (int r = 0; r < R; ++r) {
        float lanes[S * kLanes];
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) sum[r][s].store(lanes + s * kLanes);
        for (int l = 0; l < S * kLanes; ++l)
          if (row[l] >= 0) a.y[r * w.rows + row[l]] = lanes[l];
      }
    }
}

// `count` windows, places of which `moved` says so from far, the others from near.
inline void mix(const float* near, const float* far, int moved, Index count, float* out) {
  constexpr int kParts = kSlotPlaces > kLanes ? kSlotPlaces / kLanes : 1;
  std::int32_t places[kParts * kLanes];
  for (int i = 0; i < kParts * kLanes; ++i) places[i] = moved >> i % kSlotPlaces & 1;
  for (Index at = 0; at < count * kSlotPlaces; at += kParts * kLanes)
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      const Index i = at + part * kLanes, n = gemm::least(kLanes, count * kSlotPlaces - i);
      const Mask moves = IVec::load(places + part * kLanes) > IVec::broadcast(0);
      if (n == kLanes)
        select(moves, Vec::load(far + i), Vec::load(near + i)).store(out + i);
      else
        select(moves, Vec::load(far + i, n), Vec::load(near + i, n)).store(out + i, n);
    }
}

// Arrangements 0 and up of a row of x until `windows` are filled; `to` has room for whole ones.
inline void arrange(const float* x, Index K, Index windows, float* to) {
  const SlotWindows of(K);
  if (windows == 0) return;
  std::memcpy(to, x, static_cast<std::size_t>(K) * sizeof(float));
  for (Index k = K; k < of.count * kSlotPlaces; ++k) to[k] = 0;
  for (int t = 1; t * of.count < windows; ++t) {
    const Index shift = of.shift(t), before = of.count - shift;
    float* out = to + t * of.count * kSlotPlaces;
    mix(to, to + shift * kSlotPlaces, SlotWindows::moved(t), before, out);
    mix(to + before * kSlotPlaces, to, SlotWindows::moved(t), shift, out + before * kSlotPlaces);
  }
}

// Floats of `windows` of a row of x, in whole arrangements; a line more, so that rows do not share the few lines of one set.
ATHANOR_INLINE Index slots_ldx(Index K, Index windows) {
  return gemm::round_up(windows, SlotWindows(K).count) * kSlotPlaces + 16;
}

inline Index sparse_slots_workspace(Index M, Index K) {
  if (K <= 0) return 0;
  return M * slots_ldx(K, SlotWindows(K).count * kArrangements) * static_cast<Index>(sizeof(float));
}

inline void sparse_slots_run(const SparseSlotsArgs& a, Parallel& parallel, void* workspace) {
  const SparseSlots& w = a.w;
  if (a.M <= 0 || w.rows <= 0) return;
  const Index ldx = slots_ldx(w.columns, w.windows);
  float* arranged = static_cast<float*>(workspace);
  const SlotX x{arranged, ldx, a.x};
  for (Index m = 0; m < a.M; ++m) arrange(a.x + m * w.columns, w.columns, w.windows, arranged + m * ldx);
  parallel.run(static_cast<int>(gemm::ceil_div(w.rows, w.strip)), [&](int task, int) {
    const Index n0 = task * w.strip, n1 = gemm::least(w.rows, n0 + w.strip);
    switch (a.M) {
      case 1: slot_strip<1>(a, x, n0, n1); break;
      case 2: slot_strip<2>(a, x, n0, n1); break;
      case 3: slot_strip<3>(a, x, n0, n1); break;
      default: slot_strip<4>(a, x, n0, n1); break;
    }
    if (a.epilogue)
      for (Index m = 0; m < a.M; ++m) a.epilogue(a.epilogue_self, a.y + m * w.rows + n0, m, n0, n1 - n0, 0);
  });
}

}  // namespace sparse
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
