#include "formats/panels.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace athanor::quant {
namespace {

constexpr Index round_up(Index value, Index to) { return (value + to - 1) / to * to; }

// A rounded table index has no code of its own for 0, which holes need; one into 16 values has where the table is shorter.
bool is_nibble(const Weights& weights, const Layout& layout) {
  return weights.bits() <= 4 && (layout.f32 || weights.kind() != Kind::codebook || weights.bitmap == nullptr);
}

void write_header(const Weights& weights, const Panels& panels, const std::int8_t* rounded, std::byte* to) {
  std::memset(to, 0, kPanelHeader);
  if (panels.layout.f32) {
    if (panels.lookup) std::memcpy(to, weights.table, static_cast<std::size_t>(weights.table_size) * 4);
    return;
  }
  for (int code = 0; code < 16; ++code) {
    int value = code;
    if (weights.kind() == Kind::symmetric && panels.layout.is_signed)
      value = signed_code(static_cast<std::uint8_t>(code), 4);
    if (weights.kind() == Kind::codebook)
      value = code < weights.table_size ? rounded[code] + panels.offset : panels.offset;
    to[code] = static_cast<std::byte>(value);
  }
  const float unit = weights.kind() == Kind::codebook ? table_unit(weights.table, weights.table_size) : 1.0f;
  std::memcpy(to + kUnitAt, &unit, sizeof unit);
}

class PanelWriter {
 public:
  PanelWriter(const Weights& weights, const Panels& panels, Index taps, const std::int8_t* rounded, std::byte* to)
      : w_(weights), p_(panels), taps_(taps), rounded_(rounded), to_(to), row_(static_cast<std::size_t>(weights.K)) {}

  // Row n, column j of the panel.
  void write(Index n, int j, Index first) {
    read(n, first);
    for (Index k = 0; k < w_.K; ++k) {
      const Index from = taps_ > 1 ? k % (w_.K / taps_) * taps_ + k / (w_.K / taps_) : k;
      put(k / w_.group * p_.padded_group + k % w_.group, j, row_[static_cast<std::size_t>(from)]);
    }
    for (Index g = 0; g < p_.groups; ++g) write_group(n, j, g, first);
  }

 private:
  bool keeps_codes() const { return p_.zeros || (p_.bits == 4 && w_.kind() == Kind::codebook); }

  // The cells' values. A hole in affine codes is the zero of its group; in a codebook's, the code past its table.
  void read(Index n, Index first) {
    if (!keeps_codes()) {
      integers(w_, n, first, rounded_, row_.data());
      for (std::int16_t& value : row_) value = static_cast<std::int16_t>(value + p_.offset);
      return;
    }
    unpack_codes(w_, n, first, row_.data());
    for (Index k = 0; k < w_.K; ++k) {
      std::int16_t& code = row_[static_cast<std::size_t>(k)];
      if (code < 0) code = static_cast<std::int16_t>(p_.zeros ? w_.zero_of(n, k / w_.group) : w_.table_size);
    }
  }

  void put(Index k, int j, int value) {
    const Index step = k / p_.layout.depth, d = k % p_.layout.depth;
    const Index unit = p_.bits == 8 ? step : step / 2;
    std::byte& cell = to_[(unit * p_.layout.columns + j) * p_.layout.depth + d];
    if (p_.bits == 8)
      cell = static_cast<std::byte>(value);
    else
      cell |= static_cast<std::byte>((value & 15) << (step % 2 * 4));
  }

  void write_group(Index n, int j, Index g, Index first) {
    const Index at = g * p_.layout.columns + j;
    const float scale = w_.scale_of(n, g);
    if (p_.bf16) {
      const Bf16 half = to_bf16(scale);  // it was one, or a power of two
      std::memcpy(to_ + p_.scale_at + at * 2, &half, 2);
    } else {
      std::memcpy(to_ + p_.scale_at + at * 4, &scale, 4);
    }
    if (p_.zeros) to_[p_.zero_at + at] = static_cast<std::byte>(w_.zero_of(n, g));
    if (!p_.sums) return;
    if (g == 0) integers(w_, n, first, rounded_, row_.data());
    std::int32_t sum = 0;
    for (Index k = g * w_.group; k < (g + 1) * w_.group && k < w_.K; ++k) sum += row_[static_cast<std::size_t>(k)];
    std::memcpy(to_ + p_.sum_at + at * 4, &sum, 4);
  }

  const Weights& w_;
  const Panels& p_;
  Index taps_;
  const std::int8_t* rounded_;
  std::byte* to_;
  std::vector<std::int16_t> row_;
};

}  // namespace

bool has_f32_panels(const Weights& weights) {
  return weights.kind() != Kind::codebook ||
         (weights.bits() <= 4 && (weights.bitmap == nullptr || weights.table_size < 16));
}

Panels panels_of(const Weights& weights, const Layout& layout) {
  Panels p;
  p.layout = layout;
  p.N = weights.N, p.K = weights.K, p.group = weights.group, p.groups = weights.groups();
  p.padded_group = round_up(std::max<Index>(1, std::min(weights.group, weights.K)), layout.align);
  p.padded_k = p.groups * p.padded_group;
  p.count = (p.N + layout.columns - 1) / layout.columns;
  p.bits = is_nibble(weights, layout) ? 4 : 8;
  p.lookup = p.bits == 4 && ((layout.is_signed && !layout.f32) || weights.kind() == Kind::codebook);
  p.zeros = weights.kind() == Kind::affine;
  p.bf16 = weights.scale == nullptr;  // powers of two are exact in it
  p.sums = layout.sums;
  if (!layout.is_signed && !p.zeros) p.offset = p.bits == 4 && !p.lookup ? 8 : 128;
  const Index cells = p.padded_k * layout.columns * p.bits / 8;
  p.scale_at = round_up(cells, 64);
  p.zero_at = p.scale_at + round_up(p.groups * layout.columns * (p.bf16 ? 2 : 4), 64);
  p.sum_at = p.zero_at + (p.zeros ? round_up(p.groups * layout.columns, 64) : 0);
  p.panel_bytes = p.sum_at + (p.sums ? round_up(p.groups * layout.columns * 4, 64) : 0);
  p.bytes = kPanelHeader + p.count * p.panel_bytes;
  return p;
}

void pack_panels(const Weights& weights, const Panels& panels, Index taps, std::byte* to, Parallel& parallel) {
  std::int8_t rounded[256] = {};
  if (weights.kind() == Kind::codebook) round_table(weights.table, weights.table_size, rounded);
  write_header(weights, panels, rounded, to);
  const Index columns = panels.layout.columns;
  parallel.run(static_cast<int>(panels.count), [&](int task, int) {
    std::byte* panel = to + kPanelHeader + task * panels.panel_bytes;
    std::memset(panel, 0, static_cast<std::size_t>(panels.panel_bytes));
    PanelWriter writer(weights, panels, taps, rounded, panel);
    const Index row = task * columns;
    Index first = kept_before(weights, row);
    for (Index n = row; n < row + columns && n < weights.N; first += kept_in_row(weights, n++))
      writer.write(n, static_cast<int>(n - row), first);
  });
}

}  // namespace athanor::quant
