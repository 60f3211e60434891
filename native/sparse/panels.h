// The layout of kernels/sparse/sparse.h (SparsePanels) in one relocatable block: a header and its arrays behind it.
#pragma once
#include <vector>

#include "kernels/sparse/sparse.h"
#include "sparse/pattern.h"

namespace athanor::sparse {

struct PanelOptions {
  int shape = 0;            // of kSparseShapes
  Index block_columns = 0;  // columns of a piece
  Index panel_rows = kSparsePanelRows;
  // What takes the place of a column in the layout, for each column of the matrix; empty: its place in its piece's block.
  std::vector<std::uint16_t> offsets;
  bool with_sources = false;  // keep where each value comes from, for fill()
};

// The block's bytes; `values` are the canonical ones, or null where fill() brings them later.
std::vector<std::byte> pack_panels(const Pattern& pattern, const PanelOptions& options, const float* values);

// The layout in a block that pack_panels made, wherever it lies now.
SparsePanels panels_at(const std::byte* block);

// Floats that the values of a block take, and these floats from the canonical values (for a block with sources).
Index value_count(const std::byte* block);
void fill(const std::byte* block, const float* values, float* to, Parallel& parallel);

}  // namespace athanor::sparse
