// The kernels of the optimizers for x86-64 with AVX2, FMA and F16C. Empty where the build does not define ATHANOR_ISA_AVX2.
#if defined(ATHANOR_ISA_AVX2)
#include "kernels/isa/optim_table.inl.h"
#endif
