#include "sparse/quads.h"

#include "sparse/arrays.h"

namespace athanor::sparse {
namespace {

struct Header {
  SparseQuads quads;  // its pointers are null here
  Index at_values, at_word, at_rest, at_column, at_rest_values;
};

}  // namespace

Index count_rest(const Pattern& p) {
  Index rest = 0;
  for (Index n = 0; n < p.rows; ++n) {
    std::int32_t quad = -1;
    int used = 0;
    for (Index i = p.start[n]; i < p.start[n + 1]; ++i) {
      if (p.column[i] / 4 != quad) quad = p.column[i] / 4, used = 0;
      if (++used > 2) ++rest;
    }
  }
  return rest;
}

std::vector<std::byte> pack_quads(const Pattern& p, int lanes, const float* values) {
  Header header{};
  SparseQuads& w = header.quads;
  w.rows = p.rows, w.columns = p.columns, w.lanes = lanes;
  w.words = (p.columns + 31) / 32;
  const Index rest = count_rest(p);
  Index bytes = on_line(sizeof(Header));
  header.at_values = place<float>(bytes, p.rows * w.words * 16);
  header.at_word = place<std::uint32_t>(bytes, p.rows * w.words);
  header.at_rest = place<std::int32_t>(bytes, p.rows + 1);
  header.at_column = place<std::uint16_t>(bytes, rest);
  header.at_rest_values = place<float>(bytes, rest);
  std::vector<std::byte> block(static_cast<std::size_t>(bytes));
  std::memcpy(block.data(), &header, sizeof(header));
  auto* value = reinterpret_cast<float*>(block.data() + header.at_values);
  auto* word = reinterpret_cast<std::uint32_t*>(block.data() + header.at_word);
  auto* begins = reinterpret_cast<std::int32_t*>(block.data() + header.at_rest);
  auto* column = reinterpret_cast<std::uint16_t*>(block.data() + header.at_column);
  auto* rest_value = reinterpret_cast<float*>(block.data() + header.at_rest_values);
  Index left = 0;
  for (Index n = 0; n < p.rows; ++n) {
    begins[n] = static_cast<std::int32_t>(left);
    std::int32_t quad = -1;
    int used = 0;
    for (Index i = p.start[n]; i < p.start[n + 1]; ++i) {
      const std::int32_t k = p.column[i];
      const float v = values[p.source[i]];
      if (k / 4 != quad) quad = k / 4, used = 0;
      if (used == 2) {
        column[left] = static_cast<std::uint16_t>(k);
        rest_value[left++] = v;
        continue;
      }
      const Index step = k / (2 * lanes), second = k / lanes % 2;  // of the two vectors
      const Index slot = step * lanes + k % lanes / 4 * 4 + second * 2 + used++;
      value[n * w.words * 16 + slot] = v;
      word[n * w.words + slot / 16] |= static_cast<std::uint32_t>(k % 4) << (2 * (slot % 16));
    }
  }
  begins[p.rows] = static_cast<std::int32_t>(left);
  return block;
}

SparseQuads quads_at(const std::byte* block) {
  const Header& header = *reinterpret_cast<const Header*>(block);
  SparseQuads quads = header.quads;
  quads.values = reinterpret_cast<const float*>(block + header.at_values);
  quads.word = reinterpret_cast<const std::uint32_t*>(block + header.at_word);
  quads.rest = reinterpret_cast<const std::int32_t*>(block + header.at_rest);
  quads.column = reinterpret_cast<const std::uint16_t*>(block + header.at_column);
  quads.rest_values = reinterpret_cast<const float*>(block + header.at_rest_values);
  return quads;
}

}  // namespace athanor::sparse
