// The family of the optimizers of the instruction set being compiled: every update rule in every variant. A unit of its own,
// isa/<name>_optim.cc, so that a change of a rule compiles nothing else anew.
#pragma once
#include "kernels/optim/optim.inl.h"

namespace athanor::kernels::ATHANOR_ISA_NAMESPACE {

kernels::OptimKernels optim_table();

kernels::OptimKernels optim_table() { return optim_kernels(); }

}  // namespace athanor::kernels::ATHANOR_ISA_NAMESPACE
