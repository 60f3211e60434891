// Products with quantized weights in integers: y[M, N] = x[M, K] · W[N, K]ᵀ, W in the panels of formats/panels.h.
//
// A row of x becomes integers in one step s, half to even, clamped; a NaN in it, or for dynamic also an infinity, makes its row of y NaN:
//   dynamic (no act)   s = max |x| / 127, 1 where that is 0;   xi = round(x / s) in [-127, 127]
//   static             s = act[0], zp = act[1], a whole number in [0, 255];   xi = round(x / s) clamped to [-zp, 255 - zp]
// and then, I_g being the exact integer Σ xi · wi over the k of group g, in this order, in f32:
//   y = (Σ_g scale[n, g] · float(I_g), g ascending) · (s · unit)
// Sums of 32 bits do not overflow for K <= 32768: 255 * 255 * 32768 < 2^31.
// Work is cut by the sizes alone: the same bits for any number of workers, and for any M that a row is part of.
#pragma once
#include "formats/panels.h"
#include "kernels/conv/conv.h"
#include "kernels/gemm/gemm.h"

namespace athanor {

inline constexpr Index kQuantMaxK = 32768;

struct QuantMatmulArgs {
  Index M = 0;
  quant::Panels w;
  const std::byte* packed = nullptr;  // 64-byte aligned, of w.bytes
  const float* x = nullptr;           // (M, K), contiguous
  const float* act = nullptr;         // null: dynamic
  float* y = nullptr;                 // (M, N), contiguous
  GemmEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

// The same product with x as it is, in f32: y[m, n] = Σ x[m, k] · scale[n, g] · value[n, k], summed in f32.
struct QuantFloatArgs {
  Index M = 0;
  quant::Panels w;
  const std::byte* packed = nullptr;
  const float* x = nullptr;  // (M, K), contiguous
  float* y = nullptr;        // (M, N), contiguous
  GemmEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

// Convolution: rows are images in what is said of x above, and y[n, o, oh, ow] of conv.h is made of integers in the same way.
struct QuantConvArgs {
  ConvShape shape;
  quant::Panels w;                    // of W [C_out, C_in / groups * KH * KW]
  const std::byte* packed = nullptr;  // its k by taps where it has one group (taps in pack_panels), else in their order
  const float* x = nullptr;           // (N, C_in, H, W)
  const float* act = nullptr;         // null: dynamic
  float* y = nullptr;                 // (N, C_out, OH, OW)
  ConvEpilogue epilogue = nullptr;
  const void* epilogue_self = nullptr;
};

// Rows of x as integers in f32.
struct QuantRoundArgs {
  Index rows = 0, length = 0;
  const float* x = nullptr;    // (rows, length), contiguous
  const float* act = nullptr;  // null: dynamic
  float unit = 1;
  float* to = nullptr;       // (rows, length)
  float* factors = nullptr;  // (rows): s · unit, NaN for a row that becomes NaN
};

struct QuantKernels {
  // The panels that matmul wants of a weight, of which only format and sizes count, and for activations of a kind.
  quant::Layout (*layout)(const quant::Weights& weights, bool is_static) = nullptr;

  // Bytes for up to `workers` workers, 64-byte aligned; no pointer in args is read.
  Index (*workspace)(const QuantMatmulArgs& args, int workers) = nullptr;
  void (*matmul)(const QuantMatmulArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // The same with x in f32.
  quant::Layout (*float_layout)(const quant::Weights& weights) = nullptr;
  Index (*float_workspace)(const QuantFloatArgs& args, int workers) = nullptr;
  void (*float_matmul)(const QuantFloatArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // The same of a convolution.
  quant::Layout (*conv_layout)() = nullptr;
  Index (*conv_workspace)(const QuantConvArgs& args, int workers) = nullptr;
  void (*conv)(const QuantConvArgs& args, Parallel& parallel, void* workspace) = nullptr;

  // For products that f32 kernels make of integers; then c[i] = (c[i] · scale) · factor for i < count.
  void (*round)(const QuantRoundArgs& args, Parallel& parallel) = nullptr;
  void (*scale)(float* c, Index count, float scale, float factor) = nullptr;
};

}  // namespace athanor
