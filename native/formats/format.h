// The number formats of quantized weights, from the rows of formats.def, and their cells: codes of 8, 4 or 2 bits, low bits first,
// so that element i of a row begins at bit i * bits % 8 of byte i * bits / 8.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/index.h"

namespace athanor::quant {

enum class Kind : std::uint8_t { symmetric, affine, codebook };

enum class Format : std::uint8_t {
#define ATHANOR_QUANT_FORMAT(name, bits, kind) name,
#include "formats/formats.def"
#undef ATHANOR_QUANT_FORMAT
};

struct FormatInfo {
  const char* name;
  Format format;
  int bits;
  Kind kind;
};

inline constexpr FormatInfo kFormats[] = {
#define ATHANOR_QUANT_FORMAT(name, bits, kind) {#name, Format::name, bits, Kind::kind},
#include "formats/formats.def"
#undef ATHANOR_QUANT_FORMAT
};

constexpr const FormatInfo& info(Format format) { return kFormats[static_cast<int>(format)]; }

// nullptr for a name that is none.
constexpr const FormatInfo* find_format(std::string_view name) {
  for (const FormatInfo& row : kFormats) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

// Bytes of `count` cells.
constexpr Index cell_bytes(Index count, int bits) { return (count * bits + 7) / 8; }

constexpr std::uint8_t cell(const std::uint8_t* cells, Index i, int bits) {
  const Index bit = i * bits;
  return static_cast<std::uint8_t>((cells[bit >> 3] >> (bit & 7)) & ((1 << bits) - 1));
}

// The cell must have been zero.
constexpr void set_cell(std::uint8_t* cells, Index i, int bits, std::uint8_t code) {
  const Index bit = i * bits;
  cells[bit >> 3] = static_cast<std::uint8_t>(cells[bit >> 3] | (code << (bit & 7)));
}

// The number that a symmetric code stands for.
constexpr int signed_code(std::uint8_t code, int bits) {
  const int sign = 1 << (bits - 1);
  return (code ^ sign) - sign;
}

}  // namespace athanor::quant
