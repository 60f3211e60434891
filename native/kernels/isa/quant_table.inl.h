// The family of quantized weights of the instruction set being compiled. It takes the compiler as long as all the others together, so
// it is a unit of its own, isa/<name>_quant.cc: two cores share the work.
#pragma once
#include "kernels/quant/quant.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {

QuantKernels quant_table();

QuantKernels quant_table() { return quant_kernels(); }

}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
