#include "sparse/choice.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "kernels/gemm/gemm.h"
#include "kernels/sparse/sparse.h"
#include "kernels/sparse/sparse_conv.h"
#include "kernels/sparse/sparse_slots.h"
#include "sparse/matching.h"
#include "sparse/slots.h"

namespace athanor::sparse {
namespace {

constexpr const char* kNames[kSparseShapeCount] = {"1x1", "1x4", "4x1", "4x4"};
constexpr double kConvCycles = 0.54;      // of the dense convolution, a multiply-add by a vector
constexpr double kMargin = 0.95;          // sparse where it promises at least this of dense's time
constexpr Index kTileFloats = 8192;       // of a tile's part that L1 holds: 32 KiB
constexpr double kFewEntries = 8;         // of a row in a piece: fewer, and the pieces are made wider
constexpr Index kMatchedRows = 16;        // of W, for the model of slots
constexpr double kNearWeights = 1 << 16;  // a dense weight of so many elements stays in L2

// With vectors of AVX-512 (Zen 4 and 5): cycles a weight of the dense product of 1 to 4 rows, wherever the weight lies, and
// what the sparse kernels take of what is said of them below, the more expensive of the two processors.
constexpr double kWideFewRows[kGemmFewRows] = {0.09, 0.15, 0.21, 0.22};
constexpr double kWidePanels = 0.85, kWideSlots = 0.55;
constexpr bool is_wide(int lanes) { return lanes > 8; }

// Vectors of the widest tile that M rows are cut into.
Index tile_vectors(Index M, int lanes) {
  const Index vectors = std::max(Index{1}, (M + lanes - 1) / lanes);
  const Index tiles = (vectors + kSparseTileVectors - 1) / kSparseTileVectors;
  return (vectors + tiles - 1) / tiles;
}

double dense_cycles(const Pattern& p, Index M, int lanes) {
  const double weights = static_cast<double>(p.rows) * static_cast<double>(p.columns), m = static_cast<double>(M);
  if (M >= 1 && M <= kGemmFewRows && is_wide(lanes)) return weights * kWideFewRows[M - 1];
  if (M <= kGemmFewRows) return weights * ((weights <= kNearWeights ? 0.09 : 0.195) + 0.055 * (m - 1));
  return weights * m * 0.54 / lanes;
}

// One entry by a tile of T vectors, and what a row (or band of R rows) of a piece takes besides.
double entry_cycles(int R, int C, double T) { return R == 1 ? 0.3 + C * (0.5 + 0.65 * T) : 3 + 2.2 * C * T; }
// Loads at any offset: every other one meets two cache lines.
double conv_entry_cycles(int R, double T) { return R == 1 ? 0.8 + 0.95 * T : 3 + 2.5 * T; }
double visit_cycles(int R, double T) { return R * (2 + 1.2 * T); }

struct Candidate {
  Index block_columns;
  double cycles;
};

Candidate panels(const Pattern& p, int shape, Index M, int lanes) {
  const auto [R, C] = kSparseShapes[shape];
  const double blocks = static_cast<double>(count_blocks(p, R, C));
  const double bands = static_cast<double>((p.rows + R - 1) / R);
  const double T = static_cast<double>(tile_vectors(M, lanes));
  const double tiles = static_cast<double>((M + lanes - 1) / lanes) / T;
  // Lanes of AVX-512 fill L1 with fewer columns, and outside of it they cost more than visits do.
  const bool wide = is_wide(lanes);
  Index width = std::max(Index{wide ? 64 : 128}, kTileFloats / lanes / tile_vectors(M, lanes) / 16 * 16);
  const double columns = std::max(1.0, static_cast<double>(p.columns));
  if (blocks / std::max(1.0, bands) * static_cast<double>(width) / columns * C < kFewEntries)
    width += wide ? width / 2 : width;
  const double visits = bands * std::max(1.0, columns / static_cast<double>(width));
  const double moves = 0.9 * T * lanes * (columns + static_cast<double>(p.rows));
  const double cycles = tiles * (blocks * entry_cycles(R, C, T) + visits * visit_cycles(R, T) + moves);
  return {width, wide ? kWidePanels * cycles : cycles};
}

bool takes_slots(const Pattern& p, Index M) { return M <= kSlotRows && p.columns > 0 && p.columns <= 65536; }

// A few rows of W are matched, to see how much of them is left over; what is left of eight rows is as long as the longest of them.
double slots_cycles(const Pattern& p, Index M, int lanes) {
  const double m = static_cast<double>(M), slot = 0.26 * m * std::max(1.0, 8.0 / lanes);
  Matching matching(p.columns);
  const Index step = std::max(Index{1}, p.rows / kMatchedRows), group = Index{kSlotVectors} * lanes;
  double cycles = 0, longest = 0, rows = 0;
  for (Index n = step / 2; n < p.rows; n += step, ++rows) {
    const Index begin = p.start[static_cast<std::size_t>(n)];
    const Index count = p.start[static_cast<std::size_t>(n + 1)] - begin, windows = windows_for(count, p.columns);
    const double left = static_cast<double>(matching.match(p.column.data() + begin, count, windows));
    cycles += static_cast<double>(windows) * slot + (left + 1.4 * std::sqrt(left)) * 1.6 * m + 6 + 2 * m;
    longest = std::max(longest, static_cast<double>(windows));
  }
  const double all = static_cast<double>((p.rows + group - 1) / group * group), arranged = longest * m;
  const double total = cycles / std::max(1.0, rows) * all + arranged;
  return is_wide(lanes) ? kWideSlots * total : total;
}

}  // namespace

Choice choose(const Pattern& pattern, Index M, int lanes, const std::string& layout) {
  using Layout = Choice::Layout;
  Choice best;
  if (layout == "dense") return best;
  if (layout == "slots") {
    if (!takes_slots(pattern, M)) return choose(pattern, M, lanes, "1x1");
    best.layout = Layout::slots;
    return best;
  }
  double least = layout == "auto" ? kMargin * dense_cycles(pattern, M, lanes) : -1;
  for (int shape = 0; shape < kSparseShapeCount; ++shape) {
    if (layout != "auto" && layout != kNames[shape]) continue;
    const Candidate candidate = panels(pattern, shape, M, lanes);
    if (least >= 0 && candidate.cycles >= least) continue;
    least = candidate.cycles;
    best = {Layout::panels, shape, candidate.block_columns};
  }
  if (layout == "auto" && takes_slots(pattern, M) && slots_cycles(pattern, M, lanes) < least)
    best = {Layout::slots, 0, 0};
  return best;
}

Choice choose_conv(const Pattern& pattern, const ConvShape& shape, int lanes, const std::string& layout) {
  Choice best;
  const SparseConvPlan plan = plan_sparse_conv(shape);
  if (layout == "dense" || shape.groups != 1 || plan.block_channels == 0) return best;
  const double images = static_cast<double>(shape.n) * static_cast<double>(plan.strips);
  const double positions = static_cast<double>((plan.strip - 1) * plan.pitch + shape.out_w());
  const double vectors = std::ceil(positions / lanes), tiles = std::ceil(vectors / kSparseTileVectors),
               T = vectors / tiles;
  const double pixels = static_cast<double>(shape.n * shape.out_h() * shape.out_w());
  const double weights = static_cast<double>(pattern.rows) * static_cast<double>(pattern.columns);
  double least = layout == "auto" ? kMargin * weights * pixels * kConvCycles / lanes : -1;
  const Index width = plan.block_channels * shape.kh * shape.kw;
  const double blocks = std::ceil(static_cast<double>(pattern.columns) / static_cast<double>(width));
  const double copied = static_cast<double>(shape.c_in * plan.channel),
               written = static_cast<double>(pattern.rows) * positions;
  for (const int candidate : {0, 2}) {
    if (layout != "auto" && layout != kNames[candidate]) continue;
    const int R = kSparseShapes[candidate].rows;
    const double entries = static_cast<double>(count_blocks(pattern, R, 1));
    const double visits = static_cast<double>((pattern.rows + R - 1) / R) * blocks;
    const double cycles =
        images * (tiles * (entries * conv_entry_cycles(R, T) + visits * visit_cycles(R, T)) + copied + written);
    if (least >= 0 && cycles >= least) continue;
    least = cycles;
    best = {Choice::Layout::panels, candidate, width};
  }
  return best;
}

std::string batch_class(Index M, int lanes) {
  if (M <= std::max(kGemmFewRows, Index{lanes})) return "rows " + std::to_string(M);
  return "vectors " + std::to_string(tile_vectors(M, lanes));
}

}  // namespace athanor::sparse
