#include "formats/weights.h"

#include <bit>
#include <cmath>

namespace athanor::quant {

float table_unit(const float* table, Index size) {
  float most = 0;
  for (Index i = 0; i < size; ++i) most = std::fabs(table[i]) > most ? std::fabs(table[i]) : most;
  return most > 0 ? most / 127.0f : 1.0f;
}

void round_table(const float* table, Index size, std::int8_t* rounded) {
  const float unit = table_unit(table, size);
  for (Index i = 0; i < size; ++i) {
    const float value = std::nearbyint(table[i] / unit);
    rounded[i] = static_cast<std::int8_t>(value >= 127.0f ? 127 : value > -127.0f ? static_cast<int>(value) : -127);
  }
}

Index kept_in_row(const Weights& weights, Index n) {
  if (weights.bitmap == nullptr) return weights.K;
  const std::uint8_t* marks = weights.bitmap + n * ((weights.K + 7) / 8);
  Index kept = 0;
  for (Index i = 0; i < weights.K / 8; ++i) kept += std::popcount(marks[i]);
  if (weights.K % 8 != 0) kept += std::popcount(static_cast<std::uint8_t>(marks[weights.K / 8] << (8 - weights.K % 8)));
  return kept;
}

Index kept_before(const Weights& weights, Index n) {
  Index kept = 0;
  for (Index row = 0; weights.bitmap != nullptr && row < n; ++row) kept += kept_in_row(weights, row);
  return kept;
}

namespace {

// out[k] = value(code of element k, its group), or `hole`.
template <class T, class F>
void map_row(const Weights& weights, Index n, Index first, T hole, T* out, F value) {
  const int bits = weights.bits();
  if (weights.bitmap == nullptr) {
    const std::uint8_t* row = weights.q + n * weights.row_bytes();
    for (Index g = 0, k = 0; k < weights.K; ++g) {
      const Index end = (g + 1) * weights.group < weights.K ? (g + 1) * weights.group : weights.K;
      for (; k < end; ++k) out[k] = value(cell(row, k, bits), g);
    }
    return;
  }
  const std::uint8_t* marks = weights.bitmap + n * ((weights.K + 7) / 8);
  for (Index k = 0; k < weights.K; ++k) {
    const bool kept = ((marks[k >> 3] >> (k & 7)) & 1) != 0;
    out[k] = kept ? value(cell(weights.q, first++, bits), k / weights.group) : hole;
  }
}

// Calls use(value) with the function (code, group) → f32 of row n.
template <class F>
void with_values(const Weights& weights, Index n, F use) {
  const int bits = weights.bits();
  switch (weights.kind()) {
    case Kind::symmetric:
      return use([=, &weights](std::uint8_t code, Index g) {
        return weights.scale_of(n, g) * static_cast<float>(signed_code(code, bits));
      });
    case Kind::affine:
      return use([=, &weights](std::uint8_t code, Index g) {
        return weights.scale_of(n, g) * static_cast<float>(code - weights.zero_of(n, g));
      });
    case Kind::codebook:
      return use([=, &weights](std::uint8_t code, Index g) {
        return weights.scale_of(n, g) * (code < weights.table_size ? weights.table[code] : 0.0f);
      });
  }
}

}  // namespace

void unpack_codes(const Weights& weights, Index n, Index first, std::int16_t* codes) {
  map_row<std::int16_t>(weights, n, first, -1, codes, [](std::uint8_t code, Index) { return code; });
}

void integers(const Weights& weights, Index n, Index first, const std::int8_t* rounded_table, std::int16_t* out) {
  const auto each = [&](auto value) {
    map_row<std::int16_t>(weights, n, first, 0, out,
                          [&](std::uint8_t code, Index g) { return static_cast<std::int16_t>(value(code, g)); });
  };
  switch (weights.kind()) {
    case Kind::symmetric:
      return each(
          [bits = weights.bits()](int code, Index) { return signed_code(static_cast<std::uint8_t>(code), bits); });
    case Kind::affine: return each([&](int code, Index g) { return code - weights.zero_of(n, g); });
    case Kind::codebook:
      return each([&](int code, Index) { return code < weights.table_size ? rounded_table[code] : 0; });
  }
}

void dequantize(const Weights& weights, Index n, Index first, float* out) {
  with_values(weights, n, [&](auto value) { map_row(weights, n, first, 0.0f, out, value); });
}

bool is_consistent(const Weights& weights, Index q_bytes) {
  const int bits = weights.bits();
  const Index scales = weights.scale_e8m0 == nullptr ? 0 : weights.one_scale ? 1 : weights.N * weights.groups();
  for (Index i = 0; i < scales; ++i) {
    if (weights.scale_e8m0[i] == kE8M0None) return false;
  }
  const Index kept = weights.bitmap == nullptr ? 0 : kept_before(weights, weights.N);
  if (weights.bitmap != nullptr && q_bytes != cell_bytes(kept, bits)) return false;
  if (weights.kind() != Kind::codebook || weights.table_size == (Index{1} << bits)) return true;
  for (Index i = 0; i < kept; ++i) {
    if (cell(weights.q, i, bits) >= weights.table_size) return false;
  }
  for (Index n = 0; weights.bitmap == nullptr && n < weights.N; ++n) {
    const std::uint8_t* row = weights.q + n * weights.row_bytes();
    for (Index k = 0; k < weights.K; ++k) {
      if (cell(row, k, bits) >= weights.table_size) return false;
    }
  }
  return true;
}

}  // namespace athanor::quant
