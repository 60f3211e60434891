// The gradient of a convolution to its weights (and bias): for each chunk of output pixels, the tile of conv_micro.inl.h with
// j = (ci, kh, kw), k = pixel and w = dy transposed to [pixel][panel], summed into dw^T [j][panel].
//
// Chunks are cut into groups by the shape alone; each group sums into a partial of its own, and the partials are added in the
// order of the groups, so the bits do not depend on who computed which.
#pragma once
#include "kernels/conv/conv_plan.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr Index kConvReduceRows = 64;  // rows of dw^T that one task of the final sum takes

struct WeightsPlan {
  ConvShape s;
  Index in = 0, out = 0, taps = 0;  // channels of a group
  Index rows_out = 0, cols_out = 0;
  ConvChunk chunk;
  Index chunks_n = 0, chunks_h = 0, chunks_w = 0;
  Index panels = 0, panels_per_task = 1, panel_tasks = 1;
  Index block = 0, blocks = 1;  // input channels of a task
  Index chunk_groups = 1;

  explicit WeightsPlan(const ConvShape& shape) : s(conv_collapse(shape)) {
    in = s.c_in / s.groups, out = s.c_out / s.groups, taps = s.kh * s.kw;
    rows_out = conv_max(0, s.out_h()), cols_out = conv_max(0, s.out_w());
    panels = conv_ceil(out, kConvPanel);
    cut_pixels();
    // About 32 tasks: groups of chunks first (they share nothing), while all partials together stay under 16 MiB; then panels
    // and blocks of input channels, whichever repeats less work: each panel task copies x again, each block transposes dy again.
    const Index partial_bytes = conv_max(1, partial() * 4);
    chunk_groups = conv_max(1, conv_min(conv_min(chunks(), 32), (Index{16} << 20) / partial_bytes));
    const Index missing = conv_ceil(32, chunk_groups * s.groups);
    Index best = -1;
    for (Index p = 1; p <= conv_min(panels, missing); ++p) {
      const Index b = conv_max(1, conv_min(in / 16, conv_ceil(missing, p)));
      const Index lacking = conv_max(0, missing - p * b);  // tasks that this cut does not give
      const Index cost = (p * in + 2 * b * out) * (1 + lacking);
      if (best < 0 || cost < best) best = cost, panel_tasks = p, blocks = b;
    }
    panels_per_task = conv_max(1, conv_ceil(panels, panel_tasks));
    panel_tasks = conv_ceil(panels, panels_per_task);
    block = conv_ceil(in, blocks);
    blocks = block == 0 ? 1 : conv_ceil(in, block);
  }

  void cut_pixels() {
    if (rows_out == 0 || cols_out == 0 || s.n == 0) return;
    chunk.cols = conv_ceil(cols_out, conv_ceil(cols_out, kConvDepth));
    const Index rows = conv_max(1, kConvDepth / chunk.cols);
    chunk.rows = conv_ceil(rows_out, conv_ceil(rows_out, rows));
    if (chunk.rows == rows_out && chunk.cols == cols_out)
      chunk.images = conv_max(1, conv_min(conv_ceil(s.n, 16), kConvDepth / (rows_out * cols_out)));
    chunks_n = conv_ceil(s.n, chunk.images), chunks_h = conv_ceil(rows_out, chunk.rows),
    chunks_w = conv_ceil(cols_out, chunk.cols);
  }
  Index chunks() const { return chunks_n * chunks_h * chunks_w; }
  Index first_chunk(Index g) const { return g * chunks() / chunk_groups; }
  Index rows_of_group() const { return in * taps; }  // J
  Index tasks() const { return chunk_groups * s.groups * panel_tasks * blocks; }
  ConvWindow window() const {
    return ConvWindow(block, (chunk.rows - 1) * s.stride_h + (s.kh - 1) * s.dilation_h + 1,
                      (chunk.cols - 1) * s.stride_w + (s.kw - 1) * s.dilation_w + 1);
  }
  int vecs(Index panel) const { return conv_panel_vecs(out - panel * kConvPanel); }
  Index width(Index panel) const { return vecs(panel) * kLanes; }
  // Floats of dw^T of all groups and panels: one partial.
  Index partial() const { return s.groups * panels * kConvPanel * rows_of_group(); }
  Index partial_panel(Index group, Index panel) const {
    return (group * panels + panel) * kConvPanel * rows_of_group();
  }
  double flops() const { return 2.0 * double(s.n * s.c_out) * double(rows_out * cols_out) * double(rows_of_group()); }
};

struct WeightsWorker {
  float *window, *dy;    // (images, block, rows, cols), (pixels, panel)
  std::int32_t* offset;  // (pixels)
  // What the offsets were made for.
  Index images = 0, rows = 0, cols = 0;
};

inline WeightsWorker weights_worker(const WeightsPlan& p, ConvArena& arena) {
  WeightsWorker w;
  w.window = arena.take<float>(p.chunk.images * p.window().image());
  w.dy = arena.take<float>(conv_max(p.chunk.pixels(), kConvReduceRows) * kConvPanel);
  w.offset = arena.take<std::int32_t>(p.chunk.pixels());
  return w;
}

struct WeightsCall {
  const WeightsPlan& p;
  const ConvBackwardWeightsArgs& args;
  float *partials, *bias_partials;  // (chunk_groups, partial), (chunk_groups, C_out)
  const std::int32_t *base, *row;   // (block * taps)
};

inline void weights_offsets(const WeightsPlan& p, WeightsWorker& worker, Index images, Index rows, Index cols) {
  if (worker.images == images && worker.rows == rows && worker.cols == cols) return;
  worker.images = images, worker.rows = rows, worker.cols = cols;
  const ConvWindow win = p.window();
  std::int32_t* to = worker.offset;
  for (Index i = 0; i < images; ++i)
    for (Index r = 0; r < rows; ++r)
      for (Index c = 0; c < cols; ++c)
        *to++ = static_cast<std::int32_t>(i * win.image() + r * p.s.stride_h * win.cols + c * p.s.stride_w);
}

// dy of one chunk and panel, transposed to [pixel][width].
inline void weights_transpose_dy(const WeightsCall& call, Index channel, Index channels, Index width, Index n0,
                                 Index r0, Index c0, const WeightsWorker& worker) {
  const WeightsPlan& p = call.p;
  const Index pixels = p.rows_out * p.cols_out;
  const bool whole_rows = worker.cols == p.cols_out;
  const Index segments = whole_rows ? 1 : worker.rows, length = whole_rows ? worker.rows * worker.cols : worker.cols;
  float* to = worker.dy;
  if (channels < width) conv_zero(to, worker.images * worker.rows * worker.cols * width);
  for (Index i = 0; i < worker.images; ++i)
    for (Index segment = 0; segment < segments; ++segment, to += length * width) {
      const float* from = call.args.dy + ((n0 + i) * p.s.c_out + channel) * pixels + (r0 + segment) * p.cols_out + c0;
      conv_transpose(from, pixels, channels, length, to, width);
    }
}

// db[v] += the sum over pixels of dy^T, in four strands.
inline void weights_bias(const float* dy, Index pixels, Index width, Index channels, float* db) {
  for (Index v = 0; v < channels; v += kLanes) {
    Vec sum[4] = {Vec::zero(), Vec::zero(), Vec::zero(), Vec::zero()};
    Index i = 0;
    for (; i + 4 <= pixels; i += 4)
      for (int k = 0; k < 4; ++k) sum[k] = sum[k] + Vec::load(dy + (i + k) * width + v);
    for (; i < pixels; ++i) sum[0] = sum[0] + Vec::load(dy + i * width + v);
    const Index lanes = conv_min(kLanes, channels - v);
    (Vec::load(db + v, lanes) + ((sum[0] + sum[1]) + (sum[2] + sum[3]))).store(db + v, lanes);
  }
}

struct WeightsTask {
  Index panel0, panel1, channel0, channels, group, chunk_group;
  bool first_chunk;  // sets the sums instead of adding to them
};

inline void weights_chunk(const WeightsCall& call, const WeightsTask& t, Index n0, Index images, Index r0, Index c0,
                          WeightsWorker& worker) {
  const WeightsPlan& p = call.p;
  const ConvShape& s = p.s;
  const ConvWindow full = p.window();
  ConvWindow win = full;
  win.channels = t.channels;
  weights_offsets(p, worker, images, conv_min(p.chunk.rows, p.rows_out - r0), conv_min(p.chunk.cols, p.cols_out - c0));
  for (Index i = 0; i < images; ++i)
    conv_fill_window(win, call.args.x + ((n0 + i) * s.c_in + t.group * p.in + t.channel0) * s.h * s.w, s.h, s.w,
                     r0 * s.stride_h - s.pad_top, c0 * s.stride_w - s.pad_left, true, worker.window + i * full.image());
  const Index pixels = images * worker.rows * worker.cols;
  for (Index panel = t.panel0; panel < t.panel1; ++panel) {
    const Index width = p.width(panel), channels = conv_min(width, p.out - panel * kConvPanel);
    const Index channel = t.group * p.out + panel * kConvPanel;
    weights_transpose_dy(call, channel, channels, width, n0, r0, c0, worker);
    float* sums =
        call.partials + t.chunk_group * p.partial() + p.partial_panel(t.group, panel) + t.channel0 * p.taps * width;
    if (call.bias_partials && t.channel0 == 0)
      weights_bias(worker.dy, pixels, width, channels, call.bias_partials + t.chunk_group * s.c_out + channel);
    conv_tiles({worker.window, call.base, worker.offset, worker.dy, pixels, sums, call.row, !t.first_chunk},
               t.channels * p.taps, p.vecs(panel));
  }
}

inline void weights_task(const WeightsCall& call, Index task, WeightsWorker worker) {
  const WeightsPlan& p = call.p;
  const auto next = [&task](Index count) {
    const Index digit = task % count;
    task /= count;
    return digit;
  };
  WeightsTask t;
  t.panel0 = next(p.panel_tasks) * p.panels_per_task, t.panel1 = conv_min(p.panels, t.panel0 + p.panels_per_task);
  t.channel0 = next(p.blocks) * p.block, t.channels = conv_min(p.block, p.in - t.channel0);
  t.group = next(p.s.groups), t.chunk_group = task;
  const Index first = p.first_chunk(t.chunk_group), end = p.first_chunk(t.chunk_group + 1);
  for (Index panel = t.panel0; panel < t.panel1; ++panel) {
    const Index width = p.width(panel), channel = t.group * p.out + panel * kConvPanel;
    if (first == end)  // no pixels: the first chunk does not set the sums
      conv_zero(
          call.partials + t.chunk_group * p.partial() + p.partial_panel(t.group, panel) + t.channel0 * p.taps * width,
          t.channels * p.taps * width);
    if (call.bias_partials && t.channel0 == 0)
      conv_zero(call.bias_partials + t.chunk_group * p.s.c_out + channel, conv_min(width, p.out - panel * kConvPanel));
  }
  for (Index chunk = first; chunk < end; ++chunk) {
    t.first_chunk = chunk == first;
    const Index n0 = chunk / (p.chunks_h * p.chunks_w) * p.chunk.images;
    const Index r0 = chunk / p.chunks_w % p.chunks_h * p.chunk.rows, c0 = chunk % p.chunks_w * p.chunk.cols;
    weights_chunk(call, t, n0, conv_min(p.chunk.images, p.s.n - n0), r0, c0, worker);
  }
}

// Adds the partials of some rows of one panel in the order of the groups, and transposes the sum into dw.
inline void weights_reduce(const WeightsCall& call, Index group, Index panel, Index row0, float* buffer) {
  const WeightsPlan& p = call.p;
  const Index J = p.rows_of_group(), width = p.width(panel), rows = conv_min(kConvReduceRows, J - row0);
  const float* from = call.partials + p.partial_panel(group, panel) + row0 * width;
  for (Index i = 0; i < rows * width; i += kLanes) {
    Vec sum = Vec::load(from + i);
    for (Index g = 1; g < p.chunk_groups; ++g) sum = sum + Vec::load(from + g * p.partial() + i);
    sum.store(buffer + i);
  }
  const Index channels = conv_min(width, p.out - panel * kConvPanel);
  float* dw = call.args.dw + (group * p.out + panel * kConvPanel) * J + row0;
  if (call.args.accumulate) return conv_transpose<true>(buffer, width, rows, channels, dw, J);
  conv_transpose(buffer, width, rows, channels, dw, J);
}

inline void weights_reduce_bias(const WeightsCall& call) {
  const Index C = call.p.s.c_out;
  for (Index c = 0; c < C; ++c) {
    float sum = call.bias_partials[c];
    for (Index g = 1; g < call.p.chunk_groups; ++g) sum += call.bias_partials[g * C + c];
    call.args.db[c] = call.args.accumulate ? call.args.db[c] + sum : sum;
  }
}

struct WeightsMemory {
  float *partials, *bias_partials;
  std::int32_t *base, *row;
};

inline WeightsMemory weights_memory(const WeightsPlan& p, bool bias, ConvArena& arena) {
  WeightsMemory m;
  m.partials = arena.take<float>(p.chunk_groups * p.partial());
  m.bias_partials = bias ? arena.take<float>(p.chunk_groups * p.s.c_out) : nullptr;
  m.base = arena.take<std::int32_t>(p.block * p.taps);
  m.row = arena.take<std::int32_t>(p.block * p.taps);
  return m;
}

inline Index correlate_weights_workspace(const ConvBackwardWeightsArgs& args, int workers) {
  const WeightsPlan p(args.shape);
  ConvArena arena;
  weights_memory(p, args.db != nullptr, arena);
  for (int i = 0; i < workers; ++i) weights_worker(p, arena);
  return arena.used;
}

inline void correlate_weights(const ConvBackwardWeightsArgs& args, Parallel& parallel, void* workspace) {
  const WeightsPlan p(args.shape);
  if (p.panels == 0) return;
  ConvArena arena{static_cast<char*>(workspace)};
  const WeightsMemory m = weights_memory(p, args.db != nullptr, arena);
  const ConvWindow win = p.window();
  for (Index ci = 0, j = 0; ci < p.block; ++ci)
    for (Index a = 0; a < p.s.kh; ++a)
      for (Index b = 0; b < p.s.kw; ++b, ++j) {
        m.base[j] = static_cast<std::int32_t>(ci * win.plane + a * p.s.dilation_h * win.cols + b * p.s.dilation_w);
        m.row[j] = static_cast<std::int32_t>(j);
      }
  ConvArena one;
  weights_worker(p, one);
  char* const scratch = arena.start + arena.used;
  const WeightsCall call = {p, args, m.partials, m.bias_partials, m.base, m.row};
  conv_run(parallel, p.tasks(), p.flops(), [&](int task, int worker) {
    ConvArena own{scratch + worker * one.used};
    weights_task(call, task, weights_worker(p, own));
  });
  const Index pieces = conv_ceil(p.rows_of_group(), kConvReduceRows);
  const double adds = double(p.partial()) * double(p.chunk_groups);
  conv_run(parallel, p.s.groups * p.panels * pieces, adds, [&](int task, int worker) {
    ConvArena own{scratch + worker * one.used};
    const Index panel = task / pieces % p.panels, group = task / pieces / p.panels;
    weights_reduce(call, group, panel, task % pieces * kConvReduceRows, weights_worker(p, own).dy);
  });
  if (args.db) weights_reduce_bias(call);
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
