// Convolution with quantized weights: images become integers (H, W, C) with their padding around them, a chunk of pixels gathers
// its windows as the rows of a matrix product (im2col, in the worker's own memory), and the sums are turned to planes on their way
// out. Padding is the integer 0, which is what a zero rounds to.
#pragma once
#include "kernels/quant/quant_activations.inl.h"
#include "kernels/quant/quant_wide.inl.h"
#include "simd/transpose.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

// Sizes and the memory of a call: factors of the images, the images, then for each worker rows, a decoded block, sums and parts.
struct QuantConvWorkspace {
  Index h, w, image;  // of a padded image; elements of one
  Index pixels, chunk, chunks;
  Index ldx;
  Index images_at, worker_at, decoded_at, sums_at, parts_at, worker_bytes, bytes;
};

inline QuantConvWorkspace conv_workspace_layout(const QuantConvArgs& a, int workers) {
  const ConvShape& s = a.shape;
  QuantConvWorkspace r;
  r.h = s.h + s.pad_top + s.pad_bottom, r.w = s.w + s.pad_left + s.pad_right;
  r.image = up(r.h * r.w * s.c_in, 32);
  r.pixels = s.out_h() * s.out_w();
  r.chunks = parts_of(r.pixels, kRowsInTask);
  r.chunk = r.chunks == 0 ? 0 : up(parts_of(r.pixels, r.chunks), kTileRows);
  r.ldx = up(a.w.padded_k, 32) + 32;
  r.images_at = up(s.n * 4, 64);
  r.worker_at = r.images_at + s.n * r.image * 2;
  r.decoded_at = up(r.chunk * r.ldx * 2, 64);
  r.sums_at = r.decoded_at + kBlockK * kQuantColumns * 2;
  r.parts_at = r.sums_at + (r.chunk + kLanes) * kQuantColumns * 4;  // turned in whole squares
  r.worker_bytes = up(r.parts_at + r.chunk * kQuantColumns * 4, 64);
  r.bytes = r.worker_at + workers * r.worker_bytes;
  return r;
}

inline Index conv_workspace(const QuantConvArgs& a, int workers) { return conv_workspace_layout(a, workers).bytes; }

// One image; returns the factor of its y.
inline float quantize_image(const QuantConvArgs& a, const QuantConvWorkspace& layout, const float* x, float unit,
                            std::int16_t* to) {
  const ConvShape& s = a.shape;
  const ActivationStep step = activation_step(x, s.c_in * s.h * s.w, a.act);
  const Rounding round(step);
  std::memset(to, 0, static_cast<std::size_t>(layout.image) * 2);
  for (Index c = 0; c < s.c_in; ++c)
    for (Index h = 0; h < s.h; ++h) {
      std::int16_t* row = to + ((h + s.pad_top) * layout.w + s.pad_left) * s.c_in + c;
      for (Index w = 0; w < s.w; w += kLanes) {
        const Index n = s.w - w < kLanes ? s.w - w : kLanes;
        std::int16_t values[kLanes];
        store_s16(values, round(n == kLanes ? Vec::load(x + w) : Vec::load(x + w, n)));
        for (Index i = 0; i < n; ++i) row[(w + i) * s.c_in] = values[i];
      }
      x += s.w;
    }
  return step.step * unit;
}

// The window of an output pixel in one group's channels, in the order of the panels' k. `from` is its first element.
inline void gather(const QuantConvArgs& a, const QuantConvWorkspace& layout, const std::int16_t* from,
                   std::int16_t* row) {
  const ConvShape& s = a.shape;
  const Index channels = s.c_in / s.groups, down = s.dilation_h * layout.w * s.c_in, right = s.dilation_w * s.c_in;
  if (a.w.groups == 1) {
    const bool dense = s.groups == 1 && s.dilation_w == 1;
    const Index run = dense ? s.kw * channels : channels, runs = dense ? 1 : s.kw;
    for (Index kh = 0; kh < s.kh; ++kh)
      for (Index kw = 0; kw < runs; ++kw, row += run)
        std::memcpy(row, from + kh * down + kw * right, static_cast<std::size_t>(run) * 2);
    return;
  }
  Index k = 0;
  for (Index c = 0; c < channels; ++c)
    for (Index kh = 0; kh < s.kh; ++kh)
      for (Index kw = 0; kw < s.kw; ++kw, ++k)
        row[k / a.w.group * a.w.padded_group + k % a.w.group] = from[c + kh * down + kw * right];
}

// Sums (rows, kQuantColumns), columns [j0, j1), to planes from y on.
inline void finish_planes(const float* sums, float factor, Index rows, Index j0, Index j1, float* y, Index plane) {
  const Vec scale = Vec::broadcast(factor);
  for (int v = 0; v < 2; ++v) {
    const Index first = v * kLanes < j0 ? j0 : v * kLanes, last = (v + 1) * kLanes < j1 ? (v + 1) * kLanes : j1;
    if (first >= last) continue;
    for (Index p = 0; p < rows; p += kLanes) {
      Vec square[kLanes];
      for (int i = 0; i < kLanes; ++i) square[i] = Vec::load(sums + (p + i) * kQuantColumns + v * kLanes) * scale;
      transpose(square);
      const Index n = rows - p < kLanes ? rows - p : kLanes;
      for (Index j = first; j < last; ++j) {
        float* to = y + (j - j0) * plane + p;
        if (n == kLanes)
          square[j - v * kLanes].store(to);
        else
          square[j - v * kLanes].store(to, n);
      }
    }
  }
}

// Pixels [p0, p0 + rows) of image n.
inline void conv_chunk(const QuantConvArgs& a, const QuantConvWorkspace& layout, const std::int16_t* image,
                       float factor, Index n, Index p0, Index rows, std::byte* own) {
  const ConvShape& s = a.shape;
  auto* const x = reinterpret_cast<std::int16_t*>(own);
  Tile t{&a.w,
         nullptr,
         a.packed,
         nullptr,
         0,
         0,
         x,
         layout.ldx,
         reinterpret_cast<float*>(own + layout.sums_at),
         reinterpret_cast<std::int32_t*>(own + layout.parts_at),
         0};
  std::memset(t.sums, 0, static_cast<std::size_t>((layout.chunk + kLanes) * kQuantColumns) * 4);
  std::memset(x, 0, static_cast<std::size_t>(rows * layout.ldx) * 2);
  const Index in = s.c_in / s.groups, out = s.c_out / s.groups;
  for (Index group = 0; group < s.groups; ++group) {
    for (Index r = 0; r < rows; ++r) {
      const Index oh = (p0 + r) / s.out_w(), ow = (p0 + r) % s.out_w();
      gather(a, layout, image + (oh * s.stride_h * layout.w + ow * s.stride_w) * s.c_in + group * in,
             x + r * layout.ldx);
    }
    const Index begin = group * out, end = begin + out;
    for (Index panel = begin / kQuantColumns; panel * kQuantColumns < end; ++panel) {
      const Index o0 = panel * kQuantColumns;
      const Index j0 = begin > o0 ? begin - o0 : 0, j1 = end - o0 < kQuantColumns ? end - o0 : kQuantColumns;
      t.panel = a.packed + quant::kPanelHeader + panel * a.w.panel_bytes;
      if (rows <= kDirectRows)
        run_direct(t, rows, 1);
      else
        for (t.k0 = 0; t.k0 < a.w.padded_k; t.k0 = t.k1)
          t.k1 = block_end(a.w, t.k0), run_block(t, rows, reinterpret_cast<std::int16_t*>(own + layout.decoded_at));
      float* const y = a.y + (n * s.c_out + o0 + j0) * layout.pixels + p0;
      finish_planes(t.sums, factor, rows, j0, j1, y, layout.pixels);
      if (a.epilogue == nullptr) continue;
      for (Index j = j0; j < j1; ++j) a.epilogue(a.epilogue_self, y + (j - j0) * layout.pixels, o0 + j, p0, rows, n);
    }
  }
}

inline void conv(const QuantConvArgs& a, Parallel& parallel, void* memory) {
  const ConvShape& s = a.shape;
  const QuantConvWorkspace layout = conv_workspace_layout(a, parallel.workers());
  if (s.n == 0 || s.c_out == 0 || layout.pixels == 0) return;
  auto* const base = static_cast<std::byte*>(memory);
  auto* const factors = reinterpret_cast<float*>(base);
  auto* const images = reinterpret_cast<std::int16_t*>(base + layout.images_at);
  float unit;
  std::memcpy(&unit, a.packed + quant::kUnitAt, 4);
  parallel.run(static_cast<int>(s.n), [&](int n, int) {
    factors[n] = quantize_image(a, layout, a.x + n * s.c_in * s.h * s.w, unit, images + n * layout.image);
  });
  parallel.run(static_cast<int>(s.n * layout.chunks), [&](int task, int worker) {
    const Index n = task / layout.chunks, p0 = task % layout.chunks * layout.chunk;
    const Index rows = layout.pixels - p0 < layout.chunk ? layout.pixels - p0 : layout.chunk;
    if (rows <= 0) return;
    conv_chunk(a, layout, images + n * layout.image, factors[n], n, p0, rows,
               base + layout.worker_at + worker * layout.worker_bytes);
  });
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
