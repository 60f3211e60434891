// The lists of device::SparseTiles, made by asking for every element: beside those of device/sparse_choice, and for measurements.
#pragma once
#include <algorithm>
#include <vector>

#include "device/sparse_launch.h"

namespace athanor::test {

// keeps(row, column)
struct TileLists {
  std::vector<std::uint32_t> starts{0}, cells, walk_starts{0}, walk;
  std::vector<std::uint8_t> groups;

  template <class Keeps>
  TileLists(Index rows, Index columns, int strips, Keeps keeps) {
    const Index chunks = (columns + 63) / 64, all = (rows + 7) / 8;
    for (Index s = 0; s < all; ++s)
      for (Index c = 0; c < chunks; ++c) {
        std::vector<int> there;
        for (int g = 0; g < 8; ++g) {
          bool any = false;
          for (Index i = 0; i < 64; ++i) {
            const Index row = s * 8 + i / 8, column = c * 64 + g * 8 + i % 8;
            any = any || (row < rows && column < columns && keeps(row, column));
          }
          if (any) there.push_back(g);
        }
        for (std::size_t i = 0; i < there.size(); i += 2) {
          cells.push_back(static_cast<std::uint32_t>(s * chunks + c));
          groups.push_back(static_cast<std::uint8_t>(there[i] | there[i + 1 < there.size() ? i + 1 : i] << 4));
        }
        starts.push_back(static_cast<std::uint32_t>(cells.size()));
      }
    for (Index block = 0; block * strips * 8 < all; ++block) {
      for (Index c = 0; c < chunks; ++c)
        for (Index s = block * strips * 8; s < std::min(all, (block + 1) * strips * 8); ++s) {
          const auto cell = static_cast<std::size_t>(s * chunks + c);
          if (starts[cell] == starts[cell + 1]) continue;
          walk.push_back(static_cast<std::uint32_t>(c));
          break;
        }
      walk_starts.push_back(static_cast<std::uint32_t>(walk.size()));
    }
  }
};

}  // namespace athanor::test
