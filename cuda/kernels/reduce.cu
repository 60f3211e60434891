// Reductions (kernels/reduce/reduce.h): y[o, i] = op over r, s of x[o, r, i, s].
//   lines     a block an output, its threads along the r, s in memory's order: rows, and sums over (N, H, W)
//   columns   tail = 1 and inner > 1: 32 neighbouring outputs a block, 8 threads down each
// Where outputs are few and long they are cut into pieces, by the shape alone; a second kernel joins the pieces in order.
// Sums of f32 are formed in f64 and rounded once.
#include "cuda/kernels/block_reduce.cuh"
#include "cuda/plugin/families.h"
#include "device/launch.h"

namespace athanor::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kColumns = 32, kRows = kThreads / kColumns;

struct ReduceParams {
  const void* x;
  void* y;
  void* partial;  // (pieces, outputs) of the accumulator; null: one piece, y is written
  Index outer, reduced, inner, tail, outputs, length,
      piece;  // length = reduced tail; piece: of the length, for one block
  int pieces;
};

// What a value and its place are while argmax looks for the first largest.
template <class T>
struct Best {
  T value;
  std::int32_t index;
};

template <class T>
ATHANOR_DEVICE Best<T> shuffle_best(Best<T> best, int bit) {
  return {__shfl_xor_sync(~0u, best.value, bit), __shfl_xor_sync(~0u, best.index, bit)};
}

template <class T>
inline constexpr T kLowest = std::is_same_v<T, std::int32_t> ? T(INT32_MIN) : -T(__builtin_huge_val());
template <class T>
inline constexpr T kHighest = std::is_same_v<T, std::int32_t> ? T(INT32_MAX) : T(__builtin_huge_val());

// Every op: Acc, of(x, index), join(a, b) with a before b in order, finish(acc, length) as Out.
template <ReduceOp kOp, class T>
struct Rule {
  static constexpr bool kWhole = std::is_same_v<T, std::int32_t>;
  using Acc = std::conditional_t<kWhole, std::uint32_t, double>;
  using Out = T;
  static ATHANOR_DEVICE Acc nothing() { return kOp == ReduceOp::prod ? Acc(1) : Acc(0); }
  static ATHANOR_DEVICE Acc of(T x, Index) {
    if constexpr (kOp == ReduceOp::sum_abs)
      return static_cast<Acc>(x < 0 ? Acc(0) - static_cast<Acc>(x) : static_cast<Acc>(x));
    if constexpr (kOp == ReduceOp::sum_squares) return static_cast<Acc>(x) * static_cast<Acc>(x);
    return static_cast<Acc>(x);
  }
  static ATHANOR_DEVICE Acc join(Acc a, Acc b) { return kOp == ReduceOp::prod ? a * b : a + b; }
  static ATHANOR_DEVICE Out finish(Acc acc, Index length) {
    if constexpr (kOp == ReduceOp::mean && !kWhole) return static_cast<Out>(acc / static_cast<double>(length));
    return static_cast<Out>(acc);
  }
  static ATHANOR_DEVICE Acc shuffle(Acc acc, int bit) { return __shfl_xor_sync(~0u, acc, bit); }
};

template <class T>
struct Rule<ReduceOp::max, T> {
  using Acc = T;
  using Out = T;
  static ATHANOR_DEVICE Acc nothing() { return kLowest<T>; }
  static ATHANOR_DEVICE Acc of(T x, Index) { return x; }
  static ATHANOR_DEVICE Acc join(Acc a, Acc b) { return MaxNan{}(a, b); }
  static ATHANOR_DEVICE Out finish(Acc acc, Index) { return acc; }
  static ATHANOR_DEVICE Acc shuffle(Acc acc, int bit) { return __shfl_xor_sync(~0u, acc, bit); }
};
template <class T>
struct Rule<ReduceOp::min, T> : Rule<ReduceOp::max, T> {
  static ATHANOR_DEVICE T nothing() { return kHighest<T>; }
  static ATHANOR_DEVICE T join(T a, T b) { return MinNan{}(a, b); }
};

// Joined in any order: the index decides between equals.
template <class T, bool kLargest>
struct ArgRule {
  using Acc = Best<T>;
  using Out = std::int32_t;
  static ATHANOR_DEVICE Acc nothing() { return {T(0), -1}; }
  static ATHANOR_DEVICE Acc of(T x, Index i) { return {x, static_cast<std::int32_t>(i)}; }
  static ATHANOR_DEVICE Acc join(Acc a, Acc b) {
    if (a.index < 0) return b;
    if (b.index < 0) return a;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    const bool first = a.index < b.index;
    if (a_nan || b_nan) return a_nan && (!b_nan || first) ? a : b;
    if (a.value == b.value) return first ? a : b;
    return (kLargest ? a.value > b.value : a.value < b.value) ? a : b;
  }
  static ATHANOR_DEVICE Out finish(Acc acc, Index) { return acc.index; }
  static ATHANOR_DEVICE Acc shuffle(Acc acc, int bit) { return shuffle_best(acc, bit); }
};
template <class T>
struct Rule<ReduceOp::argmax, T> : ArgRule<T, true> {};
template <class T>
struct Rule<ReduceOp::argmin, T> : ArgRule<T, false> {};

template <class R>
ATHANOR_DEVICE typename R::Acc join_warp(typename R::Acc acc) {
#pragma unroll
  for (int bit = 1; bit < kWarpSize; bit <<= 1) {
    const typename R::Acc other = R::shuffle(acc, bit);
    acc = (threadIdx.x & static_cast<unsigned>(bit)) != 0 ? R::join(other, acc) : R::join(acc, other);
  }
  return acc;
}

template <class R>
ATHANOR_DEVICE void deliver(const ReduceParams& p, Index output, int piece, typename R::Acc acc) {
  if (p.partial != nullptr)
    static_cast<typename R::Acc*>(p.partial)[static_cast<Index>(piece) * p.outputs + output] = acc;
  else
    static_cast<typename R::Out*>(p.y)[output] = R::finish(acc, p.length);
}

template <ReduceOp kOp, class T>
ATHANOR_KERNEL(kThreads)
reduce_lines_kernel(ATHANOR_PARAM(ReduceParams) p) {
  using R = Rule<kOp, T>;
  SHARED(typename R::Acc, room, [kThreads / kWarpSize]);
  const Index output = blockIdx.x;
  const int piece = static_cast<int>(blockIdx.y);
  const Index o = output / p.inner, i = output - o * p.inner;
  const T* x = static_cast<const T*>(p.x) + (o * p.reduced * p.inner + i) * p.tail;
  const Index begin = piece * p.piece, end = begin + p.piece < p.length ? begin + p.piece : p.length;
  typename R::Acc acc = R::nothing();
  if (p.inner == 1) {
    for (Index k = begin + threadIdx.x; k < end; k += kThreads) acc = R::join(acc, R::of(x[k], k));
  } else {
    for (Index k = begin + threadIdx.x; k < end; k += kThreads) {
      const Index r = k / p.tail, s = k - r * p.tail;
      acc = R::join(acc, R::of(x[r * p.inner * p.tail + s], k));
    }
  }
  acc = join_warp<R>(acc);
  if (threadIdx.x % kWarpSize == 0) room[threadIdx.x / kWarpSize] = acc;
  __syncthreads();
  if (threadIdx.x != 0) return;
#pragma unroll
  for (int w = 1; w < kThreads / kWarpSize; ++w) acc = R::join(acc, room[w]);
  deliver<R>(p, output, piece, acc);
}

template <ReduceOp kOp, class T>
ATHANOR_KERNEL(kThreads)
reduce_columns_kernel(ATHANOR_PARAM(ReduceParams) p) {
  using R = Rule<kOp, T>;
  SHARED(typename R::Acc, room, [kRows][kColumns]);
  const int column = static_cast<int>(threadIdx.x) % kColumns, lane = static_cast<int>(threadIdx.x) / kColumns;
  const Index tiles = (p.inner + kColumns - 1) / kColumns;
  const Index o = blockIdx.x / tiles, i = (blockIdx.x - o * tiles) * kColumns + column;
  const int piece = static_cast<int>(blockIdx.y);
  const Index begin = piece * p.piece, end = begin + p.piece < p.length ? begin + p.piece : p.length;
  typename R::Acc acc = R::nothing();
  if (i < p.inner) {
    const T* x = static_cast<const T*>(p.x) + o * p.reduced * p.inner + i;
    for (Index r = begin + lane; r < end; r += kRows) acc = R::join(acc, R::of(x[r * p.inner], r));
  }
  room[lane][column] = acc;
  __syncthreads();
  if (lane != 0 || i >= p.inner) return;
#pragma unroll
  for (int l = 1; l < kRows; ++l) acc = R::join(acc, room[l][column]);
  deliver<R>(p, o * p.inner + i, piece, acc);
}

// A warp an output.
template <ReduceOp kOp, class T>
ATHANOR_KERNEL(kThreads)
reduce_finish_kernel(ATHANOR_PARAM(ReduceParams) p) {
  using R = Rule<kOp, T>;
  const Index output = static_cast<Index>(blockIdx.x) * (kThreads / kWarpSize) + threadIdx.x / kWarpSize;
  if (output >= p.outputs) return;
  const auto* partial = static_cast<const typename R::Acc*>(p.partial);
  typename R::Acc acc = R::nothing();
  for (int piece = static_cast<int>(threadIdx.x) % kWarpSize; piece < p.pieces; piece += kWarpSize)
    acc = R::join(acc, partial[static_cast<Index>(piece) * p.outputs + output]);
  acc = join_warp<R>(acc);
  if (threadIdx.x % kWarpSize == 0) static_cast<typename R::Out*>(p.y)[output] = R::finish(acc, p.length);
}

bool by_columns(const ReduceArgs& args) { return args.tail == 1 && args.inner > 1; }

ReduceParams params_of(const ReduceArgs& args) {
  ReduceParams p{args.x,
                 args.y,
                 nullptr,
                 args.outer,
                 args.reduced,
                 args.inner,
                 args.tail,
                 args.outer * args.inner,
                 args.reduced * args.tail,
                 0,
                 1};
  const Index blocks = by_columns(args) ? args.outer * ((args.inner + kColumns - 1) / kColumns) : p.outputs;
  const Index least = by_columns(args) ? 256 : 8192;
  Index pieces = 1;
  if (blocks < 256 && p.length > least) {
    pieces = (p.length + least - 1) / least;
    const Index most = blocks == 0 ? 1 : 2048 / blocks > 1 ? 2048 / blocks : 1;
    pieces = pieces < most ? pieces : most;
  }
  p.piece = p.length == 0 ? 1 : (p.length + pieces - 1) / pieces;
  p.pieces = static_cast<int>(p.length == 0 ? 1 : (p.length + p.piece - 1) / p.piece);
  return p;
}

const char* refuses(const device::Reduce& given) {
  const ReduceArgs& args = given.args;
  if (args.dtype != DType::f32 && args.dtype != DType::f64 && args.dtype != DType::i32) return "this element type";
  if (args.dtype == DType::i32 && args.op == ReduceOp::mean) return "a mean of i32";
  return nullptr;
}

Index workspace(const device::Reduce& given) {
  const ReduceParams p = params_of(given.args);
  return p.pieces == 1 ? 0 : p.pieces * p.outputs * 16;
}

template <ReduceOp kOp, class T>
device::Result run_typed(device::Stream* stream, const ReduceArgs& args, void* workspace) {
  ReduceParams p = params_of(args);
  if (p.outputs == 0) return device::Result::ok;
  if (p.pieces > 1) p.partial = workspace;
  const auto pieces = static_cast<std::uint32_t>(p.pieces);
  const device::Result result =
      by_columns(args)
          ? LAUNCH((reduce_columns_kernel<kOp, T>),
                   Dim3(static_cast<std::uint32_t>(p.outer * ((p.inner + kColumns - 1) / kColumns)), pieces), kThreads,
                   0, stream, p)
          : LAUNCH((reduce_lines_kernel<kOp, T>), Dim3(static_cast<std::uint32_t>(p.outputs), pieces), kThreads, 0,
                   stream, p);
  if (result != device::Result::ok || p.pieces == 1) return result;
  return LAUNCH((reduce_finish_kernel<kOp, T>), blocks_for(p.outputs, kThreads / kWarpSize), kThreads, 0, stream, p);
}

template <ReduceOp kOp>
device::Result run_op(device::Stream* stream, const ReduceArgs& args, void* workspace) {
  switch (args.dtype) {
    case DType::f64: return run_typed<kOp, double>(stream, args, workspace);
    case DType::i32: return run_typed<kOp, std::int32_t>(stream, args, workspace);
    default: return run_typed<kOp, float>(stream, args, workspace);
  }
}

device::Result run(device::Stream* stream, const device::Reduce& given, void* workspace) {
  const ReduceArgs& args = given.args;
  switch (args.op) {
    case ReduceOp::sum: return run_op<ReduceOp::sum>(stream, args, workspace);
    case ReduceOp::mean: return run_op<ReduceOp::mean>(stream, args, workspace);
    case ReduceOp::sum_abs: return run_op<ReduceOp::sum_abs>(stream, args, workspace);
    case ReduceOp::sum_squares: return run_op<ReduceOp::sum_squares>(stream, args, workspace);
    case ReduceOp::prod: return run_op<ReduceOp::prod>(stream, args, workspace);
    case ReduceOp::max: return run_op<ReduceOp::max>(stream, args, workspace);
    case ReduceOp::min: return run_op<ReduceOp::min>(stream, args, workspace);
    case ReduceOp::argmax: return run_op<ReduceOp::argmax>(stream, args, workspace);
    case ReduceOp::argmin: return run_op<ReduceOp::argmin>(stream, args, workspace);
  }
  return device::Result::unsupported;
}

}  // namespace

void fill_reduce(device::Launchers& launch) { launch.reduce = {refuses, workspace, run}; }

}  // namespace athanor::cuda
