#include "ops/sparse/sparse_product.h"

#include <algorithm>
#include <cstring>

#include "graph/attributes.h"
#include "graph/body/epilogue.h"
#include "ops/sparse/sparse_weight.h"
#include "sparse/choice.h"
#include "sparse/panels.h"
#include "sparse/slots.h"

namespace athanor {
namespace {

constexpr Index kHeaderBytes = 64;  // bytes before the payload of a prepared block

// What a prepared block holds behind its header.
enum class SparseLayout : std::int32_t { panels, slots, dense, dense_packed };

struct BlockHeader {
  SparseLayout stored;
};

GemmArgs gemm_of(const SparseProduct& p) {
  GemmArgs args;
  args.M = p.M, args.N = p.transposed ? p.K : p.N, args.K = p.transposed ? p.N : p.K;
  args.a.row = args.K, args.a.col = 1;
  args.b.row = p.transposed ? p.K : 1, args.b.col = p.transposed ? 1 : p.K;
  args.ldc = args.N;
  return args;
}

Block with_header(SparseLayout stored, Index bytes) {
  Block block(kHeaderBytes + bytes);
  const BlockHeader header{stored};
  std::memcpy(block.data(), &header, sizeof(header));
  return block;
}

// Filling blocks may not make the values much more than they are, so that their memory is known when a program is planned.
Index value_capacity(Index nnz) { return nnz + nnz / 2 + 64; }

// Makes a weight's block: of its pattern alone where values is null.
struct Preparation {
  SparseProduct product;
  const KernelTable* kernels;
  std::string where, layout;

  Block operator()(std::span<const std::byte* const> operands, Parallel& parallel) const {
    const sparse::Bitmap bitmap{product.N, product.K, reinterpret_cast<const std::uint8_t*>(operands[0])};
    // No values at all may have no address.
    static constexpr float kNone = 0;
    const float* values = operands.size() > 1 ? reinterpret_cast<const float*>(operands[1]) : nullptr;
    if (operands.size() > 1 && values == nullptr) values = &kNone;
    sparse::check_bitmap(where, bitmap, product.nnz);
    const sparse::Pattern pattern =
        product.transposed ? sparse::transposed_pattern_of(bitmap) : sparse::pattern_of(bitmap);
    using Chosen = sparse::Choice::Layout;
    const sparse::Choice choice = choose(pattern, values != nullptr);
    if (choice.layout == Chosen::dense)
      return values == nullptr ? with_header(SparseLayout::dense, 0) : dense(bitmap, values, parallel);
    if (choice.layout == Chosen::slots)
      return holding(SparseLayout::slots, sparse::pack_slots(pattern, kernels->lanes, values, parallel));
    return holding(SparseLayout::panels,
                   sparse::pack_panels(
                       pattern, {choice.shape, choice.block_columns, kSparsePanelRows, {}, values == nullptr}, values));
  }

 private:
  static Block holding(SparseLayout stored, const std::vector<std::byte>& payload) {
    Block block = with_header(stored, static_cast<Index>(payload.size()));
    std::memcpy(block.data() + kHeaderBytes, payload.data(), payload.size());
    return block;
  }

  // Values that come later need a layout whose places are known to fit.
  sparse::Choice choose(const sparse::Pattern& pattern, bool fixed) const {
    const sparse::Choice choice = sparse::choose(pattern, product.M, kernels->lanes, layout);
    if (fixed || choice.layout == sparse::Choice::Layout::dense) return choice;
    const auto [R, C] = kSparseShapes[choice.shape];
    const bool fits = sparse::count_blocks(pattern, R, C) * R * C <= value_capacity(product.nnz);
    if (choice.layout == sparse::Choice::Layout::panels && fits) return choice;
    return sparse::choose(pattern, product.M, kernels->lanes, "1x1");
  }

  // For a few rows as it is, which is what the kernels for them read; else in the layout of the matrix product.
  Block dense(const sparse::Bitmap& bitmap, const float* values, Parallel& parallel) const {
    GemmArgs args = gemm_of(product);
    const Index floats = product.N * product.K, packed = kernels->gemm.packed_size(args.K, args.N);
    const bool pack = product.M > kGemmFewRows;
    Block expanded = with_header(SparseLayout::dense, floats * 4);
    float* weight = reinterpret_cast<float*>(expanded.data() + kHeaderBytes);
    std::vector<Index> starts(static_cast<std::size_t>(bitmap.rows + 1));
    sparse::row_starts(bitmap, starts.data());
    sparse::expand(bitmap, starts.data(), values, weight, parallel);
    if (!pack) return expanded;
    Block block = with_header(SparseLayout::dense_packed, packed * 4);
    args.b.data = weight;
    kernels->gemm.pack_b(args, reinterpret_cast<float*>(block.data() + kHeaderBytes), parallel);
    return block;
  }
};

// Runs the product in the layout that a block says.
struct Runner {
  SparseProduct product;
  const KernelTable* kernels;
  std::shared_ptr<Epilogue> epilogue;
  Slot workspace;

  void panels(Execution& run, const SparsePanels& w) const {
    SparseArgs args;
    args.w = w;
    args.M = product.M, args.x = run.at<const float>(product.x), args.y = run.at<float>(product.y);
    args.epilogue = bind(run), args.epilogue_self = epilogue.get();
    kernels->sparse.run(args, run.parallel, run.at(workspace));
  }

  void slots(Execution& run, const SparseSlots& w) const {
    SparseSlotsArgs args;
    args.w = w;
    args.M = product.M, args.x = run.at<const float>(product.x), args.y = run.at<float>(product.y);
    args.epilogue = bind(run), args.epilogue_self = epilogue.get();
    kernels->sparse.slots(args, run.parallel, run.at(workspace));
  }

  void dense(Execution& run, const float* weight, bool packed) const {
    GemmArgs args = gemm_of(product);
    args.a.data = run.at<const float>(product.x), args.c = run.at<float>(product.y);
    args.b.data = weight, args.b_packed = packed;
    args.epilogue = bind(run), args.epilogue_self = epilogue.get();
    kernels->gemm.run(args, run.parallel, run.at(workspace));
  }

  Index bytes(int workers) const {
    GemmArgs args = gemm_of(product);
    const Index direct = kernels->gemm.workspace(args, workers);
    args.b_packed = true;
    return std::max({direct, kernels->gemm.workspace(args, workers),
                     product.M <= kSlotRows ? kernels->sparse.slots_workspace(product.M, args.K) : 0,
                     kernels->sparse.workspace(product.M, args.N, args.K, workers)});
  }

 private:
  GemmEpilogue bind(const Execution& run) const {
    if (epilogue) epilogue->bind(run);
    return epilogue ? Epilogue::call : nullptr;
  }
};

const BlockHeader& header_of(const std::byte* block) { return *reinterpret_cast<const BlockHeader*>(block); }

}  // namespace

void lower_sparse_product(LowerContext& context, const SparseProduct& product) {
  const std::string layout = attributes::sparse_matmul::of(context.attrs()).layout;
  const Preparation make{product, &context.kernels, context.where(), layout};
  Runner runner{product, &context.kernels, Epilogue::of(context, 1, product.M), 0};
  runner.workspace = context.workspace(runner.bytes(context.workers));
  const Work work{2.0 * static_cast<double>(product.M) * static_cast<double>(product.nnz), 0};
  const std::string key = std::string(context.kernels.isa) + " " + std::to_string(product.K) + " " + layout + " " +
                          sparse::batch_class(product.M, context.kernels.lanes);
  const bool empty = product.M == 0 || product.N == 0 || product.K == 0;
  const Slot whole = empty ? -1 : context.prepared({product.bits, product.values}, key, make);
  if (whole >= 0) {
    context.emit(work, [=](Execution& run) {
      const auto* block = run.at<const std::byte>(whole);
      const SparseLayout stored = header_of(block).stored;
      if (stored == SparseLayout::panels) return runner.panels(run, sparse::panels_at(block + kHeaderBytes));
      if (stored == SparseLayout::slots) return runner.slots(run, sparse::slots_at(block + kHeaderBytes));
      runner.dense(run, reinterpret_cast<const float*>(block + kHeaderBytes), stored == SparseLayout::dense_packed);
    });
    return;
  }
  const DenseWeight weight(context, product.N, product.K, product.nnz, context.input(product.bits),
                           context.input(product.values));
  const Slot pattern = empty ? -1 : context.prepared({product.bits}, key + " pattern", make);
  if (pattern < 0) {
    context.emit(work, [=](Execution& run) {
      weight.expand(run);
      runner.dense(run, weight.data(run), false);
    });
    return;
  }
  const Slot values = context.workspace(value_capacity(product.nnz) * static_cast<Index>(sizeof(float)));
  const Slot canonical = context.input(product.values);
  context.emit(work, [=](Execution& run) {
    const auto* block = run.at<const std::byte>(pattern);
    if (header_of(block).stored != SparseLayout::panels) {
      weight.expand(run);
      return runner.dense(run, weight.data(run), false);
    }
    SparsePanels panels = sparse::panels_at(block + kHeaderBytes);
    sparse::fill(block + kHeaderBytes, run.at<const float>(canonical), run.at<float>(values), run.parallel);
    panels.values = run.at<const float>(values);
    runner.panels(run, panels);
  });
}

}  // namespace athanor
