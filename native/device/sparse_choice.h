// How a product with a sparse weight runs on a device for more rows than kSparseRows / 2: by mma.sp where two of four columns are kept at
// most, by tiles where enough of those of 8 × 8 are empty, else as a dense product. The pattern decides, which is data: it is looked at
// when a run binds its variables, once until the bitmap changes.
#pragma once
#include <optional>
#include <vector>

#include "device/emitter.h"
#include "runtime/buffer.h"

namespace athanor::device {

enum class SparseWay : std::uint8_t { dense, two_four, tiles };

// The lists of SparseTiles for a weight [rows, columns].
struct TilesPattern {
  Index rows = 0, columns = 0;
  int strips = 1;
  std::vector<std::uint32_t> starts, cells, walk_starts, walk;
  std::vector<std::uint8_t> groups;

  Index pairs() const { return static_cast<Index>(cells.size()); }
};

// bits: [N, ceil(K / 8)] on the host. Of Wᵀ where `transposed`.
bool keeps_two_of_four(const std::uint8_t* bits, Index N, Index K);
TilesPattern tiles_of(const std::uint8_t* bits, Index N, Index K, bool transposed);

// What is promised to be the fastest, by bytes and operations alone (docs/internals/cuda.md, "Sparse products").
SparseWay choose_way(bool two_of_four, const TilesPattern& tiles);

// Bytes that hold the weight packed in any way.
Index sparse_packed_bytes(Index N, Index K);

class SparseChoice final : public Attachment {
 public:
  // Null where something in the program makes the bitmap. Attach it before what is packed by it.
  static std::shared_ptr<SparseChoice> of(DeviceContext& context, int bitmap, Index N, Index K, bool transposed);

  bool bind(const Addresses& at) override;
  void note_changes() override {}

  SparseWay way() const { return way_; }
  SparseTiles tiles() const;

 private:
  SparseChoice(DeviceContext& context, int bitmap, Index N, Index K, bool transposed);
  void upload();

  std::shared_ptr<PluginDevice> device_;
  std::shared_ptr<Variable> variable_;  // null: a constant
  Slot bitmap_;
  Index N_, K_;
  bool transposed_;
  bool is_made_ = false;
  std::uint64_t version_ = 0;
  SparseWay way_ = SparseWay::dense;
  TilesPattern pattern_;  // of tiles() alone; its lists are on the device
  Index pairs_ = 0;
  std::optional<DeviceBlock> lists_;
};

}  // namespace athanor::device
