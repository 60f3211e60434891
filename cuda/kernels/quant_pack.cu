// Quantized weights as they are stored to the layouts of device/quant_launch.h: a thread a word of cells, a thread a group.
#include <algorithm>

#include "base/half.h"
#include "cuda/kernels/quant.cuh"
#include "cuda/kernels/sparse/bitmap.cuh"
#include "cuda/plugin/families.h"

namespace athanor::cuda {
namespace {

using device::QuantCodes;
using device::QuantizedWeight;
using device::QuantLayout;
using device::QuantUse;

constexpr int kThreads = 128;

struct PackParams {
  QuantizedWeight w;
  QuantLayout l;
  Bitmap bitmap;  // without bits: none
  std::byte* to;
  CellOrder order;
  device::Check check;
};

ATHANOR_DEVICE float magnitude(float x) { return x < 0 ? -x : x; }

ATHANOR_DEVICE float entry_of(const QuantizedWeight& w, Index i) {
  return w.has_own_table ? w.own_table[i] : w.table[i];
}

ATHANOR_DEVICE float table_unit(const QuantizedWeight& w) {
  float most = 0;
  for (Index i = 0; i < w.table_size; ++i) most = magnitude(entry_of(w, i)) > most ? magnitude(entry_of(w, i)) : most;
  return most > 0 ? most / 127.0f : 1.0f;
}
ATHANOR_DEVICE int rounded_entry(float entry, float unit) {
  const float value = rintf(entry / unit);
  return value >= 127.0f ? 127 : value > -127.0f ? static_cast<int>(value) : -127;
}

// The unit of the integers, the table in f32 with zeros behind it, its first 16 integers.
ATHANOR_KERNEL(256)
pack_header_kernel(ATHANOR_PARAM(PackParams) p) {
  const Index i = threadIdx.x;
  const bool has_table = p.w.codes == QuantCodes::codebook;
  const float unit = has_table ? table_unit(p.w) : 1.0f;
  const float entry = has_table && i < p.w.table_size ? entry_of(p.w, i) : 0.0f;
  if (i == 0) *reinterpret_cast<float*>(p.to) = unit;
  if (i < 16)
    reinterpret_cast<std::int8_t*>(p.to + device::kQuantRoundedAt)[i] =
        static_cast<std::int8_t>(rounded_entry(entry, unit));
  reinterpret_cast<float*>(p.to + device::kQuantTableAt)[i] = entry;
}

// 2^(byte - 127); 255 is no number.
ATHANOR_DEVICE float from_e8m0(std::uint8_t byte) {
  const auto bits = static_cast<std::uint32_t>(byte);
  return __builtin_bit_cast(float, bits == 0 ? 0x00400000u : bits == 255 ? 0x7fc00000u : bits << 23);
}

ATHANOR_DEVICE Index group_place(bool one, Index n, Index g, Index groups) { return one ? 0 : n * groups + g; }
ATHANOR_DEVICE float scale_of(const QuantizedWeight& w, Index n, Index g) {
  const Index at = group_place(w.one_scale, n, g, w.groups);
  if (w.scale_dtype == DType::bf16) return to_f32(Bf16{static_cast<const std::uint16_t*>(w.scale)[at]});
  if (w.scale_dtype == DType::u8) return from_e8m0(static_cast<const std::uint8_t*>(w.scale)[at]);
  return static_cast<const float*>(w.scale)[at];
}
ATHANOR_DEVICE int zero_of(const QuantizedWeight& w, Index n, Index g) {
  return w.codes == QuantCodes::affine ? w.zero[group_place(w.one_zero, n, g, w.groups)] : 0;
}

// A code and where it stands; -1: a hole, or past the end of what there is.
ATHANOR_DEVICE int code_of(const PackParams& p, Index n, Index k) {
  const QuantizedWeight& w = p.w;
  Index bit = n * ((w.K * w.bits + 7) / 8) * 8 + k * w.bits;
  if (p.bitmap.bits != nullptr) {
    const Index rank = p.bitmap.rank(n, k);
    if (rank < 0) return -1;
    bit = rank * w.bits;
  }
  const Index byte = bit / 8;
  const int shift = static_cast<int>(bit - byte * 8);
  const bool more = shift + w.bits > 8;
  if (byte + (more ? 1 : 0) >= w.q_bytes) return -1;  // reported by the bitmap's count
  const int window = w.q[byte] | (more ? w.q[byte + 1] << 8 : 0);
  const int code = window >> shift & ((1 << w.bits) - 1);
  if (w.codes == QuantCodes::codebook && code >= w.table_size) {
    report_bad(p.check, device::StatusCode::corrupt, n * w.K + k, static_cast<std::uint32_t>(code));
    return -1;
  }
  return code;
}
ATHANOR_DEVICE int signed_code(int code, int bits) {
  const int sign = 1 << (bits - 1);
  return (code ^ sign) - sign;
}

// The value that a group's cells are to be taken from.
ATHANOR_DEVICE int cell_zero(const PackParams& p, Index n, Index g) {
  if (!p.l.has_zeros) return 0;
  if (p.w.codes == QuantCodes::affine) return zero_of(p.w, n, g);
  return p.l.bits == 4 ? 8 : 128;
}

ATHANOR_DEVICE int cell_of(const PackParams& p, Index n, Index g, int code, float unit) {
  if (p.w.codes == QuantCodes::codebook) {
    if (p.l.use == QuantUse::floats || p.l.bits == 4) return code >= 0 ? code : static_cast<int>(p.w.table_size);
    return code >= 0 ? rounded_entry(entry_of(p.w, code), unit) : 0;
  }
  const int zero = cell_zero(p, n, g);
  if (code < 0) return zero;
  return p.w.codes == QuantCodes::affine ? code : signed_code(code, p.w.bits) + zero;
}

// The integer that a code stands for in a product of integers.
ATHANOR_DEVICE int integer_of(const PackParams& p, Index n, Index g, int code, float unit) {
  if (code < 0) return 0;
  if (p.w.codes == QuantCodes::codebook) return rounded_entry(entry_of(p.w, code), unit);
  return p.w.codes == QuantCodes::affine ? code - zero_of(p.w, n, g) : signed_code(code, p.w.bits);
}

ATHANOR_DEVICE void check_count(const PackParams& p) {
  if (p.bitmap.bits == nullptr) return;
  const Index kept = p.bitmap.starts[p.w.N];
  if ((kept * p.w.bits + 7) / 8 != p.w.q_bytes)
    report_bad(p.check, device::StatusCode::corrupt, 0, static_cast<std::uint32_t>(kept));
}

ATHANOR_KERNEL(kThreads)
pack_cells_kernel(ATHANOR_PARAM(PackParams) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  const Index words = p.l.row_bytes / 4, n = i / words, word = i - n * words;
  if (i == 0) check_count(p);
  if (n >= p.l.N) return;
  const int words_of_step = p.l.bits, cells = 32 / p.l.bits;  // 32 k have as many words as a cell has bits
  const Index step = word / words_of_step;
  const float unit = *reinterpret_cast<const float*>(p.to);
  std::uint32_t packed = 0;
  for (int slot = 0; slot < cells; ++slot) {
    const Index at = step * 32 + k_of_cell(p.order, p.l.bits, static_cast<int>(word - step * words_of_step), slot);
    const Index g = at / p.l.padded_group, within = at - g * p.l.padded_group, k = g * p.l.group + within;
    int cell = 0;
    if (g < p.l.groups) {
      const bool inside = within < p.l.group && k < p.l.K;
      cell = inside ? cell_of(p, n, g, code_of(p, n, k), unit) : cell_zero(p, n, g);
    }
    packed |= (static_cast<std::uint32_t>(cell) & ((1u << p.l.bits) - 1u)) << (slot * p.l.bits);
  }
  reinterpret_cast<std::uint32_t*>(p.to + device::kQuantCellsAt + n * p.l.row_bytes)[word] = packed;
}

ATHANOR_KERNEL(kThreads)
pack_groups_kernel(ATHANOR_PARAM(PackParams) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x, g = i / (p.l.N > 0 ? p.l.N : 1),
              n = i - g * p.l.N;
  if (g >= p.l.groups) return;
  const float scale = scale_of(p.w, n, g);
  if (p.w.scale_dtype == DType::u8 && scale != scale) report_bad(p.check, device::StatusCode::corrupt, i, 255);
  reinterpret_cast<float*>(p.to + p.l.scale_at)[i] = scale;
  reinterpret_cast<std::uint8_t*>(p.to + p.l.zero_at)[i] = static_cast<std::uint8_t>(cell_zero(p, n, g));
  if (p.l.use != QuantUse::integers) return;
  const float unit = *reinterpret_cast<const float*>(p.to);
  std::int32_t sum = 0;
  const Index end = (g + 1) * p.l.group < p.l.K ? (g + 1) * p.l.group : p.l.K;
  for (Index k = g * p.l.group; k < end; ++k) sum += integer_of(p, n, g, code_of(p, n, k), unit);
  reinterpret_cast<std::int32_t*>(p.to + p.l.sum_at)[i] = sum;
}

ATHANOR_KERNEL(kThreads)
pack_dense_kernel(ATHANOR_PARAM(PackParams) p) {
  const Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (i == 0) check_count(p);
  if (i >= p.l.N * p.l.K) return;
  const Index n = i / p.l.K, k = i - n * p.l.K, g = k / p.l.group;
  const int code = code_of(p, n, k);
  float value = 0;
  if (code >= 0) {
    value = p.w.codes == QuantCodes::codebook ? entry_of(p.w, code)
            : p.w.codes == QuantCodes::affine ? static_cast<float>(code - zero_of(p.w, n, g))
                                              : static_cast<float>(signed_code(code, p.w.bits));
    value = scale_of(p.w, n, g) * value;
  }
  reinterpret_cast<float*>(p.to + device::kQuantCellsAt)[i] = value;
}

const char* refuses(const device::QuantPack& args) {
  const QuantizedWeight& w = args.w;
  if (w.bits < 1 || w.bits > 8) return "cells of more than 8 bits";
  if (w.scale_dtype != DType::f32 && w.scale_dtype != DType::bf16 && w.scale_dtype != DType::u8)
    return "scales that are neither f32, bf16 nor exponents of 8 bits";
  if (w.codes == QuantCodes::codebook && w.table_size > 256) return "a table of more than 256 values";
  if (args.layout.use == QuantUse::floats && !device::quant_has_holes_code(w))
    return "a sparse weight whose table leaves no code for holes";
  return nullptr;
}

Index workspace(const device::QuantPack& args) {
  return args.w.bitmap == nullptr ? 0 : bitmap_bytes(args.w.N, args.w.K);
}

device::Result run(device::Stream* stream, const device::QuantPack& args, void* workspace) {
  PackParams p{args.w, args.layout, {}, args.to, order_of(args.layout), args.check};
  device::Result result = LAUNCH(pack_header_kernel, 1, 256, 0, stream, p);
  if (result == device::Result::ok && args.w.bitmap != nullptr) {
    p.bitmap = {args.w.N, args.w.K, args.w.bitmap};
    result = rank_bitmap(stream, p.bitmap, workspace, -1, args.check);
  }
  if (result != device::Result::ok || args.w.N == 0 || args.w.K == 0) return result;
  if (args.layout.use == QuantUse::dense)
    return LAUNCH(pack_dense_kernel, blocks_for(p.l.N * p.l.K, kThreads), kThreads, 0, stream, p);
  result = LAUNCH(pack_cells_kernel, blocks_for(p.l.N * p.l.row_bytes / 4, kThreads), kThreads, 0, stream, p);
  if (result != device::Result::ok) return result;
  return LAUNCH(pack_groups_kernel, blocks_for(p.l.N * p.l.groups, kThreads), kThreads, 0, stream, p);
}

}  // namespace

void fill_quant_pack(device::Launchers& launch) { launch.quant_pack = {refuses, workspace, run}; }

}  // namespace athanor::cuda
