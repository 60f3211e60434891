// Values that a run looks at before they are used, and the masks of pruning.
#include <cstring>

#include "device/rules/rules.h"
#include "graph/attributes.h"
#include "ops/elementwise/checked_name.h"
#include "ops/sentences.h"

namespace athanor::device {
namespace {

float as_f32(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

void lower_exact_i32(DeviceContext& context) {
  ExactI32 exact;
  exact.dtype = context.input_type(0).dtype, exact.n = context.output_type().count();
  exact.check.node = context.id();
  const Slot x = context.input(0), y = context.output();
  context.on_bad_data([where = checked_name(context)](const RunRecord& run) {
    return Error(Code::argument, not_whole(where, static_cast<double>(as_f32(value_bits_of(run))), position_of(run)));
  });
  context.launch(context.launchers().exact_i32, exact, {static_cast<double>(exact.n), 0},
                 [=](ExactI32& now, const Addresses& at) {
                   now.x = at.at(x), now.y = at.at<std::int32_t>(y), now.check.run = at.run;
                 });
}

void lower_checked_i32(DeviceContext& context) {
  CheckedI32 checked;
  checked.n = context.output_type().count(),
  checked.nonzero = attributes::checked_i32::of(context.attrs()).rule == "nonzero";
  checked.check.node = context.id();
  const Slot x = context.input(0), y = context.output();
  context.on_bad_data([where = checked_name(context), nonzero = checked.nonzero](const RunRecord& run) {
    const auto value = static_cast<std::int32_t>(value_bits_of(run));
    return Error(Code::argument, bad_operand(where, nonzero, value, position_of(run)));
  });
  context.launch(context.launchers().checked_i32, checked, {static_cast<double>(checked.n), 0},
                 [=](CheckedI32& now, const Addresses& at) {
                   now.x = at.at<const std::int32_t>(x), now.y = at.at<std::int32_t>(y), now.check.run = at.run;
                 });
}

void lower_top_mask(DeviceContext& context) {
  const Shape& shape = context.output_type().shape;
  TopMask mask;
  mask.width = shape.back(), mask.rows = mask.width == 0 ? 0 : shape.count() / mask.width;
  mask.check.node = context.id();
  const Slot x = context.input(0), k = context.input(1), y = context.output();
  context.on_bad_data([where = context.where(), width = mask.width](const RunRecord& run) {
    if (code_of(run) == StatusCode::kept) {
      return Error(Code::argument, bad_kept(where, static_cast<std::int32_t>(value_bits_of(run)), width));
    }
    return Error(Code::nonfinite, without_rank(where, position_of(run)));
  });
  context.launch(context.launchers().top_mask, mask, {4.0 * static_cast<double>(shape.count()), 0},
                 [=](TopMask& now, const Addresses& at) {
                   now.x = at.at<const float>(x), now.k = at.at<const std::int32_t>(k);
                   now.y = at.at<std::uint8_t>(y), now.check.run = at.run;
                 });
}

}  // namespace athanor::device
