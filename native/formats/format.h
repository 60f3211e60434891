// The number formats of quantized weights, from the rows of formats.def, and their cells: codes of 1 to 8 bits, low bits first, so
// that element i of a row begins at bit i * bits % 8 of byte i * bits / 8 and may end in the next.
#pragma once
#include <bit>
#include <cstdint>
#include <string_view>

#include "base/index.h"

namespace athanor::quant {

enum class Kind : std::uint8_t { symmetric, affine, codebook };
enum class ZeroPoint : std::uint8_t { none, u8 };
enum class ScaleType : std::uint8_t { floats, e8m0 };
enum class Table : std::uint8_t { none, own, e2m1 };

enum class Format : std::uint8_t {
#define ATHANOR_QUANT_FORMAT(name, ...) name,
#include "formats/formats.def"
#undef ATHANOR_QUANT_FORMAT
};

struct FormatInfo {
  const char* name;
  Format format;
  int bits;
  Kind kind;
  ZeroPoint zero;
  ScaleType scale;
  Index block;
  Table table;
};

inline constexpr FormatInfo kFormats[] = {
#define ATHANOR_QUANT_FORMAT(name, bits, kind, zero, scale, block, table) \
  {#name, Format::name, bits, Kind::kind, ZeroPoint::zero, ScaleType::scale, block, Table::table},
#include "formats/formats.def"
#undef ATHANOR_QUANT_FORMAT
};

// What the fields of a row must agree on.
constexpr bool agrees(const FormatInfo& row) {
  return row.bits >= 1 && row.bits <= 8 && (row.kind == Kind::affine) == (row.zero == ZeroPoint::u8) &&
         (row.kind == Kind::codebook) == (row.table != Table::none) && (row.scale != ScaleType::e8m0 || row.block > 0);
}
constexpr bool all_agree() {
  for (const FormatInfo& row : kFormats) {
    if (!agrees(row)) return false;
  }
  return true;
}
static_assert(all_agree(),
              "a row of formats/formats.def contradicts itself: 1 to 8 bits; a zero point with affine codes and no "
              "others; a table "
              "with a codebook and no others; a block with scales of e8m0");

constexpr const FormatInfo& info(Format format) { return kFormats[static_cast<int>(format)]; }

// nullptr for a name that is none.
constexpr const FormatInfo* find_format(std::string_view name) {
  for (const FormatInfo& row : kFormats) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

// The values of 4-bit floats by code: a sign, two bits of exponent (bias 1) and one of mantissa.
inline constexpr float kE2M1[] = {0,    0.5f,  1,  1.5f,  2,  3,  4,  6,  //
                                  -0.f, -0.5f, -1, -1.5f, -2, -3, -4, -6};

// The values of a format whose table is its own; nullptr where it is an operand, or none.
constexpr const float* fixed_table(const FormatInfo& row) { return row.table == Table::e2m1 ? kE2M1 : nullptr; }

// A scale of one byte.
inline constexpr std::uint8_t kE8M0None = 255;
constexpr float from_e8m0(std::uint8_t byte) {
  return std::bit_cast<float>(byte == 0 ? 0x00400000U : byte == kE8M0None ? 0x7fc00000U : std::uint32_t{byte} << 23);
}

// Bytes of `count` cells.
constexpr Index cell_bytes(Index count, int bits) { return (count * bits + 7) / 8; }

constexpr std::uint8_t cell(const std::uint8_t* cells, Index i, int bits) {
  const Index bit = i * bits;
  unsigned window = cells[bit >> 3];
  if ((bit & 7) + bits > 8) window |= static_cast<unsigned>(cells[(bit >> 3) + 1]) << 8;
  return static_cast<std::uint8_t>((window >> (bit & 7)) & ((1U << bits) - 1));
}

// The cell must have been zero.
constexpr void set_cell(std::uint8_t* cells, Index i, int bits, std::uint8_t code) {
  const Index bit = i * bits;
  const unsigned window = static_cast<unsigned>(code) << (bit & 7);
  cells[bit >> 3] = static_cast<std::uint8_t>(cells[bit >> 3] | window);
  if ((bit & 7) + bits > 8) cells[(bit >> 3) + 1] = static_cast<std::uint8_t>(cells[(bit >> 3) + 1] | (window >> 8));
}

// The number that a symmetric code stands for.
constexpr int signed_code(std::uint8_t code, int bits) {
  const int sign = 1 << (bits - 1);
  return (code ^ sign) - sign;
}

}  // namespace athanor::quant
