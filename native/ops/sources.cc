// Where values come from: feeds, parameters, constants, number ranges and random numbers.
#include "base/error.h"
#include "graph/attributes.h"
#include "graph/lower.h"
#include "ops/dtype_attr.h"

namespace athanor {
namespace {

[[noreturn]] void refuse(InferContext& context) {
  throw Error(Code::argument, std::string(context.name) + ": made by the graph itself, not applied to operands");
}

void infer_arange(InferContext& context) {
  const auto at = attributes::arange::of(context.attrs);
  const DType dtype = parse_dtype(context.name, at.dtype);
  check(dtype == DType::i32 || dtype == DType::f32 || dtype == DType::f64, Code::dtype,
        [&] { return std::string("arange: makes i32, f32 or f64, got ") + name_of(dtype) + "; cast it after"; });
  context.outputs.push_back({dtype, Shape{at.n}});
}

void lower_arange(LowerContext& context) {
  const Slot y = context.output();
  const auto at = attributes::arange::of(context.attrs());
  const kernels::Range range{nullptr, context.output_type().dtype, at.n, at.start, at.step};
  const auto kernel = context.kernels.movement.range;
  context.emit({}, [=](Execution& run) {
    kernels::Range args = range;
    args.y = run.at(y);
    kernel(args, run.parallel);
  });
}

// Uniform in [0, 1), the same for one (seed, step, key, element) whatever computes it. `key` tells the draws of a graph apart.
void infer_random_uniform(InferContext& context) {
  const auto at = attributes::random_uniform::of(context.attrs);
  const DType dtype = parse_dtype(context.name, at.dtype);
  check(dtype == DType::f32 || dtype == DType::f64, Code::dtype,
        [&] { return std::string("random_uniform: makes f32 or f64, got ") + name_of(dtype) + "; cast it after"; });
  context.outputs.push_back({dtype, Shape(at.shape)});
}

}  // namespace

const OpRule rule_input{refuse};
const OpRule rule_parameter{refuse};
const OpRule rule_constant{refuse};
const OpRule rule_arange{infer_arange, nullptr, lower_arange};
const OpRule rule_random_uniform{infer_random_uniform, nullptr, nullptr, EwOp::random_uniform};

}  // namespace athanor
