// Runs a correlation (conv_correlation.inl.h). A task takes one chunk of pixels, copies the window it reads, and for each panel
// of channels sums over all of K in blocks into a small buffer [pixel][panel], which is then transposed into place.
// Pixels are grouped into patches that see the same taps, so that those which fall on padding cost nothing: without that the
// gradient of an unpadded 3 x 3 layer on 26 x 26 pixels would do a sixth more work than it has to.
#pragma once
#include "kernels/conv/conv_correlation.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

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
inline void conv_sum_patch(const CorrelationCall& call, const ConvPatch& patch, const float* w, int vecs,
                           ConvTile tile) {
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
inline void conv_store_panel(const CorrelationCall& call, const ConvPart& part, Index channel, Index channels,
                             Index width, const float* w, const CorrelationWorker& worker) {
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
  const ConvPart part = {n0, conv_min(c.chunk.images, c.n - n0),   r0, conv_min(c.chunk.rows, c.h.dest - r0),
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

inline void correlate(const ConvShape& shape, bool backward, const float* source, const float* w, bool packed,
                      float* dest, ConvEpilogue epilogue, const void* self, Parallel& parallel, void* workspace) {
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

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
