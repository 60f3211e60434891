// The convolution kernels of one instruction set: which path each call takes.
//   conv_correlate.inl.h   forward and gradient to the data, in register tiles of channels by pixels (conv_micro.inl.h)
//   conv_direct.inl.h      forward with few input channels
//   conv_weights.inl.h     gradient to the weights and the bias
//   conv_depthwise.inl.h   all passes with one input channel a group
#pragma once
#include "kernels/conv/conv_correlate.inl.h"
#include "kernels/conv/conv_depthwise.inl.h"
#include "kernels/conv/conv_weights.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

inline Index conv_forward_workspace(const ConvForwardArgs& args, int workers) {
  if (conv_is_depthwise(args.shape)) return depthwise_workspace(args.shape, workers);
  return correlate_workspace(args.shape, false, args.w_packed, workers);
}
inline void conv_forward(const ConvForwardArgs& args, Parallel& parallel, void* workspace) {
  if (conv_is_depthwise(args.shape)) return depthwise_forward(args, parallel, workspace);
  correlate(args.shape, false, args.x, args.w, args.w_packed, args.y, args.epilogue, args.epilogue_self, parallel,
            workspace);
}

inline Index conv_backward_data_workspace(const ConvBackwardDataArgs& args, int workers) {
  if (conv_is_depthwise(args.shape)) return depthwise_workspace(args.shape, workers);
  return correlate_workspace(args.shape, true, false, workers);
}
inline void conv_backward_data(const ConvBackwardDataArgs& args, Parallel& parallel, void* workspace) {
  if (conv_is_depthwise(args.shape)) return depthwise_backward_data(args, parallel, workspace);
  correlate(args.shape, true, args.dy, args.w, false, args.dx, args.epilogue, args.epilogue_self, parallel, workspace);
}

inline Index conv_backward_weights_workspace(const ConvBackwardWeightsArgs& args, int workers) {
  if (conv_is_depthwise(args.shape)) return depthwise_weights_workspace(args, workers);
  return correlate_weights_workspace(args, workers);
}
inline void conv_backward_weights(const ConvBackwardWeightsArgs& args, Parallel& parallel, void* workspace) {
  if (conv_is_depthwise(args.shape)) return depthwise_backward_weights(args, parallel, workspace);
  correlate_weights(args, parallel, workspace);
}

// Depthwise weights are a handful of scalars a channel: packed, they are what they were.
inline Index conv_packed_size(const ConvShape& shape) {
  if (conv_is_depthwise(shape)) return shape.c_out * shape.kh * shape.kw;
  ConvShape one = shape;
  one.n = one.h = one.w = 0;
  const Correlation c(one, false);
  return c.groups * c.packed_group();
}
inline void conv_pack_forward(const ConvShape& shape, const float* w, float* dst, Parallel& parallel) {
  if (conv_is_depthwise(shape)) return conv_copy(w, shape.c_out * shape.kh * shape.kw, dst);
  ConvShape one = shape;
  one.n = one.h = one.w = 0;
  conv_pack(Correlation(one, false), w, dst, parallel);
}

constexpr ConvKernels conv_kernels() {
  return {conv_forward_workspace,
          conv_forward,
          conv_backward_data_workspace,
          conv_backward_data,
          conv_backward_weights_workspace,
          conv_backward_weights,
          conv_packed_size,
          conv_pack_forward};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
