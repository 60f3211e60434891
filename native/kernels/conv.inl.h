// Forward convolution and the gradient to the data: one correlation of a source with packed weights (conv_plan.inl.h has the
// cutting, conv_micro.inl.h the tile). A task takes one chunk of pixels, copies the window it reads, and for each panel of
// channels sums over all of K in blocks into a small tile buffer [pixel][panel], which is then transposed into place.
// Pixels are grouped into patches that see the same taps, so that those which fall on padding cost nothing: without that the
// gradient of an unpadded 3 x 3 layer on 26 x 26 pixels would do a sixth more work than it has to.
//
// Packed weights: [group][panel][k][panel width], k in the order (phase, block of source channels, tap, channel in the block).
#pragma once
#include "kernels/conv_depthwise.inl.h"
#include "kernels/conv_direct.inl.h"
#include "kernels/conv_plan.inl.h"
#include "kernels/conv_weights.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

struct Correlation {
  ConvAxis h, w;
  Index n = 0, groups = 1;
  Index source = 0, dest = 0;  // channels of a group
  bool backward = false;
  ConvChunk chunk;
  Index chunks_n = 0, chunks_h = 0, chunks_w = 0;
  Index panels = 0, panels_per_task = 1, panel_tasks = 0;
  Index K = 0;           // of all phases together
  Index channel_block = 1;  // source channels that k takes together: their taps fill one block of the tile
  bool direct = false;      // short k: rows of pixels instead of tiles (conv_direct.inl.h)
  bool clip = false;        // leave out taps on padding; not worth the calls where a run of k would be short

  Correlation(const ConvShape& s, bool backward_) : h(conv_axis_h(s, backward_)), w(conv_axis_w(s, backward_)) {
    backward = backward_;
    n = s.n, groups = s.groups;
    source = (backward ? s.c_out : s.c_in) / groups, dest = (backward ? s.c_in : s.c_out) / groups;
    K = source * h.taps * w.taps;
    const Index most = conv_max(1, kConvDepth * h.phases() * w.phases() / conv_max(1, h.taps * w.taps));
    channel_block = conv_max(1, conv_ceil(source, conv_max(1, conv_ceil(source, most))));
    clip = channel_block >= 16;
    panels = conv_ceil(dest, kConvPanel);
    chunk = conv_chunk(n, h.dest, w.dest, 192, conv_max(1, n * groups * panels / 16));
    while (chunk.images > 1 && chunk.images * window().image() > 88 * 1024) --chunk.images;  // 352 KiB
    chunks_n = conv_ceil(n, chunk.images), chunks_h = conv_ceil(h.dest, chunk.rows), chunks_w = conv_ceil(w.dest, chunk.cols);
    direct = !backward && K <= kConvDirectDepth && !clip && w.stride == 1 &&
             w.dest - (chunks_w - 1) * chunk.cols >= kLanes;
    // Few chunks: also cut the channels, as long as a task keeps enough to do.
    const Index chunks = conv_max(1, chunks_n * chunks_h * chunks_w * groups);
    const Index work = conv_max(1, static_cast<Index>(flops() / 1e6)) / chunks;
    panel_tasks = conv_max(1, conv_min(panels, conv_min(conv_ceil(16, chunks), work)));
    panels_per_task = conv_max(1, conv_ceil(panels, panel_tasks));
    panel_tasks = conv_ceil(panels, panels_per_task);
  }
  double flops() const { return 2.0 * double(n * groups * dest) * double(h.dest * w.dest) * double(conv_max(1, K)); }
  Index tasks() const { return groups * chunks_n * chunks_h * chunks_w * panel_tasks; }
  // Without padding to read, whole rows of the source are the window as they lie.
  bool whole_rows() const { return clip && chunk.cols >= w.dest; }
  ConvWindow window() const {
    return ConvWindow(source, h.window(chunk.rows), whole_rows() ? w.source : w.window(chunk.cols));
  }
  Index window_row(Index r0) const { return h.base(r0) + h.tap_min(); }
  Index window_col(Index c0) const { return whole_rows() ? 0 : w.base(c0) + w.tap_min(); }
  int vecs(Index panel) const { return conv_panel_vecs(dest - panel * kConvPanel); }
  Index packed_panel(Index group, Index panel) const { return group * packed_group() + panel * kConvPanel * K; }
  Index packed_group() const {
    return panels == 0 ? 0 : conv_round(((panels - 1) * kConvPanel + vecs(panels - 1) * kLanes) * K, 16);
  }
};

// Pixels of a chunk that use the same taps: rows [h] and columns [w] of their phase's taps, whose k begin at `k`.
struct ConvPatch {
  Index pixels, k;
  Index taps_h, taps_w;  // of the phase
  ConvSpan h, w;         // of them, in use
};

struct CorrelationWorker {
  float *window, *sums;      // (images, channels, rows, cols), (pixels, panel)
  std::int32_t *base, *row;  // (pixels), patch after patch: where the window of a pixel begins, its row in the sums
  ConvPatch* patches;
  Index patch_count = 0;
};

inline CorrelationWorker conv_worker(const Correlation& c, ConvArena& arena) {
  const auto patches = [](const ConvAxis& axis, Index extent) {
    return conv_min(extent, axis.phases() * (2 * axis.taps + 1));
  };
  CorrelationWorker w;
  w.window = arena.take<float>(c.chunk.images * c.window().image());
  w.sums = arena.take<float>(c.chunk.pixels() * kConvPanel);
  w.base = arena.take<std::int32_t>(c.chunk.pixels());
  w.row = arena.take<std::int32_t>(c.chunk.pixels());
  w.patches = arena.take<ConvPatch>(patches(c.h, c.chunk.rows) * patches(c.w, c.chunk.cols));
  return w;
}

// Calls body(k, s, a, b) for every k of the packed order: source channel s, tap (a, b).
template <class Body>
void conv_each_k(const Correlation& c, const Body& body) {
  Index k = 0;
  for (Index ph = 0; ph < c.h.phases(); ++ph)
    for (Index pw = 0; pw < c.w.phases(); ++pw)
      for (Index s0 = 0; s0 < c.source; s0 += c.channel_block)
        for (Index a = 0; a < c.h.taps; ++a) {
          if (c.h.tap_phase(a) != ph) continue;
          for (Index b = 0; b < c.w.taps; ++b) {
            if (c.w.tap_phase(b) != pw) continue;
            for (Index s = s0; s < conv_min(c.source, s0 + c.channel_block); ++s) body(k++, s, a, b);
          }
        }
}

// Where in a window the element that k multiplies lies.
inline void conv_offsets(const Correlation& c, std::int32_t* offset) {
  const ConvWindow win = c.window();
  conv_each_k(c, [&](Index k, Index s, Index a, Index b) {
    offset[k] = static_cast<std::int32_t>(s * win.plane + (c.h.tap(a) - c.h.tap_min()) * win.cols + c.w.tap(b) - c.w.tap_min());
  });
}

// Rows of one panel's weights for the source channels [s0, s1), transposed to natural order: rows[(s - s0) * taps + tap][width].
inline void conv_transpose_weights(const Correlation& c, const float* w, Index s0, Index s1, Index used, Index width,
                                   float* rows) {
  const Index taps = c.h.taps * c.w.taps;
  if (!c.backward) return conv_transpose(w + s0 * taps, c.K, used, (s1 - s0) * taps, rows, width);
  for (Index s = s0; s < s1; ++s, rows += taps * width) {
    if (taps == 1)
      conv_copy(w + s * c.dest, used, rows);
    else
      conv_transpose(w + s * c.dest * taps, taps, used, taps, rows, width);
  }
}

// One panel of weights w (C_out, C_in / groups, KH, KW) into dst[k][width]; lanes beyond the last channel are zero.
inline void conv_pack_panel(const Correlation& c, const float* w, Index group, Index panel, float* dst) {
  const Index first = panel * kConvPanel, width = c.vecs(panel) * kLanes, used = conv_min(width, c.dest - first);
  const Index taps = c.h.taps * c.w.taps;
  w += c.backward ? (group * c.source * c.dest + first) * taps : (group * c.dest + first) * c.K;
  if (taps > kConvDepth) {
    conv_zero(dst, c.K * width);
    conv_each_k(c, [&](Index k, Index s, Index a, Index b) {
      const float* from = w + (c.backward ? s * c.dest : s) * taps + a * c.w.taps + b;
      for (Index i = 0; i < used; ++i) dst[k * width + i] = from[i * (c.backward ? taps : c.K)];
    });
    return;
  }
  alignas(64) float rows[kConvDepth * kConvPanel];
  if (used < width) conv_zero(rows, kConvDepth * width);
  const Index some = conv_min(c.channel_block, kConvDepth / conv_max(1, taps));
  for (Index block = 0; block < c.source; block += c.channel_block) {
    const Index block_channels = conv_min(c.channel_block, c.source - block);
    for (Index s0 = block; s0 < block + block_channels; s0 += some) {
      const Index s1 = conv_min(s0 + some, block + block_channels);
      conv_transpose_weights(c, w, s0, s1, used, width, rows);
      Index k = 0;
      for (Index ph = 0; ph < c.h.phases(); ++ph)
        for (Index pw = 0; pw < c.w.phases(); ++pw) {
          Index at = k + block * c.h.taps_in(ph) * c.w.taps_in(pw) + s0 - block;
          k += c.source * c.h.taps_in(ph) * c.w.taps_in(pw);
          for (Index a = 0; a < c.h.taps; ++a) {
            if (c.h.tap_phase(a) != ph) continue;
            for (Index b = 0; b < c.w.taps; ++b) {
              if (c.w.tap_phase(b) != pw) continue;
              for (Index s = s0; s < s1; ++s)
                for (Index i = 0; i < width; i += kLanes)
                  Vec::load(rows + ((s - s0) * taps + a * c.w.taps + b) * width + i).store(dst + (at + s - s0) * width + i);
              at += block_channels;
            }
          }
        }
    }
  }
}

inline void conv_pack(const Correlation& c, const float* w, float* packed, Parallel& parallel) {
  const auto pack = [&](int task, int) {
    const Index group = task / c.panels, panel = task % c.panels;
    conv_pack_panel(c, w, group, panel, packed + c.packed_panel(group, panel));
  };
  conv_run(parallel, c.groups * c.panels, 8.0 * double(c.groups * c.panels * kConvPanel) * double(c.K), pack);
}

struct CorrelationCall {
  const Correlation& c;
  const float *source, *packed;
  float* dest;
  const std::int32_t* offset;
  ConvEpilogue epilogue;
  const void* self;
};

// The part of a chunk that exists at the border of the batch and the image.
struct ConvPart {
  Index n0, images, r0, rows, c0, cols;
};

// Rows (or columns) from `start` on, a phase apart, that use the same taps.
struct ConvRun {
  Index start, end;
  ConvSpan taps;
};
inline ConvRun conv_run_of(const ConvAxis& axis, bool clip, Index phase, Index start, Index end) {
  const ConvSpan all{0, axis.taps_in(phase)};
  if (!clip) return {start, end, all};
  ConvRun run{start, start + axis.phases(), axis.inside(start, phase)};
  while (run.end < end && axis.inside(run.end, phase) == run.taps) run.end += axis.phases();
  return run;
}

inline void conv_add_patch(const Correlation& c, const ConvPart& part, const ConvRun& h, const ConvRun& w,
                           CorrelationWorker& worker, Index& count) {
  const ConvWindow win = c.window();
  const Index h_end = conv_min(h.end, part.r0 + part.rows), w_end = conv_min(w.end, part.c0 + part.cols);
  const Index base_h = c.window_row(part.r0) - c.h.tap_min(), base_w = c.window_col(part.c0) - c.w.tap_min();
  for (Index i = 0; i < part.images; ++i)
    for (Index r = h.start; r < h_end; r += c.h.phases()) {
      Index base = i * win.image() + (c.h.base(r) - base_h) * win.cols + c.w.base(w.start) - base_w;
      Index row = (i * part.rows + r - part.r0) * part.cols + w.start - part.c0;
      for (Index q = w.start; q < w_end; q += c.w.phases(), base += c.w.base_step(), row += c.w.phases()) {
        worker.base[count] = static_cast<std::int32_t>(base);
        worker.row[count++] = static_cast<std::int32_t>(row);
      }
    }
}

inline void conv_list_patches(const Correlation& c, const ConvPart& part, CorrelationWorker& worker) {
  const Index r_end = part.r0 + part.rows, c_end = part.c0 + part.cols;
  Index count = 0, k = 0;
  worker.patch_count = 0;
  for (Index ph = 0; ph < c.h.phases(); ++ph)
    for (Index pw = 0; pw < c.w.phases(); ++pw) {
      const Index taps_h = c.h.taps_in(ph), taps_w = c.w.taps_in(pw);
      for (Index r = c.h.first(ph, part.r0); r < r_end;) {
        const ConvRun h = conv_run_of(c.h, c.clip, ph, r, r_end);
        for (Index q = c.w.first(pw, part.c0); q < c_end;) {
          const ConvRun w = conv_run_of(c.w, c.clip, pw, q, c_end);
          const Index begin = count;
          conv_add_patch(c, part, h, w, worker, count);
          worker.patches[worker.patch_count++] = {count - begin, k, taps_h, taps_w, h.taps, w.taps};
          q = w.end;
        }
        r = h.end;
      }
      k += c.source * taps_h * taps_w;
    }
}

// Sums one panel over all k of a patch.
inline void conv_sum_patch(const CorrelationCall& call, const ConvPatch& patch, const float* w, int vecs, ConvTile tile) {
  const Correlation& c = call.c;
  const Index used_h = patch.h.end - patch.h.begin, used_w = patch.w.end - patch.w.begin;
  const bool joined = used_w == patch.taps_w;  // the rows of taps follow each other in k
  const Index runs = joined ? conv_min(used_h, 1) : used_h, taps = joined ? used_h * used_w : used_w;
  for (Index s0 = 0; s0 < c.source && taps > 0; s0 += c.channel_block) {
    const Index channels = conv_min(c.channel_block, c.source - s0), length = taps * channels;
    for (Index run = 0; run < runs; ++run) {
      const Index first_tap = (patch.h.begin + run) * patch.taps_w + patch.w.begin;
      const Index k0 = patch.k + s0 * patch.taps_h * patch.taps_w + first_tap * channels;
      for (Index k = k0; k < k0 + length; k += kConvDepth) {
        tile.offset = call.offset + k, tile.w = w + k * vecs * kLanes, tile.K = conv_min(kConvDepth, k0 + length - k);
        conv_tiles(tile, patch.pixels, vecs);
        tile.accumulate = true;
      }
    }
  }
  if (!tile.accumulate) conv_tiles(tile, patch.pixels, vecs);  // no tap at all: zeros
}

inline void conv_sum_panel(const CorrelationCall& call, const float* w, int vecs, const CorrelationWorker& worker) {
  ConvTile tile = {worker.window, worker.base, call.offset, w, 0, worker.sums, worker.row, false};
  for (Index i = 0; i < worker.patch_count; ++i) {
    const ConvPatch& patch = worker.patches[i];
    conv_sum_patch(call, patch, w, vecs, tile);
    tile.base += patch.pixels, tile.row += patch.pixels;
  }
}

// Writes one panel to (channel, pixel) order, out of the sums or at once, and runs the epilogue over each contiguous segment.
inline void conv_store_panel(const CorrelationCall& call, const ConvPart& part, Index channel, Index channels, Index width,
                             const float* w, const CorrelationWorker& worker) {
  const Correlation& c = call.c;
  const Index pixels = c.h.dest * c.w.dest;
  const bool whole_rows = part.cols == c.w.dest;
  const ConvWindow win = c.window();
  const float* sums = worker.sums;
  const Index segments = whole_rows ? 1 : part.rows, length = whole_rows ? part.rows * part.cols : part.cols;
  for (Index i = 0; i < part.images; ++i)
    for (Index segment = 0; segment < segments; ++segment, sums += length * width) {
      const Index pixel = (part.r0 + segment) * c.w.dest + part.c0;
      float* to = call.dest + ((part.n0 + i) * c.groups * c.dest + channel) * pixels + pixel;
      if (c.direct) {
        const float* x = worker.window + i * win.image() + segment * c.h.stride * win.cols;
        for (Index r = 0; r < part.rows / segments; ++r)
          conv_direct_channels(x + r * c.h.stride * win.cols, call.offset, w, width, c.K, part.cols, channels,
                               to + r * c.w.dest, pixels);
      } else {
        conv_transpose(sums, width, length, channels, to, pixels);
      }
      if (!call.epilogue) continue;
      for (Index k = 0; k < channels; ++k)
        call.epilogue(call.self, to + k * pixels, channel + k, pixel, length, part.n0 + i);
    }
}

inline void conv_task(const CorrelationCall& call, Index task, CorrelationWorker worker) {
  const Correlation& c = call.c;
  const auto next = [&task](Index count) {
    const Index digit = task % count;
    task /= count;
    return digit;
  };
  const Index panel0 = next(c.panel_tasks) * c.panels_per_task;
  const Index group = next(c.groups);
  const Index c0 = next(c.chunks_w) * c.chunk.cols, r0 = next(c.chunks_h) * c.chunk.rows, n0 = task * c.chunk.images;
  const ConvPart part = {n0, conv_min(c.chunk.images, c.n - n0),    r0, conv_min(c.chunk.rows, c.h.dest - r0),
                         c0, conv_min(c.chunk.cols, c.w.dest - c0)};
  const ConvWindow win = c.window();
  const Index plane = c.h.source * c.w.source;
  for (Index i = 0; i < part.images; ++i)
    conv_fill_window(win, call.source + ((n0 + i) * c.groups + group) * c.source * plane, c.h.source, c.w.source,
                     c.window_row(r0), c.window_col(c0), !c.clip, worker.window + i * win.image());
  if (!c.direct) conv_list_patches(c, part, worker);
  for (Index panel = panel0; panel < conv_min(c.panels, panel0 + c.panels_per_task); ++panel) {
    const int vecs = c.vecs(panel);
    const float* w = call.packed + c.packed_panel(group, panel);
    if (!c.direct) conv_sum_panel(call, w, vecs, worker);
    const Index channels = conv_min(vecs * kLanes, c.dest - panel * kConvPanel);
    conv_store_panel(call, part, group * c.dest + panel * kConvPanel, channels, vecs * kLanes, w, worker);
  }
}

inline Index correlate_workspace(const ConvShape& shape, bool backward, bool packed, int workers) {
  const Correlation c(conv_collapse(shape), backward);
  ConvArena arena;
  if (!packed) arena.take<float>(c.groups * c.packed_group());
  arena.take<std::int32_t>(c.K);
  for (int i = 0; i < workers; ++i) conv_worker(c, arena);
  return arena.used;
}

inline void correlate(const ConvShape& shape, bool backward, const float* source, const float* w, bool packed, float* dest,
                      ConvEpilogue epilogue, const void* self, Parallel& parallel, void* workspace) {
  const Correlation c(conv_collapse(shape), backward);
  if (c.tasks() == 0) return;
  ConvArena arena{static_cast<char*>(workspace)};
  if (!packed) {
    float* to = arena.take<float>(c.groups * c.packed_group());
    conv_pack(c, w, to, parallel);
    w = to;
  }
  std::int32_t* offset = arena.take<std::int32_t>(c.K);
  conv_offsets(c, offset);
  ConvArena one;
  conv_worker(c, one);
  char* const scratch = arena.start + arena.used;
  const CorrelationCall call = {c, source, w, dest, offset, epilogue, self};
  conv_run(parallel, c.tasks(), c.flops(), [&](int task, int worker) {
    ConvArena own{scratch + worker * one.used};
    conv_task(call, task, conv_worker(c, own));
  });
}

inline Index conv_forward_workspace(const ConvForwardArgs& args, int workers) {
  if (conv_is_depthwise(args.shape)) return depthwise_workspace(args.shape, workers);
  return correlate_workspace(args.shape, false, args.w_packed, workers);
}
inline void conv_forward(const ConvForwardArgs& args, Parallel& parallel, void* workspace) {
  if (conv_is_depthwise(args.shape)) return depthwise_forward(args, parallel, workspace);
  correlate(args.shape, false, args.x, args.w, args.w_packed, args.y, args.epilogue, args.epilogue_self, parallel, workspace);
}

inline Index conv_backward_data_workspace(const ConvBackwardDataArgs& args, int workers) {
  if (conv_is_depthwise(args.shape)) return depthwise_workspace(args.shape, workers);
  return correlate_workspace(args.shape, true, false, workers);
}
inline void conv_backward_data(const ConvBackwardDataArgs& args, Parallel& parallel, void* workspace) {
  if (conv_is_depthwise(args.shape)) return depthwise_backward_data(args, parallel, workspace);
  correlate(args.shape, true, args.dy, args.w, false, args.dx, args.epilogue, args.epilogue_self, parallel, workspace);
}

inline Index conv_backward_weights_workspace(const ConvBackwardWeightsArgs& args, int workers) {
  if (conv_is_depthwise(args.shape)) return depthwise_weights_workspace(args, workers);
  return correlate_weights_workspace(args, workers);
}
inline void conv_backward_weights(const ConvBackwardWeightsArgs& args, Parallel& parallel, void* workspace) {
  if (conv_is_depthwise(args.shape)) return depthwise_backward_weights(args, parallel, workspace);
  correlate_weights(args, parallel, workspace);
}

// Depthwise weights are a handful of scalars a channel: packed, they are what they were.
inline Index conv_packed_size(const ConvShape& shape) {
  if (conv_is_depthwise(shape)) return shape.c_out * shape.kh * shape.kw;
  ConvShape one = shape;
  one.n = one.h = one.w = 0;
  const Correlation c(one, false);
  return c.groups * c.packed_group();
}
inline void conv_pack_forward(const ConvShape& shape, const float* w, float* dst, Parallel& parallel) {
  if (conv_is_depthwise(shape)) return conv_copy(w, shape.c_out * shape.kh * shape.kw, dst);
  ConvShape one = shape;
  one.n = one.h = one.w = 0;
  conv_pack(Correlation(one, false), w, dst, parallel);
}

constexpr ConvKernels conv_kernels() {
  return {conv_forward_workspace,      conv_forward,          conv_backward_data_workspace,
          conv_backward_data,          conv_backward_weights_workspace, conv_backward_weights,
          conv_packed_size,            conv_pack_forward};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
