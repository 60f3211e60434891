// How a state slot lies in memory.
#pragma once
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// Other formats are decoded into strips of f32 beside the loop: coded.inl.h.
struct F32State {
  static ATHANOR_INLINE Vec load(const void* state, Index i) { return Vec::load(static_cast<const float*>(state) + i); }
  static ATHANOR_INLINE Vec load(const void* state, Index i, Index n) {
    return Vec::load(static_cast<const float*>(state) + i, n);
  }
  static ATHANOR_INLINE void store(void* state, Index i, Vec x) { x.store(static_cast<float*>(state) + i); }
  static ATHANOR_INLINE void store(void* state, Index i, Vec x, Index n) { x.store(static_cast<float*>(state) + i, n); }
};

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
