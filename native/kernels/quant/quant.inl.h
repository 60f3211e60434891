// The driver of products with quantized weights: rows of x are quantized, then tasks of some panels by some rows run the tile.
#pragma once
#include "kernels/quant/quant_activations.inl.h"
#include "kernels/quant/quant_bytes.inl.h"
#include "kernels/quant/quant_codes.inl.h"
#include "kernels/quant/quant_conv.inl.h"
#include "kernels/quant/quant_float.inl.h"
#include "kernels/quant/quant_wide.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

// How a product is cut, by its sizes alone, into tasks of `strip` panels by `rows` rows. The memory of a call: factors, integer
// rows, sums of them, then for each worker a decoded block, and sums and parts of every panel of a task.
struct QuantWorkspace {
  Index rows, chunks, strip, strips;
  Index ldx;  // a cache line off a power of two, so that the rows of a tile do not meet in one set
  Index ld_sums;
  Index rows_at, x_sums_at, worker_at, sums_at, parts_at, worker_bytes, bytes;
  Index panel_sums() const { return rows * kQuantColumns; }
};

constexpr bool is_bytes([[maybe_unused]] const quant::Layout& layout) {
#if defined(ATHANOR_QUANT_BYTES)
  return layout.is_signed && layout.depth == kCodesDepth;
#else
  return false;
#endif
}
constexpr Index decoded_bytes([[maybe_unused]] const quant::Layout& layout) {
#if defined(ATHANOR_QUANT_BYTES)
  if (is_bytes(layout)) return up(sizeof(BytesBlock), 64);
#endif
  return kBlockCells * 2;
}
constexpr bool is_wide(const quant::Layout& layout) { return layout.is_signed && !is_bytes(layout); }

inline QuantWorkspace workspace_layout(const QuantMatmulArgs& a, int workers) {
  QuantWorkspace layout;
  layout.chunks = parts_of(a.M, kRowsInTask);
  layout.rows = layout.chunks <= 1 ? a.M : up(parts_of(a.M, layout.chunks), kTileRows);
  layout.strip = panels_in_task(a.M, a.w, layout.chunks);
  layout.strips = parts_of(a.w.count, layout.strip);
  layout.ldx = up(a.w.padded_k, 64) + 64;
  if (!a.w.layout.is_signed)
    layout.ld_sums = a.w.groups > a.w.padded_k / 32 ? a.w.groups : a.w.padded_k / 32;
  else
    layout.ld_sums = is_bytes(a.w.layout) ? 1 : 0;
  layout.rows_at = up(a.M * 4, 64);
  layout.x_sums_at = layout.rows_at + up(a.M * layout.ldx * (is_wide(a.w.layout) ? 2 : 1), 64);
  layout.worker_at = layout.x_sums_at + up(a.M * layout.ld_sums * 4, 64);
  layout.sums_at = layout.rows > kDirectRows ? decoded_bytes(a.w.layout) : 0;
  layout.parts_at = layout.sums_at + layout.strip * layout.panel_sums() * 4;
  layout.worker_bytes = up(layout.parts_at + layout.strip * layout.panel_sums() * 4, 64);
  layout.bytes = layout.worker_at + workers * layout.worker_bytes;
  return layout;
}

inline Index workspace(const QuantMatmulArgs& a, int workers) { return workspace_layout(a, workers).bytes; }

// The tile in 16 bits, for every format.
struct WideScheme {
  using X = std::int16_t;
  static void sum_row(const X*, const quant::Panels&, std::int32_t*) {}
  static std::int32_t shift(const float*) { return 0; }
  static Tile tile(const QuantMatmulArgs& a, const QuantWorkspace& layout, const std::byte* base, Index m0) {
    Tile t{};
    t.w = &a.w, t.table = a.packed;
    t.x = reinterpret_cast<const X*>(base + layout.rows_at) + m0 * layout.ldx, t.ldx = layout.ldx;
    return t;
  }
  static void direct(const Tile& t, Index rows, Index panels) { run_direct(t, rows, panels); }
  static void block(const Tile& t, Index rows, std::byte* decoded) {
    run_block(t, rows, reinterpret_cast<std::int16_t*>(decoded));
  }
};

#if defined(ATHANOR_QUANT_CODES)
// The tile in 8 bits.
struct CodesScheme {
  using X = std::int8_t;
  static void sum_row(const X* x, const quant::Panels& w, std::int32_t* sums) { negated_sums(x, w, sums); }
  static std::int32_t shift(const float* act) { return act == nullptr ? 0 : static_cast<std::int32_t>(act[1]) - 128; }
  static CodesTile tile(const QuantMatmulArgs& a, const QuantWorkspace& layout, const std::byte* base, Index m0) {
    CodesTile t{};
    t.w = &a.w, t.table = a.packed;
    t.x = reinterpret_cast<const X*>(base + layout.rows_at) + m0 * layout.ldx, t.ldx = layout.ldx;
    t.x_sums = reinterpret_cast<const std::int32_t*>(base + layout.x_sums_at) + m0 * layout.ld_sums;
    t.ld_sums = layout.ld_sums, t.shift = shift(a.act);
    return t;
  }
  static void direct(const CodesTile& t, Index rows, Index panels) { run_codes_direct(t, rows, panels); }
  static void block(const CodesTile& t, Index rows, std::byte* decoded) {
    run_codes_block(t, rows, reinterpret_cast<std::uint8_t*>(decoded));
  }
};
#endif

#if defined(ATHANOR_QUANT_BYTES)
// The tile of signed bytes.
struct BytesScheme : CodesScheme {
  static void sum_row(const X* x, const quant::Panels& w, std::int32_t* mark) { mark_negative(x, w.padded_k, mark); }
  static std::int32_t shift(const float*) { return 0; }
  static void direct(const CodesTile& t, Index rows, Index panels) { run_bytes_direct(t, rows, panels); }
  static void block(const CodesTile& t, Index rows, std::byte* decoded) {
    run_bytes_block(t, rows, *reinterpret_cast<BytesBlock*>(decoded));
  }
};
#endif

inline quant::Layout layout([[maybe_unused]] const quant::Weights& w, [[maybe_unused]] bool is_static) {
#if defined(ATHANOR_ISA_AVX512)
  return {kQuantColumns, kCodesDepth, kCodesAlign, false, is_static};
#elif defined(ATHANOR_ISA_AVX2)
  // Groups are padded to 32, which must not make much more of them.
  const Index group = w.group < w.K ? w.group : w.K;
  const bool codes = w.bits() <= 4 && w.kind() != quant::Kind::codebook && !is_static;
  if (codes && 8 * up(group, kCodesAlign) <= 9 * group) return {kQuantColumns, kCodesDepth, kCodesAlign, false, false};
  if (!is_static && w.kind() != quant::Kind::affine) return bytes_layout();
#endif
  return wide_layout();
}

template <class Scheme>
inline void matmul_as(const QuantMatmulArgs& a, Parallel& parallel, void* memory) {
  using X = typename Scheme::X;
  const QuantWorkspace layout = workspace_layout(a, parallel.workers());
  auto* const base = static_cast<std::byte*>(memory);
  auto* const factors = reinterpret_cast<float*>(base);
  float unit;
  std::memcpy(&unit, a.packed + quant::kUnitAt, 4);
  const Index rows_at_once = parts_of(Index{1} << 16, a.w.K + 1);
  parallel.run(static_cast<int>(parts_of(a.M, rows_at_once)), [&](int task, int) {
    const Index end = (task + 1) * rows_at_once < a.M ? (task + 1) * rows_at_once : a.M;
    for (Index m = task * rows_at_once; m < end; ++m) {
      X* const row = reinterpret_cast<X*>(base + layout.rows_at) + m * layout.ldx;
      factors[m] = quantize_row(a, a.x + m * a.w.K, unit, Scheme::shift(a.act), row);
      Scheme::sum_row(row, a.w, reinterpret_cast<std::int32_t*>(base + layout.x_sums_at) + m * layout.ld_sums);
    }
  });
  parallel.run(static_cast<int>(layout.strips * layout.chunks), [&](int task, int worker) {
    std::byte* const own = base + layout.worker_at + worker * layout.worker_bytes;
    auto* const sums = reinterpret_cast<float*>(own + layout.sums_at);
    auto* const parts = reinterpret_cast<std::int32_t*>(own + layout.parts_at);
    const Index m0 = task % layout.chunks * layout.rows, rows = a.M - m0 < layout.rows ? a.M - m0 : layout.rows;
    const Index first = task / layout.chunks * layout.strip;
    const Index last = first + layout.strip < a.w.count ? first + layout.strip : a.w.count;
    if (rows <= 0) return;
    if (a.w.groups == 0) std::memset(sums, 0, static_cast<std::size_t>(layout.strip * layout.panel_sums()) * 4);
    auto tile = Scheme::tile(a, layout, base, m0);
    tile.stride = layout.panel_sums();
    const auto at = [&](Index panel) {
      tile.panel = a.packed + quant::kPanelHeader + panel * a.w.panel_bytes;
      tile.sums = sums + (panel - first) * layout.panel_sums();
      tile.parts = parts + (panel - first) * layout.panel_sums();
    };
    const auto cells = [&](Index panel, Index k) {
      return a.packed + quant::kPanelHeader + panel * a.w.panel_bytes + k * kQuantColumns * a.w.bits / 8;
    };
    // The block after [k0, k1) of a panel; after all of them that of the next task, or what lies behind the panels.
    const auto after = [&](Index panel, Index k0, Index k1) {
      if (panel + 1 < last) return cells(panel + 1, k0);
      return k1 < a.w.padded_k ? cells(first, k1) : cells(last, 0);
    };
    if (rows <= kDirectRows) {
      at(first), Scheme::direct(tile, rows, last - first);
    } else {
      for (tile.k0 = 0; tile.k0 < a.w.padded_k; tile.k0 = tile.k1) {
        tile.k1 = block_end(a.w, tile.k0);
        for (Index panel = first; panel < last; ++panel) {
          if constexpr (requires { tile.ahead; }) tile.ahead = after(panel, tile.k0, tile.k1);
          at(panel), Scheme::block(tile, rows, own);
        }
      }
    }
    const Index n0 = first * kQuantColumns, n1 = last * kQuantColumns < a.w.N ? last * kQuantColumns : a.w.N;
    for (Index r = 0; r < rows; ++r) {
      const Index m = m0 + r;
      for (Index n = n0; n < n1; n += kQuantColumns) {
        const float* of_panel = sums + (n - n0) / kQuantColumns * layout.panel_sums();
        const Index cols = n1 - n < kQuantColumns ? n1 - n : kQuantColumns;
        finish(of_panel + r * kQuantColumns, factors + m, 1, a.y + m * a.w.N + n, a.w.N, cols);
      }
      if (a.epilogue != nullptr) a.epilogue(a.epilogue_self, a.y + m * a.w.N + n0, m, n0, n1 - n0, 0);
    }
  });
}

inline void matmul(const QuantMatmulArgs& a, Parallel& parallel, void* memory) {
  if (a.M == 0 || a.w.N == 0) return;
#if defined(ATHANOR_QUANT_CODES)
  if (!a.w.layout.is_signed) return matmul_as<CodesScheme>(a, parallel, memory);
#endif
#if defined(ATHANOR_QUANT_BYTES)
  if (is_bytes(a.w.layout)) return matmul_as<BytesScheme>(a, parallel, memory);
#endif
  matmul_as<WideScheme>(a, parallel, memory);
}

}  // namespace quantized

constexpr QuantKernels quant_kernels() {
  return {quantized::layout,
          quantized::workspace,
          quantized::matmul,
          quantized::float_layout,
          quantized::float_workspace,
          quantized::float_matmul,
          quantized::wide_layout,
          quantized::conv_workspace,
          quantized::conv,
          quantized::round_rows,
          quantized::scale};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
