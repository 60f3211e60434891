// f64 and i32 programs, the same for every instruction set: they are compiled once, for any processor.
#pragma once
#include "kernels/elementwise/elementwise.h"

namespace athanor::kernels::plain {

// As the members of ElementwiseKernels.
void run_range(const EwArgs& args, Index begin, Index end);
void run_row(const EwProgram& program, void* const* pointers, std::uint32_t scalars, Index n, Index first,
             const EwRandom& random);

}  // namespace athanor::kernels::plain
