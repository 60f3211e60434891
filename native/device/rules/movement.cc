// Moving elements: every operation is one strided copy an operand, a pad a fill before it.
#include "device/rules/rules.h"
#include "graph/attributes.h"
#include "ops/movement/movement_copies.h"

namespace athanor::device {
namespace {

void launch_copy(DeviceContext& context, const PlacedCopy& placed, Slot x, Slot y) {
  const Index size = placed.copy.element_size;
  context.launch(context.launchers().copy, Copy{placed.copy}, {}, [=](Copy& now, const Addresses& at) {
    now.args.x = at.at<std::byte>(x) + placed.x_offset * size;
    now.args.y = at.at<std::byte>(y) + placed.y_offset * size;
  });
}

}  // namespace

void lower_arange(DeviceContext& context) {
  const Slot y = context.output();
  const auto given = attributes::arange::of(context.attrs());
  const Range range{{nullptr, context.output_type().dtype, given.n, given.start, given.step}};
  context.launch(context.launchers().range, range, {}, [=](Range& now, const Addresses& at) { now.args.y = at.at(y); });
}

void lower_transpose(DeviceContext& context) {
  launch_copy(context, transpose_copy(context), context.input(0), context.output());
}

void lower_slice(DeviceContext& context) {
  launch_copy(context, slice_copy(context), context.input(0), context.output());
}

void lower_concat(DeviceContext& context) {
  const auto copies = concat_copies(context);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    launch_copy(context, copies[i], context.input(static_cast<int>(i)), context.output());
  }
}

void lower_pad(DeviceContext& context) {
  const Type& y = context.output_type();
  const auto value = std::make_shared<std::vector<std::byte>>(pad_value(context));
  const Slot to = context.output();
  const Fill fill{{nullptr, value->data(), y.count(), size_of(y.dtype)}};
  context.launch(context.launchers().fill, fill, {}, [=](Fill& now, const Addresses& at) {
    now.args.y = at.at(to);
    now.args.value = value->data();
  });
  launch_copy(context, pad_copy(context), context.input(0), to);
}

}  // namespace athanor::device
