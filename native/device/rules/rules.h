// The device's table of operations: how each becomes launches. An operation without a row runs on the CPU alone; one whose launcher the
// plugin lacks, or refuses, is refused with its reason when a graph is compiled.
#pragma once
#include "device/emitter.h"

namespace athanor::device {

using Rule = void (*)(DeviceContext&);

// Null where there is none.
Rule rule_of(Op op);

// device/rules/elementwise.cc
void lower_fused(DeviceContext& context);
// What is done to a product while it is in registers, from the node's body; without one it does nothing.
struct PlacedEpilogue;
std::shared_ptr<PlacedEpilogue> epilogue_of(const DeviceContext& context);
Epilogue fill_epilogue(const PlacedEpilogue* epilogue, const Addresses& at);

// device/rules/matmul.cc
void lower_matmul(DeviceContext& context);

// device/rules/reduce.cc
void lower_sum(DeviceContext& context);
void lower_mean(DeviceContext& context);
void lower_max(DeviceContext& context);
void lower_min(DeviceContext& context);
void lower_argmax(DeviceContext& context);
void lower_argmin(DeviceContext& context);

// device/rules/softmax.cc
void lower_softmax(DeviceContext& context);
void lower_softmax_grad(DeviceContext& context);
void lower_log_softmax(DeviceContext& context);
void lower_log_softmax_grad(DeviceContext& context);
void lower_cross_entropy(DeviceContext& context);
void lower_cross_entropy_grad(DeviceContext& context);

// device/rules/movement.cc
void lower_arange(DeviceContext& context);
void lower_transpose(DeviceContext& context);
void lower_concat(DeviceContext& context);
void lower_slice(DeviceContext& context);
void lower_pad(DeviceContext& context);

// device/rules/indexing.cc
void lower_embedding(DeviceContext& context);
void lower_embedding_grad(DeviceContext& context);
void lower_gather(DeviceContext& context);
void lower_scatter_add(DeviceContext& context);
void lower_one_hot(DeviceContext& context);

// device/rules/checked.cc
void lower_exact_i32(DeviceContext& context);
void lower_checked_i32(DeviceContext& context);
void lower_top_mask(DeviceContext& context);

// device/rules/norm.cc
void lower_layer_norm(DeviceContext& context);
void lower_layer_norm_grad(DeviceContext& context);
void lower_rms_norm(DeviceContext& context);
void lower_rms_norm_grad(DeviceContext& context);
void lower_batch_norm(DeviceContext& context);
void lower_batch_norm_grad(DeviceContext& context);

// device/rules/conv.cc
void lower_conv2d(DeviceContext& context);
void lower_conv2d_grad_input(DeviceContext& context);
void lower_conv2d_grad_weight(DeviceContext& context);

// device/rules/pool.cc
void lower_max_pool2d(DeviceContext& context);
void lower_max_pool2d_grad(DeviceContext& context);
void lower_avg_pool2d(DeviceContext& context);
void lower_avg_pool2d_grad(DeviceContext& context);

// device/rules/attention.cc
void lower_attention(DeviceContext& context);
void lower_attention_grad(DeviceContext& context);
void lower_attention_packed(DeviceContext& context);
void lower_attention_packed_grad(DeviceContext& context);

// device/rules/quantized.cc
void lower_quantized_matmul(DeviceContext& context);
void lower_quantized_conv2d(DeviceContext& context);
void lower_dequantize(DeviceContext& context);

// device/rules/sparse.cc
void lower_sparse_matmul(DeviceContext& context);
void lower_sparse_matmul_grad_input(DeviceContext& context);
void lower_sparse_matmul_grad_values(DeviceContext& context);
void lower_sparse_conv2d(DeviceContext& context);
void lower_sparse_conv2d_grad_input(DeviceContext& context);
void lower_sparse_conv2d_grad_values(DeviceContext& context);

// device/rules/effects.cc
void lower_assign(DeviceContext& context);
// device/rules/optimizer.cc
void lower_optimizer_step(DeviceContext& context);

}  // namespace athanor::device
