// What is among the largest of its row: the masks of pruning.
#include <string>

#include "base/error.h"
#include "graph/lower.h"
#include "kernels/reduce/top_mask.h"
#include "ops/sentences.h"

namespace athanor {
namespace {

// x f32 […, n], k i32 [] → u8 like x: 1 for the k largest of each row, 0 for the others; of equal values the first ones stay.
// k is an operand, so that one program serves every step of a schedule.
void infer_top_mask(InferContext& context) {
  const Type &x = context.inputs[0], &k = context.inputs[1];
  check(x.dtype == DType::f32, Code::dtype,
        [&] { return std::string("top_mask: takes f32, got ") + name_of(x.dtype) + "; cast it first"; });
  check(x.shape.rank() > 0, Code::shape, [] { return "top_mask: needs a dimension whose largest values it keeps"; });
  check(k == Type{DType::i32, Shape{}}, Code::shape,
        [&] { return "top_mask: the number of values to keep must be i32 [], got " + to_string(k); });
  context.outputs.push_back({DType::u8, x.shape});
}

void lower_top_mask(LowerContext& context) {
  const Shape& shape = context.output_type().shape;
  const Index width = shape.back(), count = shape.count(), rows = width == 0 ? 0 : count / width;
  const Slot x = context.input(0), k = context.input(1), y = context.output();
  const std::string where = context.where();
  context.emit({4.0 * static_cast<double>(count), 0}, [=](Execution& run) {
    const Index kept = *run.at<const std::int32_t>(k);
    check(kept >= 0 && kept <= width, Code::argument, [&] { return bad_kept(where, kept, width); });
    const Index bad =
        kernels::top_mask(run.at<const float>(x), run.at<std::uint8_t>(y), rows, width, kept, run.parallel);
    check(bad < 0, Code::nonfinite, [&] { return without_rank(where, bad); });
  });
}

}  // namespace

const OpRule rule_top_mask{infer_top_mask, nullptr, lower_top_mask};

}  // namespace athanor
