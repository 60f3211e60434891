// A correlation of a source with weights, which forward convolution and the gradient to the data both are: how it is cut, and
// how its weights are packed.
//
// Packed weights: [group][panel][k][panel width], k in the order (phase, block of source channels, tap, channel in the block).
#pragma once
#include "kernels/conv/conv_direct.inl.h"
#include "kernels/conv/conv_plan.inl.h"

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
  Index K = 0;              // of all phases together
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
    chunks_n = conv_ceil(n, chunk.images), chunks_h = conv_ceil(h.dest, chunk.rows),
    chunks_w = conv_ceil(w.dest, chunk.cols);
    direct =
        !backward && K <= kConvDirectDepth && !clip && w.stride == 1 && w.dest - (chunks_w - 1) * chunk.cols >= kLanes;
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
    offset[k] =
        static_cast<std::int32_t>(s * win.plane + (c.h.tap(a) - c.h.tap_min()) * win.cols + c.w.tap(b) - c.w.tap_min());
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
                  Vec::load(rows + ((s - s0) * taps + a * c.w.taps + b) * width + i)
                      .store(dst + (at + s - s0) * width + i);
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

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
