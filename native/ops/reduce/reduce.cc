// Reductions over any set of axes ("axes", all when absent; "keep" leaves them with extent 1), argmax and argmin over one.
#include <algorithm>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "graph/vjp.h"
#include "ops/reduce/reduce_passes.h"

namespace athanor {
namespace {

std::vector<bool> reduced_axes(const char* name, Attrs& attrs, int rank) {
  const auto given = attributes::sum::of(attrs).axes;
  std::vector<Index> axes = given.value_or(std::vector<Index>{});
  if (!given) {
    for (int axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  std::vector<bool> reduced(rank, false);
  for (Index& axis : axes) {
    axis = normalize_axis(name, axis, rank);
    check(!reduced[axis], Code::argument,
          [&] { return std::string(name) + ": axis " + std::to_string(axis) + " is given twice"; });
    reduced[axis] = true;
  }
  std::sort(axes.begin(), axes.end());
  attrs.set("axes", std::move(axes));
  return reduced;
}

Shape reduced_shape(const Shape& shape, const std::vector<bool>& reduced, bool keep) {
  Shape result;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!reduced[axis]) {
      result.push_back(shape[axis]);
    } else if (keep) {
      result.push_back(1);
    }
  }
  return result;
}

template <bool floats_only, bool needs_elements>
void infer_reduction(InferContext& context) {
  const Type& x = context.inputs[0];
  const bool ok = x.dtype == DType::f32 || x.dtype == DType::f64 || (!floats_only && x.dtype == DType::i32);
  check(ok, Code::dtype, [&] {
    return std::string(context.name) + ": takes f32 or f64" + (floats_only ? "" : " or i32") + ", got " +
           name_of(x.dtype) + "; cast it first";
  });
  const auto reduced = reduced_axes(context.name, context.attrs, x.shape.rank());
  const Shape shape = reduced_shape(x.shape, reduced, attributes::sum::of(context.attrs).keep);
  check(!needs_elements || x.count() > 0 || shape.count() == 0, Code::shape, [&] {
    return std::string(context.name) + ": there is no " + context.name + " of no elements, got " + to_string(x.shape);
  });
  context.outputs.push_back({x.dtype, shape});
}

void infer_arg(InferContext& context) {
  const Type& x = context.inputs[0];
  check(x.dtype == DType::f32 || x.dtype == DType::f64 || x.dtype == DType::i32, Code::dtype, [&] {
    return std::string(context.name) + ": takes f32, f64 or i32, got " + name_of(x.dtype) + "; cast it first";
  });
  const int axis = normalize_axis(context.name, attributes::argmax::of(context.attrs).axis, x.shape.rank());
  context.attrs.set("axis", Index{axis});
  check(x.shape[axis] > 0, Code::shape, [&] {
    return std::string(context.name) + ": axis " + std::to_string(axis) + " of " + to_string(x.shape) +
           " has no elements";
  });
  Shape shape = x.shape;
  if (attributes::argmax::of(context.attrs).keep) {
    shape[axis] = 1;
  } else {
    shape.erase(axis);
  }
  context.outputs.push_back({DType::i32, shape});
}

// The shape of the result as if axes had been kept.
Shape kept_shape(VjpContext& context) {
  Shape shape = context.input(0).shape();
  const std::vector<Index> axes = *attributes::sum::of(context.attrs()).axes;
  for (const Index axis : axes) shape[static_cast<int>(axis)] = 1;
  return shape;
}

void vjp_sum(VjpContext& context) {
  context.set(0, broadcast_to(reshape(context.dy(), kept_shape(context)), context.input(0).shape()));
}

void vjp_mean(VjpContext& context) {
  const Shape kept = kept_shape(context);
  const Index count = std::max<Index>(1, context.input(0).shape().count() / std::max<Index>(1, kept.count()));
  const Expr dy = reshape(context.dy(), kept) * (1.0 / static_cast<double>(count));
  context.set(0, broadcast_to(dy, context.input(0).shape()));
}

// Elements that equal the extremum share its gradient evenly, as in PyTorch's amax and amin.
void vjp_extremum(VjpContext& context) {
  const Expr x = context.input(0);
  const Shape kept = kept_shape(context);
  const Expr hit = cast(apply(Op::eq, {x, reshape(context.output(), kept)}), x.dtype());
  const Expr ties = sum(hit, *attributes::sum::of(context.attrs()).axes, true);
  context.set(0, hit * (reshape(context.dy(), kept) / ties));
}

}  // namespace

std::vector<ReducePass> reduce_passes(const NodeContext& context) {
  const Shape& shape = context.input_type(0).shape;
  std::vector<bool> reduced(shape.rank(), false);
  const std::vector<Index> axes = *attributes::sum::of(context.attrs()).axes;
  for (const Index axis : axes) reduced[axis] = true;
  std::vector<std::pair<bool, Index>> runs;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    if (!runs.empty() && runs.back().first == reduced[axis]) {
      runs.back().second *= shape[axis];
    } else {
      runs.emplace_back(reduced[axis], shape[axis]);
    }
  }
  std::vector<ReducePass> passes;
  const auto product = [&](std::size_t first, std::size_t last) {
    Index count = 1;
    for (std::size_t i = first; i < last; ++i) count *= runs[i].second;
    return count;
  };
  while (std::any_of(runs.begin(), runs.end(), [](const auto& run) { return run.first; })) {
    std::size_t last = runs.size();
    while (!runs[last - 1].first) --last;  // runs[last - 1] is the last reduced run
    const bool pair = last == runs.size() && last >= 3 && runs[last - 3].first;
    if (pair) {
      passes.push_back({product(0, last - 3), runs[last - 3].second, runs[last - 2].second, runs[last - 1].second});
      runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(last) - 1);
      runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(last) - 3);
    } else {
      passes.push_back({product(0, last - 1), runs[last - 1].second, product(last, runs.size()), 1});
      runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(last) - 1);
    }
  }
  if (passes.empty()) passes.push_back({shape.count(), 1, 1, 1});
  return passes;
}

ReducePass arg_pass(const NodeContext& context) {
  const Shape& shape = context.input_type(0).shape;
  const int axis = static_cast<int>(attributes::argmax::of(context.attrs()).axis);
  return {shape.count(0, axis), shape[axis], shape.count(axis + 1), 1};
}

namespace {

void emit_pass(LowerContext& context, ReduceOp op, const ReducePass& pass, Slot from, Slot to) {
  ReduceArgs args;
  args.op = op;
  args.dtype = context.input_type(0).dtype;
  args.outer = pass.outer, args.reduced = pass.reduced, args.inner = pass.inner, args.tail = pass.tail;
  const Slot workspace = context.workspace(context.kernels.reduce.workspace(args));
  const auto kernel = context.kernels.reduce.run;
  const double elements = static_cast<double>(pass.outer * pass.reduced * pass.inner * pass.tail);
  context.emit({elements, 0}, [=](Execution& run) {
    ReduceArgs now = args;
    now.x = run.at(from), now.y = run.at(to);
    kernel(now, run.parallel, run.at(workspace));
  });
}

template <ReduceOp op>
void lower_reduction(LowerContext& context) {
  const auto passes = reduce_passes(context);
  Slot from = context.input(0);
  for (std::size_t i = 0; i < passes.size(); ++i) {
    const bool last = i + 1 == passes.size();
    const Index bytes = passes[i].outer * passes[i].inner * size_of(context.input_type(0).dtype);
    const Slot to = last ? context.output() : context.workspace(bytes);
    emit_pass(context, op, passes[i], from, to);
    from = to;
  }
}

template <ReduceOp op>
void lower_arg(LowerContext& context) {
  emit_pass(context, op, arg_pass(context), context.input(0), context.output());
}

}  // namespace

const OpRule rule_sum{infer_reduction<false, false>, vjp_sum, lower_reduction<ReduceOp::sum>};
const OpRule rule_mean{infer_reduction<true, false>, vjp_mean, lower_reduction<ReduceOp::mean>};
const OpRule rule_max{infer_reduction<false, true>, vjp_extremum, lower_reduction<ReduceOp::max>};
const OpRule rule_min{infer_reduction<false, true>, vjp_extremum, lower_reduction<ReduceOp::min>};
const OpRule rule_argmax{infer_arg, nullptr, lower_arg<ReduceOp::argmax>};
const OpRule rule_argmin{infer_arg, nullptr, lower_arg<ReduceOp::argmin>};

}  // namespace athanor
