// The launcher of dense products: which kernel, in how many pieces, and the epilogue.
#include <algorithm>

#include "cuda/kernels/matmul.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

constexpr Index kPieceLeast = 256;  // of K

bool has_epilogue(const device::Matmul& args) { return args.epilogue.raw >= 0; }
Index count_of(const device::Matmul& args) { return args.batch[0] * args.batch[1] * args.M * args.N; }
Index rounded(Index bytes) { return (bytes + 255) / 256 * 256; }

MatmulParams params_of(const device::Matmul& args) {
  MatmulParams p{};
  p.M = args.M, p.N = args.N, p.K = args.K;
  std::copy(args.batch, args.batch + 2, p.batch);
  p.a = args.a, p.b = args.b;
  p.c = args.c;
  p.c_dtype = args.c_dtype;
  p.ldc = args.ldc;
  std::copy(args.c_batch, args.c_batch + 2, p.c_batch);
  p.accumulate = args.accumulate ? 1 : 0;
  const Index tiles = (args.M + 63) / 64 * ((args.N + 63) / 64) * args.batch[0] * args.batch[1];
  const Index wanted = tiles == 0 ? 1 : std::max<Index>(1, 264 / tiles);
  const Index pieces = std::clamp<Index>(args.K / kPieceLeast, 1, wanted);
  p.piece = std::max<Index>(1, (args.K + pieces - 1) / pieces);
  p.piece = (p.piece + 31) / 32 * 32;
  p.pieces = static_cast<int>(std::max<Index>(1, (args.K + p.piece - 1) / p.piece));
  return p;
}

Index partial_bytes(const device::Matmul& args, const MatmulParams& p) {
  if (p.pieces == 1) return 0;
  return rounded(p.pieces * count_of(args) * (args.c_dtype == DType::f64 ? 8 : 4));
}

// f32 operands that are to be multiplied as bf16 are rounded in memory first; batches stay exact.
bool is_rounded(const device::Matmul& args) {
  return args.precision == device::Precision::bf16 && args.a.dtype == DType::f32 && args.b.dtype == DType::f32 &&
         args.batch[0] * args.batch[1] == 1;
}
Index operand_bytes(Index rows, Index cols) { return std::max(rounded_bytes(rows, cols), rounded_bytes(cols, rows)); }

// Exact products of f32 finish their elements themselves; others leave a result in memory that a second kernel finishes.
bool is_fused(const device::Matmul& args) {
  return has_epilogue(args) && args.precision == device::Precision::exact && args.a.dtype == DType::f32 &&
         args.b.dtype == DType::f32;
}
bool has_raw(const device::Matmul& args) { return has_epilogue(args) && !is_fused(args); }

Index workspace(const device::Matmul& args) {
  const Index operands = is_rounded(args) ? operand_bytes(args.M, args.K) + operand_bytes(args.K, args.N) : 0;
  return partial_bytes(args, params_of(args)) + (has_raw(args) ? rounded(count_of(args) * 4) : 0) + operands;
}

// bf16 operands always go to the tensor cores where their strides allow it; f32 ones where the precision says so.
bool wants_mma(const MatmulParams& p, device::Precision precision) {
  if (p.K == 0 || !fits_mma(p.a) || !fits_mma(p.b)) return false;
  if (p.a.dtype == DType::bf16 && p.b.dtype == DType::bf16) return true;
  const bool f32 = p.a.dtype == DType::f32 && p.b.dtype == DType::f32;
  return f32 && (precision == device::Precision::tf32 || precision == device::Precision::tf32x3);
}

const char* refuses(const device::Matmul& args) {
  const bool f64 = args.a.dtype == DType::f64 || args.b.dtype == DType::f64 || args.c_dtype == DType::f64;
  if (f64 && (args.a.dtype != args.b.dtype || args.a.dtype != args.c_dtype))
    return "a product of f64 with another type";
  if (f64 && has_epilogue(args)) return "an epilogue in f64";
  for (const DType type : {args.a.dtype, args.b.dtype, args.c_dtype})
    if (type != DType::f32 && type != DType::bf16 && type != DType::f64) return "a product of whole numbers";
  if (has_epilogue(args)) {
    if (args.accumulate) return "an epilogue of an accumulated product";
    return refuse_program(args.epilogue.args);
  }
  return nullptr;
}

device::Result run(device::Stream* stream, const device::Matmul& args, void* workspace) {
  if (count_of(args) == 0) return device::Result::ok;
  MatmulParams p = params_of(args);
  auto* room = static_cast<std::byte*>(workspace);
  if (p.pieces > 1) p.partial = room;
  if (is_fused(args)) {
    const EwProgramParams e = make_program(args.epilogue.args, args.epilogue.raw, args.epilogue.run);
    return run_matmul_fused(stream, p, e);
  }
  if (has_raw(args)) {
    p.c = room + partial_bytes(args, p);
    p.c_dtype = DType::f32;
    p.ldc = args.N;
    p.c_batch[1] = args.M * args.N;
    p.c_batch[0] = args.batch[1] * p.c_batch[1];
  }
  device::Result result = device::Result::ok;
  if (is_rounded(args) && args.K > 0) {
    std::byte* operands = room + partial_bytes(args, p) + (has_raw(args) ? rounded(count_of(args) * 4) : 0);
    result = round_operand(stream, p.a, args.M, args.K, operands);
    if (result == device::Result::ok)
      result = round_operand(stream, p.b, args.K, args.N, operands + operand_bytes(args.M, args.K));
    if (result != device::Result::ok) return result;
  }
  result = wants_mma(p, args.precision) ? run_matmul_mma(stream, p, args.precision)
                                        : run_matmul_exact(stream, p, p.a.dtype, p.b.dtype);
  if (result != device::Result::ok || !has_raw(args)) return result;
  return run_epilogue(stream, args.epilogue, static_cast<const float*>(p.c));
}

}  // namespace

void fill_matmul(device::Launchers& launch) { launch.matmul = {refuses, workspace, run}; }

}  // namespace athanor::cuda
