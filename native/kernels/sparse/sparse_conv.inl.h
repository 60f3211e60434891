// The driver of the sparse convolution (kernels/sparse/sparse_conv.h). A task is a strip of an image by some panels of output channels.
#pragma once
#include <cstring>

#include "kernels/sparse/sparse.inl.h"
#include "kernels/sparse/sparse_conv.h"
#include "kernels/sparse/sparse_slots.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace sparse {

inline constexpr Index kConvTasks = 16;  // with fewer images and strips than this the channels are shared out too

inline Index strip_floats(const ConvShape& s, const SparseConvPlan& p) {
  return round_up(s.c_in * p.channel + kSparseTileVectors * kLanes, 16);
}
inline constexpr Index kConvSums = kSparseConvPanelRows * kSparseTileVectors * kLanes;

inline Index sparse_conv_workspace(const ConvShape& shape, int workers) {
  const SparseConvPlan p = plan_sparse_conv(shape);
  if (p.block_channels == 0) return 0;
  return workers * (strip_floats(shape, p) + kConvSums) * static_cast<Index>(sizeof(float));
}

// Whole vectors, the last one over the end of the one before it.
ATHANOR_INLINE void copy_floats(const float* from, Index count, float* to) {
  if (count < kLanes) {
    for (Index i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  for (Index i = 0; i + kLanes < count; i += kLanes) Vec::load(from + i).store(to + i);
  Vec::load(from + count - kLanes).store(to + count - kLanes);
}

// to[q] = the image's row at column q * stride + first for q < count, 0 outside of it.
inline void copy_row(const float* row, Index width, Index first, Index stride, Index count, float* to) {
  Index from = first < 0 ? least(count, ceil_div(-first, stride)) : 0;
  Index end = width > first ? least(count, ceil_div(width - first, stride)) : 0;
  if (end < from) end = from;
  for (Index q = 0; q < from; ++q) to[q] = 0;
  if (stride == 1)
    copy_floats(row + first + from, end - from, to + from);
  else
    for (Index q = from; q < end; ++q) to[q] = row[first + q * stride];
  for (Index q = end; q < count; ++q) to[q] = 0;
}

// Output rows from `top` on of image x (C_in, H, W).
inline void copy_strip(const ConvShape& s, const SparseConvPlan& p, const float* x, Index top, float* to) {
  for (Index c = 0; c < s.c_in; ++c)
    for (Index ph = 0; ph < p.phases_h; ++ph)
      for (Index pw = 0; pw < p.phases_w; ++pw)
        for (Index r = 0; r < p.rows; ++r, to += p.pitch) {
          const Index h = (top + r) * s.stride_h + ph - s.pad_top;
          if (h < 0 || h >= s.h)
            std::memset(to, 0, static_cast<std::size_t>(p.pitch) * sizeof(float));
          else
            copy_row(x + (c * s.h + h) * s.w, s.w, pw - s.pad_left, s.stride_w, p.pitch, to);
        }
  std::memset(to, 0, static_cast<std::size_t>(kSparseTileVectors * kLanes) * sizeof(float));
}

// Where the pixels of a tile's positions [p0, p1) lie in it and in a plane of y: one run for each output row.
struct PixelRuns {
  struct Run {
    Index from, to, count;
  };
  Run run[kSparseTileVectors * kLanes];
  int count = 0;
  Index first = 0, pixels = 0;  // they are contiguous in y

  PixelRuns(const SparseConvArgs& a, Index top, Index p0, Index p1) {
    const Index OW = a.shape.out_w(), pitch = a.plan.pitch;
    for (Index p = p0, h = top + p0 / pitch, w = p0 % pitch; p < p1; p += pitch - w, w = 0, ++h) {
      const Index length = least(p1 - p, OW - w);
      if (length <= 0) continue;
      if (count == 0) first = h * OW + w;
      run[count++] = {p - p0, h * OW + w, length};
      pixels += length;
    }
  }
};

inline void write_pixels(const SparseConvArgs& a, const PixelRuns& runs, const float* sums, Index width, Index o0,
                         Index rows, Index image) {
  const Index plane = a.shape.out_h() * a.shape.out_w();
  for (Index r = 0; r < rows && runs.count > 0; ++r, sums += width) {
    float* y = a.y + (image * a.shape.c_out + o0 + r) * plane;
    for (int i = 0; i < runs.count; ++i) copy_floats(sums + runs.run[i].from, runs.run[i].count, y + runs.run[i].to);
    if (a.epilogue) a.epilogue(a.epilogue_self, y + runs.first, o0 + r, runs.first, runs.pixels, image);
  }
}

inline void run_conv_panel(const SparseConvArgs& a, const float* strip, Index image, Index top, Index panel,
                           float* sums) {
  const SparsePanels& w = a.w;
  const SparseConvPlan& p = a.plan;
  const Index rows_here = least(p.strip, a.shape.out_h() - top);
  const Index positions = (rows_here - 1) * p.pitch + a.shape.out_w();
  const Index vectors = ceil_div(positions, kLanes), tiles = ceil_div(vectors, kSparseTileVectors);
  const Index o0 = panel * w.panel_rows, rows = least(w.panel_rows, w.rows - o0);
  const int R = kSparseShapes[w.shape].rows;
  for (Index tile = 0; tile < tiles; ++tile) {
    const Index v0 = part_start(tile, tiles, vectors), v1 = part_start(tile + 1, tiles, vectors);
    const Index width = (v1 - v0) * kLanes;
    for (Index block = 0; block < w.blocks; ++block) {
      const SparsePiece &from = w.piece[panel * w.blocks + block], &to = w.piece[panel * w.blocks + block + 1];
      const float* x = strip + block * p.block_channels * p.channel + v0 * kLanes;
      const Rows piece{
          w.row + from.row, w.row + to.row, w.column + from.entry, w.values + from.entry * R, x, 1, sums, width,
          block == 0};
      run_rows(piece, w.shape, static_cast<int>(v1 - v0));
    }
    write_pixels(a, PixelRuns(a, top, v0 * kLanes, least(positions, v1 * kLanes)), sums, width, o0, rows, image);
  }
}

inline void sparse_conv_run(const SparseConvArgs& a, Parallel& parallel, void* workspace) {
  const ConvShape& s = a.shape;
  const SparseConvPlan& p = a.plan;
  const Index pieces = s.n * p.strips;
  if (pieces == 0 || a.w.panels == 0) return;
  const Index shares = least(a.w.panels, ceil_div(kConvTasks, pieces));
  const Index floats = strip_floats(s, p);
  parallel.run(static_cast<int>(pieces * shares), [&](int task, int worker) {
    const Index piece = task / shares, share = task % shares, image = piece / p.strips;
    const Index top = piece % p.strips * p.strip;
    float* strip = static_cast<float*>(workspace) + worker * (floats + kConvSums);
    copy_strip(s, p, a.x + image * s.c_in * s.h * s.w, top, strip);
    for (Index panel = part_start(share, shares, a.w.panels); panel < part_start(share + 1, shares, a.w.panels);
         ++panel)
      run_conv_panel(a, strip, image, top, panel, strip + floats);
  });
}

constexpr SparseKernels kernels() {
  return {kLanes,          sparse_workspace,       sparse_run,      sparse_conv_workspace,
          sparse_conv_run, sparse_slots_workspace, sparse_slots_run};
}

}  // namespace sparse
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
