// How a state slot lies in memory.
#pragma once
#include "simd/vec.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

// Others keep this shape: bf16 converts in load and store; a block format decodes a block
// into a strip of f32 beside the loop and encodes it afterwards.
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
