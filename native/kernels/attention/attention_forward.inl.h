// Forward attention. A task is some queries of one (batch, head). It walks over blocks of keys, packs each once and lets all
// its queries meet it, kQueryBlock at a time, so that the logits stay in the first cache level:
//   S = (scale Q) Kᵀ;  P, m, l = online softmax of S;  Y = Y * factor + P V;  at the end y = Y / l, lse = m + log l.
// Tiles wholly above the diagonal are skipped, and the tile on it costs no more than a register panel too much.
#pragma once
#include "kernels/attention/attention_softmax.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace attention {

// Queries a task: many where there are heads enough to keep threads busy, because each task packs the keys anew.
inline Index task_rows(const AttentionShape& shape) {
  Index rows = 256;
  while (rows > 64 && shape.batch * shape.heads * divide_up(shape.queries, rows) < 64) rows /= 2;
  return smaller(rows, larger(1, shape.queries));
}

// One worker's buffers, in floats from its base.
struct ForwardLayout {
  Index q, y, kt, v, s, top, total, factor, size;

  ForwardLayout(Index rows, Index depth) {
    const Index padded = round_up(depth, kPanel);
    Index at = 0;
    const auto take = [&at](Index floats) {
      const Index begin = at;
      at += round_up(floats, 16);
      return begin;
    };
    q = take(padded * rows);
    y = take(padded * rows);
    kt = take(kKeyBlock * depth);
    v = take(kKeyBlock * padded);
    s = take(kQueryBlock * kPitch);
    top = take(rows);
    total = take(rows);
    factor = take(kQueryBlock);
    size = at;
  }
};

// S (rows, width) of one block: every panel of keys against every strip of queries that sees any of it.
// a: panels of panel_rows rows, from the block's first row on; b: panels of the transposed keys.
inline void logits(const Block& block, const float* a, Index panel_rows, const float* b, Index depth, float* s) {
  const Index strips = divide_up(block.rows, kRows);
  for (Index key = 0; key < block.width; key += kPanel) {
    for (Index i = 0; i < strips; ++i) {
      const Part strip = part_of(block.rows, strips, i);
      if (block.seen(strip.end - 1) <= key) continue;
      const Tile tile{.a = a + strip.begin * kPanel,
                      .a_panel = panel_rows * kPanel,
                      .b = b + key * depth,
                      .depth = depth,
                      .c = s + strip.begin * kPitch + key,
                      .c_row = kPitch};
      kTiles.panels[strip.end - strip.begin](tile);
    }
  }
}

// c (panels of panel_rows rows) = [c * factor +] P B, P (rows, width) in rows, b: panels of kKeyBlock rows.
inline void weigh(const Block& block, const float* p, const float* b, Index depth, float* c, Index panel_rows,
                  const float* factor) {
  const Index strips = divide_up(block.rows, kRows);
  const TileTable::Kernel* kernels = factor ? kTiles.rescale : kTiles.rows;
  for (Index d = 0; d < depth; d += kPanel) {
    for (Index i = 0; i < strips; ++i) {
      const Part strip = part_of(block.rows, strips, i);
      const Tile tile{.a = p + strip.begin * kPitch,
                      .b = b + d * kKeyBlock,
                      .depth = block.seen(strip.end - 1),
                      .c = c + d * panel_rows + strip.begin * kPanel,
                      .c_row = kPanel,
                      .factor = factor ? factor + strip.begin : nullptr};
      kernels[strip.end - strip.begin](tile);
    }
  }
}

// y = Y / total, from panels of panel_rows rows to strided rows. Rows without a total are zero.
inline void write_rows(const float* panels, Index panel_rows, Index rows, Index depth, const float* total, float* y,
                       Index ld) {
  for (Index r = 0; r < rows; ++r, y += ld) {
    if (r + kRowsAhead < rows) prefetch_row(y + kRowsAhead * ld, depth);
    const Vec f = Vec::broadcast(total[r] == 0.0F ? 0.0F : 1.0F / total[r]);
    for (Index d = 0; d < depth; d += kLanes) {
      const Vec x = Vec::load(panels + d / kPanel * kPanel * panel_rows + r * kPanel + d % kPanel) * f;
      if (depth - d >= kLanes) {
        x.store(y + d);
      } else {
        x.store(y + d, depth - d);
      }
    }
  }
}

inline void forward_task(const AttentionForward& args, Index batch, Index head, Part queries, Index panel_rows,
                         float* buffers) {
  const AttentionShape& shape = args.shape;
  const Index depth = shape.depth;
  const Index kv_head = head / (shape.heads / shape.kv_heads);
  const Index rows = queries.end - queries.begin;
  const ForwardLayout at(panel_rows, depth);
  const float* k = args.k.data + batch * args.k.batch + kv_head * args.k.head;
  const float* v = args.v.data + batch * args.v.batch + kv_head * args.v.head;
  const float* q = args.q.data + batch * args.q.batch + head * args.q.head + queries.begin * args.q.row;
  pack_rows(q, args.q.row, rows, depth, shape.scale, buffers + at.q, panel_rows);

  const Index key_end = shape.causal ? smaller(shape.keys, queries.end + shape.causal_offset) : shape.keys;
  const Index blocks = divide_up(rows, kQueryBlock);
  for (Index key = 0; key == 0 || key < key_end; key += kKeyBlock) {
    const Index keys = larger(0, smaller(kKeyBlock, key_end - key));
    pack_transposed(k + key * args.k.row, args.k.row, keys, depth, buffers + at.kt);
    pack_rows(v + key * args.v.row, args.v.row, keys, depth, 1.0F, buffers + at.v, kKeyBlock);
    for (Index i = 0; i < blocks; ++i) {
      const Part part = part_of(rows, blocks, i);
      const Index query = queries.begin + part.begin;
      const Block block = block_of(shape, query, part.end - part.begin, key, keys);
      if (key > 0 && block.width == 0) continue;
      float* s = buffers + at.s;
      float* factor = buffers + at.factor;
      const Running state{buffers + at.top + part.begin, buffers + at.total + part.begin};
      logits(block, buffers + at.q + part.begin * kPanel, panel_rows, buffers + at.kt, depth, s);
      softmax_block(block, mask_at(args.mask, batch, head, query, key), s, state, factor, key == 0);
      weigh(block, s, buffers + at.v, depth, buffers + at.y + part.begin * kPanel, panel_rows,
            key == 0 ? nullptr : factor);
    }
  }

  const float* top = buffers + at.top;
  const float* total = buffers + at.total;
  float* y = args.y.data + batch * args.y.batch + head * args.y.head + queries.begin * args.y.row;
  write_rows(buffers + at.y, panel_rows, rows, depth, total, y, args.y.row);
  if (args.lse == nullptr) return;
  float* lse = args.lse + (batch * shape.heads + head) * shape.queries + queries.begin;
  for (Index r = 0; r < rows; ++r) lse[r] = total[r] == 0.0F ? kHidden : top[r] + __builtin_logf(total[r]);
}

inline Index forward_workspace(const AttentionShape& shape, int workers) {
  return ForwardLayout(task_rows(shape), shape.depth).size * Index{sizeof(float)} * workers;
}

inline void forward(const AttentionForward& args, void* workspace, Parallel& parallel) {
  const AttentionShape& shape = args.shape;
  if (shape.batch * shape.heads * shape.queries == 0) return;
  const Index panel_rows = task_rows(shape);
  const Index parts = divide_up(shape.queries, panel_rows);
  const Index worker_size = ForwardLayout(panel_rows, shape.depth).size;
  parallel.run(static_cast<int>(shape.batch * shape.heads * parts), [&](int task, int worker) {
    const Index pair = task / parts;
    const Index part = parts - 1 - task % parts;  // the longest first, when causal
    forward_task(args, pair / shape.heads, pair % shape.heads, part_of(shape.queries, parts, part), panel_rows,
                 static_cast<float*>(workspace) + worker * worker_size);
  });
}

}  // namespace attention
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
