// Forward convolution and the gradient to the data: one correlation of a source with packed weights (conv_plan.inl.h has the
// cutting, conv_micro.inl.h the tile). A task takes one chunk of pixels, copies the window it reads, and for each panel of
// channels sums over all of K in blocks into a small tile buffer [pixel][panel], which is then transposed into place.
//
// Packed weights: [group][panel][k][panel width], k in the order (phase, source channel, tap of that phase).
#pragma once
#include "kernels/conv_depthwise.inl.h"
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
  Index K = 0;  // of all phases together

  Correlation(const ConvShape& s, bool backward_) : h(conv_axis_h(s, backward_)), w(conv_axis_w(s, backward_)) {
    backward = backward_;
    n = s.n, groups = s.groups;
    source = (backward ? s.c_out : s.c_in) / groups, dest = (backward ? s.c_in : s.c_out) / groups;
    K = source * h.taps * w.taps;
    panels = conv_ceil(dest, kConvPanel);
    chunk = conv_chunk(n, h.dest, w.dest, 192, conv_max(1, n / 16));
    chunks_n = conv_ceil(n, chunk.images), chunks_h = conv_ceil(h.dest, chunk.rows), chunks_w = conv_ceil(w.dest, chunk.cols);
    // Few chunks: also cut the channels, as long as a task keeps enough to do.
    const Index chunks = conv_max(1, chunks_n * chunks_h * chunks_w * groups);
    const Index work = conv_max(1, static_cast<Index>(flops() / 1e6)) / chunks;
    panel_tasks = conv_max(1, conv_min(panels, conv_min(conv_ceil(16, chunks), work)));
    panels_per_task = conv_max(1, conv_ceil(panels, panel_tasks));
    panel_tasks = conv_ceil(panels, panels_per_task);
  }
  double flops() const { return 2.0 * double(n * groups * dest) * double(h.dest * w.dest) * double(conv_max(1, K)); }
  Index tasks() const { return groups * chunks_n * chunks_h * chunks_w * panel_tasks; }
  ConvWindow window() const { return ConvWindow(source, h.window(chunk.rows), w.window(chunk.cols)); }
  int vecs(Index panel) const { return conv_panel_vecs(dest - panel * kConvPanel); }
  Index packed_panel(Index group, Index panel) const { return group * packed_group() + panel * kConvPanel * K; }
  Index packed_group() const {
    return panels == 0 ? 0 : conv_round(((panels - 1) * kConvPanel + vecs(panels - 1) * kLanes) * K, 16);
  }
};

struct CorrelationWorker {
  float *window, *sums;         // (images, channels, rows, cols), (pixels, panel)
  std::int32_t *base, *row;     // (pixels), phase after phase
  std::int32_t* pixels;         // (phases), how many each has
};

inline CorrelationWorker conv_worker(const Correlation& c, ConvArena& arena) {
  CorrelationWorker w;
  w.window = arena.take<float>(c.chunk.images * c.window().image());
  w.sums = arena.take<float>(c.chunk.pixels() * kConvPanel);
  w.base = arena.take<std::int32_t>(c.chunk.pixels());
  w.row = arena.take<std::int32_t>(c.chunk.pixels());
  w.pixels = arena.take<std::int32_t>(c.h.phases() * c.w.phases());
  return w;
}

// Where in a window tap (a, b) of source channel s lies, in the k order of the packed weights.
inline void conv_offsets(const Correlation& c, std::int32_t* offset) {
  const ConvWindow win = c.window();
  for (Index ph = 0; ph < c.h.phases(); ++ph)
    for (Index pw = 0; pw < c.w.phases(); ++pw)
      for (Index s = 0; s < c.source; ++s)
        for (Index a = 0; a < c.h.taps; ++a) {
          if (c.h.tap_phase(a) != ph) continue;
          for (Index b = 0; b < c.w.taps; ++b)
            if (c.w.tap_phase(b) == pw)
              *offset++ = static_cast<std::int32_t>(s * win.plane + (c.h.tap(a) - c.h.tap_min()) * win.cols +
                                                    c.w.tap(b) - c.w.tap_min());
        }
}

// One panel of weights w (C_out, C_in / groups, KH, KW) into dst[k][width]; lanes beyond the last channel are zero.
inline void conv_pack_panel(const Correlation& c, const float* w, Index group, Index panel, float* dst) {
  const Index first = panel * kConvPanel, width = c.vecs(panel) * kLanes, used = conv_min(width, c.dest - first);
  const Index taps = c.h.taps * c.w.taps;
  if (used < width) conv_zero(dst, c.K * width);
  if (!c.backward) return conv_transpose(w + (group * c.dest + first) * c.K, c.K, used, c.K, dst, width);
  for (Index ph = 0; ph < c.h.phases(); ++ph)
    for (Index pw = 0; pw < c.w.phases(); ++pw)
      for (Index s = 0; s < c.source; ++s)
        for (Index a = 0; a < c.h.taps; ++a) {
          if (c.h.tap_phase(a) != ph) continue;
          for (Index b = 0; b < c.w.taps; ++b) {
            if (c.w.tap_phase(b) != pw) continue;
            const float* from = w + ((group * c.source + s) * c.dest + first) * taps + a * c.w.taps + b;
            for (Index i = 0; i < used; ++i) dst[i] = from[i * taps];
            dst += width;
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

// Lists the pixels of a part, phase after phase: where their windows begin, and which row of the sums they are.
inline void conv_list_pixels(const Correlation& c, const ConvPart& part, const CorrelationWorker& worker) {
  const ConvWindow win = c.window();
  const Index base_h = c.h.base(part.r0), base_w = c.w.base(part.c0), r_end = part.r0 + part.rows, c_end = part.c0 + part.cols;
  Index count = 0, phase = 0;
  for (Index ph = 0; ph < c.h.phases(); ++ph)
    for (Index pw = 0; pw < c.w.phases(); ++pw) {
      const Index begin = count, q0 = c.w.first(pw, part.c0);
      for (Index i = 0; i < part.images; ++i)
        for (Index r = c.h.first(ph, part.r0); r < r_end; r += c.h.phases()) {
          Index base = i * win.image() + (c.h.base(r) - base_h) * win.cols + c.w.base(q0) - base_w;
          Index row = (i * part.rows + r - part.r0) * part.cols + q0 - part.c0;
          for (Index q = q0; q < c_end; q += c.w.phases(), base += c.w.base_step(), row += c.w.phases()) {
            worker.base[count] = static_cast<std::int32_t>(base);
            worker.row[count++] = static_cast<std::int32_t>(row);
          }
        }
      worker.pixels[phase++] = static_cast<std::int32_t>(count - begin);
    }
}

// Sums one panel over all phases into sums[pixel][width], pixels in the order of dest.
inline void conv_sum_panel(const CorrelationCall& call, const float* w, int vecs, const CorrelationWorker& worker) {
  const Correlation& c = call.c;
  const std::int32_t *offset = call.offset, *base = worker.base, *row = worker.row, *pixels = worker.pixels;
  for (Index ph = 0; ph < c.h.phases(); ++ph)
    for (Index pw = 0; pw < c.w.phases(); ++pw, base += *pixels, row += *pixels, ++pixels) {
      const Index K = c.source * c.h.taps_in(ph) * c.w.taps_in(pw);
      const Index blocks = conv_max(1, conv_ceil(K, kConvDepth)), depth = conv_ceil(K, blocks);
      for (Index k = 0, block = 0; block < blocks; ++block, k += depth) {
        const Index length = conv_min(depth, K - k);
        conv_tiles({worker.window, base, offset + k, w + k * vecs * kLanes, length, worker.sums, row, block > 0}, *pixels, vecs);
      }
      offset += K, w += K * vecs * kLanes;
    }
}

// Writes the sums of one panel out to (channel, pixel) order and runs the epilogue over each contiguous segment.
inline void conv_store_panel(const CorrelationCall& call, const ConvPart& part, Index channel, Index channels, Index width,
                             const float* sums) {
  const Correlation& c = call.c;
  const Index pixels = c.h.dest * c.w.dest;
  const bool whole_rows = part.cols == c.w.dest;
  const Index segments = whole_rows ? 1 : part.rows, length = whole_rows ? part.rows * part.cols : part.cols;
  for (Index i = 0; i < part.images; ++i)
    for (Index segment = 0; segment < segments; ++segment, sums += length * width) {
      const Index pixel = (part.r0 + segment) * c.w.dest + part.c0;
      float* to = call.dest + ((part.n0 + i) * c.groups * c.dest + channel) * pixels + pixel;
      conv_transpose(sums, width, length, channels, to, pixels);
      if (!call.epilogue) continue;
      for (Index k = 0; k < channels; ++k)
        call.epilogue(call.self, to + k * pixels, channel + k, pixel, length, part.n0 + i);
    }
}

inline void conv_task(const CorrelationCall& call, Index task, const CorrelationWorker& worker) {
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
                     c.h.base(r0) + c.h.tap_min(), c.w.base(c0) + c.w.tap_min(), worker.window + i * win.image());
  conv_list_pixels(c, part, worker);
  for (Index panel = panel0; panel < conv_min(c.panels, panel0 + c.panels_per_task); ++panel) {
    const int vecs = c.vecs(panel);
    conv_sum_panel(call, call.packed + c.packed_panel(group, panel), vecs, worker);
    const Index channels = conv_min(vecs * kLanes, c.dest - panel * kConvPanel);
    conv_store_panel(call, part, group * c.dest + panel * kConvPanel, channels, vecs * kLanes, worker.sums);
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
