// The row work between the products of attention: masks, online softmax, and its gradient.
//
// A block holds the logits of some queries against at most kKeyBlock keys, rows kPitch apart. A row sees the first `seen`
// keys of the block. Whatever lies right of them is made 0 up to `width`, the most that any row of the block sees, so that
// the products can run over whole tiles.
// exponential(x) is meant for x <= 0 (softmax): e^x = 2^n (1 + r + r² p(r)), degree 6, within 2 ulp; below -86.5 it is 0,
// which is less than 1e-37 of the row's largest term; NaN stays NaN.
#pragma once
#include "kernels/attention/attention_tile.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace attention {

ATHANOR_INLINE Vec exponential(Vec x) {
  // 1.5 * 2^23 rounds to an integer in the low bits; 127 more is the bias of the exponent of 2^n, shifted into place below.
  const Vec magic = Vec::broadcast(12582912.0F + 127.0F);
  const Vec t = fma(x, Vec::broadcast(1.44269504F), magic);
  const Vec n = t - magic;
  const Vec r = fnma(n, Vec::broadcast(-2.12194440e-4F), fnma(n, Vec::broadcast(0.693359375F), x));
  Vec p = fma(Vec::broadcast(0.00138145406F), r, Vec::broadcast(0.00836874545F));
  p = fma(p, r, Vec::broadcast(0.041668389F));
  p = fma(p, r, Vec::broadcast(0.166665211F));
  p = fma(p, r, Vec::broadcast(0.49999994F));
  p = fma(p, r, Vec::broadcast(1.0F));
  p = fma(p, r, Vec::broadcast(1.0F));
  return select(x < Vec::broadcast(-86.5F), Vec::zero(), p * as_float(shl<23>(as_int(t))));
}

inline constexpr float kHidden = -__builtin_inff();

// The mask of one (batch, head), from the block's first query and key on.
struct BlockMask {
  const float* add;
  const std::uint8_t* keep;
  Index row;
};

inline BlockMask mask_at(const AttentionMask& mask, Index batch, Index head, Index query, Index key) {
  const Index at = batch * mask.batch + head * mask.head + query * mask.row + key;
  return {mask.add ? mask.add + at : nullptr, mask.keep ? mask.keep + at : nullptr, mask.row};
}

inline void apply_mask(const BlockMask& mask, Index row, Index seen, float* s) {
  if (mask.add) {
    const float* m = mask.add + row * mask.row;
    Index j = 0;
    for (; j + kLanes <= seen; j += kLanes) (Vec::load(s + j) + Vec::load(m + j)).store(s + j);
    if (j < seen) (Vec::load(s + j, seen - j) + Vec::load(m + j, seen - j)).store(s + j, seen - j);
  }
  if (mask.keep) {
    const std::uint8_t* m = mask.keep + row * mask.row;
    Index j = 0;
    for (; j + kLanes <= seen; j += kLanes) {
      select(load_u8(m + j) == IVec::broadcast(0), Vec::broadcast(kHidden), Vec::load(s + j)).store(s + j);
    }
    for (; j < seen; ++j)
      if (m[j] == 0) s[j] = kHidden;
  }
}

// Hides the lanes from `seen` to the end of its vector, so that rows are handled in whole vectors.
ATHANOR_INLINE void hide_tail(float* s, Index seen) {
  const Index begin = seen / kLanes * kLanes;
  if (begin < seen) select(Mask::first(seen - begin), Vec::load(s + begin), Vec::broadcast(kHidden)).store(s + begin);
}

ATHANOR_INLINE void clear(float* s, Index begin, Index end) {
  for (Index j = begin; j < end; j += kLanes) Vec::zero().store(s + j);
}

struct Block {
  Index rows;   // queries
  Index keys;   // at most kKeyBlock
  Index width;  // the most keys that a row sees
  Index seen0;  // keys that row 0 sees, unclamped; each later row sees one more. Not causal: far beyond keys.
  Index seen(Index row) const { return larger(0, smaller(keys, seen0 + row)); }
};

inline Block block_of(const AttentionShape& shape, Index query, Index rows, Index key, Index keys) {
  Block block{rows, keys, 0, shape.causal ? query + shape.causal_offset + 1 - key : keys};
  block.width = block.seen(rows - 1);
  return block;
}

// The running state of the rows of a block: the highest logit so far, and the sum of exp(logit - top).
struct Running {
  float* top;
  float* total;
};

// One step of the online softmax: the logits s become exp(s - top), and factor[row] is what earlier sums of the row must be
// multiplied by. `first` starts the state, and leaves factor alone.
inline void softmax_block(const Block& block, const BlockMask& mask, float* s, Running state, float* factor,
                          bool first) {
  float sums[kQueryBlock];
  for (Index r = 0; r < block.rows; ++r, s += kPitch) {
    const Index seen = block.seen(r);
    const Index whole = round_up(seen, kLanes);
    apply_mask(mask, r, seen, s);
    hide_tail(s, seen);
    const float before = first ? kHidden : state.top[r];
    Vec highest = Vec::broadcast(before);
    for (Index j = 0; j < whole; j += kLanes) highest = max(highest, Vec::load(s + j));
    const float now = reduce_max(highest);
    const Vec shift = Vec::broadcast(now == kHidden ? 0.0F : now);  // nothing seen yet: every exponential is 0
    Vec sum = Vec::zero();
    for (Index j = 0; j < whole; j += kLanes) {
      const Vec p = exponential(Vec::load(s + j) - shift);
      p.store(s + j);
      sum = sum + p;
    }
    clear(s, whole, block.width);
    state.top[r] = now;
    sums[r] = reduce_add(sum);
    factor[r] = before == kHidden ? kHidden : before - now;
  }
  for (Index r = 0; r < block.rows; r += kLanes) {
    const Index n = smaller(kLanes, block.rows - r);
    const Vec scale = exponential(Vec::load(factor + r, n));
    scale.store(factor + r, n);
    const Vec sum = Vec::load(sums + r, n);
    (first ? sum : fma(Vec::load(state.total + r, n), scale, sum)).store(state.total + r, n);
  }
}

// Backward: s holds logits and g = dP. They become P = exp(s - lse) and dS = P * (dP - delta).
struct RowGradient {
  const float* lse;
  const float* delta;
};

inline void softmax_gradient_block(const Block& block, const BlockMask& mask, float* s, float* g, RowGradient row) {
  for (Index r = 0; r < block.rows; ++r, s += kPitch, g += kPitch) {
    const Index seen = block.seen(r);
    const Index whole = round_up(seen, kLanes);
    apply_mask(mask, r, seen, s);
    hide_tail(s, seen);
    // A row that saw nothing has lse = -inf: against +inf instead, every probability is 0.
    const Vec lse = Vec::broadcast(row.lse[r] == kHidden ? -kHidden : row.lse[r]);
    const Vec delta = Vec::broadcast(row.delta[r]);
    for (Index j = 0; j < whole; j += kLanes) {
      const Vec p = exponential(Vec::load(s + j) - lse);
      p.store(s + j);
      // dP of a hidden key takes no part, whatever it is.
      select(p == Vec::zero(), Vec::zero(), p * (Vec::load(g + j) - delta)).store(g + j);
    }
    clear(s, whole, block.width);
    clear(g, whole, block.width);
  }
}

}  // namespace attention
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
