#include "sparse/choice.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "kernels/sparse.h"

namespace athanor::sparse {
namespace {

constexpr const char* kNames[kSparseShapeCount] = {"1x1", "1x4", "4x1", "4x4"};
constexpr Index kFewRows = 4;             // the dense product streams the weight for so many rows of x
constexpr double kMargin = 0.95;          // sparse where it promises at least this of dense's time
constexpr Index kTileColumns = 1024;      // columns by vectors of a tile's part that L1 holds
constexpr double kFewEntries = 8;         // of a row in a piece: fewer, and the pieces are made wider
constexpr double kNearWeights = 1 << 17;  // a dense weight of so many elements stays in L2

// Vectors of the widest tile that M rows are cut into.
Index tile_vectors(Index M, int lanes) {
  const Index vectors = std::max(Index{1}, (M + lanes - 1) / lanes);
  const Index tiles = (vectors + kSparseTileVectors - 1) / kSparseTileVectors;
  return (vectors + tiles - 1) / tiles;
}

double dense_cycles(const Pattern& p, Index M, int lanes) {
  const double weights = static_cast<double>(p.rows) * static_cast<double>(p.columns), m = static_cast<double>(M);
  if (M <= kFewRows) return weights * ((weights <= kNearWeights ? 0.09 : 0.22) + 0.05 * (m - 1));
  return weights * m * 0.54 / lanes;
}

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
  Index width = std::max(Index{128}, kTileColumns / tile_vectors(M, lanes) / 16 * 16);
  const double columns = std::max(1.0, static_cast<double>(p.columns));
  if (blocks / std::max(1.0, bands) * static_cast<double>(width) / columns < kFewEntries) width *= 2;
  const double visits = bands * std::max(1.0, columns / static_cast<double>(width));
  const double an_entry = R == 1 ? C * (0.8 + 0.65 * T) : 3 + 2.2 * C * T, a_visit = R * (2 + 1.2 * T);
  const double moves = 0.9 * T * lanes * (columns + static_cast<double>(p.rows));
  return {width, tiles * (blocks * an_entry + visits * a_visit + moves)};
}

}  // namespace

void check_layout(const std::string& where, const std::string& layout) {
  const bool known =
      layout == "auto" || layout == "dense" || std::count(kNames, kNames + kSparseShapeCount, layout) > 0;
  check(known, Code::argument, [&] { return where + ": layout is auto, dense, 1x1, 1x4, 4x1 or 4x4, got " + layout; });
}

Choice choose(const Pattern& pattern, Index M, int lanes, const std::string& layout) {
  if (layout == "dense") return {true, 0, 0};
  Choice best{true, 0, 0};
  double least = layout == "auto" ? kMargin * dense_cycles(pattern, M, lanes) : -1;
  for (int shape = 0; shape < kSparseShapeCount; ++shape) {
    if (layout != "auto" && layout != kNames[shape]) continue;
    const Candidate candidate = panels(pattern, shape, M, lanes);
    if (least >= 0 && candidate.cycles >= least) continue;
    least = candidate.cycles;
    best = {false, shape, candidate.block_columns};
  }
  return best;
}

std::string batch_class(Index M, int lanes) {
  if (M <= std::max(kFewRows, Index{lanes})) return "rows " + std::to_string(M);
  return "vectors " + std::to_string(tile_vectors(M, lanes));
}

}  // namespace athanor::sparse
