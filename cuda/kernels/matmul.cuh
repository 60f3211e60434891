// What the kernels of dense products share: parameters, and where an element of C goes.
#pragma once
#include "base/half.h"
#include "cuda/kernels/elementwise/elementwise.cuh"
#include "device/launch.h"

namespace athanor::cuda {

struct MatmulParams {
  Index M, N, K;
  Index batch[2];
  device::MatmulOperand a, b;
  void* c;
  DType c_dtype;
  Index ldc;
  Index c_batch[2];
  int accumulate;
  void* partial;  // (pieces, batches, M, N) of the sum's type, where pieces > 1
  int pieces;
  Index piece;  // of K
  Index tiles_m, tiles_n;
};

ATHANOR_DEVICE float fused_sum(float a, float b, float c) { return fmaf(a, b, c); }
ATHANOR_DEVICE double fused_sum(double a, double b, double c) { return ::fma(a, b, c); }

template <class Acc>
ATHANOR_DEVICE void store_product(const MatmulParams& p, Index batch, Index b0, Index b1, Index m, Index n, Acc sum) {
  if (p.partial != nullptr) {
    const Index count = p.batch[0] * p.batch[1] * p.M * p.N;
    static_cast<Acc*>(p.partial)[static_cast<Index>(blockIdx.y) * count + (batch * p.M + m) * p.N + n] = sum;
    return;
  }
  const Index at = b0 * p.c_batch[0] + b1 * p.c_batch[1] + m * p.ldc + n;
  if (p.c_dtype == DType::bf16) {
    auto* c = static_cast<std::uint16_t*>(p.c) + at;
    *c = to_bf16(static_cast<float>(sum) + (p.accumulate ? to_f32(Bf16{*c}) : 0.0f)).bits;
  } else if (p.c_dtype == DType::f64) {
    auto* c = static_cast<double*>(p.c) + at;
    *c = p.accumulate ? *c + static_cast<double>(sum) : static_cast<double>(sum);
  } else {
    auto* c = static_cast<float*>(p.c) + at;
    *c = p.accumulate ? *c + static_cast<float>(sum) : static_cast<float>(sum);
  }
}

// Whether 128 × 128 tiles fill a large device.
inline bool wants_large_tiles(const MatmulParams& p) {
  const Index tiles = (p.M + 127) / 128 * ((p.N + 127) / 128) * p.batch[0] * p.batch[1];
  return tiles >= 128 && p.M >= 96 && p.N >= 96;
}

device::Result run_matmul_exact(device::Stream* stream, const MatmulParams& p, DType a, DType b);

// f32 operands and an epilogue on every element while it is in registers; `e` has the result's elements in the order of C.
device::Result run_matmul_fused(device::Stream* stream, const MatmulParams& p, const EwProgramParams& e);

// On tensor cores: bf16 operands, or f32 operands as tf32 or tf32x3. Both operands must fit.
device::Result run_matmul_mma(device::Stream* stream, const MatmulParams& p, device::Precision precision);

// Whether 16-byte copies find their way: one stride is 1, everything else a multiple of 16 bytes.
bool fits_mma(const device::MatmulOperand& operand);

// An f32 operand without batches, rounded to bf16 in memory of its own; the operand then stands for that.
Index rounded_bytes(Index lines, Index length);
device::Result round_operand(device::Stream* stream, device::MatmulOperand& operand, Index rows, Index cols, void* to);

// Adds the pieces of f32 products in order.
device::Result join_matmul_pieces(device::Stream* stream, const MatmulParams& p);

}  // namespace athanor::cuda
