#include "sparse/slots.h"

#include <algorithm>
#include <numeric>

#include "sparse/arrays.h"
#include "sparse/matching.h"

namespace athanor::sparse {
namespace {

constexpr Index kStripWeights = 1 << 17;  // elements of W in a task

struct Header {
  SparseSlots slots;  // its pointers are null here
  Index at_group, at_row, at_blocks, at_rests, at_rest, at_rest_values;
};

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

Index count_of(const Pattern& pattern, Index n) { return pattern.start[at(n + 1)] - pattern.start[at(n)]; }

// The slots of a group of rows, padded with -1.
Index slots_of(const Pattern& pattern, const std::int32_t* rows, Index group_rows) {
  Index longest = 0;
  for (Index i = 0; i < group_rows; ++i)
    if (rows[i] >= 0) longest = std::max(longest, count_of(pattern, rows[i]));
  return windows_for(longest, pattern.columns);
}

// Of every weight its slot, or -1: rows do not depend on each other.
std::vector<std::int32_t> match_rows(const Pattern& p, const std::vector<std::int32_t>& rows, Index group_rows,
                                     Parallel& parallel) {
  std::vector<std::int32_t> slot(p.column.size());
  std::vector<Matching> matchings(at(parallel.workers()), Matching(std::max(p.columns, Index{1})));
  parallel.run(static_cast<int>(static_cast<Index>(rows.size()) / group_rows), [&](int task, int worker) {
    const std::int32_t* const group = rows.data() + task * group_rows;
    const Index slots = slots_of(p, group, group_rows);
    Matching& matching = matchings[at(worker)];
    for (Index r = 0; r < group_rows; ++r) {
      if (group[r] < 0) continue;
      const Index begin = p.start[at(group[r])], count = count_of(p, group[r]);
      matching.match(p.column.data() + begin, count, slots);
      for (Index i = 0; i < count; ++i) slot[at(begin + i)] = matching.slot(i);
    }
  });
  return slot;
}

// The layout as it grows, a group of rows after the other.
struct Layout {
  const Pattern& pattern;
  const float* given;                     // values
  const std::vector<std::int32_t>& slot;  // of match_rows
  int lanes;
  Index group_rows, block_floats = group_rows * (1 + kSlotPlaces);
  std::vector<SlotGroup> groups{};
  std::vector<float> blocks{}, rest_values{};
  std::vector<std::int32_t> rests{0};
  std::vector<std::uint16_t> rest{};
  Index windows = 0;  // of the longest group

  void add(const std::int32_t* rows) {
    const Index slots = slots_of(pattern, rows, group_rows);
    const SlotGroup group{static_cast<Index>(blocks.size()) / block_floats,
                          static_cast<std::int32_t>(slots / kSlotPlaces)};
    blocks.resize(blocks.size() + at(group.blocks * block_floats));
    std::vector<std::uint32_t> picks(at(group.blocks * group_rows));
    for (Index i = 0; i < group_rows; ++i) {
      if (rows[i] >= 0) add_row(rows[i], i, group, picks);
      if (i % lanes == lanes - 1) rests.push_back(static_cast<std::int32_t>(rest.size()) / lanes);
    }
    for (Index i = 0; i < group.blocks; ++i)
      std::memcpy(blocks.data() + (group.block + i) * block_floats, picks.data() + i * group_rows, at(group_rows) * 4);
    groups.push_back(group);
    windows = std::max(windows, slots);
  }

 private:
  // Row n as row `place` of the group.
  void add_row(Index n, Index place, const SlotGroup& group, std::vector<std::uint32_t>& picks) {
    const Index begin = pattern.start[at(n)], end = begin + count_of(pattern, n);
    float* to = blocks.data() + group.block * block_floats;
    std::size_t next = at(Index{rests.back()} * lanes + place % lanes);
    for (Index i = begin; i < end; ++i) {
      const std::int32_t k = pattern.column[at(i)], taken = slot[at(i)];
      const float value = given[pattern.source[at(i)]];
      if (taken < 0) {
        if (next >= rest.size()) rest.resize(rest.size() + at(lanes)), rest_values.resize(rest.size());
        rest[next] = static_cast<std::uint16_t>(k), rest_values[next] = value;
        next += at(lanes);
        continue;
      }
      const Index block = taken / kSlotPlaces, step = taken % kSlotPlaces;
      to[block * block_floats + (1 + step) * group_rows + place] = value;
      picks[at(block * group_rows + place)] |= static_cast<std::uint32_t>(k % kSlotPlaces) << (4 * step);
    }
  }
};

}  // namespace

Index windows_for(Index count, Index columns) {
  const SlotWindows of(std::max(columns, Index{1}));
  const double n = static_cast<double>(count), density = n / static_cast<double>(of.count * kSlotPlaces);
  if (density < 0.03) return 0;
  const double wanted = density < 0.08 ? 0 : n * (0.99 + 0.014 / (density * density));
  const Index windows = std::min(std::max(of.count, static_cast<Index>(wanted)), of.count * kArrangements);
  return (windows + kSlotPlaces - 1) / kSlotPlaces * kSlotPlaces;
}

std::vector<std::byte> pack_slots(const Pattern& p, int lanes, const float* values, Parallel& parallel) {
  Header header{};
  SparseSlots& w = header.slots;
  const Index group_rows = Index{kSlotVectors} * lanes;
  w.rows = p.rows, w.columns = p.columns, w.lanes = lanes;
  w.strip = (kStripWeights / std::max(p.columns, Index{1}) / group_rows + 1) * group_rows;
  std::vector<std::int32_t> rows(at((p.rows + group_rows - 1) / group_rows * group_rows), -1);
  std::iota(rows.begin(), rows.begin() + p.rows, 0);
  // Rows of a group are as long as the longest: alike ones go together.
  for (Index n = 0; n < p.rows; n += w.strip)
    std::stable_sort(rows.begin() + n, rows.begin() + std::min(n + w.strip, p.rows),
                     [&](std::int32_t a, std::int32_t b) { return count_of(p, a) < count_of(p, b); });
  const std::vector<std::int32_t> slot = match_rows(p, rows, group_rows, parallel);
  Layout layout{p, values, slot, lanes, group_rows};
  for (std::size_t n = 0; n < rows.size(); n += at(group_rows)) layout.add(rows.data() + n);
  w.windows = layout.windows;
  Index bytes = on_line(sizeof(Header));
  header.at_group = place<SlotGroup>(bytes, static_cast<Index>(layout.groups.size()));
  header.at_row = place<std::int32_t>(bytes, static_cast<Index>(rows.size()));
  header.at_blocks = place<float>(bytes, static_cast<Index>(layout.blocks.size()));
  header.at_rests = place<std::int32_t>(bytes, static_cast<Index>(layout.rests.size()));
  header.at_rest = place<std::uint16_t>(bytes, static_cast<Index>(layout.rest.size()));
  header.at_rest_values = place<float>(bytes, static_cast<Index>(layout.rest_values.size()));
  std::vector<std::byte> block(at(bytes));
  std::memcpy(block.data(), &header, sizeof(header));
  copy_to(block.data() + header.at_group, layout.groups);
  copy_to(block.data() + header.at_row, rows);
  copy_to(block.data() + header.at_blocks, layout.blocks);
  copy_to(block.data() + header.at_rests, layout.rests);
  copy_to(block.data() + header.at_rest, layout.rest);
  copy_to(block.data() + header.at_rest_values, layout.rest_values);
  return block;
}

SparseSlots slots_at(const std::byte* block) {
  const Header& header = *reinterpret_cast<const Header*>(block);
  SparseSlots slots = header.slots;
  slots.group = reinterpret_cast<const SlotGroup*>(block + header.at_group);
  slots.row = reinterpret_cast<const std::int32_t*>(block + header.at_row);
  slots.blocks = reinterpret_cast<const float*>(block + header.at_blocks);
  slots.rests = reinterpret_cast<const std::int32_t*>(block + header.at_rests);
  slots.rest = reinterpret_cast<const std::uint16_t*>(block + header.at_rest);
  slots.rest_values = reinterpret_cast<const float*>(block + header.at_rest_values);
  return slots;
}

}  // namespace athanor::sparse
