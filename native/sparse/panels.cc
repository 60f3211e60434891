#include "sparse/panels.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "sparse/arrays.h"

namespace athanor::sparse {
namespace {

constexpr Index kTaskValues = 1 << 15;
constexpr std::int32_t kNoSource = -1;  // a weight that only fills a block

struct Header {
  SparsePanels panels;  // its pointers are null here
  Index entries, values;
  Index at_piece, at_row, at_column, at_values, at_source;  // bytes from the header; at_source 0: none
};

// One band of R rows within a piece: its blocks, in order.
struct Band {
  std::uint16_t row;
  std::vector<std::uint16_t> columns;
  std::vector<std::int32_t> sources;  // R × C a block, at (c * R + r)
};

struct Arrays {
  std::vector<SparsePiece> pieces;
  std::vector<SparseRow> rows;
  std::vector<std::uint16_t> columns;
  std::vector<std::int32_t> sources;
};

class Builder {
 public:
  Builder(const Pattern& pattern, const PanelOptions& options)
      : p_(pattern), options_(options), shape_(kSparseShapes[options.shape]), block_columns_(options.block_columns) {}

  Arrays run() {
    const Index blocks = std::max(Index{1}, (p_.columns + block_columns_ - 1) / block_columns_);
    for (Index n0 = 0; n0 < p_.rows; n0 += options_.panel_rows) {
      std::vector<Index> at(p_.start.begin() + n0, p_.start.begin() + std::min(p_.rows, n0 + options_.panel_rows));
      for (Index block = 0; block < blocks; ++block) add_piece(n0, at, block);
    }
    arrays_.pieces.push_back(here());
    return std::move(arrays_);
  }

 private:
  SparsePiece here() const {
    return {static_cast<Index>(arrays_.rows.size()), static_cast<Index>(arrays_.columns.size())};
  }

  // Rows [n0, n0 + at.size()) by the block's columns; `at` is each row's first element that is in no piece yet.
  void add_piece(Index n0, std::vector<Index>& at, Index block) {
    arrays_.pieces.push_back(here());
    std::vector<Band> bands;
    for (Index r0 = 0; r0 < static_cast<Index>(at.size()); r0 += shape_.rows) {
      Band band = band_of(n0, r0, at, block);
      if (block == 0 || !band.columns.empty()) bands.push_back(std::move(band));
    }
    std::stable_sort(bands.begin(), bands.end(),
                     [](const Band& a, const Band& b) { return a.columns.size() < b.columns.size(); });
    for (const Band& band : bands) {
      arrays_.rows.push_back({band.row, static_cast<std::uint16_t>(band.columns.size())});
      arrays_.columns.insert(arrays_.columns.end(), band.columns.begin(), band.columns.end());
      arrays_.sources.insert(arrays_.sources.end(), band.sources.begin(), band.sources.end());
    }
  }

  Band band_of(Index n0, Index r0, std::vector<Index>& at, Index block) const {
    const Index end = (block + 1) * block_columns_, r1 = std::min(static_cast<Index>(at.size()), r0 + shape_.rows);
    Band band{static_cast<std::uint16_t>(r0), {}, {}};
    for (;;) {
      Index first = end;
      for (Index r = r0; r < r1; ++r)
        if (at[r] < p_.start[n0 + r + 1]) first = std::min(first, Index{p_.column[at[r]]});
      if (first == end) return band;
      band.columns.push_back(options_.offsets.empty() ? static_cast<std::uint16_t>(first - block * block_columns_)
                                                      : options_.offsets[static_cast<std::size_t>(first)]);
      band.sources.resize(band.sources.size() + shape_.rows * shape_.columns, kNoSource);
      std::int32_t* source = band.sources.data() + band.sources.size() - shape_.rows * shape_.columns;
      for (Index r = r0; r < r1; ++r)
        for (; at[r] < p_.start[n0 + r + 1] && p_.column[at[r]] < first + shape_.columns; ++at[r])
          source[(p_.column[at[r]] - first) * shape_.rows + (r - r0)] = p_.source[at[r]];
    }
  }

  const Pattern& p_;
  const PanelOptions& options_;
  const SparseShape shape_;
  const Index block_columns_;
  Arrays arrays_;
};

}  // namespace

std::vector<std::byte> pack_panels(const Pattern& pattern, const PanelOptions& options, const float* values) {
  check(options.block_columns > 0 && options.block_columns <= std::numeric_limits<std::uint16_t>::max() + 1,
        Code::internal, [] { return "pack_panels: the columns of a piece do not fit into 16 bits"; });
  const Arrays arrays = Builder(pattern, options).run();
  Header header{};
  SparsePanels& w = header.panels;
  w.rows = pattern.rows, w.columns = pattern.columns, w.panel_rows = options.panel_rows;
  w.block_columns = options.block_columns, w.shape = options.shape;
  w.panels = (pattern.rows + options.panel_rows - 1) / options.panel_rows;
  w.blocks = std::max(Index{1}, (pattern.columns + options.block_columns - 1) / options.block_columns);
  header.entries = static_cast<Index>(arrays.columns.size());
  header.values = static_cast<Index>(arrays.sources.size());
  Index bytes = on_line(sizeof(Header));
  header.at_piece = place<SparsePiece>(bytes, static_cast<Index>(arrays.pieces.size()));
  header.at_row = place<SparseRow>(bytes, static_cast<Index>(arrays.rows.size()));
  header.at_column = place<std::uint16_t>(bytes, header.entries);
  if (values != nullptr) header.at_values = place<float>(bytes, header.values);
  if (options.with_sources) header.at_source = place<std::int32_t>(bytes, header.values);
  std::vector<std::byte> block(static_cast<std::size_t>(bytes));
  std::memcpy(block.data(), &header, sizeof(header));
  copy_to(block.data() + header.at_piece, arrays.pieces);
  copy_to(block.data() + header.at_row, arrays.rows);
  copy_to(block.data() + header.at_column, arrays.columns);
  if (options.with_sources) copy_to(block.data() + header.at_source, arrays.sources);
  if (values != nullptr) {
    float* to = reinterpret_cast<float*>(block.data() + header.at_values);
    for (const std::int32_t source : arrays.sources) *to++ = source < 0 ? 0.0f : values[source];
  }
  return block;
}

SparsePanels panels_at(const std::byte* block) {
  const Header& header = *reinterpret_cast<const Header*>(block);
  SparsePanels panels = header.panels;
  panels.piece = reinterpret_cast<const SparsePiece*>(block + header.at_piece);
  panels.row = reinterpret_cast<const SparseRow*>(block + header.at_row);
  panels.column = reinterpret_cast<const std::uint16_t*>(block + header.at_column);
  panels.values = header.at_values == 0 ? nullptr : reinterpret_cast<const float*>(block + header.at_values);
  return panels;
}

Index value_count(const std::byte* block) { return reinterpret_cast<const Header*>(block)->values; }

void fill(const std::byte* block, const float* values, float* to, Parallel& parallel) {
  const Header& header = *reinterpret_cast<const Header*>(block);
  const auto* source = reinterpret_cast<const std::int32_t*>(block + header.at_source);
  parallel.run(static_cast<int>((header.values + kTaskValues - 1) / kTaskValues), [&](int task, int) {
    for (Index i = task * kTaskValues; i < std::min(header.values, (task + 1) * kTaskValues); ++i)
      to[i] = source[i] < 0 ? 0.0f : values[source[i]];
  });
}

}  // namespace athanor::sparse
