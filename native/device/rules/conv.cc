// Convolution and its gradients, with what is fused into them.
#include "device/rules/elementwise.h"
#include "graph/attributes.h"
#include "ops/conv/conv_geometry.h"

namespace athanor::device {

void lower_conv2d(DeviceContext& context) {
  Conv conv;
  conv.args.shape = conv_shape(context.input_type(0).shape, context.input_type(1).shape, context.attrs());
  const auto epilogue = epilogue_of(context);
  const Slot x = context.input(0), w = context.input(1), y = context.output();
  context.launch(context.launchers().conv, conv, {conv_flops(conv.args.shape), 0}, [=](Conv& now, const Addresses& at) {
    now.args.x = at.at<const float>(x), now.args.w = at.at<const float>(w), now.args.y = at.at<float>(y);
    now.epilogue = fill_epilogue(epilogue.get(), at);
  });
}

void lower_conv2d_grad_input(DeviceContext& context) {
  ConvGradInput grad;
  grad.args.shape = conv_shape(Shape(attributes::conv2d_grad_input::of(context.attrs()).shape),
                               context.input_type(1).shape, context.attrs());
  const auto epilogue = epilogue_of(context);
  const Slot dy = context.input(0), w = context.input(1), dx = context.output();
  context.launch(context.launchers().conv_grad_input, grad, {conv_flops(grad.args.shape), 0},
                 [=](ConvGradInput& now, const Addresses& at) {
                   now.args.dy = at.at<const float>(dy), now.args.w = at.at<const float>(w);
                   now.args.dx = at.at<float>(dx);
                   now.epilogue = fill_epilogue(epilogue.get(), at);
                 });
}

void lower_conv2d_grad_weight(DeviceContext& context) {
  ConvGradWeight grad;
  grad.args.shape = conv_shape(context.input_type(0).shape,
                               Shape(attributes::conv2d_grad_input::of(context.attrs()).shape), context.attrs());
  const Slot x = context.input(0), dy = context.input(1), dw = context.output();
  context.launch(context.launchers().conv_grad_weight, grad, {conv_flops(grad.args.shape), 0},
                 [=](ConvGradWeight& now, const Addresses& at) {
                   now.args.x = at.at<const float>(x), now.args.dy = at.at<const float>(dy);
                   now.args.dw = at.at<float>(dw);
                 });
}

}  // namespace athanor::device
