// The kernel of kernels/sparse_quads.h: S rows of W share the loads of x, R rows of x those of W.
#pragma once
#include <cstring>

#include "kernels/gemm_plan.inl.h"
#include "kernels/sparse_quads.h"
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace sparse {

// spread_picks<i>: bits 2 · (i · kLanes + lane) and up of a word in every lane, of which the low two count. pick: in every quad of
// lanes, lanes 0 and 1 are those elements of a's quad, lanes 2 and 3 those of b's.
#if defined(ATHANOR_ISA_AVX512) && !defined(ATHANOR_SIMDE)  // _mm512_permutevar_ps is not in SIMDe 0.7
template <int i>
ATHANOR_INLINE IVec spread_picks(IVec word) {
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return {_mm512_srlv_epi32(word.v, _mm512_slli_epi32(lanes, 1))};
}
ATHANOR_INLINE Vec pick(Vec a, Vec b, IVec picks) {
  return {_mm512_mask_blend_ps(0xcccc, _mm512_permutevar_ps(a.v, picks.v), _mm512_permutevar_ps(b.v, picks.v))};
}
#elif defined(ATHANOR_ISA_AVX2)
template <int i>
ATHANOR_INLINE IVec spread_picks(IVec word) {
  constexpr int k = 16 * i;
  return {_mm256_srlv_epi32(word.v, _mm256_setr_epi32(k, k + 2, k + 4, k + 6, k + 8, k + 10, k + 12, k + 14))};
}
ATHANOR_INLINE Vec pick(Vec a, Vec b, IVec picks) {
  return {_mm256_blend_ps(_mm256_permutevar_ps(a.v, picks.v), _mm256_permutevar_ps(b.v, picks.v), 0xcc)};
}
#elif defined(ATHANOR_ISA_NEON)
template <int i>
ATHANOR_INLINE IVec spread_picks(IVec word) {
  static constexpr std::int32_t shifts[4] = {-8 * i, -8 * i - 2, -8 * i - 4, -8 * i - 6};
  const uint32x4_t bits = vshlq_u32(vreinterpretq_u32_s32(word.v), vld1q_s32(shifts));
  // Bytes of a table look-up: 4 · pick + 0 … 3.
  const uint32x4_t picks = vmulq_n_u32(vandq_u32(bits, vdupq_n_u32(3)), 0x04040404);
  return {vreinterpretq_s32_u32(vaddq_u32(picks, vdupq_n_u32(0x03020100)))};
}
ATHANOR_INLINE Vec pick(Vec a, Vec b, IVec picks) {
  const uint8x16_t bytes = vreinterpretq_u8_s32(picks.v);
  const float32x4_t low = vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(a.v), bytes));
  const float32x4_t high = vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(b.v), bytes));
  return {vcombine_f32(vget_low_f32(low), vget_high_f32(high))};
}
#else
template <int i>
ATHANOR_INLINE IVec spread_picks(IVec word) {
  std::int32_t lanes[kLanes];
  word.store(lanes);
  for (int l = 0; l < kLanes; ++l)
    lanes[l] = static_cast<std::int32_t>(static_cast<std::uint32_t>(lanes[l]) >> (2 * (i * kLanes + l)) & 3);
  return IVec::load(lanes);
}
ATHANOR_INLINE Vec pick(Vec a, Vec b, IVec picks) {
  float from[2][kLanes], to[kLanes];
  std::int32_t lanes[kLanes];
  a.store(from[0]), b.store(from[1]), picks.store(lanes);
  for (int l = 0; l < kLanes; ++l) to[l] = from[l % 4 / 2][l / 4 * 4 + lanes[l]];
  return Vec::load(to);
}
#endif

inline constexpr int kWordSteps = 16 / kLanes;  // steps whose picks fill a word: 1, 2 or 4
inline constexpr Index kQuadTask = 1 << 17;     // elements of W in a task
inline constexpr int kQuadChains = 4;           // of the sum of a rest

// Step i of the 32 columns that a word of each row is for.
template <int R, int S, int i>
ATHANOR_INLINE void quad_step(const IVec (&word)[S], const float* values, Index row, const float* x, Index ldx,
                              Vec (&acc)[S][R]) {
  Vec low[R], high[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    low[r] = Vec::load(x + r * ldx + i * 2 * kLanes);
    high[r] = Vec::load(x + r * ldx + i * 2 * kLanes + kLanes);
  }
#pragma GCC unroll 4
  for (int s = 0; s < S; ++s) {
    const IVec picks = spread_picks<i>(word[s]);
    const Vec v = Vec::load(values + s * row + i * kLanes);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) acc[s][r] = fma(v, pick(low[r], high[r], picks), acc[s][r]);
  }
}

template <int R, int S>
ATHANOR_INLINE void quad_rows(const SparseQuadsArgs& a, const float* x, Index ldx, Index n) {
  const SparseQuads& w = a.w;
  Vec acc[S][R];
#pragma GCC unroll 4
  for (int s = 0; s < S; ++s) {
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) acc[s][r] = Vec::zero();
  }
  const Index row = w.words * 16;
  const float* values = w.values + n * row;
  const std::uint32_t* words = w.word + n * w.words;
  for (Index at = 0; at < w.words; ++at, values += 16) {
    IVec word[S];
#pragma GCC unroll 4
    for (int s = 0; s < S; ++s) word[s] = IVec::broadcast(static_cast<std::int32_t>(words[s * w.words + at]));
    const float* from = x + at * 32;
    quad_step<R, S, 0>(word, values, row, from, ldx, acc);
    if constexpr (kWordSteps > 1) quad_step<R, S, 1>(word, values, row, from, ldx, acc);
    if constexpr (kWordSteps > 2) {
      quad_step<R, S, 2>(word, values, row, from, ldx, acc);
      quad_step<R, S, 3>(word, values, row, from, ldx, acc);
    }
  }
  for (int s = 0; s < S; ++s)
    for (int r = 0; r < R; ++r) {
      float sums[kQuadChains] = {reduce_add(acc[s][r])};
      Index i = w.rest[n + s];
      const Index end = w.rest[n + s + 1];
      for (; i + kQuadChains <= end; i += kQuadChains) {
#pragma GCC unroll 4
        for (int q = 0; q < kQuadChains; ++q) sums[q] += w.rest_values[i + q] * x[r * ldx + w.column[i + q]];
      }
      for (; i < end; ++i) sums[0] += w.rest_values[i] * x[r * ldx + w.column[i]];
      a.y[r * w.rows + n + s] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}

template <int R>
void quad_strip(const SparseQuadsArgs& a, const float* x, Index ldx, Index n0, Index n1) {
  constexpr int S = R == 1 ? 4 : R == 2 ? 2 : 1;
  Index n = n0;
  for (; n + S <= n1; n += S) quad_rows<R, S>(a, x, ldx, n);
  for (; n < n1; ++n) quad_rows<R, 1>(a, x, ldx, n);
}

// Floats of a row of x with zeros behind it, as far as the last word reads.
ATHANOR_INLINE Index quad_ldx(Index K) { return gemm::round_up(K, 32); }

inline Index sparse_quads_workspace(Index M, Index K) { return M * quad_ldx(K) * static_cast<Index>(sizeof(float)); }

inline void sparse_quads_run(const SparseQuadsArgs& a, Parallel& parallel, void* workspace) {
  const SparseQuads& w = a.w;
  if (a.M <= 0 || w.rows <= 0) return;
  const Index ldx = quad_ldx(w.columns);
  float* x = static_cast<float*>(workspace);
  for (Index m = 0; m < a.M; ++m) {
    std::memcpy(x + m * ldx, a.x + m * w.columns, static_cast<std::size_t>(w.columns) * sizeof(float));
    std::memset(x + m * ldx + w.columns, 0, static_cast<std::size_t>(ldx - w.columns) * sizeof(float));
  }
  const Index rows = gemm::round_up(kQuadTask / ldx + 1, 4), strips = gemm::ceil_div(w.rows, rows);
  parallel.run(static_cast<int>(strips), [&](int task, int) {
    const Index n0 = task * rows, n1 = gemm::least(w.rows, n0 + rows);
    switch (a.M) {
      case 1: quad_strip<1>(a, x, ldx, n0, n1); break;
      case 2: quad_strip<2>(a, x, ldx, n0, n1); break;
      case 3: quad_strip<3>(a, x, ldx, n0, n1); break;
      default: quad_strip<4>(a, x, ldx, n0, n1); break;
    }
    if (a.epilogue)
      for (Index m = 0; m < a.M; ++m) a.epilogue(a.epilogue_self, a.y + m * w.rows + n0, m, n0, n1 - n0, 0);
  });
}

}  // namespace sparse
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
