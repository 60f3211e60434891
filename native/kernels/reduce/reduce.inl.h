// The drivers of reductions; reduce.h has the contract. Two shapes of work, both cut into pieces of about kReducePiece elements:
//   rows:    every output is a set of contiguous runs (inner == 1, or tail > 1);
//   columns: tail == 1, neighbouring outputs read neighbouring elements; strips of kReduceStrip columns, chunks of rows.
// Where an output has several pieces, their partial results wait in the workspace and are combined in order.
#pragma once
#include "kernels/reduce/reduce_leaf.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline constexpr Index kReducePiece = 32768;
inline constexpr Index kReduceStrip = 512;

ATHANOR_INLINE Index pieces_in(Index a, Index b) { return (a + b - 1) / b; }
ATHANOR_INLINE Index lesser(Index a, Index b) { return a < b ? a : b; }

struct ReducePlan {
  bool rows;
  Index outputs;
  // Rows: output (o, i) is `runs` runs of `length`, `run_step` apart. Columns: runs is the number of rows.
  Index runs, length, run_step;
  Index runs_each, length_each;  // of one piece: several runs, or a part of the only one
  Index pieces;                  // of one output
  Index outputs_each;            // outputs of one task, where pieces == 1
};

ReducePlan plan_of(const ReduceArgs& args) {
  ReducePlan plan{};
  plan.outputs = args.outer * args.inner;
  plan.rows = args.inner == 1 || args.tail > 1;
  if (!plan.rows) {
    plan.runs = args.reduced;
    const Index width = lesser(args.inner, kReduceStrip);
    plan.runs_each = kReducePiece / width;
    plan.pieces = pieces_in(plan.runs, plan.runs_each);
    return plan;
  }
  const bool single = args.inner == 1;
  plan.runs = single ? 1 : args.reduced;
  plan.length = single ? args.reduced * args.tail : args.tail;
  plan.run_step = args.inner * args.tail;
  plan.length_each = single ? lesser(plan.length, kReducePiece) : plan.length;
  plan.runs_each = single ? 1 : (plan.length >= kReducePiece ? 1 : kReducePiece / plan.length);
  plan.pieces = single ? pieces_in(plan.length, plan.length_each) : pieces_in(plan.runs, plan.runs_each);
  const Index work = plan.runs * plan.length;
  plan.outputs_each = work >= kReducePiece ? 1 : kReducePiece / work;
  return plan;
}

template <class T>
ReducePartial reduce_piece(const ReduceArgs& args, const ReducePlan& plan, Index output, Index piece) {
  const T* x = static_cast<const T*>(args.x) +
               (output / args.inner * args.reduced * args.inner + output % args.inner) * args.tail;
  if (plan.runs == 1) {
    const Index begin = piece * plan.length_each;
    return reduce_run(args.op, x + begin, lesser(plan.length_each, plan.length - begin), begin);
  }
  const Index begin = piece * plan.runs_each, end = lesser(begin + plan.runs_each, plan.runs);
  ReducePartial result = reduce_run(args.op, x + begin * plan.run_step, plan.length, begin * plan.length);
  for (Index r = begin + 1; r < end; ++r)
    result = combine<T>(args.op, result, reduce_run(args.op, x + r * plan.run_step, plan.length, r * plan.length));
  return result;
}

template <class T>
void reduce_rows(const ReduceArgs& args, const ReducePlan& plan, Parallel& parallel, ReducePartial* partials) {
  if (plan.pieces == 1) {
    const auto outputs = [&](Index begin, Index end) {
      for (Index o = begin; o < end; ++o) write_result<T>(args, o, reduce_piece<T>(args, plan, o, 0));
    };
    const Index tasks = pieces_in(plan.outputs, plan.outputs_each);
    if (tasks <= 1) return outputs(0, plan.outputs);
    parallel.run(static_cast<int>(tasks), [&](int task, int) {
      outputs(task * plan.outputs_each, lesser((task + 1) * plan.outputs_each, plan.outputs));
    });
    return;
  }
  parallel.run(static_cast<int>(plan.outputs * plan.pieces), [&](int task, int) {
    partials[task] = reduce_piece<T>(args, plan, task / plan.pieces, task % plan.pieces);
  });
  for (Index o = 0; o < plan.outputs; ++o) {
    ReducePartial result = partials[o * plan.pieces];
    for (Index k = 1; k < plan.pieces; ++k) result = combine<T>(args.op, result, partials[o * plan.pieces + k]);
    write_result<T>(args, o, result);
  }
}

// One strip of at most kReduceStrip columns over rows [begin, end).
template <class T>
void reduce_strip(ReduceOp op, const T* x, Index step, Index begin, Index end, Index width, ReducePartial* out) {
  for (Index j = 0; j < width; ++j) {
    const double first = static_cast<double>(x[begin * step + j]);
    out[j] = {is_sum(op) ? static_cast<double>(term(op, x[begin * step + j])) : first, static_cast<double>(begin)};
  }
  for (Index r = begin + 1; r < end; ++r) {
    const T* row = x + r * step;
    for (Index j = 0; j < width; ++j) {
      const T v = is_sum(op) ? term(op, row[j]) : row[j];
      out[j] = combine<T>(op, out[j], {static_cast<double>(v), static_cast<double>(r)});
    }
  }
}

template <class F>
ATHANOR_INLINE void sum_strip(const float* x, Index step, Index begin, Index end, Index width, ReducePartial* out,
                              F f) {
  for (Index j = 0; j < width; ++j) out[j] = {0, 0};
  float block[kReduceStrip];
  for (Index r = begin; r < end;) {
    const Index stop = lesser(end, r + 64);  // 64 rows in f32, eight at a time as a tree
    for (Index j = 0; j < width; ++j) block[j] = 0;
    for (; r + 8 <= stop; r += 8) {
      const float* row = x + r * step;
      for_each_vector(width, [&](Index j, Index lanes) ATHANOR_INLINED {
        const auto at = [&](Index k) { return f(load_width(row + k * step + j, lanes)); };
        const Vec eight = ((at(0) + at(1)) + (at(2) + at(3))) + ((at(4) + at(5)) + (at(6) + at(7)));
        store_width(block + j, load_width(block + j, lanes) + eight, lanes);
      });
    }
    for (; r < stop; ++r) {
      for_each_vector(width, [&](Index j, Index lanes) ATHANOR_INLINED {
        store_width(block + j, load_width(block + j, lanes) + f(load_width(x + r * step + j, lanes)), lanes);
      });
    }
    for (Index j = 0; j < width; ++j) out[j].value += static_cast<double>(block[j]);
  }
}

inline void reduce_strip(ReduceOp op, const float* x, Index step, Index begin, Index end, Index width,
                         ReducePartial* out) {
  if (op == ReduceOp::sum || op == ReduceOp::mean)
    return sum_strip(x, step, begin, end, width, out, [](Vec v) { return v; });
  if (op == ReduceOp::sum_abs) return sum_strip(x, step, begin, end, width, out, [](Vec v) { return abs(v); });
  if (op == ReduceOp::sum_squares) return sum_strip(x, step, begin, end, width, out, [](Vec v) { return v * v; });
  reduce_strip<float>(op, x, step, begin, end, width, out);
}

template <class T>
void reduce_columns(const ReduceArgs& args, const ReducePlan& plan, Parallel& parallel, ReducePartial* partials) {
  const Index inner = args.inner, strips = pieces_in(inner, kReduceStrip);
  const T* x = static_cast<const T*>(args.x);
  const auto body = [&](int task, int) {
    const Index piece = task % plan.pieces, strip = task / plan.pieces % strips, o = task / plan.pieces / strips;
    const Index first = strip * kReduceStrip, width = lesser(kReduceStrip, inner - first);
    const Index begin = piece * plan.runs_each, end = lesser(begin + plan.runs_each, plan.runs);
    const T* source = x + o * plan.runs * inner + first;
    if (plan.pieces > 1)
      return reduce_strip(args.op, source, inner, begin, end, width,
                          partials + (o * plan.pieces + piece) * inner + first);
    ReducePartial results[kReduceStrip];
    reduce_strip(args.op, source, inner, begin, end, width, results);
    for (Index j = 0; j < width; ++j) write_result<T>(args, o * inner + first + j, results[j]);
  };
  const Index tasks = args.outer * strips * plan.pieces;
  if (tasks == 1) return body(0, 0);
  parallel.run(static_cast<int>(tasks), body);
  if (plan.pieces == 1) return;
  for (Index at = 0; at < plan.outputs; ++at) {
    const ReducePartial* own = partials + at / inner * plan.pieces * inner + at % inner;
    ReducePartial result = own[0];
    for (Index k = 1; k < plan.pieces; ++k) result = combine<T>(args.op, result, own[k * inner]);
    write_result<T>(args, at, result);
  }
}

// Of nothing.
template <class T>
void reduce_empty(const ReduceArgs& args) {
  constexpr bool floating = T(0.5) != T(0);
  const double lowest = floating ? -__builtin_inf() : -2147483648.0,
               highest = floating ? __builtin_inf() : 2147483647.0;
  ReducePartial result{0, -1};
  if (args.op == ReduceOp::prod) result.value = 1;
  if (args.op == ReduceOp::max) result.value = lowest;
  if (args.op == ReduceOp::min) result.value = highest;
  for (Index at = 0; at < args.outer * args.inner; ++at) write_result<T>(args, at, result);
}

template <class T>
void reduce_typed(const ReduceArgs& args, Parallel& parallel, void* workspace) {
  if (args.outer * args.inner == 0) return;
  if (args.reduced * args.tail == 0) return reduce_empty<T>(args);
  const ReducePlan plan = plan_of(args);
  ReducePartial* partials = static_cast<ReducePartial*>(workspace);
  plan.rows ? reduce_rows<T>(args, plan, parallel, partials) : reduce_columns<T>(args, plan, parallel, partials);
}

Index reduce_workspace(const ReduceArgs& args) {
  if (args.outer * args.inner == 0 || args.reduced * args.tail == 0) return 0;
  const ReducePlan plan = plan_of(args);
  return plan.pieces == 1 ? 0 : plan.outputs * plan.pieces * static_cast<Index>(sizeof(ReducePartial));
}

void reduce(const ReduceArgs& args, Parallel& parallel, void* workspace) {
  switch (args.dtype) {
    case DType::f64: return reduce_typed<double>(args, parallel, workspace);
    case DType::i32: return reduce_typed<std::int32_t>(args, parallel, workspace);
    case DType::f32: return reduce_typed<float>(args, parallel, workspace);
    case DType::u8:
    case DType::boolean:
    case DType::bf16: break;  // no rule of ops/reduce gives them
  }
}

constexpr ReduceKernels reduce_kernels() { return {reduce_workspace, reduce}; }

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
