// gptq: w f32 [N, K], moments f64 [K, K] (Σ x xᵀ of the layer's inputs), scale f32 [N, G], zero f32 [N, G], then with "has_table"
// a table f32 [C] in ascending order, with "has_mask" a mask u8 [N, K] → codes i32 [N, K] (native/quant/gptq.h).
// Attributes: group (columns that share a scale, G = ceil(K / group)), low and high (bounds of the integers, without a table),
// damp (0.01), act_order (false), samples (rows that the moments sum up; 0, the default: many). The value of a code is scale (code − zero), or scale · table[code].
#include "quant/gptq.h"
#include "graph/attributes.h"

#include "base/error.h"
#include "graph/lower.h"
#include "ops/require.h"

namespace athanor {
namespace {

void infer_gptq(InferContext& context) {
  const auto at = attributes::gptq::of(context.attrs);
  const bool has_table = at.has_table, has_mask = at.has_mask;
  require_operands(context, 4U + has_table + has_mask);
  const Type& w = context.inputs[0];
  check(w.dtype == DType::f32 && w.shape.rank() == 2, Code::shape,
        [&] { return "gptq: the weights must be f32 [N, K], got " + to_string(w) + "; reshape them"; });
  const Index rows = w.shape[0], inner = w.shape[1], group = at.group;
  require_type(context, 1, "the moments", {DType::f64, Shape{inner, inner}});
  const Type scale{DType::f32, Shape{rows, (inner + group - 1) / group}};
  require_type(context, 2, "the scale", scale);
  require_type(context, 3, "the zero point", scale);
  if (has_table) {
    const Type& table = context.inputs[4];
    check(table.dtype == DType::f32 && table.shape.rank() == 1 && table.shape[0] >= 1, Code::shape,
          [&] { return "gptq: the table must be f32 [C] with an entry or more, got " + to_string(table); });
  } else {
    check(at.low && at.high, Code::argument, [] { return "gptq: needs low and high, or a table"; });
    const double low = *at.low, high = *at.high;
    check(low <= high, Code::argument, [&] {
      return "gptq: low must not be above high, got " + std::to_string(low) + " and " + std::to_string(high);
    });
  }
  if (has_mask) require_type(context, has_table ? 5 : 4, "the mask", {DType::u8, w.shape});
  const double samples = at.samples;
  check(samples >= 0, Code::argument,
        [&] { return "gptq: samples must be 0 or more, got " + std::to_string(samples); });
  context.outputs.push_back({DType::i32, w.shape});
}

void lower_gptq(LowerContext& context) {
  const auto at = attributes::gptq::of(context.attrs());
  const bool has_table = at.has_table, has_mask = at.has_mask;
  quant::GptqArgs args;
  args.rows = context.input_type(0).shape[0], args.inner = context.input_type(0).shape[1];
  args.group = at.group;
  args.low = at.low.value_or(0), args.high = at.high.value_or(0);
  args.entries = has_table ? context.input_type(4).count() : 0;
  args.damp = at.damp;
  args.samples = at.samples;
  args.by_activation = at.act_order;
  args.product = context.kernels.gemm.run_f64;
  const Slot w = context.input(0), moments = context.input(1), scale = context.input(2), zero = context.input(3);
  const Slot table = has_table ? context.input(4) : w, mask = has_mask ? context.input(has_table ? 5 : 4) : w;
  const Slot codes = context.output();
  const double k = static_cast<double>(args.inner);
  const std::string where = context.where();
  context.emit({k * k * (0.67 * k + 2.0 * static_cast<double>(args.rows)), 0}, [=](Execution& run) {
    quant::GptqArgs now = args;
    now.w = run.at<const float>(w), now.moments = run.at<const double>(moments);
    now.scale = run.at<const float>(scale), now.zero = run.at<const float>(zero);
    if (has_table) now.table = run.at<const float>(table);
    if (has_mask) now.mask = run.at<const std::uint8_t>(mask);
    const bool definite = quant::gptq(now, run.at<std::int32_t>(codes), run.parallel);
    check(definite, Code::nonfinite, [&] {
      return where + ": the moments are not positive definite; calibrate with more samples, or raise damp (now " +
             std::to_string(now.damp) + ")";
    });
  });
}

}  // namespace

const OpRule rule_gptq{infer_gptq, nullptr, lower_gptq};

}  // namespace athanor
