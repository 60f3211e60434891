#include "device/rules/rules.h"

#include <array>

namespace athanor::device {

Rule rule_of(Op op) {
  static constexpr auto kRules = [] {
    std::array<Rule, kOpCount> rules{};
#define ATHANOR_DEVICE_RULE(name) rules[static_cast<int>(Op::name)] = lower_##name;
    ATHANOR_DEVICE_RULE(arange)
    ATHANOR_DEVICE_RULE(fused)
    ATHANOR_DEVICE_RULE(sum)
    ATHANOR_DEVICE_RULE(mean)
    ATHANOR_DEVICE_RULE(max)
    ATHANOR_DEVICE_RULE(min)
    ATHANOR_DEVICE_RULE(argmax)
    ATHANOR_DEVICE_RULE(argmin)
    ATHANOR_DEVICE_RULE(matmul)
    ATHANOR_DEVICE_RULE(conv2d)
    ATHANOR_DEVICE_RULE(conv2d_grad_input)
    ATHANOR_DEVICE_RULE(conv2d_grad_weight)
    ATHANOR_DEVICE_RULE(max_pool2d)
    ATHANOR_DEVICE_RULE(max_pool2d_grad)
    ATHANOR_DEVICE_RULE(avg_pool2d)
    ATHANOR_DEVICE_RULE(avg_pool2d_grad)
    ATHANOR_DEVICE_RULE(softmax)
    ATHANOR_DEVICE_RULE(softmax_grad)
    ATHANOR_DEVICE_RULE(log_softmax)
    ATHANOR_DEVICE_RULE(log_softmax_grad)
    ATHANOR_DEVICE_RULE(cross_entropy)
    ATHANOR_DEVICE_RULE(cross_entropy_grad)
    ATHANOR_DEVICE_RULE(layer_norm)
    ATHANOR_DEVICE_RULE(layer_norm_grad)
    ATHANOR_DEVICE_RULE(rms_norm)
    ATHANOR_DEVICE_RULE(rms_norm_grad)
    ATHANOR_DEVICE_RULE(batch_norm)
    ATHANOR_DEVICE_RULE(batch_norm_grad)
    ATHANOR_DEVICE_RULE(attention)
    ATHANOR_DEVICE_RULE(attention_grad)
    ATHANOR_DEVICE_RULE(attention_packed)
    ATHANOR_DEVICE_RULE(attention_packed_grad)
    ATHANOR_DEVICE_RULE(transpose)
    ATHANOR_DEVICE_RULE(concat)
    ATHANOR_DEVICE_RULE(slice)
    ATHANOR_DEVICE_RULE(pad)
    ATHANOR_DEVICE_RULE(embedding)
    ATHANOR_DEVICE_RULE(embedding_grad)
    ATHANOR_DEVICE_RULE(gather)
    ATHANOR_DEVICE_RULE(scatter_add)
    ATHANOR_DEVICE_RULE(one_hot)
    ATHANOR_DEVICE_RULE(top_mask)
    ATHANOR_DEVICE_RULE(exact_i32)
    ATHANOR_DEVICE_RULE(checked_i32)
    ATHANOR_DEVICE_RULE(quantized_matmul)
    ATHANOR_DEVICE_RULE(quantized_conv2d)
    ATHANOR_DEVICE_RULE(dequantize)
    ATHANOR_DEVICE_RULE(sparse_matmul)
    ATHANOR_DEVICE_RULE(sparse_matmul_grad_input)
    ATHANOR_DEVICE_RULE(sparse_matmul_grad_values)
    ATHANOR_DEVICE_RULE(sparse_conv2d)
    ATHANOR_DEVICE_RULE(sparse_conv2d_grad_input)
    ATHANOR_DEVICE_RULE(sparse_conv2d_grad_values)
    ATHANOR_DEVICE_RULE(assign)
    ATHANOR_DEVICE_RULE(optimizer_step)
#undef ATHANOR_DEVICE_RULE
    return rules;
  }();
  return kRules[static_cast<int>(op)];
}

}  // namespace athanor::device
