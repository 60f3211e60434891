#include "device/sparse_choice.h"

#include <bit>

#include "device/packed_weight.h"

namespace athanor::device {
namespace {

constexpr Index kTile = 8, kTilesOfChunk = 8, kWarps = 8;
constexpr Index kWideFrom = 2048;  // rows from which a warp has four strips

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
Index rounded(Index bytes) { return ceil_div(bytes, 256) * 256; }

// Columns 8 c to 8 c + 7 of a row, without what is marked past the last.
std::uint8_t byte_at(const std::uint8_t* bits, Index K, Index row, Index c) {
  const Index left = K - c * 8;
  const std::uint8_t byte = bits[row * ceil_div(K, 8) + c];
  return left >= 8 ? byte : static_cast<std::uint8_t>(byte & ((1u << left) - 1u));
}

// Which tiles have a mark: [ceil(N / 8)][ceil(K / 8)], or its transpose.
std::vector<std::uint8_t> marked_tiles(const std::uint8_t* bits, Index N, Index K, bool transposed) {
  const Index down = ceil_div(N, kTile), across = ceil_div(K, kTile);
  std::vector<std::uint8_t> marked(static_cast<std::size_t>(down * across));
  for (Index n = 0; n < N; ++n)
    for (Index c = 0; c < across; ++c)
      if (byte_at(bits, K, n, c) != 0)
        marked[static_cast<std::size_t>(transposed ? c * down + n / kTile : n / kTile * across + c)] = 1;
  return marked;
}

// Appends the pairs of a strip's tiles within a chunk.
void add_cell(TilesPattern& pattern, const std::uint8_t* marked, Index tiles, Index cell) {
  int first = -1;
  const auto add = [&](int one, int other) {
    pattern.cells.push_back(static_cast<std::uint32_t>(cell));
    pattern.groups.push_back(static_cast<std::uint8_t>(one | other << 4));
  };
  for (int g = 0; g < static_cast<int>(tiles); ++g) {
    if (marked[g] == 0) continue;
    if (first >= 0) add(first, g);
    first = first >= 0 ? -1 : g;
  }
  if (first >= 0) add(first, first);
  pattern.starts.push_back(static_cast<std::uint32_t>(pattern.cells.size()));
}

}  // namespace

bool keeps_two_of_four(const std::uint8_t* bits, Index N, Index K) {
  for (Index n = 0; n < N; ++n)
    for (Index c = 0; c < ceil_div(K, 8); ++c) {
      const std::uint8_t byte = byte_at(bits, K, n, c);
      if (std::popcount(byte & 15u) > 2 || std::popcount(byte & 0xf0u) > 2) return false;
    }
  return true;
}

TilesPattern tiles_of(const std::uint8_t* bits, Index N, Index K, bool transposed) {
  TilesPattern pattern;
  pattern.rows = transposed ? K : N, pattern.columns = transposed ? N : K;
  pattern.strips = pattern.rows >= kWideFrom ? 4 : 1;
  const std::vector<std::uint8_t> marked = marked_tiles(bits, N, K, transposed);
  const Index strips = ceil_div(pattern.rows, kTile), across = ceil_div(pattern.columns, kTile);
  const Index chunks = ceil_div(pattern.columns, kTile * kTilesOfChunk), of_block = pattern.strips * kWarps;
  pattern.starts.push_back(0);
  for (Index s = 0; s < strips; ++s)
    for (Index c = 0; c < chunks; ++c)
      add_cell(pattern, marked.data() + s * across + c * kTilesOfChunk,
               std::min(kTilesOfChunk, across - c * kTilesOfChunk), s * chunks + c);
  pattern.walk_starts.push_back(0);
  for (Index block = 0; block * of_block < strips; ++block) {
    for (Index c = 0; c < chunks; ++c) {
      bool any = false;
      for (Index s = block * of_block; s < std::min(strips, (block + 1) * of_block); ++s) {
        const auto cell = static_cast<std::size_t>(s * chunks + c);
        any = any || pattern.starts[cell] != pattern.starts[cell + 1];
      }
      if (any) pattern.walk.push_back(static_cast<std::uint32_t>(c));
    }
    pattern.walk_starts.push_back(static_cast<std::uint32_t>(pattern.walk.size()));
  }
  return pattern;
}

// Six products of bf16 by ldmatrix-bound tiles take, for a weight of f tiles, as long as f · 0.8 of the dense product in f32 at most;
// tiles take 6 bytes a weight, of which there is room for 4. mma.sp multiplies half of all weights: as fast as tiles of f = 0.25.
SparseWay choose_way(bool two_of_four, const TilesPattern& tiles) {
  const double all = static_cast<double>(tiles.rows) * static_cast<double>(tiles.columns);
  if (all == 0) return SparseWay::dense;
  const double full = static_cast<double>(tiles.pairs()) * 128 / all;
  if (full <= (two_of_four ? 0.25 : 0.6)) return SparseWay::tiles;
  return two_of_four ? SparseWay::two_four : SparseWay::dense;
}

Index sparse_packed_bytes(Index N, Index K) { return std::max(N * K * 4, two_four_bytes(N, K)); }

std::shared_ptr<SparseChoice> SparseChoice::of(DeviceContext& context, int bitmap, Index N, Index K, bool transposed) {
  if (!context.is_fixed(bitmap)) return nullptr;
  std::shared_ptr<SparseChoice> choice(new SparseChoice(context, bitmap, N, K, transposed));
  context.attach(choice);
  return choice;
}

SparseChoice::SparseChoice(DeviceContext& context, int bitmap, Index N, Index K, bool transposed)
    : device_(context.device),
      variable_(variable_of(context.graph, context.node.inputs[static_cast<std::size_t>(bitmap)])),
      bitmap_(context.input(bitmap)),
      N_(N),
      K_(K),
      transposed_(transposed) {}

bool SparseChoice::bind(const Addresses& at) {
  const std::uint64_t version = variable_ != nullptr ? variable_->version() : 0;
  if (is_made_ && version == version_) return false;
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(N_ * ceil_div(K_, 8)));
  if (!bits.empty()) device_->download(bits.data(), at.at<const std::byte>(bitmap_), static_cast<Index>(bits.size()));
  pattern_ = tiles_of(bits.data(), N_, K_, transposed_);
  pairs_ = pattern_.pairs();
  way_ = choose_way(!transposed_ && keeps_two_of_four(bits.data(), N_, K_), pattern_);
  if (way_ == SparseWay::tiles && pairs_ * kTilePairBytes > sparse_packed_bytes(N_, K_)) way_ = SparseWay::dense;
  if (way_ == SparseWay::tiles) upload();
  is_made_ = true;
  version_ = version;
  return true;
}

void SparseChoice::upload() {
  const auto bytes = [](const auto& list) { return rounded(static_cast<Index>(list.size() * sizeof(list[0]))); };
  lists_.emplace(device_, bytes(pattern_.starts) + bytes(pattern_.cells) + bytes(pattern_.groups) +
                              bytes(pattern_.walk_starts) + bytes(pattern_.walk));
  std::byte* to = lists_->data();
  const auto put = [&](const auto& list) {
    if (!list.empty()) device_->upload(to, list.data(), static_cast<Index>(list.size() * sizeof(list[0])));
    to += bytes(list);
  };
  put(pattern_.starts), put(pattern_.cells), put(pattern_.groups), put(pattern_.walk_starts), put(pattern_.walk);
}

SparseTiles SparseChoice::tiles() const {
  SparseTiles tiles;
  tiles.rows = transposed_ ? K_ : N_, tiles.columns = transposed_ ? N_ : K_;
  tiles.strips = tiles.rows >= kWideFrom ? 4 : 1;
  tiles.transposed = transposed_;
  if (!lists_.has_value()) return tiles;
  const std::byte* from = lists_->data();
  const auto take = [&]<class T>(const std::vector<T>& list) {
    const auto* found = reinterpret_cast<const T*>(from);
    from += rounded(static_cast<Index>(list.size() * sizeof(T)));
    return found;
  };
  tiles.pairs = pairs_;
  tiles.starts = take(pattern_.starts), tiles.cells = take(pattern_.cells), tiles.groups = take(pattern_.groups);
  tiles.walk_starts = take(pattern_.walk_starts), tiles.walk = take(pattern_.walk);
  return tiles;
}

}  // namespace athanor::device
