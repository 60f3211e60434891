// The launchers of products with quantized weights: which kernel, and the memory of its activations.
#include "cuda/kernels/quant.cuh"

#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

using device::QuantCodes;
using device::QuantLayout;
using device::QuantUse;

Index rounded(Index bytes) { return (bytes + 255) / 256 * 256; }

// Rows of 0 groups still have a factor.
struct Room {
  Index x_at = 0, sums_at = 0, factors_at = 0, steps_at = 0, bytes = 0;
};
Room room_of(const QuantLayout& w, Index rows, Index images) {
  Room room;
  const bool integers = w.use == QuantUse::integers;
  room.sums_at = rounded(rows * w.padded_k * (integers ? 1 : 6));
  room.factors_at = room.sums_at + (integers ? rounded(rows * w.groups * 4) : 0);
  room.steps_at = room.factors_at + (integers ? rounded(images * 4) : 0);
  room.bytes = room.steps_at + (integers ? rounded(images * 4) : 0);
  return room;
}

QuantProductParams product_of(const QuantLayout& w, const std::byte* packed, const Room& room, std::byte* memory) {
  QuantProductParams p{};
  p.N = p.ld_n = w.N, p.padded_k = w.padded_k;
  p.groups = static_cast<int>(w.groups), p.steps_of_group = static_cast<int>(w.padded_group / 32);
  p.x = reinterpret_cast<const std::uint8_t*>(memory + room.x_at);
  p.cells = reinterpret_cast<const std::uint8_t*>(packed + device::kQuantCellsAt), p.row_bytes = w.row_bytes;
  p.scale = reinterpret_cast<const float*>(packed + w.scale_at);
  p.zero = reinterpret_cast<const std::uint8_t*>(packed + w.zero_at);
  p.sums = reinterpret_cast<const std::int32_t*>(packed + w.sum_at);
  p.x_sums = reinterpret_cast<const std::int32_t*>(memory + room.sums_at);
  p.factors = reinterpret_cast<const float*>(memory + room.factors_at);
  p.rounded = reinterpret_cast<const std::uint32_t*>(packed + device::kQuantRoundedAt);
  p.pixels = 1;
  return p;
}

bool takes_rows(const device::QuantMatmul& args) {
  return args.w.use == QuantUse::floats && (args.M <= kQuantFewRows / 2 || args.w.codes == QuantCodes::codebook);
}

template <class Args>
const char* refuses_layout(const Args& args) {
  if (args.w.groups > kQuantMostGroups) return "a row of more than 12,288 groups";
  return args.epilogue.raw >= 0 ? refuse_program(args.epilogue.args) : nullptr;
}

const char* refuses(const device::QuantMatmul& args) {
  if (args.w.use == QuantUse::dense) return "a dense weight";
  if (takes_rows(args) && args.M > kQuantFewRows) return "a product of more than 16 rows with a table";
  return refuses_layout(args);
}

Index workspace(const device::QuantMatmul& args) {
  return takes_rows(args) ? 0 : room_of(args.w, args.M, args.M).bytes;
}

EwProgramParams program_of(const device::Epilogue& epilogue) {
  return epilogue.raw >= 0 ? make_program(epilogue.args, epilogue.raw, epilogue.run) : EwProgramParams{};
}

device::Result run(device::Stream* stream, const device::QuantMatmul& args, void* workspace) {
  if (args.M == 0 || args.w.N == 0) return device::Result::ok;
  const EwProgramParams e = program_of(args.epilogue);
  if (takes_rows(args)) return run_quant_rows(stream, args, e);
  auto* memory = static_cast<std::byte*>(workspace);
  const Room room = room_of(args.w, args.M, args.M);
  QuantProductParams p = product_of(args.w, args.packed, room, memory);
  const QuantRows rows{args.M,
                       args.w.K,
                       args.w.group,
                       args.w.padded_group,
                       args.w.groups,
                       args.w.padded_k,
                       args.x,
                       args.act,
                       reinterpret_cast<const float*>(args.packed),
                       reinterpret_cast<std::uint8_t*>(memory + room.x_at),
                       reinterpret_cast<float*>(memory + room.factors_at),
                       reinterpret_cast<std::int32_t*>(memory + room.sums_at)};
  p.M = args.M, p.y = args.y, p.act = args.act, p.fused = args.epilogue.raw >= 0 ? 1 : 0;
  device::Result result = device::Result::ok;
  if (args.w.use == QuantUse::integers) {
    p.ldx = args.w.padded_k;
    result = round_rows(stream, rows);
    if (result != device::Result::ok) return result;
    return run_quant_integers(stream, p, order_of(args.w), args.w.has_zeros, e);
  }
  p.ldx = args.w.padded_k * 2, p.plane = args.M * p.ldx;
  if (args.w.padded_k > 0) result = split_rows(stream, rows);
  return result != device::Result::ok ? result : run_quant_floats(stream, p, args.w.bits, e);
}

const char* conv_refuses(const device::QuantConv& args) {
  const ConvShape& s = args.shape;
  if (args.w.use != QuantUse::integers) return "a weight that is not in integers";
  if (s.n * s.out_h() * s.out_w() > 0x7fffffff) return "more than 2^31 pixels";
  return refuses_layout(args);
}

Index conv_rows(const ConvShape& s) { return s.n * s.out_h() * s.out_w(); }

Index conv_workspace(const device::QuantConv& args) {
  return room_of(args.w, conv_rows(args.shape), args.shape.n).bytes;
}

// The convolution's groups one after the other, in the same memory.
device::Result conv_run(device::Stream* stream, const device::QuantConv& args, void* workspace) {
  const ConvShape& s = args.shape;
  const Index rows = conv_rows(s);
  if (rows == 0 || s.c_out == 0) return device::Result::ok;
  auto* memory = static_cast<std::byte*>(workspace);
  const Room room = room_of(args.w, rows, s.n);
  const EwProgramParams e = program_of(args.epilogue);
  QuantWindows windows{s,
                       0,
                       args.w.K,
                       args.w.group,
                       args.w.padded_group,
                       args.w.groups,
                       args.w.padded_k,
                       args.x,
                       args.act,
                       reinterpret_cast<const float*>(args.packed),
                       reinterpret_cast<float*>(memory + room.steps_at),
                       reinterpret_cast<float*>(memory + room.factors_at),
                       reinterpret_cast<std::uint8_t*>(memory + room.x_at),
                       reinterpret_cast<std::int32_t*>(memory + room.sums_at)};
  QuantProductParams p = product_of(args.w, args.packed, room, memory);
  p.M = rows, p.N = s.c_out / s.groups, p.pixels = s.out_h() * s.out_w();
  p.ldx = args.w.padded_k, p.y = args.y, p.act = args.act, p.fused = args.epilogue.raw >= 0 ? 1 : 0;
  device::Result result = find_image_steps(stream, windows);
  for (Index g = 0; g < s.groups && result == device::Result::ok; ++g) {
    windows.conv_group = g, p.first_n = g * p.N;
    result = round_windows(stream, windows);
    if (result == device::Result::ok) result = run_quant_integers(stream, p, order_of(args.w), args.w.has_zeros, e);
  }
  return result;
}

}  // namespace

void fill_quant(device::Launchers& launch) {
  launch.quant_matmul = {refuses, workspace, run};
  launch.quant_conv = {conv_refuses, conv_workspace, conv_run};
}

}  // namespace athanor::cuda
