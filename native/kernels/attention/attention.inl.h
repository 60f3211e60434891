// The attention family of the instruction set being compiled; see attention.h for what it computes.
#pragma once
#include "kernels/attention/attention_backward.inl.h"
#include "kernels/attention/attention_forward.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {
namespace {

constexpr AttentionKernels attention_kernels() {
  return {.forward_workspace = attention::forward_workspace,
          .forward = attention::forward,
          .backward_workspace = attention::backward_workspace,
          .backward = attention::backward};
}

}  // namespace
}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
