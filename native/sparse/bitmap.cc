#include "sparse/bitmap.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace athanor::sparse {
namespace {

constexpr Index kTaskElements = 1 << 16;  // of the dense matrix: some 20 µs

Index count_bits(const std::uint8_t* bytes, Index count) {
  Index set = 0, i = 0;
  for (; i + 8 <= count; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i, 8);
    set += std::popcount(word);
  }
  for (; i < count; ++i) set += std::popcount(bytes[i]);
  return set;
}

// Calls body(row) for every row, some rows a task.
template <class Body>
void for_rows(const Bitmap& bitmap, Parallel& parallel, Body&& body) {
  const Index rows = std::max(Index{1}, kTaskElements / std::max(Index{1}, bitmap.columns));
  parallel.run(static_cast<int>((bitmap.rows + rows - 1) / rows), [&](int task, int) {
    for (Index n = task * rows; n < std::min(bitmap.rows, (task + 1) * rows); ++n) body(n);
  });
}

// Calls body(column) for every set bit of a row in order.
template <class Body>
void for_bits(const Bitmap& bitmap, Index n, Body&& body) {
  const std::uint8_t* row = bitmap.row(n);
  for (Index byte = 0; byte < bitmap_row_bytes(bitmap.columns); ++byte)
    for (unsigned bits = row[byte]; bits != 0; bits &= bits - 1) body(byte * 8 + std::countr_zero(bits));
}

}  // namespace

void row_starts(const Bitmap& bitmap, Index* starts) {
  const Index bytes = bitmap_row_bytes(bitmap.columns);
  starts[0] = 0;
  for (Index n = 0; n < bitmap.rows; ++n) starts[n + 1] = starts[n] + count_bits(bitmap.row(n), bytes);
}

std::string marks_others(const std::string& where, Index marked, Index values) {
  return where + ": the bitmap marks " + std::to_string(marked) + " weights, but there are " + std::to_string(values) +
         " values; make both from the same mask";
}

std::string marks_past(const std::string& where, Index row, Index columns) {
  return where + ": row " + std::to_string(row) + " of the bitmap marks a weight past its " + std::to_string(columns) +
         " columns; the bits that fill a row's last byte must be 0";
}

void check_bitmap(const std::string& where, const Bitmap& bitmap, Index values) {
  const Index bytes = bitmap_row_bytes(bitmap.columns), marked = count_bits(bitmap.bits, bitmap.rows * bytes);
  check(marked == values, Code::argument, [&] { return marks_others(where, marked, values); });
  if (bitmap.columns % 8 == 0) return;
  for (Index n = 0; n < bitmap.rows; ++n) {
    check(bitmap.row(n)[bytes - 1] >> (bitmap.columns % 8) == 0, Code::argument,
          [&] { return marks_past(where, n, bitmap.columns); });
  }
}

void expand(const Bitmap& bitmap, const Index* starts, const float* values, float* dense, Parallel& parallel) {
  for_rows(bitmap, parallel, [&](Index n) {
    float* to = dense + n * bitmap.columns;
    std::memset(to, 0, static_cast<std::size_t>(bitmap.columns) * sizeof(float));
    const float* from = values + starts[n];
    for_bits(bitmap, n, [&](Index k) { to[k] = *from++; });
  });
}

void collect(const Bitmap& bitmap, const Index* starts, const float* dense, float* values, Parallel& parallel) {
  for_rows(bitmap, parallel, [&](Index n) {
    const float* from = dense + n * bitmap.columns;
    float* to = values + starts[n];
    for_bits(bitmap, n, [&](Index k) { *to++ = from[k]; });
  });
}

}  // namespace athanor::sparse
