// Backward attention. With P = exp(scale q kᵀ + mask - lse) recomputed block by block and delta = Σ_d dy y of each row:
//   dV = Pᵀ dY;  dP = dY Vᵀ;  dS = P (dP - delta);  dQ = scale dS K;  dK = dSᵀ (scale Q).
// A task owns one (batch, key head) and walks over blocks of keys; for each it meets the queries of all query heads of the
// group, so dK and dV are summed by one thread in one order. dQ is summed over the blocks of keys, also in order. Where there
// are few heads, the blocks of keys are split into several tasks; each then sums a dQ of its own in the workspace, and a
// second pass adds those up. How many splits there are follows from the shape.
#pragma once
#include "kernels/attention/attention_forward.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace attention {

struct BackwardSplit {
  Index blocks;  // of kKeyBlock keys
  Index splits;

  explicit BackwardSplit(const AttentionShape& shape) {
    const Index heads = larger(1, shape.batch * shape.kv_heads);
    blocks = larger(1, divide_up(shape.keys, kKeyBlock));
    splits = smaller(blocks, divide_up(16, heads));
  }
};

struct BackwardLayout {
  Index kt, vt, k, dk, dv, q, dy, dq, p, ds, delta, size;

  explicit BackwardLayout(Index depth) {
    const Index padded = round_up(depth, kPanel);
    Index at = 0;
    const auto take = [&at](Index floats) {
      const Index begin = at;
      at += round_up(floats, 16);
      return begin;
    };
    kt = take(kKeyBlock * depth);
    vt = take(kKeyBlock * depth);
    k = take(kKeyBlock * padded);
    dk = take(kKeyBlock * padded);
    dv = take(kKeyBlock * padded);
    q = take(kQueryBlock * padded);
    dy = take(kQueryBlock * padded);
    dq = take(kQueryBlock * padded);
    p = take(kQueryBlock * kPitch);
    ds = take(kQueryBlock * kPitch);
    delta = take(kQueryBlock);
    size = at;
  }
};

// c (panels of kKeyBlock rows: keys) += Pᵀ B, P (rows, width) in rows, b: panels of kQueryBlock rows.
inline void gather(const Block& block, const float* p, const float* b, Index depth, float* c) {
  const Index strips = divide_up(block.width, kRows);
  for (Index d = 0; d < depth; d += kPanel) {
    for (Index i = 0; i < strips; ++i) {
      const Part strip = part_of(block.width, strips, i);
      Index row = strip.begin + 1 - block.seen0;  // the first that sees a key of the strip
      row = larger(0, smaller(block.rows, row));
      const Tile tile{.a = p + row * kPitch + strip.begin,
                      .b = b + d * kQueryBlock + row * kPanel,
                      .depth = block.rows - row,
                      .c = c + d * kKeyBlock + strip.begin * kPanel,
                      .c_row = kPanel};
      kTiles.columns[strip.end - strip.begin](tile);
    }
  }
}

inline float dot(const float* a, const float* b, Index n) {
  Vec sum = Vec::zero();
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) sum = fma(Vec::load(a + i), Vec::load(b + i), sum);
  if (i < n) sum = fma(Vec::load(a + i, n - i), Vec::load(b + i, n - i), sum);
  return reduce_add(sum);
}

// rows x depth in panels, times factor, to (or onto) strided rows.
inline void write_scaled(const float* panels, Index panel_rows, Index rows, Index depth, float factor, bool add,
                         float* to, Index ld) {
  const Vec f = Vec::broadcast(factor);
  for (Index r = 0; r < rows; ++r, to += ld) {
    if (r + kRowsAhead < rows) prefetch_row(to + kRowsAhead * ld, depth);
    for (Index d = 0; d < depth; d += kLanes) {
      const Index n = smaller(kLanes, depth - d);
      Vec x = Vec::load(panels + d / kPanel * kPanel * panel_rows + r * kPanel + d % kPanel) * f;
      if (n == kLanes) {
        if (add) x = x + Vec::load(to + d);
        x.store(to + d);
      } else {
        if (add) x = x + Vec::load(to + d, n);
        x.store(to + d, n);
      }
    }
  }
}

inline void clear_rows(float* to, Index ld, Index rows, Index depth) {
  for (Index r = 0; r < rows; ++r, to += ld)
    for (Index d = 0; d < depth; d += kLanes) Vec::zero().store(to + d, smaller(kLanes, depth - d));
}

struct BackwardTask {
  const AttentionBackward& args;
  float* buffers;
  AttentionView<float> dq;  // where this task sums dq
  Index batch, kv_head;

  const float* at(const AttentionView<const float>& x, Index head, Index row) const {
    return x.data + batch * x.batch + head * x.head + row * x.row;
  }

  // One block of keys against one block of queries.
  void meet(const BackwardLayout& at_, Index head, Index query, const Block& block, Index key, bool first) const {
    const AttentionShape& shape = args.shape;
    const Index depth = shape.depth;
    float* dq_rows = dq.data + batch * dq.batch + head * dq.head + query * dq.row;
    if (block.width == 0) {
      if (first) clear_rows(dq_rows, dq.row, block.rows, depth);
      return;
    }
    float* p = buffers + at_.p;
    float* ds = buffers + at_.ds;
    float* delta = buffers + at_.delta;
    const float* y = at(args.y, head, query);
    const float* dy = at(args.dy, head, query);
    const Index left = shape.queries - query;  // the next block's rows are fetched ahead too
    for (Index r = 0; r < block.rows; ++r) {
      if (r + kRowsAhead < left) {
        prefetch_row(y + (r + kRowsAhead) * args.y.row, depth);
        prefetch_row(dy + (r + kRowsAhead) * args.dy.row, depth);
      }
      delta[r] = dot(y + r * args.y.row, dy + r * args.dy.row, depth);
    }
    pack_rows(at(args.q, head, query), args.q.row, block.rows, depth, shape.scale, buffers + at_.q, kQueryBlock, left);
    pack_rows(dy, args.dy.row, block.rows, depth, 1.0F, buffers + at_.dy, kQueryBlock);
    logits(block, buffers + at_.q, kQueryBlock, buffers + at_.kt, depth, p);
    logits(block, buffers + at_.dy, kQueryBlock, buffers + at_.vt, depth, ds);
    const float* lse = args.lse + (batch * shape.heads + head) * shape.queries + query;
    softmax_gradient_block(block, mask_at(args.mask, batch, head, query, key), p, ds, {lse, delta});
    gather(block, p, buffers + at_.dy, depth, buffers + at_.dv);
    gather(block, ds, buffers + at_.q, depth, buffers + at_.dk);
    weigh(block, ds, buffers + at_.k, depth, buffers + at_.dq, kQueryBlock, nullptr);
    write_scaled(buffers + at_.dq, kQueryBlock, block.rows, depth, shape.scale, !first, dq_rows, dq.row);
  }

  void run(Part key_blocks) const {
    const AttentionShape& shape = args.shape;
    const Index depth = shape.depth;
    const BackwardLayout at_(depth);
    const Index group = shape.heads / shape.kv_heads;
    const Index query_blocks = divide_up(shape.queries, kQueryBlock);
    for (Index b = key_blocks.begin; b < key_blocks.end; ++b) {
      const Index key = b * kKeyBlock;
      const Index keys = smaller(kKeyBlock, shape.keys - key);
      const float* k = at(args.k, kv_head, key);
      pack_transposed(k, args.k.row, keys, depth, buffers + at_.kt);
      pack_transposed(at(args.v, kv_head, key), args.v.row, keys, depth, buffers + at_.vt);
      pack_rows(k, args.k.row, keys, depth, 1.0F, buffers + at_.k, kKeyBlock);
      clear(buffers + at_.dk, 0, kKeyBlock * round_up(depth, kPanel));
      clear(buffers + at_.dv, 0, kKeyBlock * round_up(depth, kPanel));
      for (Index g = 0; g < group; ++g) {
        for (Index i = 0; i < query_blocks; ++i) {
          const Part part = part_of(shape.queries, query_blocks, i);
          const Block block = block_of(shape, part.begin, part.end - part.begin, key, keys);
          meet(at_, kv_head * group + g, part.begin, block, key, b == key_blocks.begin);
        }
      }
      const auto to = [&](const AttentionView<float>& x) {
        return x.data + batch * x.batch + kv_head * x.head + key * x.row;
      };
      write_scaled(buffers + at_.dk, kKeyBlock, keys, depth, 1.0F, false, to(args.dk), args.dk.row);
      write_scaled(buffers + at_.dv, kKeyBlock, keys, depth, 1.0F, false, to(args.dv), args.dv.row);
    }
  }
};

// dq = Σ over splits of the partial sums, each (B, H, Tq, D) and contiguous; some rows of one (batch, head).
inline void add_partials(const AttentionBackward& args, const float* partials, Index splits, Index batch, Index head,
                         Part rows) {
  const AttentionShape& shape = args.shape;
  const Index stride = shape.batch * shape.heads * shape.queries * shape.depth;
  for (Index r = rows.begin; r < rows.end; ++r) {
    const float* from = partials + ((batch * shape.heads + head) * shape.queries + r) * shape.depth;
    float* to = args.dq.data + batch * args.dq.batch + head * args.dq.head + r * args.dq.row;
    for (Index d = 0; d < shape.depth; d += kLanes) {
      const Index n = smaller(kLanes, shape.depth - d);
      Vec sum = Vec::load(from + d, n);
      for (Index i = 1; i < splits; ++i) sum = sum + Vec::load(from + i * stride + d, n);
      sum.store(to + d, n);
    }
  }
}

inline Index partial_floats(const AttentionShape& shape, Index splits) {
  return splits == 1 ? 0 : round_up(splits * shape.batch * shape.heads * shape.queries * shape.depth, 16);
}

inline Index backward_workspace(const AttentionShape& shape, int workers) {
  const Index partials = partial_floats(shape, BackwardSplit(shape).splits);
  return (partials + BackwardLayout(shape.depth).size * workers) * Index{sizeof(float)};
}

inline void backward(const AttentionBackward& args, void* workspace, Parallel& parallel) {
  const AttentionShape& shape = args.shape;
  if (shape.batch * shape.kv_heads * shape.depth == 0) return;
  const BackwardSplit split(shape);
  float* partials = static_cast<float*>(workspace);
  float* buffers = partials + partial_floats(shape, split.splits);
  const Index worker_size = BackwardLayout(shape.depth).size;
  const Index head_stride = shape.queries * shape.depth;
  parallel.run(static_cast<int>(shape.batch * shape.kv_heads * split.splits), [&](int task, int worker) {
    const Index pair = task / split.splits;
    const Index part = task % split.splits;
    const AttentionView<float> own{partials + part * shape.batch * shape.heads * head_stride, shape.heads * head_stride,
                                   head_stride, shape.depth};
    const BackwardTask work{args, buffers + worker * worker_size, split.splits == 1 ? args.dq : own,
                            pair / shape.kv_heads, pair % shape.kv_heads};
    work.run(part_of(split.blocks, split.splits, part));
  });
  if (split.splits == 1) return;
  const Index parts = divide_up(shape.queries, 256);
  parallel.run(static_cast<int>(shape.batch * shape.heads * parts), [&](int task, int) {
    const Index pair = task / parts;
    add_partials(args, partials, split.splits, pair / shape.heads, pair % shape.heads,
                 part_of(shape.queries, parts, task % parts));
  });
}

}  // namespace attention
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
