// Fused scaled-dot-product attention, f32: y = softmax(scale * q kᵀ + mask) v, tile by tile, without ever holding the
// [Tq, Tk] matrix (Dao 2023, FlashAttention-2, arXiv:2307.08691). Forward keeps one number a row, lse = log Σ exp(logit);
// backward recomputes the probabilities from it.
//
// q, y: [B, H, Tq, D]. k, v: [B, Hkv, Tk, D] where Hkv divides H; query head h reads key head h / (H / Hkv).
// Every tensor has free strides for batch, head and row, in elements; the inner dimension D is contiguous. So the output of
// a fused projection [B, T, 3, H, D] is read in place (row = 3HD, head = D) and y is written as [B, T, H, D] (row = HD).
// A row that sees no key at all (mask, or causal with Tq > Tk + offset) gives y = 0, lse = -inf and no gradient.
// Work is cut by the shape alone: the bits do not depend on the number of workers.
#pragma once
#include <cstdint>

#include "base/index.h"
#include "base/parallel.h"

namespace athanor {

struct AttentionShape {
  Index batch = 0;          // B
  Index heads = 0;          // H, of queries
  Index kv_heads = 0;       // Hkv, divides H
  Index queries = 0;        // Tq
  Index keys = 0;           // Tk
  Index depth = 0;          // D
  float scale = 1.0F;       // usually 1 / sqrt(D)
  bool causal = false;      // query i sees key j when j <= i + causal_offset
  Index causal_offset = 0;  // 0 as in PyTorch's is_causal; Tk - Tq for new queries at the end of a cache
};

template <class T>
struct AttentionView {
  T* data = nullptr;
  Index batch = 0;  // strides, in elements
  Index head = 0;
  Index row = 0;
};

// Added to the scaled logits, or a choice of keys. [1|B, 1|H, 1|Tq, Tk]: a stride of 0 broadcasts; keys are contiguous.
struct AttentionMask {
  const float* add = nullptr;          // -inf hides a key
  const std::uint8_t* keep = nullptr;  // 0 hides a key, anything else keeps it; at most one of the two is set
  Index batch = 0;                     // strides, in elements
  Index head = 0;
  Index row = 0;
};

struct AttentionForward {
  AttentionShape shape;
  AttentionView<const float> q;  // (B, H, Tq, D)
  AttentionView<const float> k;  // (B, Hkv, Tk, D)
  AttentionView<const float> v;  // (B, Hkv, Tk, D)
  AttentionMask mask;
  AttentionView<float> y;  // (B, H, Tq, D)
  float* lse = nullptr;    // (B, H, Tq), contiguous; may be null when no backward follows
};

struct AttentionBackward {
  AttentionShape shape;
  AttentionView<const float> q;
  AttentionView<const float> k;
  AttentionView<const float> v;
  AttentionMask mask;
  AttentionView<const float> y;   // of forward
  AttentionView<const float> dy;  // (B, H, Tq, D)
  const float* lse = nullptr;     // of forward
  AttentionView<float> dq;        // (B, H, Tq, D); all three are overwritten, and may be slices of one dqkv tensor
  AttentionView<float> dk;        // (B, Hkv, Tk, D)
  AttentionView<float> dv;        // (B, Hkv, Tk, D)
};

// The workspace has the size that the query answers, in bytes for that many workers, and is aligned to 64 bytes. Its
// contents need not be initialised and mean nothing afterwards.
struct AttentionKernels {
  Index (*forward_workspace)(const AttentionShape& shape, int workers);
  void (*forward)(const AttentionForward& args, void* workspace, Parallel& parallel);
  Index (*backward_workspace)(const AttentionShape& shape, int workers);
  void (*backward)(const AttentionBackward& args, void* workspace, Parallel& parallel);
};

}  // namespace athanor
