// Products of x in f32, as it is, with the values of quantized weights: y[m, n] = Σ x[m, k] · w[n, k], where w = scale · value.
//   up to kDirectRows rows   cells become f32 in registers, for all rows; y = Σ_g scale[n, g] · Σ x · value, k ascending in both
//   more                     scale · value of kFloatBlock k of a panel go to L1, and the f32 register tile of gemm_micro.inl.h runs
//                            over all rows of the task, from x in panels of k-major rows
// One row reads 4 or 8 bits where f32 reads 32, and is bound by the cells' way to f32: per vector of s4 2 shifts, a conversion and a
// multiply-add, 1.5 cycles on Zen 3. Padded k of x are zeros, as in the panels.
#pragma once
#include <type_traits>

#include "kernels/gemm/gemm_plan.inl.h"
#include "kernels/quant/quant_float_cells.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {
namespace quantized {

inline constexpr Index kFloatBlock = 256;               // k of a decoded block: 16 KiB with AVX2, half of L1
inline constexpr Index kPackedFloats = Index{2} << 20;  // of x, packed at a time

struct FloatTile {
  const quant::Panels* w;
  const std::byte* panel;
  const std::byte* table;
  const float* x;
  Index ldx;
  float* sums;   // (R, kQuantColumns)
  Index stride;  // from sums of a panel to those of the next one
};

// R rows by P panels that lie next to each other: all of k.
template <int R, int P, Cells cells>
void run_float_tile(const FloatTile& t) {
  constexpr int Q = is_nibble(cells) && P > 2 ? 2 : P;  // whose words are in registers together
  const TableOf<cells> table(reinterpret_cast<const float*>(t.table));
  const auto total = [&](int p, int i) { return t.sums + p * t.stride + i * kLanes; };
  for (int p = 0; p < P; ++p)
    for (int i = 0; i < 2 * R; ++i) Vec::zero().store(total(p, i));
  for (Index g = 0; g < t.w->groups; ++g) {
    Vec acc[P][2 * R];
    IVec zero[P][2];
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) {
      load_zeros<cells>(*t.w, panel_at(t, p), g, zero[p]);
      ATHANOR_UNROLL
      for (int i = 0; i < 2 * R; ++i) acc[p][i] = Vec::zero();
    }
    for (Index k = g * t.w->padded_group; k < (g + 1) * t.w->padded_group; k += kFloatStep) {
      ATHANOR_UNROLL
      for (int p0 = 0; p0 < P; p0 += Q) {
        const float* x = t.x + k;
        asm("" : "+r"(x));  // else GCC keeps x of the first panels for the others, in the sums' registers
        const auto steps = [&]<int... q>(std::integer_sequence<int, q...>) __attribute__((always_inline)) {
          return std::array<CellStep<cells>, Q>{CellStep<cells>(panel_at(t, p0 + q), k)...};
        }(std::make_integer_sequence<int, Q>{});
        each_of_step([&]<int i>() __attribute__((always_inline)) {
          ATHANOR_UNROLL
          for (int r = 0; r < R; ++r) {
            const Vec xv = Vec::broadcast(x[r * t.ldx + i]);
            ATHANOR_UNROLL
            for (int q = 0; q < Q; ++q)
              for (int v = 0; v < 2; ++v) {
                Vec& sum = acc[p0 + q][2 * r + v];
                sum = fma(steps[static_cast<std::size_t>(q)].template value<i>(v, table, zero[p0 + q]), xv, sum);
              }
          }
        });
      }
    }
    ATHANOR_UNROLL
    for (int p = 0; p < P; ++p) {
      ATHANOR_UNROLL
      for (int i = 0; i < 2 * R; ++i) {
        const Vec scale = load_panel_scale(*t.w, panel_at(t, p), g, i % 2);
        fma(acc[p][i], scale, Vec::load(total(p, i))).store(total(p, i));
      }
    }
  }
}

template <Cells cells>
constexpr auto kDirectFloat = direct_row<FloatTile>([]<int R, int P>() { return run_float_tile<R, P, cells>; });

// scale · value of [k0, k1) of a panel, to[k - k0][kQuantColumns].
template <Cells cells>
void decode_floats(const quant::Panels& w, const std::byte* table_at, const std::byte* panel, Index k0, Index k1,
                   float* to) {
  const TableOf<cells> table(reinterpret_cast<const float*>(table_at));
  for (Index k = k0; k < k1;) {
    const Index g = k / w.padded_group, group_end = (g + 1) * w.padded_group, end = group_end < k1 ? group_end : k1;
    const Vec scale[2] = {load_panel_scale(w, panel, g, 0), load_panel_scale(w, panel, g, 1)};
    IVec zero[2];
    load_zeros<cells>(w, panel, g, zero);
    for (; k < end; k += kFloatStep, to += kFloatStep * kQuantColumns) {
      const CellStep<cells> step(panel, k);
      each_of_step([&]<int i>() __attribute__((always_inline)) {
        for (int v = 0; v < 2; ++v)
          (scale[v] * step.template value<i>(v, table, zero)).store(to + i * kQuantColumns + v * kLanes);
      });
    }
  }
}

// How a product is cut, by its sizes alone, into tasks of `strip` panels by `rows` rows, `pass` chunks of rows after the other. The
// memory of a call: rows of x, padded or packed, then for each worker sums, or a decoded block.
struct QuantFloatWorkspace {
  Index rows, chunks, pass, strip, strips;
  Index worker_at, worker_bytes, bytes;
};

inline bool is_direct(const QuantFloatArgs& a) { return a.M <= kDirectRows; }
inline bool is_padded(const QuantFloatArgs& a) { return a.w.padded_k != a.w.K; }

inline QuantFloatWorkspace float_workspace_layout(const QuantFloatArgs& a, int workers) {
  QuantFloatWorkspace layout;
  layout.rows = a.M <= kRowsInTask ? a.M : up(parts_of(a.M, parts_of(a.M, kRowsInTask)), gemm::kMr);
  layout.chunks = parts_of(a.M, layout.rows);
  layout.pass = kPackedFloats / (layout.rows * a.w.padded_k + 1);
  layout.pass = layout.pass < 1 ? 1 : layout.pass < layout.chunks ? layout.pass : layout.chunks;
  layout.strip = panels_in_task(a.M, a.w, layout.chunks);
  layout.strips = parts_of(a.w.count, layout.strip);
  const Index copied = is_direct(a) && !is_padded(a) ? 0 : layout.pass * layout.rows * a.w.padded_k;
  layout.worker_at = up(copied * 4, 64);
  layout.worker_bytes = (is_direct(a) ? layout.strip * layout.rows : kFloatBlock) * kQuantColumns * 4;
  layout.bytes = layout.worker_at + workers * layout.worker_bytes;
  return layout;
}

inline Index float_workspace(const QuantFloatArgs& a, int workers) {
  return a.M == 0 ? 0 : float_workspace_layout(a, workers).bytes;
}

// Rows [first, first + n) of x, to[k * n + row] in padded k; without `packs` they stay rows.
inline void copy_x(const QuantFloatArgs& a, Index first, Index n, bool packs, float* to) {
  for (Index g = 0; g < a.w.groups; ++g) {
    const Index k = g * a.w.group, at = g * a.w.padded_group;
    const Index length = a.w.K - k < a.w.group ? a.w.K - k : a.w.group, padding = a.w.padded_group - length;
    const float* from = a.x + first * a.w.K + k;
    if (packs) {
      gemm::pack_piece({from, a.w.K, 1, length, static_cast<int>(n), to + at * n, n});
      std::memset(to + (at + length) * n, 0, static_cast<std::size_t>(padding * n) * 4);
      continue;
    }
    for (Index r = 0; r < n; ++r, from += a.w.K) {
      float* const row = to + r * a.w.padded_k + at;
      std::memcpy(row, from, static_cast<std::size_t>(length) * 4);
      std::memset(row + length, 0, static_cast<std::size_t>(padding) * 4);
    }
  }
}

inline void float_direct(const QuantFloatArgs& a, Parallel& parallel, std::byte* memory) {
  const QuantFloatWorkspace layout = float_workspace_layout(a, parallel.workers());
  FloatTile tile{};
  tile.w = &a.w, tile.table = a.packed, tile.stride = a.M * kQuantColumns;
  tile.x = a.x, tile.ldx = a.w.padded_k;
  if (is_padded(a)) {
    copy_x(a, 0, a.M, false, reinterpret_cast<float*>(memory));
    tile.x = reinterpret_cast<const float*>(memory);
  }
  parallel.run(static_cast<int>(layout.strips), [&](int task, int worker) {
    static constexpr float kOnes[kDirectRows] = {1, 1, 1, 1};
    const Index first = task * layout.strip, last = gemm::least(first + layout.strip, a.w.count);
    FloatTile own = tile;
    own.panel = a.packed + quant::kPanelHeader + first * a.w.panel_bytes;
    own.sums = reinterpret_cast<float*>(memory + layout.worker_at + worker * layout.worker_bytes);
    run_panels(*with_cells(a.w, []<Cells cells>() { return &kDirectFloat<cells>; }), own, a.M, last - first);
    for (Index panel = first; panel < last; ++panel, own.sums += own.stride) {
      const Index n = panel * kQuantColumns;
      finish(own.sums, kOnes, a.M, a.y + n, a.w.N, gemm::least(a.w.N - n, kQuantColumns));
    }
    const Index n0 = first * kQuantColumns, n1 = gemm::least(last * kQuantColumns, a.w.N);
    for (Index m = 0; a.epilogue != nullptr && m < a.M; ++m)
      a.epilogue(a.epilogue_self, a.y + m * a.w.N + n0, m, n0, n1 - n0, 0);
  });
}

// The chunk of `rows` rows from m0 on by panels [first, last).
inline void float_task(const QuantFloatArgs& a, const float* packed_x, Index m0, Index rows, Index first, Index last,
                       float* block) {
  const auto decode = with_cells(a.w, []<Cells cells>() { return &decode_floats<cells>; });
  const Index tiles = parts_of(rows, gemm::kMr);
  Index k0 = 0;
  do {  // once where there is no k, for zeros
    const Index k1 = gemm::least(k0 + kFloatBlock, a.w.padded_k);
    for (Index panel = first; panel < last; ++panel) {
      decode(a.w, a.packed, a.packed + quant::kPanelHeader + panel * a.w.panel_bytes, k0, k1, block);
      const Index n0 = panel * kQuantColumns;
      for (Index i = 0; i < tiles; ++i) {
        const Index row = gemm::part_start(i, tiles, rows), n = gemm::part_start(i + 1, tiles, rows) - row;
        gemm::GemmTile tile{k1 - k0,       packed_x + row * a.w.padded_k + k0 * n, n,     block,
                            kQuantColumns, a.y + (m0 + row) * a.w.N + n0,          a.w.N, 0,
                            k0 > 0};
        const int columns = static_cast<int>(gemm::least(a.w.N - n0, kQuantColumns));
        gemm::run_gemm_tile(tile, static_cast<int>(n), columns, gemm::GemmOrder::k_major);
      }
    }
    k0 = k1;
  } while (k0 < a.w.padded_k);
  const Index n0 = first * kQuantColumns, n1 = gemm::least(last * kQuantColumns, a.w.N);
  for (Index m = m0; a.epilogue != nullptr && m < m0 + rows; ++m)
    a.epilogue(a.epilogue_self, a.y + m * a.w.N + n0, m, n0, n1 - n0, 0);
}

inline void float_matmul(const QuantFloatArgs& a, Parallel& parallel, void* workspace) {
  if (a.M == 0 || a.w.N == 0) return;
  auto* const memory = static_cast<std::byte*>(workspace);
  if (is_direct(a)) return float_direct(a, parallel, memory);
  const QuantFloatWorkspace layout = float_workspace_layout(a, parallel.workers());
  auto* const packed_x = reinterpret_cast<float*>(memory);
  const Index group = parts_of(Index{1} << 16, gemm::kMr * (a.w.K + 1));  // tiles that a task packs
  const Index groups = parts_of(parts_of(layout.rows, gemm::kMr), group);
  for (Index begin = 0; begin < layout.chunks; begin += layout.pass) {
    const Index chunks = gemm::least(layout.pass, layout.chunks - begin);
    const auto m0_of = [&](Index chunk) { return (begin + chunk) * layout.rows; };
    const auto rows_of = [&](Index chunk) { return gemm::least(layout.rows, a.M - m0_of(chunk)); };
    parallel.run(static_cast<int>(chunks * groups), [&](int task, int) {
      const Index chunk = task / groups, rows = rows_of(chunk), tiles = parts_of(rows, gemm::kMr);
      for (Index i = task % groups * group; i < tiles && i < (task % groups + 1) * group; ++i) {
        const Index row = gemm::part_start(i, tiles, rows), n = gemm::part_start(i + 1, tiles, rows) - row;
        copy_x(a, m0_of(chunk) + row, n, true, packed_x + (chunk * layout.rows + row) * a.w.padded_k);
      }
    });
    parallel.run(static_cast<int>(chunks * layout.strips), [&](int task, int worker) {
      const Index chunk = task % chunks, first = task / chunks * layout.strip;
      float_task(a, packed_x + chunk * layout.rows * a.w.padded_k, m0_of(chunk), rows_of(chunk), first,
                 gemm::least(first + layout.strip, a.w.count),
                 reinterpret_cast<float*>(memory + layout.worker_at + worker * layout.worker_bytes));
    });
  }
}

}  // namespace quantized
}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
