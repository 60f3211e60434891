// Pooling and its gradients.
#include "device/rules/elementwise.h"
#include "graph/attributes.h"
#include "ops/pool/pool_geometry.h"

namespace athanor::device {
namespace {

PoolTaps taps_at(const Addresses& at, Slot slot, bool narrow) {
  PoolTaps taps;
  if (narrow) {
    taps.u8 = at.at<std::uint8_t>(slot);
  } else {
    taps.i32 = at.at<std::int32_t>(slot);
  }
  return taps;
}

void lower_forward(DeviceContext& context, bool max) {
  Pool pool;
  pool.max = max, pool.shape = pool_shape(context.input_type(0).shape, context.attrs());
  pool.count_padding = attributes::avg_pool2d::of(context.attrs()).count_padding;
  const bool keep = max && context.is_used(1), narrow = pool.shape.taps_fit_u8();
  const Slot x = context.input(0), y = context.output(), taps = context.output(max ? 1 : 0);
  context.launch(context.launchers().pool, pool, {}, [=](Pool& now, const Addresses& at) {
    now.x = at.at<const float>(x), now.y = at.at<float>(y);
    if (keep) now.taps = taps_at(at, taps, narrow);
  });
}

void lower_backward(DeviceContext& context, bool max) {
  PoolGrad grad;
  grad.max = max, grad.shape = pool_shape(context.output_type().shape, context.attrs());
  grad.count_padding = attributes::avg_pool2d::of(context.attrs()).count_padding;
  const bool narrow = grad.shape.taps_fit_u8();
  const auto epilogue = epilogue_of(context);
  const Slot dy = context.input(0), taps = context.input(max ? 1 : 0), dx = context.output();
  context.launch(context.launchers().pool_grad, grad, {}, [=](PoolGrad& now, const Addresses& at) {
    now.dy = at.at<const float>(dy), now.dx = at.at<float>(dx);
    if (max) now.taps = taps_at(at, taps, narrow);
    now.epilogue = fill_epilogue(epilogue.get(), at);
  });
}

}  // namespace

void lower_max_pool2d(DeviceContext& context) { lower_forward(context, true); }
void lower_max_pool2d_grad(DeviceContext& context) { lower_backward(context, true); }
void lower_avg_pool2d(DeviceContext& context) { lower_forward(context, false); }
void lower_avg_pool2d_grad(DeviceContext& context) { lower_backward(context, false); }

}  // namespace athanor::device
