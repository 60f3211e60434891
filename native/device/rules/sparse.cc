// Products and convolutions with sparse weights. A few rows are multiplied by the weight as it lies. For more the pattern decides when a run
// binds its variables (device/sparse_choice.h): mma.sp, tiles, or the dense product of the expanded weight. Whatever it is packed to is made
// once where nothing changes it. Convolutions expand it. Gradients of the values are those of the dense weight that the bitmap marks.
#include "sparse/bitmap.h"

#include <algorithm>

#include "device/packed_weight.h"
#include "device/rules/elementwise.h"
#include "device/sparse_choice.h"
#include "graph/attributes.h"
#include "ops/conv/conv_geometry.h"

namespace athanor::device {
namespace {

using Place = PackedWeight::Place;

constexpr Index kFewRows = kSparseRows / 2;  // of more the dense product is faster, on paper

// A node's weight [N, K] and where its operands are; values: -1 where only the pattern counts.
struct Sparse {
  SparseWeight w;
  int bitmap, values;
};

Sentence sentence_of(const DeviceContext& context, const SparseWeight& w) {
  return [where = context.where(), w](const RunRecord& run) {
    if (code_of(run) == StatusCode::stray)
      return Error(Code::argument, sparse::marks_past(where, position_of(run), w.K));
    return Error(Code::argument, sparse::marks_others(where, static_cast<Index>(value_bits_of(run)), w.nnz));
  };
}

template <class Args>
void require(DeviceContext& context, const Launcher<Args>& launcher, const Args& args) {
  if (launcher.run == nullptr) context.refuse("it has no kernel for it");
  if (const char* reason = launcher.refuses(args)) context.refuse(reason);
}

// Tables of the bitmap: its ranks.
Place ranks_of(DeviceContext& context, const Sparse& sparse) {
  const Launcher<SparseRank>& launcher = context.launchers().sparse_rank;
  SparseRank args;
  args.w = sparse.w;
  require(context, launcher, args);
  PackedWeight::Plan plan;
  plan.key = "ranks " + std::to_string(args.w.N) + "x" + std::to_string(args.w.K);
  plan.operands = {sparse.bitmap};
  plan.bytes = sparse_rank_bytes(args.w.N, args.w.K);
  plan.sentence = sentence_of(context, args.w);
  plan.pack = [args, bitmap = context.input(sparse.bitmap), run = launcher.run](
                  Stream* stream, const Addresses& at, std::byte* to, std::byte*, Check check) {
    SparseRank now = args;
    now.w.bitmap = at.at<const std::uint8_t>(bitmap), now.to = to, now.check = check;
    return run(stream, now, nullptr);
  };
  return PackedWeight::of(context, std::move(plan));
}

// The dense matrix, with the ranks that it takes in its workspace.
Place dense_of(DeviceContext& context, const Sparse& sparse) {
  const Launchers& launch = context.launchers();
  require(context, launch.sparse_rank, SparseRank{sparse.w, nullptr, {}});
  require(context, launch.sparse_expand, SparseExpand{sparse.w, nullptr, nullptr});
  PackedWeight::Plan plan;
  plan.key = "expanded " + std::to_string(sparse.w.N) + "x" + std::to_string(sparse.w.K);
  plan.operands = {sparse.bitmap, sparse.values};
  plan.bytes = sparse.w.N * sparse.w.K * 4;
  plan.workspace = sparse_rank_bytes(sparse.w.N, sparse.w.K);
  plan.sentence = sentence_of(context, sparse.w);
  plan.pack = [w = sparse.w, bitmap = context.input(sparse.bitmap), values = context.input(sparse.values),
               rank = launch.sparse_rank.run, expand = launch.sparse_expand.run](
                  Stream* stream, const Addresses& at, std::byte* to, std::byte* workspace, Check check) {
    SparseWeight now = w;
    now.bitmap = at.at<const std::uint8_t>(bitmap), now.values = at.at<const float>(values);
    const Result result = rank(stream, {now, workspace, check}, nullptr);
    return result != Result::ok ? result : expand(stream, {now, workspace, reinterpret_cast<float*>(to)}, nullptr);
  };
  return PackedWeight::of(context, std::move(plan));
}

// Values of a dense gradient in memory of this node.
void collect(DeviceContext& context, const Sparse& sparse, const Place& ranks, Slot from) {
  SparseCollect args;
  args.w = sparse.w;
  const Slot bitmap = context.input(sparse.bitmap), values = context.output();
  const double bytes = 4.0 * static_cast<double>(sparse.w.N * sparse.w.K + sparse.w.nnz);
  context.launch(context.launchers().sparse_collect, args, {0, bytes}, [=](SparseCollect& now, const Addresses& at) {
    now.w.bitmap = at.at<const std::uint8_t>(bitmap), now.ranks = ranks(at);
    now.from = at.at<const float>(from), now.values = at.at<float>(values);
  });
}

Index rows_of(const Type& x) { return x.shape.count(0, x.shape.rank() - 1); }

double products(Index m, Index nnz) { return 2.0 * static_cast<double>(m) * static_cast<double>(nnz); }

Matmul product_of(Index m, Index n, Index k) {
  Matmul args;
  args.M = m, args.N = n, args.K = k, args.ldc = n;
  args.a.row = k, args.a.col = 1, args.b.row = n, args.b.col = 1;
  return args;
}

// x [M, …] times the dense weight as product_of has it, with what is fused into it.
void lower_dense(DeviceContext& context, const Matmul& args, const Place& dense, Index nnz) {
  const auto epilogue = epilogue_of(context);
  const Slot x = context.input(0), y = context.output();
  context.launch(context.launchers().matmul, args, {products(args.M, nnz), 0}, [=](Matmul& now, const Addresses& at) {
    now.a.data = at.at(x), now.b.data = dense(at), now.c = at.at(y);
    now.epilogue = fill_epilogue(epilogue.get(), at);
  });
}

// The weight as `choice` has it, with the ranks that it takes in its workspace.
Place packed_of(DeviceContext& context, const Sparse& sparse, const std::shared_ptr<SparseChoice>& choice,
                bool transposed) {
  const Launchers& launch = context.launchers();
  require(context, launch.sparse_rank, SparseRank{sparse.w, nullptr, {}});
  require(context, launch.two_four_pack, TwoFourPack{sparse.w, nullptr, nullptr});
  PackedWeight::Plan plan;
  plan.key =
      (transposed ? "packed transposed " : "packed ") + std::to_string(sparse.w.N) + "x" + std::to_string(sparse.w.K);
  plan.operands = {sparse.bitmap, sparse.values};
  plan.bytes = sparse_packed_bytes(sparse.w.N, sparse.w.K);
  plan.workspace = sparse_rank_bytes(sparse.w.N, sparse.w.K);
  plan.sentence = sentence_of(context, sparse.w);
  plan.pack = [w = sparse.w, choice, bitmap = context.input(sparse.bitmap), values = context.input(sparse.values),
               &launch](Stream* stream, const Addresses& at, std::byte* to, std::byte* ranks, Check check) {
    SparseWeight now = w;
    now.bitmap = at.at<const std::uint8_t>(bitmap), now.values = at.at<const float>(values);
    const Result result = launch.sparse_rank.run(stream, {now, ranks, check}, nullptr);
    if (result != Result::ok) return result;
    switch (choice->way()) {
      case SparseWay::two_four: return launch.two_four_pack.run(stream, {now, ranks, to}, nullptr);
      case SparseWay::tiles: return launch.tiles_pack.run(stream, {now, ranks, choice->tiles(), to}, nullptr);
      case SparseWay::dense: break;
    }
    return launch.sparse_expand.run(stream, {now, ranks, reinterpret_cast<float*>(to)}, nullptr);
  };
  return PackedWeight::of(context, std::move(plan));
}

template <class Args>
Index room_of(DeviceContext& context, const Launcher<Args>& launcher, const Args& args) {
  require(context, launcher, args);
  return launcher.workspace(args);
}

// x [M, …] times W as product_of has it, or Wᵀ, by the way that the pattern asks for.
void lower_chosen(DeviceContext& context, const Matmul& dense, const Sparse& sparse, bool transposed) {
  const auto choice = SparseChoice::of(context, sparse.bitmap, sparse.w.N, sparse.w.K, transposed);
  if (choice == nullptr) return lower_dense(context, dense, dense_of(context, sparse), sparse.w.nnz);
  const Place packed = packed_of(context, sparse, choice, transposed);
  const auto epilogue = epilogue_of(context);
  const Slot x = context.input(0), y = context.output();
  const Launchers& launch = context.launchers();
  TwoFourMatmul two_four;
  two_four.M = dense.M, two_four.N = dense.N, two_four.K = dense.K;
  TilesMatmul tiles;
  tiles.M = dense.M, tiles.tiles = choice->tiles();
  Matmul seen = dense;
  seen.epilogue = two_four.epilogue = tiles.epilogue = fill_epilogue(epilogue.get(), Addresses{});
  const Slot space = context.workspace(
      std::max({room_of(context, launch.matmul, seen), room_of(context, launch.two_four_matmul, two_four),
                room_of(context, launch.tiles_matmul, tiles)}));
  const auto run = [=, &launch](Stream* stream, const Addresses& at) {
    const Epilogue now = fill_epilogue(epilogue.get(), at);
    const auto* from = at.at<const float>(x);
    const std::byte* weight = packed(at);
    if (choice->way() == SparseWay::two_four)
      return launch.two_four_matmul.run(stream, {dense.M, dense.N, dense.K, weight, from, at.at<float>(y), now},
                                        at.at(space));
    if (choice->way() == SparseWay::tiles)
      return launch.tiles_matmul.run(stream, {dense.M, choice->tiles(), weight, from, at.at<float>(y), now},
                                     at.at(space));
    Matmul args = dense;
    args.a.data = from, args.b.data = weight, args.c = at.at(y), args.epilogue = now;
    return launch.matmul.run(stream, args, at.at(space));
  };
  context.launch_as("", run, {products(dense.M, sparse.w.nnz), 0});
}

void lower_rows(DeviceContext& context, const Sparse& sparse, Index m) {
  SparseRows args;
  args.M = m, args.w = sparse.w;
  const Place ranks = ranks_of(context, sparse);
  const auto epilogue = epilogue_of(context);
  const Slot x = context.input(0), y = context.output();
  const Slot bitmap = context.input(sparse.bitmap), values = context.input(sparse.values);
  context.launch(context.launchers().sparse_rows, args, {products(m, sparse.w.nnz), 0},
                 [=](SparseRows& now, const Addresses& at) {
                   now.w.bitmap = at.at<const std::uint8_t>(bitmap), now.w.values = at.at<const float>(values);
                   now.ranks = ranks(at), now.x = at.at<const float>(x), now.y = at.at<float>(y);
                   now.epilogue = fill_epilogue(epilogue.get(), at);
                 });
}

// The convolution of x [N, C, H, W] with a bitmap of `rows` rows.
ConvShape shape_of(const DeviceContext& context, const Shape& x, Index rows) {
  const auto at = attributes::sparse_conv2d::of(context.attrs());  // those that its gradients share
  const Shape w{rows, x[1] / at.groups, at.kernel[0], at.kernel[1]};
  return conv_shape(x, w, context.attrs());
}
Sparse weight_of(const DeviceContext& context, const ConvShape& s, int bitmap, int values) {
  const Index nnz = values >= 0 ? context.input_type(values).shape[0] : context.output_type().shape[0];
  return {{s.c_out, s.c_in / s.groups * s.kh * s.kw, nnz}, bitmap, values};
}
double flops_of(const ConvShape& s, Index nnz) { return products(s.n * s.out_h() * s.out_w(), nnz); }

}  // namespace

void lower_sparse_matmul(DeviceContext& context) {
  const Index k = context.input_type(0).shape.back(), n = context.output_type().shape.back();
  const Index m = rows_of(context.input_type(0));
  const Sparse sparse{{n, k, context.input_type(2).shape[0]}, 1, 2};
  if (m <= kFewRows) return lower_rows(context, sparse, m);
  Matmul args = product_of(m, n, k);
  args.b.row = 1, args.b.col = k;
  lower_chosen(context, args, sparse, false);
}

void lower_sparse_matmul_grad_input(DeviceContext& context) {
  const Index n = context.input_type(0).shape.back(), k = context.output_type().shape.back();
  const Sparse sparse{{n, k, context.input_type(2).shape[0]}, 1, 2};
  lower_chosen(context, product_of(rows_of(context.input_type(0)), k, n), sparse, true);
}

void lower_sparse_matmul_grad_values(DeviceContext& context) {
  const Index m = rows_of(context.input_type(0)), n = context.input_type(0).shape.back(),
              k = context.input_type(1).shape.back(), nnz = context.output_type().shape[0];
  const Sparse sparse{{n, k, nnz}, 2, -1};
  const Place ranks = ranks_of(context, sparse);
  const Slot dy = context.input(0), x = context.input(1), dw = context.workspace(n * k * 4);
  Matmul args = product_of(n, k, m);
  args.a.row = 1, args.a.col = n;
  context.launch(context.launchers().matmul, args, {products(m, n * k), 0}, [=](Matmul& now, const Addresses& at) {
    now.a.data = at.at(dy), now.b.data = at.at(x), now.c = at.at(dw);
  });
  collect(context, sparse, ranks, dw);
}

void lower_sparse_conv2d(DeviceContext& context) {
  Conv conv;
  conv.args.shape = shape_of(context, context.input_type(0).shape, context.input_type(1).shape[0]);
  const Sparse sparse = weight_of(context, conv.args.shape, 1, 2);
  const Place dense = dense_of(context, sparse);
  const auto epilogue = epilogue_of(context);
  const Slot x = context.input(0), y = context.output();
  context.launch(context.launchers().conv, conv, {flops_of(conv.args.shape, sparse.w.nnz), 0},
                 [=](Conv& now, const Addresses& at) {
                   now.args.x = at.at<const float>(x), now.args.y = at.at<float>(y);
                   now.args.w = reinterpret_cast<const float*>(dense(at));
                   now.epilogue = fill_epilogue(epilogue.get(), at);
                 });
}

void lower_sparse_conv2d_grad_input(DeviceContext& context) {
  ConvGradInput grad;
  grad.args.shape = shape_of(context, context.output_type().shape, context.input_type(1).shape[0]);
  const Sparse sparse = weight_of(context, grad.args.shape, 1, 2);
  const Place dense = dense_of(context, sparse);
  const auto epilogue = epilogue_of(context);
  const Slot dy = context.input(0), dx = context.output();
  context.launch(context.launchers().conv_grad_input, grad, {flops_of(grad.args.shape, sparse.w.nnz), 0},
                 [=](ConvGradInput& now, const Addresses& at) {
                   now.args.dy = at.at<const float>(dy), now.args.dx = at.at<float>(dx);
                   now.args.w = reinterpret_cast<const float*>(dense(at));
                   now.epilogue = fill_epilogue(epilogue.get(), at);
                 });
}

void lower_sparse_conv2d_grad_values(DeviceContext& context) {
  ConvGradWeight grad;
  grad.args.shape = shape_of(context, context.input_type(0).shape, context.input_type(2).shape[0]);
  const Sparse sparse = weight_of(context, grad.args.shape, 2, -1);
  const Place ranks = ranks_of(context, sparse);
  const Slot x = context.input(0), dy = context.input(1), dw = context.workspace(sparse.w.N * sparse.w.K * 4);
  context.launch(context.launchers().conv_grad_weight, grad, {conv_flops(grad.args.shape), 0},
                 [=](ConvGradWeight& now, const Addresses& at) {
                   now.args.x = at.at<const float>(x), now.args.dy = at.at<const float>(dy),
                   now.args.dw = at.at<float>(dw);
                 });
  collect(context, sparse, ranks, dw);
}

}  // namespace athanor::device
