// Convolution with a sparse weight, groups of 1, output pixels in the lanes of the vectors.
//
// A strip of rows of one image is copied into a buffer with its padding, each phase of the stride apart, rows `pitch` floats long. In it
// the pixel that tap (c, kh, kw) reads for output position p = oh * pitch + ow lies at offset(c, kh, kw) + p: a constant of
// the tap. So the kernels of the sparse product serve as they are, with such offsets for columns; what they compute for the positions
// between a row's end and its pitch is dropped (Park et al., "Faster CNNs with Direct Sparse Convolutions", 2017).
#pragma once
#include "kernels/conv/conv.h"
#include "kernels/sparse/sparse.h"

namespace athanor {

inline constexpr Index kSparseConvPanelRows = 32;

// How a convolution is cut: follows from its shape alone.
struct SparseConvPlan {
  Index pitch = 0;  // floats of a row in the buffer
  Index phases_h = 1, phases_w = 1;
  Index strip = 0, strips = 0;   // output rows of a strip, and how many there are
  Index rows = 0;                // input rows of a phase in the buffer
  Index plane = 0, channel = 0;  // floats of a phase, and of all of a channel
  Index block_channels = 0;      // channels whose offsets fit into 16 bits, and whose part of a tile fits into L1

  // From the first float of its block of channels.
  constexpr Index offset(const ConvShape& s, Index c, Index kh, Index kw) const {
    const Index h = kh * s.dilation_h, w = kw * s.dilation_w;
    const Index phase = h % s.stride_h * phases_w + w % s.stride_w;
    return c % block_channels * channel + phase * plane + h / s.stride_h * pitch + w / s.stride_w;
  }
};

// block_channels is 0 where the layout cannot hold even one output row of a channel.
constexpr SparseConvPlan plan_sparse_conv(const ConvShape& s) {
  constexpr Index kOffsets = 65536, kStripFloats = 80 << 10, kLine = 64, kNear = 6 << 10;
  SparseConvPlan p;
  const Index reach_h = (s.kh - 1) * s.dilation_h, reach_w = (s.kw - 1) * s.dilation_w;
  p.phases_h = reach_h + 1 < s.stride_h ? reach_h + 1 : s.stride_h;
  p.phases_w = reach_w + 1 < s.stride_w ? reach_w + 1 : s.stride_w;
  p.pitch = s.out_w() + reach_w / s.stride_w;
  const Index above = reach_h / s.stride_h, phases = p.phases_h * p.phases_w, height = s.out_h();
  const Index row = s.c_in * phases * p.pitch;  // floats of one buffer row of all channels
  Index strip = row > 0 ? kStripFloats / row - above : height;
  const Index least = (kLine + p.pitch - 1) / p.pitch;  // a strip shorter than a tile wastes lanes
  if (strip < least) strip = least;
  const Index most = kOffsets / (phases * p.pitch) - above;
  if (strip > most) strip = most;
  if (strip > height) strip = height;
  if (strip < 1) return p;
  p.strips = (height + strip - 1) / strip;
  p.strip = (height + p.strips - 1) / p.strips;
  p.rows = p.strip + above;
  p.plane = p.rows * p.pitch;
  p.channel = phases * p.plane;
  const Index touched = phases * (kLine + above * p.pitch);
  const Index near = kNear / touched > 1 ? kNear / touched : 1, fitting = kOffsets / p.channel;
  p.block_channels = near < fitting ? near : fitting;
  return p;
}

struct SparseConvArgs {
  ConvShape shape;
  SparseConvPlan plan;
  SparsePanels w;            // of shape 1 × 1 or 4 × 1; columns are offsets; block_columns counts channels' taps
  const float* x = nullptr;  // (N, C_in, H, W)
  float* y = nullptr;        // (N, C_out, OH, OW)
  ConvEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

}  // namespace athanor
