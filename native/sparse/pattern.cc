#include "sparse/pattern.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "base/error.h"

namespace athanor::sparse {
namespace {

template <class Body>
void for_elements(const Bitmap& bitmap, Body&& body) {
  for (Index n = 0; n < bitmap.rows; ++n) {
    const std::uint8_t* row = bitmap.row(n);
    for (Index byte = 0; byte < bitmap_row_bytes(bitmap.columns); ++byte)
      for (unsigned bits = row[byte]; bits != 0; bits &= bits - 1) body(n, byte * 8 + std::countr_zero(bits));
  }
}

}  // namespace

Pattern pattern_of(const Bitmap& bitmap) {
  Pattern pattern{bitmap.rows, bitmap.columns, {}, {}, {}};
  pattern.start.resize(static_cast<std::size_t>(bitmap.rows + 1));
  row_starts(bitmap, pattern.start.data());
  pattern.column.reserve(static_cast<std::size_t>(pattern.start.back()));
  for_elements(bitmap, [&](Index, Index k) { pattern.column.push_back(static_cast<std::int32_t>(k)); });
  pattern.source.resize(pattern.column.size());
  for (std::size_t i = 0; i < pattern.source.size(); ++i) pattern.source[i] = static_cast<std::int32_t>(i);
  return pattern;
}

Pattern transposed_pattern_of(const Bitmap& bitmap) {
  Pattern pattern{bitmap.columns, bitmap.rows, {}, {}, {}};
  std::vector<Index> next(static_cast<std::size_t>(bitmap.columns + 1), 0);
  for_elements(bitmap, [&](Index, Index k) { ++next[static_cast<std::size_t>(k + 1)]; });
  for (std::size_t k = 1; k < next.size(); ++k) next[k] += next[k - 1];
  pattern.start = next;
  pattern.column.resize(static_cast<std::size_t>(next.back()));
  pattern.source.resize(pattern.column.size());
  std::int32_t source = 0;
  for_elements(bitmap, [&](Index n, Index k) {
    const Index at = next[static_cast<std::size_t>(k)]++;
    pattern.column[static_cast<std::size_t>(at)] = static_cast<std::int32_t>(n);
    pattern.source[static_cast<std::size_t>(at)] = source++;
  });
  return pattern;
}

Index count_blocks(const Pattern& p, int block_rows, int block_columns) {
  if (block_rows == 1 && block_columns == 1) return p.count();
  Index blocks = 0;
  for (Index n0 = 0; n0 < p.rows; n0 += block_rows) {
    const Index n1 = std::min(p.rows, n0 + block_rows);
    Index at[8];
    for (Index n = n0; n < n1; ++n) at[n - n0] = p.start[n];
    for (;;) {
      std::int32_t first = std::numeric_limits<std::int32_t>::max();
      for (Index n = n0; n < n1; ++n)
        if (at[n - n0] < p.start[n + 1]) first = std::min(first, p.column[at[n - n0]]);
      if (first == std::numeric_limits<std::int32_t>::max()) break;
      ++blocks;
      for (Index n = n0; n < n1; ++n)
        while (at[n - n0] < p.start[n + 1] && p.column[at[n - n0]] < first + block_columns) ++at[n - n0];
    }
  }
  return blocks;
}

}  // namespace athanor::sparse
