// Fused attention, in its two forms, and its gradient.
#include "ops/attention/attention_operands.h"

#include "device/rules/rules.h"

namespace athanor::device {
namespace {

void lower_forward(DeviceContext& context, bool packed) {
  const AttentionOperands operands(context, packed);
  context.launch(context.launchers().attention, Attention{}, {operands.flops(), 0},
                 [=](Attention& now, const Addresses& at) { now.args = operands.forward(at); });
}

void lower_backward(DeviceContext& context, bool packed) {
  const AttentionOperands operands(context, packed);
  context.launch(context.launchers().attention_grad, AttentionGrad{}, {2.5 * operands.flops(), 0},
                 [=](AttentionGrad& now, const Addresses& at) { now.args = operands.backward(at); });
}

}  // namespace

void lower_attention(DeviceContext& context) { lower_forward(context, false); }
void lower_attention_grad(DeviceContext& context) { lower_backward(context, false); }
void lower_attention_packed(DeviceContext& context) { lower_forward(context, true); }
void lower_attention_packed_grad(DeviceContext& context) { lower_backward(context, true); }

}  // namespace athanor::device
